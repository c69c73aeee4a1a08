//! What became of a command.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::CommandId;

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandStatus {
    /// The command.
    pub command_id: CommandId,
    /// What became of it.
    pub state: CommandState,
    /// The stream's version after it, once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CommandState {
    /// Its stream has not passed the version that it expects: it may still take effect.
    Pending,
    /// It took effect.
    Done,
    /// Another command took its version: it had no effect, and never will have.
    Conflict,
}
