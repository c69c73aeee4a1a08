//! `rossby.profiles`: keyed by BoxID, a stream for each profile, kept for ever.
//!
//! Blocked boxes and contacts stand as tags: HMAC(acl key of the box, other box).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::SignedCommand;
use crate::encoding::{FixedOctets, Octets};
use crate::ids::BoxId;

/// Whom a setting lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// Everyone who is not blocked.
    Everyone,
    /// Contacts alone.
    Contacts,
    /// Nobody.
    Nobody,
}

/// Another box as one box's lists know it: HMAC-SHA-256(acl key, other BoxID).
pub type AclTag = FixedOctets<32>;

/// Who may find the box was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscoverableSetV1 {
    /// The box.
    pub box_id: BoxId,
    /// Who may find it.
    pub discoverable: Audience,
    /// The command, as signed.
    pub signed: SignedCommand,
}

/// From whom the box accepts messages was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptFromSetV1 {
    /// The box.
    pub box_id: BoxId,
    /// From whom it accepts messages.
    pub accept_from: Audience,
    /// The command, as signed.
    pub signed: SignedCommand,
}

macro_rules! tag_event {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The box whose list changed.
            pub box_id: BoxId,
            /// The other box, as a tag.
            pub tag: AclTag,
            /// The command, as signed.
            pub signed: SignedCommand,
        }
    };
}

tag_event! {
    /// Another box was blocked.
    BoxBlockedV1
}
tag_event! {
    /// Another box is no longer blocked.
    BoxUnblockedV1
}
tag_event! {
    /// Another box became a contact.
    ContactAddedV1
}
tag_event! {
    /// Another box is no longer a contact.
    ContactRemovedV1
}

/// The encrypted profile was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileBlobSetV1 {
    /// The box.
    pub box_id: BoxId,
    /// The encrypted profile; empty to take it away.
    pub blob: Octets,
    /// The command, as signed.
    pub signed: SignedCommand,
}
