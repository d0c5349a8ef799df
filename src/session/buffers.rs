//! The buffers that the connections of one thread share: none of them is owned while idle.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::protocol::buffer_pool::BufferPool;

/// The pool of a thread, for messages that are assembled and for output.
pub(super) type SharedPool = Rc<RefCell<BufferPool>>;

/// Returns the pool of this thread; at the thread's end, a new one.
pub(super) fn shared_pool() -> SharedPool {
    POOL.try_with(Rc::clone).unwrap_or_default()
}

/// Takes a buffer from this thread's pool, or an empty one.
pub(super) fn take_buffer(needed: usize) -> Vec<u8> {
    POOL.try_with(|pool| pool.borrow_mut().take(needed)).ok().flatten().unwrap_or_default()
}

/// Gives a buffer to this thread's pool.
pub(super) fn put_buffer(buffer: Vec<u8>) {
    // At the thread's end there is no pool, and the buffer is freed.
    let _ = POOL.try_with(|pool| pool.borrow_mut().put(buffer));
}

/// The buffer into which the kernel puts what one connection received, lent for one turn.
///
/// A loop inside a slot takes one of its own: the slot may still hold a message lent from this.
pub(super) struct ReadBuffer {
    bytes: Box<[u8]>,
}

impl ReadBuffer {
    /// Takes the buffer of this thread.
    pub(super) fn take() -> Self {
        let bytes = READ_BUFFER.try_with(Cell::take).ok().flatten();
        Self { bytes: bytes.unwrap_or_else(|| vec![0; READ_BUFFER_SIZE].into_boxed_slice()) }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let _ = READ_BUFFER.try_with(|buffer| buffer.set(Some(bytes)));
    }
}

thread_local! {
    static POOL: SharedPool = Rc::new(RefCell::new(BufferPool::new()));
    static READ_BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// What one turn of one connection reads at the most.
///
/// A big message comes in few turns, and its first piece entitles it to a pooled buffer of 1 MiB
/// (four times as much), so that it is not moved while it grows.
const READ_BUFFER_SIZE: usize = (256 + 1) * 1024;
