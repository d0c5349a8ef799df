//! The way in which every setting of a server is changed, and copied to its parts.

use std::mem;
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::server::configuration::Configuration;
use crate::server::state::Inner;
use crate::server::threads::parts::Parts;
use crate::session::Settings;

/// The place of a setting in the configuration.
pub(crate) type Field<T> = fn(&mut Configuration) -> &mut T;

impl Inner {
    /// Changes a setting.
    pub(crate) fn set<T: Clone + 'static>(self: &Arc<Self>, field: Field<T>, value: T) {
        // Outside the lock: it may be a value of the program.
        drop(self.replace(field, value));
    }

    /// Changes a setting, which the parts copy, and returns its former value.
    pub(crate) fn replace<T: Clone + 'static>(self: &Arc<Self>, field: Field<T>, value: T) -> T {
        let former = self.replace_here(field, value);
        for part in self.parts.get().map(Parts::running).into_iter().flatten() {
            let (whole, server) = (Arc::downgrade(self), Weak::clone(&part.server));
            part.event_loop.run(move || {
                let (Some(whole), Some(server)) = (whole.upgrade(), server.upgrade()) else {
                    return;
                };
                // What is set by now, so that the order of these calls does not matter.
                let value = field(whole.lock().configuration.get_mut()).clone();
                drop(server.replace_here(field, value));
            });
        }
        former
    }

    /// Copies all settings of the whole server to this part of it.
    pub(crate) fn copy_configuration(&self, whole: &Self) {
        let configuration = whole.lock().configuration.clone();
        drop(self.replace_here(|configuration| configuration, configuration));
    }

    fn replace_here<T>(&self, field: Field<T>, value: T) -> T {
        let mut state = self.lock();
        let former = mem::replace(field(state.configuration.get_mut()), value);
        let interval = state.configuration.keepalive_interval;
        let (needs_keepalive, waiting) = self.clients.set_keepalive_interval(interval);
        drop(state);

        waiting.into_iter().for_each(Waker::wake);
        if needs_keepalive {
            self.start_keepalive();
        }
        former
    }

    /// Returns the settings for sockets of new clients.
    pub(crate) fn socket_settings(&self) -> Settings {
        self.lock().configuration.sockets.unwrap_or_default()
    }
}

/// Returns the settings for sockets of new clients, to change one of them.
pub(crate) fn sockets(configuration: &mut Configuration) -> &mut Settings {
    configuration.sockets.get_or_insert_default()
}
