//! Emissions: direct calls of the slots of this thread, and posts to other threads.

use std::any::Any;
use std::iter;
use std::sync::Arc;

use crate::connection::latest;
use crate::queue::delivery_guard::SharedSender;
use crate::signal::rare_parts::{Others, RareParts};
use crate::signal::slot_cache::SlotCache;
use crate::signal::slot_group::SlotGroup;
use crate::slots::direct::DirectList;
use crate::slots::emission_flags::EmissionFlags;
use crate::slots::list::Slots;
use crate::slots::part::{Group, Part, PartHandle, Poster};
use crate::slots::slot_state::Target;
use crate::thread::thread_state;

impl<const N: usize> SlotGroup<N> {
    /// Emits the signal at `position`; of the first group.
    ///
    /// Not inlined, so that the emission of a signal without slots is a single comparison.
    #[inline(never)]
    pub(crate) fn emit<T: ?Sized + 'static>(self: &Arc<Self>, position: usize, value: &T) {
        let part = self.part(position);
        if part.takes_fast_path() {
            if let Some(slots) = part.list().slots::<T>() {
                slots.call(part.list(), value);
            }
        } else {
            self.emit_slowly(position, value);
        }
    }

    /// Emits the signal as [`emit`](Self::emit) does, and lends the sender to its slots.
    #[expect(clippy::inline_always, reason = "with slots in the cache it is short")]
    #[inline(always)]
    pub(crate) fn emit_from<T: ?Sized + 'static>(
        self: &Arc<Self>,
        position: usize,
        value: &T,
        sender: &dyn Any,
        cache: &mut SlotCache<T>,
    ) {
        let part = self.part(position);
        if let Some(slots) = cache.slots(part.list())
            && part.takes_fast_path()
        {
            slots.call_from(part.list(), value, sender);
            cache.release_edited();
        } else {
            self.emit_anew(position, value, sender, cache);
        }
    }

    /// Emits the signal with the slots that it has now, and gives them to the cache.
    #[inline(never)]
    fn emit_anew<T: ?Sized + 'static>(
        self: &Arc<Self>,
        position: usize,
        value: &T,
        sender: &dyn Any,
        cache: &mut SlotCache<T>,
    ) {
        // In front of the checks, as it may drop slots, and with them the program's values.
        cache.clear();
        let part = self.part(position);
        if !part.takes_fast_path() {
            return self.emit_slowly(position, value);
        }
        let edits = thread_state::edits();
        if let Some(slots) = part.list().slots::<T>() {
            slots.call_from(part.list(), value, sender);
            cache.keep(slots, part.list(), edits);
        }
    }

    #[inline(never)]
    fn emit_slowly<T: ?Sized + 'static>(self: &Arc<Self>, position: usize, value: &T) {
        let part = self.part(position);
        if part.flags().is_blocked() {
            return;
        }
        latest::settle();
        let flags = part.flags();
        if part.is_here() && (flags.are_clear() || !flags.has(EmissionFlags::RARE_PARTS)) {
            self.emit_here(position, value);
        } else {
            self.emit_everywhere(position, value);
        }
    }

    /// Posts to queued slots and calls the others, all of them in this thread.
    fn emit_here<T: ?Sized + 'static>(self: &Arc<Self>, position: usize, value: &T) {
        let part = self.part(position);
        let Some(slots) = part.list().slots::<T>() else { return };
        if part.flags().has(EmissionFlags::QUEUED) && check_queued(part, &*slots) {
            post_here(value, self.handle(position), None, &*slots);
        }
        slots.call(part.list(), value);
    }

    /// Posts to other threads, and calls slots of this thread and direct slots.
    fn emit_everywhere<T: ?Sized + 'static>(self: &Arc<Self>, position: usize, value: &T) {
        let first = self.part(position);
        let rare = first.rare();
        let rare = rare.as_deref();
        let others = rare.map_or_else(Others::default, RareParts::others);
        let here = thread_state::thread();
        let further = || others.iter().map(|other| (other.part(), Some(other)));
        let parts = || iter::once((first, None)).chain(further());
        let handle = |of: Option<&PartHandle>| of.cloned().unwrap_or_else(|| self.handle(position));
        // Slots connected from here on do not take part in this emission.
        let direct = rare.and_then(RareParts::direct);
        let direct = direct.and_then(|list| (&**list as &dyn Any).downcast_ref::<DirectList<T>>());
        let direct = direct.map(|list| (list, list.entries()));
        let own = parts().find(|(part, _)| part.mailbox().thread() == here);
        let own = own.and_then(|(part, of)| Some((part, of, part.list().slots::<T>()?)));
        let sender = rare.and_then(RareParts::sender);
        let has_queued = own.as_ref().is_some_and(|(part, _, slots)| check_queued(*part, &**slots));

        // Posted before a slot runs, so that nested emissions come later in other threads as well.
        for (part, of) in parts().filter(|(part, _)| part.mailbox().thread() != here) {
            if let Some(poster) = foreign_poster(part) {
                let target = Target { last: part.mailbox().connections(), only_queued: false };
                part.mailbox().push(poster(value, handle(of), target, sender));
            }
        }
        if let Some((part, of, slots)) = own {
            if has_queued {
                post_here(value, handle(of), sender, &*slots);
            }
            slots.call(part.list(), value);
        }
        if let Some((list, entries)) = direct {
            list.call(&entries, value);
            if entries.is_empty() {
                list.clear_flag(first.flags());
            }
        }
        if others.iter().any(|other| other.part().mailbox().is_closed()) {
            first.drop_ended_parts();
        }
    }
}

/// Returns the poster for slots of another thread, if any accept posts.
fn foreign_poster<T: ?Sized + 'static>(part: Part<'_>) -> Option<Poster<T>> {
    let is_reachable = part.flags().accepts_posts()
        && part.list().counter().count() > 0
        && !part.mailbox().is_closed();
    if is_reachable { part.mailbox().poster() } else { None }
}

/// Posts a copy of `value` to the queued slots among these, of this thread.
#[inline(never)]
fn post_here<T: ?Sized + 'static>(
    value: &T,
    handle: PartHandle,
    sender: Option<&SharedSender>,
    slots: &dyn Slots<T>,
) {
    let part = handle.part();
    if part.list().counter().count() == 0 || part.mailbox().is_closed() {
        return;
    }
    let Some(poster) = slots.queued_poster() else { return };
    let target = Target { last: part.mailbox().connections(), only_queued: true };
    let post = poster(value, handle, target, sender);
    // A sender that is not `Send` is kept alive by the thread's own queue.
    let kept = if sender.is_none() { slots.queued_sender() } else { None };
    match kept {
        Some(kept) => thread_state::push_keeping(post, kept),
        None => thread_state::push(post),
    }
}

/// Returns whether there are queued slots; clears their flag if not.
fn check_queued<T: ?Sized>(part: Part<'_>, slots: &dyn Slots<T>) -> bool {
    let has_queued = slots.has_queued();
    if !has_queued {
        part.flags().remove(EmissionFlags::QUEUED);
    }
    has_queued
}
