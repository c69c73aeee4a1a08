//! Changes of groups, what sets of them give, and the body of a group's message.

use rossby_crypto::group::{Action, GroupChange, GroupContent, GroupGraph, Role, SeenMessage, VerifiedChange};
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::ids::{BoxId, DeviceId};
use serde_json::{Value, json};

use super::{check, hex};
use crate::groups::{Person, add, add_admin, admin, member, person, remove, rename, role};

fn change(change: &VerifiedChange) -> Value {
    let signed = change.signed();
    json!({
        "author": hex(signed.change().author.as_bytes()), "device": hex(signed.change().device.as_bytes()),
        "head": { "version": signed.change().head.version, "hash": hex(signed.change().head.hash) },
        "parents": signed.change().parents.iter().map(hex).collect::<Vec<_>>(), "time": signed.change().time.millis(),
        "action": action(&signed.change().action), "group": hex(signed.group_id().as_bytes()),
        "octets": hex(signed.octets()), "hash": hex(signed.hash()),
    })
}

fn action(action: &Action) -> Value {
    let listed = |members: &[rossby_crypto::group::NewMember]| -> Vec<Value> {
        let shown = |member: &rossby_crypto::group::NewMember| json!({ "box": hex(member.box_id.as_bytes()), "role": role_name(member.role) });
        members.iter().map(shown).collect()
    };
    match action {
        Action::Found { random, name, members } => {
            json!({ "found": { "random": hex(random), "name": name, "members": listed(members) } })
        }
        Action::Add { members } => json!({ "add": { "members": listed(members) } }),
        Action::Remove { member } => json!({ "remove": { "member": hex(member.as_bytes()) } }),
        Action::Leave => json!("leave"),
        Action::SetRole { member, role } => {
            json!({ "set_role": { "member": hex(member.as_bytes()), "role": role_name(*role) } })
        }
        Action::Rename { name } => json!({ "rename": { "name": name } }),
        Action::Affirm => json!("affirm"),
    }
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Admin => "admin",
    }
}

/// What the graph gives, and which changes it is made of.
fn merged(about: &str, graph: &GroupGraph) -> Value {
    let state = graph.state();
    let members = state
        .members()
        .map(|(box_id, member)| json!({ "box": hex(box_id.as_bytes()), "role": role_name(member.role) }));
    json!({
        "about": about,
        "changes": graph.changes().map(|change| hex(change.signed().octets())).collect::<Vec<_>>(),
        "counting": graph.changes().filter(|c| graph.counts(&c.hash()) == Some(true)).map(|c| hex(c.hash())).collect::<Vec<_>>(),
        "heads": graph.heads().map(hex).collect::<Vec<_>>(),
        "name": state.name(), "members": members.collect::<Vec<_>>(), "heir": state.heir().map(|heir| hex(heir.as_bytes())),
    })
}

fn with(graph: &GroupGraph, changes: &[VerifiedChange]) -> GroupGraph {
    let mut merged = GroupGraph::founded(graph.changes().next().unwrap().clone()).unwrap();
    let offered = merged.offer(graph.changes().skip(1).chain(changes).cloned().collect());
    assert!(offered.waiting.is_empty() && offered.refused.is_empty());
    merged
}

#[test]
fn group_changes() {
    let [ann, ben, eve, joe] = [1, 2, 3, 4].map(person);
    let mut graph = GroupGraph::founded(ann.founds("garden", &[admin(&ben), member(&eve)])).unwrap();
    let second = [ann.makes(&graph, add_admin(&joe)), ben.makes(&graph, rename("Gärten"))];
    for change in second {
        graph.insert(change).unwrap();
    }
    for action in [role(&eve, Role::Admin), remove(&ben), Action::Affirm] {
        joe.does(&mut graph, action);
    }
    eve.does(&mut graph, Action::Leave);
    let vectors: Vec<Value> = graph.changes().map(change).collect();
    check(
        "group-change.json",
        "Changes of a group of the boxes that devices 1 to 4 founded, in an order in which parents come first.",
        &vectors.into(),
    );
}

#[test]
fn group_merges() {
    let [ann, ben, eve, joe] = [1, 2, 3, 4].map(person);
    let base = GroupGraph::founded(ann.founds("garden", &[admin(&ben), admin(&eve), member(&joe)])).unwrap();
    let by = |person: &Person, action| person.makes(&base, action);
    let mut bens = with(&base, &[]);
    let bens = [ben.does(&mut bens, remove(&joe)), ben.does(&mut bens, add(&joe))];
    let leaves = [&ann, &ben, &eve].map(|person| by(person, Action::Leave));
    let mut inherited = with(&base, &leaves);
    joe.does(&mut inherited, rename("Joe's"));
    let record = |person: &Person| json!({ "box": hex(person.id().as_bytes()), "statements": person.record.statements().iter().map(hex).collect::<Vec<_>>() });
    let vectors = json!({
        "records": [record(&ann), record(&ben), record(&eve), record(&joe)],
        "merges": [
            merged("Two admins remove each other.", &with(&base, &[by(&ann, remove(&ben)), by(&ben, remove(&ann))])),
            merged(
                "A circle of three removals.",
                &with(&base, &[by(&ann, remove(&ben)), by(&ben, remove(&eve)), by(&eve, remove(&ann))]),
            ),
            merged("A removal of who renames.", &with(&base, &[by(&ann, remove(&ben)), by(&ben, rename("Ben's"))])),
            merged("Two names at the same time.", &with(&base, &[by(&ann, rename("one")), by(&ben, rename("other"))])),
            merged("Removed, added again.", &with(&base, &bens)),
            merged("The same, while another removes.", &with(&base, &[&bens[..], &[by(&ann, remove(&joe))]].concat())),
            merged("All admins leave, and the heir acts.", &inherited),
        ],
    });
    check("group-merge.json", "What sets of changes give: which of them count, and the group.", &vectors);
}

#[test]
fn group_contents() {
    let seen = |n: u8| SeenMessage {
        sender: BoxId::from_bytes([n; 16]),
        device: DeviceId::from_bytes([n + 1; 16]),
        sequence: u64::from(n),
        hash: FixedOctets([n + 2; 32]),
    };
    let contents = [
        GroupContent { heads: vec![FixedOctets([1; 32])], seen: Vec::new(), kind: 1, body: b"hello".as_slice().into() },
        GroupContent {
            heads: vec![FixedOctets([1; 32]), FixedOctets([2; 32])],
            seen: vec![seen(0x10), seen(0x20)],
            kind: 5,
            body: b"{}".as_slice().into(),
        },
    ];
    let vectors: Vec<Value> = contents.iter().map(vector).collect();
    check("group-content.json", "Bodies of messages to a group.", &vectors.into());
}

fn vector(content: &GroupContent) -> Value {
    let seen = content.seen.iter().map(|seen| {
        json!({
            "box": hex(seen.sender.as_bytes()), "device": hex(seen.device.as_bytes()), "sequence": seen.sequence,
            "hash": hex(seen.hash),
        })
    });
    json!({
        "heads": content.heads.iter().map(hex).collect::<Vec<_>>(), "seen": seen.collect::<Vec<_>>(),
        "kind": content.kind, "body": hex(&content.body), "octets": hex(content.to_octets().unwrap()),
    })
}

#[test]
fn a_change_of_the_vectors_is_read_back() {
    let file = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/group-change.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    let people = [1, 2, 3, 4].map(person);
    for vector in file["vectors"].as_array().unwrap() {
        let octets: Vec<u8> = hex::decode(vector["octets"].as_str().unwrap()).unwrap();
        let signed = rossby_crypto::group::SignedChange::parse(&octets.into()).unwrap();
        let author = people.iter().find(|person| person.id() == signed.change().author).unwrap();
        let GroupChange { action: done, .. } = signed.change().clone();
        assert_eq!(vector["action"], action(&done));
        assert!(signed.verify(&author.record).is_ok());
    }
}
