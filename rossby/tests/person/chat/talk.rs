//! The story of a conversation.

use super::terminal::{ALT_ENTER, CTRL_C, CTRL_R, ENTER, TAB, UP};
use super::{Two, chat, tell};
use crate::set_up::SetUp;

const WIDTH: u16 = 100;
const HEIGHT: u16 = 30;

#[test]
fn two_people_talk_at_their_keyboards() {
    tell(|Two { ann, ben }, server, folder| {
        let mut ann_sees = chat(&ann, WIDTH, HEIGHT);
        ann_sees.shows("No conversations yet").shows("connected");

        // A conversation begins, and is a request at the other end.
        ann_sees.types("n").shows("New conversation").types("ben@example.org").types(ENTER).shows("No messages yet");
        ann_sees.types("Hello Ben").shows("Hello Ben").types(ENTER).shows_row(&["Hello Ben", "sent"]);
        let mut ben_sees = chat(&ben, WIDTH, HEIGHT);
        ben_sees.shows("Message requests").shows("Hello Ben").types("a").shows("Accepted").hides("Message requests");
        ann_sees.shows_row(&["Hello Ben", "delivered"]);

        // Read once it was seen.
        ben_sees.types(ENTER).shows_row(&["Hello Ben"]);
        ann_sees.shows_row(&["Hello Ben", "read"]);
        // Who writes is seen while they do.
        ben_sees.types("Hello").types(ALT_ENTER).types("Ann, 漢字 👋");
        ann_sees.shows("is writing ...");
        ben_sees.types(ENTER);
        ann_sees.shows("Ann, 漢字 👋").hides("is writing ...");
        ben_sees.shows_row(&["Ann, 漢字 👋", "read"]);

        // Answered, edited, reacted to.
        ann_sees.types(TAB).types(TAB).types("r").shows("reply to").types("and how are you?").types(ENTER);
        ben_sees.shows("and how are you?");
        ann_sees.types(UP).types("e").shows("edit").types(" Tell me!").types(ENTER);
        ben_sees.shows_row(&["and how are you? Tell me!", "edited"]);
        ben_sees.types(UP).types("+").shows("Emoji").types("1").types(ENTER);
        ann_sees.shows("👍");

        // The server is killed: that is said, what is typed waits, and goes out when it is back.
        let port = server.port();
        server.kill();
        ann_sees.shows("connection lost since").shows("next try in").types(CTRL_R).shows("trying now");
        ann_sees.types("are you still there?").types(ENTER).shows_row(&["are you still there?", "outbox"]);
        let server = SetUp::embedded().start(&folder.join("data"), port);
        ann_sees.types(CTRL_R).shows("The connection is back").shows_row(&["are you still there?", "read"]);
        ben_sees.shows("are you still there?");
        drop(server);

        ann_sees.types(CTRL_C);
        assert!(ann_sees.ends().success());
        assert!(ann_sees.is_given_back(), "{}", ann_sees.contents());
    });
}
