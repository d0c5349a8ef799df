//! Messages that are sent: their status, byte counts, flush.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use slotwork::{CloseCode, Error, EventLoop, SendStatus, WebSocket};

use support::raw_peer::{Frame, RawPeer, TEXT, masked, masked_texts};
use support::{DEADLINE, listening_server, recorded_server, serve, wait_until};

/// Qt: SND-03, CLS-07: refused from `close` on, and after the end; Qt still sends while closing.
#[test]
fn messages_are_refused_once_the_socket_closes() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, _text| {
        assert_eq!(socket.send_text_message("before"), SendStatus::Queued);
        assert_eq!(socket.close(CloseCode::NORMAL, ""), SendStatus::Queued);

        let refused = [
            socket.send_text_message("behind"),
            socket.send_binary_message([1]),
            socket.ping("behind"),
        ];

        assert_eq!(refused, [SendStatus::NotConnected; 3]);
        assert!(matches!(refused[0].into_result(), Err(Error::NotConnected)));
        socket.disconnected().connect(|socket, ()| {
            assert_eq!(socket.send_text_message("late"), SendStatus::NotConnected);
        });
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["go"]))?;
        peer.expect_texts(&["before"])?;
        ensure!(peer.close(1000, "")? == Frame::close(1000, ""));
        Ok(())
    })?;
    recorder.check_life(&[
        "text go",
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1000) ",
    ])
}

/// Qt: SND-01, SND-02, SND-12: output waits for the end of the turn, unless it is flushed.
#[test]
fn flush_writes_what_waits() -> Result<()> {
    let (server, recorder) = recorded_server(|socket, _text| {
        assert!(!socket.flush(), "there was nothing to write");
        socket.send_text_message("hi");
        assert_eq!(socket.bytes_to_write(), 4);

        assert!(socket.flush());

        assert_eq!(socket.bytes_to_write(), 0);
        assert!(!socket.flush());
        socket.disconnected().connect(|socket, ()| assert!(!socket.flush()));
    })?;
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["go"]))?;
        peer.expect_texts(&["hi"])?;
        peer.close(1000, "").map(drop)
    })?;
    recorder.wait_for_disconnected(1)?;
    ensure!(recorder.lines().ends_with(&["disconnected Some(1000) ".into()]));
    Ok(())
}

/// Qt: SND-08: `bytes_written` counts all that goes over the wire, each byte once: headers, close
/// frame, what was written at once, at the end of a turn, by `flush`, or when there was room again.
#[test]
fn bytes_written_adds_up_to_what_the_peer_reads() -> Result<()> {
    const BIG: usize = 10_000_000;
    let server = listening_server()?;
    let port = server.server_port();
    let total = Rc::new(Cell::new(0));
    let is_over = Rc::new(Cell::new(false));
    let (say_sent, sent) = mpsc::channel();
    let (sum, end) = (Rc::clone(&total), Rc::clone(&is_over));
    server.new_connection().connect(move |server, ()| {
        let Some(socket) = server.next_pending_connection() else { return };
        let (sum, end) = (Rc::clone(&sum), Rc::clone(&end));
        socket.bytes_written().connect(move |_socket, count| sum.set(sum.get() + count));
        socket.disconnected().connect(move |_socket, ()| end.set(true));
        let say_sent = say_sent.clone();
        socket.text_message_received().connect(move |socket, _text| {
            socket.send_text_message("small");
            socket.flush();
            socket.send_binary_message(vec![1; BIG]);
            assert!(socket.bytes_to_write() > 0, "the kernel took more than this test reckoned");
            socket.send_text_message("small");
            say_sent.send(()).unwrap();
        });
    });

    let read = serve(move || {
        let mut peer = RawPeer::open(port)?;
        peer.send(masked_texts(&["go"]))?;
        sent.recv_timeout(DEADLINE)?;
        peer.expect_texts(&["small"])?;
        ensure!(peer.read_frame()?.payload == vec![1; BIG]);
        peer.expect_texts(&["small"])?;
        peer.close(1000, "bye")?;
        // 19 frames of 512 KiB, and one with the rest and a shorter header.
        let headers = 19 * 10 + 4;
        Ok((2 + 5) + (headers + BIG) + (2 + 5) + (2 + 2 + 3))
    })?;
    wait_until(|| is_over.get())?;

    assert_eq!(total.get(), read);
    Ok(())
}

/// What a program sends before it ends its loop is written, from wherever it is sent.
#[test]
fn what_is_sent_before_the_loop_ends_is_written() -> Result<()> {
    for place in ["slot", "queued slot", "posted call", "closed"] {
        let server = listening_server()?;
        let port = server.server_port();
        server.new_connection().connect(move |server, ()| {
            while let Some(socket) = server.next_pending_connection() {
                let signal = socket.text_message_received();
                match place {
                    "slot" => _ = signal.connect(|socket, _text| say_last_words(socket)),
                    "queued slot" => {
                        _ = signal.queued().connect(|socket, _text| say_last_words(socket));
                    }
                    "posted call" => {
                        _ = signal.connect(|socket, _text| {
                            let socket = socket.clone();
                            EventLoop::current().handle().post(move || say_last_words(&socket));
                        });
                    }
                    _ => {
                        let (server, socket) = (server.clone(), socket.clone());
                        signal.connect(move |_socket, _text| server.close());
                        CLOSED.set(Some(socket));
                    }
                }
            }
        });
        server.closed().connect(|_server, ()| say_last_words(&CLOSED.take().unwrap()));
        let peer = thread::spawn(move || {
            let mut peer = RawPeer::open(port)?;
            peer.send(masked(TEXT, b"go"))?;
            peer.read_frame()
        });

        EventLoop::current().exec();

        let frame = peer.join().map_err(|_| anyhow!("the peer panicked"))?;
        ensure!(frame.context(place)? == Frame::text("last words"));
    }
    Ok(())
}

fn say_last_words(socket: &WebSocket) {
    socket.send_text_message("last words");
    EventLoop::current().quit();
}

thread_local! {
    static CLOSED: Cell<Option<WebSocket>> = const { Cell::new(None) };
}
