//! Key records and profiles: what the projections `keys` and `profiles` keep.

use rossby_schemas::encoding::Octets;
use rossby_schemas::events::profiles::{AclTag, Audience};
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, RegionNumber};
use rossby_schemas::time::Timestamp;
use sqlx::any::AnyRow;

use super::row::{Columns as _, signed};
use super::{Store, StoreError, Tx};

/// A box's key record as it is kept: every statement as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKeyRecord {
    /// The version of its stream.
    pub version: u64,
    /// The membership statements in their order.
    pub statements: Vec<Octets>,
    /// The current sealing statement of each device that belongs to the box.
    pub sealing_statements: Vec<Octets>,
    /// Whether the box is closing.
    pub closing: bool,
    /// Whether it is closed; it has no statements then.
    pub closed: bool,
}

/// A device as the server knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceState {
    /// The epoch of its token.
    pub epoch: u32,
    /// Whether it was removed, or its box closes.
    pub removed: bool,
}

/// The devices that were linked to a box since some time, removed ones too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkedSince {
    /// How many.
    pub devices: u64,
    /// When the first of them was.
    pub first: Option<Timestamp>,
}

/// A box's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The version of its stream.
    pub version: u64,
    /// Who may find the box.
    pub discoverable: Audience,
    /// From whom it accepts messages.
    pub accept_from: Audience,
    /// The encrypted profile.
    pub blob: Octets,
    /// The blocked boxes, as tags.
    pub blocks: Vec<AclTag>,
    /// The contacts, as tags.
    pub contacts: Vec<AclTag>,
}

/// A list of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TagList {
    Blocks,
    Contacts,
}

impl TagList {
    const fn name(self) -> &'static str {
        match self {
            Self::Blocks => "block",
            Self::Contacts => "contact",
        }
    }
}

/// A box as the profiles know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BoxState {
    Open,
    Closing,
    Closed,
}

impl BoxState {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

/// A setting of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Setting<'a> {
    Discoverable(Audience),
    AcceptFrom(Audience),
    Blob(&'a Octets),
}

const fn audience_name(audience: Audience) -> &'static str {
    match audience {
        Audience::Everyone => "everyone",
        Audience::Contacts => "contacts",
        Audience::Nobody => "nobody",
    }
}

/// An audience, which is everyone where nothing was set.
pub(super) fn audience(row: &AnyRow, index: usize) -> Result<Audience, StoreError> {
    use sqlx::Row as _;
    Ok(match row.try_get::<Option<String>, _>(index)?.as_deref() {
        None | Some("everyone") => Audience::Everyone,
        Some("contacts") => Audience::Contacts,
        Some("nobody") => Audience::Nobody,
        Some(other) => return Err(StoreError::Failed(format!("the audience {other} is unknown"))),
    })
}

/// Boxes whose closing is not finished. Two questions, each of which an index answers.
pub(super) const HALF_CLOSED: &str = "select q.box_id, q.closing_command from (\
     select b.box_id, b.closing_command, b.closing_at from key_boxes b \
     where b.is_closing = 1 and b.is_closed = 0 and b.closing_command is not null and substr(b.box_id, 1, 1) = $3 \
     union all select b.box_id, b.closing_command, b.closing_at from key_boxes b \
     where b.is_closing = 1 and b.is_closed = 1 and b.closing_command is not null and b.closing_at > $1 \
     and substr(b.box_id, 1, 1) = $3 and exists (select 1 from identifiers i where i.box_id = b.box_id)) q order by q.closing_at limit $2";

impl Store {
    pub(crate) async fn key_record(&self, box_id: BoxId) -> Result<Option<StoredKeyRecord>, StoreError> {
        let id = box_id.as_bytes().to_vec();
        let row = sqlx::query(
            "select b.is_closing, b.is_closed, (select h.version from heads h where h.projection = 'keys' \
             and h.topic = 'rossby.keys' and h.stream = $2) from key_boxes b where b.box_id = $1",
        )
        .bind(id.clone())
        .bind(box_id.to_string())
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let statements = sqlx::query("select statement from membership where box_id = $1 order by number")
            .bind(id.clone())
            .fetch_all(&self.pool)
            .await?;
        let sealing = sqlx::query(
            "select sealing_statement from devices where box_id = $1 and is_removed = 0 order by device_id",
        )
        .bind(id)
        .fetch_all(&self.pool)
        .await?;
        Ok(Some(StoredKeyRecord {
            version: row.maybe_number(2)?.unwrap_or(0),
            statements: statements.iter().map(|row| row.octets(0)).collect::<Result<_, _>>()?,
            sealing_statements: sealing.iter().map(|row| row.octets(0)).collect::<Result<_, _>>()?,
            closing: row.flag(0)?,
            closed: row.flag(1)?,
        }))
    }

    pub(crate) async fn devices(&self, box_id: BoxId) -> Result<Vec<(DeviceId, DeviceState)>, StoreError> {
        let rows = sqlx::query("select device_id, epoch, is_removed from devices where box_id = $1 order by device_id")
            .bind(box_id.as_bytes().to_vec())
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let state = DeviceState { epoch: row.small(1)?, removed: row.flag(2)? };
                Ok((DeviceId::from_bytes(row.id(0)?), state))
            })
            .collect()
    }

    pub(crate) async fn device(&self, box_id: BoxId, device_id: DeviceId) -> Result<Option<DeviceState>, StoreError> {
        // Of a box that closes, no device is left.
        let row = sqlx::query(
            "select d.epoch, case when d.is_removed = 1 or exists (select 1 from key_boxes b \
             where b.box_id = d.box_id and b.is_closing = 1) then cast(1 as bigint) else cast(0 as bigint) end \
             from devices d where d.box_id = $1 and d.device_id = $2",
        )
        .bind(box_id.as_bytes().to_vec())
        .bind(device_id.as_bytes().to_vec())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok(DeviceState { epoch: row.small(0)?, removed: row.flag(1)? })).transpose()
    }

    pub(crate) async fn linked_since(&self, box_id: BoxId, since: Timestamp) -> Result<LinkedSince, StoreError> {
        let row = sqlx::query("select count(*), min(linked_at) from devices where box_id = $1 and linked_at > $2")
            .bind(box_id.as_bytes().to_vec())
            .bind(since.signed_millis())
            .fetch_one(&self.pool)
            .await?;
        let first = row.maybe_number(1)?.map(|_| row.time(1)).transpose()?;
        Ok(LinkedSince { devices: row.number(0)?, first })
    }

    /// Boxes whose closing is not finished: they are not closed, or were closing since then and have an identifier still.
    pub(crate) async fn half_closed_boxes(
        &self,
        region: RegionNumber,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(BoxId, CommandId)>, StoreError> {
        let query = sqlx::query(HALF_CLOSED).bind(since.signed_millis()).bind(i64::from(limit)).bind(vec![region.0]);
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((BoxId::from_bytes(row.id(0)?), CommandId::from_bytes(row.id(1)?)))).collect()
    }

    pub(crate) async fn profile(&self, box_id: BoxId) -> Result<Profile, StoreError> {
        let row = sqlx::query(
            "select (select h.version from heads h where h.projection = 'profiles' and h.topic = 'rossby.profiles' \
             and h.stream = $2), p.discoverable, p.accept_from, p.blob \
             from (select 1 as one) x left join profiles p on p.box_id = $1",
        )
        .bind(box_id.as_bytes().to_vec())
        .bind(box_id.to_string())
        .fetch_one(&self.pool)
        .await?;
        Ok(Profile {
            version: row.maybe_number(0)?.unwrap_or(0),
            discoverable: audience(&row, 1)?,
            accept_from: audience(&row, 2)?,
            blob: row.maybe_octets(3)?.unwrap_or_default(),
            blocks: self.tags(box_id, TagList::Blocks).await?,
            contacts: self.tags(box_id, TagList::Contacts).await?,
        })
    }

    async fn tags(&self, box_id: BoxId, list: TagList) -> Result<Vec<AclTag>, StoreError> {
        let rows = sqlx::query("select tag from profile_tags where box_id = $1 and list = $2 order by tag")
            .bind(box_id.as_bytes().to_vec())
            .bind(list.name())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| row.fixed(0)).collect()
    }
}

impl Tx {
    /// A box's key record begins.
    pub(crate) async fn open_key_box(&mut self, box_id: BoxId) -> Result<(), StoreError> {
        sqlx::query("insert into key_boxes (box_id, is_closing, is_closed) values ($1, 0, 0) on conflict do nothing")
            .bind(box_id.as_bytes().to_vec())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// One more membership statement, behind those that are there. Control streams come in order, one event at a time.
    pub(crate) async fn add_membership(&mut self, box_id: BoxId, statement: &Octets) -> Result<(), StoreError> {
        sqlx::query(
            "insert into membership (box_id, number, statement) \
             select $1, coalesce(max(number), 0) + 1, $2 from membership where box_id = $1",
        )
        .bind(box_id.as_bytes().to_vec())
        .bind(statement.as_slice().to_vec())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    pub(crate) async fn add_device(
        &mut self,
        box_id: BoxId,
        device_id: DeviceId,
        linked_at: Option<Timestamp>,
        sealing_statement: &Octets,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "insert into devices (box_id, device_id, epoch, is_removed, sealing_counter, sealing_statement, linked_at) \
             values ($1, $2, 1, 0, 0, $3, $4) on conflict do nothing",
        )
        .bind(box_id.as_bytes().to_vec())
        .bind(device_id.as_bytes().to_vec())
        .bind(sealing_statement.as_slice().to_vec())
        .bind(linked_at.map(Timestamp::signed_millis))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    pub(crate) async fn set_sealing(
        &mut self,
        box_id: BoxId,
        device_id: DeviceId,
        counter: u64,
        sealing_statement: &Octets,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "update devices set sealing_counter = $3, sealing_statement = $4 where box_id = $1 and device_id = $2",
        )
        .bind(box_id.as_bytes().to_vec())
        .bind(device_id.as_bytes().to_vec())
        .bind(signed(counter))
        .bind(sealing_statement.as_slice().to_vec())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    pub(crate) async fn remove_device(&mut self, box_id: BoxId, device_id: DeviceId) -> Result<(), StoreError> {
        sqlx::query("update devices set is_removed = 1 where box_id = $1 and device_id = $2")
            .bind(box_id.as_bytes().to_vec())
            .bind(device_id.as_bytes().to_vec())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    pub(crate) async fn set_epoch(&mut self, box_id: BoxId, device_id: DeviceId, epoch: u32) -> Result<(), StoreError> {
        sqlx::query("update devices set epoch = $3 where box_id = $1 and device_id = $2")
            .bind(box_id.as_bytes().to_vec())
            .bind(device_id.as_bytes().to_vec())
            .bind(i64::from(epoch))
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// A box is about to close, by this command.
    pub(crate) async fn close_key_box(
        &mut self,
        box_id: BoxId,
        command: CommandId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "insert into key_boxes (box_id, is_closing, is_closed, closing_command, closing_at) \
             values ($1, 1, 0, $2, $3) on conflict (box_id) do update set is_closing = 1, \
             closing_command = excluded.closing_command, closing_at = excluded.closing_at",
        )
        .bind(box_id.as_bytes().to_vec())
        .bind(command.as_bytes().to_vec())
        .bind(at.signed_millis())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// A box is closed: its rows go.
    pub(crate) async fn empty_key_box(&mut self, box_id: BoxId) -> Result<(), StoreError> {
        for query in [
            "insert into key_boxes (box_id, is_closing, is_closed) values ($1, 1, 1) \
             on conflict (box_id) do update set is_closing = 1, is_closed = 1",
            "delete from membership where box_id = $1",
            "delete from devices where box_id = $1",
        ] {
            sqlx::query(query).bind(box_id.as_bytes().to_vec()).execute(&mut *self.inner).await?;
        }
        Ok(())
    }

    /// Whether others may find the box and write to it at all. Rows of a closed box are left to the sweeper: its profile's
    /// events may come later than its closing.
    pub(crate) async fn set_profile_box(&mut self, box_id: BoxId, state: BoxState) -> Result<(), StoreError> {
        sqlx::query(
            "insert into profile_boxes (box_id, state) values ($1, $2) \
             on conflict (box_id) do update set state = excluded.state",
        )
        .bind(box_id.as_bytes().to_vec())
        .bind(state.name())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    pub(crate) async fn set_profile(&mut self, box_id: BoxId, setting: Setting<'_>) -> Result<(), StoreError> {
        sqlx::query(
            "insert into profiles (box_id, discoverable, accept_from, blob) values ($1, 'everyone', 'everyone', $2) \
             on conflict do nothing",
        )
        .bind(box_id.as_bytes().to_vec())
        .bind(Vec::new())
        .execute(&mut *self.inner)
        .await?;
        let id = box_id.as_bytes().to_vec();
        let query = match setting {
            Setting::Discoverable(audience) => sqlx::query("update profiles set discoverable = $2 where box_id = $1")
                .bind(id)
                .bind(audience_name(audience)),
            Setting::AcceptFrom(audience) => sqlx::query("update profiles set accept_from = $2 where box_id = $1")
                .bind(id)
                .bind(audience_name(audience)),
            Setting::Blob(blob) => {
                sqlx::query("update profiles set blob = $2 where box_id = $1").bind(id).bind(blob.as_slice().to_vec())
            }
        };
        query.execute(&mut *self.inner).await?;
        Ok(())
    }

    pub(crate) async fn set_tag(
        &mut self,
        box_id: BoxId,
        list: TagList,
        tag: AclTag,
        is_set: bool,
    ) -> Result<(), StoreError> {
        let query = if is_set {
            sqlx::query("insert into profile_tags (box_id, list, tag) values ($1, $2, $3) on conflict do nothing")
        } else {
            sqlx::query("delete from profile_tags where box_id = $1 and list = $2 and tag = $3")
        };
        query
            .bind(box_id.as_bytes().to_vec())
            .bind(list.name())
            .bind(tag.as_slice().to_vec())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}
