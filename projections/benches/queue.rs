//! A device's queue: how long a page takes, and the confirmation of one, for a device with few messages and for one with very many.
//!
//! `cargo bench -p rossby-projections --bench queue`; with `ROSSBY_TEST_POSTGRES` (a URL whose role may make databases) on
//! PostgreSQL too. `ROSSBY_BENCH_MESSAGES` takes another number for the long queue.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod databases;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_log::topics::TopicSpec;
use rossby_log::{Log as _, LogRecord, TopicAdmin as _};
use rossby_projections::{Projection, Projector, ProjectorConfig, ReadModels, WaitingMessage};
use rossby_schemas::envelope::Envelope;
use rossby_schemas::events::Event;
use rossby_schemas::events::inbox::{AcknowledgedMessage, MessagesAcknowledgedV1};
use rossby_schemas::ids::{BoxId, DeviceId, EventId, RegionNumber};
use rossby_schemas::time::{Clock as _, ManualClock, Timestamp};
use rossby_schemas::topic::{Topic, TopicName};
use sqlx::AnyPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SHORT: u64 = 100;
const LONG: u64 = 100_000;
/// How many messages a page has, and how many octets, as a fetch asks for them.
const PAGE: u32 = 20;
const OCTETS: usize = 4 * 1024 * 1024;
/// How many pages are fetched and confirmed.
const PAGES: usize = 5;
/// How often a page is fetched for a figure.
const TIMES: usize = 200;
const HOME: RegionNumber = RegionNumber(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How a database fills `$1` messages of a box and its one device, whose id the box's is. Octets of a message are 1.5 KiB.
struct Filling {
    name: &'static str,
    /// The numbers from 0 to below `$1`, with an id of 16 octets, as a table `n(i, id)`.
    numbers: &'static str,
    /// 32 octets that come from such an id.
    hash: &'static str,
    octets: &'static str,
}

const SQLITE: Filling = Filling {
    name: "SQLite",
    numbers: "with recursive c(i) as (select 0 union all select i + 1 from c where i + 1 < $1), \
              n(i, id) as (select i, cast(printf('%016d', i) as blob) from c)",
    hash: "cast(n.id || n.id as blob)",
    octets: "randomblob(1500)",
};

const POSTGRES: Filling = Filling {
    name: "PostgreSQL",
    numbers: "with n(i, id) as (select i, convert_to(lpad(i::text, 16, '0'), 'UTF8') from generate_series(0, $1 - 1) i)",
    hash: "n.id || n.id",
    octets: "decode(repeat(md5(n.i::text), 94), 'hex')",
};

#[tokio::main]
async fn main() {
    databases::on_each("queue", (&SQLITE, &POSTGRES), async |filling, url| run(filling, &url).await).await;
}

async fn run(filling: &Filling, url: &str) {
    let long = std::env::var("ROSSBY_BENCH_MESSAGES").map_or(LONG, |text| text.parse().unwrap());
    let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse().unwrap()));
    let models = ReadModels::open(url, 10).await.unwrap();
    let pool = AnyPool::connect(url).await.unwrap();
    let queues = [(1, SHORT), (2, long)];
    for (number, messages) in queues {
        fill(filling, &pool, number, messages, clock.now()).await;
    }
    let confirming = Confirming::start(models.clone(), clock.clone()).await;
    println!("\n{}, pages of {PAGE}: milliseconds, the middle of {TIMES}", filling.name);
    println!(
        "{:>10} {:>10} {:>12} {:>22} {:>14}",
        "waiting", "first page", "confirmation", "page after 5 confirmed", "and a sweep"
    );
    for (number, messages) in queues {
        let device = Device::new(number);
        let first = device.page_takes(&models, clock.now()).await;
        let mut confirmed = Vec::new();
        for _ in 0..PAGES.min(usize::try_from(messages / u64::from(PAGE)).unwrap() - 1) {
            let page = device.page(&models, clock.now()).await;
            let begun = Instant::now();
            confirming.confirm(&device, page, clock.now()).await;
            confirmed.push(begun.elapsed());
        }
        let after = device.page_takes(&models, clock.now()).await;
        models.sweep(clock.now()).await.unwrap();
        let swept = device.page_takes(&models, clock.now()).await;
        let [first, confirmation, after, swept] =
            [first, middle(&mut confirmed), after, swept].map(|took| took.as_secs_f64() * 1e3);
        println!("{messages:>10} {first:>10.2} {confirmation:>12.2} {after:>22.2} {swept:>14.2}");
    }
    confirming.stop().await;
    models.close().await;
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn fill(filling: &Filling, pool: &AnyPool, number: u8, messages: u64, now: Timestamp) {
    let Filling { numbers, hash, octets, .. } = filling;
    let (at, expires) = (now.millis(), now.plus(30 * DAY).millis());
    for rows in [
        format!(
            "insert into enqueued (box_id, outer_id, content_hash, accepted_at, expires_at, region, partition, record_offset, \
             value) select $2, n.id, {hash}, {at} + n.i, {expires}, 1, 0, n.i, {octets} from n"
        ),
        format!(
            "insert into owed (box_id, device_id, outer_id, content_hash, expires_at, accepted_at) \
             select $2, $2, n.id, {hash}, {expires}, {at} + n.i from n"
        ),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(format!("{numbers} {rows}")))
            .bind(i64::try_from(messages).unwrap())
            .bind(vec![number; 16])
            .execute(pool)
            .await
            .unwrap();
    }
    if filling.name == POSTGRES.name {
        sqlx::query("analyze").execute(pool).await.unwrap();
    }
}

/// The one device of a box.
struct Device {
    box_id: BoxId,
    device_id: DeviceId,
}

impl Device {
    const fn new(number: u8) -> Self {
        Self { box_id: BoxId::from_bytes([number; 16]), device_id: DeviceId::from_bytes([number; 16]) }
    }

    async fn page(&self, models: &ReadModels, now: Timestamp) -> Vec<WaitingMessage> {
        let page = models.waiting(self.box_id, self.device_id, now, PAGE, OCTETS).await.unwrap();
        assert_eq!(page.messages.len(), PAGE as usize);
        page.messages
    }

    async fn page_takes(&self, models: &ReadModels, now: Timestamp) -> Duration {
        let mut took = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            let begun = Instant::now();
            self.page(models, now).await;
            took.push(begun.elapsed());
        }
        middle(&mut took)
    }
}

/// A projector at work on a log of its own, to which confirmations are appended.
struct Confirming {
    log: Arc<SqliteLog>,
    models: ReadModels,
    stop: CancellationToken,
    projecting: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Confirming {
    async fn start(models: ReadModels, clock: Arc<ManualClock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(SqliteLog::open(SqliteConfig::new(folder.path().join("log")), clock.clone()).await.unwrap());
        log.ensure_topics(&TopicSpec::local(1)).await.unwrap();
        let projector = Projector::new(models.clone(), log.clone(), clock, ProjectorConfig::single_region(HOME));
        let stop = CancellationToken::new();
        let until = stop.clone();
        let projecting = tokio::spawn(async move { projector.run(until).await.unwrap() });
        Self { log, models, stop, projecting, _folder: folder }
    }

    /// Confirms messages, and waits until the tables have it.
    async fn confirm(&self, device: &Device, messages: Vec<WaitingMessage>, now: Timestamp) {
        let messages = messages.into_iter().map(|message| AcknowledgedMessage {
            outer_id: message.outer_id,
            content_hash: message.content_hash,
            expires_at: message.expires_at,
        });
        let event = Event::MessagesAcknowledgedV1(MessagesAcknowledgedV1 {
            box_id: device.box_id,
            device_id: device.device_id,
            messages: messages.collect(),
        });
        let (content_type, data) = event.encode();
        let envelope = Envelope {
            id: EventId(Uuid::new_v4()),
            event_type: event.event_type().to_owned(),
            region: HOME,
            stream: device.box_id.to_string(),
            time: now,
            control: None,
            outer_id: None,
            content_type: content_type.to_owned(),
            data,
        };
        let key = Some(Bytes::from(device.box_id.to_string()));
        let record = LogRecord { key, headers: envelope.headers(), value: Some(envelope.data) };
        let inbox = TopicName::local(Topic::Inbox);
        let offset = self.log.append(&inbox, 0, record).await.unwrap();
        let patience = Duration::from_secs(60);
        assert!(self.models.wait_offset(Projection::Inbox, &inbox, 0, offset, patience).await.unwrap());
    }

    async fn stop(self) {
        self.stop.cancel();
        self.projecting.await.unwrap();
    }
}
