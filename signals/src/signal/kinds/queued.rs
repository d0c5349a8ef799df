//! Queued connections: slots that always run from their thread's queue.

use std::panic::Location;

use crate::connection::Connection;
use crate::connection::link::ConnectionType;
use crate::receiver::Receiver;
use crate::receiver::handle::Handle;
use crate::signal::Signal;
use crate::signal::delivery::Posted;
use crate::signal::kinds::once::Once;
use crate::signal::member::Member;
use crate::signal::signal_ref::SignalRef;
use crate::slots::call::{self, Repeated};

/// Connects slots that always run from the queue; made by [`Signal::queued`].
///
/// `S` is a `&Signal` or a [`SignalRef`]. Async slots are queued anyway: connect them to the signal
/// itself. The page of [kinds](crate::kinds) lists all forms.
///
/// # Qt
///
/// `Qt::QueuedConnection`.
#[must_use = "nothing is connected before one of its methods is called"]
#[derive(Clone, Copy, Debug)]
pub struct Queued<S> {
    signal: S,
}

impl<T> Signal<T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Returns the queued form of this signal: slots always run from the queue.
    ///
    /// The slots run after the emission, in the thread that connected them.
    ///
    /// # Qt
    ///
    /// `Qt::QueuedConnection`. After [`Connection::disconnect`] pending calls are dropped; Qt
    /// delivers them.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::{Signal, process_events};
    ///
    /// let changed = Signal::<i32>::new();
    /// changed.queued().connect(|value| println!("was {value} a moment ago"));
    ///
    /// changed.emit(&1);
    /// assert_eq!(process_events(), 1);
    /// ```
    #[doc(alias = "QueuedConnection")]
    #[doc(alias = "connect_queued")]
    pub const fn queued(&self) -> Queued<&Self> {
        Queued { signal: self }
    }
}

impl<S, T> SignalRef<'_, S, T>
where
    S: Handle,
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Returns the queued form of this signal: slots always run from the queue.
    ///
    /// A queued call keeps the sender alive until its slot has run. See [`Signal::queued`].
    ///
    /// # Qt
    ///
    /// `Qt::QueuedConnection`.
    #[doc(alias = "QueuedConnection")]
    #[doc(alias = "connect_queued")]
    pub const fn queued(self) -> Queued<Self> {
        Queued { signal: self }
    }
}

impl<S> Queued<S> {
    /// Returns the queued single-shot form: slots are called once, from the queue.
    ///
    /// # Qt
    ///
    /// `Qt::QueuedConnection | Qt::SingleShotConnection`.
    #[doc(alias = "SingleShotConnection")]
    pub fn once(self) -> Once<S> {
        Once::new(self.signal, ConnectionType::Queued)
    }
}

impl<T> Queued<&Signal<T>>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Connects a slot of the calling thread, as [`Signal::connect`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with `Qt::QueuedConnection`.
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
    /// `QObject::connect` with a receiver and `Qt::QueuedConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl Fn(&R::Strong, &T) + 'static,
    ) -> Connection {
        self.signal.member().attach_queued(receiver, slot)
    }

    /// Connects a slot that changes its captures, as [`Signal::connect_mut`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a `mutable` lambda and `Qt::QueuedConnection`.
    ///
    /// # Panics
    ///
    /// A call from inside the slot, in a run of the queue, panics.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_mut(self, mut slot: impl FnMut(&T) + 'static) -> Connection {
        self.connect_mut_to((), move |(), value| slot(value))
    }

    /// Connects a slot that changes its captures, as [`Signal::connect_mut_to`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver, a `mutable` lambda and `Qt::QueuedConnection`.
    ///
    /// # Panics
    ///
    /// A call from inside the slot, in a run of the queue, panics.
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

impl<S, T> Queued<SignalRef<'_, S, T>>
where
    S: Handle,
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Connects a slot of the calling thread, as [`SignalRef::connect`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with `Qt::QueuedConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect(
        self,
        // Compiler errors show the next line when a receiver is passed.
        slot: impl Fn(&S, &T) + 'static, // with a receiver: `connect_to(&receiver, slot)`
    ) -> Connection {
        self.attach(self.signal.sender(), slot)
    }

    /// Connects a slot that works on `receiver`, as [`SignalRef::connect_to`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver and `Qt::QueuedConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_to<R: Receiver>(
        self,
        receiver: R,
        slot: impl Fn(&R::Strong, &S, &T) + 'static,
    ) -> Connection {
        let both = (receiver, self.signal.sender());
        self.attach(both, move |(receiver, sender), value| slot(receiver, sender, value))
    }

    /// Connects a slot that changes its captures, as [`SignalRef::connect_mut`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a `mutable` lambda and `Qt::QueuedConnection`.
    ///
    /// # Panics
    ///
    /// A call from inside the slot, in a run of the queue, panics.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_mut(self, slot: impl FnMut(&S, &T) + 'static) -> Connection {
        self.attach(self.signal.sender(), call::exclusive(slot))
    }

    /// Connects a slot that changes its captures, as [`SignalRef::connect_mut_to`].
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver, a `mutable` lambda and `Qt::QueuedConnection`.
    ///
    /// # Panics
    ///
    /// A call from inside the slot, in a run of the queue, panics.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_mut_to<R: Receiver>(
        self,
        receiver: R,
        mut slot: impl FnMut(&R::Strong, &S, &T) + 'static,
    ) -> Connection {
        let slot = call::exclusive(move |(receiver, sender): &(R::Strong, S), value: &T| {
            slot(receiver, sender, value);
        });
        self.attach((receiver, self.signal.sender()), slot)
    }

    #[track_caller]
    fn attach<R: Receiver>(
        self,
        receiver: R,
        slot: impl Fn(&R::Strong, &T) + 'static,
    ) -> Connection {
        self.signal.queueing().attach_queued(receiver, slot)
    }
}

impl<T> Member<'_, T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    #[track_caller]
    fn attach_queued<R: Receiver>(
        self,
        receiver: R,
        slot: impl Fn(&R::Strong, &T) + 'static,
    ) -> Connection {
        let call = Repeated::new(receiver, slot);
        self.attach::<Posted, _>(ConnectionType::Queued, call, Location::caller())
    }
}
