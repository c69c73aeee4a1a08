//! What a device that links without end can do: a key record has only so much room, for ever.

use std::time::Duration;

use rossby_commands::Refusal;
use rossby_schemas::http::messages::{MAX_SENT, SendOutcome, SendRequest};
use rossby_testing::{DAY, Person, refusal};

use crate::devices::removal;
use crate::world::World;

/// Links a helper and removes it again: the record of both, the helper's too, grows by two.
async fn link_and_remove(world: &World, thief: &mut Person) {
    let (helper, request) = thief.link(world.now());
    world.service.link_device(thief.caller(), &request).await.unwrap();
    let request = removal(thief, &helper, world);
    world.service.statement(thief.caller(), &request).await.unwrap();
    thief.record.append(&request.statement).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_links_only_so_many_devices_in_a_day() {
    let world = World::with(|config| config.limits.links_per_day = 4).await;
    let mut owner = world.person("ann@example.org").await;
    let (mut thief, request) = owner.link(world.now());
    world.service.link_device(owner.caller(), &request).await.unwrap();
    world.clock.advance(Duration::from_secs(3600));
    for _ in 0..3 {
        link_and_remove(&world, &mut thief).await;
    }
    let known = thief.record.clone();
    let (_, request) = thief.link(world.now());
    let refused = refusal(world.service.link_device(thief.caller(), &request).await);
    assert_eq!(refused, Refusal::TooManyLinks { retry_after: 23 * 3600 }, "until the first of the four is a day old");
    thief.record = known;
    assert!(matches!(
        refusal(world.other_process().link_device(thief.caller(), &request).await),
        Refusal::TooManyLinks { .. }
    ));
    // Whoever was there before removes the thief all the same, and links again the day after.
    owner.record = thief.record.clone();
    let request = removal(&owner, &thief, &world);
    world.service.statement(owner.caller(), &request).await.unwrap();
    owner.record.append(&request.statement).unwrap();
    world.clock.advance(DAY);
    let (_, request) = owner.link(world.now());
    world.service.link_device(owner.caller(), &request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_verified_once_and_then_what_is_added_to_it() {
    let world = World::new().await;
    let mut ann = world.person("ann@example.org").await;
    let ben = world.person("ben@example.org").await;
    for _ in 0..4 {
        link_and_remove(&world, &mut ann).await;
    }
    // To a process that knows nothing of them yet, one request with as many messages as it may have.
    let service = world.other_process();
    let send = async |ann: &Person, count| {
        let messages = (0..count).map(|_| ben.message(ann, "hello", 1, world.now())).collect();
        let sent = service.send_message(ben.caller(), &SendRequest { messages }).await.unwrap();
        assert!(sent.results.iter().all(|result| matches!(result.outcome, SendOutcome::Accepted { .. })));
        service.statements_verified()
    };
    assert_eq!(send(&ann, MAX_SENT).await, 9, "each statement of hers once");
    assert_eq!(send(&ann, 1).await, 9);
    service.account(ann.caller()).await.unwrap();
    service.issue_token(&ann.token_request()).await.unwrap();
    assert_eq!(service.statements_verified(), 9);
    // Another device: its statement alone. The record is then as new as the tables, for everyone.
    let (laptop, request) = ann.link(world.now());
    world.service.link_device(ann.caller(), &request).await.unwrap();
    let stale = ben.message(&ann, "for one", 1, world.now());
    let sent = service.send_message(ben.caller(), &SendRequest { messages: vec![stale] }).await.unwrap();
    assert!(matches!(sent.results[0].outcome, SendOutcome::Stale { .. }));
    assert_eq!(service.statements_verified(), 10);
    assert!(service.issue_token(&laptop.token_request()).await.is_ok());
    // A removed device gets nothing more from what is kept.
    let request = removal(&ann, &laptop, &world);
    world.service.statement(ann.caller(), &request).await.unwrap();
    assert_eq!(refusal(service.issue_token(&laptop.token_request()).await), Refusal::NotADevice);
    assert_eq!(service.statements_verified(), 11);
}
