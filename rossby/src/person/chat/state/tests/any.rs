//! Whatever happens, in whatever order: nothing panics, what has the keys is there, it can be drawn at any size, and nothing that
//! was written goes away.

use std::collections::HashMap;

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use rossby_client::{Conversation, ConversationOverview, Group, ReceiptSettings, Settings, Way};
use rossby_schemas::events::profiles::Audience;
use world::{
    at, box_id, claimed, devices, event, file, group, in_group, own, reply, somebody, text, transfer, upload, warning,
};

use super::*;
use crate::person::chat::reference_test::has_command;
use crate::person::chat::state::action::{Action, Found, Outcome, Person};
use crate::person::chat::state::drafts::KeptDraft;
use crate::person::chat::state::event::{Connection, Lost};
use crate::person::chat::view::View;
use crate::person::chat::view::theme::Theme;
use crate::person::chat::view::time::Zone;
use crate::person::screen::is_command;

/// What happens next.
#[derive(Debug, Clone)]
enum Act {
    Happens(Box<Event>),
    /// What was asked for last is done, well or not.
    Answer(bool),
    /// The screen has another size.
    Resize(u16, u16),
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let said = prop::sample::select(vec![
        "Hello",
        "漢字 👩‍👩‍👧‍👦",
        "a\nb\n\nc",
        "\u{1b}[2J\u{202e}",
        "",
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen",
    ]);
    let message = (1_i64..30, 2_u8..5, said, 0..6).prop_map(|(number, peer, said, kind)| match kind {
        0 => own(number, peer, said),
        1 => Message { is_deleted: true, content: None, text: None, ..text(number, peer, said) },
        4 => file(number, peer, said),
        5 => in_group(text(number, peer, said), said),
        2 => reply(number, said, &own(number + 1, 2, said)),
        _ => text(number, peer, said),
    });
    prop::collection::vec(message, 0..12).prop_map(|mut messages| {
        messages.sort_by_key(|message| message.id);
        messages.dedup_by_key(|message| message.id);
        messages
    })
}

fn keys() -> impl Strategy<Value = KeyEvent> {
    let named = prop::sample::select(vec![
        "enter",
        "esc",
        "tab",
        "backtab",
        "up",
        "down",
        "left",
        "right",
        "home",
        "end",
        "pgup",
        "pgdn",
        "backspace",
        "delete",
        "f1",
        "f2",
        "ctrl-n",
        "ctrl-p",
        "ctrl-w",
        "ctrl-u",
        "ctrl-k",
        "ctrl-z",
        "ctrl-y",
        "ctrl-a",
        "ctrl-l",
        "ctrl-r",
        "ctrl-t",
        "alt-enter",
        "ctrl-left",
        "alt-x",
    ]);
    let letters = "?nisvwabqxrel+/yjkX1 é漢gfdpmucoh".chars().collect::<Vec<_>>();
    let letters = prop::sample::select(letters).prop_map(|c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
    prop_oneof![named.prop_map(key), letters]
}

fn overviews() -> impl Strategy<Value = Vec<ConversationOverview>> {
    let standing = prop::sample::select(vec![Standing::Accepted, Standing::Stranger, Standing::Blocked]);
    let one = (2_u8..6, 0_u64..3, standing)
        .prop_map(|(peer, unread, standing)| overview(text(i64::from(peer), peer, "last"), unread, standing));
    prop::collection::vec(one, 0..5).prop_map(|mut overviews| {
        overviews.sort_by_key(|overview| overview.last.id);
        overviews.dedup_by_key(|overview| overview.last.id);
        overviews
    })
}

fn events() -> impl Strategy<Value = Event> {
    let connection = prop::sample::select(vec![
        Connection::Connected(Way::Stream),
        Connection::Lost(Lost { reason: "gone\u{1b}".to_owned(), since: at(50), next_try: Some(at(60)) }),
        Connection::Ended("removed".to_owned()),
    ]);
    let transcript = (2_u8..5, messages(), prop::sample::select(vec![1, 100, 300]));
    let kept = |peer| {
        let kept = KeptDraft { conversation: with(peer), text: "kept".to_owned(), reply_to: None };
        Event::Drafts(vec![(kept, "somebody".to_owned())])
    };
    let stored = |(number, is_stored): (u64, bool)| {
        let result = if is_stored { Ok(()) } else { Err("not stored".to_owned()) };
        Event::Stored { number, result }
    };
    prop_oneof![
        12 => keys().prop_map(Event::Key),
        1 => "\\PC{0,20}|(a\n){3}".prop_map(Event::Pasted),
        1 => any::<bool>().prop_map(Event::Watched),
        2 => (0_u64..100).prop_map(|seconds| Event::Tick(at(seconds))),
        1 => connection.prop_map(Event::Connection),
        1 => (0_u64..100).prop_map(|seconds| Event::Waiting { reason: "away\u{1b}".to_owned(), until: at(seconds) }),
        1 => Just(Event::Changed),
        2 => overviews().prop_map(Event::Conversations),
        3 => transcript.prop_map(|(peer, messages, limit)| {
            Event::Transcript { conversation: with(peer), limit, messages }
        }),
        1 => (0_i64..4).prop_map(|count| Event::Warnings((1..=count).map(warning).collect())),
        1 => (2_u8..5).prop_map(kept),
        1 => (0_u64..6, any::<bool>()).prop_map(stored),
        1 => (2_u8..5, any::<bool>()).prop_map(|(peer, is_typing)| {
            Event::Typing { conversation: with(peer), who: box_id(peer), is_typing }
        }),
        1 => (0_u64..3, any::<bool>(), 0_u64..101).prop_map(|(number, is_sent, percent)| {
            Event::Transfer(transfer(number, is_sent, percent))
        }),
        1 => (0_i64..4).prop_map(|count| Event::Uploads((0..count).map(upload).collect())),
        1 => (0_u64..3).prop_map(Event::TransferEnded),
        1 => Just(Event::Failed("it failed".to_owned())),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        10 => events().prop_map(|event| Act::Happens(Box::new(event))),
        2 => any::<bool>().prop_map(Act::Answer),
        1 => (0_u16..120, 0_u16..40).prop_map(|(width, height)| Act::Resize(width, height)),
    ];
    prop::collection::vec(act, 0..80)
}

/// What the client would say to an action.
fn answer(action: &Action, is_well: bool) -> Result<Outcome, String> {
    if !is_well {
        return Err("refused".to_owned());
    }
    let settings = Settings {
        discoverable: Audience::Everyone,
        accept_from: Audience::Contacts,
        blocks: 0,
        contacts: 0,
        waiting: 0,
    };
    let found = match action {
        Action::Begin(_) => Found::Conversation(with(9), "new".to_owned()),
        Action::ListDevices | Action::NameDevice { .. } => Found::Devices(devices(3)),
        Action::RemoveDevice(_) | Action::Link => Found::Devices(devices(1)),
        Action::FindLink(_) => Found::Link("new".to_owned()),
        Action::ReadSettings | Action::SetReceipts(_) => {
            Found::Settings(settings, ReceiptSettings { delivery: true, read: false, typing: true })
        }
        Action::ListGroups => Found::Groups(vec![group(1, 3), group(2, 1)]),
        Action::ReadGroup(id) | Action::RemoveFromGroup { group: id, .. } | Action::LeaveGroup(id) => {
            Found::Group(Box::new(Group { id: *id, ..group(1, 2) }))
        }
        Action::ReadGroupHistory(id) => Found::GroupHistory(*id, [2, 3].map(event).into()),
        Action::ReadProfile | Action::SetProfileName(_) => Found::Profile(Box::default()),
        Action::ListIdentifiers | Action::ConfirmIdentifier { claims: true, .. } => {
            Found::Identifiers([1, 2, 3].map(claimed).into())
        }
        Action::RemoveIdentifier(_) => Found::Identifiers(Vec::new()),
        Action::AddIdentifier(_) | Action::ObjectToClaim(_) => Found::CodeSent("a@example.org\u{1b}".to_owned()),
        Action::ConfirmIdentifier { code, claims: false } => {
            Found::Taken { address: "a@example.org\u{1b}".to_owned(), code: code.clone() }
        }
        Action::LookUp(id) | Action::Unverify(id) => Found::Person(Box::new(Person { box_id: *id, ..somebody(3) })),
        _ => Found::Nothing,
    };
    Ok(found.into())
}

/// Every conversation that there may be.
fn conversations() -> impl Iterator<Item = Conversation> {
    (2..10).map(with).chain([1, 2, 7].map(|number| Conversation::Group(group(number, 1).id.0)))
}

/// Everything that a person has written and not sent, or that is not known to be in the outbox, for each conversation.
fn written(state: &State) -> HashMap<Conversation, String> {
    let all = conversations().map(|conversation| {
        let composer = state.drafts.of(conversation);
        let texts = state.drafts.sending(conversation).map(|sending| sending.say.text().to_owned());
        let draft = composer.map(|composer| composer.draft.text().to_owned());
        let edit = composer.and_then(|composer| composer.edit.as_ref()).map(|edit| edit.editor.text().to_owned());
        (conversation, texts.chain(edit).chain(draft).collect::<Vec<_>>().join("\n"))
    });
    all.collect()
}

/// All characters of a text that are no blanks, sorted.
fn letters(text: &str) -> Vec<char> {
    let mut letters: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    letters.sort_unstable();
    letters
}

/// The conversation to which an event may write, or take something away, because the person wants it.
fn is_written_to(state: &State, event: &Event) -> Option<Conversation> {
    match event {
        Event::Key(_) | Event::Pasted(_) if state.focus != Focus::List && state.overlays.is_empty() => {
            state.open.as_ref().map(|open| open.conversation)
        }
        Event::Stored { number, result: Ok(()) } => {
            conversations().find(|to| state.drafts.sending(*to).any(|sending| sending.number == *number))
        }
        Event::Drafts(kept) => kept.first().map(|(kept, _)| kept.conversation),
        _ => None,
    }
}

/// Draws the chat, and tells it how that came out.
fn draw(state: &mut State, (width, height): (u16, u16)) -> Result<(), TestCaseError> {
    let view = View { theme: Theme::new(true), zone: Zone::Utc };
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut measures = None;
    terminal.draw(|frame| measures = Some(view.draw(frame, state))).unwrap();
    state.update(Event::Drawn(measures.unwrap()));
    for cell in terminal.backend().buffer().content() {
        prop_assert!(!cell.symbol().chars().any(is_command), "{:?}", cell.symbol());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_nothing_written_is_lost(acts in acts()) {
        let mut state = state();
        let mut asked: Vec<Action> = Vec::new();
        let mut size = (80, 24);
        for act in acts {
            let event = match act {
                Act::Happens(event) => *event,
                Act::Answer(is_well) => match asked.pop() {
                    Some(action) => Event::Done { result: answer(&action, is_well), action },
                    None => continue,
                },
                Act::Resize(width, height) => {
                    size = (width, height);
                    continue;
                }
            };
            let (before, may_change) = (written(&state), is_written_to(&state, &event));
            let is_restored = matches!(event, Event::Drafts(_));
            let effects = state.update(event);
            let after = written(&state);
            for (conversation, text) in &before {
                let (was, is) = (letters(text), letters(&after[conversation]));
                if is_restored && Some(*conversation) == may_change {
                    prop_assert!(was.iter().all(|letter| is.contains(letter)) && is.len() >= was.len());
                } else if Some(*conversation) != may_change {
                    prop_assert_eq!(was, is);
                }
            }
            for effect in effects {
                match effect {
                    Effect::KeepDraft(kept) => {
                        prop_assert_eq!(letters(&kept.text), letters(&after[&kept.conversation]), "all of it is kept");
                    }
                    Effect::Do(action) => {
                        prop_assert!(has_command(&action), "{action:?} is no command");
                        asked.push(action);
                    }
                    _ => {}
                }
            }
            prop_assert!(state.is_sound(), "{:?} {:?}", state.focus, state.overlays);
            draw(&mut state, size)?;
            prop_assert!(state.is_sound());
        }
    }
}
