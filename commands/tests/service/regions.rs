//! Two regions in one process: each with a log and tables of its own, and what a mirror does between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rossby_blobs::BlobStore;
use rossby_commands::{CommandError, Delivery, Fetch, IdentifierSlots, Live, LiveConfig, Service, ServiceConfig};
use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_crypto::keyed_hash::{MasterSecret, MasterSecrets};
use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_log::topics::TopicSpec;
use rossby_log::{Log, TopicAdmin as _};
use rossby_projections::{Homes, OtherRegion, Projector, ProjectorConfig, ReadModels};
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::http::account::AccountCommandRequest;
use rossby_schemas::http::lookup::LookupRequest;
use rossby_schemas::http::messages::{ConfirmRequest, OutgoingMessage, SendOutcome, SendRequest};
use rossby_schemas::http::signals::SignalRequest;
use rossby_schemas::ids::RegionNumber;
use rossby_schemas::time::{Clock as _, ManualClock, Timestamp};
use rossby_schemas::topic::{Topic, TopicName};
use rossby_testing::{Fault, FaultyLog, Mailboxes, Mirror, Person, command, until};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::live::{backlog, connect, next};

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";
const PARTITIONS: u32 = 2;
const EAST: RegionNumber = RegionNumber(1);
const WEST: RegionNumber = RegionNumber(2);

struct Region {
    log: Arc<dyn Log>,
    /// The other region's log, as this one reaches it.
    remote: Arc<FaultyLog>,
    models: ReadModels,
    service: Service,
    mailboxes: Arc<Mailboxes>,
    _projector: DropGuard,
}

struct TwoRegions {
    clock: Arc<ManualClock>,
    east: Region,
    west: Region,
    _mirrors: [Mirror; 2],
    _folder: tempfile::TempDir,
}

async fn open_log(folder: &std::path::Path, other: &str, clock: &Arc<ManualClock>) -> Arc<dyn Log> {
    let log = SqliteLog::open(SqliteConfig::new(folder.join("log")), clock.clone()).await.unwrap();
    log.ensure_topics(&TopicSpec::local(PARTITIONS)).await.unwrap();
    log.ensure_topics(&TopicSpec::mirrored(other, PARTITIONS)).await.unwrap();
    Arc::new(log)
}

impl TwoRegions {
    /// Two regions, of which the west is home to all identifiers.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse::<Timestamp>().unwrap()));
        let places = [folder.path().join("east"), folder.path().join("west")];
        let logs = [open_log(&places[0], "west", &clock).await, open_log(&places[1], "east", &clock).await];
        let mirrors =
            [Mirror::start(&logs[1], "west", &logs[0]).await, Mirror::start(&logs[0], "east", &logs[1]).await];
        let region = async |here: usize, number, other: OtherRegion| {
            let url = format!("sqlite:{}", places[here].join("tables.sqlite").display());
            let models = ReadModels::open(&url, 10).await.unwrap();
            let log = Arc::clone(&logs[here]);
            let slots = vec![WEST; 1024];
            let config = ProjectorConfig {
                others: vec![other.clone()],
                homes: Homes::new(slots.clone()).unwrap(),
                ..ProjectorConfig::single_region(number)
            };
            let stop = CancellationToken::new();
            let projector = Projector::new(models.clone(), Arc::clone(&log), clock.clone(), config);
            tokio::spawn(projector.run(stop.clone()));
            let remote = Arc::new(FaultyLog::new(Arc::clone(&logs[1 - here])));
            let mut config = ServiceConfig::single_region(number);
            config.slots = IdentifierSlots::new(slots).unwrap();
            let others: BTreeMap<_, Arc<dyn Log>> = BTreeMap::from([(other.number, remote.clone() as Arc<dyn Log>)]);
            config.others = vec![other];
            let secrets = MasterSecrets::new(vec![MasterSecret::new(1, &[7; 32])]).unwrap();
            let (blobs, mailboxes) = (BlobStore::folder(folder.path()).unwrap(), Arc::new(Mailboxes::default()));
            let service = Service::new(
                config,
                models.clone(),
                Arc::clone(&log),
                blobs,
                secrets,
                clock.clone(),
                mailboxes.clone(),
            )
            .with_logs_of(others);
            Region { log, remote, models, service, mailboxes, _projector: stop.drop_guard() }
        };
        let other = |number, name: &str| OtherRegion { number, name: name.to_owned() };
        let east = region(0, EAST, other(WEST, "west")).await;
        let west = region(1, WEST, other(EAST, "east")).await;
        Self { clock, east, west, _mirrors: mirrors, _folder: folder }
    }

    /// A person whose account is at home in a region, and who joins there.
    async fn person(&self, region: &Region, number: RegionNumber, identifier: &str) -> Person {
        let person = Person::in_region(number, self.clock.now());
        let registered = person.register(&region.service, identifier).await.unwrap();
        let code = region.mailboxes.code(identifier, 0).await;
        person.authorize(&region.service, &registered, &code).await.unwrap();
        person
    }

    async fn both(&self) -> (Person, Person) {
        let ann = self.person(&self.east, EAST, ANN).await;
        let ben = self.person(&self.west, WEST, BEN).await;
        for (region, who, whom) in [(&self.east, &ann, BEN), (&self.west, &ben, ANN)] {
            let request = LookupRequest { identifier: Some(whom.to_owned()), box_id: None };
            until("the other is known", async || region.service.request_key(who.caller(), &request).await.is_ok())
                .await;
        }
        (ann, ben)
    }
}

/// How many records a region has written to a topic of its own.
async fn written(region: &Region, topic: Topic) -> u64 {
    let mut records = 0;
    for partition in 0..PARTITIONS {
        records += region.log.bounds(&TopicName::local(topic), partition).await.unwrap().end;
    }
    records
}

async fn is_accepted(region: &Region, from: &Person, message: &OutgoingMessage) -> bool {
    let request = SendRequest { messages: vec![message.clone()] };
    let sent = region.service.send_message(from.caller(), &request).await.unwrap();
    matches!(sent.results[0].outcome, SendOutcome::Accepted { .. })
}

/// A signed command by which nobody finds the person any more.
fn nobody(person: &Person, clock: &ManualClock, version: u64) -> AccountCommandRequest {
    let command = AccountCommand {
        command_id: command(),
        box_id: person.box_id(),
        device_id: person.device_id,
        expected_version: version,
        time: clock.now(),
        change: AccountChange::SetDiscoverable(Audience::Nobody),
    };
    let signed = command.sign(&person.key);
    AccountCommandRequest { command: signed.command, signature: signed.signature }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_at_home_elsewhere_is_written_there_and_answered_here() {
    let regions = TwoRegions::new().await;
    let (_, ben) = regions.both().await;
    let (east, west) = (&regions.east, &regions.west);
    assert_eq!((written(east, Topic::Registrations).await, written(east, Topic::Identifiers).await), (0, 0));
    assert!(written(west, Topic::Registrations).await > 4 && written(west, Topic::Identifiers).await == 2);
    // Each box in the region in which it was registered.
    assert_eq!((written(east, Topic::Keys).await, written(west, Topic::Keys).await), (1, 1));
    // Asked in the other region, a change is written at home.
    let changed = east.service.account_command(ben.caller(), &nobody(&ben, &regions.clock, 0)).await.unwrap();
    assert_eq!(changed.version, 1);
    assert_eq!((written(east, Topic::Profiles).await, written(west, Topic::Profiles).await), (0, 1));
    assert_eq!(west.models.profile(ben.box_id()).await.unwrap().discoverable, Audience::Nobody);
    // One of two that are signed for the same version, in two regions, wins.
    let late = west.service.account_command(ben.caller(), &nobody(&ben, &regions.clock, 0)).await;
    assert!(matches!(late, Err(CommandError::Refused(_))), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_cannot_be_reached_stops_only_what_is_at_home_there() {
    let regions = TwoRegions::new().await;
    let (ann, ben) = regions.both().await;
    let (east, clock) = (&regions.east, &regions.clock);
    east.remote.set_all(Some(Fault::Refused));
    let refused = east.service.account_command(ben.caller(), &nobody(&ben, clock, 0)).await;
    assert!(matches!(refused, Err(CommandError::Unavailable(_))), "{refused:?}");
    let cid = Person::in_region(EAST, clock.now());
    let refused = cid.register(&east.service, "cid@example.org").await;
    assert!(matches!(refused, Err(CommandError::Unavailable(_))), "{refused:?}");
    // What is at home here goes on, and messages do.
    east.service.account_command(ann.caller(), &nobody(&ann, clock, 0)).await.unwrap();
    let message = ann.message(&ben, "all the same", 1, clock.now());
    assert!(is_accepted(east, &ann, &message).await);
    let wait = Fetch { wait_seconds: Some(30), ..Fetch::default() };
    let here = east.service.fetch_messages(ben.caller(), wait).await.unwrap();
    assert_eq!(here.messages[0].outer_id, message.outer_id);
    let handles = vec![here.messages[0].handle.clone()];
    east.service.confirm_messages(ben.caller(), &ConfirmRequest { handles }).await.unwrap();
    // Confirmed here, it is confirmed there.
    until("confirmed in the west", async || {
        let pointer = regions.west.models.device_pointer(ben.box_id(), ben.device_id, clock.now()).await.unwrap();
        (pointer.waiting, pointer.confirmed) == (0, 1)
    })
    .await;
    assert_eq!(written(&regions.west, Topic::Profiles).await, 0);
    // Handed over, and not known to have been written: that is another answer, and asking again settles it.
    let request = nobody(&ben, clock, 0);
    east.remote.set_all(Some(Fault::UnknownWritten));
    let unknown = east.service.account_command(ben.caller(), &request).await;
    assert!(matches!(unknown, Err(CommandError::OutcomeUnknown { .. })), "{unknown:?}");
    east.remote.set_all(None);
    assert_eq!(east.service.account_command(ben.caller(), &request).await.unwrap().version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_half_done_is_finished_by_its_home() {
    let regions = TwoRegions::new().await;
    let (east, west) = (&regions.east, &regions.west);
    // Ann's account is in the east, and she authorizes in the west, which then can't reach the east.
    let ann = Person::in_region(EAST, regions.clock.now());
    let registered = ann.register(&east.service, ANN).await.unwrap();
    let code = east.mailboxes.code(ANN, 0).await;
    until("the west knows of it", async || {
        west.models.registration(registered.registration_id).await.unwrap().is_some_and(|known| !known.codes.is_empty())
    })
    .await;
    west.remote.set_all(Some(Fault::Refused));
    let half = ann.authorize(&west.service, &registered, &code).await;
    assert!(matches!(half, Err(CommandError::OutcomeUnknown { .. })), "{half:?}");
    assert_eq!((written(west, Topic::Identifiers).await, written(east, Topic::Keys).await), (1, 0));
    // The west leaves it to the east.
    assert_eq!(west.service.reconcile().await.unwrap(), 0);
    until("the east has founded it", async || east.service.reconcile().await.unwrap() == 1).await;
    assert!(east.models.key_record(ann.box_id()).await.unwrap().is_some());
    assert_eq!(east.service.reconcile().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_gives_what_was_sent_in_another_region() {
    let regions = TwoRegions::new().await;
    let (ann, ben) = regions.both().await;
    let (east, west, clock) = (&regions.east, &regions.west, &regions.clock);
    let live = Live::start(east.service.clone(), LiveConfig::default()).await.unwrap();
    let mut stream = connect(&live, &ann).await;
    assert_eq!(backlog(&mut stream).await, []);
    for text in ["one", "two"] {
        let message = ben.message(&ann, text, 1, clock.now());
        assert!(is_accepted(west, &ben, &message).await);
        match next(&mut stream).await {
            Delivery::Message(given) => {
                assert_eq!(given.outer_id, message.outer_id);
                let handles = vec![given.handle.clone()];
                stream.confirmer().confirm(&ConfirmRequest { handles }).await.unwrap();
            }
            other => panic!("no message: {other:?}"),
        }
    }
    // Offered as they came, and not found by looking again and again.
    assert_eq!(live.queries().catch_ups, 1, "{:?}", live.queries());
    let typing = ben.message(&ann, "typing", 1, clock.now());
    let request = SignalRequest { signals: vec![typing.clone()] };
    west.service.send_signals(ben.caller(), &request).await.unwrap();
    match next(&mut stream).await {
        Delivery::Signal(signal) => assert_eq!(signal.outer_id, typing.outer_id),
        other => panic!("no signal: {other:?}"),
    }
    // The same message taken in both regions is given once.
    let message = ben.message(&ann, "three", 1, clock.now());
    assert!(is_accepted(west, &ben, &message).await && is_accepted(east, &ben, &message).await);
    let last = ben.message(&ann, "four", 1, clock.now());
    until("both are in the tables", async || {
        let waiting = east.models.waiting(ann.box_id(), ann.device_id, clock.now(), 9, 1 << 20).await.unwrap();
        waiting.messages.iter().any(|waiting| waiting.outer_id == message.outer_id)
    })
    .await;
    assert!(is_accepted(east, &ben, &last).await);
    for expected in [&message, &last] {
        match next(&mut stream).await {
            Delivery::Message(given) => assert_eq!(given.outer_id, expected.outer_id),
            other => panic!("no message: {other:?}"),
        }
    }
    drop(stream);
    live.stop().await;
}
