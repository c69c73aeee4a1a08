//! What `rossby history` prints as JSON.

use rossby_client::{AccountEvent, FaultKind, HistoryAction, HistoryFault, NamedBox, NamedDevice};
use serde_json::{Value, json};

fn named_device(device: &NamedDevice) -> Value {
    json!({ "device_id": device.device_id, "name": device.name })
}

fn named_box(known: Option<&NamedBox>) -> Value {
    known.map_or(Value::Null, |known| json!({ "box_id": known.box_id, "identifier": known.identifier }))
}

pub(in crate::person) fn account_event(event: &AccountEvent) -> Value {
    let mut document = json!({
        "at": event.at,
        "event": event.action.name(),
        "by": event.by.as_ref().map(named_device),
        "signed": event.is_signed,
        "new": event.is_new,
        "faults": event.faults.iter().map(FaultKind::name).collect::<Vec<_>>(),
        "topic": event.topic,
        "stream": event.stream,
        "version": event.version,
        "event_id": event.event_id,
        "type": event.event_type,
        "hash": event.hash,
    });
    match &event.action {
        HistoryAction::Founded(device)
        | HistoryAction::DeviceLinked(device)
        | HistoryAction::DeviceRemoved(device)
        | HistoryAction::TokenRevoked(device) => document["device"] = named_device(device),
        HistoryAction::SealingKeyStated(device, counter) => {
            document["device"] = named_device(device);
            document["counter"] = json!(counter);
        }
        HistoryAction::DiscoverableSet(audience) | HistoryAction::AcceptFromSet(audience) => {
            document["audience"] = json!(audience);
        }
        HistoryAction::Blocked(known)
        | HistoryAction::Unblocked(known)
        | HistoryAction::ContactAdded(known)
        | HistoryAction::ContactRemoved(known) => document["box"] = named_box(known.as_ref()),
        HistoryAction::IdentifierAdded(identifier)
        | HistoryAction::IdentifierRemoved(identifier)
        | HistoryAction::IdentifierTaken(identifier)
        | HistoryAction::ClaimObjected(identifier) => document["identifier"] = json!(identifier),
        HistoryAction::IdentifierClaimed { identifier, for_this } => {
            document["identifier"] = json!(identifier);
            document["for_this"] = json!(for_this);
        }
        HistoryAction::Closing
        | HistoryAction::ProfileSet
        | HistoryAction::ProfileErased
        | HistoryAction::Unknown(_) => {}
    }
    document
}

pub(in crate::person) fn history_fault(fault: &HistoryFault) -> Value {
    json!({
        "fault": fault.kind.name(),
        "topic": fault.topic,
        "stream": fault.stream,
        "version": fault.version,
        "text": fault.to_string(),
    })
}
