//! Emissions: direct calls of the slots of this thread, and posts to other threads.

use std::sync::Arc;

use crate::queue::delivery_guard::SharedSender;
use crate::signal::rare_parts::Others;
use crate::signal::slot_group::{Rare, SlotGroup};
use crate::slots::emission_flags::EmissionFlags;
use crate::slots::list::Slots;
use crate::slots::slot_state::Target;
use crate::thread::thread_state;

impl<T: ?Sized + 'static> SlotGroup<T> {
    /// Emits the signal; of the first group.
    ///
    /// Not inlined, so that the emission of a signal without slots is a single comparison.
    #[inline(never)]
    pub(crate) fn emit(self: &Arc<Self>, value: &T) {
        if self.is_here() && self.flags().are_clear() {
            if let Some(slots) = self.list().slots::<T>() {
                slots.call(self.list(), value);
            }
        } else if !self.flags().is_blocked() {
            self.emit_everywhere(value);
        }
    }

    /// Posts to other threads, and calls slots of this thread and direct slots.
    #[inline(never)]
    fn emit_everywhere(self: &Arc<Self>, value: &T) {
        let rare = self.rare();
        let rare = rare.as_deref();
        let others = rare.map_or_else(Others::default, Rare::others);
        let here = thread_state::thread();
        let groups = || std::iter::once(self).chain(others.iter());
        // Slots connected from here on do not take part in this emission.
        let direct = rare.and_then(Rare::direct).map(|list| (list, list.entries()));
        let own = groups().find(|group| group.address().thread() == here);
        let own = own.and_then(|own| Some((own, own.list().slots()?)));
        let sender = rare.and_then(Rare::sender);
        let has_queued = own.as_ref().is_some_and(|(own, slots)| own.check_queued(&**slots));

        // Posted before a slot runs, so that nested emissions come later in other threads as well.
        for group in groups().filter(|group| group.address().thread() != here) {
            group.post(value, sender, None);
        }
        if let Some((own, slots)) = own {
            if has_queued {
                own.post(value, sender, Some(&*slots));
            }
            slots.call(own.list(), value);
        }
        if let Some((list, entries)) = direct {
            list.call(&entries, value);
            if entries.is_empty() {
                list.clear_flag(self.flags());
            }
        }
        if others.iter().any(|group| group.mailbox().is_closed()) {
            self.drop_ended_groups();
        }
    }

    /// Posts a copy of `value` to the slots, if there are any.
    ///
    /// In their own thread they are passed as `own`, and only queued slots get the value.
    #[inline(never)]
    fn post(
        self: &Arc<Self>,
        value: &T,
        sender: Option<&SharedSender>,
        own: Option<&dyn Slots<T>>,
    ) {
        let mailbox = self.mailbox();
        if !self.flags().accepts_posts()
            || self.list().counter().count() == 0
            || mailbox.is_closed()
        {
            return;
        }
        let Some(poster) = self.address().poster() else { return };
        let target = Target { last: mailbox.connections(), only_queued: own.is_some() };
        let post = poster(value, self, target, sender);
        let Some(own) = own else {
            mailbox.push(post);
            return;
        };
        // A sender that is not `Send` is kept alive by the thread's own queue.
        let kept = if sender.is_none() { own.queued_sender() } else { None };
        match kept {
            Some(kept) => thread_state::push_keeping(post, kept),
            None => thread_state::push(post),
        }
    }

    /// Returns whether there are queued slots; clears their flag if not.
    fn check_queued(&self, slots: &dyn Slots<T>) -> bool {
        let has_queued = slots.has_queued();
        if !has_queued {
            self.flags().remove(EmissionFlags::QUEUED);
        }
        has_queued
    }
}
