//! Request key, send, fetch and confirm.

use std::time::Duration;

use futures::future::join_all;
use rossby_commands::{CommandError, Fetch, Refusal, Timeouts};
use rossby_crypto::account::AccountChange;
use rossby_crypto::keyed_hash::MasterSecret;
use rossby_crypto::message::{SealedMessage, open};
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::http::lookup::LookupRequest;
use rossby_schemas::http::messages::{ConfirmRequest, OutgoingMessage, SendOutcome, SendRequest};
use rossby_schemas::ids::OuterId;
use rossby_schemas::topic::Topic;
use rossby_testing::{DAY, Fault, Person, refusal};
use uuid::Uuid;

use crate::account::change;
use crate::world::World;

const ANN: &str = "ann@example.org";
const BEN: &str = "tel:+15551234567";

fn one(message: &OutgoingMessage) -> SendRequest {
    SendRequest { messages: vec![message.clone()] }
}

async fn send(world: &World, from: &Person, message: &OutgoingMessage) -> SendOutcome {
    let mut response = world.service.send_message(from.caller(), &one(message)).await.unwrap();
    assert_eq!(response.results.len(), 1);
    response.results.remove(0).outcome
}

fn seen(outcome: &SendOutcome) -> Fetch {
    match outcome {
        SendOutcome::Accepted { position, .. } => {
            Fetch { position: Some(position.0.parse().unwrap()), ..Fetch::default() }
        }
        other => panic!("not accepted: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_talk() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let lookup = LookupRequest { identifier: Some("+1 555 123 4567".to_owned()), box_id: None };
    let found = world.service.request_key(ann.caller(), &lookup).await.unwrap();
    assert_eq!((found.box_id, found.key_record.head), (ben.box_id(), ben.record.head()));
    assert_eq!(found.key_record.sealing_statements, std::slice::from_ref(&ben.sealing_statement));

    let message = ann.message(&ben, "hello", 1, world.now());
    let outcome = send(&world, &ann, &message).await;
    let fetched = world.service.fetch_messages(ben.caller(), seen(&outcome)).await.unwrap();
    assert_eq!((fetched.messages.len(), fetched.position_seen, fetched.more), (1, Some(true), false));
    let got = &fetched.messages[0];
    let sealed = SealedMessage {
        recipient: ben.box_id(),
        device_id: ben.device_id,
        recipient_head: got.recipient_head,
        outer_id: got.outer_id,
        content: &got.content,
        sealing_counter: got.sealing_counter,
        enc: &FixedOctets::try_from(got.enc.as_slice()).unwrap(),
        wrapped_key: &got.wrapped_key,
    };
    let opened = open(&sealed, &ben.sealing_key).unwrap();
    opened.verify(&ann.record).unwrap();
    assert_eq!(opened.content().body.as_slice(), b"hello");

    // Nothing moves until it is confirmed; then it is gone, and confirming again is harmless.
    let again = world.service.fetch_messages(ben.caller(), Fetch::default()).await.unwrap();
    assert_eq!(again.messages, fetched.messages);
    let confirm = ConfirmRequest { handles: vec![got.handle.clone(), got.handle.clone()] };
    let confirmed = world.service.confirm_messages(ben.caller(), &confirm).await.unwrap();
    assert_eq!(confirmed.confirmed, 1);
    let fetch = Fetch { position: Some(confirmed.position.0.parse().unwrap()), ..Fetch::default() };
    assert_eq!(world.service.fetch_messages(ben.caller(), fetch).await.unwrap().messages, []);
    world.service.confirm_messages(ben.caller(), &confirm).await.unwrap();
    // Another device's handles are nothing.
    let refused = refusal(world.service.confirm_messages(ann.caller(), &confirm).await);
    assert!(matches!(refused, Refusal::Invalid { field, .. } if field == "/handles/0"));
    // Sent again, also by a process that knows nothing of it: the same answer, and nothing comes back.
    let repeated = world.other_process().send_message(ann.caller(), &one(&message)).await.unwrap();
    assert_eq!(repeated.results[0].outcome, outcome);
    assert_eq!(world.service.fetch_messages(ben.caller(), seen(&outcome)).await.unwrap().messages, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_waits_for_a_message() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let message = ann.message(&ben, "hello", 1, world.now());
    let wait = Fetch { wait_seconds: Some(30), ..Fetch::default() };
    let (fetched, ()) = tokio::join!(world.service.fetch_messages(ben.caller(), wait), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        send(&world, &ann, &message).await;
    });
    assert_eq!(fetched.unwrap().messages.len(), 1);
    for bad in [
        Fetch { limit: Some(0), ..Fetch::default() },
        Fetch { limit: Some(501), ..Fetch::default() },
        Fetch { wait_seconds: Some(31), ..Fetch::default() },
    ] {
        assert!(matches!(refusal(world.service.fetch_messages(ben.caller(), bad).await), Refusal::Invalid { .. }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_with_another_value_is_refused() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let message = ann.message(&ben, "hello", 1, world.now());
    let outcome = send(&world, &ann, &message).await;
    world.service.fetch_messages(ben.caller(), seen(&outcome)).await.unwrap();
    let other = OutgoingMessage { outer_id: message.outer_id, ..ann.message(&ben, "other", 1, world.now()) };
    let refused = refusal(world.service.send_message(ann.caller(), &one(&other)).await);
    assert_eq!(refused, Refusal::IdReused { field: "/messages/0/outer_id".to_owned() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_for_another_head_or_key_is_stale() {
    let world = World::new().await;
    let (ann, mut ben) = (world.person(ANN).await, world.person(BEN).await);
    let old = ann.message(&ben, "hello", 1, world.now());
    // A new sealing key.
    let sealing = ben.sealing(2, world.now());
    let request = rossby_schemas::http::account::StatementRequest {
        command_id: rossby_testing::command(),
        statement: sealing.clone(),
    };
    world.service.statement(ben.caller(), &request).await.unwrap();
    match send(&world, &ann, &old).await {
        SendOutcome::Stale { head, statements, sealing_statements } => {
            assert_eq!((head, statements.len()), (ben.record.head(), 0));
            assert_eq!(sealing_statements, [sealing]);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(send(&world, &ann, &ann.message(&ben, "x", 2, world.now())).await, SendOutcome::Accepted { .. }));
    // A key that this server has not heard of: it may be on its way.
    assert_eq!(send(&world, &ann, &ann.message(&ben, "x", 3, world.now())).await, SendOutcome::Unavailable);
    // A head that the record never had.
    let stranger = Person::new(world.now());
    ben.record = stranger.record;
    let forged = OutgoingMessage { recipient: old.recipient, ..ann.message(&ben, "x", 2, world.now()) };
    assert!(
        matches!(send(&world, &ann, &forged).await, SendOutcome::Stale { statements, .. } if statements.len() == 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_told_once_however_many_messages_are_stale() {
    let world = World::new().await;
    let (ann, ben, cid) = (world.person(ANN).await, world.person(BEN).await, world.person("cid@example.org").await);
    let old: Vec<_> = (0..4).map(|_| ann.message(&ben, "hello", 1, world.now())).collect();
    let sealing = ben.sealing(2, world.now());
    let request = rossby_schemas::http::account::StatementRequest {
        command_id: rossby_testing::command(),
        statement: sealing.clone(),
    };
    world.service.statement(ben.caller(), &request).await.unwrap();
    // A head that the record never had: what is told of the second goes further back than what is told of the first.
    let unknown = OutgoingMessage { recipient: ben.box_id(), ..ann.message(&cid, "hello", 1, world.now()) };
    let messages = [&old[..2], &[unknown], &old[2..]].concat();
    let sent = world.service.send_message(ann.caller(), &SendRequest { messages }).await.unwrap();
    let told = |outcome: &SendOutcome| match outcome {
        SendOutcome::Stale { head, statements, sealing_statements } => {
            assert_eq!(*head, ben.record.head());
            (statements.len(), sealing_statements.clone())
        }
        other => panic!("{other:?}"),
    };
    let told: Vec<_> = sent.results.iter().map(|result| told(&result.outcome)).collect();
    assert_eq!(told[0], (1, vec![sealing]));
    assert!(told[1..].iter().all(|told| *told == (0, vec![])), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_make_no_sense_change_nothing() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let good = ann.message(&ben, "hello", 1, world.now());
    let expired = ann.message(&ben, "hello", 1, world.now().minus(2 * DAY));
    let far = ann.message(&ben, "hello", 1, world.now().plus(31 * DAY));
    let cut = OutgoingMessage { value: good.value.as_slice()[..100].into(), ..good.clone() };
    for (messages, field) in [
        (vec![], "/messages"),
        (vec![good.clone(), good.clone()], "/messages/1/outer_id"),
        (vec![good.clone(), expired], "/messages/1/value"),
        (vec![good.clone(), far], "/messages/1/value"),
        (vec![cut], "/messages/0/value"),
        (vec![good.clone(); 301], "/messages"),
    ] {
        let refused = refusal(world.service.send_message(ann.caller(), &SendRequest { messages }).await);
        assert!(matches!(&refused, Refusal::Invalid { field: found, .. } if found == field), "{refused:?}");
    }
    assert_eq!(world.models.accepted(ben.box_id(), good.outer_id).await.unwrap(), []);
    let stranger = Person::new(world.now());
    let nobody = ann.message(&stranger, "hello", 1, world.now());
    assert_eq!(send(&world, &ann, &nobody).await, SendOutcome::NoSuchRecipient);
    for bad in [
        LookupRequest { identifier: None, box_id: None },
        LookupRequest { identifier: Some(BEN.into()), box_id: Some(ben.box_id()) },
    ] {
        assert!(matches!(refusal(world.service.request_key(ann.caller(), &bad).await), Refusal::Invalid { .. }));
    }
    for unknown in [
        LookupRequest { identifier: Some("nobody@example.org".into()), box_id: None },
        LookupRequest { identifier: None, box_id: Some(stranger.box_id()) },
    ] {
        assert_eq!(refusal(world.service.request_key(ann.caller(), &unknown).await), Refusal::NoSuchRecipient);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_log_is_away_writes_end_at_once_and_reads_go_on() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let first = ann.message(&ben, "first", 1, world.now());
    let outcome = send(&world, &ann, &first).await;
    world.service.fetch_messages(ben.caller(), seen(&outcome)).await.unwrap();
    for topic in Topic::ALL {
        world.log.set(topic, Some(Fault::Refused));
    }
    let began = std::time::Instant::now();
    let second = ann.message(&ben, "second", 1, world.now());
    assert_eq!(send(&world, &ann, &second).await, SendOutcome::Unavailable);
    let refused = Person::new(world.now()).register(&world.service, "new@example.org").await;
    assert!(matches!(refused, Err(CommandError::Unavailable(_))), "{refused:?}");
    let fetched = world.service.fetch_messages(ben.caller(), Fetch::default()).await.unwrap();
    assert_eq!(fetched.messages.len(), 1);
    let confirm = ConfirmRequest { handles: vec![fetched.messages[0].handle.clone()] };
    let refused = world.service.confirm_messages(ben.caller(), &confirm).await;
    assert!(matches!(refused, Err(CommandError::Unavailable(_))), "{refused:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "nobody waits for a log that is away");
    // Sent before: still the same answer.
    assert_eq!(send(&world, &ann, &first).await, outcome);

    // A message whose outcome nobody can tell is sent again, and is there once.
    for topic in Topic::ALL {
        world.log.set(topic, None);
    }
    world.log.set(Topic::Inbox, Some(Fault::UnknownWritten));
    let third = OutgoingMessage { outer_id: OuterId(Uuid::new_v4()), ..ann.message(&ben, "third", 1, world.now()) };
    assert_eq!(send(&world, &ann, &third).await, SendOutcome::OutcomeUnknown);
    world.log.set(Topic::Inbox, None);
    let outcome = send(&world, &ann, &third).await;
    let fetched = world.service.fetch_messages(ben.caller(), seen(&outcome)).await.unwrap();
    assert_eq!(fetched.messages.iter().filter(|m| m.outer_id == third.outer_id).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_recipient_has_its_own_answer_and_a_reused_id_refuses_the_whole() {
    let world = World::new().await;
    let (ann, ben, cid) = (world.person(ANN).await, world.person(BEN).await, world.person("cid@example.org").await);
    let stranger = Person::new(world.now());
    let request = rossby_schemas::http::account::StatementRequest {
        command_id: rossby_testing::command(),
        statement: cid.sealing(2, world.now()),
    };
    world.service.statement(cid.caller(), &request).await.unwrap();
    let people = [&ben, &stranger, &cid];
    let messages: Vec<_> = people.iter().map(|to| ann.message(to, "hello", 1, world.now())).collect();
    let request = SendRequest { messages: messages.clone() };
    let sent = world.service.send_message(ann.caller(), &request).await.unwrap();
    for (result, message) in sent.results.iter().zip(&messages) {
        assert_eq!((result.recipient, result.outer_id), (message.recipient, message.outer_id));
    }
    let outcomes: Vec<_> = sent.results.iter().map(|result| &result.outcome).collect();
    let [first, SendOutcome::NoSuchRecipient, SendOutcome::Stale { .. }] = outcomes[..] else { panic!("{outcomes:?}") };
    world.service.fetch_messages(ben.caller(), seen(first)).await.unwrap();

    let fresh = ann.message(&cid, "hello", 2, world.now());
    let reused = OutgoingMessage { outer_id: messages[0].outer_id, ..ann.message(&ben, "other", 1, world.now()) };
    let request = SendRequest { messages: vec![fresh.clone(), reused] };
    let refused = refusal(world.service.send_message(ann.caller(), &request).await);
    assert_eq!(refused, Refusal::IdReused { field: "/messages/1/outer_id".to_owned() });
    // The good one of the two was not sent either: nothing of it stands in the log, so that it is taken as new.
    assert_eq!(world.models.queue_depth(world.now()).await.unwrap(), 1);
    // The same id in another box's queue is another message.
    let same_id = OutgoingMessage { outer_id: messages[0].outer_id, ..fresh };
    assert!(matches!(send(&world, &ann, &same_id).await, SendOutcome::Accepted { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_learns_nothing_of_what_was_sent_before() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let message = ann.message(&ben, "hello", 1, world.now());
    let outcome = send(&world, &ann, &message).await;
    world.service.fetch_messages(ben.caller(), seen(&outcome)).await.unwrap();
    let tag = MasterSecret::new(1, &[7; 32]).acl_key(ben.box_id()).tag(ann.box_id());
    change(&world, &ben, 0, AccountChange::Block(tag)).await;
    // Neither the answer of before, nor that the id was used, nor what is stale.
    let reused = OutgoingMessage { outer_id: message.outer_id, ..ann.message(&ben, "other", 1, world.now()) };
    let stale = ann.message(&ben, "stale", 9, world.now());
    for message in [&message, &reused, &stale] {
        assert_eq!(send(&world, &ann, message).await, SendOutcome::NoSuchRecipient);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_key_than_this_region_knows_is_waited_for() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let service = world.process(Timeouts { newer_head: Duration::from_secs(60), ..Timeouts::default() });
    let message = one(&ann.message(&ben, "hello", 2, world.now()));
    let request = rossby_schemas::http::account::StatementRequest {
        command_id: rossby_testing::command(),
        statement: ben.sealing(2, world.now()),
    };
    // Whichever comes first.
    let (sent, stated) =
        tokio::join!(service.send_message(ann.caller(), &message), world.service.statement(ben.caller(), &request));
    stated.unwrap();
    let outcome = &sent.unwrap().results[0].outcome;
    assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_come_in_parts_and_each_once() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let messages: Vec<_> = (0..25).map(|n| ann.message(&ben, &n.to_string(), 1, world.now())).collect();
    let sent = world.service.send_message(ann.caller(), &SendRequest { messages: messages.clone() }).await.unwrap();
    for result in &sent.results {
        world.service.fetch_messages(ben.caller(), seen(&result.outcome)).await.unwrap();
    }
    let mut got = std::collections::BTreeSet::new();
    loop {
        let fetch = Fetch { limit: Some(10), ..Fetch::default() };
        let fetched = world.service.fetch_messages(ben.caller(), fetch).await.unwrap();
        if fetched.messages.is_empty() {
            break;
        }
        let left = 25 - got.len();
        assert_eq!((fetched.messages.len(), fetched.more), (left.min(10), left > 10));
        let handles = fetched.messages.iter().map(|message| message.handle.clone()).collect();
        for message in &fetched.messages {
            assert!(got.insert(message.outer_id));
        }
        let confirmed = world.service.confirm_messages(ben.caller(), &ConfirmRequest { handles }).await.unwrap();
        let fetch = Fetch { position: Some(confirmed.position.0.parse().unwrap()), ..Fetch::default() };
        assert_eq!(world.service.fetch_messages(ben.caller(), fetch).await.unwrap().position_seen, Some(true));
    }
    assert_eq!(got.len(), 25);
    let account = world.service.account(ben.caller()).await.unwrap();
    assert_eq!((account.devices[0].waiting, account.devices[0].confirmed), (0, 25));
    for handles in [vec![], vec![b"x".as_slice().into(); 1001]] {
        let refused = refusal(world.service.confirm_messages(ben.caller(), &ConfirmRequest { handles }).await);
        assert!(matches!(refused, Refusal::Invalid { field, .. } if field == "/handles"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_reaches_a_whole_group() {
    let world = World::new().await;
    let ann = world.person(ANN).await;
    let addresses: Vec<String> = (0..250).map(|n| format!("member{n}@example.org")).collect();
    let members = join_all(addresses.iter().map(|address| world.person(address))).await;
    // A page of text each.
    let text = "x".repeat(6000);
    let messages: Vec<_> = members.iter().map(|member| ann.message(member, &text, 1, world.now())).collect();
    let request = SendRequest { messages };
    let response = world.service.send_message(ann.caller(), &request).await.unwrap();
    assert_eq!(response.results.len(), 250);
    for ((member, sent), result) in members.iter().zip(&request.messages).zip(&response.results) {
        assert_eq!((result.recipient, result.outer_id), (member.box_id(), sent.outer_id), "in the request's order");
        let fetched = world.service.fetch_messages(member.caller(), seen(&result.outcome)).await.unwrap();
        assert_eq!(fetched.messages.len(), 1);
    }
    // Once more: the same answers, and nothing new.
    let again = world.service.send_message(ann.caller(), &request).await.unwrap();
    assert_eq!(again, response);
}
