//! Outcomes that could not be told, and how they are settled.

use rossby_commands::{CommandError, Refusal, StatusToken};
use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::http::account::AccountCommandRequest;
use rossby_schemas::http::command::CommandState;
use rossby_schemas::ids::CommandId;
use rossby_schemas::topic::Topic;
use rossby_testing::{Fault, Person, command, refusal, until};

use crate::world::World;

fn request(person: &Person, id: CommandId, audience: Audience, world: &World) -> AccountCommandRequest {
    let command = AccountCommand {
        command_id: id,
        box_id: person.box_id(),
        expected_version: 0,
        device_id: person.device_id,
        time: world.now(),
        change: AccountChange::SetDiscoverable(audience),
    };
    let signed = command.sign(&person.key);
    AccountCommandRequest { command: signed.command, signature: signed.signature }
}

/// Sends a command whose outcome can't be told. Gives its id, its token and the request.
async fn unknown(world: &World, person: &Person, fault: Fault) -> (CommandId, StatusToken, AccountCommandRequest) {
    let id = command();
    let request = request(person, id, Audience::Nobody, world);
    world.log.set(Topic::Profiles, Some(fault));
    let answer = world.service.account_command(person.caller(), &request).await;
    world.log.set(Topic::Profiles, None);
    match answer {
        Err(error @ CommandError::OutcomeUnknown { .. }) => {
            let problem = error.problem();
            assert_eq!(problem.status, 503);
            assert!(problem.status_path.unwrap().starts_with(&format!("/v1/commands/{id}?token=")));
            let CommandError::OutcomeUnknown { status: Some((named, token)), .. } = error else { panic!("no token") };
            assert_eq!(named, id);
            (id, token, request)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_after_all_is_done() {
    let world = World::new().await;
    let ann = world.person("ann@example.org").await;
    let (id, token, request) = unknown(&world, &ann, Fault::UnknownWritten).await;
    let box_stream = ann.box_id().to_string();
    let profiles = rossby_projections::Projection::Profiles;
    let patience = std::time::Duration::from_secs(60);
    assert!(world.models.wait_past(profiles, Topic::Profiles, &box_stream, 0, patience).await.unwrap());
    // The process that was asked knows; another one knows by the token.
    for service in [world.service.clone(), world.other_process()] {
        let status = service.command_status(id, Some(&token)).await.unwrap();
        assert_eq!((status.state, status.version), (CommandState::Done, Some(1)));
    }
    // Repeating it is safe.
    assert_eq!(world.other_process().account_command(ann.caller(), &request).await.unwrap().version, 1);
    assert_eq!(world.models.profile(ann.box_id()).await.unwrap().version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_written_is_pending_until_another_takes_its_place() {
    let world = World::new().await;
    let ann = world.person("ann@example.org").await;
    let (id, token, _) = unknown(&world, &ann, Fault::UnknownLost).await;
    let other = world.other_process();
    assert_eq!(other.command_status(id, Some(&token)).await.unwrap().state, CommandState::Pending);
    assert_eq!(world.service.command_status(id, None).await.unwrap().state, CommandState::Pending);
    // Another process that has neither token nor event knows nothing.
    assert!(matches!(other.command_status(id, None).await, Err(CommandError::NoSuchCommand)));
    let next = request(&ann, command(), Audience::Contacts, &world);
    other.account_command(ann.caller(), &next).await.unwrap();
    assert_eq!(other.command_status(id, Some(&token)).await.unwrap().state, CommandState::Conflict);
    assert_eq!(world.models.profile(ann.box_id()).await.unwrap().discoverable, Audience::Contacts);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_written_is_done_when_it_is_sent_again() {
    let world = World::new().await;
    let ann = world.person("ann@example.org").await;
    let (id, token, request) = unknown(&world, &ann, Fault::UnknownLost).await;
    world.service.account_command(ann.caller(), &request).await.unwrap();
    let status = world.service.command_status(id, Some(&token)).await.unwrap();
    assert_eq!((status.state, status.version), (CommandState::Done, Some(1)));
    let unknown = world.service.command_status(command(), None).await;
    assert!(matches!(unknown, Err(CommandError::NoSuchCommand)));
    // A token for another command is none.
    assert!(matches!(world.service.command_status(command(), Some(&token)).await, Err(CommandError::NoSuchCommand)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lands_later_is_pending_and_then_done() {
    let world = World::new().await;
    let ann = world.person("ann@example.org").await;
    let (id, token, request) = unknown(&world, &ann, Fault::UnknownHeld).await;
    let status = async || world.other_process().command_status(id, Some(&token)).await.unwrap();
    assert_eq!(status().await.state, CommandState::Pending);
    world.log.land().await;
    until("the outcome", async || status().await.state == CommandState::Done).await;
    assert_eq!(status().await.version, Some(1));
    assert_eq!(world.service.command_status(id, None).await.unwrap().state, CommandState::Done);
    assert_eq!(world.service.account_command(ann.caller(), &request).await.unwrap().version, 1);
    assert_eq!(world.models.profile(ann.box_id()).await.unwrap().version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lands_after_another_took_its_place_has_no_effect() {
    let world = World::new().await;
    let ann = world.person("ann@example.org").await;
    let (id, token, request) = unknown(&world, &ann, Fault::UnknownHeld).await;
    let next = self::request(&ann, command(), Audience::Contacts, &world);
    world.service.account_command(ann.caller(), &next).await.unwrap();
    world.log.land().await;
    until("the superseded event", async || {
        let events = world.models.command(id).await.unwrap();
        events.iter().any(|event| event.status == rossby_projections::EventStatus::Superseded)
    })
    .await;
    for token in [Some(&token), None] {
        assert_eq!(world.other_process().command_status(id, token).await.unwrap().state, CommandState::Conflict);
    }
    let refused = refusal(world.service.account_command(ann.caller(), &request).await);
    assert_eq!(refused, Refusal::VersionConflict { current: 1 });
    assert_eq!(world.models.profile(ann.box_id()).await.unwrap().discoverable, Audience::Contacts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_lands_after_its_repetition_is_there_once() {
    let world = World::new().await;
    let ann = Person::new(world.now());
    let request = ann.register_request("ann@example.org");
    world.log.set(Topic::Registrations, Some(Fault::UnknownHeld));
    let answer = world.service.register(&request).await;
    assert!(matches!(answer, Err(CommandError::OutcomeUnknown { status: Some(_), .. })), "{answer:?}");
    world.log.set(Topic::Registrations, None);
    let registered = world.other_process().register(&request).await.unwrap();
    world.log.land().await;
    // What comes after it in the log is admitted: the late one was passed over.
    let code = world.code("ann@example.org", 0).await;
    ann.authorize(&world.service, &registered, &code).await.unwrap();
    let state = world.models.registration(registered.registration_id).await.unwrap().unwrap();
    assert_eq!(state.codes.len(), 1);
    assert_eq!(world.models.registration_day(&state.stream).await.unwrap().version, 3);
    assert_eq!(world.service.register(&request).await.unwrap(), registered);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_with_two_bodies_at_the_same_moment_is_one_command() {
    let world = World::new().await;
    let ann = world.person("ann@example.org").await;
    let other = world.other_process();
    for version in 0..10 {
        let id = command();
        let signed = |audience| {
            let command = AccountCommand {
                command_id: id,
                box_id: ann.box_id(),
                expected_version: version,
                device_id: ann.device_id,
                time: world.now(),
                change: AccountChange::SetDiscoverable(audience),
            };
            let signed = command.sign(&ann.key);
            AccountCommandRequest { command: signed.command, signature: signed.signature }
        };
        let (nobody, contacts) = (signed(Audience::Nobody), signed(Audience::Contacts));
        let (one, two) = tokio::join!(
            world.service.account_command(ann.caller(), &nobody),
            other.account_command(ann.caller(), &contacts)
        );
        let set = world.models.profile(ann.box_id()).await.unwrap().discoverable;
        let (won, lost) = if set == Audience::Nobody { (one, two) } else { (two, one) };
        assert_eq!(won.unwrap().version, version + 1);
        let lost = refusal(lost);
        let is_told = matches!(&lost, Refusal::IdReused { field } if field == "/command_id")
            || lost == Refusal::VersionConflict { current: version + 1 };
        assert!(is_told, "{lost:?}");
    }
}
