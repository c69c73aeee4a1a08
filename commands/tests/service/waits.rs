//! Fetches and readers of a rendezvous that wait, and what that costs.

use std::time::{Duration, Instant};

use rossby_commands::Fetch;
use rossby_log::partition_for;
use rossby_schemas::http::messages::{FetchResponse, SendOutcome, SendRequest};
use rossby_schemas::http::rendezvous::RendezvousRequest;
use rossby_schemas::ids::{OuterId, RendezvousId};
use rossby_testing::{Person, until};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::world::World;

const WAITING: usize = 12;
const BATCHES: usize = 30;

fn partition(key: &str) -> u32 {
    partition_for(key.as_bytes(), 2)
}

fn of(person: &Person) -> u32 {
    partition(&person.box_id().to_string())
}

async fn send(world: &World, from: &Person, to: &Person) -> OuterId {
    let messages = vec![from.message(to, "hello", 1, world.now())];
    let sent = world.service.send_message(from.caller(), &SendRequest { messages }).await.unwrap();
    assert!(matches!(sent.results[0].outcome, SendOutcome::Accepted { .. }), "{sent:?}");
    sent.results[0].outer_id
}

fn wait(world: &World, person: &Person) -> JoinHandle<FetchResponse> {
    let (service, caller) = (world.service.clone(), person.caller());
    let fetch = Fetch { wait_seconds: Some(30), ..Fetch::default() };
    tokio::spawn(async move { service.fetch_messages(caller, fetch).await.unwrap() })
}

/// Batches for somebody else. Gives how often the tables were asked for those who wait, and how long it took.
async fn batches(world: &World, from: &Person, to: &Person) -> (u64, Duration) {
    let (before, began) = (world.service.looks(), Instant::now());
    for _ in 0..BATCHES {
        let sent = send(world, from, to).await;
        until("it is applied", async || !world.models.accepted(to.box_id(), sent).await.unwrap().is_empty()).await;
    }
    (world.service.looks() - before, began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_asks_little_whatever_others_are_brought() {
    let world = World::new().await;
    let ann = world.person("ann@example.org").await;
    let (mut near, mut far) = (None, None);
    for number in 0.. {
        let person = world.person(&format!("p{number}@example.org")).await;
        if of(&person) == of(&ann) {
            near.get_or_insert(person)
        } else {
            far.get_or_insert(person)
        };
        if near.is_some() && far.is_some() {
            break;
        }
    }
    let (near, far) = (near.unwrap(), far.unwrap());
    let meeting =
        std::iter::repeat_with(|| RendezvousId(Uuid::new_v4())).find(|id| partition(&id.to_string()) == of(&ann));
    let meeting = meeting.unwrap();
    let before = world.service.looks();
    let fetches: Vec<_> = (0..WAITING).map(|_| wait(&world, &ann)).collect();
    let service = world.service.clone();
    let reader = tokio::spawn(async move { service.rendezvous(meeting, 0, 30).await.unwrap() });
    until("all wait", async || world.service.looks() - before > WAITING as u64).await;

    // What another partition brings concerns none of them: they ask once a second.
    let everybody = WAITING as u64 + 1;
    let (asked, took) = batches(&world, &ann, &far).await;
    assert!(asked <= everybody * (took.as_secs() + 1), "{asked} questions in {took:?}");
    // What their own brings to others may, and they rest between.
    let (asked, took) = batches(&world, &far, &near).await;
    let rests = u64::try_from(took.as_millis() / 100).unwrap();
    assert!(asked <= everybody * (rests + took.as_secs() + 2), "{asked} questions in {took:?}");

    // And each gets what it waits for.
    let sent = send(&world, &far, &ann).await;
    for fetch in fetches {
        let got = fetch.await.unwrap();
        assert_eq!(got.messages.iter().map(|message| message.outer_id).collect::<Vec<_>>(), [sent]);
    }
    let sealed = b"hello".as_slice().into();
    world.service.post_to_rendezvous(meeting, &RendezvousRequest { sealed }).await.unwrap();
    assert_eq!(reader.await.unwrap().messages.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_ends_a_wait_at_once() {
    let world = World::new().await;
    let (ann, ben) = (world.person("ann@example.org").await, world.person("ben@example.org").await);
    let mut waits = Vec::new();
    for _ in 0..5 {
        let before = world.service.looks();
        let fetch = wait(&world, &ann);
        until("it waits", async || world.service.looks() > before).await;
        send(&world, &ben, &ann).await;
        let sent = Instant::now();
        let handles = fetch.await.unwrap().messages.into_iter().map(|message| message.handle).collect();
        waits.push(sent.elapsed());
        let confirmed = rossby_schemas::http::messages::ConfirmRequest { handles };
        let position = world.service.confirm_messages(ann.caller(), &confirmed).await.unwrap().position;
        let seen = Fetch { position: position.0.parse().ok(), ..Fetch::default() };
        world.service.fetch_messages(ann.caller(), seen).await.unwrap();
    }
    // Who isn't woken looks once a second.
    assert!(waits.iter().min() < Some(&Duration::from_millis(500)), "{waits:?}");
}
