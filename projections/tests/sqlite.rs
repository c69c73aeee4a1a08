//! The contract on SQLite, and what is its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod contract;
#[path = "contract/sqlite_log.rs"]
mod sqlite_log;

use rossby_projections::ReadModels;

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
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("read-models.sqlite");
    std::fs::write(
        &path,
        "something else, and longer than the header of a SQLite file is, which has 100 octets".repeat(9),
    )
    .unwrap();
    assert!(ReadModels::open(&format!("sqlite:{}", path.display()), 4).await.is_err());
}
