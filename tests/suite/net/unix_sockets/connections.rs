//! Connections: messages of all sizes, rude peers, threads, limits and statistics.

use std::io::{IoSlice, Write};
use std::os::unix::net::UnixStream;
use std::process;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{CloseCode, Error, Verdict, WebSocket};

use support::raw_peer::{self, CLOSE, PING, TEXT, masked};
use support::recorder::Recorder;
use support::{DEADLINE, echo_all, run_until, serve, wait_until};

use super::{Folder, check_client, connect, echo_server, open, server};

/// RFC 6455: all of the opening handshake, messages of all sizes, the closing handshake.
#[test]
fn a_client_gets_echoes_of_all_sizes() -> Result<()> {
    let (server, _folder) = echo_server()?;
    let client = WebSocket::new();
    let texts = SignalSpy::new(&client.text_message_received());
    let bytes = SignalSpy::new(&client.binary_message_received());
    let big = "x".repeat(3 * 1024 * 1024);
    let sent = big.clone();
    client.connected().connect(move |client, ()| {
        for text in ["", "small", &sent, "last"] {
            client.send_text_message(text);
            client.send_binary_message(text.as_bytes());
        }
    });

    client.open(server.server_url() + "/chat?room=1")?;

    texts.wait_for(4)?;
    bytes.wait_for(4)?;
    ensure!(texts.at(2).is_some_and(|text| text == big) && texts.at(3).as_deref() == Some("last"));
    ensure!(bytes.at(2).is_some_and(|it| it == big.as_bytes()));
    let socket = server.clients().pop().context("no socket")?;
    ensure!(socket.request().header("Host").as_deref() == Some("localhost"));
    ensure!(socket.resource_name() == "/chat?room=1");
    let disconnected = client.disconnected().next();
    client.close(CloseCode::NORMAL, "bye");
    run_until(disconnected)?;
    ensure!(client.close_code() == Some(CloseCode::NORMAL));
    wait_until(|| server.clients().is_empty())?;
    ensure!(socket.close_reason() == "bye");
    Ok(())
}

/// A peer has no address, but the kernel knows its process: this one.
#[test]
fn the_peer_has_credentials_instead_of_an_address() -> Result<()> {
    let (server, _folder) = echo_server()?;
    server.set_verifier(async |_server, handshake| match handshake.peer_credentials() {
        Some(peer) if handshake.client_address().is_none() => Verdict::accept_with(peer),
        _ => Verdict::refuse(403, ""),
    });
    let client = WebSocket::new();
    let connected = client.connected().next();
    ensure!(client.peer_credentials().is_none());
    client.open(server.server_url())?;
    run_until(connected)?;
    wait_until(|| !server.clients().is_empty())?;
    let socket = server.clients().remove(0);

    let peer = socket.peer_credentials().context("no credentials")?;
    ensure!(peer == client.peer_credentials().context("no credentials")?);
    ensure!(peer.user_id == rustix::process::geteuid().as_raw());
    ensure!(peer.group_id == rustix::process::getegid().as_raw());
    if cfg!(any(target_os = "linux", target_os = "android", target_os = "macos")) {
        ensure!(peer.process_id == Some(process::id().try_into()?), "{peer:?}");
    }
    for end in [&socket, &client] {
        ensure!(end.peer_address().is_none() && end.peer_port() == 0);
        ensure!(end.local_address().is_none() && end.local_port() == 0);
    }
    ensure!(socket.client_address().is_none());
    client.close_normally();
    wait_until(|| server.clients().is_empty())?;
    ensure!(socket.peer_credentials() == Some(peer), "they remain");
    Ok(())
}

/// What the kernel does not take waits, for a peer that reads later; one that never does is ended.
#[test]
fn a_slow_reader_gets_everything_and_a_dead_one_is_ended() -> Result<()> {
    const COUNT: usize = 64;
    let folder = Folder::new()?;
    let server = server();
    server.listen_unix(folder.path(), 0o600)?;
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            for _ in 0..COUNT {
                socket.send_binary_message(vec![7; 64 * 1024]);
            }
        }
    });
    let path = folder.path();
    let mut slow = serve(move || open(&path))?;
    wait_until(|| server.clients().iter().any(|client| client.bytes_to_write() > 0))?;

    serve(move || {
        for _ in 0..COUNT {
            let frame = slow.read_frame()?;
            ensure!(frame.payload.len() == 64 * 1024 && frame.payload.iter().all(|it| *it == 7));
        }
        slow.close(1000, "").map(drop)
    })?;

    server.set_output_limit(1024 * 1024);
    let path = folder.path();
    let _dead = serve(move || open(&path))?;
    wait_until(|| server.clients().is_empty())
}

/// RFC 6455 §4.2.1, §7.1.7; a descriptor that comes along is closed.
#[test]
fn a_rude_peer_ends_its_own_connection_alone() -> Result<()> {
    let (server, folder) = echo_server()?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let path = folder.path();

    serve(move || {
        let mut garbage = connect(&path)?;
        garbage.send("garbage\r\n\r\n")?;
        ensure!(garbage.read_status()? == 400);
        let mut unmasked = open(&path)?;
        unmasked.send([0x81, 1, b'x'])?;
        ensure!(unmasked.read_frame()?.close_code()? == 1002);
        drop(connect(&path)?);
        let mut cut = open(&path)?;
        cut.send(&masked(TEXT, b"whole")[..4])?;
        drop(cut);
        let passed = open(&path)?;
        pass_descriptor(passed.stream(), &masked(TEXT, b"x"))?;
        check_client(&path)
    })?;

    ensure!(recorder.lines().contains(&"refused 400 1002".into()), "{:?}", recorder.lines());
    wait_until(|| server.clients().len() <= 1)
}

/// Sends bytes with a descriptor of this process, which the server never takes.
fn pass_descriptor(stream: &UnixStream, bytes: &[u8]) -> Result<()> {
    use std::os::fd::AsFd;

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    let descriptors = [stream.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    ensure!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(stream, &[IoSlice::new(bytes)], &mut control, SendFlags::empty())?;
    Ok(())
}

#[test]
fn a_server_on_threads_serves_and_broadcasts() -> Result<()> {
    let folder = Folder::new()?;
    let server = server();
    let threads = server.serve_on_threads(3, echo_all)?;
    server.listen_unix(folder.path(), 0o600)?;
    let path = folder.path();

    let mut peers = serve(move || {
        let mut peers = (0..6).map(|_| open(&path)).collect::<Result<Vec<_>>>()?;
        for peer in &mut peers {
            peer.check_echo("hello")?;
        }
        Ok(peers)
    })?;
    ensure!(server.clients().len() == 6 && server.stats().connections == 6);
    server.broadcast_text("to all");
    serve(move || peers.iter_mut().try_for_each(|peer| peer.expect_texts(&["to all"])))?;

    drop(threads);
    wait_until(|| !server.is_listening())?;
    ensure!(folder.names()?.is_empty());
    Ok(())
}

/// Peers without an address share no limit; other limits hold.
#[test]
fn limits_hold_but_for_that_of_addresses() -> Result<()> {
    let (server, folder) = echo_server()?;
    server.set_max_connections_per_address(Some(1));
    server.set_max_connections(Some(3));
    let limits = SignalSpy::new(&server.limit_reached());
    let path = folder.path();

    serve(move || {
        let _peers = (0..3).map(|_| open(&path)).collect::<Result<Vec<_>>>()?;
        let mut refused = connect(&path)?;
        refused.send(raw_peer::request())?;
        ensure!(refused.read_status()? == 503);
        Ok(())
    })?;

    ensure!(limits.at(0).is_some_and(|reached| reached.peer.port() == 0));
    let stats = server.stats();
    ensure!(stats.accepted == 3 && stats.refused.total() == 1, "{stats:?}");
    Ok(())
}

/// RFC 6455 §5.5.2: an idle peer is pinged, and ended without an answer.
#[test]
fn a_dead_peer_is_noticed() -> Result<()> {
    let (server, folder) = echo_server()?;
    server.set_keepalive_interval(Some(Duration::from_millis(20)));
    let path = folder.path();

    let (socket, _peer) = {
        let mut peer = serve(move || open(&path))?;
        wait_until(|| !server.clients().is_empty())?;
        let socket = server.clients().remove(0);
        let peer = serve(move || {
            ensure!(peer.read_any_frame()?.0 == 0x80 | PING);
            Ok(peer)
        })?;
        (socket, peer)
    };

    wait_until(|| server.clients().is_empty())?;
    ensure!(matches!(socket.error(), Some(Error::KeepaliveTimeout)), "{:?}", socket.error());
    Ok(())
}

/// RFC 6455 §7.4.1: 1001, and the file is gone before the clients are.
#[test]
fn a_shutdown_closes_all_clients() -> Result<()> {
    let (server, folder) = echo_server()?;
    let path = folder.path();
    let mut peer = serve(move || open(&path))?;
    wait_until(|| !server.clients().is_empty())?;
    let closed = server.closed().next();

    server.shutdown(DEADLINE);

    ensure!(folder.names()?.is_empty());
    serve(move || {
        ensure!(peer.read_frame()?.close_code()? == 1001);
        peer.send(raw_peer::masked_close(1001, ""))
    })?;
    run_until(closed)?;
    let stats = server.stats();
    ensure!(stats.connections == 0, "{stats:?}");
    Ok(())
}

/// Statistics count what they count over TCP.
#[test]
fn bytes_and_messages_are_counted() -> Result<()> {
    let (server, folder) = echo_server()?;
    let path = folder.path();
    serve(move || {
        let mut peer = open(&path)?;
        peer.check_echo("hello")?;
        peer.stream_mut().write_all(&masked(CLOSE, b""))?;
        peer.read_to_end().map(drop)
    })?;

    let stats = server.stats();
    ensure!((stats.messages_received, stats.messages_sent) == (1, 1), "{stats:?}");
    ensure!(stats.bytes_received >= 11 && stats.bytes_sent >= 7, "{stats:?}");
    Ok(())
}
