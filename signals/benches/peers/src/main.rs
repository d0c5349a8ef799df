//! Times the crate `signals2`, in the same way as `benches/emit.rs`.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use signals2::{Connect1, Emit1, Signal};

fn main() {
    let sum = Arc::new(AtomicU64::new(0));
    let slot = || {
        let sum = Arc::clone(&sum);
        // Without a locked instruction: the slot is the same as those of the others.
        move |value: u64| sum.store(sum.load(Ordering::Relaxed) + value, Ordering::Relaxed)
    };
    for slots in [0, 1, 8, 64] {
        let signal: Signal<(u64,)> = Signal::new();
        for _ in 0..slots {
            signal.connect(slot());
        }
        row(&format!("emit {slots}"), 200_000 / (slots + 1), || {
            black_box(&signal).emit(1);
        });
    }
    let signal: Signal<(u64,)> = Signal::new();
    row("connect + disconnect", 20_000, || signal.connect(slot()).disconnect());
    row("construct + drop", 20_000, || drop(black_box(Signal::<(u64,)>::new())));
    row("construct + connect + drop", 20_000, || {
        let signal: Signal<(u64,)> = Signal::new();
        signal.connect(slot());
    });
}

fn row(name: &str, runs: u32, mut work: impl FnMut()) {
    let rounds = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(15);
    let times = (0..rounds).map(|_| {
        let begin = Instant::now();
        (0..runs).for_each(|_| work());
        begin.elapsed()
    });
    let best = times.min().unwrap_or_default();
    println!("{name}\t{:.1}", best.as_secs_f64() * 1e9 / f64::from(runs));
}
