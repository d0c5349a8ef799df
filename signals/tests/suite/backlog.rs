//! The warning about a queue that is not run.

use std::sync::Mutex;
use std::thread;

use log::{Level, LevelFilter, Log, Metadata, Record};
use slotwork_signals::{Signal, process_events};

/// Keeps the warnings of this crate.
struct Warnings(Mutex<Vec<String>>);

impl Log for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() == Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata())
            && let Ok(mut warnings) = self.0.lock()
        {
            warnings.push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

static WARNINGS: Warnings = Warnings(Mutex::new(Vec::new()));

/// 100 000 pending calls, of this thread or of others, are reported once.
#[test]
fn backlog_is_reported() {
    log::set_logger(&WARNINGS).unwrap();
    log::set_max_level(LevelFilter::Warn);
    let signal = Signal::<()>::new();
    signal.queued().connect(|()| {});

    (0..100_001).for_each(|_| signal.emit(&()));
    assert_eq!(WARNINGS.0.lock().unwrap().len(), 1);
    assert_eq!(process_events(), 100_001);

    thread::scope(|scope| {
        scope.spawn(|| (0..100_001).for_each(|_| signal.emit(&())));
    });
    assert_eq!(process_events(), 100_001);

    let warnings = WARNINGS.0.lock().unwrap();
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].starts_with("100000 queued calls"), "{}", warnings[0]);
}
