//! Unpredictable random bytes, for masking keys and handshake keys.
//!
//! Its own file, because frames and handshakes need it alike.
//!
//! `rand::random` has a generator for each thread, and panics when the thread has dropped it: what is
//! dropped after it, at the thread's end, may still open connections and send.

use std::cell::RefCell;

use rand::rand_core::UnwrapErr;
use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng};

/// Returns random bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let is_filled = GENERATOR.try_with(|current| {
        current.borrow_mut().get_or_insert_with(generator).fill_bytes(&mut bytes);
    });
    if is_filled.is_err() {
        generator().fill_bytes(&mut bytes);
    }
    bytes
}

/// Makes a generator.
///
/// A system without random numbers has no secure connections either: it panics there, as
/// `rand::random` does.
fn generator() -> StdRng {
    StdRng::from_rng(&mut UnwrapErr(SysRng))
}

thread_local! {
    static GENERATOR: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}
