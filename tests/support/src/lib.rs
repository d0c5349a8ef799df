//! Servers to test, and the means to run their loop while a peer talks to them.
//!
//! Everything fails with `anyhow`, as tests do: an error here is a test that has failed.

#![allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "for tests alone, which end with the first error or panic"
)]

#[cfg(feature = "tls")]
pub mod certificates;
#[cfg(feature = "compression")]
pub mod compressed_peer;
pub mod example;
pub mod logged;
pub mod logins;
pub mod pipe;
pub mod raw_peer;
pub mod raw_server;
pub mod recorder;
#[cfg(feature = "tls")]
pub mod relay;
#[cfg(feature = "tls")]
pub mod secure_client;
#[cfg(feature = "tls")]
pub mod tls_peer;
#[cfg(feature = "tls")]
pub mod verdicts;

use std::net::{Ipv6Addr, TcpListener};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
#[cfg(feature = "compression")]
use slotwork::Compression;
use slotwork::{EventLoop, HostAddress, SslMode, WebSocket, WebSocketServer};
#[cfg(feature = "tls")]
use slotwork::{TlsCertificate, TlsConfig};
use smol::Timer;
use smol::future::{FutureExt, yield_now};

use crate::recorder::Recorder;

/// The deadline of each step of a test; the machine may be slow.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Starts a server on a free port of 127.0.0.1.
pub fn listening_server() -> Result<WebSocketServer> {
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    server.listen(HostAddress::LocalHost, 0)?;
    Ok(server)
}

/// Starts a server that echoes each message.
pub fn echo_server() -> Result<WebSocketServer> {
    let server = listening_server()?;
    echo_all(&server);
    Ok(server)
}

/// Starts a server that compresses, and echoes each message.
#[cfg(feature = "compression")]
pub fn compressing_server(compression: Compression) -> Result<WebSocketServer> {
    let server = echo_server()?;
    server.set_compression(compression);
    Ok(server)
}

/// Starts a server that speaks TLS and echoes each message.
#[cfg(feature = "tls")]
pub fn secure_echo_server(config: TlsConfig) -> Result<WebSocketServer> {
    secure_echo_server_at(HostAddress::LocalHost, config)
}

/// The same on a free port of another address.
#[cfg(feature = "tls")]
pub fn secure_echo_server_at(address: HostAddress, config: TlsConfig) -> Result<WebSocketServer> {
    let server = WebSocketServer::new("Test Server", SslMode::Secure);
    server.set_tls_config(config)?;
    server.listen(address, 0)?;
    echo_all(&server);
    Ok(server)
}

/// The same on 127.0.0.1, with a recorder of its signals.
#[cfg(feature = "tls")]
pub fn recorded_secure_server(config: TlsConfig) -> Result<(WebSocketServer, Recorder)> {
    let (server, recorder) = (secure_echo_server(config)?, Recorder::default());
    recorder.watch_server(&server);
    Ok((server, recorder))
}

/// Has a server echo each message of its clients.
pub fn echo_all(server: &WebSocketServer) {
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            echo(&socket);
        }
    });
}

/// Makes a client, not open yet, with a recorder of its signals.
pub fn recorded_client() -> (WebSocket, Recorder) {
    let (socket, recorder) = (WebSocket::new(), Recorder::default());
    recorder.watch(&socket);
    (socket, recorder)
}

/// Starts a server that calls `act` for each text message, with a recorder of its sockets' signals.
pub fn recorded_server(
    act: impl Fn(&WebSocket, &str) + 'static,
) -> Result<(WebSocketServer, Recorder)> {
    let server = listening_server()?;
    let recorder = Recorder::default();
    let act = Rc::new(act);

    let watcher = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            watcher.watch(&socket);
            let act = Rc::clone(&act);
            socket.text_message_received().connect(move |socket, text| act(socket, text));
        }
    });
    Ok((server, recorder))
}

/// Returns whether this machine has IPv6, and prints a note if it has not.
pub fn has_ipv6() -> bool {
    let result = TcpListener::bind((Ipv6Addr::LOCALHOST, 0));
    if let Err(error) = &result {
        println!("skipped for IPv6: {error}");
    }
    result.is_ok()
}

/// Connects slots that echo each message.
pub fn echo(socket: &WebSocket) {
    socket.text_message_received().connect(|socket, text| {
        socket.send_text_message(text);
    });
    socket.binary_message_received().connect(|socket, bytes| {
        socket.send_binary_message(bytes);
    });
}

/// Runs this thread's loop while `peer` talks to it in a thread of its own.
pub fn serve<T: Send + 'static>(peer: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (sender, receiver) = smol::channel::bounded(1);
    let thread = thread::spawn(move || sender.send_blocking(peer()).is_ok());
    let outcome = run_until(async move { receiver.recv().await });
    let outcome = outcome?.map_err(|_| anyhow!("the peer panicked"))?;
    thread.join().map_err(|_| anyhow!("the peer panicked"))?;
    outcome
}

/// The same with an echo server over TLS; `peer` gets its port and the authority to trust.
#[cfg(feature = "tls")]
pub fn serve_tls<T: Send + 'static>(
    peer: impl FnOnce(u16, &TlsCertificate) -> Result<T> + Send + 'static,
) -> Result<T> {
    let authority = certificates::Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let (port, trusted) = (server.server_port(), authority.certificate());
    serve(move || peer(port, &trusted))
}

/// Runs this thread's loop until `future` is done, at most until the deadline.
pub fn run_until<T>(future: impl Future<Output = T>) -> Result<T> {
    let expire = async {
        Timer::after(DEADLINE).await;
        None
    };
    let outcome = EventLoop::current().run_until(async { Some(future.await) }.or(expire));
    outcome.context("the deadline passed")
}

/// Runs this thread's loop until `condition` holds, which is checked in each turn.
pub fn wait_until(condition: impl Fn() -> bool) -> Result<()> {
    run_until(async {
        while !condition() {
            yield_now().await;
        }
    })
}

/// Runs `test` with the loop of a thread of its own, at most until the deadline.
pub fn in_thread<T: Send + 'static>(
    test: impl FnOnce(&EventLoop) -> T + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(test(&EventLoop::current())));
    receiver.recv_timeout(DEADLINE).context("it did not end, or panicked")
}

/// Panics as a slot may, but without the message in the output of the tests.
pub fn panic_in_slot() -> ! {
    std::panic::resume_unwind(Box::new("a slot panics"))
}
