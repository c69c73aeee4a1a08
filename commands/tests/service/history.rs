//! The history: all that happened to an account, chained, page by page, and nothing of another's.

use rossby_commands::{CommandError, HistoryQuery};
use rossby_crypto::account::AccountChange;
use rossby_crypto::history::{NO_ENTRY, chain_hash, data_hash};
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::http::history::HistoryEntry;
use rossby_schemas::http::lookup::LookupRequest;
use rossby_testing::Person;

use crate::account::change;
use crate::cursors;
use crate::devices::{removal, two_devices};
use crate::identifiers::{PHONE, added};
use crate::world::World;

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";

/// The whole history of a device's account, by pages of so many entries from different processes.
async fn history(world: &World, device: &Person, limit: u32) -> Vec<HistoryEntry> {
    let (mut entries, mut cursor) = (Vec::new(), None);
    loop {
        let query = HistoryQuery { cursor, limit: Some(limit) };
        let page = world.other_process().account_history(device.caller(), &query).await.unwrap();
        assert_eq!(page.box_id, device.box_id());
        assert!(page.entries.len() <= limit as usize);
        entries.extend(page.entries);
        cursor = page.next;
        if cursor.is_none() {
            return entries;
        }
    }
}

/// The hashes of entries as whoever reads them makes them.
fn hashes(entries: &[HistoryEntry]) -> Vec<FixedOctets<32>> {
    let mut made: Vec<FixedOctets<32>> = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let before = number.checked_sub(1).map(|before| (&entries[before], made[before]));
        let before = before
            .filter(|(other, _)| (&other.topic, &other.stream) == (&entry.topic, &entry.stream))
            .map(|(_, hash)| hash);
        made.push(chain_hash(before.unwrap_or(NO_ENTRY), entry));
    }
    made
}

fn types(entries: &[HistoryEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.event_type.split('.').nth(3).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_has_what_was_done_with_the_account_and_by_whom() {
    let world = World::new().await;
    let (ann, tablet) = two_devices(&world, ANN).await;
    let ben = world.person(BEN).await;
    change(&world, &ann, 0, AccountChange::SetDiscoverable(Audience::Contacts)).await;
    change(&world, &tablet, 1, AccountChange::Block([5; 32].into())).await;
    added(&world, &ann, PHONE).await;
    world.service.statement(ann.caller(), &removal(&ann, &tablet, &world)).await.unwrap();

    // An answer that was given is in the history at once, whichever process gives it.
    let entries = history(&world, &ann, 500).await;
    let mut of_identifiers = types(&entries[..2]);
    of_identifiers.sort_unstable();
    assert_eq!(of_identifiers, ["identifier-verified"; 2]);
    let expected = ["box-founded", "device-linked", "device-removed", "discoverable-set", "box-blocked"];
    assert_eq!(types(&entries[2..]), expected);
    let by: Vec<_> = entries[2..].iter().map(|entry| entry.device_id).collect();
    let [by_ann, by_tablet] = [ann.device_id, tablet.device_id].map(Some);
    assert_eq!(by, [by_ann, by_ann, by_ann, by_ann, by_tablet]);
    assert_eq!(entries[2..].iter().map(|entry| entry.version).collect::<Vec<_>>(), [1, 2, 3, 1, 2]);
    for entry in &entries {
        assert_eq!(entry.data.as_ref().map(data_hash), Some(entry.data_hash), "{entry:?}");
    }
    assert_eq!(entries.iter().map(|entry| entry.hash).collect::<Vec<_>>(), hashes(&entries));
    // In pages of whatever size it is the same.
    for limit in [1, 2, 3] {
        assert_eq!(history(&world, &ann, limit).await, entries, "{limit}");
    }
    assert_eq!(types(&history(&world, &ben, 10).await), ["identifier-verified", "box-founded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_good_for_its_device_and_a_limit_has_bounds() {
    let world = World::new().await;
    let (ann, tablet) = two_devices(&world, ANN).await;
    let ben = world.person(BEN).await;
    let first = HistoryQuery { cursor: None, limit: Some(1) };
    let cursor = world.service.account_history(ann.caller(), &first).await.unwrap().next.unwrap();
    let ask = async |device: &Person, cursor, limit| {
        world.service.account_history(device.caller(), &HistoryQuery { cursor, limit }).await
    };
    cursors::are_for_their_device(&cursor, 30, (&ann, [&ben, &tablet]), ask).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_behind_is_not_given() {
    use std::time::Duration;

    use rossby_commands::Timeouts;
    use rossby_projections::{Projection, Projector, ProjectorConfig};
    use rossby_testing::HOME;
    use tokio_util::sync::CancellationToken;

    let mut world = World::new().await;
    let ann = world.person(ANN).await;
    history(&world, &ann, 10).await;
    world.stop_projector().await;
    // Everything but the history goes on, as while it is built for the first time.
    let projections = vec![Projection::Inbox, Projection::Keys, Projection::Profiles];
    let config = ProjectorConfig { projections, ..ProjectorConfig::single_region(HOME) };
    let projector = Projector::new(world.models.clone(), world.log.clone(), world.clock.clone(), config);
    let stop = CancellationToken::new();
    let others = tokio::spawn(projector.run(stop.clone()));
    change(&world, &ann, 0, AccountChange::SetDiscoverable(Audience::Nobody)).await;
    let impatient = world.process(Timeouts { position: Duration::from_millis(20), ..Timeouts::default() });
    let refused = impatient.account_history(ann.caller(), &HistoryQuery::default()).await;
    assert!(matches!(refused, Err(CommandError::Unavailable(_))), "{refused:?}");
    // The rest of the account does not wait for it.
    let by_box = LookupRequest { identifier: None, box_id: Some(ann.box_id()) };
    impatient.request_key(ann.caller(), &by_box).await.unwrap();
    stop.cancel();
    others.await.unwrap().unwrap();
    world.go_on();
    assert_eq!(types(&history(&world, &ann, 10).await), ["identifier-verified", "box-founded", "discoverable-set"]);
}
