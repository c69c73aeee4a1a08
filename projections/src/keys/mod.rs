//! The projection `keys`: every box's key record and devices.

use rossby_schemas::envelope::{Control, Envelope};
use rossby_schemas::events::Event;

use crate::store::{StoreError, Tx};

/// Applies an admitted event of `rossby.keys`.
pub(crate) async fn apply(
    tx: &mut Tx,
    envelope: &Envelope,
    control: &Control,
    event: &Event,
) -> Result<(), StoreError> {
    match event {
        Event::BoxFoundedV1(e) => {
            tx.open_key_box(e.box_id).await?;
            tx.add_membership(e.box_id, &e.founding_statement).await?;
            tx.add_device(e.box_id, e.device_id, None, &e.sealing_statement).await
        }
        Event::DeviceLinkedV1(e) => {
            tx.add_membership(e.box_id, &e.linking_statement).await?;
            tx.add_device(e.box_id, e.device_id, Some(envelope.time), &e.sealing_statement).await
        }
        Event::SealingKeyStatedV1(e) => tx.set_sealing(e.box_id, e.device_id, e.counter, &e.sealing_statement).await,
        Event::DeviceRemovedV1(e) => {
            tx.add_membership(e.box_id, &e.removal_statement).await?;
            tx.remove_device(e.box_id, e.device_id).await
        }
        Event::TokenRevokedV1(e) => tx.set_epoch(e.box_id, e.device_id, e.epoch).await,
        Event::BoxClosingV1(e) => tx.close_key_box(e.box_id, control.command, envelope.time).await,
        Event::BoxClosedV1(e) => tx.empty_key_box(e.box_id).await,
        _ => Ok(()),
    }
}
