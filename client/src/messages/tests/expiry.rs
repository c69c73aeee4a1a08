//! What was written while this device's clock was ahead.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json};
use axum::routing::post;
use rossby_crypto::message::MessageValue;
use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::http::blobs::{CHUNK_OCTETS, UploadRequest, UploadResponse};
use rossby_schemas::http::problem::{Problem, ProblemType};
use rossby_schemas::time::{Clock as _, ManualClock, SystemClock, Timestamp};

use super::outbox::{Server, accepted, known, shown, write};
use super::{Receiver, at};
use crate::contacts::tests::Server as Lookups;
use crate::store::records;
use crate::{ClientError, Content, Conversation, FileSent, FileToSend, MessageState, Peer};

const HOUR: Duration = Duration::from_secs(3600);
/// For how long a server keeps a message.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

fn expiry(value: &Octets) -> Timestamp {
    MessageValue::parse(value).unwrap().expires_at
}

#[tokio::test]
async fn it_goes_out_with_another_expiry_once_the_clock_is_right() {
    let (server, url) = Server::start().await;
    let ann = Receiver::at_server(&url).await;
    let ben = known(&ann, 1).await;
    ann.clock.set(at(0).plus(48 * HOUR));
    let message = write(&ann, Conversation::Direct(ben), &[ben], "hello").await;
    server.decide(|sent| {
        assert!(sent.iter().all(|message| expiry(&message.value) <= at(0).plus(LONGEST)));
        Ok(sent.iter().map(|_| accepted()).collect())
    });
    ann.clock.set(at(0));
    assert!(ann.client.flush().await.unwrap().is_empty());
    assert_eq!(shown(&ann, message).await.0, MessageState::Sent);
}

#[tokio::test]
async fn an_answer_that_sets_the_clock_right_lets_it_out() {
    let (server, url) = Server::start().await;
    let ann = Receiver::at_server(&url).await;
    let (ben, eve) = (known(&ann, 1).await, known(&ann, 1).await);
    ann.clock.set(at(0).plus(48 * HOUR));
    let messages = [
        write(&ann, Conversation::Direct(ben), &[ben], "one").await,
        write(&ann, Conversation::Direct(eve), &[eve], "two").await,
    ];
    let clock = Arc::clone(&ann.clock);
    server.decide(move |sent| {
        clock.set(at(0));
        if sent.iter().any(|message| expiry(&message.value) > clock.now().plus(LONGEST)) {
            return Err(ProblemType::InvalidRequest);
        }
        Ok(sent.iter().map(|_| accepted()).collect())
    });
    assert!(ann.client.flush().await.unwrap().is_empty());
    assert_eq!(server.requests().len(), 2, "both at once, again");
    for message in messages {
        assert_eq!(shown(&ann, message).await.0, MessageState::Sent);
    }
}

/// A server that takes what does not live too long, and whose answers set the clock right.
fn takes_uploads(clock: Arc<ManualClock>) -> Router {
    let takes = async move |Json(request): Json<UploadRequest>| {
        clock.set(at(0));
        if request.expires_at > at(0).plus(LONGEST) {
            let problem = Problem::new(ProblemType::InvalidRequest);
            return (StatusCode::BAD_REQUEST, Json(problem)).into_response();
        }
        Json(uploaded(request.octets, request.expires_at)).into_response()
    };
    let completes = async || Json(uploaded(0, at(0)));
    Router::new().route("/v1/blobs", post(takes)).route("/v1/blobs/{id}/complete", post(completes))
}

fn uploaded(octets: u64, expires_at: Timestamp) -> UploadResponse {
    let blob_id = FixedOctets([1; 34]);
    let (chunk_octets, chunks) = (CHUNK_OCTETS, 1);
    let (next_chunk, complete, upload_until) = (1, true, expires_at);
    UploadResponse { blob_id, octets, chunk_octets, chunks, next_chunk, complete, expires_at, upload_until }
}

#[tokio::test]
async fn by_a_clock_by_which_all_keys_are_too_old_nothing_is_written_and_the_person_is_told_why() {
    let clock = Arc::new(ManualClock::new(at(0)));
    let (server, url) = Lookups::with(Router::new()).await;
    let ann = Receiver::with_clock(&url, Arc::clone(&clock)).await;
    let ben = known(&ann, 1).await;
    let record = records::key_record(&mut ann.client.store.read().await.unwrap(), ben).await.unwrap().unwrap();
    server.knows(ben, &record);
    clock.set(SystemClock.now().plus(LONGEST + 48 * HOUR));
    let sent = ann.client.send(&Peer::Box(ben), "hello").await;
    assert!(matches!(&sent, Err(ClientError::ClockAhead(by)) if *by > LONGEST), "{sent:?}");
    assert_eq!(ann.client.latest(10).await.unwrap().len(), 0);
}

#[tokio::test]
async fn an_upload_gets_another_expiry_too() {
    let clock = Arc::new(ManualClock::new(at(0)));
    let (server, url) = Lookups::with(takes_uploads(Arc::clone(&clock))).await;
    let ann = Receiver::with_clock(&url, Arc::clone(&clock)).await;
    let ben = known(&ann, 1).await;
    let record = records::key_record(&mut ann.client.store.read().await.unwrap(), ben).await.unwrap().unwrap();
    server.knows(ben, &record);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.bin");
    std::fs::write(&file, b"something").unwrap();
    clock.set(at(0).plus(48 * HOUR));
    let sent = ann.client.send_file(&Peer::Box(ben), FileToSend::new(&file), None).await.unwrap();
    assert!(matches!(sent, FileSent::Said(_)), "{sent:?}");
    let [said] = &ann.client.latest(10).await.unwrap()[..] else { panic!("it was not said") };
    let Some(Content::Attachment(attachment)) = &said.content else { panic!("{:?}", said.content) };
    assert!(attachment.expires_at <= at(0).plus(LONGEST));
}
