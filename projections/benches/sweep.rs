//! The sweeper at a million messages: how long a sweep takes, how small it leaves the tables, and how long a projector that
//! works beside it waits at most.
//!
//! `cargo bench -p rossby-projections --bench sweep`; with `ROSSBY_TEST_POSTGRES` (a URL whose role may make databases) on
//! PostgreSQL too. `ROSSBY_BENCH_MESSAGES` takes another number.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod databases;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rossby_crypto::message::{MessageValue, Wrap};
use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_log::topics::TopicSpec;
use rossby_log::{Log as _, LogRecord, TopicAdmin as _};
use rossby_projections::{Projection, Projector, ProjectorConfig, ReadModels};
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::envelope::Envelope;
use rossby_schemas::events::Event;
use rossby_schemas::events::inbox::MessageEnqueuedV1;
use rossby_schemas::ids::{BoxId, DeviceId, EventId, Head, OuterId, RegionNumber};
use rossby_schemas::time::{Clock as _, ManualClock, Timestamp};
use rossby_schemas::topic::{Topic, TopicName};
use sqlx::AnyPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const MESSAGES: u64 = 1_000_000;
/// Messages for each box, each for two devices.
const EACH: u64 = 100;
const HOME: RegionNumber = RegionNumber(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What differs between the two databases.
struct Dialect {
    name: &'static str,
    /// The numbers from 0 to below `$1`, as a table `n(i)`.
    numbers: &'static str,
    /// 16 octets that come from a number.
    id: fn(&str) -> String,
    /// 32 octets that come from those 16.
    hash: fn(&str) -> String,
    octets: &'static str,
    size: &'static str,
    tidy: &'static str,
}

const SQLITE: Dialect = Dialect {
    name: "SQLite",
    numbers: "with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < $1)",
    id: |number| format!("cast(printf('%016d', {number}) as blob)"),
    hash: |id| format!("cast({id} || {id} as blob)"),
    octets: "randomblob(600)",
    size: "select page_count * page_size from pragma_page_count(), pragma_page_size()",
    tidy: "vacuum",
};

const POSTGRES: Dialect = Dialect {
    name: "PostgreSQL",
    numbers: "with n(i) as (select generate_series(0, $1 - 1))",
    id: |number| format!("convert_to(lpad(({number})::text, 16, '0'), 'UTF8')"),
    hash: |id| format!("({id} || {id})"),
    octets: "decode(repeat(md5(n.i::text), 18), 'hex') || decode(repeat(md5((n.i + 7)::text), 19), 'hex')",
    size: "select pg_total_relation_size('enqueued') + pg_total_relation_size('owed') \
           + pg_total_relation_size('acknowledged')",
    tidy: "vacuum full",
};

#[tokio::main]
async fn main() {
    databases::on_each("sweep", (&SQLITE, &POSTGRES), async |dialect, url| run(dialect, &url).await).await;
}

async fn execute(pool: &AnyPool, statement: &str, number: Option<u64>) {
    let query = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()));
    let query = match number {
        Some(number) => query.bind(i64::try_from(number).unwrap()),
        None => query,
    };
    query.execute(pool).await.unwrap();
}

async fn number(pool: &AnyPool, query: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned())).fetch_one(pool).await.unwrap()
}

async fn run(dialect: &Dialect, url: &str) {
    let messages = std::env::var("ROSSBY_BENCH_MESSAGES").map_or(MESSAGES, |text| text.parse().unwrap());
    println!("\n{}, {messages} messages for two devices each", dialect.name);
    let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse().unwrap()));
    let models = ReadModels::open(url, 10).await.unwrap();
    let pool = AnyPool::connect(url).await.unwrap();
    let begun = Instant::now();
    fill(dialect, &pool, messages, clock.now()).await;
    println!("  filled in {:.1} s", begun.elapsed().as_secs_f64());

    let beside = Beside::start(models.clone(), clock.clone()).await;
    measure("nothing to do", dialect, &models, &pool, &beside, clock.now()).await;
    confirm(dialect, &pool, messages / 100).await;
    measure("one in a hundred confirmed", dialect, &models, &pool, &beside, clock.now()).await;
    confirm(dialect, &pool, messages).await;
    measure("all confirmed", dialect, &models, &pool, &beside, clock.now()).await;
    clock.advance(31 * DAY);
    measure("all expired", dialect, &models, &pool, &beside, clock.now()).await;
    beside.stop().await;
    execute(&pool, dialect.tidy, None).await;
    println!("  after {}: {:.1} MB", dialect.tidy, number(&pool, dialect.size).await as f64 / 1e6);
    models.close().await;
}

async fn fill(dialect: &Dialect, pool: &AnyPool, messages: u64, now: Timestamp) {
    let Dialect { numbers, id, octets, .. } = dialect;
    let (at, expires) = (now.millis(), now.plus(30 * DAY).millis());
    let (box_id, outer, hash) = (id(&format!("n.i / {EACH}")), id("n.i"), (dialect.hash)(&id("n.i")));
    execute(
        pool,
        &format!(
            "{numbers} insert into enqueued (box_id, outer_id, content_hash, accepted_at, expires_at, region, partition, \
             record_offset, value) select {box_id}, {outer}, {hash}, {at}, {expires}, 1, 0, n.i, {octets} from n"
        ),
        Some(messages),
    )
    .await;
    for device in [1, 2] {
        let device = id(&device.to_string());
        execute(
            pool,
            &format!(
                "{numbers} insert into owed (box_id, device_id, outer_id, content_hash, expires_at) \
                 select {box_id}, {device}, {outer}, {hash}, {expires} from n"
            ),
            Some(messages),
        )
        .await;
    }
    if dialect.name == POSTGRES.name {
        execute(pool, "analyze", None).await;
    }
}

/// Both devices confirm the first so many messages. Hints come with it, as they do when events are applied.
async fn confirm(dialect: &Dialect, pool: &AnyPool, messages: u64) {
    let last = (dialect.id)(&messages.to_string());
    let statement = format!(
        "insert into acknowledged (box_id, device_id, outer_id, content_hash, expires_at) \
         select box_id, device_id, outer_id, content_hash, expires_at from owed where outer_id < {last} \
         on conflict do nothing"
    );
    execute(pool, &statement, None).await;
    let hints = format!(
        "insert into sweep_hints (box_id, outer_id, content_hash) \
         select box_id, outer_id, content_hash from owed where outer_id < {last}"
    );
    execute(pool, &hints, None).await;
}

async fn measure(what: &str, dialect: &Dialect, models: &ReadModels, pool: &AnyPool, beside: &Beside, now: Timestamp) {
    beside.reset();
    let begun = Instant::now();
    let swept = models.sweep(now).await.unwrap();
    let took = begun.elapsed();
    let (slowest, written) = beside.waited();
    println!(
        "  {what:<28} {:>7.2} s, {} bodies, {} messages; a write beside it waited {:.0} ms at most ({written} writes); {:.1} MB",
        took.as_secs_f64(),
        swept.bodies,
        swept.messages,
        slowest.as_secs_f64() * 1e3,
        number(pool, dialect.size).await as f64 / 1e6,
    );
}

/// A projector at work on a log to which a message is appended again and again.
struct Beside {
    stop: CancellationToken,
    waits: Arc<std::sync::Mutex<Vec<Duration>>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Beside {
    async fn start(models: ReadModels, clock: Arc<ManualClock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(SqliteLog::open(SqliteConfig::new(folder.path().join("log")), clock.clone()).await.unwrap());
        log.ensure_topics(&TopicSpec::local(1)).await.unwrap();
        let projector =
            Projector::new(models.clone(), log.clone(), clock.clone(), ProjectorConfig::single_region(HOME));
        let (stop, waits) = (CancellationToken::new(), Arc::new(std::sync::Mutex::new(Vec::new())));
        let projecting = tokio::spawn({
            let stop = stop.clone();
            async move { projector.run(stop).await.unwrap() }
        });
        let writing = tokio::spawn({
            let (stop, waits) = (stop.clone(), Arc::clone(&waits));
            async move {
                let inbox = TopicName::local(Topic::Inbox);
                while !stop.is_cancelled() {
                    let begun = Instant::now();
                    let offset = log.append(&inbox, 0, message(clock.now())).await.unwrap();
                    let patience = Duration::from_secs(600);
                    models.wait_offset(Projection::Inbox, &inbox, 0, offset, patience).await.unwrap();
                    waits.lock().unwrap().push(begun.elapsed());
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        });
        Self { stop, waits, tasks: vec![projecting, writing], _folder: folder }
    }

    fn reset(&self) {
        self.waits.lock().unwrap().clear();
    }

    fn waited(&self) -> (Duration, usize) {
        let waits = self.waits.lock().unwrap();
        (waits.iter().copied().max().unwrap_or_default(), waits.len())
    }

    async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

fn message(now: Timestamp) -> LogRecord {
    let wrap = Wrap {
        device_id: DeviceId::from_bytes([1; 16]),
        sealing_counter: 1,
        enc: FixedOctets([0; 1120]),
        wrapped_key: FixedOctets([0; 48]),
    };
    let value = MessageValue {
        recipient_head: Head { version: 1, hash: FixedOctets([0; 32]) },
        expires_at: now.plus(DAY),
        content: vec![0; 32 + 512 + 16].into(),
        wraps: vec![wrap],
    };
    let (box_id, outer_id) = (BoxId::from_bytes([1; 16]), OuterId(Uuid::new_v4()));
    let event = Event::MessageEnqueuedV1(MessageEnqueuedV1 { box_id, outer_id, value: value.to_octets() });
    let (content_type, data) = event.encode();
    let envelope = Envelope {
        id: EventId(Uuid::new_v4()),
        event_type: event.event_type().to_owned(),
        region: HOME,
        stream: box_id.to_string(),
        time: now,
        control: None,
        outer_id: Some(outer_id),
        content_type: content_type.to_owned(),
        data,
    };
    let key = Some(Bytes::from(box_id.to_string()));
    LogRecord { key, headers: envelope.headers(), value: Some(envelope.data) }
}
