//! The WebSocket: frames in and out, and whether the server is still there.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use rossby_schemas::http::stream::{ClientFrame, ServerFrame, close};
use serde::Deserialize;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use crate::http::WebSocket;

/// How often the server is asked whether it is there, and after how long it is given up.
const PING: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(75);
/// How long a frame may take to be written.
const PATIENCE: Duration = Duration::from_secs(30);

/// The stream is lost, and why: a part of it may be the server's text.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) reason: String,
}

impl Lost {
    pub(super) fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        Self::because(match error {
            Error::Io(error) => format!("the connection was lost: {error}"),
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => "the connection was closed".to_owned(),
            error => format!("the server's stream can't be read: {error}"),
        })
    }
}

/// A stream that is open.
pub(super) struct Connection {
    socket: WebSocket,
    heard: Instant,
    ping_at: Instant,
}

impl Connection {
    pub(super) fn new(socket: WebSocket) -> Self {
        let now = Instant::now();
        Self { socket, heard: now, ping_at: now + PING }
    }

    /// The next frame; none where there is nothing to do but to call again. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Option<ServerFrame>, Lost> {
        let message = match self.socket.next().await {
            None => return Err(Error::ConnectionClosed.into()),
            Some(message) => message?,
        };
        self.heard = Instant::now();
        match message {
            Message::Text(text) => read(text.as_str()),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(None),
            Message::Binary(_) => Err(Lost::because("the server sent a frame that is no text")),
            Message::Close(frame) => Err(Lost::because(match frame {
                None => "the server closed the stream".to_owned(),
                Some(frame) => match u16::from(frame.code) {
                    close::STOPPING => "the server is stopping".to_owned(),
                    close::REVOKED => "the server no longer knows this device's token".to_owned(),
                    code => format!("the server closed the stream: {} ({code})", frame.reason),
                },
            })),
        }
    }

    pub(super) async fn send(&mut self, frame: &ClientFrame) -> Result<(), Lost> {
        // The frames are texts, numbers and lists, which JSON can hold.
        let text = serde_json::to_string(frame).unwrap_or_default();
        self.write(Message::text(text)).await
    }

    /// When [`Connection::keep`] has something to do.
    pub(super) fn keep_at(&self) -> Instant {
        self.ping_at.min(self.heard + SILENCE)
    }

    /// Asks the server whether it is there. It is given up if nothing was heard of it for too long.
    pub(super) async fn keep(&mut self) -> Result<(), Lost> {
        if self.heard.elapsed() >= SILENCE {
            return Err(Lost::because("nothing was heard of the server for too long"));
        }
        self.ping_at = Instant::now() + PING;
        self.write(Message::Ping(Bytes::new())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), Lost> {
        match timeout(PATIENCE, self.socket.send(message)).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(Lost::because("the server takes nothing any more")),
        }
    }
}

/// Reads a frame. Those of types that this version doesn't know are passed over.
fn read(text: &str) -> Result<Option<ServerFrame>, Lost> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "type")]
        name: String,
    }
    const KNOWN: [&str; 6] = ["message", "signal", "caught-up", "confirmed", "signalled", "problem"];
    match serde_json::from_str(text) {
        Ok(frame) => Ok(Some(frame)),
        // What changed may be something that a later version knows.
        Err(error) => match serde_json::from_str::<Named>(text) {
            Ok(named) if !KNOWN.contains(&named.name.as_str()) => Ok(None),
            _ => Err(Lost::because(format!("the server sent a frame that can't be read: {error}"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_later_versions_are_passed_over_and_spoilt_ones_are_not() {
        assert!(matches!(read(r#"{"type":"caught-up","later":1}"#), Ok(Some(ServerFrame::CaughtUp { lost: None }))));
        for later in [r#"{"type":"dance"}"#, r#"{"type":"changed","what":"weather"}"#] {
            assert!(matches!(read(later), Ok(None)), "{later}");
        }
        for spoilt in ["", "[]", "{}", r#"{"type":"message"}"#, r#"{"type":"confirmed","confirmed":"x"}"#] {
            assert!(read(spoilt).is_err(), "{spoilt}");
        }
    }
}
