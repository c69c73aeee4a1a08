//! Keeping what came: each verified message once, in its place in its sender's chain.

use rossby_crypto::conversation::{conversation_beside_group, direct_conversation};
use rossby_crypto::key_record::{HeadRelation, KeyRecord};
use rossby_crypto::message::{MessageContent, SignedContent};
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::messages::FetchedMessage;
use sqlx::SqliteConnection;

use super::Conversation;
use super::own_devices::OwnMessage;
use super::receive::Taken;
use super::verify::Refusal;
use crate::Client;
use crate::account::Own;
use crate::content::{Content, FIRST_OWN_KIND, FIRST_SIGNAL_KIND, Kind};
use crate::error::ClientError;
use crate::groups::{GROUP_CHANGES, GROUP_CONTENT, beside, is_of_groups};
use crate::store::contacts;
use crate::store::messages::{self, At, Chain, State, StoredMessage};
use crate::store::outbox::RecipientRow;
use crate::store::records;
use crate::warning::Warning;

/// No device writes so many messages, and every number up to it can be stored, and held in JSON.
const MAX_SEQUENCE: u64 = (1 << 53) - 1;

impl Client {
    /// Stores a verified message, if its place in its sender's chain is free. The inner error says why not.
    pub(super) async fn keep(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        fetched: &FetchedMessage,
        signed: &SignedContent,
        sender: &KeyRecord,
    ) -> Result<Result<Taken, Refusal>, ClientError> {
        let content = signed.content();
        let (device, conversation) = (content.sender_device, content.conversation);
        // A device writes itself nothing, and a conversation has the two who are in it: else anybody could take places in it.
        if (content.sender, device) == (own.device.box_id, own.device.device_id) {
            return Ok(Err(Refusal::of(&"it says to be written by this very device")));
        }
        let thread = match admit(own, content) {
            Ok(thread) => thread,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let is_ours = content.sender == own.device.box_id;
        let told = match thread {
            Conversation::Direct(_) => read(content.kind, &content.body, is_ours),
            Conversation::Group(_) => Ok(None),
        };
        let told = match told {
            Ok(told) => told,
            Err(reason) => return Ok(Err(Refusal::Because(reason))),
        };
        if content.sequence > MAX_SEQUENCE {
            return Ok(Err(Refusal::Because(format!("its number is over {MAX_SEQUENCE}"))));
        }
        // Another process may have learned of another record since this one was verified.
        if !records::keep_record(connection, sender).await? {
            self.keep_fork(connection, content.sender, signed).await?;
            return Ok(Err(Refusal::Told(Warning::Fork(content.sender))));
        }
        match own.record.relation(content.recipient_head) {
            HeadRelation::Same | HeadRelation::Older => {
                let by = (content.sender, content.sender_device);
                contacts::set_known_by(connection, by, content.recipient_head.version).await?;
            }
            // The sender was shown another record of ours.
            HeadRelation::Ahead | HeadRelation::Fork => {
                self.keep_fork(connection, own.device.box_id, signed).await?;
                self.warn(connection, &Warning::Fork(own.device.box_id)).await?;
            }
        }
        if let Conversation::Group(_) = thread {
            return self.keep_in_group(connection, own, signed, fetched.accepted_at).await;
        }
        let chain = Chain { sender: content.sender, device, conversation };
        let link_hash = signed.link_hash();
        let held = messages::link(connection, &self.vault, chain, At::Exactly(content.sequence)).await?;
        if let Some(held) = held {
            return Ok(if held.hash == link_hash {
                Ok(Taken::Duplicate)
            } else {
                Err(Refusal::Told(Warning::TwoBodies { sender: content.sender }))
            });
        }
        self.check_chain(connection, own, chain, signed).await?;
        let kind = Kind::of(content.kind);
        let mut stored = StoredMessage {
            id: 0,
            thread,
            conversation,
            sender: content.sender,
            sender_device: device,
            sequence: content.sequence,
            previous: content.previous,
            link_hash,
            message_id: content.message_id,
            time: content.time,
            accepted_at: Some(fetched.accepted_at),
            kind: content.kind,
            body: content.body.clone(),
            state: if kind.is_shown() || kind.is_notice() { State::New } else { State::Read },
            is_shown: kind.is_shown(),
        };
        let mut sent_to = Vec::new();
        match told {
            Some(OwnMessage::Sent(sent)) => {
                sent_to.push(RecipientRow::new(sent.peer, State::Sent, sent.accepted_at));
                (stored.thread, stored.message_id, stored.time) =
                    (Conversation::Direct(sent.peer), sent.message_id, sent.time);
                (stored.kind, stored.body, stored.accepted_at) = (sent.kind, sent.body, sent.accepted_at);
                (stored.state, stored.is_shown) = (State::Sent, Kind::of(sent.kind).is_shown());
            }
            Some(told) => {
                self.heed(connection, &own.device, device, &told).await?;
                // What it said stands elsewhere now.
                stored.body = Octets::default();
            }
            None if is_of_groups(content.kind) => {
                let said = (content.kind, &content.body);
                if let Err(reason) = self.heed_group(connection, own, content.sender, said).await? {
                    return Ok(Err(Refusal::Because(reason)));
                }
                (stored.body, stored.state, stored.is_shown) = (Octets::default(), State::Read, false);
            }
            None if kind == Kind::ProfileKey && thread == Conversation::Direct(content.sender) => {
                if let Ok(Some(Content::ProfileKey(shared))) = Content::decode(kind, &content.body) {
                    self.heed_profile_key(connection, content.sender, &shared.key()).await?;
                }
                stored.body = Octets::default();
            }
            None => {}
        }
        self.file(connection, &stored, &sent_to).await?;
        if !is_ours {
            self.owe_delivered(connection, &stored).await?;
        }
        Ok(Ok(Taken::New))
    }

    /// Whether a verified message would be stored: it stands in a conversation that it may stand in, and its place is free.
    pub(super) async fn would_keep(&self, own: &Own, content: &MessageContent) -> Result<bool, ClientError> {
        if admit(own, content).is_err() {
            return Ok(false);
        }
        let (sender, device, conversation) = (content.sender, content.sender_device, content.conversation);
        let (chain, mut connection) = (Chain { sender, device, conversation }, self.store.read().await?);
        let held = messages::link(&mut connection, &self.vault, chain, At::Exactly(content.sequence)).await?;
        Ok(held.is_none())
    }

    /// Warns of what is missing before a message, and of what doesn't fit around it. A device that was linked gets nothing of what
    /// was before it: where a chain begins for it can't be told. Nor is anything missing beside a group: what was to be brought to a
    /// member is taken back when it is one no more, and what is lacking is known by the heads of the group's graph.
    async fn check_chain(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        chain: Chain,
        signed: &SignedContent,
    ) -> Result<(), ClientError> {
        let content = signed.content();
        let sender = chain.sender;
        let before = messages::link(connection, &self.vault, chain, At::Before(content.sequence)).await?;
        match before {
            Some(before) if before.sequence + 1 == content.sequence => {
                if content.previous != Some(before.hash) {
                    self.warn(connection, &Warning::BrokenChain { sender }).await?;
                }
            }
            None if was_linked(own) => {}
            _ if is_of_groups(content.kind) => {}
            before => {
                let missing = content.sequence - 1 - before.map_or(0, |before| before.sequence);
                if missing > 0 {
                    self.warn(connection, &Warning::Gap { sender, missing }).await?;
                }
            }
        }
        let next = At::Exactly(content.sequence + 1);
        if let Some(after) = messages::link(connection, &self.vault, chain, next).await?
            && after.previous != Some(signed.link_hash())
        {
            self.warn(connection, &Warning::BrokenChain { sender }).await?;
        }
        Ok(())
    }
}

/// Whether this device came to a box that was there before.
fn was_linked(own: &Own) -> bool {
    own.record.device(own.device.device_id).is_some_and(|device| device.linked_version > 1)
}

/// Reads what a message says. Gives what one of the own devices tells the others; what it says to people is read where it is
/// shown. The error says why it is refused.
fn read(kind: u32, body: &Octets, is_ours: bool) -> Result<Option<OwnMessage>, String> {
    match kind {
        FIRST_SIGNAL_KIND.. => Err("it is of a kind that is never kept".to_owned()),
        FIRST_OWN_KIND.. if !is_ours => Err("it is of a kind that only one's own devices may send".to_owned()),
        FIRST_OWN_KIND.. => OwnMessage::read(kind, body),
        _ => match Content::decode(Kind::of(kind), body) {
            Ok(_) => Ok(None),
            Err(error) => Err(format!("a message of kind {kind} is malformed: {error}")),
        },
    }
}

/// In which conversation a message is, if its sender and this box are both in it: else anybody could take places in anybody's.
/// It is the sender's with this box, or a group's, of which its changes tell who is in it, or beside a group, where it is about that
/// one: what stands there is shown in neither.
fn admit(own: &Own, content: &MessageContent) -> Result<Conversation, Refusal> {
    let (sender, own_box) = (content.sender, own.device.box_id);
    let is_direct = content.conversation == direct_conversation(sender, own_box);
    let is_beside = |group| content.conversation == conversation_beside_group(sender, own_box, group);
    match content.kind {
        kind if is_direct && is_of_groups(kind) => {
            Err(Refusal::of(&"it is a group's message and stands in no group's conversation"))
        }
        _ if is_direct || beside(content.kind, &content.body).is_some_and(is_beside) => {
            Ok(Conversation::Direct(sender))
        }
        GROUP_CONTENT | GROUP_CHANGES => Ok(Conversation::Group(content.conversation)),
        _ => Err(Refusal::of(&"its conversation is not that of its sender with this box")),
    }
}
