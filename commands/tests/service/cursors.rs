//! What holds for the cursors of everything that is given page by page, and for how long a page may be.

use rossby_commands::{CommandError, Refusal};
use rossby_schemas::encoding::Octets;
use rossby_testing::{Person, refusal};

/// A cursor is good for the device that it was given to, and unchanged; a limit has bounds. `ask` asks with a cursor and a limit for a page
/// of a device; `at` is a place in the cursor.
pub(crate) async fn are_for_their_device<T: std::fmt::Debug>(
    cursor: &Octets,
    at: usize,
    (own, others): (&Person, [&Person; 2]),
    ask: impl AsyncFn(&Person, Option<Octets>, Option<u32>) -> Result<T, CommandError>,
) {
    let refused = async |device: &Person, cursor: Option<&[u8]>, limit| match refusal(
        ask(device, cursor.map(Octets::from), limit).await,
    ) {
        Refusal::Invalid { field, .. } => field,
        other => panic!("{other:?}"),
    };
    let mut changed = cursor.as_slice().to_vec();
    changed[at] ^= 1;
    for (device, octets) in [
        (others[0], cursor.as_slice()),
        (others[1], cursor.as_slice()),
        (own, &changed[..]),
        (own, &cursor.as_slice()[1..]),
        (own, b""),
    ] {
        assert_eq!(refused(device, Some(octets), None).await, "cursor");
    }
    for limit in [0, 501] {
        assert_eq!(refused(own, None, Some(limit)).await, "limit");
    }
}
