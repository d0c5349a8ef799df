//! What clients know of objects, since their init or since they got them.
//!
//! Not in `client`, which the registry imports.

use crate::client::{Client, Knowledge};
use crate::registry::Entry;

impl Client {
    /// Returns whether the client may use an object.
    pub(crate) fn may_use(&self, entry: &Entry) -> bool {
        entry.is_registered || self.state.borrow().known.contains_key(&entry.key)
    }

    /// Returns whether the client knows the class of an object.
    pub(crate) fn knows(&self, entry: &Entry) -> bool {
        let is_listed = entry.is_registered && entry.key <= self.init_key.get();
        is_listed || self.state.borrow().known.get(&entry.key) == Some(&Knowledge::Class)
    }

    /// Returns what it knows of an object.
    pub(crate) fn knowledge(&self, entry: &Entry) -> Option<Knowledge> {
        if self.knows(entry) {
            return Some(Knowledge::Class);
        }
        self.may_use(entry).then_some(Knowledge::Id)
    }

    /// Changes what it knows of an object; returns what it knew before.
    pub(crate) fn learn(&self, entry: &Entry, knowledge: Option<Knowledge>) -> Option<Knowledge> {
        let state = &mut *self.state.borrow_mut();
        let former = match knowledge {
            Some(knowledge) => state.known.insert(entry.key, knowledge),
            None => state.known.remove(&entry.key),
        };
        let (count, returned) = (entry.clients.get(), usize::from(!entry.is_registered));
        match (former, knowledge) {
            (None, Some(_)) => {
                entry.clients.set(count + 1);
                state.returned += returned;
            }
            (Some(_), None) => {
                entry.clients.set(count.saturating_sub(1));
                state.returned = state.returned.saturating_sub(returned);
            }
            _ => {}
        }
        former
    }
}
