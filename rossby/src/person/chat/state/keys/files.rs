//! Keys about files: those that are on their way, and those that wait.

use ratatui::crossterm::event::KeyCode;
use rossby_client::Step;

use super::{Key, step};
use crate::person::chat::state::State;
use crate::person::chat::state::action::Action;
use crate::person::chat::state::effect::Effect;
use crate::person::chat::state::overlay::{Confirm, Overlay};
use crate::person::chat::text::one_line;

impl State {
    pub(super) fn files_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let count = self.transfers.len() + self.waiting_files().count();
        let Some(Overlay::Files { chosen }) = self.overlays.last_mut() else { return };
        if let Some(by) = step(key, 1) {
            *chosen = chosen.saturating_add_signed(by).min(count.saturating_sub(1));
            return;
        }
        let chosen = *chosen;
        if key.code == KeyCode::Delete || key.typed() == Some('x') {
            self.stop(chosen, effects);
        }
    }

    /// Stops one of the files. What would be sent is asked for first; what comes can be gone on with.
    fn stop(&mut self, chosen: usize, effects: &mut Vec<Effect>) {
        let (name, action) = match self.transfers.get(chosen) {
            Some(transfer) if transfer.step == Some(Step::Decrypting) => {
                return self.say("All of it is here already");
            }
            Some(transfer) if !transfer.is_sent => {
                return effects.push(Effect::Do(Action::StopFile(transfer.number)));
            }
            Some(transfer) => (transfer.name.clone(), Action::StopFile(transfer.number)),
            None => {
                let Some(upload) = self.waiting_files().nth(chosen - self.transfers.len()) else { return };
                (upload.name.clone(), Action::GiveUpFile(upload.id))
            }
        };
        self.overlays.push(Overlay::Confirm(Confirm {
            question: format!("Give up {}? It is not sent then.", one_line(&name)),
            yes: action,
            no: None,
        }));
    }
}
