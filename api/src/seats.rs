//! Places of which each client has few: for what stays open for long.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many places there are, and who has them.
#[derive(Debug)]
pub(crate) struct Seats<K> {
    each: usize,
    all: usize,
    taken: Mutex<Taken<K>>,
}

#[derive(Debug)]
struct Taken<K> {
    by: HashMap<K, usize>,
    all: usize,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The client has so many.
    Own(usize),
    /// All clients together have them all.
    All,
}

/// A place. Dropped, it is free.
#[derive(Debug)]
pub(crate) struct Seat<K: Hash + Eq> {
    seats: Arc<Seats<K>>,
    key: K,
}

impl<K: Hash + Eq + Copy> Seats<K> {
    /// So many for `each`, and for `all` together.
    pub(crate) fn new(each: usize, all: usize) -> Self {
        Self { each, all, taken: Mutex::new(Taken { by: HashMap::new(), all: 0 }) }
    }

    /// A place, if there is one.
    pub(crate) fn seat(self: &Arc<Self>, key: K) -> Result<Seat<K>, Full> {
        let mut taken = self.taken();
        if taken.all >= self.all {
            return Err(Full::All);
        }
        let own = taken.by.get(&key).copied().unwrap_or_default();
        if own >= self.each {
            return Err(Full::Own(own));
        }
        taken.by.insert(key, own + 1);
        taken.all += 1;
        Ok(Seat { seats: Arc::clone(self), key })
    }
}

impl<K> Seats<K> {
    fn taken(&self) -> MutexGuard<'_, Taken<K>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq> Drop for Seat<K> {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.all -= 1;
        if let Some(own) = taken.by.get_mut(&self.key) {
            *own -= 1;
            if *own == 0 {
                taken.by.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_for_each_and_for_all_and_a_free_one_is_taken_again() {
        let seats = Arc::new(Seats::new(2, 3));
        let full = |key| seats.seat(key).unwrap_err();
        let first = seats.seat("ann").unwrap();
        let _second = seats.seat("ann").unwrap();
        assert_eq!(full("ann"), Full::Own(2));
        let third = seats.seat("ben").unwrap();
        assert_eq!((full("ben"), full("ann")), (Full::All, Full::All));
        drop(first);
        assert!(seats.seat("ben").is_ok() && seats.seat("ann").is_ok());
        drop(third);
        assert_eq!(seats.taken().by.keys().collect::<Vec<_>>(), [&"ann"], "who has none is forgotten");
    }
}
