//! Local addresses: one UDP socket for each, because the other side must be told a concrete address
//! and answers to it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
};

use async_io::Async;

/// Most addresses that are used.
const ADDRESSES_MAX: usize = 16;

/// Sockets on the addresses of the interfaces that are up; on a loopback address when there is none.
///
/// # Errors
/// When no socket can be bound at all.
pub(crate) fn sockets() -> io::Result<Vec<Async<UdpSocket>>> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the network interfaces are not known");
        Vec::new()
    });
    let up = interfaces.iter().filter(|interface| interface.is_oper_up());
    let addresses = chosen(up.map(if_addrs::Interface::ip));
    let mut bound: Vec<_> =
        addresses.into_iter().filter_map(|address| bind(address).ok()).collect();
    if bound.is_empty() {
        bound.push(bind(Ipv4Addr::LOCALHOST.into())?);
    }
    Ok(bound)
}

/// A socket on an address, with any free port.
pub(crate) fn bind(address: IpAddr) -> io::Result<Async<UdpSocket>> {
    Async::<UdpSocket>::bind(SocketAddr::new(address, 0))
        .inspect_err(|error| tracing::debug!(%error, "a local address is not used"))
}

/// Which addresses to use: each once, no loopback, none that needs a scope.
fn chosen(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut chosen: Vec<IpAddr> = Vec::new();
    for address in addresses {
        let is_local = match address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        let is_usable = !address.is_loopback()
            && !address.is_unspecified()
            && !address.is_multicast()
            && !is_local;
        if is_usable && !chosen.contains(&address) && chosen.len() < ADDRESSES_MAX {
            chosen.push(address);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concrete_addresses_of_both_families_and_no_others() {
        let all = [
            "127.0.0.1",
            "::1",
            "10.0.0.1",
            "10.0.0.1",
            "fe80::1",
            "169.254.1.1",
            "2001:db8::1",
            "0.0.0.0",
            "ff02::1",
        ];
        let chosen = chosen(all.iter().map(|text| text.parse().unwrap()));
        let texts: Vec<String> = chosen.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["10.0.0.1", "2001:db8::1"]);
    }

    #[test]
    fn a_socket_has_a_concrete_address() {
        for socket in sockets().unwrap() {
            let address = socket.get_ref().local_addr().unwrap();
            assert!(!address.ip().is_unspecified() && address.port() != 0, "{address}");
        }
    }
}
