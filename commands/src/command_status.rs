//! What became of a command: settles outcomes that could not be told.

use rossby_projections::EventStatus;
use rossby_schemas::http::command::{CommandState, CommandStatus};
use rossby_schemas::ids::{CommandId, EventId};

use crate::error::CommandError;
use crate::executor::responsible;
use crate::service::Service;
use crate::status_token::StatusToken;

impl Service {
    /// What became of a command. The random id is the capability; a token names where the command stands, so that a process
    /// that has never heard of it can tell too.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCommand`] when nothing is known of it.
    pub async fn command_status(
        &self,
        id: CommandId,
        token: Option<&StatusToken>,
    ) -> Result<CommandStatus, CommandError> {
        let status = |state, version| Ok(CommandStatus { command_id: id, state, version });
        let place = token.and_then(|token| self.tokens.read(id, token)).or_else(|| self.executor.unsettled(id));
        if let Some(place) = place {
            // The version first: whoever took one that has passed is among the events that are read after it.
            let projection = responsible(place.topic)[0];
            let version = self.models.stream_version(projection, place.topic, &place.stream).await?;
            let events = self.models.command(id).await?;
            let mine = EventId::derive(place.topic, &place.stream, id, place.step);
            let admitted = events.iter().find(|event| event.event_id == mine && event.status == EventStatus::Admitted);
            return match admitted {
                Some(event) => status(CommandState::Done, Some(event.expected_version + 1)),
                None if version > place.expected_version => status(CommandState::Conflict, None),
                None => status(CommandState::Pending, None),
            };
        }
        let events = self.models.command(id).await?;
        // Later steps come last; what the last of them came to is the command's outcome.
        let Some(last) = events.iter().map(|event| event.step).max() else {
            return Err(CommandError::NoSuchCommand);
        };
        match events.iter().find(|event| event.step == last && event.status == EventStatus::Admitted) {
            Some(event) => status(CommandState::Done, Some(event.expected_version + 1)),
            None => status(CommandState::Conflict, None),
        }
    }
}
