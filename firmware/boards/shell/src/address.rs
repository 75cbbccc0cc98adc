//! From a host's name or address to an address.

use embassy_net::dns::DnsQueryType;
use embassy_net::{IpAddress, Ipv4Address, Stack};

/// Looks `host` up, an address in text being its own. `None` if nobody knows it.
pub(crate) async fn resolve(stack: Stack<'_>, host: &str) -> Option<IpAddress> {
    if let Some(address) = literal(host) {
        return Some(address);
    }
    stack.wait_config_up().await;
    stack.dns_query(host, DnsQueryType::A).await.ok()?.first().copied()
}

/// The address that `host` spells, if it spells one.
pub(crate) fn literal(host: &str) -> Option<IpAddress> {
    host.parse::<Ipv4Address>().ok().map(IpAddress::Ipv4)
}
