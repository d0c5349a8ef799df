//! What only the socket of a client can do: open a connection.

use std::sync::Arc;
use std::time::Duration;

use crate::event_loop::EventLoop;
use crate::protocol::handshake::grammar;
use crate::protocol::handshake::response::HandshakeResponse;
use crate::session::Session;
use crate::socket::WebSocket;
use crate::socket::client::state::ClientEnd;
use crate::socket::client_list::Membership;
use crate::socket::state::{End, Inner};
use crate::types::error::Error;
use crate::types::mask_generator::MaskGenerator;
use crate::types::network_proxy::NetworkProxy;
use crate::types::role::Role;

mod auth;
pub(crate) mod client_request;
mod connect;
mod open;
mod slots;
pub(crate) mod state;
#[cfg(feature = "tls")]
mod tls;

/// Clients.
impl WebSocket {
    /// Makes a socket without a connection, for a client.
    ///
    /// It lives on the event loop of this thread, which emits its signals.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use slotwork::{Error, EventLoop, WebSocket};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let socket = WebSocket::new();
    /// socket.connected().connect(|socket, ()| {
    ///     socket.send_text_message("Hello, world!");
    /// });
    /// socket.text_message_received().connect(|socket, text| {
    ///     println!("{text}");
    ///     socket.close(1000, "");
    /// });
    /// socket.error_occurred().connect(|_socket, error| eprintln!("{error}"));
    /// socket.disconnected().connect(|_socket, ()| EventLoop::current().quit());
    ///
    /// socket.open("ws://localhost:1234")?;
    /// EventLoop::current().exec();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let end = ClientEnd::new(EventLoop::current().handle());
        let session = Session::unconnected(Role::Client);
        let end = End::Client(Box::new(end));
        Self { inner: Arc::new(Inner::new(session, end, Membership::new(None))) }
    }

    /// Sets the origin that this client gives, from the next `open` on; the default is none.
    ///
    /// # Qt
    ///
    /// The argument of `QWebSocket`'s constructor.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHeaderValue`] when no header can carry it.
    pub fn set_origin(&self, origin: impl Into<String>) -> Result<(), Error> {
        let origin = origin.into();
        if !grammar::is_printable(origin.as_bytes()) {
            return Err(Error::InvalidHeaderValue(origin));
        }
        if let Some(end) = self.inner.client_end() {
            end.lock().origin = Some(origin).filter(|origin| !origin.is_empty());
        }
        Ok(())
    }

    /// Sets how long look-up, TCP and opening handshake may take in all; the default is 10 s.
    ///
    /// `None` waits for ever. It counts from the next `open` on.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: a server that says nothing keeps a client waiting.
    pub fn set_connect_timeout(&self, timeout: Option<Duration>) {
        if let Some(end) = self.inner.client_end() {
            end.lock().connect_timeout = timeout;
        }
    }

    /// Returns how long look-up, TCP and opening handshake may take in all.
    ///
    /// It is `None` also for a socket that a server accepted.
    #[must_use]
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.inner.client_end().and_then(|end| end.lock().connect_timeout)
    }

    /// Sets the maximum number of headers of an answer, from the next `open` on; the default is 100.
    ///
    /// One with more, of the server or of a proxy, ends the attempt with [`Error::InvalidAnswer`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its limits are fixed.
    pub fn set_max_header_count(&self, count: usize) {
        if let Some(end) = self.inner.client_end() {
            end.lock().answer_limits.headers = count;
        }
    }

    /// Sets the maximum size of an answer's head, in bytes, from the next `open` on; the default is
    /// 32 KiB.
    ///
    /// It is that of the status line and all headers together. What is longer is an error, as with
    /// [`set_max_header_count`](Self::set_max_header_count).
    pub fn set_max_header_size(&self, size: usize) {
        if let Some(end) = self.inner.client_end() {
            end.lock().answer_limits.head = size;
        }
    }

    /// Sets the proxy through which the server is reached, from the next `open` on; the default is
    /// none.
    ///
    /// [`peer_address`](Self::peer_address) and [`peer_port`](Self::peer_port) are the proxy's then,
    /// [`peer_name`](Self::peer_name) is the server's host.
    ///
    /// # Qt
    ///
    /// `QWebSocket::setProxy()`; `None` is `QNetworkProxy::NoProxy`.
    #[doc(alias = "setProxy")]
    pub fn set_proxy(&self, proxy: Option<NetworkProxy>) {
        if let Some(end) = self.inner.client_end() {
            end.lock().proxy = proxy;
        }
    }

    /// Returns the proxy through which the server is reached.
    #[must_use]
    pub fn proxy(&self) -> Option<NetworkProxy> {
        self.inner.client_end().and_then(|end| end.lock().proxy.clone())
    }

    /// Sets what makes the masking keys of this client; see [`MaskGenerator`].
    ///
    /// # Qt
    ///
    /// `QWebSocket::setMaskGenerator()`, which also makes the key of the opening handshake.
    #[doc(alias = "maskGenerator")]
    #[doc(alias = "setMaskGenerator")]
    pub fn set_mask_generator(&self, generator: impl MaskGenerator) {
        self.inner.session.set_mask_generator(Some(Box::new(generator)));
    }

    /// Returns the server's answer to the opening handshake, with its headers.
    ///
    /// There is one when the connection was opened, or refused with an HTTP status; `None` before,
    /// and for a socket that a server accepted.
    #[must_use]
    pub fn handshake_response(&self) -> Option<HandshakeResponse> {
        self.inner.client_end().and_then(|end| end.lock().response.clone())
    }

    /// Returns the host that was given to `open`, in the form in which it is looked up.
    ///
    /// An international name is encoded (`xn--bcher-kva.example`), an IPv6 address has no brackets and
    /// keeps its zone (`fe80::1%eth0`). Empty for a socket that a server accepted.
    #[doc(alias = "peerName")]
    #[must_use]
    pub fn peer_name(&self) -> String {
        self.inner.client_end().map(|end| end.lock().peer_name.clone()).unwrap_or_default()
    }
}

impl Default for WebSocket {
    fn default() -> Self {
        Self::new()
    }
}
