//! Following: messages are shown as they come, over the live stream, whatever becomes of the server, and beside whoever asks
//! for them in another way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::following::texts;
use crate::human::Human;
use crate::set_up::SetUp;

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";

fn typing(events: &[Value]) -> Vec<bool> {
    let told = events.iter().filter(|event| event["event"] == "typing");
    told.map(|event| event["typing"].as_bool().unwrap()).collect()
}

/// Messages, and who writes: those whom one has accepted, and none other.
pub(crate) fn shows_what_comes(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let server = set_up.start(&folder.path().join("data"), 0);
    let [ann, ben, eve] = [ANN, BEN, "eve@example.org"].map(|name| Human::new(folder.path(), name, &server));
    for human in [&ann, &ben, &eve] {
        human.join(&server);
    }
    ann.done(&["send", BEN, "before"]);
    let following = ben.follows();
    following.connected("stream", 1);
    following.shows(&["before"]);
    ann.done(&["send", BEN, "now"]);
    following.shows(&["before", "now"]);

    // A stranger to Ben until he has answered: what Ann tells of her writing, he doesn't hear; and he tells strangers nothing.
    assert_eq!(ann.done(&["typing", BEN])["state"], "sent");
    assert_eq!(eve.refused(&["typing", BEN]).0, "not-accepted");
    assert_eq!(ben.refused(&["typing", ANN]).0, "not-accepted");
    ben.done(&["requests", "accept", ANN]);
    assert_eq!(ann.done(&["typing", BEN])["state"], "sent");
    following.until(|events| typing(events) == [true]);
    // She stops, without a word, and he is told so after a while.
    following.until(|events| typing(events) == [true, false]);
    ann.done(&["typing", BEN]);
    following.until(|events| typing(events) == [true, false, true]);
    let events = following.until(|_| true);
    let told = events.iter().find(|event| event["event"] == "typing").unwrap();
    assert_eq!(told["peer"], ann.done(&["whoami"])["box_id"], "{told}");

    // Who doesn't want it known tells nobody.
    ann.done(&["settings", "--typing", "off"]);
    assert_eq!(ann.refused(&["typing", BEN]).0, "typing-off");
    assert_eq!(ann.done(&["settings"])["typing"], false);
    ann.done(&["settings", "--typing", "on"]);

    let events = following.stop();
    assert_eq!(typing(&events).len(), events.iter().filter(|event| event["event"] == "typing").count());
    assert!(events.iter().all(|event| event["event"] != "warning"), "{events:?}");
    assert_eq!(ben.new_texts(), [""; 0]);
    ben.waits(0);
    server.stop();
}

/// The server is killed and started again, and stopped and started again, while somebody follows.
pub(crate) fn survives(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let mut server = set_up.start(&data_dir, 0);
    let port = server.port();
    let [ann, ben] = [ANN, BEN].map(|name| Human::new(folder.path(), name, &server));
    for human in [&ann, &ben] {
        human.join(&server);
    }
    let following = ben.follows();
    following.connected("stream", 1);
    let mut expected = Vec::new();
    for round in 1..=3 {
        for number in 1..=3 {
            let text = format!("{round}.{number}");
            ann.done(&["send", BEN, &text]);
            expected.push(text);
        }
        // With messages on their way: some confirmed, some perhaps not.
        if round == 2 {
            server.stop();
        } else {
            server.kill();
        }
        following.until(|events| {
            let lost = |event: &&Value| event["event"] == "connection" && event["connected"] == false;
            events.iter().filter(lost).count() == round
        });
        server = set_up.start(&data_dir, port);
        following.connected("stream", round + 1);
    }
    ann.done(&["send", BEN, "at last"]);
    expected.push("at last".to_owned());
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    following.shows(&expected);
    // One that is stopped in between has shown the last one, and not confirmed it.
    ben.waits(0);
    let events = following.stop();
    assert!(events.iter().all(|event| event["event"] != "warning"), "{events:?}");
    let has: Vec<(bool, &str)> = expected.iter().map(|text| (false, *text)).collect();
    ben.has(&has);
    server.stop();
}

/// Two devices that follow, one of which fetches as well, by another process at the same time; a third that only fetches.
pub(crate) fn beside_others(set_up: &SetUp) {
    const COUNT: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let mut set_up = set_up.clone();
    for name in ["ROSSBY_LIMITS__DEVICE_PER_SECOND", "ROSSBY_LIMITS__DEVICE_BURST"] {
        set_up.settings.push((name.to_owned(), "100000".to_owned()));
    }
    let server = set_up.start(&folder.path().join("data"), 0);
    let [ann, ben] = [ANN, BEN].map(|name| Human::new(folder.path(), name, &server));
    let [phone, tablet] = ["phone", "tablet"].map(|name| {
        let mut device = ben.clone();
        device.home = folder.path().join(name);
        device
    });
    for human in [&ann, &ben] {
        human.join(&server);
    }
    for (device, name) in [(&phone, "phone"), (&tablet, "tablet")] {
        device.link(&ben, name);
    }
    let following = [ben.follows(), phone.follows()];
    for following in &following {
        following.connected("stream", 1);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let fetching = [phone.clone(), tablet.clone()].map(|device| {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            let mut texts = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                texts.extend(device.new_texts());
            }
            texts.extend(device.new_texts());
            texts
        })
    });
    let expected: Vec<String> = (0..COUNT).map(|number| format!("message {number}")).collect();
    for text in &expected {
        ann.done(&["send", BEN, text]);
    }
    let all: Vec<&str> = expected.iter().map(String::as_str).collect();
    let has: Vec<(bool, &str)> = all.iter().map(|text| (false, *text)).collect();
    for device in [&ben, &phone, &tablet] {
        device.has(&has);
        device.waits(0);
    }
    stop.store(true, Ordering::Relaxed);
    let mut shown: Vec<Vec<String>> = fetching.into_iter().map(|fetching| fetching.join().unwrap()).collect();
    for following in following {
        shown.push(texts(&following.stop()));
    }
    // What one process or device has shown is read, so others need not show it; none shows it twice, or out of order.
    for shown in &shown {
        let places: Vec<_> = shown.iter().map(|text| expected.iter().position(|one| one == text).unwrap()).collect();
        assert!(places.is_sorted_by(|one, other| one < other), "{shown:?}");
    }
    for text in &expected {
        assert!(shown.iter().any(|shown| shown.contains(text)), "{text}");
    }
    for device in [&ben, &phone, &tablet] {
        device.has(&has);
        assert_eq!(device.done(&["inbox"])["warnings"].as_array().unwrap().len(), 0);
    }
    server.stop();
}

/// Two processes of one server: what is removed through one is refused in both at once, and its streams end in both. Whoever is
/// connected to the other is given what comes through the first.
#[allow(dead_code, reason = "used by the tests on servers alone")]
pub(crate) fn in_two_processes(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let (here, elsewhere) = (folder.path().join("here"), folder.path().join("elsewhere"));
    let first = set_up.start(&here, 0);
    std::fs::copy(here.with_extension("secrets.toml"), elsewhere.with_extension("secrets.toml")).unwrap();
    let second = set_up.start(&elsewhere, 0);
    let [ann, ben] = [ANN, BEN].map(|name| Human::new(folder.path(), name, &first));
    let mut phone = ben.clone();
    phone.home = folder.path().join("phone");
    for human in [&ann, &ben] {
        human.join(&first);
    }
    phone.link(&ben, "phone");
    let [ben_there, phone_there] = [&ben, &phone].map(|human| human.at(&second));
    let stays = ben_there.follows();
    let goes = [phone.follows(), phone_there.follows()];
    for following in goes.iter().chain([&stays]) {
        following.connected("stream", 1);
    }
    ben.done(&["devices", "remove", "phone", "--yes"]);
    // The answer to the removal has come: from now on its token is refused, whichever process is asked.
    for human in [&phone_there, &phone] {
        assert_eq!(human.refused(&["inbox"]).0, "not-known");
    }
    for following in goes {
        let said = following.ends();
        assert_eq!(said["error"], "not-known", "{said}");
    }
    ann.done(&["send", BEN, "to those who are left"]);
    stays.shows(&["to those who are left"]);
    stays.stop();
    first.stop();
    second.stop();
}

/// A device that is removed while it follows is told so and ends; the others go on.
pub(crate) fn removed(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let server = set_up.start(&folder.path().join("data"), 0);
    let [ann, ben] = [ANN, BEN].map(|name| Human::new(folder.path(), name, &server));
    let mut phone = ben.clone();
    phone.home = folder.path().join("phone");
    for human in [&ann, &ben] {
        human.join(&server);
    }
    phone.link(&ben, "phone");
    let [stays, goes] = [ben.follows(), phone.follows()];
    for following in [&stays, &goes] {
        following.connected("stream", 1);
    }
    ben.done(&["devices", "remove", "phone", "--yes"]);
    let said = goes.ends();
    assert_eq!(said["error"], "not-known", "{said}");
    ann.done(&["send", BEN, "to those who are left"]);
    stays.shows(&["to those who are left"]);
    stays.stop();
    server.stop();
}
