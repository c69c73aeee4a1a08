//! `rossby topics`: makes the log's topics as they must be, and tells where they are not.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use rossby_log::topics::{TopicReport, TopicSpec, TopicState};
use rossby_schemas::time::SystemClock;

use crate::config::{self, LogProvider, Overrides};
use crate::serve::storage;

/// What to do with the topics.
#[derive(Debug, Subcommand)]
pub(crate) enum TopicsCommand {
    /// Make the topics that are missing, and give those that are there the settings that they must have
    Apply {
        #[command(flatten)]
        overrides: Overrides,
    },
    /// Report topics that are missing or not as they must be; exits with 1 if there are any
    Check {
        #[command(flatten)]
        overrides: Overrides,
    },
}

pub(crate) async fn run(command: &TopicsCommand) -> anyhow::Result<ExitCode> {
    let (overrides, applies) = match command {
        TopicsCommand::Apply { overrides } => (overrides, true),
        TopicsCommand::Check { overrides } => (overrides, false),
    };
    let settings = config::load(overrides)?;
    let wanted = storage::topics(&settings);
    let is_new = settings.log.provider == LogProvider::Sqlite && !settings.server.data_dir.join("log").exists();
    let reports = if is_new && !applies {
        // To look makes nothing.
        let missing = |wanted: TopicSpec| TopicReport { name: wanted.name, state: TopicState::Missing };
        wanted.into_iter().map(missing).collect()
    } else {
        let log = storage::open_log(&settings, Arc::new(SystemClock)).await?;
        let reports =
            if applies { log.admin.ensure_topics(&wanted).await? } else { log.admin.check_topics(&wanted).await? };
        log.close().await;
        reports
    };
    let line =
        |report: &TopicReport| format!("{:<24} {}{}\n", report.name.to_string(), state(report), done(report, applies));
    crate::print(&reports.iter().map(line).collect::<String>())?;
    let is_right = reports.iter().all(|report| is_right(&report.state, applies));
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
