//! Bodies are read as they were written, and in no other way.

use proptest::prelude::*;
use rossby_crypto::attachment::{AttachmentKey, MAX_FILE_OCTETS};
use rossby_crypto::profile::ProfileKey;
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::ids::{BoxId, MessageId};
use serde_json::{Value, json};

use super::*;

fn message_id(octet: u8) -> MessageId {
    MessageId::from_bytes([octet; 16])
}

fn to(octet: u8) -> MessageRef {
    MessageRef { box_id: BoxId::from_bytes([octet; 16]), message_id: message_id(octet) }
}

fn contents() -> impl Strategy<Value = Content> {
    let text = "[^\\x00]{1,200}";
    prop_oneof![
        text.prop_map(Content::Text),
        (any::<u8>(), text).prop_map(|(octet, text)| Content::Reply(Reply { to: to(octet), text })),
        (any::<u8>(), text).prop_map(|(octet, text)| Content::Edit(Edit { message_id: message_id(octet), text })),
        any::<u8>().prop_map(|octet| Content::Deletion(Deletion { message_id: message_id(octet) })),
        (any::<u8>(), "[👍❤🎉]{1,4}", any::<bool>()).prop_map(|(octet, emoji, removed)| Content::Reaction(Reaction {
            to: to(octet),
            emoji,
            removed
        })),
        places().prop_map(Content::Location),
        attachments().prop_map(|attachment| Content::Attachment(Box::new(attachment))),
        (any::<bool>(), proptest::collection::vec(any::<u8>(), 1..=MAX_RECEIPTED)).prop_map(|(is_read, octets)| {
            let state = if is_read { ReceiptState::Read } else { ReceiptState::Delivered };
            Content::Receipt(Receipt { state, message_ids: octets.into_iter().map(message_id).collect(), group: None })
        }),
        (any::<[u8; 32]>(), 1..=u32::MAX).prop_map(|(key, version)| Content::ProfileKey(SharedProfileKey::of(
            &ProfileKey::from_bytes(version, &key)
        ))),
    ]
}

fn attachments() -> impl Strategy<Value = Attachment> {
    let caption = proptest::option::of("[^\\x00]{1,200}");
    let preview = proptest::option::of((1..=MAX_PREVIEW_SIDE, proptest::collection::vec(any::<u8>(), 1..200)));
    ("[^\\x00]{1,60}", 0..=MAX_FILE_OCTETS, any::<[u8; 32]>(), caption, preview).prop_map(
        |(name, size, key, caption, preview)| Attachment {
            role: if preview.is_some() { Role::Picture } else { Role::Voice },
            name,
            media_type: "image/jpeg".to_owned(),
            size,
            blob_id: FixedOctets([key[0]; 34]),
            key: SecretKey(AttachmentKey::from_bytes(key)),
            digest: FixedOctets(key),
            expires_at: "2026-11-24T09:00:00Z".parse().unwrap(),
            caption,
            duration_ms: if preview.is_some() { None } else { Some(75_000) },
            preview: preview.map(|(side, data)| Preview {
                media_type: PREVIEW_TYPE.to_owned(),
                width: side,
                height: side,
                data: data.into(),
            }),
        },
    )
}

/// Places to seven digits, which is a centimetre: a sender may write more, and readers differ in what
/// they make of it.
fn places() -> impl Strategy<Value = Location> {
    let degrees = |limit: i32| (-limit * 10_000_000..=limit * 10_000_000).prop_map(|n| f64::from(n) / 1e7);
    let metres = proptest::option::of((0..1_000_000).prop_map(|n| f64::from(n) / 10.0));
    let label = proptest::option::of("[a-z]{1,40}");
    (degrees(90), degrees(180), metres, label).prop_map(|(latitude, longitude, accuracy_m, label)| Location {
        latitude,
        longitude,
        accuracy_m,
        label,
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(content in contents()) {
        let body = content.encode().unwrap();
        prop_assert_eq!(Content::decode(content.kind(), &body).unwrap(), Some(content));
    }

    /// Whatever comes is read or refused; what is read could have been written.
    #[test]
    fn nothing_else_is_more_than_refused(kind in 0_u32..10, octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let body = octets.into();
        if let Ok(Some(content)) = Content::decode(Kind::of(kind), &body) {
            prop_assert_eq!(content.kind(), Kind::of(kind));
        }
    }
}

fn refused(kind: Kind, body: &Value) -> String {
    Content::decode(kind, &body.to_string().into_bytes().into()).unwrap_err().to_string()
}

#[test]
fn the_kinds_have_their_numbers() {
    for number in 0..3000 {
        assert_eq!(Kind::of(number).number(), number);
    }
    let body = |content: Content| (content.kind().number(), content.encode().unwrap().as_slice().to_vec());
    let id = "01010101-0101-0101-0101-010101010101";
    let reference = json!({ "box_id": id, "message_id": id });
    let written: Vec<(u32, Vec<u8>)> = vec![
        body(Content::Reply(Reply { to: to(1), text: "yes".to_owned() })),
        body(Content::Edit(Edit { message_id: message_id(1), text: "no".to_owned() })),
        body(Content::Deletion(Deletion { message_id: message_id(1) })),
        body(Content::Reaction(Reaction { to: to(1), emoji: "👍".to_owned(), removed: false })),
        body(Content::Location("1.5,-2".parse().unwrap())),
        body(Content::Receipt(Receipt { state: ReceiptState::Read, message_ids: vec![message_id(1)], group: None })),
        body(Content::ProfileKey(SharedProfileKey::of(&ProfileKey::from_bytes(3, &[0; 32])))),
    ];
    let expected = [
        (2, json!({ "to": reference, "text": "yes" })),
        (3, json!({ "message_id": id, "text": "no" })),
        (4, json!({ "message_id": id })),
        (5, json!({ "to": reference, "emoji": "👍", "removed": false })),
        (7, json!({ "latitude": 1.5, "longitude": -2.0 })),
        (8, json!({ "state": "read", "message_ids": [id] })),
        (9, json!({ "key": "A".repeat(43), "version": 3 })),
    ];
    for ((kind, body), (number, object)) in written.into_iter().zip(expected) {
        assert_eq!((kind, serde_json::from_slice::<Value>(&body).unwrap()), (number, object));
    }
    assert_eq!(Content::decode(Kind::Unknown(77), &b"anything".as_slice().into()), Ok(None));
}

#[test]
fn fields_that_are_not_known_are_passed_over() {
    let id = "01010101-0101-0101-0101-010101010101";
    let body = json!({ "message_id": id, "text": "no", "from_the_future": [1, 2] });
    let read = Content::decode(Kind::Edit, &body.to_string().into_bytes().into()).unwrap();
    assert_eq!(read, Some(Content::Edit(Edit { message_id: message_id(1), text: "no".to_owned() })));
}

#[test]
fn what_is_out_of_its_limits_is_refused_by_both_sides() {
    let id = "01010101-0101-0101-0101-010101010101";
    let reference = json!({ "box_id": id, "message_id": id });
    let long = "x".repeat(MAX_TEXT_OCTETS + 1);
    for (kind, body, reason) in [
        (Kind::Reply, json!({ "to": reference, "text": long }), "text has 65537 octets"),
        (Kind::Reply, json!({ "to": reference, "text": "" }), "text is empty"),
        (Kind::Reply, json!({ "text": "x" }), "missing field `to`"),
        (Kind::Reply, json!({ "to": { "message_id": id }, "text": "x" }), "missing field `box_id`"),
        (Kind::Edit, json!({ "message_id": id, "text": long }), "text has 65537 octets"),
        (Kind::Edit, json!({ "message_id": "x", "text": "x" }), "UUID"),
        (Kind::Edit, json!({ "message_id": id, "text": 7 }), "invalid type"),
        (Kind::Deletion, json!({}), "missing field `message_id`"),
        (Kind::Deletion, json!([]), "invalid"),
        (Kind::Deletion, json!("x"), "invalid type"),
        (Kind::Reaction, json!({ "to": reference, "emoji": "" }), "emoji is empty"),
        (Kind::Reaction, json!({ "to": reference, "emoji": "x".repeat(65) }), "emoji has 65 octets"),
        (Kind::Reaction, json!({ "to": reference, "emoji": "a b" }), "blanks"),
        (Kind::Reaction, json!({ "to": reference, "emoji": "\u{1b}[2J" }), "control"),
        (Kind::Reaction, json!({ "to": reference, "emoji": "x", "removed": 1 }), "invalid type"),
        (Kind::Location, json!({ "latitude": 90.1, "longitude": 0 }), "latitude is not within 90"),
        (Kind::Location, json!({ "latitude": 0, "longitude": -180.5 }), "longitude is not within 180"),
        (Kind::Location, json!({ "latitude": "0", "longitude": 0 }), "invalid type"),
        (Kind::Location, json!({ "latitude": 0, "longitude": 0, "accuracy_m": -1 }), "accuracy_m"),
        (Kind::Location, json!({ "latitude": 0, "longitude": 0, "label": "x".repeat(257) }), "label has 257"),
        (Kind::Location, json!({ "latitude": 0, "longitude": 0, "label": "" }), "label is empty"),
        (Kind::Receipt, json!({ "state": "read", "message_ids": [] }), "message_ids is empty"),
        (Kind::Receipt, json!({ "state": "read", "message_ids": vec![id; 201] }), "message_ids has 201 entries"),
        (Kind::Receipt, json!({ "state": "lost", "message_ids": [id] }), "unknown variant"),
        (Kind::ProfileKey, json!({ "key": "A".repeat(43), "version": 0 }), "version is counted from 1"),
        (Kind::ProfileKey, json!({ "key": "A".repeat(43), "version": 1u64 << 32 }), "invalid value"),
        (Kind::ProfileKey, json!({ "key": "A".repeat(42), "version": 1 }), "has 31 octets"),
        (Kind::ProfileKey, json!({ "version": 1 }), "missing field `key`"),
    ] {
        let said = refused(kind, &body);
        assert!(said.contains(reason), "{body}: {said}");
    }
    assert_eq!(Content::decode(Kind::Text, &[0xff].as_slice().into()), Err(ContentError::NotUtf8));
    for json in [r#"{"latitude":1e999,"longitude":0}"#, r#"{"latitude":NaN,"longitude":0}"#, "{", "", "null"] {
        let body = json.as_bytes().into();
        assert!(matches!(Content::decode(Kind::Location, &body), Err(ContentError::NotTheObject(_))), "{json}");
    }
    let nowhere = Location { latitude: f64::NAN, longitude: 0.0, accuracy_m: None, label: None };
    for content in [
        Content::Text(String::new()),
        Content::Text(long.clone()),
        Content::Edit(Edit { message_id: message_id(1), text: long }),
        Content::Reaction(Reaction { to: to(1), emoji: String::new(), removed: false }),
        Content::Location(nowhere),
    ] {
        assert!(content.encode().is_err(), "{:?}", content.kind());
    }
}

#[test]
fn an_attachment_has_its_fields_and_bounds() {
    let good = json!({
        "role": "picture", "name": "holiday.jpg", "media_type": "image/jpeg", "size": 123_456,
        "blob_id": FixedOctets([1; 34]).to_string(), "key": FixedOctets([2; 32]).to_string(),
        "digest": FixedOctets([3; 32]).to_string(), "expires_at": "2026-11-24T09:00:00.000Z",
        "caption": "the sea",
        "preview": { "media_type": "image/jpeg", "width": 320, "height": 240, "data": "_9j_" },
    });
    let decoded = Content::decode(Kind::Attachment, &good.to_string().into_bytes().into()).unwrap().unwrap();
    let written: Value = serde_json::from_slice(decoded.encode().unwrap().as_slice()).unwrap();
    assert_eq!(written, good);
    assert_eq!(decoded.text(), Some("the sea"));
    let shown = format!("{decoded:?}");
    assert!(shown.contains("AttachmentKey(secret)") && !shown.contains("AgICAgIC"), "{shown}");

    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        match field.split_once('/') {
            Some((of, field)) => body[of][field] = value,
            None => body[field] = value,
        }
        body
    };
    let preview = |octets: usize| json!(Octets::from(vec![0; octets]).to_string());
    for (field, value, reason) in [
        ("role", json!("program"), "unknown variant"),
        ("name", json!(""), "name is empty"),
        ("name", json!("x".repeat(256)), "name has 256 octets"),
        ("media_type", json!("jpeg"), "media_type is no media type"),
        ("media_type", json!("image/jpeg; a=b"), "media_type is no media type"),
        ("media_type", json!("image/\u{1b}[2J"), "media_type is no media type"),
        ("media_type", json!(format!("a/{}", "b".repeat(126))), "media_type has 128 octets"),
        ("size", json!(-1), "invalid value"),
        ("size", json!(1_u64 << 41), "size is over"),
        ("blob_id", json!("AAAA"), "has 3 octets, not 34"),
        ("key", json!("AAAA"), "has 3 octets, not 32"),
        ("digest", json!(7), "invalid type"),
        ("expires_at", json!("tomorrow"), "RFC 3339"),
        ("caption", json!(""), "caption is empty"),
        ("caption", json!("x".repeat(4097)), "caption has 4097 octets"),
        ("duration_ms", json!(1000), "duration_ms is for voice messages alone"),
        ("role", json!("file"), "preview is for pictures alone"),
        ("preview/media_type", json!("image/svg+xml"), "preview must be image/jpeg"),
        ("preview/data", json!(""), "preview is empty"),
        ("preview/data", preview(16_385), "preview has 16385 octets"),
        ("preview/width", json!(0), "preview must have sides"),
        ("preview/height", json!(513), "preview must have sides"),
    ] {
        let said = refused(Kind::Attachment, &with(field, value));
        assert!(said.contains(reason), "{field}: {said}");
    }
    for field in ["role", "name", "media_type", "size", "blob_id", "key", "digest", "expires_at"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        assert!(refused(Kind::Attachment, &body).contains("missing field"), "{field}");
    }
    let mut voice = with("role", json!("voice"));
    voice.as_object_mut().unwrap().remove("preview");
    voice["duration_ms"] = json!(7 * 24 * 3600 * 1000 + 1);
    assert!(refused(Kind::Attachment, &voice).contains("duration_ms is over"));
    // The largest that may be is one that can be sent.
    let mut largest = with("caption", json!("\u{1}".repeat(4096)));
    largest["preview"]["data"] = preview(16_384);
    assert!(largest.to_string().len() < MAX_CONTENT_OCTETS, "{}", largest.to_string().len());
    assert!(Content::decode(Kind::Attachment, &largest.to_string().into_bytes().into()).unwrap().is_some());
}

#[test]
fn places_are_typed_as_two_numbers() {
    let place: Location = " 48.2082, 16.3738 ".parse().unwrap();
    assert_eq!((place.latitude, place.longitude, place.to_string()), (48.2082, 16.3738, "48.2082,16.3738".to_owned()));
    for bad in ["", "1", "1,", "a,b", "1,2,3", "91,0", "0,181", "NaN,0", "inf,0"] {
        assert!(bad.parse::<Location>().is_err(), "{bad}");
    }
}

#[test]
fn what_the_own_devices_say_is_bounded_too() {
    let id = "01010101-0101-0101-0101-010101010101";
    let mark = json!({ "box_id": id, "message_id": id });
    let marks = |count: usize| {
        decode::<ReadMarks>(&json!({ "messages": vec![mark.clone(); count] }).to_string().into_bytes().into())
    };
    assert_eq!(marks(2).unwrap().messages, [to(1); 2]);
    assert!(marks(0).is_err() && marks(201).is_err());
    let peer = json!({ "box_id": id, "standing": "accepted", "changed_at": "2026-11-24T09:00:00Z" });
    let states = |count: usize| {
        decode::<PeerStates>(&json!({ "peers": vec![peer.clone(); count] }).to_string().into_bytes().into())
    };
    assert!(states(0).is_ok() && states(200).is_ok() && states(201).is_err());
    let key = json!({ "box_id": id, "key": "A".repeat(43), "version": 1 });
    let keys = |count: usize| {
        decode::<ProfileKeys>(&json!({ "peers": vec![key.clone(); count] }).to_string().into_bytes().into())
    };
    assert!(keys(200).is_ok_and(|keys| keys.peers[199].key.key().version() == 1) && keys(201).is_err());
    let zero = decode::<ProfileKeys>(
        &json!({ "own": { "key": "A".repeat(43), "version": 0 } }).to_string().into_bytes().into(),
    );
    assert!(zero.unwrap_err().to_string().contains("version is counted from 1"));
    let mark = json!({
        "box_id": id, "verified": true, "head": { "version": 3, "hash": "A".repeat(43) },
        "changed_at": "2026-11-24T09:00:00Z",
    });
    let marks = |count: usize| {
        decode::<PeerStates>(&json!({ "verified": vec![mark.clone(); count] }).to_string().into_bytes().into())
    };
    assert!(marks(200).is_ok_and(|states| states.verified[199].head.version == 3) && marks(201).is_err());
    let states: PeerStates = decode(&br#"{}"#.as_slice().into()).unwrap();
    assert_eq!(states, PeerStates::default());
    let malformed = decode::<PeerStates>(&br#"{"receipts":{"delivery":true}}"#.as_slice().into());
    assert!(malformed.unwrap_err().to_string().contains("missing field"));
}
