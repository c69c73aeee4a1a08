//! With which regions the tables were founded.

use rossby_schemas::ids::RegionNumber;

use super::row::{Columns as _, unreadable};
use super::{Store, StoreError};

/// With which regions read models were founded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionsCheck {
    /// The region that they are of.
    pub here: RegionNumber,
    /// All regions and the table of slots, as whoever keeps it writes them.
    pub regions: String,
}

impl Store {
    pub(crate) async fn regions_check(&self) -> Result<Option<RegionsCheck>, StoreError> {
        let row = sqlx::query("select here, regions from regions_check").fetch_optional(&self.pool).await?;
        let Some(row) = row else { return Ok(None) };
        let here = u8::try_from(row.number(0)?).map_err(|error| unreadable(0, error))?;
        Ok(Some(RegionsCheck { here: RegionNumber(here), regions: row.text(1)? }))
    }

    /// Keeps it, unless one is kept already. Gives the one that is kept.
    pub(crate) async fn keep_regions_check(&self, check: RegionsCheck) -> Result<RegionsCheck, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("insert into regions_check (one, here, regions) values (1, $1, $2) on conflict do nothing")
            .bind(i64::from(check.here.0))
            .bind(check.regions.clone())
            .execute(&mut *tx.inner)
            .await?;
        tx.commit().await?;
        Ok(self.regions_check().await?.unwrap_or(check))
    }

    /// Puts another text in the place of the one that is kept, if it still is that one. Gives what is kept then.
    pub(crate) async fn replace_regions_check(
        &self,
        kept: RegionsCheck,
        regions: String,
    ) -> Result<RegionsCheck, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("update regions_check set regions = $1 where here = $2 and regions = $3")
            .bind(regions)
            .bind(i64::from(kept.here.0))
            .bind(kept.regions.clone())
            .execute(&mut *tx.inner)
            .await?;
        tx.commit().await?;
        Ok(self.regions_check().await?.unwrap_or(kept))
    }
}
