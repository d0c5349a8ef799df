//! User data: values that a program attaches to its sockets.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::runtime::panics;
use crate::socket::WebSocket;
use crate::socket::state::{Inner, UserData, UserDataSet};

impl UserData {
    pub(crate) fn new<T: Any + Send + Sync>(value: T) -> Self {
        Self(Arc::new(value))
    }

    fn is<T: Any>(&self) -> bool {
        (*self.0).is::<T>()
    }

    fn is_like(&self, other: &Self) -> bool {
        (*self.0).type_id() == (*other.0).type_id()
    }
}

impl fmt::Debug for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserData")
    }
}

impl UserDataSet {
    /// Sets the value of its type; returns the former one, to be dropped unlocked.
    fn set(&mut self, data: UserData) -> Option<UserData> {
        let former = self.0.iter().position(|slot| slot.is_like(&data));
        let former = former.map(|place| self.0.swap_remove(place));
        self.0.push(data);
        former
    }

    fn get<T: Any>(&self) -> Option<UserData> {
        self.0.iter().find(|slot| slot.is::<T>()).cloned()
    }

    fn take<T: Any>(&mut self) -> Option<UserData> {
        let place = self.0.iter().position(UserData::is::<T>)?;
        Some(self.0.swap_remove(place))
    }
}

impl Drop for UserDataSet {
    /// One by one: two values that panic during one unwinding would abort the process.
    fn drop(&mut self) {
        for data in self.0.drain(..) {
            panics::catch("the end of a socket's data", || drop(data));
        }
    }
}

impl Inner {
    /// Attaches a value of the program.
    pub(crate) fn set_data(&self, data: UserData) {
        let former = self.lazy().data().set(data);
        drop(former);
    }

    /// Accesses the values of the program, if there are any.
    fn with_data<T>(&self, look: impl FnOnce(&mut UserDataSet) -> Option<T>) -> Option<T> {
        look(&mut self.lazy.get()?.data())
    }
}

/// User data.
impl WebSocket {
    /// Attaches a value to the socket, and replaces the one of the same type.
    ///
    /// All handles of the socket share it, also after `disconnected`; it is dropped with the last
    /// of them. A type of your own keeps values apart; a value that changes needs a `Mutex` or an
    /// atomic. A handle of a socket in its own data would keep it in memory for ever:
    /// [`WeakWebSocket`](crate::WeakWebSocket) does not.
    ///
    /// # Qt
    ///
    /// `QObject::setProperty()`, with a type in the place of the name.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// struct Name(String);
    ///
    /// fn on_new_socket(socket: &WebSocket) {
    ///     socket.set_data(Name("Ada".into()));
    ///     socket.disconnected().connect(|socket, ()| {
    ///         if let Some(name) = socket.data::<Name>() {
    ///             println!("{} is gone", name.0);
    ///         }
    ///     });
    /// }
    /// ```
    #[doc(alias = "setProperty")]
    pub fn set_data<T: Any + Send + Sync>(&self, value: T) {
        self.inner.set_data(UserData::new(value));
    }

    /// Returns the attached value of this type; `None` without one.
    ///
    /// It comes from [`set_data`](Self::set_data), or from the verdict of the server's verifier
    /// ([`Verdict::accept_with`](crate::Verdict::accept_with)).
    ///
    /// # Qt
    ///
    /// `QObject::property()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{WebSocket, WebSocketServer};
    ///
    /// struct Name(String);
    ///
    /// fn broadcast_with_name(server: &WebSocketServer, sender: &WebSocket, text: &str) {
    ///     let Some(name) = sender.data::<Name>() else { return };
    ///     server.broadcast_text(format!("{}: {text}", name.0));
    /// }
    /// ```
    #[doc(alias = "property")]
    #[must_use]
    pub fn data<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let data = self.inner.with_data(|values| values.get::<T>())?;
        data.0.downcast().ok()
    }

    /// Removes the attached value of this type, and returns it; `None` without one.
    pub fn take_data<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let data = self.inner.with_data(UserDataSet::take::<T>)?;
        data.0.downcast().ok()
    }
}
