//! Who may find a box, and who may write to it: the one place for both rules.
//!
//! Whatever the reason, the answer is the same: *no such recipient*.

use rossby_projections::Permission;
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::ids::BoxId;

/// How the box that asks stands to the one that it asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// A box is always found by its own devices, and always writes to itself.
    Own,
    /// Somebody else's.
    Other(Permission),
}

impl Relation {
    /// The relation of `asking` to `asked`, with what `asked` allows it.
    pub(crate) fn new(asking: BoxId, asked: BoxId, permission: Permission) -> Self {
        if asking == asked && permission.exists { Self::Own } else { Self::Other(permission) }
    }

    /// Whether the asking box may be told the other's key record and profile.
    pub(crate) fn may_find(self) -> bool {
        self.lets_in(|permission| permission.discoverable)
    }

    /// Whether the asking box may put messages into the other's queue.
    pub(crate) fn may_write(self) -> bool {
        self.lets_in(|permission| permission.accept_from)
    }

    fn lets_in(self, audience: impl Fn(&Permission) -> Audience) -> bool {
        match self {
            Self::Own => true,
            Self::Other(permission) => {
                permission.exists
                    && !permission.blocked
                    && match audience(&permission) {
                        Audience::Everyone => true,
                        Audience::Contacts => permission.contact,
                        Audience::Nobody => false,
                    }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Audience; 3] = [Audience::Everyone, Audience::Contacts, Audience::Nobody];

    fn permissions() -> impl Iterator<Item = Permission> {
        let bools = [false, true];
        bools.into_iter().flat_map(move |exists| {
            bools.into_iter().flat_map(move |blocked| {
                bools.into_iter().flat_map(move |contact| {
                    ALL.into_iter().flat_map(move |discoverable| {
                        ALL.into_iter().map(move |accept_from| Permission {
                            exists,
                            discoverable,
                            accept_from,
                            blocked,
                            contact,
                        })
                    })
                })
            })
        })
    }

    #[test]
    fn others_get_in_as_the_settings_say() {
        let (ann, bob) = (BoxId::from_bytes([1; 16]), BoxId::from_bytes([2; 16]));
        for permission in permissions() {
            let relation = Relation::new(ann, bob, permission);
            let expected = |audience| {
                permission.exists
                    && !permission.blocked
                    && (audience == Audience::Everyone || (audience == Audience::Contacts && permission.contact))
            };
            assert_eq!(relation.may_find(), expected(permission.discoverable), "{permission:?}");
            assert_eq!(relation.may_write(), expected(permission.accept_from), "{permission:?}");
        }
    }

    #[test]
    fn a_box_that_exists_is_open_to_its_own_devices() {
        let ann = BoxId::from_bytes([1; 16]);
        for permission in permissions() {
            let relation = Relation::new(ann, ann, permission);
            assert_eq!((relation.may_find(), relation.may_write()), (permission.exists, permission.exists));
        }
    }
}
