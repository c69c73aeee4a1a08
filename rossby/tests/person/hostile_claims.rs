//! A server that lies about identifiers and claims: what can be checked is, what it hides shows in the end, and what it repeats
//! changes nothing.

use serde_json::{Value, json};

use crate::human::Human;
use crate::process::Server;
use crate::relay::Relay;
use crate::set_up::SetUp;
use crate::stories::devices::warnings;
use crate::stories::identifiers::listed;

const ANN: &str = "ann@example.org";
const URI: &str = "mailto:ann@example.org";

/// Ann and Ben, and who has no account yet, behind a proxy.
struct Town {
    relay: Relay,
    server: Server,
    ann: Human,
    ben: Human,
    new: Human,
    _folder: tempfile::TempDir,
}

/// Tells a story on a server whose claims wait for so many days.
async fn tell(days: u32, story: impl FnOnce(&Town) + Send + 'static) {
    let relay = Relay::start().await;
    let told = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let mut set_up = SetUp::embedded();
        set_up.settings.push(("ROSSBY_IDENTIFIERS__CLAIM_DAYS".to_owned(), days.to_string()));
        let server = set_up.start(&folder.path().join("data"), 0);
        let [ann, ben, new] =
            [ANN, "ben@example.org", "new"].map(|name| relay.between(&Human::new(folder.path(), name, &server)));
        ann.join(&server);
        ben.join(&server);
        let town = Town { relay, server, ann, ben, new, _folder: folder };
        story(&town);
        town.server.stop();
    });
    told.await.unwrap();
}

impl Town {
    /// The last answer to a request for this path.
    fn answered(&self, is_path: impl Fn(&str) -> bool) -> Value {
        let exchanges = self.relay.exchanges();
        let last = exchanges.iter().rfind(|exchange| is_path(&exchange.path)).unwrap();
        serde_json::from_slice(&last.answer).unwrap()
    }

    /// Changes the answers to requests for some paths from now on.
    fn lies(&self, is_path: impl Fn(&str) -> bool + Send + 'static, change: impl Fn(&mut Value) + Send + 'static) {
        self.relay.change(move |path, answer| {
            if is_path(path) {
                change(answer);
            }
        });
    }

    fn is_honest(&self) {
        self.relay.change(|_, _| {});
    }

    /// Begins to recover Ann's address for a new account. Gives the code.
    fn code(&self, number: usize) -> String {
        assert_eq!(self.new.done(&["recover", ANN])["state"], "code-sent");
        self.server.code_number(URI, number)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_says_of_a_claim_is_checked() {
    tell(7, |town| {
        let bens = town.answered(|path| path.ends_with("/authorize"));
        let code = town.code(1);
        // About another claim.
        town.lies(
            |path| path.ends_with("/claim"),
            |answer| answer["claim_id"] = json!("0f0e0d0c-0b0a-4908-8706-050403020100"),
        );
        assert_eq!(town.new.refused(&["authorize", &code]).0, "bad-answer");
        town.is_honest();
        let waits = town.new.done(&["authorize", &code]);
        assert_eq!(waits["state"], "waits", "the same code, and the same claim");
        // That it is done, without a token, with none that opens, or with another's.
        for authorized in [Value::Null, json!({}), bens["authorized"].clone(), bens.clone()] {
            let authorized = authorized.clone();
            town.lies(
                |path| path.starts_with("/v1/claims/"),
                move |answer| {
                    answer["state"] = json!("effective");
                    answer["authorized"] = authorized.clone();
                },
            );
            assert_eq!(town.new.refused(&["recover"]).0, "bad-answer");
        }
        town.is_honest();
        assert_eq!(town.new.done(&["recover"]), waits, "it waits as before");
        assert_eq!(town.new.refused(&["send", "ben@example.org", "I am Ann"]).0, "claim-waits");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_hidden_or_repeated_changes_nothing() {
    tell(7, |town| {
        let code = town.code(1);
        town.new.done(&["authorize", &code]);
        town.lies(|path| path == "/v1/account", |answer| answer["identifiers"][0]["claim"] = Value::Null);
        assert_eq!(warnings(&town.ann.done(&["whoami"])), [""; 0], "nobody can tell");
        town.is_honest();
        assert_eq!(warnings(&town.ann.done(&["whoami"])), ["identifier-claimed"]);
        let claimed = town.answered(|path| path == "/v1/account")["identifiers"].clone();
        town.ann.done(&["identifiers", "object", ANN]);
        let code = town.server.code_number(URI, 2);
        assert_eq!(town.ann.done(&["identifiers", "confirm", &code])["state"], "objected");
        assert_eq!(warnings(&town.ann.done(&["whoami"])), [""; 0]);
        // The claim that has ended, shown again: the person is told, and objecting once more comes to nothing.
        town.lies(|path| path == "/v1/account", move |answer| answer["identifiers"] = claimed.clone());
        assert_eq!(warnings(&town.ann.done(&["whoami"])), ["identifier-claimed"]);
        assert_eq!(town.ann.refused(&["identifiers", "object", ANN]).0, "no-such-claim");
        town.is_honest();
        assert_eq!(listed(&town.ann), [URI]);
        assert_eq!(warnings(&town.ann.done(&["whoami"])), [""; 0]);
        assert_eq!(town.new.refused(&["recover"]).0, "claim-objected");
        // Identifiers that nobody has added, and a list without her own.
        town.lies(
            |path| path == "/v1/account",
            |answer| answer["identifiers"][0]["identifier_hash"] = json!("ab".repeat(32)),
        );
        let seen = town.ann.done(&["whoami"]);
        let mut told = warnings(&seen);
        told.sort_unstable();
        assert_eq!(told, ["identifier-gone", "strange-identifier"], "{seen}");
        assert_eq!(seen["identifier"], URI, "it is not called by what nobody added");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_was_hidden_to_its_end_is_seen_by_who_knew_the_account() {
    tell(0, |town| {
        let old = town.ben.done(&["lookup", ANN]);
        let (olds, account) = (town.answered(|path| path == "/v1/lookups"), town.ann.done(&["whoami"]));
        let identifiers = town.answered(|path| path == "/v1/account")["identifiers"].clone();
        let code = town.code(1);
        town.new.done(&["authorize", &code]);
        town.ben.done(&["lookup", ANN]);
        let done = town.new.done(&["recover"]);
        assert_eq!(done["state"], "done", "{done}");
        // To her old device it goes on listing what she had: that alone can't be seen there.
        town.lies(|path| path == "/v1/account", move |answer| answer["identifiers"] = identifiers.clone());
        assert_eq!(warnings(&town.ann.done(&["whoami"])), [""; 0]);
        // Who knew her sees another root, whatever it says to her; and once more if it goes back.
        town.is_honest();
        let seen = town.ben.done(&["lookup", ANN]);
        assert_eq!((&seen["changed"], &seen["box_id"]), (&json!(true), &done["box_id"]));
        assert_eq!(town.ben.refused(&["send", ANN, "a secret"]).0, "root-changed");
        town.ben.done(&["lookup", ANN, "--accept-change"]);
        town.lies(|path| path == "/v1/lookups", move |answer| *answer = olds.clone());
        let seen = town.ben.done(&["lookup", ANN]);
        assert_eq!((&seen["changed"], &seen["box_id"]), (&json!(true), &old["box_id"]));
        assert_eq!(town.ben.refused(&["send", ANN, "a secret"]).0, "root-changed");
        town.is_honest();
        assert_eq!(warnings(&town.ann.done(&["whoami"])), ["identifier-gone"]);
        assert_eq!(town.ann.done(&["whoami"])["box_id"], account["box_id"]);
        // The new account's record, rolled back to before it had a second device.
        let before = town.new.done(&["whoami"]);
        let record = town.answered(|path| path == "/v1/account")["key_record"].clone();
        let second = town.relay.between(&Human::new(town.ann.home.parent().unwrap(), "second", &town.server));
        second.link(&town.new, "second");
        assert_eq!(before["devices"], 1);
        town.lies(|path| path == "/v1/account", move |answer| answer["key_record"] = record.clone());
        let seen = town.new.done(&["whoami"]);
        assert!(warnings(&seen).contains(&"shorter-record"), "{seen}");
        assert_eq!(seen["devices"], 2, "the longer one counts");
    })
    .await;
}
