//! Which thread gets a connection, and that everything of it happens there.

use std::net::{TcpListener, TcpStream};
use std::thread;

use anyhow::{Result, ensure};
use slotwork::{Error, HandshakeRequest, HostAddress, SslMode, WebSocketServer};

use support::raw_peer::{RawPeer, check_good_client, request};
use support::{DEADLINE, serve, wait_until};

use crate::server::threads::{Shared, add_part, echo_on_threads, listening_parts, thread_name};

/// 10 clients on 4 threads are 2 or 3 on each, also when they come at once.
#[test]
fn clients_that_come_at_once_are_spread_evenly() -> Result<()> {
    let (server, parts, _threads) = listening_parts(4)?;
    let port = server.server_port();

    for _ in 0..5 {
        let peers = serve(move || open_at_once(port, 10))?;
        wait_until(|| server.clients().len() == 10)?;

        let counts: Vec<_> = parts.iter().map(|part| part.clients().len()).collect();
        ensure!(counts.iter().all(|count| (2..=3).contains(count)), "{counts:?}");
        serve(move || peers.into_iter().try_for_each(RawPeer::reset))?;
        wait_until(|| server.clients().is_empty())?;
    }
    Ok(())
}

/// A thread whose clients leave gets the next ones.
#[test]
fn the_thread_with_the_fewest_clients_gets_the_next() -> Result<()> {
    let (server, parts, _threads) = listening_parts(2)?;
    let port = server.server_port();
    let _peers = serve(move || open_at_once(port, 6))?;
    wait_until(|| server.clients().len() == 6)?;
    let [first, second] = &parts[..] else { anyhow::bail!("two parts") };

    first.clients().iter().for_each(slotwork::WebSocket::abort);
    wait_until(|| first.clients().is_empty())?;
    let _others = serve(move || open_at_once(port, 3))?;
    wait_until(|| server.clients().len() == 6)?;

    assert_eq!((first.clients().len(), second.clients().len()), (3, 3));
    Ok(())
}

/// Half-open handshakes count as well: what follows goes to the other threads.
#[test]
fn handshakes_under_way_count_for_their_thread() -> Result<()> {
    let (server, parts, _threads) = listening_parts(2)?;
    let port = server.server_port();

    // Every second connection sends nothing, so that one thread has silent ones alone.
    let _peers = serve(move || {
        let mut peers = Vec::new();
        for _ in 0..4 {
            peers.push(RawPeer::connect(port)?);
            peers.push(RawPeer::open(port)?);
        }
        Ok(peers)
    })?;
    wait_until(|| server.clients().len() == 4)?;

    let mut counts: Vec<_> = parts.iter().map(|part| part.clients().len()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [0, 4]);
    Ok(())
}

/// Connections that other code has accepted are distributed as accepted ones are.
#[test]
fn connections_of_other_code_are_handed_over_too() -> Result<()> {
    let server = WebSocketServer::new("Foreign", SslMode::NonSecure);
    let parts = Shared::new();
    let _threads = server.serve_on_threads(3, add_part(&parts))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let connect = || -> Result<(RawPeer, TcpStream)> {
        let stream = TcpStream::connect(address)?;
        Ok((RawPeer::of(stream)?, listener.accept()?.0))
    };

    let ((mut first, one), (mut second, two), (mut third, three)) =
        (connect()?, connect()?, connect()?);
    server.handle_connection(one, request().as_bytes())?;
    server.handle_stream(smol::net::TcpStream::try_from(two)?, &[], None)?;
    let head = HandshakeRequest::from_head(
        "GET",
        "/chat",
        [
            ("Host", "127.0.0.1"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", support::raw_peer::KEY),
            ("Sec-WebSocket-Version", "13"),
        ],
    )?;
    server.adopt_upgraded(smol::net::TcpStream::try_from(three)?, &[], head, None)?;
    serve(move || {
        first.expect_upgrade()?;
        second.shake_hands()?;
        [&mut first, &mut second, &mut third].iter_mut().try_for_each(|peer| peer.check_echo("hi"))
    })?;

    let counts: Vec<_> = parts.get().iter().map(|part| part.clients().len()).collect();
    ensure!(counts.iter().sum::<usize>() <= 3, "{counts:?}");
    Ok(())
}

/// A connection that is handed to a part itself stays in it.
#[test]
fn a_part_takes_connections_itself() -> Result<()> {
    let server = WebSocketServer::new("Own", SslMode::NonSecure);
    let parts = Shared::new();
    let _threads = server.serve_on_threads(2, add_part(&parts))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut peers = Vec::new();
    let second = parts.get().remove(1);

    for _ in 0..3 {
        peers.push(RawPeer::of(TcpStream::connect(listener.local_addr()?)?)?);
        second.handle_connection(listener.accept()?.0, request().as_bytes())?;
    }
    wait_until(|| second.clients().len() == 3)?;

    assert_eq!(server.clients().len(), 3);
    Ok(())
}

/// Slots of a client run in the thread of its part, and of no other.
#[test]
fn slots_run_in_the_thread_of_their_part() -> Result<()> {
    let server = WebSocketServer::new("Slots", SslMode::NonSecure);
    let threads_of_slots = Shared::new();
    let added = threads_of_slots.clone();
    let _threads = server.serve_on_threads(2, move |part| {
        let (home, slots) = (thread::current().id(), added.clone());
        let note = move |name: &'static str| {
            slots.add((name, thread::current().id() == home));
        };
        let noted = note.clone();
        part.origin_authentication_required().connect(move |_part, _cors| noted("origin"));
        let verified = note.clone();
        part.set_verifier(async move |_part, _handshake| {
            verified("verifier");
            slotwork::Verdict::accept()
        });
        part.new_connection().connect(move |part, ()| {
            note("new connection");
            while let Some(socket) = part.next_pending_connection() {
                let text = note.clone();
                socket.text_message_received().connect(move |socket, message| {
                    text("text");
                    socket.send_text_message(message);
                });
                let end = note.clone();
                socket.disconnected().connect(move |_socket, ()| end("disconnected"));
            }
        });
    })?;
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();

    serve(move || (0..4).try_for_each(|_| check_good_client(port)))?;
    wait_until(|| threads_of_slots.len() == 4 * 5)?;

    let slots = threads_of_slots.get();
    ensure!(slots.iter().all(|(_, is_home)| *is_home), "{slots:?}");
    Ok(())
}

/// When a thread ends, connections that wait for it go to another one.
#[test]
fn a_connection_for_a_thread_that_ends_goes_to_another() -> Result<()> {
    let server = WebSocketServer::new("Ending", SslMode::NonSecure);
    let names = Shared::new();
    let added = names.clone();
    let threads = server.serve_on_threads(2, move |part| {
        let names = added.clone();
        part.new_connection().connect(move |part, ()| {
            while let Some(socket) = part.next_pending_connection() {
                support::echo(&socket);
                names.add(thread_name());
            }
        });
    })?;
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();
    let (start, started) = smol::channel::bounded::<()>(1);
    let (go_on, released) = smol::channel::bounded::<()>(1);
    threads.handle(0).post(move || {
        let _ = start.send_blocking(());
        let _ = released.recv_blocking();
        slotwork::EventLoop::current().quit();
    });
    support::run_until(async move { started.recv().await })??;

    // One of them is posted to the thread that will not take it.
    let clients = serve(move || {
        Ok([RawPeer::connect(port)?, RawPeer::connect(port)?, RawPeer::connect(port)?])
    })?;
    let mut other = serve(move || RawPeer::open(port))?;
    go_on.send_blocking(())?;
    serve(move || {
        for mut client in clients {
            client.shake_hands()?;
            client.check_echo("not lost")?;
        }
        other.check_echo("still there")?;
        check_good_client(port)
    })?;

    ensure!(names.get().iter().all(|name| name == "Ending 1"), "{:?}", names.get());
    Ok(())
}

/// Without a thread that runs, the server stops listening, and says why.
#[test]
fn a_server_whose_threads_have_all_ended_listens_no_more() -> Result<()> {
    let (server, threads) = echo_on_threads(2)?;
    let errors = slotwork::signals::SignalSpy::new(&server.server_error());
    let port = server.server_port();
    (0..2).for_each(|index| threads.handle(index).quit());
    threads.wait()?;

    serve(move || {
        ensure!(RawPeer::connect(port)?.read_to_end()?.is_empty());
        Ok(())
    })?;
    errors.wait_for(1)?;

    ensure!(matches!(errors.at(0), Some(Error::EventLoopEnded)), "{errors:?}");
    ensure!(!server.is_listening());
    let again = server.listen(HostAddress::LocalHost, 0);
    ensure!(matches!(again, Err(Error::EventLoopEnded)), "{again:?}");
    Ok(())
}

/// Opens connections, all before the first handshake begins, each in a thread of its own.
fn open_at_once(port: u16, count: usize) -> Result<Vec<RawPeer>> {
    let peers = (0..count).map(|_| RawPeer::connect(port)).collect::<Result<Vec<_>>>()?;
    let opening = peers.into_iter().map(|mut peer| {
        thread::spawn(move || -> Result<RawPeer> {
            peer.set_read_timeout(DEADLINE)?;
            peer.shake_hands()?;
            Ok(peer)
        })
    });
    let opening: Vec<_> = opening.collect();
    opening.into_iter().map(|peer| peer.join().map_err(|_| anyhow::anyhow!("panicked"))?).collect()
}
