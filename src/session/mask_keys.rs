//! The program's mask generator, and the keys that it has made for the next frames.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, ThreadId};

use crate::protocol::frames::mask::MaskingKey;
use crate::protocol::random;
use crate::runtime::panics;
use crate::runtime::sync::{Mutex, MutexGuard};
use crate::types::mask_generator::MaskGenerator;

/// A mask generator, and the keys that it has made for the next frames.
pub(super) struct MaskKeys {
    generator: Arc<Generator>,
    keys: VecDeque<MaskingKey>,
}

/// A mask generator, which one thread at a time calls.
pub(super) struct Generator {
    generator: Mutex<Box<dyn MaskGenerator>>,
    calling_thread: Mutex<Option<ThreadId>>,
}

impl MaskKeys {
    pub(super) fn new(generator: Box<dyn MaskGenerator>) -> Self {
        let generator =
            Generator { generator: Mutex::new(generator), calling_thread: Mutex::default() };
        Self { generator: Arc::new(generator), keys: VecDeque::new() }
    }

    /// Takes the key for the next frame.
    pub(super) fn next(&mut self) -> Option<MaskingKey> {
        self.keys.pop_front()
    }

    /// Adds keys, unless another generator was set meanwhile.
    pub(super) fn add(&mut self, generator: &Arc<Generator>, keys: Vec<MaskingKey>) {
        if Arc::ptr_eq(&self.generator, generator) {
            self.keys.extend(keys);
        }
    }

    /// Returns the generator and how many keys `count` frames still need, if any.
    pub(super) fn missing(&self, count: usize) -> Option<(Arc<Generator>, usize)> {
        let missing = count.checked_sub(self.keys.len()).filter(|missing| *missing > 0)?;
        Some((Arc::clone(&self.generator), missing))
    }
}

impl Generator {
    /// Makes keys.
    ///
    /// Frames that the generator itself sends meanwhile get random ones, and so do those at which it
    /// panics.
    pub(super) fn generate(&self, count: usize) -> Vec<MaskingKey> {
        let here = thread::current().id();
        if *lock(&self.calling_thread) == Some(here) {
            return (0..count).map(|_| random::bytes()).collect();
        }
        let mut generator = lock(&self.generator);
        *lock(&self.calling_thread) = Some(here);
        let keys = (0..count).map(|_| next_key(&mut **generator)).collect();
        *lock(&self.calling_thread) = None;
        keys
    }
}

fn next_key(generator: &mut dyn MaskGenerator) -> MaskingKey {
    let mut key = None;
    panics::catch_and_log("a mask generator", || key = Some(generator.next_mask()));
    key.unwrap_or_else(random::bytes)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}
