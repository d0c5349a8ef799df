//! Panics in calls of the user's code: each ends its own call, and is told to the loop.
//!
//! Whoever calls slots, tasks or posted calls does so inside [`catch`]. The thread's loop takes the
//! panics at the end of its turn, tells everybody, and lets them go on if its user wants that.

use std::any::Any;
use std::cell::RefCell;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use log::error;

/// A panic that was caught.
pub(crate) struct Caught {
    /// What panicked, such as "a posted call".
    pub(crate) place: &'static str,
    pub(crate) message: String,
    pub(crate) payload: Box<dyn Any + Send>,
}

/// Calls `call`; a panic in it is logged and kept for the loop. Returns whether there was none.
pub(crate) fn catch(place: &'static str, call: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| keep(place, payload)).is_ok()
}

/// The same for slots that hear of panics: one in them is only logged, or it would be told for ever.
pub(crate) fn catch_and_log(place: &'static str, call: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
        log(place, &*payload);
        discard(payload);
    }
}

/// Logs a panic and keeps it for the loop; returns its message.
pub(crate) fn keep(place: &'static str, payload: Box<dyn Any + Send>) -> String {
    let message = log(place, &*payload);
    let caught = Caught { place, message: message.clone(), payload };
    // At the thread's end there is no loop any more that would take it.
    let _ = CAUGHT.try_with(|list| list.borrow_mut().push(caught));
    message
}

/// Takes the panics of this thread that were caught since the last time.
pub(crate) fn take() -> Vec<Caught> {
    CAUGHT.try_with(|list| mem::take(&mut *list.borrow_mut())).unwrap_or_default()
}

fn log(place: &'static str, payload: &(dyn Any + Send)) -> String {
    let message = message_of(payload);
    error!("{place} panicked: {message}");
    message
}

/// Drops what a panic carried, which may panic too.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(payload);
    }
}

/// Returns what a panic says.
pub(crate) fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it says nothing").to_owned()
}

thread_local! {
    static CAUGHT: RefCell<Vec<Caught>> = const { RefCell::new(Vec::new()) };
}

#[cfg(test)]
mod tests {
    use std::panic::resume_unwind;

    use super::*;

    #[test]
    fn tells_what_panicked_and_what_it_said() {
        assert!(catch("a quiet call", || {}));
        assert!(!catch("a call", || resume_unwind(Box::new("text"))));
        assert!(!catch("another", || resume_unwind(Box::new(String::from("string")))));
        assert!(!catch("a third", || resume_unwind(Box::new(7))));

        let caught: Vec<_> =
            take().into_iter().map(|caught| (caught.place, caught.message)).collect();

        let expected = [("a call", "text"), ("another", "string"), ("a third", "it says nothing")];
        assert_eq!(caught, expected.map(|(place, message)| (place, message.to_owned())));
        assert!(take().is_empty());
    }
}
