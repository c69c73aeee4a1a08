//! Everything that servers need on this machine, checked each time and made once.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::tools::{Lacking, Purpose, Tools};
use crate::{apt, jars};

/// A machine on which servers can be started.
pub(crate) struct Ready {
    /// The programs.
    pub(crate) tools: Tools,
    /// The folder with Kafka's jars.
    pub(crate) jars: PathBuf,
}

/// Looks for the programs, installs what is missing if it may, and fetches Kafka.
///
/// Fails with the list of what is missing and the command that installs it.
pub(crate) fn run(purpose: Purpose) -> anyhow::Result<Ready> {
    let tools = find_or_install(purpose)?;
    println!("  java        {}", tools.java.display());
    println!("  postgresql  {}", tools.postgres.display());
    let jars = jars::fetch(&tools.maven)?;
    println!("  kafka       {}", jars.display());
    Ok(Ready { tools, jars })
}

fn find_or_install(purpose: Purpose) -> anyhow::Result<Tools> {
    println!("set-up");
    let lacking = match Tools::find(purpose) {
        Ok(tools) => return Ok(tools),
        Err(lacking) => lacking,
    };
    for what in &lacking {
        println!("  missing: {}", what.name());
    }
    let packages: Vec<&str> = lacking.iter().map(|what| what.package()).collect();
    if !apt::is_possible() {
        bail!("{}", advice(&lacking));
    }
    apt::install(&packages).with_context(|| advice(&lacking))?;
    Tools::find(purpose).map_err(|still| anyhow::anyhow!("apt-get has brought no usable version. {}", advice(&still)))
}

fn advice(lacking: &[Lacking]) -> String {
    let names: Vec<String> = lacking.iter().map(|what| what.name()).collect();
    let packages: Vec<&str> = lacking.iter().map(|what| what.package()).collect();
    format!(
        "this machine lacks {}. On Debian and Ubuntu: {}. Tests that need no server run with `cargo xtask test --quick`",
        names.join(", "),
        apt::command_for(&packages)
    )
}

#[cfg(test)]
mod tests {
    use super::advice;
    use crate::tools::Lacking;

    #[test]
    fn what_is_missing_is_named_with_the_command_that_installs_it() {
        let text = advice(&[Lacking::Java, Lacking::Make]);
        assert!(text.contains("Java 17 or newer"), "{text}");
        assert!(text.contains("sudo apt-get install --no-install-recommends default-jre-headless make"), "{text}");
    }
}
