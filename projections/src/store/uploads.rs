//! How much each box has uploaded in a day: operational figures, which no event carries, so that no log says who uploaded what.

use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;

use super::{Store, StoreError};

impl Store {
    /// Counts octets as uploaded, unless there are more than `limit` in the day then. Gives whether they were.
    pub(crate) async fn take_upload(
        &self,
        box_id: BoxId,
        now: Timestamp,
        octets: u64,
        limit: u64,
    ) -> Result<bool, StoreError> {
        let (octets, limit) = (signed(octets), signed(limit));
        if octets > limit {
            return Ok(false);
        }
        let mut tx = self.begin().await?;
        let counted = sqlx::query(
            "insert into uploaded (box_id, day, octets) values ($1, $2, $3) \
             on conflict (box_id, day) do update set octets = uploaded.octets + excluded.octets \
             where uploaded.octets + excluded.octets <= $4",
        )
        .bind(box_id.as_bytes().to_vec())
        .bind(now.utc_day())
        .bind(octets)
        .bind(limit)
        .execute(&mut *tx.inner)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(counted > 0)
    }

    /// Takes back what was counted for an upload that came to nothing.
    pub(crate) async fn give_upload_back(
        &self,
        box_id: BoxId,
        counted_at: Timestamp,
        octets: u64,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("update uploaded set octets = octets - $3 where box_id = $1 and day = $2 and octets >= $3")
            .bind(box_id.as_bytes().to_vec())
            .bind(counted_at.utc_day())
            .bind(signed(octets))
            .execute(&mut *tx.inner)
            .await?;
        tx.commit().await
    }
}

/// Limits far above what any disk holds are all one.
fn signed(octets: u64) -> i64 {
    i64::try_from(octets).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}
