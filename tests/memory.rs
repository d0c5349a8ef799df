//! What peers can make a server allocate. A process of its own: its memory is measured.
#![cfg(target_os = "linux")]

use std::fs;

use anyhow::{Context, Result, ensure};

use support::raw_peer::{BINARY, RawPeer, masked, masked_frame};
use support::{echo_server, serve};

#[path = "suite/support/mod.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

/// RFC 6455 §10.4: a header that declares much reserves nothing; memory is taken as bytes come.
#[test]
fn what_is_only_declared_takes_no_memory() -> Result<()> {
    const PEERS: usize = 200;
    const DECLARED: usize = 1024 * 1024;
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let message = masked(BINARY, &vec![7; DECLARED]);
        let fragment = masked_frame(BINARY, &vec![7; DECLARED]);
        let mut peers = (0..PEERS).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>()?;
        let mut witness = RawPeer::open(port)?;
        witness.check_echo("all are there")?;
        let before = memory_in_kib()?;

        for (number, peer) in peers.iter_mut().enumerate() {
            let bytes = if number % 2 == 0 { &message } else { &fragment };
            peer.send(&bytes[..100])?;
        }
        // The loop takes them in the order in which they came: this is the last.
        witness.check_echo("all are read")?;
        let growth = memory_in_kib()?.saturating_sub(before);

        ensure!(growth < 5 * 1024, "{growth} KiB more for {PEERS} peers");
        peers[0].send(&message[100..])?;
        ensure!(peers[0].read_frame()?.payload.len() == DECLARED, "it was a good message");
        Ok(())
    })
}

/// The private memory of this process, used or only reserved.
fn memory_in_kib() -> Result<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("no VmData in /proc/self/status")?.parse()?)
}
