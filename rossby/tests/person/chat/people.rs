//! Stories of devices, and of whom one has verified.

use rustix::process::{Pid, Signal, kill_process};

use super::terminal::{CTRL_U, END, ENTER, ESC};
use super::{Two, chat, tell};
use crate::human::Human;

#[test]
fn somebody_is_verified_and_found_out_when_they_are_another() {
    tell(|Two { ann, ben }, server, folder| {
        ann.done(&["send", "ben@example.org", "Hello"]);
        ben.reads(&["Hello"]);
        let code = ben.done(&["verify", "ann@example.org"])["code"].as_str().unwrap().to_owned();

        // The code for a camera, then digits that are not the same, then what a camera read.
        let mut ann_sees = chat(&ann, 100, 60);
        ann_sees
            .shows("connected")
            .shows("ben@example.org")
            .types("i")
            .shows("safety number")
            .types("p")
            .shows("For their camera")
            .shows("█");
        ann_sees.types(ESC).hides("For their camera").types("v").shows("Verify");
        ann_sees.types(&"12345".repeat(12)).types(ENTER).shows("not the same");
        ann_sees.types(CTRL_U).types(&code).types(ENTER).shows("It is the same");
        ann_sees.types(ESC).hides("About them").shows_row(&["ben@example.org", "✓"]);

        // The account is deleted, and somebody else has the address: nothing is sent before the person says that it is right.
        ben.done(&["delete-account", "--yes"]);
        let other = Human::new(&folder.join("other"), "ben@example.org", &server);
        other.done(&["register", "ben@example.org"]);
        other.done(&["authorize", &server.code_number("mailto:ben@example.org", 1)]);
        ann_sees.types("i").shows("the box is gone").types("c").shows("Have you asked them").types("y");
        ann_sees.shows("Accepted");
    });
}

#[test]
fn devices_are_linked_named_and_removed() {
    tell(|Two { ann, .. }, server, folder| {
        let mut ann_sees = chat(&ann, 100, 40);
        ann_sees.shows("connected").types("v").shows("(this one)").types("l").shows("Link a device");
        let second = Human::new(&folder.join("second"), "ann@example.org", &server);
        let waiting = second.begin_link("tablet");
        ann_sees.types(&waiting.code).types(ENTER).shows("Link the device \"tablet\"").types("y").shows("Linked");
        assert!(waiting.process.wait_with_output().unwrap().status.success());

        ann_sees.shows("tablet").types(END).types("r").shows("Name a device");
        ann_sees.types("laptop").types(ENTER).shows("Named").shows("laptop").types("x").shows("Remove the device");
        ann_sees.types("y").shows("Removed").shows("removed 20");
        // One that says nothing more is not waited for.
        let mut waiting = Human::new(&folder.join("third"), "ann@example.org", &server).begin_link("phone");
        let phone = Pid::from_child(&waiting.process);
        kill_process(phone, Signal::STOP).unwrap();
        ann_sees.types("l").shows("Link a device").types(&waiting.code).types(ENTER).shows("Link the device \"phone\"");
        ann_sees.types("y").shows("Waiting for the new device").types(ESC).shows("Stopped: the device is not linked");
        kill_process(phone, Signal::CONT).unwrap();
        assert!(!waiting.process.wait().unwrap().success());
        let (error, text) = second.refused(&["inbox"]);
        assert_eq!(error, "not-known", "{text}");
    });
}

#[test]
fn a_chat_without_an_account_becomes_one_of_another_device() {
    tell(|Two { ann, .. }, server, folder| {
        let tablet = Human::new(&folder.join("tablet"), "ann@example.org", &server);
        let mut tablet_sees = chat(&tablet, 90, 40);
        // No passphrase: the terminal is asked for one first.
        tablet_sees.shows("A passphrase to lock your keys with").types(ENTER).shows("This device has no account yet");

        // Waited for, stopped, and begun again with the same code, which is shown as a picture too.
        let code = |screen: &vt100::Screen| {
            let text = screen.contents();
            let mut rows = text.lines().skip_while(|row| !row.contains("Type there"));
            rows.nth(1).map(|row| row.trim().to_owned()).unwrap_or_default()
        };
        tablet_sees.types("l").shows("Waiting ... Esc stops").shows("█");
        let first = tablet_sees.screen(code);
        tablet_sees
            .types(ESC)
            .shows("This device has no account yet")
            .hides("█")
            .types("l")
            .shows("Waiting ... Esc stops");
        assert_eq!(tablet_sees.screen(code), first);

        // The other device asks, and waits no more when it is told so.
        let mut ann_sees = chat(&ann, 100, 40);
        ann_sees.shows("connected").types("v").shows("(this one)").types("l").shows("Link a device").types(&first);
        ann_sees.types(ENTER).shows("to your account? It will get").types("y").shows("Linked");
        tablet_sees.shows("Conversations").shows("You are ann@example.org").shows("connected").types("q");
        assert!(tablet_sees.ends().success());
        assert!(tablet_sees.is_given_back(), "{}", tablet_sees.contents());
        assert_eq!(tablet.done(&["devices"])["devices"].as_array().unwrap().len(), 2);

        // Whoever quits there has no account, and is told how to get one.
        let mut nobody = chat(&Human::new(&folder.join("nobody"), "nobody@example.org", &server), 90, 30);
        nobody.shows("A passphrase").types(ENTER).shows("rossby register").types("q");
        assert!(nobody.ends().success());
        assert!(nobody.is_given_back(), "{}", nobody.contents());
    });
}
