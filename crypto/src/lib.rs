//! What client and server compute alike.

pub mod account;
pub mod archive;
pub mod attachment;
pub mod authorize;
pub mod box_id;
pub mod conversation;
pub mod group;
pub mod history;
pub mod key_record;
pub mod keyed_hash;
pub mod layout;
pub mod linking;
pub mod message;
pub mod profile;
pub mod recovery;
pub mod safety_number;
pub mod sealing;
pub mod signing;
pub mod statements;
pub mod token;
pub mod verification;
