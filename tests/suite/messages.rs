//! Messages in and out, and what a slot sees of them.

use anyhow::{Result, ensure};

use crate::support::raw_peer::{self, BINARY, Frame, PING, PONG, RawPeer, TEXT, masked};
use crate::support::{echo_server, serve};

/// Qt: SND-01, SND-03; RFC 6455 §5.6.
#[test]
fn a_message_comes_back_as_it_was_sent() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        for text in ["hello", "", "é漢𝄞", &"long ".repeat(50_000)] {
            peer.check_echo(text)?;
        }
        for bytes in [&[][..], &[0, 255, 128], &vec![7; 1_000_000]] {
            peer.send(masked(BINARY, bytes))?;
            let echo = peer.read_frame()?;
            ensure!(echo.opcode == BINARY && echo.payload == bytes, "{} bytes", bytes.len());
        }
        Ok(())
    })
}

/// Qt: RCV-22; RFC 6455 §5.5.2: a ping is answered with its payload, also between fragments.
#[test]
fn pings_are_answered_also_inside_a_message() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(raw_peer::masked_frame(TEXT, b"frag"))?;
        peer.send(masked(PING, b"are you there"))?;
        let pong = peer.read_frame()?;
        peer.send(raw_peer::masked_frame(0x80, b"ments"))?;

        ensure!(pong == Frame { opcode: PONG, payload: b"are you there".to_vec() }, "{pong:?}");
        ensure!(peer.read_frame()? == Frame::text("fragments"));
        Ok(())
    })
}

/// A server serves one client after the other, not just the first.
#[test]
fn clients_are_served_one_after_the_other() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || (0..5).try_for_each(|_| raw_peer::check_good_client(port)))
}
