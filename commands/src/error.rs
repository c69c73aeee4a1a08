//! What can become of a command that was not done, and the one place where it turns into a problem document.

use std::fmt;

use rossby_schemas::http::problem::{FieldError, Problem, ProblemType};
use rossby_schemas::ids::{CommandId, IdentifierHash};

use crate::status_token::StatusToken;

/// Why a rule refuses a command. The decisions of all verbs answer with it; nothing was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A field is not as it must be: a JSON Pointer, and why.
    Invalid {
        /// Where it stands in the request.
        field: String,
        /// Why it is refused.
        reason: String,
    },
    /// A statement, proof or signed command does not verify, or does not fit the record.
    Statement {
        /// Where it stands in the request.
        field: String,
        /// Why it is refused.
        reason: String,
    },
    /// A field holds more than is taken.
    TooLarge {
        /// Where it stands in the request.
        field: String,
        /// How many octets are taken.
        limit: usize,
    },
    /// The code is wrong.
    WrongCode {
        /// How many guesses it has left.
        guesses_left: u32,
    },
    /// The code's time is over, or its guesses are used up.
    CodeSpent,
    /// The identifier's codes or guesses of the day are used up.
    CodesExhausted {
        /// Seconds until the next day.
        retry_after: u64,
    },
    /// There is no such registration, or its day is over.
    NoSuchRegistration,
    /// No such user, or not for this one.
    NoSuchRecipient,
    /// The identifier belongs to another box.
    IdentifierTaken,
    /// The same, to a device that has shown the code: with what it needs to sign a claim.
    ShownIdentifierTaken {
        /// The identifier.
        identifier_hash: IdentifierHash,
        /// The version of its stream.
        version: u64,
    },
    /// An id was used before, with another body.
    IdReused {
        /// Where the id stands in the request.
        field: String,
    },
    /// The command was made for a version that the stream no longer has.
    VersionConflict {
        /// The version that it has.
        current: u64,
    },
    /// No such blob: unknown, not complete, expired or deleted.
    NoSuchBlob,
    /// Chunks of the blob are missing.
    BlobIncomplete {
        /// The first that is missing.
        next_chunk: u32,
    },
    /// The box has uploaded as much as it may in a day.
    UploadsExhausted {
        /// Seconds until the next day.
        retry_after: u64,
    },
    /// The device that asks is no longer in its box's key record.
    NotADevice,
    /// There is no such claim, or it has ended.
    NoSuchClaim,
    /// The identifier belongs to nobody else.
    IdentifierNotTaken,
    /// A claim of the identifier was objected to not long ago.
    ClaimTooSoon {
        /// Seconds until the next can be made.
        retry_after: u64,
    },
    /// The recovery key has objected as often in a row as it may.
    CodeNeeded,
    /// The box has as many identifiers as it may.
    TooManyIdentifiers {
        /// How many it may have.
        limit: usize,
    },
    /// The identifier is the box's last one.
    LastIdentifier,
    /// The box has as many devices as it may.
    TooManyDevices {
        /// How many it may have.
        limit: usize,
    },
    /// The box has sent as many messages as it may in a minute.
    TooManyMessages {
        /// Seconds until the next can be.
        retry_after: u64,
    },
    /// As many devices were linked to the box as may be in a day.
    TooManyLinks {
        /// Seconds until the next can be.
        retry_after: u64,
    },
}

impl Refusal {
    pub(crate) fn invalid(field: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::Invalid { field: field.into(), reason: reason.to_string() }
    }

    pub(crate) fn statement(field: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::Statement { field: field.into(), reason: reason.to_string() }
    }
}

/// Why a command was not done, or can't be said to have been.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A rule refuses it. Nothing was changed.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// Nothing is known of the command.
    #[error("nothing is known of the command")]
    NoSuchCommand,
    /// A part of the service can't be reached. Nothing was changed. The text is for the server's own log.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// There is no room left. Nothing was changed. The text is for the server's own log.
    #[error("no room left: {0}")]
    StorageFull(String),
    /// Whether it took effect is not known yet.
    #[error("the outcome is not known: {reason}")]
    OutcomeUnknown {
        /// The command and the token that settles its outcome; none for facts of the inbox, which are simply repeated.
        status: Option<(CommandId, StatusToken)>,
        /// Why, for the server's own log.
        reason: String,
    },
    /// A defect. The text is for the server's own log.
    #[error("defect: {0}")]
    Internal(String),
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<rossby_projections::StoreError> for CommandError {
    /// What is loaded before an append: nothing was changed yet.
    fn from(error: rossby_projections::StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl CommandError {
    /// The problem document that tells the client. Holds nothing of what is meant for the server's own log.
    #[must_use]
    pub fn problem(&self) -> Problem {
        match self {
            Self::Refused(refusal) => refusal.problem(),
            Self::NoSuchCommand => Problem::new(ProblemType::NoSuchCommand),
            Self::Unavailable(_) => Problem::new(ProblemType::Unavailable),
            Self::StorageFull(_) => Problem::new(ProblemType::StorageFull),
            Self::OutcomeUnknown { status, reason: _ } => Problem {
                detail: Some(match status {
                    Some(_) => "Ask at status_path, or send the same command again.".to_owned(),
                    None => "Send the same request again.".to_owned(),
                }),
                status_path: status.as_ref().map(|(command, token)| format!("/v1/commands/{command}?token={token}")),
                ..Problem::new(ProblemType::OutcomeUnknown)
            },
            Self::Internal(_) => Problem::new(ProblemType::Internal),
        }
    }
}

impl Refusal {
    /// The problem document that tells the client.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let field_error = |kind, field: &str, reason: String| Problem {
            errors: vec![FieldError { field: field.to_owned(), reason }],
            ..Problem::new(kind)
        };
        match self {
            Self::Invalid { field, reason } => field_error(ProblemType::InvalidRequest, field, reason.clone()),
            Self::Statement { field, reason } => field_error(ProblemType::InvalidStatement, field, reason.clone()),
            Self::TooLarge { field, limit } => {
                let limit = u64::try_from(*limit).unwrap_or(u64::MAX);
                let problem = field_error(ProblemType::TooLarge, field, format!("has more than {limit} octets"));
                Problem { limit: Some(limit), ..problem }
            }
            Self::WrongCode { guesses_left } => {
                Problem { guesses_left: Some(*guesses_left), ..Problem::new(ProblemType::WrongCode) }
            }
            Self::CodeSpent => Problem {
                detail: Some("The code's time is over, or its guesses are used up: ask for another one.".to_owned()),
                ..Problem::new(ProblemType::CodeSpent)
            },
            Self::CodesExhausted { retry_after } => Problem {
                detail: Some("No more codes are sent to the identifier today (UTC).".to_owned()),
                retry_after: Some(*retry_after),
                ..Problem::new(ProblemType::CodesExhausted)
            },
            Self::NoSuchRegistration => Problem {
                detail: Some("The registration is unknown, or its day (UTC) is over: register again.".to_owned()),
                ..Problem::new(ProblemType::NoSuchRegistration)
            },
            // No detail at all: unknown, undiscoverable and blocked are one answer.
            Self::NoSuchRecipient => Problem::new(ProblemType::NoSuchRecipient),
            Self::IdentifierTaken => Problem {
                detail: Some(
                    "Someone has an account with the identifier; if that is you, go on with the device that has it, or claim it."
                        .to_owned(),
                ),
                ..Problem::new(ProblemType::IdentifierTaken)
            },
            Self::ShownIdentifierTaken { identifier_hash, version } => Problem {
                identifier_hash: Some(*identifier_hash),
                current_version: Some(*version),
                ..Self::IdentifierTaken.problem()
            },
            Self::IdReused { field } => {
                field_error(ProblemType::IdReused, field, "was used before, with another body".to_owned())
            }
            Self::VersionConflict { current } => Problem {
                detail: Some("Load the current state, and sign anew on its version.".to_owned()),
                current_version: Some(*current),
                ..Problem::new(ProblemType::VersionConflict)
            },
            Self::NoSuchClaim => Problem {
                detail: Some("It is unknown, of another device, or has ended.".to_owned()),
                ..Problem::new(ProblemType::NoSuchClaim)
            },
            Self::IdentifierNotTaken => Problem {
                detail: Some("There is nothing to claim: authorize, or add it.".to_owned()),
                ..Problem::new(ProblemType::IdentifierNotTaken)
            },
            Self::ClaimTooSoon { retry_after } => Problem {
                detail: Some("The account that has it has objected to a claim not long ago.".to_owned()),
                retry_after: Some(*retry_after),
                ..Problem::new(ProblemType::ClaimTooSoon)
            },
            Self::CodeNeeded => Problem {
                detail: Some(
                    "The recovery key has objected as often in a row as it may: show that the identifier is yours by a code."
                        .to_owned(),
                ),
                ..Problem::new(ProblemType::CodeNeeded)
            },
            Self::TooManyIdentifiers { limit } => Problem {
                detail: Some(format!("A box has at most {limit} identifiers: remove one first.")),
                ..Problem::new(ProblemType::TooManyIdentifiers)
            },
            Self::LastIdentifier => Problem {
                detail: Some(
                    "Without an identifier nobody could find the box, nor its person recover it: add another one first. \
                     Deleting the account is another command."
                        .to_owned(),
                ),
                ..Problem::new(ProblemType::LastIdentifier)
            },
            Self::TooManyDevices { limit } => Problem {
                detail: Some(format!("A box has at most {limit} devices: remove one first.")),
                ..Problem::new(ProblemType::TooManyDevices)
            },
            Self::TooManyMessages { retry_after } => Problem {
                detail: Some("The account has sent as many messages as it may in a minute; none of these was sent.".to_owned()),
                retry_after: Some(*retry_after),
                ..Problem::new(ProblemType::RateLimited)
            },
            Self::TooManyLinks { retry_after } => Problem {
                detail: Some("As many devices were linked to the box as may be within 24 hours.".to_owned()),
                retry_after: Some(*retry_after),
                ..Problem::new(ProblemType::RateLimited)
            },
            // No detail at all: unknown, not complete, expired and deleted are one answer.
            Self::NoSuchBlob => Problem::new(ProblemType::NoSuchBlob),
            Self::BlobIncomplete { next_chunk } => {
                Problem { next_chunk: Some(*next_chunk), ..Problem::new(ProblemType::BlobIncomplete) }
            }
            Self::UploadsExhausted { retry_after } => Problem {
                detail: Some("The box has uploaded as much as it may today (UTC)".to_owned()),
                retry_after: Some(*retry_after),
                ..Problem::new(ProblemType::UploadsExhausted)
            },
            Self::NotADevice => Problem {
                detail: Some("The device is no longer in the box's key record.".to_owned()),
                ..Problem::new(ProblemType::Unauthenticated)
            },
        }
    }
}
