//! Registrations, their codes and guesses.

use rossby_schemas::encoding::Octets;
use rossby_schemas::events::registrations::{
    CodeAskedV1, CodeGuessedV1, CodeIssuedV1, CodePurpose, RegistrationAskedV1,
};
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, IdentifierHash, RegistrationId};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::Topic;

use super::row::{Columns as _, signed, unreadable};
use super::{Store, StoreError, Tx};
use crate::projection::Projection;

/// A registration with its codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The registration.
    pub id: RegistrationId,
    /// The stream of the identifier's day in which it stands.
    pub stream: String,
    /// The identifier.
    pub identifier_hash: IdentifierHash,
    /// The number of the secret under which it was hashed.
    pub secret_number: u32,
    /// The identifier's slot.
    pub slot: u16,
    /// The box that it will found, or that the device belongs to.
    pub box_id: BoxId,
    /// The device that asked.
    pub device_id: DeviceId,
    /// What for.
    pub purpose: Purpose,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// Its codes, in the order of their numbers.
    pub codes: Vec<IssuedCode>,
    /// The command whose guess was right; none if no guess was.
    pub right_command: Option<CommandId>,
}

/// What a registration's code is shown for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// To found a box.
    Found {
        /// The founding statement.
        founding_statement: Octets,
        /// The device's first sealing statement.
        sealing_statement: Octets,
    },
    /// To add the identifier to the device's box.
    Add,
    /// To object to a claim of the identifier, which belongs to the device's box.
    Object {
        /// The claim.
        claim_id: RegistrationId,
    },
}

/// What a registration is asked by: its event, and what that has not.
struct Asked<'a> {
    registration_id: RegistrationId,
    identifier_hash: IdentifierHash,
    secret_number: u32,
    slot: u16,
    box_id: BoxId,
    device_id: DeviceId,
    statements: Option<(&'a Octets, &'a Octets)>,
    purpose: &'static str,
    claim_id: Option<RegistrationId>,
}

/// A code that was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuedCode {
    /// Its number among the registration's codes, from 1.
    pub number: u32,
    /// When it stops being good.
    pub expires_at: Timestamp,
    /// How many guesses at it were wrong.
    pub wrong_guesses: u32,
}

/// What an identifier has used up of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegistrationDay {
    /// The stream's version.
    pub version: u64,
    /// How many codes were issued.
    pub codes_issued: u32,
    /// How many guesses were made, right ones too.
    pub guesses: u32,
}

impl Store {
    pub(crate) async fn registration(&self, id: RegistrationId) -> Result<Option<Registration>, StoreError> {
        let row = sqlx::query(
            "select stream, identifier_hash, secret_number, slot, box_id, device_id, founding_statement, \
             sealing_statement, asked_at, purpose, claim_id from registrations where registration_id = $1",
        )
        .bind(id.as_bytes().to_vec())
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let right = sqlx::query("select command_id from guesses where registration_id = $1 and is_right = 1")
            .bind(id.as_bytes().to_vec())
            .fetch_optional(&self.pool)
            .await?;
        Ok(Some(Registration {
            id,
            stream: row.text(0)?,
            identifier_hash: row.text(1)?.parse().map_err(|error| unreadable(1, error))?,
            secret_number: row.small(2)?,
            slot: u16::try_from(row.small(3)?).map_err(|error| unreadable(3, error))?,
            box_id: BoxId::from_bytes(row.id(4)?),
            device_id: DeviceId::from_bytes(row.id(5)?),
            purpose: match row.text(9)?.as_str() {
                "add" => Purpose::Add,
                "object" => Purpose::Object { claim_id: RegistrationId::from_bytes(row.id(10)?) },
                _ => Purpose::Found { founding_statement: row.octets(6)?, sealing_statement: row.octets(7)? },
            },
            asked_at: row.time(8)?,
            codes: self.codes(id).await?,
            right_command: right.map(|row| row.id(0).map(CommandId::from_bytes)).transpose()?,
        }))
    }

    async fn codes(&self, id: RegistrationId) -> Result<Vec<IssuedCode>, StoreError> {
        let rows = sqlx::query(
            "select c.number, c.expires_at, \
             (select count(*) from guesses g \
              where g.registration_id = c.registration_id and g.number = c.number and g.is_right = 0) \
             from codes c where c.registration_id = $1 order by c.number",
        )
        .bind(id.as_bytes().to_vec())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| Ok(IssuedCode { number: row.small(0)?, expires_at: row.time(1)?, wrong_guesses: row.small(2)? }))
            .collect()
    }

    /// Codes for objections are counted apart.
    pub(crate) async fn registration_day(&self, stream: &str) -> Result<RegistrationDay, StoreError> {
        let row = sqlx::query(
            "select (select version from heads where projection = 'inbox' and topic = 'rossby.registrations' \
             and stream = $1), \
             (select count(*) from codes c join registrations r on r.registration_id = c.registration_id \
             where c.stream = $1 and r.purpose <> 'object'), \
             (select count(*) from guesses g join registrations r on r.registration_id = g.registration_id \
             where g.stream = $1 and r.purpose <> 'object')",
        )
        .bind(stream.to_owned())
        .fetch_one(&self.pool)
        .await?;
        day(&row)
    }

    pub(crate) async fn objection_day(
        &self,
        stream: &str,
        box_id: BoxId,
        device: DeviceId,
    ) -> Result<RegistrationDay, StoreError> {
        let row = sqlx::query(
            "select (select version from heads where projection = 'inbox' and topic = 'rossby.registrations' \
             and stream = $1), \
             (select count(*) from codes c join registrations r on r.registration_id = c.registration_id \
             where c.stream = $1 and r.purpose = 'object' and r.box_id = $2 and r.device_id = $3), \
             (select count(*) from guesses g join registrations r on r.registration_id = g.registration_id \
             where g.stream = $1 and r.purpose = 'object' and r.box_id = $2 and r.device_id = $3)",
        )
        .bind(stream.to_owned())
        .bind(box_id.as_bytes().to_vec())
        .bind(device.as_bytes().to_vec())
        .fetch_one(&self.pool)
        .await?;
        day(&row)
    }
}

fn day(row: &sqlx::any::AnyRow) -> Result<RegistrationDay, StoreError> {
    Ok(RegistrationDay {
        version: row.maybe_number(0)?.unwrap_or(0),
        codes_issued: row.small(1)?,
        guesses: row.small(2)?,
    })
}

impl Tx {
    pub(crate) async fn ask_registration(
        &mut self,
        stream: &str,
        asked_at: Timestamp,
        event: &RegistrationAskedV1,
    ) -> Result<(), StoreError> {
        let asked = Asked {
            registration_id: event.registration_id,
            identifier_hash: event.identifier_hash,
            secret_number: event.secret_number,
            slot: event.slot,
            box_id: event.box_id,
            device_id: event.device_id,
            statements: Some((&event.founding_statement, &event.sealing_statement)),
            purpose: "found",
            claim_id: None,
        };
        self.insert_registration(stream, asked_at, asked).await
    }

    pub(crate) async fn ask_code(
        &mut self,
        stream: &str,
        asked_at: Timestamp,
        event: &CodeAskedV1,
    ) -> Result<(), StoreError> {
        let (purpose, claim_id) = match event.purpose {
            CodePurpose::Add => ("add", None),
            CodePurpose::Object { claim_id } => ("object", Some(claim_id)),
        };
        let asked = Asked {
            registration_id: event.registration_id,
            identifier_hash: event.identifier_hash,
            secret_number: event.secret_number,
            slot: event.slot,
            box_id: event.box_id,
            device_id: event.device_id,
            statements: None,
            purpose,
            claim_id,
        };
        self.insert_registration(stream, asked_at, asked).await
    }

    async fn insert_registration(
        &mut self,
        stream: &str,
        asked_at: Timestamp,
        asked: Asked<'_>,
    ) -> Result<(), StoreError> {
        let octets = |statement: Option<&Octets>| statement.map_or_else(Vec::new, |octets| octets.as_slice().to_vec());
        sqlx::query(
            "insert into registrations (registration_id, stream, identifier_hash, secret_number, slot, box_id, \
             device_id, founding_statement, sealing_statement, asked_at, purpose, claim_id) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing",
        )
        .bind(asked.registration_id.as_bytes().to_vec())
        .bind(stream.to_owned())
        .bind(asked.identifier_hash.to_string())
        .bind(i64::from(asked.secret_number))
        .bind(i64::from(asked.slot))
        .bind(asked.box_id.as_bytes().to_vec())
        .bind(asked.device_id.as_bytes().to_vec())
        .bind(octets(asked.statements.map(|(founding, _)| founding)))
        .bind(octets(asked.statements.map(|(_, sealing)| sealing)))
        .bind(asked_at.signed_millis())
        .bind(asked.purpose)
        .bind(asked.claim_id.map(|id| id.as_bytes().to_vec()))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    pub(crate) async fn issue_code(&mut self, stream: &str, event: &CodeIssuedV1) -> Result<(), StoreError> {
        sqlx::query(
            "insert into codes (registration_id, number, stream, expires_at) values ($1, $2, $3, $4) \
             on conflict do nothing",
        )
        .bind(event.registration_id.as_bytes().to_vec())
        .bind(i64::from(event.number))
        .bind(stream.to_owned())
        .bind(event.expires_at.signed_millis())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    pub(crate) async fn guess_code(
        &mut self,
        stream: &str,
        version: u64,
        command: CommandId,
        event: &CodeGuessedV1,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "insert into guesses (stream, version, registration_id, number, is_right, command_id) \
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        )
        .bind(stream.to_owned())
        .bind(signed(version))
        .bind(event.registration_id.as_bytes().to_vec())
        .bind(i64::from(event.number))
        .bind(i64::from(event.right))
        .bind(command.as_bytes().to_vec())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// The streams of registrations that are known, of all partitions.
    pub(crate) async fn registration_streams(&mut self, projection: Projection) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query("select stream from heads where projection = $1 and topic = $2")
            .bind(projection.name())
            .bind(Topic::Registrations.name())
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(|row| row.text(0)).collect()
    }

    /// Forgets a stream, as if none of its events had ever come.
    pub(crate) async fn forget_registrations(
        &mut self,
        projection: Projection,
        stream: &str,
    ) -> Result<(), StoreError> {
        for query in [
            "delete from registrations where stream = $1",
            "delete from codes where stream = $1",
            "delete from guesses where stream = $1",
        ] {
            sqlx::query(query).bind(stream.to_owned()).execute(&mut *self.inner).await?;
        }
        for query in [
            "delete from heads where projection = $1 and topic = $2 and stream = $3",
            "delete from outcomes where projection = $1 and topic = $2 and stream = $3",
            "delete from superseded where projection = $1 and topic = $2 and stream = $3",
        ] {
            sqlx::query(query)
                .bind(projection.name())
                .bind(Topic::Registrations.name())
                .bind(stream.to_owned())
                .execute(&mut *self.inner)
                .await?;
        }
        Ok(())
    }
}
