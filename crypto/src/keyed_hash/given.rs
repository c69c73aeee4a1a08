//! What a device of a box is given and brings back: a text, with a MAC that binds it to the device.

use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::{BoxId, DeviceId};

use super::{MasterSecret, MasterSecrets};

/// The text as it is given to one device. The label says what it is.
pub(super) fn give(
    secret: &MasterSecret,
    label: &str,
    mut text: Vec<u8>,
    (box_id, device_id): (BoxId, DeviceId),
) -> Octets {
    let mac = secret.mac(label, &bound(&text, box_id, device_id));
    text.extend_from_slice(&mac);
    text.into()
}

/// Whether a text was given to this device under the secret of this number.
pub(super) fn is_given(
    secrets: &MasterSecrets,
    number: u32,
    label: &str,
    (text, mac): (&[u8], &[u8; 32]),
    (box_id, device_id): (BoxId, DeviceId),
) -> bool {
    secrets.by_number(number).is_some_and(|secret| secret.mac_matches(label, &bound(text, box_id, device_id), mac))
}

fn bound(text: &[u8], box_id: BoxId, device_id: DeviceId) -> Vec<u8> {
    [text, box_id.as_bytes(), device_id.as_bytes()].concat()
}
