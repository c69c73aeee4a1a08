//! Receipts: to people whom this one has accepted, many in one message, unless the person wants none sent; and what the own
//! devices have read.

use std::time::Duration;

use rossby_crypto::group::GroupId;
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;

use super::own_devices::OwnMessage;
use super::send::Written;
use super::{Conversation, Message};
use crate::Client;
use crate::content::{
    Content, Kind, MAX_MARKED, MAX_RECEIPTED, MessageRef, PeerStates, ReadMarks, Receipt, ReceiptState, ReceiptsState,
    Standing,
};
use crate::error::ClientError;
use crate::store::device::Device;
use crate::store::messages::StoredMessage;
use crate::store::{peers, receipts, transcripts};

/// Which receipts the person sends, and whether others see that they write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptSettings {
    /// That messages have come.
    pub delivery: bool,
    /// That they have been read.
    pub read: bool,
    /// That the person writes just now.
    pub typing: bool,
}

impl ReceiptsState {
    const fn wants(self, state: ReceiptState) -> bool {
        match state {
            ReceiptState::Delivered => self.delivery,
            ReceiptState::Read => self.read,
        }
    }
}

impl Client {
    /// Which receipts the person sends.
    ///
    /// # Errors
    /// The store's.
    pub async fn receipt_settings(&self) -> Result<ReceiptSettings, ClientError> {
        let ReceiptsState { delivery, read, typing, .. } = peers::receipts(&mut *self.store.read().await?).await?;
        Ok(ReceiptSettings { delivery, read, typing })
    }

    /// Changes which receipts the person sends, on all of the own devices.
    ///
    /// # Errors
    /// [`ClientError::NotRegistered`], or the store's.
    pub async fn set_receipts(&self, settings: ReceiptSettings) -> Result<(), ClientError> {
        let device = self.device().await?;
        let mut transaction = self.store.begin().await?;
        let known = peers::receipts(&mut transaction).await?;
        let ReceiptSettings { delivery, read, typing } = settings;
        if (known.delivery, known.read, known.typing) == (delivery, read, typing) {
            return Ok(());
        }
        // After what was said before, whatever the clocks.
        let changed_at = self.now().max(known.changed_at.plus(Duration::from_millis(1)));
        let said = ReceiptsState { delivery, read, typing, changed_at };
        peers::merge_receipts(&mut transaction, said).await?;
        let states = PeerStates { receipts: Some(said), ..PeerStates::default() };
        self.tell_devices(&mut transaction, &device, &OwnMessage::PeerStates(states)).await?;
        Ok(transaction.commit().await?)
    }

    /// These messages have been read, and what was said of them: their authors and the own devices are told with what goes out
    /// next.
    ///
    /// # Errors
    /// The store's.
    pub async fn mark_read(&self, messages: &[Message]) -> Result<(), ClientError> {
        let device = self.device().await?;
        let mut transaction = self.store.begin().await?;
        let mut marked: Vec<MessageRef> = Vec::new();
        for message in messages {
            let read = transcripts::mark_read(&mut transaction, message.id).await?;
            let itself = MessageRef { box_id: message.author, message_id: message.message_id };
            if read.contains(&itself) && !message.is_outgoing && !message.is_request {
                self.owe(&mut transaction, message.kind, (message.conversation, itself), ReceiptState::Read).await?;
            }
            marked.extend(read);
        }
        for messages in marked.chunks(MAX_MARKED) {
            let marks = OwnMessage::ReadMarks(ReadMarks { messages: messages.to_vec() });
            self.tell_devices(&mut transaction, &device, &marks).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// A message has come that may be receipted.
    pub(crate) async fn owe_delivered(
        &self,
        connection: &mut SqliteConnection,
        stored: &StoredMessage,
    ) -> Result<(), ClientError> {
        let itself = MessageRef { box_id: stored.sender, message_id: stored.message_id };
        if stored.is_shown {
            self.owe(connection, Kind::of(stored.kind), (stored.thread, itself), ReceiptState::Delivered).await?;
        }
        Ok(())
    }

    async fn owe(
        &self,
        connection: &mut SqliteConnection,
        kind: Kind,
        (thread, message): (Conversation, MessageRef),
        state: ReceiptState,
    ) -> Result<(), ClientError> {
        if kind.is_receipted() && self.sends_receipts(connection, message.box_id, state).await? {
            receipts::owe(connection, thread, message, state).await?;
        }
        Ok(())
    }

    async fn sends_receipts(
        &self,
        connection: &mut SqliteConnection,
        to: BoxId,
        state: ReceiptState,
    ) -> Result<bool, ClientError> {
        let standing = peers::state(connection, to).await?.standing;
        Ok(standing == Standing::Accepted && peers::receipts(connection).await?.wants(state))
    }

    /// Puts the receipts that are to be sent into the outbox.
    pub(crate) async fn write_receipts(&self, device: &Device) -> Result<(), ClientError> {
        loop {
            let mut transaction = self.store.begin().await?;
            let Some((box_id, state, group, message_ids)) = receipts::owed(&mut transaction, MAX_RECEIPTED).await?
            else {
                return Ok(());
            };
            receipts::owed_no_more(&mut transaction, box_id, &message_ids).await?;
            // Who is in a group with this person no more hears nothing more of it.
            let is_fellow = match group {
                Some(group) => self.fellows(&mut transaction, device.box_id, GroupId(group)).await?.contains(&box_id),
                None => true,
            };
            // What was owed before the person changed their mind is not.
            if is_fellow && self.sends_receipts(&mut transaction, box_id, state).await? {
                let receipt = Content::Receipt(Receipt { state, message_ids, group });
                let body: Octets = receipt.encode()?;
                let conversation = Conversation::Direct(box_id);
                let written = Written {
                    conversation,
                    kind: Kind::Receipt.number(),
                    body,
                    is_shown: false,
                    frame: None,
                    beside: None,
                };
                self.compose(&mut transaction, device, &[box_id], written).await?;
            }
            transaction.commit().await?;
        }
    }

    /// Hands over what waits: messages, and receipts for what was read. What can't be handed over now goes out later.
    ///
    /// # Errors
    /// The store's.
    pub async fn hand_over_what_waits(&self) -> Result<(), ClientError> {
        self.write_receipts(&self.device().await?).await?;
        for stopped in self.flush().await? {
            tracing::debug!(?stopped, "the outbox could not be emptied");
        }
        Ok(())
    }
}
