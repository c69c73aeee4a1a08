//! What devices that are about to be linked leave for each other.

use rossby_schemas::encoding::Octets;
use rossby_schemas::events::inbox::RendezvousPostedV1;
use rossby_schemas::ids::RendezvousId;
use rossby_schemas::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::row::Columns as _;
use super::{Store, StoreError, Tx};

impl Store {
    /// The messages of a rendezvous that live at `now`, `limit` at most, the first to expire first.
    pub(crate) async fn rendezvous(
        &self,
        id: RendezvousId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Octets>, StoreError> {
        let rows = sqlx::query(
            "select sealed from rendezvous where rendezvous_id = $1 and expires_at > $2 \
             order by expires_at, content_hash limit $3",
        )
        .bind(id.as_bytes().to_vec())
        .bind(now.signed_millis())
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| row.octets(0)).collect()
    }
}

impl Tx {
    /// A message was left. Left again, the earliest time counts.
    pub(crate) async fn post_to_rendezvous(&mut self, event: &RendezvousPostedV1) -> Result<(), StoreError> {
        sqlx::query(
            "insert into rendezvous (rendezvous_id, content_hash, sealed, expires_at) values ($1, $2, $3, $4) \
             on conflict (rendezvous_id, content_hash) do update set expires_at = excluded.expires_at \
             where excluded.expires_at < rendezvous.expires_at",
        )
        .bind(event.rendezvous_id.as_bytes().to_vec())
        .bind(Sha256::digest(event.sealed.as_slice()).to_vec())
        .bind(event.sealed.as_slice().to_vec())
        .bind(event.expires_at.signed_millis())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
