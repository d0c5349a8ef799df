//! Direct connections: slots that run on the emitting thread.

use std::panic::Location;
use std::sync::Arc;

use crate::connection::Connection;
use crate::receiver::Receiver;
use crate::receiver::handle::Handle;
use crate::signal::Signal;
use crate::signal::signal_ref::SignalRef;
use crate::slots::call::Repeated;

/// Connects slots that run on the emitting thread; made by [`Signal::direct`].
///
/// `S` is a `&Signal` or a [`SignalRef`]. Slots, receivers and senders are `Send + Sync`; two
/// threads may call a slot at the same time, so that there is no form for `FnMut`: what the slot
/// changes is an atomic, or in a `Mutex`. The page of [kinds](crate::kinds) lists all forms.
///
/// # Qt
///
/// `Qt::DirectConnection` to an object of another thread.
#[must_use = "nothing is connected before one of its methods is called"]
#[derive(Clone, Copy, Debug)]
pub struct Direct<S> {
    signal: S,
}

impl<T: ?Sized + 'static> Signal<T> {
    /// Returns the direct form of this signal: slots run on the emitting thread.
    ///
    /// Whichever thread that is; they run after the slots of that thread.
    ///
    /// # Qt
    ///
    /// `Qt::DirectConnection` to an object of another thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::thread;
    ///
    /// use slotwork_signals::Signal;
    ///
    /// let (progress, shown) = (Signal::<u32>::new(), Arc::new(AtomicU32::new(0)));
    /// progress.direct().connect_to(&shown, |shown, percent| {
    ///     shown.store(*percent, Ordering::Relaxed);
    /// });
    ///
    /// thread::scope(|scope| {
    ///     scope.spawn(|| progress.emit(&50));
    /// });
    /// assert_eq!(shown.load(Ordering::Relaxed), 50);
    /// ```
    #[doc(alias = "DirectConnection")]
    #[doc(alias = "connect_direct")]
    pub const fn direct(&self) -> Direct<&Self> {
        Direct { signal: self }
    }
}

impl<S: Handle<Weak: Send + Sync>, T: ?Sized + 'static> SignalRef<'_, S, T> {
    /// Returns the direct form of this signal: slots run on the emitting thread.
    ///
    /// The sender's handle is `Send + Sync`, as an `Arc`. See [`Signal::direct`].
    ///
    /// # Qt
    ///
    /// `Qt::DirectConnection`.
    #[doc(alias = "DirectConnection")]
    #[doc(alias = "connect_direct")]
    pub const fn direct(self) -> Direct<Self> {
        Direct { signal: self }
    }
}

impl<T: ?Sized + 'static> Direct<&Signal<T>> {
    /// Connects a slot that any thread calls.
    ///
    /// # Qt
    ///
    /// `QObject::connect` with `Qt::DirectConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect(
        self,
        // Compiler errors show the next line when a receiver is passed.
        slot: impl Fn(&T) + Send + Sync + 'static, // with a receiver: `connect_to(&receiver, slot)`
    ) -> Connection {
        self.connect_to((), move |(), value| slot(value))
    }

    /// Connects a slot that works on `receiver`, as [`Signal::connect_to`].
    ///
    /// The receiver is an `Arc`, or another handle that may be shared between threads.
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver and `Qt::DirectConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_to<R: Receiver<Weak: Send + Sync>>(
        self,
        receiver: R,
        slot: impl Fn(&R::Strong, &T) + Send + Sync + 'static,
    ) -> Connection {
        self.signal
            .member()
            .attach_direct(Arc::new(Repeated::new(receiver, slot)), Location::caller())
    }
}

impl<S: Handle<Weak: Send + Sync>, T: ?Sized + 'static> Direct<SignalRef<'_, S, T>> {
    /// Connects a slot that any thread calls, which gets the sender first.
    ///
    /// # Qt
    ///
    /// `QObject::connect` with `Qt::DirectConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect(
        self,
        // Compiler errors show the next line when a receiver is passed.
        slot: impl Fn(&S, &T) + Send + Sync + 'static, // with a receiver: `connect_to(&receiver, slot)`
    ) -> Connection {
        let call = Repeated::new(self.signal.sender(), slot);
        self.signal.signal().attach_direct(Arc::new(call), Location::caller())
    }

    /// Connects a slot that works on `receiver`, as [`SignalRef::connect_to`].
    ///
    /// The receiver is an `Arc`, or another handle that may be shared between threads.
    ///
    /// # Qt
    ///
    /// `QObject::connect` with a receiver and `Qt::DirectConnection`.
    #[doc(alias = "QObject::connect")]
    #[track_caller]
    pub fn connect_to<R: Receiver<Weak: Send + Sync>>(
        self,
        receiver: R,
        slot: impl Fn(&R::Strong, &S, &T) + Send + Sync + 'static,
    ) -> Connection {
        let both = (receiver, self.signal.sender());
        let slot =
            move |(receiver, sender): &(R::Strong, S), value: &T| slot(receiver, sender, value);
        self.signal.signal().attach_direct(Arc::new(Repeated::new(both, slot)), Location::caller())
    }
}
