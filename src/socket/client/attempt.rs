//! An attempt to connect: the task of `open`, from `Connecting` to its outcome.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Waker;

use smol::future::FutureExt;

use crate::event_loop::EventLoop;
use crate::net::stream::Stream;
use crate::net::upgrade::client::{Opened, Opening};
use crate::protocol::handshake::url::without_secrets;
use crate::runtime::panics;
use crate::runtime::sync::MutexGuard;
use crate::runtime::timers::Sleep;
use crate::session::{ConnectionTask, Observer, SLOT_PANICKED};
use crate::socket::client::client_request::ClientRequest;
use crate::socket::client::connect::connect;
use crate::socket::client::reconnect::state::Again;
use crate::socket::client::slots::{call_slots, is_wanted};
use crate::socket::client::state::{CheckedRequest, ClientEnd, ClientState};
use crate::socket::driven::DrivenSocket;
use crate::socket::state::Inner;
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::socket_state::SocketState;

/// The target of an attempt to connect.
pub(crate) enum Target {
    Checked(Box<CheckedRequest>),
    /// That of `open` again, perhaps with another URL.
    Again(Box<Again>),
}

/// The opening handshake of an attempt, or what it is made of.
enum Source {
    Ready(Box<Opening>),
    Again(Box<Again>),
}

/// The outcome of an attempt to connect.
enum Outcome {
    Opened(Stream, Opened),
    Failed(Error),
    /// `close` or `abort` was called.
    Unwanted,
}

/// An attempt to connect, which keeps the socket alive.
///
/// Dropped before its end, with the loop, it sets the socket's state to unconnected.
struct Connecting {
    inner: Arc<Inner>,
    /// The outcome is known: from here on the socket may be opened again.
    is_decided: bool,
}

/// Checks a request, and makes the opening handshake of it.
pub(crate) fn check(request: ClientRequest, state: &ClientState) -> Result<CheckedRequest, Error> {
    let shown = without_secrets(request.url());
    #[cfg_attr(not(feature = "compression"), expect(unused_mut, reason = "without compression"))]
    let mut opening = request.checked(state.origin.clone(), state.answer_limits)?;
    #[cfg(feature = "compression")]
    {
        opening.compression = state.compression;
    }
    if opening.url.is_secure && cfg!(not(feature = "tls")) {
        return Err(Error::SecureModeNotSupported);
    }
    let request = opening.handshake_request().ok_or(Error::InvalidUrl(shown))?;
    Ok(CheckedRequest { opening, request })
}

/// Begins the attempt of a socket without a connection, on the socket's loop.
///
/// An `open` that waits is dropped.
pub(crate) fn begin(
    inner: &Arc<Inner>,
    end: &ClientEnd,
    mut state: MutexGuard<'_, ClientState>,
    target: Target,
) -> Result<(), Error> {
    let wakers = inner.session.begin_connecting().ok_or(Error::AlreadyOpen)?;
    let source = match target {
        Target::Checked(request) => Source::Ready(Box::new(state.adopt(*request))),
        Target::Again(again) => Source::Again(again),
    };
    state.waiting = None;
    state.is_busy = true;
    if let Some(reconnect) = &mut state.reconnect {
        reconnect.begin();
    }
    (state.response, state.subprotocol, state.peer) = (None, None, None);
    state.clear_timings();
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
    inner.clear_error();
    let attempt = Connecting { inner: Arc::clone(inner), is_decided: false };
    let has_begun = end.event_loop.run(move || {
        EventLoop::current().spawn(run(attempt, source)).detach();
    });
    if has_begun { Ok(()) } else { Err(Error::EventLoopEnded) }
}

async fn run(mut attempt: Connecting, source: Source) {
    let inner = &Arc::clone(&attempt.inner);
    let Some(end) = inner.client_end() else { return };
    end.lock().has_panicked = false;
    call_slots(inner, |inner| inner.state_changed(SocketState::Connecting));
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
    let connected = async {
        let opening = match source {
            Source::Ready(opening) => Ok(*opening),
            Source::Again(again) => open_again(end, *again).await,
        };
        let opened = async { connect(inner, end, opening?).await };
        match opened.await {
            Ok((stream, opened)) => Outcome::Opened(stream, opened),
            Err(error) => Outcome::Failed(error),
        }
    };
    let outcome = unwanted.or(connected).or(expire).await;
    attempt.is_decided = true;
    end.drop_waker();
    match outcome {
        _ if end.lock().has_panicked => end_attempt(inner, Some(Error::SlotPanicked)),
        Outcome::Opened(stream, opened) => begin_session(inner, end, stream, opened),
        Outcome::Failed(error) => end_attempt(inner, Some(error)),
        Outcome::Unwanted => end_attempt(inner, None),
    }
}

/// Returns the opening handshake for another connection with the request of `open`.
async fn open_again(end: &ClientEnd, again: Again) -> Result<Opening, Error> {
    let Again { policy, mut request, attempt } = again;
    let url = async move {
        match policy.url_of(attempt) {
            Some(url) => url.await.map(Some).ok_or(Error::NoReconnectUrl),
            None => Ok(None),
        }
    };
    let url = AssertUnwindSafe(url).catch_unwind().await.unwrap_or_else(|payload| {
        panics::keep("`reconnect_url`", payload);
        Err(Error::SlotPanicked)
    });
    if let Some(url) = url? {
        request = request.with_url(url);
    }
    let mut state = end.lock();
    let checked = check(request, &state)?;
    Ok(state.adopt(checked))
}

impl Drop for Connecting {
    fn drop(&mut self) {
        let Self { inner, is_decided } = self;
        let Some(end) = inner.client_end().filter(|_| !*is_decided) else { return };
        // On another thread this is still the call of `open`, which runs no slot.
        if end.event_loop.is_current() {
            return end_attempt(inner, None);
        }
        inner.session.stop_connecting(CloseCode::ABNORMAL_DISCONNECTION, "");
        let mut state = end.lock();
        state.is_busy = false;
        drop_waiting(inner, state);
    }
}

/// Opens the session, and emits `connected`.
fn begin_session(inner: &Arc<Inner>, end: &ClientEnd, stream: Stream, opened: Opened) {
    let Opened { response, agreed, leftover } = opened;
    let mut state = end.lock();
    (state.response, state.subprotocol) = (Some(response), agreed.subprotocol);
    drop(state);
    if !inner.session.open(stream, agreed.extensions) {
        return end_attempt(inner, None);
    }
    end.lock().note_open();
    let ended = end.ended_connections();
    let driver = ConnectionTask::<Inner>::new(DrivenSocket::new(inner), leftover);
    EventLoop::spawn_guarded(driver).detach();
    call_slots(inner, |inner| inner.state_changed(SocketState::Connected));
    // In a loop inside a slot it may have ended, and the next connection begun.
    if end.ended_connections() != ended {
        return;
    }
    // Qt: CLI-21; `connected` is emitted before the first message: that is read in a turn of its
    // own, after this, or in a loop inside a slot.
    inner.session.start_reading();
    call_slots(inner, |inner| inner.emit_lazy(|signals| signals.connected.emit(&())));
}

/// Ends an attempt without a connection.
///
/// The error is not emitted after `close` or `abort`.
fn end_attempt(inner: &Arc<Inner>, error: Option<Error>) {
    let (code, reason) = match error {
        Some(Error::SlotPanicked) => (CloseCode::BAD_OPERATION, SLOT_PANICKED),
        _ => (CloseCode::ABNORMAL_DISCONNECTION, ""),
    };
    let was_wanted = inner.session.stop_connecting(code, reason);
    if let Some(error) = error.filter(|_| was_wanted) {
        call_slots(inner, |inner| inner.failed(error));
    }
    call_slots(inner, |inner| inner.state_changed(SocketState::Unconnected));
    panics::catch("a slot of a socket", || Inner::ended(inner));
}

/// Drops the `open` that waits, if there is one.
pub(crate) fn drop_waiting(inner: &Inner, mut state: MutexGuard<'_, ClientState>) {
    if state.waiting.take().is_some() {
        let wakers = inner.session.set_has_successor(false);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use crate::event_loop::EventLoop;
    use crate::socket::WebSocket;
    use crate::socket::client::state::ClientEnd;

    /// The task that connects is several KiB; its waker keeps all of it.
    #[test]
    fn nothing_is_kept_of_the_task_that_has_connected() -> Result<(), Box<dyn std::error::Error>> {
        let refusing = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let socket = WebSocket::new();
        let disconnected = socket.disconnected().next();

        socket.open(format!("ws://{refusing}"))?;
        EventLoop::current().run_until(disconnected);

        assert!(!socket.inner.client_end().is_some_and(ClientEnd::keeps_task));
        Ok(())
    }
}
