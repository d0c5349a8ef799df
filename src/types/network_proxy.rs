//! The proxy between a client and its server.

use crate::types::authenticator::Credentials;

/// A proxy through which a client reaches its server.
///
/// The proxy resolves the server's name.
///
/// # Qt
///
/// `QNetworkProxy` of the types `HttpProxy` and `Socks5Proxy`. Each socket has its own proxy or none:
/// there is no proxy for a whole program, and none is taken from the environment.
///
/// # Examples
///
/// ```
/// use slotwork::{NetworkProxy, WebSocket};
///
/// let socket = WebSocket::new();
/// let proxy = NetworkProxy::socks5("127.0.0.1", 1080).credentials("user", "password");
/// socket.set_proxy(Some(proxy));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkProxy {
    pub(crate) kind: ProxyKind,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) credentials: Option<Credentials>,
}

/// The protocol of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyKind {
    Http,
    Socks5,
}

impl NetworkProxy {
    /// Makes an HTTP proxy, used by `CONNECT` (RFC 9110 §9.3.6).
    #[doc(alias = "HttpProxy")]
    #[must_use]
    pub fn http(host: impl Into<String>, port: u16) -> Self {
        Self { kind: ProxyKind::Http, host: host.into(), port, credentials: None }
    }

    /// Makes a SOCKS proxy of version 5 (RFC 1928).
    #[doc(alias = "Socks5Proxy")]
    #[must_use]
    pub fn socks5(host: impl Into<String>, port: u16) -> Self {
        Self { kind: ProxyKind::Socks5, host: host.into(), port, credentials: None }
    }

    /// Sets the user name and the password for the proxy.
    ///
    /// They are sent when the proxy requires authentication, without encryption. When they are
    /// refused, or there are none,
    /// [`proxy_authentication_required`](crate::WebSocket::proxy_authentication_required) is emitted.
    #[doc(alias = "setUser")]
    #[doc(alias = "setPassword")]
    #[must_use]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some(Credentials { user: user.into(), password: password.into() });
        self
    }

    /// Returns the host of the proxy.
    #[doc(alias = "hostName")]
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port of the proxy.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}
