//! Queued calls: a copied value on its way to the slots of one thread.

use std::borrow::{Borrow, ToOwned};

use crate::mailbox::Post;
use crate::order::Order;

/// Makes a post that carries a copy of `value`; kept as a plain function, so that an emission
/// needs to know nothing about `T`.
pub(crate) type Poster<T> = fn(value: &T, order: Order<T>) -> Box<dyn Post>;

/// A value and where it goes.
struct Delivery<T: ?Sized + ToOwned> {
    value: T::Owned,
    order: Order<T>,
}

/// Returns a post that calls the slots of `order` with a copy of `value`.
pub(crate) fn post<T>(value: &T, order: Order<T>) -> Box<dyn Post>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    Box::new(Delivery::<T> { value: value.to_owned(), order })
}

impl<T> Post for Delivery<T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    fn run(self: Box<Self>) {
        if let Some(slots) = self.order.group.slots() {
            slots.deliver(&self.order, self.value.borrow());
        }
    }

    fn runs_slots(&self) -> bool {
        true
    }
}
