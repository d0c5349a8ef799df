//! `serve_on_threads`: one server whose clients are served on several threads.

mod broadcast;
mod distribution;
mod ending;
mod hostile;
mod limits;
mod settings;
mod setup;
mod signals;
#[cfg(feature = "tls")]
mod tls;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Result;
use slotwork::{HostAddress, ServerThreads, SslMode, WebSocketServer};

use support::echo;

/// A server that echoes each message on `count` threads.
fn echo_on_threads(count: usize) -> Result<(WebSocketServer, ServerThreads)> {
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    let threads = server.serve_on_threads(count, echo_all)?;
    server.listen(HostAddress::LocalHost, 0)?;
    Ok((server, threads))
}

/// The same, with its parts.
fn listening_parts(count: usize) -> Result<(WebSocketServer, Vec<WebSocketServer>, ServerThreads)> {
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    let parts = Shared::new();
    let threads = server.serve_on_threads(count, add_part(&parts))?;
    server.listen(HostAddress::LocalHost, 0)?;
    Ok((server, parts.get(), threads))
}

/// A setup that echoes each message.
fn echo_all(part: &WebSocketServer) {
    part.new_connection().connect(|part, ()| {
        while let Some(socket) = part.next_pending_connection() {
            echo(&socket);
        }
    });
}

/// Values that slots of several threads write and a test reads.
#[derive(Clone, Debug)]
struct Shared<T>(Arc<Mutex<Vec<T>>>);

impl<T: Clone> Shared<T> {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn add(&self, value: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    }

    fn get(&self) -> Vec<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// The name of the calling thread.
fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

/// The parts of a server, which its setup adds.
fn add_part(parts: &Shared<WebSocketServer>) -> impl Fn(&WebSocketServer) + Send + Sync + 'static {
    let parts = parts.clone();
    move |part| {
        echo_all(part);
        parts.add(part.clone());
    }
}
