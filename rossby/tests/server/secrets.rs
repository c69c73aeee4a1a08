//! Which files a server needs beside its log, and what it says where one is gone or damaged. What another secret comes to is in
//! `rossby/tests/person/stories/secrets.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command_line::{rossby, text};
use crate::kills::request;
use crate::process::Server;

/// A server's data with a person's registration in it.
async fn used(folder: &Path) -> PathBuf {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let data = folder.join("data");
    let server = Server::start(&[], &data, 0);
    let asked = reqwest::Client::new().post(format!("{}/v1/registrations", server.url)).json(&request(1)).send();
    assert_eq!(asked.await.unwrap().status(), 202);
    server.stop();
    data
}

/// What `rossby serve` on this data says when it refuses.
fn refused(data: &Path, more: &[&str]) -> String {
    let data = data.display().to_string();
    let output = rossby(&[&["serve", "--listen", "127.0.0.1:0", "--data-dir", &data], more].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    text(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_file_of_secrets_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let data = used(folder.path()).await;
    let (file, kept) = (data.join("secrets.toml"), folder.path().join("kept.toml"));
    fs::rename(&file, &kept).unwrap();
    for read_models in [true, false] {
        if !read_models {
            // What is left is the log, which says as well that there was a secret.
            for file in fs::read_dir(&data).unwrap().map(|entry| entry.unwrap()) {
                if file.file_name().to_string_lossy().starts_with("read-models") {
                    fs::remove_file(file.path()).unwrap();
                }
            }
        }
        let says = refused(&data, &[]);
        assert!(says.contains(&file.display().to_string()) && says.contains("Bring it back"), "{says}");
        assert!(says.contains("nobody is found"), "what is lost is said: {says}");
        assert!(!file.exists(), "no other was made");
    }
    fs::rename(&kept, &file).unwrap();
    Server::start(&[], &data, 0).stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_which_nothing_was_written_gets_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert!(rossby(&["topics", "apply", "--data-dir", &data.display().to_string()]).status.success());
    Server::start(&[], &data, 0).stop();
    assert!(data.join("secrets.toml").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_settings_name_is_never_made() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("named.toml"));
    let config = folder.path().join("rossby.toml");
    fs::write(&config, format!("[secrets]\nfile = {file:?}\n")).unwrap();
    let says = refused(&data, &["--config", &config.display().to_string()]);
    assert!(says.contains(&format!("rossby secrets new {}", file.display())), "{says}");
    assert!(!file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_read_models_are_named_and_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = used(folder.path()).await;
    let file = data.join("read-models.sqlite");
    fs::write(&file, "not a database at all, ".repeat(400)).unwrap();
    let says = refused(&data, &[]);
    assert!(says.contains(&file.display().to_string()) && says.contains("delete it"), "{says}");
    assert_eq!(says.lines().count(), 1, "{says}");
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(data.join(format!("read-models.sqlite{ending}")));
    }
    Server::start(&[], &data, 0).stop();
}
