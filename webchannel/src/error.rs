//! What goes wrong: errors of the program, and failed calls of clients.

use std::any::Any;
use std::error;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The reason why an object could not be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The name of an object is empty, or one that pages cannot use.
    InvalidName(String),
    /// Another object is registered under this name.
    NameTaken(String),
    /// The object is registered already, under this name.
    AlreadyRegistered(String),
    /// The [`Publish`](crate::Publish) of a type lists a member that pages cannot use.
    InvalidClass {
        /// The Rust name of the type.
        class: &'static str,
        /// The published name of the member.
        member: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidName(name) => write!(f, "an object cannot be called {name:?}"),
            Self::NameTaken(name) => write!(f, "another object is registered as {name:?}"),
            Self::AlreadyRegistered(name) => write!(f, "the object is registered as {name:?}"),
            Self::InvalidClass { class, member, reason } => {
                write!(f, "{class} cannot publish {member:?}: {reason}")
            }
        }
    }
}

impl error::Error for Error {}

/// A call of a client that failed, or a value that could not be sent.
///
/// The client is answered without a reason; the reason is for logs and metrics.
///
/// # Qt
///
/// Qt has no counterpart: failed calls are warnings on the console.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallError {
    /// The name or id of the object, as the client gave it, cut to 256 bytes.
    pub object: String,
    /// The name of the method, property or signal, cut to 256 bytes.
    pub method: String,
    /// The reason.
    pub cause: CallFailure,
}

impl CallError {
    pub(crate) fn new(object: &str, method: &str, cause: CallFailure) -> Self {
        let cut = |text| beginning(text, MOST_SHOWN).to_owned();
        Self { object: cut(object), method: cut(method), cause }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, method, cause } = self;
        write!(f, "{method:?} of object {object:?}: {cause}")
    }
}

impl error::Error for CallError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// The reason why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallFailure {
    /// The client may use no object of this id.
    UnknownObject,
    /// The object publishes no method of this name or index.
    UnknownMethod,
    /// The arguments, or the written value, do not fit.
    InvalidArguments(String),
    /// The method returned this error.
    Failed(String),
    /// The result, or the value of a property or signal, cannot be sent.
    InvalidValue(String),
    /// The method, getter or setter panicked with this message.
    Panicked(String),
    /// A client has written a property without a setter.
    NotWritable,
    /// A client has deleted an object that is registered.
    NotDeletable,
    /// The object was destroyed before the method had finished.
    ObjectDestroyed,
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownObject => f.write_str("the client has no such object"),
            Self::UnknownMethod => f.write_str("no such method"),
            Self::InvalidArguments(reason) => write!(f, "wrong arguments: {reason}"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
            Self::InvalidValue(reason) => write!(f, "the value cannot be sent: {reason}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::NotWritable => f.write_str("the property has no setter"),
            Self::NotDeletable => f.write_str("registered objects cannot be deleted by clients"),
            Self::ObjectDestroyed => f.write_str("the object was destroyed"),
        }
    }
}

impl error::Error for CallFailure {}

/// Calls the program's code; a panic becomes a failure.
pub(crate) fn caught<T>(call: impl FnOnce() -> Result<T, CallFailure>) -> Result<T, CallFailure> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| Err(panicked(payload)))
}

/// Returns the failure of a call that has panicked.
pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> CallFailure {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let failure = CallFailure::Panicked(text.unwrap_or("without a message").to_owned());
    discard(payload);
    failure
}

/// Drops a value of the program, which may panic.
pub(crate) fn discard<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // So may the payload.
        mem::forget(payload);
    }
}

/// Returns the beginning of a text that a client has sent, at most so many bytes.
fn beginning(text: &str, length: usize) -> &str {
    let mut end = text.len().min(length);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Returns what a line of the log shows of a text that a client has sent.
///
/// Its beginning, with control characters escaped: clients write no lines of their own.
pub(crate) fn on_one_line(text: &str) -> String {
    let mut line = String::new();
    for character in beginning(text, MOST_LOGGED).chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// In bytes.
const MOST_LOGGED: usize = 1024;
/// In bytes.
const MOST_SHOWN: usize = 256;
