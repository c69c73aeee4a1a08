//! Who is writing, as they said a moment ago.

use std::time::Duration;

use rossby_client::Conversation;
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;

/// For how long somebody is shown as writing who doesn't say so again.
const WHILE: Duration = Duration::from_secs(8);

/// Who is writing.
#[derive(Debug, Clone, Default)]
pub(in crate::person::chat) struct Typing(Vec<(Conversation, BoxId, Timestamp)>);

impl Typing {
    /// Who writes to a conversation, who began first comes first.
    pub(in crate::person::chat) fn of(&self, conversation: Conversation) -> impl Iterator<Item = BoxId> {
        self.0.iter().filter(move |(to, _, _)| *to == conversation).map(|(_, who, _)| *who)
    }

    pub(super) fn heard(&mut self, conversation: Conversation, who: BoxId, is_typing: bool, now: Timestamp) {
        let until = now.plus(WHILE);
        let known = self.0.iter_mut().find(|(to, known, _)| (*to, *known) == (conversation, who));
        match (known, is_typing) {
            (Some(known), true) => known.2 = until,
            (None, true) => self.0.push((conversation, who, until)),
            (_, false) => self.0.retain(|(to, known, _)| (*to, *known) != (conversation, who)),
        }
    }

    pub(super) fn pass(&mut self, now: Timestamp) {
        self.0.retain(|(_, _, until)| *until > now);
    }
}
