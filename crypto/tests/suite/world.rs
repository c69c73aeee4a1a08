//! Devices, boxes and a generator whose octets are given.

use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{
    Linked, Remover, SealingKeyStated, Statement, found, link, remove, request_link, state_sealing_key,
};
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::{DeviceId, RegionNumber};
use rossby_schemas::time::Timestamp;

/// 2026-01-01T00:00:00Z.
pub(crate) const BEGIN: u64 = 1_767_225_600_000;
pub(crate) const DAY: u64 = 24 * 3600 * 1000;

pub(crate) fn time(millis_after: u64) -> Timestamp {
    Timestamp::from_millis(BEGIN + millis_after).unwrap()
}

/// A generator that gives the octets that it was given, and no more.
pub(crate) struct Given(pub(crate) Vec<u8>);

impl rand_core::TryRng for Given {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut octets = [0; 4];
        self.try_fill_bytes(&mut octets).map(|()| u32::from_le_bytes(octets))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut octets = [0; 8];
        self.try_fill_bytes(&mut octets).map(|()| u64::from_le_bytes(octets))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Self::Error> {
        let rest = self.0.split_off(octets.len());
        octets.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Given {}

/// A device whose keys and id are made of one octet.
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) key: SigningKey,
    pub(crate) sealing_key: SealingSecretKey,
}

pub(crate) fn device(n: u8) -> Device {
    Device {
        id: DeviceId::from_bytes([n; 16]),
        key: SigningKey::from_seed(&[n; 32]),
        sealing_key: SealingSecretKey::from_bytes(&[n; 32]).unwrap(),
    }
}

/// The key that `recovered` boxes can remove devices with.
pub(crate) fn recovery_key() -> SigningKey {
    SigningKey::from_seed(&[0xee; 32])
}

/// A box founded by this device, without a recovery key.
pub(crate) fn founded_by(device: &Device) -> KeyRecord {
    founding(device, None)
}

/// A box founded by this device, with [`recovery_key`].
pub(crate) fn recoverable(device: &Device) -> KeyRecord {
    founding(device, Some(recovery_key()))
}

fn founding(device: &Device, recovery: Option<SigningKey>) -> KeyRecord {
    let [n, ..] = *device.id.as_bytes();
    let recovery = recovery.map(|key| key.verification_key());
    let founded = found(&device.key, device.id, RegionNumber(1), [n; 32], recovery, time(0));
    KeyRecord::verify(std::slice::from_ref(founded.octets())).unwrap()
}

/// `signer` links `new` after the record's head.
pub(crate) fn linked(record: &KeyRecord, signer: &Device, new: &Device) -> Statement<Linked> {
    let request = request_link(&new.key, new.id, record.box_id(), record.head());
    link(&signer.key, signer.id, record.box_id(), record.head(), &request, time(u64::from(record.head().version)))
}

/// `signer` removes `gone` after the record's head.
pub(crate) fn removed(record: &KeyRecord, signer: &Device, gone: &Device) -> Octets {
    let by = Remover::Device(signer.id);
    let time = time(u64::from(record.head().version));
    remove(&signer.key, by, record.box_id(), record.head(), gone.id, time).octets().clone()
}

/// The record with `new` linked by `signer`.
pub(crate) fn with(record: &KeyRecord, signer: &Device, new: &Device) -> KeyRecord {
    let mut record = record.clone();
    record.append(linked(&record, signer, new).octets()).unwrap();
    record
}

/// The record without `gone`, which `signer` removed.
pub(crate) fn without(record: &KeyRecord, signer: &Device, gone: &Device) -> KeyRecord {
    let mut record = record.clone();
    record.append(&removed(&record, signer, gone)).unwrap();
    record
}

/// What a device states of its sealing key: good for 30 days from the beginning.
pub(crate) fn stated(record: &KeyRecord, device: &Device, counter: u64) -> SealingKeyStated {
    SealingKeyStated {
        box_id: record.box_id(),
        device_id: device.id,
        counter,
        key: device.sealing_key.public_key(),
        created: time(0),
        expires: time(30 * DAY),
        head: record.head(),
    }
}

/// That statement, signed by the device.
pub(crate) fn sealing_statement(record: &KeyRecord, device: &Device, counter: u64) -> Octets {
    state_sealing_key(&device.key, stated(record, device, counter)).octets().clone()
}

/// The octets with the bit `bit` of octet `i` turned over.
pub(crate) fn flipped(octets: &[u8], i: usize, bit: u32) -> Octets {
    let mut octets = octets.to_vec();
    octets[i] ^= 1 << bit;
    octets.into()
}
