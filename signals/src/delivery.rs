//! Queued calls: a copied value on its way to the slots of one thread.

use std::borrow::{Borrow, ToOwned};

use crate::home;
use crate::link::Link;
use crate::mailbox::Post;

/// A queued call, whatever its value.
pub(crate) trait Deliver: Send {
    /// Calls the slots that it is meant for.
    fn deliver(self: Box<Self>);
}

/// Which slots of a list a queued call is meant for.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    /// Where the thread keeps the slots.
    pub(crate) index: u32,
    /// The last connection of the thread when the signal was emitted.
    pub(crate) last: u64,
    /// Whether the emission has called the others itself.
    pub(crate) only_queued: bool,
}

/// Makes a post that carries a copy of `value`; kept as a plain function, so that an emission
/// needs to know nothing about `T`.
pub(crate) type Poster<T> = fn(value: &T, order: Order) -> Post;

/// A value and where it goes.
struct Delivery<T: ?Sized + ToOwned> {
    value: T::Owned,
    order: Order,
}

/// Returns a post that calls the slots of `order` with a copy of `value`.
pub(crate) fn post<T>(value: &T, order: Order) -> Post
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    Post::Deliver(Box::new(Delivery::<T> { value: value.to_owned(), order }))
}

impl<T> Deliver for Delivery<T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    fn deliver(self: Box<Self>) {
        let value = self.value.borrow();
        home::share::<T>(self.order.index, |slots| slots.call_ordered(&self.order, value));
    }
}

impl Order {
    pub(crate) fn is_for(&self, link: &Link) -> bool {
        let is_kind = if self.only_queued { link.is_queued() } else { !link.is_local() };
        is_kind && link.sequence() <= self.last
    }
}
