//! Signals that come: opened and verified like messages, and kept nowhere. Only people whom this one has accepted are heard, and
//! only what is new.

use std::collections::HashMap;
use std::time::Duration;

use rossby_crypto::conversation::direct_conversation;
use rossby_crypto::group::GroupId;
use rossby_crypto::key_record::Device;
use rossby_schemas::http::signals::ReceivedSignal;
use rossby_schemas::ids::{BoxId, DeviceId};
use rossby_schemas::time::Timestamp;
use tokio::time::Instant;

use super::Typing;
use crate::Client;
use crate::account::Own;
use crate::content::{self, Standing};
use crate::error::ClientError;
use crate::messages::Conversation;
use crate::store::{contacts, peers, records};

/// By how much a sender's time may be off: the clocks of both by a minute, as the server takes them, and the way.
const FRESH: Duration = Duration::from_secs(130);
/// Whoever says nothing more for so long has stopped to write.
const EXPIRES: Duration = Duration::from_secs(7);

/// What was heard of others' writing.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// The time of each device's last: an older one is a replay, or late.
    last: HashMap<(BoxId, DeviceId), Timestamp>,
    /// Who writes, and until when they are taken to.
    writing: HashMap<(Conversation, BoxId), (Instant, Option<String>)>,
}

/// A signal that is its sender's.
#[derive(Debug, PartialEq, Eq)]
struct Indication {
    sender: (BoxId, DeviceId),
    conversation: Conversation,
    time: Timestamp,
    is_typing: bool,
}

impl Heard {
    /// Takes a signal. Gives what is told, if anything is: whoever can't be verified, is a stranger, or says what is old, is
    /// not heard, and nothing is told of them.
    pub(super) async fn hear(
        &mut self,
        client: &Client,
        own: &Own,
        signal: &ReceivedSignal,
    ) -> Result<Option<Typing>, ClientError> {
        let indication = match verified(client, own, signal).await? {
            Ok(indication) => indication,
            Err(reason) => {
                tracing::debug!(reason, "a signal is not heard");
                return Ok(None);
            }
        };
        if self.last.get(&indication.sender).is_some_and(|last| indication.time <= *last) {
            return Ok(None);
        }
        self.last.insert(indication.sender, indication.time);
        let (box_id, _) = indication.sender;
        let mut connection = client.store.read().await?;
        let identifier = contacts::identifiers_of(&mut connection, box_id).await?.into_iter().next();
        Ok(self.note((indication.conversation, box_id), identifier, indication.is_typing, Instant::now()))
    }

    /// Notes that somebody writes or has stopped. Gives that, if it is new.
    fn note(
        &mut self,
        of: (Conversation, BoxId),
        identifier: Option<String>,
        is_typing: bool,
        now: Instant,
    ) -> Option<Typing> {
        let (conversation, box_id) = of;
        let was_typing = if is_typing {
            self.writing.insert(of, (now + EXPIRES, identifier.clone())).is_some()
        } else {
            self.writing.remove(&of).is_some()
        };
        (was_typing != is_typing).then_some(Typing { conversation, box_id, identifier, is_typing })
    }

    /// When somebody is to be taken to have stopped.
    pub(super) fn expire_at(&self) -> Option<Instant> {
        self.writing.values().map(|(until, _)| *until).min()
    }

    /// Who is taken to have stopped.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Typing> {
        self.stop(|until| until <= now)
    }

    /// Takes everybody to have stopped.
    pub(super) fn forget(&mut self) -> Vec<Typing> {
        self.stop(|_| true)
    }

    fn stop(&mut self, has_stopped: impl Fn(Instant) -> bool) -> Vec<Typing> {
        let stopped =
            |((conversation, box_id), (_, identifier))| Typing { conversation, box_id, identifier, is_typing: false };
        self.writing.extract_if(|_, (until, _)| has_stopped(*until)).map(stopped).collect()
    }
}

/// What a signal says, if it is what it says to be. The inner error says why it is not heard.
async fn verified(
    client: &Client,
    own: &Own,
    signal: &ReceivedSignal,
) -> Result<Result<Indication, String>, ClientError> {
    let signed = match client.open_message(own, signal.into()).await? {
        Ok(signed) => signed,
        Err(reason) => return Ok(Err(reason)),
    };
    let content = signed.content();
    if content.kind != content::Typing::KIND {
        return Ok(Err(format!("its kind is {}", content.kind)));
    }
    let now = client.http.server_now();
    if now.since(content.time) > FRESH || content.time.since(now) > FRESH {
        return Ok(Err("its time is too far from now".to_owned()));
    }
    let mut connection = client.store.read().await?;
    if content.sender == own.device.box_id
        || peers::state(&mut connection, content.sender).await?.standing != Standing::Accepted
    {
        return Ok(Err("its sender has not been accepted".to_owned()));
    }
    if records::is_forked(&mut connection, content.sender).await? {
        return Ok(Err("its sender's key record has forked".to_owned()));
    }
    // Nobody is looked up for a signal. A device that is not known yet is heard once it has written.
    let Some(record) = records::key_record(&mut connection, content.sender).await? else {
        return Ok(Err("its sender's key record is not known".to_owned()));
    };
    if let Err(error) = signed.verify(&record) {
        return Ok(Err(error.to_string()));
    }
    if !record.device(content.sender_device).is_some_and(Device::is_member) {
        return Ok(Err("its device was removed".to_owned()));
    }
    let (own_box, group) = (own.device.box_id, GroupId(content.conversation));
    let conversation = if content.conversation == direct_conversation(content.sender, own_box) {
        Conversation::Direct(content.sender)
    } else if client.fellows(&mut connection, own_box, group).await?.contains(&content.sender) {
        Conversation::Group(content.conversation)
    } else {
        return Ok(Err("its conversation is not one of its sender with this box".to_owned()));
    };
    let typing = match content::decode::<content::Typing>(&content.body) {
        Ok(typing) if typing.conversation == content.conversation => typing,
        Ok(_) => return Ok(Err("it is about another conversation than it is in".to_owned())),
        Err(error) => return Ok(Err(error.to_string())),
    };
    let sender = (content.sender, content.sender_device);
    Ok(Ok(Indication { sender, conversation, time: content.time, is_typing: typing.is_typing }))
}

#[cfg(test)]
mod tests;
