//! A device's end of a live stream.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::messages::{FetchedMessage, OutgoingMessage, SendOutcome, SendRequest, SendResponse};
use rossby_schemas::http::problem::{FieldError, Problem};
use rossby_schemas::http::stream::{ClientFrame, ConfirmFrame, ServerFrame};
use rossby_schemas::ids::OuterId;
use rossby_testing::{Person, until};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::site::{Device, SignedRequest, Site, read};

pub(crate) const STREAM: &str = "/v1/stream";
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Stream {
    pub(crate) socket: WebSocketStream<TcpStream>,
}

/// A handshake with this authorization.
pub(crate) fn handshake(site: &Site, signed: &SignedRequest) -> Request {
    let mut request = format!("ws://127.0.0.1:{}{STREAM}", site.port).into_client_request().unwrap();
    request.headers_mut().insert("authorization", signed.authorization.parse().unwrap());
    request
}

/// Why a handshake was refused, and the answer's headers.
pub(crate) async fn refused(site: &Site, request: Request) -> (Problem, axum::http::HeaderMap) {
    let stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    match client_async(request, stream).await {
        Err(Error::Http(response)) => {
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            let problem: Problem = serde_json::from_slice(response.body().as_deref().unwrap_or_default()).unwrap();
            assert_eq!(problem.status, response.status().as_u16());
            (problem, response.headers().clone())
        }
        other => panic!("not refused: {other:?}"),
    }
}

impl Stream {
    pub(crate) async fn open(site: &Site, device: &Device) -> Self {
        let signed = device.request(site, Method::GET, STREAM, b"");
        let stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
        let (socket, response) = client_async(handshake(site, &signed), stream).await.unwrap();
        assert!(response.headers().contains_key("x-request-id"));
        Self { socket }
    }

    /// One that has been told that nothing waits.
    pub(crate) async fn open_idle(site: &Site, device: &Device) -> Self {
        let mut stream = Self::open(site, device).await;
        assert_eq!(stream.frame().await, ServerFrame::CaughtUp { lost: None });
        stream
    }

    pub(crate) async fn say(&mut self, frame: &ClientFrame) {
        self.send(Message::text(serde_json::to_string(frame).unwrap())).await;
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// The next message of whatever kind; none once the connection is at its end.
    async fn incoming(&mut self) -> Option<Message> {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("nothing comes");
        next.and_then(Result::ok)
    }

    pub(crate) async fn frame(&mut self) -> ServerFrame {
        loop {
            match self.incoming().await {
                Some(Message::Text(text)) => return serde_json::from_str(text.as_str()).unwrap(),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("no frame: {other:?}"),
            }
        }
    }

    pub(crate) async fn message(&mut self) -> FetchedMessage {
        match self.frame().await {
            ServerFrame::Message(message) => message,
            other => panic!("no message: {other:?}"),
        }
    }

    /// What is wrong, and the number of the frame in which it is.
    pub(crate) async fn problem(&mut self) -> (Option<u64>, Problem) {
        match self.frame().await {
            ServerFrame::Problem { reference, problem } => (reference, problem),
            other => panic!("no problem: {other:?}"),
        }
    }

    /// The code and the reason with which the server closes.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.incoming().await {
                Some(Message::Close(Some(frame))) => return (frame.code.into(), frame.reason.to_string()),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("not closed: {other:?}"),
            }
        }
    }

    pub(crate) async fn confirm(&mut self, reference: u64, messages: &[FetchedMessage]) {
        let handles: Vec<Octets> = messages.iter().map(|message| message.handle.clone()).collect();
        self.say(&ClientFrame::Confirm(ConfirmFrame { reference: Some(reference), handles })).await;
        match self.frame().await {
            ServerFrame::Confirmed { reference: Some(again), confirmed, .. } => {
                assert_eq!((again, confirmed), (reference, messages.len()));
            }
            other => panic!("not confirmed: {other:?}"),
        }
    }
}

/// The fields that a problem names.
pub(crate) fn fields(problem: &Problem) -> Vec<(&str, &str)> {
    problem.errors.iter().map(|FieldError { field, reason }| (field.as_str(), reason.as_str())).collect()
}

/// Sends messages that are all accepted, in this order.
pub(crate) async fn send(site: &Site, device: &Device, messages: Vec<OutgoingMessage>) -> Vec<OuterId> {
    let mut ids = Vec::new();
    for message in messages {
        site.world.clock.advance(Duration::from_millis(1));
        let request = SendRequest { messages: vec![message] };
        let sent: SendResponse = read(site.signed_json(device, "/v1/messages", &request).await, 200).await;
        assert!(matches!(sent.results[0].outcome, SendOutcome::Accepted { .. }), "{sent:?}");
        ids.push(sent.results[0].outer_id);
    }
    ids
}

/// Waits until so many messages wait for a person's device.
pub(crate) async fn waits(site: &Site, person: &Person, expected: u64) {
    until("what waits", async || {
        let pointer = site.world.models.device_pointer(person.box_id(), person.device_id, site.world.now()).await;
        pointer.unwrap().waiting == expected
    })
    .await;
}

pub(crate) fn texts(site: &Site, from: &Person, to: &Person, count: usize) -> Vec<OutgoingMessage> {
    (0..count).map(|number| from.message(to, &number.to_string(), 1, site.world.now())).collect()
}
