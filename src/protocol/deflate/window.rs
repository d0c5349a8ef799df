//! The history of a connection: the plain text of its last compressed messages.

/// The last bytes of the messages in one direction, up to a maximum.
///
/// It grows with the messages and is never reserved ahead.
#[derive(Debug, Default)]
pub(crate) struct Window {
    bytes: Vec<u8>,
    most: u16,
}

impl Window {
    /// Makes the window from which this end compresses.
    ///
    /// zlib refers to nothing that is further away than the window less 262 bytes.
    pub(crate) fn for_sending(bits: u8) -> Self {
        Self::of((1 << bits) - FARTHEST_LOSS)
    }

    /// Makes the window to which the messages of a peer may refer.
    pub(crate) fn for_receiving(bits: u8) -> Self {
        Self::of(1 << bits)
    }

    fn of(most: u16) -> Self {
        Self { bytes: Vec::new(), most }
    }

    /// Adds a message. What is too old is forgotten.
    pub(crate) fn push(&mut self, message: &[u8]) {
        let most = usize::from(self.most);
        let kept = most.saturating_sub(message.len()).min(self.bytes.len());
        self.bytes.drain(..self.bytes.len() - kept);
        let added = message.get(message.len().saturating_sub(most)..).unwrap_or_default();

        let needed = kept + added.len();
        if needed > self.bytes.capacity() {
            let room = needed.max(self.bytes.capacity().saturating_mul(2)).min(most);
            self.bytes.reserve_exact(room - kept);
        }
        self.bytes.extend_from_slice(added);
    }

    /// Returns the last bytes, `count` at the most.
    pub(crate) fn last(&self, count: usize) -> &[u8] {
        self.bytes.get(self.bytes.len().saturating_sub(count)..).unwrap_or_default()
    }

    /// Returns all bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns how many bytes of heap memory it occupies.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

/// zlib keeps so many bytes of a window ahead of its position.
const FARTHEST_LOSS: u16 = 262;

#[cfg(test)]
mod tests {
    use super::*;

    fn window(most: u16, messages: &[&[u8]]) -> Window {
        let mut window = Window::of(most);
        for message in messages {
            window.push(message);
        }
        window
    }

    #[test]
    fn keeps_the_last_bytes_of_all_messages() {
        assert_eq!(window(6, &[]).as_bytes(), b"");
        assert_eq!(window(6, &[b"abc"]).as_bytes(), b"abc");
        assert_eq!(window(6, &[b"abc", b"", b"def"]).as_bytes(), b"abcdef");
        assert_eq!(window(6, &[b"abc", b"defg"]).as_bytes(), b"bcdefg");
        assert_eq!(window(6, &[b"abc", b"defghi"]).as_bytes(), b"defghi");
        assert_eq!(window(6, &[b"abc", b"defghijk"]).as_bytes(), b"fghijk");
        assert_eq!(window(6, &[b"abcdef", b"g", b"h"]).last(3), b"fgh");
        assert_eq!(window(6, &[b"ab"]).last(3), b"ab");
    }

    /// Nothing is reserved: the memory follows the messages, and ends at the maximum.
    #[test]
    fn takes_the_memory_that_its_bytes_need() {
        assert_eq!(window(4096, &[]).capacity(), 0);
        assert_eq!(window(4096, &[&[0; 100]]).capacity(), 100);

        let mut window = Window::for_receiving(12);
        for _ in 0..100 {
            window.push(&[0; 1000]);
            assert!(window.capacity() <= 2 * window.as_bytes().len().max(1000));
        }
        assert_eq!(window.capacity(), 4096);
        assert_eq!(Window::for_receiving(15).most, 32_768);
        assert_eq!(Window::for_sending(12).most, 4096 - 262);
    }
}
