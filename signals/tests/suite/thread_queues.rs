//! Calls in the queue of a thread, among those of slots.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use slotwork_signals::{Signal, ThreadQueue, process_events};

/// Qt: `postEvent()` and queued slots: one order for a sending and a receiving thread.
#[test]
fn calls_and_slots_keep_the_order_of_their_sender() {
    let (signal, noted) = (Arc::new(Signal::<u32>::new()), Arc::new(Mutex::new(Vec::new())));
    let slot = Arc::clone(&noted);
    signal.queued().connect(move |value| slot.lock().unwrap().push(*value));
    let send = |from: u32| {
        let (signal, noted) = (Arc::clone(&signal), Arc::clone(&noted));
        let queue = ThreadQueue::current();
        move || {
            for value in from..from + 10 {
                let noted = Arc::clone(&noted);
                if value % 2 == 0 {
                    assert!(queue.post(move || noted.lock().unwrap().push(value)));
                } else {
                    signal.emit(&value);
                }
            }
        }
    };

    thread::spawn(send(0)).join().unwrap();
    send(10)();

    assert_eq!(process_events(), 20);
    assert_eq!(*noted.lock().unwrap(), (0..20).collect::<Vec<_>>());
}

/// What a call posts is run the next time.
#[test]
fn a_call_that_posts_again_is_run_once_at_a_time() {
    fn again() {
        ThreadQueue::current().post(again);
    }
    again();

    assert_eq!([process_events(), process_events()], [1, 1]);
}

/// A thread that has ended takes no calls, and drops those that it has not made.
#[test]
fn calls_end_with_their_thread() {
    let (held, ended) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        let queue = ThreadQueue::current();
        queue.post(move || drop(held));
        queue
    });
    let queue = thread.join().unwrap();

    assert!(ended.recv().is_err(), "the call was not dropped");
    assert!(queue.has_ended());
    assert!(!queue.post(|| unreachable!()));
}
