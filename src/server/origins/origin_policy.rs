//! Which web pages may connect to a server.

use crate::protocol::handshake::origin::Origin;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::types::error::Error;
use crate::types::ssl_mode::SslMode;

/// Which web pages may connect to a server.
///
/// A browser lets every page connect to every server, with the user's cookies, and tells the server
/// where the page is from, in the `Origin` header (RFC 6455 §10.2). A server that does not look at
/// it can be used by any page that a user visits. Clients that send no origin are no browsers, and
/// no policy refuses them; they could claim any origin.
///
/// Pages of the web have the scheme `http` or `https` (some clients write `ws` or `wss`). Others, such
/// as `chrome-extension` or `file`, are admitted by [`Any`](Self::Any), or by a [`List`](Self::List)
/// that names them.
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
    /// All pages: whoever connects is identified by something that pages do not have by themselves.
    Any,
    /// Pages of the host and port that the request names in its `Host` header.
    ///
    /// For a server behind a proxy that hands on the header, or one that shares its port with the
    /// web server. A server with [`SslMode::Secure`] admits pages that came by `https` alone; for
    /// others it does not count, because a proxy may end TLS. A page can give its own
    /// host any address, also that of this server: where the network is what keeps strangers out,
    /// a [`List`](Self::List) is safer.
    SameOrigin,
    /// Pages of `localhost`, of names that end in `.localhost`, and of loopback addresses, with or
    /// without TLS.
    Loopback,
    /// Pages of these origins: a scheme and a host, and the port if it is not that of the scheme.
    ///
    /// `null` stands for pages of no host, such as local files and sandboxed frames of any page.
    List(Vec<String>),
}

impl OriginPolicy {
    /// Makes a policy that allows pages of these origins, such as `https://example.org`.
    pub fn list(origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::List(origins.into_iter().map(Into::into).collect())
    }

    /// Checks that each origin of a list is one that a page can have.
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

    /// Returns whether the client that sent the request to a server of this mode may connect.
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

/// The origin of pages that have none (RFC 6454 §6.1).
const NULL: &str = "null";
