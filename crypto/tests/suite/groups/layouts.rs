//! The layouts of a change and of a group's message: one way to write each, and none other is read.

use proptest::prelude::*;
use rossby_crypto::group::{
    Action, GroupChange, GroupContent, GroupGraph, MAX_CHANGE_OCTETS, MAX_NAME_OCTETS, MAX_PARENTS, MAX_SEEN,
    NewMember, Role, SeenMessage, SignedChange,
};
use rossby_crypto::layout::LayoutError;
use rossby_crypto::message::MAX_BODY_OCTETS;
use rossby_schemas::encoding::{FixedOctets, Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, DeviceId};

use super::{Person, member, person, remove, rename, role};
use crate::world::time;

fn hash(n: u8) -> Sha256Digest {
    FixedOctets([n; 32])
}

fn new_member(n: u8) -> NewMember {
    NewMember { box_id: BoxId::from_bytes([n; 16]), role: if n.is_multiple_of(2) { Role::Member } else { Role::Admin } }
}

fn of_action(person: &Person, action: Action) -> GroupChange {
    let graph = GroupGraph::founded(person.founds("garden", &[])).unwrap();
    let founds = matches!(action, Action::Found { .. });
    let next = graph.next(person.id(), person.device.id, person.record.head(), time(5), action);
    if founds { GroupChange { group: None, parents: Vec::new(), ..next } } else { next }
}

#[test]
fn every_action_is_read_back() {
    let (ann, ben) = (person(1), person(2));
    let many: Vec<_> = (1..=249).map(new_member).collect();
    let actions = [
        Action::Found { random: [3; 16], name: "n".repeat(MAX_NAME_OCTETS), members: many.clone() },
        Action::Found { random: [3; 16], name: "Gärten".to_owned(), members: Vec::new() },
        Action::Add { members: many },
        remove(&ben),
        Action::Leave,
        role(&ben, Role::Admin),
        role(&ann, Role::Member),
        rename("x"),
        Action::Affirm,
    ];
    for action in actions {
        let mut change = of_action(&ann, action);
        if change.group.is_some() {
            change.parents = (1..=32).map(hash).collect();
        }
        let signed = change.clone().sign(&ann.device.key).unwrap();
        assert!(signed.octets().as_slice().len() <= MAX_CHANGE_OCTETS);
        let read = SignedChange::parse(signed.octets()).unwrap();
        assert_eq!((read.change(), &read), (&change, &signed));
        for shorter in 0..signed.octets().as_slice().len() {
            assert!(SignedChange::parse(&signed.octets().as_slice()[..shorter].into()).is_err());
        }
        let longer = [signed.octets().as_slice(), &[0]].concat().into();
        assert_eq!(SignedChange::parse(&longer), Err(LayoutError::Trailing));
    }
}

#[test]
fn the_id_comes_from_the_founding_change() {
    let ann = person(1);
    let founding = ann.founds("garden", &[]);
    let id = founding.signed().group_id();
    assert_eq!((id.0.get_version_num(), id.0.get_variant()), (8, uuid::Variant::RFC4122));
    assert_eq!(id.to_string().parse(), Ok(id));
    let graph = GroupGraph::founded(founding).unwrap();
    assert_eq!(graph.id(), id);
    assert_eq!(ann.makes(&graph, rename("orchard")).signed().group_id(), id);
    assert_ne!(ann.founds("gardens", &[]).signed().group_id(), id);
}

#[test]
fn what_no_reader_takes_is_not_signed() {
    let ann = person(1);
    let field = |field| Err(LayoutError::Field(field));
    let signs = |change: GroupChange| change.sign(&ann.device.key).map(drop);
    let found = |name: &str, members: &[NewMember]| {
        signs(of_action(&ann, Action::Found { random: [0; 16], name: name.to_owned(), members: members.to_vec() }))
    };
    for name in ["", " ", "two\nlines", "\u{7f}"] {
        assert_eq!(found(name, &[]), field("name"));
        assert_eq!(signs(of_action(&ann, rename(name))), field("name"));
    }
    assert_eq!(found(&"n".repeat(257), &[]), Err(LayoutError::TooLong { limit: MAX_NAME_OCTETS }));
    assert_eq!(found("n", &[member(&ann)]), field("members"));
    assert_eq!(found("n", &[new_member(2), new_member(1)]), field("members"));
    assert_eq!(found("n", &[new_member(2), new_member(2)]), field("members"));
    let too_many: Vec<_> = (0..250).map(new_member).collect();
    assert_eq!(found("n", &too_many), Err(LayoutError::TooLong { limit: 249 }));
    let add = |members| signs(of_action(&ann, Action::Add { members }));
    assert_eq!(add(Vec::new()), field("members"));
    assert_eq!(add(too_many), Err(LayoutError::TooLong { limit: 249 }));
    assert_eq!(signs(of_action(&ann, remove(&ann))), field("member"));
    let rename = of_action(&ann, rename("n"));
    let with_parents = |parents| signs(GroupChange { parents, ..rename.clone() });
    assert_eq!(with_parents(Vec::new()), field("parents"));
    assert_eq!(with_parents(vec![hash(2), hash(1)]), field("parents"));
    assert_eq!(with_parents(vec![hash(1), hash(1)]), field("parents"));
    assert_eq!(with_parents((0..33).map(hash).collect()), Err(LayoutError::TooLong { limit: MAX_PARENTS }));
    assert_eq!(signs(GroupChange { group: None, ..rename.clone() }), field("group"));
    let founding = of_action(&ann, Action::Found { random: [0; 16], name: "n".to_owned(), members: Vec::new() });
    assert_eq!(signs(GroupChange { group: rename.group, ..founding.clone() }), field("group"));
    assert_eq!(signs(GroupChange { parents: vec![hash(1)], ..founding }), field("parents"));
}

fn seen(n: u8) -> SeenMessage {
    let [sender, device] = [[n; 16], [n; 16]];
    let (sender, device) = (BoxId::from_bytes(sender), DeviceId::from_bytes(device));
    SeenMessage { sender, device, sequence: u64::from(n), hash: hash(n) }
}

#[test]
fn a_group_s_message_names_heads_and_what_was_seen() {
    let heads: Vec<_> = (1..=32).map(hash).collect();
    let full = GroupContent { heads, seen: (1..=32).map(seen).collect(), kind: 1, body: b"hello".as_slice().into() };
    let least = GroupContent { heads: vec![hash(1)], seen: Vec::new(), kind: 9999, body: Octets::default() };
    for content in [&full, &least] {
        let octets = content.to_octets().unwrap();
        assert_eq!(GroupContent::parse(&octets).as_ref(), Ok(content));
        assert!((0..octets.as_slice().len()).all(|n| GroupContent::parse(&octets.as_slice()[..n].into()).is_err()));
        let longer = [octets.as_slice(), &[0]].concat().into();
        assert_eq!(GroupContent::parse(&longer), Err(LayoutError::Trailing));
    }
    let field = |field| Err(LayoutError::Field(field));
    let with = |content: GroupContent| content.to_octets().map(drop);
    let with_heads = |heads| with(GroupContent { heads, ..least.clone() });
    assert_eq!(with_heads(Vec::new()), field("heads"));
    assert_eq!(with_heads(vec![hash(2), hash(1)]), field("heads"));
    assert_eq!(with_heads((0..33).map(hash).collect()), Err(LayoutError::TooLong { limit: MAX_PARENTS }));
    let with_seen = |seen| with(GroupContent { seen, ..least.clone() });
    assert_eq!(with_seen(vec![seen(2), seen(1)]), field("seen"));
    assert_eq!(with_seen(vec![seen(1), SeenMessage { sequence: 2, ..seen(1) }]), field("seen"));
    assert_eq!(with_seen(vec![seen(0)]), field("seen"));
    assert_eq!(with_seen((1..=33).map(seen).collect()), Err(LayoutError::TooLong { limit: MAX_SEEN }));
    let body = vec![0; MAX_BODY_OCTETS - 48].into();
    assert_eq!(with(GroupContent { body, ..least.clone() }), Err(LayoutError::TooLong { limit: MAX_BODY_OCTETS }));
    let mut other_version = least.to_octets().unwrap().as_slice().to_vec();
    other_version[0] = 2;
    assert_eq!(GroupContent::parse(&other_version.into()), Err(LayoutError::OtherKind));
    assert!(!format!("{full:?}").contains("hello"));
}

proptest! {
    #[test]
    fn any_octets_are_read_without_a_panic(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        let change: Octets = [b"rossby/v1/group-change\0", octets.as_slice()].concat().into();
        prop_assert!(SignedChange::parse(&change).is_err());
        let content: Octets = [&[1], octets.as_slice()].concat().into();
        if let Ok(read) = GroupContent::parse(&content) {
            prop_assert_eq!(read.to_octets(), Ok(content));
        }
    }
}
