//! The program's generator of masking keys, which runs when the session is not locked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::protocol::frames::mask::MaskingKey;
use crate::protocol::random;
use crate::runtime::panics;
use crate::session::Session;
use crate::session::state::Shared;
use crate::types::mask_generator::MaskGenerator;
use crate::types::role::Role;

/// A generator, and the keys that it has made for the next frames.
pub(super) struct Masks {
    generator: Arc<Generator>,
    keys: VecDeque<MaskingKey>,
}

/// A generator, which one thread at a time asks.
struct Generator {
    generator: Mutex<Box<dyn MaskGenerator>>,
    asking: Mutex<Option<ThreadId>>,
}

impl Session {
    /// Sets what masks the frames of a client.
    pub(crate) fn set_mask_generator(&self, generator: Option<Box<dyn MaskGenerator>>) {
        let masks = generator.map(|generator| Box::new(Masks::new(generator)));
        let mut shared = self.lock();
        let former = std::mem::replace(&mut shared.rare().masks, masks);
        // Dropped when nothing is locked: it is the program's, and may ask the socket.
        drop(shared);
        drop(former);
    }

    /// Locks the state to push as many frames as `count` says: the keys for them are there.
    ///
    /// They are drawn when nothing is locked: a generator may ask its socket.
    #[inline]
    pub(super) fn lock_to_push(&self, count: impl Fn(&Shared) -> usize) -> MutexGuard<'_, Shared> {
        loop {
            let shared = self.lock();
            if shared.role == Role::Server || !shared.has_masks() {
                return shared;
            }
            let Some((generator, missing)) = shared.missing_keys(count(&shared)) else {
                return shared;
            };
            drop(shared);
            let keys = generator.draw(missing);
            self.lock().add_keys(&generator, keys);
        }
    }
}

impl Shared {
    /// Returns the next key of the program's generator.
    pub(super) fn take_key(&mut self) -> Option<MaskingKey> {
        self.rare.as_mut()?.masks.as_mut()?.keys.pop_front()
    }

    fn has_masks(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.masks.is_some())
    }

    /// Returns how many keys are to be drawn for so many frames, and where, if any are.
    fn missing_keys(&self, count: usize) -> Option<(Arc<Generator>, usize)> {
        let masks = self.rare.as_ref()?.masks.as_ref()?;
        let missing = count.checked_sub(masks.keys.len()).filter(|missing| *missing > 0)?;
        Some((Arc::clone(&masks.generator), missing))
    }

    /// Adds keys, unless another generator was set meanwhile.
    fn add_keys(&mut self, generator: &Arc<Generator>, keys: Vec<MaskingKey>) {
        let masks = self.rare.as_mut().and_then(|rare| rare.masks.as_mut());
        if let Some(masks) = masks.filter(|masks| Arc::ptr_eq(&masks.generator, generator)) {
            masks.keys.extend(keys);
        }
    }
}

impl Masks {
    fn new(generator: Box<dyn MaskGenerator>) -> Self {
        let generator = Generator { generator: Mutex::new(generator), asking: Mutex::default() };
        Self { generator: Arc::new(generator), keys: VecDeque::new() }
    }
}

impl Generator {
    /// Makes keys. What the generator itself sends meanwhile, and what it panics at, is masked with
    /// random ones.
    fn draw(&self, count: usize) -> Vec<MaskingKey> {
        let here = thread::current().id();
        if *lock(&self.asking) == Some(here) {
            return (0..count).map(|_| random::bytes()).collect();
        }
        let mut generator = lock(&self.generator);
        *lock(&self.asking) = Some(here);
        let keys = (0..count).map(|_| next_key(&mut **generator)).collect();
        *lock(&self.asking) = None;
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
