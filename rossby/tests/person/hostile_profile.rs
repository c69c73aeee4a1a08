//! A server that shows other profiles than people set: nothing forged is shown, and it is told.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::human::Human;
use crate::relay::Relay;
use crate::set_up::SetUp;

/// What the server is to show as the profile of whoever is looked up, or of the account; none is the honest one.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Option<Value>>>);

impl Shown {
    fn set(&self, blob: Option<&Value>) {
        *self.0.lock().unwrap() = blob.cloned();
    }
}

fn flipped(blob: &Value, octet: usize) -> Value {
    let mut octets = URL_SAFE_NO_PAD.decode(blob.as_str().unwrap()).unwrap();
    octets[octet] ^= 1;
    json!(URL_SAFE_NO_PAD.encode(octets))
}

/// The warnings' names, and what Ann calls herself by then.
fn seen(by: &Human) -> (Vec<String>, Value) {
    let seen = by.done(&["lookup", "ann@example.org"]);
    let names = seen["warnings"].as_array().unwrap().iter().map(|w| w["warning"].as_str().unwrap().to_owned());
    (names.collect(), seen["profile"]["name"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shown_that_its_owner_did_not_set_last() {
    let relay = Relay::start().await;
    let told = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let server = SetUp::embedded().start(&folder.path().join("data"), 0);
        let [ann, ben, eve] = ["ann@example.org", "ben@example.org", "eve@example.org"]
            .map(|identifier| relay.between(&Human::new(folder.path(), identifier, &server)));
        for human in [&ann, &ben, &eve] {
            human.join(&server);
        }
        let blob_of = |who: &str| {
            ben.done(&["lookup", who]);
            let exchanges = relay.exchanges();
            let last = exchanges.iter().rfind(|exchange| exchange.path == "/v1/lookups").unwrap();
            serde_json::from_slice::<Value>(&last.answer).unwrap()["profile"].clone()
        };
        for human in [&ann, &eve] {
            human.done(&["send", "ben@example.org", "hello"]);
        }
        // What Ann and Eve call themselves, and what Ann did before.
        eve.done(&["profile", "set", "--name", "Eve"]);
        ann.done(&["profile", "set", "--name", "Ann the first"]);
        let first = blob_of("ann@example.org");
        ann.done(&["profile", "set", "--name", "Ann the second"]);
        ben.until(&["lookup", "ann@example.org"], |seen| {
            ben.done(&["inbox"]);
            seen["profile"]["name"] == "Ann the second"
        });
        let (second, eves) = (blob_of("ann@example.org"), blob_of("eve@example.org"));

        let shown = Shown::default();
        let lie = shown.clone();
        relay.change(move |path, answer| {
            let Some(blob) = lie.0.lock().unwrap().clone() else { return };
            match path {
                "/v1/lookups" => answer["profile"] = blob,
                "/v1/account" => answer["profile"]["blob"] = blob,
                _ => {}
            }
        });
        let name = json!("Ann the second");
        let none = json!("");
        let garbage = json!(URL_SAFE_NO_PAD.encode(b"no profile at all"));
        for (lie, warning) in [
            (&first, Some("old-profile")),
            (&none, Some("old-profile")),
            (&eves, Some("bad-profile")),
            (&flipped(&second, 200), Some("bad-profile")),
            (&garbage, Some("bad-profile")),
            // One of a key that hasn't come: it may come.
            (&flipped(&second, 3), None),
        ] {
            shown.set(Some(lie));
            assert_eq!(seen(&ben), (warning.into_iter().map(str::to_owned).collect(), name.clone()), "{lie}");
            shown.set(None);
            assert_eq!(seen(&ben), (vec![], name.clone()), "the honest one is taken after that");
        }
        // Ann's own devices aren't deceived either.
        for (lie, warning) in [(&first, "old-profile"), (&none, "old-profile"), (&eves, "bad-profile")] {
            shown.set(Some(lie));
            let profile = ann.done(&["profile"]);
            assert_eq!((&profile["name"], &profile["warnings"][0]["warning"]), (&name, &json!(warning)), "{lie}");
        }
        // Setting it again puts it right, whatever was shown.
        shown.set(None);
        ann.done(&["profile", "set", "--name", "Ann the third"]);
        assert_eq!(seen(&ben), (vec![], json!("Ann the third")));
        server.stop();
    });
    told.await.unwrap();
}
