//! What is held of a box, for its own devices to take along.

use std::collections::BTreeMap;

use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::http::export::{HeldMessage, HeldPurpose, HeldRegistration, HeldUploads};
use rossby_schemas::ids::{BoxId, DeviceId, OuterId, RegistrationId};
use rossby_schemas::time::Timestamp;

use super::queue::still_waits;
use super::row::{Columns as _, unreadable};
use super::{Store, StoreError};

/// A part of a box's queue to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldPage {
    /// What comes after this message; none for the first page.
    pub after: Option<(OuterId, Sha256Digest)>,
    /// How many messages at most.
    pub limit: u32,
    /// How many octets of values, about; one message is given however long it is.
    pub max_octets: u64,
}

/// A part of a box's queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldMessages {
    /// The messages, in ascending order of id and content hash.
    pub messages: Vec<HeldMessage>,
    /// Whether there are more.
    pub more: bool,
}

/// The query for a page of a box's queue. Only the values that the page gives are read.
pub(super) const HELD: &str = "select w.outer_id, w.content_hash, w.accepted_at, w.expires_at, w.octets, w.total, v.value \
     from (select q.*, cast(sum(q.octets) over (order by q.outer_id, q.content_hash) as bigint) as total \
     from (select e.outer_id, e.content_hash, e.accepted_at, e.expires_at, cast(length(e.value) as bigint) as octets \
     from enqueued e where e.box_id = $1 and (e.outer_id, e.content_hash) > ($2, $3) and e.expires_at > $4 \
     order by e.outer_id, e.content_hash limit $5) q) w left join enqueued v \
     on v.box_id = $1 and v.outer_id = w.outer_id and v.content_hash = w.content_hash \
     and (w.total <= $6 or w.total = w.octets) order by w.outer_id, w.content_hash";

/// The query for what became of the messages of a stretch of a box's queue at each of its devices. Each is looked up by itself:
/// 1 where it waits, 0 where it was confirmed.
pub(super) const HELD_BY_DEVICES: &str = concat!(
    "select q.outer_id, q.content_hash, q.device_id, q.waits from (select e.outer_id, e.content_hash, d.device_id, \
     case when exists (select 1 from acknowledged k where k.box_id = d.box_id and k.device_id = d.device_id \
     and k.outer_id = e.outer_id and k.content_hash = e.content_hash) then cast(0 as bigint) \
     when exists (select 1 from owed o where o.box_id = d.box_id and o.device_id = d.device_id \
     and o.outer_id = e.outer_id and o.content_hash = e.content_hash and ",
    still_waits!(),
    ") then cast(1 as bigint) end as waits from enqueued e cross join devices d where d.box_id = $1 and d.is_removed = 0 \
     and e.box_id = $1 and (e.outer_id, e.content_hash) >= ($2, $3) and (e.outer_id, e.content_hash) <= ($4, $5)) q \
     where q.waits is not null order by q.device_id",
);

/// The query for what the devices of a box have asked codes for.
pub(super) const REGISTRATIONS: &str = "select r.registration_id, r.identifier_hash, r.device_id, r.purpose, r.asked_at, \
     (select count(*) from codes c where c.registration_id = r.registration_id), \
     (select count(*) from guesses g where g.registration_id = r.registration_id and g.is_right = 0), \
     (select count(*) from guesses g where g.registration_id = r.registration_id and g.is_right = 1) \
     from registrations r where r.box_id = $1 order by r.asked_at desc, r.registration_id limit $2";

impl Store {
    /// A page of a box's queue at `now`: what waits and what has been confirmed, for all of its devices.
    pub(crate) async fn held_messages(
        &self,
        box_id: BoxId,
        now: Timestamp,
        page: HeldPage,
    ) -> Result<HeldMessages, StoreError> {
        // No hash is all zeros.
        let (after_id, after_hash) = page.after.unwrap_or((OuterId::from_bytes([0; 16]), Sha256Digest::from([0; 32])));
        let max_octets = i64::try_from(page.max_octets).unwrap_or(i64::MAX);
        let rows = sqlx::query(HELD)
            .bind(box_id.as_bytes().to_vec())
            .bind(after_id.as_bytes().to_vec())
            .bind(after_hash.as_slice().to_vec())
            .bind(now.signed_millis())
            .bind(i64::from(page.limit) + 1)
            .bind(max_octets)
            .fetch_all(&self.pool)
            .await?;
        let mut held = HeldMessages::default();
        for row in &rows {
            let given = held.messages.len();
            let total = row.maybe_number(5)?.unwrap_or(0);
            if given >= usize::try_from(page.limit).unwrap_or(usize::MAX) || (given > 0 && total > page.max_octets) {
                held.more = true;
                break;
            }
            held.messages.push(HeldMessage {
                outer_id: OuterId::from_bytes(row.id(0)?),
                content_hash: row.fixed(1)?,
                accepted_at: row.time(2)?,
                expires_at: row.time(3)?,
                octets: row.maybe_number(4)?,
                value: row.maybe_octets(6)?,
                waiting: Vec::new(),
                confirmed: Vec::new(),
            });
        }
        self.add_devices(box_id, &mut held.messages).await?;
        Ok(held)
    }

    /// Says of each message for which devices it waits, and which have confirmed it.
    async fn add_devices(&self, box_id: BoxId, messages: &mut [HeldMessage]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (messages.first(), messages.last()) else { return Ok(()) };
        let rows = sqlx::query(HELD_BY_DEVICES)
            .bind(box_id.as_bytes().to_vec())
            .bind(first.outer_id.as_bytes().to_vec())
            .bind(first.content_hash.as_slice().to_vec())
            .bind(last.outer_id.as_bytes().to_vec())
            .bind(last.content_hash.as_slice().to_vec())
            .fetch_all(&self.pool)
            .await?;
        let mut by_key: BTreeMap<_, _> =
            messages.iter_mut().map(|message| ((message.outer_id, message.content_hash), message)).collect();
        for row in &rows {
            // What came between the two queries is in no page yet.
            let Some(message) = by_key.get_mut(&(OuterId::from_bytes(row.id(0)?), row.fixed(1)?)) else { continue };
            let list = if row.flag(3)? { &mut message.waiting } else { &mut message.confirmed };
            list.push(DeviceId::from_bytes(row.id(2)?));
        }
        Ok(())
    }

    /// What a box or its devices have asked codes for, as long as it is known, the last first.
    pub(crate) async fn held_registrations(
        &self,
        box_id: BoxId,
        limit: u32,
    ) -> Result<Vec<HeldRegistration>, StoreError> {
        let rows = sqlx::query(REGISTRATIONS)
            .bind(box_id.as_bytes().to_vec())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(HeldRegistration {
                    registration_id: RegistrationId::from_bytes(row.id(0)?),
                    identifier_hash: row.text(1)?.parse().map_err(|error| unreadable(1, error))?,
                    device_id: DeviceId::from_bytes(row.id(2)?),
                    purpose: match row.text(3)?.as_str() {
                        "add" => HeldPurpose::Add,
                        "object" => HeldPurpose::Object,
                        _ => HeldPurpose::Found,
                    },
                    asked_at: row.time(4)?,
                    codes: row.small(5)?,
                    wrong_guesses: row.small(6)?,
                    shown: row.flag(7)?,
                })
            })
            .collect()
    }

    /// How much a box has uploaded on each day that is remembered, in their order.
    pub(crate) async fn held_uploads(&self, box_id: BoxId) -> Result<Vec<HeldUploads>, StoreError> {
        let rows = sqlx::query("select day, octets from uploaded where box_id = $1 order by day")
            .bind(box_id.as_bytes().to_vec())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok(HeldUploads { day: row.text(0)?, octets: row.number(1)? })).collect()
    }
}
