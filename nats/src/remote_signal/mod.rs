//! `RemoteSignal`: a signal whose slots run on all nodes.

pub(crate) mod registry;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use async_nats::Subject;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use slotwork::MessageKind;
use slotwork::signals::{Handle, SharedSender, Signal, SignalRef};

use crate::bridge::NatsBridge;
use crate::error::Error;
use crate::outbox::Outgoing;
use crate::remote_signal::registry::Remote;
use crate::shared::Shared;
use crate::subjects::subject_of_name;
use crate::subscriptions::{Kind, Target};

/// A signal of all nodes: an emission on one calls the slots on each.
///
/// [`NatsBridge::signal`] returns it: a cheap handle, which any thread may use. Values travel as
/// JSON, so programs in other languages can take part. An emission reaches the slots of this
/// process at once, and those of other nodes at most once. A value that is not what the type
/// expects is dropped and counted by [`lost`](NatsBridge::lost).
///
/// # Qt
///
/// A signal of a Qt Remote Objects source and of its replicas, without a source that owns it.
///
/// # Examples
///
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use slotwork_nats::{Error, NatsBridge, NatsOptions};
///
/// #[derive(Clone, Deserialize, Serialize)]
/// struct Rate {
///     bid: f64,
///     ask: f64,
/// }
///
/// # fn main() -> Result<(), Error> {
/// let bridge = NatsBridge::connect(NatsOptions::new("nats://10.0.0.1:4222"))?;
/// let rates = bridge.signal::<Rate>("rates.EURUSD")?;
/// rates.received().connect(|_rates, rate| println!("{} {}", rate.bid, rate.ask));
/// rates.emit(&Rate { bid: 1.0830, ask: 1.0832 });
/// # Ok(())
/// # }
/// ```
pub struct RemoteSignal<T: 'static> {
    inner: Arc<Inner<T>>,
}

/// A handle that does not keep its [`RemoteSignal`].
///
/// # Qt
///
/// What `QPointer` is used for.
pub struct WeakRemoteSignal<T: 'static> {
    inner: Weak<Inner<T>>,
}

struct Inner<T: 'static> {
    shared: Arc<Shared>,
    subject: Subject,
    received: Signal<T>,
    /// The subscription has this signal as a user.
    is_subscribed: AtomicBool,
}

/// Remote signals.
impl NatsBridge {
    /// Returns the signal of this name, which all nodes share.
    ///
    /// The name is its subject, such as `rates.EURUSD`: what NATS does not allow in a subject is
    /// percent-encoded. Calls with one name and one type return the same signal. A name belongs to
    /// one type: what is emitted with another type of this process is not received here. A bridged
    /// topic may have the same subject; its messages on other nodes are then values of the signal,
    /// and the signal's values its messages there.
    ///
    /// # Qt
    ///
    /// `QRemoteObjectNode::acquire()`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`] for a name that is empty, longer than 255 bytes or has control
    /// characters, and [`Error::Ended`].
    pub fn signal<T>(&self, name: impl AsRef<str>) -> Result<RemoteSignal<T>, Error>
    where
        T: Serialize + DeserializeOwned + Clone + Send + 'static,
    {
        let subject = Subject::from(subject_of_name(name.as_ref())?);
        let shared = self.open_shared()?;
        let make = || Inner {
            shared: Arc::clone(shared),
            subject: subject.clone(),
            received: Signal::<T>::new(),
            is_subscribed: AtomicBool::new(false),
        };
        Ok(RemoteSignal { inner: shared.remote_signals.get(&subject, make) })
    }
}

impl<T> RemoteSignal<T>
where
    T: Serialize + DeserializeOwned + Clone + Send + 'static,
{
    /// Calls the slots of this process, and those of the other nodes.
    ///
    /// It never waits: the value is queued for the other nodes first. Slots of this thread have run
    /// when it returns.
    ///
    /// # Panics
    ///
    /// When a slot of this thread panics, as [`Signal::emit`]; the other nodes get the value.
    #[doc(alias = "QMetaObject::activate")]
    pub fn emit(&self, value: &T) {
        self.emit_to_others(value);
        self.inner.received.emit(value);
    }

    /// Calls the slots of the other nodes alone.
    ///
    /// A value that cannot be written as JSON is dropped, and counted by
    /// [`lost`](NatsBridge::lost).
    pub fn emit_to_others(&self, value: &T) {
        let shared = &self.inner.shared;
        if shared.has_ended() {
            return;
        }
        match serde_json::to_vec(value) {
            Ok(json) => shared.publish(Outgoing {
                subject: self.inner.subject.clone(),
                payload: Bytes::from(json),
                kind: MessageKind::Text,
                since: None,
            }),
            Err(_) => shared.lose_out(1, "a value of a signal cannot be written as JSON"),
        }
    }

    /// Emitted for each value, of this process or of another node.
    ///
    /// The subject is subscribed at NATS from the first call of this method until no slot is
    /// connected any more: call it for each slot, rather than keep what it returns. Values of other
    /// nodes are emitted by the loop of the bridge.
    ///
    /// # Qt
    ///
    /// The signal of a replica.
    #[must_use]
    pub fn received(&self) -> SignalRef<'_, Self, T> {
        self.inner.subscribe();
        SignalRef::new(self, &self.inner.received)
    }
}

impl<T> Inner<T> {
    fn subscribe(&self) {
        if !self.shared.has_ended() && !self.is_subscribed.swap(true, Ordering::AcqRel) {
            let target = Target::Signal(self.subject.as_str().into());
            self.shared.subscriptions.add(&self.subject, target);
        }
    }

    fn unsubscribe(&self) {
        if self.is_subscribed.swap(false, Ordering::AcqRel) {
            self.shared.subscriptions.release(&self.subject, Kind::Signal);
        }
    }
}

impl<T: DeserializeOwned + Send + 'static> Remote for Inner<T> {
    fn receive(&self, json: &[u8]) -> bool {
        if self.received.slot_count() == 0 {
            self.unsubscribe();
            return true;
        }
        // A slot may have been connected since.
        self.subscribe();
        match serde_json::from_slice(json) {
            Ok(value) => {
                self.received.emit(&value);
                true
            }
            Err(_) => false,
        }
    }

    fn renew(&self) -> bool {
        let has_slots = self.received.slot_count() > 0;
        if has_slots {
            self.subscribe();
        }
        has_slots
    }
}

impl<T> Drop for Inner<T> {
    fn drop(&mut self) {
        self.unsubscribe();
        self.shared.remote_signals.remove_dropped(&self.subject);
    }
}

impl<T: Send + 'static> Handle for RemoteSignal<T> {
    type Weak = WeakRemoteSignal<T>;

    fn downgrade(&self) -> WeakRemoteSignal<T> {
        WeakRemoteSignal { inner: Arc::downgrade(&self.inner) }
    }

    fn upgrade(weak: &WeakRemoteSignal<T>) -> Option<Self> {
        weak.upgrade()
    }

    fn shared(&self) -> Option<SharedSender> {
        Some(SharedSender::new(self))
    }
}

impl<T> WeakRemoteSignal<T> {
    /// Returns the signal, unless its last handle was dropped.
    ///
    /// # Qt
    ///
    /// `QPointer::data()`.
    #[must_use]
    pub fn upgrade(&self) -> Option<RemoteSignal<T>> {
        self.inner.upgrade().map(|inner| RemoteSignal { inner })
    }
}

impl<T> Clone for RemoteSignal<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> Clone for WeakRemoteSignal<T> {
    fn clone(&self) -> Self {
        Self { inner: Weak::clone(&self.inner) }
    }
}

impl<T> fmt::Debug for RemoteSignal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteSignal").field(&self.inner.subject.as_str()).finish()
    }
}

impl<T> fmt::Debug for WeakRemoteSignal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakRemoteSignal").field(&self.upgrade()).finish()
    }
}
