//! Fairness: one busy peer beside others.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Result, ensure};
use slotwork::Timer;

use support::raw_peer::{BINARY, PING, PONG, RawPeer, TEXT, masked};
use support::recorder::Recorder;
use support::{DEADLINE, echo, listening_server, recorded_server, serve, wait_until};

/// Qt: SRV-22: messages of one read are emitted one by one, in order, and so are the echoes.
#[test]
fn messages_of_one_read_come_one_by_one() -> Result<()> {
    let server = listening_server()?;
    let recorder = Recorder::default();
    let lines = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            let lines = lines.clone();
            socket.binary_message_received().connect(move |socket, bytes| {
                lines.add(bytes.escape_ascii().to_string());
                socket.send_binary_message(bytes);
            });
        }
    });
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked(BINARY, b"abc").repeat(10))?;
        let echoes = peer.read_bytes(10 * 5)?;
        ensure!(echoes == b"\x82\x03abc".repeat(10));
        Ok(())
    })?;

    recorder.check(&["abc"; 10])
}

/// MSG-08: a flood of tiny frames by one client delays the others by a few turns, whatever its
/// slot costs.
#[test]
fn a_flood_of_messages_lets_the_others_come_first() -> Result<()> {
    const FLOOD: usize = 4000;
    let server = listening_server()?;
    let port = server.server_port();
    let (flooded, before_the_other) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(usize::MAX)));
    let (is_sent, sent) = mpsc::channel();
    let (count, found) = (Rc::clone(&flooded), Rc::clone(&before_the_other));
    let sent = Rc::new(sent);
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            echo(&socket);
            let (count, sent) = (Rc::clone(&count), Rc::clone(&sent));
            let flooded = Rc::clone(&count);
            socket.binary_message_received().connect(move |_socket, _bytes| {
                // The first message of the flood waits until the other client has sent its own.
                if flooded.replace(flooded.get() + 1) == 0 {
                    sent.recv_timeout(DEADLINE).unwrap();
                }
            });
            let found = Rc::clone(&found);
            socket.text_message_received().connect(move |_socket, _text| found.set(count.get()));
        }
    });

    serve(move || {
        let (mut busy, mut other) = (RawPeer::open(port)?, RawPeer::open(port)?);
        busy.send(masked(BINARY, b"x").repeat(FLOOD))?;
        other.send(masked(TEXT, b"me too"))?;
        is_sent.send(())?;
        ensure!(other.read_frame()?.payload == b"me too");
        for _ in 0..FLOOD {
            busy.read_frame()?;
        }
        Ok(())
    })?;

    assert_eq!(flooded.get(), FLOOD);
    assert!(before_the_other.get() <= 64, "{} messages came first", before_the_other.get());
    Ok(())
}

/// MSG-08: a flood that goes on has as many messages in each turn of the loop as at its beginning.
#[test]
fn a_flood_without_end_has_its_share_of_each_turn() -> Result<()> {
    const FLOOD: usize = 40_000;
    let server = listening_server()?;
    let port = server.server_port();
    let (count, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let counted = Rc::clone(&count);
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            let counted = Rc::clone(&counted);
            socket.binary_message_received().connect(move |socket, _bytes| {
                counted.set(counted.get() + 1);
                if counted.get() == FLOOD {
                    socket.send_text_message("all");
                }
            });
        }
    });
    // It expires once in each turn.
    let (timer, before) = (Timer::new(), Cell::new(0));
    let (counted, found) = (Rc::clone(&count), Rc::clone(&most));
    timer.timeout().connect(move |_timer, ()| {
        let in_turn = counted.get() - before.replace(counted.get());
        found.set(found.get().max(in_turn));
    });
    timer.start(Duration::ZERO);

    serve(move || {
        let mut busy = RawPeer::open(port)?;
        // In many pieces, of which each read gets some.
        let piece = masked(BINARY, b"x").repeat(40);
        (0..FLOOD / 40).try_for_each(|_| busy.send(&piece))?;
        ensure!(busy.read_frame()?.payload == b"all");
        Ok(())
    })?;

    ensure!(count.get() == FLOOD);
    ensure!((1..=16).contains(&most.get()), "{} messages in one turn", most.get());
    Ok(())
}

/// A slot of `bytes_written` that sends more keeps a stream going; the others come in between.
#[test]
fn a_stream_that_feeds_itself_lets_the_others_come_first() -> Result<()> {
    let (say_streaming, streaming) = mpsc::channel();
    let (say_sent, sent) = mpsc::channel();
    let sent = Rc::new(sent);
    let (pieces, is_heard) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let (count, heard) = (Rc::clone(&pieces), Rc::clone(&is_heard));
    let (server, _recorder) = recorded_server(move |socket, text| {
        if text != "stream" {
            heard.set(true);
            return;
        }
        let (count, heard) = (Rc::clone(&count), Rc::clone(&heard));
        let (say_streaming, sent) = (say_streaming.clone(), Rc::clone(&sent));
        socket.bytes_written().connect(move |socket, _count| {
            if count.get() == 0 {
                // The first piece is out; the next comes when the other client has sent its own.
                say_streaming.send(()).unwrap();
                sent.recv_timeout(DEADLINE).unwrap();
            }
            if !heard.get() && count.get() < 1000 {
                count.set(count.get() + 1);
                socket.send_text_message("piece");
            }
        });
        socket.send_text_message("piece");
    })?;
    let port = server.server_port();

    let _peers = serve(move || {
        let (mut busy, mut other) = (RawPeer::open(port)?, RawPeer::open(port)?);
        busy.send(masked(TEXT, b"stream"))?;
        streaming.recv_timeout(DEADLINE)?;
        other.send(masked(TEXT, b"me too"))?;
        say_sent.send(())?;
        Ok([busy, other])
    })?;
    wait_until(|| is_heard.get())?;

    assert!(pieces.get() <= 4, "{} pieces came first", pieces.get());
    Ok(())
}

/// RFC 6455 §5.5.2: a ping is answered although more output always waits than the peer has taken.
#[test]
fn a_ping_is_answered_in_the_middle_of_a_stream() -> Result<()> {
    const KEPT_QUEUED: usize = 4 << 20;
    const PIECE: [u8; 16_000] = [7; 16_000];
    let server = listening_server()?;
    let port = server.server_port();
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.bytes_written().connect(|socket, _count| {
                while socket.bytes_to_write() < KEPT_QUEUED && socket.is_valid() {
                    socket.send_binary_message(PIECE);
                }
            });
            socket.send_binary_message(PIECE);
        }
    });

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        // So much that the stream is under way and the kernel's buffers are full.
        let mut received = 0;
        while received < 2 * KEPT_QUEUED {
            received += peer.read_frame()?.payload.len();
        }
        peer.send(masked(PING, b"alive?"))?;
        let mut later = 0;
        loop {
            let frame = peer.read_frame()?;
            if frame.opcode == PONG {
                return Ok(());
            }
            later += frame.payload.len();
            ensure!(later < 16 * KEPT_QUEUED, "no pong after {later} bytes more");
        }
    })
}
