//! How far mirrors are behind: for each partition, how many records the region that writes it has after the last one that came.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rossby_log::{Bounds, Log, StoredRecord};
use rossby_schemas::envelope::Envelope;
use rossby_schemas::ids::EventId;
use rossby_schemas::time::SystemClock;
use rossby_schemas::topic::{Topic, TopicName};
use serde_json::{Value, json};

use crate::config::Settings;
use crate::events::source;
use crate::serve::storage::{self, OpenLog};

/// How far back the last record that came is looked for.
const LOOKED_THROUGH: u64 = 100_000;
/// How many offsets are looked through at once.
const WINDOW: u64 = 1000;
/// How long a partition may take to be read.
const PATIENCE: Duration = Duration::from_secs(20);

/// How far a mirror is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// So many records are not there yet.
    By(u64),
    /// So many are not there yet, or more: what came last is none of the last ones.
    AtLeast(u64),
}

/// A mirrored partition.
struct Mirrored {
    name: TopicName,
    partition: u32,
    behind: Result<Behind, String>,
}

/// Tells of the mirrors towards these regions.
pub(super) async fn run(settings: &Settings, towards: &[String], as_json: bool) -> anyhow::Result<ExitCode> {
    let mut logs: HashMap<&str, OpenLog> = HashMap::new();
    for region in &settings.regions {
        logs.insert(&region.name, storage::open_log_of(settings, &region.name, Arc::new(SystemClock)).await?);
    }
    let mut regions = Vec::new();
    for target in towards {
        let mut found = Vec::new();
        for source in settings.regions.iter().filter(|source| source.name != *target) {
            let (Some(from), Some(to)) = (logs.get(&*source.name), logs.get(&**target)) else { continue };
            // Asked once for all partitions: one that is away takes its time to say nothing.
            let away = from.log.health().await.err().map(|error| format!("{} can't be asked: {error}", source.name));
            let away = away.or(to.log.health().await.err().map(|error| format!("{target} can't be asked: {error}")));
            found.extend(look((&*from.log, &source.name), &*to.log, settings.log.partitions, away).await);
        }
        regions.push((target, found));
    }
    for log in logs.values() {
        log.close().await;
    }
    let text = if as_json {
        let document = |(region, found): &(&String, Vec<Mirrored>)| json!({ "region": region, "mirrored": found.iter().map(document).collect::<Vec<_>>() });
        format!("{}\n", json!({ "regions": regions.iter().map(document).collect::<Vec<_>>() }))
    } else {
        regions
            .iter()
            .map(|(region, found)| format!("{region}\n{}", found.iter().map(line).collect::<String>()))
            .collect()
    };
    crate::print(&text)?;
    let are_known = regions.iter().flat_map(|(_, found)| found).all(|mirrored| mirrored.behind.is_ok());
    Ok(if are_known { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Looks at all that is mirrored from a region to another. Signals are gone too soon to be looked for.
async fn look((from, source): (&dyn Log, &str), to: &dyn Log, partitions: u32, away: Option<String>) -> Vec<Mirrored> {
    let mut found = Vec::new();
    for topic in Topic::ALL.into_iter().filter(|topic| *topic != Topic::Signals) {
        for partition in 0..partitions {
            let (written, name) = (TopicName::local(topic), TopicName::mirrored(source, topic));
            let behind = match &away {
                Some(away) => Err(away.clone()),
                None => {
                    let looking = behind((from, &written), (to, &name), partition);
                    let looked = tokio::time::timeout(PATIENCE, looking).await;
                    let late = || anyhow::anyhow!("it was not read within {PATIENCE:?}");
                    looked.unwrap_or_else(|_| Err(late())).map_err(|error| format!("{error:#}"))
                }
            };
            found.push(Mirrored { name, partition, behind });
        }
    }
    found
}

async fn behind(
    (from, written): (&dyn Log, &TopicName),
    (to, mirrored): (&dyn Log, &TopicName),
    partition: u32,
) -> anyhow::Result<Behind> {
    // In this order, so that what is written meanwhile counts as not there yet.
    let last = last_event(to, mirrored, partition).await?;
    let bounds = from.bounds(written, partition).await.context("the region that writes it can't be asked")?;
    let (mut end, mut after) = (bounds.end, 0);
    while end > bounds.start {
        if bounds.end - end >= LOOKED_THROUGH {
            return Ok(Behind::AtLeast(after));
        }
        let start = bounds.start.max(end.saturating_sub(WINDOW));
        let events = events(from, written, partition, Bounds { start, end }).await?;
        if let Some(at) = events.iter().rposition(|event| last.is_some() && *event == last) {
            return Ok(Behind::By(after + (events.len() - 1 - at) as u64));
        }
        after += events.len() as u64;
        end = start;
    }
    // Retention may have taken it, and others after it.
    Ok(if last.is_none() || after == 0 { Behind::By(after) } else { Behind::AtLeast(after) })
}

/// The last event that came; none if none has.
async fn last_event(log: &dyn Log, topic: &TopicName, partition: u32) -> anyhow::Result<Option<EventId>> {
    let bounds = log.bounds(topic, partition).await.context("the region that it is mirrored to can't be asked")?;
    // The mirror's own marks take offsets too.
    let mut end = bounds.end;
    while end > bounds.start {
        let start = bounds.start.max(end.saturating_sub(WINDOW));
        if let Some(last) =
            events(log, topic, partition, Bounds { start, end }).await?.into_iter().rev().flatten().next()
        {
            return Ok(Some(last));
        }
        end = start;
    }
    Ok(None)
}

/// The events of a stretch, by their ids; none for a record that is no event.
async fn events(
    log: &dyn Log,
    topic: &TopicName,
    partition: u32,
    stretch: Bounds,
) -> anyhow::Result<Vec<Option<EventId>>> {
    let mut events = Vec::new();
    let take = |stored: &StoredRecord| {
        events.push(event(stored));
        Ok(())
    };
    source::scan(log, topic, partition, stretch, take).await?;
    Ok(events)
}

fn event(stored: &StoredRecord) -> Option<EventId> {
    Envelope::from_record(&stored.record.headers, stored.record.value.as_ref()).ok().map(|envelope| envelope.id)
}

fn line(mirrored: &Mirrored) -> String {
    let place = format!("{}/{}", mirrored.name, mirrored.partition);
    let says = match &mirrored.behind {
        Ok(Behind::By(0)) => "all is there".to_owned(),
        Ok(Behind::By(records)) => format!("{records} behind"),
        Ok(Behind::AtLeast(records)) => format!("{records} behind, or more"),
        Err(error) => format!("not known: {error}"),
    };
    format!("  {place:<32} {says}\n")
}

fn document(mirrored: &Mirrored) -> Value {
    let mut document = json!({ "topic": mirrored.name.to_string(), "partition": mirrored.partition });
    match &mirrored.behind {
        Ok(Behind::By(records)) => document["behind"] = json!(records),
        Ok(Behind::AtLeast(records)) => document["behind_at_least"] = json!(records),
        Err(error) => document["error"] = json!(error),
    }
    document
}

#[cfg(test)]
mod tests {
    use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
    use rossby_log::topics::TopicSpec;
    use rossby_log::{LogRecord, TopicAdmin as _};
    use rossby_schemas::encoding::Octets;
    use rossby_schemas::events::Event;
    use rossby_schemas::events::inbox::RendezvousPostedV1;
    use rossby_schemas::ids::{RegionNumber, RendezvousId};
    use rossby_schemas::time::Timestamp;

    use super::*;

    fn record(number: u8) -> LogRecord {
        let time: Timestamp = "2026-11-24T09:00:00Z".parse().unwrap();
        let posted = RendezvousPostedV1 {
            rendezvous_id: RendezvousId::from_bytes([1; 16]),
            sealed: Octets::default(),
            expires_at: time,
        };
        let event = Event::RendezvousPostedV1(posted);
        let (content_type, data) = event.encode();
        let envelope = Envelope {
            id: EventId::from_bytes([number; 16]),
            event_type: event.event_type().to_owned(),
            region: RegionNumber(1),
            stream: RendezvousId::from_bytes([1; 16]).to_string(),
            time,
            control: None,
            outer_id: None,
            content_type: content_type.to_owned(),
            data,
        };
        LogRecord { key: None, headers: envelope.headers(), value: Some(envelope.data) }
    }

    #[tokio::test]
    async fn what_has_not_come_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let log = SqliteLog::open(SqliteConfig::new(folder.path().join("log")), Arc::new(SystemClock)).await.unwrap();
        log.ensure_topics(&TopicSpec::local(1)).await.unwrap();
        log.ensure_topics(&TopicSpec::mirrored("east", 1)).await.unwrap();
        let (written, mirrored) = (TopicName::local(Topic::Inbox), TopicName::mirrored("east", Topic::Inbox));
        let look = async || behind((&log, &written), (&log, &mirrored), 0).await.unwrap();
        assert_eq!(look().await, Behind::By(0));
        for number in 1..=5 {
            log.append(&written, 0, record(number)).await.unwrap();
        }
        assert_eq!(look().await, Behind::By(5));
        for (number, behind) in [(1, 4), (2, 3), (5, 0), (2, 3)] {
            log.append(&mirrored, 0, record(number)).await.unwrap();
            assert_eq!(look().await, Behind::By(behind));
        }
        // What came last is no longer where it was written.
        log.truncate(&written, 0, 3).await.unwrap();
        assert_eq!(look().await, Behind::AtLeast(2));
    }
}
