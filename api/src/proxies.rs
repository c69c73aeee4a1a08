//! Who asks, where a proxy stands in front: the address that it tells, if it is one of ours.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

/// The header that says for whom a proxy asks. Each proxy appends the address that it was asked from, so that it is read from the
/// right: what stands further left than the first address that is no proxy's, anyone may have written.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// An address, or all that begin in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// A text that is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no address, such as 192.0.2.1, and no network, such as 192.0.2.0/24")]
pub struct NotANetwork;

impl std::str::FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let bits = bits(address).1;
        let prefix = prefix.map_or(Ok(bits), |prefix| prefix.parse().map_err(|_| NotANetwork))?;
        if prefix > bits { Err(NotANetwork) } else { Ok(Self { address, prefix }) }
    }
}

impl Network {
    /// Whether an address is in it.
    fn contains(&self, address: IpAddr) -> bool {
        let ((own, own_length), (other, length)) = (bits(self.address), bits(address));
        let rest = own_length - self.prefix.min(own_length);
        own_length == length && own.checked_shr(rest).unwrap_or_default() == other.checked_shr(rest).unwrap_or_default()
    }
}

/// An address's bits, and how many there are.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// The proxies whose word is taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies(Vec<Network>);

impl Proxies {
    pub(crate) const fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Whether an address is a proxy's.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }

    /// Who asks, over a connection from `peer`. Where the proxies don't say it, the one that was nearest to it.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let mut told: Vec<&str> = Vec::new();
        for value in headers.get_all(FORWARDED_FOR) {
            // What can't be read tells nothing, and hides what stands left of it.
            told.extend(value.to_str().unwrap_or_default().split(','));
        }
        while self.contain(client) {
            match told.pop().map(|text| address(text.trim())) {
                Some(Some(before)) => client = before,
                _ => break,
            }
        }
        client
    }
}

/// An address, which some proxies write with its port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).parse().ok();
    let address = bare().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Result<Network, NotANetwork> {
        text.parse()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_are_read_and_hold_their_addresses() {
        for (text, inside, outside) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("10.0.0.0/8", "10.255.0.1", "::ffff:0:1"),
            ("0.0.0.0/0", "203.0.113.1", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::/0", "2001:db8::1", "203.0.113.1"),
            ("::1", "::1", "::2"),
        ] {
            let network = network(text).unwrap();
            assert!(network.contains(ip(inside)), "{text} {inside}");
            assert!(!network.contains(ip(outside)), "{text} {outside}");
        }
        for bad in ["", "proxy", "192.0.2.0/33", "::/129", "192.0.2.0/", "192.0.2.0/-1", "192.0.2/24", "192.0.2.0/24/1"]
        {
            assert_eq!(network(bad), Err(NotANetwork), "{bad}");
        }
    }

    #[test]
    fn the_client_is_the_rightmost_that_is_no_proxy() {
        let proxies = Proxies::new(["10.0.0.0/8", "::1"].map(|text| text.parse().unwrap()).to_vec());
        let client = |peer: &str, told: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in told {
                headers.append(FORWARDED_FOR, value.parse().unwrap());
            }
            proxies.client(ip(peer), &headers).to_string()
        };
        for (peer, told, expected) in [
            // Nobody takes a stranger's word.
            ("203.0.113.1", &["198.51.100.1"][..], "203.0.113.1"),
            ("10.0.0.1", &["203.0.113.1"], "203.0.113.1"),
            ("::ffff:10.0.0.1", &["203.0.113.1"], "203.0.113.1"),
            // What the client wrote itself stands further left.
            ("10.0.0.1", &["198.51.100.1, 203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["198.51.100.1", "203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["10.9.9.9,203.0.113.1 , 10.0.0.2"], "203.0.113.1"),
            ("::1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", &["203.0.113.1:4711"], "203.0.113.1"),
            // No more than the proxy itself is known.
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["198.51.100.1,"], "10.0.0.1"),
        ] {
            assert_eq!(client(peer, told), expected, "{peer} {told:?}");
        }
    }
}
