//! The story of a group.

use super::terminal::{DOWN, ENTER, ESC, Terminal};
use super::{Two, chat, tell};
use crate::human::Human;

/// Chooses one of the people on a sheet, of which the first is chosen.
fn choose(terminal: &mut Terminal, who: &str, people: &[&str]) {
    let contents = terminal.contents();
    // Between the sheet's borders; the conversation behind it may name people too.
    let name = |cell: &str| cell.split("  ").next().map(str::to_owned).unwrap_or_default();
    let rows = contents
        .lines()
        .filter_map(|row| row.split('│').map(|cell| name(cell.trim())).find(|cell| people.contains(&cell.as_str())));
    let at = rows.into_iter().position(|cell| cell == who).unwrap();
    for _ in 0..at {
        terminal.types(DOWN);
    }
}

#[test]
fn a_group_is_made_talked_in_changed_and_left() {
    tell(|Two { ann, ben }, server, folder| {
        let cleo = Human::new(folder, "cleo@example.org", &server);
        cleo.join(&server);

        // Made of a name and people.
        let mut ann_sees = chat(&ann, 100, 30);
        ann_sees.shows("connected").types("g").shows("No groups yet").types("n").shows("What it is called");
        ann_sees.types("Cooks").types(ENTER).shows("Who is in group “Cooks”").types("ben@example.org").types(ENTER);
        ann_sees.shows("made the group").shows("─ message");

        // A request at the other end, until they write.
        let mut ben_sees = chat(&ben, 100, 30);
        ben_sees.shows("Message requests").shows("Cooks").types(ENTER).shows("You were added to this group");
        ben_sees.types("Hello, cooks").types(ENTER).hides("You were added to this group");
        ann_sees.shows_row(&["Hello, cooks"]).shows(" ben@example.org");
        ann_sees.types("Hello, Ben").types(ENTER).shows_row(&["Hello, Ben", "sent"]);
        ben_sees.shows_row(&["Hello, Ben"]);

        // Somebody is added, and it gets another name.
        ann_sees.types(ESC).shows("Enter opens").types("i").shows("you are an admin").types("a").shows("Add people");
        ann_sees.types("cleo@example.org").types(ENTER).shows("Added").shows("3 members");
        ben_sees.shows("added box");
        ann_sees.types("r").shows("Rename the group").types("Chefs").types(ENTER).shows("Renamed");
        ben_sees.shows("renamed the group");
        ann_sees.types("h").shows("What was done in the group").shows_row(&["you renamed the group to \"Chefs\""]);
        ann_sees.shows_row(&["you added cleo@example.org"]).types(ESC).hides("What was done in the group");
        cleo.until(&["group", "list"], |list| list["groups"][0]["name"] == "Chefs");

        // Removed, they hear nothing more.
        choose(&mut ann_sees, "cleo@example.org", &["you", "ben@example.org", "cleo@example.org"]);
        ann_sees
            .types("x")
            .shows("Remove cleo@example.org from group “Chefs”?")
            .types("y")
            .shows("Removed")
            .shows("2 members");
        cleo.until(&["group", "list"], |list| list["groups"][0]["membership"] == "removed");

        // Who leaves says so.
        ben_sees
            .types(ESC)
            .shows("Enter opens")
            .types("i")
            .shows("you are a member")
            .types("l")
            .shows("Leave group “Chefs”?")
            .types("y");
        ben_sees.shows("You are not in it");
        ann_sees.types(ESC).shows_row(&["left"]);
    });
}
