//! Keys about groups: the list of them, and who is in one.

use ratatui::crossterm::event::KeyCode;
use rossby_client::{Conversation, GroupId, GroupMember, Membership};

use super::{Key, step};
use crate::person::chat::names;
use crate::person::chat::state::State;
use crate::person::chat::state::action::Action;
use crate::person::chat::state::effect::Effect;
use crate::person::chat::state::overlay::{Ask, Confirm, Overlay, Prompt};

impl State {
    pub(super) fn show_groups(&mut self, effects: &mut Vec<Effect>) {
        self.overlays.push(Overlay::Groups { groups: None, chosen: 0 });
        effects.push(Effect::Do(Action::ListGroups));
    }

    pub(super) fn show_group(&mut self, id: GroupId, effects: &mut Vec<Effect>) {
        self.overlays.push(Overlay::Group { id, group: None, chosen: 0 });
        effects.push(Effect::Do(Action::ReadGroup(id)));
    }

    pub(super) fn groups_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let Some(Overlay::Groups { groups, chosen }) = self.overlays.last_mut() else { return };
        let groups = groups.as_deref().unwrap_or_default();
        if let Some(by) = step(key, 1) {
            *chosen = chosen.saturating_add_signed(by).min(groups.len().saturating_sub(1));
            return;
        }
        let found = groups.get(*chosen).map(|group| (group.id, names::group(&group.name)));
        match (key.code, key.typed(), found) {
            (_, Some('n'), _) => self.overlays.push(Overlay::Prompt(Prompt::new(Ask::GroupName))),
            (_, Some('i'), Some((id, _))) => self.show_group(id, effects),
            (KeyCode::Enter, _, Some((id, name))) => self.open_new(Conversation::Group(id.0), name, effects),
            _ => {}
        }
    }

    pub(super) fn group_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let Some(Overlay::Group { id, group: Some(group), chosen }) = self.overlays.last_mut() else { return };
        if let Some(by) = step(key, 1) {
            *chosen = chosen.saturating_add_signed(by).min(group.members.len().saturating_sub(1));
            return;
        }
        let id = *id;
        let name = names::group(&group.name);
        let member = group.members.get(*chosen).cloned();
        let (is_request, is_in) = (
            group.membership == Membership::Requested,
            matches!(group.membership, Membership::Member | Membership::Admin),
        );
        match (key.typed(), member) {
            (None, Some(member)) if key.code == KeyCode::Enter && !member.is_you => {
                self.show_person(member.box_id, effects);
            }
            (Some('h'), _) => {
                self.overlays.push(Overlay::GroupHistory { id, history: None, top: 0 });
                effects.push(Effect::Do(Action::ReadGroupHistory(id)));
            }
            (Some('a'), _) if is_request => effects.push(Effect::Do(Action::AcceptGroup(id))),
            (Some('x'), _) if is_request => self.decline_group(id, &name),
            (Some('a'), _) => self.overlays.push(Overlay::Prompt(Prompt::new(Ask::AddMembers(id)))),
            (Some('r'), _) => self.overlays.push(Overlay::Prompt(Prompt::new(Ask::RenameGroup(id)))),
            (Some('l'), _) if is_in => self.overlays.push(Overlay::Confirm(Confirm {
                question: format!("Leave {name}? Its members are told."),
                yes: Action::LeaveGroup(id),
                no: None,
            })),
            (Some('m'), Some(member)) => {
                let (member, is_admin) = (member.box_id, !member.is_admin);
                effects.push(Effect::Do(Action::SetGroupAdmin { group: id, member, is_admin }));
            }
            (Some('x'), Some(member)) => self.remove_member(id, &name, &member),
            _ => {}
        }
    }

    fn remove_member(&mut self, group: GroupId, name: &str, member: &GroupMember) {
        if member.is_you {
            return self.say("l leaves the group");
        }
        let who = names::person(member.box_id, member.identifier.as_deref());
        self.overlays.push(Overlay::Confirm(Confirm {
            question: format!("Remove {who} from {name}? They and the others are told."),
            yes: Action::RemoveFromGroup { group, member: member.box_id },
            no: None,
        }));
    }

    pub(super) fn decline_group(&mut self, group: GroupId, name: &str) {
        self.overlays.push(Overlay::Confirm(Confirm {
            question: format!("Take no part in {name}? Nobody is told."),
            yes: Action::DeclineGroup(group),
            no: None,
        }));
    }
}
