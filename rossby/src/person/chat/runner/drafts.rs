//! Drafts: kept by the client while the chat doesn't run.

use std::sync::Arc;

use rossby_client::{Client, ClientError, Conversation, Draft, GroupId};

use super::hands::Answers;
use crate::person::chat::names;
use crate::person::chat::state::drafts::{KeptDraft, Quote};
use crate::person::chat::state::event::Event;

/// A draft as the client keeps it.
pub(super) fn to_keep(kept: KeptDraft) -> Draft {
    let reply_to = kept.reply_to.map(|quote| quote.message_id);
    Draft { conversation: kept.conversation, text: kept.text, reply_to }
}

/// Gives what was kept back.
pub(super) async fn restore(client: Arc<Client>, answers: Answers) {
    match kept(&client).await {
        Ok(kept) => answers.say(Event::Drafts(kept)),
        Err(error) => answers.say(Event::Failed(error.to_string())),
    }
}

async fn kept(client: &Client) -> Result<Vec<(KeptDraft, String)>, ClientError> {
    let mut kept = Vec::new();
    for draft in client.drafts().await? {
        let name = name(client, draft.conversation).await?;
        let reply_to = match draft.reply_to {
            Some(message_id) => quote(client, &draft, message_id.into()).await?,
            None => None,
        };
        kept.push((KeptDraft { conversation: draft.conversation, text: draft.text, reply_to }, name));
    }
    Ok(kept)
}

async fn name(client: &Client, conversation: Conversation) -> Result<String, ClientError> {
    let (identifiers, group) = match conversation {
        Conversation::Direct(peer) => (client.identifiers_of(peer).await?, None),
        Conversation::Group(id) => match client.group(&GroupId(id).into()).await {
            Ok(group) => (Vec::new(), Some(group.name)),
            Err(ClientError::NoSuchGroup(_) | ClientError::NoGroupNamed(_)) => (Vec::new(), None),
            Err(error) => return Err(error),
        },
    };
    Ok(names::conversation(conversation, identifiers.first().map(String::as_str), group.as_deref()))
}

/// The message that a draft answers, if it is still there.
async fn quote(
    client: &Client,
    draft: &Draft,
    message: rossby_client::MessageName,
) -> Result<Option<Quote>, ClientError> {
    match client.find_in(draft.conversation, &message).await {
        Ok(found) => Ok(Some(Quote {
            message_id: found.message_id,
            author: names::author(&found),
            text: names::summary(&found),
        })),
        Err(ClientError::NoSuchMessage(_) | ClientError::AmbiguousMessage(_) | ClientError::OtherConversation(_)) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
