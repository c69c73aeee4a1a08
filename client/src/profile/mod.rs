//! Profiles: a name and a picture, encrypted for those whom their owner has accepted. What somebody calls themselves is claimed,
//! and checked by nobody.

mod document;
mod others;
mod own;
mod picture;

pub use document::{MAX_PICTURE_OCTETS, MAX_PROFILE_NAME, Picture, Profile};
pub use own::{ProfileChange, ProfileChanged};

#[cfg(test)]
mod tests;
