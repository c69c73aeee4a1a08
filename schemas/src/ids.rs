//! The ids of boxes, devices, commands, events and messages.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::encoding::Sha256Digest;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema,
        )]
        #[serde(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The id as its 16 raw octets, in the order of RFC 9562.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The id with these 16 raw octets.
            #[must_use]
            pub const fn from_bytes(octets: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(octets))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    };
}

uuid_id! {
    /// A box: a user's inbox, the unit of relation and of partitioning. A UUIDv8 whose first octet is the number of the
    /// birth region and whose rest comes from the founding statement; `rossby_crypto` computes it.
    BoxId
}
uuid_id! {
    /// One of a box's devices. Device ids are never used again.
    DeviceId
}
uuid_id! {
    /// One attempt to register an identifier from one device.
    RegistrationId
}
uuid_id! {
    /// A command: made by the client, so that repeating it is safe. It is also the capability to ask for its outcome,
    /// so it must be random.
    CommandId
}
uuid_id! {
    /// An event's id, derived from the command's by [`EventId::derive`].
    EventId
}
uuid_id! {
    /// The id under which a message lies in one box's queue: random for each box, and unrelated to the message id
    /// inside the ciphertext.
    OuterId
}
uuid_id! {
    /// Where a device that is to be linked and one of the box's leave messages for each other. It comes from the secret that
    /// the two share, and is the capability to read and write there.
    RendezvousId
}
uuid_id! {
    /// The id of a message inside its ciphertext, known to clients alone.
    MessageId
}

/// The namespace of event ids (a random UUID, constant for ever).
const EVENT_NAMESPACE: Uuid = Uuid::from_u128(0x6b1c_5f0e_93c4_4d0f_8a5e_2d74_0c9b_31e7);

impl BoxId {
    /// The region in which the box was born, which is its home region.
    #[must_use]
    pub const fn region(&self) -> RegionNumber {
        RegionNumber(self.0.as_bytes()[0])
    }
}

impl EventId {
    /// The id of the event that `command`'s `step` appends to `stream` of `topic`: a UUIDv5 over
    /// topic ‖ 0x00 ‖ stream ‖ command id ‖ u32 step, so that a repeated command makes the same event.
    #[must_use]
    pub fn derive(topic: crate::topic::Topic, stream: &str, command: CommandId, step: u32) -> Self {
        let mut name = Vec::with_capacity(topic.name().len() + stream.len() + 21);
        name.extend_from_slice(topic.name().as_bytes());
        name.push(0);
        name.extend_from_slice(stream.as_bytes());
        name.extend_from_slice(command.as_bytes());
        name.extend_from_slice(&step.to_be_bytes());
        Self(Uuid::new_v5(&EVENT_NAMESPACE, &name))
    }
}

/// The number of a region, fixed when it is founded; 1 to 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(transparent)]
pub struct RegionNumber(pub u8);

impl fmt::Display for RegionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The head of a key record: how many membership statements it has, and the SHA-256 of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// How many membership statements the record has; the founding statement alone makes 1.
    pub version: u32,
    /// SHA-256 of the last membership statement.
    #[schema(value_type = String, format = "base64url")]
    pub hash: Sha256Digest,
}

/// An identifier as the log and the tables know it: HMAC-SHA-256 under the server's secret, as 64 lowercase hexadecimal
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentifierHash(pub [u8; 32]);

/// How many slots there are from which an identifier's home region comes.
pub const IDENTIFIER_SLOTS: u16 = 1024;

impl IdentifierHash {
    /// The slot whose entry in the table of slots names the identifier's home region: the first ten bits.
    #[must_use]
    pub const fn slot(&self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]]) >> 6
    }
}

impl fmt::Display for IdentifierHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for IdentifierHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no identifier hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not 64 lowercase hexadecimal digits")]
pub struct NotAnIdentifierHash;

impl FromStr for IdentifierHash {
    type Err = NotAnIdentifierHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).map_err(|_| NotAnIdentifierHash)?;
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(NotAnIdentifierHash);
        }
        Ok(Self(hash))
    }
}

impl Serialize for IdentifierHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IdentifierHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for IdentifierHash {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IdentifierHash".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::Topic;

    #[test]
    fn event_ids_never_change() {
        let command = CommandId(Uuid::from_u128(7));
        let id = EventId::derive(Topic::Keys, "01000000-0000-8000-8000-000000000000", command, 1);
        assert_eq!(
            id.to_string(),
            EventId::derive(Topic::Keys, "01000000-0000-8000-8000-000000000000", command, 1).to_string()
        );
        assert_eq!(id.0.get_version_num(), 5);
        assert_ne!(id, EventId::derive(Topic::Keys, "01000000-0000-8000-8000-000000000000", command, 2));
        assert_ne!(id, EventId::derive(Topic::Profiles, "01000000-0000-8000-8000-000000000000", command, 1));
    }

    #[test]
    fn slots_are_the_first_ten_bits() {
        let mut hash = [0; 32];
        hash[0] = 0xff;
        hash[1] = 0xff;
        assert_eq!(IdentifierHash(hash).slot(), IDENTIFIER_SLOTS - 1);
        assert_eq!(IdentifierHash([0; 32]).slot(), 0);
    }

    #[test]
    fn identifier_hashes_are_lowercase_hex() {
        let hash = IdentifierHash([0xab; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(hash.to_string().to_uppercase().parse::<IdentifierHash>(), Err(NotAnIdentifierHash));
        assert_eq!("ab".parse::<IdentifierHash>(), Err(NotAnIdentifierHash));
    }
}
