//! What the current master secret is known again by. The secret itself is in no table.

use rossby_schemas::encoding::FixedOctets;

use super::row::Columns as _;
use super::{Store, StoreError};

/// What the current master secret is known again by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretCheck {
    /// The secret's number.
    pub number: u32,
    /// Its check value, which `rossby_crypto` derives.
    pub check_value: FixedOctets<32>,
}

impl Store {
    pub(crate) async fn secret_check(&self) -> Result<Option<SecretCheck>, StoreError> {
        let row = sqlx::query("select number, check_value from secret_check").fetch_optional(&self.pool).await?;
        row.map(|row| Ok(SecretCheck { number: row.small(0)?, check_value: row.fixed(1)? })).transpose()
    }

    /// Keeps it, unless one is kept already. Gives the one that is kept.
    pub(crate) async fn keep_secret_check(&self, check: SecretCheck) -> Result<SecretCheck, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("insert into secret_check (one, number, check_value) values (1, $1, $2) on conflict do nothing")
            .bind(i64::from(check.number))
            .bind(check.check_value.as_slice().to_vec())
            .execute(&mut *tx.inner)
            .await?;
        tx.commit().await?;
        Ok(self.secret_check().await?.unwrap_or(check))
    }
}
