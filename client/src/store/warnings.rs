//! What the person should know, kept until it was shown: written with the change that it is about, so that a device that
//! dies in between still tells it.

use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::{DAMAGED, Store, number, time};
use crate::error::ClientError;
use crate::vault::Vault;
use crate::warning::{Notice, Warning};

/// How many of one name are kept: strangers can cause some of them, as many as they like.
const MAX_OF_A_NAME: i64 = 100;

/// Keeps a warning. One that waits already, or has no room, only counts.
pub(crate) async fn keep(
    connection: &mut SqliteConnection,
    vault: &Vault,
    warning: &Warning,
    now: Timestamp,
) -> Result<(), ClientError> {
    let name = warning.name();
    let waiting: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select id, warning from warnings where name = ? order by id desc limit ?")
            .bind(name)
            .bind(MAX_OF_A_NAME)
            .fetch_all(&mut *connection)
            .await?;
    let mut counted = None;
    for (id, sealed) in &waiting {
        if opened(vault, name, sealed)? == *warning {
            counted = Some(*id);
        }
    }
    if waiting.len() >= usize::try_from(MAX_OF_A_NAME).unwrap_or(usize::MAX) {
        counted = counted.or(waiting.first().map(|(id, _)| *id));
    }
    if let Some(id) = counted {
        sqlx::query("update warnings set times = times + 1 where id = ?").bind(id).execute(connection).await?;
        return Ok(());
    }
    // A warning is texts, numbers and ids, which JSON can hold.
    let text = serde_json::to_vec(warning).unwrap_or_default();
    sqlx::query("insert into warnings (name, warning, seen_at) values (?, ?, ?)")
        .bind(name)
        .bind(vault.seal(&label(name), &text))
        .bind(now.signed_millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes a warning back that was not shown yet, since more is known now. Gives whether it was there.
pub(crate) async fn withdraw(
    connection: &mut SqliteConnection,
    vault: &Vault,
    warning: &Warning,
) -> Result<bool, ClientError> {
    let name = warning.name();
    let waiting: Vec<(i64, Vec<u8>)> = sqlx::query_as("select id, warning from warnings where name = ?")
        .bind(name)
        .fetch_all(&mut *connection)
        .await?;
    for (id, sealed) in waiting {
        if opened(vault, name, &sealed)? == *warning {
            sqlx::query("delete from warnings where id = ?").bind(id).execute(connection).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

fn label(name: &str) -> String {
    format!("warning {name}")
}

fn opened(vault: &Vault, name: &str, sealed: &[u8]) -> Result<Warning, ClientError> {
    serde_json::from_slice(&vault.open(&label(name), sealed)?).map_err(|_| DAMAGED)
}

impl Store {
    /// What was not shown yet, the oldest first.
    pub(crate) async fn warnings(&self, vault: &Vault) -> Result<Vec<Notice>, ClientError> {
        let rows: Vec<(i64, String, Vec<u8>, i64, i64)> =
            sqlx::query_as("select id, name, warning, seen_at, times from warnings order by id")
                .fetch_all(&self.pool)
                .await?;
        let read = |(id, name, sealed, seen_at, times): (_, String, Vec<u8>, _, _)| {
            let warning = opened(vault, &name, &sealed)?;
            Ok(Notice { id, text: warning.to_string(), warning, seen_at: time(seen_at)?, times: number(times)? })
        };
        rows.into_iter().map(read).collect()
    }

    /// They were shown. One that came again in between stays.
    pub(crate) async fn warnings_shown(&self, notices: &[Notice]) -> Result<(), ClientError> {
        let mut transaction = self.begin().await?;
        for notice in notices {
            sqlx::query("delete from warnings where id = ? and times = ?")
                .bind(notice.id)
                .bind(super::signed(notice.times))
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
