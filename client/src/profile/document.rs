//! What a profile says.

use rossby_schemas::encoding::Octets;
use serde::{Deserialize, Serialize};

use crate::error::ClientError;

/// How many octets a name has at most, in UTF-8.
pub const MAX_PROFILE_NAME: usize = 128;
/// How many octets a picture has at most: what a blob holds as base64, beside a name.
pub const MAX_PICTURE_OCTETS: usize = 23 * 1024;
/// A number that JSON holds exactly everywhere.
const MAX_REVISION: u64 = (1 << 53) - 1;
/// What a picture can be.
const PICTURE_TYPES: [&str; 3] = [JPEG, PNG, "image/webp"];
pub(super) const JPEG: &str = "image/jpeg";
pub(super) const PNG: &str = "image/png";

/// What somebody calls themselves. Nobody checks it: it stands beside an address, never in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// A name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<Picture>,
}

/// A small picture.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// What it is: `image/jpeg`, `image/png` or `image/webp`.
    pub media_type: String,
    /// Its octets, as they came: whoever shows it decodes it within bounds.
    pub data: Octets,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}, {} octets)", self.media_type, self.data.as_slice().len())
    }
}

impl Profile {
    /// Whether it says nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.name.is_none() && self.picture.is_none()
    }
}

/// A name that can be set.
///
/// # Errors
/// [`ClientError::BadProfileName`].
pub(super) fn name(text: &str) -> Result<String, ClientError> {
    let name = text.trim();
    let is_good = (1..=MAX_PROFILE_NAME).contains(&name.len()) && !name.chars().any(char::is_control);
    if is_good { Ok(name.to_owned()) } else { Err(ClientError::BadProfileName) }
}

/// A profile as it is sealed. Of two of one key the higher revision is the later one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) revision: u64,
    #[serde(flatten)]
    pub(super) profile: Profile,
}

impl Document {
    pub(super) fn write(&self) -> Vec<u8> {
        // Texts and numbers, which JSON can hold.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// None for a text that is no profile.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let document: Self = serde_json::from_slice(text).ok()?;
        let Profile { name, picture } = &document.profile;
        let is_name = name.as_ref().is_none_or(|name| (1..=MAX_PROFILE_NAME).contains(&name.len()));
        let is_picture = picture.as_ref().is_none_or(|picture| {
            PICTURE_TYPES.contains(&picture.media_type.as_str())
                && (1..=MAX_PICTURE_OCTETS).contains(&picture.data.as_slice().len())
        });
        (is_name && is_picture && document.revision <= MAX_REVISION).then_some(document)
    }
}

#[cfg(test)]
mod tests {
    use rossby_crypto::profile::MAX_PROFILE_TEXT;
    use serde_json::json;

    use super::*;

    fn document(name: &str, octets: usize) -> Document {
        let picture = Picture { media_type: "image/jpeg".to_owned(), data: vec![0xff; octets].into() };
        Document { revision: MAX_REVISION, profile: Profile { name: Some(name.to_owned()), picture: Some(picture) } }
    }

    #[test]
    fn the_largest_profile_fits_into_a_blob() {
        // Every octet of such a name is written as six.
        let largest = document(&"\u{1}".repeat(MAX_PROFILE_NAME), MAX_PICTURE_OCTETS);
        let text = largest.write();
        assert!(text.len() <= MAX_PROFILE_TEXT, "{}", text.len());
        assert_eq!(Document::read(&text), Some(largest));
    }

    #[test]
    fn what_is_no_profile_is_not_read() {
        assert!(Document::read(&document(&"a".repeat(MAX_PROFILE_NAME + 1), 1).write()).is_none());
        assert!(Document::read(&document("a", MAX_PICTURE_OCTETS + 1).write()).is_none());
        assert!(Document::read(&document("", 1).write()).is_none());
        let picture =
            |media_type: &str| json!({ "revision": 1, "picture": { "media_type": media_type, "data": "AA" } });
        assert!(Document::read(picture("image/svg+xml").to_string().as_bytes()).is_none());
        assert!(Document::read(picture("image/png").to_string().as_bytes()).is_some());
        for text in
            ["", "[]", "{}", r#"{"revision":-1}"#, r#"{"revision":9007199254740992}"#, r#"{"revision":1,"name":7}"#]
        {
            assert!(Document::read(text.as_bytes()).is_none(), "{text}");
        }
        let later = Document::read(br#"{"revision":1,"name":"Ann","pronouns":"she"}"#).unwrap();
        assert_eq!(later.profile.name.as_deref(), Some("Ann"), "fields of later versions are passed over");
    }

    #[test]
    fn a_name_is_short_and_commands_nothing() {
        assert_eq!(name("  Ann Ölçer 👋 ").unwrap(), "Ann Ölçer 👋");
        for bad in ["", "  ", "a\nb", "a\u{1b}[2J", &"a".repeat(MAX_PROFILE_NAME + 1)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
