//! Messages: what comes with them, what is kept, and keys that don't agree.

use rossby_crypto::key_record::{KeyRecord, KeyRecordError};
use rossby_crypto::layout::{LayoutError, Writer};
use rossby_crypto::message::{
    ContentError, MAX_RECIPIENT_DEVICES, MessageContent, MessageValue, OpenError, RecipientDevice, SealError,
    SealedMessage, SignedContent, Wrap, open, seal,
};
use rossby_crypto::sealing::{self, SealedFor};
use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::ids::{MessageId, OuterId};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::world::{DAY, Device, Given, device, founded_by, sealing_statement, time, with, without};

const OUTER_ID: OuterId = OuterId(Uuid::from_u128(7));

fn content(sender: &Device, record: &KeyRecord, to: &KeyRecord) -> MessageContent {
    MessageContent {
        sender: record.box_id(),
        sender_device: sender.id,
        sender_head: record.head(),
        recipient: to.box_id(),
        recipient_head: to.head(),
        conversation: Uuid::from_u128(1),
        message_id: MessageId::from_bytes([2; 16]),
        sequence: 1,
        previous: None,
        time: time(5),
        kind: 1,
        body: b"hello".as_slice().into(),
        statements: Vec::new(),
    }
}

fn randomness() -> Given {
    Given((0..32 + 64 * 4).map(|n| u8::try_from(n % 251).unwrap()).collect())
}

fn opened(value: &Octets, to: &KeyRecord, by: &Device) -> Result<SignedContent, OpenError> {
    let value = MessageValue::parse(value)?;
    let wrap = value.wrap(by.id).unwrap();
    let sealed = SealedMessage {
        recipient: to.box_id(),
        device_id: by.id,
        recipient_head: value.recipient_head,
        outer_id: OUTER_ID,
        content: &value.content,
        sealing_counter: wrap.sealing_counter,
        enc: &wrap.enc,
        wrapped_key: &Octets::from(wrap.wrapped_key.as_slice()),
    };
    open(&sealed, &by.sealing_key)
}

#[test]
fn a_message_is_sealed_to_the_devices_of_a_record() {
    let [a, b, c] = [1, 2, 3].map(device);
    let ann = founded_by(&a);
    let ben = with(&founded_by(&b), &b, &c);
    let statements: Vec<_> =
        [&c, &b].map(|device| ben.verify_sealing(&sealing_statement(&ben, device, 3), None).unwrap()).into();
    let sealable = ben.sealable(&statements, None, time(5));
    let devices: Vec<_> = sealable.devices.iter().map(|statement| RecipientDevice::from(*statement)).collect();
    let signed = content(&a, &ann, &ben).sign(&a.key).unwrap();
    let value = seal(&mut randomness(), &signed, OUTER_ID, time(DAY), &devices).unwrap();
    for device in [&b, &c] {
        let read = opened(&value, &ben, device).unwrap();
        assert_eq!(read.verify(&ann), Ok(()));
        assert_eq!(read, signed);
    }
}

#[test]
fn devices_are_between_one_and_the_limit_and_each_once() {
    let [a, b] = [1, 2].map(device);
    let (ann, ben) = (founded_by(&a), founded_by(&b));
    let signed = content(&a, &ann, &ben).sign(&a.key).unwrap();
    let key = b.sealing_key.public_key();
    let one = RecipientDevice { device_id: b.id, sealing_counter: 1, key: &key };
    for devices in [vec![], vec![one.clone(); 2], vec![one.clone(); MAX_RECIPIENT_DEVICES + 1]] {
        let refused = seal(&mut randomness(), &signed, OUTER_ID, time(DAY), &devices);
        assert_eq!(refused, Err(SealError::Devices));
    }
}

#[test]
fn a_message_brings_what_the_recipient_lacks_of_the_senders_record() {
    let [a, b, c] = [1, 2, 3].map(device);
    let founded = founded_by(&a);
    let ann = with(&founded, &a, &c);
    let ben = founded_by(&b);
    let signed = |statements: &[Octets]| {
        let content = MessageContent { statements: statements.to_vec(), ..content(&c, &ann, &ben) };
        content.sign(&c.key).unwrap()
    };
    let whole = signed(ann.statements());
    assert_eq!(whole.verify(&founded), Err(ContentError::HeadAhead));
    for known in [None, Some(&founded), Some(&ann)] {
        let record = whole.sender_record(known).unwrap();
        assert_eq!((whole.verify(&record), &record), (Ok(()), &ann));
    }
    let rest = signed(&ann.statements()[1..]);
    assert_eq!(rest.sender_record(Some(&founded)), Ok(ann.clone()));
    assert_eq!(rest.sender_record(None), Err(KeyRecordError::NotFoundedFirst));
    let foreign = signed(ben.statements());
    assert_eq!(foreign.sender_record(None), Err(KeyRecordError::OtherBox { found: ben.box_id() }));
    assert_eq!(whole.sender_record(Some(&ben)), Err(KeyRecordError::OtherBox { found: ben.box_id() }));
    let forked = with(&founded, &a, &b);
    assert_eq!(whole.sender_record(Some(&forked)), Err(KeyRecordError::Fork { version: 2 }));
    // The forked record never had the device. One that it has, and whose signature is good, shows the fork; without a
    // signature anybody could.
    assert_eq!(whole.verify(&forked), Err(ContentError::UnknownDevice));
    let shown = content(&a, &ann, &ben);
    assert_eq!(shown.clone().sign(&a.key).unwrap().verify(&forked), Err(ContentError::Fork));
    assert_eq!(shown.sign(&b.key).unwrap().verify(&forked), Err(ContentError::BadSignature));
}

#[test]
fn a_sender_belongs_to_the_box_at_the_head_that_it_states() {
    let [a, b, c] = [1, 2, 3].map(device);
    let founded = founded_by(&a);
    let grown = with(&founded, &a, &c);
    let shrunk = without(&grown, &a, &c);
    let ben = founded_by(&b);
    let at = |record: &KeyRecord| content(&c, record, &ben).sign(&c.key).unwrap().verify(&shrunk);
    assert_eq!(at(&founded), Err(ContentError::NotAMember));
    assert_eq!(at(&grown), Ok(()), "what it wrote before it was removed is its own");
    assert_eq!(at(&shrunk), Err(ContentError::NotAMember));
    let stranger = content(&b, &founded, &ben).sign(&b.key).unwrap();
    assert_eq!(stranger.verify(&founded), Err(ContentError::UnknownDevice));
}

#[test]
fn an_unknown_kind_is_kept_as_it_came() {
    let [a, b] = [1, 2].map(device);
    let (ann, ben) = (founded_by(&a), founded_by(&b));
    let content = MessageContent { kind: u32::MAX, body: vec![0xff; 9].into(), ..content(&a, &ann, &ben) };
    let key = b.sealing_key.public_key();
    let to = RecipientDevice { device_id: b.id, sealing_counter: 1, key: &key };
    let signed = content.clone().sign(&a.key).unwrap();
    let value = seal(&mut randomness(), &signed, OUTER_ID, time(DAY), &[to]).unwrap();
    assert_eq!(opened(&value, &ben, &b).unwrap().content(), &content);
}

#[test]
fn messages_of_a_device_make_a_chain_that_is_the_same_for_all() {
    let [a, b, c] = [1, 2, 3].map(device);
    let (ann, ben, cai) = (founded_by(&a), founded_by(&b), founded_by(&c));
    let first = |to| content(&a, &ann, to).sign(&a.key).unwrap();
    let link = first(&ben).link_hash();
    assert_eq!(link, first(&cai).link_hash());
    let second = MessageContent { sequence: 2, previous: Some(link), ..content(&a, &ann, &ben) };
    assert_ne!(second.clone().sign(&a.key).unwrap().link_hash(), link);
    for (sequence, previous) in [(0, None), (1, Some(link)), (2, None)] {
        let broken = MessageContent { sequence, previous, ..second.clone() };
        assert_eq!(broken.sign(&a.key).err(), Some(LayoutError::Field("sequence")));
    }
    let other = MessageContent { body: b"other".as_slice().into(), ..content(&a, &ann, &ben) };
    assert_ne!(other.sign(&a.key).unwrap().link_hash(), link);
}

/// A hostile sender gives two devices of a box different keys for one ciphertext, so that each reads something else. Without
/// the commitment a ciphertext can be made that opens under both; with it, one of them refuses.
#[test]
fn two_devices_never_read_different_texts() {
    let [a, b, c] = [1, 2, 3].map(device);
    let ann = founded_by(&a);
    let ben = with(&founded_by(&b), &b, &c);
    let signed = content(&a, &ann, &ben).sign(&a.key).unwrap();
    let key = b.sealing_key.public_key();
    let honest = RecipientDevice { device_id: b.id, sealing_counter: 1, key: &key };
    let value = seal(&mut randomness(), &signed, OUTER_ID, time(DAY), &[honest]).unwrap();
    let mut value = MessageValue::parse(&value).unwrap();

    let other_key = [0x99; 32];
    let mut aad = Writer::new();
    aad.fixed(ben.box_id().as_bytes())
        .fixed(c.id.as_bytes())
        .u64(1)
        .head(ben.head())
        .fixed(OUTER_ID.as_bytes())
        .fixed(&Sha256::digest(value.content.as_slice()));
    let key = c.sealing_key.public_key();
    let (enc, wrapped) = sealing::seal(&mut randomness(), SealedFor::Wrap, &key, &aad.finish(), &other_key).unwrap();
    let wrapped_key = FixedOctets::try_from(wrapped.as_slice()).unwrap();
    value.wraps.push(Wrap { device_id: c.id, sealing_counter: 1, enc, wrapped_key });
    let value = value.to_octets();
    assert!(opened(&value, &ben, &b).is_ok());
    assert_eq!(opened(&value, &ben, &c), Err(OpenError::BadCommitment));
}
