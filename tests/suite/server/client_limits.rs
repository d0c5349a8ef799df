//! Limits of connections and handshakes, and the memory budget of a loop.

use std::sync::mpsc;

use anyhow::{Context, Result, ensure};
use slotwork::{
    Error, EventLoop, OutputPolicy, PreparedMessage, Verdict, WebSocket, WebSocketServer,
};

use support::raw_peer::{
    self, BINARY, Frame, PING, PONG, RawPeer, check_good_client, masked, masked_frame,
};
use support::recorder::Recorder;
use support::{DEADLINE, echo_server, listening_server, serve, wait_until};
#[cfg(feature = "tls")]
use support::{
    certificates::Authority,
    secure_echo_server,
    tls_peer::{TlsPeer, check_good_tls_client},
};

/// Writes down the errors of a server that name a limit.
fn record_limits(server: &WebSocketServer) -> Recorder {
    let recorder = Recorder::default();
    let lines = recorder.clone();
    server.server_error().connect(move |_server, error| match error {
        Error::TooManyConnections { limit, .. } => lines.add(format!("connections {limit}")),
        Error::TooManyHandshakes { limit, .. } => lines.add(format!("handshakes {limit}")),
        error => lines.add(error.to_string()),
    });
    recorder
}

/// RFC 9110 §15.6.4 (503): open connections are bounded, and one that ends makes room.
#[test]
fn a_connection_too_many_is_answered_with_503() -> Result<()> {
    let server = echo_server()?;
    ensure!(server.max_connections().is_none());
    server.set_max_connections(Some(2));
    let recorder = record_limits(&server);
    let port = server.server_port();

    serve(move || {
        let mut peers = [RawPeer::open(port)?, RawPeer::open(port)?];
        for _ in 0..2 {
            let mut other = RawPeer::connect(port)?;
            other.send(raw_peer::request())?;
            let answer = other.read_response()?;
            ensure!(answer.head.starts_with("HTTP/1.1 503 "), "{answer:?}");
        }
        for peer in &mut peers {
            peer.check_echo("still there?")?;
        }
        peers[0].close(1000, "")?;
        wait_for_room(port);
        Ok(())
    })?;

    check_first(&recorder, &["connections 2"; 2])
}

/// Sockets that no slot has taken are open, too.
#[test]
fn pending_connections_count_as_open() -> Result<()> {
    let server = listening_server()?;
    server.set_max_connections(Some(1));
    let recorder = record_limits(&server);
    let port = server.server_port();

    serve(move || {
        let _pending = RawPeer::open(port)?;
        let mut other = RawPeer::connect(port)?;
        other.send(raw_peer::request())?;
        ensure!(other.read_status()? == 503);
        Ok(())
    })?;

    recorder.wait_for(&["connections 1"])
}

/// A client that became one too many while a verifier decided about it is refused after all.
#[test]
fn connections_are_counted_when_the_verdict_is_there() -> Result<()> {
    let server = echo_server()?;
    server.set_max_connections(Some(1));
    let recorder = record_limits(&server);

    check_the_last_place(&server)?;

    ensure!(recorder.lines().last().map(String::as_str) == Some("connections 1"));
    Ok(())
}

/// Checks that a server with room for one client more accepts one of two that its verifier accepts
/// at a time. A bad request ahead of them is refused while they wait.
pub(crate) fn check_the_last_place(server: &WebSocketServer) -> Result<()> {
    let (let_in, door) = smol::channel::unbounded::<()>();
    server.set_verifier(async move |_server, _handshake| {
        door.recv().await.map(|()| Verdict::accept())
    });
    let port = server.server_port();

    serve(move || {
        let mut peers = [RawPeer::connect(port)?, RawPeer::connect(port)?];
        for peer in &mut peers {
            peer.send(raw_peer::request())?;
        }
        let mut bad = RawPeer::connect(port)?;
        bad.send("garbage\r\n\r\n")?;
        bad.read_response()?;
        let_in.send_blocking(())?;
        let_in.send_blocking(())?;
        let mut statuses = [peers[0].read_status()?, peers[1].read_status()?];
        statuses.sort_unstable();
        ensure!(statuses == [101, 503], "{statuses:?}");
        Ok(())
    })
}

/// Handshakes are bounded, silent ones and those that a verifier decides about alike.
#[test]
fn a_handshake_too_many_is_answered_with_503() -> Result<()> {
    let server = echo_server()?;
    ensure!(server.max_handshakes() == Some(4096));
    server.set_max_handshakes(Some(2));
    server.set_handshake_timeout(None);
    let recorder = record_limits(&server);
    let (asked, is_asked) = mpsc::channel();
    server.set_verifier(async move |_server, handshake| {
        if handshake.request().header("X-Wait").is_some() {
            asked.send(()).unwrap();
            std::future::pending::<()>().await;
        }
        Verdict::accept()
    });
    let port = server.server_port();

    serve(move || {
        let silent = RawPeer::connect(port)?;
        let mut undecided = RawPeer::connect(port)?;
        undecided.send(raw_peer::request_with("X-Wait: 1\r\n"))?;
        is_asked.recv_timeout(DEADLINE)?;
        for _ in 0..3 {
            let mut other = RawPeer::connect(port)?;
            other.send(raw_peer::request())?;
            let answer = other.read_response()?;
            ensure!(answer.head.starts_with("HTTP/1.1 503 "), "{answer:?}");
        }
        drop(silent);
        wait_for_room(port);
        Ok(())
    })?;

    check_first(&recorder, &["handshakes 2"; 3])
}

/// An answer over TLS would take a handshake: the connection is closed without one.
#[cfg(feature = "tls")]
#[test]
fn a_handshake_too_many_over_tls_is_closed() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    server.set_max_handshakes(Some(1));
    let recorder = record_limits(&server);
    let (port, trusted) = (server.server_port(), authority.certificate());

    serve(move || {
        let silent = RawPeer::connect(port)?;
        let mut other = TlsPeer::begin_with(port, &trusted)?;
        ensure!(other.finish_tls().is_err());
        drop(silent);
        // The server may see its end later than the next one.
        while check_good_tls_client(port, &trusted).is_err() {}
        Ok(())
    })?;

    check_first(&recorder, &["handshakes 1"])
}

/// Checks that a good client is served, once the server has seen the end of another one.
fn wait_for_room(port: u16) {
    while check_good_client(port).is_err() {}
}

fn check_first(recorder: &Recorder, expected: &[&str]) -> Result<()> {
    let lines = recorder.lines();
    ensure!(lines.iter().zip(expected).all(|(line, expected)| line == expected), "{lines:?}");
    ensure!(lines.len() >= expected.len(), "{lines:?}");
    Ok(())
}

/// A server on a loop with this budget, and sockets of peers that read nothing.
fn slow_sockets(
    budget: usize,
    count: usize,
    policy: OutputPolicy,
) -> Result<(WebSocketServer, Vec<WebSocket>, Vec<RawPeer>)> {
    EventLoop::current().set_memory_budget(Some(budget));
    let server = listening_server()?;
    server.set_output_policy(policy);
    server.set_max_pending_connections(count);
    let port = server.server_port();
    let open = move || (0..count).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>();
    let peers = serve(open)?;
    let sockets = std::iter::from_fn(|| server.next_pending_connection()).collect();
    Ok((server, sockets, peers))
}

fn waiting(sockets: &[WebSocket]) -> usize {
    sockets.iter().map(WebSocket::bytes_to_write).sum()
}

/// How many of the sockets were ended because of the budget.
fn ended(sockets: &[WebSocket]) -> usize {
    let is_ended = |socket: &&WebSocket| matches!(socket.error(), Some(Error::MemoryBudget { .. }));
    sockets.iter().filter(is_ended).count()
}

/// Checks that a new client is served while the other clients of a server read nothing.
fn check_served(server: &WebSocketServer) -> Result<()> {
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            support::echo(&socket);
        }
    });
    let port = server.server_port();
    serve(move || {
        let mut peer = RawPeer::open(port)?;
        let message = vec![7; MIB / 8];
        peer.send(masked(BINARY, &message))?;
        ensure!(peer.read_frame()?.payload == message);
        check_good_client(port)
    })
}

/// The default is 256 MiB; no limit is one of the settings.
#[test]
fn the_memory_budget_of_a_loop_can_be_set() {
    let event_loop = EventLoop::current();
    assert_eq!(event_loop.memory_budget(), Some(256 * MIB));

    event_loop.set_memory_budget(None);

    assert_eq!(event_loop.memory_budget(), None);
}

/// Output of all sockets together is bounded; those that hold most are ended.
#[test]
fn the_budget_ends_the_sockets_that_hold_most() -> Result<()> {
    let (server, sockets, _peers) = slow_sockets(4 * MIB, 10, OutputPolicy::Close)?;
    let text = "x".repeat(10_000);

    while ended(&sockets) < 5 {
        for socket in &sockets {
            socket.send_text_message(&text);
        }
        EventLoop::current().process_events();
        ensure!(waiting(&sockets) <= 5 * MIB, "{} bytes wait", waiting(&sockets));
    }

    let error = sockets.iter().find_map(WebSocket::error).context("no error")?;
    ensure!(matches!(error, Error::MemoryBudget { limit } if limit == 4 * MIB), "{error}");
    ensure!(u16::from(error.close_code()) == 1013);
    check_served(&server)
}

/// The same within a single call, in which no task of a socket runs.
#[test]
fn the_budget_holds_within_one_slot() -> Result<()> {
    let (server, sockets, _peers) = slow_sockets(8 * MIB, 20, OutputPolicy::Close)?;
    let message = vec![0; 3 * MIB];

    for _ in 0..5 {
        for socket in &sockets {
            socket.send_binary_message(&message);
            ensure!(waiting(&sockets) <= 20 * MIB, "{} bytes wait", waiting(&sockets));
        }
    }

    wait_until(|| waiting(&sockets) <= 8 * MIB)?;
    ensure!(ended(&sockets) > 0);
    for error in sockets.iter().filter_map(WebSocket::error) {
        ensure!(matches!(error, Error::MemoryBudget { limit } if limit == 8 * MIB), "{error}");
    }
    check_served(&server)
}

/// A policy that drops old messages does so before a socket is ended.
#[test]
fn the_budget_lets_policies_drop_messages() -> Result<()> {
    let (server, sockets, _peers) = slow_sockets(4 * MIB, 10, OutputPolicy::DropOldest)?;
    let text = "x".repeat(10_000);

    while sockets.iter().any(|socket| socket.dropped_messages() < 100) {
        for socket in &sockets {
            socket.send_text_message(&text);
        }
        EventLoop::current().process_events();
        ensure!(waiting(&sockets) <= 5 * MIB, "{} bytes wait", waiting(&sockets));
    }

    ensure!(ended(&sockets) == 0 && sockets.iter().all(WebSocket::is_valid));
    check_served(&server)
}

/// A message for many sockets counts once, and ends none of them.
#[test]
fn the_budget_counts_a_broadcast_once() -> Result<()> {
    let (server, sockets, peers) = slow_sockets(32 * MIB, 20, OutputPolicy::Close)?;

    for _ in 0..44 {
        let message = PreparedMessage::binary(vec![0; MIB / 4]);
        for socket in &sockets {
            socket.send_prepared(&message);
        }
        EventLoop::current().process_events();
    }

    ensure!(waiting(&sockets) > 64 * MIB, "{} bytes wait", waiting(&sockets));
    ensure!(ended(&sockets) == 0 && sockets.iter().all(WebSocket::is_valid));
    drop(peers);
    check_served(&server)
}

/// Sends from other threads count as well.
#[test]
fn the_budget_counts_what_other_threads_send() -> Result<()> {
    let (server, sockets, _peers) = slow_sockets(4 * MIB, 10, OutputPolicy::Close)?;
    let senders = sockets.clone();

    serve(move || {
        let text = "x".repeat(10_000);
        while ended(&senders) < 5 {
            for socket in &senders {
                socket.send_text_message(&text);
            }
            ensure!(waiting(&senders) <= 9 * MIB, "{} bytes wait", waiting(&senders));
        }
        Ok(())
    })?;

    check_served(&server)
}

/// Unfinished messages of all peers together are bounded; the longest are refused with 1013.
#[test]
fn the_budget_refuses_the_longest_unfinished_messages() -> Result<()> {
    EventLoop::current().set_memory_budget(Some(6 * MIB));
    let server = echo_server()?;
    let port = server.server_port();

    let refused = serve(move || {
        let start = masked_frame(BINARY, &vec![7; MIB]);
        let mut peers = Vec::new();
        for _ in 0..10 {
            let mut peer = RawPeer::open(port)?;
            peer.send(&start)?;
            peers.push(peer);
        }
        // These are served although the others hold what they hold.
        for _ in 0..3 {
            let mut good = RawPeer::open(port)?;
            let message = vec![7; MIB / 4];
            good.send(masked(BINARY, &message))?;
            ensure!(good.read_frame()?.payload == message);
        }
        let mut refused = 0;
        for peer in &mut peers {
            peer.send(masked(PING, b"?"))?;
            let answer = peer.read_frame()?;
            if answer.opcode != PONG {
                ensure!(answer == Frame::close(1013, "too much memory is in use"));
                refused += 1;
            }
        }
        check_good_client(port)?;
        Ok(refused)
    })?;

    ensure!((4..10).contains(&refused), "{refused} were refused");
    Ok(())
}

const MIB: usize = 1024 * 1024;
