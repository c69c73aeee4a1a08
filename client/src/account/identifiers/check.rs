//! What the server lists, checked against what the own devices have signed and said.

use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_crypto::key_record::KeyRecord;
use rossby_schemas::http::identifiers::{ClaimState, OwnClaim, OwnIdentifier};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{DeviceId, IdentifierHash};
use sqlx::SqliteConnection;

use super::told;
use crate::Client;
use crate::account::{AccountList, Own};
use crate::content::OwnIdentifiers;
use crate::error::ClientError;
use crate::store::device::Device;
use crate::store::identifiers::{self, IdentifierStanding, KnownIdentifier};
use crate::store::warnings;
use crate::warning::Warning;

/// That no device of the box has added an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotSigned;

/// The device that has added an identifier, by its signature; none for one that the account was registered with, which nobody
/// signs.
pub(crate) fn added_by(record: &KeyRecord, listed: &OwnIdentifier) -> Result<Option<DeviceId>, NotSigned> {
    let Some(signed) = &listed.signed else { return Ok(None) };
    // A device that was removed since may have added it before.
    let device = record.device(signed.device_id).ok_or(NotSigned)?;
    let (id, key) = (device.device_id, &device.signing_key);
    let command = AccountCommand::verify(&signed.command, &signed.signature, record.box_id(), id, key);
    match command.map_err(|_| NotSigned)?.change {
        AccountChange::AddIdentifier { identifier, .. } if identifier == listed.identifier_hash => Ok(Some(id)),
        _ => Err(NotSigned),
    }
}

impl Client {
    /// Compares the identifiers that the server lists with those that are known, keeps what is new, and tells the person what
    /// they did not do.
    pub(crate) async fn check_identifiers(&self, own: &Own, list: &AccountList) -> Result<(), ClientError> {
        let mut transaction = self.store.begin().await?;
        let known = identifiers::known(&mut transaction, &self.vault).await?;
        for listed in &list.identifiers {
            self.check_listed(&mut transaction, (own, list), &known, listed).await?;
        }
        for known in &known {
            if list.identifiers.iter().any(|listed| listed.identifier_hash == known.hash) {
                continue;
            }
            let warning = match known.standing {
                IdentifierStanding::Own => Warning::IdentifierGone { identifier: shown(known) },
                IdentifierStanding::Strange => {
                    self.has_gone(&mut transaction, known).await?;
                    continue;
                }
                IdentifierStanding::Claimed => match claim_of(known.hash, &list.claims) {
                    Some(state @ (ClaimState::Objected | ClaimState::Replaced)) => {
                        Warning::ClaimEnded { identifier: shown(known), was_objected: state == ClaimState::Objected }
                    }
                    _ => continue,
                },
                IdentifierStanding::Gone => continue,
            };
            self.has_gone(&mut transaction, known).await?;
            self.warn(&mut transaction, &warning).await?;
        }
        self.call_account(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }

    async fn has_gone(&self, connection: &mut SqliteConnection, known: &KnownIdentifier) -> Result<(), ClientError> {
        let gone = KnownIdentifier { standing: IdentifierStanding::Gone, changed_at: self.now(), ..known.clone() };
        identifiers::put(connection, &self.vault, &gone).await
    }

    async fn check_listed(
        &self,
        connection: &mut SqliteConnection,
        (own, list): (&Own, &AccountList),
        known: &[KnownIdentifier],
        listed: &OwnIdentifier,
    ) -> Result<(), ClientError> {
        let hash = listed.identifier_hash;
        let before = known.iter().find(|known| known.hash == hash);
        let by = added_by(&own.record, listed);
        let mut now = KnownIdentifier {
            hash,
            identifier: before.and_then(|before| before.identifier.clone()),
            standing: IdentifierStanding::Own,
            changed_at: self.now(),
        };
        if let (None, Ok(None)) = (&now.identifier, &by) {
            now.identifier = registered_with(own, known);
        }
        if let Some(claim) = listed.claim {
            // At each sync, as long as it waits.
            let warning = Warning::IdentifierClaimed { identifier: shown(&now), effective_at: claim.effective_at };
            self.warn(connection, &warning).await?;
        }
        match before.map(|before| before.standing) {
            Some(IdentifierStanding::Own) => {
                now.changed_at = before.map_or(now.changed_at, |before| before.changed_at);
                if before.is_some_and(|before| *before != now) {
                    identifiers::put(connection, &self.vault, &now).await?;
                }
                return Ok(());
            }
            Some(IdentifierStanding::Strange) => return Ok(()),
            Some(IdentifierStanding::Claimed) if by == Ok(Some(own.device.device_id)) => {
                return self.keep_identifier(connection, own, &now).await;
            }
            Some(IdentifierStanding::Claimed | IdentifierStanding::Gone) | None => {}
        }
        let is_first = known.is_empty();
        let is_vouched = match by {
            Ok(Some(_)) => true,
            // What the account was registered with was there from the beginning, and there is one.
            Ok(None) => is_first && list.identifiers.iter().filter(|listed| listed.signed.is_none()).count() == 1,
            Err(NotSigned) => false,
        };
        if !is_vouched {
            now.standing = IdentifierStanding::Strange;
            self.warn(connection, &Warning::StrangeIdentifier { identifier: shown(&now) }).await?;
        } else if let (Ok(Some(device_id)), false) = (by, is_first)
            && device_id != own.device.device_id
        {
            self.warn(connection, &Warning::IdentifierAdded { identifier: shown(&now), device_id }).await?;
        }
        identifiers::put(connection, &self.vault, &now).await
    }

    /// Takes what another of the box's devices says of identifiers.
    pub(crate) async fn heed_identifiers(
        &self,
        connection: &mut SqliteConnection,
        sender: DeviceId,
        said: &OwnIdentifiers,
    ) -> Result<(), ClientError> {
        let known = identifiers::known(connection, &self.vault).await?;
        for state in &said.identifiers {
            let before = known.iter().find(|known| known.hash == state.identifier_hash);
            let changed_at = state.changed_at.min(self.now());
            let standing = if state.is_own { IdentifierStanding::Own } else { IdentifierStanding::Gone };
            let now = KnownIdentifier {
                hash: state.identifier_hash,
                identifier: Some(state.identifier.clone()),
                standing,
                changed_at,
            };
            let identifier = state.identifier.clone();
            let (now, warning) = match before {
                None if state.is_own => (now, Some(Warning::IdentifierAdded { identifier, device_id: sender })),
                None => (now, None),
                // The latest word counts, and the server's was the latest: what it is called is told all the same.
                Some(before) if before.changed_at >= changed_at && before.standing != IdentifierStanding::Strange => {
                    // That it is gone the server has said, and now who did it; unless the first was shown already.
                    let gone = Warning::IdentifierGone { identifier: shown(before) };
                    let is_untold = (before.standing, standing) == (IdentifierStanding::Gone, IdentifierStanding::Gone)
                        && warnings::withdraw(connection, &self.vault, &gone).await?;
                    let warning = is_untold.then_some(Warning::IdentifierRemoved { identifier, device_id: sender });
                    let (standing, changed_at) = (before.standing, before.changed_at);
                    (KnownIdentifier { standing, changed_at, ..now }, warning)
                }
                Some(before) => {
                    let warning = match (before.standing, standing) {
                        (IdentifierStanding::Own, IdentifierStanding::Gone) => {
                            Some(Warning::IdentifierRemoved { identifier, device_id: sender })
                        }
                        (IdentifierStanding::Gone, IdentifierStanding::Own) => {
                            Some(Warning::IdentifierAdded { identifier, device_id: sender })
                        }
                        _ => None,
                    };
                    (now, warning)
                }
            };
            identifiers::put(connection, &self.vault, &now).await?;
            if let Some(warning) = warning {
                self.warn(connection, &warning).await?;
            }
        }
        self.call_account(connection).await
    }

    /// Tells a device that was linked just now which identifiers there are.
    pub(crate) async fn share_identifiers(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
    ) -> Result<(), ClientError> {
        let known = identifiers::known(connection, &self.vault).await?;
        let own = known.iter().filter(|known| known.standing == IdentifierStanding::Own).filter_map(told);
        let states: Vec<_> = own.collect();
        for identifiers in states.chunks(rossby_crypto::account::MAX_IDENTIFIERS) {
            let said = OwnIdentifiers { identifiers: identifiers.to_vec() };
            self.tell_identifiers(connection, device, said).await?;
        }
        Ok(())
    }
}

/// The identifier that this device was told to be the account's when it became one of it, if it is none of the known ones.
fn registered_with(own: &Own, known: &[KnownIdentifier]) -> Option<String> {
    let text = own.device.identifier.as_str();
    let is_free = !known.iter().any(|known| known.identifier.as_deref() == Some(text));
    (is_free && text.parse::<Identifier>().is_ok()).then(|| text.to_owned())
}

/// How a person is told of it: as it is, or by its hash.
fn shown(known: &KnownIdentifier) -> String {
    known.identifier.clone().unwrap_or_else(|| known.hash.to_string())
}

fn claim_of(hash: IdentifierHash, claims: &[OwnClaim]) -> Option<ClaimState> {
    claims.iter().rfind(|claim| claim.identifier_hash == hash).map(|claim| claim.state)
}
