//! Hints for the sweeper: where somebody may have been the last to wait, so that it need not look at every message.
//!
//! Whoever could make a message be waited for by nobody leaves one: the message itself when it comes (it may have been
//! confirmed before, elsewhere), each confirmation, the removal of a device, the closing of a box. Hints are only ever added, and
//! deleted by their number once they were looked at: one that comes beside a sweep is never lost.

use std::collections::BTreeSet;

use rossby_schemas::ids::BoxId;
use sqlx::AssertSqlSafe;

use super::queue::still_waits;
use super::row::{Columns as _, value_rows};
use super::{StoreError, Tx};

/// Where somebody may have been the last to wait.
#[derive(Default)]
pub(super) struct SweepHints {
    /// How many hints there were.
    pub(super) count: u64,
    /// Messages, by box, id in the queue, and content hash.
    messages: BTreeSet<[Vec<u8>; 3]>,
    /// Boxes of which it may be any message.
    boxes: BTreeSet<Vec<u8>>,
}

impl Tx {
    /// Somebody may have been the last to wait for a message.
    pub(super) async fn hint_message(
        &mut self,
        box_id: BoxId,
        outer_id: &[u8],
        content_hash: &[u8],
    ) -> Result<(), StoreError> {
        sqlx::query("insert into sweep_hints (box_id, outer_id, content_hash) values ($1, $2, $3)")
            .bind(box_id.as_bytes().to_vec())
            .bind(outer_id.to_vec())
            .bind(content_hash.to_vec())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Somebody may have been the last to wait for any of a box's messages.
    pub(super) async fn hint_box(&mut self, box_id: BoxId) -> Result<(), StoreError> {
        sqlx::query("insert into sweep_hints (box_id) values ($1)")
            .bind(box_id.as_bytes().to_vec())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// The oldest hints, which are deleted with it.
    pub(super) async fn take_sweep_hints(&mut self, limit: i64) -> Result<SweepHints, StoreError> {
        let rows = sqlx::query("select id, box_id, outer_id, content_hash from sweep_hints order by id limit $1")
            .bind(limit)
            .fetch_all(&mut *self.inner)
            .await?;
        let (mut hints, mut ids) = (SweepHints::default(), Vec::with_capacity(rows.len()));
        for row in &rows {
            let box_id = row.octets(1)?.0.to_vec();
            match (row.maybe_octets(2)?, row.maybe_octets(3)?) {
                (Some(outer_id), Some(hash)) => {
                    hints.messages.insert([box_id, outer_id.0.to_vec(), hash.0.to_vec()]);
                }
                _ => {
                    hints.boxes.insert(box_id);
                }
            }
            ids.push(row.number(0)?.to_string());
        }
        hints.count = ids.len() as u64;
        if !ids.is_empty() {
            // By their very numbers: one with a lower number can come later than one with a higher.
            let delete = format!("delete from sweep_hints where id in ({})", ids.join(", "));
            sqlx::query(AssertSqlSafe(delete)).execute(&mut *self.inner).await?;
        }
        Ok(hints)
    }

    /// Blanks the bodies of which hints speak, as far as nobody waits for them. Gives how many.
    pub(super) async fn blank(&mut self, hints: &SweepHints) -> Result<u64, StoreError> {
        let blank = |which: &str| {
            AssertSqlSafe(format!(
                "update enqueued set value = null where value is not null and {which} and not exists (\
                 select 1 from owed o where o.box_id = enqueued.box_id and o.outer_id = enqueued.outer_id \
                 and o.content_hash = enqueued.content_hash and {})",
                still_waits!()
            ))
        };
        let mut blanked = 0;
        for box_id in &hints.boxes {
            let query = sqlx::query(blank("box_id = $1")).bind(box_id.clone());
            blanked += query.execute(&mut *self.inner).await?.rows_affected();
        }
        if !hints.messages.is_empty() {
            let which = format!("(box_id, outer_id, content_hash) in ({})", value_rows(hints.messages.len(), 3));
            let mut query = sqlx::query(blank(&which));
            for octets in hints.messages.iter().flatten() {
                query = query.bind(octets.clone());
            }
            blanked += query.execute(&mut *self.inner).await?.rows_affected();
        }
        Ok(blanked)
    }

    /// Deletes what hints speak of that nobody waits for any more, so that no fetch passes over it: what was confirmed, and the
    /// share of removed devices. Gives how many rows.
    pub(super) async fn settle_owed(&mut self, hints: &SweepHints) -> Result<u64, StoreError> {
        const REMOVED: &str =
            "exists (select 1 from removed r where r.box_id = owed.box_id and r.device_id = owed.device_id)";
        let mut settled = 0;
        for box_id in &hints.boxes {
            let delete = format!("delete from owed where box_id = $1 and {REMOVED}");
            let query = sqlx::query(AssertSqlSafe(delete)).bind(box_id.clone());
            settled += query.execute(&mut *self.inner).await?.rows_affected();
        }
        if hints.messages.is_empty() {
            return Ok(settled);
        }
        let rows = value_rows(hints.messages.len(), 3);
        let delete = format!(
            "delete from owed where (box_id, outer_id, content_hash) in ({rows}) and ({REMOVED} \
             or exists (select 1 from acknowledged a where a.box_id = owed.box_id and a.device_id = owed.device_id \
             and a.outer_id = owed.outer_id and a.content_hash = owed.content_hash))"
        );
        let mut query = sqlx::query(AssertSqlSafe(delete));
        for octets in hints.messages.iter().flatten() {
            query = query.bind(octets.clone());
        }
        Ok(settled + query.execute(&mut *self.inner).await?.rows_affected())
    }

    /// Deletes what the queue has of boxes that are closed, of those that hints speak of: what comes later leaves a hint too.
    pub(super) async fn delete_closed(&mut self, hints: &SweepHints) -> Result<(), StoreError> {
        let boxes: BTreeSet<&Vec<u8>> =
            hints.boxes.iter().chain(hints.messages.iter().map(|[box_id, ..]| box_id)).collect();
        if boxes.is_empty() {
            return Ok(());
        }
        let select = format!("select box_id from closed where (box_id) in ({})", value_rows(boxes.len(), 1));
        let mut query = sqlx::query(AssertSqlSafe(select));
        for box_id in boxes {
            query = query.bind(box_id.clone());
        }
        for row in query.fetch_all(&mut *self.inner).await? {
            let box_id = row.octets(0)?.0.to_vec();
            for delete in [
                "delete from enqueued where box_id = $1",
                "delete from owed where box_id = $1",
                "delete from acknowledged where box_id = $1",
                "delete from device_figures where box_id = $1",
                "delete from claims where box_id = $1",
            ] {
                sqlx::query(delete).bind(box_id.clone()).execute(&mut *self.inner).await?;
            }
        }
        Ok(())
    }
}
