//! Keys about the person themselves: what they are called, and their addresses.

use rossby_client::{AccountIdentifier, IdentifierRef};

use super::{Key, step};
use crate::person::chat::names;
use crate::person::chat::state::State;
use crate::person::chat::state::action::Action;
use crate::person::chat::state::effect::Effect;
use crate::person::chat::state::overlay::{Ask, Confirm, Overlay, Prompt};

impl State {
    pub(super) fn show_yourself(&mut self, effects: &mut Vec<Effect>) {
        self.overlays.push(Overlay::Yourself { profile: None, identifiers: None, chosen: 0 });
        effects.extend([Action::ReadProfile, Action::ListIdentifiers].map(Effect::Do));
    }

    pub(super) fn yourself_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let Some(Overlay::Yourself { identifiers, chosen, .. }) = self.overlays.last_mut() else { return };
        let identifiers = identifiers.as_deref().unwrap_or_default();
        if let Some(by) = step(key, 1) {
            *chosen = chosen.saturating_add_signed(by).min(identifiers.len().saturating_sub(1));
            return;
        }
        let identifier = identifiers.get(*chosen).cloned();
        let ask = match (key.typed(), identifier) {
            (Some('n'), _) => Ask::ProfileName,
            (Some('p'), _) => Ask::ProfilePicture,
            (Some('a'), _) => Ask::NewIdentifier,
            (Some('c'), _) => Ask::IdentifierCode,
            (Some('x'), Some(identifier)) => return self.remove_identifier(&identifier),
            (Some('o'), Some(identifier)) => return self.object(&identifier, effects),
            _ => return,
        };
        self.overlays.push(Overlay::Prompt(Prompt::new(ask)));
    }

    fn remove_identifier(&mut self, identifier: &AccountIdentifier) {
        if identifier.awaited_until.is_some() {
            return self.say("It is claimed, and not yours yet");
        }
        self.overlays.push(Overlay::Confirm(Confirm {
            question: format!(
                "Take {} away from your account? Nobody finds you by it then, and whoever can show a code of it can have it.",
                names::identifier(identifier)
            ),
            yes: Action::RemoveIdentifier(meant(identifier)),
            no: None,
        }));
    }

    fn object(&mut self, identifier: &AccountIdentifier, effects: &mut Vec<Effect>) {
        if identifier.claimed_from.is_none() {
            return self.say("Nobody claims it");
        }
        effects.push(Effect::Do(Action::ObjectToClaim(meant(identifier))));
    }
}

fn meant(identifier: &AccountIdentifier) -> IdentifierRef {
    IdentifierRef::Hash(identifier.hash.to_string())
}
