//! What client and server compute alike.

pub mod box_id;
pub mod key_record;
pub mod layout;
pub mod sealing;
pub mod signing;
pub mod statements;
