//! Linking goes wrong: codes that are mistyped, old, used or seen by others, and a server that changes what the two devices
//! tell each other. Each is refused, on both devices where both are there, and links nothing.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use rossby_client::{Client, ClientConfig, ClientError, LinkCode, Unlock};
use rossby_crypto::linking::{Invitation, LinkMessage, LinkSecret, Offer};
use rossby_crypto::signing::SigningKey;
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::http::rendezvous::RendezvousRequest;
use rossby_schemas::ids::{BoxId, DeviceId, Head};
use rossby_schemas::time::{Clock, ManualClock, SystemClock};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::human::{Human, Waiting};
use crate::process::Server;
use crate::relay::Relay;
use crate::set_up::SetUp;

/// Two people, each with a device, and a new device of Ann's; all through a proxy.
struct Room {
    relay: Relay,
    server: Server,
    ann: Human,
    eve: Human,
    new: Human,
    folder: tempfile::TempDir,
}

async fn tell(story: impl FnOnce(&Room) + Send + 'static) {
    let relay = Relay::start().await;
    let told = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let server = SetUp::embedded().start(&folder.path().join("data"), 0);
        let [ann, eve, new] = ["ann@example.org", "eve@example.org", "new"]
            .map(|name| relay.between(&Human::new(folder.path(), name, &server)));
        ann.join(&server);
        eve.join(&server);
        let room = Room { relay, server, ann, eve, new, folder };
        story(&room);
        room.server.stop();
    });
    told.await.unwrap();
}

/// The error of a device that waited to be linked, and wasn't.
fn failed(waiting: Waiting) -> String {
    let Output { status, stderr, .. } = waiting.process.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!status.success(), "{text}");
    let error: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    error["error"].as_str().unwrap().to_owned()
}

fn devices(human: &Human) -> usize {
    human.done(&["devices"])["devices"].as_array().unwrap().len()
}

/// Leaves a message at a code's rendezvous, as whoever has seen the code can.
fn leave(room: &Room, code: &str, message: &LinkMessage) {
    let secret: LinkSecret = code.parse().unwrap();
    let sealed = secret.seal(&mut rand_core::UnwrapErr(getrandom::SysRng), message).unwrap();
    let url = format!("{}/v1/rendezvous/{}", room.server.url, secret.rendezvous());
    let posting = async move {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let body = serde_json::to_vec(&RendezvousRequest { sealed }).unwrap();
        client.post(url).header("content-type", "application/json").body(body).send().await.unwrap().status()
    };
    let status = tokio::runtime::Handle::current().block_on(posting);
    assert!(status.is_success(), "{status}");
}

fn another_offer() -> LinkMessage {
    LinkMessage::Offer(Offer {
        device_id: DeviceId(Uuid::new_v4()),
        signing_key: SigningKey::from_seed(&[9; 32]).verification_key(),
        name: "Ann's new phone".to_owned(),
        time: SystemClock.now(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_typed_right_or_links_nothing() {
    tell(|room| {
        for mistyped in ["", "hello", "AAAAA-AAAAA-AAAAA-AAAAA-AAAA1"] {
            assert_eq!(room.ann.refused(&["devices", "add", mistyped, "--yes"]).0, "not-a-link-code", "{mistyped:?}");
        }
        let another = "ABCDE-FGHIJ-KLMNO-PQRST-UVWXYA";
        assert_eq!(room.ann.refused(&["devices", "add", another, "--yes"]).0, "no-link-offer");
        // Where nobody can be asked, nothing is linked unasked, and the new device goes on waiting.
        let waiting = room.new.begin_link("Ann's laptop");
        let (error, text) = room.ann.refused(&["devices", "add", &waiting.code]);
        assert!(text.contains("--yes"), "{error} {text}");
        assert_eq!(devices(&room.ann), 1);
        room.ann.done(&["devices", "add", &waiting.code, "--yes"]);
        assert!(waiting.process.wait_with_output().unwrap().status.success());
        assert_eq!(devices(&room.ann), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_for_one_device_of_one_box() {
    tell(|room| {
        let waiting = room.new.begin_link("Ann's laptop");
        room.ann.done(&["devices", "add", &waiting.code, "--yes"]);
        // Again, at the same account as at another's, it was used, and nobody is asked whether it is meant.
        assert_eq!(room.ann.refused(&["devices", "add", &waiting.code]).0, "link-used");
        assert_eq!(room.eve.refused(&["devices", "add", &waiting.code, "--yes"]).0, "link-used");
        assert!(waiting.process.wait_with_output().unwrap().status.success());
        assert_eq!((devices(&room.ann), devices(&room.eve)), (2, 1));
        assert_eq!(room.new.refused(&["link"]).0, "already-registered");
        // A device that was removed doesn't come back by it.
        room.ann.done(&["devices", "remove", "Ann's laptop", "--yes"]);
        assert_eq!(room.ann.refused(&["devices", "add", &waiting.code, "--yes"]).0, "link-used");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_somebody_else_has_seen_links_nobody() {
    tell(|room| {
        // Who has seen the code asks with a device of their own.
        let waiting = room.new.begin_link("Ann's laptop");
        leave(room, &waiting.code, &another_offer());
        let (error, text) = room.ann.refused(&["devices", "add", &waiting.code, "--yes"]);
        assert_eq!(error, "link-refused");
        assert!(text.contains("somebody else has seen it"), "{text}");
        assert_eq!(failed(waiting), "link-refused");

        // Or invites the new device into a box of their own.
        let waiting = room.new.begin_link("Ann's laptop");
        let box_id = BoxId::from_bytes([1; 16]);
        let head = Head { version: 1, hash: FixedOctets([2; 32]) };
        leave(room, &waiting.code, &LinkMessage::Invitation(Invitation { box_id, founding_hash: head.hash, head }));
        assert_eq!(room.ann.refused(&["devices", "add", &waiting.code, "--yes"]).0, "link-tampered");
        assert_eq!(failed(waiting), "link-tampered");
        assert_eq!(devices(&room.ann), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_changes_what_the_devices_say_is_found_out() {
    tell(|room| {
        // An octet of everything that is left there.
        room.relay.change(|path, answer| {
            if path.starts_with("/v1/rendezvous/") {
                for message in answer["messages"].as_array_mut().unwrap() {
                    let mut text = message.as_str().unwrap().to_owned();
                    let other = if &text[40..41] == "A" { "B" } else { "A" };
                    text.replace_range(40..41, other);
                    *message = text.into();
                }
            }
        });
        let waiting = room.new.begin_link("Ann's laptop");
        assert_eq!(failed(waiting), "link-tampered");
        // The old device, with a code from a device that the server lets alone.
        let honest = Human::new(room.folder.path(), "honest", &room.server);
        let mut waiting = honest.begin_link("Ann's laptop");
        assert_eq!(room.ann.refused(&["devices", "add", &waiting.code, "--yes"]).0, "link-tampered");
        assert_eq!(devices(&room.ann), 1);

        // Everything that is left there is withheld: the old device says that nobody waits.
        room.relay.change(|path, answer| {
            if path.starts_with("/v1/rendezvous/") {
                answer["messages"] = json!([]);
            }
        });
        assert_eq!(room.ann.refused(&["devices", "add", &waiting.code, "--yes"]).0, "no-link-offer");
        waiting.process.kill().unwrap();
        waiting.process.wait().unwrap();
    })
    .await;
}

/// What the new device says when the server lies to it about the box that it was linked to. The old device has done its part.
fn lied_to(room: &Room, lie: impl FnMut(&str, &mut Value) + Send + 'static) -> String {
    let liar = room.new.clone();
    let waiting = liar.begin_link("Ann's laptop");
    room.relay.change(lie);
    room.ann.run(&["devices", "add", &waiting.code, "--yes"]);
    let error = failed(waiting);
    room.relay.change(|_, _| {});
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_shows_the_new_device_another_box_is_found_out() {
    tell(|room| {
        room.eve.done(&["whoami"]);
        let account = |exchanges: Vec<crate::relay::Exchange>| -> Value {
            let last = exchanges.into_iter().rfind(|exchange| exchange.path == "/v1/account").unwrap();
            serde_json::from_slice(&last.answer).unwrap()
        };
        let eves = account(room.relay.exchanges());
        // Only what the new device asks is changed: it is the one whose token was just given.
        let mut is_new = false;
        let mut for_the_new = move |path: &str| {
            is_new |= path == "/v1/tokens";
            is_new && path == "/v1/account"
        };
        let other = eves.clone();
        let mut is_meant = for_the_new;
        let error = lied_to(room, move |path, answer| {
            if is_meant(path) {
                answer["key_record"]["statements"] = other["key_record"]["statements"].clone();
            }
        });
        assert_eq!(error, "bad-key-record", "another box's record in this one's name");
        let other = eves.clone();
        let mut is_meant = for_the_new;
        let error = lied_to(room, move |path, answer| {
            if is_meant(path) {
                *answer = other.clone();
            }
        });
        assert_eq!(error, "bad-answer", "another box's account");
        let mut is_meant = for_the_new;
        let error = lied_to(room, move |path, answer| {
            if is_meant(path) {
                let statements = answer["key_record"]["statements"].as_array_mut().unwrap();
                statements.pop();
            }
        });
        assert_eq!(error, "link-tampered", "a record that ends before the link");
        let error = lied_to(room, move |path, answer| {
            if for_the_new(path) {
                answer["key_record"]["sealing_statements"] = eves["key_record"]["sealing_statements"].clone();
            }
        });
        assert_eq!(error, "link-tampered", "another's sealing key");
    })
    .await;
}

/// A home with this clock.
async fn home(server: &Server, folder: &Path, name: &str, clock: Arc<dyn Clock>) -> Client {
    let home = folder.join(name);
    let mut config = ClientConfig::new(home.clone(), Unlock::KeyFile(home.join("key")));
    (config.server, config.clock) = (Some(server.url.clone()), clock);
    Client::create(config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_code_is_no_longer_good() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let (server, ann) = tokio::task::spawn_blocking({
        let folder = folder.path().to_owned();
        move || {
            let server = SetUp::embedded().start(&data_dir, 0);
            let ann = Human::new(&folder, "ann@example.org", &server);
            ann.join(&server);
            (server, ann)
        }
    })
    .await
    .unwrap();
    let now = SystemClock.now();
    let clock = Arc::new(ManualClock::new(now));
    let new = home(&server, folder.path(), "new", clock.clone()).await;
    let LinkCode { expires_at, .. } = new.offer_link("Ann's laptop").await.unwrap();
    assert_eq!(expires_at, now.plus(Duration::from_secs(600)));
    clock.set(expires_at);
    assert!(matches!(new.await_link().await, Err(ClientError::LinkExpired)));
    assert!(matches!(new.await_link().await, Err(ClientError::NoLink)), "it is forgotten");

    // An offer of days ago, which the server shows again.
    clock.set(now.minus(Duration::from_secs(3 * 24 * 3600)));
    let code = new.offer_link("Ann's laptop").await.unwrap().text().to_string();
    let refused =
        tokio::task::spawn_blocking(move || ann.refused(&["devices", "add", &code, "--yes"]).0).await.unwrap();
    assert_eq!(refused, "link-expired");
    new.close().await;
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap();
}
