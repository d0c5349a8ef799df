//! Does one thing often, for `benches/instructions`, which counts what it takes.
//!
//! Run `cargo run --release -p slotwork-signals --example instructions emit`; the others are
//! `emit-8` and `emit-64` (slots), `emit-to-receiver`, `queued`, `connect` (with `disconnect`),
//! `construct` (with a slot and `drop`) and `nothing`, to be subtracted.

use std::cell::Cell;
use std::hint::black_box;
use std::process::ExitCode;
use std::rc::Rc;

use slotwork_signals::{Signal, process_events};

fn main() -> ExitCode {
    let what = std::env::args().nth(1).unwrap_or_default();
    let (signal, sum) = (Signal::<u64>::new(), Rc::new(Cell::new(0_u64)));
    match what.as_str() {
        "emit" => emit(&signal, &sum, 1),
        "emit-8" => emit(&signal, &sum, 8),
        "emit-64" => emit(&signal, &sum, 64),
        "emit-to-receiver" => {
            signal.connect_to(&sum, add);
            (0..RUNS).for_each(|value| black_box(&signal).emit(&value));
        }
        "queued" => {
            let slot = Rc::clone(&sum);
            signal.queued().connect(move |value| add(&slot, value));
            for value in 0..RUNS {
                black_box(&signal).emit(&value);
                process_events();
            }
        }
        "connect" => {
            for _ in 0..RUNS {
                black_box(&signal).connect_to(&sum, add).disconnect();
            }
        }
        "construct" => {
            for _ in 0..RUNS {
                black_box(Signal::<u64>::new()).connect_to(&sum, add);
            }
        }
        "nothing" => (0..RUNS).for_each(|value| add(black_box(&sum), &value)),
        _ => return ExitCode::FAILURE,
    }
    println!("{}", sum.get());
    ExitCode::SUCCESS
}

fn emit(signal: &Signal<u64>, sum: &Rc<Cell<u64>>, slots: usize) {
    for _ in 0..slots {
        let slot = Rc::clone(sum);
        signal.connect(move |value| add(&slot, value));
    }
    (0..RUNS).for_each(|value| black_box(signal).emit(&value));
}

fn add(sum: &Rc<Cell<u64>>, value: &u64) {
    sum.set(sum.get().wrapping_add(*value));
}

const RUNS: u64 = 10_000;
