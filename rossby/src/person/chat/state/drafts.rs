//! What the person is writing, for each conversation; and what was sent and isn't known to be in the outbox yet. Nothing of it
//! goes away unless the person takes it away or it is in the outbox.

use std::collections::HashMap;

use rossby_client::Conversation;
use rossby_schemas::ids::MessageId;
use rossby_schemas::time::Timestamp;

use super::effect::Effect;
use crate::person::chat::editor::Editor;

/// A message that is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::person::chat) struct Quote {
    pub(in crate::person::chat) message_id: MessageId,
    /// Who wrote it.
    pub(in crate::person::chat) author: String,
    /// What it says, in short.
    pub(in crate::person::chat) text: String,
}

/// A message that gets another text.
#[derive(Debug, Clone)]
pub(in crate::person::chat) struct Edit {
    pub(in crate::person::chat) message_id: MessageId,
    pub(in crate::person::chat) editor: Editor,
}

/// Where a person writes to one conversation.
#[derive(Debug, Clone, Default)]
pub(in crate::person::chat) struct Composer {
    pub(in crate::person::chat) draft: Editor,
    pub(in crate::person::chat) reply_to: Option<Quote>,
    pub(in crate::person::chat) edit: Option<Edit>,
}

impl Composer {
    /// What is being written: the text of an earlier message, while one is edited.
    pub(in crate::person::chat) fn editor(&self) -> &Editor {
        self.edit.as_ref().map_or(&self.draft, |edit| &edit.editor)
    }

    pub(super) fn editor_mut(&mut self) -> &mut Editor {
        self.edit.as_mut().map_or(&mut self.draft, |edit| &mut edit.editor)
    }
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::person::chat) enum Say {
    /// A text, that may answer a message.
    Text { text: String, reply_to: Option<Quote> },
    /// Another text for a message.
    Edit { message_id: MessageId, text: String },
}

impl Say {
    pub(in crate::person::chat) fn text(&self) -> &str {
        match self {
            Self::Text { text, .. } | Self::Edit { text, .. } => text,
        }
    }
}

/// What was sent and isn't known to be in the outbox yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::person::chat) struct Sending {
    pub(in crate::person::chat) number: u64,
    pub(in crate::person::chat) conversation: Conversation,
    pub(in crate::person::chat) say: Say,
}

/// What is kept of a draft while the chat doesn't run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::person::chat) struct KeptDraft {
    pub(in crate::person::chat) conversation: Conversation,
    pub(in crate::person::chat) text: String,
    pub(in crate::person::chat) reply_to: Option<Quote>,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub(in crate::person::chat) struct Drafts {
    composers: HashMap<Conversation, Composer>,
    sending: Vec<Sending>,
    last_number: u64,
    /// Whose kept drafts are older than what stands here, in the order in which they were changed.
    changed: Vec<Conversation>,
    /// Where the person writes, and when the others were told so last.
    told: Option<(Conversation, Timestamp)>,
}

/// How often the others are told that the person still writes.
const TYPING_AGAIN_SECONDS: u64 = 4;

impl Drafts {
    pub(in crate::person::chat) fn of(&self, conversation: Conversation) -> Option<&Composer> {
        self.composers.get(&conversation)
    }

    /// The composer of a conversation, to be changed.
    pub(super) fn change(&mut self, conversation: Conversation) -> &mut Composer {
        self.touch(conversation);
        self.composers.entry(conversation).or_default()
    }

    /// The composer of a conversation, of which only the cursor moves.
    pub(super) fn go(&mut self, conversation: Conversation) -> &mut Composer {
        self.composers.entry(conversation).or_default()
    }

    fn touch(&mut self, conversation: Conversation) {
        if !self.changed.contains(&conversation) {
            self.changed.push(conversation);
        }
    }

    /// What was sent to a conversation and isn't known to be in the outbox yet.
    pub(in crate::person::chat) fn sending(&self, conversation: Conversation) -> impl Iterator<Item = &Sending> {
        self.sending.iter().filter(move |sending| sending.conversation == conversation)
    }

    /// Takes what stands in the composer to be sent. None if there is nothing but blanks.
    pub(super) fn send(&mut self, conversation: Conversation) -> Option<Sending> {
        let composer = self.change(conversation);
        if composer.editor().text().trim().is_empty() {
            return None;
        }
        let say = match composer.edit.take() {
            Some(mut edit) => Say::Edit { message_id: edit.message_id, text: edit.editor.take() },
            None => Say::Text { text: composer.draft.take(), reply_to: composer.reply_to.take() },
        };
        self.last_number += 1;
        let sending = Sending { number: self.last_number, conversation, say };
        self.sending.push(sending.clone());
        Some(sending)
    }

    /// What was sent is in the outbox; or it comes back into the composer.
    pub(super) fn stored(&mut self, number: u64, is_stored: bool) -> Option<Sending> {
        let index = self.sending.iter().position(|sending| sending.number == number)?;
        let sending = self.sending.remove(index);
        let composer = self.change(sending.conversation);
        if !is_stored {
            give_back(composer, &sending.say);
        }
        Some(sending)
    }

    /// Takes what was kept when the chat ended the last time. What was written since stays.
    pub(super) fn restore(&mut self, kept: KeptDraft) {
        let composer = self.composers.entry(kept.conversation).or_default();
        if composer.draft.is_empty() {
            composer.draft = Editor::new(&kept.text);
            composer.reply_to = composer.reply_to.take().or(kept.reply_to);
        } else if composer.draft.text() != kept.text {
            let text = format!("{}\n{}", kept.text, composer.draft.text());
            composer.draft = Editor::new(&text);
            self.touch(kept.conversation);
        }
    }

    /// Keeps what has changed.
    pub(super) fn keep(&mut self, effects: &mut Vec<Effect>) {
        for conversation in std::mem::take(&mut self.changed) {
            effects.push(Effect::KeepDraft(self.kept(conversation)));
        }
    }

    /// All that would be lost with this process: what is sent and not in the outbox yet, an edit, the draft.
    fn kept(&self, conversation: Conversation) -> KeptDraft {
        let composer = self.composers.get(&conversation);
        let sending = self.sending(conversation).map(|sending| sending.say.text());
        let edit = composer.and_then(|composer| composer.edit.as_ref()).map(|edit| edit.editor.text());
        let draft = composer.map(|composer| composer.draft.text());
        let texts: Vec<&str> = sending.chain(edit).chain(draft).filter(|text| !text.trim().is_empty()).collect();
        let sent_reply = self.sending(conversation).find_map(|sending| match &sending.say {
            Say::Text { reply_to, .. } => reply_to.clone(),
            Say::Edit { .. } => None,
        });
        let reply_to = sent_reply.or_else(|| composer.and_then(|composer| composer.reply_to.clone()));
        KeptDraft { conversation, text: texts.join("\n"), reply_to }
    }

    /// The person has typed. The others are told, now and then.
    pub(super) fn typed(&mut self, conversation: Conversation, now: Timestamp, effects: &mut Vec<Effect>) {
        let is_told =
            self.told.is_some_and(|(told, at)| told == conversation && now.since(at).as_secs() < TYPING_AGAIN_SECONDS);
        if self.of(conversation).is_none_or(|composer| composer.editor().is_empty()) {
            self.rest(effects);
        } else if !is_told {
            if self.told.is_some_and(|(told, _)| told != conversation) {
                self.rest(effects);
            }
            self.told = Some((conversation, now));
            effects.push(Effect::Typing { conversation, is_typing: true });
        }
    }

    /// The person has stopped writing: sent it, erased it, or gone elsewhere.
    pub(super) fn rest(&mut self, effects: &mut Vec<Effect>) {
        if let Some((conversation, _)) = self.told.take() {
            effects.push(Effect::Typing { conversation, is_typing: false });
        }
    }
}

/// Puts what was not sent back where it was, before what was written since.
fn give_back(composer: &mut Composer, say: &Say) {
    match say {
        Say::Edit { message_id, text } if composer.edit.is_none() => {
            composer.edit = Some(Edit { message_id: *message_id, editor: Editor::new(text) });
        }
        say => {
            let text = match composer.draft.is_empty() {
                true => say.text().to_owned(),
                false => format!("{}\n{}", say.text(), composer.draft.text()),
            };
            composer.draft = Editor::new(&text);
            if let Say::Text { reply_to, .. } = say {
                composer.reply_to = composer.reply_to.take().or_else(|| reply_to.clone());
            }
        }
    }
}
