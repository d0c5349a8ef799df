//! The answer of a page handler.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use log::error;

use crate::protocol::handshake::refusal::{Refusal, Rejection};
use crate::server::pages::http_request::HttpRequest;

/// The answer to an HTTP request that does not ask for a WebSocket.
///
/// See [`WebSocketServer::set_page_handler`](crate::WebSocketServer::set_page_handler).
///
/// The `Debug` output has the names of the headers without their values, and no body.
///
/// # Qt
///
/// `QHttpServerResponse`.
///
/// # Examples
///
/// ```
/// use slotwork::HttpAnswer;
///
/// let page = HttpAnswer::new(200)
///     .header("Content-Type", "text/html; charset=utf-8")
///     .body("<p>Hello, world!</p>\n");
/// let moved = HttpAnswer::new(308).header("Location", "https://example.org/");
/// ```
#[doc(alias = "QHttpServerResponse")]
#[derive(Clone)]
#[must_use]
pub struct HttpAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A function of the program that answers requests for pages.
///
/// The server is the state that its handles share.
pub(crate) type PageHandler =
    dyn Fn(Arc<dyn Any + Send + Sync>, &HttpRequest) -> Option<HttpAnswer> + Send + Sync;

impl HttpAnswer {
    /// Makes an answer with this HTTP status, from 200 to 599, and an empty body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    ///
    /// `Connection`, `Content-Length` and `Server` are added by the server; `Content-Type` is plain
    /// text in UTF-8 unless it is added. An invalid name or value, such as one with a line break, or
    /// one of the server's own headers, is an error of the program: it is logged, and the request is
    /// answered with 500. So is an invalid status.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    ///
    /// It is not sent with the statuses 204 and 304, and not to a `HEAD` request.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Checks the answer.
    pub(crate) fn checked(self) -> Result<Rejection, Refusal> {
        let Self { status, headers, body } = self;
        Rejection::new(status, headers, body).map_err(|defect| {
            error!("invalid {defect} in the answer of a page handler");
            Refusal::NoDecision
        })
    }
}

impl fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.headers.iter().map(|(name, _)| name);
        f.debug_struct("HttpAnswer")
            .field("status", &self.status)
            .field("headers", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
