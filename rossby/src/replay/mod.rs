//! Reading the log again: `rossby replay` builds the read models of any moment, `rossby verify-tables` compares the
//! server's with what the log says, `rossby audit` tells what happened to a box, an identifier, a message or a device.

mod audit;
mod build;
mod part;
mod verify;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use rossby_log::Log;
use rossby_projections::{ReadModels, ReplayOf};
use rossby_schemas::ids::{BoxId, RegionNumber};
use rossby_schemas::time::Timestamp;
use serde_json::json;

pub(crate) use self::audit::AuditCommand;
use self::part::{Cut, Part};
pub(crate) use self::verify::Verify;
use crate::config::Settings;
use crate::events::LogOptions;
use crate::events::scope::Scope;
use crate::events::source::Source;
use crate::serve::regions::projector_config;

/// How many connections a replay holds at most.
const CONNECTIONS: u32 = 8;

#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    log: LogOptions,
    /// The database, which is empty or of the same replay, interrupted: sqlite:FILE or postgres://USER@HOST/DATABASE (PGPASSWORD
    /// has the password)
    #[arg(long, value_name = "URL")]
    into: String,
    /// Take events up to the last that each partition's log took at this time or before, in RFC 3339
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Read the log of another region that the settings name: its tables are built
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// Take only what concerns this box: the tables are for looking at it, and no server's
    #[arg(long = "box", value_name = "BOX_ID")]
    box_id: Option<BoxId>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// What a replay has come to.
#[derive(Debug)]
pub(crate) struct Built {
    /// How many records were read, by all projections together.
    pub(crate) records: u64,
    /// The partitions that could not be applied to their end, and why.
    pub(crate) stopped: Vec<String>,
}

impl Replay {
    pub(crate) async fn run(&self) -> anyhow::Result<ExitCode> {
        let settings = of_region(self.log.load()?, self.region.as_deref())?;
        let is_known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|start| self.into.starts_with(start));
        if !is_known {
            bail!("--into must be sqlite:FILE or postgres://USER@HOST/DATABASE");
        }
        let regions = settings.regions()?;
        let source = Source::open(&settings).await?;
        let of = ReplayOf { until: self.until, region: regions.here, box_id: self.box_id };
        let (models, was_begun) = ReadModels::open_for_replay(&self.into, CONNECTIONS, of).await?;
        let scope = match self.box_id {
            Some(box_id) => Some(Scope::of_box(&source, box_id).await?),
            None => None,
        };
        let cut = match self.until {
            Some(until) => Cut::After(until),
            None => Cut::here(&source).await?,
        };
        let log: Arc<dyn Log> = Arc::new(Part::new(Arc::clone(&source.log), cut, scope));
        let built = build::run(&models, &log, projector_config(&regions)?, "replaying").await?;
        if built.stopped.is_empty() {
            models.finish_replay().await?;
        }
        models.close().await;
        source.log.close().await;
        self.tell(of.region, was_begun, &built)
    }

    fn tell(&self, region: RegionNumber, was_begun: bool, built: &Built) -> anyhow::Result<ExitCode> {
        let Built { records, stopped } = built;
        if self.json {
            let document = json!({ "region": region, "until": self.until, "box_id": self.box_id, "resumed": was_begun,
                                   "records": records, "stopped": stopped });
            crate::print(&format!("{document}\n"))?;
        } else {
            let until = self.until.map_or_else(|| "the end of its log".to_owned(), |until| until.to_string());
            let mut text = format!("built the read models of region {region} up to {until}\n");
            if was_begun {
                text += "went on where the replay before was interrupted\n";
            }
            if let Some(box_id) = self.box_id {
                text += &format!("they hold what concerns the box {box_id} alone, and no server starts on them\n");
            }
            for partition in stopped {
                text += &format!("stopped: {partition}\n");
            }
            if !stopped.is_empty() {
                text += "what a stopped partition holds further on is not in the tables; once that is mended, the same command goes on\n";
            }
            crate::print(&text)?;
        }
        Ok(if stopped.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The settings as another of their regions has them.
fn of_region(mut settings: Settings, region: Option<&str>) -> anyhow::Result<Settings> {
    let Some(name) = region.filter(|name| *name != settings.region.name) else { return Ok(settings) };
    let entry = settings.regions.iter().find(|entry| entry.name == name);
    let number = entry.map(|entry| entry.number).with_context(|| {
        let names: Vec<&str> = settings.regions.iter().map(|entry| entry.name.as_str()).collect();
        match names.is_empty() {
            true => format!("the settings name one region, {:?}", settings.region.name),
            false => format!("the settings have no region {name:?}, but {}", names.join(", ")),
        }
    })?;
    (settings.region.name, settings.region.number) = (name.to_owned(), number);
    Ok(settings)
}
