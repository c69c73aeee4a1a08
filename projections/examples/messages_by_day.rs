//! A projection of one's own over the log that is there: how many messages entered queues on each day.
//!
//! `cargo run -p rossby-projections --example messages_by_day -- DATA_DIR/log sqlite:days.sqlite` builds it from history, beside a
//! server that runs, and the next time goes on where it was. docs/REPLAY.md walks through it.

use std::error::Error;
use std::sync::Arc;

use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_log::{BatchLimit, Log, StoredRecord};
use rossby_schemas::envelope::Envelope;
use rossby_schemas::events::Event;
use rossby_schemas::time::SystemClock;
use rossby_schemas::topic::{Topic, TopicName};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

/// A row for each message, so that one whose record comes twice counts once; and where each partition was read to.
const TABLES: &str = "
create table if not exists messages (box_id text, outer_id text, day text not null, primary key (box_id, outer_id));
create table if not exists positions (partition integer primary key, next_offset integer not null)";

/// Applies what the log has, and gives the messages of each day.
pub(crate) async fn messages_by_day(log: &dyn Log, database: &str) -> Result<Vec<(String, i64)>, Box<dyn Error>> {
    let mut tables = SqliteConnection::connect(&format!("{database}?mode=rwc")).await?;
    tables.execute(TABLES).await?;
    let topic = TopicName::local(Topic::Inbox);
    for partition in 0..log.partitions(&topic).await? {
        let known: Option<i64> = sqlx::query_scalar("select next_offset from positions where partition = ?")
            .bind(partition)
            .fetch_optional(&mut tables)
            .await?;
        // Retention may have gone on meanwhile: what it took is not counted any more.
        let start = log.bounds(&topic, partition).await?.start;
        let mut reader = log.read(&topic, partition, known.map_or(start, i64::unsigned_abs).max(start)).await?;
        loop {
            let batch = reader.next(BatchLimit::default()).await?;
            // Rows and position in one transaction: whatever happens, nothing is left out.
            let mut tx = tables.begin().await?;
            for (box_id, outer_id, day) in batch.records.iter().filter_map(message) {
                sqlx::query("insert into messages (box_id, outer_id, day) values (?, ?, ?) on conflict do nothing")
                    .bind(box_id)
                    .bind(outer_id)
                    .bind(day)
                    .execute(&mut *tx)
                    .await?;
            }
            sqlx::query("insert or replace into positions (partition, next_offset) values (?, ?)")
                .bind(partition)
                .bind(batch.next_offset.cast_signed())
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            if batch.caught_up {
                break;
            }
        }
    }
    Ok(sqlx::query_as("select day, count(*) from messages group by day order by day").fetch_all(&mut tables).await?)
}

/// The box, the id and the day of a message; none for other events, and for those that a later version writes.
fn message(stored: &StoredRecord) -> Option<(String, String, String)> {
    let envelope = Envelope::from_record(&stored.record.headers, stored.record.value.as_ref()).ok()?;
    match Event::decode(&envelope).ok()? {
        Event::MessageEnqueuedV1(message) => {
            Some((message.box_id.to_string(), message.outer_id.to_string(), envelope.time.utc_day()))
        }
        _ => None,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(database)) = (arguments.next(), arguments.next()) else {
        return Err("messages_by_day LOG_FOLDER sqlite:FILE".into());
    };
    let log = SqliteLog::open_read_only(SqliteConfig::new(folder), Arc::new(SystemClock)).await?;
    for (day, messages) in messages_by_day(&log, &database).await? {
        println!("{day} {messages}");
    }
    Ok(())
}
