//! Following a server that does as the test says: one that lies, one that breaks off, and one that has no stream.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::http::messages::{ConfirmRequest, FetchResponse, FetchedMessage};
use rossby_schemas::http::problem::{Problem, ProblemType};
use rossby_schemas::http::stream::{ClientFrame, ConfirmFrame, MAX_SERVER_FRAME_OCTETS, ServerFrame};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::Retries;
use crate::http::Http;
use crate::messages::tests::{Receiver, Sender, Writer, at, fetched};
use crate::{Peer, Warning};

const POSITION: &str = "1/rossby.inbox/0/0";

/// What the server does on a stream, in order.
enum Act {
    Sends(Box<ServerFrame>),
    /// Something that is no frame.
    SendsRaw(Frame),
    /// Waits until the client confirms, and answers as if to the frame of so many numbers later.
    AnswersConfirm(u64),
    /// Waits until the client confirms, and answers nothing.
    KeepsConfirm,
}

fn sends(frame: ServerFrame) -> Act {
    Act::Sends(Box::new(frame))
}

/// A server that does on each stream what the test says, and nothing more; without anything to do there is no stream.
#[derive(Clone, Default)]
struct Server {
    account: Arc<Mutex<Value>>,
    streams: Arc<Mutex<VecDeque<Vec<Act>>>>,
    waiting: Arc<Mutex<Vec<FetchedMessage>>>,
    /// The handles that each frame confirmed.
    confirmed: Arc<Mutex<Vec<Vec<Octets>>>>,
    /// Whether requests to confirm find a part of it away.
    is_away: Arc<AtomicBool>,
}

impl Server {
    /// Starts it, with Ann, who is a device of its.
    async fn start() -> (Self, Receiver) {
        let server = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/v1/stream", get(stream))
            .route("/v1/account", get(async |State(server): State<Self>| Json(server.account.lock().unwrap().clone())))
            .route("/v1/messages", get(fetch))
            .route("/v1/messages/confirm", post(confirm))
            .fallback(async || refused(ProblemType::NoSuchRecipient))
            .with_state(server.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        let ann = Receiver::at_server(&url).await;
        let own = &ann.session.own;
        *server.account.lock().unwrap() = json!({
            "box_id": own.device.box_id,
            "device_id": own.device.device_id,
            "key_record": {
                "head": own.record.head(),
                "statements": own.record.statements(),
                "sealing_statements": [ann.sealing.octets()],
            },
            "keys_version": 1,
            "devices": [],
            "profile": {
                "version": 0, "discoverable": "everyone", "accept_from": "everyone",
                "blob": "", "blocks": [], "contacts": [],
            },
        });
        (server, ann)
    }

    /// What it does on the next stream.
    fn then(&self, acts: Vec<Act>) {
        self.streams.lock().unwrap().push_back(acts);
    }

    fn confirmed(&self) -> Vec<HashSet<Octets>> {
        self.confirmed.lock().unwrap().iter().map(|handles| handles.iter().cloned().collect()).collect()
    }
}

fn refused(kind: ProblemType) -> Response {
    let problem = Problem::new(kind);
    (StatusCode::from_u16(problem.status).unwrap(), Json(problem)).into_response()
}

async fn fetch(State(server): State<Server>) -> Json<FetchResponse> {
    let messages = std::mem::take(&mut *server.waiting.lock().unwrap());
    Json(FetchResponse { messages, more: false, position_seen: None, lost: None })
}

async fn confirm(State(server): State<Server>, Json(request): Json<ConfirmRequest>) -> Response {
    if server.is_away.load(Ordering::SeqCst) {
        return refused(ProblemType::Unavailable);
    }
    let confirmed = request.handles.len();
    server.confirmed.lock().unwrap().push(request.handles);
    Json(json!({ "confirmed": confirmed, "position": POSITION })).into_response()
}

async fn stream(State(server): State<Server>, upgrade: WebSocketUpgrade) -> Response {
    match server.streams.lock().unwrap().pop_front() {
        // As a proxy does that knows no WebSockets.
        None => (StatusCode::BAD_REQUEST, "<h1>Bad Request</h1>").into_response(),
        Some(acts) => {
            let server = server.clone();
            upgrade.on_upgrade(async move |socket| server.play(socket, acts).await)
        }
    }
}

impl Server {
    async fn play(self, mut socket: WebSocket, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Sends(frame) => {
                    let text = serde_json::to_string(&frame).unwrap();
                    socket.send(Frame::text(text)).await.unwrap();
                }
                Act::SendsRaw(frame) => socket.send(frame).await.unwrap(),
                Act::KeepsConfirm => {
                    confirm_frame(&mut socket).await;
                }
                Act::AnswersConfirm(later) => {
                    let frame = confirm_frame(&mut socket).await;
                    let reference = frame.reference.map(|reference| reference + later);
                    self.confirmed.lock().unwrap().push(frame.handles);
                    socket.send(Frame::text(confirmed(reference))).await.unwrap();
                }
            }
        }
        // Until the client has had enough of it.
        while let Some(Ok(_)) = socket.recv().await {}
    }
}

/// The next confirmation.
async fn confirm_frame(socket: &mut WebSocket) -> ConfirmFrame {
    let Some(Ok(Frame::Text(text))) = socket.recv().await else { panic!("the client confirms nothing") };
    let Ok(ClientFrame::Confirm(frame)) = serde_json::from_str(&text) else { panic!("{text}") };
    frame
}

fn confirmed(reference: Option<u64>) -> String {
    json!({ "type": "confirmed", "ref": reference, "confirmed": 99, "position": POSITION }).to_string()
}

fn message(message: &FetchedMessage) -> Act {
    sends(ServerFrame::Message(message.clone()))
}

/// What Ann is told while she follows, until it is enough.
async fn follow(ann: &Receiver, mut is_enough: impl FnMut(&[Event]) -> bool) -> Vec<Event> {
    let (events, mut coming) = mpsc::channel(64);
    let told = async {
        let mut told = Vec::new();
        while !is_enough(&told) {
            // None: it has failed, and says why.
            let Some(event) = coming.recv().await else { break };
            told.push(event);
        }
        drop(coming);
        told
    };
    let (followed, told) =
        tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(ann.client.follow(events), told) })
            .await
            .unwrap();
    followed.unwrap();
    told
}

fn count(told: &[Event], is: impl Fn(&Event) -> bool) -> usize {
    told.iter().filter(|event| is(event)).count()
}

fn received(told: &[Event]) -> Received {
    let mut sum = Received::default();
    for event in told {
        if let Event::Received(received) = event {
            sum.new += received.new;
            sum.duplicates += received.duplicates;
            sum.refused += received.refused;
        }
    }
    sum
}

/// Ben, whom Ann knows and has accepted.
async fn ben(ann: &mut Receiver) -> Writer {
    let mut ben = Writer::new(Sender::new());
    let (_, hello) = ben.writes(ann, 1, b"hello");
    ann.take(&hello).await;
    ann.client.store.confirmed(&[hello.handle]).await.unwrap();
    ann.client.accept_peer(&Peer::Box(ben.box_id())).await.unwrap();
    ben
}

#[tokio::test]
async fn what_a_hostile_server_makes_up_is_neither_shown_nor_confirmed() {
    let (server, mut ann) = Server::start().await;
    let mut ben = ben(&mut ann).await;
    let (_, good) = ben.writes(&ann, 1, b"the tide turns");
    // The same again, under another id; changed; Eve's under Ben's name; another box's.
    let again = ben.repeats(&ann);
    let mut changed = fetched(&ann, &ben.sender.signed(&ann, 3, Some(FixedOctets([1; 32])), "changed"), at(4));
    let mut octets = changed.content.as_slice().to_vec();
    *octets.last_mut().unwrap() ^= 1;
    changed.content = octets.into();
    let eve = Sender { key: Sender::new().key, device_id: ben.sender.device_id, record: ben.sender.record.clone() };
    let forged = fetched(&ann, &eve.signed(&ann, 3, Some(FixedOctets([1; 32])), "forged"), at(4));
    let other = Receiver::new().await;
    let (_, others) = Writer::new(Sender::new()).writes(&other, 1, b"another's");
    let (made_up, problem) = (confirmed(Some(77)), Problem::new(ProblemType::InvalidRequest));
    let all = [&good, &again, &changed, &forged, &others];
    let mut acts: Vec<Act> = vec![
        Act::SendsRaw(Frame::text(made_up)),
        Act::SendsRaw(Frame::text(confirmed(None))),
        sends(ServerFrame::Signalled { reference: Some(5), results: Vec::new() }),
        sends(ServerFrame::Problem { reference: Some(6), problem }),
        Act::SendsRaw(Frame::text(r#"{"type":"dance"}"#)),
        Act::SendsRaw(Frame::text(r#"{"type":"changed","what":"weather"}"#)),
    ];
    acts.extend(all.map(message));
    // As it is, once more.
    acts.extend([&good, &forged].map(message));
    // It answers to something that was never confirmed, then to what was.
    acts.extend([Act::AnswersConfirm(7), sends(ServerFrame::Changed { what: Changed::Profile })]);
    server.then(acts);

    let told = follow(&ann, |told| told.contains(&Event::Changed(Changed::Profile))).await;
    assert_eq!(received(&told), Received { new: 1, duplicates: 2, refused: 4, ..Received::default() });
    assert_eq!(ann.texts().await, ["hello", "the tide turns"]);
    let refused = ann.warned().await;
    assert!(refused.iter().all(|warning| matches!(warning, Warning::RefusedMessage { .. })), "{refused:?}");
    assert_eq!(refused.len(), 3, "the same is told once");
    // Nothing counts as confirmed: it is confirmed over the next stream.
    let handles: HashSet<Octets> = all.iter().map(|message| message.handle.clone()).collect();
    let left: HashSet<Octets> = ann.client.store.confirmations(100).await.unwrap().into_iter().collect();
    assert_eq!(left, handles);
    server.then(vec![Act::AnswersConfirm(0), sends(ServerFrame::Changed { what: Changed::Profile })]);
    follow(&ann, |told| told.contains(&Event::Changed(Changed::Profile))).await;
    assert_eq!(server.confirmed().last().unwrap(), &handles);
    assert_eq!(ann.client.store.confirmations(100).await.unwrap(), []);
}

#[tokio::test]
async fn a_stream_of_rubbish_is_left_and_following_goes_on() {
    let (server, mut ann) = Server::start().await;
    let mut ben = ben(&mut ann).await;
    let too_long = "x".repeat(MAX_SERVER_FRAME_OCTETS + 1);
    let rubbish = [
        Frame::text(r#"{"type":"message","outer_id":1}"#),
        Frame::binary(vec![0, 159, 146, 150]),
        Frame::text(format!(r#"{{"type":"caught-up","x":"{too_long}"}}"#)),
    ];
    let count_of = rubbish.len();
    let (_, first) = ben.writes(&ann, 1, b"before");
    for frame in rubbish {
        server.then(vec![message(&first), Act::SendsRaw(frame)]);
    }
    let (_, last) = ben.writes(&ann, 1, b"after");
    server.then(vec![
        message(&first),
        message(&last),
        Act::AnswersConfirm(0),
        sends(ServerFrame::CaughtUp { lost: None }),
    ]);
    let told = follow(&ann, |told| received(told).new == 2).await;
    assert_eq!(count(&told, |event| matches!(event, Event::Disconnected { .. })), count_of, "{told:?}");
    assert_eq!(count(&told, |event| *event == Event::Connected(Way::Stream)), count_of + 1);
    assert_eq!(ann.texts().await, ["hello", "before", "after"]);
    assert_eq!(ann.warned().await, []);
}

#[tokio::test]
async fn where_there_is_no_stream_it_asks_until_there_is_one() {
    let (server, mut ann) = Server::start().await;
    let mut ben = ben(&mut ann).await;
    let (_, asked) = ben.writes(&ann, 1, b"asked for");
    server.waiting.lock().unwrap().push(asked.clone());
    let told = follow(&ann, |told| received(told).new == 1).await;
    assert_eq!(told[0], Event::Connected(Way::Asking));
    let (_, streamed) = ben.writes(&ann, 1, b"streamed");
    server.then(vec![message(&asked), message(&streamed)]);
    let told = follow(&ann, |told| received(told).new == 1).await;
    assert!(told.contains(&Event::Connected(Way::Stream)), "{told:?}");
    assert_eq!(count(&told, |event| matches!(event, Event::Disconnected { .. })), 0);
    assert_eq!(ann.texts().await, ["hello", "asked for", "streamed"]);
}

#[tokio::test]
async fn whoever_does_not_want_to_wait_tries_now() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut ann = Receiver::at_server(&url).await;
    let once = Retries { times: 0, ..Retries::default() };
    ann.client.http = Http::new(&url, ann.clock.clone()).unwrap().asked_again(once);
    // Nobody listens there any more.
    drop(listener);
    let began = Instant::now();
    let told = follow(&ann, |told| {
        ann.client.try_now();
        count(told, |event| matches!(event, Event::Waiting { .. })) == 8
    })
    .await;
    let pauses = told.iter().filter_map(|event| match event {
        Event::Waiting { pause, .. } => Some(*pause),
        _ => None,
    });
    // More than two minutes.
    assert!(began.elapsed() < pauses.take(7).sum(), "{told:?}");
    assert!(matches!(&told[0], Event::Disconnected { .. }) && count(&told, |event| *event == told[0]) == 1, "{told:?}");
}

#[tokio::test]
async fn a_confirmation_that_the_stream_does_not_answer_is_made_by_a_request() {
    let (server, mut ann) = Server::start().await;
    let mut ben = ben(&mut ann).await;
    ann.client.live.confirm_patience = Duration::from_millis(50);
    let (_, first) = ben.writes(&ann, 1, b"first");
    // A late answer to it counts for nothing, and the stream goes on.
    server.then(vec![message(&first), Act::KeepsConfirm]);
    let (events, mut coming) = mpsc::channel(64);
    let until = async {
        let is_confirmed = async || ann.client.store.confirmations(100).await.unwrap().is_empty();
        while server.confirmed().is_empty() || !is_confirmed().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut told = Vec::new();
        while let Ok(event) = coming.try_recv() {
            told.push(event);
        }
        drop(coming);
        told
    };
    let (followed, told) = tokio::join!(ann.client.follow(events), until);
    followed.unwrap();
    assert_eq!(server.confirmed(), [HashSet::from([first.handle.clone()])]);
    assert_eq!(count(&told, |event| matches!(event, Event::Disconnected { .. })), 0, "{told:?}");
    assert_eq!(ann.texts().await, ["hello", "first"]);
}

#[tokio::test]
async fn a_server_that_confirms_in_no_way_is_lost() {
    let (server, mut ann) = Server::start().await;
    let mut ben = ben(&mut ann).await;
    ann.client.live.confirm_patience = Duration::from_millis(50);
    server.is_away.store(true, Ordering::SeqCst);
    let (_, first) = ben.writes(&ann, 1, b"first");
    server.then(vec![message(&first), Act::KeepsConfirm]);
    // The same over the next stream, which takes what was not confirmed.
    server.then(vec![Act::AnswersConfirm(0), sends(ServerFrame::Changed { what: Changed::Profile })]);
    let told = follow(&ann, |told| told.contains(&Event::Changed(Changed::Profile))).await;
    assert_eq!(count(&told, |event| matches!(event, Event::Disconnected { .. })), 1, "{told:?}");
    assert_eq!(server.confirmed(), [HashSet::from([first.handle.clone()])]);
    assert_eq!(ann.client.store.confirmations(100).await.unwrap(), []);
}
