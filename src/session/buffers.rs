//! The buffers and compressors of a thread: an idle connection owns none.

use std::cell::{Cell, RefCell};
use std::mem;
use std::rc::Rc;

#[cfg(feature = "compression")]
use crate::protocol::deflate::compressor::{Compressors, Effort};
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

/// Compresses a message in this thread; `None` if that is not shorter.
///
/// The message may refer to `history`. The result goes back with [`put_compressed`].
#[cfg(feature = "compression")]
pub(super) fn compress(effort: Effort, history: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    #[cfg(test)]
    tests::COMPRESSIONS.set(tests::COMPRESSIONS.get() + 1);
    let mut output = COMPRESSED.try_with(Cell::take).unwrap_or_default();
    // At the thread's end messages are sent plain.
    let is_shorter = COMPRESSORS.try_with(|compressors| {
        compressors.borrow_mut().compress(effort, history, message, &mut output)
    });
    if !free_when_unused(free_buffers) {
        // Threads may be many: one without a loop keeps no compressor.
        let _ = COMPRESSORS.try_with(RefCell::take);
    }
    if is_shorter.unwrap_or(false) {
        return Some(output);
    }
    put_compressed(output);
    None
}

/// Gives the buffer of a compressed message back to this thread.
///
/// A thread without a loop keeps a small one alone.
#[cfg(feature = "compression")]
pub(super) fn put_compressed(buffer: Vec<u8>) {
    let size = buffer.capacity();
    if size <= SMALL || (size <= MAX_COMPRESSED && free_when_unused(free_buffers)) {
        let _ = COMPRESSED.try_with(|kept| kept.set(buffer));
    }
}

/// Frees the buffers and the compressors that this thread keeps.
fn free_buffers() {
    #[cfg(feature = "compression")]
    {
        let _ = COMPRESSORS.try_with(RefCell::take);
        let _ = COMPRESSED.try_with(Cell::take);
    }
    let _ = POOL.try_with(|pool| pool.take());
    let _ = READ_BUFFER.try_with(Cell::take);
}

/// The buffer for the input of one connection, lent for one turn.
///
/// A loop inside a slot takes one of its own: the slot may still hold a message lent from this.
pub(super) struct ReadBuffer {
    /// At least [`READ_BUFFER_SIZE`] of them.
    bytes: Box<[u8]>,
}

impl ReadBuffer {
    /// Takes the buffer of this thread.
    pub(super) fn take() -> Self {
        let bytes = READ_BUFFER.try_with(Cell::take).ok().flatten();
        Self { bytes: bytes.unwrap_or_else(Self::new_memory) }
    }

    /// Returns memory of the pool, or else new one.
    ///
    /// A big message has taken over that of the thread, or it was freed.
    #[cold]
    fn new_memory() -> Box<[u8]> {
        let pooled = POOL.try_with(|pool| pool.borrow_mut().take_biggest_used(READ_BUFFER_SIZE));
        match pooled.ok().flatten() {
            Some(mut bytes) => {
                bytes.resize(bytes.capacity(), 0);
                bytes.into_boxed_slice()
            }
            None => vec![0; READ_BUFFER_SIZE].into_boxed_slice(),
        }
    }

    #[inline]
    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..READ_BUFFER_SIZE).unwrap_or_default()
    }

    /// Returns the memory, which a message takes over.
    pub(super) fn into_memory(mut self) -> Vec<u8> {
        let memory = mem::take(&mut self.bytes).into_vec();
        // Nothing is left to be given back.
        mem::forget(self);
        memory
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        let bytes = mem::take(&mut self.bytes);
        let _ = READ_BUFFER.try_with(|buffer| buffer.set(Some(bytes)));
    }
}

thread_local! {
    static POOL: SharedPool = Rc::new(RefCell::new(BufferPool::new()));
    /// Most output is short, and written before the next is begun.
    static SMALL_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static READ_BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

#[cfg(feature = "compression")]
thread_local! {
    static COMPRESSORS: RefCell<Compressors> = RefCell::default();
    /// The output of the compressors, until it is queued.
    static COMPRESSED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The capacity of the small buffer, in bytes: most messages fit.
pub(super) const SMALL: usize = 2 * 1024;
/// The maximum size of a buffer that is kept for compressed messages, in bytes.
#[cfg(feature = "compression")]
const MAX_COMPRESSED: usize = 2 * 1024 * 1024;
/// What one turn of one connection reads at the most, in bytes.
///
/// A big message comes in few turns, and its first piece entitles it to a pooled buffer of 1 MiB
/// (four times as much), so that it is not moved while it grows.
pub(super) const READ_BUFFER_SIZE: usize = (256 + 1) * 1024;

#[cfg(test)]
pub(super) mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;
    use crate::runtime::clock;
    use crate::runtime::reactor::Reactor;
    #[cfg(feature = "compression")]
    use crate::types::compression::CompressionLevel;

    #[cfg(feature = "compression")]
    thread_local! {
        pub(super) static COMPRESSIONS: Cell<usize> = const { Cell::new(0) };
    }

    /// Returns how many messages this thread has compressed.
    #[cfg(feature = "compression")]
    pub(in crate::session) fn compressed_messages() -> usize {
        COMPRESSIONS.get()
    }

    /// Compressors and the inflater are freed a second after their last use.
    #[cfg(feature = "compression")]
    #[test]
    fn the_tools_of_compression_go_when_no_message_needs_them() -> io::Result<()> {
        let reactor = Reactor::current()?;
        let effort = Effort::of(12, CompressionLevel::Balanced, 1000, false);
        let message = [b'x'; 1000];
        let compressed = compress(effort, &[], &message).unwrap();
        let pool = shared_pool();
        let plain = pool.borrow_mut().inflate(&compressed, None, 1000).unwrap();
        note_use(&mut pool.borrow_mut());
        assert_eq!(plain, message);
        put_compressed(compressed);
        let has_compressors = || COMPRESSORS.with_borrow(|kept| !kept.is_empty());
        assert!(has_compressors() && pool.borrow().has_inflater());

        while has_compressors() {
            reactor.wait(Some(clock::now() + Duration::from_secs(5)))?;
            reactor.wake_tasks();
        }

        assert!(!pool.borrow().has_inflater());
        assert_eq!(COMPRESSED.take().capacity(), 0);
        Ok(())
    }

    fn kept_bytes() -> usize {
        shared_pool().borrow().kept_bytes()
    }

    /// So a big message that comes next needs no other memory.
    #[test]
    fn input_is_read_into_what_a_big_message_has_left() {
        let memory = vec![0xEE; 1024 * 1024];
        let place = memory.as_ptr();
        let former = ReadBuffer::take();
        put_buffer(memory);

        let mut taken = ReadBuffer::take();

        assert_eq!(taken.as_mut_slice().len(), READ_BUFFER_SIZE);
        let memory = taken.into_memory();
        assert_eq!((memory.as_ptr(), kept_bytes()), (place, 0));
        drop(former);
        put_buffer(Vec::with_capacity(1024 * 1024));
        drop(ReadBuffer::take());
        assert_eq!(kept_bytes(), 1024 * 1024, "there is a buffer");
    }

    #[test]
    fn big_buffers_go_when_no_message_needs_them() -> io::Result<()> {
        let reactor = Reactor::current()?;
        drop(ReadBuffer::take());
        put_buffer(Vec::with_capacity(1024 * 1024));
        assert_eq!(kept_bytes(), 1024 * 1024);

        while kept_bytes() > 0 {
            reactor.wait(Some(clock::now() + Duration::from_secs(5)))?;
            reactor.wake_tasks();
        }

        assert!(READ_BUFFER.take().is_none());
        Ok(())
    }
}
