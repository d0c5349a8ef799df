//! Single frames, and the limits of frames and messages.

use std::num::NonZeroUsize;

use anyhow::{Result, ensure};
use slotwork::WebSocketServer;

use support::raw_peer::{
    BINARY, CONTINUATION, Frame, PING, PONG, RawPeer, TEXT, check_good_client, masked, masked_frame,
};
use support::recorder::Recorder;
use support::{echo_server, listening_server, recorded_server, serve};

/// A server that records the frames and the messages of its sockets.
fn server_of_frames() -> Result<(WebSocketServer, Recorder)> {
    let server = listening_server()?;
    let recorder = Recorder::default();
    let watcher = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            let recorder = watcher.clone();
            socket.text_frame_received().connect(move |_socket, frame| {
                recorder.add(format!("text frame {:?} {}", frame.text, frame.is_last_frame));
            });
            let recorder = watcher.clone();
            socket.binary_frame_received().connect(move |_socket, frame| {
                recorder.add(format!("binary frame {:?} {}", frame.bytes, frame.is_last_frame));
            });
            let recorder = watcher.clone();
            socket.text_message_received().connect(move |_socket, text| {
                recorder.add(format!("text {text:?}"));
            });
            let recorder = watcher.clone();
            socket.binary_message_received().connect(move |_socket, bytes| {
                recorder.add(format!("binary {bytes:?}"));
            });
        }
    });
    Ok((server, recorder))
}

/// Qt: SND-01, RCV-23: each frame, also the only one, comes before its message; characters whole.
#[test]
fn frames_are_reported_before_their_message() -> Result<()> {
    let (server, recorder) = server_of_frames()?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked(TEXT, b"one"))?;
        peer.send(masked_frame(TEXT, b"a\xC3"))?;
        peer.send(masked(PING, b"between"))?;
        peer.send(masked(CONTINUATION, b"\xA9b"))?;
        peer.send(masked_frame(BINARY, &[1]))?;
        peer.send(masked_frame(CONTINUATION, &[]))?;
        peer.send(masked(CONTINUATION, &[2, 3]))?;
        ensure!(peer.read_frame()?.opcode == PONG);
        peer.close(1000, "")
    })?;

    recorder.check(&[
        r#"text frame "one" true"#,
        r#"text "one""#,
        r#"text frame "a" false"#,
        r#"text frame "éb" true"#,
        r#"text "aéb""#,
        "binary frame [1] false",
        "binary frame [] false",
        "binary frame [2, 3] true",
        "binary [1, 2, 3]",
    ])
}

/// RFC 6455 §5.4: a frame slot may close the socket; neither frames nor the message follow.
#[test]
fn nothing_follows_a_frame_whose_slot_aborts() -> Result<()> {
    let server = listening_server()?;
    let recorder = Recorder::default();
    let watcher = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            watcher.watch(&socket);
            socket.text_frame_received().connect(|socket, frame| match &*frame.text {
                "go on" => _ = socket.send_text_message("gone on"),
                _ => socket.abort(),
            });
        }
    });
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_frame(TEXT, b"a"))?;
        // The connection may be gone by now.
        let _ = peer.send(masked(CONTINUATION, b"b"));
        ensure!(peer.read_to_end()? == b"");

        let mut good = RawPeer::open(port)?;
        good.send(masked(TEXT, b"go on"))?;
        good.expect_texts(&["gone on"])
    })?;

    recorder.check_start(&["about to close", "Unconnected", "disconnected Some(1006) "])
}

/// Qt: RCV-25, `testingFrameAndMessageSizeApi`: what was set reads back; the defaults are ours.
#[test]
fn limits_read_back() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, _text| {
        const MIB: usize = 1024 * 1024;
        assert_eq!(socket.max_allowed_incoming_frame_size(), 16 * MIB);
        assert_eq!(socket.max_allowed_incoming_message_size(), 16 * MIB);
        assert_eq!(socket.outgoing_frame_size().get(), MIB / 2);

        socket.set_max_allowed_incoming_frame_size(9);
        socket.set_max_allowed_incoming_message_size(889);
        socket.set_outgoing_frame_size(NonZeroUsize::new(5).unwrap());

        assert_eq!(socket.max_allowed_incoming_frame_size(), 9);
        assert_eq!(socket.max_allowed_incoming_message_size(), 889);
        assert_eq!(socket.outgoing_frame_size().get(), 5);
        socket.send_text_message("done");
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked(TEXT, b"go"))?;
        ensure!(peer.read_frame()? == Frame::text("done"));
        peer.close(1000, "")
    })?;
    recorder.check_start(&["text go"])
}

/// Qt: RCV-25; RFC 6455 §10.4: limits that a slot sets hold from then on; at the limit all is well.
#[test]
fn what_is_over_a_limit_that_was_set_is_answered_with_1009() -> Result<()> {
    let server = listening_server()?;
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.set_max_allowed_incoming_frame_size(8);
            socket.set_max_allowed_incoming_message_size(10);
            socket.text_message_received().connect(|socket, text| {
                socket.send_text_message(text);
            });
        }
    });
    let good = echo_server()?;
    let (port, good_port) = (server.server_port(), good.server_port());
    let fits = [masked_frame(TEXT, b"12345678"), masked(CONTINUATION, b"90")].concat();
    let long_frame = masked(TEXT, b"123456789")[..2].to_vec();
    let long_message = [masked_frame(TEXT, b"123456"), masked(CONTINUATION, b"78901")].concat();

    serve(move || {
        for too_much in [long_frame, long_message] {
            let mut peer = RawPeer::open(port)?;
            peer.send(&fits)?;
            peer.expect_texts(&["1234567890"])?;
            peer.send(&too_much)?;
            ensure!(peer.read_frame()?.close_code()? == 1009);
        }
        check_good_client(good_port)
    })
}

/// A limit that is set while messages come holds from the loop's next turn on.
#[test]
fn a_limit_may_be_raised_while_the_socket_is_open() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, text| {
        socket.set_max_allowed_incoming_message_size(if text == "lower" { 5 } else { 100 });
        socket.send_text_message("set");
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        for text in ["lower", "raise"] {
            peer.send(masked(TEXT, text.as_bytes()))?;
            peer.expect_texts(&["set"])?;
        }
        peer.send(masked(TEXT, b"123456"))?;
        peer.expect_texts(&["set"])?;
        peer.close(1000, "")
    })?;
    recorder.check_start(&["text lower", "text raise", "text 123456"])
}

/// Qt: SND-04; RFC 6455 §5.4: long messages are cut by bytes, short ones are not.
#[test]
fn long_messages_are_sent_in_frames() -> Result<()> {
    let (server, _recorder) = recorded_server(|socket, text| {
        socket.set_outgoing_frame_size(NonZeroUsize::new(4).unwrap());
        socket.send_text_message(text);
        socket.send_binary_message([1, 2, 3, 4]);
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked(TEXT, "abcdé fghij".as_bytes()))?;
        let expected = [
            &b"\x01\x04abcd"[..],
            b"\x00\x04\xC3\xA9 f",
            b"\x80\x04ghij",
            b"\x82\x04\x01\x02\x03\x04",
        ]
        .concat();
        ensure!(peer.read_bytes(expected.len())? == expected);
        Ok(())
    })
}

/// Qt: SND-02, SND-04: 512 KiB a frame unless something else is set; what is written at once too.
#[test]
fn a_big_message_comes_in_two_frames_by_default() -> Result<()> {
    const LENGTH: usize = 1024 * 1024;
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked(BINARY, &vec![7; LENGTH]))?;
        let wire = peer.read_bytes(LENGTH + 2 * 10)?;
        let (first, second) = wire.split_at(wire.len() / 2);
        ensure!(first.starts_with(&[0x02, 127, 0, 0, 0, 0, 0, 8, 0, 0, 7]), "{:?}", &first[..12]);
        ensure!(second.starts_with(&[0x80, 127, 0, 0, 0, 0, 0, 8, 0, 0, 7]), "{:?}", &second[..12]);
        check_good_client(port)
    })
}
