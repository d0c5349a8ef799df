//! Objects of a thread that has ended: each call that can have no effect reports that.

use std::cell::RefCell;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{
    Error, EventLoop, EventThread, HostAddress, SendStatus, SocketState, SslMode, WebSocket,
    WebSocketServer,
};

use support::logged::warnings_of;
use support::raw_server::RawServer;
use support::{DEADLINE, in_thread, wait_until};

/// Qt: `QWebSocket::open()`: in the thread's place, and from others; never open, and opened before.
#[test]
fn a_socket_whose_thread_has_ended_cannot_be_opened() -> Result<()> {
    let nobody = RawServer::listen()?;
    let opened = in_ended_thread({
        let url = nobody.url();
        move || {
            let socket = WebSocket::new();
            socket.open(url).map(|()| socket)
        }
    })??;
    let cases = [
        ("a plain thread", in_plain_thread(WebSocket::new)?),
        ("an event thread", in_ended_thread(WebSocket::new)?),
        ("opened before", opened),
    ];
    for (name, socket) in cases {
        let (errors, ends) =
            (SignalSpy::new(&socket.error_occurred()), SignalSpy::new(&socket.disconnected()));
        for url in ["ws://127.0.0.1:9/", "wss://localhost:9/"] {
            let result = socket.open(url);
            ensure!(matches!(result, Err(Error::EventLoopEnded)), "{name}: {result:?}");
        }
        ensure!(matches!(socket.error(), Some(Error::EventLoopEnded)), "{name}");
        ensure!(socket.error_string() == "the thread of the event loop has ended", "{name}");
        ensure!(errors.count() == 2 && ends.count() == 0, "{name}: {errors:?}");
        ensure!(socket.state() == SocketState::Unconnected, "{name}");

        let from_elsewhere = in_thread(move |_| {
            let sent = [socket.send_text_message("lost"), socket.close(1000, "")];
            socket.abort();
            (matches!(socket.open("ws://127.0.0.1:9/"), Err(Error::EventLoopEnded)), sent)
        })?;
        let expected = (true, [SendStatus::NotConnected; 2]);
        ensure!(from_elsewhere == expected, "{name}: {from_elsewhere:?}");
    }
    Ok(())
}

/// A thread that ends while others open its sockets: each of them is refused, or ends.
#[test]
fn opening_against_the_end_of_the_thread_is_reported() -> Result<()> {
    for _ in 0..50 {
        let thread = EventThread::spawn("ending", || ())?;
        let (give, given) = mpsc::channel();
        thread.handle().post(move || _ = give.send(WebSocket::new()));
        let socket = given.recv_timeout(DEADLINE)?;
        let ends = SignalSpy::new(&socket.disconnected());

        thread.quit();
        let result = socket.open("ws://127.0.0.1:9/");
        thread.wait()?;

        match result {
            Ok(()) => ends.wait_for(1)?,
            Err(Error::EventLoopEnded) => {}
            Err(error) => return Err(error.into()),
        }
        ensure!(socket.state() == SocketState::Unconnected);
    }
    Ok(())
}

/// Qt: `listen()`, `handleConnection()`; beyond that `listen_on`, and `shutdown` with its `closed`.
#[test]
fn a_server_whose_thread_has_ended_serves_no_client() -> Result<()> {
    let server = in_ended_thread(|| WebSocketServer::new("", SslMode::NonSecure))?;
    let (errors, ends) = (SignalSpy::new(&server.server_error()), SignalSpy::new(&server.closed()));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let stream = TcpStream::connect(listener.local_addr()?)?;

    let results = [
        server.listen(HostAddress::LocalHost, 0),
        server.listen_on(TcpListener::bind("127.0.0.1:0")?),
        server.handle_connection(stream, b""),
    ];

    ensure!(results.iter().all(|result| matches!(result, Err(Error::EventLoopEnded))));
    ensure!(errors.count() == 2 && !server.is_listening(), "{errors:?}");
    server.shutdown(Duration::from_secs(1));
    ends.wait_for(1)?;
    Ok(())
}

/// Qt: `QThread::quit()` of a thread that has ended does nothing, and reports nothing.
#[test]
fn ending_a_thread_that_has_ended_is_no_news() -> Result<()> {
    let warnings = warnings_of(|| {
        let by_itself = EventThread::spawn("by itself", || EventLoop::current().handle().quit())?;
        let handle = by_itself.handle();
        wait_until(|| !by_itself.is_running())?;
        handle.quit();
        by_itself.quit();
        drop(by_itself);

        let waited_for = EventThread::spawn("waited for", || ())?;
        let handle = waited_for.handle();
        waited_for.quit();
        waited_for.wait()?;
        handle.quit();
        Ok(())
    })?;
    ensure!(warnings.is_empty(), "{warnings:?}");

    let lost = warnings_of(|| {
        let handle = in_ended_thread(|| EventLoop::current().handle())?;
        handle.post(|| {});
        Ok(())
    })?;
    ensure!(lost == ["a call was posted to an event loop whose thread has ended"], "{lost:?}");
    Ok(())
}

/// Qt: `QEventLoop::exec()` at the thread's end: in what is dropped with it, no loop runs.
#[cfg_attr(all(windows, target_env = "gnu"), ignore = "values are made anew at the thread's end")]
#[test]
fn no_loop_runs_at_the_end_of_its_thread() -> Result<()> {
    struct AtEnd(Option<mpsc::Sender<i32>>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            if let Some(codes) = &self.0 {
                let _ = codes.send(EventLoop::current().exec());
            }
        }
    }
    thread_local! {
        static AT_END: RefCell<AtEnd> = const { RefCell::new(AtEnd(None)) };
    }

    let (say, said) = mpsc::channel();
    let thread = thread::spawn(move || {
        AT_END.with_borrow_mut(|at_end| at_end.0 = Some(say));
        EventLoop::current().process_events();
    });

    ensure!(said.recv_timeout(DEADLINE).context("it runs")? == -1);
    thread.join().map_err(|_| anyhow!("it panicked"))
}

fn in_plain_thread<T: Send + 'static>(make: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    thread::spawn(make).join().map_err(|_| anyhow!("it panicked"))
}

/// Returns what `make` makes in an event thread, when that has ended.
fn in_ended_thread<T: Send + 'static>(make: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let (give, given) = mpsc::channel();
    let thread = EventThread::spawn("ended", move || _ = give.send(make()))?;
    thread.quit();
    thread.wait()?;
    Ok(given.try_recv()?)
}
