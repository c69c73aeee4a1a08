//! Why something can't be done with an identifier, and what to do next.

use rossby_schemas::time::Timestamp;

/// Why something can't be done with an identifier. Identifiers are as people write them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// The text is neither an identifier nor the beginning of a hash.
    #[error(
        "{0:?} is no phone number (+15551234567), no email address (ann@example.org), and not eight or more characters of what \
         `rossby identifiers` shows"
    )]
    NotOne(String),
    /// The account has it.
    #[error("{0} is your account's already")]
    Own(String),
    /// The account hasn't it.
    #[error("{0} is none of your account's; `rossby identifiers` lists them")]
    NoSuch(String),
    /// Several are meant.
    #[error("{0} is several of your account's; type more of it")]
    Ambiguous(String),
    /// No code was asked for.
    #[error("no code was asked for; begin with `rossby identifiers add ADDRESS`")]
    NoCodeAsked,
    /// Another account has it.
    #[error(
        "another account has {0}. If you have a device of it, take it away there: rossby identifiers remove {0}. If all its devices \
         are lost, claim it with the same code: rossby identifiers confirm CODE --claim"
    )]
    Taken(String),
    /// Somebody has an account with it, who registered it before.
    #[error(
        "somebody has an account with {0}. If that is you, make this device one of it: rossby link. If all its devices are lost, \
         get {0} back for a new account: rossby recover {0}"
    )]
    AccountTaken(String),
    /// Nobody claims it.
    #[error("nobody claims {0}: there is nothing to object to")]
    NotClaimed(String),
    /// It was claimed for a new account, and waits.
    #[error(
        "{identifier} is yours from {until} on, unless a device of the old account objects; go on then with `rossby recover`"
    )]
    Waits {
        /// The identifier.
        identifier: String,
        /// Until when.
        until: Timestamp,
    },
    /// Nothing is recovered here.
    #[error("this home recovers no account; begin with `rossby recover ADDRESS`")]
    NotRecovering,
    /// A device of the old account has objected to the claim.
    #[error(
        "a device of the old account has objected: {0} stays with it. If that was not you, somebody has one of your devices, and the \
         recovery key or {0} itself; begin again in some days with `rossby recover {0}`"
    )]
    Objected(String),
    /// Somebody has shown a code later.
    #[error(
        "somebody else has shown a code of {0} after you, and claims it or has it. If it is yours, begin again: rossby recover {0}"
    )]
    Replaced(String),
}

impl IdentifierError {
    /// A short stable name, for scripts.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::NotOne(_) => "not-an-identifier",
            Self::Own(_) => "own-identifier",
            Self::NoSuch(_) => "no-such-identifier",
            Self::Ambiguous(_) => "ambiguous-identifier",
            Self::NoCodeAsked => "no-code-asked",
            Self::Taken(_) | Self::AccountTaken(_) => "identifier-taken",
            Self::NotClaimed(_) => "not-claimed",
            Self::Waits { .. } => "claim-waits",
            Self::NotRecovering => "not-recovering",
            Self::Objected(_) => "claim-objected",
            Self::Replaced(_) => "claim-replaced",
        }
    }
}

/// An identifier as people write it: without the scheme of its URI. A hash has none.
pub(crate) fn address(identifier: &str) -> &str {
    identifier.split_once(':').map_or(identifier, |(_, address)| address)
}
