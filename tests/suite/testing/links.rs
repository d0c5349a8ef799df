//! Connections in memory, and the faults of their network.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::{Handle, SignalSpy};
use slotwork::testing::{self, Host, Link, VirtualClock};
use slotwork::{
    CloseCode, Error, EventLoop, EventThread, NestedLoop, SocketState, SslMode, Verdict, WebSocket,
    WebSocketServer,
};

use support::recorder::Recorder;

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);

fn server() -> WebSocketServer {
    WebSocketServer::new("Test Server", SslMode::NonSecure)
}

/// A pair needs no clock, and is whole: addresses, messages in both directions, a clean end.
#[test]
fn a_pair_lives_as_a_connection_over_tcp_does() -> Result<()> {
    let (client, socket, link) = testing::pair(&server())?;
    ensure!(client.local_port() == socket.peer_port() && client.peer_port() == 80);
    let (here, there) = (
        SignalSpy::new(&client.text_message_received()),
        SignalSpy::new(&socket.binary_message_received()),
    );

    socket.send_text_message("down");
    client.send_binary_message(vec![7; 1024 * 1024]);
    here.wait_for(1)?;
    there.wait_for(1)?;
    ensure!(here.values() == ["down"] && there.values() == [vec![7; 1024 * 1024]]);

    let ends = [SignalSpy::new(&client.disconnected()), SignalSpy::new(&socket.disconnected())];
    client.close(CloseCode::NORMAL, "done");
    ends.iter().try_for_each(|end| end.wait_for(1))?;
    ensure!(socket.close_reason() == "done" && socket.error().is_none());
    ensure!(EventLoop::current().wait_until(|| link.is_closed(), SECOND));
    Ok(())
}

/// Sockets that a slot takes are found, and refusals are the client's error.
#[test]
fn a_pair_has_the_slots_and_the_verifier_of_its_server() -> Result<()> {
    let server = server();
    support::echo_all(&server);
    let (client, socket, _link) = testing::pair(&server)?;
    let echoed = SignalSpy::new(&client.text_message_received());
    client.send_text_message("x");
    echoed.wait_for(1)?;
    ensure!(socket.is_valid());

    server.set_verifier(async |_server, _handshake| Verdict::refuse(403, ""));
    let refused = testing::pair(&server);
    ensure!(matches!(refused, Err(Error::UpgradeRefused { status: 403, .. })), "{refused:?}");
    Ok(())
}

/// Byte by byte, and late: everything arrives, in its order, when it is due.
#[test]
fn a_link_delays_and_fragments() -> Result<()> {
    let clock = VirtualClock::install();
    let (client, socket, link) = testing::pair(&server())?;
    let received = SignalSpy::new(&socket.text_message_received());

    link.to_server().fragment(1);
    link.to_server().delay(SECOND);
    client.send_text_message("one");
    clock.advance(SECOND.saturating_sub(MOMENT));
    link.to_server().delay(Duration::ZERO);
    client.send_text_message("two");
    ensure!(received.count() == 0, "nothing overtakes");
    clock.advance(MOMENT);

    ensure!(received.values() == ["one", "two"]);
    Ok(())
}

/// The buffer is the back-pressure: what does not fit waits with the sender.
#[test]
fn a_link_that_stalls_holds_its_buffer() -> Result<()> {
    let clock = VirtualClock::install();
    let (client, socket, link) = testing::pair(&server())?;
    let received = SignalSpy::new(&client.binary_message_received());

    link.to_client().buffer(1000);
    link.to_client().stall();
    socket.send_binary_message([7; 5000]);
    clock.advance(SECOND);
    ensure!(socket.bytes_to_write() == 5004 - 1000, "{}", socket.bytes_to_write());
    link.resume();
    clock.advance(Duration::ZERO);

    ensure!(received.values() == [[7; 5000]] && socket.bytes_to_write() == 0);
    Ok(())
}

/// `cut` and `cut_after`: both ends find the connection lost, behind what has arrived.
#[test]
fn a_link_is_cut_at_a_byte() -> Result<()> {
    for after in 0..=8 {
        let is_cut = after < 8;
        let clock = VirtualClock::install();
        let server = server();
        let (client, socket, link) = testing::pair(&server)?;
        let (recorder, received) =
            (Recorder::default(), SignalSpy::new(&client.text_message_received()));
        recorder.watch(&client);
        recorder.watch(&socket);

        link.to_client().cut_after(after);
        // Seven bytes with their header.
        socket.send_text_message("seven");
        clock.advance(Duration::ZERO);

        let lines = recorder.lines();
        let ends = lines.iter().filter(|line| *line == "disconnected Some(1006) ").count();
        ensure!(ends == usize::from(is_cut) * 2, "{after}: {lines:?}");
        ensure!(received.count() == usize::from(after >= 7), "{after}: {lines:?}");
        ensure!(link.is_closed() == is_cut, "{after}");
    }
    Ok(())
}

/// A host is a name: several clients, and none when it is gone.
#[test]
fn a_host_has_a_name_until_it_is_dropped() -> Result<()> {
    let clock = VirtualClock::install();
    let server = server();
    let host = Host::new("server.test", &server);
    let sockets = [(); 3].map(|()| WebSocket::new());
    for socket in &sockets {
        socket.open("ws://server.test:1234/")?;
    }
    clock.advance(Duration::ZERO);
    ensure!(sockets.iter().all(WebSocket::is_valid) && host.links().len() == 3);
    ensure!(sockets[0].peer_port() == 1234);

    let other = Host::scripted("server.test");
    drop(host);
    let late = WebSocket::new();
    late.open("ws://server.test/")?;
    clock.advance(Duration::ZERO);
    ensure!(other.accept().is_some());

    drop(other);
    let refused = WebSocket::new();
    refused.open("ws://server.test/")?;
    clock.advance(Duration::ZERO);
    ensure!(matches!(refused.error(), Some(Error::Connect { .. })), "{:?}", refused.error());
    ensure!(sockets.iter().all(WebSocket::is_valid));
    Ok(())
}

/// `set_on_connect`: faults of the network begin before the handshake. Names have no case.
#[test]
fn a_host_calls_with_each_new_link_before_its_first_byte() -> Result<()> {
    let clock = VirtualClock::install();
    let (server, socket) = (server(), WebSocket::new());
    let host = Host::new("Server.test", &server);
    ensure!(host.name() == "server.test");
    host.set_on_connect(Link::stall);

    socket.open("ws://SERVER.test/")?;
    clock.advance(SECOND);
    ensure!(socket.state() == SocketState::Connecting && !server.has_pending_connections());
    host.links().iter().for_each(Link::resume);
    clock.advance(Duration::ZERO);

    ensure!(socket.is_valid() && server.has_pending_connections());
    Ok(())
}

/// The host holds its server weakly.
#[test]
fn a_host_without_its_server_refuses() -> Result<()> {
    let clock = VirtualClock::install();
    let server = server();
    let (_host, weak) = (Host::new("server.test", &server), server.downgrade());
    drop(server);
    ensure!(weak.upgrade().is_none());

    let socket = WebSocket::new();
    socket.open("ws://server.test/")?;
    clock.advance(Duration::ZERO);

    ensure!(matches!(socket.error(), Some(Error::Connect { .. })), "{:?}", socket.error());
    Ok(())
}

/// What other threads send wakes the loop, and a server may live in another thread.
#[test]
fn ends_may_live_in_several_threads() -> Result<()> {
    let server = server();
    let (client, socket, _link) = testing::pair(&server)?;
    let received = SignalSpy::new(&client.text_message_received());
    let sender = socket.clone();
    let thread = std::thread::spawn(move || {
        (0..100).for_each(|number| _ = sender.send_text_message(number.to_string()));
    });
    received.wait_for(100)?;
    ensure!(thread.join().is_ok());
    ensure!(received.values() == (0..100).map(|number| number.to_string()).collect::<Vec<_>>());

    let (servers, elsewhere) = std::sync::mpsc::channel();
    let thread = EventThread::spawn("echo", move || {
        let server = WebSocketServer::new("Echo", SslMode::NonSecure);
        support::echo_all(&server);
        let _ = servers.send(server.clone());
        server
    })?;
    let elsewhere = elsewhere.recv().context("no server")?;
    let host = Host::new("elsewhere.test", &elsewhere);
    let client = WebSocket::new();
    let (connected, echoed) =
        (SignalSpy::new(&client.connected()), SignalSpy::new(&client.binary_message_received()));
    client.open("ws://elsewhere.test/")?;
    connected.wait_for(1)?;
    (0..20).for_each(|_| _ = client.send_binary_message(vec![7; 100_000]));
    echoed.wait_for(20)?;
    thread.quit();
    drop((elsewhere, host));
    ensure!(thread.wait()? == 0);
    Ok(())
}

/// Room in a link wakes the loop of another thread that runs in a slot of the sender.
#[test]
fn a_slot_with_a_loop_sends_more_than_a_link_holds() -> Result<()> {
    let (servers, elsewhere) = std::sync::mpsc::channel();
    let thread = EventThread::spawn("sender", move || {
        let server = server();
        server.new_connection().connect(|server, ()| {
            let Some(socket) = server.next_pending_connection() else { return };
            socket.text_message_received().connect(|socket, _text| {
                socket.send_binary_message(vec![7; 1024 * 1024]);
                NestedLoop::new().exec();
            });
        });
        let _ = servers.send(server.clone());
        server
    })?;
    let elsewhere = elsewhere.recv().context("no server")?;
    let host = Host::new("sender.test", &elsewhere);
    let client = WebSocket::new();
    let received = SignalSpy::new(&client.binary_message_received());

    client.open("ws://sender.test/")?;
    client.connected().connect(|client, ()| _ = client.send_text_message("now"));
    received.wait_for(1)?;

    thread.quit();
    drop((elsewhere, host));
    ensure!(thread.wait()? == 0);
    Ok(())
}
