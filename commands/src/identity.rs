//! What a command is known by: its id, and the hash of its body.

use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::CommandId;
use sha2::{Digest as _, Sha256};

/// A command's id with the hash of its body, by which the same id with another body is known.
///
/// The hash stands in the log for ever, so nothing goes into it that could be found by trying: identifiers only as keyed
/// hashes, codes only as the signature over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommandIdentity {
    pub(crate) id: CommandId,
    pub(crate) hash: Sha256Digest,
}

impl CommandIdentity {
    /// The identity of a command of this verb with these fields, in their order.
    pub(crate) fn new(id: CommandId, verb: &str, fields: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"rossby/v1/command");
        for field in std::iter::once(verb.as_bytes()).chain(fields.iter().copied()) {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        let digest: [u8; 32] = hash.finalize().into();
        Self { id, hash: digest.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_verbs_do_not_run_into_each_other() {
        let id = CommandId::from_bytes([1; 16]);
        let hash = |verb, fields: &[&[u8]]| CommandIdentity::new(id, verb, fields).hash;
        let all = [
            hash("a", &[b"bc", b"d"]),
            hash("a", &[b"b", b"cd"]),
            hash("a", &[b"bcd"]),
            hash("ab", &[b"c", b"d"]),
            hash("a", &[b"bc", b"d", b""]),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|other| other != one), "{i}");
        }
        assert_eq!(hash("a", &[b"bc"]), hash("a", &[b"bc"]));
    }
}
