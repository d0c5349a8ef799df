//! Queued calls: posts that deliver a copied value to the slots of one thread.

use std::borrow::{Borrow, ToOwned};

use crate::connection::latest;
use crate::queue::delivery_guard::{CallGuard, SharedSender};
use crate::slots::part::{PartHandle, Poster, Posting};
use crate::slots::slot_state::Target;
use crate::thread::mailbox::Post;
use crate::thread::thread_state;

/// The posting of slots that accept copies of values through their thread's queue.
pub(crate) struct Posted;

/// A value, its target, and the sender's guard (or `()`).
struct Delivery<T: ?Sized + ToOwned, G> {
    value: T::Owned,
    part: PartHandle,
    target: Target,
    guard: G,
}

impl<T> Posting<T> for Posted
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    const POSTER: Option<Poster<T>> = Some(post);
    const SET_POSTER: Option<fn()> = Some(|| thread_state::set_poster::<Poster<T>>(post));
}

/// Returns a post that calls the slots of `target` with a copy of `value`.
fn post<T>(
    value: &T,
    part: PartHandle,
    target: Target,
    sender: Option<&SharedSender>,
) -> Box<dyn Post>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    let value = value.to_owned();
    match sender.and_then(|sender| sender.guard(&value)) {
        None => Box::new(Delivery::<T, ()> { value, part, target, guard: () }),
        Some(guard) => Box::new(Delivery::<T, _> { value, part, target, guard }),
    }
}

impl<T, G> Post for Delivery<T, G>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
    G: CallGuard,
{
    fn run(mut self: Box<Self>) {
        let Self { value, part, target, guard } = &mut *self;
        latest::settle();
        let list = part.part().list();
        if let Some(slots) = list.slots::<T>() {
            guard.run(|| slots.deliver(list, target, (*value).borrow()));
        }
    }

    fn runs_slots(&self) -> bool {
        true
    }
}
