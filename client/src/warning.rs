//! What a person should know, though it stops nothing.

use std::fmt;

use rossby_schemas::http::messages::Lost;
use rossby_schemas::ids::{BoxId, DeviceId};

/// What a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The server showed a shorter key record than it did before. The longer one is kept.
    ShorterRecord(BoxId),
    /// A sealing statement was refused; the one that is known is kept.
    RefusedSealingStatement {
        /// The box.
        box_id: BoxId,
        /// Why.
        reason: String,
    },
    /// The box was shown with two contradicting key records.
    Fork(BoxId),
    /// The identifier leads to another box now.
    RootChanged {
        /// The identifier.
        identifier: String,
    },
    /// A device of the recipient will not get the message.
    LeftOut {
        /// The device.
        device_id: DeviceId,
        /// Why.
        reason: String,
    },
    /// Messages of the sender before this one haven't come.
    Gap {
        /// The sender.
        sender: BoxId,
        /// How many are missing.
        missing: u64,
    },
    /// The message does not follow after the one that came before it: one of them was shown to us alone.
    BrokenChain {
        /// The sender.
        sender: BoxId,
    },
    /// The sender has sent two different messages under one number; the first is kept.
    TwoBodies {
        /// The sender.
        sender: BoxId,
    },
    /// A message that waited in the outbox will not be sent.
    NotSent {
        /// The recipient.
        recipient: BoxId,
        /// Why.
        reason: &'static str,
    },
    /// A message was refused.
    RefusedMessage {
        /// Why.
        reason: String,
    },
    /// Messages expired before this device fetched them.
    Lost(Lost),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShorterRecord(box_id) => {
                write!(f, "the server showed an older key record of box {box_id} than before; the newer one is kept")
            }
            Self::RefusedSealingStatement { box_id, reason } => {
                write!(f, "a sealing key of box {box_id} was refused: {reason}")
            }
            Self::Fork(box_id) => write!(
                f,
                "box {box_id} was shown with two key records that contradict each other; nothing is sent to it any more"
            ),
            Self::RootChanged { identifier } => write!(
                f,
                "{identifier} leads to another box than before, with other keys; nothing is sent to it until you accept that"
            ),
            Self::LeftOut { device_id, reason } => write!(f, "device {device_id} will not get it: {reason}"),
            Self::Gap { sender, missing } => {
                write!(f, "{missing} of the messages that box {sender} sent before haven't come")
            }
            Self::BrokenChain { sender } => {
                write!(f, "a message of box {sender} does not follow after the one before it")
            }
            Self::TwoBodies { sender } => {
                write!(f, "box {sender} sent two different messages under one number; the first is kept")
            }
            Self::NotSent { recipient, reason } => {
                write!(f, "a message to box {recipient} was not sent: {reason}")
            }
            Self::RefusedMessage { reason } => write!(f, "a message was refused: {reason}"),
            Self::Lost(lost) => write!(
                f,
                "{} messages expired before this device fetched them; they were accepted from {} to {}",
                lost.messages, lost.from, lost.until
            ),
        }
    }
}
