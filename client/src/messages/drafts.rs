//! What a person is writing, kept on this device until it is sent.

use rossby_schemas::ids::MessageId;

use super::Conversation;
use crate::Client;
use crate::error::ClientError;
use crate::store::drafts;

/// What a person is writing to a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The conversation.
    pub conversation: Conversation,
    /// What is written so far.
    pub text: String,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
}

impl Client {
    /// What was being written.
    ///
    /// # Errors
    /// The store's.
    pub async fn drafts(&self) -> Result<Vec<Draft>, ClientError> {
        drafts::all(&mut *self.store.read().await?, &self.vault).await
    }

    /// Keeps a draft in place of the conversation's last one. One that says nothing is forgotten.
    ///
    /// # Errors
    /// The store's.
    pub async fn keep_draft(&self, draft: &Draft) -> Result<(), ClientError> {
        let mut transaction = self.store.begin().await?;
        drafts::keep(&mut transaction, &self.vault, draft).await?;
        Ok(transaction.commit().await?)
    }
}
