//! What devices that are connected are told: the messages that came, and what changed of their boxes. Each is one query for
//! all boxes of a partition, whatever their number.

use rossby_log::Offset;
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::{BoxId, DeviceId, IdentifierHash, OuterId, RegionNumber};
use rossby_schemas::time::Timestamp;
use sqlx::AssertSqlSafe;

use super::listed::Listed;
use super::positions::PositionRow;
use super::queue::{WaitingMessage, still_waits};
use super::row::{Columns as _, signed, unreadable};
use super::{DeviceState, Store, StoreError};

/// A stretch of a partition, the first offset and the one after the last.
pub type Stretch = std::ops::Range<Offset>;

/// A message that entered a queue, and the devices for which it waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The box.
    pub box_id: BoxId,
    /// The message.
    pub message: WaitingMessage,
    /// The devices.
    pub devices: Vec<DeviceId>,
}

/// What entered the queues of some boxes in a stretch of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrivals {
    /// The messages in the order of their offsets.
    pub messages: Vec<Arrival>,
    /// Everything before this offset is among them: the stretch's end, unless there was too much for one answer.
    pub next_offset: Offset,
}

/// How much one answer holds at most, but always one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArrivalLimits {
    /// Messages, each counted once for every device; more than a message has devices.
    pub deliveries: u32,
    /// The sum of the messages' octets.
    pub octets: usize,
}

/// A device, as those that are connected are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchedDevice {
    /// Its box.
    pub box_id: BoxId,
    /// The device.
    pub device_id: DeviceId,
    /// Its token.
    pub state: DeviceState,
    /// The counter of its sealing statement.
    pub sealing_counter: u64,
}

/// An identifier, as those of boxes with connected devices are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchedIdentifier {
    /// Its box.
    pub box_id: BoxId,
    /// Its hash.
    pub hash: IdentifierHash,
    /// How many claims to it are open.
    pub claims: u64,
}

impl Store {
    /// What entered the queues of these boxes in a stretch of a partition of a region's and waits still.
    pub(crate) async fn arrivals(
        &self,
        (region, partition): (RegionNumber, u32),
        stretch: Stretch,
        boxes: &[BoxId],
        now: Timestamp,
        limits: ArrivalLimits,
    ) -> Result<Arrivals, StoreError> {
        let listed = Listed::of(boxes, 8);
        // Each message once for every device, its body with the first of them, as far as the limit allows. A mirrored topic that
        // was made anew has other records at offsets that rows of before have.
        let query = [
            "select w.record_offset, w.nth, w.box_id, w.outer_id, w.content_hash, w.accepted_at, w.expires_at, \
             w.device_id, v.value from (select q.*, \
             sum(case when q.nth = 1 then q.size else 0 end) over (order by q.record_offset, q.box_id, q.outer_id, q.content_hash, q.nth) as total \
             from (select e.record_offset, e.box_id, e.outer_id, e.content_hash, e.accepted_at, e.expires_at, \
             o.device_id, length(e.value) as size, \
             row_number() over (partition by e.record_offset, e.box_id, e.outer_id, e.content_hash \
             order by o.device_id) as nth \
             from enqueued e join owed o \
             on o.box_id = e.box_id and o.outer_id = e.outer_id and o.content_hash = e.content_hash \
             where e.region = $1 and e.partition = $2 and e.record_offset >= $3 and e.record_offset < $4 \
             and e.expires_at > $5 and e.value is not null",
            &listed.any_of("e.box_id"),
            " and ",
            still_waits!(),
            " order by e.record_offset, e.box_id, e.outer_id, e.content_hash, o.device_id limit $6) q) w left join enqueued v \
             on w.nth = 1 and v.box_id = w.box_id and v.outer_id = w.outer_id and v.content_hash = w.content_hash \
             and (w.total <= $7 or w.total = w.size) \
             order by w.record_offset, w.box_id, w.outer_id, w.content_hash, w.nth",
        ];
        let query = sqlx::query(AssertSqlSafe(query.concat()))
            .bind(i64::from(region.0))
            .bind(i64::from(partition))
            .bind(signed(stretch.start))
            .bind(signed(stretch.end))
            .bind(now.signed_millis())
            .bind(i64::from(limits.deliveries))
            .bind(i64::try_from(limits.octets).unwrap_or(i64::MAX));
        let rows = listed.bind(query, |id| id.as_bytes().to_vec()).fetch_all(&self.pool).await?;
        let mut arrivals = Arrivals { messages: Vec::new(), next_offset: stretch.end };
        let mut last_offset = stretch.start;
        for row in &rows {
            let device_id = DeviceId::from_bytes(row.id(7)?);
            if row.number(1)? > 1 {
                // The same message for a further device.
                arrivals.messages.last_mut().into_iter().for_each(|arrival| arrival.devices.push(device_id));
                continue;
            }
            last_offset = row.number(0)?;
            let Some(value) = row.maybe_octets(8)? else {
                arrivals.next_offset = last_offset;
                return Ok(arrivals);
            };
            let message = WaitingMessage {
                outer_id: OuterId::from_bytes(row.id(3)?),
                content_hash: row.fixed(4)?,
                accepted_at: row.time(5)?,
                expires_at: row.time(6)?,
                value: value.0,
            };
            let box_id = BoxId::from_bytes(row.id(2)?);
            arrivals.messages.push(Arrival { box_id, message, devices: vec![device_id] });
        }
        // Cut off by the limit, the last message may lack devices: it comes whole with the next answer.
        let is_cut_off = rows.len() >= usize::try_from(limits.deliveries).unwrap_or(usize::MAX);
        if is_cut_off && arrivals.messages.len() > 1 {
            arrivals.messages.pop();
            arrivals.next_offset = last_offset;
        } else if is_cut_off {
            arrivals.next_offset = last_offset + 1;
        }
        Ok(arrivals)
    }

    /// Which of these messages wait for a device still.
    pub(crate) async fn still_waiting(
        &self,
        box_id: BoxId,
        device_id: DeviceId,
        now: Timestamp,
        messages: &[OuterId],
    ) -> Result<Vec<(OuterId, Sha256Digest)>, StoreError> {
        let listed = Listed::of(messages, 4);
        let query = [
            "select o.outer_id, o.content_hash from owed o \
             where o.box_id = $1 and o.device_id = $2 and o.expires_at > $3",
            &listed.any_of("o.outer_id"),
            " and ",
            still_waits!(),
        ];
        let query = sqlx::query(AssertSqlSafe(query.concat()))
            .bind(box_id.as_bytes().to_vec())
            .bind(device_id.as_bytes().to_vec())
            .bind(now.signed_millis());
        let rows = listed.bind(query, |id| id.as_bytes().to_vec()).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((OuterId::from_bytes(row.id(0)?), row.fixed(1)?))).collect()
    }

    /// The devices of these boxes, removed ones too. Of a box that closes, no device is left.
    pub(crate) async fn watched_devices(&self, boxes: &[BoxId]) -> Result<Vec<WatchedDevice>, StoreError> {
        let listed = Listed::of(boxes, 1);
        let query = [
            "select d.box_id, d.device_id, d.epoch, case when d.is_removed = 1 or exists (select 1 from key_boxes b \
             where b.box_id = d.box_id and b.is_closing = 1) then cast(1 as bigint) else cast(0 as bigint) end, \
             d.sealing_counter from devices d where 1 = 1",
            &listed.any_of("d.box_id"),
            " order by d.box_id, d.device_id",
        ];
        let query = sqlx::query(AssertSqlSafe(query.concat()));
        let rows = listed.bind(query, |id| id.as_bytes().to_vec()).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(WatchedDevice {
                    box_id: BoxId::from_bytes(row.id(0)?),
                    device_id: DeviceId::from_bytes(row.id(1)?),
                    state: DeviceState { epoch: row.small(2)?, removed: row.flag(3)? },
                    sealing_counter: row.number(4)?,
                })
            })
            .collect()
    }

    /// The versions of these boxes' profiles; boxes that have set nothing are left out.
    pub(crate) async fn profile_versions(&self, boxes: &[BoxId]) -> Result<Vec<(BoxId, u64)>, StoreError> {
        let listed = Listed::of(boxes, 1);
        let query = [
            "select stream, version from heads where projection = 'profiles' and topic = 'rossby.profiles'",
            &listed.any_of("stream"),
        ];
        let query = sqlx::query(AssertSqlSafe(query.concat()));
        let rows = listed.bind(query, ToString::to_string).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| Ok((row.text(0)?.parse().map_err(|error| unreadable(0, error))?, row.number(1)?)))
            .collect()
    }

    /// The identifiers of these boxes.
    pub(crate) async fn watched_identifiers(&self, boxes: &[BoxId]) -> Result<Vec<WatchedIdentifier>, StoreError> {
        let listed = Listed::of(boxes, 1);
        let query = [
            "select i.box_id, i.identifier_hash, (select count(*) from claims c \
             where c.identifier_hash = i.identifier_hash and c.state = 'open') from identifiers i where 1 = 1",
            &listed.any_of("i.box_id"),
            " order by i.box_id, i.identifier_hash",
        ];
        let query = sqlx::query(AssertSqlSafe(query.concat()));
        let rows = listed.bind(query, |id| id.as_bytes().to_vec()).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(WatchedIdentifier {
                    box_id: BoxId::from_bytes(row.id(0)?),
                    hash: row.text(1)?.parse().map_err(|error| unreadable(1, error))?,
                    claims: row.number(2)?,
                })
            })
            .collect()
    }

    /// Where the projections stand in the partitions with a number, of whatever topic.
    pub(crate) async fn positions_in(&self, partition: u32) -> Result<Vec<PositionRow>, StoreError> {
        let rows = sqlx::query("select projection, topic, partition, next_offset from positions where partition = $1")
            .bind(i64::from(partition))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(super::positions::position_row).collect()
    }
}
