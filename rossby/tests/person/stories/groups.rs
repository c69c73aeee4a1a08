//! Groups: made, changed by several at once, left; their messages on all devices of all members, and on nobody else's.

use std::path::Path;

use serde_json::{Value, json};

use crate::human::Human;
use crate::process::Server;
use crate::set_up::SetUp;

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";
const EVE: &str = "+15550100201";
const JOE: &str = "joe@example.org";
/// What a command ends with when what it did waits in the outbox.
const TRY_AGAIN: i32 = 75;

fn names(group: &Value) -> Vec<String> {
    let mut members: Vec<String> = group["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| {
            let admin = if member["admin"] == json!(true) { "*" } else { "" };
            let name = member["identifier"].as_str().unwrap_or("me or somebody");
            format!("{name}{admin}")
        })
        .collect();
    members.sort();
    members
}

fn boxes(group: &Value) -> Vec<String> {
    let admin = |member: &Value| if member["admin"] == json!(true) { "*" } else { "" };
    let members = group["members"].as_array().unwrap().iter();
    members.map(|member| format!("{}{}", member["box_id"].as_str().unwrap(), admin(member))).collect()
}

/// Waits until the group is so for someone.
fn until(human: &Human, group: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    human.until(&["group", "members", group], is_so)
}

/// Waits until all see the same members and name.
fn agree(humans: &[&Human], group: &str, count: usize, name: &str) {
    let mut seen = Vec::new();
    for human in humans {
        let group = until(human, group, |group| {
            group["members"].as_array().is_some_and(|members| members.len() == count) && group["name"] == name
        });
        seen.push(boxes(&group));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
}

/// Waits until a text is in the group on a device. Gives the message.
fn reads(human: &Human, group: &str, text: &str) -> Value {
    let has = |document: &Value| document["messages"].as_array().unwrap().iter().any(|m| m["text"] == text);
    let document = human.until(&["messages", group], has);
    let messages = document["messages"].as_array().unwrap();
    messages.iter().find(|message| message["text"] == text).unwrap().clone()
}

fn has_never_read(human: &Human, group: &str, text: &str) {
    let document = human.done(&["messages", group]);
    assert!(document["messages"].as_array().unwrap().iter().all(|message| message["text"] != text), "{document}");
}

fn warned(document: &Value, name: &str) -> bool {
    document["warnings"].as_array().unwrap().iter().any(|warning| warning["warning"] == name)
}

/// Two people change a group while the server is away, so that neither knows what the other does; it goes out when it is back,
/// in this order.
fn at_once(set_up: &SetUp, server: Server, data_dir: &Path, changes: [(&Human, &[&str]); 2]) -> Server {
    let port = server.port();
    server.stop();
    for (human, change) in changes {
        let output = human.run(change);
        assert_eq!(output.status.code(), Some(TRY_AGAIN), "{change:?}: {output:?}");
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["sent"]["state"], "pending", "{document}");
    }
    let server = set_up.start(data_dir, port);
    for (human, _) in changes {
        human.done(&["inbox"]);
    }
    server
}

pub(crate) fn talk(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let server = set_up.start(&data_dir, 0);
    let [phone, tablet, ben, eve, joe] =
        [ANN, "tablet", BEN, EVE, JOE].map(|name| Human::new(folder.path(), name, &server));
    for human in [&phone, &ben, &eve, &joe] {
        human.join(&server);
    }
    tablet.link(&phone, "Ann's tablet");

    // Ann makes a group. Strangers are asked; one accepts, one answers by writing.
    let made = phone.done(&["group", "create", "garden", BEN, EVE]);
    let id = made["group"].as_str().unwrap().to_owned();
    assert_eq!((&made["membership"], &made["sent"]["state"]), (&json!("admin"), &json!("sent")));
    let asked = ben.until(&["group", "list"], |document| document["groups"] != json!([]));
    assert_eq!((&asked["groups"][0]["group"], &asked["groups"][0]["membership"]), (&json!(id), &json!("requested")));
    assert_eq!(ben.done(&["conversations"])["requests"], json!(1));
    assert_eq!(ben.done(&["group", "accept", "garden"])["membership"], "member");
    until(&eve, "garden", |group| group["membership"] == "requested");
    assert_eq!(eve.refused(&["send", "garden", "which one?"]).0, "not-a-recipient");
    eve.done(&["send", &id, "hello from Eve"]);
    assert_eq!(eve.done(&["group", "list"])["groups"][0]["membership"], "member");
    for human in [&phone, &tablet, &ben] {
        let message = reads(human, "garden", "hello from Eve");
        assert_eq!((&message["group"], &message["group_name"]), (&json!(id), &json!("garden")));
        assert_eq!((&message["outgoing"], &message["request"]), (&json!(false), &json!(false)));
    }
    // Either of Ann's devices writes, and both have it.
    tablet.done(&["send", &id[..8], "from the tablet"]);
    for human in [&ben, &eve] {
        reads(human, "garden", "from the tablet");
    }
    let copy = reads(&phone, "garden", "from the tablet");
    assert_eq!((&copy["outgoing"], &copy["state"]), (&json!(true), &json!("sent")));
    assert_eq!(copy["recipients"].as_array().unwrap().len(), 2);

    // Messages are answered and edited in a group, too.
    let first = phone.done(&["send", "garden", "Who brings tea?"])["message_id"].as_str().unwrap().to_owned();
    reads(&ben, "garden", "Who brings tea?");
    ben.done(&["send", "garden", "I do", "--reply-to", &first[..8]]);
    ben.done(&["react", &first[..8], "🍵"]);
    phone.done(&["edit", &first[..8], "Who brings the tea?"]);
    assert_eq!(reads(&eve, "garden", "I do")["refers_to"]["message_id"], json!(first));
    eve.until(&["messages", "garden"], |document| {
        let messages = document["messages"].as_array().unwrap().iter();
        let edited = messages.clone().find(|message| message["message_id"] == json!(first)).unwrap();
        edited["text"] == "Who brings the tea?" && edited["reactions"][0]["emoji"] == "🍵"
    });

    // A file goes to all of them.
    let path = folder.path().join("plan.txt");
    std::fs::write(&path, "rows of beans").unwrap();
    let file = phone.done(&["send", "garden", "--file", path.to_str().unwrap()])["message_id"].clone();
    for human in [&tablet, &ben, &eve] {
        let has = |document: &Value| document["messages"].as_array().unwrap().iter().any(|m| m["message_id"] == file);
        human.until(&["messages", "garden"], has);
        let to = human.home.with_extension("txt");
        human.done(&["download", file.as_str().unwrap(), "--to", to.to_str().unwrap()]);
        assert_eq!(std::fs::read(&to).unwrap(), b"rows of beans");
    }

    // Only admins change it; one is made, and adds another.
    assert_eq!(ben.refused(&["group", "rename", "garden", "Ben's"]).0, "not-an-admin");
    assert_eq!(phone.refused(&["group", "add", "garden", BEN]).0, "group-change");
    assert_eq!(phone.refused(&["group", "rename", "garden", "\u{7}"]).0, "bad-group-change");
    assert_eq!(phone.refused(&["group", "members", "nothing"]).0, "no-such-group");
    assert_eq!(phone.refused(&["send", "nothing", "hello"]).0, "not-a-recipient");
    assert_eq!(phone.refused(&["group", "create", "solo", ANN]).0, "oneself");
    let (_, said) = phone.refused(&["group", "create", "more", BEN, "nobody@example.org"]);
    assert!(said.contains("nobody@example.org can't be made a member"), "{said}");
    phone.done(&["group", "promote", "garden", BEN]);
    until(&ben, "garden", |group| group["membership"] == "admin");
    ben.done(&["lookup", JOE]);
    ben.done(&["group", "add", "garden", JOE]);
    until(&joe, "garden", |group| group["membership"] == "requested");
    joe.done(&["group", "accept", "garden"]);
    joe.done(&["send", "garden", "hello from Joe"]);
    for human in [&phone, &tablet, &ben, &eve] {
        reads(human, "garden", "hello from Joe");
    }
    agree(&[&phone, &tablet, &ben, &eve, &joe], "garden", 4, "garden");
    has_never_read(&joe, "garden", "hello from Eve");

    // Two admins at once: neither has fetched what the other did.
    let [anns, eves] = [&phone, &eve].map(|human| human.done(&["whoami"])["box_id"].as_str().unwrap().to_owned());
    let rename: &[&str] = &["group", "rename", "garden", "orchard"];
    let server = at_once(set_up, server, &data_dir, [(&phone, rename), (&ben, &["group", "remove", "garden", &eves])]);
    agree(&[&phone, &tablet, &ben, &joe], "orchard", 3, "orchard");
    let told = eve.until(&["group", "list"], |document| document["groups"][0]["membership"] == "removed");
    assert!(warned(&told, "removed-from-group"));
    assert_eq!(eve.refused(&["send", &id, "am I out?"]).0, "not-in-group");
    phone.done(&["send", "orchard", "without Eve"]);
    reads(&joe, "orchard", "without Eve");
    eve.settles_quietly();
    has_never_read(&eve, &id, "without Eve");

    // They remove each other at once: the founder stays, for all. Ben's goes out first.
    let remove: &[&str] = &["group", "remove", "orchard", BEN];
    let server = at_once(set_up, server, &data_dir, [(&ben, &["group", "remove", "orchard", &anns]), (&phone, remove)]);
    agree(&[&phone, &tablet, &joe], "orchard", 2, "orchard");
    let told = ben.until(&["group", "list"], |document| document["groups"][0]["membership"] == "removed");
    assert!(warned(&told, "removed-from-group"));
    let history = joe.done(&["group", "history", "orchard"]);
    let removals: Vec<_> = history["changes"].as_array().unwrap().iter().filter(|c| c["done"] == "removed").collect();
    let counting = removals.iter().filter(|change| change["counts"] == true).count();
    assert_eq!((removals.len(), counting), (3, 2), "{history}");

    // Someone who blocks another gets nothing of theirs, and stops nobody else.
    phone.done(&["group", "add", "orchard", &eves]);
    until(&eve, &id, |group| group["membership"] != "removed");
    eve.done(&["group", "accept", &id]);
    joe.done(&["block", ANN]);
    let sent = phone.done(&["send", "orchard", "does everyone hear me?"]);
    let states: Vec<_> =
        sent["recipients"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!((states.len(), states.iter().filter(|state| **state == "sent").count()), (2, 1), "{sent}");
    assert!(warned(&sent, "not-sent"));
    reads(&eve, &id, "does everyone hear me?");
    joe.done(&["unblock", ANN]);

    // The last admin leaves: the most senior member is one.
    phone.done(&["group", "leave", "orchard"]);
    let left = until(&joe, "orchard", |group| group["membership"] == "admin");
    assert_eq!(left["members"].as_array().unwrap().len(), 2);
    joe.done(&["group", "rename", "orchard", "Joe's"]);
    until(&eve, &id, |group| group["name"] == "Joe's");
    until(&tablet, &id, |group| group["membership"] == "left");
    assert_eq!(names(&joe.done(&["group", "members", "Joe's"])).len(), 2);
    server.stop();
}

/// A device that is linked later has the person's groups, and one that is removed gets and changes nothing more.
pub(crate) fn devices(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let server = set_up.start(&folder.path().join("data"), 0);
    let [phone, tablet, ben] = [ANN, "tablet", BEN].map(|name| Human::new(folder.path(), name, &server));
    for human in [&phone, &ben] {
        human.join(&server);
    }
    let made = phone.done(&["group", "create", "garden", BEN]);
    until(&ben, "garden", |group| group["membership"] == "requested");
    ben.done(&["send", made["group"].as_str().unwrap(), "before the tablet"]);
    reads(&phone, "garden", "before the tablet");

    tablet.link(&phone, "Ann's tablet");
    until(&tablet, "garden", |group| group["membership"] == "admin");
    ben.done(&["send", "garden", "for both"]);
    for device in [&phone, &tablet] {
        reads(device, "garden", "for both");
    }
    tablet.done(&["group", "rename", "garden", "orchard"]);
    for human in [&phone, &ben] {
        until(human, "orchard", |group| group["name"] == "orchard");
    }
    tablet.done(&["send", "orchard", "from the tablet"]);
    reads(&ben, "orchard", "from the tablet");

    // The group is told that the tablet is gone, so that nothing counts which it signs from now on.
    phone.done(&["devices", "remove", "Ann's tablet", "--yes"]);
    phone.done(&["inbox"]);
    ben.until(&["group", "history", "orchard"], |document| {
        document["changes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|change| change["done"] == "affirmed" && change["counts"] == true)
    });
    phone.done(&["send", "orchard", "the tablet is lost"]);
    reads(&ben, "orchard", "the tablet is lost");
    ben.done(&["send", "orchard", "too bad"]);
    reads(&phone, "orchard", "too bad");

    // What was done meanwhile is fetched before something is changed: who is no admin any more is told so.
    phone.done(&["group", "promote", "orchard", BEN]);
    until(&ben, "orchard", |group| group["membership"] == "admin");
    phone.done(&["group", "demote", "orchard", BEN]);
    ben.until(&["whoami"], |account| account["waiting"].as_u64() > Some(0));
    assert_eq!(ben.refused(&["group", "rename", "orchard", "Ben's"]).0, "not-an-admin");

    // A change that reaches nobody is made all the same, and that is said.
    ben.done(&["block", ANN]);
    let output = phone.command(&["group", "rename", "orchard", "meadow"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.starts_with("Renamed. The other one is not told: "), "{output:?}");
    assert_eq!(phone.done(&["group", "members", "meadow"])["name"], "meadow");
    server.stop();
}
