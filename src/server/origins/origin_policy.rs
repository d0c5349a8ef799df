//! The policy for origins: which web pages may connect to a server.

use crate::protocol::handshake::origin::Origin;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::types::error::Error;
use crate::types::ssl_mode::SslMode;

/// Which web pages may connect to a server.
///
/// A browser lets every page connect to every server, with the user's cookies, and sends the origin
/// of the page in the `Origin` header (RFC 6455 §10.2). A server that does not check it can be used
/// by any page that a user visits. Clients that send no origin are not browsers, and no policy
/// refuses them; they could claim any origin.
///
/// Pages of the web have the scheme `http` or `https` (some clients send `ws` or `wss`). Others,
/// such as `chrome-extension` or `file`, are allowed by [`Any`](Self::Any), or by a
/// [`List`](Self::List) that names them.
///
/// # Qt
///
/// Qt has no counterpart: its programs compare strings in a slot of `originAuthenticationRequired`.
///
/// # Examples
///
/// ```
/// use slotwork::{Error, OriginPolicy, SslMode, WebSocketServer};
///
/// # fn main() -> Result<(), Error> {
/// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
/// server.set_origin_policy(OriginPolicy::list(["https://chat.example.org"]))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginPolicy {
    /// All pages; clients must authenticate with more than what a browser adds itself.
    Any,
    /// Pages of the host and port that the request names in its `Host` header.
    ///
    /// For a server behind a proxy that forwards the header, or one that shares its port with the
    /// web server. A server with [`SslMode::Secure`] allows `https` pages only; others allow both
    /// schemes, because a proxy may terminate TLS. The host of a page may resolve to any address,
    /// also to that of this server (DNS rebinding): on a server that only the network protects,
    /// a [`List`](Self::List) is safer.
    SameOrigin,
    /// Pages of `localhost`, `*.localhost` and loopback addresses, with or without TLS.
    Loopback,
    /// Pages of these origins: scheme, host, and the port if it is not the default.
    ///
    /// `null` stands for pages without a host: local files, and sandboxed frames of any page.
    List(Vec<String>),
}

impl OriginPolicy {
    /// Makes a policy that allows these origins, such as `https://example.org`.
    pub fn list(origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::List(origins.into_iter().map(Into::into).collect())
    }

    /// Checks that each entry of a list is the origin of a page.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOrigin`] with the first that is not.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Self::List(origins) = self else { return Ok(()) };
        let is_wrong = |origin: &&String| **origin != NULL && Origin::parse(origin).is_none();
        origins
            .iter()
            .find(is_wrong)
            .map_or(Ok(()), |origin| Err(Error::InvalidOrigin(origin.clone())))
    }

    /// Returns whether the request is allowed on a server of this mode.
    pub(crate) fn allows(&self, request: &HandshakeRequest, mode: SslMode) -> bool {
        let Some(text) = request.origin().filter(|origin| !origin.is_empty()) else { return true };
        let origin = Origin::parse(text);
        let page = origin.filter(Origin::is_of_web);
        match self {
            Self::Any => true,
            Self::SameOrigin => page.is_some_and(|page| {
                page.is_of_host(request.host()) && (page.is_secure() || mode == SslMode::NonSecure)
            }),
            Self::Loopback => page.is_some_and(|page| page.is_loopback()),
            Self::List(allowed) => allowed.iter().any(|allowed| match origin {
                Some(origin) => Origin::parse(allowed).is_some_and(|allowed| allowed == origin),
                None => text == NULL && allowed == NULL,
            }),
        }
    }
}

/// The opaque origin (RFC 6454 §6.1).
const NULL: &str = "null";
