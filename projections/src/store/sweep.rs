//! The sweeper: blanks bodies that nobody waits for, and deletes what was confirmed and what has expired. Never needed for a right
//! answer, since queries leave that out; it keeps the tables small.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::{ConstantBuilder, Retryable as _};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::{Retention, Topic};
use sqlx::AssertSqlSafe;

use super::{Store, StoreError};

/// A sweep and a projector may wait for each other's rows; PostgreSQL ends one of the two, which begins again.
const TRIES: usize = 10;
const AGAIN: Duration = Duration::from_millis(100);

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Bodies that nobody waited for.
    pub bodies: u64,
    /// Devices' parts of messages that they had confirmed, or had been removed before.
    pub settled: u64,
    /// Messages that had expired.
    pub messages: u64,
    /// Acknowledgements whose messages had expired.
    pub acknowledgements: u64,
    /// Registrations whose day was over.
    pub registrations: u64,
    /// Quarantined records that the log no longer keeps either.
    pub quarantined: u64,
}

/// What an unexpired registration's stream can't be older than, so that the rebuilt tables are those that live: the log
/// keeps two days.
pub(super) fn first_day(now: Timestamp) -> String {
    now.minus(Duration::from_secs(24 * 3600)).utc_day()
}

/// How many rows one transaction of a sweep touches at most: a projector that waits for it waits a moment.
const BATCH: i64 = 1000;

/// The tables whose rows expire, beside *owed*, and their whole keys, so that a batch of them can be named.
const EXPIRING: [(&str, &str); 3] = [
    ("enqueued", "box_id, outer_id, content_hash"),
    ("acknowledged", "box_id, device_id, outer_id, content_hash"),
    ("rendezvous", "rendezvous_id, content_hash"),
];

/// Runs a batch again and again until it finds no more. Others write in between.
async fn in_batches<Fut>(batch: impl Fn() -> Fut) -> Result<u64, StoreError>
where
    Fut: Future<Output = Result<u64, StoreError>>,
{
    let retry = || ConstantBuilder::default().with_delay(AGAIN).with_max_times(TRIES);
    let is_passing = |error: &StoreError| matches!(error, StoreError::Unavailable(_));
    let mut all = 0;
    loop {
        match (&batch).retry(retry()).when(is_passing).await? {
            0 => return Ok(all),
            rows => all += rows,
        }
    }
}

impl Store {
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError> {
        let (bodies, settled) = self.blank_bodies().await?;
        // What devices lose is counted while the messages are still there.
        in_batches(|| self.delete_owed(now)).await?;
        let mut deleted = [0; EXPIRING.len()];
        for ((table, key), rows) in EXPIRING.iter().zip(&mut deleted) {
            *rows = in_batches(|| self.delete_expired(table, key, now)).await?;
        }
        let [messages, acknowledgements, _] = deleted;
        let registrations = in_batches(|| self.delete_days(now)).await?;
        in_batches(|| self.delete_closed()).await?;
        in_batches(|| self.delete_closed_histories()).await?;
        let quarantined = in_batches(|| self.delete_quarantined(now)).await?;
        Ok(Swept { bodies, settled, messages, acknowledgements, registrations, quarantined })
    }

    /// Blanks the bodies that nobody waits for, and deletes what was confirmed, of those messages that the hints name. Gives how
    /// many of both.
    async fn blank_bodies(&self) -> Result<(u64, u64), StoreError> {
        let (blanked, settled) = (AtomicU64::new(0), AtomicU64::new(0));
        in_batches(|| async {
            let mut tx = self.begin().await?;
            let hints = tx.take_sweep_hints(BATCH).await?;
            let bodies = tx.blank(&hints).await?;
            let rows = tx.settle_owed(&hints).await?;
            tx.delete_closed(&hints).await?;
            tx.commit().await?;
            blanked.fetch_add(bodies, Ordering::Relaxed);
            settled.fetch_add(rows, Ordering::Relaxed);
            Ok(hints.count)
        })
        .await?;
        Ok((blanked.into_inner(), settled.into_inner()))
    }

    /// Deletes a batch of what was owed and has expired, and counts what devices lose by it, in one transaction.
    async fn delete_owed(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let expired = tx.expired_owed(now, BATCH).await?;
        tx.count_lost(&expired).await?;
        tx.delete_owed(&expired).await?;
        tx.commit().await?;
        Ok(expired.len() as u64)
    }

    /// Deletes a batch of rows that have expired.
    async fn delete_expired(&self, table: &str, key: &str, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let delete =
            format!("delete from {table} where ({key}) in (select {key} from {table} where expires_at <= $1 limit $2)");
        let deleted =
            sqlx::query(AssertSqlSafe(delete)).bind(now.signed_millis()).bind(BATCH).execute(&mut *tx.inner).await?;
        tx.commit().await?;
        Ok(deleted.rows_affected())
    }

    /// Deletes the registrations of days that are over, and claims that ended long ago. Few: a day's.
    async fn delete_days(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut deleted = 0;
        let mut tx = self.begin().await?;
        // A registrations stream is called HASH/DAY, the hash being 64 characters.
        for (table, of_topic) in [
            ("registrations", ""),
            ("codes", ""),
            ("guesses", ""),
            ("heads", "projection = 'inbox' and topic = 'rossby.registrations' and "),
            ("outcomes", "projection = 'inbox' and topic = 'rossby.registrations' and "),
            ("superseded", "projection = 'inbox' and topic = 'rossby.registrations' and "),
        ] {
            let delete = format!("delete from {table} where {of_topic}substr(stream, 66) < $1");
            let rows = sqlx::query(AssertSqlSafe(delete)).bind(first_day(now)).execute(&mut *tx.inner).await?;
            if table == "registrations" {
                deleted = rows.rows_affected();
            }
        }
        sqlx::query("delete from uploaded where day < $1").bind(now.utc_day()).execute(&mut *tx.inner).await?;
        tx.delete_claims(now).await?;
        tx.delete_founding_hints().await?;
        tx.commit().await?;
        Ok(deleted)
    }

    /// Deletes profiles of boxes that were closed.
    async fn delete_closed(&self) -> Result<u64, StoreError> {
        let mut deleted = 0;
        let mut tx = self.begin().await?;
        for query in [
            "delete from profiles where box_id in (select box_id from profile_boxes where state = 'closed')",
            "delete from profile_tags where box_id in (select box_id from profile_boxes where state = 'closed')",
        ] {
            deleted += sqlx::query(query).execute(&mut *tx.inner).await?.rows_affected();
        }
        tx.commit().await?;
        Ok(deleted)
    }

    /// What the log lets go may not stay here: ciphertext above all.
    async fn delete_quarantined(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut deleted = 0;
        let mut tx = self.begin().await?;
        for topic in Topic::ALL {
            let Retention::For(kept) = topic.retention() else { continue };
            deleted += sqlx::query("delete from quarantine where topic like $1 and appended_at <= $2")
                .bind(format!("%{topic}"))
                .bind(now.minus(kept).signed_millis())
                .execute(&mut *tx.inner)
                .await?
                .rows_affected();
        }
        tx.commit().await?;
        Ok(deleted)
    }
}
