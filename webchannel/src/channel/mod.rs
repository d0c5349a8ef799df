//! The channel: its objects, its clients and its signals.

use std::fmt;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use slotwork::WebSocket;
use slotwork::signals::{Handle, SignalRef};

use crate::channel::state::Inner;
use crate::error::{CallError, Error};
use crate::publish::Publish;
use crate::scope;

mod calls;
mod clients;
mod coding;
mod objects;
mod properties;
mod signals;
mod state;

/// Publishes objects to web pages that have the client of `QtWebChannel`.
///
/// A cheap handle: clones are the same channel. It lives in the thread that made it, with its
/// objects; the sockets of its clients may belong to other loops. Each page can call everything
/// that is registered, so a server restricts the origins of pages, or verifies its clients. When
/// the last handle is dropped, the channel serves its clients no more, and leaves them connected.
///
/// # Qt
///
/// `QWebChannel`. The sockets are its transports.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// use slotwork::signals::{Signal, SignalRef};
/// use slotwork::{EventLoop, HostAddress, OriginPolicy, SslMode, WebSocketServer};
/// use slotwork_webchannel::{Publish, Publisher, WebChannel};
///
/// #[derive(Default)]
/// struct Lamp {
///     is_on: Cell<bool>,
///     is_on_changed: Signal<bool>,
/// }
///
/// impl Publish for Lamp {
///     fn publish(with: &mut Publisher<Self>) {
///         with.writable_property("isOn", Self::is_on, Self::set_on, Self::is_on_changed);
///     }
/// }
///
/// impl Lamp {
///     fn is_on(self: &Rc<Self>) -> bool {
///         self.is_on.get()
///     }
///
///     fn set_on(self: &Rc<Self>, is_on: bool) {
///         if self.is_on.replace(is_on) != is_on {
///             self.is_on_changed.emit(&is_on);
///         }
///     }
///
///     fn is_on_changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, bool> {
///         SignalRef::new(self, &self.is_on_changed)
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (lamp, channel) = (Rc::new(Lamp::default()), WebChannel::new());
///     channel.register("lamp", &lamp)?;
///
///     let server = WebSocketServer::new("Lamp", SslMode::NonSecure);
///     server.set_origin_policy(OriginPolicy::Loopback)?;
///     server.new_connection().connect_to(&channel, |channel, server, ()| {
///         while let Some(socket) = server.next_pending_connection() {
///             channel.connect_to(&socket);
///         }
///     });
///     server.listen(HostAddress::LocalHost, 0)?;
/// #   EventLoop::current().handle().quit();
///     EventLoop::current().exec();
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct WebChannel {
    inner: Rc<Inner>,
}

/// A handle that does not keep its [`WebChannel`] alive.
///
/// # Qt
///
/// What `QPointer` is used for.
#[derive(Clone)]
pub struct WeakWebChannel {
    inner: Weak<Inner>,
}

/// Objects.
impl WebChannel {
    /// Makes a channel without objects, of this thread's loop.
    #[must_use]
    pub fn new() -> Self {
        Self { inner: Inner::new() }
    }

    /// Publishes an object under a name.
    ///
    /// It is held weakly: when the program drops it, its clients get `destroyed`. Pages that connect
    /// later find it in `channel.objects`; those that are connected get it as the result of a
    /// method ([`Object`](crate::Object)). A name is any text but the empty one and `__proto__`. An
    /// object that pages had before, as a result, is a new object for them, and the old one
    /// `destroyed`.
    ///
    /// # Errors
    ///
    /// When the name is invalid or taken, the object is registered already, or its
    /// [`Publish`] lists a member that the client cannot have.
    ///
    /// # Qt
    ///
    /// `QWebChannel::registerObject()`, which replaces an object of the same name with a warning.
    #[doc(alias = "registerObject")]
    #[doc(alias = "registerObjects")]
    pub fn register<T: Publish>(&self, name: &str, object: &Rc<T>) -> Result<(), Error> {
        self.inner.register(name, object)
    }

    /// Withdraws an object; returns whether it was registered.
    ///
    /// Its clients get `destroyed`, and their calls of its async methods are dropped.
    ///
    /// # Qt
    ///
    /// `QWebChannel::deregisterObject()`.
    #[doc(alias = "deregisterObject")]
    pub fn deregister<T: Publish>(&self, object: &Rc<T>) -> bool {
        self.inner.deregister(object)
    }

    /// Returns the names of the registered objects, in the order of their registration.
    ///
    /// # Qt
    ///
    /// The keys of `QWebChannel::registeredObjects()`.
    #[doc(alias = "registeredObjects")]
    #[must_use]
    pub fn registered_names(&self) -> Vec<String> {
        self.inner.names()
    }
}

/// Clients.
impl WebChannel {
    /// Serves the page behind a socket.
    ///
    /// To be called where the socket is taken from the server, so that no message is missed. It
    /// ends with the socket's `disconnected`, or [`disconnect_from`](Self::disconnect_from). A
    /// socket that is served already, or has no connection, is ignored.
    ///
    /// # Qt
    ///
    /// `QWebChannel::connectTo()`.
    #[doc(alias = "connectTo")]
    #[doc(alias = "QWebChannelAbstractTransport")]
    #[doc(alias = "messageReceived")]
    pub fn connect_to(&self, socket: &WebSocket) {
        if self.inner.connect_client(socket) {
            self.inner.client_connected.emit(socket);
        }
    }

    /// Serves the page behind a socket no more; the socket stays open.
    ///
    /// # Qt
    ///
    /// `QWebChannel::disconnectFrom()`.
    #[doc(alias = "disconnectFrom")]
    pub fn disconnect_from(&self, socket: &WebSocket) {
        self.inner.disconnect_client(socket);
    }

    /// Returns the sockets of the clients, in no order.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn clients(&self) -> Vec<WebSocket> {
        self.inner.clients.borrow().keys().cloned().collect()
    }

    /// Returns the client that calls the method, or writes the property, which runs.
    ///
    /// In async methods it is known all the time; `None` outside of calls. A verifier of the server
    /// can attach data to it ([`WebSocket::data`]), such as the user and the permissions.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: an object does not know which page calls it.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_webchannel::WebChannel;
    ///
    /// struct Permissions {
    ///     may_delete: bool,
    /// }
    ///
    /// fn check() -> Result<(), &'static str> {
    ///     let permissions = WebChannel::caller().and_then(|socket| socket.data::<Permissions>());
    ///     match permissions {
    ///         Some(permissions) if permissions.may_delete => Ok(()),
    ///         _ => Err("not permitted"),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn caller() -> Option<WebSocket> {
        scope::caller()
    }
}

/// Signals.
impl WebChannel {
    /// Emitted when the channel serves another client.
    #[must_use]
    pub fn client_connected(&self) -> SignalRef<'_, Self, WebSocket> {
        SignalRef::new(self, &self.inner.client_connected)
    }

    /// Emitted when a client has disconnected, or is served no more.
    #[must_use]
    pub fn client_disconnected(&self) -> SignalRef<'_, Self, WebSocket> {
        SignalRef::new(self, &self.inner.client_disconnected)
    }

    /// Emitted when a call of a client has failed, or a value could not be sent.
    ///
    /// The client gets no reason. It is logged as well, once a second at most. In the slot,
    /// [`caller`](Self::caller) is the client that has called.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: it warns on the console.
    #[must_use]
    pub fn call_failed(&self) -> SignalRef<'_, Self, CallError> {
        SignalRef::new(self, &self.inner.call_failed)
    }
}

/// Property updates, limits.
impl WebChannel {
    /// Sets how long changes of properties are collected; the default is 50 ms.
    ///
    /// A page gets one update for all of them, when it has processed the one before. With 0 they
    /// are sent in the loop's next turn.
    ///
    /// # Qt
    ///
    /// `QWebChannel::setPropertyUpdateInterval()`, in milliseconds; a negative number is "at once"
    /// there.
    #[doc(alias = "setPropertyUpdateInterval")]
    pub fn set_property_update_interval(&self, interval: Duration) {
        self.inner.updates.borrow_mut().set_interval(interval);
    }

    /// Returns how long changes of properties are collected.
    #[doc(alias = "propertyUpdateInterval")]
    #[must_use]
    pub fn property_update_interval(&self) -> Duration {
        self.inner.updates.borrow().interval()
    }

    /// Sets whether property updates are held back; not by default.
    ///
    /// Then the changes of that time are sent at once. Signals are not held back.
    ///
    /// # Qt
    ///
    /// `QWebChannel::setBlockUpdates()`.
    #[doc(alias = "setBlockUpdates")]
    pub fn set_block_updates(&self, is_blocked: bool) {
        self.inner.updates.borrow_mut().set_blocked(Instant::now(), is_blocked);
        self.inner.arm();
    }

    /// Returns whether property updates are held back.
    #[doc(alias = "blockUpdates")]
    #[must_use]
    pub fn block_updates(&self) -> bool {
        self.inner.updates.borrow().is_blocked()
    }

    /// Sets how many async calls of one client may be under way; the default is 64.
    ///
    /// With so many its socket is not read from until one is done, so that TCP holds the client
    /// back. 0 counts as 1.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    pub fn set_max_calls(&self, limit: usize) {
        self.inner.max_calls.set(limit.max(1));
    }

    /// Returns how many async calls of one client may be under way.
    #[must_use]
    pub fn max_calls(&self) -> usize {
        self.inner.max_calls.get()
    }

    /// Sets how many objects one client may get as values; the default is 10,000.
    ///
    /// A call that would give it another one fails. Registered objects do not count.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    pub fn set_max_objects(&self, limit: usize) {
        self.inner.max_objects.set(limit);
    }

    /// Returns how many objects one client may get as values.
    #[must_use]
    pub fn max_objects(&self) -> usize {
        self.inner.max_objects.get()
    }
}

impl WeakWebChannel {
    /// Returns the channel, unless its last handle was dropped.
    #[must_use]
    pub fn upgrade(&self) -> Option<WebChannel> {
        Some(WebChannel { inner: self.inner.upgrade()? })
    }
}

impl Handle for WebChannel {
    type Weak = WeakWebChannel;

    fn downgrade(&self) -> WeakWebChannel {
        WeakWebChannel { inner: Rc::downgrade(&self.inner) }
    }

    fn upgrade(weak: &WeakWebChannel) -> Option<Self> {
        weak.upgrade()
    }

    fn is_emitted_here(&self) -> bool {
        true
    }
}

impl Default for WebChannel {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WebChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = self.inner.clients.borrow().len();
        write!(f, "WebChannel({:?}, {clients} clients)", self.registered_names())
    }
}

impl fmt::Debug for WeakWebChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakWebChannel")
    }
}
