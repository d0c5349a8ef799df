//! Spied signals: the types of signals that a spy can record.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::connection::Connection;
use crate::receiver::handle::Handle;
use crate::signal::Signal;
use crate::signal::member::Member;
use crate::signal::signal_ref::SignalRef;

/// A signal that a [`SignalSpy`](crate::SignalSpy) can record.
///
/// Implemented for [`Signal`], also in an `Rc` or `Arc`, and for [`SignalRef`].
///
/// # Qt
///
/// The first two arguments of `QSignalSpy`'s constructor: the object and its signal.
///
/// # Examples
///
/// ```
/// use slotwork_signals::{Signal, SignalSpy, Spied};
///
/// fn spy_on<T: ?Sized + ToOwned>(signal: &impl Spied<Value = T>) -> SignalSpy<T> {
///     SignalSpy::new(signal)
/// }
///
/// assert_eq!(spy_on(&Signal::<i32>::new()).count(), 0);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a signal",
    label = "expected a `Signal` or what an object's signal method returns",
    note = "write `SignalSpy::new(&object.signal())`, or `SignalSpy::new(&signal)`"
)]
pub trait Spied {
    /// The type of the values.
    ///
    /// # Qt
    ///
    /// The types of the signal's arguments.
    type Value: ?Sized + ToOwned;

    /// Connects a slot that adds copies of the values to `values`.
    #[doc(hidden)]
    fn record(&self, values: &Rc<RefCell<Vec<<Self::Value as ToOwned>::Owned>>>) -> Connection;
}

impl<T> Spied for Signal<T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    type Value = T;

    #[track_caller]
    fn record(&self, values: &Rc<RefCell<Vec<T::Owned>>>) -> Connection {
        self.member().record(values)
    }
}

impl<S, T> Spied for SignalRef<'_, S, T>
where
    S: Handle,
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    type Value = T;

    /// Records emissions from the drop of the sender too.
    #[track_caller]
    fn record(&self, values: &Rc<RefCell<Vec<T::Owned>>>) -> Connection {
        self.signal().record(values)
    }
}

impl<T> Member<'_, T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    #[track_caller]
    fn record(self, values: &Rc<RefCell<Vec<T::Owned>>>) -> Connection {
        self.connect_to(values, |values, value| {
            let copy = value.to_owned();
            values.borrow_mut().push(copy);
        })
    }
}

impl<P: Spied + ?Sized> Spied for Rc<P> {
    type Value = P::Value;

    #[track_caller]
    fn record(&self, values: &Rc<RefCell<Vec<<P::Value as ToOwned>::Owned>>>) -> Connection {
        (**self).record(values)
    }
}

impl<P: Spied + ?Sized> Spied for Arc<P> {
    type Value = P::Value;

    #[track_caller]
    fn record(&self, values: &Rc<RefCell<Vec<<P::Value as ToOwned>::Owned>>>) -> Connection {
        (**self).record(values)
    }
}
