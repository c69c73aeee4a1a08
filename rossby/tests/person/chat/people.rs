//! The story of a second device.

use super::terminal::ENTER;
use super::{Two, chat, tell};
use crate::human::Human;

#[test]
fn devices_are_linked_named_and_removed() {
    tell(|Two { ann, .. }, server, folder| {
        let mut ann_sees = chat(&ann, 100, 40);
        ann_sees.shows("connected").types("v").shows("(this one)").types("l").shows("Link a device");
        let second = Human::new(&folder.join("second"), "ann@example.org", &server);
        let waiting = second.begin_link("tablet");
        ann_sees.types(&waiting.code).types(ENTER).shows("Link the device \"tablet\"").types("y").shows("Linked");
        assert!(waiting.process.wait_with_output().unwrap().status.success());

        ann_sees.shows("tablet").types("\u{1b}[F").types("r").shows("Name a device");
        ann_sees.types("laptop").types(ENTER).shows("Named").shows("laptop").types("x").shows("Remove the device");
        ann_sees.types("y").shows("Removed").shows("removed 20");
        let (error, text) = second.refused(&["inbox"]);
        assert_eq!(error, "not-known", "{text}");
    });
}
