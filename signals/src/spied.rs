//! What can be spied on.

use std::cell::RefCell;
use std::rc::Rc;

use crate::connection::Connection;
use crate::handle::Handle;
use crate::signal::Signal;
use crate::signal_ref::SignalRef;

/// What a [`SignalSpy`](crate::SignalSpy) can watch: a [`Signal`] or a [`SignalRef`].
pub trait Spied {
    /// What the signal carries.
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
        self.connect_to(values, |values, value| {
            let copy = value.to_owned();
            values.borrow_mut().push(copy);
        })
    }
}

impl<S, T> Spied for SignalRef<'_, S, T>
where
    S: Handle,
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    type Value = T;

    /// Records also what is emitted while the sender goes away.
    #[track_caller]
    fn record(&self, values: &Rc<RefCell<Vec<T::Owned>>>) -> Connection {
        self.signal().record(values)
    }
}
