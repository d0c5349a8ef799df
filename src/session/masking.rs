//! The program's generator of masking keys, which runs when the session is not locked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::protocol::frames::mask::MaskingKey;
use crate::protocol::random;
use crate::runtime::panics;
use crate::session::Session;
use crate::session::state::State;
use crate::types::mask_generator::MaskGenerator;
use crate::types::role::Role;

/// A generator, and the keys that it has made for the next frames.
pub(super) struct MaskKeys {
    generator: Arc<Generator>,
    keys: VecDeque<MaskingKey>,
}

/// A generator, which one thread at a time asks.
struct Generator {
    generator: Mutex<Box<dyn MaskGenerator>>,
    drawing: Mutex<Option<ThreadId>>,
}

impl Session {
    /// Sets what masks the frames of a client.
    pub(crate) fn set_mask_generator(&self, generator: Option<Box<dyn MaskGenerator>>) {
        let mask_keys = generator.map(|generator| Box::new(MaskKeys::new(generator)));
        let mut state = self.lock();
        let former = std::mem::replace(&mut state.extra().mask_keys, mask_keys);
        // Dropped when nothing is locked: it is the program's, and may ask the socket.
        drop(state);
        drop(former);
    }

    /// Locks the state to push as many frames as `count` says: the keys for them are there.
    ///
    /// They are drawn when nothing is locked: a generator may ask its socket.
    #[inline]
    pub(super) fn lock_to_push(&self, count: impl Fn(&State) -> usize) -> MutexGuard<'_, State> {
        loop {
            let state = self.lock();
            if state.role == Role::Server || !state.has_mask_generator() {
                return state;
            }
            let Some((generator, missing)) = state.missing_keys(count(&state)) else {
                return state;
            };
            drop(state);
            let keys = generator.draw(missing);
            self.lock().add_keys(&generator, keys);
        }
    }
}

impl State {
    /// Returns the next key of the program's generator.
    pub(super) fn take_key(&mut self) -> Option<MaskingKey> {
        self.extra.as_mut()?.mask_keys.as_mut()?.keys.pop_front()
    }

    fn has_mask_generator(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.mask_keys.is_some())
    }

    /// Returns how many keys are to be drawn for so many frames, and where, if any are.
    fn missing_keys(&self, count: usize) -> Option<(Arc<Generator>, usize)> {
        let mask_keys = self.extra.as_ref()?.mask_keys.as_ref()?;
        let missing = count.checked_sub(mask_keys.keys.len()).filter(|missing| *missing > 0)?;
        Some((Arc::clone(&mask_keys.generator), missing))
    }

    /// Adds keys, unless another generator was set meanwhile.
    fn add_keys(&mut self, generator: &Arc<Generator>, keys: Vec<MaskingKey>) {
        let mask_keys = self.extra.as_mut().and_then(|extra| extra.mask_keys.as_mut());
        if let Some(mask_keys) =
            mask_keys.filter(|mask_keys| Arc::ptr_eq(&mask_keys.generator, generator))
        {
            mask_keys.keys.extend(keys);
        }
    }
}

impl MaskKeys {
    fn new(generator: Box<dyn MaskGenerator>) -> Self {
        let generator = Generator { generator: Mutex::new(generator), drawing: Mutex::default() };
        Self { generator: Arc::new(generator), keys: VecDeque::new() }
    }
}

impl Generator {
    /// Makes keys. What the generator itself sends meanwhile, and what it panics at, is masked with
    /// random ones.
    fn draw(&self, count: usize) -> Vec<MaskingKey> {
        let here = thread::current().id();
        if *lock(&self.drawing) == Some(here) {
            return (0..count).map(|_| random::bytes()).collect();
        }
        let mut generator = lock(&self.generator);
        *lock(&self.drawing) = Some(here);
        let keys = (0..count).map(|_| next_key(&mut **generator)).collect();
        *lock(&self.drawing) = None;
        keys
    }
}

fn next_key(generator: &mut dyn MaskGenerator) -> MaskingKey {
    let mut key = None;
    panics::catch_and_log("a mask generator", || key = Some(generator.next_mask()));
    key.unwrap_or_else(random::bytes)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
