//! What devices lose: messages that expired before they fetched them.

use std::collections::BTreeMap;

use rossby_schemas::time::Timestamp;
use sqlx::AssertSqlSafe;

use super::queue::still_waits;
use super::row::{Columns as _, signed, value_rows};
use super::{StoreError, Tx};

/// A message that was owed to a device, and has expired.
pub(super) struct ExpiredOwed {
    /// Box, device, id in the queue, content hash.
    key: [Vec<u8>; 4],
    /// Whether the device still waited for it.
    is_lost: bool,
    accepted_at: i64,
}

impl Tx {
    /// Some of what was owed and has expired.
    pub(super) async fn expired_owed(&mut self, now: Timestamp, limit: i64) -> Result<Vec<ExpiredOwed>, StoreError> {
        let rows = sqlx::query(concat!(
            "select o.box_id, o.device_id, o.outer_id, o.content_hash, case when ",
            still_waits!(),
            " then cast(1 as bigint) else cast(0 as bigint) end, coalesce(e.accepted_at, o.expires_at) \
             from (select * from owed where expires_at <= $1 limit $2) o left join enqueued e \
             on e.box_id = o.box_id and e.outer_id = o.outer_id and e.content_hash = o.content_hash",
        ))
        .bind(now.signed_millis())
        .bind(limit)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter()
            .map(|row| {
                let octets = |index| Ok::<_, StoreError>(row.octets(index)?.0.to_vec());
                Ok(ExpiredOwed {
                    key: [octets(0)?, octets(1)?, octets(2)?, octets(3)?],
                    is_lost: row.flag(4)?,
                    accepted_at: signed(row.number(5)?),
                })
            })
            .collect()
    }

    /// Adds what devices lose of these to their figures.
    pub(super) async fn count_lost(&mut self, expired: &[ExpiredOwed]) -> Result<(), StoreError> {
        let mut devices: BTreeMap<[&Vec<u8>; 2], Vec<i64>> = BTreeMap::new();
        for ExpiredOwed { key: [box_id, device_id, ..], accepted_at, .. } in expired.iter().filter(|owed| owed.is_lost)
        {
            devices.entry([box_id, device_id]).or_default().push(*accepted_at);
        }
        for ([box_id, device_id], accepted) in devices {
            let (from, until) = (accepted.iter().min().copied(), accepted.iter().max().copied());
            sqlx::query(
                "insert into device_figures (box_id, device_id, lost_messages, lost_from, lost_until) \
                 values ($1, $2, $3, $4, $5) on conflict (box_id, device_id) do update set \
                 lost_messages = device_figures.lost_messages + excluded.lost_messages, \
                 lost_from = case when device_figures.lost_from < excluded.lost_from \
                 then device_figures.lost_from else excluded.lost_from end, \
                 lost_until = case when device_figures.lost_until > excluded.lost_until \
                 then device_figures.lost_until else excluded.lost_until end",
            )
            .bind(box_id.clone())
            .bind(device_id.clone())
            .bind(i64::try_from(accepted.len()).unwrap_or(i64::MAX))
            .bind(from)
            .bind(until)
            .execute(&mut *self.inner)
            .await?;
        }
        Ok(())
    }

    /// Deletes exactly these.
    pub(super) async fn delete_owed(&mut self, expired: &[ExpiredOwed]) -> Result<(), StoreError> {
        if expired.is_empty() {
            return Ok(());
        }
        let rows = value_rows(expired.len(), 4);
        let delete = format!("delete from owed where (box_id, device_id, outer_id, content_hash) in ({rows})");
        let mut query = sqlx::query(AssertSqlSafe(delete));
        for octets in expired.iter().flat_map(|owed| &owed.key) {
            query = query.bind(octets.clone());
        }
        query.execute(&mut *self.inner).await?;
        Ok(())
    }
}
