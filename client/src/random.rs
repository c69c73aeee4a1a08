//! The system's randomness.

use rand_core::{CryptoRng, UnwrapErr};

/// The system's generator. It panics if the system has no randomness to give: nothing safe could be done then.
pub(crate) fn rng() -> impl CryptoRng {
    UnwrapErr(getrandom::SysRng)
}

/// `N` random octets.
pub(crate) fn octets<const N: usize>() -> [u8; N] {
    use rand_core::Rng as _;
    let mut octets = [0; N];
    UnwrapErr(getrandom::SysRng).fill_bytes(&mut octets);
    octets
}
