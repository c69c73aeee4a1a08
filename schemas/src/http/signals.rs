//! Signals: sealed like messages, for devices that are connected now, and kept nowhere.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::messages::OutgoingMessage;
use crate::encoding::Octets;
use crate::ids::{BoxId, Head, OuterId};
use crate::time::Timestamp;

/// How many signals one request may send.
pub const MAX_SIGNALS: usize = 300;
/// How many octets the ciphertext of a signal's content has at most: the padded content of 1024 octets, the commitment to its
/// key and a tag.
pub const MAX_SIGNAL_CIPHERTEXT_OCTETS: usize = 1024 + 32 + 16;
/// How many seconds after it was sent a signal is no longer given to anyone.
pub const SIGNAL_LIFETIME_SECONDS: u64 = 10;

/// Sends signals, each to one box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalRequest {
    /// The signals, in the form of messages. Each stands by itself: one may be accepted while another is not.
    #[schema(min_items = 1, max_items = 300)]
    pub signals: Vec<OutgoingMessage>,
}

/// What became of each signal, in the request's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignalResponse {
    /// What became of each signal.
    pub results: Vec<SignalResult>,
}

/// What became of a signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignalResult {
    /// The box.
    pub recipient: BoxId,
    /// The signal's id.
    pub outer_id: OuterId,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: SignalOutcome,
}

/// What became of a signal. Whether a device of the recipient's is connected is told to nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum SignalOutcome {
    /// It is given to the devices that are connected.
    Accepted,
    /// The recipient's key record has changed since the stated head, or a device's sealing key has.
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
    /// Whether it was accepted is not known.
    OutcomeUnknown,
    /// It was not accepted, because a part of the service cannot be reached.
    Unavailable,
}

/// A signal as one device gets it. Nothing confirms it, and it does not come again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceivedSignal {
    /// The signal's id.
    pub outer_id: OuterId,
    /// When it was sent, by the server's clock.
    pub sent_at: Timestamp,
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
}
