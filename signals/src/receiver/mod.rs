//! Receivers: the objects that slots work on, held weakly by their connections.

use std::any::Any;
use std::rc::Rc;

use crate::receiver::handle::Handle;
use crate::receiver::weak::{DeferredWeak, WeakHandle, WeakReceiver, WeakSender};

pub(crate) mod handle;
pub(crate) mod weak;

/// The object or objects that a slot works on.
///
/// The receiver of [`connect_to`](crate::Signal::connect_to). Implemented for a reference to each
/// [`Handle`], such as `&Rc<R>` and `&Arc<R>`, and for tuples of up to four receivers. The
/// connection holds the receiver weakly and passes a strong handle to the slot for the call. When
/// the receiver, or one of several, is dropped, the slot is disconnected.
///
/// # Qt
///
/// The receiver or context object of `QObject::connect`.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// use slotwork_signals::Signal;
///
/// let count = Rc::new(Cell::new(0));
/// let sum = Rc::new(Cell::new(0));
/// let number_received = Signal::<i32>::new();
/// number_received.connect_to((&count, &sum), |(count, sum), number| {
///     count.set(count.get() + 1);
///     sum.set(sum.get() + number);
/// });
///
/// number_received.emit(&3);
/// assert_eq!((count.get(), sum.get()), (1, 3));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the receiver of a slot",
    label = "expected `&Rc<_>`, `&Arc<_>`, a reference to another handle, or a tuple of those",
    note = "implement `Handle` for your own handle types"
)]
pub trait Receiver {
    /// The argument of the slot: a handle that keeps the receiver alive for the call.
    ///
    /// # Qt
    ///
    /// The `this` pointer of a slot.
    type Strong: 'static;
    /// The weak handle that the connection holds.
    ///
    /// # Qt
    ///
    /// A `QPointer`.
    type Weak: WeakReceiver<Strong = Self::Strong>;

    /// Returns the weak handle that the connection holds.
    ///
    /// # Qt
    ///
    /// The constructor of `QPointer`; `QObject::connect` keeps a similar pointer.
    fn downgrade(self) -> Self::Weak;
}

impl<H: Handle> Receiver for &H {
    type Strong = H;
    type Weak = WeakHandle<H>;

    fn downgrade(self) -> WeakHandle<H> {
        WeakHandle::new(self)
    }
}

/// The sender of a signal, as a receiver of its slot.
pub(crate) struct Sender<'a, S>(pub(crate) &'a S);

impl<S: Handle> Receiver for Sender<'_, S> {
    type Strong = S;
    type Weak = WeakSender<S>;

    fn downgrade(self) -> WeakSender<S> {
        WeakSender::new(self.0)
    }
}

/// The receiver of an async slot: upgraded when a run begins, not at the emission.
pub(crate) struct Deferred<R>(pub(crate) R);

impl<R: Receiver> Receiver for Deferred<R> {
    type Strong = Rc<R::Weak>;
    type Weak = DeferredWeak<R::Weak>;

    fn downgrade(self) -> DeferredWeak<R::Weak> {
        DeferredWeak::new(self.0.downgrade())
    }
}

/// No receiver: the slot stays connected until it is disconnected explicitly.
impl Receiver for () {
    type Strong = ();
    type Weak = ();

    fn downgrade(self) {}
}

macro_rules! tuple_receivers {
    ($(($($name:ident $index:tt),+))+) => {$(
        impl<$($name: Receiver),+> Receiver for ($($name,)+) {
            type Strong = ($($name::Strong,)+);
            type Weak = ($($name::Weak,)+);

            fn downgrade(self) -> Self::Weak {
                ($(self.$index.downgrade(),)+)
            }
        }

        impl<$($name: WeakReceiver),+> WeakReceiver for ($($name,)+) {
            type Strong = ($($name::Strong,)+);

            #[inline]
            fn upgrade(&self) -> Option<Self::Strong> {
                Some(($(self.$index.upgrade()?,)+))
            }

            fn sender(&self) -> Option<Box<dyn Any>> {
                None$(.or_else(|| self.$index.sender()))+
            }
        }
    )+};
}

tuple_receivers! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
}
