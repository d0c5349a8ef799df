//! Local connections: slots that are called by emissions of their own thread alone.

use std::panic::Location;

use crate::connection::Connection;
use crate::connection::link::ConnectionType;
use crate::queue::async_slots;
use crate::receiver::handle::Handle;
use crate::receiver::{Deferred, Receiver};
use crate::signal::Signal;
use crate::signal::member::Member;
use crate::signal::signal_ref::SignalRef;
use crate::slots::call::{self, Repeated};
use crate::slots::part::Unposted;

/// Connects slots that only their own thread calls; made by [`Signal::local`].
///
/// `S` is a `&Signal` or a [`SignalRef`]. There are no bounds on the value, but that async slots
/// get a copy of it. The page of [kinds](crate::kinds) lists all forms.
///
/// # Qt
///
/// `Qt::DirectConnection` between objects of one thread.
#[must_use = "nothing is connected before one of its methods is called"]
#[derive(Clone, Copy, Debug)]
pub struct Local<S> {
    signal: S,
}

impl<T: ?Sized + 'static> Signal<T> {
    /// Returns the local form of this signal: only this thread calls its slots.
    ///
    /// It has no bounds on `T`: values need neither be copied nor sent. Emissions of other threads
    /// do not reach these slots.
    ///
    /// # Qt
    ///
    /// `Qt::DirectConnection` between objects of one thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    ///
    /// use slotwork_signals::Signal;
    ///
    /// let collecting = Signal::<RefCell<Vec<i32>>>::new();
    /// collecting.local().connect(|numbers| numbers.borrow_mut().push(3));
    ///
    /// let numbers = RefCell::default();
    /// collecting.emit(&numbers);
    /// assert_eq!(numbers.into_inner(), [3]);
    /// ```
    #[doc(alias = "DirectConnection")]
    #[doc(alias = "connect_local")]
    pub const fn local(&self) -> Local<&Self> {
        Local { signal: self }
    }
}

impl<S: Handle, T: ?Sized + 'static> SignalRef<'_, S, T> {
    /// Returns the local form of this signal: only this thread calls its slots.
    ///
    /// It has no bounds on `T`. See [`Signal::local`].
    ///
    /// # Qt
    ///
    /// `Qt::DirectConnection` between objects of one thread.
    #[doc(alias = "DirectConnection")]
    #[doc(alias = "connect_local")]
    pub const fn local(self) -> Local<Self> {
        Local { signal: self }
    }
}

impl<T: ?Sized + 'static> Local<&Signal<T>> {
    /// Connects a slot of the calling thread.
    ///
    /// # Qt
    ///
    /// `QObject::connect` with `Qt::DirectConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect(
        self,
        // Compiler errors show the next line when a receiver is passed.
        slot: impl Fn(&T) + 'static, // with a receiver: `connect_to(&receiver, slot)`
    ) -> Connection {
        self.connect_to((), move |(), value| slot(value))
    }

    /// Connects a slot that works on `receiver`, as [`Signal::connect_to`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver and `Qt::DirectConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl Fn(&R::Strong, &T) + 'static,
    ) -> Connection {
        self.signal.member().attach_local(receiver, slot)
    }

    /// Connects a slot that changes its captures, as [`Signal::connect_mut`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a `mutable` lambda and `Qt::DirectConnection`.
    ///
    /// # Panics
    ///
    /// A recursive emission, from inside the slot, panics when it would call the slot again.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_mut(self, mut slot: impl FnMut(&T) + 'static) -> Connection {
        self.connect_mut_to((), move |(), value| slot(value))
    }

    /// Connects a slot that changes its captures, as [`Signal::connect_mut_to`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver, a `mutable` lambda and `Qt::DirectConnection`.
    ///
    /// # Panics
    ///
    /// A recursive emission, from inside the slot, panics when it would call the slot again.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_mut_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl FnMut(&R::Strong, &T) + 'static,
    ) -> Connection {
        self.connect_to(receiver, call::exclusive(slot))
    }
}

impl<T: ?Sized + ToOwned + 'static> Local<&Signal<T>> {
    /// Connects an async slot, as [`Signal::connect_async`].
    ///
    /// The value need not be `Send`: it stays in this thread.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs chain further signals and slots.
    #[track_caller]
    pub fn connect_async(self, slot: impl AsyncFn(T::Owned) + 'static) -> Connection {
        self.connect_async_to((), async move |(), value| slot(value).await)
    }

    /// Connects an async slot with a receiver, as [`Signal::connect_async_to`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs chain further signals and slots.
    #[track_caller]
    pub fn connect_async_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl AsyncFn(R::Strong, T::Owned) + 'static,
    ) -> Connection {
        self.connect_to(Deferred(receiver), async_slots::repeated(slot, None))
    }
}

impl<S: Handle, T: ?Sized + 'static> Local<SignalRef<'_, S, T>> {
    /// Connects a slot of the calling thread, which gets the sender first.
    ///
    /// # Qt
    ///
    /// `QObject::connect` with `Qt::DirectConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect(
        self,
        // Compiler errors show the next line when a receiver is passed.
        slot: impl Fn(&S, &T) + 'static, // with a receiver: `connect_to(&receiver, slot)`
    ) -> Connection {
        self.signal.signal().attach_local(self.signal.sender(), slot)
    }

    /// Connects a slot that works on `receiver`, as [`SignalRef::connect_to`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver and `Qt::DirectConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl Fn(&R::Strong, &S, &T) + 'static,
    ) -> Connection {
        let both = (receiver, self.signal.sender());
        let slot =
            move |(receiver, sender): &(R::Strong, S), value: &T| slot(receiver, sender, value);
        self.signal.signal().attach_local(both, slot)
    }

    /// Connects a slot that changes its captures, as [`SignalRef::connect_mut`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a `mutable` lambda and `Qt::DirectConnection`.
    ///
    /// # Panics
    ///
    /// A recursive emission, from inside the slot, panics when it would call the slot again.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_mut(self, slot: impl FnMut(&S, &T) + 'static) -> Connection {
        self.connect(call::exclusive(slot))
    }

    /// Connects a slot that changes its captures, as [`SignalRef::connect_mut_to`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver, a `mutable` lambda and `Qt::DirectConnection`.
    ///
    /// # Panics
    ///
    /// A recursive emission, from inside the slot, panics when it would call the slot again.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_mut_to<R: Receiver>(
        self,
        receiver: R,
        mut slot: impl FnMut(&R::Strong, &S, &T) + 'static,
    ) -> Connection {
        let both = (receiver, self.signal.sender());
        let slot = call::exclusive(move |(receiver, sender): &(R::Strong, S), value: &T| {
            slot(receiver, sender, value);
        });
        self.signal.signal().attach_local(both, slot)
    }
}

impl<S: Handle, T: ?Sized + ToOwned + 'static> Local<SignalRef<'_, S, T>> {
    /// Connects an async slot, as [`SignalRef::connect_async`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs chain further signals and slots.
    #[track_caller]
    pub fn connect_async(self, slot: impl AsyncFn(S, T::Owned) + 'static) -> Connection {
        let slot = async_slots::repeated(slot, self.signal.shared_sender());
        self.signal.signal().attach_local(Deferred(self.signal.sender()), slot)
    }

    /// Connects an async slot with a receiver, as [`SignalRef::connect_async_to`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs chain further signals and slots.
    #[track_caller]
    pub fn connect_async_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl AsyncFn(R::Strong, S, T::Owned) + 'static,
    ) -> Connection {
        let both = (receiver, self.signal.sender());
        let slot = async move |(receiver, sender), value| slot(receiver, sender, value).await;
        let slot = async_slots::repeated(slot, self.signal.shared_sender());
        self.signal.signal().attach_local(Deferred(both), slot)
    }
}

impl<T: ?Sized + 'static> Member<'_, T> {
    #[track_caller]
    fn attach_local<R: Receiver>(
        self,
        receiver: R,
        slot: impl Fn(&R::Strong, &T) + 'static,
    ) -> Connection {
        let call = Repeated::new(receiver, slot);
        self.attach::<Unposted, _>(ConnectionType::Local, call, Location::caller())
    }
}
