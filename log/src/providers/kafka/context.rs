//! What librdkafka says of itself goes to the process's own log.

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

/// The callbacks of a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    /// Which client it is, for the log's reader.
    pub(super) client: &'static str,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let client = self.client;
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                // Connections come and go; what it means for appends and readers is said where it is known.
                tracing::warn!(client, facility, "{message}");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::debug!(client, facility, "{message}");
            }
            RDKafkaLogLevel::Debug => tracing::trace!(client, facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(client = self.client, %error, "{reason}");
    }

    fn stats_raw(&self, _: &[u8]) {}
}

impl ConsumerContext for Context {}
