//! Direct connections, which run in the emitting thread.

use std::sync::{Arc, Mutex};
use std::thread;

use crate::kinds::Sender;

/// A receiver of a direct slot is called in the emitting thread, and held weakly.
#[test]
fn direct_slot_has_a_receiver() {
    let (sender, threads) = (Sender::new(), Arc::new(Mutex::new(Vec::new())));
    let slot = |threads: &Arc<Mutex<Vec<_>>>| threads.lock().unwrap().push(thread::current().id());
    let plain = sender.text.direct().connect_to(&threads, move |threads, _| slot(threads));
    let object = sender.text().direct().connect_to(&threads, move |threads, sender, _| {
        assert_eq!(sender.name, "sender");
        slot(threads);
    });

    let emitting = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            sender.text.emit("");
            thread::current().id()
        });
        thread.join().unwrap()
    });
    assert_eq!(*threads.lock().unwrap(), [emitting, emitting]);

    drop(threads);
    assert!(!plain.is_connected() && !object.is_connected());
    sender.text.emit("");
}
