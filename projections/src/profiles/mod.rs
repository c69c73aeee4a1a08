//! The projection `profiles`: settings, blocks, contacts, and which boxes there are.

use rossby_schemas::events::Event;

use crate::store::{BoxState, Setting, StoreError, TagList, Tx};

/// Applies an admitted event of `rossby.keys` or `rossby.profiles`.
///
/// The two topics come in any order relative to each other, so no row here is of both: a profile that was set before the
/// box is known to be founded waits for it, and one of a closed box is never asked for.
pub(crate) async fn apply(tx: &mut Tx, event: &Event) -> Result<(), StoreError> {
    match event {
        Event::BoxFoundedV1(e) => tx.set_profile_box(e.box_id, BoxState::Open).await,
        Event::BoxClosingV1(e) => tx.set_profile_box(e.box_id, BoxState::Closing).await,
        Event::BoxClosedV1(e) => tx.set_profile_box(e.box_id, BoxState::Closed).await,
        Event::DiscoverableSetV1(e) => tx.set_profile(e.box_id, Setting::Discoverable(e.discoverable)).await,
        Event::AcceptFromSetV1(e) => tx.set_profile(e.box_id, Setting::AcceptFrom(e.accept_from)).await,
        Event::ProfileBlobSetV1(e) => tx.set_profile(e.box_id, Setting::Blob(&e.blob)).await,
        Event::BoxBlockedV1(e) => tx.set_tag(e.box_id, TagList::Blocks, e.tag, true).await,
        Event::BoxUnblockedV1(e) => tx.set_tag(e.box_id, TagList::Blocks, e.tag, false).await,
        Event::ContactAddedV1(e) => tx.set_tag(e.box_id, TagList::Contacts, e.tag, true).await,
        Event::ContactRemovedV1(e) => tx.set_tag(e.box_id, TagList::Contacts, e.tag, false).await,
        _ => Ok(()),
    }
}
