//! Keys of what stands over the conversations.

use ratatui::crossterm::event::KeyCode;
use rossby_client::Peer;
use rossby_schemas::events::profiles::Audience;

use super::{Key, edit, step};
use crate::person::chat::state::State;
use crate::person::chat::state::action::Action;
use crate::person::chat::state::effect::Effect;
use crate::person::chat::state::overlay::{Answer, Ask, Confirm, Overlay, Prompt};

/// How many settings there are.
pub(in crate::person::chat) const SETTINGS: usize = 5;

impl State {
    pub(super) fn overlay_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let is_esc = key.code == KeyCode::Esc;
        let is_left = key.typed() == Some('q') || is_esc;
        match self.overlays.last_mut() {
            Some(Overlay::Prompt(_)) => self.prompt_key(key, effects),
            Some(Overlay::Confirm(_)) => self.confirm_key(key, effects),
            Some(Overlay::Linking) if is_left => {
                self.overlays.pop();
                effects.push(Effect::Do(Action::StopLink));
            }
            _ if is_left => {
                self.overlays.pop();
            }
            Some(Overlay::Help { has_commands, .. }) if key.typed() == Some('c') => *has_commands = !*has_commands,
            Some(Overlay::Warnings { .. }) => self.warnings_key(key, effects),
            Some(Overlay::Files { .. }) => self.files_key(key, effects),
            Some(Overlay::Devices { .. }) => self.devices_key(key),
            Some(Overlay::Settings { .. }) => self.settings_key(key, effects),
            Some(Overlay::Groups { .. }) => self.groups_key(key, effects),
            Some(Overlay::Group { .. }) => self.group_key(key, effects),
            Some(Overlay::Person { .. }) => self.person_key(key, effects),
            Some(Overlay::Yourself { .. }) => self.yourself_key(key, effects),
            _ => self.scroll_sheet(key),
        }
    }

    fn scroll_sheet(&mut self, key: Key) {
        let (rows, window) = self.measures.sheet;
        let Some(top) = self.overlays.last_mut().and_then(Overlay::top_mut) else { return };
        if let Some(by) = step(key, window) {
            *top = top.saturating_add_signed(by).min(rows.saturating_sub(window));
        }
    }

    fn prompt_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let Some(Overlay::Prompt(prompt)) = self.overlays.last_mut() else { return };
        match key.code {
            KeyCode::Esc => {
                self.left.extend(prompt.waits_for.take());
                self.overlays.pop();
            }
            // What was typed is being looked at.
            _ if prompt.waits_for.is_some() => {}
            KeyCode::Enter => match prompt.answer() {
                // It is told on the way, and keeps nobody from writing.
                Ok(Answer::Do(action)) if action.is_long() => {
                    self.overlays.pop();
                    effects.push(Effect::Do(action));
                }
                Ok(Answer::Do(action)) => {
                    prompt.error = None;
                    prompt.waits_for = Some(action.clone());
                    effects.push(Effect::Do(action));
                }
                Ok(Answer::Ask(ask)) => *prompt = Prompt::new(ask),
                Err(reason) => prompt.error = Some(reason),
            },
            _ => {
                if edit(&mut prompt.editor, key) {
                    prompt.error = None;
                }
            }
        }
    }

    fn confirm_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let is_yes = match (key.typed(), key.code) {
            (Some('y' | 'Y'), _) => true,
            (Some('n' | 'N'), _) | (_, KeyCode::Esc) => false,
            _ => return,
        };
        if let Some(Overlay::Confirm(confirm)) = self.overlays.pop() {
            let action = if is_yes { Some(confirm.yes) } else { confirm.no };
            if action == Some(Action::Link) {
                self.overlays.push(Overlay::Linking);
            }
            effects.extend(action.map(Effect::Do));
        }
    }

    fn warnings_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let Some(Overlay::Warnings { chosen }) = self.overlays.last_mut() else { return };
        if let Some(by) = step(key, 1) {
            *chosen = chosen.saturating_add_signed(by).min(self.warnings.len().saturating_sub(1));
            return;
        }
        let dismissed = match (key.code, key.typed()) {
            (KeyCode::Enter | KeyCode::Delete, _) | (_, Some('x')) => {
                let chosen = *chosen;
                if chosen < self.warnings.len() { vec![self.warnings.remove(chosen)] } else { Vec::new() }
            }
            (_, Some('X')) => std::mem::take(&mut self.warnings),
            _ => return,
        };
        effects.push(Effect::WarningsShown(dismissed));
        self.settle_overlays();
    }

    fn devices_key(&mut self, key: Key) {
        let Some(Overlay::Devices { devices, chosen }) = self.overlays.last_mut() else { return };
        let devices = devices.as_deref().unwrap_or_default();
        if let Some(by) = step(key, 1) {
            *chosen = chosen.saturating_add_signed(by).min(devices.len().saturating_sub(1));
            return;
        }
        let device = devices.get(*chosen).filter(|device| device.removed_at.is_none());
        match (key.typed(), device) {
            (Some('l'), _) => self.overlays.push(Overlay::Prompt(Prompt::new(Ask::LinkCode))),
            (Some('r'), Some(device)) => {
                let prompt = Prompt::new(Ask::DeviceName(device.device_id));
                self.overlays.push(Overlay::Prompt(prompt));
            }
            (Some('x'), Some(device)) => {
                let name = device.name.clone().unwrap_or_else(|| device.device_id.to_string());
                let this = if device.is_this { " It is this one: this chat ends then." } else { "" };
                let confirm = Confirm {
                    question: format!("Remove the device {name:?} for ever?{this}"),
                    yes: Action::RemoveDevice(device.device_id),
                    no: None,
                };
                self.overlays.push(Overlay::Confirm(confirm));
            }
            _ => {}
        }
    }

    fn settings_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let Some(Overlay::Settings { settings, chosen }) = self.overlays.last_mut() else { return };
        if let Some(by) = step(key, 1) {
            *chosen = chosen.saturating_add_signed(by).min(SETTINGS - 1);
            return;
        }
        let is_change = matches!(key.code, KeyCode::Enter | KeyCode::Right | KeyCode::Char(' '));
        let Some((settings, receipts)) = settings.as_ref().filter(|_| is_change) else { return };
        let mut receipts = *receipts;
        effects.push(Effect::Do(match chosen {
            0 => Action::SetDiscoverable(next(settings.discoverable)),
            1 => Action::SetAcceptFrom(next(settings.accept_from)),
            2 => {
                receipts.delivery = !receipts.delivery;
                Action::SetReceipts(receipts)
            }
            3 => {
                receipts.read = !receipts.read;
                Action::SetReceipts(receipts)
            }
            _ => {
                receipts.typing = !receipts.typing;
                Action::SetReceipts(receipts)
            }
        }));
    }

    fn person_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let Some(Overlay::Person { box_id, person: Some(person), .. }) = self.overlays.last() else { return };
        let box_id = *box_id;
        match (key.typed(), &person.known) {
            (Some('c'), _) => self.accept_change(),
            (Some('p'), Some(known)) => {
                let code = known.code.clone();
                self.overlays.push(Overlay::Code(code));
            }
            (Some('v'), Some(_)) => self.overlays.push(Overlay::Prompt(Prompt::new(Ask::Verify(box_id)))),
            (Some('u'), Some(known)) if known.verified.is_some() => {
                effects.push(Effect::Do(Action::Unverify(box_id)));
            }
            _ => self.scroll_sheet(key),
        }
    }

    /// Asks whether the box that an address leads to now is the right one, if one does.
    fn accept_change(&mut self) {
        let Some(Overlay::Person { person: Some(person), .. }) = self.overlays.last() else { return };
        let Some(address) = person.changed.first() else { return };
        let Ok(peer) = address.parse::<Peer>() else { return };
        self.overlays.push(Overlay::Confirm(Confirm {
            question: format!(
                "{peer} leads to another box than before: whoever answers has other keys. Have you asked them by another way, \
                 and is it them?"
            ),
            yes: Action::AcceptChange(peer),
            no: None,
        }));
    }
}

const fn next(audience: Audience) -> Audience {
    match audience {
        Audience::Everyone => Audience::Contacts,
        Audience::Contacts => Audience::Nobody,
        Audience::Nobody => Audience::Everyone,
    }
}
