//! The box's identifiers, and what is under way with one.

use rossby_schemas::ids::{CommandId, IdentifierHash, RegistrationId};
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::{DAMAGED, Store, fixed, time};
use crate::error::ClientError;
use crate::vault::Vault;

const CODE: &str = "identifier of a code";

/// An identifier, as this device knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownIdentifier {
    pub(crate) hash: IdentifierHash,
    /// As a URI; none as long as only the server has named it.
    pub(crate) identifier: Option<String>,
    pub(crate) standing: IdentifierStanding,
    /// When that became so, by whoever said it.
    pub(crate) changed_at: Timestamp,
}

/// How an identifier stands to the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdentifierStanding {
    /// It is the box's.
    Own,
    /// The server says that it is the box's, and no device of the box has added it.
    Strange,
    /// It was claimed for the box.
    Claimed,
    /// It was the box's, or was claimed for it.
    Gone,
}

impl IdentifierStanding {
    const ALL: [Self; 4] = [Self::Own, Self::Strange, Self::Claimed, Self::Gone];

    const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Strange => "strange",
            Self::Claimed => "claimed",
            Self::Gone => "gone",
        }
    }
}

/// A code that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AskedCode {
    pub(crate) registration_id: RegistrationId,
    pub(crate) identifier: String,
    /// The claim that it objects to; none if it adds the identifier.
    pub(crate) claim_id: Option<RegistrationId>,
}

/// What is under way with this device's account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct UnderWay {
    /// The person has said that all devices of the account are lost.
    pub(crate) recovers: bool,
    /// Until when the claim of its identifier waits.
    pub(crate) claim_until: Option<Timestamp>,
    /// The command that closes it, once it was sent.
    pub(crate) closing_command: Option<CommandId>,
}

fn label(hash: IdentifierHash) -> String {
    format!("identifier {hash}")
}

/// Every identifier that this device knows of, those that are the box's no more too.
pub(crate) async fn known(
    connection: &mut SqliteConnection,
    vault: &Vault,
) -> Result<Vec<KnownIdentifier>, ClientError> {
    let rows: Vec<(String, Option<Vec<u8>>, String, i64)> = sqlx::query_as(
        "select identifier_hash, identifier, standing, changed_at from identifiers order by changed_at, identifier_hash",
    )
    .fetch_all(connection)
    .await?;
    let read = |(hash, sealed, standing, changed_at): (String, Option<Vec<u8>>, String, i64)| {
        let hash: IdentifierHash = hash.parse().map_err(|_| DAMAGED)?;
        let identifier = sealed.map(|sealed| text(vault, &label(hash), &sealed)).transpose()?;
        let standing = IdentifierStanding::ALL.into_iter().find(|known| known.name() == standing).ok_or(DAMAGED)?;
        Ok(KnownIdentifier { hash, identifier, standing, changed_at: time(changed_at)? })
    };
    rows.into_iter().map(read).collect()
}

/// Keeps what is known of an identifier, in place of what was.
pub(crate) async fn put(
    connection: &mut SqliteConnection,
    vault: &Vault,
    known: &KnownIdentifier,
) -> Result<(), ClientError> {
    let sealed = known.identifier.as_ref().map(|text| vault.seal(&label(known.hash), text.as_bytes()));
    sqlx::query(
        "insert into identifiers (identifier_hash, identifier, standing, changed_at) values (?, ?, ?, ?)
         on conflict (identifier_hash) do update set identifier = excluded.identifier, standing = excluded.standing,
             changed_at = excluded.changed_at",
    )
    .bind(known.hash.to_string())
    .bind(sealed)
    .bind(known.standing.name())
    .bind(known.changed_at.signed_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// The code that was asked for last, if it was not shown yet.
pub(crate) async fn asked_code(
    connection: &mut SqliteConnection,
    vault: &Vault,
) -> Result<Option<AskedCode>, ClientError> {
    type Row = (Vec<u8>, Vec<u8>, Option<Vec<u8>>);
    let row: Option<Row> = sqlx::query_as("select registration_id, identifier, claim_id from identifier_code")
        .fetch_optional(connection)
        .await?;
    let Some((registration_id, identifier, claim_id)) = row else { return Ok(None) };
    let id = |octets: &[u8]| Ok::<_, ClientError>(RegistrationId::from_bytes(fixed(octets)?));
    Ok(Some(AskedCode {
        registration_id: id(&registration_id)?,
        identifier: text(vault, CODE, &identifier)?,
        claim_id: claim_id.as_deref().map(id).transpose()?,
    }))
}

/// A code was asked for; one that was asked for before is not waited for any more.
pub(crate) async fn keep_asked_code(
    connection: &mut SqliteConnection,
    vault: &Vault,
    asked: &AskedCode,
) -> Result<(), ClientError> {
    forget_asked_code(connection).await?;
    sqlx::query("insert into identifier_code (one, registration_id, identifier, claim_id) values (1, ?, ?, ?)")
        .bind(asked.registration_id.as_bytes().as_slice())
        .bind(vault.seal(CODE, asked.identifier.as_bytes()))
        .bind(asked.claim_id.as_ref().map(|id| id.as_bytes().as_slice()))
        .execute(connection)
        .await?;
    Ok(())
}

/// What the code was for is done.
pub(crate) async fn forget_asked_code(connection: &mut SqliteConnection) -> Result<(), ClientError> {
    sqlx::query("delete from identifier_code").execute(connection).await?;
    Ok(())
}

/// The identifier by which this device calls its account.
pub(crate) async fn set_called(connection: &mut SqliteConnection, identifier: &str) -> Result<(), ClientError> {
    sqlx::query("update device set identifier = ?").bind(identifier).execute(connection).await?;
    Ok(())
}

fn text(vault: &Vault, label: &str, sealed: &[u8]) -> Result<String, ClientError> {
    String::from_utf8(vault.open(label, sealed)?.to_vec()).map_err(|_| DAMAGED)
}

impl Store {
    /// What is under way with this device's account.
    pub(crate) async fn under_way(&self) -> Result<UnderWay, ClientError> {
        type Row = (bool, Option<i64>, Option<Vec<u8>>);
        let row: Option<Row> = sqlx::query_as("select recovers, claim_until, closing_command from device")
            .fetch_optional(&self.pool)
            .await?;
        let Some((recovers, claim_until, closing)) = row else { return Ok(UnderWay::default()) };
        let closing = closing.map(|id| fixed(&id).map(CommandId::from_bytes)).transpose()?;
        Ok(UnderWay { recovers, claim_until: claim_until.map(time).transpose()?, closing_command: closing })
    }

    /// The person says that all devices of the account are lost.
    pub(crate) async fn recovers(&self) -> Result<(), ClientError> {
        sqlx::query("update device set recovers = 1").execute(&self.pool).await?;
        Ok(())
    }

    /// The identifier is claimed; none if the claim has ended, and with it the registration.
    pub(crate) async fn set_claim(&self, until: Option<Timestamp>, next: CommandId) -> Result<(), ClientError> {
        let query = match until {
            Some(_) => "update device set claim_until = ?1",
            None => {
                "update device set claim_until = ?1, registration_id = null, code_expires_at = null, register_command = ?2"
            }
        };
        sqlx::query(query)
            .bind(until.map(Timestamp::signed_millis))
            .bind(next.as_bytes().as_slice())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// This command closes the account.
    pub(crate) async fn closes_with(&self, command: CommandId) -> Result<(), ClientError> {
        sqlx::query("update device set closing_command = ?")
            .bind(command.as_bytes().as_slice())
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
