//! Files: sent and saved, one upload at a time, how far they are, and how one is stopped.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rossby_client::{
    Client, ClientError, Content, Conversation, FileSent, FileToSend, Message, Progress, Target, Tell,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

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
    /// How each file that is on its way is stopped, by its number.
    stops: Stops,
}

type Stops = Arc<Mutex<HashMap<u64, CancellationToken>>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Files {
    pub(super) fn new(client: Arc<Client>, answers: Answers) -> Self {
        let (last, uploading) = (AtomicU64::new(0), tokio::sync::Mutex::new(()));
        Self { client, answers, last, uploading, stops: Stops::default() }
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
        let begun = self.begin(name, true, None);
        let file = FileToSend { caption, ..FileToSend::new(path) };
        let _one = tokio::select! {
            one = self.uploading.lock() => one,
            () = begun.stop.cancelled() => return Ok(Outcome::said(GIVEN_UP)),
        };
        let (to, tell) = (addressee(conversation), Some(begun.tell()));
        let kept = match self.client.keep_file_for(&to, file, tell, begun.stop.cancelled()).await {
            Err(_) if begun.stop.is_cancelled() => return Ok(Outcome::said(GIVEN_UP)),
            kept => kept?.id,
        };
        begun.is_kept_as(kept);
        let sent = tokio::select! {
            sent = self.client.send_kept(kept, Some(begun.tell())) => sent?,
            () = begun.stop.cancelled() => return self.give_up(kept).await,
        };
        Ok(match sent {
            FileSent::Said(_) => Outcome::said("The file is sent"),
            FileSent::Waiting { reason, .. } => Outcome::said(format!(
                "The file is kept, encrypted, and goes on when the server can be reached: {reason}"
            )),
        })
    }

    /// Gives up a file that is kept and not sent yet.
    pub(super) async fn give_up(&self, upload: i64) -> Result<Outcome, ClientError> {
        match self.client.cancel_upload(upload).await {
            Ok(_) => Ok(Outcome::said(GIVEN_UP)),
            Err(ClientError::NoSuchUpload(_)) => Ok(Outcome::said("It was too late: the file is sent")),
            Err(error) => Err(error),
        }
    }

    /// Stops a file that is on its way, if it still is.
    pub(super) fn stop(&self, number: u64) {
        if let Some(stop) = lock(&self.stops).get(&number) {
            stop.cancel();
        }
    }

    /// Saves the file that came with a message, if none of that name is there.
    pub(super) async fn download(&self, message: &Message, to: &Path) -> Result<Outcome, ClientError> {
        let name = match &message.content {
            Some(Content::Attachment(attachment)) => attachment.name.clone(),
            _ => String::new(),
        };
        let begun = self.begin(name, false, None);
        let target = Target { path: expanded(to), overwrites: false };
        let path = tokio::select! {
            path = self.client.download(message, &target, Some(begun.tell())) => path?,
            () = begun.stop.cancelled() => {
                return Ok(Outcome::said("Stopped. Saved there again, it goes on from where it was"));
            }
        };
        Ok(Outcome::said(format!("Saved as {}", path.display())))
    }

    /// Goes on with what is kept and not on the server yet, each time that the server can be reached again.
    pub(super) async fn go_on(self: Arc<Self>, reached: Arc<Notify>, outbox: Arc<Notify>) {
        loop {
            reached.notified().await;
            if let Err(error) = self.upload(&outbox).await {
                self.answers.say(Event::Failed(error.to_string()));
            }
        }
    }

    async fn upload(&self, outbox: &Notify) -> Result<(), ClientError> {
        let _one = self.uploading.lock().await;
        for upload in self.client.pending_uploads().await? {
            let begun = self.begin(upload.name.clone(), true, Some(upload.id));
            let sent = tokio::select! {
                sent = self.client.send_kept(upload.id, Some(begun.tell())) => sent.map(drop),
                () = begun.stop.cancelled() => self.give_up(upload.id).await.map(drop),
            };
            match sent {
                // It was sent, or given up, or goes on with the next time.
                Ok(()) | Err(ClientError::NoSuchUpload(_)) => {}
                Err(error) => self.answers.say(Event::Failed(error.to_string())),
            }
            outbox.notify_one();
        }
        Ok(())
    }

    fn begin(&self, name: String, is_sent: bool, upload: Option<i64>) -> Begun {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let (stop, answers) = (CancellationToken::new(), self.answers.clone());
        lock(&self.stops).insert(number, stop.clone());
        let transfer = Transfer { number, name, is_sent, upload, step: None, percent: 0 };
        answers.say(Event::Transfer(transfer.clone()));
        Begun { transfer, upload: Arc::new(Mutex::new(upload)), answers, stop, stops: Arc::clone(&self.stops) }
    }
}

const GIVEN_UP: &str = "Given up: the file is not sent";

/// A file on its way, until this is dropped.
struct Begun {
    /// As it was at the beginning.
    transfer: Transfer,
    /// The number under which it is kept, once it is.
    upload: Arc<Mutex<Option<i64>>>,
    answers: Answers,
    stop: CancellationToken,
    stops: Stops,
}

impl Begun {
    fn is_kept_as(&self, upload: i64) {
        *lock(&self.upload) = Some(upload);
    }

    /// Tells how far it is, each hundredth once.
    fn tell(&self) -> Tell {
        let (transfer, upload, answers) = (self.transfer.clone(), Arc::clone(&self.upload), self.answers.clone());
        let told = Mutex::new(None);
        Arc::new(move |Progress { step, done, total }| {
            let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100).min(100);
            if lock(&told).replace((step, percent)) != Some((step, percent)) {
                let upload = *lock(&upload);
                answers.say(Event::Transfer(Transfer { step: Some(step), percent, upload, ..transfer.clone() }));
            }
        })
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        lock(&self.stops).remove(&self.transfer.number);
        self.answers.say(Event::TransferEnded(self.transfer.number));
    }
}

/// A path as a shell would take it: `~` is the person's own folder.
pub(super) fn expanded(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => path.to_owned(),
    }
}
