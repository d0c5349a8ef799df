//! What threads share, as loom has it: every order of its steps is tried.

pub(crate) use loom::sync::atomic::{AtomicU8, Ordering};
