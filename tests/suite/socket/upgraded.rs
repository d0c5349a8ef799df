//! Sockets over connections that another library has upgraded.

use std::net::{Ipv4Addr, TcpListener, TcpStream};

use anyhow::{Result, ensure};
use slotwork::{CloseCode, Error, Role, SocketState, WebSocket};

use support::raw_peer::{Frame, RawPeer, TEXT, masked, masked_texts};
use support::raw_server::{RawClient, unmasked};
use support::recorder::Recorder;
use support::{echo, serve, wait_until};

/// The two ends of a TCP connection.
fn tcp_pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let one = TcpStream::connect(listener.local_addr()?)?;
    Ok((one, listener.accept()?.0))
}

/// Issue: `from_upgraded(stream, leftover, role)`: what came behind the handshake is delivered, also
/// the first part of a message.
#[test]
fn a_server_goes_on_behind_the_handshake_of_another() -> Result<()> {
    let (ours, theirs) = tcp_pair()?;
    let frames = masked_texts(&["one", "two"]);
    let (leftover, rest) = frames.split_at(12);
    let rest = rest.to_vec();

    let socket = WebSocket::from_upgraded(ours, leftover, Role::Server)?;
    let recorder = Recorder::default();
    recorder.watch(&socket);
    echo(&socket);
    ensure!(socket.is_valid() && socket.peer_port() == theirs.local_addr()?.port());
    serve(move || {
        let mut peer = RawPeer::of(theirs)?;
        peer.expect_texts(&["one"])?;
        peer.send(rest)?;
        peer.expect_texts(&["two"])?;
        ensure!(peer.close(1001, "bye")? == Frame::close(1001, "bye"));
        Ok(())
    })?;

    recorder.check_life(&[
        "text one",
        "text two",
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1001) bye",
    ])
}

/// The same for the other end, which masks its frames (RFC 6455 §5.3), and belongs to no server.
#[test]
fn a_client_goes_on_behind_the_handshake_of_another() -> Result<()> {
    let (ours, theirs) = tcp_pair()?;
    let socket = WebSocket::from_upgraded(ours, &unmasked(TEXT, b"hi"), Role::Client)?;
    let recorder = Recorder::default();
    recorder.watch(&socket);
    echo(&socket);

    serve(move || {
        let mut client = RawClient { peer: RawPeer::of(theirs)?, request: String::new() };
        client.expect(&Frame::text("hi"))?;
        client.close(1000, "")
    })?;
    recorder.wait_for_disconnected(1)?;

    ensure!(socket.state() == SocketState::Unconnected);
    ensure!(socket.close_code() == Some(CloseCode::NORMAL));
    ensure!(matches!(socket.open("ws://127.0.0.1:1"), Err(Error::AlreadyOpen)));
    ensure!(socket.request_url().is_empty() && socket.handshake_response().is_none());
    Ok(())
}

/// RFC 6455 §5.1: each role refuses what the other end must not send.
#[test]
fn a_peer_of_the_wrong_role_is_refused() -> Result<()> {
    for (role, frame) in [(Role::Server, unmasked(TEXT, b"x")), (Role::Client, masked(TEXT, b"x"))]
    {
        let (ours, _theirs) = tcp_pair()?;
        let socket = WebSocket::from_upgraded(ours, &frame, role)?;

        wait_until(|| socket.state() == SocketState::Closing)?;

        ensure!(socket.close_code() == Some(CloseCode::PROTOCOL_ERROR), "{role:?}");
    }
    Ok(())
}

/// A socket that is not connected is an error, and nothing is emitted.
#[test]
fn a_connection_that_is_gone_is_an_error() -> Result<()> {
    let unconnected = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;

    let outcome = WebSocket::from_upgraded(unconnected.into(), &[], Role::Server);

    ensure!(matches!(outcome, Err(Error::Connection { .. })), "{outcome:?}");
    Ok(())
}
