//! Calls slots while a client's socket connects.
//!
//! Their decisions fail closed: a panic in a slot, `close` or `abort` ends the attempt.

use std::mem;

use crate::runtime::panics;
use crate::session::SLOT_PANICKED;
use crate::socket::state::Inner;
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::socket_state::SocketState;

/// Calls slots; a panic closes the connection, or ends the attempt to connect.
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
        None => _ = inner.session.close(CloseCode::BAD_OPERATION, SLOT_PANICKED),
    }
}

/// Calls slots while the socket connects; returns whether the attempt continues.
///
/// If not, nothing more may be sent: neither credentials of the slots nor the request.
pub(crate) fn consult_slots(inner: &Inner, emit: impl FnOnce(&Inner)) -> bool {
    call_slots(inner, emit);
    is_wanted(inner)
}

/// Returns whether no `close`, `abort` or panic has ended the attempt.
pub(crate) fn is_wanted(inner: &Inner) -> bool {
    let has_panicked = || inner.client_end().is_some_and(|end| end.lock().has_panicked);
    inner.session.state() == SocketState::Connecting && !has_panicked()
}

/// Reports an error of `open` itself.
///
/// It is not emitted while such an error is being emitted: a slot that opens the same URL again
/// would be called without end.
pub(crate) fn report_open_error(inner: &Inner, error: &Error) {
    let mut notes = inner.lazy().notes();
    notes.error = Some(error.clone());
    let is_nested = mem::replace(&mut notes.is_reporting, true);
    drop(notes);
    if !is_nested {
        call_slots(inner, |inner| inner.emit_lazy(|signals| signals.error_occurred.emit(error)));
        inner.lazy().notes().is_reporting = false;
    }
}
