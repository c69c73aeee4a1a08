//! What will not be sent: it leaves the outbox, and the person is told.

use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;

use crate::Client;
use crate::content::Kind;
use crate::error::ClientError;
use crate::store::messages::{self, State, StoredMessage};
use crate::store::outbox::{self, Outgoing, RecipientRow};
use crate::warning::Warning;

impl Client {
    /// A message will not be sent to a recipient: that is told, once.
    pub(super) async fn not_sent(&self, outgoing: &Outgoing, reason: &str) -> Result<(), ClientError> {
        let mut transaction = self.store.begin().await?;
        self.give_up_message(&mut transaction, outgoing.message, outgoing.recipient, reason).await?;
        Ok(transaction.commit().await?)
    }

    /// Nothing of what waits for a recipient will be sent.
    pub(crate) async fn give_up(
        &self,
        connection: &mut SqliteConnection,
        recipient: BoxId,
        reason: &str,
    ) -> Result<(), ClientError> {
        for message in outbox::waiting(connection, recipient).await? {
            self.give_up_message(connection, message, recipient, reason).await?;
        }
        Ok(())
    }

    /// Nothing waits for the box's other devices once the last of them was removed. One that is linked later is told what is known
    /// then; what was for others would come to it out of its order.
    pub(crate) async fn give_up_on_devices(&self, own: BoxId) -> Result<(), ClientError> {
        if outbox::waiting(&mut *self.store.read().await?, own).await?.is_empty() {
            return Ok(());
        }
        let mut transaction = self.store.begin().await?;
        self.give_up(&mut transaction, own, "the device that it was for was removed").await?;
        Ok(transaction.commit().await?)
    }

    async fn give_up_message(
        &self,
        connection: &mut SqliteConnection,
        message: i64,
        recipient: BoxId,
        reason: &str,
    ) -> Result<(), ClientError> {
        let Some(stored) = self.take_back(connection, message, recipient, reason).await? else { return Ok(()) };
        // That the own devices get no copy of what others get is seen in their list.
        let is_copy = recipient == stored.sender && stored.thread.peer() != Some(recipient);
        if !is_copy && (stored.is_shown || Kind::of(stored.kind).is_notice()) {
            let warning = Warning::NotSent { recipient, reason: reason.to_owned() };
            self.warn(connection, &warning).await?;
        }
        Ok(())
    }

    /// Takes a message for a recipient out of the outbox, of which the person is told nothing. Gives it, if it was still there.
    pub(crate) async fn take_back(
        &self,
        connection: &mut SqliteConnection,
        message: i64,
        recipient: BoxId,
        reason: &str,
    ) -> Result<Option<StoredMessage>, ClientError> {
        let row = RecipientRow { reason: Some(reason.to_owned()), ..RecipientRow::new(recipient, State::Failed, None) };
        if !outbox::settle(connection, message, &row).await? {
            return Ok(None);
        }
        let stored = messages::message(connection, &self.vault, message).await?;
        self.settled(connection, &stored).await?;
        Ok(Some(stored))
    }
}
