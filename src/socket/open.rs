//! Opens a connection to a server.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use smol::future::FutureExt;

use crate::close_code::CloseCode;
use crate::connector;
use crate::error::Error;
use crate::event_loop::EventLoop;
use crate::handshake::open::{self, Failure, Opened, Opening};
use crate::panics;
use crate::session::{Driver, Observer};
use crate::socket::client_end::ClientEnd;
use crate::socket::inner::Inner;
use crate::socket_state::SocketState;
use crate::stream::Stream;
use crate::timers::Sleep;

/// Why there is no connection in the end.
enum Outcome {
    Opened(Stream, Opened),
    Failed(Error),
    /// `close` or `abort` was called.
    Unwanted,
}

/// Keeps a socket alive that connects. Dropped before the end, because its loop has gone, it leaves
/// the socket without a connection.
struct Underway {
    inner: Arc<Inner>,
    /// From here on the socket may be opened anew.
    is_decided: bool,
}

/// Connects on the loop of the socket, which is kept alive meanwhile.
pub(super) fn start(inner: &Arc<Inner>, end: &ClientEnd, opening: Opening) {
    let underway = Underway { inner: Arc::clone(inner), is_decided: false };
    end.event_loop.run(move || {
        EventLoop::current().spawn(connect(underway, opening)).detach();
    });
}

async fn connect(mut underway: Underway, opening: Opening) {
    let inner = &Arc::clone(&underway.inner);
    let Some(end) = inner.client_end() else { return };
    tell(inner, |inner| inner.state_changed(SocketState::Connecting));
    let timeout = end.lock().connect_timeout;
    let unwanted = async {
        let is_wanted = || inner.session.state() == SocketState::Connecting;
        poll_fn(|cx| end.poll_unwanted(is_wanted, cx)).await;
        Outcome::Unwanted
    };
    let expire = async {
        match timeout {
            Some(timeout) => Sleep::new(timeout).await,
            None => std::future::pending().await,
        }
        Outcome::Failed(Error::ConnectTimeout(timeout.unwrap_or_default()))
    };
    let outcome = unwanted.or(reach(end, &opening)).or(expire).await;
    underway.is_decided = true;
    match outcome {
        Outcome::Opened(stream, opened) => begin(inner, end, stream, opened),
        Outcome::Failed(error) => give_up(inner, Some(error)),
        Outcome::Unwanted => give_up(inner, None),
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let Self { inner, is_decided } = self;
        if !*is_decided
            && inner.session.stop_connecting()
            && let Some(end) = inner.client_end()
        {
            end.lock().is_busy = false;
        }
    }
}

/// Looks the host up, connects and shakes hands.
async fn reach(end: &ClientEnd, opening: &Opening) -> Outcome {
    let (host, port) = (&opening.url.host, opening.url.port);
    let stream = match connector::connect(host, port).await {
        Ok(stream) => stream,
        Err(connector::Failure::NotFound(source)) => {
            let (host, source) = (host.clone(), Arc::new(source));
            return Outcome::Failed(Error::HostNotFound { host, source });
        }
        Err(connector::Failure::Unreachable(source)) => {
            let (host, source) = (host.clone(), Arc::new(source));
            return Outcome::Failed(Error::Connect { host, port, source });
        }
    };
    end.lock().peer = stream.peer_address().ok().map(Into::into);
    let mut stream = Stream::Tcp(stream);
    match open::open(&mut stream, opening).await {
        Ok(opened) => Outcome::Opened(stream, opened),
        Err(failure) => Outcome::Failed(explain(end, &mut stream, failure).await),
    }
}

async fn explain(end: &ClientEnd, stream: &mut Stream, failure: Failure) -> Error {
    match failure {
        Failure::Refused(mut response) => {
            open::read_body(stream, &mut response, Sleep::new(BODY_TIMEOUT)).await;
            let (status, reason) = (response.status(), response.reason_phrase().to_owned());
            end.lock().response = Some(response);
            Error::ConnectionRefused { status, reason }
        }
        Failure::Invalid(reason) => Error::InvalidAnswer(reason.to_owned()),
        Failure::Broken(source) => Error::Connection { source: Arc::new(source) },
    }
}

/// Hands the connection over to the session, and says so.
fn begin(inner: &Arc<Inner>, end: &ClientEnd, stream: Stream, opened: Opened) {
    let Opened { response, subprotocol, leftover } = opened;
    let mut state = end.lock();
    (state.response, state.subprotocol) = (Some(response), subprotocol);
    drop(state);
    if !inner.session.open(stream) {
        return give_up(inner, None);
    }
    let driver = Driver::new(Arc::clone(inner), leftover);
    EventLoop::spawn_guarded(driver);
    tell(inner, |inner| inner.state_changed(SocketState::Connected));
    tell(inner, |inner| inner.emit_rare(|signals| signals.connected.emit(&())));
    // Qt: CLI-21; `connected` comes before the first message.
    inner.session.start_reading();
}

/// Says that there is no connection.
fn give_up(inner: &Arc<Inner>, error: Option<Error>) {
    inner.session.stop_connecting();
    if let Some(error) = error {
        tell(inner, |inner| inner.failed(error));
    }
    tell(inner, |inner| inner.state_changed(SocketState::Unconnected));
    panics::catch("a slot of a socket", || Inner::ended(inner));
}

/// Runs slots; a panic in one of them closes the connection, if there is one already.
fn tell(inner: &Inner, tell: impl FnOnce(&Inner)) {
    if !panics::catch("a slot of a socket", || tell(inner)) {
        inner.session.close(CloseCode::BAD_OPERATION, "a slot panicked");
    }
}

/// How long a refusal's body may take to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(1);
