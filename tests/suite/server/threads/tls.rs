//! TLS on several threads: handshakes in the parts, certificates that are renewed, errors.

use anyhow::{Result, ensure};
use slotwork::{HostAddress, PeerVerifyMode, SslMode, WebSocket, WebSocketServer};

use support::certificates::{Authority, Pem};
use support::tls_peer::{TlsPeer, check_good_tls_client};
use support::{serve, wait_until};

use crate::server::threads::{Shared, echo_all, thread_name};

/// Qt: `setSslConfiguration()`: a renewed certificate reaches every thread, and clients
/// that have only the first are refused.
#[test]
fn a_renewed_certificate_reaches_all_threads() -> Result<()> {
    let (first, second) = (Authority::new()?, Authority::new()?);
    let server = WebSocketServer::new("Renewal", SslMode::Secure);
    server.set_tls_config(first.server_config()?)?;
    let _threads = server.serve_on_threads(2, echo_all)?;
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();
    let (old, new) = (first.certificate(), second.certificate());

    let trusted = old.clone();
    serve(move || (0..4).try_for_each(|_| check_good_tls_client(port, &trusted)))?;
    server.set_tls_config(second.server_config()?)?;

    serve(move || {
        for _ in 0..4 {
            check_good_tls_client(port, &new)?;
            ensure!(check_good_tls_client(port, &old).is_err());
        }
        Ok(())
    })
}

/// The errors of a client's certificate are emitted by the part, and by the server, whose direct
/// slots run in the part's thread.
#[test]
fn errors_of_certificates_are_emitted_by_the_part_and_the_whole() -> Result<()> {
    let authority = Authority::new()?;
    let server = WebSocketServer::new("Certificates", SslMode::Secure);
    let config = authority.server_config()?.ca_certificates([authority.certificate()]);
    server.set_tls_config(config.peer_verify_mode(PeerVerifyMode::Required))?;
    let emitted = Shared::new();
    let (of_part, of_slot, of_direct) = (emitted.clone(), emitted.clone(), emitted.clone());
    let _threads = server.serve_on_threads(1, move |part| {
        let of_part = of_part.clone();
        part.tls_errors().connect(move |_part, _errors| of_part.add(("part", thread_name())));
    })?;
    let here = thread_name();
    server.tls_errors().connect(move |_server, _errors| of_slot.add(("slot", thread_name())));
    server
        .tls_errors()
        .direct()
        .connect(move |_server, _errors| of_direct.add(("direct", thread_name())));
    server.listen(HostAddress::LocalHost, 0)?;

    let client = WebSocket::new();
    let identity = Pem::self_signed(&["localhost"])?.identity()?;
    client.set_tls_config(authority.client_config().add_identity(identity));
    client.open(format!("wss://localhost:{}", server.server_port()))?;
    wait_until(|| emitted.len() == 3)?;

    let mut emitted = emitted.get();
    emitted.sort_unstable();
    let part = "Certificates 0".to_owned();
    assert_eq!(emitted, [("direct", part.clone()), ("part", part), ("slot", here)]);
    Ok(())
}

/// A client that stops within TLS holds up its thread for no other.
#[test]
fn clients_that_stop_within_tls_disturb_no_other() -> Result<()> {
    let authority = Authority::new()?;
    let server = WebSocketServer::new("Silent", SslMode::Secure);
    server.set_tls_config(authority.server_config()?)?;
    let _threads = server.serve_on_threads(2, echo_all)?;
    server.listen(HostAddress::LocalHost, 0)?;
    let (port, trusted) = (server.server_port(), authority.certificate());

    serve(move || {
        let mut silent = Vec::new();
        for _ in 0..6 {
            let mut peer = TlsPeer::begin_with(port, &trusted)?;
            peer.greet_and_stop()?;
            silent.push(peer);
            check_good_tls_client(port, &trusted)?;
        }
        Ok(())
    })
}
