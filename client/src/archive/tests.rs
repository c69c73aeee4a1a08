//! Archives that are as they must be, and all others: nothing of them is kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rossby_crypto::archive::ARCHIVE_HEADER_OCTETS;
use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::ids::{BoxId, MessageId};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::lines::{MAX_LINE_OCTETS, Writer};
use super::*;
use crate::content::{Content, Deletion, Edit, Role};
use crate::error::ClientError;
use crate::messages::tests::{Receiver, at};
use crate::messages::{Conversation, Message, MessageState};
use crate::store::messages::{State, StoredMessage};

const PEER: BoxId = BoxId::from_bytes([0x11; 16]);

fn passphrase() -> SecretString {
    SecretString::from("a passphrase of some words")
}

fn id(number: u8) -> MessageId {
    MessageId::from_bytes([number; 16])
}

/// A home, and a folder for archives.
struct World {
    ann: Receiver,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self { ann: Receiver::new().await, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn account(&self) -> ArchiveRecord {
        let account = self.ann.client.account().await.unwrap();
        ArchiveRecord::Account(ArchivedAccount {
            format: "rossby-archive".to_owned(),
            version: 1,
            exported_at: at(0),
            server: "http://127.0.0.1:9".to_owned(),
            box_id: account.box_id,
            device_id: account.device_id,
            head: account.head,
            identifiers: account.identifiers,
        })
    }

    /// An archive with these records after the account.
    async fn archive(&self, name: &str, records: &[ArchiveRecord], passphrase: Option<&SecretString>) -> PathBuf {
        let path = self.path(name);
        let mut writer = Writer::create(&path, passphrase).await.unwrap();
        writer.write(&self.account().await).unwrap();
        for record in records {
            writer.write(record).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    /// An archive of these lines, whatever they are, with an end that fits them.
    fn lines(&self, name: &str, lines: &[Value]) -> PathBuf {
        let mut text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let sha256 = FixedOctets(Sha256::digest(&text).into());
        text += &format!("{}\n", json!(ArchiveRecord::End(ArchiveEnd { records: lines.len() as u64, sha256 })));
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    async fn import(&self, path: &Path) -> Result<Imported, ClientError> {
        let archive = Archive::open(path, Some(&passphrase())).await?;
        self.ann.client.import(&archive, false, None).await
    }

    async fn transcript(&self) -> Vec<Message> {
        self.ann.client.transcript(Conversation::Direct(PEER), 100, None).await.unwrap()
    }

    async fn texts(&self) -> Vec<String> {
        self.transcript().await.into_iter().map(|message| message.text.unwrap_or_default()).collect()
    }

    /// Refused, by this name, with nothing kept.
    async fn refused(&self, path: &Path, name: &str) -> String {
        let error = self.import(path).await.unwrap_err();
        assert_eq!(error.name(), name, "{error}");
        assert_eq!(self.texts().await, [""; 0], "{error}");
        error.to_string()
    }
}

/// A text of the peer's.
fn message(number: u8, text: &str) -> ArchivedMessage {
    ArchivedMessage {
        peer: Some(PEER),
        group: None,
        group_name: None,
        message_id: id(number),
        author: PEER,
        author_identifier: Some("mailto:ben@example.org".to_owned()),
        claimed_name: None,
        outgoing: false,
        time: at(number.into()),
        accepted_at: Some(at(u64::from(number) + 1)),
        kind: 1,
        text: Some(text.to_owned()),
        location: None,
        attachment: None,
        changes: Vec::new(),
        edited_at: None,
        deleted: false,
        late: false,
        refers_to: None,
        reactions: Vec::new(),
        state: ArchivedState::New,
        recipients: Vec::new(),
    }
}

fn text(number: u8, text: &str) -> ArchiveRecord {
    ArchiveRecord::Message(Box::new(message(number, text)))
}

fn attachment(number: u8, name: &str, size: u64) -> ArchiveRecord {
    let attachment = ArchivedAttachment {
        role: Role::File,
        name: name.to_owned(),
        media_type: "text/plain".to_owned(),
        size,
        duration_ms: None,
        included: true,
        missing: None,
    };
    let message = message(number, "");
    ArchiveRecord::Message(Box::new(ArchivedMessage { kind: 6, text: None, attachment: Some(attachment), ..message }))
}

fn part(octets: &[u8]) -> ArchiveRecord {
    ArchiveRecord::AttachmentPart(AttachmentPart { data: Octets::from(octets.to_vec()) })
}

#[tokio::test]
async fn what_was_archived_is_read_once_and_in_order() {
    let world = World::new().await;
    for (name, passphrase) in [("plain", None), ("sealed", Some(passphrase()))] {
        let path = world.archive(name, &[text(2, "second"), text(1, "first")], passphrase.as_ref()).await;
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        let holds = |text: &str| fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes());
        assert_eq!(holds("second"), passphrase.is_none(), "{name}");
        let imported = world.import(&path).await.unwrap();
        let expected = if name == "plain" { (2, 0) } else { (0, 2) };
        assert_eq!((imported.added, imported.known), expected, "{name}");
        assert_eq!((imported.archive.messages, imported.archive.contacts), (2, 0));
    }
    assert_eq!(world.texts().await, ["first", "second"]);
    let shown = world.transcript().await;
    assert!(shown.iter().all(|message| message.archived.is_some() && message.state == MessageState::Read));
    // Who wrote it is what the archive says, not what this device found.
    assert_eq!(shown[0].author_identifier, None);
    assert_eq!(shown[0].claimed_name.as_deref(), Some("mailto:ben@example.org"));
    assert_eq!(world.ann.texts().await, [""; 0], "nothing of it is news");
    // Page by page it is the same.
    let last = world.ann.client.transcript(Conversation::Direct(PEER), 1, None).await.unwrap();
    assert_eq!(last[0].text.as_deref(), Some("second"));
    let before = world.ann.client.transcript(Conversation::Direct(PEER), 5, Some(&last[0])).await.unwrap();
    assert_eq!(before.iter().map(|message| message.text.as_deref()).collect::<Vec<_>>(), [Some("first")]);
    let listed = world.ann.client.conversations().await.unwrap();
    assert_eq!((listed.len(), listed[0].last.text.as_deref()), (1, Some("second")));
    // An archive of an archive has it too.
    let options = ExportOptions { path: world.path("again"), passphrase: None, attachments: false, offline: true };
    let exported = world.ann.client.export(&options, None).await.unwrap();
    assert_eq!((exported.messages, exported.conversations), (2, 1));
    let error = world.ann.client.export(&options, None).await.unwrap_err();
    assert!(matches!(error, ClientError::TargetExists(_)), "{error}");
    let mut left: Vec<_> = fs::read_dir(world.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["again", "plain", "sealed"], "nothing half is left");
}

#[tokio::test]
async fn what_an_author_says_later_counts() {
    let world = World::new().await;
    let (own, mine) = (world.ann.client.account().await.unwrap().box_id, 9);
    let of_own = |number: u8, text: &str| {
        let record = ArchivedMessage { author: own, outgoing: true, ..message(number, text) };
        ArchiveRecord::Message(Box::new(record))
    };
    let path = world.archive("one", &[of_own(mine, "mine"), of_own(8, "kept"), text(1, "his")], None).await;
    world.import(&path).await.unwrap();
    let device = world.ann.client.device().await.unwrap().device_id;
    for (sequence, content) in (1..).zip([
        Content::Edit(Edit { message_id: id(8), text: "kept, edited".to_owned() }),
        Content::Deletion(Deletion { message_id: id(mine) }),
        // Only its author takes a message back.
        Content::Deletion(Deletion { message_id: id(1) }),
    ]) {
        let thread = Conversation::Direct(PEER);
        let stored = StoredMessage {
            id: 0,
            thread,
            conversation: thread.id(own),
            sender: own,
            sender_device: device,
            sequence,
            previous: None,
            link_hash: FixedOctets([1; 32]),
            message_id: id(100),
            time: at(100),
            accepted_at: Some(at(100)),
            kind: content.kind().number(),
            body: content.encode().unwrap(),
            state: State::Sent,
            is_shown: false,
        };
        let mut transaction = world.ann.client.store.begin().await.unwrap();
        world.ann.client.file(&mut transaction, &stored, &[]).await.unwrap();
        transaction.commit().await.unwrap();
    }
    assert_eq!(world.texts().await, ["his", "kept, edited"]);
    // It does not come back.
    let imported = world.import(&path).await.unwrap();
    assert_eq!(imported.archive.messages, 3);
    assert_eq!(world.texts().await, ["his", "kept, edited"]);
}

#[tokio::test]
async fn what_is_cut_changed_or_locked_is_refused() {
    let world = World::new().await;
    let records: Vec<_> = (1..=3).map(|number| text(number, "a text")).collect();
    let plain = fs::read(world.archive("plain", &records, None).await).unwrap();
    let whole = fs::read(world.archive("sealed", &records, Some(&passphrase())).await).unwrap();
    let path = world.path("changed");
    for end in (0..plain.len()).step_by(97).chain([plain.len() - 1]) {
        fs::write(&path, &plain[..end]).unwrap();
        let error = world.import(&path).await.unwrap_err();
        let is_named = matches!(error.name(), "bad-archive" | "not-an-archive");
        assert!(is_named, "cut at {end}: {error}");
    }
    let changed = String::from_utf8(plain.clone()).unwrap().replacen("a text", "A text", 1);
    fs::write(&path, changed).unwrap();
    world.refused(&path, "bad-archive").await;
    let longer = [plain.clone(), b"{\"record\":\"message\"}\n".to_vec()].concat();
    fs::write(&path, longer).unwrap();
    world.refused(&path, "bad-archive").await;
    // A line less is noticed, with an end that is the whole's.
    let mut lines: Vec<&[u8]> = plain.split_inclusive(|octet| *octet == b'\n').collect();
    lines.remove(2);
    fs::write(&path, lines.concat()).unwrap();
    world.refused(&path, "bad-archive").await;

    for place in [ARCHIVE_HEADER_OCTETS - 1, ARCHIVE_HEADER_OCTETS + 10, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        fs::write(&path, changed).unwrap();
        world.refused(&path, "archive-does-not-open").await;
    }
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    world.refused(&path, "archive-does-not-open").await;
    fs::write(&path, &whole[..20]).unwrap();
    world.refused(&path, "bad-archive").await;
    let mut later = whole.clone();
    later[15] = b'2';
    fs::write(&path, later).unwrap();
    assert!(world.refused(&path, "archive-version").await.contains("version 2"));
    // A header that asks for all memory that there is.
    let mut greedy = whole.clone();
    greedy[16..20].fill(0xff);
    fs::write(&path, greedy).unwrap();
    world.refused(&path, "bad-archive").await;
    let open = async |passphrase: Option<&SecretString>| {
        Archive::open(&world.path("sealed"), passphrase).await.and_then(|archive| archive.check(None))
    };
    assert_eq!(open(None).await.unwrap_err().name(), "archive-passphrase");
    assert_eq!(open(Some(&"another".into())).await.unwrap_err().name(), "archive-does-not-open");
    assert_eq!(open(Some(&"".into())).await.unwrap_err().name(), "archive-passphrase");
    open(Some(&passphrase())).await.unwrap();
}

#[tokio::test]
async fn lines_that_no_archive_has_are_refused() {
    let world = World::new().await;
    let account = json!(world.account().await);
    let with = |field: &str, value: Value| {
        let mut line = json!(text(1, "a text"));
        line[field] = value;
        line
    };
    let other_version = |version: Value| {
        let mut line = account.clone();
        line["version"] = version;
        line
    };
    for (n, (lines, name)) in [
        (vec![], "not-an-archive"),
        (vec![json!({ "format": "something-else", "version": 1 })], "not-an-archive"),
        (vec![other_version(json!(2))], "archive-version"),
        (vec![other_version(json!(0))], "archive-version"),
        (vec![other_version(json!("1"))], "not-an-archive"),
        (vec![account.clone(), account.clone()], "bad-archive"),
        (vec![json!({ "record": "unknown", "format": "rossby-archive", "version": 1 })], "bad-archive"),
        (vec![account.clone(), json!([])], "bad-archive"),
        (vec![account.clone(), with("group", json!("0f0e0d0c-0b0a-8908-8706-050403020100"))], "bad-archive"),
        (vec![account.clone(), with("peer", Value::Null)], "bad-archive"),
        (vec![account.clone(), with("peer", json!("../../etc"))], "bad-archive"),
        (vec![account.clone(), with("text", json!("x".repeat(crate::MAX_TEXT_OCTETS + 1)))], "bad-archive"),
        (vec![account.clone(), with("kind", json!(-1))], "bad-archive"),
        (vec![account.clone(), with("time", json!("99999-01-01T00:00:00Z"))], "bad-archive"),
        (vec![account.clone(), with("deleted", json!(true))], "bad-archive"),
        (vec![account.clone(), with("location", json!({ "latitude": 1e9, "longitude": 0 }))], "bad-archive"),
        (vec![account.clone(), with("reactions", json!([{ "emoji": "x".repeat(65), "authors": [] }]))], "bad-archive"),
        (vec![account.clone(), with("recipients", json!(vec![json!(null); 3]))], "bad-archive"),
        (vec![account.clone(), with("text", json!("x".repeat(MAX_LINE_OCTETS)))], "bad-archive"),
        (vec![account.clone(), json!(part(b"of nothing"))], "bad-archive"),
        (vec![account.clone(), json!(attachment(1, "a", 3)), json!(part(b"four"))], "bad-archive"),
        (vec![account.clone(), json!(attachment(1, "a", 5)), json!(part(b"four"))], "bad-archive"),
        (
            vec![account.clone(), json!(attachment(1, "a", 5)), json!(text(2, "x")), json!(part(b"fives"))],
            "bad-archive",
        ),
        (vec![account.clone(), json!(attachment(1, "a", u64::MAX)), json!(part(b"x"))], "bad-archive"),
        (vec![account.clone(), json!(attachment(1, "a", 1)), json!(part(b""))], "bad-archive"),
    ]
    .into_iter()
    .enumerate()
    {
        // What is good before it isn't kept either.
        let lines = match lines.split_first() {
            Some((first, rest)) if rest.len() == 1 => {
                vec![first.clone(), json!(text(7, "before")), rest[0].clone()]
            }
            _ => lines,
        };
        world.refused(&world.lines(&format!("{n}"), &lines), name).await;
    }
    // Arrays in arrays end somewhere.
    let deep = format!("{account}\n{}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    fs::write(world.path("deep"), deep).unwrap();
    world.refused(&world.path("deep"), "bad-archive").await;
    // What a later version adds to this format is passed over.
    let mut later = json!(text(1, "a text"));
    later["a-new-field"] = json!({ "x": 1 });
    let lines = [account.clone(), json!({ "record": "a-new-one", "x": [1, 2] }), later];
    assert_eq!(world.import(&world.lines("later", &lines)).await.unwrap().added, 1);
}

#[tokio::test]
async fn another_accounts_archive_is_taken_only_if_that_is_meant() {
    let (world, other) = (World::new().await, World::new().await);
    let path = other.archive("of another", &[text(1, "from before")], None).await;
    let error = world.refused(&path, "other-account").await;
    assert!(error.contains("--of-another-account"), "{error}");
    let archive = Archive::open(&path, None).await.unwrap();
    world.ann.client.import(&archive, true, None).await.unwrap();
    assert_eq!(world.texts().await, ["from before"]);
}

#[tokio::test]
async fn attachments_are_saved_under_names_that_lead_nowhere() {
    let world = World::new().await;
    let names = ["../../outside.txt", "/etc/passwd", "a.txt", "a.txt", "..", "C:\\windows\\a.txt", ""];
    let mut records = Vec::new();
    for (number, name) in (1..).zip(names) {
        let text = format!("number {number}");
        let (begin, end) = text.as_bytes().split_at(3);
        records.extend([attachment(number, name, text.len() as u64), part(begin), part(end)]);
    }
    records.insert(0, attachment(50, "empty", 0));
    // One of which only is told, between.
    let told = ArchivedMessage { kind: 6, ..message(60, "") };
    records.push(ArchiveRecord::Message(Box::new(told)));
    let path = world.archive("files", &records, None).await;
    let target = world.path("target");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("outside.txt"), "was here").unwrap();
    let archive = Archive::open(&path, None).await.unwrap();
    let saved = archive.save_attachments(&target).unwrap();
    let names: Vec<_> = saved.iter().map(|path| path.strip_prefix(&target).unwrap().to_str().unwrap()).collect();
    let expected =
        ["empty", "outside (2).txt", "passwd", "a.txt", "a (2).txt", "attachment", "a (3).txt", "attachment (2)"];
    assert_eq!(names, expected);
    assert_eq!(fs::read_to_string(target.join("outside.txt")).unwrap(), "was here");
    assert_eq!(fs::read_to_string(target.join("a (2).txt")).unwrap(), "number 4");
    assert_eq!(fs::read_dir(&target).unwrap().count(), expected.len() + 1, "nothing else is there");
    // Of one that is not whole nothing is saved.
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    let target = world.path("another target");
    fs::create_dir(&target).unwrap();
    let archive = Archive::open(&path, None).await.unwrap();
    assert_eq!(archive.save_attachments(&target).unwrap_err().name(), "bad-archive");
    assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
}
