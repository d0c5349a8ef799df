//! What becomes of a panic in a call that the event loop makes.

/// What becomes of a panic in a posted call, a timer's slot, a queued slot or a task.
///
/// The default is [`Report`](Self::Report). Either way the call that panics ends alone: other calls
/// and sockets go on, and the loop may be run again.
///
/// # Qt
///
/// An exception that leaves a slot ends a Qt program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PanicPolicy {
    /// It is logged as an error and told by `EventLoop::panicked`; the loop goes on.
    #[default]
    Report,
    /// It is logged and told as well, and then leaves `exec`, or whatever runs the loop.
    Propagate,
}
