//! Members and strangers who say what they may not, or say it as nobody can.

use rossby_crypto::group::{Action, GroupChange, GroupContent, GroupId, NewMember, Role};
use rossby_crypto::signing::SigningKey;
use rossby_schemas::encoding::{Octets, Sha256Digest};
use uuid::Uuid;

use super::super::body::{GROUP_CHANGES, GROUP_CONTENT, GROUP_REQUEST, GroupChanges, GroupRequest};
use super::{Crowd, framed};
use crate::Warning;
use crate::messages::tests::{at, refused_with};
use crate::messages::{Conversation, Taken, Written};
use crate::random::rng;

impl Crowd {
    /// The heads of someone's graph.
    pub(super) async fn heads(&self, person: usize, id: GroupId) -> Vec<Sha256Digest> {
        let client = &self.people[person].client;
        let mut connection = client.store.read().await.unwrap();
        let known = client.graph(&mut connection, id).await.unwrap().unwrap();
        known.graph.heads().collect()
    }

    /// A change that someone signs, whether it may be made or not.
    async fn signed(
        &self,
        by: usize,
        id: GroupId,
        parents: Vec<Sha256Digest>,
        action: Action,
        key: &SigningKey,
    ) -> Octets {
        let own = self.people[by].client.as_stored().await.unwrap();
        let change = GroupChange {
            author: own.device.box_id,
            device: own.device.device_id,
            head: own.record.head(),
            group: Some(id),
            parents,
            time: at(1),
            action,
        };
        change.sign(key).unwrap().octets().clone()
    }

    async fn key(&self, person: usize) -> SigningKey {
        let own = self.people[person].client.as_stored().await.unwrap();
        SigningKey::from_seed(&own.device.signing_key.to_seed())
    }

    /// Someone brings changes to another. Gives what that one was told.
    pub(super) async fn brings(&mut self, by: usize, to: usize, id: GroupId, changes: Vec<Octets>) -> Vec<Warning> {
        let conversation = Conversation::Direct(self.id(to));
        let body = GroupChanges { group: id.0, changes, ..GroupChanges::default() }.write();
        let beside = Some(id);
        let written = Written { conversation, kind: GROUP_CHANGES, body, is_shown: false, frame: None, beside };
        self.writes(by, &[to], written).await;
        self.deliver_all().await;
        self.warned(to).await
    }
}

fn told(warnings: &[Warning]) -> &str {
    match warnings {
        [Warning::RefusedGroupChange { reason, .. }] => reason,
        other => panic!("{other:?}"),
    }
}

pub(super) fn rename() -> Action {
    Action::Rename { name: "mine".to_owned() }
}

#[tokio::test]
async fn changes_that_may_not_be_made_change_nothing() {
    let mut crowd = Crowd::new(4).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    let heads = crowd.heads(1, id).await;
    let (own_key, strange_key) = (crowd.key(1).await, SigningKey::generate(&mut rng()));
    // By a member who is no admin, and by one who is none at all.
    let change = crowd.signed(1, id, heads.clone(), rename(), &own_key).await;
    assert!(told(&crowd.brings(1, 2, id, vec![change.clone()]).await).contains("no right"));
    let by_stranger = crowd.signed(3, id, heads.clone(), Action::Leave, &crowd.key(3).await).await;
    assert!(told(&crowd.brings(3, 2, id, vec![by_stranger]).await).contains("no right"));
    // What is built on it waits for a parent that never comes.
    let refused = rossby_crypto::group::SignedChange::parse(&change).unwrap().hash();
    let upon = crowd.signed(1, id, vec![refused], Action::Leave, &own_key).await;
    assert_eq!(crowd.brings(1, 2, id, vec![upon]).await, []);
    // Forged: in the founder's name, with another's key.
    let forged = crowd.signed(0, id, heads.clone(), rename(), &strange_key).await;
    assert!(told(&crowd.brings(1, 2, id, vec![forged]).await).contains("signature"));
    // Parents of which one is the other's ancestor.
    crowd.act(0, id, Action::Affirm).await.unwrap();
    crowd.deliver_all().await;
    let mut both = [crowd.heads(0, id).await, heads].concat();
    both.sort_unstable();
    let wrong = crowd.signed(0, id, both, rename(), &crowd.key(0).await).await;
    assert!(told(&crowd.brings(1, 2, id, vec![wrong]).await).contains("ancestor"));
    assert_eq!((crowd.group(2, id).await.name.as_str(), crowd.group(2, id).await.changes), ("garden", 2));
}

#[tokio::test]
async fn a_change_of_one_group_is_none_of_another() {
    let mut crowd = Crowd::new(3).await;
    let one = crowd.founded(0, &[], &[1, 2]).await;
    let other = crowd.founded(0, &[], &[1, 2]).await;
    let change = crowd.signed(0, one, crowd.heads(0, one).await, rename(), &crowd.key(0).await).await;
    for (by, kind) in [(1, GROUP_CHANGES), (0, GROUP_CHANGES)] {
        let body = GroupChanges { group: other.0, changes: vec![change.clone()], ..GroupChanges::default() }.write();
        let conversation = Conversation::Direct(crowd.id(2));
        let beside = Some(other);
        crowd.writes(by, &[2], Written { conversation, kind, body, is_shown: false, frame: None, beside }).await;
        let mail = crowd.mail();
        assert!(refused_with(&crowd.deliver(&mail[0]).await).contains("another group"));
    }
    crowd.warned(2).await;
    // Replayed in its own group it is the same change, however often.
    for _ in 0..2 {
        crowd.brings(1, 2, one, vec![change.clone(), change.clone()]).await;
    }
    assert_eq!((crowd.group(2, one).await.changes, crowd.group(2, other).await.changes), (2, 1));
}

#[tokio::test]
async fn nobody_adds_a_251st_and_nobody_fills_a_graph_without_end() {
    let mut crowd = Crowd::new(2).await;
    let many: Vec<NewMember> = (0..248_u32)
        .map(|n| {
            let mut id = [7; 16];
            id[..4].copy_from_slice(&n.to_be_bytes());
            NewMember { box_id: rossby_schemas::ids::BoxId::from_bytes(id), role: Role::Member }
        })
        .collect();
    let own = crowd.people[0].client.as_stored().await.unwrap();
    let mut members = [many, vec![NewMember { box_id: crowd.id(1), role: Role::Member }]].concat();
    members.sort_unstable();
    let change = GroupChange {
        author: own.device.box_id,
        device: own.device.device_id,
        head: own.record.head(),
        group: None,
        parents: Vec::new(),
        time: at(0),
        action: Action::Found { random: [1; 16], name: "crowd".to_owned(), members },
    };
    let founding = change.sign(&own.device.signing_key).unwrap();
    let id = founding.group_id();
    assert_eq!(crowd.brings(0, 1, id, vec![founding.octets().clone()]).await, []);
    assert_eq!(crowd.people[1].client.group(&id.into()).await.unwrap().members.len(), 250);
    let one_more = vec![NewMember { box_id: rossby_schemas::ids::BoxId::from_bytes([8; 16]), role: Role::Member }];
    let add = Action::Add { members: one_more };
    let change = crowd.signed(0, id, vec![founding.hash()], add, &crowd.key(0).await).await;
    assert!(told(&crowd.brings(0, 1, id, vec![change]).await).contains("250 members"));
    // More changes than a message may bring.
    let mut changes = vec![founding.octets().clone(); 513];
    let body = GroupChanges { group: id.0, changes: std::mem::take(&mut changes), ..GroupChanges::default() };
    let body = serde_json::to_vec(&serde_json::json!({ "group": body.group, "changes": vec!["AA"; 513] })).unwrap();
    let conversation = Conversation::Direct(crowd.id(1));
    let (body, beside) = (body.into(), Some(id));
    let written = Written { conversation, kind: GROUP_CHANGES, body, is_shown: false, frame: None, beside };
    crowd.writes(0, &[1], written).await;
    let mail = crowd.mail();
    assert!(refused_with(&crowd.deliver(&mail[0]).await).contains("at most 512"));
}

#[tokio::test]
async fn messages_of_those_who_are_no_members_are_refused() {
    let mut crowd = Crowd::new(4).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    let heads = crowd.heads(0, id).await;
    let frame = |heads: Vec<Sha256Digest>| GroupContent { heads, seen: Vec::new(), kind: 1, body: Octets::default() };
    // One who never was one, and knows the group's id and heads all the same.
    crowd.writes(3, &[2], framed(id, frame(heads.clone()), "let me in")).await;
    let mail = crowd.mail();
    assert!(refused_with(&crowd.deliver(&mail[0]).await).contains("no member"));
    // One that was removed, and names the removal's heads.
    crowd.act(0, id, Action::Remove { member: crowd.id(1) }).await.unwrap();
    crowd.deliver_all().await;
    crowd.warned(1).await;
    let after = crowd.heads(0, id).await;
    crowd.writes(1, &[2], framed(id, frame(after.clone()), "I am back")).await;
    let mail = crowd.mail();
    assert!(refused_with(&crowd.deliver(&mail[0]).await).contains("no member"));
    // Who has named later heads before can't go back to those by which it was a member.
    crowd.says(2, id, "hello").await.unwrap();
    crowd.deliver_all().await;
    crowd.writes(2, &[0], framed(id, frame(heads.clone()), "as if I had not seen it")).await;
    let mail = crowd.mail();
    assert!(refused_with(&crowd.deliver(&mail[0]).await).contains("leaves out"));
    // By heads that make this account no member.
    crowd.writes(0, &[1], framed(id, frame(after), "for one who was removed")).await;
    let mail = crowd.mail();
    assert!(refused_with(&crowd.deliver(&mail[0]).await).contains("this account was no member"));
    // Each reads what it has written itself, and of others what they may write.
    let expected =
        [vec!["for one who was removed", "hello"], vec!["I am back"], vec!["as if I had not seen it", "hello"]];
    for (person, expected) in expected.into_iter().enumerate() {
        let mut texts = crowd.texts(person, id).await;
        texts.sort();
        assert_eq!(texts, expected, "{person}");
    }
}

#[tokio::test]
async fn what_no_group_s_message_can_be_is_refused() {
    let mut crowd = Crowd::new(2).await;
    let id = crowd.founded(0, &[], &[1]).await;
    let heads = crowd.heads(0, id).await;
    let frame = GroupContent { heads: heads.clone(), seen: Vec::new(), kind: 1, body: Octets::default() };
    for (kind, why) in [
        (8, "can't stand"),
        (9, "can't stand"),
        (10, ""),
        (20, "can't stand"),
        (21, "can't stand"),
        (1001, "can't stand"),
        (3, "malformed"),
    ] {
        let written = Written { kind, ..framed(id, frame.clone(), "not this") };
        crowd.writes(0, &[1], written).await;
        let mail = crowd.mail();
        let taken = crowd.deliver(&mail[0]).await;
        if why.is_empty() {
            assert_eq!(taken, Taken::New, "an unknown kind is kept");
        } else {
            assert!(refused_with(&taken).contains(why), "{kind}");
        }
    }
    // Without a frame, in the wrong conversation, and what is none at all.
    let plain = |conversation, kind, body: &[u8]| Written {
        conversation,
        kind,
        body: body.into(),
        is_shown: false,
        frame: None,
        beside: None,
    };
    let beside =
        |kind, body: &[u8]| Written { beside: Some(id), ..plain(Conversation::Direct(crowd.id(1)), kind, body) };
    let (group, direct) = (Conversation::Group(id.0), Conversation::Direct(crowd.id(1)));
    let content = frame.to_octets().unwrap();
    let about = |group: GroupId| format!(r#"{{"group":"{group}","heads":[]}}"#);
    let other = GroupId(Uuid::from_bytes([9; 16]));
    let malformed = format!(r#"{{"group":"{id}","heads":1,"changes":1}}"#);
    let cases: [(Written, &str); 16] = [
        (plain(group, 1, b"hello"), "conversation"),
        (plain(group, GROUP_REQUEST, about(id).as_bytes()), "conversation"),
        (plain(group, GROUP_CONTENT, b"\x01\x02"), "malformed"),
        (plain(group, GROUP_CHANGES, b"{}"), "missing field"),
        // What is brought or asked takes no place in the conversation of the two.
        (plain(direct, GROUP_CONTENT, content.as_slice()), "no group's conversation"),
        (plain(direct, GROUP_CHANGES, about(id).as_bytes()), "no group's conversation"),
        (plain(direct, GROUP_REQUEST, about(id).as_bytes()), "no group's conversation"),
        // Beside a group stands what is about that one, and nothing else.
        (beside(1, b"hello"), "conversation"),
        (beside(8, b"{}"), "conversation"),
        (beside(10, b"{}"), "conversation"),
        (beside(1001, b"{}"), "conversation"),
        (beside(GROUP_REQUEST, about(other).as_bytes()), "conversation"),
        (beside(GROUP_REQUEST, b"{}"), "conversation"),
        (beside(GROUP_REQUEST, malformed.as_bytes()), "invalid type"),
        (beside(GROUP_CHANGES, malformed.as_bytes()), "invalid type"),
        (beside(GROUP_CHANGES, about(other).as_bytes()), "another group"),
    ];
    for (written, why) in cases {
        crowd.writes(0, &[1], written).await;
        let mail = crowd.mail();
        let taken = crowd.deliver(&mail[0]).await;
        assert!(refused_with(&taken).contains(why), "{why}: {taken:?}");
    }
}

#[tokio::test]
async fn a_group_that_nobody_knows_costs_little() {
    let mut crowd = Crowd::strangers(2).await;
    let unknown = GroupId(Uuid::from_bytes([9; 16]));
    let frame = GroupContent { heads: vec![[1; 32].into()], seen: Vec::new(), kind: 1, body: Octets::default() };
    for n in 0..201 {
        crowd.writes(0, &[1], framed(unknown, frame.clone(), "spam")).await;
        let mail = crowd.mail();
        let taken = crowd.deliver(&mail[0]).await;
        assert_eq!(taken == Taken::Waiting, n < 200, "{taken:?}");
    }
    assert_eq!(crowd.people[1].client.unread(10).await.unwrap().len(), 0);
    assert_eq!(crowd.people[1].client.groups().await.unwrap(), []);
    // It is forgotten.
    crowd.pass(33 * 24 * 3600);
    let own = crowd.people[1].client.as_stored().await.unwrap();
    crowd.people[1].client.ask_members(&own).await.unwrap();
    let mut connection = crowd.people[1].client.store.read().await.unwrap();
    assert_eq!(crate::store::groups::waiting_for_changes(&mut connection).await.unwrap(), []);
}

#[tokio::test]
async fn nobody_outside_of_a_group_is_told_of_it() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[], &[1]).await;
    let place = super::super::body::MessagePlace {
        sender: crowd.id(0),
        device: crowd.people[0].session.own.device.device_id,
        sequence: 1,
    };
    let request = GroupRequest { group: id.0, heads: Vec::new(), records: vec![crowd.id(1)], messages: vec![place] };
    let written = Written {
        conversation: Conversation::Direct(crowd.id(0)),
        kind: GROUP_REQUEST,
        body: request.write(),
        is_shown: false,
        frame: None,
        beside: Some(id),
    };
    crowd.writes(2, &[0], written).await;
    let mail = crowd.mail();
    assert_eq!(crowd.deliver(&mail[0]).await, Taken::New);
    assert_eq!(crowd.mail.len(), 0, "no answer");
}
