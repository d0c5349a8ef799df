//! Byte sequences without heap memory: a few bytes in place, and the unread input.

use std::mem;

/// Up to `N` bytes without heap memory; `N` is at most 255.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShortBytes<const N: usize> {
    bytes: [u8; N],
    length: u8,
}

impl<const N: usize> ShortBytes<N> {
    /// Makes an empty sequence.
    pub(crate) const fn new() -> Self {
        const { assert!(N <= u8::MAX as usize) };
        Self { bytes: [0; N], length: 0 }
    }

    /// Appends as many of these bytes as fit.
    #[inline]
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let start = self.len();
        let free = self.bytes.get_mut(start..).unwrap_or_default();
        let count = bytes.len().min(free.len());
        if let (Some(free), Some(bytes)) = (free.get_mut(..count), bytes.get(..count)) {
            free.copy_from_slice(bytes);
        }
        self.length = u8::try_from(start + count).unwrap_or(self.length);
    }

    /// Removes all bytes.
    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }

    /// Returns the bytes.
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    /// Returns the bytes, to be changed in place.
    pub(crate) fn as_mut_bytes(&mut self) -> &mut [u8] {
        let length = self.len();
        self.bytes.get_mut(..length).unwrap_or_default()
    }

    /// Returns how many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.length.into()
    }

    /// Returns whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl<const N: usize> Default for ShortBytes<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// The input that is not consumed yet, to be taken from the front.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_as_many_bytes_as_fit() {
        let mut bytes = ShortBytes::<5>::new();

        bytes.extend(b"abc");
        bytes.extend(b"defg");

        assert_eq!(bytes.as_bytes(), b"abcde");
        assert_eq!(bytes.len(), 5);
    }

    #[test]
    fn starts_empty() {
        assert!(ShortBytes::<14>::new().is_empty());
    }
}
