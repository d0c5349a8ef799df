//! Peers that read slowly are not dead: nothing that was sent is lost, and no deadline ends them.
//!
//! The timeouts are short and the buffers small; the peers read some hundred KiB a second.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Error, HostAddress, SocketState, SslMode, WebSocket, WebSocketServer};
use socket2::{Domain, Socket, Type};

use support::raw_peer::{
    BINARY, CLOSE, Frame, PING, PONG, RawPeer, TEXT, check_good_client, masked, masked_close,
};
use support::raw_server::RawServer;
use support::{echo_server, listening_server, serve, wait_until};

const KIB: usize = 1024;
/// What takes a slow peer several write timeouts.
const MESSAGE: usize = 600 * KIB;
/// Much less than the peers need for [`MESSAGE`].
const TIMEOUT: Duration = Duration::from_secs(1);
const SMALL_BUFFER: usize = 16 * KIB;
const FRAME: NonZeroUsize = NonZeroUsize::new(8 * KIB).unwrap();

/// A server that sends [`MESSAGE`] to each client and then calls `act`.
fn sending_server(
    mode: SslMode,
    act: impl Fn(&WebSocketServer, &WebSocket) + 'static,
) -> (WebSocketServer, Rc<RefCell<Vec<WebSocket>>>) {
    let server = WebSocketServer::new("Test Server", mode);
    server.set_send_buffer(Some(SMALL_BUFFER));
    server.set_write_timeout(Some(TIMEOUT));
    server.set_closing_timeout(Some(TIMEOUT));
    let sockets = Rc::new(RefCell::new(Vec::new()));
    let taken = Rc::clone(&sockets);
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.send_binary_message(vec![7; MESSAGE]);
            act(server, &socket);
            taken.borrow_mut().push(socket);
        }
    });
    (server, sockets)
}

/// Connects with little room for what is received.
fn connect_slowly(port: u16) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(SMALL_BUFFER)?;
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket.into())
}

fn open_slowly(port: u16) -> Result<RawPeer> {
    let mut peer = RawPeer::of(connect_slowly(port)?)?;
    peer.shake_hands()?;
    Ok(peer)
}

/// What a peer does besides reading.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Silent,
    /// It sends a text ten times a second.
    Talking,
}

/// Reads frames at 200 KiB/s until a close frame or the end; pings are answered.
fn read_slowly<S: Read + Write>(peer: &mut RawPeer<S>, manner: Manner) -> Result<Vec<Frame>> {
    let (mut received, mut frames) = (Vec::new(), Vec::new());
    let mut last_text = Instant::now();
    loop {
        let mut buffer = [0; 4 * KIB];
        let length = peer.read_into(&mut buffer)?;
        received.extend_from_slice(&buffer[..length]);
        while let Some((frame, rest)) = take_frame(&received) {
            received = rest;
            if frame.opcode == PING {
                peer.send(masked(PONG, &frame.payload))?;
            }
            frames.push(frame);
        }
        if length == 0 || frames.last().is_some_and(|frame| frame.opcode == CLOSE) {
            return Ok(frames);
        }
        if manner == Manner::Talking && last_text.elapsed() > Duration::from_millis(100) {
            last_text = Instant::now();
            peer.send(masked(TEXT, b"hi"))?;
        }
        smol::block_on(smol::Timer::after(Duration::from_millis(20)));
    }
}

/// Takes a frame off the beginning of what a server has sent, once it is whole.
fn take_frame(bytes: &[u8]) -> Option<(Frame, Vec<u8>)> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match second {
        126 => rest
            .split_first_chunk()
            .map(|(&length, rest)| (u16::from_be_bytes(length).into(), rest))?,
        127 => {
            rest.split_first_chunk().map(|(&length, rest)| (u64::from_be_bytes(length), rest))?
        }
        length => (length.into(), rest),
    };
    let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((Frame { opcode: first & 0x0F, payload: payload.to_vec() }, rest.to_vec()))
}

/// Checks that the message is there, whole, and returns the other frames.
fn check_message(frames: Vec<Frame>) -> Result<Vec<Frame>> {
    let (data, others): (Vec<_>, Vec<_>) =
        frames.into_iter().partition(|frame| frame.opcode <= BINARY);
    let length: usize = data.iter().map(|frame| frame.payload.len()).sum();
    ensure!(length > 0 && length.is_multiple_of(MESSAGE), "{length} bytes came");
    ensure!(data.iter().all(|frame| frame.payload.iter().all(|byte| *byte == 7)), "other bytes");
    Ok(others)
}

/// MSG-19: the server's `set_send_buffer` holds for the kernel's buffer of each new client.
#[test]
fn the_send_buffer_of_a_server_is_that_of_its_sockets() -> Result<()> {
    const LENGTH: usize = 4096 * KIB;
    let server = listening_server()?;
    server.set_send_buffer(Some(SMALL_BUFFER));
    let connections = SignalSpy::new(&server.new_connection());
    let port = server.server_port();
    let _peer = serve(move || open_slowly(port))?;
    connections.wait_for(1)?;
    let socket = server.next_pending_connection().context("there is no socket")?;

    socket.send_binary_message(vec![7; LENGTH]);

    let in_kernel = LENGTH.saturating_sub(socket.bytes_to_write());
    ensure!(in_kernel < 256 * KIB, "{in_kernel}");
    Ok(())
}

/// RFC 6455 §7.1.1: what was sent before `close` arrives, then the close frame; both ends have the
/// code. The message takes several write timeouts.
#[test]
fn a_slow_reader_gets_everything_before_the_close_frame() -> Result<()> {
    for manner in [Manner::Silent, Manner::Talking] {
        let (server, sockets) = sending_server(SslMode::NonSecure, |_, socket| {
            socket.close(1000, "done");
        });
        server.listen(HostAddress::LocalHost, 0)?;
        let port = server.server_port();

        let others = serve(move || {
            let mut peer = open_slowly(port)?;
            let others = check_message(read_slowly(&mut peer, manner)?)?;
            peer.send(masked_close(1000, "done"))?;
            Ok(others)
        })?;

        check_end(&others, &sockets.take())?;
    }
    Ok(())
}

/// Checks that the close frame came last, and that the socket has ended in order.
fn check_end(others: &[Frame], sockets: &[WebSocket]) -> Result<()> {
    ensure!(*others == [Frame::close(1000, "done")], "{others:?}");
    let [socket] = sockets else { bail!("not one socket") };
    wait_until(|| socket.state() == SocketState::Unconnected)?;
    ensure!(socket.close_code() == Some(1000.into()) && socket.error().is_none());
    Ok(())
}

/// The same over TLS. Keepalive pings go between the frames, of which TLS may have encrypted a part.
#[cfg(feature = "tls")]
#[test]
fn a_slow_reader_over_tls_gets_everything_before_the_close_frame() -> Result<()> {
    use support::certificates::Authority;
    use support::tls_peer::{TlsPeer, client_config};

    let authority = Authority::new()?;
    let (server, sockets) = sending_server(SslMode::Secure, |_, socket| {
        socket.set_outgoing_frame_size(FRAME);
        socket.send_binary_message(vec![7; MESSAGE]);
        // While much still waits: after `close` nothing is pinged.
        let socket = socket.clone();
        slotwork::Timer::single_shot(4 * TIMEOUT, move || _ = socket.close(1000, "done"));
    });
    server.set_keepalive_interval(Some(Duration::from_millis(20)));
    server.set_tls_config(authority.server_config()?)?;
    server.listen(HostAddress::LocalHost, 0)?;
    let (port, trusted) = (server.server_port(), authority.certificate());

    let others = serve(move || {
        let config = client_config(&trusted, rustls::ALL_VERSIONS)?;
        let mut peer = TlsPeer::begin_over(connect_slowly(port)?, config)?;
        peer.shake_hands()?;
        let others = check_message(read_slowly(&mut peer, Manner::Silent)?)?;
        peer.send(masked_close(1000, "done"))?;
        Ok(others)
    })?;

    let (pings, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|frame| frame.opcode == PING);
    ensure!(!pings.is_empty(), "no ping came while output waited");
    check_end(&others, &sockets.take())
}

/// A client that uploads to a slow server loses nothing either.
#[test]
fn a_client_of_a_slow_server_sends_everything_before_the_close_frame() -> Result<()> {
    let raw = RawServer::listen_slowly(SMALL_BUFFER)?;
    let socket = WebSocket::new();
    socket.set_send_buffer(Some(SMALL_BUFFER));
    socket.set_write_timeout(Some(TIMEOUT));
    socket.set_closing_timeout(Some(TIMEOUT));
    socket.connected().connect(|socket, ()| {
        socket.send_binary_message(vec![7; MESSAGE]);
        socket.close(1000, "done");
    });
    socket.open(raw.url())?;

    serve(move || {
        let mut client = raw.open()?;
        let mut received = 0;
        while received < MESSAGE {
            received += client.read_frame_slowly()?;
        }
        client.expect(&Frame::close(1000, "done"))?;
        client.peer.send([0x88, 2, 3, 0xE8])
    })?;

    wait_until(|| socket.state() == SocketState::Unconnected)?;
    ensure!(socket.close_code() == Some(1000.into()) && socket.error().is_none());
    Ok(())
}

/// Keepalive takes progress of the output for a sign of life, and pings between its frames.
#[test]
fn keepalive_does_not_end_a_slow_reader() -> Result<()> {
    let (server, sockets) = sending_server(SslMode::NonSecure, |_, socket| {
        socket.set_outgoing_frame_size(FRAME);
        socket.send_binary_message(vec![7; MESSAGE]);
        socket.close(1000, "done");
    });
    server.set_keepalive_interval(Some(Duration::from_millis(300)));
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();

    let frames = serve(move || {
        let mut peer = open_slowly(port)?;
        let frames = read_slowly(&mut peer, Manner::Silent)?;
        peer.send(masked_close(1000, "done"))?;
        Ok(frames)
    })?;

    let length: usize = frames.iter().map(|frame| frame.payload.len()).sum();
    ensure!(length >= 2 * MESSAGE, "{length}");
    let socket = sockets.take().remove(0);
    wait_until(|| socket.state() == SocketState::Unconnected)?;
    ensure!(socket.close_code() == Some(1000.into()), "{:?}", socket.error());
    Ok(())
}

/// A peer that sends is alive, though it reads nothing for several write timeouts.
#[test]
fn a_peer_that_only_talks_for_a_while_loses_nothing() -> Result<()> {
    let (server, sockets) = sending_server(SslMode::NonSecure, |_, _| {});
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();

    let (message, _peer) = serve(move || {
        let mut peer = open_slowly(port)?;
        for _ in 0..30 {
            peer.send(masked(TEXT, b"hi"))?;
            smol::block_on(smol::Timer::after(TIMEOUT / 10));
        }
        Ok((peer.read_frame()?, peer))
    })?;

    check_message(vec![message])?;
    ensure!(sockets.borrow()[0].is_valid(), "{:?}", sockets.borrow()[0].error());
    Ok(())
}

/// A peer that neither reads nor sends is ended, and the others are served.
#[test]
fn a_peer_that_acknowledges_nothing_is_ended_after_the_write_timeout() -> Result<()> {
    let server = echo_server()?;
    server.set_send_buffer(Some(SMALL_BUFFER));
    server.set_write_timeout(Some(Duration::from_millis(200)));
    let sockets = Rc::new(RefCell::new(Vec::new()));
    let taken = Rc::clone(&sockets);
    server.new_connection().connect(move |server, ()| taken.borrow_mut().extend(server.clients()));
    let port = server.server_port();
    let mut peer = serve(move || open_slowly(port))?;
    wait_until(|| !sockets.borrow().is_empty())?;
    let socket = sockets.take().remove(0);

    socket.send_binary_message(vec![7; 8 * MESSAGE]);
    wait_until(|| socket.state() == SocketState::Unconnected)?;

    ensure!(matches!(socket.error(), Some(Error::WriteTimeout(_))), "{:?}", socket.error());
    ensure!(socket.close_code() == Some(1006.into()));
    serve(move || {
        check_good_client(port)?;
        // What the kernel held is still there to be read, unless the kernel has ended it.
        peer.read_to_end()
    })?;
    Ok(())
}

/// `shutdown` bounds the program: what was sent before is read after it.
#[test]
fn what_was_sent_can_be_read_after_a_shutdown_has_ended() -> Result<()> {
    let (server, _sockets) = sending_server(SslMode::NonSecure, |server, _| {
        server.shutdown(Duration::from_millis(50));
    });
    let closed = SignalSpy::new(&server.closed());
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();
    let mut peer = serve(move || open_slowly(port))?;

    closed.wait_for(1)?;
    ensure!(server.clients().is_empty());
    let others = serve(move || check_message(read_slowly(&mut peer, Manner::Talking)?))?;

    ensure!(others == [Frame::close(1001, "server shut down")], "{others:?}");
    Ok(())
}

/// Qt: `close()` writes at once, and `abort()` behind it does not cut that off.
#[test]
fn an_abort_behind_a_close_cuts_nothing_off() -> Result<()> {
    let (server, sockets) = sending_server(SslMode::NonSecure, |_, socket| {
        socket.close(1000, "done");
        socket.abort();
    });
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();

    let others =
        serve(move || check_message(read_slowly(&mut open_slowly(port)?, Manner::Talking)?))?;

    ensure!(others == [Frame::close(1000, "done")], "{others:?}");
    ensure!(sockets.take().remove(0).state() == SocketState::Unconnected);
    Ok(())
}

/// A socket that does not read notices that the peer is gone, when nothing is left to be read.
#[test]
fn a_paused_socket_notices_that_its_peer_has_gone() -> Result<()> {
    for is_reset in [true, false] {
        let server = listening_server()?;
        let sockets = Rc::new(RefCell::new(Vec::new()));
        let taken = Rc::clone(&sockets);
        server.new_connection().connect(move |server, ()| {
            while let Some(socket) = server.next_pending_connection() {
                socket.pause_reading();
                taken.borrow_mut().push(socket);
            }
        });
        let port = server.server_port();
        let peer = serve(move || RawPeer::open(port))?;
        wait_until(|| !sockets.borrow().is_empty())?;
        let socket = sockets.take().remove(0);

        if is_reset {
            peer.reset()?;
        } else {
            drop(peer);
        }

        wait_until(|| socket.state() == SocketState::Unconnected)?;
        ensure!(matches!(socket.error(), Some(Error::RemoteHostClosed)), "{:?}", socket.error());
    }
    Ok(())
}

/// Nothing that has arrived is lost: the end is noticed behind it.
#[test]
fn a_paused_socket_delivers_what_came_before_the_end() -> Result<()> {
    let server = listening_server()?;
    let texts = Rc::new(RefCell::new(Vec::new()));
    let sockets = Rc::new(RefCell::new(Vec::new()));
    let (recorded, taken) = (Rc::clone(&texts), Rc::clone(&sockets));
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.pause_reading();
            let recorded = Rc::clone(&recorded);
            socket.text_message_received().connect(move |_, text| {
                recorded.borrow_mut().push(text.to_owned());
            });
            taken.borrow_mut().push(socket);
        }
    });
    let port = server.server_port();
    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked(TEXT, b"last words"))?;
        peer.finish()
    })?;
    // Another client's turn comes after the event of the end.
    serve(move || RawPeer::open(port))?;
    wait_until(|| sockets.borrow().len() == 2)?;
    let socket = sockets.take().remove(0);
    ensure!(socket.is_valid());

    socket.resume_reading();
    wait_until(|| socket.state() == SocketState::Unconnected)?;

    ensure!(*texts.borrow() == ["last words"]);
    Ok(())
}
