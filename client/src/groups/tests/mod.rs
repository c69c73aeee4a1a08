//! Groups of people whose devices are all here, with the mail between them in the tests' hands.

mod asking;
mod authors;
mod beside;
mod catching_up;
mod equivocation;
mod floods;
mod hostile;
mod membership;
mod naming;
mod own_devices;
mod removed_devices;
mod stored;
mod talking;
mod unsent;

use std::collections::BTreeSet;

use rossby_crypto::group::{Action, GroupChange, GroupId, NewMember, Role};
use rossby_crypto::message::{MessageValue, content_hash};
use rossby_schemas::http::messages::FetchedMessage;
use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;

use super::Group;
use crate::content::{Content, Kind, PeerState, Standing};
use crate::error::ClientError;
use crate::messages::tests::{Receiver, at};
use crate::messages::{Conversation, Taken, Written, body_of};
use crate::store::messages::State;
use crate::store::outbox::{self, RecipientRow};
use crate::store::{peers, records};
use crate::{GroupRef, Warning};

/// A message on its way.
#[derive(Clone)]
struct Mail {
    from: usize,
    to: usize,
    fetched: FetchedMessage,
}

/// People who know each other's keys, and the mail between them.
struct Crowd {
    people: Vec<Receiver>,
    mail: Vec<Mail>,
    accepted: u64,
}

impl Crowd {
    /// People who have accepted each other.
    async fn new(count: usize) -> Self {
        let crowd = Self::strangers(count).await;
        for one in 0..count {
            for other in (0..count).filter(|other| *other != one) {
                crowd.accept(one, other).await;
            }
        }
        crowd
    }

    async fn strangers(count: usize) -> Self {
        Self::strangers_at(count, "http://127.0.0.1:9").await
    }

    async fn strangers_at(count: usize, server: &str) -> Self {
        let mut people = Vec::with_capacity(count);
        for _ in 0..count {
            people.push(Receiver::at_server(server).await);
        }
        for one in &people {
            let mut transaction = one.client.store.begin().await.unwrap();
            for other in &people {
                assert!(records::keep_record(&mut transaction, &other.session.own.record).await.unwrap());
                records::keep_sealing_statement(&mut transaction, &other.sealing).await.unwrap();
            }
            transaction.commit().await.unwrap();
        }
        Self { people, mail: Vec::new(), accepted: 0 }
    }

    fn id(&self, person: usize) -> BoxId {
        self.people[person].session.own.device.box_id
    }

    fn person(&self, box_id: BoxId) -> usize {
        (0..self.people.len()).find(|person| self.id(*person) == box_id).unwrap()
    }

    async fn accept(&self, one: usize, other: usize) {
        let mut transaction = self.people[one].client.store.begin().await.unwrap();
        let (box_id, standing) = (self.id(other), Standing::Accepted);
        let said = PeerState { box_id, standing, changed_at: at(0), declined_at: None };
        peers::merge(&mut transaction, said).await.unwrap();
        transaction.commit().await.unwrap();
    }

    fn pass(&self, seconds: u64) {
        self.people.iter().for_each(|person| person.clock.advance(std::time::Duration::from_secs(seconds)));
    }

    /// Someone founds a group of these, the first ones as admins.
    async fn found(&mut self, by: usize, admins: &[usize], members: &[usize]) -> GroupId {
        let with = |people: &[usize], role: Role| -> Vec<NewMember> {
            people.iter().map(|person| NewMember { box_id: self.id(*person), role }).collect()
        };
        let mut members = [with(admins, Role::Admin), with(members, Role::Member)].concat();
        members.sort_unstable();
        let client = &self.people[by].client;
        let own = client.as_stored().await.unwrap();
        let change = GroupChange {
            author: own.device.box_id,
            device: own.device.device_id,
            head: own.record.head(),
            group: None,
            parents: Vec::new(),
            time: at(0),
            action: Action::Found { random: crate::random::octets(), name: "garden".to_owned(), members },
        };
        let mut transaction = client.store.begin().await.unwrap();
        let (id, ..) = client.make_change(&mut transaction, &own, change).await.unwrap();
        transaction.commit().await.unwrap();
        self.post(by).await;
        id
    }

    /// Someone founds a group, and all get to know of it.
    async fn founded(&mut self, by: usize, admins: &[usize], members: &[usize]) -> GroupId {
        let id = self.found(by, admins, members).await;
        self.deliver_all().await;
        id
    }

    /// Someone changes a group.
    async fn act(&mut self, by: usize, id: GroupId, action: Action) -> Result<(), ClientError> {
        let client = &self.people[by].client;
        let own = client.as_stored().await?;
        let mut transaction = client.store.begin().await?;
        let known = client.graph(&mut transaction, id).await?.ok_or(ClientError::NoSuchGroup(id.0))?;
        let change = client.next_change(&own, &known.graph, action);
        client.make_change(&mut transaction, &own, change).await?;
        transaction.commit().await?;
        self.post(by).await;
        Ok(())
    }

    async fn says(&mut self, by: usize, id: GroupId, text: &str) -> Result<(), ClientError> {
        let body = body_of(&Content::Text(text.to_owned()))?;
        let client = &self.people[by].client;
        let device = client.device().await?;
        let mut transaction = client.store.begin().await?;
        let (to, written) = client.written_to_group(&mut transaction, &device, id, (Kind::Text, body)).await?;
        client.compose(&mut transaction, &device, &to, written).await?;
        transaction.commit().await?;
        self.post(by).await;
        Ok(())
    }

    /// Someone writes what the tests make up, to these.
    async fn writes(&mut self, by: usize, to: &[usize], written: Written) {
        let to: Vec<BoxId> = to.iter().map(|person| self.id(*person)).collect();
        let client = &self.people[by].client;
        let device = client.device().await.unwrap();
        let mut transaction = client.store.begin().await.unwrap();
        client.compose(&mut transaction, &device, &to, written).await.unwrap();
        transaction.commit().await.unwrap();
        self.post(by).await;
    }

    /// Takes what is in someone's outbox as the server would.
    async fn post(&mut self, by: usize) {
        let mut transaction = self.people[by].client.store.begin().await.unwrap();
        let mail = self.collect(by, &mut transaction).await;
        transaction.commit().await.unwrap();
        self.mail.extend(mail);
    }

    async fn collect(&mut self, by: usize, connection: &mut SqliteConnection) -> Vec<Mail> {
        let mut mail = Vec::new();
        for (message, recipient, sealed) in outbox::all(connection).await.unwrap() {
            self.accepted += 1;
            let accepted_at = at(self.accepted);
            // One without keys waits.
            let Some(sealed) = sealed else { continue };
            let value = MessageValue::parse(&sealed.value).unwrap();
            for wrap in &value.wraps {
                let fetched = FetchedMessage {
                    outer_id: sealed.outer_id,
                    content_hash: content_hash(&sealed.value),
                    accepted_at,
                    expires_at: value.expires_at,
                    recipient_head: value.recipient_head,
                    content: value.content.clone(),
                    sealing_counter: wrap.sealing_counter,
                    enc: wrap.enc.as_slice().into(),
                    wrapped_key: wrap.wrapped_key.as_slice().into(),
                    handle: sealed.outer_id.as_bytes().as_slice().into(),
                };
                mail.push(Mail { from: by, to: self.person(recipient), fetched });
            }
            let row = RecipientRow::new(recipient, State::Sent, Some(accepted_at));
            assert!(outbox::settle(connection, message, &row).await.unwrap());
        }
        mail
    }

    /// Takes all that is on its way out of it.
    fn mail(&mut self) -> Vec<Mail> {
        std::mem::take(&mut self.mail)
    }

    async fn deliver(&mut self, mail: &Mail) -> Taken {
        let taken = self.people[mail.to].take(&mail.fetched).await;
        self.post(mail.to).await;
        taken
    }

    /// Delivers all that is on its way, and what comes of it.
    async fn deliver_all(&mut self) {
        while !self.mail.is_empty() {
            for mail in self.mail() {
                self.deliver(&mail).await;
            }
        }
    }

    /// As after a `receive` that has brought all: people ask for what is missing, and get it.
    async fn catch_up(&mut self) {
        for person in 0..self.people.len() {
            let own = self.people[person].client.as_stored().await.unwrap();
            self.people[person].client.ask_members(&own).await.unwrap();
            self.post(person).await;
        }
        self.deliver_all().await;
    }

    async fn group(&self, person: usize, id: GroupId) -> Group {
        self.people[person].client.group(&GroupRef::from(id)).await.unwrap()
    }

    /// The members as someone sees them, and who of them are admins.
    async fn members(&self, person: usize, id: GroupId) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let group = self.group(person, id).await;
        let all = group.members.iter().map(|member| self.person(member.box_id)).collect();
        let admins = group.members.iter().filter(|member| member.is_admin);
        (all, admins.map(|member| self.person(member.box_id)).collect())
    }

    /// What someone reads in a group.
    async fn texts(&self, person: usize, id: GroupId) -> Vec<String> {
        let shown = self.people[person].client.transcript(Conversation::Group(id.0), 1000, None).await.unwrap();
        shown.into_iter().filter_map(|message| message.text).collect()
    }

    async fn warned(&self, person: usize) -> Vec<Warning> {
        self.people[person].warned().await
    }
}

/// What a text to a group is, with this around it.
fn framed(id: GroupId, frame: rossby_crypto::group::GroupContent, text: &str) -> Written {
    let (kind, body) = (Kind::Text.number(), text.as_bytes().into());
    Written { conversation: Conversation::Group(id.0), kind, body, is_shown: true, frame: Some(frame), beside: None }
}
