//! What people do with the server, on any set-up.

pub(crate) mod archive;
pub(crate) mod attachments;
pub(crate) mod capture;
pub(crate) mod content;
pub(crate) mod crowd;
pub(crate) mod deletion;
pub(crate) mod devices;
pub(crate) mod duplicates;
pub(crate) mod follow;
pub(crate) mod groups;
pub(crate) mod hidden_groups;
pub(crate) mod history;
pub(crate) mod identifiers;
pub(crate) mod kills;
pub(crate) mod outbox;
pub(crate) mod profile;
pub(crate) mod proxied;
pub(crate) mod recovery;
pub(crate) mod search;
pub(crate) mod secrets;
pub(crate) mod transfers;
pub(crate) mod two_people;
pub(crate) mod typing;
pub(crate) mod verify;
