//! The live stream: the frames that go over its WebSocket, each a JSON text with a `type`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::messages::{FetchedMessage, Lost, OutgoingMessage, PositionToken};
use super::problem::Problem;
use super::signals::{ReceivedSignal, SignalResult};
use crate::encoding::Octets;

/// How many octets a frame of the client's has at most.
pub const MAX_CLIENT_FRAME_OCTETS: usize = 256 * 1024;
/// No frame of the server's is longer.
pub const MAX_SERVER_FRAME_OCTETS: usize = 1024 * 1024;

/// Why the server closes a stream: the close frame's code.
pub mod close {
    /// The server stops: connect again, and come to another process.
    pub const STOPPING: u16 = 1001;
    /// A frame that is no text.
    pub const NO_TEXT: u16 = 1003;
    /// A frame that could not be read.
    pub const MALFORMED: u16 = 1007;
    /// A frame that is too long.
    pub const TOO_LARGE: u16 = 1009;
    /// A defect of the server's.
    pub const FAILED: u16 = 1011;
    /// The device's token is no longer good.
    pub const REVOKED: u16 = 4401;
    /// Nothing was heard of the client for too long, or it took nothing.
    pub const SILENT: u16 = 4408;
}

/// A frame of the server's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ServerFrame {
    /// A message that waits for this device.
    Message(FetchedMessage),
    /// A signal to this device's box.
    Signal(ReceivedSignal),
    /// Something of this device's account is another than before: ask for it.
    Changed {
        /// What.
        what: Changed,
    },
    /// Everything that waits has been sent.
    CaughtUp {
        /// What expired before the device fetched it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lost: Option<Lost>,
    },
    /// The answer to `confirm`.
    Confirmed {
        /// The number that the client gave its frame.
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<u64>,
        /// How many messages were confirmed; those that were confirmed before count too.
        confirmed: usize,
        /// Where the confirmation stands, for reads that must see it.
        position: PositionToken,
    },
    /// The answer to `signal`.
    Signalled {
        /// The number that the client gave its frame.
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<u64>,
        /// What became of each signal.
        results: Vec<SignalResult>,
    },
    /// The answer to a frame that was refused.
    Problem {
        /// The number that the client gave its frame, if it could be read.
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<u64>,
        /// What is wrong.
        problem: Problem,
    },
}

/// What of an account has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Changed {
    /// The key record, a device, or an identifier.
    Account,
    /// The settings, the lists, or the encrypted profile.
    Profile,
}

/// A frame of the client's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ClientFrame {
    /// Confirms messages, which are no longer given to this device then.
    Confirm(ConfirmFrame),
    /// Sends signals.
    Signal(SignalFrame),
}

/// Confirms messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmFrame {
    /// A number of the client's, which the answer repeats.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
    /// The handles of the messages.
    #[schema(min_items = 1, max_items = 1000)]
    pub handles: Vec<Octets>,
}

/// Sends signals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalFrame {
    /// A number of the client's, which the answer repeats.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
    /// The signals, in the form of messages.
    #[schema(min_items = 1, max_items = 300)]
    pub signals: Vec<OutgoingMessage>,
}
