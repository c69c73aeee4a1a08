//! Following: what comes for this device, as it comes. Over the live stream where it can be had, by asking again and again where
//! not; what can't be reached is tried again.
//!
//! A message goes the same way whichever way it came: opened, verified, stored, and then confirmed. So it is stored once, and
//! nothing is believed that [`Client::receive`] wouldn't believe.

mod connection;
mod heard;
mod session;
mod typing;

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use rossby_schemas::http::messages::{MAX_WAIT_SECONDS, OutgoingMessage};
use rossby_schemas::http::stream::Changed;
use rossby_schemas::ids::BoxId;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use self::connection::{Connection, Lost};
use self::heard::Heard;
use self::session::Session;
pub use self::typing::Indicated;
use crate::Client;
use crate::error::ClientError;
use crate::messages::{Conversation, Received};

const STREAM: &str = "/v1/stream";
/// How long to wait before what failed is tried again, at first and at most; and at most where the server says how long.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long the server is let wait for messages, where there is no stream.
const LONGEST_WAIT: Duration = Duration::from_secs(MAX_WAIT_SECONDS as u64 - 5);
/// How long to do without a stream that can't be had, at first and at most.
const WITHOUT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));
/// How long the answer to a confirmation is waited for. A server that appends to its log answers sooner or not at all.
pub(crate) const CONFIRM_PATIENCE: Duration = Duration::from_secs(30);
/// A stream that lasts less is as good as none.
const SHORT: Duration = Duration::from_secs(10);

/// How this device hears of what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Over the live stream, as it comes.
    Stream,
    /// By asking again and again: the stream can't be had. There are no signals then.
    Asking,
}

/// What a device that follows is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server can be reached.
    Connected(Way),
    /// The server can't be reached any more. It is tried again.
    Disconnected {
        /// Why, as far as is known. A part of it may be the server's text.
        reason: String,
    },
    /// The server can't be reached, and is tried again after a pause, or at once with [`Client::try_now`].
    Waiting {
        /// Why, as far as is known. A part of it may be the server's text.
        reason: String,
        /// How long the pause is.
        pause: Duration,
    },
    /// Messages came and are in the store, among the unread ones, or were known or refused: see [`Client::warnings`].
    Received(Received),
    /// Somebody writes, or has stopped.
    Typing(Typing),
    /// Something of the account is another than before.
    Changed(Changed),
}

/// Somebody writes, or has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// Where.
    pub conversation: Conversation,
    /// Who.
    pub box_id: BoxId,
    /// The identifier under which this device found them, if it did.
    pub identifier: Option<String>,
    /// Whether they write.
    pub is_typing: bool,
}

/// What following leaves for the rest of the client: how signals go out, and what was said last.
#[derive(Debug)]
pub(crate) struct Live {
    /// How long the answer to a confirmation is waited for.
    confirm_patience: Duration,
    /// Of the stream that is open; each has another number.
    outgoing: Mutex<Option<(u64, mpsc::Sender<Vec<OutgoingMessage>>)>>,
    indicated: Mutex<HashMap<Conversation, (Instant, bool)>>,
    /// Told when somebody doesn't want to wait.
    hurry: Notify,
}

impl Live {
    pub(crate) fn new(confirm_patience: Duration) -> Self {
        let (outgoing, indicated, hurry) = (Mutex::default(), Mutex::default(), Notify::new());
        Self { confirm_patience, outgoing, indicated, hurry }
    }

    fn outgoing(&self) -> MutexGuard<'_, Option<(u64, mpsc::Sender<Vec<OutgoingMessage>>)>> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn indicated(&self) -> MutexGuard<'_, HashMap<Conversation, (Instant, bool)>> {
        self.indicated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why following ends.
enum End {
    /// Nobody listens to the events any more.
    Left,
    /// Waiting doesn't cure it.
    Failed(ClientError),
}

impl From<ClientError> for End {
    fn from(error: ClientError) -> Self {
        Self::Failed(error)
    }
}

/// How long to wait before asking again, if that may help: what the server asks for, or nothing in particular.
fn passes(error: &ClientError) -> Option<Option<Duration>> {
    match error {
        ClientError::Unreachable { .. } => Some(None),
        ClientError::Refused(problem) if matches!(problem.status, 429 | 500 | 503) => {
            Some(problem.retry_after.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE)))
        }
        _ => None,
    }
}

/// Pauses that grow, from the first to the second, and by chance: not all that have lost a server come back at once.
fn growing((first, most): (Duration, Duration)) -> ExponentialBackoff {
    let growing = ExponentialBuilder::default().with_min_delay(first).with_max_delay(most);
    growing.with_jitter().without_max_times().build()
}

/// Whether an answer to the handshake says that the stream can't be had, rather than that this device may not have it.
fn is_no_stream(error: &ClientError) -> bool {
    match error {
        // A proxy's own answer, or one that passes no upgrade on.
        ClientError::BadAnswer(_) => true,
        ClientError::Refused(problem) => matches!(problem.status, 400 | 404 | 405 | 426),
        _ => false,
    }
}

impl Client {
    /// Ends the pauses of whoever follows: the server is tried now, and the stream where there was none.
    pub fn try_now(&self) {
        self.live.hurry.notify_waiters();
    }

    /// Follows what comes, and tells it, until nobody listens to the events any more. It hands over what waits in the outbox, and
    /// keeps the account true, too. May be dropped at any time: what it was at is done again by whoever comes next.
    ///
    /// # Errors
    /// What waiting doesn't cure: [`ClientError::Removed`], [`ClientError::NotKnown`], an account that is not as it must be.
    pub async fn follow(&self, events: mpsc::Sender<Event>) -> Result<(), ClientError> {
        let mut follower = Follower { client: self, events, way: None, is_told: false, heard: Heard::default() };
        match follower.run().await {
            Err(End::Left) => Ok(()),
            Err(End::Failed(error)) => Err(error),
            Ok(never) => match never {},
        }
    }
}

/// What came of an attempt to follow over a stream.
enum Streamed {
    /// It was open for so long.
    Lasted(Duration),
    /// There was none. The server may have said when there is.
    NotHad(Option<Duration>),
}

/// One that follows.
struct Follower<'a> {
    client: &'a Client,
    events: mpsc::Sender<Event>,
    way: Option<Way>,
    /// Whether it was told that the server can't be reached.
    is_told: bool,
    /// Over all streams: what was heard over one is a replay over the next.
    heard: Heard,
}

impl Follower<'_> {
    async fn run(&mut self) -> Result<Infallible, End> {
        let (mut pauses, mut without) = (growing(PAUSE), growing(WITHOUT));
        let mut stream_at = Instant::now();
        loop {
            if Instant::now() >= stream_at {
                let asked_for = match self.stream().await? {
                    // It was a good one: the next is tried at once.
                    Streamed::Lasted(lasted) if lasted >= SHORT => {
                        (pauses, without) = (growing(PAUSE), growing(WITHOUT));
                        continue;
                    }
                    Streamed::Lasted(_) => None,
                    Streamed::NotHad(asked_for) => asked_for,
                };
                let pause = without.next().unwrap_or(WITHOUT.1);
                stream_at = Instant::now() + asked_for.map_or(pause, |asked_for| asked_for.max(pause));
            }
            let wait = LONGEST_WAIT.min(stream_at.saturating_duration_since(Instant::now()));
            // The first answer is what there is: it says whether anything can be had.
            let wait = if self.way.is_some() { wait } else { Duration::ZERO };
            let asked = Instant::now();
            let received = tokio::select! {
                received = self.client.receive(wait) => received,
                () = self.client.live.hurry.notified() => {
                    stream_at = Instant::now();
                    continue;
                }
                () = self.events.closed() => return Err(End::Left),
            };
            match received {
                Ok(received) => {
                    self.connected(Way::Asking).await?;
                    // A server that lets nobody wait is not asked without end.
                    if !self.tell_received(received).await? && asked.elapsed() < PAUSE.0 {
                        self.rest(PAUSE.0).await?;
                    }
                    pauses = growing(PAUSE);
                }
                Err(error) => {
                    let Some(asked_for) = passes(&error) else { return Err(error.into()) };
                    let reason = error.to_string();
                    self.disconnected(&reason).await?;
                    let pause = pauses.next().unwrap_or(PAUSE.1);
                    self.pause(reason, asked_for.map_or(pause, |asked_for| asked_for.max(pause))).await?;
                    // Once the server can be reached again, the stream is the first that is tried.
                    (stream_at, without) = (Instant::now(), growing(WITHOUT));
                }
            }
        }
    }

    /// Follows over a stream until it is lost.
    async fn stream(&mut self) -> Result<Streamed, End> {
        let device = self.client.device().await?;
        let socket = match self.client.ask_for_web_socket(&device, STREAM).await {
            Ok(socket) => socket,
            Err(error) if is_no_stream(&error) => return Ok(Streamed::NotHad(None)),
            Err(error) => match passes(&error) {
                Some(asked_for) => return Ok(Streamed::NotHad(asked_for)),
                None => return Err(error.into()),
            },
        };
        let began = Instant::now();
        let Lost { reason } = match Session::begin(self, Connection::new(socket)).await? {
            Ok(mut session) => {
                self.connected(Way::Stream).await?;
                session.run(self).await?
            }
            Err(lost) => lost,
        };
        // Who wrote may have stopped meanwhile.
        for typing in self.heard.forget() {
            self.tell(Event::Typing(typing)).await?;
        }
        self.disconnected(&reason).await?;
        Ok(Streamed::Lasted(began.elapsed()))
    }

    async fn connected(&mut self, way: Way) -> Result<(), End> {
        if self.way == Some(way) {
            return Ok(());
        }
        (self.way, self.is_told) = (Some(way), false);
        self.tell(Event::Connected(way)).await
    }

    async fn disconnected(&mut self, reason: &str) -> Result<(), End> {
        self.way = None;
        if self.is_told {
            return Ok(());
        }
        self.is_told = true;
        self.tell(Event::Disconnected { reason: reason.to_owned() }).await
    }

    /// Tells what was received, and whether anything was.
    async fn tell_received(&self, received: Received) -> Result<bool, End> {
        let Received { new, duplicates, refused, waiting, .. } = received;
        let is_something = new + duplicates + refused + waiting > 0;
        if is_something {
            self.tell(Event::Received(received)).await?;
        }
        Ok(is_something)
    }

    async fn tell(&self, event: Event) -> Result<(), End> {
        self.events.send(event).await.map_err(|_| End::Left)
    }

    /// Says that it waits, and does.
    async fn pause(&self, reason: String, pause: Duration) -> Result<(), End> {
        // Whoever hears of the pause may end it.
        let mut hurry = pin!(self.client.live.hurry.notified());
        hurry.as_mut().enable();
        self.tell(Event::Waiting { reason, pause }).await?;
        tokio::select! {
            rested = self.rest(pause) => rested,
            () = hurry => Ok(()),
        }
    }

    async fn rest(&self, pause: Duration) -> Result<(), End> {
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.events.closed() => Err(End::Left),
        }
    }
}

#[cfg(test)]
mod tests;
