//! Kind 9: what opens the sender's profile. Kind 1005, among the own devices: what opens profiles.

use rossby_crypto::profile::ProfileKey;
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::ids::BoxId;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use super::peer_states::MAX_PEERS;
use super::{Body, ContentError};

/// What opens a profile. It is a secret of those whom its owner has accepted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedProfileKey {
    key: FixedOctets<32>,
    version: u32,
}

impl std::fmt::Debug for SharedProfileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SharedProfileKey(version {}, secret)", self.version)
    }
}

impl Drop for SharedProfileKey {
    fn drop(&mut self) {
        self.key.0.zeroize();
    }
}

impl SharedProfileKey {
    pub(crate) fn of(key: &ProfileKey) -> Self {
        Self { key: FixedOctets(*key.as_bytes()), version: key.version() }
    }

    pub(crate) fn key(&self) -> ProfileKey {
        ProfileKey::from_bytes(self.version, &self.key.0)
    }
}

impl Body for SharedProfileKey {
    fn check(&self) -> Result<(), ContentError> {
        if self.version == 0 { Err(ContentError::field("version", "is counted from 1")) } else { Ok(()) }
    }
}

/// What opens the own profile, and those of others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProfileKeys {
    /// The own one. The latest version counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) own: Option<SharedProfileKey>,
    /// Others', for a device that was linked after they came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) peers: Vec<PeerProfileKey>,
}

/// What opens somebody's profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeerProfileKey {
    pub(crate) box_id: BoxId,
    #[serde(flatten)]
    pub(crate) key: SharedProfileKey,
}

impl Body for ProfileKeys {
    fn check(&self) -> Result<(), ContentError> {
        if self.peers.len() > MAX_PEERS {
            let reason = format!("has {} entries; at most {MAX_PEERS} are taken", self.peers.len());
            return Err(ContentError::field("peers", reason));
        }
        self.own.iter().chain(self.peers.iter().map(|peer| &peer.key)).try_for_each(Body::check)
    }
}
