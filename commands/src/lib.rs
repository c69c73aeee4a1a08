//! What the API can be asked to do: one module for each verb, and the one executor.
//!
//! A verb loads state through the projections' queries, decides by a pure function, appends to the log, waits until the
//! projections have carried it, and answers from the outcome. Rules live here and may change with time; projections check
//! only versions.

mod account;
mod account_command;
mod account_history;
mod append;
mod arrivals;
mod ask_code;
mod authorize;
mod blobs;
mod budgets;
mod claim;
mod close_box;
mod codes;
mod command_status;
mod config;
mod confirm_messages;
mod count;
mod error;
mod executor;
mod export_account;
mod fetch_messages;
mod found_box;
mod identifier_command;
mod identity;
mod key_records;
mod link_device;
mod live;
mod permission;
mod position;
mod reconcile;
mod refusal_time;
mod register;
mod rendezvous;
mod request_key;
mod send_message;
mod send_signals;
mod service;
mod standing;
mod statement;
mod status_token;
mod token;

pub use account_history::HistoryQuery;
pub use blobs::OpenBlob;
pub use codes::{CodeSender, SendCodeError};
pub use config::{IdentifierSlots, Limits, ServiceConfig, Timeouts};
pub use error::{CommandError, Refusal};
pub use export_account::ExportPage;
pub use fetch_messages::Fetch;
pub use live::{Confirmer, Delivery, Live, LiveConfig, Queries, Subscription, describe_metrics};
pub use position::{NotAPosition, Position};
pub use service::Service;
pub use status_token::StatusToken;
pub use token::{Caller, TokenError};
