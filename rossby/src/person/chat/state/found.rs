//! What actions bring, and the sheets that wait for it.

use rossby_client::Conversation;

use super::State;
use super::action::{Action, Found};
use super::effect::Effect;
use super::overlay::{Ask, Confirm, Overlay, Prompt};
use crate::person::chat::text::one_line;

impl State {
    /// Takes what an action brought.
    pub(super) fn take(&mut self, found: Found, effects: &mut Vec<Effect>) {
        match found {
            Found::Nothing => {}
            Found::Conversation(conversation, name) => self.open_new(conversation, name, effects),
            Found::Groups(found) => {
                for overlay in &mut self.overlays {
                    if let Overlay::Groups { groups, .. } = overlay {
                        *groups = Some(found.clone());
                    }
                }
            }
            Found::Group(found) => {
                for overlay in &mut self.overlays {
                    if let Overlay::Group { id, group, .. } = overlay
                        && *id == found.id
                    {
                        *group = Some(found.clone());
                    }
                }
            }
            Found::GroupHistory(of, found) => {
                for overlay in &mut self.overlays {
                    if let Overlay::GroupHistory { id, history, .. } = overlay
                        && *id == of
                    {
                        *history = Some(found.clone());
                    }
                }
            }
            Found::Profile(found) => {
                for overlay in &mut self.overlays {
                    if let Overlay::Yourself { profile, .. } = overlay {
                        *profile = Some(found.clone());
                    }
                }
            }
            Found::Identifiers(found) => {
                for overlay in &mut self.overlays {
                    if let Overlay::Yourself { identifiers, .. } = overlay {
                        *identifiers = Some(found.clone());
                    }
                }
            }
            Found::CodeSent(address) => {
                self.say(format!("A code was sent to {}", one_line(&address)));
                self.overlays.push(Overlay::Prompt(Prompt::new(Ask::IdentifierCode)));
            }
            Found::Taken { address, code } => self.overlays.push(Overlay::Confirm(Confirm {
                question: format!(
                    "Another account has {address}. If you have a device of it, take the address away there. If all its devices are \
                     lost, you can claim it: they are told, and can object for a week. Claim it?"
                ),
                yes: Action::ConfirmIdentifier { code, claims: true },
                no: None,
            })),
            Found::Devices(found) => {
                for overlay in &mut self.overlays {
                    if let Overlay::Devices { devices, .. } = overlay {
                        *devices = Some(found.clone());
                    }
                }
            }
            Found::Link(name) => self.overlays.push(Overlay::Confirm(Confirm {
                question: format!(
                    "Link the device {name:?} to your account? It will get all your messages from now on."
                ),
                yes: Action::Link,
                no: Some(Action::RefuseLink),
            })),
            Found::Settings(found, receipts) => {
                for overlay in &mut self.overlays {
                    if let Overlay::Settings { settings, .. } = overlay {
                        *settings = Some((found, receipts));
                    }
                }
            }
            Found::Person(found) => {
                for overlay in &mut self.overlays {
                    if let Overlay::Person { box_id, person, .. } = overlay
                        && *box_id == found.box_id
                    {
                        *person = Some(found.clone());
                    }
                }
            }
        }
        self.settle_overlays();
    }

    /// Opens a conversation that may have no message yet.
    pub(super) fn open_new(&mut self, conversation: Conversation, name: String, effects: &mut Vec<Effect>) {
        self.list.begin(conversation, name);
        self.list.search = None;
        self.list.is_searching = false;
        self.overlays.clear();
        self.open(conversation, effects);
    }

    /// Takes away what is over nothing, and keeps what is chosen among what is there.
    pub(super) fn settle_overlays(&mut self) {
        let warnings = self.warnings.len();
        let files = self.transfers.len() + self.waiting_files().count();
        let open = self.open.as_ref();
        self.overlays.retain_mut(|overlay| match overlay {
            Overlay::Warnings { chosen } => {
                *chosen = (*chosen).min(warnings.saturating_sub(1));
                warnings > 0
            }
            Overlay::Files { chosen } => {
                *chosen = (*chosen).min(files.saturating_sub(1));
                true
            }
            Overlay::Message { id, .. } => {
                open.is_some_and(|open| open.messages.iter().any(|message| message.id == *id))
            }
            Overlay::Devices { devices: Some(devices), chosen } => {
                *chosen = (*chosen).min(devices.len().saturating_sub(1));
                true
            }
            Overlay::Groups { groups: Some(groups), chosen } => {
                *chosen = (*chosen).min(groups.len().saturating_sub(1));
                true
            }
            Overlay::Group { group: Some(group), chosen, .. } => {
                *chosen = (*chosen).min(group.members.len().saturating_sub(1));
                true
            }
            Overlay::Yourself { identifiers: Some(identifiers), chosen, .. } => {
                *chosen = (*chosen).min(identifiers.len().saturating_sub(1));
                true
            }
            _ => true,
        });
    }
}
