//! The client for which values are being encoded or decoded, known to the thread.
//!
//! serde's traits have no argument for it, and an object as a value needs it: what it is called,
//! and whether the client may use it, differs from client to client.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use slotwork::WebSocket;

use crate::error::Error;
use crate::instance::Instance;

/// A client of a channel, as values see it.
pub(crate) trait Exchange {
    /// Returns the JSON of an object as a value.
    ///
    /// `make` is called if the channel does not know the object yet.
    fn reference(
        &self,
        address: *const (),
        make: &dyn Fn() -> Result<Box<dyn Instance>, Error>,
    ) -> Result<String, String>;

    /// Returns an object that the client may use.
    fn object(&self, id: &str) -> Option<Rc<dyn Any>>;

    /// Returns whether the client may use an object.
    fn has_object(&self, id: &str) -> bool;

    /// Returns the client if it is the caller of a method.
    fn caller(&self) -> Option<WebSocket>;
}

/// What the thread encodes or decodes at the moment.
#[derive(Default)]
struct Scope {
    exchange: RefCell<Option<Rc<dyn Exchange>>>,
    /// Whether values are encoded or decoded, rather than methods called.
    is_coding: Cell<bool>,
    /// The enclosing values whose keys the client may visit in another order.
    reordered: Cell<usize>,
    /// Address and length of the JSON of an object that is about to be written.
    fragment: Cell<(usize, usize)>,
}

/// Restores what was before, at its end.
pub(crate) struct Entered {
    exchange: Option<Rc<dyn Exchange>>,
    is_coding: bool,
    reordered: usize,
}

/// Sets the client until the returned value is dropped.
#[must_use]
pub(crate) fn enter(exchange: Rc<dyn Exchange>) -> Entered {
    with(|scope| Entered {
        exchange: scope.exchange.replace(Some(exchange)),
        is_coding: scope.is_coding.replace(false),
        reordered: scope.reordered.replace(0),
    })
    .unwrap_or_else(|| Entered { exchange: None, is_coding: false, reordered: 0 })
}

impl Drop for Entered {
    fn drop(&mut self) {
        let former = with(|scope| {
            scope.is_coding.set(self.is_coding);
            scope.reordered.set(self.reordered);
            scope.exchange.replace(self.exchange.take())
        });
        drop(former);
    }
}

/// Encodes or decodes values: objects among them find the client meanwhile.
pub(crate) fn coding<T>(code: impl FnOnce() -> T) -> T {
    let _former = Coding(with(|scope| (scope.is_coding.replace(true), scope.reordered.get())));
    code()
}

/// Restores what was before, also after a panic.
struct Coding(Option<(bool, usize)>);

impl Drop for Coding {
    fn drop(&mut self) {
        if let Some((is_coding, reordered)) = self.0 {
            with(|scope| {
                scope.is_coding.set(is_coding);
                scope.reordered.set(reordered);
            });
        }
    }
}

/// Returns the client for which values are encoded or decoded at the moment.
pub(crate) fn current() -> Option<Rc<dyn Exchange>> {
    with(|scope| scope.is_coding.get().then(|| scope.exchange.borrow().clone())).flatten().flatten()
}

/// Returns the client that calls the method which runs.
pub(crate) fn caller() -> Option<WebSocket> {
    let exchange = with(|scope| scope.exchange.borrow().clone()).flatten()?;
    exchange.caller()
}

/// Begins a value under a key that looks like an index of an array.
///
/// `JSON.parse` moves those to the front of their object.
pub(crate) fn begin_reordered() {
    with(|scope| scope.reordered.set(scope.reordered.get() + 1));
}

/// Ends the object that has such a key.
pub(crate) fn end_reordered() {
    with(|scope| scope.reordered.set(scope.reordered.get().saturating_sub(1)));
}

/// Returns whether the client may visit what is written in another order.
pub(crate) fn is_reordered() -> bool {
    with(|scope| scope.reordered.get() > 0).unwrap_or(false)
}

/// Lets the JSON of an object pass the encoder while `write` runs.
pub(crate) fn allowing<T>(fragment: &str, write: impl FnOnce() -> T) -> T {
    with(|scope| scope.fragment.set(place_of(fragment)));
    let result = write();
    with(|scope| scope.fragment.take());
    result
}

/// Returns whether a text is the JSON of an object, made by the channel.
pub(crate) fn is_allowed(fragment: &str) -> bool {
    with(|scope| scope.fragment.take() == place_of(fragment)).unwrap_or(false)
}

fn place_of(fragment: &str) -> (usize, usize) {
    (fragment.as_ptr().addr(), fragment.len())
}

/// `None` when the thread is ending.
fn with<T>(look: impl FnOnce(&Scope) -> T) -> Option<T> {
    SCOPE.try_with(look).ok()
}

thread_local! {
    static SCOPE: Scope = Scope::default();
}
