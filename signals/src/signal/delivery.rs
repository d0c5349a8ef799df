//! Queued calls: a copied value on its way to the slots of one thread.

use std::borrow::{Borrow, ToOwned};

use crate::queue::delivery_guard::{Guarding, SharedSender};
use crate::signal::target::Target;
use crate::thread::mailbox::Post;

/// Makes a post that carries a copy of `value`; kept as a plain function, so that an emission
/// needs to know nothing about `T`.
pub(crate) type Poster<T> =
    fn(value: &T, target: Target<T>, sender: Option<&SharedSender>) -> Box<dyn Post>;

/// A value, where it goes, and what follows it for its sender: a guard or nothing.
struct Delivery<T: ?Sized + ToOwned, G> {
    value: T::Owned,
    target: Target<T>,
    guard: G,
}

/// Returns a post that calls the slots of `order` with a copy of `value`.
pub(crate) fn post<T>(value: &T, target: Target<T>, sender: Option<&SharedSender>) -> Box<dyn Post>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    let value = value.to_owned();
    match sender.and_then(|sender| sender.guard(&value)) {
        None => Box::new(Delivery::<T, ()> { value, target, guard: () }),
        Some(guard) => Box::new(Delivery::<T, _> { value, target, guard }),
    }
}

impl<T, G> Post for Delivery<T, G>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
    G: Guarding,
{
    fn run(mut self: Box<Self>) {
        let Self { value, target, guard } = &mut *self;
        if let Some(slots) = target.group.slots() {
            guard.run(|| slots.deliver(target, (*value).borrow()));
        }
    }

    fn runs_slots(&self) -> bool {
        true
    }
}
