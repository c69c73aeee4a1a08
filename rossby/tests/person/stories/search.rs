//! Everything that a server holds, searched for octets.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rossby_log::BatchLimit;
use rossby_schemas::topic::{Topic, TopicName};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::set_up::{PARTITIONS, SetUp};

/// Whether the octets have this in any form in which it could stand there: as it is, in hexadecimal, in base64 at any
/// place, in either alphabet.
pub(crate) fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    let found = |needle: &[u8]| haystack.windows(needle.len()).any(|window| window == needle);
    let in_base64 = |shift: usize| {
        // What stands before and after changes the first and the last characters.
        let shifted = [&[0; 2][..shift], needle].concat();
        let whole = shifted.len() / 3 * 3;
        [STANDARD.encode(&shifted[..whole]), URL_SAFE_NO_PAD.encode(&shifted[..whole])]
            .map(|text| text.as_bytes()[(shift * 8).div_ceil(6)..].to_vec())
            .iter()
            .any(|text| found(text))
    };
    found(needle)
        || found(hex::encode(needle).as_bytes())
        || found(hex::encode_upper(needle).as_bytes())
        || (0..3).any(in_base64)
}

/// All that stands in a place, by names that say where.
pub(crate) type Captured = Vec<(String, Vec<u8>)>;

pub(crate) fn places<'a>(captured: &'a Captured, needle: &[u8]) -> Vec<&'a str> {
    captured.iter().filter(|(_, octets)| holds(octets, needle)).map(|(name, _)| name.as_str()).collect()
}

pub(crate) fn files(folder: &Path) -> Captured {
    let mut captured = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            captured.extend(files(&path));
        } else {
            match std::fs::read(&path) {
                Ok(octets) => captured.push((path.display().to_string(), octets)),
                // SQLite takes its own files away while others write.
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{}", path.display()),
            }
        }
    }
    captured
}

/// Every record of every topic, with its key and headers.
pub(crate) async fn log(set_up: &SetUp, data_dir: &Path) -> Captured {
    let log = set_up.open_log(data_dir).await;
    let mut captured = Vec::new();
    for topic in Topic::ALL {
        for partition in 0..PARTITIONS {
            let name = TopicName::local(topic);
            let mut reader = log.read(&name, partition, 0).await.unwrap();
            loop {
                let batch = reader.next(BatchLimit::default()).await.unwrap();
                for stored in batch.records {
                    let mut octets = format!("{:?}", stored.record.key).into_bytes();
                    for (header, value) in &stored.record.headers {
                        octets.extend([header.as_bytes(), b"=", value, b"\n"].concat());
                    }
                    octets.extend_from_slice(stored.record.value.as_deref().unwrap_or_default());
                    captured.push((format!("{topic:?}/{partition}@{}", stored.offset), octets));
                }
                if batch.caught_up {
                    break;
                }
            }
        }
    }
    log.close().await;
    captured
}

/// Every row of every table, as text.
pub(crate) async fn tables(set_up: &SetUp, data_dir: &Path) -> Captured {
    match &set_up.postgres {
        Some(url) => tables_of_postgres(url).await,
        None => tables_of_sqlite(&data_dir.join("read-models.sqlite")).await,
    }
}

async fn tables_of_postgres(url: &str) -> Captured {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let names: Vec<String> =
        sqlx::query_scalar("select table_name::text from information_schema.tables where table_schema = 'public'")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let mut captured = Vec::new();
    for name in names {
        let query = format!("select coalesce(string_agg(t::text, E'\\n'), '') from \"{name}\" t");
        let text: String = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut connection).await.unwrap();
        captured.push((format!("table {name}"), text.into_bytes()));
    }
    captured
}

async fn tables_of_sqlite(file: &Path) -> Captured {
    let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await.unwrap();
    let names: Vec<String> = sqlx::query_scalar("select name from sqlite_master where type = 'table'")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let mut captured = Vec::new();
    for name in names {
        let columns: Vec<String> = sqlx::query_scalar("select name from pragma_table_info(?)")
            .bind(&name)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let row: Vec<String> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
        let query = format!("select coalesce(group_concat({}, char(10)), '') from \"{name}\"", row.join(" || ',' || "));
        let text: String = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut connection).await.unwrap();
        captured.push((format!("table {name}"), text.into_bytes()));
    }
    captured
}

/// All that the server keeps: its log, its tables, and its files where it keeps both in them.
pub(crate) async fn kept(set_up: &SetUp, data_dir: &Path) -> Captured {
    let mut captured = log(set_up, data_dir).await;
    captured.extend(tables(set_up, data_dir).await);
    if set_up.postgres.is_none() {
        captured.extend(files(data_dir));
    }
    captured
}

#[test]
fn the_search_sees_every_form() {
    let secret = b"a secret of some length";
    for form in [
        String::from_utf8_lossy(secret).into_owned(),
        hex::encode(secret),
        hex::encode_upper(secret),
        STANDARD.encode(secret),
        STANDARD.encode([b"x".as_slice(), secret, b"tail"].concat()),
        URL_SAFE_NO_PAD.encode([b"xy".as_slice(), secret, b"tail"].concat()),
        URL_SAFE_NO_PAD.encode([b"xyz".as_slice(), secret].concat()),
    ] {
        assert!(holds(format!("before {form} after").as_bytes(), secret), "{form}");
    }
    assert!(!holds(b"another secret of some length", b"not there at all"));
}
