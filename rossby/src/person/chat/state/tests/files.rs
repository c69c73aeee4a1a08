//! Files: asked for, on their way, saved.

use std::path::PathBuf;

use rossby_client::Step;
use world::{file, own, text, transfer, upload, with};

use super::people::actions;
use super::*;
use crate::person::chat::state::action::{Action, Outcome};
use crate::person::chat::state::event::Transfer;

#[test]
fn a_file_is_sent_with_what_is_said_of_it() {
    let mut state = talking(&[(2, vec![own(1, 2, "x")])]);
    state.press(&["ctrl-f"]);
    assert!(actions(&state.press(&["enter"])).is_empty(), "a path is needed");
    assert!(
        actions(&[state.types("/tmp/a.pdf"), state.press(&["enter"])].concat()).is_empty(),
        "a caption is asked for"
    );
    let sent = |caption: Option<&str>| Action::SendFile {
        conversation: with(2),
        path: PathBuf::from("/tmp/a.pdf"),
        caption: caption.map(str::to_owned),
    };
    let asked = actions(&[state.types("Read this"), state.press(&["enter"])].concat());
    assert_eq!(asked, [sent(Some("Read this"))]);
    assert!(state.overlays.is_empty(), "it keeps nobody from writing");
    state.update(Event::Done { action: sent(Some("Read this")), result: Err("no such file".to_owned()) });
    assert!(state.said.as_ref().is_some_and(|said| said.is_error && said.text == "no such file"));

    // From among the messages too, and without a caption.
    state.press(&["up", "f"]);
    state.types("/tmp/a.pdf");
    assert_eq!(actions(&state.press(&["enter", "enter"])), [sent(None)]);
    state.update(Event::Done { action: sent(None), result: Ok(Outcome::said("The file is sent")) });
    assert_eq!(state.said.as_ref().unwrap().text, "The file is sent");
}

#[test]
fn what_came_is_saved_where_the_person_says() {
    let came = file(2, 2, "");
    let mut state = talking(&[(2, vec![text(1, 2, "x"), came.clone()])]);
    state.press(&["up", "d"]);
    assert_eq!(
        actions(&state.press(&["enter"])),
        [Action::Download { message: Box::new(came.clone()), to: PathBuf::from(".") }]
    );
    state.press(&["d", "ctrl-u"]);
    let asked = actions(&[state.types("/tmp"), state.press(&["enter"])].concat());
    assert_eq!(asked, [Action::Download { message: Box::new(came), to: PathBuf::from("/tmp") }]);
    state.press(&["up", "d"]);
    assert!(state.overlays.is_empty() && state.said.as_ref().unwrap().is_error, "no file came with it");
}

#[test]
fn what_is_on_its_way_is_known_until_it_is_there() {
    let mut state = state();
    let transfer = |number, percent| transfer(number, true, percent);
    for (number, percent) in [(1, 0), (2, 0), (1, 50)] {
        state.update(Event::Transfer(transfer(number, percent)));
    }
    assert_eq!(state.transfers, [transfer(1, 50), transfer(2, 0)]);
    state.update(Event::TransferEnded(1));
    assert_eq!(state.transfers, [transfer(2, 0)]);
}

#[test]
fn what_is_on_its_way_is_stopped() {
    let mut state = state();
    for transfer in [transfer(1, true, 0), transfer(2, false, 10)] {
        state.update(Event::Transfer(transfer));
    }
    // The first is on its way already, the second waits.
    state.update(Event::Uploads(vec![upload(1), upload(9)]));
    state.press(&["ctrl-t"]);
    assert!(actions(&state.press(&["x"])).is_empty(), "it asks first");
    assert!(actions(&state.press(&["n"])).is_empty());
    assert_eq!(actions(&state.press(&["x", "y"])), [Action::StopFile(1)]);
    // What comes half-way goes on when it is saved again.
    assert_eq!(actions(&state.press(&["down", "x"])), [Action::StopFile(2)]);
    let decrypting = Transfer { step: Some(Step::Decrypting), ..transfer(2, false, 0) };
    state.update(Event::Transfer(decrypting));
    assert!(actions(&state.press(&["x"])).is_empty(), "all of it is here");
    assert_eq!(actions(&state.press(&["end", "delete", "y"])), [Action::GiveUpFile(9)]);
    // What ends meanwhile leaves the chosen one among those that are there.
    state.update(Event::TransferEnded(1));
    state.update(Event::Uploads(Vec::new()));
    assert!(state.is_sound());
    assert_eq!(actions(&state.press(&["x"])), [], "all of it is here");
    state.update(Event::TransferEnded(2));
    assert!(actions(&state.press(&["x"])).is_empty() && state.overlays.len() == 1);
}
