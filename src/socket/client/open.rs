//! Opens a connection to a server.

use std::future::poll_fn;
use std::mem;
use std::sync::Arc;

use smol::future::FutureExt;

use crate::event_loop::EventLoop;
use crate::net::stream::Stream;
use crate::net::upgrade::client::{Opened, Opening};
use crate::runtime::panics;
use crate::runtime::timers::Sleep;
use crate::session::{ConnectionTask, Observer};
use crate::socket::client::connect::reach;
use crate::socket::client::state::ClientEnd;
use crate::socket::state::Inner;
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::socket_state::SocketState;

/// Why there is no connection in the end.
enum Outcome {
    Opened(Stream, Opened),
    Failed(Error),
    /// `close` or `abort` was called.
    Unwanted,
}

/// Keeps a socket alive that connects. Dropped before the end, because its loop has gone, it leaves
/// the socket without a connection, and says so.
struct Underway {
    inner: Arc<Inner>,
    /// From here on the socket may be opened anew.
    is_decided: bool,
}

/// Connects on the loop of the socket, which is kept alive meanwhile; false when that has ended.
pub(crate) fn start(inner: &Arc<Inner>, end: &ClientEnd, opening: Opening) -> bool {
    let underway = Underway { inner: Arc::clone(inner), is_decided: false };
    end.event_loop.run(move || {
        EventLoop::current().spawn(connect(underway, opening)).detach();
    })
}

async fn connect(mut underway: Underway, opening: Opening) {
    let inner = &Arc::clone(&underway.inner);
    let Some(end) = inner.client_end() else { return };
    end.lock().has_panicked = false;
    tell(inner, |inner| inner.state_changed(SocketState::Connecting));
    let timeout = end.lock().connect_timeout;
    let unwanted = async {
        poll_fn(|cx| end.poll_unwanted(|| is_wanted(inner), cx)).await;
        Outcome::Unwanted
    };
    let expire = async {
        match timeout {
            Some(timeout) => Sleep::new(timeout).await,
            None => std::future::pending().await,
        }
        Outcome::Failed(Error::ConnectTimeout(timeout.unwrap_or_default()))
    };
    let reach = async {
        match reach(inner, end, opening).await {
            Ok((stream, opened)) => Outcome::Opened(stream, opened),
            Err(error) => Outcome::Failed(error),
        }
    };
    let outcome = unwanted.or(reach).or(expire).await;
    underway.is_decided = true;
    end.forget_task();
    match outcome {
        _ if end.lock().has_panicked => give_up(inner, Some(Error::SlotPanicked)),
        Outcome::Opened(stream, opened) => begin(inner, end, stream, opened),
        Outcome::Failed(error) => give_up(inner, Some(error)),
        Outcome::Unwanted => give_up(inner, None),
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let Self { inner, is_decided } = self;
        let Some(end) = inner.client_end().filter(|_| !*is_decided) else { return };
        // On another thread this is still the call of `open`, which runs no slot.
        if end.event_loop.is_current() {
            return give_up(inner, None);
        }
        if inner.session.stop_connecting(CloseCode::ABNORMAL_DISCONNECTION, "") {
            end.lock().is_busy = false;
        }
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
    let driver = ConnectionTask::new(Arc::clone(inner), leftover);
    EventLoop::spawn_guarded(driver);
    tell(inner, |inner| inner.state_changed(SocketState::Connected));
    // Qt: CLI-21; `connected` comes before the first message: that is read in a turn of its own,
    // after this, or in a loop inside a slot.
    inner.session.start_reading();
    tell(inner, |inner| inner.emit_lazy(|signals| signals.connected.emit(&())));
}

/// Says that there is no connection, and why not, unless `close` or `abort` was called.
fn give_up(inner: &Arc<Inner>, error: Option<Error>) {
    let (code, reason) = match error {
        Some(Error::SlotPanicked) => (CloseCode::BAD_OPERATION, PANICKED),
        _ => (CloseCode::ABNORMAL_DISCONNECTION, ""),
    };
    let was_wanted = inner.session.stop_connecting(code, reason);
    if let Some(error) = error.filter(|_| was_wanted) {
        tell(inner, |inner| inner.failed(error));
    }
    tell(inner, |inner| inner.state_changed(SocketState::Unconnected));
    panics::catch("a slot of a socket", || Inner::ended(inner));
}

/// Says that `open` has begun nothing, unless slots are being told of that: one that opens the same
/// again would be called without end.
pub(crate) fn tell_refusal(inner: &Inner, error: &Error) {
    let mut notes = inner.lazy().notes();
    notes.error = Some(error.clone());
    let is_nested = mem::replace(&mut notes.is_refusing, true);
    drop(notes);
    if !is_nested {
        tell(inner, |inner| inner.emit_lazy(|signals| signals.error_occurred.emit(error)));
        inner.lazy().notes().is_refusing = false;
    }
}

/// Runs slots; a panic in one of them closes the connection, or ends the attempt to connect.
fn tell(inner: &Inner, tell: impl FnOnce(&Inner)) {
    if panics::catch("a slot of a socket", || tell(inner)) {
        return;
    }
    let is_connecting = inner.session.state() == SocketState::Connecting;
    match inner.client_end().filter(|_| is_connecting) {
        Some(end) => {
            end.lock().has_panicked = true;
            end.wake();
        }
        None => _ = inner.session.close(CloseCode::BAD_OPERATION, PANICKED),
    }
}

/// Runs slots while the socket connects; returns whether it is still to connect.
///
/// Where not, nothing more may be sent: neither what the slots supplied nor the request.
pub(crate) fn consult(inner: &Inner, slots: impl FnOnce(&Inner)) -> bool {
    tell(inner, slots);
    is_wanted(inner)
}

/// Returns whether nothing has ended the attempt to connect: `close`, `abort`, or a panic in a slot.
fn is_wanted(inner: &Inner) -> bool {
    let has_panicked = || inner.client_end().is_some_and(|end| end.lock().has_panicked);
    inner.session.state() == SocketState::Connecting && !has_panicked()
}

const PANICKED: &str = "a slot panicked";

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use crate::event_loop::EventLoop;
    use crate::socket::WebSocket;
    use crate::socket::client::state::ClientEnd;

    /// The task that connects is several KiB; who holds its waker holds all of it.
    #[test]
    fn nothing_is_kept_of_the_task_that_has_connected() -> Result<(), Box<dyn std::error::Error>> {
        let refusing = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let socket = WebSocket::new();
        let disconnected = socket.disconnected().next();

        socket.open(format!("ws://{refusing}"))?;
        EventLoop::current().run_until(disconnected);

        assert!(!socket.inner.client_end().is_some_and(ClientEnd::is_awaited));
        Ok(())
    }
}
