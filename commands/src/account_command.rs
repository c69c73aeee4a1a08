//! Commands that change an account, signed by the device over (stream, expected version, change): neither server nor
//! operator can make them up.

use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_crypto::signing::Signature;
use rossby_projections::{BoxIdentifier, Profile};
use rossby_schemas::encoding::Octets;
use rossby_schemas::events::keys::{BoxClosingV1, TokenRevokedV1};
use rossby_schemas::events::profiles::{
    AcceptFromSetV1, BoxBlockedV1, BoxUnblockedV1, ContactAddedV1, ContactRemovedV1, DiscoverableSetV1,
    ProfileBlobSetV1,
};
use rossby_schemas::events::{Event, SignedCommand};
use rossby_schemas::http::account::{AccountCommandRequest, CommandResponse};
use rossby_schemas::topic::Topic;

use crate::append::Stream;
use crate::close_box::check_named;
use crate::config::Limits;
use crate::error::{CommandError, Refusal};
use crate::executor::{Decision, Loaded, WhenSuperseded};
use crate::identity::CommandIdentity;
use crate::service::Service;
use crate::token::Caller;

/// The state on which a change is decided, with its stream's version.
struct State {
    version: u64,
    profile: Option<Profile>,
    /// The epoch of the device whose token is revoked.
    epoch: Option<u32>,
    /// The identifiers of the box that closes.
    identifiers: Vec<BoxIdentifier>,
}

/// What a signed change comes to. The version must be the one that was signed.
fn decide(
    state: &State,
    command: &AccountCommand,
    signed: &SignedCommand,
    limits: &Limits,
) -> Result<Decision, Refusal> {
    if state.version != command.expected_version {
        return Err(Refusal::VersionConflict { current: state.version });
    }
    let (box_id, signed) = (command.box_id, signed.clone());
    let room = |entries: Option<usize>| match entries {
        Some(entries) if entries >= limits.list_entries => {
            Err(Refusal::invalid("/command", format!("the list has {} entries already", limits.list_entries)))
        }
        _ => Ok(()),
    };
    Ok(Decision::Append(match &command.change {
        AccountChange::SetDiscoverable(audience) => {
            Event::DiscoverableSetV1(DiscoverableSetV1 { box_id, discoverable: *audience, signed })
        }
        AccountChange::SetAcceptFrom(audience) => {
            Event::AcceptFromSetV1(AcceptFromSetV1 { box_id, accept_from: *audience, signed })
        }
        AccountChange::Block(tag) => {
            room(state.profile.as_ref().map(|profile| profile.blocks.len()))?;
            Event::BoxBlockedV1(BoxBlockedV1 { box_id, tag: *tag, signed })
        }
        AccountChange::Unblock(tag) => Event::BoxUnblockedV1(BoxUnblockedV1 { box_id, tag: *tag, signed }),
        AccountChange::AddContact(tag) => {
            room(state.profile.as_ref().map(|profile| profile.contacts.len()))?;
            Event::ContactAddedV1(ContactAddedV1 { box_id, tag: *tag, signed })
        }
        AccountChange::RemoveContact(tag) => Event::ContactRemovedV1(ContactRemovedV1 { box_id, tag: *tag, signed }),
        AccountChange::SetProfileBlob(blob) => {
            if blob.as_slice().len() > limits.profile_blob {
                return Err(Refusal::TooLarge { field: "/command".to_owned(), limit: limits.profile_blob });
            }
            Event::ProfileBlobSetV1(ProfileBlobSetV1 { box_id, blob: blob.clone(), signed })
        }
        AccountChange::RevokeToken { device_id, epoch } => {
            let now = state.epoch.ok_or_else(|| Refusal::statement("/command", "names no device of the box"))?;
            if now.checked_add(1) != Some(*epoch) {
                return Err(Refusal::statement("/command", format!("the device's epoch is {now}")));
            }
            Event::TokenRevokedV1(TokenRevokedV1 { box_id, device_id: *device_id, epoch: *epoch, signed })
        }
        AccountChange::CloseBox(hashes) => {
            check_named(hashes, &state.identifiers)?;
            Event::BoxClosingV1(BoxClosingV1 { box_id, identifier_hashes: hashes.clone(), signed })
        }
        AccountChange::AddIdentifier { .. }
        | AccountChange::RemoveIdentifier(_)
        | AccountChange::ObjectToClaim { .. } => {
            return Err(Refusal::statement("/command", "is about an identifier"));
        }
    }))
}

impl Service {
    /// Carries out a change that the caller's device has signed on the stream's current version.
    ///
    /// # Errors
    /// [`Refusal::Statement`] for what does not verify, [`Refusal::VersionConflict`] when the stream has moved on.
    pub async fn account_command(
        &self,
        caller: Caller,
        request: &AccountCommandRequest,
    ) -> Result<CommandResponse, CommandError> {
        let (command, signed) = self.verified_command(caller, &request.command, &request.signature).await?;
        let fields: [&[u8]; 2] = [request.command.as_slice(), request.signature.as_slice()];
        let running = self.executor.begin(CommandIdentity::new(command.command_id, "account", &fields)).await?;
        let stream = match &command.change {
            AccountChange::AddIdentifier { identifier, .. }
            | AccountChange::RemoveIdentifier(identifier)
            | AccountChange::ObjectToClaim { identifier, .. } => {
                return self.identifier_command(&running, *identifier, &command, &signed).await;
            }
            AccountChange::RevokeToken { .. } | AccountChange::CloseBox(_) => Stream::keys(caller.box_id),
            _ => Stream::profile(caller.box_id),
        };
        let load = || async {
            let state = self.account_state(&command, &stream).await?;
            Ok(Loaded { version: state.version, state })
        };
        let decide = |state: &State| decide(state, &command, &signed, &self.config.limits);
        let done = self.executor.step(&running, &stream, 0, WhenSuperseded::Conflict, load, decide).await?;
        if matches!(command.change, AccountChange::CloseBox(_)) {
            // It is closed for everyone already, and can't be asked again: what is left is finished in any case.
            if let Err(error) = self.finish_closing(&running, caller.box_id).await {
                tracing::warn!(box.id = %caller.box_id, %error, "a closing is left to be finished");
            }
        }
        Ok(CommandResponse { command_id: command.command_id, version: done.version })
    }

    /// A command that the caller's device has signed.
    pub(crate) async fn verified_command(
        &self,
        caller: Caller,
        octets: &Octets,
        signature: &Signature,
    ) -> Result<(AccountCommand, SignedCommand), CommandError> {
        let own = self.own_record(caller.box_id).await?;
        let command = AccountCommand::verify_by(&own.record, octets, signature)
            .map_err(|error| Refusal::statement("/command", error))?;
        if command.device_id != caller.device_id {
            return Err(Refusal::statement("/command", "is signed by another device than the one that asks").into());
        }
        let signed = SignedCommand { device_id: command.device_id, command: octets.clone(), signature: *signature };
        Ok((command, signed))
    }

    async fn account_state(&self, command: &AccountCommand, stream: &Stream) -> Result<State, CommandError> {
        if stream.topic == Topic::Profiles {
            let profile = self.models.profile(command.box_id).await?;
            return Ok(State {
                version: profile.version,
                profile: Some(profile),
                epoch: None,
                identifiers: Vec::new(),
            });
        }
        let record = self.own_record(command.box_id).await?;
        let epoch = match &command.change {
            AccountChange::RevokeToken { device_id, .. } => {
                let device = self.models.device(command.box_id, *device_id).await?;
                device.filter(|device| !device.removed).map(|device| device.epoch)
            }
            _ => None,
        };
        let identifiers = match &command.change {
            AccountChange::CloseBox(_) => self.models.identifiers_of(command.box_id).await?,
            _ => Vec::new(),
        };
        Ok(State { version: record.version, profile: None, epoch, identifiers })
    }
}

#[cfg(test)]
mod tests {
    use rossby_schemas::encoding::FixedOctets;
    use rossby_schemas::events::profiles::{AclTag, Audience};
    use rossby_schemas::ids::{BoxId, CommandId, DeviceId};
    use rossby_schemas::time::Timestamp;

    use super::*;

    const DEVICE: DeviceId = DeviceId::from_bytes([4; 16]);

    fn judged(state: &State, change: AccountChange) -> Result<Decision, Refusal> {
        let command = AccountCommand {
            command_id: CommandId::from_bytes([1; 16]),
            box_id: BoxId::from_bytes([3; 16]),
            expected_version: 7,
            device_id: DEVICE,
            time: Timestamp::from_millis(0).unwrap(),
            change,
        };
        let signed = SignedCommand { device_id: DEVICE, command: Octets::default(), signature: FixedOctets([0; 64]) };
        let limits = Limits { list_entries: 2, profile_blob: 10, ..Limits::default() };
        decide(state, &command, &signed, &limits)
    }

    fn tag(number: u8) -> AclTag {
        FixedOctets([number; 32])
    }

    fn with_profile(entries: u8) -> State {
        let list: Vec<AclTag> = (0..entries).map(tag).collect();
        let profile = Profile {
            version: 7,
            discoverable: Audience::Everyone,
            accept_from: Audience::Everyone,
            blob: Octets::default(),
            blocks: list.clone(),
            contacts: list,
        };
        State { version: 7, profile: Some(profile), epoch: None, identifiers: Vec::new() }
    }

    #[test]
    fn only_the_signed_version_will_do() {
        for version in [0, 6, 8] {
            let state = State { version, ..with_profile(0) };
            let refused = judged(&state, AccountChange::SetAcceptFrom(Audience::Nobody));
            assert_eq!(refused, Err(Refusal::VersionConflict { current: version }));
        }
        let appended = judged(&with_profile(0), AccountChange::SetAcceptFrom(Audience::Nobody)).unwrap();
        let Decision::Append(Event::AcceptFromSetV1(event)) = appended else { panic!("{appended:?}") };
        assert_eq!((event.accept_from, event.signed.device_id), (Audience::Nobody, DEVICE));
    }

    #[test]
    fn lists_and_blob_have_their_limits() {
        for (entries, is_taken) in [(0, true), (1, true), (2, false), (3, false)] {
            let state = with_profile(entries);
            for change in [AccountChange::Block(tag(9)), AccountChange::AddContact(tag(9))] {
                assert_eq!(judged(&state, change).is_ok(), is_taken, "{entries}");
            }
            for change in [AccountChange::Unblock(tag(0)), AccountChange::RemoveContact(tag(0))] {
                assert!(judged(&state, change).is_ok());
            }
        }
        let blob = |octets: usize| AccountChange::SetProfileBlob(Octets::from(vec![0; octets]));
        assert!(judged(&with_profile(0), blob(10)).is_ok());
        let refused = judged(&with_profile(0), blob(11));
        assert_eq!(refused, Err(Refusal::TooLarge { field: "/command".to_owned(), limit: 10 }));
    }

    #[test]
    fn an_epoch_goes_up_by_one() {
        let revoke = |known: Option<u32>, epoch| {
            let state = State { version: 7, profile: None, epoch: known, identifiers: Vec::new() };
            judged(&state, AccountChange::RevokeToken { device_id: DEVICE, epoch })
        };
        assert!(matches!(revoke(Some(1), 2), Ok(Decision::Append(Event::TokenRevokedV1(event))) if event.epoch == 2));
        for (known, epoch) in [(Some(1), 1), (Some(1), 3), (Some(1), 0), (Some(u32::MAX), 0), (None, 1)] {
            assert!(matches!(revoke(known, epoch), Err(Refusal::Statement { .. })), "{known:?} {epoch}");
        }
    }
}
