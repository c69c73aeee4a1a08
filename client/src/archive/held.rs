//! What the server holds of the account, as it says, into an archive: page by page, so that no more than one is in memory.

use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::http::export::{EXPORT_FORMAT, EXPORT_VERSION};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::OuterId;
use serde::Deserialize;
use serde_json::Value;

use super::lines::Writer;
use super::record::{ArchiveRecord, ArchivedAnswer, ArchivedQueued};
use crate::Client;
use crate::error::ClientError;
use crate::http::Call;
use crate::store::device::Device;

/// A page, whose parts go into the archive with all their fields, known or not.
#[derive(Deserialize)]
struct Page {
    format: String,
    version: u32,
    held: Option<Held>,
    messages: Vec<Value>,
    next: Option<Octets>,
}

#[derive(Deserialize)]
struct Held {
    account: Value,
    registrations: Value,
    uploads: Value,
}

/// What orders messages.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    outer_id: OuterId,
    content_hash: Sha256Digest,
}

impl Client {
    /// Writes what the server holds of the account. Gives how many messages are in its queue. A server of an older version says less.
    pub(super) async fn export_held(&self, writer: &mut Writer, device: &Device) -> Result<u64, ClientError> {
        let mut messages = 0;
        let mut path = "/v1/account/export".to_owned();
        let mut last: Option<Place> = None;
        loop {
            let page: Page = match self.ask(device, &Call::get(&path)).await {
                Err(error) if last.is_none() && error.problem() == Some(ProblemType::NoSuchResource) => {
                    let account = self.ask(device, &Call::get("/v1/account")).await?;
                    writer.write(&ArchiveRecord::Server(ArchivedAnswer {
                        account,
                        registrations: None,
                        uploads: None,
                    }))?;
                    return Ok(0);
                }
                page => page?,
            };
            if page.format != EXPORT_FORMAT || page.version != EXPORT_VERSION || page.held.is_some() != last.is_none() {
                return Err(ClientError::bad_answer("it is no such page of an export"));
            }
            if let Some(Held { account, registrations, uploads }) = page.held {
                let (registrations, uploads) = (Some(registrations), Some(uploads));
                writer.write(&ArchiveRecord::Server(ArchivedAnswer { account, registrations, uploads }))?;
            }
            if page.messages.is_empty() && page.next.is_some() {
                return Err(ClientError::bad_answer("a page without messages is the last"));
            }
            for message in page.messages {
                let place = Place::deserialize(&message).map_err(ClientError::bad_answer)?;
                // One that gives the same again and again would never end.
                if last.as_ref().is_some_and(|last| place <= *last) {
                    return Err(ClientError::bad_answer("its messages are not in order"));
                }
                last = Some(place);
                messages += 1;
                writer.write(&ArchiveRecord::Queued(ArchivedQueued { message }))?;
            }
            match page.next {
                None => return Ok(messages),
                Some(_) if last.is_none() => {
                    return Err(ClientError::bad_answer("a page without messages is the last"));
                }
                Some(next) => path = format!("/v1/account/export?cursor={next}"),
            }
        }
    }
}

#[cfg(test)]
mod tests;
