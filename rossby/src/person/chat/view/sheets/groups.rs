//! Sheets about groups.

use ratatui::style::Style;
use ratatui::text::Line;
use rossby_client::{Group, GroupEvent, GroupMember, Membership};

use super::{Sheet, View};
use crate::person::chat::names;
use crate::person::chat::text::{cut, one_line, wrapped};
use crate::person::groups::{count, deed, standing};

impl View {
    pub(super) fn groups(self, groups: Option<&[Group]>, chosen: usize, cells: usize) -> Sheet {
        let Some(groups) = groups else { return self.waiting("Your groups") };
        let keys = "Enter opens one, i shows who is in it, n makes a new one";
        let mut lines = vec![Line::styled(cut(keys, cells), self.theme.faint())];
        if groups.is_empty() {
            lines.push(Line::raw(cut("No groups yet", cells)));
        }
        for (index, group) in groups.iter().enumerate() {
            let style = if index == chosen { self.theme.chosen() } else { Style::new() };
            let right = format!("{}, {}", count(group), one_line(&standing(group)));
            lines.push(self.sides((names::group(&group.name), style), (right, self.theme.faint()), cells));
        }
        Sheet { chosen: chosen + 1, ..Sheet::new("Your groups", lines) }
    }

    pub(super) fn group(self, group: Option<&Group>, chosen: usize, cells: usize) -> Sheet {
        let Some(group) = group else { return self.waiting("Group") };
        let keys = match group.membership {
            Membership::Requested => "a takes part, x doesn't",
            Membership::Admin => {
                "a adds people, x removes one, m makes one an admin or a plain member, r renames, l leaves"
            }
            Membership::Member => "l leaves; admins can change it",
            Membership::Declined | Membership::Left | Membership::Removed => "You are not in it",
        };
        let keys = format!("{keys}; Enter shows more of one, h what was done in the group");
        let mut lines: Vec<Line<'static>> =
            wrapped(&keys, cells).into_iter().map(|row| Line::styled(row.to_owned(), self.theme.faint())).collect();
        lines.push(Line::raw(cut(&format!("{}, {}", count(group), one_line(&standing(group))), cells)));
        let before = lines.len();
        for (index, member) in group.members.iter().enumerate() {
            let style = if index == chosen { self.theme.chosen() } else { Style::new() };
            let right = if member.is_admin { "admin" } else { "" };
            lines.push(self.sides((called(member), style), (right.to_owned(), self.theme.faint()), cells));
        }
        Sheet { chosen: before + chosen, ..Sheet::new(names::group(&group.name), lines) }
    }
}

impl View {
    pub(super) fn group_history(self, history: Option<&[GroupEvent]>, cells: usize) -> Sheet {
        let title = "What was done in the group";
        let Some(history) = history else { return self.waiting(title) };
        let mut lines = Vec::new();
        for event in history {
            let author = match event.is_yours {
                true => "you".to_owned(),
                false => names::person(event.author, event.author_identifier.as_deref()),
            };
            let text = format!("{author} {}", one_line(&deed(event, names::person)));
            lines.extend(self.fact(&self.zone.full(event.time), &text, INDENT, cells));
        }
        if lines.is_empty() {
            lines.push(Line::raw("Nothing is known of it yet"));
        }
        Sheet::new(title, lines)
    }
}

/// How far what was done stands behind when it was.
const INDENT: usize = 18;

fn called(member: &GroupMember) -> String {
    match member.is_you {
        true => "you".to_owned(),
        false => names::person(member.box_id, member.identifier.as_deref()),
    }
}
