//! Files: those that are on their way, and those that are kept until the server can be reached.

use rossby_client::PendingUpload;

use super::State;
use super::event::Transfer;

impl State {
    /// The files that are kept and not on their way.
    pub(in crate::person::chat) fn waiting_files(&self) -> impl Iterator<Item = &PendingUpload> {
        let is_on_its_way = |id| self.transfers.iter().any(|transfer| transfer.upload == Some(id));
        self.uploads.iter().filter(move |upload| !is_on_its_way(upload.id))
    }

    pub(super) fn take_transfer(&mut self, transfer: Transfer) {
        match self.transfers.iter_mut().find(|known| known.number == transfer.number) {
            Some(known) => *known = transfer,
            None => self.transfers.push(transfer),
        }
        self.settle_overlays();
    }

    pub(super) fn transfer_ended(&mut self, number: u64) {
        self.transfers.retain(|transfer| transfer.number != number);
        self.settle_overlays();
    }
}
