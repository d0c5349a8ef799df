//! Panics in calls of the program's code.
//!
//! Each ends its own call and is kept for the loop. Slots, tasks and posted calls are called inside
//! [`catch`]. The thread's loop takes the panics at the end of its turn, reports them, and resumes
//! them if the program asked for that.

use std::any::Any;
use std::cell::RefCell;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use log::error;

/// A caught panic.
pub(crate) struct Caught {
    /// The kind of call that panicked, such as "a posted call".
    pub(crate) place: &'static str,
    pub(crate) message: String,
    pub(crate) payload: Box<dyn Any + Send>,
}

/// Makes a call and returns whether it did not panic.
///
/// A panic is logged and kept for the loop.
pub(crate) fn catch(place: &'static str, call: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| keep(place, payload)).is_ok()
}

/// Makes a call; a panic in it is only logged.
///
/// For slots that receive panics, which would report their own ones for ever.
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
    // At the thread's end no loop would take it any more.
    let _ = CAUGHT.try_with(|list| list.borrow_mut().push(caught));
    message
}

/// Takes the panics of this thread that were caught since the last call.
pub(crate) fn take() -> Vec<Caught> {
    CAUGHT.try_with(|list| mem::take(&mut *list.borrow_mut())).unwrap_or_default()
}

/// Returns whether panics of this thread wait to be taken.
#[inline]
pub(crate) fn any() -> bool {
    CAUGHT.try_with(|list| !list.borrow().is_empty()).unwrap_or(false)
}

fn log(place: &'static str, payload: &(dyn Any + Send)) -> String {
    let message = message_of(payload);
    error!("{place} panicked: {message}");
    message
}

/// Drops a panic's payload, which may panic too.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(payload);
    }
}

/// Returns a panic's message.
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
    fn keeps_the_place_and_the_message_of_a_panic() {
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
