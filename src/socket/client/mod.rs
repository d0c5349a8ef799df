//! Settings of clients: sockets that open connections.
//!
//! Files in the order of `open`: `client_request` checks, `attempt` runs the task, `connect`
//! connects.

use std::time::Duration;

use crate::protocol::handshake::grammar;
use crate::protocol::handshake::response::HandshakeResponse;
use crate::socket::WebSocket;
use crate::types::error::Error;
use crate::types::mask_generator::MaskGenerator;
use crate::types::network_proxy::NetworkProxy;

pub(crate) mod attempt;
mod auth;
pub(crate) mod client_request;
pub(crate) mod connect;
pub(crate) mod reconnect;
pub(crate) mod slots;
pub(crate) mod state;
pub(crate) mod timings;
#[cfg(feature = "tls")]
mod tls;

/// Clients.
impl WebSocket {
    /// Sets the `Origin` header, from the next `open` on; the default is none.
    ///
    /// An empty one is none. [`origin`](Self::origin) returns it.
    ///
    /// # Qt
    ///
    /// The argument of `QWebSocket`'s constructor.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHeaderValue`] when it is not a valid value of a header.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let socket = WebSocket::new();
    /// socket.set_origin("https://example.org")?;
    /// assert_eq!(socket.origin().as_deref(), Some("https://example.org"));
    /// # Ok(())
    /// # }
    /// ```
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

    /// Sets the timeout of an attempt to connect; the default is 10 s.
    ///
    /// It is for look-up, TCP, TLS and opening handshake together; `None` is no timeout. It takes
    /// effect with the next `open`.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: a client waits for a silent server without a timeout.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{Error, WebSocket};
    ///
    /// let socket = WebSocket::new();
    /// socket.set_connect_timeout(Some(Duration::from_secs(3)));
    /// socket.error_occurred().connect(|_socket, error| {
    ///     if let Error::ConnectTimeout(timeout) = error {
    ///         eprintln!("no answer within {timeout:?}");
    ///     }
    /// });
    /// ```
    pub fn set_connect_timeout(&self, timeout: Option<Duration>) {
        if let Some(end) = self.inner.client_end() {
            end.lock().connect_timeout = timeout;
        }
    }

    /// Returns the timeout of an attempt to connect; `None` is no timeout.
    ///
    /// It is `None` also for a socket that a server accepted.
    #[must_use]
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.inner.client_end().and_then(|end| end.lock().connect_timeout)
    }

    /// Sets the maximum number of headers of a response; the default is 100.
    ///
    /// It takes effect with the next `open`. A response with more, of the server or of a proxy,
    /// ends the attempt with [`Error::InvalidAnswer`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its limits are fixed.
    pub fn set_max_header_count(&self, count: usize) {
        if let Some(end) = self.inner.client_end() {
            end.lock().answer_limits.headers = count;
        }
    }

    /// Sets the maximum size of a response's head, in bytes; the default is 32 KiB.
    ///
    /// It is that of the status line and all headers together. It takes effect with the next
    /// `open`; a longer head is an error, as with
    /// [`set_max_header_count`](Self::set_max_header_count).
    pub fn set_max_header_size(&self, size: usize) {
        if let Some(end) = self.inner.client_end() {
            end.lock().answer_limits.head = size;
        }
    }

    /// Sets the proxy, from the next `open` on; the default is none.
    ///
    /// [`peer_address`](Self::peer_address) and [`peer_port`](Self::peer_port) are the proxy's
    /// then, [`peer_name`](Self::peer_name) is the server's host.
    ///
    /// # Qt
    ///
    /// `QWebSocket::setProxy()`; `None` is `QNetworkProxy::NoProxy`.
    ///
    /// # Examples
    ///
    /// An HTTP proxy that requires authentication. The slot supplies the credentials when the proxy
    /// refuses those of [`NetworkProxy::credentials`](crate::NetworkProxy::credentials), or when there are none:
    ///
    /// ```
    /// use slotwork::{NetworkProxy, WebSocket};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// # let ask_user = |_realm: &str| (String::from("Aladdin"), String::from("open sesame"));
    /// let socket = WebSocket::new();
    /// socket.set_proxy(Some(NetworkProxy::http("proxy.example", 8080)));
    /// socket.proxy_authentication_required().connect(move |_socket, authenticator| {
    ///     let (user, password) = ask_user(authenticator.realm());
    ///     authenticator.set_user(user);
    ///     authenticator.set_password(password);
    /// });
    /// socket.error_occurred().connect(|_socket, error| eprintln!("{error}"));
    /// # if false {
    /// socket.open("wss://chat.example/room")?;
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setProxy")]
    pub fn set_proxy(&self, proxy: Option<NetworkProxy>) {
        if let Some(end) = self.inner.client_end() {
            end.lock().proxy = proxy.map(Box::new);
        }
    }

    /// Returns the proxy; `None` without one, and for a socket that a server accepted.
    #[must_use]
    pub fn proxy(&self) -> Option<NetworkProxy> {
        self.inner.client_end().and_then(|end| end.lock().proxy.as_deref().cloned())
    }

    /// Sets the generator of this client's masking keys; see [`MaskGenerator`].
    ///
    /// # Qt
    ///
    /// `QWebSocket::setMaskGenerator()`, which also makes the key of the opening handshake.
    #[doc(alias = "maskGenerator")]
    #[doc(alias = "setMaskGenerator")]
    pub fn set_mask_generator(&self, generator: impl MaskGenerator) {
        self.inner.session.set_mask_generator(Some(Box::new(generator)));
    }

    /// Returns the server's response of the opening handshake, with its headers.
    ///
    /// It exists when the connection was opened, or refused with an HTTP status; `None` before, and
    /// for a socket that a server accepted.
    #[must_use]
    pub fn handshake_response(&self) -> Option<HandshakeResponse> {
        self.inner.client_end().and_then(|end| end.lock().response.clone())
    }

    /// Returns the host of the URL, in the form in which it is looked up.
    ///
    /// An international name is encoded (`xn--bcher-kva.example`), an IPv6 address has no brackets
    /// and keeps its zone (`fe80::1%eth0`). Empty for a socket that a server accepted.
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
