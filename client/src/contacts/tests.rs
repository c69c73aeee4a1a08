//! The daily batch: whom it asks for, when, and what it makes of the answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::post;
use rossby_crypto::key_record::KeyRecord;
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::lookup::{KeyRecordDocument, LookupRequest, LookupResponse};
use rossby_schemas::http::problem::{Problem, ProblemType};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::BoxId;
use tokio::net::TcpListener;

use crate::content::{Mark, Standing};
use crate::messages::tests::{Receiver, Sender, at};
use crate::store::contacts::{self, Pin};
use crate::store::{records, refresh};
use crate::{ClientError, Conversation, Peer, Shown, Warning};

const HOUR: Duration = Duration::from_secs(3600);

/// A server that knows these, by identifier or box, and keeps whom it was asked for.
#[derive(Clone, Default)]
pub(crate) struct Server {
    known: Arc<Mutex<HashMap<String, (BoxId, KeyRecord)>>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// What it answers to everything.
    pub(crate) refuses: Arc<Mutex<Option<ProblemType>>>,
}

impl Server {
    async fn start() -> (Self, Receiver) {
        let (server, url) = Self::with(Router::new()).await;
        (server, Receiver::at_server(&url).await)
    }

    /// A server that has these routes besides, and where it is.
    pub(crate) async fn with(routes: Router) -> (Self, String) {
        let server = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/lookups", post(answer)).with_state(server.clone()).merge(routes);
        tokio::spawn(async { axum::serve(listener, router).await });
        (server, url)
    }

    pub(crate) fn knows(&self, name: impl ToString, record: &KeyRecord) {
        self.shows(name, record.box_id(), record);
    }

    /// It gives a record for that of this box.
    fn shows(&self, name: impl ToString, box_id: BoxId, record: &KeyRecord) {
        self.known.lock().unwrap().insert(name.to_string(), (box_id, record.clone()));
    }

    /// Whom it was asked for since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

async fn answer(State(server): State<Server>, Json(request): Json<LookupRequest>) -> Response {
    let name = request.identifier.or(request.box_id.map(|box_id| box_id.to_string())).unwrap();
    server.asked.lock().unwrap().push(name.clone());
    let refused = *server.refuses.lock().unwrap();
    let found = server.known.lock().unwrap().get(&name).cloned();
    match (refused, found) {
        (None, Some((box_id, record))) => {
            let (head, statements) = (record.head(), record.statements().to_vec());
            let key_record = KeyRecordDocument { head, statements, sealing_statements: Vec::new() };
            Json(LookupResponse { box_id, key_record, profile: Octets::default() }).into_response()
        }
        (refused, _) => {
            let problem = Problem::new(refused.unwrap_or(ProblemType::NoSuchRecipient));
            (StatusCode::from_u16(problem.status).unwrap(), Json(problem)).into_response()
        }
    }
}

async fn accept(of: &Receiver, box_id: BoxId) {
    let device = of.client.device().await.unwrap();
    let mut transaction = of.client.store.begin().await.unwrap();
    of.client.stand(&mut transaction, &device, box_id, Standing::Accepted).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn pin(of: &Receiver, identifier: &str, box_id: BoxId) {
    let identifier: Identifier = identifier.parse().unwrap();
    let mut transaction = of.client.store.begin().await.unwrap();
    contacts::set_pin(&mut transaction, &identifier, Pin { box_id, changed_to: None }).await.unwrap();
    transaction.commit().await.unwrap();
}

/// How long it is until the next batch.
async fn until_next(of: &Receiver) -> Duration {
    let next = refresh::next_at(&mut of.client.store.read().await.unwrap()).await.unwrap();
    next.unwrap().since(of.client.now())
}

/// Lets so much time pass, and the batch be done that is due then.
async fn after(of: &Receiver, time: Duration) {
    of.clock.set(of.client.now().plus(time));
    of.client.refresh_contacts().await.unwrap();
}

#[tokio::test]
async fn accepted_and_verified_people_are_asked_for_once_a_day_and_strangers_are_not() {
    let (server, ann) = Server::start().await;
    let [ben, eve, stranger] = std::array::from_fn(|_| Sender::new().record);
    for record in [&ben, &eve, &stranger] {
        server.knows(record.box_id(), record);
        ann.client.look_up(&Peer::Box(record.box_id())).await.unwrap();
    }
    server.knows("mailto:ben@example.org", &ben);
    accept(&ann, ben.box_id()).await;
    pin(&ann, "ben@example.org", ben.box_id()).await;
    server.asked();

    ann.client.refresh_contacts().await.unwrap();
    assert_eq!(server.asked(), [""; 0], "not when the device is used first");
    assert!(until_next(&ann).await < 24 * HOUR);
    after(&ann, 24 * HOUR).await;
    assert_eq!(server.asked(), ["mailto:ben@example.org"], "by the address, which may lead elsewhere");
    let next = until_next(&ann).await;
    assert!((20 * HOUR..28 * HOUR).contains(&next), "{next:?}");
    after(&ann, 19 * HOUR).await;
    assert_eq!(server.asked(), [""; 0], "once a day");
    after(&ann, 9 * HOUR).await;
    assert_eq!(server.asked().len(), 1);

    // Someone who was asked for a moment ago need not be; a verified one has no address here.
    let verified = Mark { box_id: eve.box_id(), is_verified: true, head: eve.head(), changed_at: at(0) };
    crate::store::verified::merge(&mut ann.client.store.read().await.unwrap(), verified).await.unwrap();
    ann.clock.set(ann.client.now().plus(28 * HOUR));
    ann.client.look_up(&Peer::Box(ben.box_id())).await.unwrap();
    server.asked();
    ann.client.refresh_contacts().await.unwrap();
    assert_eq!(server.asked(), [eve.box_id().to_string()]);
}

#[tokio::test]
async fn a_large_batch_is_cut_and_one_that_breaks_off_is_gone_on_with() {
    let (server, ann) = Server::start().await;
    for _ in 0..60 {
        let record = Sender::new().record;
        server.knows(record.box_id(), &record);
        accept(&ann, record.box_id()).await;
    }
    ann.client.refresh_contacts().await.unwrap();
    after(&ann, 24 * HOUR).await;
    let first = server.asked();
    assert_eq!(first.len(), 50);
    let next = until_next(&ann).await;
    assert!((HOUR / 2..HOUR).contains(&next), "{next:?}");
    *server.refuses.lock().unwrap() = Some(ProblemType::RateLimited);
    after(&ann, HOUR).await;
    assert_eq!(server.asked().len(), 1, "a server that has enough is not asked on");
    *server.refuses.lock().unwrap() = None;
    after(&ann, HOUR).await;
    let rest = server.asked();
    assert_eq!(rest.len(), 10);
    assert!(!rest.iter().any(|name| first.contains(name)), "each once");
    assert!(until_next(&ann).await >= 20 * HOUR);
}

#[tokio::test]
async fn what_the_answers_say_is_told() {
    let (server, ann) = Server::start().await;
    let [ben, eve, gone, bad, forked] = std::array::from_fn(|_| Sender::new());
    let all = [&ben, &eve, &gone, &bad, &forked].map(|sender| sender.record.clone());
    for (record, name) in all.iter().zip(["ben", "eve", "gone", "bad", "forked"]) {
        let name = format!("mailto:{name}@example.org");
        server.knows(&name, record);
        ann.client.lookup(&name.strip_prefix("mailto:").unwrap().parse().unwrap(), false).await.unwrap();
        accept(&ann, record.box_id()).await;
    }
    let digits = ann.client.verification(&"ben@example.org".parse().unwrap()).await;
    let digits = Shown::Digits(digits.unwrap().contact.safety_number.digits().to_owned());
    ann.client.compare_and_mark(&"ben@example.org".parse().unwrap(), &digits).await.unwrap();
    assert_eq!(ann.warned().await, []);

    // Ben links a device; Eve's address leads to Ben; one is no longer there; one is shown with another's record, and one with two.
    let linked = ben.linked().record;
    server.knows("mailto:ben@example.org", &linked);
    server.knows("mailto:eve@example.org", &linked);
    server.known.lock().unwrap().remove("mailto:gone@example.org");
    ann.client.keep_record(forked.record.box_id(), forked.linked().record.statements(), &[]).await.unwrap();
    server.knows("mailto:forked@example.org", &forked.linked().record);
    server.shows("mailto:bad@example.org", bad.record.box_id(), &eve.record);
    ann.client.refresh_contacts().await.unwrap();
    after(&ann, 24 * HOUR).await;
    let told = ann.warned().await;
    let box_id = ben.record.box_id();
    let identifier = Some("mailto:ben@example.org".to_owned());
    assert!(told.contains(&Warning::NewDevices { box_id, identifier, devices: 1 }), "{told:?}");
    let identifier = "mailto:eve@example.org".to_owned();
    assert!(told.contains(&Warning::RootChanged { identifier, was_verified: false }), "{told:?}");
    // Until that is accepted, nobody is accepted, blocked or removed by that address; what was written is read.
    let peer: Peer = "eve@example.org".parse().unwrap();
    let (pinned, found) = (eve.record.box_id(), box_id);
    for refused in [ann.client.box_of(&peer).await, ann.client.accept_peer(&peer).await] {
        assert!(
            matches!(&refused, Err(ClientError::RootChanged { pinned: before, found: now, .. }) if (*before, *now) == (pinned, found)),
            "{refused:?}"
        );
    }
    assert_eq!(ann.client.conversation_with(&peer).await.unwrap(), Conversation::Direct(pinned));
    assert!(told.contains(&Warning::Fork(forked.record.box_id())), "{told:?}");
    let box_id = bad.record.box_id();
    assert!(told.iter().any(|w| matches!(w, Warning::RefusedRecord { box_id: of, .. } if *of == box_id)), "{told:?}");
    assert_eq!(told.len(), 4, "{told:?}");
}

#[tokio::test]
async fn where_an_address_leads_is_asked_again_after_an_hour_before_anything_is_sent() {
    let (server, ann) = Server::start().await;
    let (ben, eve) = (Receiver::new().await, Receiver::new().await);
    let known = async |of: &Receiver| {
        let record =
            records::own_record(&mut ann.client.store.read().await.unwrap(), of.sealing.content().box_id).await;
        record.unwrap()
    };
    for of in [&ben, &eve] {
        let box_id = of.sealing.content().box_id;
        let record = records::own_record(&mut of.client.store.read().await.unwrap(), box_id).await.unwrap();
        ann.client.keep_record(box_id, record.statements(), &[of.sealing.octets().clone()]).await.unwrap();
    }
    let (ben, eve) = (known(&ben).await, known(&eve).await);
    server.knows("mailto:ben@example.org", &ben);
    let peer: Peer = "ben@example.org".parse().unwrap();
    let recipient = async || ann.client.recipient(&peer).await.map(|known| known.record.box_id());
    let later = |time| ann.clock.set(ann.client.now().plus(time));

    for asked in [1, 0] {
        assert_eq!(recipient().await.unwrap(), ben.box_id());
        assert_eq!(server.asked().len(), asked);
    }
    later(HOUR / 2);
    assert_eq!(recipient().await.unwrap(), ben.box_id());
    assert_eq!(server.asked(), [""; 0], "it was asked for half an hour ago");
    // An answer about the box says nothing of the address.
    server.knows(ben.box_id(), &ben);
    ann.client.look_up(&Peer::Box(ben.box_id())).await.unwrap();
    server.asked();
    later(HOUR / 2);
    assert_eq!(recipient().await.unwrap(), ben.box_id());
    assert_eq!(server.asked(), ["mailto:ben@example.org"]);

    // By the box nobody is asked, and where the server says nothing, today's answer is good.
    later(HOUR);
    ann.client.recipient(&Peer::Box(ben.box_id())).await.unwrap();
    assert_eq!(server.asked(), [""; 0]);
    *server.refuses.lock().unwrap() = Some(ProblemType::RateLimited);
    assert_eq!(recipient().await.unwrap(), ben.box_id());
    assert_eq!(server.asked(), ["mailto:ben@example.org"]);
    later(24 * HOUR);
    assert!(matches!(recipient().await, Err(ClientError::Refused(_))), "and yesterday's is not");
    *server.refuses.lock().unwrap() = None;

    assert_eq!(recipient().await.unwrap(), ben.box_id());
    server.knows("mailto:ben@example.org", &eve);
    later(HOUR);
    let refused = recipient().await;
    assert!(matches!(&refused, Err(ClientError::RootChanged { found, .. }) if *found == eve.box_id()), "{refused:?}");
}
