//! Keeping what came: each verified message once, in its place in its sender's chain.

use rossby_crypto::conversation::direct_conversation;
use rossby_crypto::key_record::{HeadRelation, KeyRecord};
use rossby_crypto::message::{MessageContent, SignedContent};
use rossby_schemas::http::messages::FetchedMessage;
use sqlx::SqliteConnection;

use super::Conversation;
use super::own_devices::{FIRST_OWN_KIND, OwnMessage};
use super::receive::Taken;
use super::verify::Refusal;
use crate::Client;
use crate::account::Own;
use crate::error::ClientError;
use crate::store::contacts;
use crate::store::messages::{self, At, Chain, State, StoredMessage};
use crate::store::outbox::{self, RecipientRow};
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
        if content.kind >= FIRST_OWN_KIND && !is_ours {
            return Ok(Err(Refusal::of(&"it is of a kind that only one's own devices may send")));
        }
        let told = match OwnMessage::read(content.kind, &content.body) {
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
                contacts::set_knows_version(connection, content.sender, content.recipient_head.version).await?;
            }
            // The sender was shown another record of ours.
            HeadRelation::Ahead | HeadRelation::Fork => {
                self.keep_fork(connection, own.device.box_id, signed).await?;
                self.warn(connection, &Warning::Fork(own.device.box_id)).await?;
            }
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
        self.check_chain(connection, chain, signed).await?;
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
            state: State::New,
            is_shown: content.kind < FIRST_OWN_KIND,
        };
        let mut sent_to = None;
        match told {
            Some(OwnMessage::Sent(sent)) => {
                let (box_id, accepted_at) = (sent.peer, sent.accepted_at);
                sent_to = Some(RecipientRow { box_id, state: State::Sent, accepted_at, reason: None });
                (stored.thread, stored.message_id, stored.time) =
                    (Conversation::Direct(sent.peer), sent.message_id, sent.time);
                (stored.kind, stored.body, stored.accepted_at) = (sent.kind, sent.body, sent.accepted_at);
                (stored.state, stored.is_shown) = (State::Sent, true);
            }
            Some(told) => self.heed(connection, &own.device, &told).await?,
            None => {}
        }
        let message = messages::insert(connection, &self.vault, &stored).await?;
        if let Some(recipient) = sent_to {
            outbox::add_recipient(connection, message, &recipient).await?;
        }
        Ok(Ok(Taken::New))
    }

    /// Warns of what is missing before a message, and of what doesn't fit around it.
    async fn check_chain(
        &self,
        connection: &mut SqliteConnection,
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

/// In which conversation a message is, if its sender and this box are both in it: else anybody could take places in anybody's.
/// It is the sender's with this box; whatever else a message may name is admitted here.
fn admit(own: &Own, content: &MessageContent) -> Result<Conversation, Refusal> {
    if content.conversation == direct_conversation(content.sender, own.device.box_id) {
        return Ok(Conversation::Direct(content.sender));
    }
    Err(Refusal::of(&"its conversation is not that of its sender with this box"))
}
