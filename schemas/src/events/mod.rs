//! The events, one module for each topic. A type that has been released is frozen: a change is a new version beside it.
//!
//! Names, JSON Schemas and golden files are checked in under `schemas/json` and `schemas/golden`; golden files are only
//! ever added.

pub mod identifiers;
pub mod inbox;
pub mod keys;
pub mod log;
pub mod profiles;
pub mod registrations;
pub mod signals;

use bytes::Bytes;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::encoding::{FixedOctets, Octets};
use crate::envelope::{Envelope, JSON, OCTETS};
use crate::ids::{BoxId, DeviceId, OuterId};
use crate::topic::Topic;

/// A command as the device signed it, kept so that the account's owner can check the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedCommand {
    /// The device that signed.
    pub device_id: DeviceId,
    /// The signed octets, in the layout of `rossby_crypto::account`.
    pub command: Octets,
    /// The device's Ed25519 signature.
    #[schema(value_type = String, format = "base64url")]
    pub signature: FixedOctets<64>,
}

/// Why an event's data could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A type that this version of Rossby does not know.
    #[error("the event type {0} is unknown to this version")]
    UnknownType(String),
    /// Data that is not what its type says.
    #[error("the data of an event of type {event_type} cannot be read: {reason}")]
    Malformed {
        /// The event's type.
        event_type: String,
        /// What is wrong.
        reason: String,
    },
}

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($data:ty) = $topic:expr, $name:literal;)*) => {
        /// Every event that this version of Rossby reads and writes as JSON, and messages and signals, whose data is octets.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Event {
            $($(#[$doc])* $variant($data),)*
            /// A message entered a box's queue.
            MessageEnqueuedV1(inbox::MessageEnqueuedV1),
            /// A signal was sent to a box.
            SignalSentV1(signals::SignalSentV1),
        }

        impl Event {
            /// The type's name with its version.
            #[must_use]
            pub const fn event_type(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                    Self::MessageEnqueuedV1(_) => inbox::MessageEnqueuedV1::TYPE,
                    Self::SignalSentV1(_) => signals::SignalSentV1::TYPE,
                }
            }

            /// Reads an event.
            ///
            /// # Errors
            /// [`DecodeError::UnknownType`] for a type of a later version, [`DecodeError::Malformed`] for anything else.
            pub fn decode(envelope: &Envelope) -> Result<Self, DecodeError> {
                match envelope.event_type.as_str() {
                    $($name => json(envelope).map(Self::$variant),)*
                    inbox::MessageEnqueuedV1::TYPE => inbox::MessageEnqueuedV1::decode(envelope).map(Self::MessageEnqueuedV1),
                    signals::SignalSentV1::TYPE => signals::SignalSentV1::decode(envelope).map(Self::SignalSentV1),
                    unknown => Err(DecodeError::UnknownType(unknown.to_owned())),
                }
            }

            /// The event's data as it stands in the record's value, and its media type.
            #[must_use]
            pub fn encode(&self) -> (&'static str, Bytes) {
                match self {
                    $(Self::$variant(data) => (JSON, to_json(data)),)*
                    Self::MessageEnqueuedV1(message) => (OCTETS, message.value.0.clone()),
                    Self::SignalSentV1(signal) => (OCTETS, signal.value.0.clone()),
                }
            }

            /// The topic that the event belongs to; none for those that may stand in any.
            #[must_use]
            pub const fn topic(&self) -> Option<Topic> {
                match self {
                    $(Self::$variant(_) => $topic,)*
                    Self::MessageEnqueuedV1(_) => Some(Topic::Inbox),
                    Self::SignalSentV1(_) => Some(Topic::Signals),
                }
            }

            /// The JSON Schema of each type whose data is JSON.
            #[must_use]
            pub fn schemas() -> Vec<(&'static str, Schema)> {
                vec![$(($name, schemars::schema_for!($data)),)*]
            }

            /// The names of all types.
            pub const TYPES: &[&str] =
                &[$($name,)* inbox::MessageEnqueuedV1::TYPE, signals::SignalSentV1::TYPE];
        }
    };
}

events! {
    /// A registration was asked for.
    RegistrationAskedV1(registrations::RegistrationAskedV1) = Some(Topic::Registrations), "org.rossby.registrations.registration-asked.v1";
    /// A device of a box asked for a code.
    CodeAskedV1(registrations::CodeAskedV1) = Some(Topic::Registrations), "org.rossby.registrations.code-asked.v1";
    /// A code was issued for a registration.
    CodeIssuedV1(registrations::CodeIssuedV1) = Some(Topic::Registrations), "org.rossby.registrations.code-issued.v1";
    /// A code was guessed.
    CodeGuessedV1(registrations::CodeGuessedV1) = Some(Topic::Registrations), "org.rossby.registrations.code-guessed.v1";
    /// An identifier was shown to belong to a box's person.
    IdentifierVerifiedV1(identifiers::IdentifierVerifiedV1) = Some(Topic::Identifiers), "org.rossby.identifiers.identifier-verified.v1";
    /// An identifier was shown to belong to a box's person, the box's first or one more.
    IdentifierVerifiedV2(identifiers::IdentifierVerifiedV2) = Some(Topic::Identifiers), "org.rossby.identifiers.identifier-verified.v2";
    /// An identifier no longer belongs to a box.
    IdentifierReleasedV1(identifiers::IdentifierReleasedV1) = Some(Topic::Identifiers), "org.rossby.identifiers.identifier-released.v1";
    /// An identifier no longer belongs to a box, by whose command.
    IdentifierReleasedV2(identifiers::IdentifierReleasedV2) = Some(Topic::Identifiers), "org.rossby.identifiers.identifier-released.v2";
    /// An identifier that belongs to a box is claimed for another.
    IdentifierClaimedV1(identifiers::IdentifierClaimedV1) = Some(Topic::Identifiers), "org.rossby.identifiers.identifier-claimed.v1";
    /// A device of the box that an identifier belongs to has objected to a claim.
    ClaimObjectedV1(identifiers::ClaimObjectedV1) = Some(Topic::Identifiers), "org.rossby.identifiers.claim-objected.v1";
    /// A box was founded.
    BoxFoundedV1(keys::BoxFoundedV1) = Some(Topic::Keys), "org.rossby.keys.box-founded.v1";
    /// A device was linked.
    DeviceLinkedV1(keys::DeviceLinkedV1) = Some(Topic::Keys), "org.rossby.keys.device-linked.v1";
    /// A device stated the key that messages are sealed to.
    SealingKeyStatedV1(keys::SealingKeyStatedV1) = Some(Topic::Keys), "org.rossby.keys.sealing-key-stated.v1";
    /// A device was removed.
    DeviceRemovedV1(keys::DeviceRemovedV1) = Some(Topic::Keys), "org.rossby.keys.device-removed.v1";
    /// A device's token was revoked.
    TokenRevokedV1(keys::TokenRevokedV1) = Some(Topic::Keys), "org.rossby.keys.token-revoked.v1";
    /// A box is about to close.
    BoxClosingV1(keys::BoxClosingV1) = Some(Topic::Keys), "org.rossby.keys.box-closing.v1";
    /// A box is closed.
    BoxClosedV1(keys::BoxClosedV1) = Some(Topic::Keys), "org.rossby.keys.box-closed.v1";
    /// Who may find the box was set.
    DiscoverableSetV1(profiles::DiscoverableSetV1) = Some(Topic::Profiles), "org.rossby.profiles.discoverable-set.v1";
    /// From whom the box accepts messages was set.
    AcceptFromSetV1(profiles::AcceptFromSetV1) = Some(Topic::Profiles), "org.rossby.profiles.accept-from-set.v1";
    /// Another box was blocked.
    BoxBlockedV1(profiles::BoxBlockedV1) = Some(Topic::Profiles), "org.rossby.profiles.box-blocked.v1";
    /// Another box is no longer blocked.
    BoxUnblockedV1(profiles::BoxUnblockedV1) = Some(Topic::Profiles), "org.rossby.profiles.box-unblocked.v1";
    /// Another box became a contact.
    ContactAddedV1(profiles::ContactAddedV1) = Some(Topic::Profiles), "org.rossby.profiles.contact-added.v1";
    /// Another box is no longer a contact.
    ContactRemovedV1(profiles::ContactRemovedV1) = Some(Topic::Profiles), "org.rossby.profiles.contact-removed.v1";
    /// The encrypted profile was set.
    ProfileBlobSetV1(profiles::ProfileBlobSetV1) = Some(Topic::Profiles), "org.rossby.profiles.profile-blob-set.v1";
    /// A device confirmed messages.
    MessagesAcknowledgedV1(inbox::MessagesAcknowledgedV1) = Some(Topic::Inbox), "org.rossby.inbox.messages-acknowledged.v1";
    /// Two devices that are about to be linked talk.
    RendezvousPostedV1(inbox::RendezvousPostedV1) = Some(Topic::Inbox), "org.rossby.inbox.rendezvous-posted.v1";
    /// A region says what a stretch of a partition holds.
    PartitionCheckpointV1(log::PartitionCheckpointV1) = None, "org.rossby.log.partition-checkpoint.v1";
}

impl Event {
    /// The id that an event whose data is octets has in its envelope.
    #[must_use]
    pub const fn outer_id(&self) -> Option<OuterId> {
        match self {
            Self::MessageEnqueuedV1(message) => Some(message.outer_id),
            Self::SignalSentV1(signal) => Some(signal.outer_id),
            _ => None,
        }
    }
}

/// What an event whose data is octets says: its box, its id and its data.
fn octets(envelope: &Envelope) -> Result<(BoxId, OuterId, Octets), DecodeError> {
    let malformed =
        |reason: &str| DecodeError::Malformed { event_type: envelope.event_type.clone(), reason: reason.into() };
    if envelope.content_type != OCTETS {
        return Err(malformed("the content type is not application/octet-stream"));
    }
    let box_id = envelope.stream.parse().map_err(|_| malformed("the subject is no BoxID"))?;
    let outer_id = envelope.outer_id.ok_or_else(|| malformed("there is no ce_outerid"))?;
    Ok((box_id, outer_id, Octets(envelope.data.clone())))
}

fn json<T: for<'de> Deserialize<'de>>(envelope: &Envelope) -> Result<T, DecodeError> {
    let malformed = |reason: String| DecodeError::Malformed { event_type: envelope.event_type.clone(), reason };
    if envelope.content_type != JSON {
        return Err(malformed(format!("the content type is {}, not {JSON}", envelope.content_type)));
    }
    serde_json::from_slice(&envelope.data).map_err(|err| malformed(err.to_string()))
}

fn to_json<T: Serialize>(data: &T) -> Bytes {
    // Fails only for maps whose keys are no strings and for errors of hand-written serializers; the events have neither.
    serde_json::to_vec(data).map(Bytes::from).unwrap_or_default()
}
