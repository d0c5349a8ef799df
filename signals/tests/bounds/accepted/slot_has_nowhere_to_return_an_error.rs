//! A slot does something about an error.

use std::rc::Rc;

use slotwork_signals::{Signal, SignalRef};

fn main() {
    let (sender, signal) = (Rc::new(()), Signal::<str>::new());
    SignalRef::new(&sender, &signal).connect(|_sender, line| match line.parse::<u16>() {
        Ok(number) => println!("{number}"),
        Err(error) => eprintln!("{error}"),
    });
}
