//! Memory that peers can make a server allocate. A process of its own: its memory is measured.
#![cfg(target_os = "linux")]

use std::env;
use std::fs;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
#[cfg(feature = "compression")]
use slotwork::Compression;
use slotwork::{EventLoop, OutputPolicy, PreparedMessage, WebSocket, WebSocketServer};

#[cfg(feature = "compression")]
use support::compressed_peer::{CompressedPeer, FINAL, RSV1, bomb, chat_message};
#[cfg(feature = "compression")]
use support::compressing_server;
use support::raw_peer::{BINARY, RawPeer, check_good_client, masked, masked_frame, request};
#[cfg(feature = "tls")]
use support::{certificates::Authority, secure_echo_server, tls_peer};
use support::{echo_server, listening_server, serve, wait_until};

/// RFC 6455 §10.4: a header that declares much reserves nothing; memory is taken as bytes come.
#[test]
fn what_is_only_declared_takes_no_memory() -> Result<()> {
    const PEERS: usize = 200;
    const DECLARED: usize = 1024 * 1024;
    let _alone = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let message = masked(BINARY, &vec![7; DECLARED]);
        let fragment = masked_frame(BINARY, &vec![7; DECLARED]);
        let mut peers = (0..PEERS).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>()?;
        let mut witness = RawPeer::open(port)?;
        witness.check_echo("all are there")?;
        let before = memory_in_kib("VmData:")?;

        for (number, peer) in peers.iter_mut().enumerate() {
            let bytes = if number % 2 == 0 { &message } else { &fragment };
            peer.send(&bytes[..100])?;
        }
        // The loop takes them in the order in which they came: this is the last.
        witness.check_echo("all are read")?;
        let growth = memory_in_kib("VmData:")?.saturating_sub(before);

        ensure!(growth < 5 * 1024, "{growth} KiB more for {PEERS} peers");
        peers[0].send(&message[100..])?;
        ensure!(peers[0].read_frame()?.payload.len() == DECLARED, "it was a good message");
        Ok(())
    })
}

/// RFC 6455 §10.4: a message that grows up to the limit and over it never takes twice the limit.
#[test]
fn a_message_over_the_limit_takes_less_than_twice_the_limit() -> Result<()> {
    const LIMIT: usize = 16 * 1024 * 1024;
    const PIECE: usize = 64 * 1024;
    let _alone = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.check_echo("it is there")?;
        let first = masked_frame(BINARY, &vec![7; PIECE]);
        let next = masked_frame(0, &vec![7; PIECE]);
        // The highest value is counted anew from here.
        fs::write("/proc/self/clear_refs", "5")?;
        let before = memory_in_kib("VmRSS:")?;

        peer.send(first)?;
        for _ in 1..LIMIT / PIECE {
            peer.send(&next)?;
        }
        peer.send(masked_frame(0, b"x"))?;
        ensure!(peer.read_frame()?.close_code()? == 1009);
        peer.read_to_end()?;
        let growth = memory_in_kib("VmHWM:")?.saturating_sub(before);

        let range = LIMIT / 2048..2 * LIMIT / 1024;
        ensure!(range.contains(&growth), "{growth} KiB more");
        check_good_client(port)
    })
}

/// RFC 7692 §8, MSG-20: 65 KB of compressed data for 64 MiB take little more than the limit.
#[cfg(feature = "compression")]
#[test]
fn a_bomb_takes_less_than_one_and_a_half_times_the_limit() -> Result<()> {
    const LIMIT: usize = 16 * 1024 * 1024;
    let _alone = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = compressing_server(Compression::new())?;
    let port = server.server_port();

    serve(move || {
        let bomb = masked_frame(FINAL | RSV1 | BINARY, &bomb(64)?);
        ensure!(bomb.len() < 70_000, "{} bytes", bomb.len());
        let mut peer = CompressedPeer::open(port, "permessage-deflate")?;
        peer.check_echo(&chat_message(1, 1000))?;
        // The highest value is counted anew from here.
        fs::write("/proc/self/clear_refs", "5")?;
        let before = memory_in_kib("VmRSS:")?;

        peer.raw.send(bomb)?;
        ensure!(peer.raw.read_frame()?.close_code()? == 1009);
        peer.raw.read_to_end()?;
        let growth = memory_in_kib("VmHWM:")?.saturating_sub(before);

        let range = LIMIT / 2048..LIMIT / 1024 * 3 / 2;
        ensure!(range.contains(&growth), "{growth} KiB more");
        check_good_client(port)
    })
}

/// The budget of a loop bounds what unfinished messages take together.
#[test]
fn unfinished_messages_take_little_more_than_the_budget() -> Result<()> {
    in_a_process_of_its_own("unfinished_messages_take_little_more_than_the_budget", || {
        const BUDGET: usize = 32 * 1024 * 1024;
        const PEERS: usize = 80;
        EventLoop::current().set_memory_budget(Some(BUDGET));
        let server = echo_server()?;
        let port = server.server_port();

        serve(move || {
            let start = masked_frame(BINARY, &vec![7; BUDGET / 16]);
            let before = memory_in_kib("VmRSS:")?;
            let mut peers = Vec::new();
            for _ in 0..PEERS {
                let mut peer = RawPeer::open(port)?;
                peer.send(&start)?;
                peers.push(peer);
            }
            check_good_client(port)?;
            let growth = memory_in_kib("VmHWM:")?.saturating_sub(before);

            ensure!(growth < 3 * BUDGET / 2 / 1024, "{growth} KiB more");
            Ok(())
        })
    })
}

/// The output limit bounds the memory of what waits, however short the messages are.
#[test]
fn tiny_messages_that_wait_take_less_than_twice_the_limit() -> Result<()> {
    in_a_process_of_its_own("tiny_messages_that_wait_take_less_than_twice_the_limit", || {
        for policy in [OutputPolicy::DropOldest, OutputPolicy::DropNewest] {
            check_waiting_output(policy, |socket, _| {
                socket.send_text_message("x");
            })?;
            check_waiting_output(policy, |socket, _| {
                socket.send_prepared(&PreparedMessage::text("x"));
            })?;
            check_waiting_output(policy, |_, server| {
                server.broadcast_text("x");
            })?;
        }
        Ok(())
    })
}

/// Lets tiny messages wait for a peer that reads nothing, and measures what they take.
fn check_waiting_output(
    policy: OutputPolicy,
    send: impl Fn(&WebSocket, &WebSocketServer),
) -> Result<()> {
    const LIMIT: usize = 2 * 1024 * 1024;
    let server = listening_server()?;
    server.set_output_policy(policy);
    server.set_output_limit(LIMIT);
    let port = server.server_port();
    let mut peer = serve(move || RawPeer::open(port))?;
    wait_until(|| server.has_pending_connections())?;
    let socket = server.next_pending_connection().context("nobody came")?;
    while socket.bytes_to_write() == 0 {
        socket.send_binary_message(vec![0; 32 * 1024]);
        EventLoop::current().process_events();
    }
    let before = memory_in_kib("VmRSS:")?;

    for number in 0..LIMIT / 2 {
        send(&socket, &server);
        if number % 10_000 == 0 {
            EventLoop::current().process_events();
        }
    }
    let growth = memory_in_kib("VmRSS:")?.saturating_sub(before);

    ensure!(growth < 2 * LIMIT / 1024, "{growth} KiB more with {policy:?}");
    socket.abort();
    wait_until(|| !socket.is_valid())?;
    serve(move || peer.read_to_end().map(drop).or(Ok(())))
}

/// A peer that connects and sends nothing costs little more than an open connection.
#[test]
fn a_silent_connection_takes_less_than_4_kib() -> Result<()> {
    in_a_process_of_its_own("a_silent_connection_takes_less_than_4_kib", || {
        let server = echo_server()?;

        let bytes = bytes_per_newcomer(server.server_port(), b"")?;

        ensure!(bytes < 4096, "{bytes} bytes each");
        Ok(())
    })
}

/// The same with TLS.
#[cfg(feature = "tls")]
#[test]
fn a_silent_connection_takes_less_than_4_kib_with_tls() -> Result<()> {
    in_a_process_of_its_own("a_silent_connection_takes_less_than_4_kib_with_tls", || {
        let server = secure_echo_server(Authority::new()?.server_config()?)?;

        let bytes = bytes_per_newcomer(server.server_port(), b"")?;

        ensure!(bytes < 4096, "{bytes} bytes each");
        Ok(())
    })
}

/// A TLS handshake in the middle costs what rustls needs, and little more.
#[cfg(feature = "tls")]
#[test]
fn a_connection_that_only_greets_takes_less_than_16_kib() -> Result<()> {
    in_a_process_of_its_own("a_connection_that_only_greets_takes_less_than_16_kib", || {
        let authority = Authority::new()?;
        let server = secure_echo_server(authority.server_config()?)?;
        let greeting = tls_peer::greeting(&authority.certificate())?;

        let bytes = bytes_per_newcomer(server.server_port(), &greeting)?;

        ensure!(bytes < 16 * 1024, "{bytes} bytes each");
        Ok(())
    })
}

/// A head that has not come whole costs little more than its bytes.
#[test]
fn an_unfinished_head_takes_little_more_than_its_bytes() -> Result<()> {
    in_a_process_of_its_own("an_unfinished_head_takes_little_more_than_its_bytes", || {
        const LENGTH: usize = 20 * 1024;
        let server = echo_server()?;
        let line = format!("X-Filler: {:0>1000}\r\n", 0);
        let lines = line.repeat(LENGTH / line.len());
        let head = request().replacen("\r\n\r\n", "\r\n", 1) + &lines;

        let bytes = bytes_per_newcomer(server.server_port(), head.as_bytes())?;

        ensure!(bytes < LENGTH + LENGTH / 4 + 4096, "{bytes} bytes each");
        Ok(())
    })
}

/// Runs one test of this program in a process that has not allocated and freed anything before.
fn in_a_process_of_its_own(name: &str, test: impl FnOnce() -> Result<()>) -> Result<()> {
    const MARK: &str = "SLOTWORK_TEST_ALONE";
    if env::var_os(MARK).is_some() {
        return test();
    }
    let mut command = Command::new(env::current_exe()?);
    let output = command.args(["--exact", name, "--nocapture"]).env(MARK, "1").output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{errors}{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

/// Returns what each of many connections takes that send these bytes and then nothing.
fn bytes_per_newcomer(port: u16, sent: &[u8]) -> Result<usize> {
    const PEERS: usize = 200;
    let sent = sent.to_vec();
    serve(move || {
        let mut peers = Vec::with_capacity(2 * PEERS);
        let mut connect_many = || -> Result<usize> {
            for _ in 0..PEERS {
                let mut peer = RawPeer::connect(port)?;
                peer.send(&sent)?;
                peers.push(peer);
            }
            // Accepted behind them all; and then the loop has seen what they had sent by then.
            for _ in 0..3 {
                let mut last = RawPeer::connect(port)?;
                last.finish()?;
                last.read_to_end()?;
            }
            memory_in_kib("VmData:")
        };
        // The first ones fill what a loop keeps for all.
        let before = connect_many()?;
        let after = connect_many()?;
        Ok(after.saturating_sub(before) * 1024 / PEERS)
    })
}

/// Returns the memory of this process, used or only reserved, by the kernel's figures.
fn memory_in_kib(what: &str) -> Result<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("no VmData in /proc/self/status")?.parse()?)
}

/// The tests measure the same process.
static ONE_BY_ONE: Mutex<()> = Mutex::new(());
