//! Clients that do not finish the opening handshake: gone, or flooding.

use std::time::Instant;

use anyhow::{Result, ensure};

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
