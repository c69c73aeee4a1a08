//! Who has signed what a history says.

use rossby_crypto::account::{AccountChange, AccountCommand, Objection};
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::statements::{MembershipStatement, Remover};
use rossby_schemas::encoding::Octets;
use rossby_schemas::events::identifiers::ObjectionProof;
use rossby_schemas::events::{Event, SignedCommand};
use rossby_schemas::http::history::HistoryEntry;
use rossby_schemas::ids::{BoxId, DeviceId};
use rossby_schemas::topic::Topic;

/// Who has signed an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signer {
    Device(DeviceId),
    RecoveryKey,
}

impl Signer {
    pub(super) const fn device(self) -> Option<DeviceId> {
        match self {
            Self::Device(id) => Some(id),
            Self::RecoveryKey => None,
        }
    }
}

/// Checks the entries one after the other. Those of the key record's stream make the record anew, so that each is judged by the
/// devices that there were then.
pub(super) struct Signatures<'a> {
    known: &'a KeyRecord,
    record: Option<KeyRecord>,
}

/// Why a signature does not count.
type Reason = String;

impl<'a> Signatures<'a> {
    pub(super) const fn new(known: &'a KeyRecord) -> Self {
        Self { known, record: None }
    }

    /// The record that the entries have made.
    pub(super) fn into_record(self) -> Option<KeyRecord> {
        self.record
    }

    /// Who has signed what an entry says; none for what nobody signs.
    pub(super) fn check(&mut self, entry: &HistoryEntry, event: &Event) -> Result<Option<Signer>, Reason> {
        let own = self.known.box_id();
        match event {
            Event::BoxFoundedV1(e) => {
                let record = KeyRecord::verify_of(own, std::slice::from_ref(&e.founding_statement)).map_err(text)?;
                let founder = record.founded().content().device_id;
                self.record = Some(record);
                self.sealing(&e.sealing_statement)?;
                same((e.box_id, e.device_id), (own, founder))?;
                Ok(Some(Signer::Device(founder)))
            }
            Event::DeviceLinkedV1(e) => match self.append(&e.linking_statement)? {
                MembershipStatement::Linked(linked) => {
                    self.sealing(&e.sealing_statement)?;
                    same((e.box_id, e.device_id), (own, linked.content().device_id))?;
                    Ok(Some(Signer::Device(linked.content().signer)))
                }
                _ => Err(ANOTHER.to_owned()),
            },
            Event::DeviceRemovedV1(e) => match self.append(&e.removal_statement)? {
                MembershipStatement::Removed(removed) => {
                    same((e.box_id, e.device_id), (own, removed.content().device_id))?;
                    Ok(Some(match removed.content().signer {
                        Remover::Device(signer) => Signer::Device(signer),
                        Remover::RecoveryKey => Signer::RecoveryKey,
                    }))
                }
                _ => Err(ANOTHER.to_owned()),
            },
            Event::SealingKeyStatedV1(e) => {
                let (device_id, counter) = self.sealing(&e.sealing_statement)?;
                same((e.box_id, e.device_id, e.counter), (own, device_id, counter))?;
                Ok(Some(Signer::Device(device_id)))
            }
            // Those of a closed box are given to nobody; the closing itself is signed.
            Event::BoxClosedV1(_) => Ok(None),
            event => self.command(entry, event),
        }
    }

    fn append(&mut self, statement: &Octets) -> Result<MembershipStatement, Reason> {
        self.record.as_mut().ok_or(NO_RECORD)?.append(statement).map_err(text)
    }

    fn sealing(&self, statement: &Octets) -> Result<(DeviceId, u64), Reason> {
        let verified = self.record.as_ref().ok_or(NO_RECORD)?.verify_sealing(statement, None).map_err(text)?;
        Ok((verified.content().device_id, verified.content().counter))
    }

    /// Checks the signed command of an event that has one.
    fn command(&self, entry: &HistoryEntry, event: &Event) -> Result<Option<Signer>, Reason> {
        let Some((box_id, signed)) = command_of(event) else { return Ok(None) };
        same(box_id, self.known.box_id())?;
        let Some(signed) = signed else { return Ok(None) };
        // Of the key record's own stream it is known which devices there were; of others, which there ever were.
        let is_of_keys = entry.topic == Topic::Keys.name();
        let record = if is_of_keys { self.record.as_ref().ok_or(NO_RECORD)? } else { self.known };
        let device = record.device(signed.device_id).filter(|device| !is_of_keys || device.is_member());
        let device = device.ok_or("its device does not belong to the account")?;
        let (id, key) = (device.device_id, &device.signing_key);
        let command = AccountCommand::verify(&signed.command, &signed.signature, box_id, id, key).map_err(text)?;
        // A claim takes effect later than what was signed.
        let is_of_version = entry.topic == Topic::Identifiers.name() || command.expected_version + 1 == entry.version;
        if says(event, entry, &command.change) && is_of_version {
            Ok(Some(Signer::Device(id)))
        } else {
            Err(ANOTHER.to_owned())
        }
    }
}

const NO_RECORD: &str = "the key record is not there";
const ANOTHER: &str = "something else was signed";

fn text(error: impl ToString) -> Reason {
    error.to_string()
}

fn same<T: PartialEq>(said: T, signed: T) -> Result<(), Reason> {
    if said == signed { Ok(()) } else { Err(ANOTHER.to_owned()) }
}

/// The box of an event that a command has made, and the command, if it is signed.
fn command_of(event: &Event) -> Option<(BoxId, Option<&SignedCommand>)> {
    Some(match event {
        Event::TokenRevokedV1(e) => (e.box_id, Some(&e.signed)),
        Event::BoxClosingV1(e) => (e.box_id, Some(&e.signed)),
        Event::DiscoverableSetV1(e) => (e.box_id, Some(&e.signed)),
        Event::AcceptFromSetV1(e) => (e.box_id, Some(&e.signed)),
        Event::BoxBlockedV1(e) => (e.box_id, Some(&e.signed)),
        Event::BoxUnblockedV1(e) => (e.box_id, Some(&e.signed)),
        Event::ContactAddedV1(e) => (e.box_id, Some(&e.signed)),
        Event::ContactRemovedV1(e) => (e.box_id, Some(&e.signed)),
        Event::ProfileBlobSetV1(e) => (e.box_id, Some(&e.signed)),
        Event::IdentifierVerifiedV1(e) => (e.box_id, None),
        Event::IdentifierVerifiedV2(e) => (e.box_id, e.signed.as_ref()),
        Event::IdentifierReleasedV1(e) => (e.box_id, None),
        Event::IdentifierReleasedV2(e) => (e.box_id, e.signed.as_ref()),
        Event::ClaimObjectedV1(e) => (e.box_id, Some(&e.signed)),
        _ => return None,
    })
}

/// Whether an event says what was signed.
fn says(event: &Event, entry: &HistoryEntry, signed: &AccountChange) -> bool {
    let is_of_stream = |hash: rossby_schemas::ids::IdentifierHash| hash.to_string() == entry.stream;
    match (event, signed) {
        (Event::TokenRevokedV1(e), AccountChange::RevokeToken { device_id, epoch }) => {
            (e.device_id, e.epoch) == (*device_id, *epoch)
        }
        (Event::BoxClosingV1(e), AccountChange::CloseBox(hashes)) => e.identifier_hashes == *hashes,
        (Event::DiscoverableSetV1(e), AccountChange::SetDiscoverable(audience)) => e.discoverable == *audience,
        (Event::AcceptFromSetV1(e), AccountChange::SetAcceptFrom(audience)) => e.accept_from == *audience,
        (Event::BoxBlockedV1(e), AccountChange::Block(tag)) => e.tag == *tag,
        (Event::BoxUnblockedV1(e), AccountChange::Unblock(tag)) => e.tag == *tag,
        (Event::ContactAddedV1(e), AccountChange::AddContact(tag)) => e.tag == *tag,
        (Event::ContactRemovedV1(e), AccountChange::RemoveContact(tag)) => e.tag == *tag,
        (Event::ProfileBlobSetV1(e), AccountChange::SetProfileBlob(blob)) => e.blob == *blob,
        (Event::IdentifierVerifiedV2(e), AccountChange::AddIdentifier { identifier, .. }) => {
            e.identifier_hash == *identifier && is_of_stream(*identifier)
        }
        (Event::IdentifierReleasedV2(e), AccountChange::RemoveIdentifier(identifier)) => {
            e.identifier_hash == *identifier && is_of_stream(*identifier)
        }
        (Event::ClaimObjectedV1(e), AccountChange::ObjectToClaim { identifier, claim_id, proof }) => {
            let is_by_recovery_key = matches!(e.proof, ObjectionProof::RecoveryKey);
            let is_same_proof = is_by_recovery_key == matches!(proof, Objection::RecoveryKey(_));
            (e.identifier_hash, e.claim_id) == (*identifier, *claim_id) && is_of_stream(*identifier) && is_same_proof
        }
        _ => false,
    }
}
