//! Two people verify each other, by digits and by what a camera reads; new devices of a verified one are told.

use serde_json::{Value, json};

use crate::human::Human;
use crate::set_up::SetUp;

fn text<'a>(document: &'a Value, name: &str) -> &'a str {
    document[name].as_str().unwrap()
}

fn warnings(document: &Value) -> Vec<&str> {
    document["warnings"].as_array().unwrap().iter().map(|warning| warning["warning"].as_str().unwrap()).collect()
}

pub(crate) fn each_other(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let server = set_up.start(&folder.path().join("data"), 0);
    let [ann, tablet, ben, eve, laptop] = ["ann@example.org", "tablet", "+15550100", "eve@example.org", "laptop"]
        .map(|name| Human::new(folder.path(), name, &server));
    for human in [&ann, &ben, &eve] {
        human.join(&server);
    }
    tablet.link(&ann, "Ann's tablet");

    // Both see the same digits, and nobody is verified by that.
    let (shown_to_ann, shown_to_ben) = (ann.done(&["verify", "+15550100"]), ben.done(&["verify", "ann@example.org"]));
    let digits = text(&shown_to_ann, "safety_number");
    assert_eq!(digits, text(&shown_to_ben, "safety_number"));
    assert_eq!((&shown_to_ann["verified"], &shown_to_ben["verified"]), (&Value::Null, &Value::Null));
    let output = ann.command(&["verify", "+15550100"]).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("rossby verify ann@example.org --scan") && shown.lines().count() > 30, "{shown}");

    // What isn't the same verifies nobody.
    let eves = eve.done(&["verify", "ann@example.org"]);
    let (code, own_code) = (text(&shown_to_ben, "code"), text(&shown_to_ann, "code"));
    for other in [text(&eves, "code"), own_code] {
        assert_eq!(ann.refused(&["verify", "+15550100", "--scan", other]).0, "not-the-same");
    }
    let other_digits = text(&eves, "safety_number");
    assert_eq!(ann.refused(&["verify", "+15550100", "--digits", other_digits]).0, "not-the-same");
    assert_eq!(ann.refused(&["verify", "+15550100", "--digits", &digits[1..]]).0, "not-digits");
    assert_eq!(ann.refused(&["verify", "+15550100", "--scan", &code[..90]]).0, "not-a-verification-code");
    assert_eq!(ann.refused(&["verify", "+15550100", "--unverify"]).0, "not-verified");
    assert_eq!(ann.refused(&["verify", "ann@example.org"]).0, "oneself");
    assert_eq!(ann.done(&["lookup", "+15550100"])["verified"], Value::Null);

    // Ann's camera reads Ben's screen; Ben types what Ann reads out, in groups.
    let verified = ann.done(&["verify", "+15550100", "--scan", &code.to_lowercase()]);
    assert_eq!(verified["verified"]["new_devices"], 0, "{verified}");
    assert_eq!(verified["devices"].as_array().unwrap().len(), 1, "the devices are listed");
    let groups: Vec<_> = digits.as_bytes().chunks(5).map(|group| std::str::from_utf8(group).unwrap()).collect();
    assert_eq!(ben.done(&["verify", "ann@example.org", "--digits", &groups.join(" ")])["warnings"], json!([]));
    assert_eq!(ann.done(&["lookup", "+15550100"])["verified"]["new_devices"], 0);

    // Ann's tablet agrees, and shows it with the conversation; so does a device that comes later.
    ann.done(&["send", "+15550100", "hello"]);
    let marked = |human: &Human| {
        let list = human.until(&["conversations"], |list| list["conversations"][0]["verified"].is_object());
        list["conversations"][0].clone()
    };
    for human in [&ann, &tablet] {
        let conversation = marked(human);
        assert_eq!((&conversation["verified"]["new_devices"], &conversation["changed"]), (&json!(0), &json!(false)));
    }
    let watch = Human::new(folder.path(), "watch", &server);
    watch.link(&ann, "Ann's watch");
    let seen = watch.until(&["lookup", "+15550100"], |seen| {
        watch.done(&["inbox"]);
        seen["verified"].is_object()
    });
    assert_eq!(seen["verified"]["at"], verified["verified"]["at"]);

    // The number stays when devices come; that they came is told, once, until it is verified anew.
    laptop.link(&ben, "Ben's laptop");
    let seen = ann.done(&["lookup", "+15550100"]);
    assert_eq!((&seen["verified"]["new_devices"], warnings(&seen)), (&json!(1), vec!["new-devices"]), "{seen}");
    let seen = ann.done(&["lookup", "+15550100"]);
    assert_eq!((text(&seen, "safety_number"), &seen["verified"]["new_devices"]), (digits, &json!(1)));
    assert_eq!(warnings(&seen), [""; 0], "once");
    // The code from before names an older head: the box is the same.
    let again = ann.done(&["verify", "+15550100", "--scan", code]);
    assert_eq!((&again["verified"]["new_devices"], warnings(&again)), (&json!(0), vec![]), "{again}");

    assert_eq!(ann.done(&["verify", "+15550100", "--unverify"])["verified"], Value::Null);
    tablet.until(&["conversations"], |list| list["conversations"][0]["verified"].is_null());
    assert_eq!(ann.done(&["lookup", "+15550100"])["verified"], Value::Null);
    assert_eq!(ann.refused(&["verify", "+15550100", "--unverify"]).0, "not-verified");
    server.stop();
}
