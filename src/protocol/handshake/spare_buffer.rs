//! The buffer of a thread for heads and answers of usual length.
//!
//! Apart from `request_head` and `agreement`, which use it one after the other.

use std::cell::Cell;

/// Takes the thread's buffer, which is empty; a new one if it is in use.
pub(crate) fn take() -> Vec<u8> {
    SPARE.try_with(Cell::take).unwrap_or_default()
}

/// Gives a buffer back to the thread, unless it has become big.
pub(crate) fn put(mut buffer: Vec<u8>) {
    if buffer.capacity() <= MAX_SPARE {
        buffer.clear();
        // At the thread's end it is freed.
        let _ = SPARE.try_with(|spare| spare.set(buffer));
    }
}

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The maximum size of the buffer, in bytes.
const MAX_SPARE: usize = 2048;
