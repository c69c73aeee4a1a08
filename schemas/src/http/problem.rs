//! Problem documents (RFC 9457): what every error of the API looks like.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::encoding::Octets;
use crate::ids::IdentifierHash;

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

const URN: &str = "urn:rossby:problem:";

macro_rules! problems {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $title:literal;)*) => {
        /// Every kind of problem. The name in its `type` is stable; titles and details may change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemType {
            $($(#[$doc])* $variant,)*
        }

        impl ProblemType {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The kind's stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The HTTP status that it comes with.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)*
                }
            }

            /// What it is, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)*
                }
            }
        }
    };
}

problems! {
    /// The body is no JSON, or a field is missing, unknown, or of the wrong type or form.
    InvalidRequest = "invalid-request", 400, "The request is not valid";
    /// A statement, proof or signed command does not verify, or does not fit the record.
    InvalidStatement = "invalid-statement", 422, "A signed statement is not valid";
    /// The request carries no valid Hawk authentication.
    Unauthenticated = "unauthenticated", 401, "The request is not authenticated";
    /// The request's time is too far from the server's; the answer carries the server's time, authenticated.
    StaleTimestamp = "stale-timestamp", 401, "The request's time is too far from the server's";
    /// The code is wrong. `guesses_left` says how many guesses it has left.
    WrongCode = "wrong-code", 403, "The code is wrong";
    /// The code is no longer good: its time is over or its guesses are used up. Ask for another.
    CodeSpent = "code-spent", 403, "The code is no longer good";
    /// No such user, or not to be found or reached by this one: the same answer for all.
    NoSuchRecipient = "no-such-recipient", 404, "There is no such user";
    /// There is no such registration, or it has expired.
    NoSuchRegistration = "no-such-registration", 404, "There is no such registration";
    /// Nothing is known of the command.
    NoSuchCommand = "no-such-command", 404, "Nothing is known of the command";
    /// There is no such blob: it is unknown, not complete, expired or deleted. The same answer for all.
    NoSuchBlob = "no-such-blob", 404, "There is no such blob";
    /// There is no such path.
    NoSuchResource = "no-such-resource", 404, "There is nothing at this path";
    /// The path does not take this method.
    MethodNotAllowed = "method-not-allowed", 405, "The path does not take this method";
    /// The identifier belongs to a box already: link a device instead.
    IdentifierTaken = "identifier-taken", 409, "The identifier belongs to a box already";
    /// The box has as many devices as it may: remove one first.
    TooManyDevices = "too-many-devices", 409, "The box has as many devices as it may";
    /// The box has as many identifiers as it may: remove one first.
    TooManyIdentifiers = "too-many-identifiers", 409, "The box has as many identifiers as it may";
    /// The identifier is the box's last: without one nobody could find or recover the box.
    LastIdentifier = "last-identifier", 409, "The box's last identifier can't be removed";
    /// There is no such claim, or it has ended.
    NoSuchClaim = "no-such-claim", 404, "There is no such claim";
    /// The identifier belongs to nobody, so that there is nothing to claim: authorize, or add it.
    IdentifierNotTaken = "identifier-not-taken", 409, "The identifier belongs to nobody";
    /// A claim of the identifier was objected to not long ago. `retry_after` says when the next can be made.
    ClaimTooSoon = "claim-too-soon", 409, "A claim of the identifier was objected to not long ago";
    /// The recovery key has objected as often in a row as it may: only a code of the identifier can.
    CodeNeeded = "code-needed", 409, "Only a code of the identifier can object now";
    /// The stream has moved on since the command was signed: load the current version and sign anew.
    VersionConflict = "version-conflict", 409, "The stream has moved on";
    /// Chunks of the blob are missing: `next_chunk` says the first.
    BlobIncomplete = "blob-incomplete", 409, "Chunks of the blob are missing";
    /// The body is too large.
    TooLarge = "too-large", 413, "The body is too large";
    /// The blob has no such range. `Content-Range` says how many octets it has.
    NoSuchRange = "no-such-range", 416, "The blob has no such range";
    /// The body is not of a media type that the path takes.
    UnsupportedMediaType = "unsupported-media-type", 415, "The body is not of a media type that is taken here";
    /// The path speaks WebSocket only (RFC 6455, version 13).
    UpgradeRequired = "upgrade-required", 426, "The path speaks WebSocket only";
    /// An id was used before, with another body.
    IdReused = "id-reused", 422, "The id was used before, with another body";
    /// A limit of a device's, a box's or an address's was reached. `Retry-After` says when to try again.
    RateLimited = "rate-limited", 429, "Too many requests";
    /// The identifier's codes or guesses of the day are used up.
    CodesExhausted = "codes-exhausted", 429, "The identifier's codes or guesses of the day are used up";
    /// The box has uploaded as much as it may today. `Retry-After` says when to try again.
    UploadsExhausted = "uploads-exhausted", 429, "As much was uploaded as may be in a day";
    /// A defect of the server's.
    Internal = "internal", 500, "The server has failed";
    /// A part of the service cannot be reached. Nothing was changed.
    Unavailable = "unavailable", 503, "The service is not available, and nothing was changed";
    /// Whether the command took effect is not known yet; `GET /v1/commands/{id}` settles it, and repeating it with the
    /// same id is safe.
    OutcomeUnknown = "outcome-unknown", 503, "Whether the command took effect is not known yet";
    /// The service has no room for it. Nothing was changed.
    StorageFull = "storage-full", 507, "The service has no room left, and nothing was changed";
    /// The request took too long to arrive.
    RequestTimeout = "request-timeout", 408, "The request took too long to arrive";
}

impl ProblemType {
    /// The kind as the URI that stands in a document's `type`.
    #[must_use]
    pub fn uri(self) -> String {
        format!("{URN}{}", self.name())
    }

    /// The kind with this URI.
    #[must_use]
    pub fn from_uri(uri: &str) -> Option<Self> {
        let name = uri.strip_prefix(URN)?;
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for ProblemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A problem document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The kind, as a URI that never changes.
    #[serde(rename = "type")]
    #[schema(example = "urn:rossby:problem:invalid-request")]
    pub kind: String,
    /// What the kind is, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time, and what to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The fields that are wrong, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// For `wrong-code`: how many guesses the code has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guesses_left: Option<u32>,
    /// For `identifier-taken`, to a device that has shown the code: the identifier as the server knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{64}$")]
    pub identifier_hash: Option<IdentifierHash>,
    /// For `version-conflict`, and beside `identifier_hash`: the stream's current version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_version: Option<u64>,
    /// For `outcome-unknown`: the path at which the outcome can be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_path: Option<String>,
    /// For `blob-incomplete`: the first chunk that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_chunk: Option<u32>,
    /// For `too-large`: how many octets there may be, if it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// For `rate-limited`, `codes-exhausted`, `uploads-exhausted` and `claim-too-soon`: the seconds after which to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// The request's id, which the server's logs carry too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Where it stands in the request: a JSON Pointer (RFC 6901), a header's name, or a query parameter's.
    #[schema(example = "/identifier")]
    pub field: String,
    /// Why it is refused.
    pub reason: String,
}

impl Problem {
    /// A document of this kind, without details.
    #[must_use]
    pub fn new(kind: ProblemType) -> Self {
        Self { kind: kind.uri(), title: kind.title().to_owned(), status: kind.status(), ..Self::default() }
    }

    /// The document's kind, if this version knows it.
    #[must_use]
    pub fn problem_type(&self) -> Option<ProblemType> {
        ProblemType::from_uri(&self.kind)
    }
}

/// What a device needs to correct its clock when a request's time was refused, from the `WWW-Authenticate` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTime {
    /// The server's time, in seconds since 1970.
    pub ts: u64,
    /// The MAC over it with the device's token.
    pub tsm: Octets,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_back_and_distinct() {
        let mut names = std::collections::HashSet::new();
        for kind in ProblemType::ALL {
            assert_eq!(ProblemType::from_uri(&kind.uri()), Some(*kind));
            assert!(names.insert(kind.name()), "{kind}");
        }
        assert_eq!(ProblemType::from_uri("about:blank"), None);
    }
}
