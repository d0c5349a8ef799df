//! Published objects without their types.

use std::any::Any;
use std::pin::Pin;
use std::rc::Rc;

use serde_json::Value;
use slotwork::signals::Connection;

use crate::class_info::ClassInfo;
use crate::error::CallFailure;

/// An object of any class.
///
/// All methods but `info` and `is_alive` run code of the program: no borrow may be held.
pub(crate) trait Instance {
    fn info(&self) -> &ClassInfo;

    fn is_alive(&self) -> bool;

    /// Returns the `Rc` of the object, unless it was dropped.
    fn upgrade(&self) -> Option<Rc<dyn Any>>;

    /// Writes the value of a property.
    fn write_value(&self, property: usize, out: &mut Vec<u8>) -> Result<(), CallFailure>;

    /// Writes the list of arguments of a property's last notify signal.
    fn write_last(&self, property: usize, out: &mut Vec<u8>) -> Result<(), CallFailure>;

    fn set_value(&self, property: usize, value: Value) -> Result<(), CallFailure>;

    /// Calls a method, which writes its result or is not done yet.
    fn call(
        &self,
        method: usize,
        arguments: Vec<Value>,
        out: &mut Vec<u8>,
    ) -> Result<Called, CallFailure>;

    /// Keeps the arguments of a property's notify signal from now on.
    fn watch(&self, property: usize, relay: Rc<dyn ChangeRelay>) -> Option<Connection>;

    /// Connects one of the plain signals, by its place among those.
    fn connect(&self, signal: usize, relay: Rc<dyn SignalRelay>) -> Option<Connection>;
}

/// The progress of a call.
pub(crate) enum Called {
    /// The result is written.
    Done,
    /// The method is async, and writes its result when it is done.
    Pending(PendingCall),
}

/// The run of an async method.
pub(crate) type PendingCall = Pin<Box<dyn Future<Output = Result<Vec<u8>, CallFailure>>>>;

/// What the slot of a notify signal reports to; dropped with the object.
pub(crate) trait ChangeRelay {
    /// Returns whether any client exists, so that the arguments have to be kept.
    fn is_wanted(&self) -> bool;

    /// Reports an emission.
    fn changed(&self);
}

/// What the slot of a plain signal reports to; dropped with the object.
pub(crate) trait SignalRelay {
    /// Reports an emission; `write` writes the list of its arguments.
    ///
    /// It is not called if no client wants them.
    fn emitted(&self, write: &dyn Fn(&mut Vec<u8>) -> Result<(), CallFailure>);
}
