//! What does the work that the machine wants done: one task that writes, in order; one that reads, in order; one that follows what
//! comes; one that hands over what was written; one that goes on with uploads; and one for each action, since they may take long.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use rossby_client::{Addressee, Client, ClientError, Content, Conversation, GroupId, Peer};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};

use super::actions::Doer;
use super::files::Files;
use super::{Woken, drafts, live};
use crate::person::chat::state::drafts::{Say, Sending};
use crate::person::chat::state::effect::Effect;
use crate::person::chat::state::event::Event;

/// How long the end waits for what is being written down.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the machine's answers go.
#[derive(Debug, Clone)]
pub(super) struct Answers(UnboundedSender<Woken>);

impl Answers {
    /// The machine may be gone; then nobody needs to know.
    pub(super) fn say(&self, event: Event) {
        let _ = self.0.send(Woken::By(event));
    }
}

/// What does the work.
pub(super) struct Hands {
    client: Arc<Client>,
    answers: Answers,
    outbox: Arc<Notify>,
    files: Arc<Files>,
    doer: Arc<Doer>,
    tasks: JoinSet<()>,
    reads: Option<UnboundedSender<Effect>>,
    writes: Option<UnboundedSender<Effect>>,
    writer: Option<JoinHandle<()>>,
}

impl Hands {
    pub(super) fn new(client: Arc<Client>, to: UnboundedSender<Woken>) -> Self {
        let (answers, outbox) = (Answers(to), Arc::new(Notify::new()));
        let files = Arc::new(Files::new(Arc::clone(&client), answers.clone()));
        let doer = Arc::new(Doer::new(Arc::clone(&client), Arc::clone(&files)));
        Self { client, answers, outbox, files, doer, tasks: JoinSet::new(), reads: None, writes: None, writer: None }
    }

    /// Begins to work.
    pub(super) fn begin(&mut self) {
        let (writes, to_write) = unbounded_channel();
        let (reads, to_read) = unbounded_channel();
        let (client, answers, outbox) = (&self.client, &self.answers, &self.outbox);
        self.writer = Some(tokio::spawn(write(Arc::clone(client), answers.clone(), Arc::clone(outbox), to_write)));
        self.tasks.spawn(read(Arc::clone(client), answers.clone(), to_read));
        self.tasks.spawn(drafts::restore(Arc::clone(client), answers.clone()));
        let reached = Arc::new(Notify::new());
        self.tasks.spawn(live::follow(Arc::clone(client), answers.clone(), Arc::clone(&reached)));
        self.tasks.spawn(Arc::clone(&self.files).go_on(reached, Arc::clone(outbox)));
        self.tasks.spawn(hand_over(Arc::clone(client), answers.clone(), Arc::clone(outbox)));
        (self.writes, self.reads) = (Some(writes), Some(reads));
    }

    /// Takes something that is to be done.
    pub(super) fn take(&mut self, effect: Effect) {
        let to = match &effect {
            Effect::Typing { conversation, is_typing } => {
                let (client, conversation, is_typing) = (Arc::clone(&self.client), *conversation, *is_typing);
                self.tasks.spawn(async move {
                    // Whoever doesn't hear it misses nothing.
                    if let Err(error) = client.indicate_typing(conversation, is_typing).await {
                        tracing::debug!(%error, "typing could not be told");
                    }
                });
                return;
            }
            Effect::LoadConversations | Effect::LoadTranscript { .. } | Effect::LoadWarnings | Effect::LoadUploads => {
                &self.reads
            }
            Effect::TryNow => return self.client.try_now(),
            Effect::Do(action) => {
                let (doer, answers, outbox) = (Arc::clone(&self.doer), self.answers.clone(), Arc::clone(&self.outbox));
                let action = action.clone();
                self.tasks.spawn(async move {
                    let result = doer.act(&action).await.map_err(|error| error.to_string());
                    answers.say(Event::Done { action, result });
                    outbox.notify_one();
                });
                return;
            }
            _ => &self.writes,
        };
        if let Some(to) = to {
            // A worker that ended has said why.
            let _ = to.send(effect);
        }
    }

    /// Waits until something has ended that must not.
    pub(super) async fn broken(&mut self) -> anyhow::Error {
        loop {
            let ended = match &mut self.writer {
                Some(writer) => tokio::select! {
                    ended = self.tasks.join_next() => ended,
                    ended = writer => Some(ended),
                },
                None => self.tasks.join_next().await,
            };
            match ended {
                Some(Err(error)) => return anyhow!("a part of the chat has failed: {error}"),
                Some(Ok(())) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Writes down what is still to be written, and ends everything else.
    pub(super) async fn rest(mut self) {
        drop(self.writes.take());
        if let Some(writer) = self.writer.take() {
            let _ = tokio::time::timeout(PATIENCE, writer).await;
        }
        self.tasks.shutdown().await;
    }
}

/// Writes, one thing after the other.
async fn write(client: Arc<Client>, answers: Answers, outbox: Arc<Notify>, mut effects: UnboundedReceiver<Effect>) {
    while let Some(effect) = effects.recv().await {
        let written = match effect {
            Effect::Send(sending) => {
                let result = send(&client, &sending).await.map_err(|error| error.to_string());
                answers.say(Event::Stored { number: sending.number, result });
                outbox.notify_one();
                Ok(())
            }
            Effect::MarkRead(messages) => {
                let marked = client.mark_read(&messages).await;
                outbox.notify_one();
                answers.say(Event::Changed);
                marked
            }
            Effect::KeepDraft(kept) => client.keep_draft(&drafts::to_keep(kept)).await,
            Effect::WarningsShown(notices) => client.warnings_shown(&notices).await,
            _ => Ok(()),
        };
        if let Err(error) = written {
            answers.say(Event::Failed(error.to_string()));
        }
    }
}

async fn send(client: &Client, sending: &Sending) -> Result<(), ClientError> {
    let to = addressee(sending.conversation);
    let sent = match &sending.say {
        Say::Text { text, reply_to: None } => client.send_to(&to, &Content::Text(text.clone())).await?,
        Say::Text { text, reply_to: Some(quote) } => client.reply_to(&to, &quote.message_id.into(), text).await?,
        Say::Edit { message_id, text } => client.edit(&(*message_id).into(), text).await?,
    };
    drop(sent);
    Ok(())
}

/// Whom what is written in a conversation goes to.
pub(super) fn addressee(conversation: Conversation) -> Addressee {
    match conversation {
        Conversation::Direct(peer) => Addressee::Peer(Peer::Box(peer)),
        Conversation::Group(id) => Addressee::Group(GroupId(id).into()),
    }
}

/// Reads, one thing after the other. What is asked for several times before it was read is read once.
async fn read(client: Arc<Client>, answers: Answers, mut effects: UnboundedReceiver<Effect>) {
    while let Some(first) = effects.recv().await {
        let mut wanted = Wanted::default();
        wanted.add(first);
        while let Ok(effect) = effects.try_recv() {
            wanted.add(effect);
        }
        if let Err(error) = wanted.read(&client, &answers).await {
            answers.say(Event::Failed(error.to_string()));
        }
    }
}

/// What is to be read.
#[derive(Debug, Default)]
struct Wanted {
    conversations: bool,
    warnings: bool,
    uploads: bool,
    transcript: Option<(Conversation, u32)>,
}

impl Wanted {
    fn add(&mut self, effect: Effect) {
        match effect {
            Effect::LoadConversations => self.conversations = true,
            Effect::LoadWarnings => self.warnings = true,
            Effect::LoadUploads => self.uploads = true,
            // The last one that was asked for is the one on the screen.
            Effect::LoadTranscript { conversation, limit } => self.transcript = Some((conversation, limit)),
            _ => {}
        }
    }

    async fn read(self, client: &Client, answers: &Answers) -> Result<(), ClientError> {
        if let Some((conversation, limit)) = self.transcript {
            let messages = client.transcript(conversation, limit, None).await?;
            answers.say(Event::Transcript { conversation, limit, messages });
        }
        if self.conversations {
            answers.say(Event::Conversations(client.conversations().await?));
        }
        if self.warnings {
            answers.say(Event::Warnings(client.warnings().await?));
        }
        if self.uploads {
            answers.say(Event::Uploads(client.pending_uploads().await?));
        }
        Ok(())
    }
}

/// Hands over what was written, each time that something was.
async fn hand_over(client: Arc<Client>, answers: Answers, outbox: Arc<Notify>) {
    loop {
        outbox.notified().await;
        if let Err(error) = client.hand_over_what_waits().await {
            answers.say(Event::Failed(error.to_string()));
        }
        answers.say(Event::Changed);
    }
}
