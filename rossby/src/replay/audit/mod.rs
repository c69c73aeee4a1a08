//! `rossby audit`: what happened to a box, an identifier, a message or a device, in order, who did it, and what counted.

mod outcome;
mod page;
mod said;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use rossby_crypto::keyed_hash::MasterSecret;
use rossby_log::{Offset, StoredRecord};
use rossby_schemas::envelope::Envelope;
use rossby_schemas::events::Event;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{BoxId, DeviceId, EventId, IdentifierHash, OuterId, RegionNumber};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::TopicName;
use serde::Serialize;
use serde_json::json;

use self::outcome::Outcomes;
use self::said::Said;
use crate::config::{Settings, load_secrets};
use crate::events::LogOptions;
use crate::events::scope::Scope;
use crate::events::source::{Source, Stretch};
use crate::person::one_line;
use crate::whole_file::WholeFile;

/// What is looked at.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// A box: its devices, keys, settings, mail, and the identifiers that named it
    Box {
        /// The box
        id: BoxId,
        #[command(flatten)]
        options: Options,
    },
    /// An identifier: who registered, verified, claimed and released it
    Identifier {
        /// The phone number or email address, which is hashed here with the master secret; or its hash
        id: String,
        #[command(flatten)]
        options: Options,
    },
    /// A message: when it was accepted, and which devices confirmed it
    Message {
        /// Its id in the queue
        id: OuterId,
        #[command(flatten)]
        options: Options,
    },
    /// A device: what it did, and what was done to it
    Device {
        /// The device
        id: DeviceId,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    log: LogOptions,
    /// Print the timeline as JSON
    #[arg(long)]
    json: bool,
    /// Write the timeline as a page that needs nothing else; the file must not be there yet
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
}

/// What the timeline is of.
#[derive(Debug, Clone)]
enum Subject {
    Box(BoxId),
    Identifier(Vec<IdentifierHash>),
    Message(OuterId),
    Device(DeviceId),
}

/// A line of the timeline.
#[derive(Debug, Clone, Serialize)]
struct Entry {
    /// When the log took it.
    at: Timestamp,
    /// When the region's API accepted the command.
    accepted_at: Timestamp,
    region: RegionNumber,
    topic: String,
    partition: u32,
    offset: Offset,
    event_id: EventId,
    event: String,
    stream: String,
    /// The device that did it; none where a server did, or where nobody can know.
    device: Option<DeviceId>,
    /// What else the event says: ids and numbers.
    said: String,
    outcome: &'static str,
    why: String,
}

/// A record that the timeline may show.
#[derive(Debug)]
pub(super) struct Candidate {
    topic: TopicName,
    partition: u32,
    stored: StoredRecord,
    envelope: Envelope,
    event: Event,
}

impl AuditCommand {
    pub(crate) async fn run(&self) -> anyhow::Result<ExitCode> {
        let options = match self {
            Self::Box { options, .. }
            | Self::Identifier { options, .. }
            | Self::Message { options, .. }
            | Self::Device { options, .. } => options,
        };
        let settings = options.log.load()?;
        if let Some(file) = options.html.as_ref().filter(|file| file.exists()) {
            bail!("{} is there already; name another file", file.display());
        }
        let (subject, title) = match self {
            Self::Box { id, .. } => (Subject::Box(*id), format!("box {id}")),
            Self::Identifier { id, .. } => (Subject::Identifier(hashes(&settings, id)?), format!("identifier {id}")),
            Self::Message { id, .. } => (Subject::Message(*id), format!("message {id}")),
            Self::Device { id, .. } => (Subject::Device(*id), format!("device {id}")),
        };
        let source = Source::open(&settings).await?;
        let (scope, candidates) = look(&source, &subject).await?;
        if candidates.is_empty() {
            bail!("the log has nothing of the {title}; it may be another server's, or what there was has expired");
        }
        let outcomes = Outcomes::of(&settings, &source, scope).await?;
        let mut entries = Vec::with_capacity(candidates.len());
        let mut seen = BTreeSet::new();
        for candidate in candidates {
            entries.push(entry(&outcomes, candidate, &mut seen).await?);
        }
        entries.sort_by(|a, b| (a.at, &a.topic, a.partition, a.offset).cmp(&(b.at, &b.topic, b.partition, b.offset)));
        source.log.close().await;
        options.tell(&title, &entries, &outcomes.stopped)?;
        outcomes.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

impl Options {
    fn tell(&self, title: &str, entries: &[Entry], stopped: &[String]) -> anyhow::Result<()> {
        if self.json {
            return crate::print(&format!("{}\n", json!({ "of": title, "events": entries, "stopped": stopped })));
        }
        if let Some(file) = &self.html {
            write(file, &page::html(title, entries, stopped))?;
            return crate::print(&format!(
                "wrote {} events of the {} to {}\n",
                entries.len(),
                one_line(title),
                file.display()
            ));
        }
        let mut text = String::new();
        for entry in entries {
            let device = entry.device.map_or_else(String::new, |device| format!(" by device {device}"));
            let why = if entry.why.is_empty() { String::new() } else { format!(" ({})", entry.why) };
            let Entry { at, region, topic, partition, offset, event, said, outcome, .. } = entry;
            let line =
                format!("{at} region {region} {topic}/{partition}@{offset} {event}{device} {said}: {outcome}{why}");
            text += &format!("{}\n", one_line(&line));
        }
        for partition in stopped {
            text += &format!("stopped: {}\n", one_line(partition));
        }
        crate::print(&text)
    }
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let failed = || format!("{} can't be written", file.display());
    let mut whole = WholeFile::beside(file).with_context(failed)?;
    whole.write_all(text.as_bytes()).with_context(failed)?;
    whole.make().with_context(failed)
}

/// The hashes of an identifier under each of the server's secrets.
fn hashes(settings: &Settings, id: &str) -> anyhow::Result<Vec<IdentifierHash>> {
    if let Ok(hash) = id.parse() {
        return Ok(vec![hash]);
    }
    let identifier: Identifier = id.parse().with_context(|| format!("{id:?} is no phone number or email address"))?;
    let secrets = load_secrets(&settings.secrets_file()).context("an identifier is hashed with the master secret")?;
    let hash = |secret: &crate::config::NumberedSecret| {
        MasterSecret::new(secret.number, &secret.key).identifier_hash(&identifier)
    };
    Ok(secrets.iter().map(hash).collect())
}

/// Finds what the timeline shows, and what must be replayed to know what counted.
async fn look(source: &Source, subject: &Subject) -> anyhow::Result<(Scope, Vec<Candidate>)> {
    let boxes_scope = match subject {
        Subject::Box(box_id) => Some(Scope::of_box(source, *box_id).await?),
        Subject::Identifier(hashes) => Some(Scope::of_identifiers(hashes)),
        Subject::Message(_) | Subject::Device(_) => None,
    };
    let (mut candidates, mut boxes) = (Vec::new(), BTreeSet::new());
    let stretches = source.stretches(|_| true).await?;
    let take = |stretch: &Stretch, stored: &StoredRecord| {
        let record = &stored.record;
        if boxes_scope.as_ref().is_some_and(|scope| !scope.takes(&stretch.topic, record)) {
            return Ok(());
        }
        let Ok(envelope) = Envelope::from_record(&record.headers, record.value.as_ref()) else { return Ok(()) };
        let Ok(event) = Event::decode(&envelope) else { return Ok(()) };
        let said = Said::of(&event);
        let is_meant = match subject {
            Subject::Box(_) | Subject::Identifier(_) => true,
            Subject::Message(id) => said.messages.contains(id),
            Subject::Device(id) => said.devices.contains(id),
        };
        if is_meant {
            boxes.extend(said.boxes);
            let (topic, partition, stored) = (stretch.topic.clone(), stretch.partition, stored.clone());
            candidates.push(Candidate { topic, partition, stored, envelope, event });
        }
        Ok(())
    };
    source.scan(&stretches, "looking", take).await?;
    let scope = match boxes_scope {
        Some(scope) => scope,
        None => Scope::of_boxes(source, &boxes).await?,
    };
    Ok((scope, candidates))
}

async fn entry(outcomes: &Outcomes, candidate: Candidate, seen: &mut BTreeSet<EventId>) -> anyhow::Result<Entry> {
    let is_repeated = !seen.insert(candidate.envelope.id);
    let (outcome, why) = outcomes.of_event(&candidate, is_repeated).await?;
    let Candidate { topic, partition, stored, envelope, event } = candidate;
    let Said { device, text, .. } = Said::of(&event);
    Ok(Entry {
        at: stored.appended_at,
        accepted_at: envelope.time,
        region: envelope.region,
        topic: topic.to_string(),
        partition,
        offset: stored.offset,
        event_id: envelope.id,
        event: event.event_type().trim_start_matches("org.rossby.").to_owned(),
        stream: envelope.stream,
        device,
        said: text,
        outcome,
        why,
    })
}
