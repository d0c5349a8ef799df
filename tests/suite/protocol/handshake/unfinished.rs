//! Clients that do not finish the opening handshake: idle, slow, gone, or flooding.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use support::raw_peer::{self, RawPeer, check_good_client};
use support::recorder::Recorder;
use support::{DEADLINE, echo_server, serve};

/// A client that ends in the middle, with FIN or with a reset, is reported; one that never sent a
/// byte, as port scans and health probes do, is not.
#[test]
fn connections_that_break_off_disturb_no_others() -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();

    serve(move || {
        let half = &raw_peer::request()[..60];
        RawPeer::connect(port)?;
        RawPeer::connect(port)?.reset()?;
        let mut peer = RawPeer::connect(port)?;
        peer.send(half)?;
        drop(peer);
        check_good_client(port)?;
        let mut peer = RawPeer::connect(port)?;
        peer.send(half)?;
        // Answered behind it: the server has read the half by now.
        check_good_client(port)?;
        peer.reset()?;
        check_good_client(port)
    })?;

    let good = "new connection";
    recorder.wait_for(&["broken 1006", good, good, "broken 1006", good])
}

/// A refused client that continues to send, as fast as it can, delays no other.
#[test]
fn a_refused_peer_that_floods_delays_no_others() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut flooder = RawPeer::connect(port)?;
        flooder.send("garbage\r\n\r\n")?;
        let flood = std::thread::spawn(move || {
            let until = Instant::now() + 2 * DEADLINE;
            let flood = vec![b'x'; 256 * 1024];
            while Instant::now() < until && flooder.send(&flood).is_ok() {}
            Instant::now() < until
        });
        check_good_client(port)?;
        ensure!(flood.join().is_ok_and(|was_cut| was_cut), "the flood went on");
        Ok(())
    })
}

/// Qt: SRV-20 and SRV-21, where the peer gets no answer and the program no signal.
#[test]
fn silent_and_dripping_peers_are_cut_at_the_deadline() -> Result<()> {
    let server = echo_server()?;
    server.set_handshake_timeout(Some(Duration::from_millis(300)));
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();

    serve(move || {
        let answer = RawPeer::connect(port)?.read_response()?;
        ensure!(answer.head.starts_with("HTTP/1.1 408 "), "{answer:?}");
        ensure!(answer.has_header("Connection", "close"), "{answer:?}");
        drip(&mut RawPeer::connect(port)?)?;
        check_good_client(port)
    })?;

    recorder.wait_for(&["timeout 1006", "timeout 1006", "new connection"])
}

/// Qt: SRV-20, last block.
#[test]
fn the_deadline_is_over_with_the_handshake() -> Result<()> {
    let server = echo_server()?;
    server.set_handshake_timeout(Some(Duration::from_millis(100)));
    let port = server.server_port();

    serve(move || {
        let mut good = RawPeer::open(port)?;
        // Accepted later and cut: the time of the first one is over too.
        RawPeer::connect(port)?.read_response()?;
        good.check_echo("still there")
    })
}

/// Qt: SRV-20, first block; the limit of later connections counts for them only.
#[test]
fn without_a_deadline_a_peer_may_take_its_time() -> Result<()> {
    let server = echo_server()?;
    server.set_handshake_timeout(None);
    let port = server.server_port();

    serve(move || {
        let mut slow = RawPeer::connect(port)?;
        check_good_client(port)?;
        server.set_handshake_timeout(Some(Duration::from_millis(100)));
        RawPeer::connect(port)?.read_response()?;
        slow.shake_hands()?;
        slow.check_echo("at last")
    })
}

/// Qt: SRV-21: a timeout of zero is shorter than any handshake, and does no harm.
#[test]
fn a_deadline_of_nothing_is_reported_for_each_peer() -> Result<()> {
    let server = echo_server()?;
    server.set_handshake_timeout(Some(Duration::ZERO));
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();

    serve(move || {
        for _ in 0..2 {
            let answer = RawPeer::connect(port)?.read_response()?;
            ensure!(answer.head.starts_with("HTTP/1.1 408 "), "{answer:?}");
        }
        Ok(())
    })?;

    recorder.wait_for(&["timeout 1006", "timeout 1006"])
}

/// Sends a request as slowly as it can without pausing for long, until the server ends it.
fn drip(peer: &mut RawPeer) -> Result<()> {
    let until = Instant::now() + DEADLINE;
    peer.set_read_timeout(Duration::from_millis(20))?;
    for byte in raw_peer::request().bytes().cycle() {
        ensure!(Instant::now() < until, "the server is still waiting");
        match peer.read_some() {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return Ok(()),
        }
        if peer.send([byte]).is_err() {
            return Ok(());
        }
    }
    bail!("the request has an end")
}
