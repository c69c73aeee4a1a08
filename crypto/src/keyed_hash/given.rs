//! What a device of a box is given and brings back: a text, with a MAC that binds it to the device.

use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::{BoxId, DeviceId};

use super::{MasterSecret, MasterSecrets};
use crate::layout::{LayoutError, Reader};

const MAC_OCTETS: usize = 32;

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

/// Reads what this device was given, of so many octets at most: `read` reads the text, which begins with the number of the secret, and
/// the MAC stands behind it.
///
/// # Errors
/// Those of the layout, and `not_given` for what was given to another device, under another label, or was changed.
pub(super) fn take<T, E: From<LayoutError>>(
    secrets: &MasterSecrets,
    (label, most): (&str, usize),
    octets: &Octets,
    (box_id, device_id): (BoxId, DeviceId),
    not_given: E,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, LayoutError>,
) -> Result<T, E> {
    let mut reader = Reader::new(octets.as_slice(), most)?;
    let number = reader.u32()?;
    let taken = read(&mut reader)?;
    let mac = reader.fixed::<MAC_OCTETS>()?;
    reader.finish()?;
    let text = octets.as_slice().strip_suffix(&mac[..]).unwrap_or_default();
    let is_given = |secret: &MasterSecret| secret.mac_matches(label, &bound(text, box_id, device_id), &mac);
    if secrets.by_number(number).is_some_and(is_given) { Ok(taken) } else { Err(not_given) }
}

fn bound(text: &[u8], box_id: BoxId, device_id: DeviceId) -> Vec<u8> {
    [text, box_id.as_bytes(), device_id.as_bytes()].concat()
}

/// What holds for all that is given: it is good for its own device and unchanged, under each of the secrets.
#[cfg(test)]
pub(super) mod tests {
    use std::fmt::Debug;

    use super::*;

    /// Fails unless it is so. Gives how many octets it has.
    pub(crate) fn is_for_its_own_device<T: PartialEq + Debug, E: PartialEq + Debug>(
        given: &T,
        give: impl Fn(&MasterSecret, BoxId, DeviceId) -> Octets,
        take: impl Fn(&MasterSecrets, BoxId, DeviceId, &Octets) -> Result<T, E>,
        (not_given, is_malformed): (E, impl Fn(&E) -> bool),
    ) -> usize {
        let secrets = MasterSecrets::new(vec![MasterSecret::new(1, &[1; 32]), MasterSecret::new(2, &[2; 32])]).unwrap();
        let (box_id, device) = (BoxId::from_bytes([6; 16]), DeviceId::from_bytes([7; 16]));
        let mut length = 0;
        for number in [1, 2] {
            let octets = give(secrets.by_number(number).unwrap(), box_id, device);
            length = octets.as_slice().len();
            assert_eq!(take(&secrets, box_id, device, &octets).as_ref(), Ok(given));
            let (other_box, other) = (BoxId::from_bytes([8; 16]), DeviceId::from_bytes([8; 16]));
            assert_eq!(take(&secrets, box_id, other, &octets).as_ref(), Err(&not_given));
            assert_eq!(take(&secrets, other_box, device, &octets).as_ref(), Err(&not_given));
            for i in 0..length {
                let mut changed = octets.as_slice().to_vec();
                changed[i] ^= 0x40;
                assert!(take(&secrets, box_id, device, &changed.into()).is_err(), "{i}");
                let short = Octets::from(&octets.as_slice()[..i]);
                assert!(take(&secrets, box_id, device, &short).is_err_and(|error| is_malformed(&error)), "{i}");
            }
        }
        length
    }
}
