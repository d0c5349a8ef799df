//! The part of the input that was not consumed yet.

use std::mem;

/// Received bytes, to be taken from the front.
pub(crate) struct Unread<'i>(&'i mut [u8]);

impl<'i> Unread<'i> {
    /// Begins with the whole input.
    pub(crate) fn new(input: &'i mut [u8]) -> Self {
        Self(input)
    }

    /// Takes the first `count` bytes, or all when there are fewer.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> &'i mut [u8] {
        let (front, rest) = match mem::take(&mut self.0) {
            bytes if count < bytes.len() => bytes.split_at_mut(count),
            bytes => (bytes, &mut [][..]),
        };
        self.0 = rest;
        front
    }

    /// Takes all bytes.
    pub(crate) fn take_all(&mut self) -> &'i mut [u8] {
        mem::take(&mut self.0)
    }

    /// Returns the bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0
    }

    /// Returns how many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
