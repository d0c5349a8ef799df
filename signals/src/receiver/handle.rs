//! Handles: pointers to objects that signals and slots hold weakly.

use std::rc::{self, Rc};
use std::sync::{self, Arc};

use crate::queue::delivery_guard::{DeliveryGuard, SharedSender};

/// A cheap handle to an object that signals and slots can hold weakly.
///
/// Implemented for `Rc` and `Arc`. A handle type that wraps one of them forwards to it, and can
/// then be the sender of a [`SignalRef`](crate::SignalRef) and a [`Receiver`](crate::Receiver).
///
/// # Qt
///
/// The counterpart of `QPointer`: signals need to know whether an object still exists.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, Weak};
///
/// use slotwork_signals::{Handle, SharedSender};
///
/// #[derive(Clone)]
/// struct Server(Arc<Inner>);
///
/// struct Inner;
///
/// impl Handle for Server {
///     type Weak = Weak<Inner>;
///
///     fn downgrade(&self) -> Self::Weak {
///         Arc::downgrade(&self.0)
///     }
///
///     fn upgrade(weak: &Self::Weak) -> Option<Self> {
///         weak.upgrade().map(Self)
///     }
///
///     fn shared(&self) -> Option<SharedSender> {
///         Some(SharedSender::new(self))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handle that can be held weakly",
    label = "expected an `Rc<_>`, an `Arc<_>`, or another handle",
    note = "a method that connects its own slots takes `self: &Rc<Self>`"
)]
pub trait Handle: Sized + 'static {
    /// What is held instead of the handle, without keeping the object alive.
    ///
    /// # Qt
    ///
    /// What `QPointer` is to a pointer.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::{Rc, Weak};
    ///
    /// use slotwork_signals::Handle;
    ///
    /// let weak: <Rc<i32> as Handle>::Weak = Weak::new();
    /// assert!(<Rc<i32> as Handle>::upgrade(&weak).is_none());
    /// ```
    #[doc(alias = "QPointer")]
    type Weak: 'static;

    /// Returns a weak form of this handle.
    ///
    /// # Qt
    ///
    /// `QSharedPointer::toWeakRef()`, and making a `QPointer` of a pointer.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// use slotwork_signals::Handle;
    ///
    /// let object = Rc::new(5);
    /// let weak = Handle::downgrade(&object);
    /// drop(object);
    /// assert_eq!(<Rc<i32> as Handle>::upgrade(&weak), None);
    /// ```
    #[doc(alias = "toWeakRef")]
    fn downgrade(&self) -> Self::Weak;

    /// Returns a handle to the object, or `None` when it is gone.
    ///
    /// # Qt
    ///
    /// `QWeakPointer::toStrongRef()`, and `QPointer::data()`, which keeps nothing alive.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// use slotwork_signals::Handle;
    ///
    /// let object = Rc::new(5);
    /// let weak = Handle::downgrade(&object);
    /// assert_eq!(<Rc<i32> as Handle>::upgrade(&weak), Some(object));
    /// ```
    #[doc(alias = "toStrongRef")]
    fn upgrade(weak: &Self::Weak) -> Option<Self>;

    /// Returns the object as calls queued for other threads keep it alive; the default is `None`.
    ///
    /// A handle type that may leave its thread returns `SharedSender::new(self)`. Without that, a
    /// call that another thread has queued is not delivered when the sender is gone by then.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: there a queued call is delivered without its sender when that is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use std::sync::Arc;
    ///
    /// use slotwork_signals::Handle;
    ///
    /// assert!(Arc::new(5).shared().is_some());
    /// assert!(Rc::new(5).shared().is_none());
    /// ```
    fn shared(&self) -> Option<SharedSender> {
        None
    }

    /// Returns whether only the calling thread emits the object's signals; the default is `false`.
    ///
    /// Slots of this thread then cost nothing for [`shared`](Self::shared).
    ///
    /// # Qt
    ///
    /// `QObject::thread()` is the current thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use slotwork_signals::Handle;
    ///
    /// assert!(!Arc::new(5).is_emitted_here());
    /// ```
    fn is_emitted_here(&self) -> bool {
        false
    }
}

impl<R: ?Sized + 'static> Handle for Rc<R> {
    type Weak = rc::Weak<R>;

    fn downgrade(&self) -> Self::Weak {
        Self::downgrade(self)
    }

    fn upgrade(weak: &Self::Weak) -> Option<Self> {
        weak.upgrade()
    }
}

impl<R: ?Sized + Send + Sync + 'static> Handle for Arc<R> {
    type Weak = sync::Weak<R>;

    fn downgrade(&self) -> Self::Weak {
        Self::downgrade(self)
    }

    fn upgrade(weak: &Self::Weak) -> Option<Self> {
        weak.upgrade()
    }

    fn shared(&self) -> Option<SharedSender> {
        Some(SharedSender::new(self))
    }
}

// In this file, because `Handle` names the type: the two files import each other in one direction.
impl SharedSender {
    /// Returns a sender that lives until its queued calls are over.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use slotwork_signals::SharedSender;
    ///
    /// let sender = SharedSender::new(&Arc::new("sender"));
    /// ```
    pub fn new<H: Handle<Weak: Send + Sync> + Send>(handle: &H) -> Self {
        let weak = handle.downgrade();
        Self::with_guard(move |_value| {
            let guard: Box<dyn DeliveryGuard + Send> = Box::new(Alive(H::upgrade(&weak)?));
            Some(guard)
        })
    }
}

/// Keeps a sender alive.
struct Alive<H>(H);

impl<H> DeliveryGuard for Alive<H> {}
