//! How much one may send, and that the limits tell nobody anything of the recipient.

use std::time::Duration;

use rossby_commands::{CommandError, Fetch, Refusal, Service};
use rossby_crypto::account::AccountChange;
use rossby_crypto::keyed_hash::MasterSecret;
use rossby_schemas::http::messages::{ConfirmRequest, OutgoingMessage, SendOutcome, SendRequest};
use rossby_testing::{DAY, Person, refusal, until};

use crate::account::change;
use crate::world::World;

async fn send(service: &Service, from: &Person, message: OutgoingMessage) -> Result<SendOutcome, CommandError> {
    let sent = service.send_message(from.caller(), &SendRequest { messages: vec![message] }).await?;
    Ok(sent.results[0].outcome.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_days_limit_to_one_the_answer_is_the_same_whoever_it_is() {
    let world = World::with(|config| config.limits.messages_to_one_per_day = 3).await;
    let ann = world.person("ann@example.org").await;
    let (open, blocks, unknown) =
        (world.person("ben@example.org").await, world.person("cleo@example.org").await, Person::new(world.now()));
    let tag = MasterSecret::new(1, &[7; 32]).acl_key(blocks.box_id()).tag(ann.box_id());
    change(&world, &blocks, 0, AccountChange::Block(tag)).await;
    for day in 0..2 {
        for to in [&open, &blocks, &unknown] {
            for n in 0..5 {
                let message = ann.message(to, "hello", 1, world.now());
                let outcome = send(&world.service, &ann, message).await.unwrap();
                let is_open = to.box_id() == open.box_id();
                let expected = match outcome {
                    SendOutcome::Accepted { .. } => n < 3 && is_open,
                    SendOutcome::NoSuchRecipient => n < 3 && !is_open,
                    SendOutcome::Unavailable => n >= 3,
                    _ => false,
                };
                assert!(expected, "{day} {n} {outcome:?}");
            }
        }
        // Somebody else has their own, and so has one's own box.
        let message = blocks.message(&open, "hello", 1, world.now());
        assert!(matches!(send(&world.service, &blocks, message).await, Ok(SendOutcome::Accepted { .. })));
        world.clock.advance(DAY);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_sends_only_so_much_in_a_minute() {
    let world = World::with(|config| config.limits.messages_per_minute = 4).await;
    let (ann, ben) = (world.person("ann@example.org").await, world.person("ben@example.org").await);
    let unknown = Person::new(world.now());
    let request = |to: &Person, count: usize| SendRequest {
        messages: (0..count).map(|_| ann.message(to, "hello", 1, world.now())).collect(),
    };
    world.service.send_message(ann.caller(), &request(&unknown, 3)).await.unwrap();
    world.clock.advance(Duration::from_secs(10));
    let many = request(&ben, 2);
    let refused = refusal(world.service.send_message(ann.caller(), &many).await);
    assert_eq!(refused, Refusal::TooManyMessages { retry_after: 50 });
    assert!(world.models.accepted(ben.box_id(), many.messages[0].outer_id).await.unwrap().is_empty());
    world.service.send_message(ann.caller(), &request(&ben, 1)).await.unwrap();
    world.clock.advance(Duration::from_secs(50));
    let sent = world.service.send_message(ann.caller(), &many).await.unwrap();
    assert!(sent.results.iter().all(|result| matches!(result.outcome, SendOutcome::Accepted { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_takes_more_once_it_was_fetched() {
    let world = World::with(|config| config.limits.queued_messages = 2).await;
    let (ann, ben) = (world.person("ann@example.org").await, world.person("ben@example.org").await);
    let cleo = world.person("cleo@example.org").await;
    let waiting = async || world.models.queued(ben.box_id(), world.now(), 9).await.unwrap();
    for n in 1..=2 {
        // Each from a process that has not asked a moment ago.
        let message = ann.message(&ben, "hello", 1, world.now());
        let sent = send(&world.other_process(), &ann, message).await;
        assert!(matches!(sent, Ok(SendOutcome::Accepted { .. })), "{sent:?}");
        until("it waits", async || waiting().await == n).await;
    }
    for from in [&ann, &cleo] {
        let message = from.message(&ben, "hello", 1, world.now());
        assert_eq!(send(&world.other_process(), from, message).await.unwrap(), SendOutcome::Unavailable);
    }
    let fetched = world.service.fetch_messages(ben.caller(), Fetch::default()).await.unwrap();
    let handles = fetched.messages.into_iter().map(|message| message.handle).collect();
    world.service.confirm_messages(ben.caller(), &ConfirmRequest { handles }).await.unwrap();
    until("it was swept", async || {
        world.models.sweep(world.now()).await.unwrap();
        waiting().await == 0
    })
    .await;
    let message = cleo.message(&ben, "hello", 1, world.now());
    let sent = send(&world.other_process(), &cleo, message).await;
    assert!(matches!(sent, Ok(SendOutcome::Accepted { .. })), "{sent:?}");
}
