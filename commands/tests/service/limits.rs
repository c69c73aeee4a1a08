//! Codes and guesses of a day, and codes that don't get there.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rossby_commands::{CommandError, Refusal};
use rossby_schemas::http::registration::IssueCodeRequest;
use rossby_testing::{DAY, Person, command, refusal, until};

use crate::world::World;

const ANN: &str = "tel:+15551234567";

/// A code that is not `code`.
fn another_than(code: &str) -> &'static str {
    if code == "00000000" { "00000001" } else { "00000000" }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_days_guesses_are_counted_over_all_registrations() {
    let world = World::new().await;
    let (mut eves, mut guesses) = (Vec::new(), 0);
    for round in 0..4 {
        let eve = Person::new(world.now());
        let registered = eve.register(&world.service, ANN).await.unwrap();
        let code = world.code(ANN, round).await;
        for left in (0..5).rev() {
            let wrong = refusal(eve.authorize(&world.service, &registered, another_than(&code)).await);
            assert_eq!(wrong, Refusal::WrongCode { guesses_left: left });
            guesses += 1;
        }
        eves.push(eve);
    }
    assert_eq!(guesses, 20);
    // The day's last code is good, and yet nobody may guess any more: the right one neither.
    let ann = Person::new(world.now());
    let registered = ann.register(&world.service, ANN).await.unwrap();
    let code = world.code(ANN, 4).await;
    let exhausted = refusal(ann.authorize(&world.service, &registered, &code).await);
    assert!(matches!(exhausted, Refusal::CodesExhausted { retry_after: 1..=86_400 }), "{exhausted:?}");
    assert_eq!(world.models.key_record(ann.box_id()).await.unwrap(), None);
    // Other identifiers are not concerned, and the next day is a new one.
    world.person("ann@example.org").await;
    world.clock.advance(DAY);
    let again = Person::new(world.now());
    let registered = again.register(&world.service, ANN).await.unwrap();
    let code = world.code(ANN, 5).await;
    again.authorize(&world.service, &registered, &code).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_the_same_moment_do_not_exceed_the_days_number() {
    let world = World::new().await;
    let mut eves = Vec::new();
    for round in 0..5 {
        let eve = Person::new(world.now());
        let registered = eve.register(&world.service, ANN).await.unwrap();
        let code = world.code(ANN, round).await;
        eves.push((eve, registered, another_than(&code)));
    }
    let services = [world.service.clone(), world.other_process()];
    let guesses = (0..30).map(|n| {
        let (eve, registered, wrong) = &eves[n % 5];
        eve.authorize(&services[n % 2], registered, wrong)
    });
    let answers = futures::future::join_all(guesses).await;
    let count = |is: fn(&Refusal) -> bool| {
        answers.iter().filter(|answer| matches!(answer, Err(CommandError::Refused(refusal)) if is(refusal))).count()
    };
    let wrong = count(|refusal| matches!(refusal, Refusal::WrongCode { .. }));
    let refused = count(|refusal| matches!(refusal, Refusal::CodeSpent | Refusal::CodesExhausted { .. }));
    assert_eq!((wrong, refused), (20, 10), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_asked_for_at_the_same_moment_do_not_exceed_the_days_number() {
    let world = World::new().await;
    let ann = Person::new(world.now());
    let registered = ann.register(&world.service, ANN).await.unwrap();
    let services = [world.service.clone(), world.other_process()];
    let asked = (0..8).map(|n| {
        let (service, id) = (&services[n % 2], registered.registration_id);
        async move {
            let request = IssueCodeRequest { command_id: command(), identifier: ANN.to_owned() };
            service.issue_code(id, &request).await
        }
    });
    let answers = futures::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 4, "{answers:?}");
    for answer in answers.into_iter().filter(Result::is_err) {
        assert!(matches!(refusal(answer), Refusal::CodesExhausted { .. }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_did_not_get_there_is_sent_when_the_command_is_repeated() {
    let world = World::new().await;
    let ann = Person::new(world.now());
    let request = ann.register_request(ANN);
    world.mailboxes.are_full.store(true, Ordering::Relaxed);
    let registered = world.service.register(&request).await.unwrap();
    world.mailboxes.are_full.store(false, Ordering::Relaxed);
    // The answer doesn't wait for the code, so that the failure may still be on its way.
    until("a code", async || {
        assert_eq!(world.service.register(&request).await.unwrap(), registered);
        !world.mailboxes.codes(ANN).is_empty()
    })
    .await;
    let code = world.code(ANN, 0).await;
    ann.authorize(&world.service, &registered, &code).await.unwrap();
    // It went out once, and one code was used up.
    world.service.register(&request).await.unwrap();
    world.service.finish().await;
    assert_eq!(world.mailboxes.codes(ANN).len(), 1);
    let state = world.models.registration(registered.registration_id).await.unwrap().unwrap();
    assert_eq!(state.codes.len(), 1);
    assert_eq!(state.codes[0].expires_at, world.now().plus(Duration::from_secs(600)));
}
