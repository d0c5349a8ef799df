//! Connections that end with 1006, without a closing handshake: `abort`, a lost peer, a reset.

use anyhow::{Result, ensure};
use slotwork::{CloseCode, EventLoop, SocketState};

use support::raw_peer::{Frame, RawPeer, masked_texts};
use support::{recorded_server, serve};

/// Qt: CLS-11: no close frame; the peer sees the end, what waits is lost, the code is 1006.
#[test]
fn abort_ends_at_once() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, _text| {
        socket.send_text_message("lost");
        socket.abort();
        socket.abort();
        assert_eq!(socket.state(), SocketState::Unconnected);
        assert_eq!(socket.bytes_to_write(), 0);
        assert!(socket.send_text_message("refused").into_result().is_err());
        let _ = socket.close(CloseCode::NORMAL, "too late");
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["abort", "behind"]))?;
        ensure!(peer.read_to_end()?.is_empty());
        Ok(())
    })?;
    recorder.check_life(&[
        "text abort",
        "about to close",
        "Unconnected",
        "disconnected Some(1006) ",
    ])
}

/// RFC 6455 §7.1.5: without the peer's close frame the code is 1006, also when ours was sent.
#[test]
fn abort_while_closing_ends_with_1006() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, text| match text {
        "close" => _ = socket.close(CloseCode::NORMAL, "never answered"),
        _ => socket.abort(),
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["close"]))?;
        peer.expect(&Frame::close(1000, "never answered"))?;
        peer.send(masked_texts(&["abort"]))?;
        ensure!(peer.read_to_end()?.is_empty());
        Ok(())
    })?;
    recorder.check_life(&[
        "text close",
        "about to close",
        "Closing",
        "text abort",
        "Unconnected",
        "disconnected Some(1006) ",
    ])
}

/// Nothing is delivered after `abort`, wherever it is called: here while messages are left over
/// from the turn before.
#[test]
fn nothing_is_delivered_after_abort() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, text| {
        if text == "first" {
            socket.about_to_close().connect(|socket, ()| socket.abort());
            let socket = socket.clone();
            let close = async move { _ = socket.close(CloseCode::NORMAL, "") };
            EventLoop::current().spawn(close).detach();
        }
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        let texts: Vec<&str> = ["first"].into_iter().chain(["more"; 60]).collect();
        peer.send(masked_texts(&texts))?;
        peer.read_to_end().map(drop)
    })?;
    recorder.wait_for_disconnected(1)?;

    let lines = recorder.lines();
    let end = lines.iter().position(|line| line == "about to close").unwrap_or_default();
    ensure!(
        lines[end..] == ["about to close", "Closing", "Unconnected", "disconnected Some(1006) "]
    );
    ensure!(end < 61, "everything was delivered before the slot could act");
    Ok(())
}

/// Qt: CLS-05 (1000, like a clean close); RFC 6455 §7.1.5: the peer's TCP ends without a close
/// frame, between messages or inside one.
#[test]
fn a_peer_that_just_goes_is_reported() -> Result<()> {
    let whole = masked_texts(&["last"]);
    let half = [&whole, &whole[..8]].concat();

    for last_words in [whole, half] {
        let (server, recorder) = recorded_server(|_socket, _text| {})?;
        let port = server.server_port();
        serve(move || {
            let mut peer = RawPeer::open(port)?;
            peer.send(last_words)?;
            peer.finish()?;
            ensure!(peer.read_to_end()?.is_empty());
            Ok(())
        })?;
        recorder.check_life(&[
            "text last",
            "error: the peer closed the connection without a closing handshake",
            "Unconnected",
            "disconnected Some(1006) ",
        ])?;
    }
    Ok(())
}

/// Qt: CLS-05: a TCP reset is reported in the same way.
#[test]
fn a_tcp_reset_is_reported() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, text| _ = socket.send_text_message(text))?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.check_echo("hello")?;
        peer.reset()
    })?;
    recorder.check_life(&[
        "text hello",
        "error: the peer closed the connection without a closing handshake",
        "Unconnected",
        "disconnected Some(1006) ",
    ])
}
