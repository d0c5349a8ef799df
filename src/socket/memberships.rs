//! Memberships of a socket, such as in topics, which end with its connection.

use std::any::Any;
use std::sync::Arc;

use crate::event_loop::WeakLoopHandle;
use crate::socket::WebSocket;
use crate::socket::state::{End, Inner, MembershipList};

/// The groups that a socket is in; `socket` knows nothing else of them.
pub(crate) trait Memberships: Any + Default + Send + Sync {
    /// Ends all memberships of the socket, which has disconnected.
    fn end(&self, socket: &WebSocket);
}

impl WebSocket {
    /// Returns the memberships of this socket, which this makes.
    pub(crate) fn memberships_or_new<M: Memberships>(&self) -> Option<&M> {
        let memberships = &self.inner.lazy().memberships;
        memberships.get_or_init(|| Box::new(MembershipList::of::<M>())).get()
    }

    /// Returns the memberships of this socket, if it ever had one.
    pub(crate) fn memberships<M: Memberships>(&self) -> Option<&M> {
        self.inner.lazy.get()?.memberships.get()?.get()
    }

    /// Returns the loop on which the socket lives.
    pub(crate) fn event_loop(&self) -> Option<WeakLoopHandle> {
        match &self.inner.end {
            End::Server(_) | End::Proxied(_) => self.inner.membership.event_loop(),
            End::Client(end) => Some(end.event_loop.downgrade()),
        }
    }
}

impl Inner {
    /// Ends all memberships, if there are any.
    pub(crate) fn end_memberships(self: &Arc<Self>) {
        let memberships = self.lazy.get().and_then(|lazy| lazy.memberships.get());
        if let Some(memberships) = memberships {
            (memberships.end)(&*memberships.list, self);
        }
    }
}

impl MembershipList {
    fn of<M: Memberships>() -> Self {
        Self { list: Box::<M>::default(), end: end::<M> }
    }

    fn get<M: Memberships>(&self) -> Option<&M> {
        self.list.downcast_ref()
    }
}

fn end<M: Memberships>(list: &(dyn Any + Send + Sync), inner: &Arc<Inner>) {
    if let Some(memberships) = list.downcast_ref::<M>() {
        memberships.end(&WebSocket { inner: Arc::clone(inner) });
    }
}
