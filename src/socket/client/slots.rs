//! Calls slots while a client's socket connects.
//!
//! What slots decide fails closed: a panic in one of them, `close` or `abort` ends the attempt.

use std::mem;

use crate::runtime::panics;
use crate::socket::state::Inner;
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::socket_state::SocketState;

/// Runs slots; a panic in one of them closes the connection, or ends the attempt to connect.
pub(crate) fn call_slots(inner: &Inner, emit: impl FnOnce(&Inner)) {
    if panics::catch("a slot of a socket", || emit(inner)) {
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
pub(crate) fn consult_slots(inner: &Inner, emit: impl FnOnce(&Inner)) -> bool {
    call_slots(inner, emit);
    is_wanted(inner)
}

/// Returns whether nothing has ended the attempt to connect: `close`, `abort`, or a panic in a slot.
pub(crate) fn is_wanted(inner: &Inner) -> bool {
    let has_panicked = || inner.client_end().is_some_and(|end| end.lock().has_panicked);
    inner.session.state() == SocketState::Connecting && !has_panicked()
}

/// Says that `open` has begun nothing, unless slots are being told of that: one that opens the same
/// again would be called without end.
pub(crate) fn report_refusal(inner: &Inner, error: &Error) {
    let mut notes = inner.lazy().notes();
    notes.error = Some(error.clone());
    let is_nested = mem::replace(&mut notes.is_refusing, true);
    drop(notes);
    if !is_nested {
        call_slots(inner, |inner| inner.emit_lazy(|signals| signals.error_occurred.emit(error)));
        inner.lazy().notes().is_refusing = false;
    }
}

/// The close reason after a panic.
pub(crate) const PANICKED: &str = "a slot panicked";
