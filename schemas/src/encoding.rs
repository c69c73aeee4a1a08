//! Binary fields in JSON: base64url without padding (RFC 4648, section 5).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

/// A text that is not base64url without padding, or has the wrong length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// Not base64url without padding.
    #[error("is not base64url without padding")]
    NotBase64Url,
    /// The octets are not as many as the field holds.
    #[error("has {found} octets, not {expected}")]
    Length {
        /// How many octets the field holds.
        expected: usize,
        /// How many came.
        found: usize,
    },
}

/// Octets of any number, as base64url in JSON.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, format = "base64url")]
pub struct Octets(pub Bytes);

impl Octets {
    /// The octets themselves.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Octets {
    fn from(octets: Vec<u8>) -> Self {
        Self(octets.into())
    }
}

impl From<&[u8]> for Octets {
    fn from(octets: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(octets))
    }
}

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Octets({} octets)", self.0.len())
    }
}

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl FromStr for Octets {
    type Err = EncodingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let octets = URL_SAFE_NO_PAD.decode(text).map_err(|_| EncodingError::NotBase64Url)?;
        Ok(Self(octets.into()))
    }
}

/// Exactly `N` octets, as base64url in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FixedOctets<const N: usize>(pub [u8; N]);

/// A SHA-256 digest.
pub type Sha256Digest = FixedOctets<32>;

impl<const N: usize> FixedOctets<N> {
    /// The octets as a slice.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> From<[u8; N]> for FixedOctets<N> {
    fn from(octets: [u8; N]) -> Self {
        Self(octets)
    }
}

impl<const N: usize> TryFrom<&[u8]> for FixedOctets<N> {
    type Error = EncodingError;

    fn try_from(octets: &[u8]) -> Result<Self, Self::Error> {
        octets.try_into().map(Self).map_err(|_| EncodingError::Length { expected: N, found: octets.len() })
    }
}

impl<const N: usize> AsRef<[u8]> for FixedOctets<N> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for FixedOctets<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> fmt::Display for FixedOctets<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<const N: usize> FromStr for FixedOctets<N> {
    type Err = EncodingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(Octets::from_str(text)?.as_slice())
    }
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Octets {
    fn schema_name() -> Cow<'static, str> {
        "Octets".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "contentEncoding": "base64url", "pattern": "^[A-Za-z0-9_-]*$" })
    }
}

impl<const N: usize> Serialize for FixedOctets<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for FixedOctets<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl<const N: usize> JsonSchema for FixedOctets<N> {
    fn schema_name() -> Cow<'static, str> {
        format!("Octets{N}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let length = (N * 4).div_ceil(3);
        json_schema!({
            "type": "string",
            "contentEncoding": "base64url",
            "pattern": format!("^[A-Za-z0-9_-]{{{length}}}$"),
        })
    }
}

impl<const N: usize> utoipa::PartialSchema for FixedOctets<N> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let length = (N * 4).div_ceil(3);
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::Custom("base64url".into())))
            .min_length(Some(length))
            .max_length(Some(length))
            .into()
    }
}

impl<const N: usize> ToSchema for FixedOctets<N> {
    fn name() -> Cow<'static, str> {
        format!("Octets{N}").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_base64url_without_padding() {
        let octets = Octets::from(vec![0xfb, 0xff]);
        assert_eq!(octets.to_string(), "-_8");
        assert_eq!("-_8".parse(), Ok(octets));
        for bad in ["-_8=", "+/8", "-_8 ", "a"] {
            assert_eq!(bad.parse::<Octets>(), Err(EncodingError::NotBase64Url), "{bad}");
        }
    }

    #[test]
    fn fixed_octets_say_how_many_they_want() {
        let err = "AAAA".parse::<Sha256Digest>().unwrap_err();
        assert_eq!(err, EncodingError::Length { expected: 32, found: 3 });
        assert_eq!(serde_json::to_string(&FixedOctets([0_u8; 3])).unwrap(), "\"AAAA\"");
    }
}
