//! What goes out: a whole group's copies in one request, each recipient's in their order, and nobody waits for another.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::post;
use rossby_crypto::message::MessageValue;
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::statements::{SEALING_KEY_LIFETIME, SealingKeyStated, state_sealing_key};
use rossby_schemas::http::messages::{
    MAX_SEND_OCTETS, OutgoingMessage, PositionToken, SendOutcome, SendRequest, SendResponse, SendResult,
};
use rossby_schemas::http::problem::{Problem, ProblemType};
use rossby_schemas::ids::BoxId;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::{Receiver, Sender, at};
use crate::messages::send::Written;
use crate::random::rng;
use crate::store::contacts::{self, Pin};
use crate::store::messages::State as Stored;
use crate::store::{outbox, records};
use crate::{ClientError, Conversation, Kind, MessageState, Recipient, Warning};

type Decide = Box<dyn FnMut(&[OutgoingMessage]) -> Result<Vec<SendOutcome>, ProblemType> + Send>;

/// A server that answers as the test says, and keeps what it was asked.
#[derive(Clone)]
pub(super) struct Server {
    decide: Arc<Mutex<Decide>>,
    requests: Arc<Mutex<Vec<Vec<OutgoingMessage>>>>,
    octets: Arc<Mutex<Vec<usize>>>,
}

impl Server {
    /// Starts it. Gives its URL too.
    pub(super) async fn start() -> (Self, String) {
        let server = Self {
            decide: Arc::new(Mutex::new(Box::new(|sent| Ok(sent.iter().map(|_| accepted()).collect())))),
            requests: Arc::default(),
            octets: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/v1/messages", post(answer))
            .fallback(async || refused(ProblemType::NoSuchRecipient))
            .layer(DefaultBodyLimit::disable())
            .with_state(server.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        (server, url)
    }

    pub(super) fn decide(
        &self,
        decide: impl FnMut(&[OutgoingMessage]) -> Result<Vec<SendOutcome>, ProblemType> + Send + 'static,
    ) {
        *self.decide.lock().unwrap() = Box::new(decide);
    }

    /// The recipients of each request since the last call.
    pub(super) fn requests(&self) -> Vec<Vec<BoxId>> {
        let requests = std::mem::take(&mut *self.requests.lock().unwrap());
        requests.iter().map(|sent| sent.iter().map(|message| message.recipient).collect()).collect()
    }
}

async fn answer(State(server): State<Server>, body: axum::body::Bytes) -> Response {
    let request: SendRequest = serde_json::from_slice(&body).unwrap();
    server.octets.lock().unwrap().push(body.len());
    server.requests.lock().unwrap().push(request.messages.clone());
    let decided = (server.decide.lock().unwrap())(&request.messages);
    match decided {
        Ok(outcomes) => {
            let results = request.messages.iter().zip(outcomes).map(|(message, outcome)| SendResult {
                recipient: message.recipient,
                outer_id: message.outer_id,
                outcome,
            });
            Json(SendResponse { results: results.collect() }).into_response()
        }
        Err(problem) => refused(problem),
    }
}

fn refused(kind: ProblemType) -> Response {
    let problem = Problem::new(kind);
    (StatusCode::from_u16(problem.status).unwrap(), Json(problem)).into_response()
}

pub(super) fn accepted() -> SendOutcome {
    SendOutcome::Accepted { accepted_at: at(5), position: PositionToken("1/rossby.inbox/0/0".to_owned()) }
}

fn stale() -> SendOutcome {
    SendOutcome::Stale { head: Sender::new().record.head(), statements: Vec::new(), sealing_statements: Vec::new() }
}

/// Makes a box with so many devices known to the device under test.
pub(super) async fn known(to: &Receiver, devices: usize) -> BoxId {
    let mut sender = Sender::new();
    let mut keys = vec![(sender.device_id, sender.key.to_seed())];
    for _ in 1..devices {
        let linked = sender.linked();
        keys.push((linked.device_id, linked.key.to_seed()));
        sender.record = linked.record;
    }
    let (box_id, head) = (sender.record.box_id(), sender.record.head());
    let key = SealingSecretKey::generate(&mut rng()).public_key();
    let mut transaction = to.client.store.begin().await.unwrap();
    assert!(records::keep_record(&mut transaction, &sender.record).await.unwrap());
    for (device_id, seed) in keys {
        let (created, expires) = (at(0), at(0).plus(SEALING_KEY_LIFETIME));
        let stated = SealingKeyStated { box_id, device_id, counter: 1, key: key.clone(), created, expires, head };
        let signing_key = rossby_crypto::signing::SigningKey::from_seed(&seed);
        let statement = state_sealing_key(&signing_key, stated);
        let verified = sender.record.verify_sealing(statement.octets(), None).unwrap();
        records::keep_sealing_statement(&mut transaction, &verified).await.unwrap();
    }
    transaction.commit().await.unwrap();
    box_id
}

/// Writes to these, in one conversation. Gives the message's number.
pub(super) async fn write(from: &Receiver, conversation: Conversation, to: &[BoxId], text: &str) -> i64 {
    let device = from.client.device().await.unwrap();
    let written = Written {
        conversation,
        kind: Kind::Text.number(),
        body: text.as_bytes().into(),
        is_shown: true,
        frame: None,
        beside: None,
    };
    let mut transaction = from.client.store.begin().await.unwrap();
    let (message, _) = from.client.compose(&mut transaction, &device, to, written).await.unwrap();
    transaction.commit().await.unwrap();
    message
}

/// What the person sees of a message: its state, and that of each recipient.
pub(super) async fn shown(of: &Receiver, message: i64) -> (MessageState, Vec<Recipient>) {
    let latest = of.client.latest(100).await.unwrap();
    let shown = latest.into_iter().find(|shown| shown.id == message).unwrap();
    (shown.state, shown.recipients)
}

#[tokio::test]
async fn a_whole_group_of_many_devices_is_reached_by_one_request() {
    let (server, url) = Server::start().await;
    let ann = Receiver::at_server(&url).await;
    let mut members = Vec::new();
    for _ in 0..250 {
        members.push(known(&ann, 10).await);
    }
    let text = "a page of text. ".repeat(250);
    let message = write(&ann, Conversation::Group(Uuid::new_v4()), &members, &text).await;
    let stopped = ann.client.flush().await.unwrap();
    assert!(stopped.is_empty(), "{stopped:?}");
    let requests = server.requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 1);
    let octets = server.octets.lock().unwrap()[0];
    assert!((4 * 1024 * 1024..MAX_SEND_OCTETS).contains(&octets), "{octets}");
    let reached: BTreeSet<_> = requests[0].iter().map(|sent| sent.recipient).collect();
    assert_eq!(reached, members.into_iter().collect());
    for sent in &requests[0] {
        assert_eq!(MessageValue::parse(&sent.value).unwrap().wraps.len(), 10);
    }
    let values: BTreeSet<_> = requests[0].iter().map(|sent| sent.value.as_slice().to_vec()).collect();
    assert_eq!(values.len(), 250, "each is sealed for itself");
    let (state, recipients) = shown(&ann, message).await;
    assert_eq!((state, recipients.len()), (MessageState::Sent, 250));
    assert!(recipients.iter().all(|recipient| recipient.accepted_at == Some(at(5))));
}

#[tokio::test]
async fn each_recipients_outcome_is_kept_and_the_messages_state_follows_from_all() {
    let (server, url) = Server::start().await;
    let ann = Receiver::at_server(&url).await;
    let group = Conversation::Group(Uuid::new_v4());
    let [ben, eve, dan] = [known(&ann, 1).await, known(&ann, 1).await, known(&ann, 1).await];
    let nobody = BoxId::from_bytes([9; 16]);
    let to = [ben, eve, dan, nobody];

    // One is gone, one can't be reached for a moment, and for one there is no key.
    let mut asked = 0;
    server.decide(move |sent| {
        asked += 1;
        let outcome = |to: BoxId| match to {
            to if to == eve => SendOutcome::NoSuchRecipient,
            to if to == dan && asked == 1 => SendOutcome::OutcomeUnknown,
            _ => accepted(),
        };
        Ok(sent.iter().map(|message| outcome(message.recipient)).collect())
    });
    let message = write(&ann, group, &to, "hello").await;
    let stopped = ann.client.flush().await.unwrap();
    assert_eq!(stopped.len(), 1);
    assert!(stopped[0].concerns(nobody) && !stopped[0].concerns(ben));
    let (state, recipients) = shown(&ann, message).await;
    assert_eq!(state, MessageState::Pending, "one waits");
    let state_of = |box_id| recipients.iter().find(|recipient| recipient.box_id == box_id).unwrap();
    assert_eq!(
        to.map(|box_id| state_of(box_id).state),
        [MessageState::Sent, MessageState::Failed, MessageState::Sent, MessageState::Pending]
    );
    assert!(state_of(eve).reason.as_ref().unwrap().contains("no such user"));
    let mut first: Vec<_> = server.requests().remove(0);
    first.sort();
    let mut expected = [ben, eve, dan];
    expected.sort();
    assert_eq!(first, expected, "who can't be sealed to holds up nobody");
    assert_eq!(ann.warned().await.len(), 1);

    // The last is known to be gone: the message counts as sent, since some have it.
    let outgoing = ann.client.store.outgoing(message, nobody).await.unwrap().unwrap();
    assert!(outgoing.sealed.is_none());
    let mut transaction = ann.client.store.begin().await.unwrap();
    let gone = outbox::RecipientRow::new(nobody, Stored::Failed, None);
    assert!(outbox::settle(&mut transaction, message, &gone).await.unwrap());
    assert!(!outbox::settle(&mut transaction, message, &gone).await.unwrap(), "once");
    transaction.commit().await.unwrap();
    assert_eq!(shown(&ann, message).await.0, MessageState::Sent);

    // It failed if it did for all.
    server.decide(|sent| Ok(sent.iter().map(|_| SendOutcome::NoSuchRecipient).collect()));
    let message = write(&ann, group, &[ben, eve], "anybody?").await;
    ann.client.flush().await.unwrap();
    assert_eq!(shown(&ann, message).await.0, MessageState::Failed);
    assert!(ann.warned().await.iter().all(|warning| matches!(warning, Warning::NotSent { .. })));
}

#[tokio::test]
async fn a_recipients_messages_wait_for_each_other_and_for_nobody_elses() {
    let (server, url) = Server::start().await;
    let ann = Receiver::at_server(&url).await;
    let (ben, eve) = (known(&ann, 1).await, known(&ann, 1).await);
    // What is stale stays so, and nobody tells why.
    server.decide(move |sent| {
        Ok(sent.iter().map(|message| if message.recipient == ben { stale() } else { accepted() }).collect())
    });
    let direct = Conversation::Direct;
    let mut messages = Vec::new();
    for (to, text) in [(ben, "one"), (eve, "one"), (ben, "two"), (eve, "two"), (eve, "three")] {
        messages.push(write(&ann, direct(to), &[to], text).await);
    }
    let stopped = ann.client.flush().await.unwrap();
    assert_eq!(stopped.len(), 1);
    assert!(stopped[0].concerns(ben) && !stopped[0].concerns(eve));
    let sent: Vec<_> = server.requests().into_iter().flatten().collect();
    assert_eq!(sent.iter().filter(|to| **to == eve).count(), 3);
    let (pending, done) = (MessageState::Pending, MessageState::Sent);
    for (message, expected) in messages.iter().zip([pending, done, pending, done, done]) {
        assert_eq!(shown(&ann, *message).await.0, expected);
    }

    // Then they go, one after the other, as they were written.
    server.decide(|sent| Ok(sent.iter().map(|_| accepted()).collect()));
    assert!(ann.client.flush().await.unwrap().is_empty());
    assert_eq!(server.requests(), [[ben], [ben]]);
    for message in messages {
        assert_eq!(shown(&ann, message).await.0, MessageState::Sent);
    }
}

#[tokio::test]
async fn a_request_that_is_refused_as_a_whole_is_taken_apart() {
    let (server, url) = Server::start().await;
    let ann = Receiver::at_server(&url).await;
    let mut members = Vec::new();
    for _ in 0..9 {
        members.push(known(&ann, 1).await);
    }
    let bad = members[4];
    server.decide(move |sent| {
        if sent.iter().any(|message| message.recipient == bad) {
            return Err(ProblemType::IdReused);
        }
        Ok(sent.iter().map(|_| accepted()).collect())
    });
    let message = write(&ann, Conversation::Group(Uuid::new_v4()), &members, "hello").await;
    let stopped = ann.client.flush().await.unwrap();
    assert_eq!(stopped.len(), 1);
    assert!(members.iter().all(|member| stopped[0].concerns(*member) == (*member == bad)));
    let (_, recipients) = shown(&ann, message).await;
    for recipient in recipients {
        let expected = if recipient.box_id == bad { MessageState::Pending } else { MessageState::Sent };
        assert_eq!(recipient.state, expected);
    }
    assert!(server.requests().len() < 20);
}

#[tokio::test]
async fn what_does_not_arrive_in_time_is_sent_in_smaller_pieces() {
    let (server, url) = Server::start().await;
    let ann = Receiver::at_server(&url).await;
    let mut members = Vec::new();
    for _ in 0..8 {
        members.push(known(&ann, 1).await);
    }
    server.decide(|sent| {
        if sent.len() > 2 { Err(ProblemType::RequestTimeout) } else { Ok(sent.iter().map(|_| accepted()).collect()) }
    });
    let message = write(&ann, Conversation::Group(Uuid::new_v4()), &members, "hello").await;
    assert!(ann.client.flush().await.unwrap().is_empty());
    assert_eq!(shown(&ann, message).await.0, MessageState::Sent);
    let most = server.requests().iter().filter(|sent| sent.len() <= 2).flatten().count();
    assert_eq!(most, 8);
    // Alone it stops all: the next one would come no further.
    server.decide(|_| Err(ProblemType::RequestTimeout));
    write(&ann, Conversation::Direct(members[0]), &members[..1], "hello").await;
    let stopped = ann.client.flush().await.unwrap();
    assert!(members.iter().all(|member| stopped[0].concerns(*member)));
}

#[tokio::test]
async fn a_server_that_answers_for_others_is_not_believed() {
    let (server, url) = Server::start().await;
    let ann = Receiver::at_server(&url).await;
    let ben = known(&ann, 1).await;
    server.decide(|_| Ok(Vec::new()));
    let message = write(&ann, Conversation::Direct(ben), &[ben], "hello").await;
    let stopped = ann.client.flush().await.unwrap();
    assert!(stopped[0].error.to_string().contains("other messages"), "{stopped:?}");
    assert_eq!(shown(&ann, message).await.0, MessageState::Pending);
}

#[tokio::test]
async fn what_was_sealed_before_is_withheld_from_whoever_forked_or_moved_since() {
    let (server, url) = Server::start().await;
    let ann = Receiver::at_server(&url).await;
    let [honest, forked, moved, found] =
        [known(&ann, 1).await, known(&ann, 1).await, known(&ann, 1).await, known(&ann, 1).await];
    let message = write(&ann, Conversation::Group(Uuid::new_v4()), &[honest, forked, moved], "for all three").await;
    let identifier = "ben@example.org".parse().unwrap();
    let mut transaction = ann.client.store.begin().await.unwrap();
    records::keep_fork(&mut transaction, &ann.client.vault, forked, &[b"evidence"], at(1)).await.unwrap();
    let pin = Pin { box_id: moved, changed_to: Some(found) };
    contacts::set_pin(&mut transaction, &identifier, pin).await.unwrap();
    transaction.commit().await.unwrap();

    let stopped = ann.client.flush().await.unwrap();
    assert_eq!(server.requests(), [vec![honest]]);
    assert_eq!(stopped.len(), 2);
    assert!(stopped.iter().any(|stopped| matches!(&stopped.error, ClientError::Forked(of) if *of == forked)));
    let is_moved = |error: &ClientError| matches!(error, ClientError::RootChanged { pinned, .. } if *pinned == moved);
    assert!(stopped.iter().any(|stopped| is_moved(&stopped.error)));
    // One that another identifier still leads to is who it was.
    let mut transaction = ann.client.store.begin().await.unwrap();
    let pin = Pin { box_id: moved, changed_to: None };
    contacts::set_pin(&mut transaction, &"+15550100".parse().unwrap(), pin).await.unwrap();
    transaction.commit().await.unwrap();
    ann.client.flush().await.unwrap();
    assert_eq!(server.requests(), [vec![moved]]);
    let states = shown(&ann, message).await.1.into_iter().map(|recipient| (recipient.box_id, recipient.state));
    let mut states: Vec<_> = states.collect();
    states.sort_by_key(|(_, state)| *state == MessageState::Sent);
    assert_eq!(states[0], (forked, MessageState::Pending));
}

#[tokio::test]
async fn an_attempt_that_may_have_come_through_is_known_from_one_that_can_t_have() {
    let group = Uuid::new_v4();
    let may_have_reached = async |ann: &Receiver, to: BoxId| {
        let mut connection = ann.client.store.read().await.unwrap();
        outbox::may_have_reached(&mut connection, to, [group, Uuid::new_v4()]).await.unwrap()
    };
    // Nobody takes the connection.
    let ann = Receiver::new().await;
    let ben = known(&ann, 1).await;
    write(&ann, Conversation::Group(group), &[ben], "hello").await;
    assert_eq!(ann.client.flush().await.unwrap().len(), 1);
    assert!(!may_have_reached(&ann, ben).await);
    // A server has it, and says nothing of what became of it.
    let (server, url) = Server::start().await;
    server.decide(|_| Err(ProblemType::Internal));
    let ann = Receiver::at_server(&url).await;
    let [ben, eve] = [known(&ann, 1).await, known(&ann, 1).await];
    write(&ann, Conversation::Group(group), &[ben], "hello").await;
    assert_eq!(ann.client.flush().await.unwrap().len(), 1);
    let message = write(&ann, Conversation::Group(group), &[eve], "hello").await;
    assert!(may_have_reached(&ann, ben).await);
    assert!(!may_have_reached(&ann, eve).await);
    // What was taken back before it was handed over is not handed over.
    let outgoing = ann.client.store.outgoing(message, eve).await.unwrap().unwrap();
    let mut transaction = ann.client.store.begin().await.unwrap();
    ann.client.take_back(&mut transaction, message, eve, "it is no member").await.unwrap();
    assert!(!outbox::attempt(&mut transaction, &outgoing).await.unwrap());
    transaction.commit().await.unwrap();
    server.decide(|sent| Ok(sent.iter().map(|_| accepted()).collect()));
    assert!(ann.client.flush().await.unwrap().is_empty());
    assert!(may_have_reached(&ann, ben).await);
    assert!(!may_have_reached(&ann, eve).await);
}
