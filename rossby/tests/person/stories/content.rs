//! What people do with messages beside writing them: answer, edit, delete, react, send places; and how they hear of each other.

use serde_json::{Value, json};

use crate::human::Human;
use crate::set_up::SetUp;

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";
const EVE: &str = "eve@example.org";

fn messages(document: &Value) -> &Vec<Value> {
    document["messages"].as_array().unwrap()
}

/// The message with this id, in what `messages` printed.
fn of<'a>(document: &'a Value, id: &str) -> &'a Value {
    messages(document).iter().find(|message| message["message_id"] == id).unwrap_or(&Value::Null)
}

/// Waits until a message is so in a conversation.
fn until(human: &Human, with: &str, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let document = human.until(&["messages", with], |document| is_so(of(document, id)));
    of(&document, id).clone()
}

fn sent(human: &Human, arguments: &[&str]) -> String {
    let sent = human.done(arguments);
    assert_eq!(sent["state"], "sent", "{sent}");
    sent["message_id"].as_str().unwrap().to_owned()
}

/// What a command prints for people.
fn shown(human: &Human, arguments: &[&str]) -> String {
    let output = human.command(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn says(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let server = set_up.start(&folder.path().join("data"), 0);
    let [phone, tablet, ben, eve] = [ANN, "tablet", BEN, EVE].map(|name| Human::new(folder.path(), name, &server));
    for human in [&phone, &ben, &eve] {
        human.join(&server);
    }
    tablet.link(&phone, "Ann's tablet");
    let everyone = [&phone, &tablet, &ben];

    // A stranger's message is a request, and hears nothing.
    let asked = sent(&ben, &["send", ANN, "Shall we meet?"]);
    let requests = phone.until(&["requests"], |document| document["requests"] != json!([]));
    let bens = requests["requests"][0]["peer"].as_str().unwrap().to_owned();
    assert_eq!(
        (&requests["requests"][0]["standing"], &requests["requests"][0]["unread"]),
        (&json!("stranger"), &json!(1))
    );
    let inbox = phone.done(&["inbox"]);
    assert_eq!(
        (&inbox["messages"][0]["request"], &inbox["messages"][0]["text"]),
        (&json!(true), &json!("Shall we meet?"))
    );
    let conversations = phone.done(&["conversations"]);
    assert_eq!((&conversations["conversations"], &conversations["requests"]), (&json!([]), &json!(1)));
    phone.settles();
    ben.settles();
    let mine = of(&ben.done(&["messages", ANN]), &asked).clone();
    assert_eq!(
        (&mine["recipients"][0]["state"], &mine["recipients"][0]["delivered_at"]),
        (&json!("sent"), &Value::Null)
    );

    // Who answers has accepted: Ben hears that his message came and was read, and that it was answered.
    let answer = sent(&phone, &["send", &bens, "At noon?", "--reply-to", &asked[..8]]);
    let reply = until(&ben, ANN, &answer, Value::is_object);
    assert_eq!((&reply["kind"], &reply["text"]), (&json!("reply"), &json!("At noon?")));
    assert_eq!(
        (&reply["refers_to"]["message_id"], &reply["refers_to"]["text"], &reply["refers_to"]["outgoing"]),
        (&json!(asked), &json!("Shall we meet?"), &json!(true))
    );
    let mine = until(&ben, ANN, &asked, |message| message["recipients"][0]["read_at"].is_string());
    assert!(mine["recipients"][0]["delivered_at"].is_string());
    until(&phone, &bens, &answer, |message| message["recipients"][0]["read_at"].is_string());
    assert_eq!(phone.done(&["requests"])["requests"], json!([]));
    // The tablet has heard of it: what Ben writes is no request there either.
    until(&tablet, &bens, &answer, |message| message["text"] == "At noon?");
    assert_eq!(tablet.done(&["requests"])["requests"], json!([]));

    // Another text, an emoji from another device, and what is taken back.
    sent(&ben, &["edit", &asked, "Shall we meet at the pier?"]);
    for device in [&phone, &tablet] {
        let edited = until(device, &bens, &asked, |message| message["edited_at"].is_string());
        assert_eq!(edited["text"], "Shall we meet at the pier?");
    }
    sent(&tablet, &["react", &asked, "👍"]);
    for (human, with) in [(&phone, bens.as_str()), (&tablet, &bens), (&ben, ANN)] {
        let liked = until(human, with, &asked, |message| message["reactions"] != json!([]));
        assert_eq!(liked["reactions"][0]["emoji"], "👍");
        assert_eq!(liked["reactions"][0]["authors"].as_array().unwrap().len(), 1);
    }
    let text = shown(&ben, &["messages", ANN]);
    for part in
        ["Shall we meet at the pier?", "(edited)", "👍 1", "(read)", &asked[..8], "to “Shall we meet at the pier?”"]
    {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    sent(&phone, &["react", &asked, "👍", "--remove"]);
    until(&ben, ANN, &asked, |message| message["reactions"] == json!([]));
    sent(&tablet, &["delete", &answer]);
    for (human, with) in [(&phone, bens.as_str()), (&tablet, &bens), (&ben, ANN)] {
        let deleted = until(human, with, &answer, |message| message["deleted"] == true);
        assert_eq!((&deleted["text"], &deleted["refers_to"]), (&Value::Null, &Value::Null));
    }
    assert!(shown(&ben, &["messages", ANN]).contains("[deleted]"));
    assert_eq!(phone.refused(&["edit", &answer, "too late"]).0, "deleted");
    let place = sent(&phone, &["send", &bens, "--location", "-33.8568,151.2153"]);
    let seen = until(&ben, ANN, &place, Value::is_object);
    assert_eq!((&seen["kind"], &seen["location"]["latitude"]), (&json!("location"), &json!(-33.8568)));
    assert!(shown(&ben, &["messages", ANN]).contains("-33.8568,151.2153"));

    // What is new: a list of it, and what was read on one device is so on the other.
    for human in everyone {
        human.done(&["messages", if human.identifier == BEN { ANN } else { &bens }]);
    }
    let (one, two) = (sent(&ben, &["send", ANN, "one"]), sent(&ben, &["send", ANN, "two"]));
    let list = phone.until(&["conversations"], |document| document["conversations"][0]["unread"] == 2);
    assert_eq!(list["conversations"][0]["last"]["text"], "two");
    assert!(shown(&phone, &["conversations", "--offline"]).contains("(2 unread)"));
    let last = phone.done(&["messages", &bens, "--limit", "1"]);
    assert_eq!(messages(&last).iter().map(|message| &message["message_id"]).collect::<Vec<_>>(), [&json!(two)]);
    let before = phone.done(&["messages", &bens, "--limit", "2", "--before", &two]);
    let ids: Vec<_> = messages(&before).iter().map(|message| &message["message_id"]).collect();
    assert_eq!(ids, [&json!(place), &json!(one)]);
    assert_eq!(phone.done(&["conversations"])["conversations"][0]["unread"], 0);
    tablet.until(&["conversations"], |document| document["conversations"][0]["unread"] == 0);
    assert_eq!(tablet.new_texts(), [""; 0]);

    // An edit of what was read before is told in the inbox, as is what was taken back; receipts never are.
    sent(&ben, &["edit", &one, "one and a half"]);
    let inbox = phone.until(&["inbox"], |document| document["messages"] != json!([]));
    let told = &inbox["messages"][0];
    assert_eq!(
        (&told["kind"], &told["text"], &told["refers_to"]["message_id"]),
        (&json!("edit"), &json!("one and a half"), &json!(one))
    );
    sent(&ben, &["delete", &two]);
    let inbox = phone.until(&["inbox"], |document| document["messages"] != json!([]));
    assert_eq!(inbox["messages"][0]["kind"], "deletion");

    // Receipts are sent as the person wants, by all devices. What is sent later comes later, so that none is on its way.
    let settings = tablet.done(&["settings", "--read-receipts", "off"]);
    assert_eq!((&settings["read_receipts"], &settings["delivery_receipts"]), (&json!(false), &json!(true)));
    phone.done(&["inbox"]);
    phone.until(&["settings"], |settings| {
        phone.done(&["inbox"]);
        settings["read_receipts"] == false
    });
    let unread = sent(&ben, &["send", ANN, "do you read me?"]);
    until(&phone, &bens, &unread, Value::is_object);
    sent(&phone, &["send", &bens, "that is for me to know"]);
    ben.until(&["inbox"], |document| document["messages"] != json!([]));
    let mine = until(&ben, ANN, &unread, |message| message["recipients"][0]["delivered_at"].is_string());
    assert_eq!(mine["recipients"][0]["read_at"], Value::Null);

    a_stranger_asks(&phone, &tablet, &eve);
    mistakes(&phone, &bens, [&asked, &place]);
    server.stop();
}

/// A stranger who is declined, asks again, and is blocked.
fn a_stranger_asks(phone: &Human, tablet: &Human, eve: &Human) {
    sent(eve, &["send", ANN, "buy my things"]);
    let asks = |device: &Human| {
        let document = device.until(&["requests"], |document| document["requests"] != json!([]));
        assert_eq!(document["requests"].as_array().unwrap().len(), 1);
        document["requests"][0]["peer"].as_str().unwrap().to_owned()
    };
    let eves = asks(phone);
    assert_eq!(asks(tablet), eves);
    assert!(shown(phone, &["inbox"]).contains("Message requests"));
    assert_eq!(phone.done(&["requests", "decline", &eves])["standing"], "stranger");
    for device in [phone, tablet] {
        device.until(&["requests"], |document| document["requests"] == json!([]));
        assert_eq!(messages(&device.done(&["messages", &eves])).len(), 0);
    }
    sent(eve, &["send", ANN, "please"]);
    asks(phone);
    assert_eq!(phone.done(&["requests", "block", &eves])["standing"], "blocked");
    for device in [phone, tablet] {
        device.until(&["requests"], |document| document["requests"] == json!([]));
    }
    let output = eve.run(&["send", ANN, "are you there?"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"state\":\"failed\""), "{output:?}");
    // Eve heard of nothing that she wrote.
    eve.settles();
    for message in messages(&eve.done(&["messages", ANN])) {
        assert_eq!(message["recipients"][0]["delivered_at"], Value::Null, "{message}");
    }
    assert_eq!(phone.refused(&["requests", "accept", &eves]).0, "no-request");
    phone.done(&["unblock", &eves]);
    sent(eve, &["send", ANN, "once more"]);
    assert_eq!(asks(phone), eves);
    assert_eq!(phone.done(&["requests", "accept", &eves])["standing"], "accepted");
    assert_eq!(phone.refused(&["requests", "decline", &eves]).0, "no-request");
    eve.until(&["messages", ANN], |document| {
        messages(document).last().is_some_and(|message| message["recipients"][0]["delivered_at"].is_string())
    });
}

/// What is typed wrong is named, and changes nothing. One message is Ben's, one Ann's.
fn mistakes(ann: &Human, bens: &str, [theirs, ours]: [&str; 2]) {
    assert_eq!(ann.refused(&["edit", theirs, "forged"]).0, "not-yours");
    assert_eq!(ann.refused(&["delete", theirs]).0, "not-yours");
    assert_eq!(ann.refused(&["edit", ours, "a place has no text"]).0, "no-text");
    for name in ["ffffffff-ffff-ffff-ffff-ffffffffffff", "abc", "nonsense"] {
        assert_eq!(ann.refused(&["delete", name]).0, "no-such-message", "{name}");
    }
    assert_eq!(ann.refused(&["react", theirs, "two words"]).0, "bad-content");
    assert_eq!(ann.refused(&["send", EVE, "what?", "--reply-to", theirs]).0, "other-conversation");
    assert_eq!(ann.refused(&["messages", EVE, "--before", theirs]).0, "other-conversation");
    for arguments in [
        &["send", bens, "--location", "91,0"][..],
        &["send", bens, "--location", "here"],
        &["send", bens, "text", "--location", "1,2"],
        &["settings", "--read-receipts", "maybe"],
        &["messages", bens, "--limit", "0"],
    ] {
        assert_eq!(ann.refused(arguments).0, "usage", "{arguments:?}");
    }
    assert_eq!(ann.refused(&["edit", theirs, " "]).0, "usage");
}
