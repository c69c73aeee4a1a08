//! The projection `history`: what happened to each account, for its owner to check.
//!
//! An event is kept for the box that it is about. What a claim says is two boxes' affair: each gets to know that it was made,
//! and not what it says of the other. The box that an identifier goes away from is told so by an entry of its own.

mod named;

use rossby_schemas::envelope::{Control, Envelope};
use rossby_schemas::events::Event;
use rossby_schemas::ids::{BoxId, DeviceId};
use rossby_schemas::topic::Topic;

pub use self::named::{acting_device, named_boxes};
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

/// Applies an admitted event of `rossby.identifiers`, `rossby.keys` or `rossby.profiles`.
pub(crate) async fn apply(
    tx: &mut Tx,
    topic: Topic,
    envelope: &Envelope,
    control: &Control,
    event: &Event,
) -> Result<(), StoreError> {
    let mut concerned = concerns(event);
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

/// What an event is to the boxes that it names.
fn concerns(event: &Event) -> Vec<Concern> {
    let ownership = match event {
        Event::IdentifierVerifiedV1(_) | Event::IdentifierVerifiedV2(_) => Ownership::Gained,
        Event::IdentifierReleasedV1(_) | Event::IdentifierReleasedV2(_) => Ownership::Lost,
        _ => Ownership::Same,
    };
    let is_whole = !matches!(event, Event::IdentifierClaimedV1(_));
    let mut boxes = named_boxes(event);
    boxes.dedup();
    // A claim is made by the first alone.
    let devices = std::iter::once(acting_device(event)).chain(std::iter::repeat(None));
    let concern = |(box_id, device_id)| Concern { box_id, device_id, ownership, is_whole };
    boxes.into_iter().zip(devices).map(concern).collect()
}
