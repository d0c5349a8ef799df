//! Pages: HTTP requests on the server's port that do not ask for a WebSocket.

use std::sync::Arc;

use log::debug;
use smol::future::FutureExt;

use crate::net::upgrade;
use crate::net::upgrade::server::Failure;
use crate::protocol::handshake::page_request::PageRequest;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::runtime::panics;
use crate::runtime::timers::Sleep;
use crate::server::WebSocketServer;
use crate::server::handshake_deadline::Deadline;
use crate::server::opening::Opening;
use crate::server::pages::http_answer::{HttpAnswer, PageHandler};
use crate::server::pages::http_request::HttpRequest;
use crate::server::refusals::REFUSAL_TIMEOUT;

pub(crate) mod http_answer;
pub(crate) mod http_request;

/// Pages.
impl WebSocketServer {
    /// Sets the handler for HTTP requests that do not ask for a WebSocket.
    ///
    /// For a page, the health check of a load balancer, or metrics, on the port of the sockets, with
    /// TLS as without. The handler is called for `GET` and `HEAD`, also of HTTP/1.0; `None`
    /// refuses the request as a server without a handler does: with 426, `HEAD` with 405, HTTP/1.0
    /// with 505. Other methods (405) and requests with a body (400) are always refused. The connection
    /// is closed after the answer. Paths, ranges and caching are up to the handler; whole HTTP services
    /// need an HTTP library, which hands upgrades over with [`adopt_upgraded`](Self::adopt_upgraded).
    ///
    /// The limits of opening handshakes apply:
    /// [`set_max_handshakes`](Self::set_max_handshakes), those of the request's size,
    /// [`set_max_connections_per_address`](Self::set_max_connections_per_address) except behind
    /// trusted proxies, and the [`handshake_timeout`](Self::handshake_timeout) from the beginning of
    /// the connection until the peer has taken the answer, reported as for a handshake. Neither the
    /// maximum number of connections nor origins and the verifier concern pages: their requests can
    /// come from any peer, and each page can be framed by any other unless its headers prevent it.
    ///
    /// The handler runs on the loop of the connection's thread, so it should not wait. It is `Send`
    /// and `Sync`, since the parts of a server on several threads share it. Do not capture the server
    /// in it: use the first argument, which is the part with
    /// [`serve_on_threads`](Self::serve_on_threads). After a panic, or an invalid answer, which is
    /// logged, the request is answered with 500.
    ///
    /// # Qt
    ///
    /// `QHttpServer::route()` on a port of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{HttpAnswer, SslMode, WebSocketServer};
    ///
    /// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
    /// server.set_page_handler(|server, request| match request.path() {
    ///     "/" => Some(
    ///         HttpAnswer::new(200)
    ///             .header("Content-Type", "text/html; charset=utf-8")
    ///             .header("X-Frame-Options", "DENY")
    ///             .body("<h1>A chat</h1>\n"),
    ///     ),
    ///     "/health" => Some(HttpAnswer::new(204)),
    ///     "/metrics" => {
    ///         let count = server.clients().len();
    ///         Some(HttpAnswer::new(200).body(format!("clients {count}\n")))
    ///     }
    ///     _ => None,
    /// });
    /// ```
    #[doc(alias = "route")]
    #[doc(alias = "QHttpServer")]
    pub fn set_page_handler(
        &self,
        handler: impl Fn(&Self, &HttpRequest) -> Option<HttpAnswer> + Send + Sync + 'static,
    ) {
        let handler: Arc<PageHandler> = Arc::new(move |server, request| {
            let inner = server.downcast().ok()?;
            handler(&Self { inner }, request)
        });
        self.inner.set(|configuration| &mut configuration.page_handler, Some(handler));
    }

    /// Removes the handler of pages.
    ///
    /// Without one, which is the default, their requests are refused.
    pub fn remove_page_handler(&self) {
        self.inner.set(|configuration| &mut configuration.page_handler, None);
    }
}

impl Opening {
    /// Answers the request for a page, and ends the connection.
    pub(crate) async fn answer_page(&mut self, page: PageRequest, mut deadline: Deadline) {
        let PageRequest { request, is_head, refusal } = page;
        let Some(answer) = self.call_page_handler(request, is_head) else {
            return self.fail(Failure::Refused(refusal)).await;
        };
        let refusal = match answer.and_then(HttpAnswer::checked) {
            Ok(answer) => Refusal::Rejected(Box::new(answer)),
            Err(refusal) => {
                self.report_refusal(&refusal);
                refusal
            }
        };
        let mut response = refusal.response(&self.server_name());
        // The body may be long, and the peer slow.
        drop(refusal);
        if is_head {
            // RFC 9110 §9.3.2: the headers of a GET, and no body.
            let head = response.windows(4).position(|end| end == b"\r\n\r\n");
            response.truncate(head.map_or(0, |head| head + 4));
        }

        let sent = deadline.limit(Box::pin(self.stream.write_all(&response))).await;
        drop(response);
        match sent {
            Some(Ok(())) => {
                upgrade::server::end(&mut self.stream).or(Sleep::new(REFUSAL_TIMEOUT)).await;
            }
            Some(Err(error)) => debug!("{} has not taken the page: {error}", self.peer),
            None => deadline.report(&self.server, self.peer),
        }
    }

    /// Calls the handler; `None` if there is none, or it has no answer.
    fn call_page_handler(
        &self,
        request: HandshakeRequest,
        is_head: bool,
    ) -> Option<Result<HttpAnswer, Refusal>> {
        let server = self.open_server().ok()?;
        let state = server.lock();
        let handler = state.configuration.page_handler.clone()?;
        let client = self.client_address(&state, &request);
        drop(state);
        let request = HttpRequest::new(request, is_head, self.peer, client);
        let mut answer = None;
        if panics::catch("a page handler", || answer = handler(server, &request)) {
            answer.map(Ok)
        } else {
            Some(Err(Refusal::NoDecision))
        }
    }
}
