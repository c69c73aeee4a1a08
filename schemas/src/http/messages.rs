//! Send, fetch and confirm.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::encoding::{Octets, Sha256Digest};
use crate::ids::{BoxId, Head, OuterId};
use crate::time::Timestamp;

/// How many messages one request may send.
pub const MAX_SENT: usize = 300;
/// How many octets a request to send may have: one message to a group of 250 members with ten devices each goes out in one
/// request. For ten devices a value has 12 KiB beside its content, so that a content of 8 KiB, the padded size of a text of
/// a page or two, makes 20 KiB of it, 27 KiB in base64, and 6.7 MiB for 250.
pub const MAX_SEND_OCTETS: usize = 8 * 1024 * 1024;
/// A long request to send gets a second more than others for so many octets, to arrive in and to be answered in.
pub const SEND_OCTETS_A_SECOND: usize = 128 * 1024;
/// How many messages one request may confirm.
pub const MAX_CONFIRMED: usize = 1000;
/// How many messages one fetch gives at most.
pub const MAX_FETCHED: u32 = 500;
/// How long a fetch may wait, in seconds.
pub const MAX_WAIT_SECONDS: u32 = 30;

/// Sends messages, each to one box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    /// The messages. Each stands by itself: one may be accepted while another is not.
    #[schema(min_items = 1, max_items = 300)]
    pub messages: Vec<OutgoingMessage>,
}

/// A message to one box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutgoingMessage {
    /// The box.
    pub recipient: BoxId,
    /// The message's id in that box's queue: random, and the same when the message is sent again.
    pub outer_id: OuterId,
    /// The message's value in the layout of `rossby_crypto::message`.
    pub value: Octets,
}

/// What became of each message, in the request's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SendResponse {
    /// What became of each message.
    pub results: Vec<SendResult>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SendResult {
    /// The box.
    pub recipient: BoxId,
    /// The message's id in that box's queue.
    pub outer_id: OuterId,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: SendOutcome,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum SendOutcome {
    /// It is in the log and will not be lost. Sending it again gives the same answer.
    Accepted {
        /// When it was accepted.
        accepted_at: Timestamp,
        /// Where it stands, for reads that must see it.
        position: PositionToken,
    },
    /// The recipient's key record has changed since the stated head, or a device's sealing key has: seal it anew.
    Stale {
        /// The recipient's current head.
        head: Head,
        /// The membership statements since the stated head; all of them if the record does not contain that head. Of several
        /// stale ones to a recipient the first has them, for all; so with the sealing statements.
        statements: Vec<Octets>,
        /// The current sealing statements of all devices.
        sealing_statements: Vec<Octets>,
    },
    /// There is no such recipient, or none for this sender.
    NoSuchRecipient,
    /// Whether it was accepted is not known: send it again with the same id.
    OutcomeUnknown,
    /// It was not accepted, because a part of the service cannot be reached: send it again.
    Unavailable,
}

/// Where a record stands in the log: `REGION/TOPIC/PARTITION/OFFSET`. A read that carries it waits until it is seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, example = "1/rossby.inbox/3/42")]
pub struct PositionToken(pub String);

/// What waits for the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FetchResponse {
    /// The messages, in the order in which they were accepted.
    pub messages: Vec<FetchedMessage>,
    /// Whether there are more: confirm these, and fetch again.
    pub more: bool,
    /// Whether the read saw the position that it was asked to wait for; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_seen: Option<bool>,
    /// What expired before the device fetched it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// Messages that expired before the device fetched them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lost {
    /// How many.
    pub messages: u64,
    /// When the first of them was accepted.
    pub from: Timestamp,
    /// When the last of them was accepted.
    pub until: Timestamp,
}

/// A message as one device fetches it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FetchedMessage {
    /// The message's id in the queue.
    pub outer_id: OuterId,
    /// SHA-256 of the message's value.
    #[schema(value_type = String, format = "base64url")]
    pub content_hash: Sha256Digest,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The head of the device's own key record that the sender stated.
    pub recipient_head: Head,
    /// The content's ciphertext.
    pub content: Octets,
    /// The counter of the sealing statement to which the content's key was sealed.
    pub sealing_counter: u64,
    /// HPKE's encapsulated key.
    pub enc: Octets,
    /// The content's key, sealed.
    pub wrapped_key: Octets,
    /// What to confirm it with.
    pub handle: Octets,
}

/// Confirms messages: they are no longer given to this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmRequest {
    /// The handles of the messages.
    #[schema(min_items = 1, max_items = 1000)]
    pub handles: Vec<Octets>,
}

/// The messages are confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfirmResponse {
    /// How many messages were confirmed; those that were confirmed before count too.
    pub confirmed: usize,
    /// Where the confirmation stands, for reads that must see it.
    pub position: PositionToken,
}
