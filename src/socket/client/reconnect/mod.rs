//! Clients that reconnect: the setter, the next attempt, its delay.

use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use smol::future::FutureExt;

use crate::event_loop::EventLoop;
use crate::protocol::random;
use crate::runtime::clock;
use crate::runtime::panics;
use crate::runtime::timers::Sleep;
use crate::session::Observer;
use crate::socket::WebSocket;
use crate::socket::client::attempt::{Target, begin};
use crate::socket::client::slots::call_slots;
use crate::socket::client::state::ClientEnd;
use crate::socket::state::Inner;
use crate::types::error::Error;
use crate::types::reconnect::{Attempt, Reconnect};

pub(crate) mod state;

/// Reconnecting.
impl WebSocket {
    /// Sets the policy by which this client reconnects; the default, `None`, is never.
    ///
    /// From the next [`open`](Self::open) on, the socket connects again by itself, with the same
    /// request, when the connection has ended or could not be opened: the first time, too. Slots
    /// stay connected. [`error_occurred`](Self::error_occurred) and
    /// [`disconnected`](Self::disconnected) are emitted as without a policy, then
    /// [`reconnecting`](Self::reconnecting) when the delay begins; [`connected`](Self::connected)
    /// again is the time to send the state that a new connection needs. Nothing is queued
    /// meanwhile: sending is refused as on any socket without a connection, and a
    /// [`MessageStream`](crate::MessageStream) ends with its connection.
    ///
    /// [`close`](Self::close) and [`abort`](Self::abort) end it, also during the delay, when no signal
    /// is emitted; `open` begins anew with its URL, during the delay and during an attempt. The delay
    /// begins when the slots of `disconnected` have returned. Otherwise the cause decides, as
    /// described at [`ReconnectCause::is_temporary`](crate::ReconnectCause::is_temporary) and
    /// [`Reconnect::retry_if`]. The loop keeps the socket alive during a delay: dropping a handle
    /// ends nothing.
    ///
    /// `None` takes effect at once and ends a delay; another policy takes effect with the next
    /// delay. A socket that a server accepted ignores the call.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: programs call `open()` in a slot of a `QTimer`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{EventLoop, Reconnect, WebSocket};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let socket = WebSocket::new();
    /// socket.set_reconnect(Some(Reconnect::new()));
    /// socket.connected().connect(|socket, ()| {
    ///     socket.send_text_message("subscribe news");
    /// });
    /// socket.reconnecting().connect(|_socket, attempt| {
    ///     println!("attempt {} in {:?}", attempt.number, attempt.delay);
    /// });
    /// socket.disconnected().connect(|socket, ()| {
    ///     // For good: closed by either side, or refused.
    ///     if !socket.is_reconnecting() {
    ///         EventLoop::current().quit();
    ///     }
    /// });
    ///
    /// socket.open("ws://127.0.0.1:1234/news")?;
    /// # socket.abort();
    /// EventLoop::current().exec();
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_reconnect(&self, policy: Option<Reconnect>) {
        let Some(end) = self.inner.client_end() else { return };
        let mut state = end.lock();
        let waker = match &policy {
            Some(_) => None,
            None => state.restart(None),
        };
        let former = match (&mut state.reconnect, policy) {
            (None, None) => None,
            (reconnect, policy) => {
                mem::replace(&mut reconnect.get_or_insert_default().policy, policy.map(Arc::new))
            }
        };
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        drop(former);
    }

    /// Returns whether the client waits to reconnect, or is reconnecting.
    ///
    /// It is decided before [`disconnected`](Self::disconnected) is emitted, and holds until
    /// [`connected`](Self::connected) or the end: a slot of `disconnected` that quits the program
    /// checks it.
    #[must_use]
    pub fn is_reconnecting(&self) -> bool {
        let end = self.inner.client_end();
        end.is_some_and(|end| end.lock().is_reconnecting() && !end.event_loop.has_ended())
    }
}

/// Plans the next attempt, before `disconnected`.
///
/// Returns the number of the plan. `close`, `abort` and `open` in the rule of the program, or in a
/// slot, end the plan.
pub(crate) fn plan(inner: &Arc<Inner>, end: &ClientEnd) -> Option<u64> {
    if end.event_loop.has_ended() {
        return None;
    }
    let (policy, plan, cause) = {
        let mut state = end.lock();
        if state.waiting.is_some() {
            // The next connection is that of the program.
            return None;
        }
        let reconnect = state.reconnect.as_mut()?;
        let (policy, plan) = reconnect.next_plan()?;
        let session = &inner.session;
        (policy, plan, reconnect.cause(session.close_code(), session.close_reason()))
    };
    let mut may_follow = false;
    panics::catch("the rule of a policy to reconnect", || may_follow = policy.may_follow(&cause));

    let mut state = end.lock();
    let reconnect = state.reconnect.as_mut().filter(|it| it.is_current(plan))?;
    let number = reconnect.count(clock::now());
    if may_follow && policy.allows(number) {
        let delay = policy.delay_of(number, u64::from_ne_bytes(random::bytes()));
        reconnect.set_planned(Attempt { number, delay, cause });
        return Some(plan);
    }
    reconnect.restart(None);
    drop(state);
    if may_follow {
        let error = Error::ReconnectGivenUp { attempts: number.saturating_sub(1) };
        call_slots(inner, |inner| inner.failed(error));
    }
    None
}

/// Begins the delay of a planned attempt, and emits `reconnecting`.
pub(crate) fn begin_delay(inner: &Arc<Inner>, end: &ClientEnd, plan: u64) {
    let attempt = end.lock().reconnect.as_ref().and_then(|it| it.attempt(plan).cloned());
    let Some(attempt) = attempt else { return };
    let delay = Sleep::new(attempt.delay);
    EventLoop::current().spawn(connect_after(delay, Arc::clone(inner), plan)).detach();
    panics::catch("a slot of a socket", || {
        inner.emit_of_client(|signals| signals.reconnecting.emit(&attempt));
    });
}

/// Waits, and begins the attempt unless its plan has ended.
async fn connect_after(delay: Sleep, inner: Arc<Inner>, plan: u64) {
    let Some(end) = inner.client_end() else { return };
    let ended = async {
        poll_fn(|cx| end.poll_plan_ended(plan, cx)).await;
        false
    };
    let is_due = async {
        delay.await;
        true
    };
    if ended.or(is_due).await {
        let state = end.lock();
        let again = state.reconnect.as_ref().and_then(|it| it.again(plan));
        if let Some(again) = again.filter(|_| !state.is_busy) {
            // An error means that the loop has ended meanwhile.
            let _ = begin(&inner, end, state, Target::Again(Box::new(again)));
        }
    }
}
