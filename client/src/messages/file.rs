//! Filing a message: it is stored with what it says of others, and takes what others have said of it. Whatever the order in
//! which messages come, the same is shown.

use sqlx::SqliteConnection;

use super::Conversation;
use crate::Client;
use crate::content::{Content, FIRST_OWN_KIND, Kind, MessageRef};
use crate::error::ClientError;
use crate::groups::is_of_groups;
use crate::store::messages::{self, State, StoredMessage};
use crate::store::outbox::{self, RecipientRow};
use crate::store::{about, peers, receipts, transcripts};
use crate::warning::Warning;

impl Client {
    /// Stores a message, sent to these if it is one of this box, and does what follows from what it says. Its body must be as its
    /// kind says.
    pub(crate) async fn file(
        &self,
        connection: &mut SqliteConnection,
        stored: &StoredMessage,
        sent_to: &[RecipientRow],
    ) -> Result<i64, ClientError> {
        let message = messages::insert(connection, &self.vault, stored).await?;
        for recipient in sent_to {
            outbox::add_recipient(connection, message, recipient).await?;
        }
        let (thread, kind) = (stored.thread, Kind::of(stored.kind));
        let itself = MessageRef { box_id: stored.sender, message_id: stored.message_id };
        if stored.state == State::New && receipts::was_read_elsewhere(connection, itself).await? {
            transcripts::mark_read(connection, message).await?;
        }
        // Only its own author changes a message, so that what others say of changing it is about none.
        let of_same_author = |message_id| MessageRef { box_id: stored.sender, message_id };
        match Content::decode(kind, &stored.body).ok().flatten() {
            Some(Content::Edit(edit)) => {
                let target = of_same_author(edit.message_id);
                about::keep(connection, message, thread, target).await?;
                about::erase_if_deleted(connection, &self.vault, thread, target).await?;
                self.check_author(connection, stored, target).await?;
            }
            Some(Content::Deletion(deletion)) => {
                let target = of_same_author(deletion.message_id);
                about::keep(connection, message, thread, target).await?;
                about::erase_if_deleted(connection, &self.vault, thread, target).await?;
                self.check_author(connection, stored, target).await?;
            }
            Some(Content::Reaction(reaction)) => about::keep(connection, message, thread, reaction.to).await?,
            Some(Content::Receipt(receipt)) => {
                let thread = receipt.group.map_or(thread, Conversation::Group);
                for message_id in receipt.message_ids {
                    let said = (receipt.state, stored.time);
                    receipts::keep(connection, thread, message_id, stored.sender, said).await?;
                }
            }
            _ if stored.is_shown => {
                about::erase_if_deleted(connection, &self.vault, thread, itself).await?;
                if !sent_to.is_empty() {
                    receipts::apply_early(connection, thread, message, stored.message_id).await?;
                }
                for (sender, kind) in about::changed_by_others(connection, thread, itself).await? {
                    self.warn(connection, &Warning::NotTheirs { sender, kind: kind.number() }).await?;
                }
            }
            _ => {}
        }
        if let Some(peer) = thread.peer().filter(|peer| *peer == stored.sender)
            && let Some(declined_at) = peers::state(connection, peer).await?.declined_at
        {
            self.erase_declined(connection, peer, declined_at).await?;
        }
        Ok(message)
    }

    /// Tells of an edit or a deletion of a message that another has written.
    async fn check_author(
        &self,
        connection: &mut SqliteConnection,
        stored: &StoredMessage,
        target: MessageRef,
    ) -> Result<(), ClientError> {
        match about::known_as(connection, stored.thread, target).await? {
            (false, true) => {
                self.warn(connection, &Warning::NotTheirs { sender: stored.sender, kind: stored.kind }).await
            }
            _ => Ok(()),
        }
    }

    /// What became of a message is known for one of its recipients: what it says is erased, once for all, if the own devices were
    /// told and nobody reads it, or if it was taken back.
    pub(crate) async fn settled(
        &self,
        connection: &mut SqliteConnection,
        stored: &StoredMessage,
    ) -> Result<(), ClientError> {
        if outbox::waits_for_any(connection, stored.id).await? {
            return Ok(());
        }
        let is_of_groups = is_of_groups(stored.kind) && stored.thread.peer().is_some();
        if stored.kind >= FIRST_OWN_KIND || is_of_groups {
            return messages::erase(connection, &self.vault, stored.id).await;
        }
        let target = match Content::decode(Kind::of(stored.kind), &stored.body) {
            Ok(Some(Content::Edit(edit))) => edit.message_id,
            _ => stored.message_id,
        };
        let target = MessageRef { box_id: stored.sender, message_id: target };
        about::erase_if_deleted(connection, &self.vault, stored.thread, target).await
    }
}
