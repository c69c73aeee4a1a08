//! `rossby events stats`: how much of what the log holds.

use std::collections::BTreeMap;

use clap::Args;
use rossby_log::StoredRecord;
use rossby_schemas::time::Timestamp;
use serde::Serialize;

use super::LogOptions;
use super::filter::FilterOptions;
use super::json;
use super::source::{Source, Stretch};
use crate::person::one_line;

#[derive(Debug, Args)]
pub(crate) struct Stats {
    #[command(flatten)]
    log: LogOptions,
    #[command(flatten)]
    filter: FilterOptions,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// The figures of some events.
#[derive(Debug, Default, Clone, Serialize)]
struct Figures {
    events: u64,
    /// Of keys, headers and values.
    octets: u64,
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct PartitionFigures {
    topic: String,
    partition: u32,
    start: u64,
    end: u64,
    #[serde(flatten)]
    all: Figures,
    types: BTreeMap<String, Figures>,
}

impl Figures {
    fn add(&mut self, record: &StoredRecord) {
        self.events += 1;
        self.octets += record.record.size() as u64;
        let at = record.appended_at;
        self.first_at = Some(self.first_at.map_or(at, |first| first.min(at)));
        self.last_at = Some(self.last_at.map_or(at, |last| last.max(at)));
    }

    fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.octets += other.octets;
        self.first_at = [self.first_at, other.first_at].into_iter().flatten().min();
        self.last_at = self.last_at.max(other.last_at);
    }

    fn text(&self, name: &str) -> String {
        let times = match (self.first_at, self.last_at) {
            (Some(first), Some(last)) => format!("  {first} to {last}"),
            _ => String::new(),
        };
        format!("{name:<48} {:>10} {:>14}{times}\n", self.events, self.octets)
    }
}

impl Stats {
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let source = Source::open(&self.log.load()?).await?;
        let mut filter = self.filter.filter(&source).await?;
        let stretches = source.stretches(|topic| self.filter.takes_topic(topic)).await?;
        let mut counted: BTreeMap<(String, u32), (Figures, BTreeMap<String, Figures>)> = BTreeMap::new();
        let place = |stretch: &Stretch| (stretch.topic.to_string(), stretch.partition);
        let count = |stretch: &Stretch, record: &StoredRecord| {
            if filter.takes(&stretch.topic, record) {
                let (all, types) = counted.entry(place(stretch)).or_default();
                all.add(record);
                let event_type = json::event_type(&record.record).unwrap_or_else(|| "(no event)".to_owned());
                types.entry(event_type).or_default().add(record);
            }
            Ok(())
        };
        source.scan(&stretches, "counting", count).await?;
        source.log.close().await;
        let figures = |stretch: Stretch| {
            let (topic, partition) = place(&stretch);
            let (all, types) = counted.remove(&(topic.clone(), partition)).unwrap_or_default();
            PartitionFigures { topic, partition, start: stretch.from, end: stretch.end, all, types }
        };
        let partitions: Vec<PartitionFigures> = stretches.into_iter().map(figures).collect();
        let mut topics: BTreeMap<&str, (Figures, BTreeMap<&str, Figures>)> = BTreeMap::new();
        for partition in &partitions {
            let (all, types) = topics.entry(&partition.topic).or_default();
            all.merge(&partition.all);
            for (name, figures) in &partition.types {
                types.entry(name).or_default().merge(figures);
            }
        }
        if self.json {
            let topic = |(topic, (all, types)): (&&str, &(Figures, BTreeMap<&str, Figures>))| {
                serde_json::json!({ "topic": topic, "events": all.events, "octets": all.octets, "first_at": all.first_at,
                                    "last_at": all.last_at, "types": types })
            };
            let topics: Vec<_> = topics.iter().map(topic).collect();
            return crate::print(&format!("{}\n", serde_json::json!({ "topics": topics, "partitions": partitions })));
        }
        let mut text = format!("{:<48} {:>10} {:>14}  first and last\n", "", "events", "octets");
        for (topic, (all, types)) in &topics {
            text += &all.text(topic);
            for (name, figures) in types {
                let name = name.strip_prefix("org.rossby.").unwrap_or(name);
                text += &figures.text(&format!("  {}", one_line(name)));
            }
            for partition in partitions.iter().filter(|partition| partition.topic == *topic) {
                let place = format!("  partition {}, {} to {}", partition.partition, partition.start, partition.end);
                text += &partition.all.text(&place);
            }
        }
        crate::print(&text)
    }
}
