//! The projection `history`: what happened to each account, for its owner to check.
//!
//! An event is kept for the box that it is about. What a claim says is two boxes' affair: each gets to know that it was made,
//! and not what it says of the other. The box that an identifier goes away from is told so by an entry of its own.

use rossby_crypto::statements::{MembershipStatement, Remover};
use rossby_schemas::encoding::Octets;
use rossby_schemas::envelope::{Control, Envelope};
use rossby_schemas::events::{Event, SignedCommand};
use rossby_schemas::ids::{BoxId, DeviceId};
use rossby_schemas::topic::Topic;

use crate::store::{HistoryRow, Ownership, StoreError, Tx};

/// What an event is to one box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Concern {
    box_id: BoxId,
    device_id: Option<DeviceId>,
    ownership: Ownership,
    /// Whether all that it says is this box's.
    is_whole: bool,
}

impl Concern {
    const fn of(box_id: BoxId, device_id: Option<DeviceId>) -> Self {
        Self { box_id, device_id, ownership: Ownership::Same, is_whole: true }
    }
}

/// Applies an admitted event of `rossby.identifiers`, `rossby.keys` or `rossby.profiles`.
pub(crate) async fn apply(
    tx: &mut Tx,
    topic: Topic,
    envelope: &Envelope,
    control: &Control,
    event: &Event,
) -> Result<(), StoreError> {
    let (mut concerned, other) = concerns(event);
    concerned.extend(other);
    if let Some(gained) = concerned.iter().find(|concern| concern.ownership == Ownership::Gained).copied()
        // Of its own stream alone, whose events come in their order.
        && let Some(owner) = tx.history_owner(topic, &envelope.stream, control.expected_version).await?
        && owner != gained.box_id
    {
        concerned.push(Concern { box_id: owner, device_id: None, ownership: Ownership::Lost, is_whole: false });
    }
    for Concern { box_id, device_id, ownership, is_whole } in concerned {
        let version = control.expected_version + 1;
        tx.add_history(HistoryRow { box_id, topic, envelope, version, device_id, ownership, is_whole }).await?;
    }
    if let Event::BoxClosedV1(e) = event {
        tx.close_history(e.box_id).await?;
    }
    Ok(())
}

/// The boxes that an event is about: most are about one.
fn concerns(event: &Event) -> (Vec<Concern>, Option<Concern>) {
    let by = |signed: &SignedCommand| Some(signed.device_id);
    let maybe_by = |signed: &Option<SignedCommand>| signed.as_ref().map(|signed| signed.device_id);
    let gained = |box_id, device_id| Concern { ownership: Ownership::Gained, ..Concern::of(box_id, device_id) };
    let lost = |box_id, device_id| Concern { ownership: Ownership::Lost, ..Concern::of(box_id, device_id) };
    let one = match event {
        Event::BoxFoundedV1(e) => Concern::of(e.box_id, Some(e.device_id)),
        Event::DeviceLinkedV1(e) => Concern::of(e.box_id, signer(&e.linking_statement)),
        Event::SealingKeyStatedV1(e) => Concern::of(e.box_id, Some(e.device_id)),
        Event::DeviceRemovedV1(e) => Concern::of(e.box_id, signer(&e.removal_statement)),
        Event::TokenRevokedV1(e) => Concern::of(e.box_id, by(&e.signed)),
        Event::BoxClosingV1(e) => Concern::of(e.box_id, by(&e.signed)),
        Event::BoxClosedV1(e) => Concern::of(e.box_id, None),
        Event::DiscoverableSetV1(e) => Concern::of(e.box_id, by(&e.signed)),
        Event::AcceptFromSetV1(e) => Concern::of(e.box_id, by(&e.signed)),
        Event::BoxBlockedV1(e) => Concern::of(e.box_id, by(&e.signed)),
        Event::BoxUnblockedV1(e) => Concern::of(e.box_id, by(&e.signed)),
        Event::ContactAddedV1(e) => Concern::of(e.box_id, by(&e.signed)),
        Event::ContactRemovedV1(e) => Concern::of(e.box_id, by(&e.signed)),
        Event::ProfileBlobSetV1(e) => Concern::of(e.box_id, by(&e.signed)),
        Event::IdentifierVerifiedV1(e) => gained(e.box_id, e.founding.as_ref().map(|founding| founding.device_id)),
        Event::IdentifierVerifiedV2(e) => {
            gained(e.box_id, maybe_by(&e.signed).or_else(|| e.founding.as_ref().map(|founding| founding.device_id)))
        }
        Event::IdentifierReleasedV1(e) => lost(e.box_id, None),
        Event::IdentifierReleasedV2(e) => lost(e.box_id, maybe_by(&e.signed)),
        Event::IdentifierClaimedV1(e) => {
            let of_claimant = Concern { is_whole: false, ..Concern::of(e.box_id, Some(e.device_id)) };
            let of_owner = Concern { is_whole: false, ..Concern::of(e.owner, None) };
            return (vec![of_claimant], (e.owner != e.box_id).then_some(of_owner));
        }
        Event::ClaimObjectedV1(e) => Concern::of(e.box_id, by(&e.signed)),
        _ => return (Vec::new(), None),
    };
    (vec![one], None)
}

/// The device that says to have signed a membership statement. Its owner checks that; here nothing hangs on it.
fn signer(statement: &Octets) -> Option<DeviceId> {
    match MembershipStatement::parse(statement).ok()? {
        MembershipStatement::Founded(founded) => Some(founded.content().device_id),
        MembershipStatement::Linked(linked) => Some(linked.content().signer),
        MembershipStatement::Removed(removed) => match removed.content().signer {
            Remover::Device(signer) => Some(signer),
            Remover::RecoveryKey => None,
        },
    }
}
