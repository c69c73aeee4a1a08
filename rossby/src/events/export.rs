//! `rossby events export`: the log, or a part of it, as a file.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use rossby_log::StoredRecord;
use serde_json::json;

use super::LogOptions;
use super::filter::FilterOptions;
use super::source::{Source, Stretch};
use super::tail::placed;
use crate::whole_file::WholeFile;

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    log: LogOptions,
    #[command(flatten)]
    filter: FilterOptions,
    /// The file, which must not be there yet; it gets its name once it is whole. Without this events go to standard output
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print what was done as JSON
    #[arg(long, requires = "out")]
    json: bool,
}

impl Export {
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let source = Source::open(&self.log.load()?).await?;
        let Some(file) = &self.out else {
            let mut out = BufWriter::new(std::io::stdout().lock());
            let written = self.write(&source, &mut out).await.and_then(|_| Ok(out.flush()?));
            return match written {
                // A reader that has gone away is no failure.
                Err(error) if is_broken_pipe(&error) => Ok(()),
                written => written,
            };
        };
        if file.exists() {
            bail!("{} is there already; name another file", file.display());
        }
        let failed = || format!("{} can't be written", file.display());
        let mut out = BufWriter::new(WholeFile::beside(file).with_context(failed)?);
        let events = self.write(&source, &mut out).await?;
        let out = out.into_inner().map_err(|error| error.into_error()).with_context(failed)?;
        out.make().with_context(failed)?;
        source.log.close().await;
        let octets = std::fs::metadata(file)?.len();
        crate::print(&match self.json {
            true => format!("{}\n", json!({ "file": file, "events": events, "octets": octets })),
            false => format!("wrote {events} events, {octets} octets, to {}\n", file.display()),
        })
    }

    /// Writes what is meant, partition after partition. Gives how many events.
    async fn write(&self, source: &Source, out: &mut impl Write) -> anyhow::Result<u64> {
        let mut filter = self.filter.filter(source).await?;
        let stretches = source.stretches(|topic| self.filter.takes_topic(topic)).await?;
        let mut events = 0;
        let write = |stretch: &Stretch, record: &StoredRecord| {
            if filter.takes(&stretch.topic, record) {
                writeln!(out, "{}", placed(stretch, record.clone()).line()?)?;
                events += 1;
            }
            Ok(())
        };
        source.scan(&stretches, "exporting", write).await?;
        Ok(events)
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
