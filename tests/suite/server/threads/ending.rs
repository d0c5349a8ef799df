//! The end: shutdown of all threads, threads that end by themselves, dropped `ServerThreads`.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{
    Error, EventLoop, HostAddress, PanicPolicy, ServerThreads, SslMode, WebSocketServer,
};

use support::raw_peer::{RawPeer, check_good_client, masked_texts};
use support::{DEADLINE, panic_in_slot, serve, wait_until};

use crate::server::threads::{echo_all, echo_on_threads, listening_parts};

/// LOOP-05: 1001 to the clients of all threads, then `closed`, once: one thread is idle, one has
/// clients, and one is blocked for a while.
#[test]
fn shutdown_waits_for_the_clients_of_all_threads() -> Result<()> {
    let (server, threads) = echo_on_threads(3)?;
    let closed = SignalSpy::new(&server.closed());
    let port = server.server_port();
    let peers = serve(move || Ok([RawPeer::open(port)?, RawPeer::open(port)?]))?;
    wait_until(|| server.clients().len() == 2)?;
    let (go_on, blocked) = mpsc::channel::<()>();
    threads.handle(1).post(move || _ = blocked.recv());

    server.shutdown(DEADLINE);
    let [mut first, mut second] = peers;
    let second = serve(move || {
        ensure!(first.read_frame()?.close_code()? == 1001);
        first.close_back()?;
        second.expect_silence()?;
        Ok(second)
    })?;
    assert_eq!(closed.count(), 0);
    go_on.send(())?;
    let mut second = second;
    serve(move || {
        ensure!(second.read_frame()?.close_code()? == 1001);
        second.close_back()
    })?;
    closed.wait_for(1)?;

    EventLoop::current().process_events();
    assert_eq!(closed.count(), 1);
    assert_eq!(server.clients(), []);
    Ok(())
}

/// LOOP-05: clients of any thread that do not answer are cut off at the deadline.
#[test]
fn shutdown_does_not_wait_for_ever_in_any_thread() -> Result<()> {
    let (server, _threads) = echo_on_threads(2)?;
    let closed = SignalSpy::new(&server.closed());
    let port = server.server_port();
    let _silent = serve(move || Ok([RawPeer::open(port)?, RawPeer::open(port)?]))?;
    wait_until(|| server.clients().len() == 2)?;

    server.shutdown(Duration::from_millis(50));

    closed.wait_for(1)?;
    assert_eq!(server.clients(), []);
    Ok(())
}

/// A slot of a part shuts the whole server down.
#[test]
fn a_slot_of_a_part_shuts_the_whole_server_down() -> Result<()> {
    let server = WebSocketServer::new("Remote", SslMode::NonSecure);
    let _threads = server.serve_on_threads(2, |part| {
        part.new_connection().connect(|part, ()| {
            while let Some(socket) = part.next_pending_connection() {
                socket.text_message_received().connect_to(part, |part, _sender, _text| {
                    part.shutdown(DEADLINE);
                    part.whole().shutdown(DEADLINE);
                });
            }
        });
    })?;
    server.listen(HostAddress::LocalHost, 0)?;
    let closed = SignalSpy::new(&server.closed());
    let port = server.server_port();

    serve(move || send_and_be_closed(port, "shut down"))?;

    closed.wait_for(1)?;
    assert!(!server.is_listening());
    Ok(())
}

/// Dropping the threads closes their clients with 1001, and the port.
#[test]
fn dropped_threads_end_in_order() -> Result<()> {
    let (server, threads) = echo_on_threads(2)?;
    let port = server.server_port();
    let peers = serve(move || Ok([RawPeer::open(port)?, RawPeer::open(port)?]))?;
    wait_until(|| server.clients().len() == 2)?;

    let answering = std::thread::spawn(move || -> Result<()> {
        for mut peer in peers {
            ensure!(peer.read_frame()?.close_code()? == 1001);
            peer.close_back()?;
        }
        Ok(())
    });
    drop(threads);

    answering.join().map_err(|_| anyhow::anyhow!("the peer panicked"))??;
    assert!(!server.is_listening());
    assert!(RawPeer::connect(port).is_err());
    Ok(())
}

/// A client that does not answer is cut off after 3 s.
#[test]
fn dropped_threads_wait_for_a_silent_client_for_a_limited_time() -> Result<()> {
    let (server, threads) = echo_on_threads(2)?;
    let port = server.server_port();
    let mut silent = serve(move || RawPeer::open(port))?;
    wait_until(|| server.clients().len() == 1)?;

    threads.quit();
    threads.wait()?;

    ensure!(silent.read_frame()?.close_code()? == 1001);
    ensure!(silent.read_to_end()?.is_empty());
    Ok(())
}

/// The threads may be dropped in a slot of one of them, which does not wait.
#[test]
fn threads_may_be_dropped_in_a_slot_of_a_part() -> Result<()> {
    let server = WebSocketServer::new("Dropping", SslMode::NonSecure);
    let held: Arc<Mutex<Option<ServerThreads>>> = Arc::default();
    let (ended, ends) = mpsc::channel();
    let dropping = Arc::clone(&held);
    let threads = server.serve_on_threads(2, move |part| {
        let dropping = Arc::clone(&dropping);
        part.new_connection().connect(move |part, ()| {
            while let Some(socket) = part.next_pending_connection() {
                socket.text_message_received().connect_to(&dropping, |dropping, _sender, _text| {
                    let threads = dropping.lock().ok().and_then(|mut held| held.take());
                    drop(threads);
                });
            }
        });
        Ended(ended.clone())
    })?;
    held.lock().map_err(|_| anyhow::anyhow!("poisoned"))?.replace(threads);
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();

    serve(move || send_and_be_closed(port, "drop them"))?;

    for _ in 0..2 {
        ends.recv_timeout(DEADLINE).context("a thread has not ended")?;
    }
    Ok(())
}

/// Qt: `QThread::wait()` in the thread itself is a warning; here it is an error, and ends nothing.
#[test]
fn a_thread_does_not_wait_for_itself() -> Result<()> {
    let (server, parts, threads) = listening_parts(2)?;
    let port = server.server_port();
    let (own, outcomes) = (threads.handle(1), mpsc::channel());

    own.post(move || _ = outcomes.0.send(threads.wait()));
    let outcome = outcomes.1.recv_timeout(DEADLINE).context("it waits")?;

    ensure!(matches!(outcome, Err(Error::ThreadJoinsItself { .. })), "{outcome:?}");
    serve(move || check_good_client(port))?;
    ensure!(parts.len() == 2 && server.is_listening());
    Ok(())
}

/// The threads may be dropped in a slot of the server's own thread.
#[test]
fn threads_may_be_dropped_in_a_slot_of_the_server() -> Result<()> {
    let (server, threads) = echo_on_threads(2)?;
    let held = std::cell::RefCell::new(Some(threads));
    server.server_error().connect(move |_server, _error| drop(held.take()));
    let errors = SignalSpy::new(&server.server_error());
    let port = server.server_port();

    serve(move || RawPeer::connect(port)?.send("GARBAGE\r\n\r\n"))?;
    errors.wait_for(1)?;

    assert!(!server.is_listening());
    Ok(())
}

/// The threads keep the server alive when its last handle is dropped, and end it with them.
#[test]
fn the_threads_keep_the_server_alive() -> Result<()> {
    let (server, threads) = echo_on_threads(2)?;
    let port = server.server_port();
    drop(server);

    serve(move || check_good_client(port))?;
    drop(threads);

    assert!(RawPeer::connect(port).is_err());
    Ok(())
}

/// A thread that ends by itself, or by a panic, takes its clients along; the others go on.
#[test]
fn the_end_of_a_thread_leaves_the_others_alone() -> Result<()> {
    for ends_by_panic in [false, true] {
        let (server, threads) = echo_on_threads(2)?;
        let port = server.server_port();
        let [mut first, mut second] =
            serve(move || Ok([RawPeer::open(port)?, RawPeer::open(port)?]))?;
        wait_until(|| server.clients().len() == 2)?;

        threads.handle(0).post(move || {
            if ends_by_panic {
                EventLoop::current().set_panic_policy(PanicPolicy::Propagate);
                panic_in_slot();
            }
            EventLoop::current().quit();
        });
        serve(move || {
            ensure!(first.read_to_end().is_ok());
            second.check_echo("goes on")?;
            (0..4).try_for_each(|_| check_good_client(port))
        })?;

        wait_until(|| server.clients().len() <= 1)?;
        threads.quit();
        let outcome = threads.wait();
        let is_panic = matches!(outcome, Err(Error::ThreadPanicked { .. }));
        assert_eq!(is_panic, ends_by_panic, "{outcome:?}");
    }
    Ok(())
}

/// Without clients everything ends at once, in any order of the handles.
#[test]
fn handles_may_be_dropped_in_any_order() -> Result<()> {
    let (server, threads) = echo_on_threads(2)?;
    drop((threads, server));
    let (server, threads) = echo_on_threads(2)?;
    drop((server, threads));

    let server = WebSocketServer::new("Never listened", SslMode::NonSecure);
    drop(server.serve_on_threads(2, echo_all)?);
    Ok(())
}

/// Reports the end of its thread.
struct Ended(mpsc::Sender<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// Opens two connections; the text of one has the server close both.
fn send_and_be_closed(port: u16, text: &str) -> Result<()> {
    let (mut other, mut peer) = (RawPeer::open(port)?, RawPeer::open(port)?);
    peer.send(masked_texts(&[text]))?;
    for peer in [&mut other, &mut peer] {
        ensure!(peer.read_frame()?.close_code()? == 1001);
        peer.close_back()?;
    }
    Ok(())
}
