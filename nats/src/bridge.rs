//! `NatsBridge`: its connection to NATS, its signals and its end.

use std::fmt;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use slotwork::EventLoop;
use slotwork::signals::{Handle, SharedSender, SignalRef};
use tokio::runtime;

use crate::connection::Connection;
use crate::delivery;
use crate::error::Error;
use crate::options::NatsOptions;
use crate::shared::{Shared, Status};

/// A connection to NATS that joins topics and signals of several processes.
///
/// A cheap handle, which any thread may use. The bridge belongs to the loop of the thread that
/// connected it, which delivers what arrives, at most 256 messages a turn; it ends with the last
/// handle, without waiting, or with that thread. [`close`](Self::close) ends it in order.
///
/// While there is no connection, messages of this node wait, 16,384 of them or 8 MiB; over that the
/// oldest are lost. They are sent from 500 ms after the connection is back, when the other nodes
/// have subscribed again. At most 65,536 messages of other nodes, or 64 MiB, wait for a busy loop;
/// over that the oldest are lost, too.
///
/// # Qt
///
/// `QRemoteObjectNode`, for signals; Qt has no counterpart for topics.
///
/// # Examples
///
/// See the [example of the package](crate).
#[derive(Clone)]
#[must_use = "the bridge ends when its last handle is dropped"]
pub struct NatsBridge {
    inner: Arc<Inner>,
}

/// A handle that does not keep its [`NatsBridge`].
///
/// # Qt
///
/// What `QPointer` is used for.
#[derive(Clone)]
pub struct WeakNatsBridge {
    inner: Weak<Inner>,
}

/// Ends the bridge when the last handle is dropped.
struct Inner {
    shared: Arc<Shared>,
}

impl NatsBridge {
    /// Starts a bridge, in a thread of its own.
    ///
    /// It returns at once and connects in the background, as often as it takes: 10 ms after a
    /// failure, then 20 ms, up to 320 ms, each shortened at random. What async-nats has to report
    /// goes to `log`.
    ///
    /// # Qt
    ///
    /// `QRemoteObjectNode::connectToNode()`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUrl`], and [`Error::Thread`] when the system refuses the thread.
    #[doc(alias = "connectToNode")]
    pub fn connect(options: NatsOptions) -> Result<Self, Error> {
        let (bridge, connection) = Self::new(options)?;
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
        let run = move || {
            runtime.block_on(connection.run());
            // A look-up of a host name may be under way.
            runtime.shutdown_background();
        };
        thread::Builder::new()
            .name("slotwork-nats".to_owned())
            .spawn(run)
            .map_err(Error::Thread)?;
        Ok(bridge)
    }

    /// Starts a bridge on a tokio runtime of the program.
    ///
    /// Otherwise as [`connect`](Self::connect), without a thread of its own. The runtime needs its
    /// I/O and time drivers. With `exec_async`, the loop, the client of NATS and other futures can
    /// share one thread.
    ///
    /// # Qt
    ///
    /// `QRemoteObjectNode::connectToNode()`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidUrl`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use slotwork_nats::{Error, NatsBridge, NatsOptions};
    ///
    /// fn connect(runtime: &tokio::runtime::Runtime) -> Result<NatsBridge, Error> {
    ///     NatsBridge::connect_on(runtime.handle(), NatsOptions::new("nats://10.0.0.1:4222"))
    /// }
    /// ```
    pub fn connect_on(handle: &runtime::Handle, options: NatsOptions) -> Result<Self, Error> {
        let (bridge, connection) = Self::new(options)?;
        handle.spawn(connection.run());
        Ok(bridge)
    }

    fn new(mut options: NatsOptions) -> Result<(Self, Connection), Error> {
        let addresses = options.take_addresses()?;
        let shared = Arc::new(Shared::new());
        let delivery = delivery::deliver(Arc::clone(&shared));
        EventLoop::current().spawn(delivery).detach();
        let connection = Connection::new(Arc::clone(&shared), options, addresses);
        Ok((Self { inner: Arc::new(Inner { shared }) }, connection))
    }

    /// Waits until the bridge is connected.
    ///
    /// For programs that are not to start without NATS, with a deadline of their own. A bridge
    /// connects without it, too.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] as soon as a server has refused the credentials; the bridge tries again
    /// nevertheless. [`Error::Ended`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use slotwork::EventLoop;
    /// use slotwork_nats::{Error, NatsBridge, NatsOptions};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let bridge = NatsBridge::connect(NatsOptions::new("nats://10.0.0.1:4222"))?;
    /// EventLoop::current().run_until(bridge.wait_connected())?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_connected(&self) -> Result<(), Error> {
        let mut status = self.shared().status.subscribe();
        let is_known =
            |status: &Status| !matches!(status, Status::Connecting | Status::Disconnected);
        let known = status.wait_for(is_known).await;
        match known.as_deref() {
            Ok(Status::Connected) => Ok(()),
            Ok(Status::Refused(error)) => Err(Error::Refused(error.clone())),
            _ => Err(Error::Ended),
        }
    }

    /// Returns whether the bridge is connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(*self.shared().status.borrow(), Status::Connected)
    }

    /// Ends the bridge in order, within a time.
    ///
    /// What waits is sent, the subscriptions are drained, and what has arrived is delivered, while
    /// the loop runs. Returns how many messages could not be sent. Servers keep working, each for
    /// itself.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use slotwork::EventLoop;
    /// use slotwork_nats::NatsBridge;
    ///
    /// fn end(bridge: &NatsBridge) {
    ///     let unsent = EventLoop::current().run_until(bridge.close(Duration::from_secs(3)));
    ///     println!("{unsent} messages were not sent");
    /// }
    /// ```
    pub async fn close(&self, timeout: Duration) -> usize {
        let shared = self.shared();
        let deadline = Instant::now().checked_add(timeout);
        shared.closing.send_replace(deadline.or_else(|| Some(Instant::now() + LONGEST_END)));
        shared.control.notify_one();
        let mut status = shared.status.subscribe();
        let ended = status.wait_for(|status| matches!(status, Status::Ended(_))).await;
        match ended.as_deref() {
            Ok(Status::Ended(unsent)) => *unsent,
            _ => 0,
        }
    }

    /// Emitted when the bridge has connected, also each time it has again.
    ///
    /// # Qt
    ///
    /// `QRemoteObjectReplica::stateChanged()` to `Valid`.
    #[must_use]
    pub fn connected(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.shared().signals.connected)
    }

    /// Emitted when the connection to NATS is lost; the bridge tries to connect again.
    ///
    /// # Qt
    ///
    /// `QRemoteObjectReplica::stateChanged()` to `Suspect`.
    #[must_use]
    pub fn disconnected(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.shared().signals.disconnected)
    }

    /// Emitted once behind each gap: messages of an unknown number may be missing.
    ///
    /// 500 ms after the connection is back, and when a busy loop has lost messages. A program that
    /// has a state elsewhere, such as in a database, reads it again.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn resync_needed(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.shared().signals.resync_needed)
    }

    /// Emitted with the number of messages that are known to be lost.
    ///
    /// In either direction. At most ten times a second, with the sum since the last time; a warning
    /// is logged with a reason. What was under way when a connection broke is not known, and not in
    /// the number.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn lost(&self) -> SignalRef<'_, Self, u64> {
        SignalRef::new(self, &self.shared().signals.lost)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// Returns the shared state, unless the bridge has ended.
    pub(crate) fn open_shared(&self) -> Result<&Arc<Shared>, Error> {
        let shared = self.shared();
        if shared.has_ended() { Err(Error::Ended) } else { Ok(shared) }
    }
}

impl WeakNatsBridge {
    /// Returns the bridge, unless its last handle was dropped.
    ///
    /// # Qt
    ///
    /// `QPointer::data()`.
    #[must_use]
    pub fn upgrade(&self) -> Option<NatsBridge> {
        self.inner.upgrade().map(|inner| NatsBridge { inner })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Handle for NatsBridge {
    type Weak = WeakNatsBridge;

    fn downgrade(&self) -> WeakNatsBridge {
        WeakNatsBridge { inner: Arc::downgrade(&self.inner) }
    }

    fn upgrade(weak: &WeakNatsBridge) -> Option<Self> {
        weak.upgrade()
    }

    fn shared(&self) -> Option<SharedSender> {
        Some(SharedSender::new(self))
    }
}

/// Two handles are equal when they refer to the same bridge.
impl PartialEq for NatsBridge {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for NatsBridge {}

impl fmt::Debug for NatsBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsBridge").field("status", &*self.shared().status.borrow()).finish()
    }
}

impl fmt::Debug for WeakNatsBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakNatsBridge").field(&self.upgrade()).finish()
    }
}

/// What a timeout means that is longer than clocks count.
const LONGEST_END: Duration = Duration::from_secs(365 * 24 * 3600);
