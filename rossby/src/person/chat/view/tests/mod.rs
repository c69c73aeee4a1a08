//! The screen as people see it, at several sizes.

mod sheets;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use rossby_client::{Content, Kind, Location, Message, MessageState, Standing, Way};

use super::View;
use super::theme::Theme;
use super::time::Zone;
use crate::person::chat::state::State;
use crate::person::chat::state::event::{Connection, Event, Lost};
use crate::person::chat::state::tests::talking;
use crate::person::chat::state::tests::world::{
    at, box_id, emoji, overview, own, recipient, reply, state, text, warning, with,
};

const WIDE: (u16, u16) = (90, 30);
const NARROW: (u16, u16) = (40, 20);

/// Draws a chat as often as it takes to come to rest.
fn drawn(state: &mut State, (width, height): (u16, u16), has_colours: bool) -> Buffer {
    let view = View { theme: Theme::new(has_colours), zone: Zone::Utc };
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    for _ in 0..2 {
        let mut measures = None;
        terminal.draw(|frame| measures = Some(view.draw(frame, state))).unwrap();
        state.update(Event::Drawn(measures.unwrap()));
    }
    terminal.backend().buffer().clone()
}

/// The screen's rows, without blanks at their ends.
fn screen(state: &mut State, size: (u16, u16)) -> String {
    let buffer = drawn(state, size, true);
    let mut rows = Vec::new();
    for y in 0..size.1 {
        let (mut row, mut hidden) = (String::new(), 0);
        for x in 0..size.0 {
            let symbol = buffer[(x, y)].symbol();
            if hidden == 0 {
                row.push_str(symbol);
                hidden = crate::person::chat::text::width(symbol).saturating_sub(1);
            } else {
                hidden -= 1;
            }
        }
        rows.push(row.trim_end().to_owned());
    }
    rows.join("\n")
}

/// A conversation with everything that a message can be.
fn everything() -> State {
    let hour = 3600;
    let read = |mut message: Message| {
        message.recipients[0].read_at = Some(at(9));
        message.recipients[0].delivered_at = Some(at(9));
        message
    };
    let delivered = |mut message: Message| {
        message.recipients[0].delivered_at = Some(at(9));
        message
    };
    let first = text(
        1,
        2,
        "Hello Ann, are you coming along to the river on Sunday? It is said to be warm, and there will be cake",
    );
    let mut place = own(3, 2, "");
    place.content = Some(Content::Location(Location {
        latitude: 52.5,
        longitude: 13.4,
        accuracy_m: None,
        label: Some("the bridge".to_owned()),
    }));
    (place.kind, place.text) = (Kind::Location, None);
    let mut deleted = text(5, 2, "");
    (deleted.content, deleted.text, deleted.is_deleted) = (None, None, true);
    let mut unknown = text(6, 2, "");
    (unknown.content, unknown.text, unknown.kind) = (None, None, Kind::Unknown(99));
    let mut liked = text(7, 2, "漢字 and 👩‍👩‍👧‍👦\n\nthe last line");
    liked.reactions = vec![emoji("👍", &[1]), emoji("🦆", &[1, 2])];
    let mut edited = delivered(own(4, 2, "I mean this one"));
    edited.edited_at = Some(at(10));
    let mut answer = reply(8, "Fine!", &own(2, 2, "Yes, I'd love to"));
    answer.time = at(26 * hour);
    let mut pending = own(9, 2, "This has not gone out yet");
    (pending.state, pending.time) = (MessageState::Pending, at(26 * hour));
    let mut failed = own(10, 2, "And this never will");
    (failed.state, failed.time) = (MessageState::Failed, at(26 * hour + 60));
    let messages = vec![
        Message { state: MessageState::Read, ..first },
        read(own(2, 2, "Yes, I'd love to")),
        place,
        edited,
        Message { state: MessageState::Read, ..deleted },
        Message { state: MessageState::Read, ..unknown },
        Message { state: MessageState::Read, ..liked },
        answer,
        pending,
        failed,
    ];
    let other = text(11, 3, "See you\nthere");
    let stranger = text(12, 4, "Buy\u{1b}[31m this");
    let mut state = talking(&[(2, messages.clone())]);
    let last = messages[9].clone();
    state.update(Event::Tick(at(26 * hour + 120)));
    state.update(Event::Connection(Connection::Connected(Way::Stream)));
    let mut verified = overview(last, 1, Standing::Accepted);
    verified.verified = Some(rossby_client::Verified { at: at(0), new_devices: 0 });
    state.update(Event::Conversations(vec![
        verified,
        overview(other, 3, Standing::Accepted),
        overview(stranger, 1, Standing::Stranger),
    ]));
    state.types("A draft that is long enough to need a second row in this window");
    state
}

#[test]
fn side_by_side() {
    let mut state = everything();
    insta::assert_snapshot!("wide", screen(&mut state, WIDE));
    state.press(&["up", "up", "up", "up"]);
    insta::assert_snapshot!("wide_chosen", screen(&mut state, WIDE));
}

#[test]
fn one_after_the_other() {
    let mut state = everything();
    insta::assert_snapshot!("narrow_conversation", screen(&mut state, NARROW));
    state.press(&["esc"]);
    insta::assert_snapshot!("narrow_list", screen(&mut state, NARROW));
}

#[test]
fn what_is_tiny_still_says_something() {
    let mut state = everything();
    insta::assert_snapshot!("tiny", screen(&mut state, (20, 6)));
    assert_eq!(screen(&mut state, (12, 2)), "too small\n");
    assert_eq!(screen(&mut state, (1, 1)), "t");
    drawn(&mut state, (0, 0), true);
}

#[test]
fn at_the_beginning() {
    let mut state = state();
    insta::assert_snapshot!("beginning", screen(&mut state, (80, 10)));
    state.update(Event::Conversations(Vec::new()));
    state.update(Event::Connection(Connection::Connected(Way::Stream)));
    insta::assert_snapshot!("empty", screen(&mut state, (80, 10)));
}

#[test]
fn a_request_and_a_search() {
    let mut state = everything();
    state.press(&["esc", "down", "down", "enter"]);
    let stranger = text(12, 4, "Buy\u{1b}[31m this");
    state.update(Event::Transcript { conversation: with(4), limit: 100, messages: vec![stranger] });
    insta::assert_snapshot!("request", screen(&mut state, (80, 12)));
    state.press(&["esc", "/"]);
    state.types("p3");
    insta::assert_snapshot!("search", screen(&mut state, (80, 12)));
}

#[test]
fn what_goes_wrong_is_said() {
    let mut state = everything();
    let reason = "the server at http://127.0.0.1:7700 can't be reached: connection refused".to_owned();
    state.update(Event::Connection(Connection::Lost(Lost {
        reason: String::new(),
        since: at(25 * 3600),
        next_try: None,
    })));
    state.update(Event::Waiting { reason, until: at(26 * 3600 + 127) });
    state.update(Event::Warnings(vec![warning(2), warning(3)]));
    state.update(Event::Typing { conversation: with(2), who: box_id(2), is_typing: true });
    state.press(&["enter"]);
    state.update(Event::Failed("the local store can't be used".to_owned()));
    insta::assert_snapshot!("offline", screen(&mut state, (80, 14)));
    assert!(screen(&mut state, (80, 14)).contains("next try in 7 s"));
    state.update(Event::Tick(at(26 * 3600 + 127)));
    assert!(screen(&mut state, (80, 14)).contains("trying now"));
    state.update(Event::Connection(Connection::Ended("this device was removed".to_owned())));
    assert!(screen(&mut state, (80, 14)).contains("this device was removed"));
}

#[test]
fn a_reply_and_an_edit_say_so() {
    let mut state = everything();
    state.press(&["up", "up", "up", "up", "r"]);
    insta::assert_snapshot!("reply", screen(&mut state, (80, 8)));
    state.press(&["esc", "up", "up", "e"]);
    insta::assert_snapshot!("edit", screen(&mut state, (80, 8)));
}

#[test]
fn without_colours_there_are_none() {
    let mut state = everything();
    state.update(Event::Warnings(vec![warning(2)]));
    for _ in 0..2 {
        let buffer = drawn(&mut state, WIDE, false);
        assert!(buffer.content().iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset)));
        state.press(&["f1"]);
    }
    let buffer = drawn(&mut state, WIDE, true);
    assert!(buffer.content().iter().any(|cell| cell.fg != Color::Reset));
}

#[test]
fn a_group_says_how_many_have_read() {
    let mut message = own(1, 2, "x");
    message.recipients = (2..7).map(|peer| recipient(peer, MessageState::Sent)).collect();
    let became = |message: &Message| super::message::became(message);
    assert_eq!(became(&message), "sent");
    message.recipients[0].delivered_at = Some(at(1));
    assert_eq!(became(&message), "delivered 1/5");
    message.recipients[1].read_at = Some(at(1));
    message.recipients[4].state = MessageState::Failed;
    assert_eq!(became(&message), "read 1/5, not sent 1/5");
    for recipient in &mut message.recipients {
        (recipient.read_at, recipient.state) = (Some(at(1)), MessageState::Sent);
    }
    assert_eq!(became(&message), "read");
}
