//! What was logged in this thread.

use std::cell::RefCell;

use anyhow::Result;
use log::{LevelFilter, Log, Metadata, Record};

/// Calls `test` and returns the warnings that were logged in this thread meanwhile.
pub(crate) fn warnings_of(test: impl FnOnce() -> Result<()>) -> Result<Vec<String>> {
    // Only the first of a process is taken; all are alike.
    let _ = log::set_logger(&ThreadLog);
    log::set_max_level(LevelFilter::Warn);
    LINES.take();
    test()?;
    Ok(LINES.take())
}

struct ThreadLog;

impl Log for ThreadLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let _ = LINES.try_with(|lines| lines.borrow_mut().push(record.args().to_string()));
    }

    fn flush(&self) {}
}

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}
