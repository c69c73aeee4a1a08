//! Rate limits: for each device once it is authenticated, for each address before.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Extensions;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};
use rossby_commands::Caller;
use rossby_schemas::http::problem::{Problem, ProblemType};

use crate::error::ApiError;
use crate::seats::{Full, Seat, Seats};

/// What one client may take.
#[derive(Debug, Clone, Copy)]
pub struct ApiLimits {
    /// Authenticated requests a second for each device, and how many of them at once.
    pub device: (NonZeroU32, NonZeroU32),
    /// Signals a second for each device, and how many of them at once.
    pub signals: (NonZeroU32, NonZeroU32),
    /// Requests a second without authentication for each address, and how many of them at once.
    pub address: (NonZeroU32, NonZeroU32),
    /// Fetches that wait, at once for each device.
    pub device_waits: usize,
    /// Readers of a rendezvous that wait, at once for each address.
    pub address_waits: usize,
    /// How long a request may take to arrive.
    pub request_timeout: Duration,
}

/// The address that a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// So many keys are remembered before those that have recovered are forgotten.
const SHRINK_AT: usize = 50_000;
/// How much an address may leave at rendezvous in a day, in KiB: a linking takes about 20, and what is left stands in the log for as
/// long as a message may.
const RENDEZVOUS_KIB: NonZeroU32 = NonZeroU32::new(8192).unwrap();
const DAY: Duration = Duration::from_secs(24 * 3600);
/// When to come again if too many wait, in seconds: a wait takes up to half a minute.
const WAIT_LATER: u64 = 5;

pub(crate) struct Limiters {
    devices: DefaultKeyedRateLimiter<Caller>,
    signals: DefaultKeyedRateLimiter<Caller>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    rendezvous: DefaultKeyedRateLimiter<IpAddr>,
    device_waits: Arc<Seats<Caller>>,
    address_waits: Arc<Seats<IpAddr>>,
}

impl Limiters {
    pub(crate) fn new(limits: ApiLimits) -> Self {
        let quota = |(per_second, burst): (NonZeroU32, NonZeroU32)| Quota::per_second(per_second).allow_burst(burst);
        Self {
            devices: RateLimiter::keyed(quota(limits.device)),
            signals: RateLimiter::keyed(quota(limits.signals)),
            addresses: RateLimiter::keyed(quota(limits.address)),
            rendezvous: RateLimiter::keyed(
                Quota::with_period(DAY / RENDEZVOUS_KIB.get())
                    .map_or_else(|| Quota::per_second(NonZeroU32::MIN), |quota| quota.allow_burst(RENDEZVOUS_KIB)),
            ),
            device_waits: Arc::new(Seats::new(limits.device_waits, usize::MAX)),
            address_waits: Arc::new(Seats::new(limits.address_waits, usize::MAX)),
        }
    }

    pub(crate) fn check_device(&self, caller: Caller) -> Result<(), ApiError> {
        check(&self.devices, &caller)
    }

    /// How long a device must wait before its next frame is taken; none if it is taken now.
    pub(crate) fn frame_pause(&self, caller: Caller) -> Option<Duration> {
        let taken = self.devices.check_key(&caller);
        taken.err().map(|until| until.wait_time_from(DefaultClock::default().now()))
    }

    /// Refuses more signals than a device may send: all of them or none.
    pub(crate) fn check_signals(&self, caller: Caller, signals: usize) -> Result<(), ApiError> {
        let count = u32::try_from(signals).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        shrink(&self.signals);
        match self.signals.check_key_n(&caller, count) {
            Ok(taken) => taken.map_err(too_many),
            Err(_) => Err(ApiError::field(ProblemType::RateLimited, "/signals", "are more than may be sent at once")),
        }
    }

    /// A place for a device's fetch that waits.
    pub(crate) fn device_wait(&self, caller: Caller) -> Result<Seat<Caller>, ApiError> {
        self.device_waits.seat(caller).map_err(too_many_waits)
    }

    /// A place for a reader that waits and has signed nothing; none is needed where no address is known.
    pub(crate) fn address_wait(&self, extensions: &Extensions) -> Result<Option<Seat<IpAddr>>, ApiError> {
        let address = extensions.get::<ClientAddress>();
        let seat = address.map(|ClientAddress(address)| self.address_waits.seat(network(*address)));
        seat.transpose().map_err(too_many_waits)
    }

    /// Counts what an address leaves at a rendezvous, as its text in the request.
    pub(crate) fn check_rendezvous(&self, extensions: &Extensions, octets: usize) -> Result<(), ApiError> {
        let Some(ClientAddress(address)) = extensions.get::<ClientAddress>() else { return Ok(()) };
        let kib = u32::try_from(octets.div_ceil(1024)).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        shrink(&self.rendezvous);
        match self.rendezvous.check_key_n(&network(*address), kib) {
            Ok(taken) => taken.map_err(too_many),
            Err(_) => Err(ApiError::field(ProblemType::TooLarge, "/sealed", "is more than may be left in a day")),
        }
    }

    pub(crate) fn check_address(&self, extensions: &Extensions) -> Result<(), ApiError> {
        match extensions.get::<ClientAddress>() {
            Some(ClientAddress(address)) => check(&self.addresses, &network(*address)),
            None => Ok(()),
        }
    }
}

fn too_many_waits(_: Full) -> ApiError {
    ApiError::later(ProblemType::RateLimited, "Too many requests wait already: let one end first.", WAIT_LATER)
}

/// Whoever has one address of a /64 has all of them.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

fn check<K: Clone + Eq + std::hash::Hash>(limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<(), ApiError> {
    shrink(limiter);
    limiter.check_key(key).map_err(too_many)
}

fn shrink<K: Clone + Eq + std::hash::Hash>(limiter: &DefaultKeyedRateLimiter<K>) {
    if limiter.len() > SHRINK_AT {
        limiter.retain_recent();
    }
}

fn too_many(until: NotUntil<<DefaultClock as Clock>::Instant>) -> ApiError {
    let wait = until.wait_time_from(DefaultClock::default().now());
    Problem { retry_after: Some(wait.as_secs() + 1), ..Problem::new(ProblemType::RateLimited) }.into()
}

#[cfg(test)]
mod tests {
    use rossby_schemas::ids::{BoxId, DeviceId};

    use super::*;

    #[test]
    fn neighbours_share_a_limit() {
        let address = |text: &str| network(text.parse().unwrap());
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
    }

    fn limiters(quick: (NonZeroU32, NonZeroU32)) -> Limiters {
        Limiters::new(ApiLimits {
            device: quick,
            signals: quick,
            address: (NonZeroU32::MIN, NonZeroU32::MIN),
            device_waits: 1,
            address_waits: 1,
            request_timeout: Duration::from_secs(1),
        })
    }

    #[test]
    fn an_address_leaves_only_so_much_at_rendezvous() {
        let limiters = limiters((NonZeroU32::MIN, NonZeroU32::MIN));
        let from = |address: &str| {
            let mut extensions = Extensions::new();
            extensions.insert(ClientAddress(address.parse().unwrap()));
            extensions
        };
        let (one, other) = (from("192.0.2.1"), from("192.0.2.2"));
        assert_eq!((0..2000).filter(|_| limiters.check_rendezvous(&one, 8000).is_ok()).count(), 1024);
        assert!(limiters.check_rendezvous(&one, 8000).is_err());
        assert!(limiters.check_rendezvous(&other, 1).is_ok(), "another has its own");
    }

    #[test]
    fn a_burst_is_let_through_and_no_more() {
        let one = NonZeroU32::MIN;
        let three = NonZeroU32::new(3).unwrap();
        let limiters = limiters((one, three));
        let caller = |box_id, device_id| Caller {
            box_id: BoxId::from_bytes([box_id; 16]),
            device_id: DeviceId::from_bytes([device_id; 16]),
        };
        assert_eq!((0..9).filter(|_| limiters.check_device(caller(1, 1)).is_ok()).count(), 3);
        assert!(limiters.check_device(caller(1, 2)).is_ok());
        // Anyone may found a box whose device has the id of another's.
        assert!(limiters.check_device(caller(2, 1)).is_ok());
        assert!(limiters.check_signals(caller(1, 1), 3).is_ok() && limiters.check_signals(caller(1, 1), 1).is_err());
        assert!(limiters.check_signals(caller(2, 1), 3).is_ok());
    }
}
