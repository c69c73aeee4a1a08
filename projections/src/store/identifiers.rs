//! The inbox lookup: from an identifier's hash to its box.

use rossby_schemas::events::SignedCommand;
use rossby_schemas::events::identifiers::{Founding, IdentifierReleasedV2, IdentifierVerifiedV2};
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, IdentifierHash, RegionNumber, RegistrationId};
use rossby_schemas::time::Timestamp;
use sqlx::any::AnyRow;

use super::row::{Columns as _, unreadable};
use super::{Store, StoreError, Tx};

/// An identifier, and whom it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierState {
    /// The version of the identifier's stream.
    pub version: u64,
    /// Whom it belongs to, if anyone.
    pub owner: Option<IdentifierOwner>,
}

/// Whom an identifier belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierOwner {
    /// The box.
    pub box_id: BoxId,
    /// The registration whose code showed it.
    pub registration_id: RegistrationId,
    /// The number of the secret under which the identifier was hashed.
    pub secret_number: u32,
    /// The identifier's slot.
    pub slot: u16,
    /// The command that verified it.
    pub verified_by: CommandId,
    /// What founds the box, if this identifier is its first.
    pub founding: Option<Founding>,
    /// Whether the box was founded.
    pub founded: bool,
    /// Whether the box is closing or closed: the identifier counts as free.
    pub closing: bool,
    /// When a device of the box last objected to a claim of the identifier.
    pub objected_at: Option<Timestamp>,
    /// How often in a row it has done so by the recovery key.
    pub recovery_objections: u32,
}

/// One of a box's identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxIdentifier {
    /// The identifier.
    pub hash: IdentifierHash,
    /// The version of its stream.
    pub version: u64,
    /// When it was verified, as far as that is known.
    pub verified_at: Option<Timestamp>,
    /// The command by which a device added it; none for the box's first.
    pub signed: Option<SignedCommand>,
    /// How often in a row a device has objected to claims of it by the recovery key.
    pub recovery_objections: u32,
}

/// Verified identifiers whose box nobody has founded yet, of those that the hints name. SQLite begins a cross join with its first
/// table.
pub(super) const UNFOUNDED: &str = "select (select version from heads h where h.projection = 'inbox' \
     and h.topic = 'rossby.identifiers' and h.stream = i.identifier_hash), i.box_id, i.registration_id, i.secret_number, \
     i.slot, i.verified_by, i.founding_device, i.founding_statement, i.founding_sealing, cast(0 as bigint), \
     cast(0 as bigint), i.identifier_hash, i.objected_at, i.recovery_objections \
     from founding_hints h cross join identifiers i \
     where i.identifier_hash = h.identifier_hash and i.founding_device is not null \
     and not exists (select 1 from founded f where f.box_id = i.box_id) \
     and not exists (select 1 from closed d where d.box_id = i.box_id) and substr(i.box_id, 1, 1) = $2 \
     order by h.identifier_hash limit $1";

impl Store {
    pub(crate) async fn identifier(&self, hash: IdentifierHash) -> Result<IdentifierState, StoreError> {
        let row = sqlx::query(
            "select (select version from heads where projection = 'inbox' and topic = 'rossby.identifiers' \
             and stream = $1), i.box_id, i.registration_id, i.secret_number, i.slot, i.verified_by, \
             i.founding_device, i.founding_statement, i.founding_sealing, \
             (select count(*) from founded f where f.box_id = i.box_id), \
             (select count(*) from closing c where c.box_id = i.box_id) + \
             (select count(*) from closed d where d.box_id = i.box_id), i.identifier_hash, i.objected_at, \
             i.recovery_objections from (select 1 as one) o left join identifiers i on i.identifier_hash = $1",
        )
        .bind(hash.to_string())
        .fetch_one(&self.pool)
        .await?;
        state(&row)
    }

    /// A box's identifiers, in the order in which they were verified.
    pub(crate) async fn identifiers_of(&self, box_id: BoxId) -> Result<Vec<BoxIdentifier>, StoreError> {
        let rows = sqlx::query(
            "select i.identifier_hash, (select version from heads h where h.projection = 'inbox' \
             and h.topic = 'rossby.identifiers' and h.stream = i.identifier_hash), i.verified_at, i.signed_device, \
             i.signed_command, i.signed_signature, i.recovery_objections from identifiers i where i.box_id = $1 \
             order by coalesce(i.verified_at, 0), i.identifier_hash",
        )
        .bind(box_id.as_bytes().to_vec())
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &AnyRow| {
            Ok(BoxIdentifier {
                hash: row.text(0)?.parse().map_err(|error| unreadable(0, error))?,
                version: row.maybe_number(1)?.unwrap_or(0),
                verified_at: row.maybe_number(2)?.map(|_| row.time(2)).transpose()?,
                signed: signed_command(row, 3)?,
                recovery_objections: row.small(6)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Verified identifiers whose box nobody has founded yet.
    pub(crate) async fn unfounded_identifiers(
        &self,
        region: RegionNumber,
        limit: u32,
    ) -> Result<Vec<(IdentifierHash, IdentifierState)>, StoreError> {
        let rows = sqlx::query(UNFOUNDED).bind(i64::from(limit)).bind(vec![region.0]).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| Ok((row.text(11)?.parse().map_err(|error| unreadable(11, error))?, state(row)?)))
            .collect()
    }
}

/// A signed command in three columns, the first of which is this.
fn signed_command(row: &AnyRow, index: usize) -> Result<Option<SignedCommand>, StoreError> {
    if row.maybe_octets(index)?.is_none() {
        return Ok(None);
    }
    Ok(Some(SignedCommand {
        device_id: DeviceId::from_bytes(row.id(index)?),
        command: row.octets(index + 1)?,
        signature: row.fixed(index + 2)?,
    }))
}

fn state(row: &AnyRow) -> Result<IdentifierState, StoreError> {
    let version = row.maybe_number(0)?.unwrap_or(0);
    if row.maybe_octets(1)?.is_none() {
        return Ok(IdentifierState { version, owner: None });
    }
    let founding = match row.maybe_octets(6)? {
        None => None,
        Some(_) => Some(Founding {
            device_id: DeviceId::from_bytes(row.id(6)?),
            founding_statement: row.octets(7)?,
            sealing_statement: row.octets(8)?,
        }),
    };
    let owner = IdentifierOwner {
        box_id: BoxId::from_bytes(row.id(1)?),
        registration_id: RegistrationId::from_bytes(row.id(2)?),
        secret_number: row.small(3)?,
        slot: u16::try_from(row.small(4)?).map_err(|error| unreadable(4, error))?,
        verified_by: CommandId::from_bytes(row.id(5)?),
        founding,
        founded: row.flag(9)?,
        closing: row.flag(10)?,
        objected_at: row.maybe_number(12)?.map(|_| row.time(12)).transpose()?,
        recovery_objections: row.small(13)?,
    };
    Ok(IdentifierState { version, owner: Some(owner) })
}

impl Tx {
    pub(crate) async fn verify_identifier(
        &mut self,
        command: CommandId,
        at: Timestamp,
        event: &IdentifierVerifiedV2,
    ) -> Result<(), StoreError> {
        let (founding, signed) = (event.founding.as_ref(), event.signed.as_ref());
        sqlx::query(
            "insert into identifiers (identifier_hash, box_id, registration_id, secret_number, slot, verified_by, \
             founding_device, founding_statement, founding_sealing, verified_at, signed_device, signed_command, \
             signed_signature) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
             on conflict (identifier_hash) do update set box_id = excluded.box_id, \
             registration_id = excluded.registration_id, secret_number = excluded.secret_number, \
             slot = excluded.slot, verified_by = excluded.verified_by, founding_device = excluded.founding_device, \
             founding_statement = excluded.founding_statement, founding_sealing = excluded.founding_sealing, \
             verified_at = excluded.verified_at, signed_device = excluded.signed_device, \
             signed_command = excluded.signed_command, signed_signature = excluded.signed_signature, \
             objected_at = null, recovery_objections = 0",
        )
        .bind(event.identifier_hash.to_string())
        .bind(event.box_id.as_bytes().to_vec())
        .bind(event.registration_id.as_bytes().to_vec())
        .bind(i64::from(event.secret_number))
        .bind(i64::from(event.slot))
        .bind(command.as_bytes().to_vec())
        .bind(founding.map(|founding| founding.device_id.as_bytes().to_vec()))
        .bind(founding.map(|founding| founding.founding_statement.as_slice().to_vec()))
        .bind(founding.map(|founding| founding.sealing_statement.as_slice().to_vec()))
        .bind(at.signed_millis())
        .bind(signed.map(|signed| signed.device_id.as_bytes().to_vec()))
        .bind(signed.map(|signed| signed.command.as_slice().to_vec()))
        .bind(signed.map(|signed| signed.signature.as_slice().to_vec()))
        .execute(&mut *self.inner)
        .await?;
        if event.founding.is_some() {
            sqlx::query("insert into founding_hints (identifier_hash) values ($1) on conflict do nothing")
                .bind(event.identifier_hash.to_string())
                .execute(&mut *self.inner)
                .await?;
        }
        self.settle_claims(at, event).await
    }

    /// Deletes the hints whose identifier has a box that was founded, or belongs to nobody, or to a box that it doesn't found.
    pub(super) async fn delete_founding_hints(&mut self) -> Result<(), StoreError> {
        sqlx::query(
            "delete from founding_hints where not exists (select 1 from identifiers i \
             where i.identifier_hash = founding_hints.identifier_hash and i.founding_device is not null \
             and not exists (select 1 from founded f where f.box_id = i.box_id) \
             and not exists (select 1 from closed d where d.box_id = i.box_id))",
        )
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    pub(crate) async fn release_identifier(&mut self, event: &IdentifierReleasedV2) -> Result<(), StoreError> {
        sqlx::query("delete from identifiers where identifier_hash = $1 and box_id = $2")
            .bind(event.identifier_hash.to_string())
            .bind(event.box_id.as_bytes().to_vec())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}
