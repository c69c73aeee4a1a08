//! A server goes on with the master secret that its data was made with, and with no other: people keep their tokens, and their
//! identifiers are theirs.

use std::fs;

use crate::human::Human;
use crate::set_up::{SetUp, new_secrets};

pub(crate) fn are_kept_to(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = set_up.start(&data, 0);
    let port = server.port();
    let ann = Human::new(folder.path(), "ann@example.org", &server);
    ann.join(&server);
    server.stop();

    let (file, own, other) = (set_up.secrets(&data), folder.path().join("own"), folder.path().join("other"));
    fs::rename(&file, &own).unwrap();
    let says = set_up.refused(&data);
    assert!(says.contains(&file.display().to_string()) && says.contains("Bring it back"), "{says}");
    assert!(says.contains("nobody is found"), "what is lost is said: {says}");
    assert!(!file.exists(), "no other was made");
    new_secrets(&other);
    fs::copy(&other, &file).unwrap();
    let says = set_up.refused(&data);
    assert!(says.contains("is not the file of the master secret"), "{says}");
    let [kept, added] = [&own, &other].map(|file| fs::read_to_string(file).unwrap());
    fs::write(&file, format!("{kept}{}", added.replace("number = 1", "number = 2"))).unwrap();
    let says = set_up.refused(&data);
    assert!(says.contains("Take the higher numbers out"), "{says}");

    fs::copy(&own, &file).unwrap();
    let server = set_up.start(&data, port);
    assert_eq!(ann.done(&["whoami"])["waiting"], 0);
    let mut eve = ann.clone();
    eve.home = folder.path().join("eve");
    eve.done(&["register", "ann@example.org"]);
    assert_eq!(eve.refused(&["authorize", &server.code_for("mailto:ann@example.org")]).0, "identifier-taken");
    server.stop();
}
