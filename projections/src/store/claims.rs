//! Claims: identifiers that belong to one box, and that somebody who has shown the code wants for another.

use std::time::Duration;

use rossby_schemas::events::SignedCommand;
use rossby_schemas::events::identifiers::{
    ClaimObjectedV1, Founding, IdentifierClaimedV1, IdentifierVerifiedV2, ObjectionProof,
};
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, IdentifierHash, RegistrationId};
use rossby_schemas::time::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::row::{Columns as _, signed, unreadable};
use super::{Store, StoreError, Tx};

/// How long claims that have ended are remembered, for those who made them. Longer than a registration lives, so that its
/// code claims once.
pub(super) const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// A claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The claim: the registration whose code showed the identifier.
    pub id: RegistrationId,
    /// The identifier.
    pub identifier_hash: IdentifierHash,
    /// The number of the secret under which it was hashed.
    pub secret_number: u32,
    /// The identifier's slot.
    pub slot: u16,
    /// The box that it is claimed for.
    pub box_id: BoxId,
    /// The device that claims it.
    pub device_id: DeviceId,
    /// The command that claimed it.
    pub claimed_by: CommandId,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// From when on it may take effect.
    pub effective_at: Timestamp,
    /// What founds the box, if that is a new one.
    pub founding: Option<Founding>,
    /// The command by which a device of a box that is there claims it.
    pub signed: Option<SignedCommand>,
    /// What became of it.
    pub state: ClaimState,
    /// Whether the box that it is claimed for is closing or closed.
    pub closing: bool,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimState {
    /// It waits.
    Open,
    /// A device of the box that the identifier belongs to has objected.
    Objected,
    /// Somebody has shown the identifier's code after it, and claimed it or got it.
    Replaced,
    /// The identifier belongs to the box that it was claimed for.
    Effective,
}

impl ClaimState {
    const ALL: [Self; 4] = [Self::Open, Self::Objected, Self::Replaced, Self::Effective];

    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Objected => "objected",
            Self::Replaced => "replaced",
            Self::Effective => "effective",
        }
    }
}

/// The columns of a claim `c`.
macro_rules! columns {
    () => {
        "c.claim_id, c.identifier_hash, c.secret_number, c.slot, c.box_id, c.device_id, c.claimed_by, c.claimed_at, \
         c.effective_at, c.founding_statement, c.founding_sealing, c.signed_command, c.signed_signature, c.state, \
         (select count(*) from closing g where g.box_id = c.box_id) + \
         (select count(*) from closed d where d.box_id = c.box_id)"
    };
}

/// Whether a claim `c` waits: of a box that closes, none does.
macro_rules! is_open {
    () => {
        "c.state = 'open' and not exists (select 1 from closing g where g.box_id = c.box_id) \
         and not exists (select 1 from closed d where d.box_id = c.box_id)"
    };
}

/// The query for open claims that may take effect. What can't, such as the claim of a device that was removed, takes nobody's
/// place. Only open claims are looked at, of which there are few.
pub(super) fn due(slots: Option<&[u16]>) -> String {
    let of_slots = slots.map_or_else(String::new, |slots| {
        if slots.is_empty() {
            return " and 1 = 0".to_owned();
        }
        let slots: Vec<String> = slots.iter().map(u16::to_string).collect();
        format!(" and c.slot in ({})", slots.join(", "))
    });
    [
        concat!(
            "select ",
            columns!(),
            " from claims c left join identifiers i on i.identifier_hash = c.identifier_hash \
             where (c.effective_at <= $1 or i.box_id is null \
             or exists (select 1 from closing g where g.box_id = i.box_id) \
             or exists (select 1 from closed d where d.box_id = i.box_id)) and ",
            is_open!(),
            " and case when exists (select 1 from key_boxes k where k.box_id = c.box_id) \
             then exists (select 1 from devices v where v.box_id = c.box_id and v.device_id = c.device_id \
             and v.is_removed = 0) and (select count(*) from identifiers o where o.box_id = c.box_id) < $3 \
             else c.founding_statement is not null end",
        ),
        &of_slots,
        " order by c.effective_at, c.claim_id limit $2",
    ]
    .concat()
}

impl Store {
    pub(crate) async fn claim(&self, id: RegistrationId) -> Result<Option<Claim>, StoreError> {
        let row = sqlx::query(concat!("select ", columns!(), " from claims c where c.claim_id = $1"))
            .bind(id.as_bytes().to_vec())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }

    pub(crate) async fn open_claim(&self, identifier: IdentifierHash) -> Result<Option<Claim>, StoreError> {
        let query =
            concat!("select ", columns!(), " from claims c where c.identifier_hash = $1 and ", is_open!(), " limit 1");
        let row = sqlx::query(query).bind(identifier.to_string()).fetch_optional(&self.pool).await?;
        row.as_ref().map(read).transpose()
    }

    /// The open claims of identifiers that belong to a box.
    pub(crate) async fn claims_on(&self, box_id: BoxId) -> Result<Vec<Claim>, StoreError> {
        let query = concat!(
            "select ",
            columns!(),
            " from claims c join identifiers i on i.identifier_hash = c.identifier_hash \
             where i.box_id = $1 and ",
            is_open!(),
            " order by c.identifier_hash",
        );
        let rows = sqlx::query(query).bind(box_id.as_bytes().to_vec()).fetch_all(&self.pool).await?;
        rows.iter().map(read).collect()
    }

    /// What was claimed for a box not long ago, in the order in which it was.
    pub(crate) async fn claims_for(&self, box_id: BoxId) -> Result<Vec<Claim>, StoreError> {
        let query =
            concat!("select ", columns!(), " from claims c where c.box_id = $1 order by c.claimed_at, c.claim_id");
        let rows = sqlx::query(query).bind(box_id.as_bytes().to_vec()).fetch_all(&self.pool).await?;
        rows.iter().map(read).collect()
    }

    /// Open claims that may take effect at `now`: their time has come, or the identifier is free; and the box that they are for
    /// takes them. Of these slots, or of all if none are given.
    pub(crate) async fn due_claims(
        &self,
        now: Timestamp,
        limit: u32,
        identifiers: u64,
        slots: Option<&[u16]>,
    ) -> Result<Vec<Claim>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(due(slots)))
            .bind(now.signed_millis())
            .bind(i64::from(limit))
            .bind(signed(identifiers))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &AnyRow) -> Result<Claim, StoreError> {
    let device_id = DeviceId::from_bytes(row.id(5)?);
    let founding = match (row.maybe_octets(9)?, row.maybe_octets(10)?) {
        (Some(founding_statement), Some(sealing_statement)) => {
            Some(Founding { device_id, founding_statement, sealing_statement })
        }
        _ => None,
    };
    let signed = match row.maybe_octets(11)? {
        Some(command) => Some(SignedCommand { device_id, command, signature: row.fixed(12)? }),
        None => None,
    };
    let state = row.text(13)?;
    let state = ClaimState::ALL.into_iter().find(|known| known.name() == state);
    Ok(Claim {
        id: RegistrationId::from_bytes(row.id(0)?),
        identifier_hash: row.text(1)?.parse().map_err(|error| unreadable(1, error))?,
        secret_number: row.small(2)?,
        slot: u16::try_from(row.small(3)?).map_err(|error| unreadable(3, error))?,
        box_id: BoxId::from_bytes(row.id(4)?),
        device_id,
        claimed_by: CommandId::from_bytes(row.id(6)?),
        claimed_at: row.time(7)?,
        effective_at: row.time(8)?,
        founding,
        signed,
        state: state.ok_or_else(|| unreadable(13, "names no state"))?,
        closing: row.flag(14)?,
    })
}

impl Tx {
    /// An identifier is claimed: the one claim of it that is open from now on.
    pub(crate) async fn claim_identifier(
        &mut self,
        command: CommandId,
        at: Timestamp,
        event: &IdentifierClaimedV1,
    ) -> Result<(), StoreError> {
        let identifier = event.identifier_hash.to_string();
        self.replace_claims(&identifier, event.claim_id, at).await?;
        let (founding, signed) = (event.founding.as_ref(), event.signed.as_ref());
        sqlx::query(
            "insert into claims (claim_id, identifier_hash, secret_number, slot, box_id, device_id, claimed_by, \
             claimed_at, effective_at, founding_statement, founding_sealing, signed_command, signed_signature, state) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'open') \
             on conflict (claim_id) do update set state = excluded.state, claimed_by = excluded.claimed_by, \
             claimed_at = excluded.claimed_at, effective_at = excluded.effective_at, ended_at = null",
        )
        .bind(event.claim_id.as_bytes().to_vec())
        .bind(identifier)
        .bind(i64::from(event.secret_number))
        .bind(i64::from(event.slot))
        .bind(event.box_id.as_bytes().to_vec())
        .bind(event.device_id.as_bytes().to_vec())
        .bind(command.as_bytes().to_vec())
        .bind(at.signed_millis())
        .bind(event.effective_at.signed_millis())
        .bind(founding.map(|founding| founding.founding_statement.as_slice().to_vec()))
        .bind(founding.map(|founding| founding.sealing_statement.as_slice().to_vec()))
        .bind(signed.map(|signed| signed.command.as_slice().to_vec()))
        .bind(signed.map(|signed| signed.signature.as_slice().to_vec()))
        .execute(&mut *self.inner)
        .await?;
        // Should the box be closed already, the row goes.
        self.hint_box(event.box_id).await
    }

    /// A device of the box that the identifier belongs to has objected.
    pub(crate) async fn object_to_claim(&mut self, at: Timestamp, event: &ClaimObjectedV1) -> Result<(), StoreError> {
        let identifier = event.identifier_hash.to_string();
        self.end_claim(&identifier, event.claim_id, ClaimState::Objected, at).await?;
        let query = match event.proof {
            // Who has the identifier's code has it still.
            ObjectionProof::Code { .. } => {
                "update identifiers set objected_at = $1, recovery_objections = 0 \
                 where identifier_hash = $2 and box_id = $3"
            }
            ObjectionProof::RecoveryKey => {
                "update identifiers set objected_at = $1, recovery_objections = recovery_objections + 1 \
                 where identifier_hash = $2 and box_id = $3"
            }
        };
        sqlx::query(query)
            .bind(at.signed_millis())
            .bind(identifier)
            .bind(event.box_id.as_bytes().to_vec())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// An identifier was verified, by a claim or without: that claim has taken effect, and no other is open.
    pub(super) async fn settle_claims(
        &mut self,
        at: Timestamp,
        event: &IdentifierVerifiedV2,
    ) -> Result<(), StoreError> {
        let identifier = event.identifier_hash.to_string();
        self.replace_claims(&identifier, event.registration_id, at).await?;
        self.end_claim(&identifier, event.registration_id, ClaimState::Effective, at).await
    }

    async fn end_claim(
        &mut self,
        identifier: &str,
        id: RegistrationId,
        state: ClaimState,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query("update claims set state = $3, ended_at = $4 where claim_id = $1 and identifier_hash = $2")
            .bind(id.as_bytes().to_vec())
            .bind(identifier.to_owned())
            .bind(state.name())
            .bind(at.signed_millis())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Whoever else has claimed the identifier has shown its code before this one.
    async fn replace_claims(&mut self, identifier: &str, by: RegistrationId, at: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "update claims set state = 'replaced', ended_at = $3 \
             where identifier_hash = $1 and state = 'open' and claim_id <> $2",
        )
        .bind(identifier.to_owned())
        .bind(by.as_bytes().to_vec())
        .bind(at.signed_millis())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Forgets claims that ended long ago.
    pub(super) async fn delete_claims(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let deleted = sqlx::query("delete from claims where ended_at <= $1")
            .bind(now.minus(REMEMBERED).signed_millis())
            .execute(&mut *self.inner)
            .await?;
        Ok(deleted.rows_affected())
    }
}
