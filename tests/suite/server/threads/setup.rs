//! The start of the threads: their setups, their order, and what goes wrong in them.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use anyhow::{Result, ensure};
use slotwork::{Error, HostAddress, SslMode, WebSocketServer};

use support::raw_peer::check_good_client;
use support::{DEADLINE, panic_in_slot, serve};

use crate::server::threads::{Shared, add_part, echo_all, echo_on_threads, thread_name};

/// The setups run one after the other, each in its thread, before the call returns.
#[test]
fn each_thread_runs_the_setup_once_in_order() -> Result<()> {
    let server = WebSocketServer::new("Ordered", SslMode::NonSecure);
    let names = Shared::new();

    let added = names.clone();
    let threads = server.serve_on_threads(3, move |_part| added.add(thread_name()))?;

    assert_eq!(names.get(), ["Ordered 0", "Ordered 1", "Ordered 2"]);
    assert_eq!(threads.len(), 3);
    assert!(!threads.is_empty());
    Ok(())
}

/// With 0 there is a thread for each core.
#[test]
fn zero_threads_are_as_many_as_cores() -> Result<()> {
    let server = WebSocketServer::new("Cores", SslMode::NonSecure);

    let threads = server.serve_on_threads(0, |_part| ())?;

    assert_eq!(threads.len(), std::thread::available_parallelism()?.get());
    Ok(())
}

/// What the setup returns need not be `Send`, and is dropped in its thread.
#[test]
fn the_value_of_a_setup_lives_in_its_thread() -> Result<()> {
    struct Worker(Rc<mpsc::Sender<String>>);
    impl Drop for Worker {
        fn drop(&mut self) {
            let _ = self.0.send(thread_name());
        }
    }
    let server = WebSocketServer::new("Values", SslMode::NonSecure);
    let (dropped, names) = mpsc::channel();

    let threads = server.serve_on_threads(2, move |_part| Worker(Rc::new(dropped.clone())))?;
    assert!(names.try_recv().is_err());
    drop(threads);

    let mut names: Vec<_> = names.try_iter().collect();
    names.sort();
    assert_eq!(names, ["Values 0", "Values 1"]);
    Ok(())
}

/// A server that listens already gets threads, and connections wait until these are set up.
#[test]
fn a_server_that_listens_may_get_threads() -> Result<()> {
    let server = WebSocketServer::new("Late", SslMode::NonSecure);
    server.listen(HostAddress::LocalHost, 0)?;

    let _threads = server.serve_on_threads(2, echo_all)?;

    let port = server.server_port();
    serve(move || check_good_client(port))
}

/// An error of a setup ends the threads that were started, and the server can try again.
#[test]
fn the_first_error_of_a_setup_ends_all_threads() -> Result<()> {
    struct Running(Arc<AtomicUsize>);
    impl Drop for Running {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let server = WebSocketServer::new("Failing", SslMode::NonSecure);
    let running = Arc::new(AtomicUsize::new(0));

    let counted = Arc::clone(&running);
    let outcome = server.try_serve_on_threads(3, move |_part| {
        if counted.fetch_add(1, Ordering::Relaxed) == 2 {
            counted.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::NotConnected);
        }
        Ok(Running(Arc::clone(&counted)))
    });

    ensure!(matches!(outcome, Err(Error::NotConnected)), "{outcome:?}");
    assert_eq!(running.load(Ordering::Relaxed), 0);
    let _threads = server.serve_on_threads(2, echo_all)?;
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();
    serve(move || check_good_client(port))
}

/// A panic in a setup is an error, which names the thread.
#[test]
fn a_setup_that_panics_is_an_error() -> Result<()> {
    let server = WebSocketServer::new("Panicking", SslMode::NonSecure);

    let outcome = server.serve_on_threads(2, |_part| panic_in_slot());

    let Err(Error::ThreadPanicked { name, message }) = outcome else {
        anyhow::bail!("{outcome:?}");
    };
    assert_eq!((name.as_str(), message.as_str()), ("Panicking 0", "a slot panics"));
    // It is an ordinary server again.
    echo_all(&server);
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();
    serve(move || check_good_client(port))
}

/// A server has threads once; a part has none, and does not listen.
#[test]
fn threads_cannot_be_started_twice() -> Result<()> {
    let server = WebSocketServer::new("Twice", SslMode::NonSecure);
    let parts = Shared::new();
    let threads = server.serve_on_threads(1, add_part(&parts))?;
    let part = parts.get().remove(0);

    let again = server.serve_on_threads(1, echo_all);
    let nested = part.serve_on_threads(1, echo_all);
    let listening = part.listen(HostAddress::LocalHost, 0);
    drop(threads);
    let late = server.serve_on_threads(1, echo_all);

    ensure!(matches!(again, Err(Error::AlreadyThreaded)), "{again:?}");
    ensure!(matches!(nested, Err(Error::PartOfServer)), "{nested:?}");
    ensure!(matches!(listening, Err(Error::PartOfServer)), "{listening:?}");
    ensure!(matches!(late, Err(Error::AlreadyThreaded)), "{late:?}");
    ensure!(!part.is_listening());
    Ok(())
}

/// `whole` leads from a part to the server, and from the server to itself.
#[test]
fn the_whole_of_a_part_is_the_server() -> Result<()> {
    let (server, _threads) = echo_on_threads(1)?;
    let urls = Shared::new();

    let (other, added) = (WebSocketServer::new("Other", SslMode::NonSecure), urls.clone());
    let _others = other.serve_on_threads(1, move |part| {
        added.add(part.whole().server_name());
        added.add(part.whole().whole().server_name());
    })?;

    assert_eq!(urls.get(), ["Other", "Other"]);
    assert_eq!(server.whole().server_url(), server.server_url());
    Ok(())
}

/// The handle of a thread posts calls to its loop.
#[test]
fn handles_post_to_their_threads() -> Result<()> {
    let (_server, threads) = echo_on_threads(2)?;
    let (sender, names) = mpsc::channel();

    for index in 0..2 {
        let sender = sender.clone();
        threads.handle(index).post(move || _ = sender.send(thread_name()));
        assert_eq!(names.recv_timeout(DEADLINE)?, format!("Test Server {index}"));
    }
    Ok(())
}
