//! Groups: make one, change who is in it, list yours.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use rossby_client::{Client, Group, GroupAction, GroupEvent, GroupId, GroupRef, GroupRole, Membership, Peer, Sent};
use rossby_schemas::ids::BoxId;
use serde_json::{Value, json};

use super::conversation::peer;
use super::options::PersonOptions;
use super::screen::{Screen, bold, counted, faint, group_name, minute, printable};
use super::transcripts::refresh;
use super::{changes, documents, lines};

/// How much of a group's id is shown: enough to name it by.
const ID_CHARS: usize = 8;

const EXAMPLES: &str = "\
Examples:
  rossby group create Garden ben@example.org +15551234567
  rossby send Garden \"Who waters today?\"
  rossby group add Garden cat@example.org --admin
  rossby group members Garden
  rossby group leave Garden

A group is named by its name, or by the beginning of its id, which `rossby group list` shows.
";

/// Groups.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Groups {
    #[command(subcommand)]
    command: GroupCommand,
}

#[derive(Debug, Subcommand)]
enum GroupCommand {
    /// Make a group; its members are told, and can decline
    Create(Create),
    /// Add people to a group
    Add(Add),
    /// Remove somebody from a group
    Remove(About),
    /// Make a member an admin, who can change the group
    Promote(About),
    /// Make an admin a plain member
    Demote(About),
    /// Give a group another name
    Rename(Rename),
    /// Leave a group; the members are told
    Leave(Named),
    /// Take part in a group that somebody has added you to; writing to it does so too
    Accept(Named),
    /// Take no part in a group that somebody has added you to; nobody is told
    Decline(Named),
    /// Show who is in a group
    Members(Shown),
    /// Show what was done in a group
    History(Shown),
    /// List your groups
    List(List),
}

/// Create.
#[derive(Debug, Args)]
struct Create {
    /// What the group is called
    name: String,
    /// Phone numbers, email addresses, or boxes
    #[arg(required = true, value_name = "MEMBER", value_parser = peer)]
    members: Vec<Peer>,
    #[command(flatten)]
    options: PersonOptions,
}

/// Add.
#[derive(Debug, Args)]
struct Add {
    /// The group: its name, or the beginning of its id
    #[arg(value_parser = group)]
    group: GroupRef,
    /// Phone numbers, email addresses, or boxes
    #[arg(required = true, value_name = "MEMBER", value_parser = peer)]
    members: Vec<Peer>,
    /// Make them admins
    #[arg(long)]
    admin: bool,
    #[command(flatten)]
    options: PersonOptions,
}

/// What is about one member.
#[derive(Debug, Args)]
struct About {
    /// The group: its name, or the beginning of its id
    #[arg(value_parser = group)]
    group: GroupRef,
    /// A phone number, an email address, or a box
    #[arg(value_parser = peer)]
    member: Peer,
    #[command(flatten)]
    options: PersonOptions,
}

/// Rename.
#[derive(Debug, Args)]
struct Rename {
    /// The group: its name, or the beginning of its id
    #[arg(value_parser = group)]
    group: GroupRef,
    /// What it is called from now on
    name: String,
    #[command(flatten)]
    options: PersonOptions,
}

/// A group.
#[derive(Debug, Args)]
struct Named {
    /// The group: its name, or the beginning of its id
    #[arg(value_parser = group)]
    group: GroupRef,
    #[command(flatten)]
    options: PersonOptions,
}

/// A group to show.
#[derive(Debug, Args)]
struct Shown {
    /// The group: its name, or the beginning of its id
    #[arg(value_parser = group)]
    group: GroupRef,
    /// Don't ask the server
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    options: PersonOptions,
}

/// List.
#[derive(Debug, Args)]
struct List {
    /// Don't ask the server
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    options: PersonOptions,
}

fn group(text: &str) -> Result<GroupRef, std::convert::Infallible> {
    text.parse()
}

impl Groups {
    pub(super) const fn options(&self) -> &PersonOptions {
        match &self.command {
            GroupCommand::Create(command) => &command.options,
            GroupCommand::Add(command) => &command.options,
            GroupCommand::Remove(command) | GroupCommand::Promote(command) | GroupCommand::Demote(command) => {
                &command.options
            }
            GroupCommand::Rename(command) => &command.options,
            GroupCommand::Leave(command) | GroupCommand::Accept(command) | GroupCommand::Decline(command) => {
                &command.options
            }
            GroupCommand::Members(command) | GroupCommand::History(command) => &command.options,
            GroupCommand::List(command) => &command.options,
        }
    }

    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options().open().await?;
        let code = self.run_with(&client, screen).await;
        client.close().await;
        code
    }

    /// Whether it changes a group that is there, or answers to it: that is done on the newest that can be known of it.
    const fn is_change(&self) -> bool {
        match self.command {
            GroupCommand::Add(_)
            | GroupCommand::Remove(_)
            | GroupCommand::Promote(_)
            | GroupCommand::Demote(_)
            | GroupCommand::Rename(_)
            | GroupCommand::Leave(_)
            | GroupCommand::Accept(_)
            | GroupCommand::Decline(_) => true,
            GroupCommand::Create(_) | GroupCommand::Members(_) | GroupCommand::History(_) | GroupCommand::List(_) => {
                false
            }
        }
    }

    async fn run_with(&self, client: &Client, screen: &Screen) -> anyhow::Result<ExitCode> {
        if self.is_change() {
            refresh(client, false, screen).await?;
        }
        let (id, sent, done) = match &self.command {
            GroupCommand::Create(command) => {
                let (id, sent) = client.create_group(&command.name, &command.members).await?;
                (id, sent, "Made.")
            }
            GroupCommand::Add(command) => {
                let (id, sent) = client.add_to_group(&command.group, &command.members, command.admin).await?;
                (id, sent, "Added.")
            }
            GroupCommand::Remove(command) => {
                let (id, sent) = client.remove_from_group(&command.group, &command.member).await?;
                (id, sent, "Removed.")
            }
            GroupCommand::Promote(command) => {
                let (id, sent) = client.set_group_admin(&command.group, &command.member, true).await?;
                (id, sent, "Promoted.")
            }
            GroupCommand::Demote(command) => {
                let (id, sent) = client.set_group_admin(&command.group, &command.member, false).await?;
                (id, sent, "Demoted.")
            }
            GroupCommand::Rename(command) => {
                let (id, sent) = client.rename_group(&command.group, &command.name).await?;
                (id, sent, "Renamed.")
            }
            GroupCommand::Leave(command) => {
                let (id, sent) = client.leave_group(&command.group).await?;
                (id, sent, "Left.")
            }
            GroupCommand::Accept(command) => return answer(client, screen, &command.group, true).await,
            GroupCommand::Decline(command) => return answer(client, screen, &command.group, false).await,
            GroupCommand::Members(command) => {
                refresh(client, command.offline, screen).await?;
                let group = client.group(&command.group).await?;
                screen.result_and_warnings(client, members(&group), documents::a_group(&group)).await?;
                return Ok(ExitCode::SUCCESS);
            }
            GroupCommand::History(command) => {
                refresh(client, command.offline, screen).await?;
                let history = client.group_history(&command.group).await?;
                let document = json!({ "changes": history.iter().map(documents::group_event).collect::<Vec<_>>() });
                screen.result_and_warnings(client, history_of(&history), document).await?;
                return Ok(ExitCode::SUCCESS);
            }
            GroupCommand::List(command) => {
                refresh(client, command.offline, screen).await?;
                list(client, screen).await?;
                return Ok(ExitCode::SUCCESS);
            }
        };
        say(client, screen, id, &sent, done).await
    }
}

/// Says what became of a change.
async fn say(client: &Client, screen: &Screen, id: GroupId, sent: &Sent, done: &str) -> anyhow::Result<ExitCode> {
    let group = client.group(&id.into()).await?;
    let (text, code) = changes::outcome_of_change(sent, done);
    let mut document = documents::a_group(&group);
    document["sent"] = documents::sent(sent);
    let text = format!("{text}\n{}", line(&group));
    screen.result_and_warnings(client, text, document).await?;
    Ok(code)
}

async fn answer(client: &Client, screen: &Screen, group: &GroupRef, accepts: bool) -> anyhow::Result<ExitCode> {
    let group = if accepts {
        let id = client.accept_group(group).await?;
        client.group(&id.into()).await?
    } else {
        client.decline_group(group).await?
    };
    client.hand_over_what_waits().await?;
    screen.result_and_warnings(client, line(&group), documents::a_group(&group)).await?;
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, screen: &Screen) -> anyhow::Result<()> {
    let groups = client.groups().await?;
    let mut text: String = groups.iter().map(line).collect();
    if groups.is_empty() {
        text += "No groups yet; make one with `rossby group create`.\n";
    }
    if groups.iter().any(|group| group.membership == Membership::Requested) {
        text += "Answer with `rossby group accept` or `rossby group decline`.\n";
    }
    let document: Vec<Value> = groups.iter().map(documents::a_group).collect();
    screen.result_and_warnings(client, text, json!({ "groups": document })).await
}

/// A group in a list.
fn line(group: &Group) -> String {
    let id: String = group.id.to_string().chars().take(ID_CHARS).collect();
    format!("{} {} {}, {}\n", faint(&id), bold(&group_name(&group.name)), count(group), standing(group))
}

/// How the person stands to a group, in words.
pub(super) fn standing(group: &Group) -> String {
    match group.membership {
        Membership::Requested => format!("{} asks you in", adder(group)),
        Membership::Member => "you are a member".to_owned(),
        Membership::Admin => "you are an admin".to_owned(),
        Membership::Declined => "you have declined".to_owned(),
        Membership::Left => "you have left".to_owned(),
        Membership::Removed => "you were removed".to_owned(),
    }
}

/// How many members a group has, in words.
pub(super) fn count(group: &Group) -> String {
    counted(group.members.len(), "member")
}

/// Who added this account.
fn adder(group: &Group) -> String {
    let Some(adder) = group.added_by else { return "somebody".to_owned() };
    let member = group.members.iter().find(|member| member.box_id == adder);
    lines::person(adder, member.and_then(|member| member.identifier.as_deref()))
}

fn members(group: &Group) -> String {
    let mut text = line(group);
    for member in &group.members {
        let name = lines::person(member.box_id, member.identifier.as_deref());
        let name = if member.is_you { "you".to_owned() } else { name };
        text += &format!("  {name}{}\n", if member.is_admin { ", admin" } else { "" });
    }
    text
}

fn history_of(history: &[GroupEvent]) -> String {
    let line = |event: &GroupEvent| {
        let author = match event.is_yours {
            true => "you".to_owned(),
            false => lines::person(event.author, event.author_identifier.as_deref()),
        };
        format!("{} {}{}\n", faint(&minute(event.time)), bold(&author), done(event))
    };
    history.iter().map(line).collect()
}

/// What was done, behind the name of who did it.
pub(super) fn events(events: &[GroupEvent]) -> String {
    match events {
        [] => " [changed the group; the change was refused]".to_owned(),
        events => events.iter().map(done).collect::<Vec<_>>().join(","),
    }
}

fn done(event: &GroupEvent) -> String {
    format!(" [{}]", deed(event, lines::person))
}

/// What was done, with people called as the one function does it.
pub(super) fn deed(event: &GroupEvent, person: impl Fn(BoxId, Option<&str>) -> String) -> String {
    let subjects: Vec<String> = event
        .subjects
        .iter()
        .map(|member| match member.is_you {
            true => "you".to_owned(),
            false => person(member.box_id, member.identifier.as_deref()),
        })
        .collect();
    let whom = subjects.join(", ");
    let what = match &event.action {
        GroupAction::Found { name, .. } => format!("made the group {:?} with {whom}", printable(name)),
        GroupAction::Add { .. } => format!("added {whom}"),
        GroupAction::Remove { .. } => format!("removed {whom}"),
        GroupAction::Leave => "left".to_owned(),
        GroupAction::SetRole { role: GroupRole::Admin, .. } => format!("made {whom} an admin"),
        GroupAction::SetRole { role: GroupRole::Member, .. } => format!("made {whom} a plain member"),
        GroupAction::Rename { name } => format!("renamed the group to {:?}", printable(name)),
        GroupAction::Affirm => "has other devices now".to_owned(),
    };
    let void = if event.counts { "" } else { "; it has no effect: its author was removed at the same time" };
    format!("{what}{void}")
}
