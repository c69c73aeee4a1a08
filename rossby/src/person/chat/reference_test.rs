//! `docs/CHAT.md` lists every key, and for everything that the chat does a command, which prints JSON.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::Subcommand as _;

use super::state::action::Action;
use super::view::keys::{KEYS, Key};
use crate::person::PersonCommand;

const BEGIN: &str = "<!-- keys";
const END: &str = "<!-- end of keys -->";

fn reference() -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/CHAT.md");
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

#[test]
fn every_key_is_in_the_reference() {
    let mut tables = String::new();
    for (part, keys) in KEYS {
        tables += &format!("\n### {part}\n\n| key | what it does | command |\n| --- | --- | --- |\n");
        tables.extend(keys.iter().map(|Key(key, what, commands)| {
            let commands: Vec<String> = commands.iter().map(|command| format!("`rossby {command}`")).collect();
            format!("| {key} | {what} | {} |\n", commands.join(", "))
        }));
    }
    let (path, text) = reference();
    let begin = text.find(BEGIN).and_then(|at| Some(at + text[at..].find('\n')? + 1)).unwrap();
    let end = text.find(END).unwrap();
    let expected = format!("{}{tables}\n{}", &text[..begin], &text[end..]);
    if std::env::var_os("ROSSBY_BLESS").is_some() {
        std::fs::write(path, expected).unwrap();
    } else {
        assert!(text == expected, "docs/CHAT.md lists other keys; ROSSBY_BLESS=1 writes them anew");
    }
}

/// The commands that the reference names.
fn commands() -> Vec<String> {
    let (_, text) = reference();
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let cells: Vec<String> = rows.filter_map(|row| row.rsplit(" | ").next()).map(str::to_owned).collect();
    let named = cells.iter().flat_map(|cell| cell.split('`')).filter_map(|code| code.strip_prefix("rossby "));
    named.map(str::to_owned).collect()
}

/// The words of a command that are its name.
fn name(command: &str) -> Vec<&str> {
    command
        .split(' ')
        .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-'))
        .collect()
}

#[test]
fn every_command_of_the_reference_is_there_and_prints_json() {
    let commands = commands();
    assert!(commands.len() > 20, "{commands:?}");
    let rossby = PersonCommand::augment_subcommands(clap::Command::new("rossby"));
    for command in &commands {
        let mut found = &rossby;
        for word in name(command) {
            found = found.find_subcommand(word).unwrap_or_else(|| panic!("there is no `{command}`"));
        }
        let options = command.split(' ').filter_map(|word| word.strip_prefix("--")).chain(["json"]);
        for option in options {
            let has = found.get_arguments().any(|argument| argument.get_long() == Some(option));
            assert!(has, "`{command}` has no --{option}");
        }
    }
}

/// Whether the reference names the command that does the same as an action.
pub(in crate::person::chat) fn has_command(action: &Action) -> bool {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    let names = NAMES.get_or_init(|| commands().iter().map(|command| name(command).join(" ")).collect());
    names.iter().any(|name| name == command_of(action))
}

/// The command that does the same as an action.
fn command_of(action: &Action) -> &'static str {
    match action {
        Action::Begin(_) | Action::SendPlace { .. } | Action::SendFile { .. } => "send",
        Action::Download { .. } => "download",
        Action::StopFile(_) | Action::GiveUpFile(_) => "uploads",
        Action::Verify { .. } | Action::Unverify(_) => "verify",
        Action::ListGroups => "group list",
        Action::ReadGroup(_) => "group members",
        Action::ReadGroupHistory(_) => "group history",
        Action::ReadProfile => "profile",
        Action::SetProfileName(Some(_)) | Action::SetProfilePicture(Some(_)) => "profile set",
        Action::SetProfileName(None) | Action::SetProfilePicture(None) => "profile clear",
        Action::ListIdentifiers => "identifiers",
        Action::AddIdentifier(_) => "identifiers add",
        Action::ConfirmIdentifier { .. } => "identifiers confirm",
        Action::RemoveIdentifier(_) => "identifiers remove",
        Action::ObjectToClaim(_) => "identifiers object",
        Action::CreateGroup { .. } => "group create",
        Action::AddToGroup { .. } => "group add",
        Action::RemoveFromGroup { .. } => "group remove",
        Action::SetGroupAdmin { is_admin: true, .. } => "group promote",
        Action::SetGroupAdmin { is_admin: false, .. } => "group demote",
        Action::RenameGroup { .. } => "group rename",
        Action::LeaveGroup(_) => "group leave",
        Action::AcceptGroup(_) => "group accept",
        Action::DeclineGroup(_) => "group decline",
        Action::Accept(_) => "requests accept",
        Action::Decline(_) => "requests decline",
        Action::Block { is_request: true, .. } => "requests block",
        Action::Block { is_request: false, .. } => "block",
        Action::Unblock(_) => "unblock",
        Action::Delete(_) => "delete",
        Action::React { .. } => "react",
        Action::LookUp(_) | Action::AcceptChange(_) => "lookup",
        Action::ListDevices => "devices",
        Action::NameDevice { .. } => "devices name",
        Action::RemoveDevice(_) => "devices remove",
        Action::FindLink(_) | Action::Link | Action::RefuseLink | Action::StopLink => "devices add",
        Action::ReadSettings | Action::SetDiscoverable(_) | Action::SetAcceptFrom(_) | Action::SetReceipts(_) => {
            "settings"
        }
    }
}
