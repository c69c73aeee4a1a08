//! Stories of devices, and of whom one has verified.

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
        let (error, text) = second.refused(&["inbox"]);
        assert_eq!(error, "not-known", "{text}");
    });
}
