//! Message streams of a socket whose `open` waits: they are those of the next connection.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;

use anyhow::{Context, Result, ensure};
use futures_sink::Sink;
use slotwork::{Error, EventThread, Message, MessageStream, SocketState, WebSocket};

use support::raw_peer::{Frame, TEXT};
use support::raw_server::{RawServer, unmasked};
use support::{DEADLINE, recorded_client, run_until, serve, wait_until};

use crate::socket::client::waiting_open::{ABORTED, CLOSED, OPENED, open};

/// Programs without slots: stream and sink are those of the next connection.
#[test]
fn a_message_stream_awaits_the_next_connection() -> Result<()> {
    let next = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    let (_first, mut client) = open(&socket, &recorder)?;
    let mut last = socket.message_stream();

    socket.close_normally();
    socket.open(next.url())?;
    let mut messages = socket.message_stream();
    let exchange = async {
        messages.send("hello").await?;
        let last = [last.next().await, last.next().await];
        let answer = messages.next().await.context("no answer")?;
        Ok::<_, anyhow::Error>((last, [Some(answer), messages.next().await]))
    };
    let server = std::thread::spawn(move || {
        client.peer.send(unmasked(TEXT, b"late"))?;
        client.close(1000, "")?;
        let mut client = next.open()?;
        client.expect(&Frame::text("hello"))?;
        client.peer.send(unmasked(TEXT, b"new"))?;
        client.close(1000, "")
    });
    let (old, new) = run_until(exchange)??;

    server.join().map_err(|_| anyhow::anyhow!("the server panicked"))??;
    assert_eq!(old, [Some(Message::Text("late".into())), None]);
    assert_eq!(new, [Some(Message::Text("new".into())), None]);
    Ok(())
}

/// Closing the sink of a connection that has ended leaves the next one alone; without a next one
/// its stream ends, too.
#[test]
fn the_streams_of_two_connections_do_not_disturb_each_other() -> Result<()> {
    let next = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    let (_first, _client) = open(&socket, &recorder)?;
    let mut last = socket.message_stream();
    socket.abort();
    socket.open(next.url())?;
    let mut dropped = socket.message_stream();

    socket.abort();

    ensure!(run_until(dropped.next())?.is_none());
    ensure!(run_until(dropped.send("lost"))?.is_err());
    recorder.check(&[&OPENED[..], &ABORTED].concat())?;

    socket.open(next.url())?;
    let (next, _client) =
        serve(move || Ok((next.open()?, next))).map(|(client, it)| (it, client))?;
    wait_until(|| socket.is_valid())?;
    run_until(close(&mut last))??;
    ensure!(run_until(last.send("of the last"))?.is_err());
    ensure!(socket.is_valid());

    let mut last = socket.message_stream();
    socket.abort();
    socket.open(next.url())?;
    run_until(close(&mut last))??;
    let client = serve(move || next.open())?;
    wait_until(|| socket.is_valid())?;
    drop(client);
    Ok(())
}

/// Also when `abort` drops the `open` behind the stream's slot of `disconnected`: nothing else is
/// emitted after it.
#[test]
fn a_message_stream_ends_with_an_open_that_a_later_slot_drops() -> Result<()> {
    let unwanted = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    let (_first, _client) = open(&socket, &recorder)?;
    socket.abort();
    socket.open(unwanted.url())?;
    let mut messages = socket.message_stream();
    socket.disconnected().direct().connect(|socket, ()| socket.abort());

    ensure!(run_until(messages.next())?.is_none());
    ensure!(run_until(messages.send("lost"))?.is_err());
    recorder.check(&[&OPENED[..], &ABORTED].concat())?;
    unwanted.expect_no_client()
}

/// A value of a thread that opens its socket again at the thread's end, and awaits that.
struct AwaitsAtTheEnd(WebSocket, String, mpsc::Sender<MessageStream>);

impl Drop for AwaitsAtTheEnd {
    fn drop(&mut self) {
        self.0.abort();
        let _ = self.0.open(self.1.as_str());
        let _ = self.2.send(self.0.message_stream());
    }
}

/// The thread's end drops the `open`, and ends the stream that another thread reads.
#[test]
fn a_message_stream_of_an_open_that_waits_ends_with_the_thread() -> Result<()> {
    let (server, unwanted) = (RawServer::listen()?, RawServer::listen()?);
    let (url, (give, given)) = (unwanted.url(), mpsc::channel());
    let (give_stream, streams) = mpsc::channel();
    let thread = EventThread::spawn("ending", move || {
        let socket = WebSocket::new();
        let _ = give.send(socket.clone());
        AwaitsAtTheEnd(socket, url, give_stream)
    })?;
    let socket = given.recv_timeout(DEADLINE)?;
    socket.open(server.url())?;
    let client = serve(move || server.open())?;
    wait_until(|| socket.is_valid())?;

    thread.quit();
    let mut messages = streams.recv_timeout(DEADLINE)?;

    ensure!(run_until(messages.next())?.is_none());
    drop(client);
    thread.wait()?;
    unwanted.expect_no_client()
}

/// The sink of the next connection waits for it to flush; closing it drops the `open`.
#[test]
fn the_sink_of_the_next_connection_is_flushed_and_closed_before_it() -> Result<()> {
    let next = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    let (_first, _client) = open(&socket, &recorder)?;
    let mut last = socket.message_stream();

    socket.abort();
    socket.open(next.url())?;
    let mut messages = socket.message_stream();
    let client = std::thread::spawn(move || next.open().map(|client| (client, next)));
    run_until(flush(&mut messages))??;
    ensure!(run_until(flush(&mut last))?.is_err());
    ensure!(socket.is_valid());

    let (client, next) = client.join().map_err(|_| anyhow::anyhow!("it panicked"))??;
    socket.close_normally();
    socket.open(next.url())?;
    let mut messages = socket.message_stream();
    let answer = std::thread::spawn(move || client.close(1000, ""));
    run_until(close(&mut messages))??;
    answer.join().map_err(|_| anyhow::anyhow!("it panicked"))??;
    recorder.wait_for_disconnected(2)?;
    recorder.check(&[&OPENED[..], &ABORTED, &OPENED, &CLOSED].concat())?;
    next.expect_no_client()
}

/// A slot of `disconnected` may make the stream of the `open` that waits.
#[test]
fn a_slot_of_disconnected_makes_the_stream_of_the_next_connection() -> Result<()> {
    let next = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    let (_first, _client) = open(&socket, &recorder)?;
    let made = Rc::new(Cell::new(None));
    socket.disconnected().once().connect_to(&made, |made, socket, ()| {
        made.set(Some(socket.message_stream()));
    });
    socket.abort();
    socket.open(next.url())?;

    let server = std::thread::spawn(move || {
        let mut client = next.open()?;
        client.expect(&Frame::text("hello"))?;
        client.peer.send(unmasked(TEXT, b"new"))?;
        client.close(1000, "")
    });
    recorder.wait_for_disconnected(1)?;
    let mut messages = made.take().context("no stream")?;
    run_until(messages.send("hello"))??;

    ensure!(run_until(messages.next())? == Some(Message::Text("new".into())));
    ensure!(run_until(messages.next())?.is_none());
    server.join().map_err(|_| anyhow::anyhow!("the server panicked"))?
}

/// A loop in a slot of `disconnected`, in which the next connection begins: it is not that of the
/// last one's stream and sink.
#[test]
fn the_stream_of_the_last_connection_has_no_part_in_the_next() -> Result<()> {
    let next = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    let (_first, _client) = open(&socket, &recorder)?;
    let last = Rc::new(RefCell::new(socket.message_stream()));
    let (url, lines) = (next.url(), recorder.clone());
    socket.disconnected().once().connect_to(&last, move |last, socket, ()| {
        assert!(socket.open(url.as_str()).is_ok());
        assert!(lines.wait_for(&[&OPENED[..], &ABORTED, &OPENED, &["text new"]].concat()).is_ok());
        let mut last = last.borrow_mut();
        assert!(run_until(last.send("of the last")).is_ok_and(|sent| sent.is_err()));
        assert!(run_until(close(&mut last)).is_ok_and(|closed| closed.is_ok()));
    });
    socket.abort();

    let client = serve(move || {
        let mut client = next.open()?;
        client.peer.send(unmasked(TEXT, b"new"))?;
        Ok(client)
    })?;

    let mut last = last.try_borrow_mut()?;
    ensure!(run_until(last.next())?.is_none());
    ensure!(socket.is_valid());
    drop(client);
    Ok(())
}

/// The sink of the last connection does not wait for the closing handshake, which may take long.
#[test]
fn the_sink_of_a_connection_that_closes_fails_at_once() -> Result<()> {
    let next = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    let (_first, _client) = open(&socket, &recorder)?;
    let mut last = socket.message_stream();
    socket.close_normally();
    ensure!(matches!(run_until(last.send("before"))?, Err(Error::NotConnected)));

    socket.open(next.url())?;

    ensure!(matches!(run_until(last.send("behind"))?, Err(Error::NotConnected)));
    ensure!(socket.state() == SocketState::Closing);
    socket.abort();
    recorder.wait_for_disconnected(1)
}

async fn flush(stream: &mut MessageStream) -> Result<(), Error> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await
}

async fn close(stream: &mut MessageStream) -> Result<(), Error> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_close(cx)).await
}
