//! Unix sockets: listening at a path or an abstract name.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::net::stream::Listener;
use crate::server::WebSocketServer;
use crate::types::error::Error;
use crate::types::ssl_mode::SslMode;
use crate::types::unix_address::UnixAddress;

/// Unix sockets.
impl WebSocketServer {
    /// Listens on a Unix socket, for the programs of this machine.
    ///
    /// Otherwise as [`listen`](Self::listen). `mode` has the permissions of the file, such as `0o660`,
    /// whatever the umask of the process: a client needs the permission to write. No client can connect
    /// before they are set. The file of a process that has ended is replaced; if a process listens
    /// there, or the file is not a socket, the server does not listen. It removes its file when it stops
    /// listening, unless another one has replaced it.
    ///
    /// A relative path is one of the current directory. A path has about 100 bytes at most. The directory
    /// should be writable for the user of this process alone, or be sticky as `/tmp`: otherwise other
    /// users can replace the file. On Linux a path that begins with `@` is an abstract name, as in
    /// systemd's units: it has no file and no permissions, so that each process of the network namespace
    /// can connect. (`./@name` is a file.)
    ///
    /// Clients open [`server_url`](Self::server_url), such as `ws+unix:/run/chat.sock:`, and proxies
    /// connect to the path. A peer has no address:
    /// [`peer_address`](crate::WebSocket::peer_address) is `None`, errors show 0.0.0.0:0, and it is not
    /// counted per address. [`peer_credentials`](crate::WebSocket::peer_credentials) has its user.
    /// [`set_unix_peers_trusted`](Self::set_unix_peers_trusted) is for a proxy in front.
    ///
    /// # Errors
    ///
    /// Those of `listen`, with [`Error::ListenUnix`] for [`Error::Listen`]. The mode
    /// [`SslMode::Secure`] is one of them: there is no TLS over Unix sockets, whose data do not leave the
    /// machine.
    ///
    /// # Qt
    ///
    /// `QLocalServer::listen()`, with `setSocketOptions()` for `mode` and `removeServer()` for a file that
    /// was left; `QWebSocketServer` does not work over it.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, SslMode, WebSocket, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let path = std::env::temp_dir().join(format!("slotwork-{}.sock", std::process::id()));
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// // Such as "/run/chat/chat.sock".
    /// server.listen_unix(&path, 0o660)?;
    ///
    /// let client = WebSocket::new();
    /// client.open(server.server_url() + "/room?name=1")?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "QLocalServer")]
    #[doc(alias = "setSocketOptions")]
    #[doc(alias = "removeServer")]
    #[doc(alias = "AF_UNIX")]
    pub fn listen_unix(&self, path: impl AsRef<Path>, mode: u32) -> Result<(), Error> {
        let path = path.as_ref();
        self.listen_at_unix(path.to_owned(), || Listener::bind_unix(UnixAddress::new(path)?, mode))
    }

    /// Listens with a Unix socket that listens already, such as one from systemd.
    ///
    /// Otherwise as [`listen_unix`](Self::listen_unix). The server closes the socket at its end, and
    /// leaves the file to the program that has made it.
    ///
    /// # Errors
    ///
    /// As `listen_unix`. [`Error::ListenUnix`] also when the socket does not listen, where the system
    /// reports that.
    ///
    /// # Qt
    ///
    /// `QLocalServer::listen()` with a descriptor.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::net::UnixListener;
    ///
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let path = std::env::temp_dir().join(format!("slotwork-{}-listener", std::process::id()));
    /// # let listener = UnixListener::bind(&path)?;
    /// # std::fs::remove_file(path)?;
    /// # let _ = || -> std::io::Result<UnixListener> {
    /// let listener = UnixListener::bind("/run/chat.sock")?;
    /// # Ok(listener)
    /// # };
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.listen_on_unix(listener)?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "QLocalServer")]
    pub fn listen_on_unix(&self, listener: UnixListener) -> Result<(), Error> {
        let address = listener.local_addr().ok().and_then(|address| UnixAddress::of(&address));
        let path = address.map(|address| address.to_path()).unwrap_or_default();
        self.listen_at_unix(path, || Listener::adopt_unix(listener))
    }

    fn listen_at_unix(
        &self,
        path: PathBuf,
        bind: impl FnOnce() -> io::Result<Listener>,
    ) -> Result<(), Error> {
        let mode = self.inner.mode;
        self.inner.listen(|| {
            let listener = match mode {
                SslMode::NonSecure => bind(),
                SslMode::Secure => Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "there is no TLS over Unix sockets",
                )),
            };
            match listener {
                Ok(listener) => Ok((listener, None)),
                Err(source) => Err(Error::ListenUnix { path, source: Arc::new(source) }),
            }
        })
    }

    /// Sets whether peers of Unix sockets are trusted proxies; the default is `false`.
    ///
    /// For a server behind a proxy on the same machine. The peers of
    /// [`listen_unix`](Self::listen_unix) and [`listen_on_unix`](Self::listen_on_unix) then count as in
    /// [`set_trusted_proxies`](Self::set_trusted_proxies): their headers name the client, and with
    /// `ProxyProtocol::Required` they begin with a PROXY header. All processes that may connect are
    /// believed: let `mode` allow the proxy alone.
    ///
    /// It takes effect for later requests.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// // nginx: proxy_pass http://unix:/run/chat/chat.sock;
    /// server.set_unix_peers_trusted(true);
    /// ```
    pub fn set_unix_peers_trusted(&self, is_trusted: bool) {
        self.inner.set(|configuration| &mut configuration.trusts_unix_peers, is_trusted);
    }

    /// Returns whether peers of Unix sockets are trusted proxies.
    #[must_use]
    pub fn unix_peers_trusted(&self) -> bool {
        self.inner.lock().configuration.trusts_unix_peers
    }
}
