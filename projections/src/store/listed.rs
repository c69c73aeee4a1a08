//! Lists in queries: both databases take one parameter for each entry.

use sqlx::any::{Any, AnyArguments};
use sqlx::query::Query;

/// A query of both databases.
type AnyQuery<'q> = Query<'q, Any, AnyArguments>;

/// Entries of a list with the numbers of their parameters. There are as many parameters as the next power of two, so that few
/// statements are prepared; the last entry stands more than once then, which changes nothing.
pub(super) struct Listed<'a, T> {
    entries: &'a [T],
    first: usize,
}

impl<'a, T> Listed<'a, T> {
    /// A list whose first parameter has this number.
    pub(super) const fn of(entries: &'a [T], first: usize) -> Self {
        Self { entries, first }
    }

    const fn parameters(&self) -> usize {
        match self.entries.len() {
            0 => 0,
            entries => entries.next_power_of_two(),
        }
    }

    /// `$6, $7, ...`
    fn numbers(&self) -> String {
        let numbers: Vec<String> =
            (self.first..self.first + self.parameters()).map(|number| format!("${number}")).collect();
        numbers.join(", ")
    }

    /// ` and COLUMN in (...)`, which nothing is in an empty list.
    pub(super) fn any_of(&self, column: &str) -> String {
        match self.parameters() {
            0 => " and 1 = 0".to_owned(),
            _ => format!(" and {column} in ({})", self.numbers()),
        }
    }

    /// ` and COLUMN not in (...)`; nothing for an empty list.
    pub(super) fn none_of(&self, column: &str) -> String {
        match self.parameters() {
            0 => String::new(),
            _ => format!(" and {column} not in ({})", self.numbers()),
        }
    }

    /// Binds the entries, after all parameters with lower numbers.
    pub(super) fn bind<'q, V>(&self, query: AnyQuery<'q>, value: impl Fn(&T) -> V) -> AnyQuery<'q>
    where
        V: sqlx::Encode<'q, Any> + sqlx::Type<Any> + 'q,
    {
        let Some(last) = self.entries.last() else { return query };
        let entries = self.entries.iter().chain(std::iter::repeat(last)).take(self.parameters());
        entries.fold(query, |query, entry| query.bind(value(entry)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_as_long_as_a_power_of_two() {
        assert_eq!(Listed::of(&[1, 2, 3], 4).any_of("a"), " and a in ($4, $5, $6, $7)");
        assert_eq!(Listed::of(&[1], 1).none_of("a"), " and a not in ($1)");
        assert_eq!(Listed::<u8>::of(&[], 1).any_of("a"), " and 1 = 0");
        assert_eq!(Listed::<u8>::of(&[], 1).none_of("a"), "");
    }
}
