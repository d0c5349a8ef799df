//! Masking: keys for the frames of a client, made while the session is not locked.

use std::mem;

use crate::protocol::frames::mask::MaskingKey;
use crate::protocol::random;
use crate::runtime::sync::MutexGuard;
use crate::session::Session;
use crate::session::mask_keys::MaskKeys;
use crate::session::state::{Phase, State};
use crate::types::mask_generator::MaskGenerator;
use crate::types::role::Role;

impl Session {
    /// Sets the generator of masking keys for the frames of a client.
    pub(crate) fn set_mask_generator(&self, generator: Option<Box<dyn MaskGenerator>>) {
        let mask_keys = generator.map(|generator| Box::new(MaskKeys::new(generator)));
        let mut state = self.lock();
        let former = mem::replace(&mut state.extra().mask_keys, mask_keys);
        // Dropped outside the lock: it is the program's, and may call the socket.
        drop(state);
        drop(former);
    }

    /// Locks the state to push `count` frames, for which the keys are at hand.
    ///
    /// Keys are made outside the lock: a generator may call its socket.
    #[inline]
    pub(super) fn lock_to_push(&self, count: impl Fn(&State) -> usize) -> MutexGuard<'_, State> {
        loop {
            let state = self.lock();
            if state.role == Role::Server {
                return state;
            }
            let Some(mask_keys) = state.extra.as_ref().and_then(|extra| extra.mask_keys.as_ref())
            else {
                return state;
            };
            let Some((generator, missing)) = mask_keys.missing(count(&state)) else {
                return state;
            };
            drop(state);
            let keys = generator.generate(missing);
            if let Some(mask_keys) = self.lock().mask_keys() {
                mask_keys.add(&generator, keys);
            }
        }
    }
}

impl State {
    /// Returns a key that no peer can foresee, or none for a server (RFC 6455 §5.3).
    #[inline]
    pub(super) fn next_key(&mut self) -> Option<MaskingKey> {
        match self.role {
            Role::Server => None,
            Role::Client => {
                Some(self.mask_keys().and_then(MaskKeys::next).unwrap_or_else(random::bytes))
            }
        }
    }

    /// Returns how many control frames a call may push: one on an open connection.
    pub(super) fn control_frames(&self) -> usize {
        usize::from(self.phase == Phase::Open)
    }

    fn mask_keys(&mut self) -> Option<&mut MaskKeys> {
        self.extra.as_mut()?.mask_keys.as_deref_mut()
    }
}
