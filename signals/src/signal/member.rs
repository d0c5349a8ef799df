//! Members: signals as parts of their group, to which slots are connected.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use crate::connection::Connection;
use crate::connection::link::{Cleanup, ConnectionType, Link};
use crate::queue::delivery_guard::SharedSender;
use crate::receiver::Receiver;
use crate::signal::delivery::Posted;
use crate::signal::group::AnyGroup;
use crate::signal::rare_parts::Others;
use crate::signal::slot_group::post;
use crate::slots::call::{self, Call, Repeated};
use crate::slots::list::{Slot, edit_list};
use crate::slots::part::{Linked, NewSlot, Part, Posting};
use crate::slots::slot::ConnectedSlot;
use crate::thread::slow_slots::Origin;

/// A signal of a group, which may be a group of its own.
pub(crate) struct Member<'a, T: ?Sized> {
    group: &'a dyn AnyGroup,
    position: usize,
    /// `Send` as a reference to a signal is.
    value: PhantomData<&'a Mutex<T>>,
}

impl<'a, T: ?Sized> Member<'a, T> {
    #[inline]
    pub(crate) const fn new(group: &'a dyn AnyGroup, position: usize) -> Self {
        Self { group, position, value: PhantomData }
    }

    /// Returns the first part, if there is one.
    #[inline]
    pub(crate) fn first(self) -> Option<Part<'a>> {
        self.group.get(self.position)
    }

    /// Returns the first part, made if missing.
    pub(crate) fn make_first(self) -> Part<'a> {
        self.group.make(self.position)
    }
}

impl<T: ?Sized + 'static> Member<'_, T> {
    /// Connects a slot of this thread.
    pub(crate) fn attach<P, C>(
        self,
        kind: ConnectionType,
        call: C,
        location: &'static Location<'static>,
    ) -> Connection
    where
        P: Posting<T> + 'static,
        C: Call<T> + 'static,
    {
        let slot = NewSlot { kind, location, set_poster: P::SET_POSTER };
        let Some(Linked { link, state, index }) = self.group.link(self.position, slot) else {
            return Connection::default();
        };
        let slot = ConnectedSlot::<T, C, P>::new(state, call, Origin::new(location));
        connect(link, index, Rc::new(slot))
    }

    /// Connects a slot that runs on any thread.
    pub(crate) fn attach_direct(
        self,
        call: Arc<dyn Call<T> + Send + Sync>,
        location: &'static Location<'static>,
    ) -> Connection {
        let first = self.make_first();
        first.make_rare().direct_list().attach(call, location, first.flags())
    }

    /// Connects a slot without a receiver that runs on any thread.
    #[track_caller]
    pub(crate) fn connect_direct(self, slot: impl Fn(&T) + Send + Sync + 'static) -> Connection {
        let call = Repeated::new((), move |(): &(), value: &T| slot(value));
        self.attach_direct(Arc::new(call), Location::caller())
    }

    /// Sets the sender that queued calls keep alive; `sender` is called if none is set.
    pub(crate) fn set_sender(self, sender: impl FnOnce() -> Option<SharedSender>) {
        self.make_first().set_sender(sender);
    }

    /// Disconnects the slots of all threads.
    pub(crate) fn disconnect_all(self) {
        let Some(first) = self.group.handle(self.position) else { return };
        let rare = first.part().rare();
        let others = rare.as_ref().map_or_else(Others::default, |rare| rare.others());
        let handles = || std::iter::once(&first).chain(others.iter());
        // All are disconnected before any is dropped: slots connected meanwhile stay.
        handles().for_each(|handle| handle.part().list().counter().clear());
        if let Some(direct) = rare.as_ref().and_then(|rare| rare.direct()) {
            direct.clear();
        }
        for handle in handles() {
            if handle.part().is_here() {
                handle.part().sweep();
            } else {
                let cleanup = Cleanup::Sweep(handle.owner(), handle.position());
                post(handle.part().mailbox(), cleanup);
            }
        }
    }

    /// Counts the connected slots of all threads.
    pub(crate) fn slot_count(self) -> usize {
        let Some(first) = self.first() else { return 0 };
        let rare = first.rare();
        let own = slot_count(first);
        let Some(rare) = rare else { return own };
        let others = rare.others().iter().map(|other| slot_count(other.part())).sum::<usize>();
        own + others + rare.direct().map_or(0, |list| list.counter(0).count())
    }
}

impl<T> Member<'_, T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Connects a slot of this thread, as `Signal::connect_to`.
    #[track_caller]
    pub(crate) fn connect_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl Fn(&R::Strong, &T) + 'static,
    ) -> Connection {
        let call = Repeated::new(receiver, slot);
        self.attach::<Posted, _>(ConnectionType::Auto, call, Location::caller())
    }

    /// Connects a slot of this thread, as `Signal::connect_mut_to`.
    #[track_caller]
    pub(crate) fn connect_mut_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl FnMut(&R::Strong, &T) + 'static,
    ) -> Connection {
        self.connect_to(receiver, call::exclusive(slot))
    }
}

/// Adds a slot to the list of the calling thread with this index.
fn connect<T: ?Sized + 'static>(link: Arc<Link>, index: u32, slot: Rc<dyn Slot<T>>) -> Connection {
    match edit_list(index, |list| list.push(slot)) {
        Some(true) => link.sweep(),
        Some(false) => {}
        None => _ = link.end(),
    }
    Connection::new(link)
}

/// Counts the connected slots of one part.
fn slot_count(part: Part<'_>) -> usize {
    if !part.is_open() {
        return 0;
    }
    if part.is_here() {
        part.sweep();
    }
    part.list().counter().count()
}

impl<T: ?Sized> Clone for Member<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Member<'_, T> {}

impl<T: ?Sized> fmt::Debug for Member<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.first();
        let is_blocked = first.is_some_and(|first| first.flags().is_blocked());
        let mut debug = f.debug_struct("Signal");
        debug.field("is_used", &first.is_some()).field("is_blocked", &is_blocked);
        debug.finish_non_exhaustive()
    }
}
