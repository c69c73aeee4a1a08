//! Up to where the account's history was seen.

use std::collections::BTreeMap;

use rossby_schemas::encoding::Sha256Digest;
use sqlx::SqliteConnection;

use super::{digest, number, signed};
use crate::error::ClientError;

/// The last version of each stream, by topic and stream, and the hash of the chain there.
pub(crate) type Heads = BTreeMap<(String, String), (u64, Sha256Digest)>;

/// What was seen the last time.
pub(crate) async fn heads(connection: &mut SqliteConnection) -> Result<Heads, ClientError> {
    let rows: Vec<(String, String, i64, Vec<u8>)> =
        sqlx::query_as("select topic, stream, version, hash from account_history_heads").fetch_all(connection).await?;
    rows.into_iter()
        .map(|(topic, stream, version, hash)| Ok(((topic, stream), (number(version)?, digest(&hash)?))))
        .collect()
}

/// Keeps what was seen now. A stream that has come further meanwhile, by another process, stays there.
pub(crate) async fn keep_heads(connection: &mut SqliteConnection, heads: &Heads) -> Result<(), ClientError> {
    for ((topic, stream), (version, hash)) in heads {
        sqlx::query(
            "insert into account_history_heads (topic, stream, version, hash) values (?, ?, ?, ?)
             on conflict (topic, stream) do update set version = excluded.version, hash = excluded.hash
             where excluded.version > version",
        )
        .bind(topic)
        .bind(stream)
        .bind(signed(*version))
        .bind(hash.as_slice())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
