//! Link device: the linking statement, signed by the device that asks and countersigned by the new one, with the new one's
//! first sealing statement. Statements name their place, so they need no second signature.

use std::sync::Arc;
use std::time::Duration;

use rossby_crypto::statements::MembershipStatement;
use rossby_projections::LinkedSince;
use rossby_schemas::events::Event;
use rossby_schemas::events::keys::DeviceLinkedV1;
use rossby_schemas::http::account::{CommandResponse, LinkDeviceRequest};
use rossby_schemas::time::Timestamp;

use crate::append::Stream;
use crate::config::Limits;
use crate::error::{CommandError, Refusal};
use crate::executor::{Decision, Loaded, WhenSuperseded};
use crate::identity::CommandIdentity;
use crate::key_records::BoxRecord;
use crate::service::Service;
use crate::token::Caller;

const LINKING: &str = "/linking_statement";
const SEALING: &str = "/sealing_statement";

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a linking is decided on.
struct State {
    own: Arc<BoxRecord>,
    /// The devices that were linked in the last 24 hours.
    linked: LinkedSince,
}

/// What a linking statement comes to, on the record as it is.
fn decide(
    State { own, linked }: &State,
    request: &LinkDeviceRequest,
    caller: Caller,
    now: Timestamp,
    limits: &Limits,
) -> Result<Decision, Refusal> {
    let mut record = own.record.clone();
    if record.members().count() >= limits.devices {
        return Err(Refusal::TooManyDevices { limit: limits.devices });
    }
    if linked.devices >= limits.links_per_day {
        let free = linked.first.unwrap_or(now).plus(DAY);
        return Err(Refusal::TooManyLinks { retry_after: free.since(now).as_secs().max(1) });
    }
    let appended = record.append(&request.linking_statement).map_err(|error| Refusal::statement(LINKING, error))?;
    let MembershipStatement::Linked(linked) = appended else {
        return Err(Refusal::statement(LINKING, "links no device"));
    };
    let linked = linked.content();
    if linked.signer != caller.device_id {
        return Err(Refusal::statement(LINKING, "is signed by another device than the one that asks"));
    }
    let sealing =
        record.verify_sealing(&request.sealing_statement, None).map_err(|error| Refusal::statement(SEALING, error))?;
    if sealing.content().device_id != linked.device_id {
        return Err(Refusal::statement(SEALING, "is of another device than the one that is linked"));
    }
    sealing.content().usable_at(now).map_err(|error| Refusal::statement(SEALING, error))?;
    Ok(Decision::Append(Event::DeviceLinkedV1(DeviceLinkedV1 {
        box_id: record.box_id(),
        device_id: linked.device_id,
        linking_statement: request.linking_statement.clone(),
        sealing_statement: request.sealing_statement.clone(),
    })))
}

impl Service {
    /// Links a new device to the caller's box.
    ///
    /// # Errors
    /// [`Refusal::Statement`] says which rule a statement breaks; [`Refusal::TooManyDevices`], [`Refusal::TooManyLinks`].
    pub async fn link_device(
        &self,
        caller: Caller,
        request: &LinkDeviceRequest,
    ) -> Result<CommandResponse, CommandError> {
        let fields: [&[u8]; 3] =
            [caller.device_id.as_bytes(), request.linking_statement.as_slice(), request.sealing_statement.as_slice()];
        let running = self.executor.begin(CommandIdentity::new(request.command_id, "link-device", &fields)).await?;
        let load = || async {
            let own = self.own_record(caller.box_id).await?;
            let linked = self.models.linked_since(caller.box_id, self.now().minus(DAY)).await?;
            Ok(Loaded { version: own.version, state: State { own, linked } })
        };
        let limits = &self.config.limits;
        let decide = |state: &State| decide(state, request, caller, self.now(), limits);
        let stream = Stream::keys(caller.box_id);
        // Another's sealing key may come between; another's link or removal makes the statement's place wrong.
        let done = self.executor.step(&running, &stream, 0, WhenSuperseded::DecideAgain, load, decide).await?;
        Ok(CommandResponse { command_id: request.command_id, version: done.version })
    }
}
