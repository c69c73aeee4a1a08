//! A box is closed: at once for everybody, its identifiers free, and what is left half-done is finished.

use rossby_commands::{Refusal, TokenError};
use rossby_crypto::account::AccountChange;
use rossby_crypto::keyed_hash::MasterSecret;
use rossby_crypto::statements::{Remover, remove};
use rossby_schemas::http::account::{AccountCommandRequest, StatementRequest};
use rossby_schemas::http::command::CommandState;
use rossby_schemas::http::lookup::LookupRequest;
use rossby_schemas::http::messages::{SendOutcome, SendRequest};
use rossby_schemas::ids::IdentifierHash;
use rossby_schemas::topic::Topic;
use rossby_testing::{Fault, Person, command, refusal, until};

use crate::account::{change, signed};
use crate::claims::{Claimant, leads_to};
use crate::identifiers::{ANN, PHONE, added, listed, shown};
use crate::world::World;

async fn hashes(world: &World, person: &Person) -> Vec<IdentifierHash> {
    listed(world, person).await.into_iter().map(|own| own.identifier_hash).collect()
}

async fn keys_version(world: &World, person: &Person) -> u64 {
    world.models.key_record(person.box_id()).await.unwrap().unwrap().version
}

async fn closing(world: &World, person: &Person) -> AccountCommandRequest {
    let change = AccountChange::CloseBox(hashes(world, person).await);
    signed(person, keys_version(world, person).await, change, world)
}

/// That nothing is left of a box but that it was there.
async fn is_gone(world: &World, gone: &Person, others: &Person) {
    let record = world.models.key_record(gone.box_id()).await.unwrap().unwrap();
    assert!(record.closing && record.closed && record.version > 1, "{record:?}");
    assert_eq!((record.statements.len(), record.sealing_statements.len()), (0, 0));
    assert_eq!(world.models.devices(gone.box_id()).await.unwrap(), []);
    assert_eq!(world.models.identifiers_of(gone.box_id()).await.unwrap(), []);
    let token = MasterSecret::new(1, &[7; 32]).token_id(gone.box_id(), gone.device_id, 1);
    assert!(matches!(world.other_process().check_token(token).await, Err(TokenError::NotGood)));
    assert_eq!(refusal(world.service.issue_token(&gone.token_request()).await), Refusal::NotADevice);
    let by_box = LookupRequest { identifier: None, box_id: Some(gone.box_id()) };
    assert_eq!(refusal(world.service.request_key(others.caller(), &by_box).await), Refusal::NoSuchRecipient);
    let message = others.message(gone, "are you there?", 1, world.now());
    let sent = world.service.send_message(others.caller(), &SendRequest { messages: vec![message] }).await.unwrap();
    assert_eq!(sent.results[0].outcome, SendOutcome::NoSuchRecipient);
    assert_eq!(world.service.reconcile().await.unwrap(), 0, "there is nothing left to do");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_box_is_gone_for_everybody_and_its_identifiers_are_free() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person("ben@example.org").await);
    added(&world, &ann, PHONE).await;
    change(&world, &ann, 0, AccountChange::SetProfileBlob(b"encrypted".as_slice().into())).await;
    let message = ben.message(&ann, "hello", 1, world.now());
    let outer_id = message.outer_id;
    world.service.send_message(ben.caller(), &SendRequest { messages: vec![message] }).await.unwrap();
    let waiting = async || {
        let pointer = world.models.device_pointer(ann.box_id(), ann.device_id, world.now()).await.unwrap();
        pointer.waiting
    };
    until("the message", async || waiting().await == 1).await;

    let request = closing(&world, &ann).await;
    let done = world.service.account_command(ann.caller(), &request).await.unwrap();
    is_gone(&world, &ann, &ben).await;
    assert_eq!(waiting().await, 0);
    for identifier in [ANN, PHONE] {
        assert_eq!(leads_to(&world, &ben, identifier).await, None, "{identifier}");
    }
    // The rows go, and the heads stay: what is repeated brings nothing back.
    world.models.sweep(world.now()).await.unwrap();
    assert_eq!(world.models.accepted(ann.box_id(), outer_id).await.unwrap(), []);
    assert_eq!(world.models.profile(ann.box_id()).await.unwrap().blob.as_slice(), b"");
    assert_eq!(world.models.profile(ann.box_id()).await.unwrap().version, 1);
    let status = world.service.command_status(done.command_id, None).await.unwrap();
    assert_eq!(status.state, CommandState::Done);

    // A new box has both from now on.
    let again = world.person_known(ANN, 1).await;
    added(&world, &again, PHONE).await;
    assert_ne!(again.box_id(), ann.box_id());
    for identifier in [ANN, PHONE] {
        assert_eq!(leads_to(&world, &ben, identifier).await, Some(again.box_id()), "{identifier}");
    }
    is_gone(&world, &ann, &ben).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_between_any_two_steps_leaves_nothing() {
    // Closing, two releases, closed.
    for appends in 0..=4 {
        let world = World::new().await;
        let (ann, ben) = (world.person(ANN).await, world.person("ben@example.org").await);
        added(&world, &ann, PHONE).await;
        let request = closing(&world, &ann).await;
        world.log.refuse_after(Some(appends));
        let answer = world.service.account_command(ann.caller(), &request).await;
        assert_eq!(answer.is_ok(), appends > 0, "{appends} {answer:?}");
        if appends == 0 {
            // Nothing has changed, and it can be asked again.
            assert!(world.models.key_record(ann.box_id()).await.unwrap().is_some_and(|record| !record.closing));
            world.log.refuse_after(None);
            world.service.account_command(ann.caller(), &request).await.unwrap();
        } else {
            // For everybody it is gone already, wherever it stopped.
            let token = MasterSecret::new(1, &[7; 32]).token_id(ann.box_id(), ann.device_id, 1);
            assert!(matches!(world.other_process().check_token(token).await, Err(TokenError::NotGood)));
            assert_eq!(leads_to(&world, &ben, ANN).await, None);
            assert_eq!(leads_to(&world, &ben, PHONE).await, None);
            world.log.refuse_after(None);
            let finished = world.other_process().reconcile().await.unwrap();
            assert_eq!(finished, u64::from(appends < 4), "{appends}");
        }
        is_gone(&world, &ann, &ben).await;
        let again = world.person_known(ANN, 1).await;
        assert_eq!(leads_to(&world, &ben, ANN).await, Some(again.box_id()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_whose_outcome_is_not_known_is_settled_without_a_token() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person("ben@example.org").await);
    let request = closing(&world, &ann).await;
    world.log.set(Topic::Keys, Some(Fault::UnknownWritten));
    assert!(world.service.account_command(ann.caller(), &request).await.is_err());
    world.log.set_all(None);
    let command_id = rossby_crypto::account::AccountCommand::parse(&request.command).unwrap().command_id;
    until("the closing", async || {
        let status = world.service.command_status(command_id, None).await.unwrap();
        status.state == CommandState::Done
    })
    .await;
    until("the end", async || {
        world.service.reconcile().await.unwrap();
        world.models.key_record(ann.box_id()).await.unwrap().unwrap().closed
    })
    .await;
    is_gone(&world, &ann, &ben).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_at_the_very_moment_goes_too() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person("ben@example.org").await);
    let (registration_id, shown) = shown(&world, &ann, PHONE).await;
    let add = AccountChange::AddIdentifier { identifier: shown.identifier_hash, registration_id };
    let adding = signed(&ann, shown.version, add, &world);
    let closing = closing(&world, &ann).await;
    // The addition is on its way while the box closes, and lands when it is closed.
    world.log.set(Topic::Identifiers, Some(Fault::UnknownHeld));
    assert!(world.service.account_command(ann.caller(), &adding).await.is_err());
    world.log.set_all(None);
    world.service.account_command(ann.caller(), &closing).await.unwrap();
    world.log.land().await;
    until("the addition", async || !world.models.identifiers_of(ann.box_id()).await.unwrap().is_empty()).await;
    assert_eq!(leads_to(&world, &ben, PHONE).await, None);
    assert_eq!(world.other_process().reconcile().await.unwrap(), 1);
    is_gone(&world, &ann, &ben).await;
    added(&world, &ben, PHONE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_a_closed_boxs_identifier_waits_no_longer() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person("ben@example.org").await);
    let (new, _) = Claimant::claiming(&world, ANN).await;
    let request = closing(&world, &ann).await;
    world.service.account_command(ann.caller(), &request).await.unwrap();
    assert_eq!(world.service.reconcile().await.unwrap(), 1);
    assert_eq!(leads_to(&world, &ben, ANN).await, Some(new.person.box_id()));
    is_gone(&world, &ann, &ben).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_device_that_names_what_is_there_closes_a_box() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person("ben@example.org").await);
    let own = hashes(&world, &ann).await;
    let close = |person: &Person, version, named: &[IdentifierHash]| {
        signed(person, version, AccountChange::CloseBox(named.to_vec()), &world)
    };
    let strange = IdentifierHash([9; 32]);
    for (request, what) in [
        (close(&ann, 1, &[]), "none named"),
        (close(&ann, 1, &[own[0], strange]), "one too many"),
        (close(&ann, 1, &[strange]), "another"),
        (close(&ben, 1, &own), "another's box"),
    ] {
        let refused = refusal(world.service.account_command(ann.caller(), &request).await);
        assert!(matches!(&refused, Refusal::Statement { field, .. } if field == "/command"), "{what}: {refused:?}");
    }
    let late = refusal(world.service.account_command(ann.caller(), &close(&ann, 0, &own)).await);
    assert_eq!(late, Refusal::VersionConflict { current: 1 });
    assert!(leads_to(&world, &ben, ANN).await.is_some());

    // A device that was removed, and commands that were on their way.
    let removal =
        remove(&ann.key, Remover::Device(ann.device_id), ann.box_id(), ann.record.head(), ann.device_id, world.now());
    world.service.account_command(ann.caller(), &close(&ann, 1, &own)).await.unwrap();
    let late = StatementRequest { command_id: command(), statement: removal.octets().clone() };
    assert_eq!(refusal(world.service.statement(ann.caller(), &late).await), Refusal::NotADevice);
    let again = world.service.account_command(ann.caller(), &close(&ann, 2, &own)).await;
    assert_eq!(refusal(again), Refusal::NotADevice);
    assert_eq!(refusal(world.service.account(ann.caller()).await), Refusal::NotADevice);
}
