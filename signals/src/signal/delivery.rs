//! Queued calls: a copied value on its way to the slots of one thread.

use std::borrow::{Borrow, ToOwned};

use crate::queue::delivery_guard::{Guarding, SharedSender};
use crate::signal::target::Order;
use crate::thread::mailbox::Post;

/// Makes a post that carries a copy of `value`; kept as a plain function, so that an emission
/// needs to know nothing about `T`.
pub(crate) type Poster<T> =
    fn(value: &T, order: Order<T>, sender: Option<&SharedSender>) -> Box<dyn Post>;

/// A value, where it goes, and what follows it for its sender: a guard or nothing.
struct Delivery<T: ?Sized + ToOwned, G> {
    value: T::Owned,
    order: Order<T>,
    guard: G,
}

/// Returns a post that calls the slots of `order` with a copy of `value`.
pub(crate) fn post<T>(value: &T, order: Order<T>, sender: Option<&SharedSender>) -> Box<dyn Post>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    let value = value.to_owned();
    match sender.and_then(|sender| sender.guard(&value)) {
        None => Box::new(Delivery::<T, ()> { value, order, guard: () }),
        Some(guard) => Box::new(Delivery::<T, _> { value, order, guard }),
    }
}

impl<T, G> Post for Delivery<T, G>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
    G: Guarding,
{
    fn run(mut self: Box<Self>) {
        let Self { value, order, guard } = &mut *self;
        if let Some(slots) = order.group.slots() {
            guard.run(|| slots.deliver(order, (*value).borrow()));
        }
    }

    fn runs_slots(&self) -> bool {
        true
    }
}
