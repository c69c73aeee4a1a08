//! Between rows and the types of the schemas.

use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::time::Timestamp;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::StoreError;

/// The columns of a row by number, as the types that they stand for.
pub(super) trait Columns {
    fn text(&self, index: usize) -> Result<String, StoreError>;
    fn octets(&self, index: usize) -> Result<Octets, StoreError>;
    fn maybe_octets(&self, index: usize) -> Result<Option<Octets>, StoreError>;
    fn fixed<const N: usize>(&self, index: usize) -> Result<FixedOctets<N>, StoreError>;
    fn number(&self, index: usize) -> Result<u64, StoreError>;
    fn maybe_number(&self, index: usize) -> Result<Option<u64>, StoreError>;
    fn small(&self, index: usize) -> Result<u32, StoreError>;
    fn flag(&self, index: usize) -> Result<bool, StoreError>;
    fn time(&self, index: usize) -> Result<Timestamp, StoreError>;
    fn id(&self, index: usize) -> Result<[u8; 16], StoreError> {
        Ok(self.fixed::<16>(index)?.0)
    }
}

impl Columns for AnyRow {
    fn text(&self, index: usize) -> Result<String, StoreError> {
        Ok(self.try_get(index)?)
    }

    fn octets(&self, index: usize) -> Result<Octets, StoreError> {
        Ok(self.try_get::<Vec<u8>, _>(index)?.into())
    }

    fn maybe_octets(&self, index: usize) -> Result<Option<Octets>, StoreError> {
        Ok(self.try_get::<Option<Vec<u8>>, _>(index)?.map(Octets::from))
    }

    fn fixed<const N: usize>(&self, index: usize) -> Result<FixedOctets<N>, StoreError> {
        let octets: Vec<u8> = self.try_get(index)?;
        FixedOctets::try_from(octets.as_slice()).map_err(|error| unreadable(index, error))
    }

    fn number(&self, index: usize) -> Result<u64, StoreError> {
        u64::try_from(self.try_get::<i64, _>(index)?).map_err(|error| unreadable(index, error))
    }

    fn maybe_number(&self, index: usize) -> Result<Option<u64>, StoreError> {
        let number: Option<i64> = self.try_get(index)?;
        number.map(u64::try_from).transpose().map_err(|error| unreadable(index, error))
    }

    fn small(&self, index: usize) -> Result<u32, StoreError> {
        u32::try_from(self.try_get::<i64, _>(index)?).map_err(|error| unreadable(index, error))
    }

    fn flag(&self, index: usize) -> Result<bool, StoreError> {
        Ok(self.try_get::<i64, _>(index)? != 0)
    }

    fn time(&self, index: usize) -> Result<Timestamp, StoreError> {
        Timestamp::from_millis(self.number(index)?).map_err(|error| unreadable(index, error))
    }
}

pub(super) fn unreadable(index: usize, error: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(format!("column {index} of a row {error}"))
}

/// A number as the databases keep it. Offsets, versions and counters never come near the limit.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The SQL of so many rows of so many values each, numbered from `$1`.
pub(super) fn value_rows(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let values: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", values.join(", "))
    };
    format!("values {}", (0..rows).map(row).collect::<Vec<_>>().join(", "))
}
