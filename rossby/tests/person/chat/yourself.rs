//! The story of what one is called: a name, a picture, addresses.

use super::terminal::{CTRL_U, END, ENTER, ESC};
use super::{Two, chat, tell};

#[test]
fn a_name_a_picture_and_addresses_are_changed() {
    tell(|Two { ann, ben }, server, folder| {
        let mut ann_sees = chat(&ann, 100, 30);
        ann_sees.shows("connected").types("y").shows_row(&["ann@example.org", "since"]).shows_row(&["name", "none"]);
        ann_sees.types("n").shows("What you call yourself").types("Ann of the Hill").types(ENTER);
        ann_sees.shows("Those whom you have accepted see it").shows_row(&["name", "Ann of the Hill"]);
        assert_eq!(ann.done(&["profile"])["name"], "Ann of the Hill");

        // What is wrong with a picture is said.
        let path = folder.join("me.png");
        ann_sees.types("p").shows("A picture of you").types(path.to_str().unwrap()).types(ENTER).shows("No such file");
        ann_sees.types(ESC).hides("A picture of you");

        // One more address, by the code that comes to it.
        ann_sees.types("a").shows("One more address").types("ann@example.net").types(ENTER).shows("The code that came");
        ann_sees.types("00000000").types(ENTER).shows("the code is wrong").types(CTRL_U);
        ann_sees.types(&server.code_for("mailto:ann@example.net")).types(ENTER).shows("leads to you from now on");
        ann_sees.shows_row(&["ann@example.net", "since"]);

        // Somebody else who has the code is asked whether they mean to claim it.
        let mut ben_sees = chat(&ben, 100, 30);
        ben_sees
            .shows("connected")
            .types("y")
            .shows_row(&["ben@example.org", "since"])
            .types("a")
            .shows("One more address");
        ben_sees.types("ann@example.net").types(ENTER).shows("The code that came");
        ben_sees.types(&server.code_number("mailto:ann@example.net", 1)).types(ENTER);
        ben_sees.shows("Another account has ann@example.net").types("n").hides("Another account has");

        // It is taken away.
        ann_sees.types(END).types("x").shows("Take ann@example.net away").types("y").shows("It leads to you no more");
        ann_sees.until("it is gone", |screen| !screen.contents().contains("ann@example.net"));
        assert_eq!(ann.done(&["identifiers"])["identifiers"].as_array().unwrap().len(), 1);
        ann_sees.types("x").shows("Take ann@example.org away").types("y").hides("Are you sure?");
        ann_sees.shows_row(&["ann@example.org", "since"]);
    });
}
