//! Two regions: the real binary in each, with a Kafka and a database of its own, and a real MirrorMaker towards each. Needs what
//! `cargo xtask test` sets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../person/human.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod human;
#[path = "../server/process.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod process;
mod service;

use std::time::Instant;

use human::Human;
use process::PATIENCE;
use service::TwoRegions;

#[tokio::test(flavor = "multi_thread")]
async fn two_regions_are_one_service() {
    let regions = TwoRegions::start().await;
    tokio::task::spawn_blocking(move || people_of_both(&regions)).await.unwrap();
}

/// Registers in a region, once that can be done: what isn't known yet is settled by asking again.
fn join(human: &Human, number: &str, server: &process::Server) {
    let deadline = Instant::now() + PATIENCE;
    let registered = loop {
        let output = human.run(&["register", &human.identifier, "--region", number]);
        if output.status.success() {
            break serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
        }
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert!(["unavailable", "outcome-unknown"].contains(&error["error"].as_str().unwrap()), "{error}");
        assert!(Instant::now() < deadline, "{error}");
    };
    let code = server.code_for(registered["identifier"].as_str().unwrap());
    human.done(&["authorize", &code]);
}

/// Looks somebody up until the other region's news of them have come.
fn finds(human: &Human, other: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !human.run(&["lookup", other]).status.success() {
        assert!(Instant::now() < deadline, "{other} is never found");
    }
}

/// Fetches until a device has these messages and no others, each once: whether its person sent it, and its text. Their order is
/// each sender's alone, since what the own devices sent comes with the mirror's delay.
fn has(device: &Human, expected: &[(bool, &str)]) {
    let mut expected: Vec<(bool, &str)> = expected.to_vec();
    expected.sort_unstable();
    device.until(&["inbox", "--all"], |inbox| {
        let messages = inbox["messages"].as_array().unwrap().iter();
        let mut shown: Vec<(bool, &str)> =
            messages.map(|m| (m["outgoing"].as_bool().unwrap(), m["text"].as_str().unwrap())).collect();
        shown.sort_unstable();
        shown == expected
    });
}

fn people_of_both(regions: &TwoRegions) {
    let (east, west) = (&regions.east, &regions.west);
    let folder = regions.folder.path();
    let human = |name: &str, server| Human::new(folder, name, server);
    // All identifiers are at home in the west; Ann's account is in the east all the same.
    let (ann, ben) = (human("ann@example.org", east), human("ben@example.org", west));
    join(&ann, "1", east);
    join(&ben, "2", west);
    finds(&ann, "ben@example.org");
    finds(&ben, "ann@example.org");

    // Each links a device in the other region.
    let (laptop, tablet) = (human("laptop", west), human("tablet", east));
    assert_eq!(laptop.link(&ann, "Ann's laptop")["devices"], 2);
    assert_eq!(tablet.link(&ben, "Ben's tablet")["devices"], 2);
    regions.are_seen(&[(&ann, 2), (&laptop, 2), (&ben, 2), (&tablet, 2)]);

    // A message comes to every device, wherever it was sent and wherever the device is, once.
    let mut anns = Vec::new();
    for (sender, text) in [(&ben, "from the west"), (&tablet, "from the east, of the west")] {
        sender.done(&["send", "ann@example.org", text]);
        anns.push((false, text));
        for device in [&ann, &laptop] {
            has(device, &anns);
        }
    }
    for (sender, text) in [(&ann, "from the east"), (&laptop, "from the west, of the east")] {
        sender.done(&["send", "ben@example.org", text]);
        anns.push((true, text));
        for device in [&ann, &laptop] {
            has(device, &anns);
        }
    }
    let all_of = |anns: &[(bool, &'static str)]| anns.iter().map(|(sent, text)| (!sent, *text)).collect::<Vec<_>>();
    for device in [&ben, &tablet] {
        has(device, &all_of(&anns));
    }

    // Who is removed in one region is removed in the other.
    ann.done(&["devices", "remove", "Ann's laptop", "--yes"]);
    let deadline = Instant::now() + PATIENCE;
    while laptop.run(&["whoami"]).status.success() {
        assert!(Instant::now() < deadline, "the laptop is never removed in the west");
    }
    assert_eq!(laptop.refused(&["inbox"]).0, "not-known");
    for device in [&ann, &ben, &tablet] {
        device.settles_quietly();
    }

    // The west's Kafka takes nothing and answers nothing. In the east all goes on but for what is at home in the west.
    regions.pause_west();
    let everyone = tablet.done(&["settings"])["discoverable"].clone();
    // It asks again for half a minute before it gives up; the others needn't wait for that.
    let refused = tablet.command(&["settings", "--discoverable", "nobody", "--json"]).spawn().unwrap();
    ann.done(&["send", "ben@example.org", "while the west is away"]);
    anns.push((true, "while the west is away"));
    has(&tablet, &all_of(&anns));
    tablet.done(&["send", "ann@example.org", "I hear you"]);
    anns.push((false, "I hear you"));
    has(&ann, &anns);
    // Confirmed in the east: nothing waits for the tablet.
    tablet.settles_quietly();
    ann.done(&["settings", "--discoverable", "contacts"]);
    let refused = refused.wait_with_output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let error: serde_json::Value = serde_json::from_slice(&refused.stderr).unwrap();
    assert_eq!(error["error"], "unavailable");

    // Back again, nothing is lost, nothing comes twice, and what was refused has changed nothing.
    regions.continue_west();
    has(&ben, &all_of(&anns));
    assert_eq!(ben.done(&["settings"])["discoverable"], everyone);
    assert_eq!(tablet.done(&["settings"])["discoverable"], everyone);
    let deadline = Instant::now() + PATIENCE;
    while !tablet.run(&["settings", "--discoverable", "nobody"]).status.success() {
        assert!(Instant::now() < deadline, "the west is never back");
    }
    ben.until(&["settings"], |settings| settings["discoverable"] == "nobody");
    for (device, expected) in [(&ann, anns.clone()), (&tablet, all_of(&anns)), (&ben, all_of(&anns))] {
        device.settles_quietly();
        has(device, &expected);
    }
    regions.topics_are_right();
    regions.nothing_is_behind();
    regions.mirrors_are_exactly_once();
}
