//! Live delivery: what a connected device is given, and what it costs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rossby_commands::{Delivery, Fetch, Live, LiveConfig, Subscription};
use rossby_crypto::account::AccountChange;
use rossby_crypto::keyed_hash::MasterSecret;
use rossby_crypto::statements::{Remover, remove};
use rossby_log::partition_for;
use rossby_projections::Projection;
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::envelope::{Control, Envelope};
use rossby_schemas::events::Event;
use rossby_schemas::events::identifiers::IdentifierVerifiedV1;
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::http::account::StatementRequest;
use rossby_schemas::http::messages::{ConfirmRequest, FetchedMessage, OutgoingMessage, SendOutcome, SendRequest};
use rossby_schemas::http::signals::SignalRequest;
use rossby_schemas::http::stream::Changed;
use rossby_schemas::ids::{IdentifierHash, OuterId, RegistrationId};
use rossby_schemas::topic::{Topic, TopicName};
use rossby_testing::{HOME, Person, command, until};
use uuid::Uuid;

use crate::account::change;
use crate::setting::Setting;
use crate::world::World;

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn live(world: &World) -> Live {
    Live::start(world.service.clone(), LiveConfig::default()).await.unwrap()
}

pub(crate) async fn connect(live: &Live, person: &Person) -> Subscription {
    let token = MasterSecret::new(1, &[7; 32]).token_id(person.box_id(), person.device_id, 1);
    live.connect(token).await.unwrap()
}

/// The next that a device is given.
pub(crate) async fn next(subscription: &mut Subscription) -> Delivery {
    tokio::time::timeout(PATIENCE, subscription.next()).await.expect("nothing comes").expect("it has ended")
}

async fn message(subscription: &mut Subscription) -> FetchedMessage {
    match next(subscription).await {
        Delivery::Message(message) => *message,
        other => panic!("no message: {other:?}"),
    }
}

/// What waits, up to the word that this is all.
pub(crate) async fn backlog(subscription: &mut Subscription) -> Vec<OuterId> {
    let mut ids = Vec::new();
    loop {
        match next(subscription).await {
            Delivery::Message(message) => ids.push(message.outer_id),
            Delivery::CaughtUp { .. } => return ids,
            other => panic!("no message: {other:?}"),
        }
    }
}

async fn confirm(subscription: &Subscription, messages: &[FetchedMessage]) {
    let handles = messages.iter().map(|message| message.handle.clone()).collect();
    subscription.confirmer().confirm(&ConfirmRequest { handles }).await.unwrap();
}

async fn send(world: &World, from: &Person, messages: Vec<OutgoingMessage>) -> Vec<OuterId> {
    let sent = world.service.send_message(from.caller(), &SendRequest { messages }).await.unwrap();
    for result in &sent.results {
        assert!(matches!(result.outcome, SendOutcome::Accepted { .. }), "{result:?}");
    }
    sent.results.iter().map(|result| result.outer_id).collect()
}

/// One after the other, each after the last is in the log: their order is known.
async fn send_in_order(world: &World, from: &Person, to: &Person, count: usize) -> Vec<OuterId> {
    let mut ids = Vec::new();
    for number in 0..count {
        world.clock.advance(Duration::from_millis(1));
        let message = from.message(to, &number.to_string(), 1, world.now());
        ids.extend(send(world, from, vec![message]).await);
    }
    ids
}

async fn waits(world: &World, person: &Person, expected: u64) {
    until("what waits", async || {
        let pointer = world.models.device_pointer(person.box_id(), person.device_id, world.now()).await.unwrap();
        pointer.waiting == expected
    })
    .await;
}

/// People whose boxes are all in one partition.
async fn neighbours(world: &World, count: usize) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::new();
    while people.len() < count {
        let person = Person::new(world.now());
        let of = |person: &Person| partition_for(person.box_id().to_string().as_bytes(), 2);
        if people.first().is_none_or(|first| of(first) == of(&person)) {
            let identifier = format!("p{}@example.org", people.len());
            let registered = person.register(&world.service, &identifier).await.unwrap();
            let code = world.code(&identifier, 0).await;
            person.authorize(&world.service, &registered, &code).await.unwrap();
            people.push(person);
        }
    }
    people
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_comes_in_order_then_what_arrives_and_a_device_goes_on_where_it_was() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let live = live(&world).await;
    let before = send_in_order(&world, &ann, &ben, 5).await;
    waits(&world, &ben, 5).await;
    let mut stream = connect(&live, &ben).await;
    let mut given = Vec::new();
    for id in &before {
        given.push(message(&mut stream).await);
        assert_eq!(given.last().unwrap().outer_id, *id);
    }
    assert_eq!(next(&mut stream).await, Delivery::CaughtUp { lost: None });
    let after = send_in_order(&world, &ann, &ben, 5).await;
    for id in &after {
        given.push(message(&mut stream).await);
        assert_eq!(given.last().unwrap().outer_id, *id);
    }
    // It has confirmed some of both, and comes again: the others are given again, in order.
    confirm(&stream, &[&given[..2], &given[7..9]].concat()).await;
    drop(stream);
    waits(&world, &ben, 6).await;
    let mut again = connect(&live, &ben).await;
    let left: Vec<_> = [&before[2..], &after[..2], &after[4..]].concat();
    assert_eq!(backlog(&mut again).await, left);
    // What a fetch gives is the same message with the same handle.
    let fetched = world.service.fetch_messages(ben.caller(), Fetch::default()).await.unwrap();
    assert_eq!(fetched.messages.iter().map(|m| m.outer_id).collect::<Vec<_>>(), left);
    assert_eq!(fetched.messages[0], given[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_to_many_devices_in_one_batch_take_one_query() {
    const DEVICES: usize = 6;
    const EACH: usize = 5;
    let mut world = World::new().await;
    let people = neighbours(&world, DEVICES).await;
    let ann = world.person(ANN).await;
    let live = live(&world).await;
    let mut streams = Vec::new();
    for person in &people {
        let mut stream = connect(&live, person).await;
        assert_eq!(backlog(&mut stream).await, []);
        streams.push(stream);
    }
    // They are in the log before a projector reads them, so that they come in as few batches as the log gives.
    world.stop_projector().await;
    let mut messages = Vec::new();
    for person in &people {
        messages.extend((0..EACH).map(|n| ann.message(person, &n.to_string(), 1, world.now())));
    }
    let sent = send(&world, &ann, messages).await;
    let (before, mut wakes) = (live.queries(), world.models.subscribe());
    world.go_on();
    let mut got = BTreeSet::new();
    for stream in &mut streams {
        for _ in 0..EACH {
            assert!(got.insert(message(stream).await.outer_id));
        }
    }
    assert_eq!(got, sent.into_iter().collect());
    let mut batches = BTreeSet::new();
    while let Ok(applied) = wakes.try_recv() {
        if applied.is_of(Projection::Inbox, Topic::Inbox) {
            batches.insert((applied.partition, applied.next_offset));
        }
    }
    let after = live.queries();
    let feeds = after.feeds - before.feeds;
    assert!(feeds >= 1 && feeds <= batches.len() as u64, "{feeds} queries for {} batches", batches.len());
    assert!(batches.len() < DEVICES, "the log gave the messages in {} batches: it says nothing", batches.len());
    assert_eq!(after.catch_ups, before.catch_ups, "no stream asked by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_does_not_confirm_gets_a_window_and_others_all() {
    const WINDOW: usize = 10;
    let world = World::new().await;
    let (ann, ben, cid) = (world.person(ANN).await, world.person(BEN).await, world.person("cid@example.org").await);
    let config = LiveConfig { window_messages: WINDOW, ..LiveConfig::default() };
    let live = Live::start(world.service.clone(), config).await.unwrap();
    let (mut slow, mut quick) = (connect(&live, &ben).await, connect(&live, &cid).await);
    assert_eq!(backlog(&mut slow).await, []);
    assert_eq!(backlog(&mut quick).await, []);
    let to_ben = send_in_order(&world, &ann, &ben, 3 * WINDOW).await;
    let to_cid = send_in_order(&world, &ann, &cid, 3 * WINDOW).await;
    for id in &to_cid {
        let message = message(&mut quick).await;
        assert_eq!(message.outer_id, *id);
        confirm(&quick, &[message]).await;
    }
    let mut given = Vec::new();
    for id in &to_ben[..WINDOW] {
        given.push(message(&mut slow).await);
        assert_eq!(given.last().unwrap().outer_id, *id);
    }
    // No more comes, though it is all there: a signal is the next.
    waits(&world, &ben, 3 * WINDOW as u64).await;
    let typing = SignalRequest { signals: vec![ann.message(&ben, "typing", 1, world.now())] };
    world.service.send_signals(ann.caller(), &typing).await.unwrap();
    assert!(matches!(next(&mut slow).await, Delivery::Signal(_)));
    while !given.is_empty() {
        confirm(&slow, &given).await;
        let done = to_ben.iter().position(|id| *id == given.last().unwrap().outer_id).unwrap() + 1;
        given.clear();
        for id in to_ben.iter().skip(done).take(WINDOW) {
            given.push(message(&mut slow).await);
            assert_eq!(given.last().unwrap().outer_id, *id, "in order, each once");
        }
    }
    assert_eq!(next(&mut slow).await, Delivery::CaughtUp { lost: None });
    let queries = live.queries();
    assert!(queries.catch_ups < 20, "{queries:?}: not one for each message");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_backlog_comes_whole_in_order_and_once() {
    const COUNT: usize = 123;
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let config = LiveConfig { window_messages: 16, ..LiveConfig::default() };
    let live = Live::start(world.service.clone(), config).await.unwrap();
    let sent = send_in_order(&world, &ann, &ben, COUNT).await;
    waits(&world, &ben, COUNT as u64).await;
    let mut stream = connect(&live, &ben).await;
    let (mut got, mut unconfirmed) = (Vec::new(), Vec::new());
    loop {
        match next(&mut stream).await {
            Delivery::Message(message) => {
                got.push(message.outer_id);
                unconfirmed.push(*message);
            }
            Delivery::CaughtUp { .. } => break,
            other => panic!("{other:?}"),
        }
        if unconfirmed.len() == 5 {
            confirm(&stream, &unconfirmed).await;
            unconfirmed.clear();
        }
    }
    assert_eq!(got, sent);
    assert!(live.queries().catch_ups < COUNT as u64 / 4, "{:?}", live.queries());
    confirm(&stream, &unconfirmed).await;
    waits(&world, &ben, 0).await;
    drop(stream);
    assert_eq!(backlog(&mut connect(&live, &ben).await).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_elsewhere_makes_room_too() {
    const WINDOW: usize = 4;
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let config = LiveConfig { window_messages: WINDOW, ..LiveConfig::default() };
    let live = Live::start(world.service.clone(), config).await.unwrap();
    let mut stream = connect(&live, &ben).await;
    assert_eq!(backlog(&mut stream).await, []);
    let sent = send_in_order(&world, &ann, &ben, 2 * WINDOW).await;
    for id in &sent[..WINDOW] {
        assert_eq!(message(&mut stream).await.outer_id, *id);
    }
    // The same device fetches, and confirms there.
    let fetch = Fetch { limit: Some(6), ..Fetch::default() };
    waits(&world, &ben, 2 * WINDOW as u64).await;
    let fetched = world.service.fetch_messages(ben.caller(), fetch).await.unwrap();
    let handles = fetched.messages.iter().map(|message| message.handle.clone()).collect();
    world.service.confirm_messages(ben.caller(), &ConfirmRequest { handles }).await.unwrap();
    for id in &sent[6..] {
        assert_eq!(message(&mut stream).await.outer_id, *id, "neither lost nor given twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_of_a_device_gets_every_message() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let live = live(&world).await;
    let (mut one, mut two) = (connect(&live, &ben).await, connect(&live, &ben).await);
    assert_eq!(backlog(&mut one).await, []);
    assert_eq!(backlog(&mut two).await, []);
    let sent = send_in_order(&world, &ann, &ben, 3).await;
    for stream in [&mut one, &mut two] {
        for id in &sent {
            assert_eq!(message(stream).await.outer_id, *id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_handed_over_twice_comes_once() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let live = live(&world).await;
    let mut stream = connect(&live, &ben).await;
    assert_eq!(backlog(&mut stream).await, []);
    world.log.set(Topic::Inbox, Some(rossby_testing::Fault::UnknownWritten));
    let first = ann.message(&ben, "one", 1, world.now());
    let request = SendRequest { messages: vec![first.clone()] };
    let unknown = world.service.send_message(ann.caller(), &request).await.unwrap();
    assert_eq!(unknown.results[0].outcome, SendOutcome::OutcomeUnknown);
    world.log.set(Topic::Inbox, None);
    send(&world, &ann, vec![first.clone()]).await;
    let second = send_in_order(&world, &ann, &ben, 1).await;
    assert_eq!(message(&mut stream).await.outer_id, first.outer_id);
    assert_eq!(message(&mut stream).await.outer_id, second[0]);
}

/// Whether a stream ends within a second, as its device has lost the right to it.
async fn ends(stream: &Subscription) -> bool {
    let began = Instant::now();
    let ended = tokio::time::timeout(PATIENCE, stream.revoked().cancelled()).await.is_ok();
    ended && began.elapsed() < Duration::from_millis(1500)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_or_revoked_devices_stream_ends_at_once_and_the_others_hear_of_it() {
    let world = World::new().await;
    let mut phone = world.person(ANN).await;
    let (laptop, request) = phone.link(world.now());
    world.service.link_device(phone.caller(), &request).await.unwrap();
    let ben = world.person(BEN).await;
    let live = live(&world).await;
    // Another process.
    let elsewhere = Live::start(world.other_process(), LiveConfig::default()).await.unwrap();
    let mut streams = Vec::new();
    for (live, person) in [(&live, &phone), (&live, &laptop), (&elsewhere, &laptop), (&live, &ben)] {
        let mut stream = connect(live, person).await;
        assert_eq!(backlog(&mut stream).await, []);
        streams.push(stream);
    }
    let (box_id, head) = (phone.box_id(), phone.record.head());
    let by = Remover::Device(phone.device_id);
    let statement = remove(&phone.key, by, box_id, head, laptop.device_id, world.now()).octets().clone();
    let request = StatementRequest { command_id: command(), statement };
    world.service.statement(phone.caller(), &request).await.unwrap();
    assert!(ends(&streams[1]).await && ends(&streams[2]).await);
    assert_eq!(next(&mut streams[0]).await, Delivery::Changed(Changed::Account));
    assert!(!streams[0].revoked().is_cancelled() && !streams[3].revoked().is_cancelled());

    let revoke = AccountChange::RevokeToken { device_id: phone.device_id, epoch: 2 };
    change(&world, &phone, 3, revoke).await;
    assert!(ends(&streams[0]).await);
    // Who comes with a token that is no longer good, because it was so a moment ago, ends too.
    let late = connect(&live, &phone).await;
    assert!(ends(&late).await);
    assert!(!streams[3].revoked().is_cancelled());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_of_an_account_is_told_to_its_devices_alone() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let live = live(&world).await;
    let (mut anns, mut bens) = (connect(&live, &ann).await, connect(&live, &ben).await);
    assert_eq!(backlog(&mut anns).await, []);
    assert_eq!(backlog(&mut bens).await, []);
    change(&world, &ann, 0, AccountChange::SetDiscoverable(Audience::Nobody)).await;
    assert_eq!(next(&mut anns).await, Delivery::Changed(Changed::Profile));
    let request = StatementRequest { command_id: command(), statement: ann.sealing(2, world.now()) };
    world.service.statement(ann.caller(), &request).await.unwrap();
    assert_eq!(next(&mut anns).await, Delivery::Changed(Changed::Account));

    // Another identifier of Ann's, as an event says.
    let hash = IdentifierHash([9; 32]);
    let event = Event::IdentifierVerifiedV1(IdentifierVerifiedV1 {
        identifier_hash: hash,
        secret_number: 1,
        slot: hash.slot(),
        box_id: ann.box_id(),
        registration_id: RegistrationId(Uuid::new_v4()),
        founding: None,
    });
    let (content_type, data) = event.encode();
    let envelope = Envelope {
        id: rossby_schemas::ids::EventId(Uuid::new_v4()),
        event_type: event.event_type().to_owned(),
        region: HOME,
        stream: hash.to_string(),
        time: world.now(),
        control: Some(Control { expected_version: 0, command: command(), step: 0, command_hash: FixedOctets([1; 32]) }),
        outer_id: None,
        content_type: content_type.to_owned(),
        data: data.clone(),
    };
    let key = hash.to_string();
    let partition = partition_for(key.as_bytes(), 2);
    let record = rossby_log::LogRecord { key: Some(key.into()), headers: envelope.headers(), value: Some(data) };
    use rossby_log::Log as _;
    world.log.append(&TopicName::local(Topic::Identifiers), partition, record).await.unwrap();
    assert_eq!(next(&mut anns).await, Delivery::Changed(Changed::Account));

    // Ben heard of none of it: a message is the first that comes to him.
    let sent = send_in_order(&world, &ann, &ben, 1).await;
    assert_eq!(message(&mut bens).await.outer_id, sent[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_wake_up_tells_of_is_found_all_the_same() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    // Feeders that never look by themselves, behind a projector whose wake-ups they don't hear.
    let config =
        LiveConfig { poll: Duration::from_secs(3600), look_again: Duration::from_millis(200), ..LiveConfig::default() };
    let live = Live::start(world.deaf_process().await, config).await.unwrap();
    let mut stream = connect(&live, &ben).await;
    assert_eq!(backlog(&mut stream).await, []);
    let sent = send_in_order(&world, &ann, &ben, 3).await;
    let mut got = Vec::new();
    while got.len() < 3 {
        if let Delivery::Message(message) = next(&mut stream).await {
            got.push(message.outer_id);
        }
    }
    assert_eq!(got, sent);
    assert!(live.queries().feeds == 0 || Setting::TELLS_OTHER_PROCESSES);
}
