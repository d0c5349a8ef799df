//! Scripted streams, a stopped clock and fuzzing, for unit tests and fuzz targets.

pub(crate) mod connection;
#[cfg_attr(not(test), expect(dead_code, reason = "the fuzz targets need a part of it"))]
pub(crate) mod decoding;
pub mod fuzzing;
pub(crate) mod pieces;
#[cfg(test)]
pub(crate) mod requests;
#[cfg_attr(not(test), expect(dead_code, reason = "the fuzz targets need a part of it"))]
pub(crate) mod scripted_stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

/// A waker that counts how often it was woken.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    #[cfg(test)]
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Returns the count and begins anew.
    pub(crate) fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
