//! `rossby events import`: an exported log becomes the log of an embedded server that has none yet.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_log::topics::TopicSpec;
use rossby_log::{Log as _, Offset, StoredRecord, TopicAdmin as _};
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::SystemClock;
use rossby_schemas::topic::{Topic, TopicName};
use serde_json::json;

use super::json::Placed;
use super::{LogOptions, progress};
use crate::config::{self, LogProvider, Settings};
use crate::serve::storage;

/// How many records are written in one transaction.
const AT_ONCE: usize = 1000;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A file that `rossby events export` has written
    file: PathBuf,
    #[command(flatten)]
    log: LogOptions,
    /// Make a master secret that is not the one of the exported log, so that a server starts on it: nobody is found by an
    /// identifier then, no token is good, and blocks mean nothing, but the tables are the same
    #[arg(long)]
    new_secret: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// What was taken in.
#[derive(Debug, Default)]
struct Imported {
    events: u64,
    partitions: u32,
    /// Events whose offset is another than in the exported log, since some before them were left out there.
    moved: u64,
    /// Events of mirrored topics, which an embedded server does not read.
    mirrored: u64,
}

impl Import {
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let settings = self.log.load()?;
        if settings.log.provider != LogProvider::Sqlite {
            bail!(
                "a log is imported into the data folder of an embedded server, and the settings name Kafka; leave --config out"
            );
        }
        let folder = &settings.server.data_dir;
        for taken in ["log", "read-models.sqlite"] {
            if folder.join(taken).exists() {
                bail!("{} has a server's data; name an empty folder with --data-dir", folder.display());
            }
        }
        let secrets = folder.join("secrets.toml");
        if self.new_secret && secrets.exists() {
            bail!("{} is there, and no secret is replaced; leave --new-secret out", secrets.display());
        }
        storage::prepare_data_dir(&settings)?;
        let unfinished = folder.join("log.importing");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).with_context(|| format!("{} can't be removed", unfinished.display()))?;
        }
        let imported = self.read(&settings, &unfinished).await;
        let imported = match imported {
            Ok(imported) => imported,
            Err(error) => {
                // Nothing is left of what could not be taken in whole.
                let _ = fs::remove_dir_all(&unfinished);
                return Err(error);
            }
        };
        if self.new_secret {
            config::make_secrets(&secrets)?;
        }
        fs::rename(&unfinished, folder.join("log")).context("the log can't be put into its place")?;
        self.tell(&settings, &imported)
    }

    async fn read(&self, settings: &Settings, folder: &Path) -> anyhow::Result<Imported> {
        let file = File::open(&self.file).with_context(|| format!("{} can't be read", self.file.display()))?;
        let bar = progress::octets(file.metadata()?.len(), "importing");
        let log = SqliteLog::open(SqliteConfig::new(folder), Arc::new(SystemClock)).await?;
        let mut writing = Writing::new(&log, settings.region.number);
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let line = line.with_context(|| format!("{} can't be read", self.file.display()))?;
            bar.inc(line.len() as u64 + 1);
            let place = || format!("line {} of {}", number + 1, self.file.display());
            let event = Placed::from_line(&line).with_context(place)?;
            writing.take(event).await.with_context(place)?;
        }
        writing.flush().await?;
        log.close().await;
        bar.finish_and_clear();
        if writing.imported.events == 0 {
            bail!("{} has no events", self.file.display());
        }
        Ok(writing.imported)
    }

    fn tell(&self, settings: &Settings, imported: &Imported) -> anyhow::Result<()> {
        let folder = settings.server.data_dir.display();
        let Imported { events, partitions, moved, mirrored } = imported;
        if self.json {
            let document = json!({ "data_dir": settings.server.data_dir, "events": events, "partitions": partitions,
                                   "moved": moved, "left_out": mirrored });
            return crate::print(&format!("{document}\n"));
        }
        let mut text = format!("took {events} events into {folder}\n");
        if *moved > 0 {
            text += &format!(
                "{moved} of them have lower offsets now: the file is a part of a log, and an embedded log has no holes\n"
            );
        }
        if *mirrored > 0 {
            text += &format!(
                "left out {mirrored} events that a mirror had brought from other regions: an embedded server is one region\n"
            );
        }
        let partitions = match settings.log.partitions == *partitions {
            true => String::new(),
            false => format!("ROSSBY_LOG__PARTITIONS={partitions} "),
        };
        text += &format!("its tables: {partitions}rossby replay --data-dir {folder} --into sqlite:FILE\n");
        if settings.server.data_dir.join("secrets.toml").exists() {
            text += &format!("a server on it: {partitions}rossby serve --data-dir {folder}\n");
        } else {
            text += &format!("for a server on it, put the log's master secret into {folder}/secrets.toml\n");
        }
        crate::print(&text)
    }
}

/// A log that is being written.
struct Writing<'a> {
    log: &'a SqliteLog,
    /// This region, whose boxes the log must hold.
    region: u8,
    /// What waits to be written, of one partition.
    waiting: Vec<StoredRecord>,
    place: Option<(TopicName, u32)>,
    /// The last offset that was read, and the next one to write.
    offsets: BTreeMap<(TopicName, u32), (Offset, Offset)>,
    imported: Imported,
}

impl<'a> Writing<'a> {
    fn new(log: &'a SqliteLog, region: u8) -> Self {
        let (waiting, offsets, imported) = (Vec::new(), BTreeMap::new(), Imported::default());
        Self { log, region, waiting, place: None, offsets, imported }
    }

    async fn take(&mut self, event: Placed) -> anyhow::Result<()> {
        let Placed { topic, partition, partitions, mut stored } = event;
        if topic.mirrored_from.is_some() {
            self.imported.mirrored += 1;
            return Ok(());
        }
        self.check_region(&topic, &stored)?;
        if self.imported.partitions == 0 {
            if !(1..=1024).contains(&partitions) {
                bail!("has a topic with {partitions} partitions; there are 1 to 1024");
            }
            self.log.ensure_topics(&TopicSpec::local(partitions)).await?;
            self.imported.partitions = partitions;
        }
        if partitions != self.imported.partitions || partition >= partitions {
            bail!(
                "is of partition {partition} of {partitions}, and the lines before of topics with {} partitions",
                self.imported.partitions
            );
        }
        let place = (topic, partition);
        match self.offsets.get_mut(&place) {
            Some((last, _)) if stored.offset <= *last => {
                bail!(
                    "has offset {} after offset {last} of the same partition: the file is not as it was exported",
                    stored.offset
                );
            }
            Some((last, next)) => {
                *last = stored.offset;
                self.imported.moved += u64::from(stored.offset != *next);
                stored.offset = *next;
                *next += 1;
            }
            None => {
                self.offsets.insert(place.clone(), (stored.offset, stored.offset + 1));
            }
        }
        if self.waiting.len() >= AT_ONCE || self.place.as_ref() != Some(&place) {
            self.flush().await?;
            self.place = Some(place);
        }
        self.waiting.push(stored);
        self.imported.events += 1;
        Ok(())
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        if let (Some((topic, partition)), false) = (&self.place, self.waiting.is_empty()) {
            self.log.restore(topic, *partition, std::mem::take(&mut self.waiting)).await?;
        }
        Ok(())
    }

    /// Events of boxes count in the region in which those were born.
    fn check_region(&self, topic: &TopicName, stored: &StoredRecord) -> anyhow::Result<()> {
        if !matches!(topic.topic, Topic::Keys | Topic::Profiles) {
            return Ok(());
        }
        let key = stored.record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        let Some(Ok(box_id)) = key.map(str::parse::<BoxId>) else { return Ok(()) };
        let born = box_id.region().0;
        if born != self.region {
            bail!(
                "is of region {born}, and the setting region.number is {}; set ROSSBY_REGION__NUMBER={born}",
                self.region
            );
        }
        Ok(())
    }
}
