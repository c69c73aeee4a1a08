//! A server that lies, by a proxy that changes its answers: what doesn't fit is refused, and told.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::human::Human;
use crate::process::Server;
use crate::relay::Relay;
use crate::set_up::SetUp;

/// Three people whose requests go through a proxy.
struct Town {
    relay: Relay,
    server: Server,
    ann: Human,
    ben: Human,
    eve: Human,
    _folder: tempfile::TempDir,
}

/// Tells a story on a thread where it may wait.
async fn tell(story: impl FnOnce(&Town) + Send + 'static) {
    let relay = Relay::start().await;
    let told = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let server = SetUp::embedded().start(&folder.path().join("data"), 0);
        let [ann, ben, eve] = ["ann@example.org", "ben@example.org", "eve@example.org"]
            .map(|identifier| relay.between(&Human::new(folder.path(), identifier, &server)));
        for human in [&ann, &ben, &eve] {
            human.join(&server);
        }
        let town = Town { relay, server, ann, ben, eve, _folder: folder };
        story(&town);
        town.server.stop();
    });
    told.await.unwrap();
}

/// What the server answers to a look-up of this person.
fn looked_up(town: &Town, by: &Human, who: &str) -> Value {
    by.done(&["lookup", who]);
    let exchanges = town.relay.exchanges();
    let last = exchanges.iter().rfind(|exchange| exchange.path == "/v1/lookups").unwrap();
    serde_json::from_slice(&last.answer).unwrap()
}

fn has_warning(document: &Value, part: &str) -> bool {
    document["warnings"].as_array().unwrap().iter().any(|warning| warning["detail"].as_str().unwrap().contains(part))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_leads_elsewhere_is_told_and_nothing_is_sent() {
    tell(|town| {
        let eves = looked_up(town, &town.ann, "eve@example.org");
        let honest = looked_up(town, &town.ann, "ben@example.org");
        town.relay.change(move |path, answer| {
            if path == "/v1/lookups" {
                *answer = eves.clone();
            }
        });
        let seen = town.ann.done(&["lookup", "ben@example.org"]);
        assert_eq!(seen["changed"], true, "{seen}");
        assert!(has_warning(&seen, "leads to another box"), "{seen}");
        let (error, text) = town.ann.refused(&["send", "ben@example.org", "a secret"]);
        assert_eq!(error, "root-changed");
        assert!(text.contains(honest["box_id"].as_str().unwrap()) && text.contains("--accept-change"), "{text}");
        // Eve got nothing; what leads back is as it was.
        town.relay.change(|_, _| {});
        assert_eq!(town.eve.new_texts(), [""; 0]);
        assert_eq!(town.ann.done(&["lookup", "ben@example.org"])["changed"], false);
        assert_eq!(town.ann.done(&["send", "ben@example.org", "hello"])["state"], "sent");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_can_be_accepted() {
    tell(|town| {
        town.ann.done(&["lookup", "ben@example.org"]);
        let eves = looked_up(town, &town.ann, "eve@example.org");
        let box_id = eves["box_id"].clone();
        town.relay.change(move |path, answer| {
            if path == "/v1/lookups" {
                *answer = eves.clone();
            }
        });
        // What was never shown can't be accepted.
        let seen = town.ann.done(&["lookup", "ben@example.org", "--accept-change"]);
        assert_eq!(seen["changed"], true);
        let seen = town.ann.done(&["lookup", "ben@example.org", "--accept-change"]);
        assert_eq!((&seen["changed"], &seen["box_id"]), (&json!(false), &box_id));
        assert_eq!(town.ann.done(&["send", "ben@example.org", "hello"])["recipient"], box_id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_nobody_signed_are_refused() {
    tell(|town| {
        let eves = looked_up(town, &town.ben, "eve@example.org");
        let swap = |pointer: &'static str| {
            let value = eves.pointer(pointer).unwrap().clone();
            town.relay.change(move |path, answer| {
                if path == "/v1/lookups" {
                    *answer.pointer_mut(pointer).unwrap() = value.clone();
                }
            });
        };
        // Another's chain in the box's name.
        swap("/key_record/statements");
        assert_eq!(town.ann.refused(&["lookup", "ben@example.org"]).0, "bad-key-record");
        assert_eq!(town.ann.refused(&["send", "ben@example.org", "a secret"]).0, "bad-key-record");
        // Another's sealing key for the box's device.
        swap("/key_record/sealing_statements");
        let seen = town.ann.done(&["lookup", "ben@example.org"]);
        assert!(has_warning(&seen, "was refused"), "{seen}");
        assert_eq!(seen["devices"][0]["sealing_expires"], Value::Null);
        assert_eq!(town.ann.refused(&["send", "ben@example.org", "a secret"]).0, "no-device");
        // A flipped bit anywhere in a statement.
        town.relay.change(|path, answer| {
            if path == "/v1/lookups" {
                let statement = &mut answer["key_record"]["statements"][0];
                let mut text = statement.as_str().unwrap().to_owned();
                let other = if &text[90..91] == "A" { "B" } else { "A" };
                text.replace_range(90..91, other);
                *statement = text.into();
            }
        });
        assert_eq!(town.ann.refused(&["lookup", "ben@example.org"]).0, "bad-key-record");
        // The honest record is taken after all that.
        town.relay.change(|_, _| {});
        assert_eq!(town.ann.done(&["send", "ben@example.org", "hello"])["state"], "sent");
        town.ben.reads(&["hello"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_were_changed_or_come_again_are_not_shown() {
    tell(|town| {
        town.ann.done(&["send", "ben@example.org", "one"]);
        town.ann.done(&["send", "ben@example.org", "two"]);
        town.ben.waits(2);
        // The first is changed on the way, and everything comes twice.
        let kept = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&kept);
        town.relay.change(move |path, answer| {
            if path != "/v1/messages" || !answer["messages"].is_array() {
                return;
            }
            let messages = answer["messages"].as_array_mut().unwrap();
            if messages.len() == 2 {
                keep.lock().unwrap().get_or_insert_with(|| messages[0].clone());
                let mut text = messages[0]["content"].as_str().unwrap().to_owned();
                let other = if text.ends_with('A') { "Q" } else { "A" };
                text.replace_range(text.len() - 1.., other);
                messages[0]["content"] = text.into();
                messages.extend_from_within(..);
            }
        });
        let inbox = town.ben.done(&["inbox"]);
        let texts: Vec<&Value> = inbox["messages"].as_array().unwrap().iter().map(|m| &m["text"]).collect();
        assert_eq!(texts, ["two"]);
        assert_eq!(inbox["duplicates"], 1);
        assert!(has_warning(&inbox, "was refused"), "{inbox}");
        assert!(has_warning(&inbox, "1 of the messages"), "a gap is told: {inbox}");
        // What comes again later, unchanged, fills the gap, and is shown once.
        let first = kept.lock().unwrap().clone().unwrap();
        town.relay.change(move |path, answer| {
            if path == "/v1/messages" && answer["messages"].is_array() {
                answer["messages"] = json!([first, first]);
            }
        });
        let inbox = town.ben.done(&["inbox"]);
        assert_eq!((&inbox["messages"][0]["text"], &inbox["duplicates"]), (&json!("one"), &json!(1)), "{inbox}");
        assert_eq!(town.ben.new_texts(), [""; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_or_an_account_of_another_is_refused() {
    tell(|town| {
        town.ann.done(&["whoami"]);
        let exchanges = town.relay.exchanges();
        let anns = exchanges.iter().rfind(|exchange| exchange.path == "/v1/account").unwrap();
        let anns: Value = serde_json::from_slice(&anns.answer).unwrap();
        let token = exchanges.iter().rfind(|exchange| exchange.path.ends_with("/authorize")).unwrap();
        let token: Value = serde_json::from_slice(&token.answer).unwrap();
        let mut both = anns.clone();
        town.relay.change(move |path, answer| match path {
            "/v1/account" => *answer = anns.clone(),
            path if path.ends_with("/authorize") => *answer = token.clone(),
            _ => {}
        });
        assert_eq!(town.ben.refused(&["whoami"]).0, "bad-answer");
        let new = Human::new(town.ann.home.parent().unwrap(), "dan@example.org", &town.server);
        let new = town.relay.between(&new);
        new.done(&["register", "dan@example.org"]);
        let code = town.server.code_for("mailto:dan@example.org");
        assert_eq!(new.refused(&["authorize", &code]).0, "bad-answer");
        // A record that isn't hers in Ann's own account.
        town.relay.change(|_, _| {});
        let bens = looked_up(town, &town.eve, "ben@example.org");
        both["key_record"] = bens["key_record"].clone();
        town.relay.change(move |path, answer| {
            if path == "/v1/account" {
                *answer = both.clone();
            }
        });
        assert_eq!(town.ann.refused(&["whoami"]).0, "bad-key-record");
        town.relay.change(|_, _| {});
        assert_eq!(new.done(&["authorize", &code])["authorized"], true, "the same code is good again");
        assert_eq!(town.ann.done(&["whoami"])["warnings"], json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stopped_for_one_recipient_stops_no_other() {
    tell(|town| {
        let eves = looked_up(town, &town.ann, "eve@example.org");
        let bens = looked_up(town, &town.ann, "ben@example.org")["box_id"].clone();
        town.relay.change(move |path, answer| {
            if path == "/v1/messages" && answer["results"][0]["recipient"] == bens {
                let result = answer["results"][0].as_object_mut().unwrap();
                result.insert("outcome".to_owned(), "stale".into());
                for name in ["head", "statements", "sealing_statements"] {
                    result.insert(name.to_owned(), eves["key_record"][name].clone());
                }
            } else if path == "/v1/lookups" {
                answer["key_record"] = eves["key_record"].clone();
            }
        });
        let output = town.ann.run(&["send", "ben@example.org", "one"]);
        assert_eq!(output.status.code(), Some(75), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("is refused"), "it says why: {output:?}");
        assert_eq!(town.ann.done(&["send", "eve@example.org", "to Eve"])["state"], "sent");
        town.eve.reads(&["to Eve"]);
        town.relay.change(|_, _| {});
        assert_eq!(town.ann.done(&["send", "ben@example.org", "two"])["state"], "sent");
        town.ben.reads(&["one", "two"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_mixes_up_and_repeats_what_people_say_changes_nothing() {
    tell(|town| {
        let sent = |arguments: &[&str]| town.ben.done(arguments)["message_id"].as_str().unwrap().to_owned();
        let one = sent(&["send", "ann@example.org", "one"]);
        let two = sent(&["send", "ann@example.org", "two"]);
        sent(&["edit", &one, "one, once more"]);
        sent(&["edit", &one, "one, at last"]);
        sent(&["react", &one, "👍"]);
        sent(&["delete", &two]);
        town.ann.waits(6);
        town.relay.change(|path, answer| {
            if path == "/v1/messages" && answer["messages"].is_array() {
                let messages = answer["messages"].as_array_mut().unwrap();
                messages.reverse();
                messages.extend_from_within(..);
            }
        });
        let inbox = town.ann.done(&["inbox"]);
        assert_eq!(inbox["duplicates"], 6, "{inbox}");
        assert!(has_warning(&inbox, "of the messages"), "that some came before others is told: {inbox}");
        town.relay.change(|_, _| {});
        let bens = inbox["messages"][0]["peer"].as_str().unwrap().to_owned();
        let shown = town.ann.done(&["messages", &bens]);
        let of = |id: &str| shown["messages"].as_array().unwrap().iter().find(|m| m["message_id"] == id).unwrap();
        assert_eq!((&of(&one)["text"], &of(&one)["reactions"][0]["emoji"]), (&json!("one, at last"), &json!("👍")));
        assert_eq!((&of(&two)["text"], &of(&two)["deleted"]), (&Value::Null, &json!(true)));
        assert_eq!(shown["messages"].as_array().unwrap().len(), 2);
        assert_eq!(town.ann.new_texts(), [""; 0]);
    })
    .await;
}
