//! Codes that two people's devices show each other.

use rossby_crypto::key_record::{HeadRelation, KeyRecord};
use rossby_crypto::verification::{Mismatch, NotAVerificationCode, VerificationCode};

use crate::world::{device, founded_by, with, without};

/// Ann's record with two devices, and Ben's with one.
fn two_boxes() -> (KeyRecord, KeyRecord) {
    let (phone, laptop) = (device(1), device(2));
    (with(&founded_by(&phone), &phone, &laptop), founded_by(&device(3)))
}

#[test]
fn each_side_confirms_what_the_other_shows() {
    let (ann, ben) = two_boxes();
    for (shows, reads) in [(&ann, &ben), (&ben, &ann)] {
        let code: VerificationCode = VerificationCode::new(shows, reads).to_string().parse().unwrap();
        let compared = code.compare(reads, shows).unwrap();
        assert_eq!((compared.theirs, compared.ours), (HeadRelation::Same, HeadRelation::Same));
    }
}

#[test]
fn records_that_are_behind_or_ahead_are_no_mismatch() {
    let (ann, ben) = two_boxes();
    let before = founded_by(&device(1));
    let code = VerificationCode::new(&ben, &before);
    assert_eq!(code.compare(&ann, &ben).unwrap().ours, HeadRelation::Older, "Ben hasn't seen the laptop yet");
    let code = VerificationCode::new(&ann, &ben);
    assert_eq!(code.compare(&ben, &before).unwrap().theirs, HeadRelation::Ahead, "nor has his device");
}

#[test]
fn whoever_stands_between_is_seen() {
    let (ann, ben) = two_boxes();
    let eve = founded_by(&device(9));
    assert_eq!(VerificationCode::new(&eve, &ann).compare(&ann, &ben), Err(Mismatch::Theirs), "Eve's own code");
    assert_eq!(VerificationCode::new(&ben, &eve).compare(&ann, &ben), Err(Mismatch::Ours), "Ben has Eve for Ann");
    assert_eq!(VerificationCode::new(&ann, &ben).compare(&ann, &ben), Err(Mismatch::OwnCode));
    // The same founding, and another laptop.
    let (phone, other) = (device(1), device(7));
    let forked = with(&founded_by(&phone), &phone, &other);
    assert_eq!(VerificationCode::new(&forked, &ben).compare(&ben, &ann), Err(Mismatch::TheirRecord));
    assert_eq!(VerificationCode::new(&ben, &forked).compare(&ann, &ben), Err(Mismatch::OurRecord));
    let longer = without(&forked, &phone, &other);
    assert_eq!(
        VerificationCode::new(&ann, &ben).compare(&ben, &longer),
        Err(Mismatch::TheirRecord),
        "a longer record hides no fork"
    );
}

#[test]
fn a_code_is_read_in_either_case_and_over_line_ends_and_nothing_else_is_one() {
    let (ann, ben) = two_boxes();
    let code = VerificationCode::new(&ann, &ben);
    let text = code.to_string();
    assert!(text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ':'), "{text}");
    for typed in [text.to_lowercase(), format!("  {}\n{} ", &text[..60], &text[60..])] {
        assert_eq!(typed.parse(), Ok(code));
    }
    let mut newer = text.clone();
    // The version is in the first two characters: AE is 1, AI is 2.
    assert_eq!(&newer[14..15], "A");
    newer.replace_range(14..16, "AI");
    assert!(matches!(newer.parse::<VerificationCode>(), Err(NotAVerificationCode::Newer(2))), "{newer}");
    let long = "A".repeat(5000);
    let malformed = [
        "",
        "ROSSBY:VERIFY:",
        "ROSSBY:LINK:ABCD",
        &text[..text.len() - 1],
        &format!("{text}A"),
        &text[14..],
        "é",
        &long,
    ];
    for bad in malformed {
        assert_eq!(bad.parse::<VerificationCode>(), Err(NotAVerificationCode::Malformed), "{bad}");
    }
}
