//! Register and authorize.

use std::time::Duration;

use rossby_commands::{CommandError, Refusal};
use rossby_schemas::http::command::CommandState;
use rossby_schemas::http::registration::IssueCodeRequest;
use rossby_schemas::ids::{RegionNumber, RegistrationId};
use rossby_schemas::topic::Topic;
use rossby_testing::{DAY, Fault, Person, command, refusal};

use crate::world::World;

const ANN: &str = "ann@example.org";
/// A code that is wrong for all but one registration in a hundred million.
const WRONG: &str = "00000000";

#[tokio::test(flavor = "multi_thread")]
async fn a_person_joins_and_gets_the_same_token_again() {
    let world = World::new().await;
    let ann = Person::new(world.now());
    let request = ann.register_request("Ann@Example.org");
    let registered = world.service.register(&request).await.unwrap();
    assert_eq!(registered.box_id, ann.box_id());
    assert_eq!(registered.code_expires_at, world.now().plus(Duration::from_secs(600)));
    let code = world.code(ANN, 0).await;
    let authorize = ann.authorize_request(&registered, &code);
    let first = world.service.authorize(registered.registration_id, &authorize).await.unwrap();
    let token = ann.token(&first);
    world.service.check_token(token.id).await.unwrap();
    let key = world.service.hawk_key(token.id).unwrap();
    assert_eq!(key.as_bytes(), token.hawk_key.as_bytes());

    // Repeated with the same id, with another, and by another process: the same.
    assert_eq!(world.other_process().register(&request).await.unwrap(), registered);
    let again = world.other_process().authorize(registered.registration_id, &authorize).await.unwrap();
    let another = ann.authorize(&world.service, &registered, &code).await.unwrap();
    for response in [again, another] {
        assert_eq!(ann.token(&response).hawk_key.as_bytes(), token.hawk_key.as_bytes());
    }
    assert_eq!(world.models.key_record(ann.box_id()).await.unwrap().unwrap().version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_registration_is_refused_by_its_field() {
    let world = World::new().await;
    let (ann, ben) = (Person::new(world.now()), Person::new(world.now()));
    let good = ann.register_request(ANN);
    let elsewhere = Person::in_region(RegionNumber(2), world.now()).register_request(ANN);
    let mut forged = good.clone();
    let mut octets = forged.founding_statement.as_slice().to_vec();
    *octets.last_mut().unwrap() ^= 1;
    forged.founding_statement = octets.into();
    let foreign = {
        let mut request = good.clone();
        request.sealing_statement = ben.sealing_statement.clone();
        request
    };
    let nobody = {
        let mut request = good.clone();
        request.identifier = "ann".to_owned();
        request
    };
    let old = {
        let mut request = good.clone();
        request.sealing_statement = ann.sealing(1, world.now().minus(8 * DAY));
        request
    };
    for (request, field) in [
        (nobody, "/identifier"),
        (forged, "/founding_statement"),
        (elsewhere, "/founding_statement"),
        (foreign, "/sealing_statement"),
        (old, "/sealing_statement"),
    ] {
        match refusal(world.service.register(&request).await) {
            Refusal::Invalid { field: found, .. } | Refusal::Statement { field: found, .. } => assert_eq!(found, field),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.models.positions().await.unwrap().iter().map(|p| p.next_offset).sum::<u64>(), 0);
    // The same id with another body.
    world.service.register(&good).await.unwrap();
    let other = rossby_schemas::http::registration::RegisterRequest {
        command_id: good.command_id,
        ..ben.register_request(ANN)
    };
    assert_eq!(refusal(world.service.register(&other).await), Refusal::IdReused { field: "/command_id".to_owned() });
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_has_the_code_learns_that_an_identifier_is_taken() {
    let world = World::new().await;
    world.person(ANN).await;
    let eve = Person::new(world.now());
    let registered = eve.register(&world.service, ANN).await.unwrap();
    let wrong = refusal(eve.authorize(&world.service, &registered, WRONG).await);
    assert_eq!(wrong, Refusal::WrongCode { guesses_left: 4 });
    let code = world.code(ANN, 1).await;
    assert_eq!(refusal(eve.authorize(&world.service, &registered, &code).await), Refusal::IdentifierTaken);
    assert_eq!(world.models.key_record(eve.box_id()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_guesses_do_not_exceed_their_number() {
    let world = World::new().await;
    let ann = Person::new(world.now());
    let registered = ann.register(&world.service, ANN).await.unwrap();
    let code = world.code(ANN, 0).await;
    let (one, other) = (&world.service, world.other_process());
    let guesses = (0..12).map(|n| ann.authorize(if n % 2 == 0 { one } else { &other }, &registered, WRONG));
    let answers = futures::future::join_all(guesses).await;
    let wrong = answers.iter().filter(|a| matches!(a, Err(CommandError::Refused(Refusal::WrongCode { .. })))).count();
    let spent = answers.iter().filter(|a| matches!(a, Err(CommandError::Refused(Refusal::CodeSpent)))).count();
    assert_eq!((wrong, spent), (5, 7), "{answers:?}");
    assert_eq!(refusal(ann.authorize(&world.service, &registered, &code).await), Refusal::CodeSpent);
    // Another code is good again.
    let request = IssueCodeRequest { command_id: command(), identifier: ANN.to_owned() };
    world.service.issue_code(registered.registration_id, &request).await.unwrap();
    let code = world.code(ANN, 1).await;
    ann.authorize(&world.service, &registered, &code).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_expire_and_are_used_up_for_the_day() {
    let world = World::new().await;
    let ann = Person::new(world.now());
    let registered = ann.register(&world.service, ANN).await.unwrap();
    let code = world.code(ANN, 0).await;
    world.clock.advance(Duration::from_secs(600));
    assert_eq!(refusal(ann.authorize(&world.service, &registered, &code).await), Refusal::CodeSpent);

    let issue = async |identifier: &str| {
        let request = IssueCodeRequest { command_id: command(), identifier: identifier.to_owned() };
        world.service.issue_code(registered.registration_id, &request).await
    };
    // To another identifier than the registration's, no code goes.
    assert_eq!(refusal(issue("eve@example.org").await), Refusal::NoSuchRegistration);
    for _ in 0..4 {
        issue(ANN).await.unwrap();
    }
    let exhausted = refusal(issue(ANN).await);
    assert!(matches!(exhausted, Refusal::CodesExhausted { retry_after: 1..=86_400 }), "{exhausted:?}");
    let refused = refusal(Person::new(world.now()).register(&world.service, ANN).await);
    assert!(matches!(refused, Refusal::CodesExhausted { .. }));
    let old = refusal(ann.authorize(&world.service, &registered, &code).await);
    assert_eq!(old, Refusal::WrongCode { guesses_left: 4 }, "only the last code is good");

    world.clock.advance(DAY);
    let ben = Person::new(world.now());
    ben.register(&world.service, ANN).await.unwrap();
    assert_eq!(world.mailboxes.codes("eve@example.org").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_bound_to_its_registration_and_device() {
    let world = World::new().await;
    let (ann, eve) = (Person::new(world.now()), Person::new(world.now()));
    let registered = ann.register(&world.service, ANN).await.unwrap();
    let code = world.code(ANN, 0).await;
    let other = eve.register(&world.service, ANN).await.unwrap();
    let wrong = refusal(eve.authorize(&world.service, &other, &code).await);
    assert_eq!(wrong, Refusal::WrongCode { guesses_left: 4 });
    // Another device for Ann's registration; Ann's device id with another key.
    assert_eq!(refusal(eve.authorize(&world.service, &registered, &code).await), Refusal::NoSuchRegistration);
    let mut forged = eve.authorize_request(&registered, &code);
    forged.device_id = ann.device_id;
    let refused = refusal(world.service.authorize(registered.registration_id, &forged).await);
    assert!(matches!(refused, Refusal::Statement { field, .. } if field == "/signature"));
    let unknown = RegistrationId::from_bytes([9; 16]);
    let request = ann.authorize_request(&registered, &code);
    assert_eq!(refusal(world.service.authorize(unknown, &request).await), Refusal::NoSuchRegistration);
    ann.authorize(&world.service, &registered, &code).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_registrations_at_the_same_moment_have_one_owner() {
    let world = World::new().await;
    for round in 0..5 {
        let identifier = format!("p{round}@example.org");
        let people = [Person::new(world.now()), Person::new(world.now())];
        let first = people[0].register(&world.service, &identifier).await.unwrap();
        let second = people[1].register(&world.service, &identifier).await.unwrap();
        let codes = [world.code(&identifier, 0).await, world.code(&identifier, 1).await];
        // Codes are sent in tasks of their own: either may have come first.
        let code_of = |registered: rossby_schemas::http::registration::RegisterResponse, person: usize| {
            let (people, codes, service) = (&people, &codes, world.other_process());
            async move {
                let tries = codes.iter().map(|code| people[person].authorize(&service, &registered, code));
                let mut last = None;
                for result in tries {
                    last = Some(result.await);
                    if !matches!(&last, Some(Err(CommandError::Refused(Refusal::WrongCode { .. })))) {
                        break;
                    }
                }
                last.unwrap()
            }
        };
        let (one, other) = tokio::join!(code_of(first, 0), code_of(second, 1));
        let won = [one.is_ok(), other.is_ok()];
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{one:?} {other:?}");
        let lost = if one.is_ok() { other } else { one };
        assert_eq!(refusal(lost), Refusal::IdentifierTaken);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_ended_half_way_is_finished() {
    let world = World::new().await;
    let ann = Person::new(world.now());
    let registered = ann.register(&world.service, ANN).await.unwrap();
    let code = world.code(ANN, 0).await;
    world.log.set(Topic::Keys, Some(Fault::Refused));
    let request = ann.authorize_request(&registered, &code);
    // The guess counts and the identifier is verified: nobody is told that nothing was changed.
    let answer = world.service.authorize(registered.registration_id, &request).await;
    let Err(CommandError::OutcomeUnknown { status: Some((id, token)), .. }) = answer else { panic!("{answer:?}") };
    let status = async || world.other_process().command_status(id, Some(&token)).await.unwrap().state;
    assert_eq!(status().await, CommandState::Pending);
    assert_eq!(world.models.key_record(ann.box_id()).await.unwrap(), None);
    assert!(world.other_process().reconcile().await.is_err());
    world.log.set(Topic::Keys, None);

    assert_eq!(world.other_process().reconcile().await.unwrap(), 1);
    assert_eq!(world.other_process().reconcile().await.unwrap(), 0);
    assert_eq!(status().await, CommandState::Done);
    assert_eq!(world.models.key_record(ann.box_id()).await.unwrap().unwrap().version, 1);
    world.service.authorize(registered.registration_id, &request).await.unwrap();
    assert_eq!(world.models.key_record(ann.box_id()).await.unwrap().unwrap().version, 1);
}
