//! Sealing keys are rotated: what was sealed to the one before still opens, and senders learn of the new one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rossby_client::{Client, ClientConfig, MessageState, Peer, RegisterOptions, SealingSchedule, Unlock, Warning};
use rossby_schemas::ids::RegionNumber;
use rossby_schemas::time::{Clock, ManualClock, SystemClock};

use crate::process::Server;
use crate::set_up::SetUp;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A new person's device, with this clock.
async fn join(server: &Server, folder: &Path, name: &str, clock: Arc<dyn Clock>) -> Client {
    let client = Client::create(config(server, &folder.join(name), clock)).await.unwrap();
    authorize(server, &client, &format!("{name}@example.org")).await;
    client
}

async fn authorize(server: &Server, client: &Client, identifier: &str) {
    let options = RegisterOptions { region: RegionNumber(1), recovery_key: false, start_over: false };
    let identifier = identifier.parse().unwrap();
    client.register(&identifier, options).await.unwrap();
    let code = tokio::task::block_in_place(|| server.code_for(identifier.as_uri()));
    client.authorize(&code).await.unwrap();
}

fn copy_home(home: &Path, copy: &Path) {
    std::fs::create_dir(copy).unwrap();
    for file in ["rossby.sqlite", "key"] {
        std::fs::copy(home.join(file), copy.join(file)).unwrap();
    }
}

fn config(server: &Server, home: &Path, clock: Arc<dyn Clock>) -> ClientConfig {
    let mut config = ClientConfig::new(home.to_owned(), Unlock::KeyFile(home.join("key")));
    (config.server, config.clock) = (Some(server.url.clone()), clock);
    config
}

async fn counter(client: &Client) -> u64 {
    client.account().await.unwrap().sealing_key.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_to_the_key_before_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let server = tokio::task::spawn_blocking(move || SetUp::embedded().start(&data_dir, 0)).await.unwrap();
    // Ann's clock is eight days behind at first, as it was then; the server corrects it for what is signed by time.
    let clock = Arc::new(ManualClock::new(SystemClock.now().minus(8 * DAY)));
    let ann = join(&server, folder.path(), "ann", clock.clone()).await;
    let ben = join(&server, folder.path(), "ben", Arc::new(SystemClock)).await;
    let to_ann: Peer = "ann@example.org".parse().unwrap();
    let send = async |text: &str| {
        let sent = ben.send(&to_ann, text).await.unwrap();
        assert_eq!(sent.state, MessageState::Sent);
    };

    send("sealed to the first key").await;
    clock.set(SystemClock.now());
    assert_eq!(counter(&ann).await, 1);
    ann.sync().await.unwrap();
    assert_eq!(counter(&ann).await, 2, "a week is over");
    ann.sync().await.unwrap();
    assert_eq!(counter(&ann).await, 2, "and the next one has begun");
    // Ben knows the first key only: the server says that it is stale, and he seals the message anew.
    send("sealed to the second key").await;
    let mut came = 0;
    while came < 2 {
        let received = ann.receive(Duration::from_secs(20)).await.unwrap();
        assert_eq!(received.duplicates, 0);
        came += received.new;
    }
    let texts: Vec<_> = ann.unread(10).await.unwrap().into_iter().filter_map(|m| m.text).collect();
    assert_eq!(texts, ["sealed to the first key", "sealed to the second key"]);
    assert_eq!([ann.warnings().await.unwrap(), ben.warnings().await.unwrap()], [vec![], vec![]]);
    ann.close().await;
    ben.close().await;
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sealed_to_an_erased_key_opens_from_no_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (data_dir, home) = (folder.path().join("data"), folder.path().join("ann"));
    let server = tokio::task::spawn_blocking(move || SetUp::embedded().start(&data_dir, 0)).await.unwrap();
    let clock = Arc::new(ManualClock::new(SystemClock.now().minus(8 * DAY)));
    // A schedule that erases a key while something that was sealed to it waits.
    let schedule =
        SealingSchedule { lifetime: 8 * DAY + HOUR, erase_after: Duration::ZERO, ..SealingSchedule::default() };
    let scheduled = |home: &Path| {
        let mut config = config(&server, home, clock.clone());
        config.schedule = schedule;
        config
    };
    let ann = Client::create(scheduled(&home)).await.unwrap();
    authorize(&server, &ann, "ann@example.org").await;
    let ben = join(&server, folder.path(), "ben", Arc::new(SystemClock)).await;
    let sent = ben.send(&"ann@example.org".parse().unwrap(), "sealed to the first key").await.unwrap();
    assert_eq!(sent.state, MessageState::Sent);
    clock.set(SystemClock.now());
    ann.sync().await.unwrap();
    assert_eq!((counter(&ann).await, ann.private_keys().await.unwrap().len()), (2, 4), "two of them are sealing keys");
    let first = ann.private_keys().await.unwrap().pop().unwrap();

    clock.set(SystemClock.now().plus(2 * HOUR));
    ann.sync().await.unwrap();
    let left = ann.private_keys().await.unwrap();
    assert!(left.len() == 3 && !left.contains(&first), "the first is erased");
    ann.close().await;
    let copy = folder.path().join("copy");
    copy_home(&home, &copy);
    let copy = Client::open(scheduled(&copy)).await.unwrap();
    assert_eq!(copy.private_keys().await.unwrap(), left);
    let received = copy.receive(Duration::from_secs(20)).await.unwrap();
    assert_eq!((received.new, received.refused), (0, 1));
    let told = copy.warnings().await.unwrap().remove(0).to_string();
    assert!(told.contains("a key that this device has erased"), "{told}");
    copy.close().await;
    ben.close().await;
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_far_ahead_makes_and_erases_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let server = tokio::task::spawn_blocking(move || SetUp::embedded().start(&data_dir, 0)).await.unwrap();
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let ann = join(&server, folder.path(), "ann", clock.clone()).await;
    let ben = join(&server, folder.path(), "ben", Arc::new(SystemClock)).await;
    let sent = ben.send(&"ann@example.org".parse().unwrap(), "sealed to the first key").await.unwrap();
    assert_eq!(sent.state, MessageState::Sent);
    // By this clock every key has expired, and what was sealed to them, too.
    clock.set(SystemClock.now().plus(70 * DAY));
    for _ in 0..2 {
        ann.sync().await.unwrap();
        assert_eq!(counter(&ann).await, 1);
    }
    let told: Vec<_> = ann.warnings().await.unwrap().into_iter().map(|notice| notice.warning).collect();
    assert_eq!(told, [Warning::ClockAhead]);
    let received = ann.receive(Duration::from_secs(20)).await.unwrap();
    assert_eq!((received.new, received.refused), (1, 0));
    // Set right, it goes on as ever.
    clock.set(SystemClock.now());
    ann.sync().await.unwrap();
    let keys = ann.private_keys().await.unwrap().len();
    assert_eq!((counter(&ann).await, keys), (1, 3));
    ann.close().await;
    ben.close().await;
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_restored_from_a_copy_is_told_and_goes_on_with_a_new_key() {
    let folder = tempfile::tempdir().unwrap();
    let (data_dir, home) = (folder.path().join("data"), folder.path().join("ann"));
    let server = tokio::task::spawn_blocking(move || SetUp::embedded().start(&data_dir, 0)).await.unwrap();
    let clock = Arc::new(ManualClock::new(SystemClock.now().minus(8 * DAY)));
    let ann = join(&server, folder.path(), "ann", clock.clone()).await;
    ann.close().await;
    let copy = folder.path().join("copy");
    copy_home(&home, &copy);
    clock.set(SystemClock.now());
    let ann = Client::open(config(&server, &home, clock.clone())).await.unwrap();
    ann.sync().await.unwrap();
    assert_eq!(counter(&ann).await, 2);
    ann.close().await;

    let restored = Client::open(config(&server, &copy, clock)).await.unwrap();
    restored.sync().await.unwrap();
    let told: Vec<_> = restored.warnings().await.unwrap().into_iter().map(|notice| notice.warning).collect();
    assert_eq!(told, [Warning::StrangeSealingKey { counter: 2 }]);
    assert_eq!(counter(&restored).await, 3, "above the one that the server has");
    restored.warnings_shown(&restored.warnings().await.unwrap()).await.unwrap();
    restored.sync().await.unwrap();
    assert_eq!((counter(&restored).await, restored.warnings().await.unwrap()), (3, vec![]), "and that is that");
    restored.close().await;
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap();
}
