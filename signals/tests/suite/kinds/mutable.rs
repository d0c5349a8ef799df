//! Mutable slots that are called from inside themselves.

use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use slotwork_signals::{Signal, process_events};

use crate::kinds::{Log, run_queue};

/// A queued mutable slot takes emissions from inside itself, which a direct one refuses.
#[test]
fn queued_mutable_slot_may_emit_again() {
    let (signal, log) = (Rc::new(Signal::<str>::new()), Rc::new(Log::default()));
    let mut left = 2;
    let (again, slot) = (Rc::downgrade(&signal), move |log: &Rc<Log>, text: &str| {
        log.append(text);
        left -= 1;
        left > 0
    });
    let mut slot = slot;
    signal.queued().connect_mut_to(&log, move |log, text| {
        if slot(log, text)
            && let Some(signal) = again.upgrade()
        {
            signal.emit(text);
        }
    });

    signal.emit("hello");
    run_queue();

    assert_eq!(log.take(), ["hello", "hello"]);
}

/// A way to connect a slot that is called from inside itself.
type ConnectRecursive = fn(&Rc<Signal<()>>, &Rc<()>);

/// A mutable slot that is entered twice panics and names its connect line.
#[test]
fn mutable_slots_name_their_connect_line() {
    let connects: [ConnectRecursive; 3] = [
        |signal, receiver| {
            let again = Rc::clone(signal);
            signal.connect_mut_to(receiver, move |_, ()| again.emit(&()));
        },
        |signal, receiver| {
            let again = Rc::clone(signal);
            signal.local().connect_mut_to(receiver, move |_, ()| again.emit(&()));
        },
        |signal, receiver| {
            let again = Rc::clone(signal);
            signal.queued().connect_mut_to(receiver, move |_, ()| {
                again.emit(&());
                process_events();
            });
        },
    ];
    for connect in connects {
        let (signal, receiver) = (Rc::new(Signal::<()>::new()), Rc::new(()));
        connect(&signal, &receiver);

        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            signal.emit(&());
            process_events();
        }));

        let text = outcome.err().and_then(|payload| payload.downcast::<String>().ok());
        assert!(text.is_some_and(|text| text.contains(file!())));
        signal.disconnect_all();
        run_queue();
    }
}
