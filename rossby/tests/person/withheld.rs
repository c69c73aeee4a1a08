//! Whom an address leads to changes: nothing goes to the box before, by whatever way, until the person says who it is.

use serde_json::{Value, json};

use crate::human::Human;
use crate::process::Server;
use crate::relay::Relay;
use crate::set_up::SetUp;

/// What `send` ends with when the message stays in the outbox.
const TRY_AGAIN: i32 = 75;

struct Town {
    relay: Relay,
    ann: Human,
    ben: Human,
    eve: Human,
    folder: tempfile::TempDir,
}

impl Town {
    fn start(&self, port: u16) -> Server {
        SetUp::embedded().start(&self.folder.path().join("data"), port)
    }

    /// Look-ups of Ben's address lead to Eve from now on, or no longer.
    fn swap(&self, is_swapped: bool) {
        let eves: Value = self.looked_up(&self.ben, "eve@example.org");
        self.relay.change(move |path, answer| {
            if is_swapped && path == "/v1/lookups" {
                *answer = eves.clone();
            }
        });
    }

    fn looked_up(&self, by: &Human, who: &str) -> Value {
        by.done(&["lookup", who]);
        let exchanges = self.relay.exchanges();
        let last = exchanges.iter().rfind(|exchange| exchange.path == "/v1/lookups").unwrap();
        serde_json::from_slice(&last.answer).unwrap()
    }
}

/// Tells a story of a server that goes away while Ann writes to Ben, whom she has verified.
async fn tell(story: impl FnOnce(&Town, Server) + Send + 'static) {
    let relay = Relay::start().await;
    let told = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let server = SetUp::embedded().start(&folder.path().join("data"), 0);
        let [ann, ben, eve] = ["ann@example.org", "ben@example.org", "eve@example.org"]
            .map(|identifier| relay.between(&Human::new(folder.path(), identifier, &server)));
        for human in [&ann, &ben, &eve] {
            human.join(&server);
        }
        let code = ben.done(&["verify", "ann@example.org"])["code"].as_str().unwrap().to_owned();
        ann.done(&["verify", "ben@example.org", "--scan", &code]);
        let port = server.port();
        server.stop();
        let output = ann.run(&["send", "ben@example.org", "written before"]);
        assert_eq!(output.status.code(), Some(TRY_AGAIN), "{output:?}");
        let town = Town { relay, ann, ben, eve, folder };
        let server = town.start(port);
        story(&town, server);
    });
    told.await.unwrap();
}

fn warnings(document: &Value) -> Vec<String> {
    let all = document["warnings"].as_array().unwrap();
    all.iter().map(|warning| warning["detail"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_to_the_box_before_and_the_mark_is_gone() {
    tell(|town, server| {
        let (ann, ben) = (&town.ann, &town.ben);
        let bens_box = ben.done(&["whoami"])["box_id"].as_str().unwrap().to_owned();
        town.swap(true);
        let seen = ann.done(&["lookup", "ben@example.org"]);
        assert_eq!((&seen["changed"], &seen["verified"]), (&json!(true), &Value::Null));
        assert!(warnings(&seen)[0].contains("whom you had verified") && warnings(&seen).len() == 1, "{seen}");

        // By the address, by the box, what waits, and to what Ben writes.
        let (error, says) = ann.refused(&["send", "ben@example.org", "by the address"]);
        assert_eq!(error, "root-changed");
        assert!(says.contains("rossby lookup ben@example.org --accept-change"), "{says}");
        assert_eq!(ann.refused(&["send", &bens_box, "by the box"]).0, "root-changed");
        ann.done(&["inbox"]);
        ben.done(&["send", "ann@example.org", "from Ben"]);
        ann.reads(&["from Ben"]);
        assert_eq!(ann.refused(&["send", &bens_box, "in reply"]).0, "root-changed");
        assert_eq!((ben.new_texts(), town.eve.new_texts()), (vec![], vec![]));
        // By the box alone the mark would be shown: it isn't, since nobody knows who answers.
        town.swap(false);
        let code = ann.done(&["verify", &bens_box])["verified"].clone();
        assert_eq!(code, Value::Null);

        // What leads back is as it was, and what waited goes out.
        let seen = ann.done(&["lookup", "ben@example.org"]);
        assert_eq!((&seen["changed"], &seen["verified"]["new_devices"]), (&json!(false), &json!(0)));
        ann.done(&["inbox"]);
        ben.reads(&["written before"]);
        server.stop();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_is_not_sent_once_the_new_box_is_accepted() {
    tell(|town, server| {
        town.swap(true);
        town.ann.done(&["lookup", "ben@example.org"]);
        let seen = town.ann.done(&["lookup", "ben@example.org", "--accept-change"]);
        assert_eq!((&seen["changed"], &seen["verified"]), (&json!(false), &Value::Null), "accepted is not verified");
        assert!(warnings(&seen)[0].contains("was not sent: whoever it was for has another box now"), "{seen}");
        town.ann.done(&["inbox"]);
        assert_eq!((town.ben.new_texts(), town.eve.new_texts()), (vec![], vec![]));
        assert_eq!(town.ann.done(&["send", "ben@example.org", "to the new box"])["state"], "sent");
        town.eve.reads(&["to the new box"]);
        // What was written before stands apart, under the name that it had, and no mark says that it was verified who is there now.
        let conversations = town.ann.done(&["conversations"])["conversations"].clone();
        let by_box = |human: &Human| {
            let box_id = human.done(&["whoami"])["box_id"].clone();
            conversations.as_array().unwrap().iter().find(|one| one["peer"] == box_id).unwrap().clone()
        };
        let [before, now] = [by_box(&town.ben), by_box(&town.eve)];
        assert_eq!((&before["formerly"], &before["verified"]), (&json!(["mailto:ben@example.org"]), &Value::Null));
        assert_eq!((&now["formerly"], &now["identifiers"]), (&json!([]), &json!(["mailto:ben@example.org"])));
        let shown = town.ann.command(&["conversations"]).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(shown.contains("was ben@example.org") && !shown.contains("verified"), "{shown}");
        server.stop();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_box_that_is_verified_is_accepted() {
    tell(|town, server| {
        town.swap(true);
        town.ann.done(&["lookup", "ben@example.org"]);
        // Whoever answers now shows their code: it is that of the new box, or nothing is marked.
        town.relay.change(|_, _| {});
        let codes = [&town.ben, &town.eve].map(|human| human.done(&["verify", "ann@example.org"])["code"].clone());
        town.swap(true);
        let [bens, eves] = codes.each_ref().map(|code| ["verify", "ben@example.org", "--scan", code.as_str().unwrap()]);
        assert_eq!(town.ann.refused(&bens).0, "not-the-same");
        assert_eq!(town.ann.refused(&["send", "ben@example.org", "still withheld"]).0, "root-changed");
        let seen = town.ann.done(&eves);
        assert_eq!((&seen["changed"], &seen["verified"]["new_devices"]), (&json!(false), &json!(0)));
        assert_eq!(town.ann.done(&["send", "ben@example.org", "to the new box"])["state"], "sent");
        server.stop();
    })
    .await;
}
