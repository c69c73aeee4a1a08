//! The real process is killed again and again while people write to each other: nothing that was written is lost or
//! doubled, each sender's order stays, and the tables are what the log says.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rossby_client::{Client, ClientConfig, MessageState, Peer, RegisterOptions, Unlock};
use rossby_schemas::ids::RegionNumber;

use crate::process::{PATIENCE, Server};
use crate::rebuild;
use crate::set_up::SetUp;

const HOME: RegionNumber = RegionNumber(1);
const ROUNDS: u64 = 6;
const BEN: &str = "mailto:ben@example.org";
const SENDERS: [&str; 3] = ["ann", "cleo", "dan"];

async fn join(folder: &Path, server: &Server, name: &str) -> Client {
    let home = folder.join(name);
    let mut config = ClientConfig::new(home.clone(), Unlock::KeyFile(home.join("key")));
    config.server = Some(server.url.clone());
    let client = Client::create(config).await.unwrap();
    let options = RegisterOptions { region: HOME, recovery_key: false, start_over: false };
    let identifier = format!("mailto:{name}@example.org");
    client.register(&identifier.parse().unwrap(), options).await.unwrap();
    let code = tokio::task::block_in_place(|| server.code_for(&identifier));
    client.authorize(&code).await.unwrap();
    client
}

/// Writes to Ben until told to stop. Gives how many messages were written, and how many of them were acknowledged at once.
async fn write(client: &Client, name: &str, stop: &AtomicBool) -> (usize, usize) {
    let ben: Peer = BEN.parse().unwrap();
    let (mut written, mut acknowledged) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let sent = client.send(&ben, &format!("{name} {written}")).await.unwrap();
        assert!(matches!(sent.state, MessageState::Sent | MessageState::Pending), "{sent:?}");
        written += 1;
        acknowledged += usize::from(sent.state == MessageState::Sent);
    }
    (written, acknowledged)
}

/// Reads until told to stop. Gives the texts in the order in which they came.
async fn read(client: &Client, stop: &AtomicBool) -> Vec<String> {
    let mut texts = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        // A server that is away, or starting, is asked again.
        let _ = client.receive(Duration::from_secs(1)).await;
        texts.extend(take_new(client).await);
    }
    texts
}

async fn take_new(client: &Client) -> Vec<String> {
    let messages = client.unread(u32::MAX).await.unwrap();
    client.mark_read(&messages).await.unwrap();
    messages.into_iter().map(|message| message.text.unwrap()).collect()
}

pub(crate) async fn lose_and_double_nothing(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let mut set_up = set_up.clone();
    for name in ["ROSSBY_LIMITS__DEVICE_PER_SECOND", "ROSSBY_LIMITS__DEVICE_BURST"] {
        set_up.settings.push((name.to_owned(), "100000".to_owned()));
    }
    let start = |port| tokio::task::block_in_place(|| set_up.start(&data_dir, port));
    let mut server = start(0);
    let port = server.port();
    let ben = Arc::new(join(folder.path(), &server, "ben").await);
    let mut senders = Vec::new();
    for name in SENDERS {
        let client = Arc::new(join(folder.path(), &server, name).await);
        client.lookup(&BEN.parse().unwrap(), false).await.unwrap();
        senders.push((name, client));
    }

    let stop = Arc::new(AtomicBool::new(false));
    let writing: Vec<_> = senders
        .iter()
        .map(|(name, client)| {
            let (name, client, stop) = (*name, Arc::clone(client), Arc::clone(&stop));
            tokio::spawn(async move { write(&client, name, &stop).await })
        })
        .collect();
    let (reader, until) = (Arc::clone(&ben), Arc::clone(&stop));
    let reading = tokio::spawn(async move { read(&reader, &until).await });
    for round in 0..ROUNDS {
        // Each round a little longer, so that it dies at another point.
        tokio::time::sleep(Duration::from_millis(400 + round * 131)).await;
        server.kill();
        server = start(port);
    }
    stop.store(true, Ordering::Relaxed);
    let mut written = Vec::new();
    for writing in writing {
        written.push(writing.await.unwrap());
    }
    let mut texts = reading.await.unwrap();
    // What was left in the outboxes goes out, and Ben fetches all that waits.
    for (_, client) in &senders {
        client.receive(Duration::ZERO).await.unwrap();
        let left = client.latest(u32::MAX).await.unwrap();
        assert!(left.iter().all(|message| message.state == MessageState::Sent));
    }
    let total: usize = written.iter().map(|(count, _)| count).sum();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while texts.len() < total || ben.settings().await.unwrap().waiting > 0 {
        ben.receive(Duration::ZERO).await.unwrap();
        texts.extend(take_new(&ben).await);
        assert!(tokio::time::Instant::now() < deadline, "{} of {total} came", texts.len());
    }
    assert_eq!(ben.warnings().await.unwrap(), []);
    for ((name, _), (count, acknowledged)) in senders.iter().zip(&written) {
        assert!(*acknowledged > 5, "{name} sent only {acknowledged}");
        let theirs: Vec<&String> = texts.iter().filter(|text| text.starts_with(name)).collect();
        let expected: Vec<String> = (0..*count).map(|number| format!("{name} {number}")).collect();
        assert_eq!(theirs, expected.iter().collect::<Vec<_>>(), "all that was written, once, in its order");
    }
    tokio::task::block_in_place(|| server.stop());
    let live = set_up.postgres.clone().unwrap_or_else(|| rebuild::sqlite(&data_dir.join("read-models.sqlite")));
    rebuild::compare(set_up.open_log(&data_dir).await, &live, folder.path()).await;
}
