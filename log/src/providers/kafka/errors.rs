//! What Kafka's errors mean to the log's callers.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::types::RDKafkaConfRes;

use crate::error::LogError;

/// The error of a request.
pub(super) fn log_error(error: &KafkaError) -> LogError {
    match error {
        // librdkafka's own words have the value, which may be a secret.
        KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, _, name, _) => {
            LogError::Failed(format!("librdkafka has no setting {name}"))
        }
        KafkaError::ClientConfig(_, _, name, _) => {
            LogError::Failed(format!("the value of librdkafka's setting {name} is not one it can have"))
        }
        KafkaError::ClientCreation(why) => LogError::Failed(why.clone()),
        KafkaError::AdminOp(code) => code_error(*code),
        KafkaError::Nul(_) => LogError::Failed("a text has a zero octet".to_owned()),
        error => match error.rdkafka_error_code() {
            Some(code) => code_error(code),
            None => LogError::Unavailable(error.to_string()),
        },
    }
}

/// The error of a code.
pub(super) fn code_error(code: Code) -> LogError {
    let text = code.to_string();
    match code {
        Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication
        | Code::UnsupportedSASLMechanism
        | Code::UnsupportedVersion
        | Code::UnsupportedFeature
        | Code::InvalidConfig
        | Code::InvalidArgument
        | Code::InvalidReplicationFactor
        | Code::InvalidTopic
        | Code::PolicyViolation
        | Code::SecurityDisabled => LogError::Failed(text),
        _ => LogError::Unavailable(text),
    }
}

/// Whether a code says that a topic or one of its partitions is not there.
pub(super) fn is_gone(code: Code) -> bool {
    matches!(code, Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicOrPartition | Code::UnknownTopicId)
}
