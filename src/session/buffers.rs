//! The buffers that the connections of a thread share: an idle one owns none.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::protocol::frames::buffer_pool::{BufferPool, good_capacity};
use crate::runtime::reactor::free_when_unused;

/// The pool of a thread, for messages that are assembled and for output.
pub(super) type SharedPool = Rc<RefCell<BufferPool>>;

/// Returns the pool of this thread; at the thread's end, a new one.
pub(super) fn shared_pool() -> SharedPool {
    POOL.try_with(Rc::clone).unwrap_or_default()
}

/// Takes a buffer for `needed` bytes from this thread, or makes one.
#[inline]
pub(super) fn take_buffer(needed: usize) -> Vec<u8> {
    if needed <= SMALL {
        let small = SMALL_BUFFER.try_with(Cell::take).unwrap_or_default();
        return if small.capacity() >= needed { small } else { Vec::with_capacity(SMALL) };
    }
    let pooled = POOL.try_with(|pool| pool.borrow_mut().take(needed)).ok().flatten();
    pooled.unwrap_or_else(|| Vec::with_capacity(good_capacity(needed)))
}

/// Gives a buffer back to this thread.
#[inline]
pub(super) fn put_buffer(mut buffer: Vec<u8>) {
    // At the thread's end it is freed.
    if buffer.capacity() == SMALL {
        buffer.clear();
        let _ = SMALL_BUFFER.try_with(|small| small.set(buffer));
    } else {
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            pool.put(buffer);
            note_use(&mut pool);
        });
    }
}

/// Has the big buffers freed once none of them was used for a while.
pub(super) fn note_use(pool: &mut BufferPool) {
    if pool.take_was_used() {
        free_when_unused(free_buffers);
    }
}

/// Frees the buffers that this thread keeps.
fn free_buffers() {
    let _ = POOL.try_with(|pool| pool.take());
    let _ = READ_BUFFER.try_with(Cell::take);
}

/// The buffer for the input of one connection, lent for one turn.
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
    /// Most output is short, and written before the next is begun.
    static SMALL_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static READ_BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// The capacity of the small buffer, in bytes: most messages fit.
pub(super) const SMALL: usize = 2 * 1024;
/// What one turn of one connection reads at the most, in bytes.
///
/// A big message comes in few turns, and its first piece entitles it to a pooled buffer of 1 MiB
/// (four times as much), so that it is not moved while it grows.
const READ_BUFFER_SIZE: usize = (256 + 1) * 1024;

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;
    use crate::runtime::reactor::Reactor;

    fn kept_bytes() -> usize {
        shared_pool().borrow().kept_bytes()
    }

    #[test]
    fn big_buffers_go_when_no_message_needs_them() -> io::Result<()> {
        put_buffer(Vec::with_capacity(1024 * 1024));
        drop(ReadBuffer::take());
        assert_eq!(kept_bytes(), 1024 * 1024);

        while kept_bytes() > 0 {
            Reactor::current()?.wait(Some(Duration::from_secs(5)))?;
        }

        assert!(READ_BUFFER.take().is_none());
        Ok(())
    }
}
