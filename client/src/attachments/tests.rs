//! Servers and senders that lie: nothing of what isn't what was sent is ever shown, and nothing of it stays.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::get;
use futures::StreamExt as _;
use rossby_crypto::attachment::{AttachmentKey, seal};
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::http::problem::{Problem, ProblemType};
use rossby_schemas::ids::{BoxId, MessageId};
use tokio::net::TcpListener;

use super::*;
use crate::content::{Attachment, Content, Kind, MAX_PREVIEW_SIDE, PREVIEW_TYPE, Preview, Role, SecretKey};
use crate::messages::tests::{Receiver, at};
use crate::random::rng;
use crate::{ClientError, Conversation, Message, MessageState};

type Answer = Box<dyn FnMut(usize) -> Response + Send>;

/// A server that answers a download as the test says, which hears from where on it is asked.
#[derive(Clone)]
struct Blobs {
    answer: Arc<Mutex<Answer>>,
    asked: Arc<Mutex<Vec<usize>>>,
}

async fn answer(State(blobs): State<Blobs>, headers: HeaderMap) -> Response {
    let range = headers["range"].to_str().unwrap();
    let from = range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap();
    blobs.asked.lock().unwrap().push(from);
    (blobs.answer.lock().unwrap())(from)
}

/// A part of a blob that has `total` octets, as the server says.
fn part(from: usize, total: usize, body: impl Into<Body>) -> Response {
    let range = format!("bytes {from}-{}/{total}", total - 1);
    (StatusCode::PARTIAL_CONTENT, [("content-range", range)], body.into()).into_response()
}

/// A part that is cut off after these octets, though all was promised. The server of the tests throws away what it holds when it
/// is cut, so that is left time to go out; a client that got nothing asks again all the same.
fn cut_off(from: usize, total: usize, octets: Vec<u8>) -> Response {
    let cut = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(std::io::Error::other("cut"))
    };
    let pieces = futures::stream::iter([Ok(Bytes::from(octets))]).chain(futures::stream::once(cut));
    part(from, total, Body::from_stream(pieces))
}

struct World {
    receiver: Receiver,
    blobs: Blobs,
    folder: tempfile::TempDir,
    file: Vec<u8>,
    ciphertext: Vec<u8>,
    attachment: Attachment,
}

impl World {
    async fn new() -> Self {
        let answer: Answer = Box::new(|_| StatusCode::IM_A_TEAPOT.into_response());
        let blobs = Blobs { answer: Arc::new(Mutex::new(answer)), asked: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/blobs/{id}", get(self::answer)).with_state(blobs.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        let file: Vec<u8> = (0..300_000).map(|n: u32| n.to_be_bytes()[3] ^ n.to_be_bytes()[2]).collect();
        let (key, mut ciphertext) = (AttachmentKey::from_bytes([7; 32]), Vec::new());
        let sealed = seal(&mut rng(), &key, 300_000, &mut file.as_slice(), &mut ciphertext, |_| {}).unwrap();
        let attachment = Attachment {
            role: Role::File,
            name: "file.bin".to_owned(),
            media_type: "application/octet-stream".to_owned(),
            size: 300_000,
            blob_id: FixedOctets([1; 34]),
            key: SecretKey(key),
            digest: sealed.digest,
            expires_at: at(1000),
            caption: None,
            duration_ms: None,
            preview: None,
        };
        let receiver = Receiver::at_server(&url).await;
        let world = Self { receiver, blobs, folder: tempfile::tempdir().unwrap(), file, ciphertext, attachment };
        world.serve(world.ciphertext.clone());
        world
    }

    fn answer(&self, answer: impl FnMut(usize) -> Response + Send + 'static) {
        *self.blobs.answer.lock().unwrap() = Box::new(answer);
    }

    /// Answers honestly with these octets.
    fn serve(&self, octets: Vec<u8>) {
        self.answer(move |from| part(from, octets.len(), octets[from..].to_vec()));
    }

    /// From where on the server was asked since the last call.
    fn asked(&self) -> Vec<usize> {
        std::mem::take(&mut *self.blobs.asked.lock().unwrap())
    }

    async fn download(&self, attachment: &Attachment) -> Result<PathBuf, ClientError> {
        let target = Target { path: self.folder.path().to_owned(), overwrites: false };
        self.receiver.client.download(&message(attachment), &target, None).await
    }

    /// Downloads what is another one's fault, which must leave nothing.
    async fn refused(&self, attachment: &Attachment, what: &str) -> &'static str {
        let refused = self.download(attachment).await;
        assert_eq!(self.files(), Vec::<String>::new(), "{what}");
        match refused {
            Err(ClientError::BlobTampered(why)) => why,
            other => panic!("{what}: {other:?}"),
        }
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn part(&self) -> PathBuf {
        self.folder.path().join(format!(".rossby-{}.part", self.attachment.digest))
    }
}

fn message(attachment: &Attachment) -> Message {
    let author = BoxId::from_bytes([1; 16]);
    Message {
        id: 1,
        message_id: MessageId::from_bytes([2; 16]),
        conversation: Conversation::Direct(author),
        author,
        author_identifier: None,
        claimed_name: None,
        peer_identifier: None,
        is_outgoing: false,
        group_name: None,
        is_request: false,
        is_late: false,
        group_events: Vec::new(),
        time: at(0),
        accepted_at: Some(at(0)),
        kind: Kind::Attachment,
        content: Some(Content::Attachment(Box::new(attachment.clone()))),
        text: None,
        edited_at: None,
        is_deleted: false,
        refers_to: None,
        reactions: Vec::new(),
        state: MessageState::New,
        recipients: Vec::new(),
        archived: None,
    }
}

#[tokio::test]
async fn what_was_sent_is_saved_and_nothing_else_is_left() {
    let world = World::new().await;
    let saved = world.download(&world.attachment).await.unwrap();
    assert_eq!(std::fs::read(&saved).unwrap(), world.file);
    assert_eq!(world.files(), ["file.bin"]);
    let again = world.download(&world.attachment).await;
    assert!(matches!(again, Err(ClientError::TargetExists(path)) if path == saved));
    assert_eq!(world.asked(), [0], "it wasn't fetched for nothing");
}

#[tokio::test]
async fn a_server_that_gives_something_else_is_found_out() {
    let world = World::new().await;
    let (honest, total) = (world.ciphertext.clone(), world.ciphertext.len());
    let mut changed = honest.clone();
    changed[total / 2] ^= 1;
    world.serve(changed);
    assert_eq!(world.refused(&world.attachment, "an octet is changed").await, "its digest is another");
    world.serve(vec![0; total]);
    assert_eq!(world.refused(&world.attachment, "another blob").await, "its digest is another");
    world.serve(honest[..total - 1].to_vec());
    assert_eq!(world.refused(&world.attachment, "it says that it is shorter").await, "it has another length");
    let short = honest[..total - 1].to_vec();
    world.answer(move |from| part(from, total, short[from..].to_vec()));
    assert_eq!(world.refused(&world.attachment, "it is cut off").await, "it is shorter");
    world.serve([honest.as_slice(), &[0]].concat());
    assert_eq!(world.refused(&world.attachment, "it says that it is longer").await, "it has another length");
    let long = [honest.as_slice(), &[0]].concat();
    world.answer(move |from| part(from, total, long[from..].to_vec()));
    assert_eq!(world.refused(&world.attachment, "something follows").await, "it is longer");
    world.answer(move |from| {
        let endless = futures::stream::repeat(Ok::<_, Infallible>(Bytes::from(vec![0; 64 * 1024])));
        part(from, total, Body::from_stream(endless))
    });
    assert_eq!(world.refused(&world.attachment, "it never ends").await, "it is longer");
    let whole = honest.clone();
    world.answer(move |_| (StatusCode::OK, [whole.as_slice(), &[0]].concat()).into_response());
    assert_eq!(world.refused(&world.attachment, "the whole, and more").await, "it is longer");

    // The honest one is not held against it.
    world.serve(honest);
    world.download(&world.attachment).await.unwrap();
}

#[tokio::test]
async fn a_blob_that_is_gone_is_told() {
    let world = World::new().await;
    world.answer(|_| {
        let problem = Problem::new(ProblemType::NoSuchBlob);
        (StatusCode::NOT_FOUND, Json(problem)).into_response()
    });
    assert!(matches!(world.download(&world.attachment).await, Err(ClientError::BlobGone)));
}

#[tokio::test]
async fn what_stops_goes_on_where_it_was() {
    let world = World::new().await;
    let (honest, total) = (world.ciphertext.clone(), world.ciphertext.len());
    // Each time the connection is cut after so much.
    let octets = honest.clone();
    world.answer(move |from| {
        let to = total.min(from + 100_000);
        let octets = octets[from..to].to_vec();
        if to == total { part(from, total, octets) } else { cut_off(from, total, octets) }
    });
    let saved = world.download(&world.attachment).await.unwrap();
    assert_eq!(std::fs::read(&saved).unwrap(), world.file);
    let asked = world.asked();
    assert!(asked.len() > 2 && asked[0] == 0 && asked.is_sorted_by(|one, two| one < two), "{asked:?}");
    std::fs::remove_file(saved).unwrap();

    // A server that is away in between, and one that gives the whole again.
    std::fs::write(world.part(), &honest[..200_000]).unwrap();
    let octets = honest.clone();
    world.answer(move |_| (StatusCode::OK, octets.clone()).into_response());
    let saved = world.download(&world.attachment).await.unwrap();
    assert_eq!((std::fs::read(&saved).unwrap(), world.asked()), (world.file.clone(), vec![200_000]));
    std::fs::remove_file(saved).unwrap();

    // What was left is damaged, or too long, or already whole.
    world.serve(honest.clone());
    std::fs::write(world.part(), vec![0; 200_000]).unwrap();
    assert_eq!(world.refused(&world.attachment, "what was left is damaged").await, "its digest is another");
    std::fs::write(world.part(), vec![0; total + 1]).unwrap();
    std::fs::remove_file(world.download(&world.attachment).await.unwrap()).unwrap();
    world.asked();
    std::fs::write(world.part(), &honest).unwrap();
    world.download(&world.attachment).await.unwrap();
    assert_eq!((world.asked(), world.files()), (vec![], vec!["file.bin".to_owned()]));
}

#[tokio::test]
async fn a_sender_that_lies_shows_nothing() {
    let world = World::new().await;
    let good = &world.attachment;
    let key = SecretKey(AttachmentKey::from_bytes([8; 32]));
    let why = world.refused(&Attachment { key, ..good.clone() }, "another key").await;
    assert_eq!(why, "it does not open with the key in the message");
    let digest = FixedOctets([0; 32]);
    let why = world.refused(&Attachment { digest, ..good.clone() }, "another digest").await;
    assert_eq!(why, "its digest is another");
    // Of the same padded length, and of another.
    let why = world.refused(&Attachment { size: 299_999, ..good.clone() }, "a little less").await;
    assert_eq!(why, "it does not open with the key in the message");
    for size in [0, 1000, 1_000_000, u64::MAX] {
        let why = world.refused(&Attachment { size, ..good.clone() }, "another size").await;
        assert_eq!(why, "it has another length", "{size}");
    }
}

#[tokio::test]
async fn a_senders_name_leads_nowhere() {
    let world = World::new().await;
    let outside = world.folder.path().parent().unwrap().join("rossby-escaped");
    for (name, saved_as) in [
        ("../rossby-escaped", "rossby-escaped"),
        (outside.to_str().unwrap(), "rossby-escaped"),
        ("..\\..\\rossby-escaped", "rossby-escaped"),
        (".profile", "profile"),
        ("a\nb\u{1b}[31m", "ab[31m"),
        ("..", "attachment"),
    ] {
        let attachment = Attachment { name: name.to_owned(), ..world.attachment.clone() };
        let saved = world.download(&attachment).await.unwrap();
        assert_eq!(saved, world.folder.path().join(saved_as), "{name}");
        std::fs::remove_file(saved).unwrap();
    }
    assert!(!outside.exists());
    assert_eq!(world.files(), Vec::<String>::new());
    // Nor through what lies there already.
    std::os::unix::fs::symlink(&outside, world.folder.path().join("file.bin")).unwrap();
    let refused = world.download(&world.attachment).await;
    assert!(matches!(refused, Err(ClientError::TargetExists(_))), "{refused:?}");
    let target = Target { path: world.folder.path().to_owned(), overwrites: true };
    let saved = world.receiver.client.download(&message(&world.attachment), &target, None).await.unwrap();
    assert!(saved.symlink_metadata().unwrap().is_file() && !outside.exists(), "the link is replaced, not followed");
}

#[tokio::test]
async fn a_preview_is_saved_from_its_pixels_or_not_at_all() {
    let world = World::new().await;
    let target = Target { path: world.folder.path().to_owned(), overwrites: false };
    let with = |preview| Attachment { role: Role::Picture, preview, ..world.attachment.clone() };
    let save = async |attachment: &Attachment| world.receiver.client.save_preview(&message(attachment), &target).await;
    assert!(matches!(save(&with(None)).await, Err(ClientError::NoPreview(_))));
    let picture = image::DynamicImage::new_rgb8(40, 30);
    let honest = picture::preview(&picture).unwrap();
    let saved = save(&with(Some(honest.clone()))).await.unwrap();
    assert_eq!(saved.file_name(), Some("file.preview.jpg".as_ref()));
    assert!(std::fs::read(&saved).unwrap().starts_with(b"\xff\xd8\xff"));
    std::fs::remove_file(saved).unwrap();
    let of = |data: &[u8]| Preview {
        media_type: PREVIEW_TYPE.to_owned(),
        width: MAX_PREVIEW_SIDE,
        height: MAX_PREVIEW_SIDE,
        data: data.into(),
    };
    for bomb in [of(b"hello"), of(b"\x89PNG\r\n\x1a\n"), Preview { width: 41, ..honest }] {
        assert!(matches!(save(&with(Some(bomb))).await, Err(ClientError::Picture(_))));
    }
    assert_eq!(world.files(), Vec::<String>::new());
    let none = Message { content: None, ..message(&world.attachment) };
    assert!(matches!(world.receiver.client.save_preview(&none, &target).await, Err(ClientError::NoAttachment(_))));
    assert!(world.asked().is_empty(), "the server isn't asked");
}

#[tokio::test]
async fn what_is_no_file_is_not_sent() {
    let world = World::new().await;
    let path = |name: &str| world.folder.path().join(name);
    let keep = async |file: FileToSend| {
        let client = &world.receiver.client;
        let upload = client.encrypt_file(Conversation::Direct(BoxId::from_bytes([1; 16])), file, None).await?;
        client.keep_upload(upload).await
    };
    assert!(matches!(keep(FileToSend::new(path(""))).await, Err(ClientError::NotAFile(_))));
    assert!(matches!(keep(FileToSend::new(path("none"))).await, Err(ClientError::File { .. })));
    make_fifo(&path("fifo"));
    assert!(matches!(keep(FileToSend::new(path("fifo"))).await, Err(ClientError::NotAFile(_))), "it would never end");
    std::fs::write(path("text"), "hello").unwrap();
    let picture = FileToSend { strip_metadata: true, ..FileToSend::new(path("text")) };
    assert!(matches!(keep(picture).await, Err(ClientError::Picture(_))));
    let long = FileToSend { caption: Some("x".repeat(4097)), ..FileToSend::new(path("text")) };
    assert!(matches!(keep(long).await, Err(ClientError::Content(_))));
    assert_eq!(world.receiver.client.pending_uploads().await.unwrap(), []);
    let spool = world.receiver.client.home.join("uploads");
    assert!(!spool.exists() || std::fs::read_dir(spool).unwrap().next().is_none(), "nothing is left");

    // What is kept can be given up, and leaves nothing.
    let kept = keep(FileToSend::new(path("text"))).await.unwrap();
    assert_eq!(world.receiver.client.pending_uploads().await.unwrap().len(), 1);
    assert_eq!(world.receiver.client.cancel_upload(kept.id).await.unwrap().name, "text");
    assert!(matches!(world.receiver.client.cancel_upload(kept.id).await, Err(ClientError::NoSuchUpload(_))));
    assert_eq!(std::fs::read_dir(world.receiver.client.home.join("uploads")).unwrap().count(), 0);
}

/// A file that is sent is encrypted for as long as somebody waits for that; and once it is kept, it stays until it is sent or given up.
#[tokio::test]
async fn what_nobody_waits_for_is_not_kept() {
    let (receiver, folder) = (Receiver::new().await, tempfile::tempdir().unwrap());
    let (client, path) = (&receiver.client, folder.path().join("file.bin"));
    std::fs::write(&path, vec![7; 4_000_000]).unwrap();
    // The first that is told of it waits until nobody waits for the file.
    let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let (left, is_left) = std::sync::mpsc::channel::<()>();
    let is_left = Mutex::new(is_left);
    let tell: Tell = Arc::new(move |_| {
        let _ = begun.send(());
        let _ = is_left.lock().unwrap().recv();
    });
    let told = Arc::downgrade(&tell);
    let conversation = Conversation::Direct(BoxId::from_bytes([2; 16]));
    tokio::select! {
        _ = client.encrypt_file(conversation, FileToSend::new(&path), Some(tell)) => panic!("it is being told"),
        _ = has_begun.recv() => {}
    }
    drop(left);
    while told.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.pending_uploads().await.unwrap(), []);
    assert_eq!(std::fs::read_dir(client.home.join("uploads")).unwrap().count(), 0);

    let encrypted = client.encrypt_file(conversation, FileToSend::new(&path), None).await.unwrap();
    let kept = client.keep_upload(encrypted).await.unwrap();
    let pending = client.pending_uploads().await.unwrap();
    assert_eq!(pending.iter().map(|pending| pending.id).collect::<Vec<_>>(), [kept.id]);
    let sent = client.send_kept(kept.id, None).await.unwrap();
    assert!(matches!(sent, FileSent::Waiting { reason: ClientError::Unreachable { .. }, .. }), "{sent:?}");
    client.cancel_upload(kept.id).await.unwrap();
    let refused = client.send_kept(kept.id, None).await;
    assert!(matches!(refused, Err(ClientError::NoSuchUpload(_))), "{refused:?}");
    assert_eq!(std::fs::read_dir(client.home.join("uploads")).unwrap().count(), 0);
}

fn make_fifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[tokio::test]
async fn two_downloads_at_once_do_not_spoil_each_other_and_no_link_is_followed() {
    let world = World::new().await;
    let part = std::fs::File::create(world.part()).unwrap();
    part.lock().unwrap();
    assert!(matches!(world.download(&world.attachment).await, Err(ClientError::DownloadUnderWay { .. })));
    assert_eq!(world.asked(), [0; 0]);
    drop(part);
    std::fs::remove_file(world.part()).unwrap();
    // Its sender knows how it is called while it is fetched.
    let precious = world.folder.path().join("precious");
    std::fs::write(&precious, vec![1; 400_000]).unwrap();
    std::os::unix::fs::symlink(&precious, world.part()).unwrap();
    assert!(matches!(world.download(&world.attachment).await, Err(ClientError::File { .. })));
    assert_eq!(std::fs::read(&precious).unwrap(), vec![1; 400_000]);
    std::fs::remove_file(world.part()).unwrap();
    world.download(&world.attachment).await.unwrap();
}
