//! Several identifiers of one box: added with a code, found, listed, taken away.

use std::time::Duration;

use rossby_commands::{CommandError, Refusal};
use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_crypto::authorize::AuthorizeProof;
use rossby_schemas::http::account::{AccountCommandRequest, CommandResponse};
use rossby_schemas::http::identifiers::{
    AskCodeRequest, AskCodeResponse, OwnIdentifier, ShowCodeRequest, ShowCodeResponse,
};
use rossby_schemas::http::lookup::LookupRequest;
use rossby_schemas::http::registration::IssueCodeRequest;
use rossby_schemas::ids::{IdentifierHash, RegistrationId};
use rossby_schemas::topic::Topic;
use rossby_testing::{DAY, Fault, Person, command, refusal};

use crate::account::signed;
use crate::world::World;

pub(crate) const ANN: &str = "ann@example.org";
pub(crate) const PHONE: &str = "+15551234567";
const WORK: &str = "ann@work.example";
const WRONG: &str = "00000000";

pub(crate) fn ask_request(identifier: &str) -> AskCodeRequest {
    AskCodeRequest { command_id: command(), identifier: identifier.to_owned(), object_to: None }
}

pub(crate) fn show_request(person: &Person, registration_id: RegistrationId, code: &str) -> ShowCodeRequest {
    let parsed = code.parse().unwrap();
    let proof = AuthorizeProof { registration_id, device_id: person.device_id, code: &parsed };
    ShowCodeRequest { command_id: command(), code: code.to_owned(), signature: proof.sign(&person.key) }
}

/// Asks for a code, and waits until it has come.
pub(crate) async fn ask(world: &World, person: &Person, identifier: &str) -> (RegistrationId, String) {
    let known = world.mailboxes.codes(identifier).len();
    let asked = world.service.ask_code(person.caller(), &ask_request(identifier)).await.unwrap();
    assert!(asked.code_expires_at > world.now());
    (asked.registration_id, world.code(identifier, known).await)
}

/// Asks for a code and shows it.
pub(crate) async fn shown(world: &World, person: &Person, identifier: &str) -> (RegistrationId, ShowCodeResponse) {
    let (registration, code) = ask(world, person, identifier).await;
    let request = show_request(person, registration, &code);
    (registration, world.service.show_code(person.caller(), registration, &request).await.unwrap())
}

fn add(identifier: IdentifierHash, registration_id: RegistrationId) -> AccountChange {
    AccountChange::AddIdentifier { identifier, registration_id }
}

async fn carry_out(
    world: &World,
    person: &Person,
    version: u64,
    change: AccountChange,
) -> Result<CommandResponse, CommandError> {
    let request = signed(person, version, change, world);
    world.service.account_command(person.caller(), &request).await
}

/// Adds an identifier, from the code to the command.
pub(crate) async fn added(world: &World, person: &Person, identifier: &str) -> IdentifierHash {
    let (registration, ShowCodeResponse { identifier_hash, version }) = shown(world, person, identifier).await;
    carry_out(world, person, version, add(identifier_hash, registration)).await.unwrap();
    identifier_hash
}

pub(crate) async fn listed(world: &World, person: &Person) -> Vec<OwnIdentifier> {
    world.service.account(person.caller()).await.unwrap().identifiers
}

async fn found(world: &World, who: &Person, identifier: &str) -> Option<rossby_schemas::ids::BoxId> {
    let request = LookupRequest { identifier: Some(identifier.to_owned()), box_id: None };
    match world.service.request_key(who.caller(), &request).await {
        Ok(found) => Some(found.box_id),
        Err(CommandError::Refused(Refusal::NoSuchRecipient)) => None,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_is_found_by_each_of_its_identifiers_until_it_is_taken_away() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person("ben@example.org").await);
    world.clock.advance(Duration::from_secs(60));
    let phone = added(&world, &ann, PHONE).await;
    world.clock.advance(Duration::from_secs(60));
    let work = added(&world, &ann, WORK).await;
    for identifier in [ANN, PHONE, WORK] {
        assert_eq!(found(&world, &ben, identifier).await, Some(ann.box_id()), "{identifier}");
    }
    // Listed in their order, by hash, with the signature of who added them.
    let own = listed(&world, &ann).await;
    let times: Vec<_> = own.iter().map(|own| own.added_at.unwrap()).collect();
    assert_eq!(times, [120, 60, 0].map(|seconds| world.now().minus(Duration::from_secs(seconds))));
    assert_eq!((own[1].identifier_hash, own[2].identifier_hash), (phone, work));
    assert_eq!((&own[0].signed, own[0].version), (&None, 1), "the first stands in the registration");
    for own in &own[1..] {
        let signed = own.signed.as_ref().unwrap();
        let command = AccountCommand::verify_by(&ann.record, &signed.command, &signed.signature).unwrap();
        let AccountChange::AddIdentifier { identifier, .. } = command.change else { panic!("{command:?}") };
        assert_eq!((identifier, command.expected_version, own.version), (own.identifier_hash, 0, 1));
    }
    assert_eq!(listed(&world, &ben).await.len(), 1);

    // Taken away, it is free: for Ben, and then again for Ann once he has let go of it.
    carry_out(&world, &ann, 1, AccountChange::RemoveIdentifier(phone)).await.unwrap();
    assert_eq!(found(&world, &ben, PHONE).await, None);
    assert_eq!(listed(&world, &ann).await.len(), 2);
    added(&world, &ben, PHONE).await;
    assert_eq!(found(&world, &ann, PHONE).await, Some(ben.box_id()));
    carry_out(&world, &ben, 3, AccountChange::RemoveIdentifier(phone)).await.unwrap();
    added(&world, &ann, PHONE).await;
    assert_eq!(found(&world, &ben, PHONE).await, Some(ann.box_id()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_one_stays_and_there_are_only_so_many() {
    let world = World::with(|config| config.limits.identifiers = 2).await;
    let ann = world.person(ANN).await;
    let first = listed(&world, &ann).await[0].clone();
    let remove = |hash| AccountChange::RemoveIdentifier(hash);
    assert_eq!(
        refusal(carry_out(&world, &ann, 1, remove(first.identifier_hash)).await),
        Refusal::LastIdentifier,
        "nobody could find the box"
    );
    let phone = added(&world, &ann, PHONE).await;
    let refused = refusal(world.service.ask_code(ann.caller(), &ask_request(WORK)).await);
    assert_eq!(refused, Refusal::TooManyIdentifiers { limit: 2 });
    assert_eq!(world.mailboxes.codes(WORK).len(), 0, "no code is spent on it");
    // The first may go too, once another is there.
    carry_out(&world, &ann, 1, remove(first.identifier_hash)).await.unwrap();
    assert_eq!(listed(&world, &ann).await.iter().map(|own| own.identifier_hash).collect::<Vec<_>>(), [phone]);
    added(&world, &ann, WORK).await;
    // What is the box's no more can't be taken away.
    let refused = refusal(carry_out(&world, &ann, 2, remove(first.identifier_hash)).await);
    assert!(matches!(refused, Refusal::Statement { .. }), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_has_the_code_learns_that_an_identifier_is_taken() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person("ben@example.org").await);
    let (taken, taken_code) = ask(&world, &ben, ANN).await;
    let (free, free_code) = ask(&world, &ben, PHONE).await;
    for registration in [taken, free] {
        let wrong = show_request(&ben, registration, WRONG);
        let wrong = refusal(world.service.show_code(ben.caller(), registration, &wrong).await);
        assert_eq!(wrong, Refusal::WrongCode { guesses_left: 4 });
    }
    // The hash is told to nobody who hasn't shown the code; with a guessed one the answer says nothing.
    let hash = listed(&world, &ann).await[0].identifier_hash;
    for version in [0, 1] {
        let refused = refusal(carry_out(&world, &ben, version, add(hash, taken)).await);
        assert!(matches!(&refused, Refusal::Statement { field, .. } if field == "/command"), "{refused:?}");
        let refused = refusal(carry_out(&world, &ben, version, AccountChange::RemoveIdentifier(hash)).await);
        assert!(matches!(&refused, Refusal::Statement { field, .. } if field == "/command"), "{refused:?}");
    }
    let right = show_request(&ben, taken, &taken_code);
    let told = refusal(world.service.show_code(ben.caller(), taken, &right).await);
    assert_eq!(told, Refusal::ShownIdentifierTaken { identifier_hash: hash, version: 1 });
    assert_eq!((told.problem().identifier_hash, told.problem().current_version), (Some(hash), Some(1)));
    assert_eq!(refusal(carry_out(&world, &ben, 1, add(hash, taken)).await), Refusal::IdentifierTaken);
    let right = show_request(&ben, free, &free_code);
    let shown = world.service.show_code(ben.caller(), free, &right).await.unwrap();
    assert_eq!(shown.version, 0);
    // A code shown for one identifier adds no other.
    let refused = refusal(carry_out(&world, &ben, 1, add(hash, free)).await);
    assert!(matches!(refused, Refusal::Statement { .. }), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_for_the_device_that_asked_and_for_one_purpose() {
    let world = World::new().await;
    let mut ann = world.person(ANN).await;
    let ben = world.person("ben@example.org").await;
    let (laptop, request) = ann.link(world.now());
    world.service.link_device(ann.caller(), &request).await.unwrap();
    let (registration, code) = ask(&world, &ann, PHONE).await;
    for other in [&laptop, &ben] {
        let request = show_request(other, registration, &code);
        let refused = refusal(world.service.show_code(other.caller(), registration, &request).await);
        assert_eq!(refused, Refusal::NoSuchRegistration);
    }
    let mut forged = show_request(&ann, registration, &code);
    forged.signature = show_request(&laptop, registration, &code).signature;
    let refused = refusal(world.service.show_code(ann.caller(), registration, &forged).await);
    assert!(matches!(refused, Refusal::Statement { field, .. } if field == "/signature"));
    // It founds no box, and a registration that does adds nothing.
    let registered = rossby_schemas::http::registration::RegisterResponse {
        registration_id: registration,
        box_id: ann.box_id(),
        code_expires_at: world.now(),
    };
    let refused = refusal(ann.authorize(&world.service, &registered, &code).await);
    assert_eq!(refused, Refusal::NoSuchRegistration);
    let eve = Person::new(world.now());
    let founding = eve.register(&world.service, WORK).await.unwrap();
    let founding_code = world.code(WORK, 0).await;
    let request = show_request(&eve, founding.registration_id, &founding_code);
    let refused = refusal(world.service.show_code(eve.caller(), founding.registration_id, &request).await);
    assert_eq!(refused, Refusal::NoSuchRegistration);
    // The laptop can't use what the phone has shown.
    let shown = world.service.show_code(ann.caller(), registration, &show_request(&ann, registration, &code)).await;
    let ShowCodeResponse { identifier_hash, version } = shown.unwrap();
    let refused = refusal(carry_out(&world, &laptop, version, add(identifier_hash, registration)).await);
    assert!(matches!(refused, Refusal::Statement { .. }), "{refused:?}");
    carry_out(&world, &ann, version, add(identifier_hash, registration)).await.unwrap();
    // Either may take it away.
    carry_out(&world, &laptop, 1, AccountChange::RemoveIdentifier(identifier_hash)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_and_guesses_are_those_of_the_identifiers_day() {
    let world = World::new().await;
    let ann = world.person(ANN).await;
    let (registration, first) = ask(&world, &ann, PHONE).await;
    for left in (0..5).rev() {
        let wrong = show_request(&ann, registration, WRONG);
        let wrong = refusal(world.service.show_code(ann.caller(), registration, &wrong).await);
        assert_eq!(wrong, Refusal::WrongCode { guesses_left: left });
    }
    let right = show_request(&ann, registration, &first);
    assert_eq!(refusal(world.service.show_code(ann.caller(), registration, &right).await), Refusal::CodeSpent);
    // Another for the same registration, and for new ones: five in all, whoever asks.
    let again = IssueCodeRequest { command_id: command(), identifier: PHONE.to_owned() };
    world.service.issue_code(registration, &again).await.unwrap();
    let second = world.code(PHONE, 1).await;
    Person::new(world.now()).register(&world.service, PHONE).await.unwrap();
    ask(&world, &ann, PHONE).await;
    ask(&world, &ann, PHONE).await;
    let exhausted = refusal(world.service.ask_code(ann.caller(), &ask_request(PHONE)).await);
    assert!(matches!(exhausted, Refusal::CodesExhausted { .. }), "{exhausted:?}");
    let refused = refusal(Person::new(world.now()).register(&world.service, PHONE).await);
    assert!(matches!(refused, Refusal::CodesExhausted { .. }), "{refused:?}");
    // What was sent is good all the same, until its time is over.
    let right = show_request(&ann, registration, &second);
    let shown = world.service.show_code(ann.caller(), registration, &right).await.unwrap();
    world.clock.advance(Duration::from_secs(3600));
    let again = world.service.show_code(ann.caller(), registration, &right).await.unwrap();
    assert_eq!(again, shown, "asked again");
    carry_out(&world, &ann, 0, add(shown.identifier_hash, registration)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_that_several_add_at_the_same_moment_has_one_owner() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person("ben@example.org").await);
    let other = world.other_process();
    for round in 0..4 {
        let identifier = format!("p{round}@example.org");
        let [(one, shown), (two, _)] = [shown(&world, &ann, &identifier).await, shown(&world, &ben, &identifier).await];
        let hash = shown.identifier_hash;
        let requests = [signed(&ann, 0, add(hash, one), &world), signed(&ben, 0, add(hash, two), &world)];
        let (first, second) = tokio::join!(
            world.service.account_command(ann.caller(), &requests[0]),
            other.account_command(ben.caller(), &requests[1])
        );
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        let (owner, lost) = if first.is_ok() { (&ann, refusal(second)) } else { (&ben, refusal(first)) };
        let is_told = matches!(lost, Refusal::VersionConflict { current: 1 } | Refusal::IdentifierTaken);
        assert!(is_told, "{lost:?}");
        assert_eq!(found(&world, &ann, &identifier).await, Some(owner.box_id()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_half_done_goes_on_and_what_was_done_is_not_done_again() {
    let world = World::new().await;
    let (ann, other) = (world.person(ANN).await, world.other_process());
    let asking = ask_request(PHONE);
    world.log.set(Topic::Registrations, Some(Fault::UnknownWritten));
    let unknown = world.service.ask_code(ann.caller(), &asking).await;
    assert!(matches!(unknown, Err(CommandError::OutcomeUnknown { .. })), "{unknown:?}");
    world.log.set_all(None);
    let asked: AskCodeResponse = other.ask_code(ann.caller(), &asking).await.unwrap();
    assert_eq!(other.ask_code(ann.caller(), &asking).await.unwrap(), asked);
    let code = world.code(PHONE, 0).await;
    assert_eq!(world.mailboxes.codes(PHONE).len(), 1);
    let registration = asked.registration_id;

    let showing = show_request(&ann, registration, &code);
    world.log.set(Topic::Registrations, Some(Fault::UnknownWritten));
    let unknown = world.service.show_code(ann.caller(), registration, &showing).await;
    assert!(matches!(unknown, Err(CommandError::OutcomeUnknown { .. })), "{unknown:?}");
    world.log.set_all(None);
    let shown = other.show_code(ann.caller(), registration, &showing).await.unwrap();

    let adding = signed(&ann, shown.version, add(shown.identifier_hash, registration), &world);
    world.log.set(Topic::Identifiers, Some(Fault::UnknownWritten));
    let unknown = world.service.account_command(ann.caller(), &adding).await;
    assert!(matches!(unknown, Err(CommandError::OutcomeUnknown { .. })), "{unknown:?}");
    world.log.set_all(None);
    let done = other.account_command(ann.caller(), &adding).await.unwrap();
    assert_eq!(done.version, 1);
    // Added already, whatever the version.
    carry_out(&world, &ann, 9, add(shown.identifier_hash, registration)).await.unwrap();

    // A server that sends the signed command again once it was taken away, adds nothing.
    carry_out(&world, &ann, 1, AccountChange::RemoveIdentifier(shown.identifier_hash)).await.unwrap();
    assert_eq!(world.service.account_command(ann.caller(), &adding).await.unwrap().version, 1);
    assert_eq!(listed(&world, &ann).await.len(), 1);
    let again = AccountCommandRequest { ..signed(&ann, 1, add(shown.identifier_hash, registration), &world) };
    assert_eq!(
        refusal(world.service.account_command(ann.caller(), &again).await),
        Refusal::VersionConflict { current: 2 }
    );
    // Two days later the code that was shown is forgotten.
    world.clock.advance(3 * DAY);
    world.models.sweep(world.now()).await.unwrap();
    let late = refusal(carry_out(&world, &ann, 2, add(shown.identifier_hash, registration)).await);
    assert!(matches!(late, Refusal::Statement { .. }), "{late:?}");
}
