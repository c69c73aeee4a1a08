//! Send signals: to one or many boxes, each standing by itself. What is checked of a message is checked of a signal, in the
//! same order: permission, the head and the devices. It is in no table, and whoever isn't connected never hears of it.

use rossby_crypto::message::MessageValue;
use rossby_log::AppendError;
use rossby_schemas::events::Event;
use rossby_schemas::events::signals::SignalSentV1;
use rossby_schemas::http::messages::OutgoingMessage;
use rossby_schemas::http::signals::{
    MAX_SIGNAL_CIPHERTEXT_OCTETS, MAX_SIGNALS, SignalOutcome, SignalRequest, SignalResponse, SignalResult,
};
use rossby_schemas::topic::Topic;
use tokio::time::Instant;

use crate::error::{CommandError, Refusal};
use crate::send_message::{all, check_messages, event_id};
use crate::service::Service;
use crate::standing::{Standing, Told, standing};
use crate::token::Caller;

impl Service {
    /// Sends signals. The answer does not say whether anybody is connected.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a request that is malformed, [`Refusal::TooLarge`] for a signal that is too long. Nothing was
    /// sent then.
    pub async fn send_signals(&self, caller: Caller, request: &SignalRequest) -> Result<SignalResponse, CommandError> {
        let begun = Instant::now();
        let skew = self.config.limits.clock_skew;
        let values = check_messages("signals", &request.signals, MAX_SIGNALS, self.now(), skew)?;
        for (index, value) in values.iter().enumerate() {
            if value.content.as_slice().len() > MAX_SIGNAL_CIPHERTEXT_OCTETS {
                let field = format!("/signals/{index}/value");
                return Err(Refusal::TooLarge { field, limit: MAX_SIGNAL_CIPHERTEXT_OCTETS }.into());
            }
        }
        let told = Told::default();
        let sending = request.signals.iter().cloned().zip(values).map(|(signal, value)| {
            let (service, told) = (self.clone(), told.clone());
            async move {
                service.signal_one(caller, &signal, &value, &told).await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "a signal could not be accepted");
                    SignalOutcome::Unavailable
                })
            }
        });
        let outcomes = all(sending).await;
        let results = request.signals.iter().zip(outcomes).map(|(signal, outcome)| SignalResult {
            recipient: signal.recipient,
            outer_id: signal.outer_id,
            outcome: outcome.unwrap_or(SignalOutcome::OutcomeUnknown),
        });
        let mut results: Vec<SignalResult> = results.collect();
        for result in &mut results {
            if let SignalOutcome::Stale { statements, sealing_statements, .. } = &mut result.outcome
                && let Some(stale) = told.tell(result.recipient)
            {
                (*statements, *sealing_statements) = (stale.statements, stale.sealing_statements);
            }
        }
        if results.iter().any(|result| result.outcome == SignalOutcome::NoSuchRecipient) {
            self.until_refusal(begun).await;
        }
        Ok(SignalResponse { results })
    }

    async fn signal_one(
        &self,
        caller: Caller,
        signal: &OutgoingMessage,
        value: &MessageValue,
        told: &Told,
    ) -> Result<SignalOutcome, CommandError> {
        // First, and for all the same: who is not let in learns nothing more.
        if !self.relation(caller, signal.recipient).await?.may_write() {
            return Ok(SignalOutcome::NoSuchRecipient);
        }
        // A record that is on its way is not waited for: the signal would be of no use by then.
        let Some(known) = self.key_record(signal.recipient).await? else {
            return Ok(SignalOutcome::NoSuchRecipient);
        };
        match standing(value, &known, caller, self.now()) {
            Standing::Current => {}
            Standing::Stale(stale) => {
                let head = told.keep(signal.recipient, stale);
                return Ok(SignalOutcome::Stale { head, statements: Vec::new(), sealing_statements: Vec::new() });
            }
            Standing::Ahead => return Ok(SignalOutcome::Unavailable),
            Standing::None => return Ok(SignalOutcome::NoSuchRecipient),
        }
        let event = Event::SignalSentV1(SignalSentV1 {
            box_id: signal.recipient,
            outer_id: signal.outer_id,
            value: signal.value.clone(),
        });
        let id = event_id(Topic::Signals, signal);
        match self.appender.signal(signal.recipient, id, self.now(), &event).await {
            Ok(_) => Ok(SignalOutcome::Accepted),
            Err(AppendError::Unknown(_)) => Ok(SignalOutcome::OutcomeUnknown),
            Err(AppendError::Refused(error)) => Err(CommandError::Unavailable(error.to_string())),
            Err(error @ AppendError::TooLarge { .. }) => Err(CommandError::Internal(error.to_string())),
        }
    }
}
