//! What happened to the account: history.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;
use rossby_client::{AccountEvent, AccountHistory, HistoryAction, NamedBox, NamedDevice};
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::time::Timestamp;
use serde_json::json;

use super::documents;
use super::options::PersonOptions;
use super::screen::{Screen, address, bold, counted, faint, minute, printable};

/// History.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Show what happened from this time on, such as 2026-11-25 or 2026-11-25T10:00:00Z; all of it is checked
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Show the last so many; all of it is checked
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

fn time(text: &str) -> anyhow::Result<Timestamp> {
    let midnight = || format!("{text}T00:00:00Z").parse();
    text.parse().or_else(|_| midnight()).map_err(|_| anyhow!("is no time such as 2026-11-25 or 2026-11-25T10:00:00Z"))
}

impl History {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let history = client.account_history().await?;
        let shown = self.shown(&history);
        let mut text: String = shown.iter().map(|event| line(event)).collect();
        let left = history.events.len() - shown.len();
        if left > 0 {
            text = faint(&format!("{} not shown", counted(left, "entry").replace("entrys", "entries"))) + "\n" + &text;
        }
        for fault in &history.faults {
            text += &format!("{} {}\n", bold("NOT AS IT MUST BE:"), printable(&fault.to_string()));
        }
        let document = json!({
            "events": shown.iter().map(|event| documents::account_event(event)).collect::<Vec<_>>(),
            "faults": history.faults.iter().map(documents::history_fault).collect::<Vec<_>>(),
        });
        screen.result_and_warnings(&client, text, document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }

    fn shown<'a>(&self, history: &'a AccountHistory) -> Vec<&'a AccountEvent> {
        let from = |event: &&AccountEvent| self.since.is_none_or(|since| event.at >= since);
        let mut shown: Vec<&AccountEvent> = history.events.iter().filter(from).collect();
        let limit = self.limit.unwrap_or(usize::MAX);
        shown.drain(..shown.len().saturating_sub(limit));
        shown
    }
}

fn device(device: &NamedDevice) -> String {
    match &device.name {
        Some(name) => format!("{:?}", printable(name)),
        None => device.device_id.to_string(),
    }
}

fn person(person: Option<&NamedBox>) -> String {
    match person {
        Some(NamedBox { identifier: Some(identifier), .. }) => printable(address(identifier)),
        Some(NamedBox { box_id, identifier: None }) => format!("box {box_id}"),
        None => "somebody whom this device does not know".to_owned(),
    }
}

const fn audience(audience: Audience) -> &'static str {
    match audience {
        Audience::Everyone => "everyone",
        Audience::Contacts => "contacts",
        Audience::Nobody => "nobody",
    }
}

/// An event as a person reads it.
fn line(event: &AccountEvent) -> String {
    let known = |identifier: &str| printable(address(identifier));
    let what = match &event.action {
        HistoryAction::Founded(first) => format!("account made, with device {}", device(first)),
        HistoryAction::DeviceLinked(linked) => format!("device {} linked", device(linked)),
        HistoryAction::DeviceRemoved(removed) => format!("device {} removed", device(removed)),
        HistoryAction::SealingKeyStated(of, counter) => {
            format!("new sealing key of device {}, number {counter}", device(of))
        }
        HistoryAction::TokenRevoked(of) => format!("token of device {} revoked", device(of)),
        HistoryAction::Closing => "account deleted".to_owned(),
        HistoryAction::DiscoverableSet(by) => format!("may be found by {}", audience(*by)),
        HistoryAction::AcceptFromSet(from) => format!("accepts messages from {}", audience(*from)),
        HistoryAction::Blocked(whom) => format!("{} blocked", person(whom.as_ref())),
        HistoryAction::Unblocked(whom) => format!("block of {} taken away", person(whom.as_ref())),
        HistoryAction::ContactAdded(whom) => format!("{} made a contact", person(whom.as_ref())),
        HistoryAction::ContactRemoved(whom) => format!("{} taken off the contacts", person(whom.as_ref())),
        HistoryAction::ProfileSet => "profile changed".to_owned(),
        HistoryAction::ProfileErased => "profile taken away".to_owned(),
        HistoryAction::IdentifierAdded(identifier) => format!("{} added", known(identifier)),
        HistoryAction::IdentifierRemoved(identifier) => format!("{} taken away", known(identifier)),
        HistoryAction::IdentifierTaken(identifier) => format!("{} became another account's", known(identifier)),
        HistoryAction::IdentifierClaimed { identifier, for_this: true } => {
            format!("{} claimed for this account", known(identifier))
        }
        HistoryAction::IdentifierClaimed { identifier, for_this: false } => {
            format!("{} claimed for another account", known(identifier))
        }
        HistoryAction::ClaimObjected(identifier) => format!("objected to the claim of {}", known(identifier)),
        HistoryAction::Unknown(event_type) => format!("event of type {}", printable(event_type)),
    };
    // Of a device that does something to itself it is said already.
    let acts_alone = matches!(event.action, HistoryAction::Founded(_) | HistoryAction::SealingKeyStated(..));
    let by = match &event.by {
        Some(_) if acts_alone => String::new(),
        Some(by) => format!(" by {}", device(by)),
        None if event.is_signed => " by the recovery key".to_owned(),
        None => faint("  (the server says so)"),
    };
    let mut line = format!("{}  {what}{by}", minute(event.at));
    if event.is_new {
        line += &bold("  new");
    }
    for fault in &event.faults {
        line += &format!("\n    {} {}", bold("NOT AS IT MUST BE:"), printable(&fault.to_string()));
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_time() {
        assert_eq!(time("2026-11-25").unwrap(), "2026-11-25T00:00:00Z".parse().unwrap());
        assert_eq!(time("2026-11-25T10:00:00Z").unwrap(), "2026-11-25T10:00:00Z".parse().unwrap());
        for bad in ["", "yesterday", "2026-13-01", "2026-11-25T"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
