//! The projection `inbox`: registrations, the lookup from identifiers to boxes, the message queue, and where devices that are
//! about to be linked meet.

use rossby_crypto::message::MessageValue;
use rossby_log::Offset;
use rossby_schemas::envelope::{Control, Envelope};
use rossby_schemas::events::Event;
use rossby_schemas::http::rendezvous::MAX_RENDEZVOUS_OCTETS;
use rossby_schemas::ids::RegionNumber;

use crate::store::{BoxFact, Enqueued, StoreError, Tx};

/// Applies an admitted event of a control stream.
pub(crate) async fn apply(
    tx: &mut Tx,
    envelope: &Envelope,
    control: &Control,
    event: &Event,
) -> Result<(), StoreError> {
    match event {
        Event::RegistrationAskedV1(e) => tx.ask_registration(&envelope.stream, envelope.time, e).await,
        Event::CodeAskedV1(e) => tx.ask_code(&envelope.stream, envelope.time, e).await,
        Event::CodeIssuedV1(e) => tx.issue_code(&envelope.stream, e).await,
        Event::CodeGuessedV1(e) => tx.guess_code(&envelope.stream, control.expected_version, control.command, e).await,
        Event::IdentifierVerifiedV1(e) => tx.verify_identifier(control.command, envelope.time, &e.clone().into()).await,
        Event::IdentifierVerifiedV2(e) => tx.verify_identifier(control.command, envelope.time, e).await,
        Event::IdentifierReleasedV1(e) => tx.release_identifier(&e.clone().into()).await,
        Event::IdentifierReleasedV2(e) => tx.release_identifier(e).await,
        Event::IdentifierClaimedV1(e) => tx.claim_identifier(control.command, envelope.time, e).await,
        Event::ClaimObjectedV1(e) => tx.object_to_claim(envelope.time, e).await,
        Event::BoxFoundedV1(e) => tx.state_fact(BoxFact::Founded, e.box_id).await,
        Event::DeviceRemovedV1(e) => tx.remove_share(e.box_id, e.device_id).await,
        Event::BoxClosingV1(e) => tx.state_fact(BoxFact::Closing, e.box_id).await,
        Event::BoxClosedV1(e) => tx.state_fact(BoxFact::Closed, e.box_id).await,
        _ => Ok(()),
    }
}

/// A fact of the queue, checked as far as it can be without a key.
pub(crate) enum Fact {
    Enqueued(MessageValue),
    Acknowledged,
    RendezvousPosted,
}

/// Why a record is no fact of the queue.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoFact(String);

/// Reads what `event` says of the queue.
pub(crate) fn fact(envelope: &Envelope, event: &Event) -> Result<Fact, NoFact> {
    let stream = envelope.stream.as_str();
    match event {
        Event::MessageEnqueuedV1(message) => {
            let value = MessageValue::parse(&message.value).map_err(|error| NoFact(error.to_string()))?;
            Ok(Fact::Enqueued(value))
        }
        Event::MessagesAcknowledgedV1(e) if e.box_id.to_string() == stream => Ok(Fact::Acknowledged),
        Event::RendezvousPostedV1(e) if e.rendezvous_id.to_string() != stream => {
            Err(NoFact("the rendezvous is not the event's subject".to_owned()))
        }
        Event::RendezvousPostedV1(e) if e.sealed.as_slice().len() > MAX_RENDEZVOUS_OCTETS => {
            Err(NoFact("the message is too long".to_owned()))
        }
        Event::RendezvousPostedV1(_) => Ok(Fact::RendezvousPosted),
        Event::MessagesAcknowledgedV1(_) => Err(NoFact("the box is not the event's subject".to_owned())),
        _ => Err(NoFact(format!("an event of type {} is no fact of the queue", event.event_type()))),
    }
}

/// Where a fact's record stands, here: of another region's, in the mirrored topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The region that wrote it.
    pub(crate) region: RegionNumber,
    pub(crate) partition: u32,
    pub(crate) offset: Offset,
}

/// Applies a fact. Any order and any number of times give the same.
pub(crate) async fn apply_fact(
    tx: &mut Tx,
    envelope: &Envelope,
    event: &Event,
    fact: &Fact,
    place: Place,
) -> Result<(), StoreError> {
    match (event, fact) {
        (Event::MessageEnqueuedV1(message), Fact::Enqueued(value)) => {
            let (accepted_at, Place { region, partition, offset }) = (envelope.time, place);
            tx.enqueue(Enqueued { event: message, value, accepted_at, region, partition, offset }).await
        }
        (Event::MessagesAcknowledgedV1(e), Fact::Acknowledged) => tx.acknowledge(envelope.time, e).await,
        (Event::RendezvousPostedV1(e), Fact::RendezvousPosted) => tx.post_to_rendezvous(e).await,
        _ => Ok(()),
    }
}
