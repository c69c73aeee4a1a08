//! Signals: to devices that are connected, and nowhere else.

use std::time::Duration;

use rossby_commands::{Delivery, HistoryQuery, Refusal, Subscription};
use rossby_crypto::account::AccountChange;
use rossby_crypto::keyed_hash::MasterSecret;
use rossby_crypto::message::{MessageValue, SealedMessage, open};
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::http::messages::{OutgoingMessage, SendOutcome, SendRequest};
use rossby_schemas::http::signals::{ReceivedSignal, SignalOutcome, SignalRequest};
use rossby_schemas::topic::Topic;
use rossby_testing::{Fault, Person, refusal};

use crate::account::change;
use crate::live::{backlog, connect, live, next};
use crate::world::World;

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";

async fn signal(world: &World, from: &Person, signal: &OutgoingMessage) -> SignalOutcome {
    let request = SignalRequest { signals: vec![signal.clone()] };
    let mut response = world.service.send_signals(from.caller(), &request).await.unwrap();
    assert_eq!((response.results.len(), response.results[0].outer_id), (1, signal.outer_id));
    response.results.remove(0).outcome
}

async fn received(stream: &mut Subscription) -> ReceivedSignal {
    match next(stream).await {
        Delivery::Signal(signal) => *signal,
        other => panic!("no signal: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_reaches_the_devices_that_are_connected_and_stands_in_no_table() {
    let world = World::new().await;
    let (mut ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let (laptop, request) = ann.link(world.now());
    world.service.link_device(ann.caller(), &request).await.unwrap();
    let cid = world.person("cid@example.org").await;
    let live = live(&world).await;
    let mut streams = Vec::new();
    for person in [&ann, &laptop, &cid] {
        let mut stream = connect(&live, person).await;
        assert_eq!(backlog(&mut stream).await, []);
        streams.push(stream);
    }
    // The history is behind for a moment: nobody waits for it but who reads it.
    for person in [&ann, &ben, &cid] {
        world.service.account_history(person.caller(), &HistoryQuery::default()).await.unwrap();
    }
    let before = world.models.snapshot(world.now()).await.unwrap();
    let typing = ben.message_to(&[&ann, &laptop], "typing", 1, world.now());
    assert_eq!(signal(&world, &ben, &typing).await, SignalOutcome::Accepted);
    for (stream, device) in streams.iter_mut().zip([&ann, &laptop]) {
        let got = received(stream).await;
        assert_eq!((got.outer_id, got.sent_at), (typing.outer_id, world.now()));
        let sealed = SealedMessage {
            recipient: ann.box_id(),
            device_id: device.device_id,
            recipient_head: got.recipient_head,
            outer_id: got.outer_id,
            content: &got.content,
            sealing_counter: got.sealing_counter,
            enc: &FixedOctets::try_from(got.enc.as_slice()).unwrap(),
            wrapped_key: &got.wrapped_key,
        };
        let opened = open(&sealed, &device.sealing_key).unwrap();
        opened.verify(&ben.record).unwrap();
        assert_eq!(opened.content().body.as_slice(), b"typing");
    }
    // Cid got none of it: his own is the first that comes to him.
    let for_cid = ben.message(&cid, "typing", 1, world.now());
    assert_eq!(signal(&world, &ben, &for_cid).await, SignalOutcome::Accepted);
    assert_eq!(received(&mut streams[2]).await.outer_id, for_cid.outer_id);
    // Nobody is there, and the answer is the same.
    let gone = ann.message(&ben, "typing", 1, world.now());
    assert_eq!(signal(&world, &ann, &gone).await, SignalOutcome::Accepted);

    let after = world.models.snapshot(world.now()).await.unwrap();
    assert_eq!(after, before);
    assert_eq!(world.models.quarantined().await.unwrap(), 0);
    drop(streams);
    assert_eq!(backlog(&mut connect(&live, &ann).await).await, [], "it does not come again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_for_a_message_holds_for_a_signal() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let stranger = Person::new(world.now());
    // Who is blocked and whom nobody knows, before anything else is looked at.
    let tag = MasterSecret::new(1, &[7; 32]).acl_key(ben.box_id()).tag(ann.box_id());
    let stale = ann.message(&ben, "x", 9, world.now());
    assert_eq!(signal(&world, &ann, &stale).await, SignalOutcome::Unavailable, "a key that may be on its way");
    change(&world, &ben, 0, AccountChange::Block(tag)).await;
    for message in [&stale, &ann.message(&ben, "x", 1, world.now()), &ann.message(&stranger, "x", 1, world.now())] {
        assert_eq!(signal(&world, &ann, message).await, SignalOutcome::NoSuchRecipient);
    }
    change(&world, &ben, 1, AccountChange::Unblock(tag)).await;
    // A new sealing key makes what is sealed to the one before stale, as it does a message.
    let old = ann.message(&ben, "x", 1, world.now());
    let request = rossby_schemas::http::account::StatementRequest {
        command_id: rossby_testing::command(),
        statement: ben.sealing(2, world.now()),
    };
    world.service.statement(ben.caller(), &request).await.unwrap();
    let answer = signal(&world, &ann, &old).await;
    let sent = world.service.send_message(ann.caller(), &SendRequest { messages: vec![old] }).await.unwrap();
    match (answer, &sent.results[0].outcome) {
        (
            SignalOutcome::Stale { head, statements, sealing_statements },
            SendOutcome::Stale { head: h, statements: s, sealing_statements: k },
        ) => assert_eq!((&head, &statements, &sealing_statements), (h, s, k)),
        other => panic!("{other:?}"),
    }

    let good = ann.message(&ben, "x", 2, world.now());
    let long = ann.message(&ben, &"x".repeat(2000), 2, world.now());
    let expired = OutgoingMessage { value: expire(&good), ..good.clone() };
    let spoilt = OutgoingMessage { value: good.value.as_slice()[1..].into(), ..good.clone() };
    let ask = async |signals: Vec<OutgoingMessage>| {
        refusal(world.service.send_signals(ann.caller(), &SignalRequest { signals }).await)
    };
    assert!(matches!(ask(vec![]).await, Refusal::Invalid { field, .. } if field == "/signals"));
    assert!(matches!(ask(vec![good.clone(); 301]).await, Refusal::Invalid { field, .. } if field == "/signals"));
    assert!(
        matches!(ask(vec![good.clone(), good.clone()]).await, Refusal::Invalid { field, .. } if field == "/signals/1/outer_id")
    );
    assert!(
        matches!(ask(vec![good.clone(), long]).await, Refusal::TooLarge { field, .. } if field == "/signals/1/value")
    );
    for bad in [expired, spoilt] {
        assert!(matches!(ask(vec![bad]).await, Refusal::Invalid { field, .. } if field == "/signals/0/value"));
    }
    // The log is away.
    world.log.set(Topic::Signals, Some(Fault::Refused));
    assert_eq!(signal(&world, &ann, &good).await, SignalOutcome::Unavailable);
    world.log.set(Topic::Signals, Some(Fault::UnknownLost));
    assert_eq!(signal(&world, &ann, &good).await, SignalOutcome::OutcomeUnknown);
}

fn expire(message: &OutgoingMessage) -> rossby_schemas::encoding::Octets {
    let value = MessageValue::parse(&message.value).unwrap();
    MessageValue { expires_at: "2026-11-24T08:59:59Z".parse().unwrap(), ..value }.to_octets()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_signal_is_given_to_nobody() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let live = live(&world).await;
    let mut stream = connect(&live, &ben).await;
    assert_eq!(backlog(&mut stream).await, []);
    // The first lands eleven seconds after it was sent.
    world.log.set(Topic::Signals, Some(Fault::UnknownHeld));
    let old = ann.message(&ben, "typing", 1, world.now());
    assert_eq!(signal(&world, &ann, &old).await, SignalOutcome::OutcomeUnknown);
    world.log.set(Topic::Signals, None);
    world.clock.advance(Duration::from_secs(11));
    world.log.land().await;
    let fresh = ann.message(&ben, "typing", 1, world.now());
    assert_eq!(signal(&world, &ann, &fresh).await, SignalOutcome::Accepted);
    assert_eq!(received(&mut stream).await.outer_id, fresh.outer_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_takes_nothing_loses_signals_and_no_message() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let live = live(&world).await;
    let mut stream = connect(&live, &ben).await;
    assert_eq!(backlog(&mut stream).await, []);
    for _ in 0..50 {
        let typing = ann.message(&ben, "typing", 1, world.now());
        assert_eq!(signal(&world, &ann, &typing).await, SignalOutcome::Accepted);
    }
    let message = ann.message(&ben, "hello", 1, world.now());
    let request = SendRequest { messages: vec![message.clone()] };
    world.service.send_message(ann.caller(), &request).await.unwrap();
    let mut signals = 0;
    loop {
        match next(&mut stream).await {
            Delivery::Signal(_) => signals += 1,
            Delivery::Message(got) => {
                assert_eq!(got.outer_id, message.outer_id);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(signals < 50, "all were kept for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_fail_go_on_at_the_end() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let live = live(&world).await;
    let mut stream = connect(&live, &ben).await;
    assert_eq!(backlog(&mut stream).await, []);
    world.log.set_unreadable(Topic::Signals, true);
    let lost = ann.message(&ben, "typing", 1, world.now());
    assert_eq!(signal(&world, &ann, &lost).await, SignalOutcome::Accepted);
    // Messages come all the same.
    let message = ann.message(&ben, "hello", 1, world.now());
    world.service.send_message(ann.caller(), &SendRequest { messages: vec![message.clone()] }).await.unwrap();
    assert!(matches!(next(&mut stream).await, Delivery::Message(got) if got.outer_id == message.outer_id));
    world.log.set_unreadable(Topic::Signals, false);
    // Sent until the readers are back.
    let back = async {
        loop {
            let typing = ann.message(&ben, "typing", 1, world.now());
            assert_eq!(signal(&world, &ann, &typing).await, SignalOutcome::Accepted);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        got = received(&mut stream) => assert_ne!(got.outer_id, lost.outer_id),
        () = back => {}
    }
}
