//! The lines that a test logs in its thread.

use std::cell::{Cell, RefCell};

use anyhow::Result;
use log::{LevelFilter, Log, Metadata, Record};

/// Calls `test` and returns the warnings that it logged in this thread.
pub fn warnings_of(test: impl FnOnce() -> Result<()>) -> Result<Vec<String>> {
    logged(LevelFilter::Warn, test)
}

/// The same with the lines of all levels.
pub fn everything_of(test: impl FnOnce() -> Result<()>) -> Result<Vec<String>> {
    logged(LevelFilter::Trace, test)
}

fn logged(level: LevelFilter, test: impl FnOnce() -> Result<()>) -> Result<Vec<String>> {
    // A process keeps its first logger; all of them are alike.
    let _ = log::set_logger(&ThreadLog);
    log::set_max_level(LevelFilter::Trace);
    LINES.take();
    LEVEL.set(level);
    let result = test();
    LEVEL.set(LevelFilter::Off);
    result?;
    Ok(LINES.take())
}

struct ThreadLog;

impl Log for ThreadLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        LEVEL.try_with(|level| metadata.level() <= level.get()).unwrap_or(false)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let _ = LINES.try_with(|lines| lines.borrow_mut().push(record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static LEVEL: Cell<LevelFilter> = const { Cell::new(LevelFilter::Off) };
}
