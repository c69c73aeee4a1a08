//! The account's identifiers: added with a code, listed, taken away, and kept from those who claim them. The server knows them
//! by their hashes; this device knows them in the clear, and its own devices tell each other.

mod change;
mod check;
mod error;
mod object;

use std::fmt;
use std::str::FromStr;

pub use change::{CodeAsked, Confirmed};
use check::added_by;
pub use error::IdentifierError;
pub(crate) use error::address;
pub use object::Objected;
use rossby_schemas::http::identifiers::OwnIdentifier;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{DeviceId, IdentifierHash};
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use crate::Client;
use crate::account::{AccountList, Own};
use crate::content::{OwnIdentifierState, OwnIdentifiers};
use crate::error::ClientError;
use crate::store::identifiers::{self, IdentifierStanding, KnownIdentifier};

/// One of the account's identifiers.
#[derive(Debug, Clone)]
pub struct AccountIdentifier {
    /// The identifier as a URI; none if only the server has named it so far.
    pub identifier: Option<String>,
    /// The same, as the server knows it.
    pub hash: IdentifierHash,
    /// When it was added, as the server says.
    pub added_at: Option<Timestamp>,
    /// The device that added it, by its signature; none for the one that the account was registered with.
    pub added_by: Option<DeviceId>,
    /// Whether no device of the account has added it: the server says so alone.
    pub is_strange: bool,
    /// From when on it is somebody else's, unless a device of the account objects.
    pub claimed_from: Option<Timestamp>,
    /// For one that this account claims: from when on it is the account's.
    pub awaited_until: Option<Timestamp>,
}

/// How a person names one of the account's identifiers: as it is, or by the beginning of its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentifierRef {
    /// The identifier.
    Identifier(Identifier),
    /// The beginning of a hash.
    Hash(String),
}

/// How many identifiers a device that is linked is told.
const MAX_TOLD: usize = 16;
/// How much of a hash must be typed.
const SHORTEST: usize = 8;

impl FromStr for IdentifierRef {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(identifier) = text.parse() {
            return Ok(Self::Identifier(identifier));
        }
        let text = text.trim();
        let is_hash = text.len() >= SHORTEST && text.bytes().all(|b| b.is_ascii_hexdigit());
        if is_hash { Ok(Self::Hash(text.to_lowercase())) } else { Err(IdentifierError::NotOne(text.to_owned()).into()) }
    }
}

impl fmt::Display for IdentifierRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identifier(identifier) => f.write_str(identifier.address()),
            Self::Hash(hash) => f.write_str(hash),
        }
    }
}

impl IdentifierRef {
    /// The identifier that is meant, among those that are known here.
    fn find<'a>(&self, known: &'a [KnownIdentifier]) -> Result<&'a KnownIdentifier, ClientError> {
        let is_meant = |known: &&KnownIdentifier| match self {
            Self::Identifier(identifier) => known.identifier.as_deref() == Some(identifier.as_uri()),
            Self::Hash(hash) => known.hash.to_string().starts_with(hash),
        };
        let is_there =
            |known: &&KnownIdentifier| matches!(known.standing, IdentifierStanding::Own | IdentifierStanding::Strange);
        let mut meant = known.iter().filter(is_there).filter(is_meant);
        match (meant.next(), meant.next()) {
            (Some(known), None) => Ok(known),
            (None, _) => Err(IdentifierError::NoSuch(self.to_string()).into()),
            (Some(_), Some(_)) => Err(IdentifierError::Ambiguous(self.to_string()).into()),
        }
    }
}

impl Client {
    /// The account's identifiers, as the server has them, with what this device knows of them.
    ///
    /// # Errors
    /// What the server says.
    pub async fn identifiers(&self) -> Result<Vec<AccountIdentifier>, ClientError> {
        let (own, list) = self.audit_and_list().await?;
        let mut connection = self.store.read().await?;
        let known = identifiers::known(&mut connection, &self.vault).await?;
        drop(connection);
        let known_of = |hash: IdentifierHash| known.iter().find(|known| known.hash == hash);
        let text = |hash| known_of(hash).and_then(|known| known.identifier.clone());
        let listed = list.identifiers.iter().map(|listed| AccountIdentifier {
            identifier: text(listed.identifier_hash),
            hash: listed.identifier_hash,
            added_at: listed.added_at,
            added_by: added_by(&own.record, listed).ok().flatten(),
            is_strange: known_of(listed.identifier_hash)
                .is_none_or(|known| known.standing == IdentifierStanding::Strange),
            claimed_from: listed.claim.map(|claim| claim.effective_at),
            awaited_until: None,
        });
        let awaited =
            list.claims.iter().filter(|claim| claim.state == rossby_schemas::http::identifiers::ClaimState::Open).map(
                |claim| AccountIdentifier {
                    identifier: text(claim.identifier_hash),
                    hash: claim.identifier_hash,
                    added_at: None,
                    added_by: None,
                    is_strange: false,
                    claimed_from: None,
                    awaited_until: Some(claim.effective_at),
                },
            );
        Ok(listed.chain(awaited).collect())
    }

    /// The account's identifiers in the clear, as this device knows them.
    pub(crate) async fn known_identifiers(&self) -> Result<Vec<String>, ClientError> {
        let mut connection = self.store.read().await?;
        let known = identifiers::known(&mut connection, &self.vault).await?;
        let own = known.into_iter().filter(|known| known.standing == IdentifierStanding::Own);
        Ok(own.filter_map(|known| known.identifier).collect())
    }

    /// What a device that is linked is told to call the account: its identifiers, the one that it was registered with first, as
    /// many as a message of linking holds. None that it has no more.
    pub(crate) async fn called(&self) -> Result<Vec<String>, ClientError> {
        let mut identifiers = self.known_identifiers().await?;
        let called = self.device().await?.identifier;
        identifiers.sort_by_key(|identifier| *identifier != called);
        identifiers.truncate(MAX_TOLD);
        Ok(identifiers)
    }

    /// What the server lists of an identifier, with what this device knows of it.
    async fn listed(
        &self,
        list: &AccountList,
        meant: &IdentifierRef,
    ) -> Result<(KnownIdentifier, OwnIdentifier), ClientError> {
        let mut connection = self.store.read().await?;
        let known = identifiers::known(&mut connection, &self.vault).await?;
        let known = meant.find(&known)?.clone();
        let listed = list.identifiers.iter().find(|listed| listed.identifier_hash == known.hash);
        let listed = listed.ok_or_else(|| IdentifierError::NoSuch(meant.to_string()))?;
        Ok((known, listed.clone()))
    }

    /// Keeps that an identifier is the account's, or isn't any more, and tells the box's other devices.
    async fn keep_identifier(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        known: &KnownIdentifier,
    ) -> Result<(), ClientError> {
        identifiers::put(connection, &self.vault, known).await?;
        self.call_account(connection).await?;
        if let Some(state) = told(known) {
            self.tell_identifiers(connection, &own.device, OwnIdentifiers { identifiers: vec![state] }).await?;
        }
        Ok(())
    }

    /// Calls the account by one of its identifiers: by the same as long as it is one.
    async fn call_account(&self, connection: &mut SqliteConnection) -> Result<(), ClientError> {
        let Some(device) = self.store.device(&self.vault).await? else { return Ok(()) };
        let known = identifiers::known(connection, &self.vault).await?;
        let own: Vec<&str> = known
            .iter()
            .filter(|known| known.standing == IdentifierStanding::Own)
            .filter_map(|known| known.identifier.as_deref())
            .collect();
        match own.first() {
            Some(_) if own.contains(&device.identifier.as_str()) => Ok(()),
            Some(first) => identifiers::set_called(connection, first).await,
            None => Ok(()),
        }
    }
}

/// What the own devices are told of an identifier, if this one knows it in the clear.
pub(crate) fn told(known: &KnownIdentifier) -> Option<OwnIdentifierState> {
    let is_own = match known.standing {
        IdentifierStanding::Own => true,
        IdentifierStanding::Gone => false,
        IdentifierStanding::Strange | IdentifierStanding::Claimed => return None,
    };
    let (identifier, identifier_hash, changed_at) = (known.identifier.clone()?, known.hash, known.changed_at);
    Some(OwnIdentifierState { identifier, identifier_hash, is_own, changed_at })
}

#[cfg(test)]
mod tests;
