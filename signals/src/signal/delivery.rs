//! Queued calls: posts that deliver a copied value to the slots of one thread.

use std::borrow::{Borrow, ToOwned};
use std::sync::Arc;

use crate::queue::delivery_guard::{CallGuard, SharedSender};
use crate::signal::slot_group::SlotGroup;
use crate::slots::slot_state::Target;
use crate::thread::mailbox::Post;

/// A value, its target, and the sender's guard (or `()`).
struct Delivery<T: ?Sized + ToOwned, G> {
    value: T::Owned,
    group: Arc<SlotGroup<T>>,
    target: Target,
    guard: G,
}

/// Returns a post that calls the slots of `target` with a copy of `value`.
pub(crate) fn post<T>(
    value: &T,
    group: &Arc<SlotGroup<T>>,
    target: Target,
    sender: Option<&SharedSender>,
) -> Box<dyn Post>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    let (value, group) = (value.to_owned(), Arc::clone(group));
    match sender.and_then(|sender| sender.guard(&value)) {
        None => Box::new(Delivery::<T, ()> { value, group, target, guard: () }),
        Some(guard) => Box::new(Delivery::<T, _> { value, group, target, guard }),
    }
}

impl<T, G> Post for Delivery<T, G>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
    G: CallGuard,
{
    fn run(mut self: Box<Self>) {
        let Self { value, group, target, guard } = &mut *self;
        if let Some(slots) = group.list().slots::<T>() {
            guard.run(|| slots.deliver(group.list(), target, (*value).borrow()));
        }
    }

    fn runs_slots(&self) -> bool {
        true
    }
}
