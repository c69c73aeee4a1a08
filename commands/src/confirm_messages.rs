//! Confirm messages: the device pointer moves. An event too, so that it counts in every region.

use std::collections::BTreeMap;

use rossby_crypto::keyed_hash::MessageHandle;
use rossby_log::AppendError;
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::events::Event;
use rossby_schemas::events::inbox::{AcknowledgedMessage, MessagesAcknowledgedV1};
use rossby_schemas::http::messages::{ConfirmRequest, ConfirmResponse, MAX_CONFIRMED};
use rossby_schemas::ids::{EventId, OuterId};
use uuid::Uuid;

use crate::error::{CommandError, Refusal};
use crate::position::Position;
use crate::service::Service;
use crate::token::Caller;

impl Service {
    /// Confirms messages by the handles that fetch gave for them. Confirming twice is harmless.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a handle that this device was not given: nothing is confirmed then.
    pub async fn confirm_messages(
        &self,
        caller: Caller,
        request: &ConfirmRequest,
    ) -> Result<ConfirmResponse, CommandError> {
        let (messages, position) = self.acknowledge(caller, request).await?;
        Ok(ConfirmResponse { confirmed: messages.len(), position: position.token() })
    }

    /// Confirms messages. Gives which, and where the confirmation stands.
    pub(crate) async fn acknowledge(
        &self,
        caller: Caller,
        request: &ConfirmRequest,
    ) -> Result<(Vec<(OuterId, Sha256Digest)>, Position), CommandError> {
        if request.handles.is_empty() || request.handles.len() > MAX_CONFIRMED {
            let reason = format!("must have between 1 and {MAX_CONFIRMED} handles");
            return Err(Refusal::invalid("/handles", reason).into());
        }
        let mut messages = BTreeMap::new();
        for (index, handle) in request.handles.iter().enumerate() {
            let message = MessageHandle::take(&self.secrets, caller.box_id, caller.device_id, handle)
                .map_err(|error| Refusal::invalid(format!("/handles/{index}"), error))?;
            let acknowledged = AcknowledgedMessage {
                outer_id: message.outer_id,
                content_hash: message.content_hash,
                expires_at: message.expires_at,
            };
            messages.insert((message.outer_id, message.content_hash), acknowledged);
        }
        let confirmed = messages.keys().copied().collect();
        let event = Event::MessagesAcknowledgedV1(MessagesAcknowledgedV1 {
            box_id: caller.box_id,
            device_id: caller.device_id,
            messages: messages.into_values().collect(),
        });
        // A fact without a version: its id says nothing, and repeating it adds nothing.
        let id = EventId(Uuid::new_v4());
        match self.appender.fact(&caller.box_id.to_string(), id, self.now(), &event).await {
            Ok(position) => Ok((confirmed, position)),
            Err(AppendError::Refused(error)) => Err(CommandError::Unavailable(error.to_string())),
            Err(AppendError::TooLarge { limit, .. }) => {
                Err(Refusal::TooLarge { field: "/handles".to_owned(), limit }.into())
            }
            Err(AppendError::Unknown(reason)) => Err(CommandError::OutcomeUnknown { status: None, reason }),
        }
    }
}
