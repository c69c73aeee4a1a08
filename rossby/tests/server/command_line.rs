//! What an operator types.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use crate::process::{Lines, Server};

pub(crate) fn rossby(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rossby"));
    command.args(arguments).env("ROSSBY_SERVER__OPERATOR_LISTEN", "127.0.0.1:0").output().unwrap()
}

pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_where_it_is_and_whether_it_is_ready_and_stops_when_it_is_told() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&[], &folder.path().join("data"), 0);
    let deadline = std::time::Instant::now() + crate::process::PATIENCE;
    let ready = loop {
        let ready = reqwest::get(format!("{}/readyz", server.operators())).await.unwrap();
        if ready.status() == 200 || std::time::Instant::now() > deadline {
            break ready.text().await.unwrap();
        }
    };
    assert_eq!(ready, r#"{"ready":true,"not_ready":[]}"#);
    let metrics = reqwest::get(format!("{}/metrics", server.operators())).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("rossby_http_requests_total{"), "{metrics}");
    assert_eq!(reqwest::get(format!("{}/metrics", server.url)).await.unwrap().status(), 404);
    let page = reqwest::get(format!("{}/docs/", server.url)).await.unwrap();
    assert!(page.text().await.unwrap().contains("swagger-ui"));
    // A second server on the same data is refused, and says why.
    let data = folder.path().join("data").display().to_string();
    let second = rossby(&["serve", "--listen", "127.0.0.1:0", "--data-dir", &data]);
    assert!(!second.status.success());
    assert!(text(&second.stderr).contains("in use by another process"), "{}", text(&second.stderr));
    let taken = rossby(&["serve", "--listen", &server.url["http://".len()..], "--data-dir", &format!("{data}2")]);
    assert!(text(&taken.stderr).contains("can't be listened at"), "{}", text(&taken.stderr));
    let operators = server.operators()["http://".len()..].to_owned();
    let taken = Command::new(env!("CARGO_BIN_EXE_rossby"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir", &format!("{data}3")])
        .env("ROSSBY_SERVER__OPERATOR_LISTEN", operators)
        .output()
        .unwrap();
    assert!(text(&taken.stderr).contains("server.operator_listen takes another"), "{}", text(&taken.stderr));
    server.stop();
}

#[test]
fn mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rossby.toml");
    std::fs::write(&file, "[server]\nlitsen = \"127.0.0.1:1\"\n").unwrap();
    let file = file.display().to_string();
    for (arguments, says) in [
        (vec!["serve", "--config", &file], "litsen"),
        (vec!["serve", "--config", "no-such-file.toml"], "no-such-file.toml is not there"),
        (vec!["config", "--config", &file], "litsen"),
        (vec!["serve", "--port", "1"], "--port"),
    ] {
        let output = rossby(&arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
    let secrets = folder.path().join("secrets.toml").display().to_string();
    assert!(rossby(&["secrets", "new", &secrets]).status.success());
    let bare =
        Command::new(env!("CARGO_BIN_EXE_rossby")).args(["secrets", "new", "bare"]).current_dir(&folder).output();
    assert!(bare.unwrap().status.success(), "a name without a folder is one here");
    let again = rossby(&["secrets", "new", &secrets]);
    assert!(!again.status.success() && text(&again.stderr).contains("is there already"));
}

#[test]
fn a_mistake_in_the_settings_is_told_once_with_the_name_that_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    let says = |text: &str, variable: Option<(&str, &str)>| {
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rossby"));
        let output = command.args(["serve", "--config"]).arg(&file).envs(variable).output().unwrap();
        assert!(!output.status.success());
        self::text(&output.stderr)
    };
    let shown = file.display();
    for (text, message) in [
        ("[server]\nlistn = \"127.0.0.1:1\"\n", "there is no setting server.listn; did you mean server.listen?"),
        ("listen = \"127.0.0.1:1\"\n", "there is no setting listen; did you mean server.listen?"),
        ("[sever]\nlisten = \"127.0.0.1:1\"\n", "there is no setting sever; did you mean server?"),
        ("[server]\ncolour = 1\n", "there is no setting server.colour"),
        ("[limits]\ndevices = \"many\"\n", "the setting limits.devices must be a whole number, not below 0"),
        ("[server]\nlisten = 3\n", "the setting server.listen must be a text in quotes"),
        ("[server]\npublic_urls = 3\n", "the setting server.public_urls must be a list"),
        ("[server]\ndata_dir = 3\n", "the setting server.data_dir must be a text in quotes"),
    ] {
        assert_eq!(says(text, None), format!("error: {shown}: {message}\n"));
    }
    let broken = says("[server\n", None);
    assert!(broken.starts_with(&format!("error: {shown}: ")) && broken.lines().count() == 1, "{broken}");
    let variable = says("", Some(("ROSSBY_SERVER__LISTN", "127.0.0.1:1")));
    assert_eq!(variable, "error: there is no setting ROSSBY_SERVER__LISTN; did you mean ROSSBY_SERVER__LISTEN?\n");
}

#[test]
fn topics_are_made_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let run = |verb: &str| rossby(&["topics", verb, "--data-dir", &data]);
    let missing = run("check");
    assert_eq!(missing.status.code(), Some(1));
    assert_eq!(text(&missing.stdout).matches("missing").count(), 6, "{}", text(&missing.stdout));
    assert!(!folder.path().join("data").exists(), "to look makes nothing");
    assert!(run("apply").status.success());
    let right = run("check");
    assert!(right.status.success());
    assert_eq!(text(&right.stdout).matches("as it must be").count(), 6, "{}", text(&right.stdout));
}

#[test]
fn log_lines_that_nobody_can_have_stop_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rossby"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path().join("data"));
    command.env("ROSSBY_SERVER__OPERATOR_LISTEN", "127.0.0.1:0").env("ROSSBY_LOGGING__FILTER", "trace");
    // A disk that is full, from the first line on.
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(full).spawn().unwrap();
    let lines = Arc::new(Lines::default());
    lines.follow(child.stdout.take().unwrap());
    let address = lines.wait_for(|line| line.strip_prefix("Rossby listens on http://").map(str::to_owned));
    for _ in 0..3 {
        let mut connection = TcpStream::connect(&address).unwrap();
        connection.write_all(b"GET /healthz HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}
