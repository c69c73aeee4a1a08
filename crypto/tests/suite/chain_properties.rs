//! Chains of membership against a model, and what no chain survives.

use proptest::prelude::*;
use rossby_crypto::key_record::{HeadRelation, KeyRecord};

use crate::world::{Device, device, flipped, founded_by, linked, removed};

/// What someone tries: to link a new device, or to remove one.
#[derive(Debug, Clone, Copy)]
enum Attempt {
    Link { signer: u8, new: u8 },
    Remove { signer: u8, gone: u8 },
}

fn attempt() -> impl Strategy<Value = Attempt> {
    // Few devices, so that many attempts are made by or upon those of the box.
    prop_oneof![
        (1_u8..6, 1_u8..6).prop_map(|(signer, new)| Attempt::Link { signer, new }),
        (1_u8..6, 1_u8..6).prop_map(|(signer, gone)| Attempt::Remove { signer, gone }),
    ]
}

/// Who ever belonged to the box, in the order in which they came, and whether they still do.
struct Model(Vec<(u8, bool)>);

impl Model {
    fn place(&self, device: u8) -> Option<usize> {
        self.0.iter().position(|(known, _)| *known == device)
    }

    fn is_member(&self, device: u8) -> bool {
        self.0.contains(&(device, true))
    }

    /// Does what the attempt asks, if it may be done.
    fn follow(&mut self, attempt: Attempt) -> bool {
        match attempt {
            Attempt::Link { signer, new } if self.is_member(signer) && self.place(new).is_none() => {
                self.0.push((new, true));
                true
            }
            Attempt::Remove { signer, gone }
                if self.is_member(signer) && self.is_member(gone) && self.place(signer) <= self.place(gone) =>
            {
                let place = self.place(gone).unwrap();
                self.0[place].1 = false;
                true
            }
            Attempt::Link { .. } | Attempt::Remove { .. } => false,
        }
    }
}

/// The record after all attempts; checks each against the model.
fn record_after(attempts: &[Attempt]) -> (KeyRecord, Model) {
    let devices: Vec<Device> = (0..6).map(device).collect();
    let mut model = Model(vec![(1, true)]);
    let mut record = founded_by(&devices[1]);
    for attempt in attempts {
        let statement = match *attempt {
            Attempt::Link { signer, new } => {
                linked(&record, &devices[usize::from(signer)], &devices[usize::from(new)]).octets().clone()
            }
            Attempt::Remove { signer, gone } => {
                removed(&record, &devices[usize::from(signer)], &devices[usize::from(gone)])
            }
        };
        let taken = record.append(&statement);
        assert_eq!(taken.is_ok(), model.follow(*attempt), "{attempt:?}: {taken:?}");
    }
    (record, model)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_record_takes_what_the_rules_allow_and_nothing_else(attempts in proptest::collection::vec(attempt(), 0..24)) {
        let (record, model) = record_after(&attempts);
        let devices: Vec<_> = record.devices().iter().map(|d| (d.device_id.as_bytes()[0], d.is_member())).collect();
        prop_assert_eq!(devices, model.0);
        prop_assert_eq!(KeyRecord::verify_of(record.box_id(), record.statements()), Ok(record));
    }

    #[test]
    fn every_beginning_is_a_record_that_the_whole_extends(attempts in proptest::collection::vec(attempt(), 0..24)) {
        let (record, _) = record_after(&attempts);
        for length in 1..record.statements().len() {
            let (beginning, rest) = record.statements().split_at(length);
            let earlier = KeyRecord::verify_of(record.box_id(), beginning).unwrap();
            prop_assert_eq!(record.relation(earlier.head()), HeadRelation::Older);
            prop_assert_eq!(earlier.relation(record.head()), HeadRelation::Ahead);
            prop_assert_eq!(record.statements_since(earlier.head()), Some(rest));
            prop_assert_eq!(earlier.merge(rest), Ok(record.clone()));
        }
    }

    #[test]
    fn nothing_can_be_left_out_moved_or_changed(
        attempts in proptest::collection::vec(attempt(), 8..24), place: prop::sample::Index, other: prop::sample::Index,
        octet: prop::sample::Index, bit in 0_u32..8,
    ) {
        let (record, _) = record_after(&attempts);
        let (statements, box_id) = (record.statements(), record.box_id());
        let (i, j) = (place.index(statements.len()), other.index(statements.len()));
        if i + 1 < statements.len() {
            let left_out = [&statements[..i], &statements[i + 1..]].concat();
            prop_assert!(KeyRecord::verify_of(box_id, &left_out).is_err());
        }
        if i != j {
            let mut swapped = statements.to_vec();
            swapped.swap(i, j);
            prop_assert!(KeyRecord::verify_of(box_id, &swapped).is_err());
        }
        let mut changed = statements.to_vec();
        changed[i] = flipped(statements[i].as_slice(), octet.index(statements[i].as_slice().len()), bit);
        prop_assert!(KeyRecord::verify_of(box_id, &changed).is_err());
    }

    #[test]
    fn any_octets_are_read_without_a_panic(octets in proptest::collection::vec(any::<u8>(), 0..300), kind in 0..5) {
        let kind = ["founded", "linked", "removed", "sealing", "account"][kind as usize];
        let octets = [format!("rossby/v1/{kind}\0").as_bytes(), &octets].concat().into();
        prop_assert!(KeyRecord::verify(std::slice::from_ref(&octets)).is_err());
        prop_assert!(rossby_crypto::account::AccountCommand::parse(&octets).is_err() || kind == "account");
        let _ = rossby_crypto::message::MessageValue::parse(&octets);
    }
}
