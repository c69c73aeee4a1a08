//! The seeds of every run. One that has found a mistake is kept, with what it found; the actions have changed since, so that it is
//! the mistake's own test that holds it.

use crate::run;

/// How many steps each has: some four thousand in all.
pub(crate) const STEPS: usize = 575;

/// What it found: a device that was linked was told that messages of before were missing; what was said on one that had no key of
/// somebody who had blocked its person waited, and came once they were unblocked; what was written while time passed had an expiry
/// that the server refused.
pub(crate) const FIRST: u64 = 1;

/// What it found: a device whose clock is wrong hid why it was refused; what a device had sent before it was removed was refused
/// where the remover's clock was behind.
#[test]
fn seed_2() {
    run(2, STEPS, false);
}

/// What it found: a deletion waited for somebody who had blocked its writer, as with the first seed.
#[test]
fn seed_3() {
    run(3, STEPS, false);
}

#[test]
fn seed_4() {
    run(4, STEPS, false);
}

#[test]
fn seed_5() {
    run(5, STEPS, false);
}

#[test]
fn seed_6() {
    run(6, STEPS, false);
}

#[test]
fn seed_7() {
    run(7, STEPS, false);
}

/// How many steps those have in which there are groups, too.
const STEPS_WITH_GROUPS: usize = 300;

/// What groups found: one of a person's devices took part in a group by itself, and another went on asking; a member who brought older
/// keys was told of.
#[test]
fn groups_of_seed_1() {
    run(1, STEPS_WITH_GROUPS, true);
}

#[test]
fn groups_of_seed_2() {
    run(2, STEPS_WITH_GROUPS, true);
}

/// Whoever is added while somebody affirms learns of it later.
#[test]
fn groups_of_seed_6() {
    run(6, STEPS_WITH_GROUPS, true);
}

/// What it found: what a device asked a member for was shown on the person's other devices, as a message that they can't read. Six times
/// two change a group at once.
#[test]
fn groups_of_seed_11() {
    run(11, STEPS_WITH_GROUPS, true);
}
