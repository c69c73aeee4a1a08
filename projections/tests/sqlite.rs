//! The contract on SQLite, and what is its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod contract;
#[path = "contract/sqlite_log.rs"]
mod sqlite_log;

use rossby_projections::{ReadModels, StoreError};

fn new_database() -> contract::Opening {
    Box::pin(async {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("read models?.sqlite").display());
        (url, Box::new(folder) as Box<dyn Send>)
    })
}

contract::contract!(new_database, sqlite_log::open_log);

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("read-models.sqlite");
    let models = ReadModels::open(&format!("sqlite:{}", path.display()), 4).await.unwrap();
    models.health().await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
    }
    models.close().await;
    assert!(models.health().await.is_err());
}

#[tokio::test]
async fn a_damaged_file_is_named_at_once_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("read-models.sqlite");
    let url = format!("sqlite:{}", path.display());
    let refused = async || {
        let refused = ReadModels::open(&url, 4).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Damaged(file) if *file == path), "{refused}");
        let says = refused.to_string();
        assert!(says.starts_with(&path.display().to_string()) && says.contains("delete it"), "{says}");
    };
    let other = "something else, and longer than the header of a SQLite file is, which has 100 octets".repeat(9);
    std::fs::write(&path, other).unwrap();
    refused().await;
    std::fs::remove_file(&path).unwrap();
    ReadModels::open(&url, 4).await.unwrap().close().await;
    let whole = std::fs::read(&path).unwrap();
    // The list of tables was overwritten; the file was cut.
    let mut overwritten = whole.clone();
    overwritten[100..4096].fill(0xff);
    for octets in [overwritten.as_slice(), &whole[..4096]] {
        std::fs::write(&path, octets).unwrap();
        refused().await;
    }
    std::fs::remove_file(&path).unwrap();
    let models = ReadModels::open(&url, 4).await.unwrap();
    models.health().await.unwrap();
}
