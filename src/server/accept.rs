//! Accepts connections, and starts one handshake task for each.
//!
//! A slow or broken client never delays the next one: its handshake runs in a task of its own, and
//! its failure ends in `server_error`, not in the loop (Qt: `QWebSocketServer::serverError`).

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use log::debug;
use smol::future::FutureExt;

use crate::event_loop::{EventLoop, next_turn};
use crate::net::stream::{AcceptedStream, Incoming, Listener, LocalAddress};
#[cfg(unix)]
use crate::protocol::handshake::url::unix_url;
use crate::runtime::timers::Sleep;
use crate::server::state::{Inner, Listening};
use crate::types::error::Error;
use crate::types::host_address::HostAddress;
use crate::types::ssl_mode::SslMode;

impl Inner {
    /// Listens with the socket that `bind` returns; an error is also reported.
    pub(crate) fn listen(
        self: &Arc<Self>,
        bind: impl FnOnce() -> Result<(Listener, Option<HostAddress>), Error>,
    ) -> Result<(), Error> {
        let result = self.set_listener(bind).and_then(|listener| self.start_accepting(listener));
        if let Err(error) = &result {
            self.report(error);
        }
        result
    }

    /// Binds a listener and stores it; nothing is accepted yet.
    fn set_listener(
        &self,
        bind: impl FnOnce() -> Result<(Listener, Option<HostAddress>), Error>,
    ) -> Result<Arc<Listener>, Error> {
        if self.whole.is_some() {
            return Err(Error::PartOfServer);
        }
        self.check_ready()?;
        let mut state = self.lock();
        if let Some(listening) = &state.listening {
            return Err(Error::AlreadyListening { url: listening.url(self.mode) });
        }
        let (listener, address) = bind()?;
        let listener = Arc::new(listener);
        state.listening = Some(Listening { listener: Arc::clone(&listener), address });
        state.pause.by_program = false;
        state.error = None;
        Ok(listener)
    }

    /// Fails when the event loop has ended, or when TLS is required and cannot be used.
    pub(crate) fn check_ready(&self) -> Result<(), Error> {
        self.check_loops()?;
        match self.mode {
            SslMode::NonSecure => Ok(()),
            #[cfg(feature = "tls")]
            SslMode::Secure => self.check_tls(),
            #[cfg(not(feature = "tls"))]
            SslMode::Secure => Err(Error::SecureModeNotSupported),
        }
    }

    /// Fails when the event loop has ended, or those of all threads.
    pub(crate) fn check_loops(&self) -> Result<(), Error> {
        let has_ended = || self.parts().is_some_and(|parts| parts.running().is_empty());
        if self.event_loop.has_ended() || has_ended() {
            return Err(Error::EventLoopEnded);
        }
        Ok(())
    }

    /// Returns whether accepting is paused, also while threads start.
    fn is_paused(&self) -> bool {
        let state = self.lock();
        state.pause.by_program || state.pause.by_start
    }

    /// Starts the accepting task on the server's event loop, unless that has ended.
    fn start_accepting(self: &Arc<Self>, listener: Arc<Listener>) -> Result<(), Error> {
        let closings = self.lock().closings;
        // Dropped at once when the thread of the loop has ended.
        let guard = ListenerGuard { server: Arc::downgrade(self), listener };
        let is_started = self.event_loop.run(move || match guard.listener.watch() {
            Ok(Some(incoming)) => {
                let accepting = async move {
                    accept_all(Weak::clone(&guard.server), incoming, closings).await;
                    drop(guard);
                };
                EventLoop::current().spawn(accepting).detach();
            }
            Ok(None) => {}
            Err(source) => {
                let server = guard.server.upgrade();
                drop(guard);
                if let Some(server) = server {
                    server.emit(|server| server.report_accept_error(source));
                }
            }
        });
        if is_started { Ok(()) } else { Err(Error::EventLoopEnded) }
    }

    fn report_accept_error(&self, source: io::Error) {
        let error = Error::AcceptFailed { source: Arc::new(source) };
        self.lock().error = Some(error.clone());
        self.accept_error.emit(&error);
    }
}

/// Accepts connections until the server closes the listener.
async fn accept_all(server: Weak<Inner>, mut incoming: Incoming, closings: u64) {
    let mut delay = None;
    let mut accepted = 0;
    while let Some(result) = next_connection(&server, &mut incoming).await {
        let Some(server) = server.upgrade() else { return };
        let start = |(stream, peer)| server.start_accepted(stream, peer, closings);
        match result.and_then(start) {
            Ok(()) => delay = None,
            Err(source) if is_about_one_connection(&source) => {
                debug!("a connection ended before it was accepted: {source}");
            }
            Err(source) => {
                let wait = delay.map_or(SHORTEST_DELAY, |delay| LONGEST_DELAY.min(delay * 2));
                if delay.replace(wait).is_none() {
                    server.emit(|server| server.report_accept_error(source));
                }
                drop(server);
                Sleep::new(wait).or(poll_fn(|cx| incoming.poll_closed(cx))).await;
                continue;
            }
        }
        drop(server);
        accepted += 1;
        if accepted % ACCEPTED_PER_TURN == 0 {
            next_turn().await;
        }
    }
}

/// Waits for the next connection; `None` when the listener is closed.
async fn next_connection(
    server: &Weak<Inner>,
    incoming: &mut Incoming,
) -> Option<io::Result<(AcceptedStream, SocketAddr)>> {
    poll_fn(|cx| {
        // The end is checked first, so that a paused server notices it too.
        match incoming.poll_closed(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending if server.upgrade().is_some_and(|server| server.is_paused()) => {
                Poll::Pending
            }
            Poll::Pending => incoming.poll_accept(cx),
        }
    })
    .await
}

/// Closes the listener when the accepting task ends.
///
/// The task ends with its loop too, or cannot begin when that has ended. On an open port without an
/// accepting task clients would wait without end.
struct ListenerGuard {
    server: Weak<Inner>,
    listener: Arc<Listener>,
}

impl Drop for ListenerGuard {
    fn drop(&mut self) {
        self.listener.close();
        if let Some(server) = self.server.upgrade() {
            // The server may listen anew by now.
            let is_this = |current: &Listening| Arc::ptr_eq(&current.listener, &self.listener);
            let ended = server.lock().listening.take_if(|current| is_this(current));
            drop(ended);
        }
    }
}

impl Listening {
    /// Returns the URL that clients open.
    pub(super) fn url(&self, mode: SslMode) -> String {
        let scheme = mode.scheme();
        let local = match self.listener.local() {
            LocalAddress::Tcp(local) => local,
            #[cfg(unix)]
            LocalAddress::Unix(address) => {
                return address.as_ref().map(unix_url).unwrap_or_default();
            }
        };
        let port = local.port();
        let ip = match self.address {
            Some(HostAddress::Any) => HostAddress::LocalHost.ip(),
            Some(address) => address.ip(),
            None => local.ip(),
        };
        match ip {
            IpAddr::V4(ip) => format!("{scheme}://{ip}:{port}"),
            IpAddr::V6(ip) => format!("{scheme}://[{ip}]:{port}"),
        }
    }
}

/// Returns whether the error concerns one connection: the next may succeed.
///
/// Some systems accept a connection that its peer has reset, and report it as not connected.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, NotConnected,
    };
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | NotConnected
    )
}

/// The delay before accepting is tried again, at first and at the most.
const SHORTEST_DELAY: Duration = Duration::from_millis(10);
const LONGEST_DELAY: Duration = Duration::from_millis(500);
/// How many connections are accepted before other tasks have a turn.
const ACCEPTED_PER_TURN: u32 = 64;
