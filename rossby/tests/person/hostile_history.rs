//! A server that tells another history of the account than it told before.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::human::Human;
use crate::relay::Relay;
use crate::set_up::SetUp;

type Lie = fn(&mut Vec<Value>);

/// The kinds of what is wrong, and the warnings' names, each once.
fn seen(ann: &Human) -> (Vec<String>, Vec<String>) {
    let history = ann.done(&["history"]);
    let names = |list: &str, field: &str| {
        let mut names: Vec<_> =
            history[list].as_array().unwrap().iter().map(|one| one[field].as_str().unwrap().to_owned()).collect();
        names.dedup();
        names
    };
    (names("faults", "fault"), names("warnings", "warning"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_hides_or_changes_is_told() {
    let relay = Relay::start().await;
    let told = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let server = SetUp::embedded().start(&folder.path().join("data"), 0);
        let ann = relay.between(&Human::new(folder.path(), "ann@example.org", &server));
        ann.join(&server);
        for audience in ["contacts", "nobody", "everyone"] {
            ann.done(&["settings", "--discoverable", audience]);
        }
        assert_eq!(seen(&ann), (vec![], vec![]));

        let lie: Arc<Mutex<Option<Lie>>> = Arc::default();
        let told = Arc::clone(&lie);
        relay.change(move |path, answer| {
            let Some(lie) = *told.lock().unwrap() else { return };
            if path.starts_with("/v1/account/history") {
                lie(answer["entries"].as_array_mut().unwrap());
            }
        });
        let lies: [(Lie, &str); 4] = [
            // It leaves one out, goes back, changes a time, and mixes the order.
            (|entries| drop(entries.remove(entries.len() - 2)), "left-out"),
            (|entries| drop(entries.pop()), "left-out"),
            (|entries| entries.last_mut().unwrap()["time"] = json!("2020-01-01T00:00:00Z"), "bad-hash"),
            (
                |entries| {
                    let last = entries.len() - 1;
                    entries.swap(last, last - 1);
                },
                "misplaced",
            ),
        ];
        for (told, expected) in lies {
            *lie.lock().unwrap() = Some(told);
            let (faults, warnings) = seen(&ann);
            assert!(faults.iter().any(|fault| fault == expected), "{expected}: {faults:?}");
            assert_eq!(warnings, ["history-differs"]);
            *lie.lock().unwrap() = None;
            assert_eq!(seen(&ann), (vec![], vec![]), "the honest one is as good as before");
        }
        server.stop();
    });
    told.await.unwrap();
}
