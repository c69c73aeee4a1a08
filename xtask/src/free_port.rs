//! A TCP port of the loopback interface that nobody listens on.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// `N` different free ports. They are free when asked for; who uses them must be ready to try again with others.
pub(crate) fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        // All listeners are held until all ports are known, or the same port could come twice.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::free_ports;

    #[test]
    fn ports_differ_from_each_other_and_can_be_bound() {
        // Another process can take one in between, and does at times; not in one round after the other.
        let can_be_bound = (0..20).any(|_| {
            let ports = free_ports::<4>().unwrap();
            assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), ports.len());
            ports.iter().all(|&port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok())
        });
        assert!(can_be_bound);
    }
}
