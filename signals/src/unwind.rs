//! Dropping what slots and calls hold: values of the user, whose `Drop` may panic.
//!
//! A second panic during the unwinding of a first one, and any panic at a thread's end, would abort
//! the process. So each value is dropped by itself.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// Drops each of the values. The first panic goes on when all are dropped, unless this is part of an
/// unwinding already; further ones are logged.
pub(crate) fn drop_each<V>(values: impl IntoIterator<Item = V>) {
    if let Some(payload) = first_panic(values) {
        if thread::panicking() {
            discard(payload);
        } else {
            resume_unwind(payload);
        }
    }
}

/// Drops a value as [`drop_each`] does, at the end of its scope.
pub(crate) struct DropLast<V>(pub(crate) Option<V>);

impl<V> Drop for DropLast<V> {
    fn drop(&mut self) {
        drop_each(self.0.take());
    }
}

/// Drops each of the values; panics are logged.
pub(crate) fn drop_quietly<V>(values: impl IntoIterator<Item = V>) {
    if let Some(payload) = first_panic(values) {
        discard(payload);
    }
}

fn first_panic<V>(values: impl IntoIterator<Item = V>) -> Option<Box<dyn Any + Send>> {
    let mut first = None;
    for value in values {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value)))
            && let Some(payload) = first.replace(payload)
        {
            discard(payload);
        }
    }
    first
}

fn discard(payload: Box<dyn Any + Send>) {
    log::error!("what a slot or a call holds panicked when it was dropped");
    // It is the user's too, and may panic when it is dropped.
    mem::forget(payload);
}
