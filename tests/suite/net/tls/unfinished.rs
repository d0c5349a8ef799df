//! TLS handshakes that clients do not finish, one by one and many at once.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};
use slotwork::TlsCertificate;

use support::certificates::Authority;
use support::raw_peer::{RawPeer, request};
use support::tls_peer::{OF_TLS_1_2, TlsPeer, check_good_tls_client, client_hello};
use support::{recorded_secure_server, serve};

/// Where a client stops.
#[derive(Clone, Copy, Debug)]
enum Place {
    BeforeTheGreeting,
    InTheGreeting,
    InTheHandshake,
    BehindTheHandshake,
    InTheRequest,
}

/// Qt: SRV-20, SRV-21: one deadline for all of it.
#[test]
fn a_peer_that_stops_in_the_middle_is_disconnected() -> Result<()> {
    use Place::{
        BeforeTheGreeting, BehindTheHandshake, InTheGreeting, InTheHandshake, InTheRequest,
    };
    let authority = Authority::new()?;
    for place in
        [BeforeTheGreeting, InTheGreeting, InTheHandshake, BehindTheHandshake, InTheRequest]
    {
        let (server, recorder) = recorded_secure_server(authority.server_config()?)?;
        server.set_handshake_timeout(Some(Duration::from_millis(200)));
        let (port, trusted) = (server.server_port(), authority.certificate());
        let (slow_port, slow_trusted) = (port, trusted.clone());

        serve(move || stop_at(place, slow_port, &slow_trusted))?;

        recorder.check(&["timeout 1006"]).with_context(|| format!("{place:?}"))?;
        server.set_handshake_timeout(Some(Duration::from_secs(20)));
        serve(move || check_good_tls_client(port, &trusted))?;
    }
    Ok(())
}

/// Goes as far as this, and waits for the end.
fn stop_at(place: Place, port: u16, trusted: &TlsCertificate) -> Result<()> {
    match place {
        Place::BeforeTheGreeting | Place::InTheGreeting => {
            let mut peer = RawPeer::connect(port)?;
            let cut = if matches!(place, Place::InTheGreeting) { 20 } else { 0 };
            peer.send(&client_hello([3, 3], OF_TLS_1_2)?[..cut])?;
            peer.read_to_end().map(drop)
        }
        Place::InTheHandshake => {
            let mut peer = TlsPeer::begin_with(port, trusted)?;
            peer.greet_and_stop()?;
            Ok(peer.tcp().read_to_end(&mut Vec::new()).map(drop)?)
        }
        Place::BehindTheHandshake | Place::InTheRequest => {
            let mut peer = TlsPeer::begin_with(port, trusted)?;
            peer.finish_tls()?;
            let cut = if matches!(place, Place::InTheRequest) { 30 } else { 0 };
            peer.send(&request()[..cut])?;
            assert_eq!(peer.read_status()?, 408);
            peer.read_to_end().map(drop)
        }
    }
}

/// A health probe that only connects is not an error.
#[test]
fn a_peer_that_sends_nothing_and_goes_is_not_reported() -> Result<()> {
    let authority = Authority::new()?;
    let (server, recorder) = recorded_secure_server(authority.server_config()?)?;
    let (port, trusted) = (server.server_port(), authority.certificate());

    serve(move || {
        RawPeer::connect(port)?.finish()?;
        RawPeer::connect(port)?.reset()?;
        check_good_tls_client(port, &trusted)
    })?;

    recorder.check(&["new connection"])
}

/// Connects as many clients that say nothing, a part of a greeting, or no more than a greeting.
fn stall(port: u16, trusted: &TlsCertificate, count: usize) -> Result<Vec<RawPeer>> {
    let beginning = &client_hello([3, 3], OF_TLS_1_2)?[..20];
    (0..count)
        .map(|number| {
            if number % 3 == 2 {
                let mut peer = TlsPeer::begin_with(port, trusted)?;
                peer.greet_and_stop()?;
                return RawPeer::of(TcpStream::try_clone(peer.tcp())?);
            }
            let mut peer = RawPeer::connect(port)?;
            peer.send(if number % 3 == 1 { beginning } else { b"" })?;
            Ok(peer)
        })
        .collect()
}

/// OPEN-01, with 500 clients at once.
#[test]
fn many_that_stall_disturb_no_others() -> Result<()> {
    let authority = Authority::new()?;
    let (server, recorder) = recorded_secure_server(authority.server_config()?)?;
    server.set_handshake_timeout(None);
    let (port, trusted) = (server.server_port(), authority.certificate());

    let stalled = serve(move || {
        let stalled = stall(port, &trusted, many())?;
        (0..10).try_for_each(|_| check_good_tls_client(port, &trusted))?;
        Ok(stalled)
    })?;

    assert_eq!(stalled.len(), many());
    recorder.check(&["new connection"; 10])
}

/// Qt: SRV-20, SRV-21: each of them has its deadline.
#[test]
fn many_that_stall_are_given_up() -> Result<()> {
    let authority = Authority::new()?;
    let (server, recorder) = recorded_secure_server(authority.server_config()?)?;
    server.set_handshake_timeout(Some(Duration::from_millis(200)));
    let (port, trusted) = (server.server_port(), authority.certificate());
    let good = trusted.clone();

    serve(move || {
        let mut stalled = stall(port, &trusted, many())?;
        stalled.iter_mut().try_for_each(|peer| peer.read_to_end().map(drop))
    })?;

    recorder.check(&vec!["timeout 1006"; many()])?;
    server.set_handshake_timeout(Some(Duration::from_secs(20)));
    serve(move || check_good_tls_client(port, &good))
}

/// As many as leave descriptors, of which each connection has two here, to the other tests.
fn many() -> usize {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let limit = None;
    limit.map_or(500, |limit: u64| usize::try_from(limit / 6).map_or(500, |count| count.min(500)))
}
