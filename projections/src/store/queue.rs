//! The message queue: a set of facts. Everything is inserted, nothing is read in order to write, and what waits is computed.

use bytes::Bytes;
use rossby_crypto::message::{MessageValue, content_hash};
use rossby_log::Offset;
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::events::inbox::{MessageEnqueuedV1, MessagesAcknowledgedV1};
use rossby_schemas::events::profiles::{AclTag, Audience};
use rossby_schemas::http::messages::Lost;
use rossby_schemas::ids::{BoxId, DeviceId, OuterId, RegionNumber};
use rossby_schemas::time::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::listed::Listed;
use super::row::{Columns as _, signed};
use super::{Store, StoreError, Tx};

/// What makes a row `o` of *owed* one that still waits: it is not confirmed, its device not removed, its box not closed.
macro_rules! still_waits {
    () => {
        "not exists (select 1 from acknowledged a where a.box_id = o.box_id and a.device_id = o.device_id \
         and a.outer_id = o.outer_id and a.content_hash = o.content_hash) \
         and not exists (select 1 from removed r where r.box_id = o.box_id and r.device_id = o.device_id) \
         and not exists (select 1 from closed c where c.box_id = o.box_id)"
    };
}
pub(super) use still_waits;

/// What waits for a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Messages in order of (accepted at, id, content hash).
    pub messages: Vec<WaitingMessage>,
    /// Whether there are more.
    pub more: bool,
}

/// A message that waits for a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingMessage {
    /// Its id in the queue.
    pub outer_id: OuterId,
    /// SHA-256 of its value.
    pub content_hash: Sha256Digest,
    /// When it was accepted first.
    pub accepted_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Its value.
    pub value: Bytes,
}

/// A message that was accepted under an id, whether or not anyone waits for it still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptedMessage {
    /// SHA-256 of its value.
    pub content_hash: Sha256Digest,
    /// When it was accepted first.
    pub accepted_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The region whose log has it.
    pub region: RegionNumber,
    /// The partition there.
    pub partition: u32,
    /// The offset there.
    pub offset: Offset,
}

/// A message that entered a queue, and where it stands in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Enqueued<'a> {
    pub(crate) event: &'a MessageEnqueuedV1,
    pub(crate) value: &'a MessageValue,
    pub(crate) accepted_at: Timestamp,
    pub(crate) region: RegionNumber,
    pub(crate) partition: u32,
    pub(crate) offset: Offset,
}

/// A device and its part of the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DevicePointer {
    /// How many unexpired messages wait for it.
    pub waiting: u64,
    /// How many unexpired messages it has confirmed.
    pub confirmed: u64,
    /// When it last confirmed any.
    pub last_confirmed_at: Option<Timestamp>,
    /// What expired before it fetched it.
    pub lost: Option<Lost>,
}

/// What a box allows another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// Whether the box was founded and is not closing.
    pub exists: bool,
    /// Who may find it.
    pub discoverable: Audience,
    /// From whom it accepts messages.
    pub accept_from: Audience,
    /// Whether it has blocked the other.
    pub blocked: bool,
    /// Whether the other is its contact.
    pub contact: bool,
}

/// The query for what waits for a device, with a condition of its own.
pub(super) fn waiting(besides: &str) -> String {
    // The index gives the device's part in its order, so that no more is read than is asked for, and what was confirmed since
    // the last sweep. Bodies are read only for as many messages as are given. All that is looked up for a row is asked by a
    // query for that row: what PostgreSQL may join it does join, all that waits, before it takes the first.
    [
        "select w.outer_id, w.content_hash, w.accepted_at, w.expires_at, \
             case when w.total <= $5 or w.total = w.size then (select v.value from enqueued v \
             where v.box_id = w.box_id and v.outer_id = w.outer_id and v.content_hash = w.content_hash) end as value \
             from (select q.*, sum(q.size) over (order by q.accepted_at, q.outer_id, q.content_hash) as total \
             from (select o.box_id, o.outer_id, o.content_hash, o.accepted_at, o.expires_at, \
             (select length(e.value) from enqueued e where e.box_id = o.box_id and e.outer_id = o.outer_id \
             and e.content_hash = o.content_hash) as size \
             from owed o where o.box_id = $1 and o.device_id = $2 and o.expires_at > $3",
        besides,
        " and (select count(*) from acknowledged a where a.box_id = o.box_id and a.device_id = o.device_id \
             and a.outer_id = o.outer_id and a.content_hash = o.content_hash) = 0 \
             and (select count(*) from enqueued e where e.box_id = o.box_id and e.outer_id = o.outer_id \
             and e.content_hash = o.content_hash and e.value is not null) > 0 \
             and not exists (select 1 from removed r where r.box_id = $1 and r.device_id = $2) \
             and not exists (select 1 from closed c where c.box_id = $1) \
             order by o.accepted_at, o.outer_id, o.content_hash limit $4) q) w \
             order by w.accepted_at, w.outer_id, w.content_hash",
    ]
    .concat()
}

impl Store {
    /// What waits for a device at `now`, `limit` messages and about `max_octets` at most, but always one.
    pub(crate) async fn waiting(
        &self,
        box_id: BoxId,
        device_id: DeviceId,
        now: Timestamp,
        limit: u32,
        max_octets: usize,
    ) -> Result<Waiting, StoreError> {
        self.waiting_besides(box_id, device_id, now, &[], limit, max_octets).await
    }

    /// The same without the messages under these ids.
    pub(crate) async fn waiting_besides(
        &self,
        box_id: BoxId,
        device_id: DeviceId,
        now: Timestamp,
        besides: &[OuterId],
        limit: u32,
        max_octets: usize,
    ) -> Result<Waiting, StoreError> {
        let besides = Listed::of(besides, 6);
        let query = sqlx::query(AssertSqlSafe(waiting(&besides.none_of("o.outer_id"))))
            .bind(box_id.as_bytes().to_vec())
            .bind(device_id.as_bytes().to_vec())
            .bind(now.signed_millis())
            .bind(i64::from(limit) + 1)
            .bind(i64::try_from(max_octets).unwrap_or(i64::MAX));
        let rows = besides.bind(query, |id| id.as_bytes().to_vec()).fetch_all(&self.pool).await?;
        let mut waiting = Waiting::default();
        for row in &rows {
            let is_full = waiting.messages.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
            let (false, Some(value)) = (is_full, row.maybe_octets(4)?) else {
                waiting.more = true;
                break;
            };
            waiting.messages.push(WaitingMessage {
                outer_id: OuterId::from_bytes(row.id(0)?),
                content_hash: row.fixed(1)?,
                accepted_at: row.time(2)?,
                expires_at: row.time(3)?,
                value: value.0,
            });
        }
        Ok(waiting)
    }

    pub(crate) async fn accepted(&self, box_id: BoxId, outer_id: OuterId) -> Result<Vec<AcceptedMessage>, StoreError> {
        let rows = sqlx::query(
            "select content_hash, accepted_at, expires_at, region, partition, record_offset from enqueued \
             where box_id = $1 and outer_id = $2 order by content_hash",
        )
        .bind(box_id.as_bytes().to_vec())
        .bind(outer_id.as_bytes().to_vec())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(AcceptedMessage {
                    content_hash: row.fixed(0)?,
                    accepted_at: row.time(1)?,
                    expires_at: row.time(2)?,
                    region: RegionNumber(u8::try_from(row.small(3)?).unwrap_or_default()),
                    partition: row.small(4)?,
                    offset: row.number(5)?,
                })
            })
            .collect()
    }

    pub(crate) async fn device_pointer(
        &self,
        box_id: BoxId,
        device_id: DeviceId,
        now: Timestamp,
    ) -> Result<DevicePointer, StoreError> {
        let row = sqlx::query(concat!(
            "select (select count(*) from owed o where o.box_id = $1 and o.device_id = $2 and o.expires_at > $3 and ",
            still_waits!(),
            "), (select count(*) from acknowledged a where a.box_id = $1 and a.device_id = $2 and a.expires_at > $3), \
             f.last_confirmed_at, f.lost_messages, f.lost_from, f.lost_until \
             from (select 1 as one) x left join device_figures f on f.box_id = $1 and f.device_id = $2",
        ))
        .bind(box_id.as_bytes().to_vec())
        .bind(device_id.as_bytes().to_vec())
        .bind(now.signed_millis())
        .fetch_one(&self.pool)
        .await?;
        pointer(&row)
    }

    pub(crate) async fn lost(&self, box_id: BoxId, device_id: DeviceId) -> Result<Option<Lost>, StoreError> {
        let row = sqlx::query(
            "select lost_messages, lost_from, lost_until from device_figures where box_id = $1 and device_id = $2",
        )
        .bind(box_id.as_bytes().to_vec())
        .bind(device_id.as_bytes().to_vec())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.as_ref().map(|row| lost_in(row, 0)).transpose()?.flatten())
    }

    /// The pointers of all devices of a box that were not removed.
    pub(crate) async fn device_pointers(
        &self,
        box_id: BoxId,
        now: Timestamp,
    ) -> Result<Vec<(DeviceId, DevicePointer)>, StoreError> {
        let rows = sqlx::query(concat!(
            "select (select count(*) from owed o where o.box_id = d.box_id and o.device_id = d.device_id \
             and o.expires_at > $2 and ",
            still_waits!(),
            "), (select count(*) from acknowledged a where a.box_id = d.box_id and a.device_id = d.device_id \
             and a.expires_at > $2), f.last_confirmed_at, f.lost_messages, f.lost_from, f.lost_until, d.device_id \
             from devices d left join device_figures f on f.box_id = d.box_id and f.device_id = d.device_id \
             where d.box_id = $1 and d.is_removed = 0",
        ))
        .bind(box_id.as_bytes().to_vec())
        .bind(now.signed_millis())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok((DeviceId::from_bytes(row.id(6)?), pointer(row)?))).collect()
    }

    /// How many messages of a box have a body still, counted to a limit.
    pub(crate) async fn queued(&self, box_id: BoxId, now: Timestamp, limit: u64) -> Result<u64, StoreError> {
        sqlx::query(
            "select count(*) from (select 1 as one from enqueued where box_id = $1 and value is not null \
             and expires_at > $2 limit $3) q",
        )
        .bind(box_id.as_bytes().to_vec())
        .bind(now.signed_millis())
        .bind(signed(limit))
        .fetch_one(&self.pool)
        .await?
        .number(0)
    }

    /// How many messages have a body still: what the queues of all boxes hold.
    pub(crate) async fn queue_depth(&self, now: Timestamp) -> Result<u64, StoreError> {
        sqlx::query("select count(*) from enqueued where value is not null and expires_at > $1")
            .bind(now.signed_millis())
            .fetch_one(&self.pool)
            .await?
            .number(0)
    }

    /// One query that does the same work whatever the answer is.
    pub(crate) async fn permission(&self, asked: BoxId, tag: AclTag) -> Result<Permission, StoreError> {
        let row = sqlx::query(
            "select (select count(*) from profile_boxes b where b.box_id = $1 and b.state = 'open'), \
             p.discoverable, p.accept_from, \
             (select count(*) from profile_tags t where t.box_id = $1 and t.list = 'block' and t.tag = $2), \
             (select count(*) from profile_tags t where t.box_id = $1 and t.list = 'contact' and t.tag = $2) \
             from (select 1 as one) x left join profiles p on p.box_id = $1",
        )
        .bind(asked.as_bytes().to_vec())
        .bind(tag.as_slice().to_vec())
        .fetch_one(&self.pool)
        .await?;
        Ok(Permission {
            exists: row.flag(0)?,
            discoverable: super::account::audience(&row, 1)?,
            accept_from: super::account::audience(&row, 2)?,
            blocked: row.flag(3)?,
            contact: row.flag(4)?,
        })
    }
}

/// What a device has lost, in three columns, the first of which is this.
fn lost_in(row: &AnyRow, index: usize) -> Result<Option<Lost>, StoreError> {
    Ok(match (row.maybe_number(index)?, row.maybe_number(index + 1)?) {
        (Some(messages), Some(_)) if messages > 0 => {
            Some(Lost { messages, from: row.time(index + 1)?, until: row.time(index + 2)? })
        }
        _ => None,
    })
}

/// A device's part of the queue, in the first columns of a row.
fn pointer(row: &AnyRow) -> Result<DevicePointer, StoreError> {
    let lost = lost_in(row, 3)?;
    let last_confirmed_at = row.maybe_number(2)?.map(|_| row.time(2)).transpose()?;
    Ok(DevicePointer { waiting: row.number(0)?, confirmed: row.number(1)?, last_confirmed_at, lost })
}

impl Tx {
    /// A message entered a queue. Accepted again, in this region or another, the earliest time counts.
    pub(crate) async fn enqueue(&mut self, message: Enqueued<'_>) -> Result<(), StoreError> {
        let Enqueued { event, value, .. } = message;
        let hash = content_hash(&event.value).as_slice().to_vec();
        sqlx::query(
            "insert into enqueued (box_id, outer_id, content_hash, accepted_at, expires_at, region, partition, \
             record_offset, value) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             on conflict (box_id, outer_id, content_hash) do update set accepted_at = excluded.accepted_at, \
             region = excluded.region, partition = excluded.partition, record_offset = excluded.record_offset \
             where (excluded.accepted_at, excluded.region, excluded.record_offset) \
             < (enqueued.accepted_at, enqueued.region, enqueued.record_offset)",
        )
        .bind(event.box_id.as_bytes().to_vec())
        .bind(event.outer_id.as_bytes().to_vec())
        .bind(hash.clone())
        .bind(message.accepted_at.signed_millis())
        .bind(value.expires_at.signed_millis())
        .bind(i64::from(message.region.0))
        .bind(i64::from(message.partition))
        .bind(signed(message.offset))
        .bind(event.value.as_slice().to_vec())
        .execute(&mut *self.inner)
        .await?;
        self.hint_message(event.box_id, event.outer_id.as_bytes(), &hash).await?;
        for device_id in value.devices() {
            sqlx::query(
                "insert into owed (box_id, device_id, outer_id, content_hash, expires_at, accepted_at) \
                 values ($1, $2, $3, $4, $5, $6) on conflict (box_id, device_id, outer_id, content_hash) \
                 do update set accepted_at = excluded.accepted_at where excluded.accepted_at < owed.accepted_at",
            )
            .bind(event.box_id.as_bytes().to_vec())
            .bind(device_id.as_bytes().to_vec())
            .bind(event.outer_id.as_bytes().to_vec())
            .bind(hash.clone())
            .bind(value.expires_at.signed_millis())
            .bind(message.accepted_at.signed_millis())
            .execute(&mut *self.inner)
            .await?;
        }
        Ok(())
    }

    /// A device confirmed messages, whether they have arrived here or not.
    pub(crate) async fn acknowledge(
        &mut self,
        at: Timestamp,
        event: &MessagesAcknowledgedV1,
    ) -> Result<(), StoreError> {
        for message in &event.messages {
            sqlx::query(
                "insert into acknowledged (box_id, device_id, outer_id, content_hash, expires_at) \
                 values ($1, $2, $3, $4, $5) on conflict do nothing",
            )
            .bind(event.box_id.as_bytes().to_vec())
            .bind(event.device_id.as_bytes().to_vec())
            .bind(message.outer_id.as_bytes().to_vec())
            .bind(message.content_hash.as_slice().to_vec())
            .bind(message.expires_at.signed_millis())
            .execute(&mut *self.inner)
            .await?;
            self.hint_message(event.box_id, message.outer_id.as_bytes(), message.content_hash.as_slice()).await?;
        }
        sqlx::query(
            "insert into device_figures (box_id, device_id, last_confirmed_at) values ($1, $2, $3) \
             on conflict (box_id, device_id) do update set last_confirmed_at = excluded.last_confirmed_at \
             where device_figures.last_confirmed_at is null \
             or device_figures.last_confirmed_at < excluded.last_confirmed_at",
        )
        .bind(event.box_id.as_bytes().to_vec())
        .bind(event.device_id.as_bytes().to_vec())
        .bind(at.signed_millis())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// A box was founded, is closing, or is closed; a device was removed.
    pub(crate) async fn state_fact(&mut self, fact: BoxFact, box_id: BoxId) -> Result<(), StoreError> {
        let query = match fact {
            BoxFact::Founded => sqlx::query("insert into founded (box_id) values ($1) on conflict do nothing"),
            BoxFact::Closing => sqlx::query("insert into closing (box_id) values ($1) on conflict do nothing"),
            BoxFact::Closed => sqlx::query("insert into closed (box_id) values ($1) on conflict do nothing"),
        };
        query.bind(box_id.as_bytes().to_vec()).execute(&mut *self.inner).await?;
        if fact == BoxFact::Closed { self.hint_box(box_id).await } else { Ok(()) }
    }

    pub(crate) async fn remove_share(&mut self, box_id: BoxId, device_id: DeviceId) -> Result<(), StoreError> {
        sqlx::query("insert into removed (box_id, device_id) values ($1, $2) on conflict do nothing")
            .bind(box_id.as_bytes().to_vec())
            .bind(device_id.as_bytes().to_vec())
            .execute(&mut *self.inner)
            .await?;
        self.hint_box(box_id).await
    }
}

/// What the inbox knows of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BoxFact {
    Founded,
    Closing,
    Closed,
}
