//! Dropping user values, such as the captures of slots: `drop` may panic.
//!
//! A second panic during the unwinding of a first one, and any panic at a thread's end, would abort
//! the process. So each value is dropped on its own.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// Drops each of the values, and then resumes the first panic.
///
/// Further panics are logged, and so is the first while the thread is already unwinding.
pub(crate) fn drop_each<V>(values: impl IntoIterator<Item = V>) {
    for_each(values, drop);
}

/// Calls `act` with each of the values, and then resumes the first panic.
pub(crate) fn for_each<V>(values: impl IntoIterator<Item = V>, act: impl Fn(V)) {
    if let Some(payload) = first_panic(values, act) {
        if thread::panicking() {
            discard(payload);
        } else {
            resume_unwind(payload);
        }
    }
}

/// Drops values as [`drop_each`] does, at the end of its scope.
pub(crate) struct DropLast<V, const N: usize>(pub(crate) [Option<V>; N]);

impl<V, const N: usize> Drop for DropLast<V, N> {
    fn drop(&mut self) {
        drop_each(self.0.iter_mut().filter_map(Option::take));
    }
}

/// Drops each of the values; panics are logged.
pub(crate) fn drop_quietly<V>(values: impl IntoIterator<Item = V>) {
    if let Some(payload) = first_panic(values, drop) {
        discard(payload);
    }
}

fn first_panic<V>(
    values: impl IntoIterator<Item = V>,
    act: impl Fn(V),
) -> Option<Box<dyn Any + Send>> {
    let mut first = None;
    for value in values {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| act(value)))
            && let Some(payload) = first.replace(payload)
        {
            discard(payload);
        }
    }
    first
}

fn discard(payload: Box<dyn Any + Send>) {
    log::error!("a value of a slot or a queued call panicked when it was dropped");
    // The payload is a user value too, and may panic when it is dropped.
    mem::forget(payload);
}
