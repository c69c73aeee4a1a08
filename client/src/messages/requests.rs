//! Message requests: what strangers write is kept apart until the person takes it, declines it, or blocks them.

use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::Conversation;
use super::own_devices::OwnMessage;
use crate::Client;
use crate::account::Setting;
use crate::contacts::Peer;
use crate::content::{MAX_PEERS, MAX_RECEIPTED, Mark, PeerState, PeerStates, ReceiptState, Standing};
use crate::error::ClientError;
use crate::store::device::Device;
use crate::store::{groups, messages, peers, receipts, transcripts, verified};

impl Client {
    /// How the person stands to somebody.
    ///
    /// # Errors
    /// The store's.
    pub async fn standing(&self, box_id: BoxId) -> Result<Standing, ClientError> {
        Ok(peers::state(&mut *self.store.read().await?, box_id).await?.standing)
    }

    /// Takes somebody's message request: what they write is shown with all else from now on, and receipted.
    ///
    /// # Errors
    /// [`ClientError::Oneself`], [`ClientError::NoRequest`] for one who is blocked, and what the server says of an address that
    /// isn't known here.
    pub async fn accept_peer(&self, peer: &Peer) -> Result<BoxId, ClientError> {
        let (box_id, device) = (self.box_of(peer).await?, self.device().await?);
        let mut transaction = self.store.begin().await?;
        if peers::state(&mut transaction, box_id).await?.standing == Standing::Blocked {
            return Err(ClientError::NoRequest(box_id));
        }
        self.stand(&mut transaction, &device, box_id, Standing::Accepted).await?;
        transaction.commit().await?;
        Ok(box_id)
    }

    /// Declines somebody's message request: what they wrote is erased, here and on the own devices. What they write later is a
    /// request again. They aren't told.
    ///
    /// # Errors
    /// [`ClientError::Oneself`], [`ClientError::NoRequest`], and what the server says of an address that isn't known here.
    pub async fn decline_request(&self, peer: &Peer) -> Result<BoxId, ClientError> {
        let (box_id, device) = (self.box_of(peer).await?, self.device().await?);
        let mut transaction = self.store.begin().await?;
        let known = peers::state(&mut transaction, box_id).await?;
        // By what is here, and by no clock: what comes a moment later is not declined unseen.
        let last = peers::last_accepted(&mut transaction, box_id).await?;
        if known.standing != Standing::Stranger || last.is_none() {
            return Err(ClientError::NoRequest(box_id));
        }
        let said = PeerState { declined_at: last, ..known };
        self.take_peer_state(&mut transaction, said).await?;
        self.tell_peers(&mut transaction, &device, &[said]).await?;
        transaction.commit().await?;
        self.store.scrub().await?;
        Ok(box_id)
    }

    /// Blocks somebody who asks, and declines what they wrote.
    ///
    /// # Errors
    /// Those of [`Client::decline_request`] and [`Client::change`].
    pub async fn decline_and_block(&self, peer: &Peer) -> Result<BoxId, ClientError> {
        let box_id = self.decline_request(peer).await?;
        self.change(Setting::Block(box_id)).await?;
        Ok(box_id)
    }

    /// How the person stands to a box from now on; the own devices are told if that is new. Whoever is blocked stays so until that
    /// is taken away.
    pub(crate) async fn stand(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        box_id: BoxId,
        standing: Standing,
    ) -> Result<(), ClientError> {
        let known = peers::state(connection, box_id).await?;
        if known.standing == Standing::Blocked || box_id == device.box_id {
            return Ok(());
        }
        self.stand_after(connection, device, known, standing).await
    }

    async fn stand_after(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        known: PeerState,
        standing: Standing,
    ) -> Result<(), ClientError> {
        if known.standing == standing {
            return Ok(());
        }
        let box_id = known.box_id;
        // After what was said before, whatever the clocks.
        let changed_at = self.now().max(known.changed_at.plus(std::time::Duration::from_millis(1)));
        let said = PeerState { standing, changed_at, ..known };
        self.take_peer_state(connection, said).await?;
        // Whoever was a stranger has not heard yet that their messages came.
        if standing == Standing::Accepted && known.standing == Standing::Stranger {
            self.owe_for_all(connection, box_id).await?;
        }
        self.profile_after_standing(connection, device, box_id, (known.standing, standing)).await?;
        self.tell_peers(connection, device, &[said]).await
    }

    /// How the person stands to a box that is no longer blocked: as before, if something was ever written to it.
    pub(crate) async fn stand_unblocked(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        box_id: BoxId,
    ) -> Result<(), ClientError> {
        let known = peers::state(connection, box_id).await?;
        if known.standing != Standing::Blocked {
            return Ok(());
        }
        let has_written = peers::has_written_to(connection, device.box_id, box_id).await?;
        let standing = if has_written { Standing::Accepted } else { Standing::Stranger };
        self.stand_after(connection, device, known, standing).await
    }

    async fn tell_peers(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        peers: &[PeerState],
    ) -> Result<(), ClientError> {
        for peers in peers.chunks(MAX_PEERS) {
            let states = PeerStates { peers: peers.to_vec(), ..PeerStates::default() };
            self.tell_devices(connection, device, &OwnMessage::PeerStates(states)).await?;
        }
        Ok(())
    }

    /// Tells the own devices whom the person has verified, or no longer takes for verified.
    pub(crate) async fn tell_marks(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        marks: &[Mark],
    ) -> Result<(), ClientError> {
        for marks in marks.chunks(MAX_PEERS) {
            let states = PeerStates { verified: marks.to_vec(), ..PeerStates::default() };
            self.tell_devices(connection, device, &OwnMessage::PeerStates(states)).await?;
        }
        Ok(())
    }

    /// Tells the own devices, of which one is new, how the person stands to others, and which receipts are sent.
    pub(super) async fn share_peers(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
    ) -> Result<(), ClientError> {
        let all = peers::all(connection).await?;
        self.tell_peers(connection, device, &all).await?;
        let marks = verified::all(connection).await?;
        self.tell_marks(connection, device, &marks).await?;
        let receipts = Some(peers::receipts(connection).await?);
        let states = PeerStates { receipts, ..PeerStates::default() };
        self.tell_devices(connection, device, &OwnMessage::PeerStates(states)).await
    }

    /// Takes what another of the own devices says of others.
    pub(super) async fn heed_peers(
        &self,
        connection: &mut SqliteConnection,
        own: BoxId,
        states: &PeerStates,
    ) -> Result<(), ClientError> {
        for said in states.peers.iter().filter(|said| said.box_id != own) {
            self.take_peer_state(connection, *said).await?;
        }
        for said in states.verified.iter().filter(|said| said.box_id != own) {
            verified::merge(connection, *said).await?;
        }
        match states.receipts {
            Some(receipts) => peers::merge_receipts(connection, receipts).await,
            None => Ok(()),
        }
    }

    async fn take_peer_state(&self, connection: &mut SqliteConnection, said: PeerState) -> Result<(), ClientError> {
        let merged = peers::merge(connection, said).await?;
        if merged.standing == Standing::Blocked {
            self.fall_silent(connection, said.box_id).await?;
        }
        match merged.declined_at {
            Some(declined_at) => self.erase_declined(connection, said.box_id, declined_at).await,
            None => Ok(()),
        }
    }

    /// Erases what a peer wrote that the server had by then.
    pub(super) async fn erase_declined(
        &self,
        connection: &mut SqliteConnection,
        peer: BoxId,
        by: Timestamp,
    ) -> Result<(), ClientError> {
        for id in peers::declined(connection, peer, by).await? {
            transcripts::hide(connection, id).await?;
            messages::erase(connection, &self.vault, id).await?;
        }
        groups::forget_declined_waiting(connection, peer, by).await
    }

    /// Receipts what a peer wrote before.
    async fn owe_for_all(&self, connection: &mut SqliteConnection, peer: BoxId) -> Result<(), ClientError> {
        let limit = u32::try_from(MAX_RECEIPTED).unwrap_or(u32::MAX);
        for (message, is_read) in peers::receiptable(connection, peer, limit).await? {
            let state = if is_read { ReceiptState::Read } else { ReceiptState::Delivered };
            receipts::owe(connection, Conversation::Direct(peer), message, state).await?;
        }
        Ok(())
    }
}
