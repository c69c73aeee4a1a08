//! Linking: messages are read by the other device as they were sealed, and by nobody else.

use proptest::prelude::*;
use rossby_crypto::linking::{
    Acceptance, Completion, Invitation, LINK_SECRET_CHARACTERS, LinkMessage, LinkMessageError, LinkRefusal, LinkSecret,
    LinkSide, MAX_DEVICE_NAME, Offer,
};
use rossby_schemas::encoding::Octets;

use crate::world::{Given, device, flipped, founded_by, time};

fn rng() -> Given {
    Given(vec![0x24; 24])
}

fn messages() -> Vec<LinkMessage> {
    let (new, record) = (device(2), founded_by(&device(1)));
    let (box_id, head) = (record.box_id(), record.head());
    vec![
        LinkMessage::Offer(Offer {
            device_id: new.id,
            signing_key: new.key.verification_key(),
            name: "Ann's phone".to_owned(),
            time: time(7),
        }),
        LinkMessage::Invitation(Invitation { box_id, founding_hash: record.founded().hash(), head }),
        LinkMessage::Acceptance(Acceptance {
            head,
            countersignature: [0x5a; 64].into(),
            sealing_statement: Octets::from(vec![1; 1400]),
        }),
        LinkMessage::Completion(Completion {
            box_id,
            founding_hash: record.founded().hash(),
            head,
            identifiers: vec!["mailto:ann@example.org".to_owned(), "tel:+15551234567".to_owned()],
        }),
        LinkMessage::Refusal(LinkRefusal::Seen),
        LinkMessage::Withdrawal,
    ]
}

#[test]
fn messages_open_for_their_own_side_of_their_own_secret() {
    let (secret, other) = (LinkSecret::from_bytes(&[7; 16]), LinkSecret::from_bytes(&[8; 16]));
    for message in messages() {
        let sealed = secret.seal(&mut rng(), &message).unwrap();
        let side = message.side();
        assert_eq!(secret.open(side, &sealed), Ok(message));
        let wrong_side = if side == LinkSide::New { LinkSide::Old } else { LinkSide::New };
        assert_eq!(secret.open(wrong_side, &sealed), Err(LinkMessageError::DoesNotOpen));
        assert_eq!(other.open(side, &sealed), Err(LinkMessageError::DoesNotOpen));
    }
}

#[test]
fn nothing_that_was_changed_opens() {
    let secret = LinkSecret::from_bytes(&[7; 16]);
    for message in messages() {
        let sealed = secret.seal(&mut rng(), &message).unwrap();
        for index in 0..sealed.as_slice().len() {
            assert!(secret.open(message.side(), &flipped(sealed.as_slice(), index, 3)).is_err(), "{index}");
            let shorter = Octets::from(&sealed.as_slice()[..index]);
            assert!(secret.open(message.side(), &shorter).is_err(), "{index}");
        }
        let longer = Octets::from([sealed.as_slice(), &[0]].concat());
        assert!(secret.open(message.side(), &longer).is_err());
    }
    assert_eq!(secret.open(LinkSide::New, &Octets::default()), Err(LinkMessageError::DoesNotOpen));
}

#[test]
fn what_is_too_long_is_not_sealed() {
    let secret = LinkSecret::from_bytes(&[7; 16]);
    let named = |name: String| {
        let LinkMessage::Offer(offer) = messages().remove(0) else { unreachable!() };
        secret.seal(&mut rng(), &LinkMessage::Offer(Offer { name, ..offer })).is_ok()
    };
    assert!(named("x".repeat(MAX_DEVICE_NAME)));
    assert!(!named("x".repeat(MAX_DEVICE_NAME + 1)));
    let LinkMessage::Completion(completion) = messages().remove(3) else { unreachable!() };
    let identifiers = vec![String::new(); 17];
    assert!(secret.seal(&mut rng(), &LinkMessage::Completion(Completion { identifiers, ..completion })).is_err());
}

#[test]
fn a_secret_is_typed_as_people_type() {
    let secret = LinkSecret::generate(&mut Given((0..16).collect()));
    let text = secret.text();
    assert_eq!(text.as_str(), "AAAQE-AYEAU-DAOCA-JBIFQ-YDIOB4");
    for typed in [text.to_lowercase(), text.replace('-', ""), text.replace('-', " "), format!(" {}\n", *text)] {
        assert_eq!(typed.parse::<LinkSecret>().unwrap().as_bytes(), secret.as_bytes(), "{typed}");
    }
    for bad in ["", "AAAQE", "AAAQE-AYEAU-DAOCA-JBIFQ-YDIOB5", "AAAQE-AYEAU-DAOCA-JBIFQ-YDIOB4A", "0189"] {
        assert!(bad.parse::<LinkSecret>().is_err(), "{bad}");
    }
    assert_eq!(format!("{secret:?}"), "LinkSecret(secret)");
    assert_eq!(text.chars().filter(|c| *c != '-').count(), LINK_SECRET_CHARACTERS);
}

proptest! {
    #[test]
    fn every_secret_is_read_back_and_has_a_rendezvous_of_its_own(one in any::<[u8; 16]>(), other in any::<[u8; 16]>()) {
        let secret = LinkSecret::from_bytes(&one);
        let read: LinkSecret = secret.text().parse().unwrap();
        prop_assert_eq!(read.as_bytes(), &one);
        let is_same = secret.rendezvous() == LinkSecret::from_bytes(&other).rendezvous();
        prop_assert_eq!(is_same, one == other);
    }
}
