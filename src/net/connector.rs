//! Connects to a host by its name (RFC 8305).
//!
//! The name is resolved in another thread, because the system's resolver blocks. Of several
//! addresses, the next one is tried when the one before has failed, or has not answered in time.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};
use std::task::{Context, Poll};
use std::time::Duration;

use smol::future::FutureExt;

use crate::net::stream::tcp_stream::TcpStream;
use crate::runtime::timers::Sleep;

/// Looks up a host: a name, or an IP address with or without a zone.
///
/// An address with a zone is `fe80::1%eth0`, for example.
pub(crate) async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    if let Some((address, zone)) = host.split_once('%')
        && let Ok(address) = address.parse::<Ipv6Addr>()
    {
        let scope = scope_of(zone).await?;
        return Ok(vec![SocketAddrV6::new(address, port, 0, scope).into()]);
    }
    resolve(host.to_owned(), port).await
}

/// Connects to one of a host's addresses.
///
/// The error is that of the last address that failed.
pub(crate) async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut addresses = interleave(addresses);
    let mut attempts = Vec::new();
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    while let Some(address) = addresses.pop_front() {
        match TcpStream::connect(address) {
            Ok(attempt) => attempts.push(attempt),
            Err(refused) => {
                error = refused;
                continue;
            }
        }
        let delay = if addresses.is_empty() { Duration::MAX } else { ATTEMPT_DELAY };
        let first = poll_fn(|cx| poll_attempts(&mut attempts, &mut error, cx));
        let timeout = async {
            Sleep::new(delay).await;
            None
        };
        if let Some(stream) = first.or(timeout).await {
            return Ok(stream);
        }
    }
    Err(error)
}

/// Returns the number of a zone: its own, or an interface's (RFC 4007 §11.2).
async fn scope_of(zone: &str) -> io::Result<u32> {
    if let Ok(number) = zone.parse() {
        return Ok(number);
    }
    // Resolvers know the names of interfaces in link-local addresses.
    let addresses = resolve(format!("fe80::1%{zone}"), 0).await?;
    let scope = addresses.iter().find_map(|address| match address {
        SocketAddr::V6(address) => Some(address.scope_id()),
        SocketAddr::V4(_) => None,
    });
    scope.ok_or_else(|| io::ErrorKind::NotFound.into())
}

async fn resolve(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    smol::unblock(move || (host, port).to_socket_addrs().map(Iterator::collect)).await
}

/// Alternates the address families, beginning with the first one's (RFC 8305 §4).
fn interleave(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let begins_with_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == begins_with_ipv6);
    let mut second = second.into_iter();
    let mut ordered = VecDeque::new();
    for address in first {
        ordered.push_back(address);
        ordered.extend(second.next());
    }
    ordered.extend(second);
    ordered
}

/// Returns the first established connection; `None` when all attempts have failed.
fn poll_attempts(
    attempts: &mut Vec<TcpStream>,
    error: &mut io::Error,
    cx: &mut Context<'_>,
) -> Poll<Option<TcpStream>> {
    let mut index = 0;
    while let Some(attempt) = attempts.get_mut(index) {
        match attempt.poll_connected(cx) {
            Poll::Pending => index += 1,
            Poll::Ready(Ok(())) => return Poll::Ready(Some(attempts.swap_remove(index))),
            Poll::Ready(Err(failure)) => {
                *error = failure;
                attempts.swap_remove(index);
            }
        }
    }
    if attempts.is_empty() { Poll::Ready(None) } else { Poll::Pending }
}

/// The connection attempt delay, after which the next one begins (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_alternate() {
        let addresses = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"];
        let addresses = addresses.map(|address| address.parse().unwrap());

        let ordered = interleave(addresses.to_vec());

        let ipv6: Vec<_> = ordered.iter().map(SocketAddr::is_ipv6).collect();
        assert_eq!(ipv6, [true, false, true, false, true]);
    }
}
