//! Linking: this home becomes a device of a box that others have founded, or takes another one into its own. The two talk at
//! a rendezvous, sealed under a secret that the person carries from one to the other; neither believes the server anything.

mod new_device;
mod old_device;
mod rendezvous;

use std::time::Duration;

pub use new_device::LinkCode;
pub use old_device::LinkOffer;
use rossby_crypto::linking::MAX_DEVICE_NAME;

use crate::error::ClientError;

/// How long a link code is good, by the new device's clock. The server forgets what was said after the same time.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// A name for a device that others can show: without what commands a screen, and not too long.
///
/// # Errors
/// [`ClientError::BadDeviceName`].
pub(crate) fn device_name(name: &str) -> Result<&str, ClientError> {
    let name = name.trim();
    let is_good = !name.is_empty() && name.len() <= MAX_DEVICE_NAME && !name.chars().any(char::is_control);
    if is_good { Ok(name) } else { Err(ClientError::BadDeviceName) }
}
