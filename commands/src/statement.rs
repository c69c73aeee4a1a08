//! Statements for the box's own key record: removing a device, and stating a new sealing key. They are signed already and
//! name their place, so they need no second signature.

use std::sync::Arc;

use rossby_crypto::statements::{MembershipStatement, Statement as Signed};
use rossby_schemas::encoding::Octets;
use rossby_schemas::events::Event;
use rossby_schemas::events::keys::{DeviceRemovedV1, SealingKeyStatedV1};
use rossby_schemas::http::account::{CommandResponse, StatementRequest};
use rossby_schemas::time::Timestamp;

use crate::append::Stream;
use crate::error::{CommandError, Refusal};
use crate::executor::{Decision, Loaded, WhenSuperseded};
use crate::identity::CommandIdentity;
use crate::key_records::BoxRecord;
use crate::service::Service;
use crate::token::Caller;

const FIELD: &str = "/statement";

/// What a statement comes to, on the record as it is.
fn decide(own: &BoxRecord, octets: &Octets, caller: Caller, now: Timestamp) -> Result<Decision, Refusal> {
    let refuse = |error: &dyn std::fmt::Display| Refusal::statement(FIELD, error);
    if Signed::<rossby_crypto::statements::SealingKeyStated>::try_from(octets).is_ok() {
        return decide_sealing(own, octets, caller, now);
    }
    let mut record = own.record.clone();
    match record.append(octets).map_err(|error| refuse(&error))? {
        MembershipStatement::Removed(removed) => Ok(Decision::Append(Event::DeviceRemovedV1(DeviceRemovedV1 {
            box_id: record.box_id(),
            device_id: removed.content().device_id,
            removal_statement: octets.clone(),
        }))),
        MembershipStatement::Founded(_) | MembershipStatement::Linked(_) => {
            Err(refuse(&"only removals and sealing statements are taken here"))
        }
    }
}

fn decide_sealing(own: &BoxRecord, octets: &Octets, caller: Caller, now: Timestamp) -> Result<Decision, Refusal> {
    let refuse = |error: &dyn std::fmt::Display| Refusal::statement(FIELD, error);
    let known = own.sealing.iter().find(|known| known.content().device_id == caller.device_id);
    let statement = own.record.verify_sealing(octets, known).map_err(|error| refuse(&error))?;
    let content = statement.content();
    if content.device_id != caller.device_id {
        return Err(refuse(&"is of another device than the one that asks"));
    }
    content.usable_at(now).map_err(|error| refuse(&error))?;
    if known.is_some_and(|known| known.octets() == octets) {
        return Ok(Decision::Nothing);
    }
    Ok(Decision::Append(Event::SealingKeyStatedV1(SealingKeyStatedV1 {
        box_id: content.box_id,
        device_id: content.device_id,
        counter: content.counter,
        sealing_statement: octets.clone(),
    })))
}

impl Service {
    /// Adds a statement to the caller's own key record.
    ///
    /// # Errors
    /// [`Refusal::Statement`] says which rule it breaks.
    pub async fn statement(&self, caller: Caller, request: &StatementRequest) -> Result<CommandResponse, CommandError> {
        let fields: [&[u8]; 2] = [caller.device_id.as_bytes(), request.statement.as_slice()];
        let running = self.executor.begin(CommandIdentity::new(request.command_id, "statement", &fields)).await?;
        let load = || async {
            let state = self.own_record(caller.box_id).await?;
            Ok(Loaded { version: state.version, state })
        };
        let decide = |state: &Arc<BoxRecord>| decide(state, &request.statement, caller, self.now());
        let stream = Stream::keys(caller.box_id);
        let done = self.executor.step(&running, &stream, 0, WhenSuperseded::DecideAgain, load, decide).await?;
        Ok(CommandResponse { command_id: request.command_id, version: done.version })
    }
}

#[cfg(test)]
mod tests;
