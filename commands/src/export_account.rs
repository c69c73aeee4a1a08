//! All that the server holds of a box, page by page, for its devices to take along.

use rossby_crypto::keyed_hash::ExportCursor;
use rossby_projections::HeldPage;
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::export::{EXPORT_FORMAT, EXPORT_VERSION, ExportResponse, HeldOfBox, MAX_EXPORTED};

use crate::error::{CommandError, Refusal};
use crate::service::Service;
use crate::token::Caller;

/// How many octets of values one page has, about: a page is in memory at once.
const MAX_OCTETS: u64 = 4 * 1024 * 1024;
/// How many messages a page has if it is not said.
const MESSAGES: u32 = 100;
/// How many registrations are told of. Who knows a box's founding statement can ask for more.
const REGISTRATIONS: u32 = 200;

/// Which page of an export.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportPage {
    /// What the page before gave; none for the first.
    pub cursor: Option<Octets>,
    /// How many messages at most, 1 to 500.
    pub limit: Option<u32>,
}

impl Service {
    /// A page of all that the server holds of the caller's box. The first says everything but the queue's messages, of which each
    /// page has some. Nothing is kept between two pages: a message that is there all the time is in one of them, and one that comes or
    /// expires meanwhile in one at most.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a limit out of its range and a cursor that this device was not given.
    pub async fn export_account(&self, caller: Caller, page: &ExportPage) -> Result<ExportResponse, CommandError> {
        let limit = page.limit.unwrap_or(MESSAGES);
        if !(1..=MAX_EXPORTED).contains(&limit) {
            return Err(Refusal::invalid("limit", format!("must be between 1 and {MAX_EXPORTED}")).into());
        }
        let after = match &page.cursor {
            None => None,
            Some(cursor) => {
                let taken = ExportCursor::take(&self.secrets, caller.box_id, caller.device_id, cursor)
                    .map_err(|error| Refusal::invalid("cursor", error))?;
                Some((taken.outer_id, taken.content_hash))
            }
        };
        let held = if after.is_none() { Some(self.held(caller).await?) } else { None };
        let page = HeldPage { after, limit, max_octets: MAX_OCTETS };
        let found = self.models.held_messages(caller.box_id, self.now(), page).await?;
        let next = found.messages.last().filter(|_| found.more).map(|last| {
            let cursor = ExportCursor { outer_id: last.outer_id, content_hash: last.content_hash };
            cursor.give(self.secrets.current(), caller.box_id, caller.device_id)
        });
        Ok(ExportResponse {
            format: EXPORT_FORMAT.to_owned(),
            version: EXPORT_VERSION,
            exported_at: self.now(),
            box_id: caller.box_id,
            held,
            messages: found.messages,
            next,
        })
    }

    async fn held(&self, caller: Caller) -> Result<HeldOfBox, CommandError> {
        Ok(HeldOfBox {
            account: self.account(caller).await?,
            registrations: self.models.held_registrations(caller.box_id, REGISTRATIONS).await?,
            uploads: self.models.held_uploads(caller.box_id).await?,
        })
    }
}
