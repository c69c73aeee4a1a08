//! `rossby topics`: makes the log's topics as they must be, in every region, and tells where they are not.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use rossby_log::topics::{TopicReport, TopicSpec, TopicState};
use rossby_schemas::time::SystemClock;
use serde_json::{Value, json};

use crate::config::{self, LogProvider, Overrides, Settings};
use crate::serve::storage;

/// What to do with the topics.
#[derive(Debug, Subcommand)]
pub(crate) enum TopicsCommand {
    /// Make the topics that are missing in any region, and give those that are there the settings that they must have
    Apply(Asked),
    /// Report topics of any region that are missing or not as they must be; exits with 1 if there are any
    Check(Asked),
}

/// Of which regions, and how it is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    overrides: Overrides,
    /// Only this region's topics; all regions' if none is named
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found in a region: its topics, or why it can't be asked.
type Found = (String, Result<Vec<TopicReport>, String>);

pub(crate) async fn run(command: &TopicsCommand) -> anyhow::Result<ExitCode> {
    let (asked, applies) = match command {
        TopicsCommand::Apply(asked) => (asked, true),
        TopicsCommand::Check(asked) => (asked, false),
    };
    let settings = config::load(&asked.overrides)?;
    let mut found: Vec<Found> = Vec::new();
    for region in settings.regions_named(asked.region.as_deref())? {
        let reports = look(&settings, &region, applies).await.map_err(|error| format!("{error:#}"));
        found.push((region, reports));
    }
    let text = if asked.json {
        format!("{}\n", json!({ "regions": found.iter().map(|found| document(found, applies)).collect::<Vec<_>>() }))
    } else {
        found.iter().map(|region| lines(region, found.len() > 1, applies)).collect()
    };
    crate::print(&text)?;
    let is_right = |reports: &Vec<TopicReport>| reports.iter().all(|report| is_right(&report.state, applies));
    let are_right = found.iter().all(|(_, reports)| reports.as_ref().is_ok_and(is_right));
    Ok(if are_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn look(settings: &Settings, region: &str, applies: bool) -> anyhow::Result<Vec<TopicReport>> {
    let wanted = storage::topics_in(settings, region);
    let is_new = settings.log.provider == LogProvider::Sqlite && !settings.server.data_dir.join("log").exists();
    if is_new && !applies {
        // To look makes nothing.
        let missing = |wanted: TopicSpec| TopicReport { name: wanted.name, state: TopicState::Missing };
        return Ok(wanted.into_iter().map(missing).collect());
    }
    let log = storage::open_log_of(settings, region, Arc::new(SystemClock)).await?;
    let reports = if applies { log.admin.ensure_topics(&wanted).await } else { log.admin.check_topics(&wanted).await };
    log.close().await;
    Ok(reports?)
}

/// A region's lines, under its name if there are several.
fn lines((region, reports): &Found, is_named: bool, applies: bool) -> String {
    let indent = if is_named { "  " } else { "" };
    let mut text = if is_named { format!("{region}\n") } else { String::new() };
    match reports {
        Ok(reports) => {
            for report in reports {
                let (name, state, done) = (report.name.to_string(), state(report), done(report, applies));
                text += &format!("{indent}{name:<24} {state}{done}\n");
            }
        }
        Err(error) => text += &format!("{indent}can't be asked: {error}\n"),
    }
    text
}

fn document((region, reports): &Found, applies: bool) -> Value {
    let topic = |report: &TopicReport| {
        let mut topic = json!({ "topic": report.name.to_string(), "changed": !done(report, applies).is_empty() });
        match &report.state {
            TopicState::Right => topic["state"] = json!("right"),
            TopicState::Missing => topic["state"] = json!("missing"),
            TopicState::SettingsDiffer(drifts) => {
                topic["state"] = json!("settings-differ");
                let drift = |(name, drift): (&String, &rossby_log::topics::SettingDrift)| json!({ "setting": name, "was": drift.was, "should_be": drift.should_be });
                topic["settings"] = drifts.iter().map(drift).collect();
            }
            TopicState::PartitionsDiffer { has, should_have } => {
                topic["state"] = json!("partitions-differ");
                topic["partitions"] = json!({ "has": has, "should_have": should_have });
            }
        }
        topic
    };
    match reports {
        Ok(reports) => json!({ "region": region, "topics": reports.iter().map(topic).collect::<Vec<_>>() }),
        Err(error) => json!({ "region": region, "error": error }),
    }
}

/// Whether there is nothing left to do about a topic.
fn is_right(state: &TopicState, applies: bool) -> bool {
    match state {
        TopicState::Right => true,
        TopicState::Missing | TopicState::SettingsDiffer(_) => applies,
        TopicState::PartitionsDiffer { .. } => false,
    }
}

fn state(report: &TopicReport) -> String {
    match &report.state {
        TopicState::Right => "as it must be".to_owned(),
        TopicState::Missing => "missing".to_owned(),
        TopicState::SettingsDiffer(drifts) => drifts
            .iter()
            .map(|(name, drift)| {
                format!("{name} was {}, must be {}", drift.was.as_deref().unwrap_or("not set"), drift.should_be)
            })
            .collect::<Vec<_>>()
            .join("; "),
        TopicState::PartitionsDiffer { has, should_have } => {
            format!("has {has} partitions, must have {should_have}: never changed here, since keys would move")
        }
    }
}

/// What was done about it.
fn done(report: &TopicReport, applies: bool) -> &'static str {
    match &report.state {
        TopicState::Missing if applies => " - made",
        TopicState::SettingsDiffer(_) if applies => " - changed",
        _ => "",
    }
}
