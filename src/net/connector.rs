//! Connects to a host by its name.
//!
//! The name is looked up in another thread, because the system's way blocks. Of several addresses
//! each next one is tried when the one before has failed, or has not answered for a while, in the
//! manner of RFC 8305.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};
use std::task::{Context, Poll};
use std::time::Duration;

use smol::future::FutureExt;

use crate::net::stream::TcpStream;
use crate::runtime::timers::Sleep;

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The host has no address.
    NotFound(io::Error),
    /// None of its addresses could be reached.
    Unreachable(io::Error),
}

/// Connects to a host, which is a name or an IP address, perhaps with a zone: `fe80::1%eth0`.
pub(crate) async fn connect(host: &str, port: u16) -> Result<TcpStream, Failure> {
    let mut addresses = in_turn(look_up(host, port).await.map_err(Failure::NotFound)?);
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
        let patience = if addresses.is_empty() { Duration::MAX } else { ATTEMPT_DELAY };
        let first = poll_fn(|cx| poll_attempts(&mut attempts, &mut error, cx));
        let impatience = async {
            Sleep::new(patience).await;
            None
        };
        if let Some(stream) = first.or(impatience).await {
            return Ok(stream);
        }
    }
    Err(Failure::Unreachable(error))
}

async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    if let Some((address, zone)) = host.split_once('%')
        && let Ok(address) = address.parse::<Ipv6Addr>()
    {
        let scope = scope_of(zone).await?;
        return Ok(vec![SocketAddrV6::new(address, port, 0, scope).into()]);
    }
    ask_system(host.to_owned(), port).await
}

/// Returns the number of a zone, which is that of an interface or its name (RFC 4007 §11.2).
async fn scope_of(zone: &str) -> io::Result<u32> {
    if let Ok(number) = zone.parse() {
        return Ok(number);
    }
    // As a part of a link-local address every system knows the names.
    let addresses = ask_system(format!("fe80::1%{zone}"), 0).await?;
    let scope = addresses.iter().find_map(|address| match address {
        SocketAddr::V6(address) => Some(address.scope_id()),
        SocketAddr::V4(_) => None,
    });
    scope.ok_or_else(|| io::ErrorKind::NotFound.into())
}

async fn ask_system(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    smol::unblock(move || (host, port).to_socket_addrs().map(Iterator::collect)).await
}

/// Orders addresses so that the two families take turns, beginning with that of the first one.
fn in_turn(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
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

/// Returns the first attempt that has succeeded, or nothing when all have failed.
fn poll_attempts(
    attempts: &mut Vec<TcpStream>,
    error: &mut io::Error,
    cx: &mut Context<'_>,
) -> Poll<Option<TcpStream>> {
    let mut place = 0;
    while let Some(attempt) = attempts.get_mut(place) {
        match attempt.poll_connected(cx) {
            Poll::Pending => place += 1,
            Poll::Ready(Ok(())) => return Poll::Ready(Some(attempts.swap_remove(place))),
            Poll::Ready(Err(failure)) => {
                *error = failure;
                attempts.swap_remove(place);
            }
        }
    }
    if attempts.is_empty() { Poll::Ready(None) } else { Poll::Pending }
}

/// RFC 8305 §5: how long an attempt has before the next one begins beside it.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_take_turns() {
        let addresses = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"];
        let addresses = addresses.map(|address| address.parse().unwrap());

        let ordered = in_turn(addresses.to_vec());

        let ipv6: Vec<_> = ordered.iter().map(SocketAddr::is_ipv6).collect();
        assert_eq!(ipv6, [true, false, true, false, true]);
    }
}
