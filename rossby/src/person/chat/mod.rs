//! `rossby chat`: conversations on the whole screen of a terminal.
//!
//! `state` is a machine without input and output, `view` draws what it holds, and `runner` joins both with the terminal, the
//! client and the clock.

mod editor;
mod names;
#[cfg(test)]
mod reference_test;
mod runner;
mod state;
mod text;
mod view;

use std::io::{IsTerminal as _, stdin, stdout};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::options::PersonOptions;

/// Chat.
#[derive(Debug, Args)]
pub(crate) struct Chat {
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Chat {
    pub(super) async fn run(&self) -> anyhow::Result<ExitCode> {
        if self.options.json {
            bail!(
                "the chat is for people and prints no JSON; each thing that it does is a command of its own, see `rossby --help`"
            );
        }
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        if !stdin().is_terminal() || !stdout().is_terminal() || is_dumb {
            bail!(
                "the chat needs a terminal with a screen; without one use `rossby conversations`, `rossby messages`, \
                 `rossby send` and `rossby inbox --follow`"
            );
        }
        // One that has no account yet can become a device of one.
        let client = self.options.open_or_create().await?;
        runner::run(client).await?;
        Ok(ExitCode::SUCCESS)
    }
}
