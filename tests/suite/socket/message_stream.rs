//! Sockets as streams and sinks of messages, on the loop and outside of it.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::Write;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use futures_sink::Sink;
use slotwork::signals::SignalSpy;
use slotwork::{
    CloseCode, Error, EventLoop, Message, MessageStream, SendStatus, SocketState, WebSocket,
};
use smol::future::FutureExt;
use smol::stream::StreamExt;

use support::raw_peer::{
    Frame, RawPeer, TEXT, check_good_client, masked, masked_close, masked_texts,
};
use support::raw_server::{RawServer, unmasked};
#[cfg(unix)]
use support::{echo_server, in_thread};
use support::{listening_server, run_until, serve, wait_until};

/// A socket that was just taken, and its peer.
fn connection() -> Result<(WebSocket, RawPeer)> {
    let server = listening_server()?;
    let port = server.server_port();
    let peer = serve(move || RawPeer::open(port))?;
    wait_until(|| server.has_pending_connections())?;
    let socket = server.next_pending_connection().context("there is none")?;
    Ok((socket, peer))
}

/// Issue: `Stream<Item = Message>`: what came before the end, in order, and then the end.
#[test]
fn a_stream_has_all_messages_and_ends_with_the_socket() -> Result<()> {
    let (socket, mut peer) = connection()?;
    let messages = socket.message_stream();

    peer.send(masked_texts(&["one", "", "three"]))?;
    peer.send(masked(2, b"\x00\xFF"))?;
    peer.send(masked_close(1001, "bye"))?;
    let got: Vec<Message> = run_until(messages.collect())?;

    let expected = ["one".into(), "".into(), "three".into(), vec![0, 0xFF].into()];
    ensure!(got == expected, "{got:?}");
    ensure!(socket.close_code() == Some(CloseCode::GOING_AWAY) && socket.error().is_none());
    Ok(())
}

/// A stream of a socket that has ended is over; one of a peer that vanished ends too.
#[test]
fn a_stream_ends_however_the_socket_does() -> Result<()> {
    let (socket, peer) = connection()?;
    let mut messages = socket.message_stream();

    drop(peer);

    ensure!(run_until(messages.next())?.is_none());
    ensure!(matches!(socket.error(), Some(Error::RemoteHostClosed)));
    ensure!(
        run_until(messages.next())?.is_none()
            && run_until(socket.message_stream().next())?.is_none()
    );
    ensure!(matches!(run_until(messages.send("late"))?, Err(Error::NotConnected)));
    Ok(())
}

/// Issue: an echo server made of tasks.
#[test]
fn a_task_for_each_client_echoes() -> Result<()> {
    let server = listening_server()?;
    server.new_connection().connect_async(async |server, ()| {
        let Some(socket) = server.next_pending_connection() else { return };
        let mut messages = socket.message_stream();
        while let Some(message) = messages.next().await {
            if messages.send(message).await.is_err() {
                return;
            }
        }
    });
    let port = server.server_port();

    serve(move || {
        let mut peers: Vec<_> = (0..5).map(|_| RawPeer::open(port)).collect::<Result<_>>()?;
        for number in 0..20 {
            peers.iter_mut().try_for_each(|peer| peer.check_echo(&number.to_string()))?;
        }
        check_good_client(port)
    })
}

/// Issue: on smol's own executor, with the loop inside it; a client, from `open` to its end.
#[cfg(unix)]
#[test]
fn a_client_talks_on_smol() -> Result<()> {
    let echo = in_thread(|event_loop| -> Result<_> {
        let server = echo_server()?;
        let socket = WebSocket::new();
        let mut messages = socket.message_stream();
        socket.open(server.server_url())?;
        let talk = async {
            // It waits until the connection is open.
            messages.send("hello").await?;
            let echo = messages.next().await;
            poll_fn(|cx| Pin::new(&mut messages).poll_close(cx)).await?;
            ensure!(messages.next().await.is_none());
            event_loop.quit();
            Ok(echo)
        };
        let (echo, code) = smol::block_on(smol::future::zip(talk, event_loop.exec_async()));
        ensure!(code == 0 && socket.close_code() == Some(CloseCode::NORMAL));
        echo
    })??;

    ensure!(echo == Some("hello".into()), "{echo:?}");
    Ok(())
}

/// Issue: the stream may be read in a thread that has no loop.
#[test]
fn a_stream_goes_to_another_thread() -> Result<()> {
    let (socket, mut peer) = connection()?;
    let mut messages = socket.message_stream();

    let reader = thread::spawn(move || {
        smol::block_on(async {
            while let Some(message) = messages.next().await {
                messages.send(message).await?;
            }
            anyhow::Ok(())
        })
    });
    serve(move || {
        (0..1000).try_for_each(|number| peer.check_echo(&number.to_string()))?;
        peer.close(1000, "").map(drop)
    })?;

    reader.join().map_err(|_| anyhow!("the reader panicked"))?
}

/// Back-pressure: a stream that is not read holds the peer back, in little memory; nothing is lost.
#[test]
fn a_stream_that_is_not_read_holds_its_peer_back() -> Result<()> {
    let (socket, peer) = connection()?;
    let mut messages = socket.message_stream();
    let sent = serve(move || {
        let mut flood = peer.try_clone_stream()?;
        flood.set_write_timeout(Some(Duration::from_millis(200)))?;
        let message = masked(TEXT, &vec![b'x'; 60_000]);
        let mut sent = 0;
        // Until the kernel takes no more; a message may be cut off there.
        while let Ok(count @ 1..) = flood.write(&message) {
            sent += count;
            if count < message.len() {
                break;
            }
            ensure!(sent < 200_000_000, "nothing holds it back");
        }
        Ok(sent)
    })?;
    ensure!(!socket.is_reading_paused(), "the program has not asked for that");

    let whole = sent / (60_000 + 8);
    let mut count = 0;
    while let Some(message) = run_until(messages.next())? {
        ensure!(message.as_bytes().len() == 60_000);
        count += 1;
    }

    ensure!(count == whole, "{count} of {whole} came");
    Ok(())
}

/// The program's own pause and that of the stream do not get into each other's way.
#[test]
fn a_paused_socket_stays_paused_when_its_stream_is_read() -> Result<()> {
    let (socket, mut peer) = connection()?;
    let mut messages = socket.message_stream();
    peer.send(masked_texts(&["x"; 64]))?;
    let count = Rc::new(Cell::new(0));
    socket.text_message_received().connect_to(&count, |count, _socket, _text| {
        count.set(count.get() + 1);
    });
    wait_until(|| count.get() == 64)?;
    socket.pause_reading();
    peer.send(masked_texts(&["y"]))?;

    for _ in 0..64 {
        ensure!(run_until(messages.next())? == Some("x".into()));
    }
    (0..20).for_each(|_| _ = EventLoop::current().process_events());
    ensure!(poll_once(&mut messages).is_pending());
    socket.resume_reading();

    ensure!(run_until(messages.next())? == Some("y".into()));
    Ok(())
}

/// Dropping a stream that holds the peer back lets the socket continue, for its slots.
#[test]
fn a_dropped_stream_holds_no_peer_back() -> Result<()> {
    let (socket, mut peer) = connection()?;
    let messages = socket.message_stream();
    let signal = socket.text_message_received();
    signal.connect(|socket, text| {
        if text == "last" {
            socket.close(CloseCode::NORMAL, "");
        }
    });
    peer.send(masked_texts(&["x"; 100]))?;
    peer.send(masked_texts(&["last"]))?;
    (0..20).for_each(|_| _ = EventLoop::current().process_events());
    ensure!(socket.state() == SocketState::Connected);

    drop(messages);

    wait_until(|| socket.state() == SocketState::Closing)
}

/// A stream that is over holds back nothing: the socket may be opened anew.
#[test]
fn a_stream_that_is_over_does_not_hold_back_the_next_connection() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, url) = (WebSocket::new(), server.url());
    let _unread = socket.message_stream();
    let texts = SignalSpy::new(&socket.text_message_received());
    socket.open(&*url)?;
    let (server, _client) = serve(move || {
        let mut client = server.open()?;
        (0..100).try_for_each(|_| client.peer.send(unmasked(TEXT, b"x")))?;
        Ok((server, client))
    })?;
    texts.wait_for(64)?;
    socket.abort();
    wait_until(|| socket.error().is_none() && socket.open(&*url).is_ok())?;
    texts.take();

    let _client = serve(move || {
        let mut client = server.open()?;
        client.peer.send(unmasked(TEXT, b"anew"))?;
        Ok(client)
    })?;
    texts.wait_for(1)?;

    ensure!(*texts.values() == ["anew".to_owned()]);
    Ok(())
}

/// Issue: a sink waits while output is over the high-water mark; all comes in order in the end.
#[test]
fn a_sink_waits_for_a_peer_that_reads_slowly() -> Result<()> {
    const COUNT: usize = 300;
    let (socket, peer) = connection()?;
    let mut peer = Some(peer);
    socket.set_high_water_mark(100_000);
    let mut messages = socket.message_stream();
    let mut sent = 0;
    let mut highest = 0;

    let reader = run_until(async {
        let mut reader = None;
        while sent < COUNT {
            let mut sending = pin!(messages.send(format!("{sent:065000}")));
            if reader.is_none() {
                let status = poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await;
                if status.is_pending() {
                    // Only now it begins to read.
                    let (sender, receiver) = smol::channel::bounded(1);
                    let mut peer = peer.take().context("it is gone")?;
                    thread::spawn(move || {
                        let frames = (0..COUNT).map(|_| peer.read_frame());
                        sender.send_blocking(frames.collect::<Result<Vec<_>>>())
                    });
                    reader = Some(receiver);
                    sending.await?;
                }
            } else {
                sending.await?;
            }
            sent += 1;
            highest = highest.max(socket.bytes_to_write());
        }
        poll_fn(|cx| Pin::new(&mut messages).poll_flush(cx)).await?;
        ensure!(socket.bytes_to_write() == 0);
        reader.context("it never waited")?.recv().await?
    })??;

    let numbers: Vec<usize> = reader
        .iter()
        .map(|frame| std::str::from_utf8(&frame.payload)?.parse().map_err(Into::into))
        .collect::<Result<_>>()?;
    ensure!(numbers.iter().copied().eq(0..COUNT), "{numbers:?}");
    ensure!(highest <= 100_000 + 65_010, "{highest} waited");
    Ok(())
}

/// A sink that waits ends with its socket.
#[test]
fn a_sink_that_waits_ends_with_its_socket() -> Result<()> {
    let (socket, peer) = connection()?;
    socket.set_high_water_mark(0);
    let mut messages = socket.message_stream();
    socket.send_binary_message(vec![0; 10_000_000]);
    ensure!(socket.bytes_to_write() > 0, "the kernel took more than this test reckoned");

    let outcome = run_until(messages.send("more").or(async {
        socket.abort();
        std::future::pending().await
    }))?;

    ensure!(matches!(outcome, Err(Error::NotConnected)), "{outcome:?}");
    drop(peer);
    Ok(())
}

/// `Sink::poll_close` closes with 1000, and waits for the peer's answer.
#[test]
fn closing_a_sink_waits_for_the_closing_handshake() -> Result<()> {
    let server = RawServer::listen()?;
    let socket = WebSocket::new();
    let mut messages = socket.message_stream();
    socket.open(server.url())?;
    let peer = thread::spawn(move || -> Result<()> {
        let mut client = server.open()?;
        client.expect(&Frame::text("last"))?;
        client.expect(&Frame::close(1000, ""))?;
        client.close(1000, "")
    });

    run_until(async {
        messages.send("last").await?;
        poll_fn(|cx| Pin::new(&mut messages).poll_close(cx)).await
    })??;

    ensure!(socket.state() == SocketState::Unconnected);
    ensure!(socket.send_text_message("late") == SendStatus::NotConnected);
    // The server's last word is not answered any more.
    _ = peer.join().map_err(|_| anyhow!("the server panicked"))?;
    Ok(())
}

/// `Sink::poll_close` fails when output was dropped, and the socket knows why: whether the peer breaks
/// off before or after the close frame, in either role, or only ends and leaves the rest unread.
#[test]
fn closing_a_sink_fails_when_output_was_dropped() -> Result<()> {
    for (is_reset, closes_first) in [(true, true), (true, false), (false, true)] {
        let (socket, peer) = connection()?;
        check_lost_output(&socket, peer, is_reset, closes_first)?;

        let server = RawServer::listen()?;
        let socket = WebSocket::new();
        socket.open(server.url())?;
        let client = serve(move || server.open())?;
        wait_until(|| socket.is_valid())?;
        check_lost_output(&socket, client.peer, is_reset, closes_first)?;
    }
    Ok(())
}

fn check_lost_output(
    socket: &WebSocket,
    peer: RawPeer,
    is_reset: bool,
    closes_first: bool,
) -> Result<()> {
    let errors = SignalSpy::new(&socket.error_occurred());
    let mut messages = socket.message_stream();
    socket.send_binary_message(vec![0; 12_000_000]);
    ensure!(socket.bytes_to_write() > 0, "the kernel took more than this test reckoned");
    if closes_first {
        let is_pending = run_until(poll_fn(|cx| {
            Poll::Ready(Pin::new(&mut messages).poll_close(cx).is_pending())
        }))?;
        ensure!(is_pending);
    }

    if is_reset {
        peer.reset()?;
    } else {
        drop(peer);
    }
    if !closes_first {
        wait_until(|| socket.state() == SocketState::Unconnected)?;
    }
    let outcome = run_until(poll_fn(|cx| Pin::new(&mut messages).poll_close(cx)))?;
    let flushed = run_until(poll_fn(|cx| Pin::new(&mut messages).poll_flush(cx)))?;

    ensure!(matches!(outcome, Err(Error::RemoteHostClosed)), "{outcome:?}");
    ensure!(flushed.is_err() && errors.count() == 1, "{flushed:?} {errors:?}");
    ensure!(matches!(socket.error(), Some(Error::RemoteHostClosed)), "{:?}", socket.error());
    ensure!(socket.close_code() == Some(CloseCode::ABNORMAL_DISCONNECTION));
    Ok(())
}

/// What `abort` throws away is missed by a sink that closes; when a peer goes that has everything,
/// nothing is.
#[test]
fn closing_a_sink_fails_for_dropped_output_alone() -> Result<()> {
    let (socket, _peer) = connection()?;
    let mut messages = socket.message_stream();
    socket.send_binary_message(vec![0; 12_000_000]);
    socket.abort();
    let outcome = run_until(poll_fn(|cx| Pin::new(&mut messages).poll_close(cx)))?;
    ensure!(matches!(outcome, Err(Error::NotConnected)), "{outcome:?}");
    ensure!(socket.error().is_none());

    for is_reset in [true, false] {
        let (socket, mut peer) = connection()?;
        let mut messages = socket.message_stream();
        socket.send_text_message("small");
        run_until(poll_fn(|cx| Pin::new(&mut messages).poll_flush(cx)))??;
        peer.expect_texts(&["small"])?;
        if is_reset {
            peer.reset()?;
        } else {
            drop(peer);
        }
        run_until(poll_fn(|cx| Pin::new(&mut messages).poll_close(cx)))??;
    }
    Ok(())
}

fn poll_once(messages: &mut MessageStream) -> Poll<Option<Message>> {
    messages.poll_next(&mut TaskContext::from_waker(Waker::noop()))
}
