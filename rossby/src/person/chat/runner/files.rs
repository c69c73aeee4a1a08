//! Files: sent and saved, one upload at a time, and how far they are.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rossby_client::{
    Client, ClientError, Content, Conversation, FileSent, FileToSend, Message, Progress, Target, Tell,
};
use tokio::sync::Notify;

use super::hands::{Answers, addressee};
use crate::person::chat::state::action::Outcome;
use crate::person::chat::state::event::{Event, Transfer};

/// What goes from files to messages and back.
pub(super) struct Files {
    client: Arc<Client>,
    answers: Answers,
    last: AtomicU64,
    /// What is kept is gone on with by one at a time: no upload is begun twice.
    uploading: tokio::sync::Mutex<()>,
}

impl Files {
    pub(super) fn new(client: Arc<Client>, answers: Answers) -> Self {
        Self { client, answers, last: AtomicU64::new(0), uploading: tokio::sync::Mutex::new(()) }
    }

    /// Sends a file.
    pub(super) async fn send(
        &self,
        conversation: Conversation,
        path: &Path,
        caption: Option<String>,
    ) -> Result<Outcome, ClientError> {
        let path = expanded(path);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let _one = self.uploading.lock().await;
        let begun = self.begin(name);
        let file = FileToSend { caption, ..FileToSend::new(path) };
        let sent = self.client.send_file_to(&addressee(conversation), file, Some(begun.tell())).await?;
        Ok(match sent {
            FileSent::Said(_) => Outcome::said("The file is sent"),
            FileSent::Waiting { reason, .. } => Outcome::said(format!(
                "The file is kept, encrypted, and goes on when the server can be reached: {reason}"
            )),
        })
    }

    /// Saves the file that came with a message, if none of that name is there.
    pub(super) async fn download(&self, message: &Message, to: &Path) -> Result<Outcome, ClientError> {
        let name = match &message.content {
            Some(Content::Attachment(attachment)) => attachment.name.clone(),
            _ => String::new(),
        };
        let begun = self.begin(name);
        let target = Target { path: expanded(to), overwrites: false };
        let path = self.client.download(message, &target, Some(begun.tell())).await?;
        Ok(Outcome::said(format!("Saved as {}", path.display())))
    }

    /// Goes on with what is kept and not on the server yet, each time that the server can be reached again.
    pub(super) async fn go_on(self: Arc<Self>, reached: Arc<Notify>, outbox: Arc<Notify>) {
        loop {
            reached.notified().await;
            if let Err(error) = self.upload().await {
                self.answers.say(Event::Failed(error.to_string()));
            }
            outbox.notify_one();
        }
    }

    async fn upload(&self) -> Result<(), ClientError> {
        let _one = self.uploading.lock().await;
        let pending = self.client.pending_uploads().await?;
        let Some(first) = pending.first() else { return Ok(()) };
        let begun = self.begin(first.name.clone());
        for (_, outcome) in self.client.upload_pending(Some(begun.tell())).await? {
            match outcome {
                // It goes on with the next time.
                Ok(_) | Err(ClientError::Unreachable { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn begin(&self, name: String) -> Begun {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        Begun { number, name, answers: self.answers.clone() }
    }
}

/// A file on its way, until this is dropped.
struct Begun {
    number: u64,
    name: String,
    answers: Answers,
}

impl Begun {
    /// Tells how far it is, each hundredth once.
    fn tell(&self) -> Tell {
        let (number, name, answers) = (self.number, self.name.clone(), self.answers.clone());
        let told = Mutex::new(None);
        Arc::new(move |Progress { step, done, total }| {
            let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100).min(100);
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if *told != Some((step, percent)) {
                *told = Some((step, percent));
                answers.say(Event::Transfer(Transfer { number, name: name.clone(), step, percent }));
            }
        })
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.answers.say(Event::TransferEnded(self.number));
    }
}

/// A path as a shell would take it: `~` is the person's own folder.
fn expanded(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => path.to_owned(),
    }
}
