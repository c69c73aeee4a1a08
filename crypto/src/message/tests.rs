use rossby_schemas::ids::{MessageId, RegionNumber};
use uuid::Uuid;

use super::*;
use crate::key_record::KeyRecord;
use crate::signing::SigningKey;
use crate::statements::found;

/// A generator whose every octet comes from its seed, so that a failing test fails again.
struct Seeded(u64);

impl rand_core::TryRng for Seeded {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(z ^ (z >> 31))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in octets.chunks_mut(8) {
            let number = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Seeded {}

fn time(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

/// A person with one device.
struct Person {
    key: SigningKey,
    sealing_key: SealingSecretKey,
    device_id: DeviceId,
    record: KeyRecord,
}

impl Person {
    fn new(seed: u8) -> Self {
        let key = SigningKey::from_seed(&[seed; 32]);
        let device_id = DeviceId::from_bytes([seed; 16]);
        let founded = found(&key, device_id, RegionNumber(1), [seed; 32], None, time(1));
        let record = KeyRecord::verify(std::slice::from_ref(founded.octets())).unwrap();
        let sealing_key = SealingSecretKey::generate(&mut Seeded(u64::from(seed)));
        Self { key, sealing_key, device_id, record }
    }

    fn content(&self, to: &Self, body: &[u8]) -> MessageContent {
        MessageContent {
            sender: self.record.box_id(),
            sender_device: self.device_id,
            sender_head: self.record.head(),
            recipient: to.record.box_id(),
            recipient_head: to.record.head(),
            conversation: Uuid::from_u128(5),
            message_id: MessageId::from_bytes([6; 16]),
            sequence: 1,
            previous: None,
            time: time(2),
            kind: 1,
            body: body.into(),
            statements: self.record.statements().to_vec(),
        }
    }
}

fn sealed(content: &SignedContent, to: &Person) -> Octets {
    let key = to.sealing_key.public_key();
    let device = RecipientDevice { device_id: to.device_id, sealing_counter: 1, key: &key };
    seal(&mut Seeded(99), content, OuterId::from_bytes([7; 16]), time(1000), &[device]).unwrap()
}

fn opened(value: &Octets, by: &Person) -> Result<SignedContent, OpenError> {
    let value = MessageValue::parse(value)?;
    let wrap = value.wrap(by.device_id).ok_or(OpenError::NotSealedToThisKey)?;
    let message = SealedMessage {
        recipient: by.record.box_id(),
        device_id: by.device_id,
        recipient_head: value.recipient_head,
        outer_id: OuterId::from_bytes([7; 16]),
        content: &value.content,
        sealing_counter: wrap.sealing_counter,
        enc: &wrap.enc,
        wrapped_key: &Octets::from(wrap.wrapped_key.as_slice()),
    };
    open(&message, &by.sealing_key)
}

#[test]
fn a_message_opens_for_its_recipient_and_says_who_wrote_it() {
    let (ann, ben, eve) = (Person::new(1), Person::new(2), Person::new(3));
    let content = ann.content(&ben, b"hello").sign(&ann.key).unwrap();
    let value = sealed(&content, &ben);
    let read = opened(&value, &ben).unwrap();
    assert_eq!(read, content);
    assert_eq!(read.verify(&ann.record), Ok(()));
    assert_eq!(read.verify(&eve.record), Err(ContentError::OtherRecord));
    assert_eq!(opened(&value, &eve), Err(OpenError::NotSealedToThisKey));
    assert!(!format!("{read:?}").contains("hello"));
}

#[test]
fn a_message_that_another_signed_is_not_the_senders() {
    let (ann, ben, eve) = (Person::new(1), Person::new(2), Person::new(3));
    let forged = ann.content(&ben, b"hello").sign(&eve.key).unwrap();
    let read = opened(&sealed(&forged, &ben), &ben).unwrap();
    assert_eq!(read.verify(&ann.record), Err(ContentError::BadSignature));
}

#[test]
fn a_message_passed_on_to_another_box_is_refused() {
    let (ann, ben, eve) = (Person::new(1), Person::new(2), Person::new(3));
    // Ben seals what Ann wrote to him for Eve, as if Ann had written to her.
    let content = ann.content(&ben, b"hello").sign(&ann.key).unwrap();
    let padded = content.padded().unwrap();
    let outer_id = OuterId::from_bytes([7; 16]);
    let (eve_box, head) = (eve.record.box_id(), eve.record.head());
    let ciphertext = encrypt(&[9; 32], eve_box, outer_id, &padded).unwrap();
    let aad = wrap_aad(eve_box, eve.device_id, 1, head, outer_id, &ciphertext);
    let key = eve.sealing_key.public_key();
    let (enc, wrapped) = sealing::seal(&mut Seeded(1), SealedFor::Wrap, &key, &aad, &[9; 32]).unwrap();
    let wrap = Wrap {
        device_id: eve.device_id,
        sealing_counter: 1,
        enc,
        wrapped_key: FixedOctets::try_from(wrapped.as_slice()).unwrap(),
    };
    let value =
        MessageValue { recipient_head: head, expires_at: time(1), content: ciphertext.into(), wraps: vec![wrap] };
    assert_eq!(opened(&value.to_octets(), &eve), Err(OpenError::OtherRecipient));
}

#[test]
fn a_changed_value_does_not_open() {
    let (ann, ben) = (Person::new(1), Person::new(2));
    let content = ann.content(&ben, b"hello").sign(&ann.key).unwrap();
    let value = sealed(&content, &ben);
    let expires_at = 1 + 36..1 + 36 + 8;
    for i in 0..value.as_slice().len() {
        let mut changed = value.as_slice().to_vec();
        changed[i] ^= 1;
        // When it expires is the server's business; the recipient does not rely on it.
        if !expires_at.contains(&i) {
            assert!(opened(&changed.into(), &ben).is_err(), "{i}");
        }
    }
}

#[test]
fn one_ciphertext_has_one_key() {
    let (ann, ben) = (Person::new(1), Person::new(2));
    let padded = ann.content(&ben, b"one").sign(&ann.key).unwrap().padded().unwrap();
    let (recipient, outer_id) = (ben.record.box_id(), OuterId::from_bytes([7; 16]));
    let ciphertext = encrypt(&[1; 32], recipient, outer_id, &padded).unwrap();
    assert!(decrypt(&[1; 32], recipient, outer_id, &ciphertext).is_ok());
    assert_eq!(decrypt(&[2; 32], recipient, outer_id, &ciphertext), Err(OpenError::BadCommitment));
}

#[test]
fn sizes_show_little() {
    let (ann, ben) = (Person::new(1), Person::new(2));
    let length = |octets: usize| {
        let content = ann.content(&ben, &vec![b'a'; octets]).sign(&ann.key).unwrap();
        MessageValue::parse(&sealed(&content, &ben)).unwrap().content.as_slice().len()
    };
    assert_eq!(length(0), length(40));
    assert_eq!(length(0) - COMMITMENT_OCTETS - 16, MIN_PADDED_OCTETS);
    assert_eq!(length(MAX_BODY_OCTETS) - COMMITMENT_OCTETS - 16, MAX_PADDED_OCTETS);
    let too_long = ann.content(&ben, &vec![0; MAX_BODY_OCTETS + 1]).sign(&ann.key);
    assert_eq!(too_long.err(), Some(LayoutError::TooLong { limit: MAX_BODY_OCTETS }));
}

#[test]
fn the_layout_has_one_way() {
    let (ann, ben) = (Person::new(1), Person::new(2));
    let value = sealed(&ann.content(&ben, b"x").sign(&ann.key).unwrap(), &ben);
    let parsed = MessageValue::parse(&value).unwrap();
    assert_eq!(parsed.to_octets(), value);
    assert_eq!(parsed.devices().collect::<Vec<_>>(), [ben.device_id]);
    for length in 0..value.as_slice().len() {
        assert!(MessageValue::parse(&value.as_slice()[..length].into()).is_err(), "{length}");
    }
    let twice = MessageValue { wraps: vec![parsed.wraps[0].clone(), parsed.wraps[0].clone()], ..parsed.clone() };
    assert_eq!(MessageValue::parse(&twice.to_octets()).err(), Some(LayoutError::Field("wraps")));
    let none = MessageValue { wraps: Vec::new(), ..parsed.clone() };
    assert_eq!(MessageValue::parse(&none.to_octets()).err(), Some(LayoutError::Field("wraps")));
    let odd = MessageValue { content: vec![0; 32 + 16 + 513].into(), ..parsed };
    assert_eq!(MessageValue::parse(&odd.to_octets()).err(), Some(LayoutError::Field("content")));
}
