//! Sealing keys are rotated: what was sealed to the one before still opens, and senders learn of the new one.

use std::sync::Arc;
use std::time::Duration;

use rossby_client::{Client, ClientConfig, MessageState, Peer, RegisterOptions, Unlock};
use rossby_schemas::ids::RegionNumber;
use rossby_schemas::time::{Clock as _, ManualClock, SystemClock};

use crate::set_up::SetUp;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test(flavor = "multi_thread")]
async fn mail_to_the_key_before_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let server = tokio::task::spawn_blocking(move || SetUp::embedded().start(&data_dir, 0)).await.unwrap();
    // Ann's clock is eight days behind at first, as it was then; the server corrects it for what is signed by time.
    let clock = Arc::new(ManualClock::new(SystemClock.now().minus(8 * DAY)));
    let join = async |name: &str, clock| {
        let home = folder.path().join(name);
        let mut config = ClientConfig::new(home.clone(), Unlock::KeyFile(home.join("key")));
        (config.server, config.clock) = (Some(server.url.clone()), clock);
        let client = Client::create(config).await.unwrap();
        let options = RegisterOptions { region: RegionNumber(1), recovery_key: false, start_over: false };
        let identifier = format!("{name}@example.org").parse().unwrap();
        client.register(&identifier, options).await.unwrap();
        let code = tokio::task::block_in_place(|| server.code_for(identifier.as_uri()));
        client.authorize(&code).await.unwrap();
        client
    };
    let ann = join("ann", clock.clone()).await;
    let ben = join("ben", Arc::new(SystemClock)).await;
    let to_ann: Peer = "ann@example.org".parse().unwrap();
    let send = async |text: &str| {
        let sent = ben.send(&to_ann, text).await.unwrap();
        assert_eq!((sent.state, sent.warnings), (MessageState::Sent, vec![]));
    };
    let counter = async || ann.account().await.unwrap().sealing_key.unwrap().0;

    send("sealed to the first key").await;
    clock.set(SystemClock.now());
    assert_eq!(counter().await, 1);
    assert_eq!(ann.sync().await.unwrap(), []);
    assert_eq!(counter().await, 2, "a week is over");
    assert_eq!(ann.sync().await.unwrap(), []);
    assert_eq!(counter().await, 2, "and the next one has begun");
    // Ben knows the first key only: the server says that it is stale, and he seals the message anew.
    send("sealed to the second key").await;
    let mut came = 0;
    while came < 2 {
        let received = ann.receive(Duration::from_secs(20)).await.unwrap();
        assert_eq!((received.duplicates, received.warnings), (0, vec![]));
        came += received.new;
    }
    let texts: Vec<_> = ann.messages(true, 10).await.unwrap().into_iter().filter_map(|m| m.text).collect();
    assert_eq!(texts, ["sealed to the first key", "sealed to the second key"]);
    ann.close().await;
    ben.close().await;
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap();
}
