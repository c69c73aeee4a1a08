//! Several devices of one box: linked, given tokens, each with its part of the queue.

use std::time::Duration;

use rossby_commands::{CommandError, Fetch, Refusal, TokenError};
use rossby_crypto::account::AccountChange;
use rossby_crypto::keyed_hash::MasterSecret;
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{Remover, remove};
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::account::{LinkDeviceRequest, StatementRequest};
use rossby_schemas::http::messages::{ConfirmRequest, OutgoingMessage, SendOutcome, SendRequest};
use rossby_schemas::http::registration::AuthorizeResponse;
use rossby_schemas::http::rendezvous::{MAX_RENDEZVOUS_MESSAGES, MAX_RENDEZVOUS_OCTETS, RendezvousRequest};
use rossby_schemas::http::token::TokenRequest;
use rossby_schemas::ids::RendezvousId;
use rossby_testing::{DAY, Fault, Person, command, refusal, until};

use crate::account::change;
use crate::world::World;

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";

/// A person's phone, and the laptop that it has linked.
pub(crate) async fn two_devices(world: &World, identifier: &str) -> (Person, Person) {
    let mut phone = world.person(identifier).await;
    let (laptop, request) = phone.link(world.now());
    world.service.link_device(phone.caller(), &request).await.unwrap();
    (phone, laptop)
}

async fn send(world: &World, from: &Person, message: OutgoingMessage) -> SendOutcome {
    let sent = world.service.send_message(from.caller(), &SendRequest { messages: vec![message] }).await.unwrap();
    sent.results[0].outcome.clone()
}

/// How many messages wait for a device, once they are as many.
async fn waits(world: &World, device: &Person, expected: u64) {
    until("what waits", async || pointer(world, device).await.0 == expected).await;
}

async fn pointer(world: &World, device: &Person) -> (u64, u64) {
    let caller = device.caller();
    let pointer = world.models.device_pointer(caller.box_id, caller.device_id, world.now()).await.unwrap();
    (pointer.waiting, pointer.confirmed)
}

async fn confirm_all(world: &World, device: &Person) {
    let fetched = world.service.fetch_messages(device.caller(), Fetch::default()).await.unwrap();
    let handles = fetched.messages.into_iter().map(|message| message.handle).collect();
    world.service.confirm_messages(device.caller(), &ConfirmRequest { handles }).await.unwrap();
}

pub(crate) fn removal(signer: &Person, of: &Person, world: &World) -> StatementRequest {
    let signed_by = Remover::Device(signer.device_id);
    let (box_id, head) = (signer.box_id(), signer.record.head());
    let statement = remove(&signer.key, signed_by, box_id, head, of.device_id, world.now()).octets().clone();
    StatementRequest { command_id: command(), statement }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_device_has_its_own_pointer_and_the_body_goes_with_the_last() {
    let world = World::new().await;
    let (phone, laptop) = two_devices(&world, ANN).await;
    let ben = world.person(BEN).await;
    let message = ben.message_to(&[&phone, &laptop], "hello", 1, world.now());
    assert!(matches!(send(&world, &ben, message).await, SendOutcome::Accepted { .. }));
    for device in [&phone, &laptop] {
        waits(&world, device, 1).await;
    }
    confirm_all(&world, &phone).await;
    waits(&world, &phone, 0).await;
    assert_eq!((pointer(&world, &phone).await, pointer(&world, &laptop).await), ((0, 1), (1, 0)));
    assert_eq!(world.models.sweep(world.now()).await.unwrap().bodies, 0, "the laptop waits for it");
    confirm_all(&world, &laptop).await;
    waits(&world, &laptop, 0).await;
    let swept = world.models.sweep(world.now()).await.unwrap();
    assert_eq!((swept.bodies, swept.messages), (1, 0), "the body goes, the tombstone stays");

    // One that is sealed to one of the two is stale.
    let message = ben.message(&phone, "for one", 1, world.now());
    assert!(matches!(send(&world, &ben, message).await, SendOutcome::Stale { .. }));
    // A device's message to its own box is for the others.
    let message = phone.message(&laptop, "a copy", 1, world.now());
    assert!(matches!(send(&world, &phone, message).await, SendOutcome::Accepted { .. }));
    waits(&world, &laptop, 1).await;
    assert_eq!(pointer(&world, &phone).await.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_device_stops_at_once_and_its_share_goes() {
    let world = World::new().await;
    let (mut phone, laptop) = two_devices(&world, ANN).await;
    let ben = world.person(BEN).await;
    let both = ben.message_to(&[&phone, &laptop], "hello", 1, world.now());
    send(&world, &ben, both).await;
    waits(&world, &laptop, 1).await;
    // The younger may not remove the older.
    let refused = refusal(world.service.statement(laptop.caller(), &removal(&laptop, &phone, &world)).await);
    assert!(matches!(refused, Refusal::Statement { .. }), "{refused:?}");
    let request = removal(&phone, &laptop, &world);
    world.service.statement(phone.caller(), &request).await.unwrap();
    phone.record.append(&request.statement).unwrap();
    let other = world.other_process();
    let token = MasterSecret::new(1, &[7; 32]).token_id(laptop.box_id(), laptop.device_id, 1);
    assert!(matches!(other.check_token(token).await, Err(TokenError::NotGood)));
    assert_eq!(refusal(other.issue_token(&laptop.token_request()).await), Refusal::NotADevice);
    waits(&world, &laptop, 0).await;
    confirm_all(&world, &phone).await;
    waits(&world, &phone, 0).await;
    assert_eq!(world.models.sweep(world.now()).await.unwrap().bodies, 1, "nobody waits for it");
    // Who writes to both is told.
    let message = ben.message_to(&[&laptop, &phone], "still to both", 1, world.now());
    assert!(matches!(send(&world, &ben, message).await, SendOutcome::Stale { .. }));
    let message = ben.message(&phone, "to the phone alone", 1, world.now());
    assert!(matches!(send(&world, &ben, message).await, SendOutcome::Accepted { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_is_counted_for_the_device_that_missed_it() {
    let world = World::new().await;
    let (phone, laptop) = two_devices(&world, ANN).await;
    let ben = world.person(BEN).await;
    let first = world.now();
    for n in 0..3 {
        let message = ben.message_to(&[&phone, &laptop], &format!("message {n}"), 1, world.now());
        send(&world, &ben, message).await;
        world.clock.advance(Duration::from_secs(60));
    }
    waits(&world, &phone, 3).await;
    confirm_all(&world, &phone).await;
    waits(&world, &phone, 0).await;
    world.clock.advance(2 * DAY);
    assert_eq!(world.models.sweep(world.now()).await.unwrap().messages, 3);
    let lost = world.service.fetch_messages(laptop.caller(), Fetch::default()).await.unwrap().lost.unwrap();
    assert_eq!((lost.messages, lost.from, lost.until), (3, first, first.plus(Duration::from_secs(120))));
    assert_eq!(world.service.fetch_messages(phone.caller(), Fetch::default()).await.unwrap().lost, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_do_not_fit_change_nothing() {
    let world = World::new().await;
    let (phone, laptop) = two_devices(&world, ANN).await;
    let ben = world.person(BEN).await;
    let now = world.now();
    let before = world.models.key_record(phone.box_id()).await.unwrap();
    let mut of_phone = copy(&phone, &laptop);
    let (tablet, good) = of_phone.link(now);
    let link = |change: &dyn Fn(&mut LinkDeviceRequest)| {
        let mut request = LinkDeviceRequest { command_id: command(), ..good.clone() };
        change(&mut request);
        request
    };
    let flipped = |octets: &[u8], index: usize| {
        let mut octets = octets.to_vec();
        octets[index] ^= 1;
        Octets::from(octets)
    };
    let linking = good.linking_statement.as_slice().to_vec();
    let (signature, countersignature) = (linking.len() - 1, linking.len() - 65);
    let foreign = copy(&ben, &ben).link(now).1;
    for (what, request, field) in [
        ("a bad signature", link(&|r| r.linking_statement = flipped(&linking, signature)), "/linking_statement"),
        (
            "a bad countersignature",
            link(&|r| r.linking_statement = flipped(&linking, countersignature)),
            "/linking_statement",
        ),
        ("another box's", link(&|r| r.linking_statement = foreign.linking_statement.clone()), "/linking_statement"),
        (
            "a removal",
            link(&|r| r.linking_statement = removal(&phone, &laptop, &world).statement),
            "/linking_statement",
        ),
        ("nothing", link(&|r| r.linking_statement = Octets::default()), "/linking_statement"),
        ("another device's key", link(&|r| r.sealing_statement = laptop.sealing(2, now)), "/sealing_statement"),
        (
            "an expired key",
            link(&|r| r.sealing_statement = tablet.sealing(1, now.minus(40 * DAY))),
            "/sealing_statement",
        ),
        ("no key", link(&|r| r.sealing_statement = b"x".as_slice().into()), "/sealing_statement"),
    ] {
        let refused = refusal(world.service.link_device(phone.caller(), &request).await);
        assert!(matches!(&refused, Refusal::Statement { field: at, .. } if at == field), "{what}: {refused:?}");
    }
    // One that another device has signed than the one that asks.
    let refused = refusal(world.service.link_device(laptop.caller(), &link(&|_| {})).await);
    assert!(matches!(refused, Refusal::Statement { .. }), "{refused:?}");
    let refused = refusal(world.service.link_device(ben.caller(), &link(&|_| {})).await);
    assert!(matches!(refused, Refusal::Statement { .. }), "{refused:?}");
    assert_eq!(world.models.key_record(phone.box_id()).await.unwrap(), before);

    // Two at once for one place: one is done.
    let (_, other) = copy(&phone, &laptop).link(now);
    let second = world.other_process();
    let (one, two) =
        tokio::join!(world.service.link_device(phone.caller(), &good), second.link_device(phone.caller(), &other));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let (won, lost) = if one.is_ok() { (&good, two) } else { (&other, one) };
    assert!(matches!(refusal(lost), Refusal::Statement { .. }));
    // Repeated, by another process too: done, once. The same id with another body is refused.
    assert_eq!(second.link_device(phone.caller(), won).await.unwrap().version, 3);
    let reused = LinkDeviceRequest { sealing_statement: laptop.sealing(2, now), ..won.clone() };
    assert!(matches!(refusal(second.link_device(phone.caller(), &reused).await), Refusal::IdReused { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_has_ten_devices_at_most() {
    let world = World::new().await;
    let mut phone = world.person(ANN).await;
    let mut devices = Vec::new();
    for _ in 1..10 {
        let (device, request) = phone.link(world.now());
        world.service.link_device(phone.caller(), &request).await.unwrap();
        devices.push(device);
    }
    let (_, request) = copy(&phone, &phone).link(world.now());
    let refused = refusal(world.service.link_device(phone.caller(), &request).await);
    assert_eq!(refused, Refusal::TooManyDevices { limit: 10 });
    // A removed one makes room.
    let request = removal(&phone, &devices[0], &world);
    world.service.statement(phone.caller(), &request).await.unwrap();
    phone.record.append(&request.statement).unwrap();
    let (_, request) = phone.link(world.now());
    world.service.link_device(phone.caller(), &request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_the_device_that_signs_and_follows_its_epoch() {
    let world = World::new().await;
    let (phone, laptop) = two_devices(&world, ANN).await;
    let ben = world.person(BEN).await;
    let token = async |device: &Person| -> AuthorizeResponse {
        world.service.issue_token(&device.token_request()).await.unwrap()
    };
    let first = token(&laptop).await;
    let opened = laptop.token(&first);
    assert_eq!((first.box_id, first.device_id), (laptop.box_id(), laptop.device_id));
    world.service.check_token(opened.id).await.unwrap();
    assert_eq!(world.service.hawk_key(opened.id).unwrap().as_bytes(), opened.hawk_key.as_bytes());
    assert_eq!(token(&laptop).await.token_id, first.token_id, "the same again");
    // Nobody else gets it: not another device of the box, nor another's, nor for a box that isn't there.
    for request in [
        TokenRequest { signature: phone.token_request().signature, ..laptop.token_request() },
        TokenRequest { box_id: ben.box_id(), ..laptop.token_request() },
        TokenRequest { box_id: phone.box_id(), ..ben.token_request() },
        Person::new(world.now()).token_request(),
    ] {
        assert_eq!(refusal(world.service.issue_token(&request).await), Refusal::NotADevice, "{request:?}");
    }
    // Once the token is revoked, the device gets the next; whoever had the old one alone gets nothing.
    let revoke = AccountChange::RevokeToken { device_id: laptop.device_id, epoch: 2 };
    change(&world, &phone, 2, revoke).await;
    assert!(matches!(world.service.check_token(opened.id).await, Err(TokenError::NotGood)));
    let second = laptop.token(&token(&laptop).await);
    assert_ne!(second.id, opened.id);
    assert!(world.service.check_token(second.id).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rendezvous_holds_a_little_for_a_while() {
    let world = World::new().await;
    let id = RendezvousId(uuid::Uuid::new_v4());
    let post = async |octets: Vec<u8>| {
        world.service.post_to_rendezvous(id, &RendezvousRequest { sealed: octets.into() }).await
    };
    assert_eq!(world.service.rendezvous(id, 0, 0).await.unwrap().messages, []);
    assert!(matches!(refusal(post(Vec::new()).await), Refusal::Invalid { .. }));
    assert!(matches!(refusal(post(vec![0; MAX_RENDEZVOUS_OCTETS + 1]).await), Refusal::TooLarge { .. }));
    assert!(matches!(refusal(world.service.rendezvous(id, 0, 31).await), Refusal::Invalid { .. }));
    for n in 1..=MAX_RENDEZVOUS_MESSAGES {
        let octets = vec![u8::try_from(n).unwrap(); 3];
        assert_eq!(post(octets.clone()).await.unwrap().messages.len(), n);
        assert_eq!(post(octets).await.unwrap().messages.len(), n, "the same again");
    }
    assert!(matches!(refusal(post(b"one more".to_vec()).await), Refusal::Invalid { .. }));
    // Another is another; and who waits is woken.
    let other = RendezvousId(uuid::Uuid::new_v4());
    let (service, poster) = (world.other_process(), world.service.clone());
    let waiting = tokio::spawn(async move { service.rendezvous(other, 0, 30).await });
    poster.post_to_rendezvous(other, &RendezvousRequest { sealed: b"hello".as_slice().into() }).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().messages, [b"hello".as_slice().into()]);
    world.clock.advance(Duration::from_secs(600));
    assert_eq!(world.service.rendezvous(id, 0, 0).await.unwrap().messages, []);
    world.log.set_all(Some(Fault::Refused));
    let away = world.service.post_to_rendezvous(id, &RendezvousRequest { sealed: b"x".as_slice().into() }).await;
    assert!(matches!(away, Err(CommandError::Unavailable(_))), "{away:?}");
    world.log.set_all(Some(Fault::UnknownLost));
    let away = world.service.post_to_rendezvous(id, &RendezvousRequest { sealed: b"x".as_slice().into() }).await;
    assert!(matches!(away, Err(CommandError::OutcomeUnknown { status: None, .. })), "{away:?}");
}

/// The same device, with the record as another device of its box has it.
fn copy(device: &Person, newest: &Person) -> Person {
    Person {
        key: SigningKey::from_seed(&device.key.to_seed()),
        sealing_key: SealingSecretKey::from_bytes(device.sealing_key.to_bytes().as_slice()).unwrap(),
        record: newest.record.clone(),
        device_id: device.device_id,
        sealing_statement: device.sealing_statement.clone(),
    }
}
