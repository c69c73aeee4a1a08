//! One stream: what its device is given and says, until one of the two has enough.

use std::collections::VecDeque;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures::StreamExt as _;
use futures::stream::SplitStream;
use metrics::counter;
use rossby_commands::{Caller, CommandError, Delivery, Subscription};
use rossby_schemas::http::messages::ConfirmRequest;
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::http::signals::SignalRequest;
use rossby_schemas::http::stream::{ClientFrame, MAX_CLIENT_FRAME_OCTETS, ServerFrame, close};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tracing::Instrument as _;

use super::frames::{self, Refused};
use super::writer::{Outgoing, write};
use super::{Seat, count};
use crate::error::ApiError;
use crate::server::Place;
use crate::state::Api;

/// A longer frame is not even read. One between the two limits is, so that the stream can be closed in order.
const MAX_READ_OCTETS: usize = 2 * MAX_CLIENT_FRAME_OCTETS;
/// Every stream has buffers of these sizes; the crate's own are made for few of them.
const BUFFER_OCTETS: usize = 8 * 1024;
/// So many answers wait to be written; with more of them nothing is read.
const MOST_ANSWERS: usize = 8;
/// How long a stream that is closed has for its last frames, and its client for its own close.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client closed it, or is gone.
    Left,
    /// The server closes it.
    Closed { code: u16, reason: &'static str },
}

impl End {
    const STOPPING: Self = Self::Closed { code: close::STOPPING, reason: "the server is stopping; connect again" };
    const REVOKED: Self = Self::Closed { code: close::REVOKED, reason: "the device's token is no longer good" };
    const SILENT: Self = Self::Closed { code: close::SILENT, reason: "nothing was heard for too long" };
    const FAILED: Self = Self::Closed { code: close::FAILED, reason: "the server has failed" };

    const fn refused(code: u16) -> Self {
        let reason = match code {
            close::TOO_LARGE => "a frame was too large",
            close::NO_TEXT => "a frame was no text",
            _ => "a frame could not be read",
        };
        Self::Closed { code, reason }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Closed { code: close::STOPPING, .. } => "stopping",
            Self::Closed { code: close::REVOKED, .. } => "revoked",
            Self::Closed { code: close::SILENT, .. } => "silent",
            Self::Closed { code: close::FAILED, .. } => "failed",
            Self::Closed { .. } => "refused",
        }
    }
}

/// Everything that a stream holds.
pub(crate) struct Session {
    pub(crate) api: Api,
    pub(crate) caller: Caller,
    pub(crate) subscription: Subscription,
    pub(crate) seat: Seat,
    /// The connection's own; none where the server is not the one that counts connections.
    pub(crate) place: Option<Place>,
}

/// Answers a handshake. The stream begins when the connection is handed over.
pub(crate) fn open(upgrade: WebSocketUpgrade, session: Session) -> Response {
    let span = tracing::Span::current();
    upgrade
        .max_message_size(MAX_READ_OCTETS)
        .max_frame_size(MAX_READ_OCTETS)
        .read_buffer_size(BUFFER_OCTETS)
        .write_buffer_size(0)
        .on_upgrade(move |socket| session.run(socket).instrument(span))
}

impl Session {
    async fn run(self, socket: WebSocket) {
        let began = Instant::now();
        let (sink, mut source) = socket.split();
        let (frames, queue) = mpsc::channel(1);
        let writer = tokio::spawn(write(sink, queue, self.api.streams.limits.silence));
        let mut talk = Talk {
            api: self.api,
            caller: self.caller,
            subscription: self.subscription,
            out: VecDeque::new(),
            working: None,
            read_again: None,
            heard: began,
            is_broken: false,
        };
        let end = talk.until_its_end(&frames, &mut source).await;
        let seconds = began.elapsed().as_secs_f64();
        tracing::info!(reason = end.name(), duration_s = seconds, "a stream ended");
        counter!("rossby_streams_closed_total", "reason" => end.name()).increment(1);
        if let End::Closed { code, reason } = end {
            let _ = timeout(LAST_WORDS, talk.last_words(&frames, Outgoing::Close { code, reason })).await;
            // The client's own close says that it has read so far. Where nothing more can be read it gets the time: closing the
            // connection with octets unread would take from it what it hasn't read yet.
            let left = async {
                while let Some(Ok(_)) = source.next().await {}
                if talk.is_broken {
                    std::future::pending::<()>().await;
                }
            };
            let _ = timeout(LAST_WORDS, left).await;
        }
        writer.abort();
        drop((self.seat, self.place));
    }
}

/// A stream at work.
struct Talk {
    api: Api,
    caller: Caller,
    subscription: Subscription,
    /// What is to be written.
    out: VecDeque<Outgoing>,
    /// What the client has asked for. One at a time and in order; it goes to its end whatever becomes of the stream.
    working: Option<JoinHandle<ServerFrame>>,
    /// When the client may go on, if it has sent too much.
    read_again: Option<Instant>,
    /// When the client was heard of last.
    heard: Instant,
    /// Whether nothing more can be read of what the client sends.
    is_broken: bool,
}

impl Talk {
    async fn until_its_end(&mut self, frames: &mpsc::Sender<Outgoing>, source: &mut SplitStream<WebSocket>) -> End {
        let (stop, revoked) = (self.api.stop.clone(), self.subscription.revoked());
        let limits = self.api.streams.limits;
        let mut pings = tokio::time::interval_at(Instant::now() + limits.ping, limits.ping);
        loop {
            let is_reading = self.working.is_none() && self.read_again.is_none() && self.out.len() < MOST_ANSWERS;
            let paused_until = self.read_again.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                () = stop.cancelled() => return End::STOPPING,
                () = revoked.cancelled() => return End::REVOKED,
                () = tokio::time::sleep_until(self.heard + limits.silence) => return End::SILENT,
                () = frames.closed() => return End::Left,
                Ok(permit) = frames.reserve(), if !self.out.is_empty() => {
                    if let Some(outgoing) = self.out.pop_front() {
                        permit.send(outgoing);
                    }
                }
                answer = finished(&mut self.working), if self.working.is_some() => {
                    self.working = None;
                    self.heard = Instant::now();
                    match answer {
                        Some(answer) => self.out.push_back(answer.into()),
                        None => return End::FAILED,
                    }
                }
                () = tokio::time::sleep_until(paused_until), if self.read_again.is_some() => self.pause(),
                // Nothing more is taken while something waits to be written.
                delivery = self.subscription.next(), if self.out.is_empty() => match delivery {
                    Some(delivery) => self.out.push_back(frame(delivery).into()),
                    None => return End::FAILED,
                },
                incoming = source.next(), if is_reading => {
                    self.heard = Instant::now();
                    if let Some(end) = self.heed(incoming) {
                        return end;
                    }
                }
                _ = pings.tick(), if self.out.len() < MOST_ANSWERS => self.out.push_back(Outgoing::Ping),
            }
        }
    }

    /// What the client sent. Gives why the stream ends, if it does.
    fn heed(&mut self, incoming: Option<Result<Message, axum::Error>>) -> Option<End> {
        let refused = match incoming {
            None | Some(Ok(Message::Close(_))) => return Some(End::Left),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return None,
            Some(Ok(Message::Text(text))) => match frames::read(text.as_str()) {
                Ok(frame) => return self.work_on(frame),
                Err(refused) => refused,
            },
            Some(Ok(Message::Binary(_))) => frames::no_text(),
            Some(Err(error)) => {
                self.is_broken = true;
                match refused_by_protocol(error) {
                    Some(refused) => refused,
                    None => return Some(End::Left),
                }
            }
        };
        count("received", "refused");
        let Refused { reference, problem, close } = refused;
        self.out.push_back(ServerFrame::Problem { reference, problem: *problem }.into());
        self.pause();
        close.map(End::refused)
    }

    /// Begins what a frame asks for.
    fn work_on(&mut self, frame: ClientFrame) -> Option<End> {
        self.pause();
        let working = match frame {
            ClientFrame::Confirm(confirm) => {
                count("received", "confirm");
                let (confirmer, reference) = (self.subscription.confirmer(), confirm.reference);
                let request = ConfirmRequest { handles: confirm.handles };
                let work = async move {
                    let done = confirmer.confirm(&request).await;
                    answer(reference, done, |done| ServerFrame::Confirmed {
                        reference,
                        confirmed: done.confirmed,
                        position: done.position,
                    })
                };
                tokio::spawn(work.in_current_span())
            }
            ClientFrame::Signal(signal) => {
                count("received", "signal");
                let reference = signal.reference;
                if let Err(error) = self.api.limiters.check_signals(self.caller, signal.signals.len()) {
                    let problem = error.into_problem();
                    self.out.push_back(ServerFrame::Problem { reference, problem }.into());
                    return None;
                }
                let (service, caller) = (self.api.service.clone(), self.caller);
                let request = SignalRequest { signals: signal.signals };
                let work = async move {
                    let done = service.send_signals(caller, &request).await;
                    answer(reference, done, |done| ServerFrame::Signalled { reference, results: done.results })
                };
                tokio::spawn(work.in_current_span())
            }
        };
        self.working = Some(working);
        None
    }

    /// Each frame counts as a request, for which the client is not read on until its limit allows it.
    fn pause(&mut self) {
        self.read_again = self.api.limiters.frame_pause(self.caller).map(|pause| Instant::now() + pause);
    }

    /// What is still to be written, the answer under way too, and the close.
    async fn last_words(&mut self, frames: &mpsc::Sender<Outgoing>, closing: Outgoing) {
        if self.working.is_some()
            && let Some(answer) = finished(&mut self.working).await
        {
            self.out.push_back(answer.into());
        }
        for outgoing in self.out.drain(..).chain([closing]) {
            if frames.send(outgoing).await.is_err() {
                return;
            }
        }
    }
}

/// The answer to what the client asked for; none if that has failed by a defect.
async fn finished(working: &mut Option<JoinHandle<ServerFrame>>) -> Option<ServerFrame> {
    match working {
        Some(working) => working.await.ok(),
        None => None,
    }
}

fn answer<T>(
    reference: Option<u64>,
    done: Result<T, CommandError>,
    frame: impl FnOnce(T) -> ServerFrame,
) -> ServerFrame {
    match done {
        Ok(done) => frame(done),
        Err(error) => ServerFrame::Problem { reference, problem: ApiError::from(error).into_problem() },
    }
}

fn frame(delivery: Delivery) -> ServerFrame {
    match delivery {
        Delivery::Message(message) => ServerFrame::Message(*message),
        Delivery::Signal(signal) => ServerFrame::Signal(*signal),
        Delivery::Changed(what) => ServerFrame::Changed { what },
        Delivery::CaughtUp { lost } => ServerFrame::CaughtUp { lost },
    }
}

/// What a client did against the protocol; none if the connection is gone.
fn refused_by_protocol(error: axum::Error) -> Option<Refused> {
    match error.into_inner().downcast_ref::<tungstenite::Error>() {
        // Gone without a close, as when a line breaks. There is nobody to tell, and nothing to wait for.
        Some(tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => None,
        Some(tungstenite::Error::Capacity(_)) => Some(frames::too_large()),
        Some(error @ (tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_))) => {
            tracing::debug!(%error, "a stream's client breaks the protocol");
            let problem = ApiError::field(ProblemType::InvalidRequest, "", "is no frame of WebSocket").into_problem();
            Some(Refused { reference: None, problem: Box::new(problem), close: Some(close::MALFORMED) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_is_gone_has_broken_nothing() {
        let refused =
            |error: tungstenite::Error| refused_by_protocol(axum::Error::new(error)).map(|refused| refused.close);
        let protocol = |error| refused(tungstenite::Error::Protocol(error));
        assert_eq!(protocol(ProtocolError::ResetWithoutClosingHandshake), None);
        assert_eq!(refused(tungstenite::Error::Io(std::io::ErrorKind::ConnectionReset.into())), None);
        assert_eq!(protocol(ProtocolError::UnmaskedFrameFromClient), Some(Some(close::MALFORMED)));
    }
}
