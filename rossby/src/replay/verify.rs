//! `rossby verify-tables`: the server's read models against its log, as far as they have come.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use rossby_log::{Log, Offset};
use rossby_projections::{Fingerprint, Fingerprints, Projection, ProjectorConfig, ReadModels, TableFingerprints};
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::time::{Clock as _, SystemClock};
use rossby_schemas::topic::TopicName;
use serde::Serialize;
use serde_json::json;

use super::build;
use super::part::{Cut, Part};
use crate::events::LogOptions;
use crate::events::source::Source;
use crate::person::one_line;
use crate::serve::regions::projector_config;
use crate::serve::storage;

/// How many differences of a table are shown to people.
const SHOWN: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    log: LogOptions,
    /// Print what was found as JSON, every difference with its hashes
    #[arg(long)]
    json: bool,
}

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Wrong {
    /// The log says that it should be there.
    Missing,
    /// The log knows nothing of it.
    Unfounded,
    /// The log says something else.
    Different,
}

/// A row that is not as the log says.
#[derive(Debug, Serialize)]
struct Difference {
    table: &'static str,
    partition: u32,
    key: String,
    wrong: Wrong,
    /// The hash of the server's row.
    found: Option<Sha256Digest>,
    /// The hash of the row that the log gives.
    expected: Option<Sha256Digest>,
}

impl Verify {
    pub(crate) async fn run(&self) -> anyhow::Result<ExitCode> {
        let settings = self.log.load()?;
        let regions = settings.regions()?;
        let source = Source::open(&settings).await?;
        let partitions = source.topics.first().map_or(1, |(_, partitions)| *partitions);
        let live = ReadModels::open_to_read(&storage::read_models_url(&settings), 2).await;
        let live = live.context("the read models can't be opened")?;
        if let Some(box_id) = live.replayed().await?.and_then(|replayed| replayed.of.box_id) {
            bail!(
                "these read models hold what concerns the box {box_id} alone, and can't be compared with a whole log"
            );
        }
        // One moment for both, since rows expire.
        let now = SystemClock.now();
        let found = live.fingerprints(now, partitions).await?;
        live.close().await;
        if found.positions.is_empty() {
            bail!("the read models are empty: no projection has begun; start the server");
        }

        let (rebuilt, _folder) = build::temporary().await?;
        for projection in Projection::ALL {
            let log: Arc<dyn Log> = Arc::new(Part::new(Arc::clone(&source.log), cut(&found, projection)?, None));
            let config = ProjectorConfig { projections: vec![projection], ..projector_config(&regions)? };
            let built = build::run(&rebuilt, &log, config, projection.name()).await?;
            if !built.stopped.is_empty() {
                bail!("the log can't be replayed as far as the tables have come: {}", built.stopped.join("; "));
            }
        }
        let expected = rebuilt.fingerprints(now, partitions).await?;
        rebuilt.close().await;
        source.log.close().await;
        let differences = compare(&found, &expected);
        self.tell(&found, &differences)?;
        Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn tell(&self, found: &Fingerprints, differences: &[Difference]) -> anyhow::Result<()> {
        let rows: usize = found.tables.values().map(TableFingerprints::len).sum();
        if self.json {
            let tables: BTreeMap<&str, _> = found
                .tables
                .iter()
                .map(|(table, rows)| {
                    let of_table = |difference: &&Difference| difference.table == *table;
                    let different = differences.iter().filter(of_table).count();
                    (*table, json!({ "rows": rows.len(), "differences": different, "partitions": by_partition(rows) }))
                })
                .collect();
            let document = json!({ "rows": rows, "tables": tables, "differences": differences });
            return crate::print(&format!("{document}\n"));
        }
        let mut text = String::new();
        for table in found.tables.keys() {
            let of_table: Vec<&Difference> = differences.iter().filter(|d| d.table == *table).collect();
            for difference in of_table.iter().take(SHOWN) {
                let wrong = match difference.wrong {
                    Wrong::Missing => "is missing",
                    Wrong::Unfounded => "is in no event",
                    Wrong::Different => "is another",
                };
                let (partition, key) = (difference.partition, one_line(&difference.key));
                text += &format!("{table}, partition {partition}: {key} {wrong}\n");
            }
            if of_table.len() > SHOWN {
                text += &format!("{table}: and {} more; --json lists all\n", of_table.len() - SHOWN);
            }
        }
        text += &match differences.len() {
            0 => format!("{rows} rows are as the log says\n"),
            wrong => format!(
                "{wrong} rows are not as the log says. To put that right, build the tables anew: stop the server, set the database \
                 aside, and start it; they are computed from the log\n"
            ),
        };
        crate::print(&text)
    }
}

/// Up to where a projection had come in each partition.
fn cut(found: &Fingerprints, projection: Projection) -> anyhow::Result<Cut> {
    let mut offsets: BTreeMap<(TopicName, u32), Offset> = BTreeMap::new();
    for position in found.positions.iter().filter(|position| position.projection == projection.name()) {
        let topic = position.topic.parse().with_context(|| format!("a position is in {:?}", position.topic))?;
        offsets.insert((topic, position.partition), position.next_offset);
    }
    Ok(Cut::At(offsets))
}

/// How many rows each partition has, and a hash over theirs, by which two servers can be compared.
fn by_partition(rows: &TableFingerprints) -> BTreeMap<u32, serde_json::Value> {
    let mut partitions: BTreeMap<u32, (u64, [u8; 32])> = BTreeMap::new();
    for Fingerprint { hash, partition } in rows.values() {
        let (count, all) = partitions.entry(*partition).or_default();
        *count += 1;
        all.iter_mut().zip(hash.as_slice()).for_each(|(all, one)| *all ^= one);
    }
    let shown = |(partition, (rows, hash))| (partition, json!({ "rows": rows, "hash": Sha256Digest::from(hash) }));
    partitions.into_iter().map(shown).collect()
}

fn compare(found: &Fingerprints, expected: &Fingerprints) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (table, expected) in &expected.tables {
        let none = TableFingerprints::new();
        let found = found.tables.get(table).unwrap_or(&none);
        let mut add = |key: &String, found: Option<&Fingerprint>, expected: Option<&Fingerprint>, wrong| {
            let partition = found.or(expected).map_or(0, |row| row.partition);
            let (found, expected) = (found.map(|row| row.hash), expected.map(|row| row.hash));
            differences.push(Difference { table, partition, key: key.clone(), wrong, found, expected });
        };
        for (key, row) in found {
            match expected.get(key) {
                None => add(key, Some(row), None, Wrong::Unfounded),
                Some(other) if other.hash != row.hash => add(key, Some(row), Some(other), Wrong::Different),
                Some(_) => {}
            }
        }
        for (key, row) in expected.iter().filter(|(key, _)| !found.contains_key(*key)) {
            add(key, None, Some(row), Wrong::Missing);
        }
    }
    differences
}
