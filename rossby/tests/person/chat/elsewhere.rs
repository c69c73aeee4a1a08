//! What another own device does, while the chat is open.

use super::terminal::CTRL_C;
use super::{Two, chat, tell};
use crate::human::Human;

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";

#[test]
fn what_another_own_device_has_read_is_unread_no_more() {
    tell(|Two { ann, ben }, server, folder| {
        let tablet = Human::new(&folder.join("tablet"), BEN, &server);
        tablet.link(&ben, "tablet");
        ann.done(&["send", BEN, "Hello"]);
        ben.reads(&["Hello"]);
        ben.done(&["requests", "accept", ANN]);
        tablet.settles_quietly();

        let mut ben_sees = chat(&ben, 100, 30);
        ben_sees.shows("connected").shows_row(&[ANN]);
        ann.done(&["send", BEN, "one"]);
        ann.done(&["send", BEN, "two"]);
        ben_sees.shows_row(&["two", "2 new"]).shows("(2 unread)");
        tablet.reads(&["one", "two"]);
        ben_sees.hides("2 new").hides("unread").shows_row(&["two"]);
        ben_sees.types(CTRL_C);
        assert!(ben_sees.ends().success());
    });
}
