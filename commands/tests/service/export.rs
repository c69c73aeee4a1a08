//! The export: all that is held of a box, page by page, and nothing of another's.

use std::collections::BTreeMap;

use rossby_commands::ExportPage;
use rossby_crypto::account::AccountChange;
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::blobs::{UploadKey, UploadRequest};
use rossby_schemas::http::export::{ExportResponse, HeldMessage, HeldPurpose};
use rossby_schemas::http::identifiers::AskCodeRequest;
use rossby_schemas::http::messages::{ConfirmRequest, OutgoingMessage, SendOutcome, SendRequest};
use rossby_schemas::ids::OuterId;
use rossby_testing::{DAY, Person, command, until};

use crate::account::change;
use crate::cursors;
use crate::devices::{removal, two_devices};
use crate::world::World;

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";
const PHONE: &str = "tel:+15551234567";

async fn send(world: &World, from: &Person, messages: &[OutgoingMessage]) {
    let sent = world.service.send_message(from.caller(), &SendRequest { messages: messages.to_vec() }).await.unwrap();
    assert!(sent.results.iter().all(|sent| matches!(sent.outcome, SendOutcome::Accepted { .. })), "{sent:?}");
}

async fn page(world: &World, device: &Person, cursor: Option<Octets>, limit: u32) -> ExportResponse {
    let page = ExportPage { cursor, limit: Some(limit) };
    // Any process gives the next page.
    world.other_process().export_account(device.caller(), &page).await.unwrap()
}

/// The messages of all pages, and how many pages there were.
async fn messages(world: &World, device: &Person, limit: u32) -> (BTreeMap<OuterId, HeldMessage>, usize) {
    let (mut found, mut cursor) = (BTreeMap::new(), None);
    for number in 1.. {
        let is_first = cursor.is_none();
        let page = page(world, device, cursor, limit).await;
        assert_eq!((page.held.is_some(), page.box_id), (is_first, device.box_id()));
        assert!(page.messages.len() <= limit as usize);
        for message in page.messages {
            assert!(found.insert(message.outer_id, message).is_none(), "in two pages");
        }
        cursor = page.next;
        if cursor.is_none() {
            return (found, number);
        }
    }
    unreachable!()
}

async fn waits(world: &World, device: &Person, expected: u64) {
    let caller = device.caller();
    until("what waits", async || {
        let pointer = world.models.device_pointer(caller.box_id, caller.device_id, world.now()).await.unwrap();
        pointer.waiting == expected
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_all_that_is_held_of_the_box_and_nothing_of_another() {
    let world = World::new().await;
    let (ann, tablet) = two_devices(&world, ANN).await;
    let ben = world.person(BEN).await;
    // One with nothing but itself.
    let empty = page(&world, &ben, None, 10).await;
    assert_eq!((empty.format.as_str(), empty.version), ("rossby-account-export", 1));
    assert_eq!((empty.messages.len(), empty.next), (0, None));
    let held = empty.held.unwrap();
    assert_eq!(held.account, world.service.account(ben.caller()).await.unwrap());
    let [founded] = held.registrations.as_slice() else { panic!("{:?}", held.registrations) };
    assert_eq!((founded.purpose, founded.device_id, founded.shown), (HeldPurpose::Found, ben.device_id, true));
    assert_eq!((founded.codes, founded.wrong_guesses), (1, 0));
    assert_eq!(held.uploads, []);

    // Messages to both devices, one of which confirms two; others' are not in it.
    let sent: Vec<_> =
        (0..5).map(|number| ben.message_to(&[&ann, &tablet], &format!("{number}"), 1, world.now())).collect();
    send(&world, &ben, &sent).await;
    send(&world, &ann, &[ann.message(&ben, "to ben", 1, world.now())]).await;
    waits(&world, &ann, 5).await;
    waits(&world, &ben, 1).await;
    let fetched = world.service.fetch_messages(ann.caller(), rossby_commands::Fetch::default()).await.unwrap();
    let confirmed: Vec<_> = fetched.messages[..2].iter().map(|message| message.outer_id).collect();
    let handles = fetched.messages.into_iter().take(2).map(|message| message.handle).collect();
    world.service.confirm_messages(ann.caller(), &ConfirmRequest { handles }).await.unwrap();
    waits(&world, &ann, 3).await;
    let (found, pages) = messages(&world, &ann, 2).await;
    assert_eq!((found.len(), pages), (5, 3));
    for message in &sent {
        let found = &found[&message.outer_id];
        assert_eq!(found.value.as_ref(), Some(&message.value));
        assert_eq!(found.octets, Some(message.value.as_slice().len() as u64));
        let (waits, done) = if confirmed.contains(&message.outer_id) {
            (vec![tablet.device_id], vec![ann.device_id])
        } else {
            let mut both = vec![ann.device_id, tablet.device_id];
            both.sort();
            (both, Vec::new())
        };
        assert_eq!((&found.waiting, &found.confirmed), (&waits, &done));
    }
    // Whichever device asks, however large the pages; nothing has moved.
    assert_eq!(messages(&world, &tablet, 500).await, (found, 1));
    waits(&world, &ann, 3).await;
    assert_eq!(messages(&world, &ben, 10).await.0.len(), 1);

    // What both have confirmed is remembered, and its value erased.
    let fetched = world.service.fetch_messages(tablet.caller(), rossby_commands::Fetch::default()).await.unwrap();
    let handles =
        fetched.messages.into_iter().filter(|message| confirmed.contains(&message.outer_id)).map(|m| m.handle);
    let handles = ConfirmRequest { handles: handles.collect() };
    world.service.confirm_messages(tablet.caller(), &handles).await.unwrap();
    waits(&world, &tablet, 3).await;
    world.models.sweep(world.now()).await.unwrap();
    let (found, _) = messages(&world, &ann, 2).await;
    let erased = &found[&confirmed[0]];
    assert_eq!((&erased.value, erased.octets, erased.waiting.len(), erased.confirmed.len()), (&None, None, 0, 2));
    // What has expired is not given.
    world.clock.advance(2 * DAY);
    assert_eq!(messages(&world, &ann, 2).await, (BTreeMap::new(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_tells_of_settings_codes_and_uploads() {
    let world = World::new().await;
    let ann = world.person(ANN).await;
    change(&world, &ann, 0, AccountChange::SetProfileBlob(b"encrypted".as_slice().into())).await;
    let ask = AskCodeRequest { command_id: command(), identifier: PHONE.to_owned(), object_to: None };
    let asked = world.service.ask_code(ann.caller(), &ask).await.unwrap();
    let request = UploadRequest { upload_key: UploadKey([3; 32].into()), octets: 5, expires_at: world.now().plus(DAY) };
    world.service.begin_upload(ann.caller(), &request).await.unwrap();
    let held = page(&world, &ann, None, 10).await.held.unwrap();
    assert_eq!(held.account.profile.blob.as_slice(), b"encrypted");
    assert_eq!(held.registrations.len(), 2);
    let added = held.registrations.iter().find(|one| one.registration_id == asked.registration_id).unwrap();
    assert_eq!((added.purpose, added.codes, added.shown), (HeldPurpose::Add, 1, false));
    let [uploads] = held.uploads.as_slice() else { panic!("{:?}", held.uploads) };
    assert_eq!(uploads.day, world.now().utc_day());
    assert!(uploads.octets >= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_good_for_its_device_and_a_limit_has_bounds() {
    let world = World::new().await;
    let (ann, tablet) = two_devices(&world, ANN).await;
    let ben = world.person(BEN).await;
    let sent: Vec<_> = (0..3).map(|_| ben.message_to(&[&ann, &tablet], "hello", 1, world.now())).collect();
    send(&world, &ben, &sent).await;
    waits(&world, &ann, 3).await;
    let cursor = page(&world, &ann, None, 1).await.next.unwrap();
    let ask = async |device: &Person, cursor, limit| {
        world.service.export_account(device.caller(), &ExportPage { cursor, limit }).await
    };
    cursors::are_for_their_device(&cursor, 10, (&ann, [&ben, &tablet]), ask).await;
    // A removed device's share is gone, and its name is said no more.
    world.service.statement(ann.caller(), &removal(&ann, &tablet, &world)).await.unwrap();
    waits(&world, &tablet, 0).await;
    let (found, _) = messages(&world, &ann, 2).await;
    assert!(found.values().all(|message| message.waiting == [ann.device_id]), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_a_few_mebioctets_at_most() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let text = "x".repeat(100_000);
    for _ in 0..4 {
        let sent: Vec<_> = (0..10).map(|_| ben.message(&ann, &text, 1, world.now())).collect();
        send(&world, &ben, &sent).await;
    }
    waits(&world, &ann, 40).await;
    let first = page(&world, &ann, None, 500).await;
    let octets: u64 = first.messages.iter().filter_map(|message| message.octets).sum();
    assert!(octets <= 4 * 1024 * 1024 && octets > 3 * 1024 * 1024, "{octets}");
    let (found, pages) = messages(&world, &ann, 500).await;
    assert_eq!(found.len(), 40);
    assert!(pages > 1);
}
