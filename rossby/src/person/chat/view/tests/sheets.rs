//! Questions and sheets.

use rossby_client::{AccountIdentifier, Group, Membership, OwnDevice, Profile, ReceiptSettings, Settings, Verified};
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::ids::DeviceId;

use super::*;
use crate::person::chat::state::action::{Action, Found, Known, Person};
use crate::person::chat::state::tests::world;
use crate::person::chat::state::welcome::Welcome;
use crate::person::devices::picture;
use crate::person::screen::qr_code;

const SIZE: (u16, u16) = (80, 24);

#[test]
fn all_keys_are_shown() {
    let mut state = everything();
    state.press(&["f1"]);
    insta::assert_snapshot!("help", screen(&mut state, SIZE));
    // Every key can be reached by scrolling, and not more.
    state.press(&["end"]);
    let end = screen(&mut state, SIZE);
    assert!(end.contains("Questions") && end.contains("n, Esc"), "{end}");
    state.press(&["down"]);
    assert_eq!(screen(&mut state, SIZE), end);
    state.press(&["home", "c"]);
    insta::assert_snapshot!("help_commands", screen(&mut state, SIZE));
    state.press(&["c", "end"]);
    assert_eq!(screen(&mut state, SIZE), end);
    insta::assert_snapshot!("help_narrow", screen(&mut state, NARROW));
}

#[test]
fn questions() {
    let mut state = everything();
    state.press(&["esc", "n"]);
    state.types("nobody");
    state.press(&["enter"]);
    insta::assert_snapshot!("question", screen(&mut state, SIZE));
    state.press(&["esc", "b"]);
    insta::assert_snapshot!("sure", screen(&mut state, SIZE));
}

#[test]
fn all_about_a_message() {
    let mut state = everything();
    state.press(&["esc", "tab", "home", "down", "enter"]);
    insta::assert_snapshot!("message", screen(&mut state, SIZE));
}

#[test]
fn warnings() {
    let mut state = everything();
    state.update(Event::Warnings(vec![warning(2), warning(3)]));
    state.press(&["f2", "down"]);
    insta::assert_snapshot!("warnings", screen(&mut state, SIZE));
}

#[test]
fn devices() {
    let device = |number: u128, removed_at| OwnDevice {
        device_id: DeviceId(uuid::Uuid::from_u128(number)),
        name: (number < 3).then(|| format!("device {number}")),
        is_this: number == 1,
        linked_at: at(0),
        linked_by: None,
        removed_at,
        sealing_expires: None,
        waiting: 4,
        last_confirmed_at: None,
        lost: None,
    };
    let mut state = everything();
    state.press(&["esc", "v"]);
    let found = Found::Devices(vec![device(1, None), device(2, None), device(3, Some(at(60)))]);
    state.update(Event::Done { action: Action::ListDevices, result: Ok(found.into()) });
    state.press(&["down"]);
    insta::assert_snapshot!("devices", screen(&mut state, SIZE));
}

#[test]
fn settings() {
    let settings = Settings {
        discoverable: Audience::Everyone,
        accept_from: Audience::Contacts,
        blocks: 1,
        contacts: 2,
        waiting: 0,
    };
    let mut state = everything();
    state.press(&["esc", "s"]);
    let found = Found::Settings(settings, ReceiptSettings { delivery: true, read: false, typing: true });
    state.update(Event::Done { action: Action::ReadSettings, result: Ok(found.into()) });
    state.press(&["down"]);
    insta::assert_snapshot!("settings", screen(&mut state, SIZE));
}

#[test]
fn somebody() {
    let mut state = everything();
    state.press(&["esc", "i"]);
    let known = Known {
        claimed_name: Some("Ben\u{202e}\n".to_owned()),
        verified: Some(Verified { at: at(0), new_devices: 2 }),
        devices: vec!["00000000-0000-0000-0000-000000000001, sealing key until 2026-12-24 09:30Z".to_owned()],
        ..world::known()
    };
    let person = Person {
        identifiers: vec!["mailto:p2@example.org".to_owned()],
        changed: vec!["p2@example.org".to_owned()],
        known: Some(known),
        ..world::somebody(2)
    };
    let result = Ok(Found::Person(Box::new(person)).into());
    state.update(Event::Done { action: Action::LookUp(box_id(2)), result });
    insta::assert_snapshot!("somebody", screen(&mut state, SIZE));

    // A code for a camera is shown whole, or not at all.
    state.press(&["p"]);
    let small = screen(&mut state, SIZE);
    assert!(small.contains("needs a window of") && !small.contains('█'), "{small}");
    let large = screen(&mut state, (100, 60));
    let picture = qr_code(world::known().code.as_bytes());
    assert!(picture.lines().all(|row| large.contains(row.trim_end())), "{large}");
}

#[test]
fn groups_and_who_is_in_one() {
    let mut state = everything();
    state.press(&["esc", "g"]);
    let groups = vec![
        world::group(1, 3),
        Group { membership: Membership::Requested, name: "Buy\u{1b}[31m this".to_owned(), ..world::group(2, 1) },
    ];
    state.update(Event::Done { action: Action::ListGroups, result: Ok(Found::Groups(groups.clone()).into()) });
    insta::assert_snapshot!("groups", screen(&mut state, SIZE));
    state.press(&["i"]);
    let result = Ok(Found::Group(Box::new(groups[0].clone())).into());
    state.update(Event::Done { action: Action::ReadGroup(groups[0].id), result });
    state.press(&["down"]);
    insta::assert_snapshot!("group", screen(&mut state, SIZE));
}

#[test]
fn what_was_done_in_a_group() {
    let mut state = everything();
    let id = world::group(1, 3).id;
    state.press(&["esc", "g"]);
    let found = Found::Groups(vec![world::group(1, 3)]);
    state.update(Event::Done { action: Action::ListGroups, result: Ok(found.into()) });
    state.press(&["i"]);
    let found = Found::Group(Box::new(world::group(1, 3)));
    state.update(Event::Done { action: Action::ReadGroup(id), result: Ok(found.into()) });
    state.press(&["h"]);
    let found = Found::GroupHistory(id, [1, 2, 3].map(world::event).into());
    state.update(Event::Done { action: Action::ReadGroupHistory(id), result: Ok(found.into()) });
    insta::assert_snapshot!("group_history", screen(&mut state, SIZE));
}

#[test]
fn yourself() {
    let mut state = everything();
    state.press(&["esc", "y"]);
    let name = Some("Ann\u{202e}\u{1b}[2J".to_owned());
    let picture = rossby_client::Picture { media_type: "image/jpeg".to_owned(), data: vec![1; 5000].into() };
    let found = Found::Profile(Box::new(Profile { name, picture: Some(picture) }));
    state.update(Event::Done { action: Action::ReadProfile, result: Ok(found.into()) });
    let refused = Err("the server is away".to_owned());
    state.update(Event::Done { action: Action::ListIdentifiers, result: refused });
    let shown = screen(&mut state, SIZE);
    assert!(shown.contains("the server is away") && !shown.contains("Asking"), "{shown}");
    let found = Found::Identifiers(vec![
        world::claimed(1),
        world::claimed(2),
        AccountIdentifier { awaited_until: Some(at(7200)), ..world::claimed(3) },
    ]);
    state.update(Event::Done { action: Action::ListIdentifiers, result: Ok(found.into()) });
    state.press(&["down"]);
    insta::assert_snapshot!("yourself", screen(&mut state, SIZE));
    state.press(&["n"]);
    insta::assert_snapshot!("name", screen(&mut state, SIZE));
}

#[test]
fn files_are_asked_for_and_how_far_they_are_is_shown() {
    let mut state = everything();
    state.press(&["ctrl-f"]);
    state.types("/tmp/report.pdf");
    state.press(&["enter"]);
    insta::assert_snapshot!("caption", screen(&mut state, SIZE));
    state.press(&["esc"]);
    for (number, percent) in [(1, 45), (2, 0)] {
        state.update(Event::Transfer(world::transfer(number, number == 1, percent)));
    }
    state.update(Event::Uploads(vec![world::upload(1), world::upload(9)]));
    let shown = screen(&mut state, SIZE);
    assert!(shown.contains("uploading 45% report\u{fffd}") && shown.contains("(2 more) [Ctrl-T]"), "{shown}");
    state.press(&["ctrl-t", "down"]);
    insta::assert_snapshot!("files", screen(&mut state, SIZE));
    state.press(&["up", "x"]);
    insta::assert_snapshot!("give_up", screen(&mut state, SIZE));
    state.press(&["n"]);
    for number in [1, 2] {
        state.update(Event::TransferEnded(number));
    }
    state.update(Event::Uploads(vec![world::upload(9)]));
    let shown = screen(&mut state, SIZE);
    assert!(shown.contains("waits to be sent: later\u{fffd}.pdf"), "{shown}");
    state.update(Event::Uploads(Vec::new()));
    let shown = screen(&mut state, SIZE);
    assert!(shown.contains("No file is on its way") && !shown.contains("waits to be sent"), "{shown}");
}

#[test]
fn a_device_without_an_account_shows_its_code() {
    let view = View { theme: Theme::new(true), zone: Zone::Utc };
    let shown = |welcome: &Welcome, (width, height)| {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.welcome(frame, welcome)).unwrap();
        terminal.backend().to_string()
    };
    let waiting = |code: &str| Welcome::Waiting { code: zeroize::Zeroizing::new(code.to_owned()), until: at(600) };
    let code = "ABCD-EFGH-IJKL-MNOP-QRST-UVWX-YZ23";
    insta::assert_snapshot!("no_account", shown(&Welcome::Choice, (80, 12)));
    let failed = shown(&Welcome::Failed("it was\u{1b} refused".to_owned()), (80, 12));
    assert!(failed.contains("it was\u{fffd} refused"), "{failed}");
    // With the picture where there is room for all of it, and as text anyway.
    let picture = picture(code);
    for (size, has_picture) in
        [((80, 24), true), ((120, 40), true), ((80, 20), false), ((40, 24), false), ((30, 40), false)]
    {
        let shown = shown(&waiting(code), size);
        let has_text = shown.replace(['"', '\n', ' '], "").contains(code);
        let rows = picture.lines().filter(|row| shown.contains(row.trim_end())).count();
        assert!(has_text && (rows == picture.lines().count()) == has_picture, "{size:?}\n{shown}");
        assert!(has_picture || !shown.contains('█'), "{size:?}\n{shown}");
    }
    for size in [(1, 1), (5, 3)] {
        shown(&waiting(code), size);
    }
}
