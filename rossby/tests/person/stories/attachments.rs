//! Files, pictures and voice messages: what is sent comes as it was, and nothing else is ever shown.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use crate::human::Human;
use crate::process::{PATIENCE, Server};
use crate::set_up::SetUp;

pub(crate) const MIB: usize = 1024 * 1024;

/// Ann and Ben, with a server.
pub(crate) struct Pair {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) server: Server,
    pub(crate) ann: Human,
    pub(crate) ben: Human,
}

impl Pair {
    pub(crate) fn new(set_up: &SetUp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = set_up.start(&folder.path().join("data"), 0);
        let [ann, ben] =
            ["ann@example.org", "ben@example.org"].map(|identifier| Human::new(folder.path(), identifier, &server));
        ann.join(&server);
        ben.join(&server);
        Self { folder, server, ann, ben }
    }

    /// Writes a file that ann will send.
    pub(crate) fn file(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, octets).unwrap();
        path
    }

    pub(crate) fn send(&self, path: &Path, more: &[&str]) -> Value {
        self.ann.done(&[&["send", "ben@example.org", "--file", path.to_str().unwrap()], more].concat())
    }

    /// The next message that comes to ben.
    pub(crate) fn next(&self) -> Value {
        first(&self.ben, &["inbox"])
    }

    pub(crate) fn target(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The first message that a command shows, once it shows one.
fn first(human: &Human, command: &[&str]) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(message) = human.done(command)["messages"].as_array().unwrap().first() {
            return message.clone();
        }
        assert!(Instant::now() < deadline, "nothing came");
    }
}

/// Octets that differ from place to place.
pub(crate) fn octets(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut octets = Vec::with_capacity(count + 8);
    while octets.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        octets.extend_from_slice(&state.to_le_bytes());
    }
    octets.truncate(count);
    octets
}

pub(super) fn holds(octets: &[u8], text: &[u8]) -> bool {
    octets.windows(text.len()).any(|part| part == text)
}

/// A picture of 30 by 20 pixels, with a text beside them.
pub(super) fn png() -> Vec<u8> {
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [kind.as_slice(), data].concat();
        [&u32::try_from(data.len()).unwrap().to_be_bytes()[..], &body, &crc(&body).to_be_bytes()].concat()
    };
    let header = [&30_u32.to_be_bytes()[..], &20_u32.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    // Lines of three octets a pixel, each after a zero; stored, not compressed.
    let lines: Vec<u8> = (0..20_u8).flat_map(|y| std::iter::once(0).chain((0..90_u8).map(move |x| x ^ y))).collect();
    let length = u16::try_from(lines.len()).unwrap();
    let (a, b) = lines.iter().fold((1_u32, 0_u32), |(a, b), octet| {
        let a = (a + u32::from(*octet)) % 65_521;
        (a, (b + a) % 65_521)
    });
    let stored =
        [&[0x78, 1, 1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), &lines, &(b << 16 | a).to_be_bytes()];
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"tEXt", b"Comment\0GPS 52.5200N 13.4050E"),
        chunk(b"IDAT", &stored.concat()),
        chunk(b"IEND", b""),
    ]
    .concat()
}

/// The checksum of PNG's chunks.
fn crc(octets: &[u8]) -> u32 {
    !octets.iter().fold(u32::MAX, |crc, octet| {
        (0..8).fold(crc ^ u32::from(*octet), |crc, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 })
    })
}

pub(crate) fn id(message: &Value) -> &str {
    message["message_id"].as_str().unwrap()
}

pub(crate) fn share(set_up: &SetUp) {
    let pair = Pair::new(set_up);
    let (file, voice) = (octets(3 * MIB / 2), octets(40_000));
    let path = pair.file("Grüße.bin", &file);
    assert_eq!(pair.send(&path, &["--caption", "what you asked for"])["state"], "sent");
    let message = pair.next();
    let attachment = &message["attachment"];
    assert_eq!((&message["kind"], &message["text"]), (&"attachment".into(), &"what you asked for".into()));
    assert_eq!((&attachment["role"], &attachment["name"]), (&"file".into(), &"Grüße.bin".into()));
    assert_eq!(
        (&attachment["size"], &attachment["media_type"]),
        (&file.len().into(), &"application/octet-stream".into())
    );
    let line = pair.ben.command(&["inbox", "--all"]).output().unwrap().stdout;
    let line = String::from_utf8(line).unwrap();
    assert!(line.contains("[file] Grüße.bin, 1.5 MB, application/octet-stream (rossby download "), "{line}");

    // Into a folder under its own name; nothing is overwritten unless that is said.
    let folder = pair.target("downloads");
    std::fs::create_dir(&folder).unwrap();
    let to = folder.to_str().unwrap();
    let saved = pair.ben.done(&["download", id(&message), "--to", to]);
    let saved = PathBuf::from(saved["path"].as_str().unwrap());
    assert_eq!((saved.file_name().unwrap(), std::fs::read(&saved).unwrap()), ("Grüße.bin".as_ref(), file.clone()));
    std::fs::write(&saved, "mine").unwrap();
    let (error, text) = pair.ben.refused(&["download", id(&message), "--to", to]);
    assert_eq!(error, "target-exists");
    assert!(text.contains("Grüße.bin"), "{text}");
    assert_eq!(std::fs::read(&saved).unwrap(), b"mine");
    pair.ben.done(&["download", id(&message), "--to", to, "--overwrite"]);
    assert_eq!(std::fs::read(&saved).unwrap(), file);
    let other = pair.target("another name");
    pair.ben.done(&["download", &id(&message)[..8], "--to", other.to_str().unwrap()]);
    assert_eq!(std::fs::read(&other).unwrap(), file);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");

    // A voice message, and an empty file.
    pair.send(&pair.file("a.ogg", &voice), &["--as", "voice", "--duration", "75"]);
    let message = pair.next();
    assert_eq!(
        (&message["attachment"]["role"], &message["attachment"]["duration_ms"]),
        (&"voice".into(), &75_000.into())
    );
    pair.ben.done(&["download", id(&message), "--to", to]);
    assert_eq!(std::fs::read(folder.join("a.ogg")).unwrap(), voice);
    pair.send(&pair.file("empty", b""), &[]);
    pair.ben.done(&["download", id(&pair.next()), "--to", to]);
    assert_eq!(std::fs::read(folder.join("empty")).unwrap(), b"");

    // What one device sent the person's others have, too.
    let tablet = Human::new(pair.folder.path(), "tablet", &pair.server);
    tablet.link(&pair.ann, "tablet");
    let picture = pair.file("sea.png", &png());
    pair.send(&picture, &["--caption", "the sea"]);
    let message = pair.next();
    let preview = &message["attachment"]["preview"];
    assert_eq!((&message["attachment"]["role"], &preview["width"]), (&"picture".into(), &30.into()));
    pair.ben.done(&["download", id(&message), "--to", to, "--preview"]);
    assert!(std::fs::read(folder.join("sea.preview.jpg")).unwrap().starts_with(b"\xff\xd8\xff"));
    let copy = &first(&tablet, &["inbox", "--all"]);
    assert_eq!((&copy["outgoing"], &copy["attachment"]["name"]), (&true.into(), &"sea.png".into()));
    let own = pair.target("own.png");
    tablet.done(&["download", id(copy), "--to", own.to_str().unwrap()]);
    assert_eq!(std::fs::read(own).unwrap(), png(), "as it is, unless it is to be written anew");
    pair.send(&picture, &["--strip-metadata"]);
    pair.ben.done(&["download", id(&pair.next()), "--to", to]);
    let stripped = std::fs::read(folder.join("sea.png")).unwrap();
    assert!(stripped.starts_with(b"\x89PNG") && !holds(&stripped, b"GPS") && holds(&png(), b"GPS"));
    assert_eq!(
        pair.ann.refused(&["send", "ben@example.org", "--file", path.to_str().unwrap(), "--strip-metadata"]).0,
        "bad-picture"
    );

    // What is none, and what is there no more.
    assert_eq!(pair.ann.refused(&["send", "ben@example.org", "--file", to]).0, "not-a-file");
    assert_eq!(pair.ann.refused(&["send", "ben@example.org", "--file", "/nowhere/at/all"]).0, "file");
    assert_eq!(pair.ann.done(&["send", "ben@example.org", "hello"])["state"], "sent");
    assert_eq!(pair.ben.refused(&["download", id(&pair.next()), "--to", to]).0, "no-attachment");
    let sent = pair.send(&path, &[]);
    let message = pair.next();
    pair.ann.done(&["delete", id(&sent)]);
    let gone = pair.target("gone");
    let (error, _) = pair.ben.refused(&["download", id(&message), "--to", gone.to_str().unwrap()]);
    assert_eq!(error, "attachment-gone", "it was taken back on the server, too");
    assert!(!gone.exists());
    for human in [&pair.ann, &pair.ben] {
        assert_eq!(human.done(&["whoami"])["warnings"], Value::Array(Vec::new()));
    }
    assert_eq!(std::fs::read_dir(pair.ann.home.join("uploads")).unwrap().count(), 0);
    pair.server.stop();
}

/// What the server takes at no time is refused, and what it takes later waits: a day's octets are used up, its store is away.
#[allow(dead_code, reason = "not used by the tests on servers")]
pub(crate) async fn waits(set_up: &SetUp, s3: &mut rossby_testing::S3) {
    let mut set_up = set_up.clone().with_blobs_in(s3);
    for (name, value) in [("MAX_OCTETS", "1000000"), ("OCTETS_PER_DAY", "2500000")] {
        set_up.settings.push((format!("ROSSBY_BLOBS__{name}"), value.to_owned()));
    }
    let pair = tokio::task::spawn_blocking(move || {
        let pair = Pair::new(&set_up);
        let arguments = |path: &'static str| ["send", "ben@example.org", "--file", path];
        let large = pair.file("large.bin", &octets(1_000_000));
        let (error, text) = pair.ann.refused(&["send", "ben@example.org", "--file", large.to_str().unwrap()]);
        assert_eq!(error, "too-large");
        assert!(text.starts_with("large.bin has 1.0 MB; the server takes 1.0 MB at most"), "{text}");
        assert_eq!(pair.ann.done(&["uploads"])["uploads"], Value::Array(Vec::new()), "it would never be taken");
        assert_eq!(pair.ann.refused(&arguments("/dev/null")).0, "not-a-file");
        pair
    })
    .await
    .unwrap();
    s3.stop();
    let pair = tokio::task::spawn_blocking(move || {
        let small = pair.file("small.bin", b"small");
        let output = pair.ann.run(&["send", "ben@example.org", "--file", small.to_str().unwrap()]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &document["state"]), (Some(75), &"uploading".into()), "{document}");
        assert!(document["reason"].as_str().unwrap().contains("not available"), "{document}");
        pair
    })
    .await
    .unwrap();
    s3.restart().await;
    tokio::task::spawn_blocking(move || {
        // The inbox goes on with it.
        pair.ann.done(&["inbox"]);
        let message = pair.next();
        let target = pair.target("came");
        pair.ben.done(&["download", id(&message), "--to", target.to_str().unwrap()]);
        assert_eq!(std::fs::read(target).unwrap(), b"small");
        // Each counts as a mebioctet, what came to nothing doesn't: the third is too much for today.
        let second = pair.file("second.bin", b"second");
        pair.send(&second, &[]);
        let output = pair.ann.run(&["send", "ben@example.org", "--file", second.to_str().unwrap()]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &document["state"]), (Some(75), &"uploading".into()), "{document}");
        assert!(document["reason"].as_str().unwrap().contains("today (UTC); try again in"), "{document}");
        let number = document["upload"]["number"].to_string();
        assert_eq!(pair.ann.run(&["uploads", "--go-on"]).status.code(), Some(75));
        assert_eq!(pair.ann.done(&["uploads", "--cancel", &number])["uploads"], Value::Array(Vec::new()));
        assert_eq!(pair.ann.refused(&["uploads", "--cancel", &number]).0, "no-such-upload");
        assert_eq!(std::fs::read_dir(pair.ann.home.join("uploads")).unwrap().count(), 0);
        pair.server.stop();
    })
    .await
    .unwrap();
}
