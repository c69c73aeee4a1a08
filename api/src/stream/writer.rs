//! Writing frames: in a task of its own, so that a client that takes nothing holds up nothing but itself.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures::SinkExt as _;
use futures::stream::SplitSink;
use rossby_schemas::http::stream::ServerFrame;
use tokio::sync::mpsc;

use super::count;

/// What is written.
#[derive(Debug)]
pub(super) enum Outgoing {
    Frame(Box<ServerFrame>),
    Ping,
    Close { code: u16, reason: &'static str },
}

impl From<ServerFrame> for Outgoing {
    fn from(frame: ServerFrame) -> Self {
        Self::Frame(Box::new(frame))
    }
}

/// Writes until the connection ends, or takes nothing for longer than `patience`.
pub(super) async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut queue: mpsc::Receiver<Outgoing>,
    patience: Duration,
) {
    while let Some(outgoing) = queue.recv().await {
        let is_last = matches!(outgoing, Outgoing::Close { .. });
        let Some(message) = message(outgoing) else { continue };
        if !matches!(tokio::time::timeout(patience, sink.send(message)).await, Ok(Ok(()))) || is_last {
            return;
        }
    }
}

fn message(outgoing: Outgoing) -> Option<Message> {
    Some(match outgoing {
        Outgoing::Frame(frame) => {
            count("sent", name(&frame));
            // The frames are texts, numbers and lists, which JSON can hold.
            Message::Text(serde_json::to_string(&*frame).ok()?.into())
        }
        Outgoing::Ping => Message::Ping(Bytes::new()),
        Outgoing::Close { code, reason } => {
            Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }))
        }
    })
}

const fn name(frame: &ServerFrame) -> &'static str {
    match frame {
        ServerFrame::Message(_) => "message",
        ServerFrame::Signal(_) => "signal",
        ServerFrame::Changed { .. } => "changed",
        ServerFrame::CaughtUp { .. } => "caught-up",
        ServerFrame::Confirmed { .. } => "confirmed",
        ServerFrame::Signalled { .. } => "signalled",
        ServerFrame::Problem { .. } => "problem",
    }
}
