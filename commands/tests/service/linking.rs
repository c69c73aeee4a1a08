//! What a device that links without end can do: a key record has only so much room, for ever.

use std::time::Duration;

use rossby_commands::Refusal;
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
