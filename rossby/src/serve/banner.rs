//! What a server prints when it is ready: where it listens, and the commands by which two people can talk.

use std::net::SocketAddr;

use crate::config::{EmailVia, Settings};
use crate::person::DEFAULT_SERVER;

/// The text for a server that clients reach at `url`, and operators at theirs; `program` is what a person types to run this binary.
pub(super) fn text(settings: &Settings, url: &str, operators: Option<SocketAddr>, program: &str) -> String {
    let mut text = format!("Rossby listens on {url}\n");
    if let Some(operators) = operators {
        text += &format!("for operators    http://{operators}/readyz and /metrics\n");
    }
    if settings.is_embedded() {
        text += &format!("data             {}\n", settings.server.data_dir.display());
    }
    text += &format!("documentation    {url}/docs\n\n");
    let codes = match settings.codes.email_via {
        EmailVia::Console => "codes are printed here",
        EmailVia::Smtp => "codes come by email",
    };
    let server = if url == DEFAULT_SERVER { String::new() } else { format!(" --server {url}") };
    text += &format!("Two people can talk now, each from a terminal of their own; {codes}:\n");
    for (name, other) in [("ann", "ben"), ("ben", "ann")] {
        let region = match settings.region.number {
            1 => String::new(),
            number => format!(" --region {number}"),
        };
        text += &format!(
            "\n  {program} register {name}@example.org --home {name}{server}{region}\n  \
             {program} authorize CODE --home {name}\n  \
             {program} send {other}@example.org \"Hello\" --home {name}\n  \
             {program} inbox --follow --home {name}\n"
        );
    }
    text.push('\n');
    text
}

/// How this binary was called, as a person can type it again.
pub(super) fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "rossby".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_server_where_it_is_not_the_default() {
        let mut settings = Settings::default();
        let usual = text(&settings, DEFAULT_SERVER, None, "rossby");
        assert!(usual.contains("rossby register ann@example.org --home ann\n"), "{usual}");
        settings.region.number = 2;
        let operators = "127.0.0.1:1235".parse().ok();
        let other = text(&settings, "http://127.0.0.1:1234", operators, "target/release/rossby");
        assert!(!usual.contains("operators") && other.contains("http://127.0.0.1:1235/readyz"), "{other}");
        let line =
            "target/release/rossby register ben@example.org --home ben --server http://127.0.0.1:1234 --region 2\n";
        assert!(other.contains(line), "{other}");
    }
}
