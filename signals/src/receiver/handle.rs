//! Handles: pointers to objects, which signals and slots hold weakly.

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
/// `QPointer`: signals need to check whether an object still exists.
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
    /// The weak form of the handle, which does not keep the object alive.
    ///
    /// # Qt
    ///
    /// A `QPointer`.
    #[doc(alias = "QPointer")]
    type Weak: 'static;

    /// Returns a weak form of this handle.
    ///
    /// # Qt
    ///
    /// `QSharedPointer::toWeakRef()`, and the constructor of `QPointer`.
    #[doc(alias = "toWeakRef")]
    fn downgrade(&self) -> Self::Weak;

    /// Returns a handle to the object, or `None` if it is dropped.
    ///
    /// # Qt
    ///
    /// `QWeakPointer::toStrongRef()`, and `QPointer::data()`, which does not keep the object alive.
    #[doc(alias = "toStrongRef")]
    fn upgrade(weak: &Self::Weak) -> Option<Self>;

    /// Returns the object as a sender that queued calls keep alive.
    ///
    /// Handle types that are `Send` return `SharedSender::new(self)`. The default is `None`: calls
    /// queued by other threads are not delivered after the sender was dropped.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: it delivers queued calls of a deleted sender, without the sender.
    fn shared(&self) -> Option<SharedSender> {
        None
    }

    /// Returns whether only the calling thread emits the object's signals.
    ///
    /// The default is `false`. With `true`, slots of this thread need no [`shared`](Self::shared)
    /// sender.
    ///
    /// # Qt
    ///
    /// `QObject::thread()` is the current thread.
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

// In this file, because `Handle` uses the type: `delivery_guard.rs` does not import this file.
impl SharedSender {
    /// Returns a sender that is kept alive until its queued calls have ended.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    pub fn new<H: Handle<Weak: Send + Sync> + Send>(handle: &H) -> Self {
        let weak = handle.downgrade();
        Self::with_guard(move |_value| {
            let guard: Box<dyn DeliveryGuard + Send> = Box::new(Alive(H::upgrade(&weak)?));
            Some(guard)
        })
    }
}

/// A guard that keeps a sender alive.
struct Alive<H>(H);

impl<H> DeliveryGuard for Alive<H> {}
