//! `rossby events tail`: the last events, and those that come.

use std::collections::BTreeMap;

use anyhow::Context as _;
use clap::Args;
use rossby_log::{BatchLimit, LogRecord, StoredRecord};
use rossby_schemas::time::Timestamp;
use tokio::sync::mpsc;

use super::LogOptions;
use super::filter::FilterOptions;
use super::json::{self, Placed};
use super::source::{Source, Stretch};
use crate::person::one_line;

/// How many records wait for the terminal at most.
const WAITING: usize = 1000;

#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    log: LogOptions,
    #[command(flatten)]
    filter: FilterOptions,
    /// How many of the last events to show, by the time at which the log took them
    #[arg(short = 'n', long, default_value_t = 10, value_name = "NUMBER")]
    lines: usize,
    /// Go on with what comes, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Print whole events, one CloudEvent in JSON a line
    #[arg(long)]
    json: bool,
}

/// In which order events of several partitions are shown.
type Order = (Timestamp, String, u32, u64);

impl Tail {
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let source = Source::open(&self.log.load()?).await?;
        let mut filter = self.filter.filter(&source).await?;
        let mut stretches = source.stretches(|topic| self.filter.takes_topic(topic)).await?;
        let mut last: BTreeMap<Order, Placed> = BTreeMap::new();
        if !self.filter.is_set() {
            // Without a filter the last of all are among the last of each partition.
            let lines = u64::try_from(self.lines).unwrap_or(u64::MAX);
            stretches.iter_mut().for_each(|stretch| stretch.from = stretch.from.max(stretch.end.saturating_sub(lines)));
        }
        let keep = |stretch: &Stretch, record: &StoredRecord| {
            if filter.takes(&stretch.topic, record) {
                let event = placed(stretch, record.clone());
                last.insert(order(&event), event);
                if last.len() > self.lines {
                    last.pop_first();
                }
            }
            Ok(())
        };
        source.scan(&stretches, "looking", keep).await?;
        for event in last.into_values() {
            self.show(&event)?;
        }
        if self.follow {
            let (send, mut received) = mpsc::channel(WAITING);
            for stretch in stretches {
                let reader = source.log.read(&stretch.topic, stretch.partition, stretch.end).await?;
                tokio::spawn(follow(stretch, reader, send.clone()));
            }
            drop(send);
            while let Some(event) = received.recv().await {
                let event = event?;
                if filter.takes(&event.topic, &event.stored) {
                    self.show(&event)?;
                }
            }
        }
        source.log.close().await;
        Ok(())
    }

    fn show(&self, event: &Placed) -> anyhow::Result<()> {
        let text = if self.json { event.line()? } else { line(event) };
        crate::print(&format!("{text}\n"))
    }
}

/// Hands on what comes in a partition.
async fn follow(
    stretch: Stretch,
    mut reader: Box<dyn rossby_log::PartitionReader>,
    send: mpsc::Sender<anyhow::Result<Placed>>,
) {
    loop {
        let batch = reader.next(BatchLimit::default()).await;
        let batch =
            batch.with_context(|| format!("partition {} of {} can't be read", stretch.partition, stretch.topic));
        let events: Vec<anyhow::Result<Placed>> = match batch {
            Ok(batch) => batch.records.into_iter().map(|stored| Ok(placed(&stretch, stored))).collect(),
            Err(error) => vec![Err(error)],
        };
        for event in events {
            let is_last = event.is_err();
            if send.send(event).await.is_err() || is_last {
                return;
            }
        }
    }
}

/// A record of a stretch, with its place.
pub(super) fn placed(stretch: &Stretch, stored: StoredRecord) -> Placed {
    let Stretch { topic, partition, partitions, .. } = stretch;
    Placed { topic: topic.clone(), partition: *partition, partitions: *partitions, stored }
}

fn order(event: &Placed) -> Order {
    (event.stored.appended_at, event.topic.to_string(), event.partition, event.stored.offset)
}

/// An event for people: when, where, what, and of which stream.
fn line(event: &Placed) -> String {
    let LogRecord { value, .. } = &event.stored.record;
    let event_type = json::event_type(&event.stored.record).unwrap_or_else(|| "no event".to_owned());
    let name = event_type.strip_prefix("org.rossby.").unwrap_or(&event_type).to_owned();
    let subject = json::subject(&event.stored.record).unwrap_or_default();
    let octets = value.as_ref().map_or(0, bytes::Bytes::len);
    let place = format!("{}/{}@{}", event.topic, event.partition, event.stored.offset);
    let text = format!("{} {place:<28} {name} {subject} {octets} octets", event.stored.appended_at);
    one_line(&text)
}
