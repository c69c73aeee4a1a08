//! What the demo's server has: the events of its log as they come, and a search of all its files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rossby_log::{BatchLimit, Log, Offset, StoredRecord};
use rossby_schemas::ids::BoxId;
use rossby_schemas::topic::{Topic, TopicName};

use super::story::Story;

/// How many octets of a value are shown.
const SHOWN: usize = 24;

/// The server's log and files.
pub(super) struct Evidence {
    log: Arc<dyn Log>,
    data_dir: PathBuf,
    next: BTreeMap<(Topic, u32), Offset>,
}

impl Evidence {
    pub(super) fn new(log: Arc<dyn Log>, data_dir: PathBuf) -> Self {
        Self { log, data_dir, next: BTreeMap::new() }
    }

    /// Shows the events that came since it was last asked, as anyone with the log sees them.
    pub(super) async fn tell_new(&mut self, story: &Story) -> anyhow::Result<()> {
        story.says("The log has:")?;
        for topic in Topic::ALL {
            let name = TopicName::local(topic);
            for partition in 0..self.log.partitions(&name).await? {
                let next = self.next.entry((topic, partition)).or_insert(0);
                let mut reader = self.log.read(&name, partition, *next).await?;
                loop {
                    let batch = reader.next(BatchLimit::default()).await?;
                    *next = batch.next_offset;
                    for stored in &batch.records {
                        story.quote(&shown(topic, partition, stored))?;
                    }
                    if batch.caught_up {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Searches every file of the server's for what it must have and for what it must not have.
    pub(super) fn search(
        &self,
        story: &Story,
        boxes: &[(&str, BoxId)],
        secrets: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let mut files = Vec::new();
        read(&self.data_dir, &mut files)?;
        let total: usize = files.iter().map(Vec::len).sum();
        let count = |needle: &[u8]| -> usize {
            files.iter().map(|file| file.windows(needle.len()).filter(|window| *window == needle).count()).sum()
        };
        for (name, box_id) in boxes {
            let found = count(box_id.to_string().as_bytes()) + count(box_id.as_bytes());
            story.says(&format!("{name}'s box: found {found} times in {total} octets of log, tables and secrets."))?;
        }
        for (what, text) in secrets {
            match count(text.as_bytes()) {
                0 => story.says(&format!("{what} ({text:?}): not found."))?,
                found => anyhow::bail!("{what} was found {found} times in the server's files: that is a defect"),
            }
        }
        Ok(())
    }
}

/// An event on a line: where it stands, its type, its key, and how its value begins.
fn shown(topic: Topic, partition: u32, stored: &StoredRecord) -> String {
    let record = &stored.record;
    let header = |name: &str| {
        let found = record.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    };
    let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
    let value = record.value.as_deref().unwrap_or_default();
    let begins = if header("content-type") == "application/json" {
        String::from_utf8_lossy(&value[..value.len().min(2 * SHOWN)]).into_owned()
    } else {
        value.iter().take(SHOWN).map(|octet| format!("{octet:02x}")).collect()
    };
    let kind = header("ce_type");
    let kind = kind.strip_prefix("org.rossby.").unwrap_or(&kind);
    let place = format!("{}/{partition}@{}", topic.name(), stored.offset);
    let short: String = key.chars().take(13).collect();
    format!("{place:<25} {kind:<34} key {short}..  {} octets: {begins}..", value.len())
}

fn read(folder: &Path, files: &mut Vec<Vec<u8>>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(&path, files)?;
        } else {
            files.push(fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?);
        }
    }
    Ok(())
}
