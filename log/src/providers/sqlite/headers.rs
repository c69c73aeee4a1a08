//! How a record's headers stand in their column: for each header the length and octets of its name, then of its value;
//! lengths are u32, big-endian.

use bytes::{Buf, Bytes};
use rossby_schemas::envelope::Header;

pub(super) fn encode(headers: &[Header]) -> Vec<u8> {
    let mut out = Vec::with_capacity(headers.iter().map(|(name, value)| name.len() + value.len() + 8).sum());
    for (name, value) in headers {
        for part in [name.as_bytes(), value] {
            // A record is far smaller than u32 can say.
            out.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend(part);
        }
    }
    out
}

/// None for octets that were not made by [`encode`].
pub(super) fn decode(encoded: Vec<u8>) -> Option<Vec<Header>> {
    let mut rest = Bytes::from(encoded);
    let mut headers = Vec::new();
    while rest.has_remaining() {
        let name = String::from_utf8(part(&mut rest)?.to_vec()).ok()?;
        headers.push((name, part(&mut rest)?));
    }
    Some(headers)
}

fn part(rest: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(rest.try_get_u32().ok()?).ok()?;
    (length <= rest.len()).then(|| rest.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_back() {
        let headers: Vec<Header> = vec![
            ("a".into(), Bytes::from_static(b"1")),
            ("a".into(), Bytes::from_static(b"")),
            (String::new(), Bytes::from_static(&[0xff, 0])),
        ];
        let encoded = encode(&headers);
        assert_eq!(decode(encoded.clone()), Some(headers));
        assert_eq!(decode(Vec::new()), Some(Vec::new()));
        // Cut in the middle of a header.
        assert_eq!(decode(encoded[..encoded.len() - 1].to_vec()), None);
        assert_eq!(decode(encoded[..6].to_vec()), None);
    }
}
