//! What a server may say of identifiers, and other devices: what is kept of it, and what the person is told.

use std::time::Duration;

use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{Remover, link, remove, request_link};
use rossby_schemas::events::SignedCommand;
use rossby_schemas::http::identifiers::{ClaimOnIdentifier, ClaimState, OwnClaim, OwnIdentifier};
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, IdentifierHash, RegistrationId};

use super::*;
use crate::messages::tests::{Receiver, Sender, at};
use crate::store::records;
use crate::warning::Warning;

const ANN: &str = "mailto:ann@example.org";
const PHONE: &str = "tel:+15551234567";
const OTHER: DeviceId = DeviceId::from_bytes([8; 16]);

fn hash(number: u8) -> IdentifierHash {
    IdentifierHash([number; 32])
}

/// The device under test, another of its box, and what the server says of the box's identifiers.
struct Ann {
    device: Receiver,
    own: Own,
    list: AccountList,
    other: SigningKey,
}

impl Ann {
    /// Registered with one identifier, which was checked.
    async fn new() -> Self {
        let device = Receiver::at_server("http://127.0.0.1:9").await;
        let this = device.client.device().await.unwrap();
        let mut record =
            records::own_record(&mut device.client.store.read().await.unwrap(), this.box_id).await.unwrap();
        let other = SigningKey::generate(&mut crate::random::rng());
        let (box_id, head) = (record.box_id(), record.head());
        let request = request_link(&other, OTHER, box_id, head);
        let linked = link(&this.signing_key, this.device_id, box_id, head, &request, at(0));
        record.append(linked.octets()).unwrap();
        let own = Own { device: this, record };
        let list =
            AccountList { keys_version: 2, profile_version: 0, identifiers: vec![listed(1, None)], claims: Vec::new() };
        let ann = Self { device, own, list, other };
        assert_eq!(ann.check().await, []);
        ann
    }

    /// Checks what the server says. Gives what the person is told.
    async fn check(&self) -> Vec<Warning> {
        self.device.client.check_identifiers(&self.own, &self.list).await.unwrap();
        self.device.warned().await
    }

    /// Takes what the other device says. Gives what the person is told.
    async fn hear(&self, states: &[(&str, u8, bool, u64)]) -> Vec<Warning> {
        let identifiers = states.iter().map(|(identifier, number, is_own, seconds)| OwnIdentifierState {
            identifier: (*identifier).to_owned(),
            identifier_hash: hash(*number),
            is_own: *is_own,
            changed_at: at(*seconds),
        });
        let said = OwnIdentifiers { identifiers: identifiers.collect() };
        let mut transaction = self.device.client.store.begin().await.unwrap();
        self.device.client.heed_identifiers(&mut transaction, OTHER, &said).await.unwrap();
        transaction.commit().await.unwrap();
        self.device.warned().await
    }

    /// The command by which a device adds an identifier.
    fn signed(&self, device_id: DeviceId, key: &SigningKey, box_id: BoxId, number: u8) -> SignedCommand {
        let registration_id = RegistrationId::from_bytes([number; 16]);
        let command = AccountCommand {
            command_id: CommandId::from_bytes([number; 16]),
            box_id,
            expected_version: 0,
            device_id,
            time: at(0),
            change: AccountChange::AddIdentifier { identifier: hash(number), registration_id },
        };
        command.sign(key)
    }

    fn by_other(&self, number: u8) -> OwnIdentifier {
        listed(number, Some(self.signed(OTHER, &self.other, self.own.record.box_id(), number)))
    }

    fn by_this(&self, number: u8) -> OwnIdentifier {
        let this = &self.own.device;
        listed(number, Some(self.signed(this.device_id, &this.signing_key, this.box_id, number)))
    }

    async fn known(&self) -> Vec<(Option<String>, IdentifierHash, IdentifierStanding)> {
        let mut connection = self.device.client.store.read().await.unwrap();
        let known = identifiers::known(&mut connection, &self.device.client.vault).await.unwrap();
        known.into_iter().map(|known| (known.identifier, known.hash, known.standing)).collect()
    }
}

fn listed(number: u8, signed: Option<SignedCommand>) -> OwnIdentifier {
    OwnIdentifier { identifier_hash: hash(number), version: 1, added_at: Some(at(0)), signed, claim: None }
}

fn strange(number: u8) -> Warning {
    Warning::StrangeIdentifier { identifier: hash(number).to_string() }
}

#[tokio::test]
async fn what_it_registered_with_is_known_by_its_name() {
    let ann = Ann::new().await;
    assert_eq!(ann.known().await, [(Some(ANN.to_owned()), hash(1), IdentifierStanding::Own)]);
    assert_eq!(ann.device.client.account().await.unwrap().identifiers, [ANN]);
    assert_eq!(ann.check().await, [], "and nothing more is told");
}

#[tokio::test]
async fn what_another_device_has_added_is_told_once_whoever_says_it_first() {
    let mut ann = Ann::new().await;
    ann.list.identifiers.push(ann.by_other(2));
    let told = Warning::IdentifierAdded { identifier: hash(2).to_string(), device_id: OTHER };
    assert_eq!(ann.check().await, [told]);
    assert_eq!(ann.check().await, []);
    // Its name comes later; the word of the server was the latest.
    assert_eq!(ann.hear(&[(PHONE, 2, true, 0)]).await, []);
    assert_eq!(ann.device.client.known_identifiers().await.unwrap(), [ANN, PHONE]);
    // The other way round, for another.
    let told = Warning::IdentifierAdded { identifier: "mailto:ann@work.example".to_owned(), device_id: OTHER };
    assert_eq!(ann.hear(&[("mailto:ann@work.example", 3, true, 0)]).await, [told]);
    ann.list.identifiers.push(ann.by_other(3));
    assert_eq!(ann.check().await, []);
    // What this device adds, nobody need tell it.
    ann.list.identifiers.push(ann.by_this(4));
    assert_eq!(ann.check().await, []);
}

#[tokio::test]
async fn what_no_device_has_added_is_strange() {
    let mut ann = Ann::new().await;
    let ben = Sender::new();
    let this = ann.own.device.device_id;
    let for_another = ann.by_other(2).signed.unwrap();
    let own_box = ann.own.record.box_id();
    let mut forged = ann.signed(OTHER, &ann.other, own_box, 6);
    forged.signature.0[0] ^= 1;
    let wrong = [
        listed(2, None),
        OwnIdentifier { identifier_hash: hash(3), ..listed(3, Some(for_another)) },
        listed(4, Some(ann.signed(DeviceId::from_bytes([9; 16]), &ann.other, own_box, 4))),
        listed(5, Some(ann.signed(OTHER, &ann.other, ben.record.box_id(), 5))),
        listed(6, Some(forged)),
        listed(7, Some(ann.signed(this, &ann.other, own_box, 7))),
    ];
    ann.list.identifiers.extend(wrong);
    assert_eq!(ann.check().await, (2..=7).map(strange).collect::<Vec<_>>());
    assert_eq!(ann.check().await, [], "once");
    assert_eq!(ann.device.client.known_identifiers().await.unwrap(), [ANN]);
    // One that a device vouches for after all is none; one that goes away is no news.
    assert_eq!(ann.hear(&[(PHONE, 2, true, 0)]).await, []);
    ann.list.identifiers.truncate(1);
    let gone = Warning::IdentifierGone { identifier: PHONE.to_owned() };
    assert_eq!(ann.check().await, [gone]);
}

#[tokio::test]
async fn a_removed_device_has_added_what_it_added() {
    let mut ann = Ann::new().await;
    let added = ann.by_other(2);
    let this = &ann.own.device;
    let (box_id, head) = (ann.own.record.box_id(), ann.own.record.head());
    let removal = remove(&this.signing_key, Remover::Device(this.device_id), box_id, head, OTHER, at(0));
    ann.own.record.append(removal.octets()).unwrap();
    assert_eq!(added_by(&ann.own.record, &added), Ok(Some(OTHER)));
    let founded = KeyRecord::verify(&ann.own.record.statements()[..1]).unwrap();
    assert!(added_by(&founded, &added).is_err(), "one that was never there has not");
}

#[tokio::test]
async fn what_goes_is_told_by_whose_word_it_is() {
    let mut ann = Ann::new().await;
    ann.list.identifiers.extend([ann.by_this(2), ann.by_this(3)]);
    ann.check().await;
    ann.hear(&[(PHONE, 2, true, 0), ("mailto:ann@work.example", 3, true, 0)]).await;
    // The other device has taken it away.
    ann.device.clock.advance(Duration::from_secs(10));
    let told = Warning::IdentifierRemoved { identifier: PHONE.to_owned(), device_id: OTHER };
    assert_eq!(ann.hear(&[(PHONE, 2, false, 5)]).await, [told]);
    ann.list.identifiers.remove(1);
    assert_eq!(ann.check().await, []);
    // The server says so alone.
    ann.list.identifiers.pop();
    let gone = Warning::IdentifierGone { identifier: "mailto:ann@work.example".to_owned() };
    assert_eq!(ann.check().await, [gone]);
    assert_eq!(ann.check().await, []);
    // Unless a device says that it did it, before the person was told.
    ann.list.identifiers.push(ann.by_this(4));
    ann.check().await;
    ann.hear(&[("mailto:ann@club.example", 4, true, 0)]).await;
    ann.list.identifiers.pop();
    ann.device.client.check_identifiers(&ann.own, &ann.list).await.unwrap();
    let told = Warning::IdentifierRemoved { identifier: "mailto:ann@club.example".to_owned(), device_id: OTHER };
    assert_eq!(ann.hear(&[("mailto:ann@club.example", 4, false, 6)]).await, [told]);
    // An older word changes nothing; a later one does.
    assert_eq!(ann.hear(&[(PHONE, 2, true, 1)]).await, []);
    assert_eq!(ann.device.client.known_identifiers().await.unwrap(), [ANN]);
    let back = Warning::IdentifierAdded { identifier: PHONE.to_owned(), device_id: OTHER };
    assert_eq!(ann.hear(&[(PHONE, 2, true, 7)]).await, [back]);
}

#[tokio::test]
async fn the_account_is_called_by_what_it_has() {
    let mut ann = Ann::new().await;
    ann.list.identifiers = vec![ann.by_this(2)];
    ann.check().await;
    // As long as none is known in the clear, the name that it had is kept.
    assert_eq!(ann.device.client.account().await.unwrap().identifier, ANN);
    // A device that is linked is not told the name, which is somebody else's now.
    assert_eq!(ann.device.client.called().await.unwrap(), Vec::<String>::new());
    ann.hear(&[(PHONE, 2, true, 0)]).await;
    let account = ann.device.client.account().await.unwrap();
    assert_eq!((account.identifier.as_str(), account.identifiers.as_slice()), (PHONE, [PHONE.to_owned()].as_slice()));
    assert_eq!(ann.device.client.called().await.unwrap(), [PHONE]);
}

#[tokio::test]
async fn a_claim_is_told_at_each_sync() {
    let mut ann = Ann::new().await;
    let claim = ClaimOnIdentifier {
        claim_id: RegistrationId::from_bytes([9; 16]),
        claimed_at: at(0),
        effective_at: at(600),
        recovery_objections_left: 3,
    };
    ann.list.identifiers[0].claim = Some(claim);
    for _ in 0..2 {
        let told = ann.check().await;
        assert_eq!(told, [Warning::IdentifierClaimed { identifier: ANN.to_owned(), effective_at: at(600) }]);
        assert!(told[0].to_string().contains("rossby identifiers object ann@example.org"), "{}", told[0]);
    }
    ann.list.identifiers[0].claim = None;
    assert_eq!(ann.check().await, []);
}

#[tokio::test]
async fn what_this_account_claims_becomes_its_own_or_does_not() {
    let mut ann = Ann::new().await;
    let claimed = |number: u8, identifier: &str| KnownIdentifier {
        hash: hash(number),
        identifier: Some(identifier.to_owned()),
        standing: IdentifierStanding::Claimed,
        changed_at: at(0),
    };
    let texts = [PHONE, "mailto:ann@work.example", "mailto:ann@home.example"];
    let mut transaction = ann.device.client.store.begin().await.unwrap();
    for (number, text) in (2..).zip(texts) {
        identifiers::put(&mut transaction, &ann.device.client.vault, &claimed(number, text)).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let claim = |number: u8, state| OwnClaim {
        claim_id: RegistrationId::from_bytes([number; 16]),
        identifier_hash: hash(number),
        effective_at: at(600),
        state,
    };
    ann.list.claims = vec![claim(2, ClaimState::Open), claim(3, ClaimState::Open), claim(4, ClaimState::Open)];
    assert_eq!(ann.check().await, []);
    ann.list.claims =
        vec![claim(2, ClaimState::Effective), claim(3, ClaimState::Objected), claim(4, ClaimState::Replaced)];
    ann.list.identifiers.push(ann.by_this(2));
    let ended =
        |identifier: &str, was_objected| Warning::ClaimEnded { identifier: identifier.to_owned(), was_objected };
    assert_eq!(ann.check().await, [ended(texts[1], true), ended(texts[2], false)]);
    assert_eq!(ann.check().await, []);
    assert_eq!(ann.device.client.known_identifiers().await.unwrap(), [ANN, PHONE]);
}

#[test]
fn a_person_means_one_of_them() {
    let known = |number: u8, identifier: Option<&str>, standing| KnownIdentifier {
        hash: hash(number),
        identifier: identifier.map(str::to_owned),
        standing,
        changed_at: at(0),
    };
    let all = [
        known(0x11, Some(ANN), IdentifierStanding::Own),
        known(0x12, None, IdentifierStanding::Strange),
        known(0x13, Some(PHONE), IdentifierStanding::Gone),
    ];
    let meant = |text: &str| text.parse::<IdentifierRef>().unwrap().find(&all).map(|known| known.hash);
    assert_eq!(meant("Ann@Example.org").unwrap(), hash(0x11));
    assert_eq!(meant("12121212").unwrap(), hash(0x12));
    assert!(matches!(meant("+15551234567"), Err(ClientError::Identifier(IdentifierError::NoSuch(_)))));
    assert!(matches!(meant("13131313"), Err(ClientError::Identifier(IdentifierError::NoSuch(_)))));
    for bad in ["", "1212121", "xyzxyzxy", "ann"] {
        assert!(bad.parse::<IdentifierRef>().is_err(), "{bad}");
    }
}
