//! The sweeper: blanks bodies that nobody waits for, and deletes what has expired. Never needed for a right answer, since
//! queries leave out what has expired; it keeps the tables small.

use std::time::Duration;

use backon::{ConstantBuilder, Retryable as _};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::{Retention, Topic};

use super::queue::still_waits;
use super::{Store, StoreError};

/// A sweep and a projector may wait for each other's rows; PostgreSQL ends one of the two, which begins again.
const TRIES: usize = 10;
const AGAIN: Duration = Duration::from_millis(100);

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Bodies that nobody waited for.
    pub bodies: u64,
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

impl Store {
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError> {
        let retry = || ConstantBuilder::default().with_delay(AGAIN).with_max_times(TRIES);
        let is_passing = |error: &StoreError| matches!(error, StoreError::Unavailable(_));
        let bodies = (|| self.blank_bodies()).retry(retry()).when(is_passing).await?;
        let (messages, acknowledgements) = (|| self.delete_expired(now)).retry(retry()).when(is_passing).await?;
        let registrations = (|| self.delete_days_and_closed(now)).retry(retry()).when(is_passing).await?;
        let quarantined = (|| self.delete_quarantined(now)).retry(retry()).when(is_passing).await?;
        Ok(Swept { bodies, messages, acknowledgements, registrations, quarantined })
    }

    async fn blank_bodies(&self) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let bodies = sqlx::query(concat!(
            "update enqueued set value = null where value is not null and not exists (\
             select 1 from owed o where o.box_id = enqueued.box_id and o.outer_id = enqueued.outer_id \
             and o.content_hash = enqueued.content_hash and ",
            still_waits!(),
            ")",
        ))
        .execute(&mut *tx.inner)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(bodies)
    }

    async fn delete_expired(&self, now: Timestamp) -> Result<(u64, u64), StoreError> {
        let (mut messages, mut acknowledgements) = (0, 0);
        let mut tx = self.begin().await?;
        // What devices lose is counted in the transaction that deletes it, so that it is counted once.
        sqlx::query(concat!(
            "insert into device_figures (box_id, device_id, lost_messages, lost_from, lost_until) \
             select o.box_id, o.device_id, count(*), min(e.accepted_at), max(e.accepted_at) \
             from owed o join enqueued e \
             on e.box_id = o.box_id and e.outer_id = o.outer_id and e.content_hash = o.content_hash \
             where o.expires_at <= $1 and ",
            still_waits!(),
            " group by o.box_id, o.device_id \
             on conflict (box_id, device_id) do update set \
             lost_messages = device_figures.lost_messages + excluded.lost_messages, \
             lost_from = case when device_figures.lost_from < excluded.lost_from then device_figures.lost_from \
             else excluded.lost_from end, \
             lost_until = case when device_figures.lost_until > excluded.lost_until then device_figures.lost_until \
             else excluded.lost_until end",
        ))
        .bind(now.signed_millis())
        .execute(&mut *tx.inner)
        .await?;
        for (count, query) in [
            (&mut messages, "delete from enqueued where expires_at <= $1"),
            (&mut 0, "delete from owed where expires_at <= $1"),
            (&mut 0, "delete from rendezvous where expires_at <= $1"),
            (&mut acknowledgements, "delete from acknowledged where expires_at <= $1"),
        ] {
            *count = sqlx::query(query).bind(now.signed_millis()).execute(&mut *tx.inner).await?.rows_affected();
        }
        tx.commit().await?;
        Ok((messages, acknowledgements))
    }

    async fn delete_days_and_closed(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut registrations = 0;
        let mut tx = self.begin().await?;
        // A registrations stream is called HASH/DAY, the hash being 64 characters.
        for (count, query) in [
            (&mut registrations, "delete from registrations where substr(stream, 66) < $1"),
            (&mut 0, "delete from codes where substr(stream, 66) < $1"),
            (&mut 0, "delete from guesses where substr(stream, 66) < $1"),
            (&mut 0, "delete from heads where topic = 'rossby.registrations' and substr(stream, 66) < $1"),
            (&mut 0, "delete from outcomes where topic = 'rossby.registrations' and substr(stream, 66) < $1"),
            (&mut 0, "delete from superseded where topic = 'rossby.registrations' and substr(stream, 66) < $1"),
        ] {
            *count = sqlx::query(query).bind(first_day(now)).execute(&mut *tx.inner).await?.rows_affected();
        }
        sqlx::query("delete from uploaded where day < $1").bind(now.utc_day()).execute(&mut *tx.inner).await?;
        for query in [
            "delete from profiles where box_id in (select box_id from profile_boxes where state = 'closed')",
            "delete from profile_tags where box_id in (select box_id from profile_boxes where state = 'closed')",
        ] {
            sqlx::query(query).execute(&mut *tx.inner).await?;
        }
        tx.commit().await?;
        Ok(registrations)
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
