//! `stats()` of servers, sockets and event loops.

use std::time::Duration;

use anyhow::{Result, ensure};
use slotwork::{
    EventLoop, HostAddress, LoopStats, OutputPolicy, RefusalReason, SslMode, Verdict,
    WebSocketServer,
};

use support::raw_peer::{
    self, BINARY, PING, RawPeer, check_good_client, masked, masked_frame, masked_texts,
};
use support::{echo_server, listening_server, panic_in_slot, serve, wait_until};

/// Messages count whole, frames with their headers and with control frames, without handshakes.
#[test]
fn counts_the_messages_and_the_bytes_of_all_clients() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    let peers = serve(move || {
        let mut peers = [RawPeer::open(port)?, RawPeer::open(port)?];
        for peer in &mut peers {
            peer.check_echo("hello")?;
            // One message in two frames, and a ping.
            peer.send([masked_frame(TEXT, b"a"), masked_frame(LAST, b"b")].concat())?;
            peer.expect_texts(&["ab"])?;
            peer.send(masked(PING, b""))?;
            peer.read_frame()?;
        }
        Ok(peers)
    })?;

    let stats = server.stats();
    assert_eq!(stats.bytes_received, 2 * (11 + 7 + 7 + 6));
    assert_eq!((stats.accepted, stats.connections, stats.handshakes), (2, 2, 0));
    assert_eq!((stats.messages_received, stats.messages_sent), (4, 4));
    assert_eq!(stats.bytes_sent, 2 * (7 + 4 + 2));
    drop(peers);
    wait_until(|| server.stats().connections == 0)?;
    assert_eq!((server.stats().messages_received, server.stats().accepted), (4, 2));
    Ok(())
}

/// A broadcast counts for each recipient, also a message that goes to the kernel at once.
#[test]
fn counts_each_recipient_of_a_broadcast() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let peers = serve(move || (0..3).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>())?;
    let big = vec![7; 20_000];

    assert_eq!(server.broadcast_text("x") + server.broadcast_binary(&big), 6);

    serve(move || {
        for mut peer in peers {
            peer.expect_texts(&["x"])?;
            ensure!(peer.read_frame()?.payload.len() == 20_000);
        }
        Ok(())
    })?;
    let stats = server.stats();
    assert_eq!((stats.messages_sent, stats.bytes_sent), (6, 3 * (3 + 20_004)));
    Ok(())
}

/// Each refused client counts under its reason.
#[test]
fn counts_refused_clients_by_reason() -> Result<()> {
    let server = echo_server()?;
    server.origin_authentication_required().connect(|_server, authenticator| {
        authenticator.set_allowed(authenticator.origin() != "http://evil.example");
    });
    server.set_verifier(async |_server, handshake| {
        let is_known = handshake.request().header("Cookie").is_some();
        if is_known { Verdict::accept() } else { Verdict::refuse(401, "") }
    });
    let port = server.server_port();
    let requests = [
        ("garbage\r\n\r\n".to_owned(), RefusalReason::BadRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), RefusalReason::UpgradeRequired),
        (raw_peer::request_with("Origin: http://evil.example\r\n"), RefusalReason::Origin),
        (raw_peer::request(), RefusalReason::Verifier),
    ];

    for (index, (request, reason)) in requests.into_iter().enumerate() {
        serve(move || {
            let mut peer = RawPeer::connect(port)?;
            peer.send(request)?;
            peer.read_status()
        })?;
        let refused = server.stats().refused;
        assert_eq!((refused.count(reason), refused.total()), (1, index as u64 + 1), "{reason}");
    }

    server.set_max_connections(Some(0));
    serve(move || {
        let mut peer = RawPeer::connect(port)?;
        peer.send(raw_peer::request())?;
        peer.read_status()
    })?;
    assert_eq!(server.stats().refused.count(RefusalReason::Connections), 1);
    Ok(())
}

#[test]
fn counts_panics_of_slots() -> Result<()> {
    let server = echo_server()?;
    server.new_connection().connect(|server, ()| {
        for client in server.clients() {
            client.text_message_received().connect(|_socket, _text| panic_in_slot());
            client.binary_message_received().queued().connect(|_socket, _bytes| panic_in_slot());
        }
    });
    let port = server.server_port();

    serve(move || {
        for message in [masked_texts(&["x"]), masked(BINARY, b"x")] {
            let mut peer = RawPeer::open(port)?;
            peer.send(message)?;
            while peer.read_frame()?.opcode != raw_peer::CLOSE {}
        }
        Ok(())
    })?;

    assert_eq!(server.stats().slot_panics, 2);
    Ok(())
}

/// The message whose slot panics counts, with those in front of it in the same read.
#[test]
fn counts_what_is_received_up_to_a_panic() -> Result<()> {
    let server = listening_server()?;
    server.new_connection().connect(|server, ()| {
        let Some(socket) = server.next_pending_connection() else { return };
        socket.text_message_received().connect(|_socket, text| {
            if text == "panic" {
                panic_in_slot();
            }
        });
    });
    let port = server.server_port();

    let one_frame = masked_texts(&["panic"]);
    let two_frames = [masked_frame(TEXT, b"pan"), masked_frame(LAST, b"ic")].concat();
    for (count, last) in [(1, one_frame), (2, two_frames)] {
        let before = server.stats();
        let received = [masked_texts(&["one", "two"]), last].concat();
        let input = [&received[..], &masked_texts(&["behind"])].concat();
        serve(move || {
            let mut peer = RawPeer::open(port)?;
            peer.send(input)?;
            while peer.read_frame()?.opcode != raw_peer::CLOSE {}
            Ok(())
        })?;

        let stats = server.stats();
        assert_eq!(stats.messages_received - before.messages_received, 3);
        assert_eq!(stats.bytes_received - before.bytes_received, received.len() as u64);
        assert_eq!(stats.slot_panics, count);
    }
    Ok(())
}

/// A client that does not answer the ping.
#[test]
fn counts_keepalive_timeouts() -> Result<()> {
    let server = echo_server()?;
    server.set_keepalive_interval(Some(Duration::from_millis(20)));
    let port = server.server_port();

    let _silent = serve(move || RawPeer::open(port))?;

    wait_until(|| server.stats().keepalive_timeouts == 1)
}

/// Of a policy of the server, and of one that is set on a socket.
#[test]
fn counts_the_messages_that_output_policies_drop() -> Result<()> {
    let server = listening_server()?;
    let port = server.server_port();
    let mut dropped = 0;
    for (in_server, policy) in [(true, OutputPolicy::DropNewest), (false, OutputPolicy::DropOldest)]
    {
        server.set_output_policy(if in_server { policy } else { OutputPolicy::Close });
        let _peer = serve(move || RawPeer::open(port))?;
        let Some(socket) = server.next_pending_connection() else { anyhow::bail!("no client") };
        socket.set_output_limit(100_000);
        if !in_server {
            socket.set_output_policy(policy);
        }

        // The peer reads nothing.
        while socket.dropped_messages() < 3 {
            socket.send_binary_message([0; 10_000]);
        }

        dropped += socket.dropped_messages();
        assert_eq!(server.stats().dropped_messages, dropped);
        let stats = socket.stats();
        assert_eq!(stats.dropped_messages, socket.dropped_messages());
        assert_eq!(stats.bytes_to_write, socket.bytes_to_write());
        assert!(stats.bytes_to_write > 0 && !stats.is_reading_held);
        socket.pause_reading();
        assert!(socket.stats().is_reading_held);
    }
    Ok(())
}

/// The sums are those of all threads, also of those that have ended.
#[test]
fn sums_up_the_parts_of_a_server_on_threads() -> Result<()> {
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    let threads = server.serve_on_threads(2, |part| {
        part.new_connection().connect(|part, ()| {
            while let Some(socket) = part.next_pending_connection() {
                support::echo(&socket);
            }
        });
    })?;
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();

    let peers = serve(move || {
        let mut peers = (0..4).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>()?;
        peers.iter_mut().try_for_each(|peer| peer.check_echo("hello"))?;
        let mut bad = RawPeer::connect(port)?;
        bad.send("garbage\r\n\r\n")?;
        bad.read_status()?;
        Ok(peers)
    })?;

    // A message is counted behind its write: its peer may have it before.
    wait_until(|| server.stats().connections == 4 && server.stats().messages_sent >= 4)?;
    let stats = server.stats();
    assert_eq!((stats.accepted, stats.messages_received, stats.messages_sent), (4, 4, 4));
    assert_eq!(stats.refused.count(RefusalReason::BadRequest), 1);
    drop(peers);
    threads.quit();
    threads.wait()?;
    let stats = server.stats();
    assert_eq!((stats.connections, stats.accepted, stats.bytes_received), (0, 4, 4 * 11));
    Ok(())
}

/// Nothing is measured before the first call; then turns are, but not the sleep between them.
#[test]
fn a_loop_measures_its_turns_from_the_first_call_on() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let event_loop = EventLoop::current();
    serve(move || check_good_client(port))?;
    assert_eq!(event_loop.stats(), LoopStats::default());

    serve(move || check_good_client(port))?;

    let stats = event_loop.stats();
    assert!(stats.turns >= 3, "{stats:?}");
    assert!(stats.longest_turn <= stats.busy && stats.busy <= stats.elapsed, "{stats:?}");
    assert!(!stats.longest_turn.is_zero());
    event_loop.reset_stats();
    assert!(event_loop.stats().turns == 0);
    Ok(())
}

/// The first bytes of a text frame that is not the last one, and of a continuation that is.
const TEXT: u8 = 1;
const LAST: u8 = 0x80;
