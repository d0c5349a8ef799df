//! The receiver of a direct slot is an `Arc`.

use std::sync::Arc;

use slotwork_signals::Signal;

fn main() {
    let receiver = Arc::new(5);
    Signal::<i32>::new().direct().connect_to(&receiver, |five, value| assert!(**five > *value));
}
