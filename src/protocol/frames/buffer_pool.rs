//! The buffers that the connections of one event loop share, and their inflater.

use std::mem;

#[cfg(feature = "compression")]
use crate::protocol::deflate::inflater::{self, Inflater};
#[cfg(feature = "compression")]
use crate::protocol::deflate::window::Window;
#[cfg(feature = "compression")]
use crate::protocol::frames::violation::Violation;

/// Keeps the big buffers of finished messages for the next ones.
///
/// One pool serves a whole event loop, so what it keeps does not grow with the number of
/// connections: at most eight buffers, none over 1 MiB, and 4 MiB in all (21 KiB each with 200
/// connections). A few are enough, because a loop finishes one message at a time; smaller and
/// bigger ones are left to the allocator.
#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    buffers: Vec<Vec<u8>>,
    /// Made for the first message that is compressed.
    #[cfg(feature = "compression")]
    inflater: Option<Box<Inflater>>,
    was_used: bool,
}

impl BufferPool {
    /// Makes an empty pool.
    pub(crate) const fn new() -> Self {
        Self {
            buffers: Vec::new(),
            #[cfg(feature = "compression")]
            inflater: None,
            was_used: false,
        }
    }

    /// Takes a kept buffer as [`take_used`](Self::take_used) does, and empties it.
    pub(crate) fn take(&mut self, needed: usize) -> Option<Vec<u8>> {
        let mut buffer = self.take_used(needed)?;
        buffer.clear();
        Some(buffer)
    }

    /// Takes the smallest kept buffer that holds `needed` bytes.
    ///
    /// It has whatever it contained: whoever takes it lends nothing of that.
    ///
    /// A buffer of more than 4 KiB and more than four times what is needed is not taken: a peer
    /// that sends only the first byte of a message must not hold a big buffer.
    pub(crate) fn take_used(&mut self, needed: usize) -> Option<Vec<u8>> {
        let (_, index) = self.fitting(needed).min()?;
        Some(self.buffers.swap_remove(index))
    }

    /// Takes the biggest kept buffer of those that [`take_used`](Self::take_used) may take.
    ///
    /// For input: a message that takes it over may grow in it.
    pub(crate) fn take_biggest_used(&mut self, needed: usize) -> Option<Vec<u8>> {
        let (_, index) = self.fitting(needed).max()?;
        Some(self.buffers.swap_remove(index))
    }

    /// Returns the capacities of the buffers that fit, with their indices.
    fn fitting(&self, needed: usize) -> impl Iterator<Item = (usize, usize)> {
        let most = needed.saturating_mul(MOST_SLACK).max(ALWAYS_FITTING);
        self.buffers.iter().enumerate().filter_map(move |(index, buffer)| {
            let capacity = buffer.capacity();
            (needed..=most).contains(&capacity).then_some((capacity, index))
        })
    }

    /// Gives a buffer back.
    ///
    /// When the pool is full, the smallest buffer goes: it is the cheapest to make again.
    pub(crate) fn put(&mut self, buffer: Vec<u8>) {
        if !(SMALLEST_KEPT..=BIGGEST_KEPT).contains(&buffer.capacity()) {
            return;
        }
        self.was_used |= buffer.capacity() >= BIG;
        self.buffers.push(buffer);

        while self.buffers.len() > MOST_BUFFERS || self.kept_bytes() > MOST_BYTES {
            let sizes = self.buffers.iter().map(Vec::capacity).enumerate();
            let Some((smallest, _)) = sizes.min_by_key(|&(_, capacity)| capacity) else { return };
            self.buffers.swap_remove(smallest);
        }
    }

    /// Inflates a message of a connection, with its history, if there is one.
    ///
    /// The plain text is added to the history. It has `most` bytes at the most.
    #[cfg(feature = "compression")]
    pub(crate) fn inflate(
        &mut self,
        data: &[u8],
        mut history: Option<&mut Window>,
        most: usize,
    ) -> Result<Vec<u8>, Violation> {
        self.was_used = true;
        let mut plain = self.take(inflater::first_slice(data.len())).unwrap_or_default();
        let inflater = self.inflater.get_or_insert_with(Box::default);
        let known = history.as_deref().map(Window::as_bytes).unwrap_or_default();
        match inflater.inflate(data, known, most, &mut plain) {
            Ok(()) => {
                if let Some(history) = &mut history {
                    history.push(&plain);
                }
                Ok(plain)
            }
            Err(violation) => {
                self.put(plain);
                Err(violation)
            }
        }
    }

    /// Returns whether a big buffer or the inflater was used since the last call.
    ///
    /// The owner drops the pool some time after that: it is for messages in quick succession.
    pub(crate) const fn take_was_used(&mut self) -> bool {
        mem::replace(&mut self.was_used, false)
    }

    /// Returns whether there is an inflater.
    #[cfg(all(test, feature = "compression"))]
    pub(crate) fn has_inflater(&self) -> bool {
        self.inflater.is_some()
    }

    /// Returns how many bytes the kept buffers occupy.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.buffers.iter().map(Vec::capacity).sum()
    }
}

/// Returns the best capacity for `needed` bytes: at most four times as much.
///
/// A big one has its own pages with every common allocator, and leaves none behind in a heap
/// when it grows or goes.
pub(crate) fn good_capacity(needed: usize) -> usize {
    if needed < BIG { needed } else { needed.max(OWN_PAGES) }
}

/// With eight buffers that are smaller there is nothing to gain.
const BIG: usize = 32 * 1024;
/// From this size on glibc maps pages for a block alone; others do so earlier.
const OWN_PAGES: usize = 128 * 1024;
const MOST_BUFFERS: usize = 8;
const MOST_BYTES: usize = 4 * BIGGEST_KEPT;
/// 1 MiB and room for the headers of its frames, or for what lies ahead of it.
const BIGGEST_KEPT: usize = 1024 * 1024 + AHEAD;
/// What may lie ahead of a message in the memory of the input, in bytes.
pub(crate) const AHEAD: usize = 1024;
const SMALLEST_KEPT: usize = 1024;
const ALWAYS_FITTING: usize = 4096;
const MOST_SLACK: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn pool_of(capacities: &[usize]) -> BufferPool {
        let mut pool = BufferPool::new();
        for &capacity in capacities {
            pool.put(Vec::with_capacity(capacity));
        }
        pool
    }

    fn taken(pool: &mut BufferPool, needed: usize) -> Option<usize> {
        pool.take(needed).map(|buffer| buffer.capacity())
    }

    #[test]
    fn takes_the_smallest_buffer_that_fits() {
        let mut pool = pool_of(&[300_000, 100_000, 200_000]);

        assert_eq!(taken(&mut pool, 100_001), Some(200_000));
        assert_eq!(taken(&mut pool, 100_001), Some(300_000));
        assert_eq!(taken(&mut pool, 100_001), None);
        assert_eq!(taken(&mut pool, 100_000), Some(100_000));
    }

    #[test]
    fn takes_the_biggest_buffer_that_fits() {
        let mut pool = pool_of(&[100_000, 300_000, 400_001, 99_999]);
        let mut taken = || pool.take_biggest_used(100_000).map(|buffer| buffer.capacity());

        assert_eq!([taken(), taken(), taken()], [Some(300_000), Some(100_000), None]);
    }

    #[test]
    fn lends_no_big_buffer_for_a_few_bytes() {
        let mut pool = pool_of(&[1024 * 1024, 4096]);

        assert_eq!(taken(&mut pool, 1), Some(4096));
        assert_eq!(taken(&mut pool, 256 * 1024 - 1), None);
        assert_eq!(taken(&mut pool, 256 * 1024), Some(1024 * 1024));
    }

    #[test]
    fn hands_out_empty_buffers() {
        let mut pool = BufferPool::new();

        pool.put(vec![1; 5000]);

        assert_eq!(pool.take(5000), Some(Vec::new()));
    }

    /// Memory is initialized once, and not for each message.
    #[test]
    fn hands_out_initialized_memory_where_that_is_of_use() {
        let mut pool = BufferPool::new();

        pool.put(vec![1; 5000]);

        assert_eq!(pool.take_used(5000), Some(vec![1; 5000]));
    }

    #[test]
    fn keeps_a_bounded_number_of_bytes_and_of_buffers() {
        let many_big = pool_of(&[1024 * 1024; 20]);
        let many_small = pool_of(&[2048; 20]);

        assert_eq!(many_big.kept_bytes(), 4 * 1024 * 1024);
        assert_eq!(many_small.kept_bytes(), 8 * 2048);
    }

    #[test]
    fn reports_once_that_a_big_buffer_came_back() {
        let mut pool = pool_of(&[4096]);
        assert!(!pool.take_was_used());

        pool.put(Vec::with_capacity(BIG));

        assert!(pool.take_was_used());
        assert!(!pool.take_was_used());
    }

    #[test]
    fn big_buffers_have_their_own_pages() {
        assert_eq!([0, 5000, BIG - 1].map(good_capacity), [0, 5000, BIG - 1]);
        assert_eq!([BIG, 200_000].map(good_capacity), [128 * 1024, 200_000]);
    }

    #[test]
    fn leaves_tiny_and_huge_buffers_to_the_allocator() {
        assert_eq!(pool_of(&[0, 1023, 1024 * 1024 + 1025]).kept_bytes(), 0);
    }

    #[test]
    fn gives_up_small_buffers_for_bigger_ones() {
        let mut pool = pool_of(&[2048; 8]);

        pool.put(Vec::with_capacity(1024 * 1024));

        assert_eq!(pool.kept_bytes(), 7 * 2048 + 1024 * 1024);
    }
}
