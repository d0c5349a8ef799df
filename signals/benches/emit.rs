//! Times what signals cost: emissions, connections and posts.
//!
//! Run `cargo bench -p slotwork-signals`. Each row is the best of several rounds, in nanoseconds;
//! compare rows of one run only, because machines and their loads differ. `benches/compare` runs it
//! between the same rows of other libraries; ROUNDS in the environment sets how many rounds.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::thread;
use std::time::Instant;

use slotwork_signals::{Signal, process_events};

fn main() {
    // `cargo test --all-targets` runs this program too, to see whether it works.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let wanted = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds = if is_bench { wanted.unwrap_or(15) } else { 1 };
    let bench = Bench { rounds };

    for slots in [0, 1, 8, 64] {
        bench.plain_loop(slots);
        bench.emit(slots);
    }
    bench.emit_to_receiver();
    bench.construct_and_drop();
    bench.connect_and_disconnect();
    bench.connect_and_drop_signal();
    bench.queued();
    bench.post_to_thread();
    bench.stream();
}

type Closure = Box<dyn FnMut(&u64)>;

struct Bench {
    rounds: usize,
}

impl Bench {
    /// Prints the time of one run of `work`, which is done `runs` times in each round.
    fn row(&self, name: &str, runs: u32, work: impl FnMut()) {
        self.row_of(name, runs, 1, work);
    }

    /// Prints the time of one of the `parts` that each run of `work` does.
    fn row_of(&self, name: &str, runs: u32, parts: u32, mut work: impl FnMut()) {
        let times = (0..self.rounds).map(|_| {
            let begin = Instant::now();
            (0..runs).for_each(|_| work());
            begin.elapsed()
        });
        let best = times.min().unwrap_or_default();
        let each = best.as_secs_f64() * 1e9 / f64::from(runs) / f64::from(parts);
        println!("{name:34} {each:8.1} ns");
    }

    fn plain_loop(&self, slots: u32) {
        let sum = Rc::new(Cell::new(0_u64));
        let mut functions: Vec<Closure> = Vec::new();
        for _ in 0..slots {
            let sum = Rc::clone(&sum);
            functions.push(Box::new(move |value| sum.set(sum.get().wrapping_add(*value))));
        }
        let runs = 200_000 / (slots + 1);
        self.row(&format!("plain loop, {slots} closures"), runs, || {
            for function in black_box(&mut functions) {
                function(&1);
            }
        });
    }

    fn emit(&self, slots: u32) {
        let signal = Signal::<u64>::new();
        let sum = Rc::new(Cell::new(0_u64));
        for _ in 0..slots {
            let sum = Rc::clone(&sum);
            signal.connect(move |value| sum.set(sum.get().wrapping_add(*value)));
        }
        let runs = 200_000 / (slots + 1);
        self.row(&format!("emit {slots}"), runs, || black_box(&signal).emit(&1));
    }

    fn emit_to_receiver(&self) {
        let signal = Signal::<u64>::new();
        let sum = Rc::new(Cell::new(0_u64));
        signal.connect_to(&sum, |sum, value| sum.set(sum.get().wrapping_add(*value)));
        self.row("emit 1, tracked receiver", 100_000, || black_box(&signal).emit(&1));
    }

    fn construct_and_drop(&self) {
        self.row("construct + drop", 200_000, || drop(black_box(Signal::<u64>::new())));
        self.row("construct + drop, boxed", 200_000, || {
            drop(black_box(Box::new(Signal::<u64>::new())));
        });
    }

    fn connect_and_disconnect(&self) {
        let signal = Signal::<u64>::new();
        let sum = Rc::new(Cell::new(0_u64));
        self.row("connect + disconnect", 20_000, || {
            let sum = Rc::clone(&sum);
            signal.connect(move |value| sum.set(sum.get().wrapping_add(*value))).disconnect();
        });
        self.row("connect_to + disconnect", 20_000, || {
            let slot = |sum: &Rc<Cell<u64>>, value: &u64| sum.set(sum.get().wrapping_add(*value));
            signal.connect_to(&sum, slot).disconnect();
        });
    }

    fn connect_and_drop_signal(&self) {
        let sum = Rc::new(Cell::new(0_u64));
        self.row("construct + connect + drop", 20_000, || {
            let signal = Signal::<u64>::new();
            let sum = Rc::clone(&sum);
            signal.connect(move |value| sum.set(sum.get().wrapping_add(*value)));
        });
    }

    fn queued(&self) {
        let signal = Signal::<u64>::new();
        let sum = Rc::new(Cell::new(0_u64));
        let slot = Rc::clone(&sum);
        signal.queued().connect(move |value| slot.set(slot.get().wrapping_add(*value)));
        self.row_of("queued, same thread", 200, 100, || {
            (0..100).for_each(|value| signal.emit(&value));
            process_events();
        });
        self.row("queued, one by one", 20_000, || {
            signal.emit(&1);
            process_events();
        });
    }

    /// The time of one value that is read as soon as it is there.
    fn stream(&self) {
        let signal = Signal::<u64>::new();
        let mut values = signal.stream();
        let mut context = Context::from_waker(Waker::noop());
        self.row("stream, one by one", 20_000, || {
            signal.emit(&1);
            _ = black_box(values.poll_next(&mut context));
        });
        self.row_of("stream, 100 at a time", 200, 100, || {
            (0..100).for_each(|value| signal.emit(&value));
            while values.poll_next(&mut context).is_ready() {}
        });
    }

    /// The time of one post and its call, with the receiver running all the time.
    fn post_to_thread(&self) {
        const POSTS: u32 = 100_000;
        let signal = Signal::<u64>::new();
        let count = Rc::new(Cell::new(0_u32));
        signal.connect_to(&count, |count, _| count.set(count.get() + 1));
        self.row_of("post to another thread", 1, POSTS, || {
            count.set(0);
            thread::scope(|scope| {
                scope.spawn(|| (0..u64::from(POSTS)).for_each(|value| signal.emit(&value)));
                while count.get() < POSTS {
                    process_events();
                }
            });
        });
        // The emitting side alone: the posts are not run meanwhile.
        let mut spent = Vec::new();
        for _ in 0..self.rounds {
            let elapsed = thread::scope(|scope| {
                let emitter = scope.spawn(|| {
                    let begin = Instant::now();
                    (0..1000).for_each(|value| signal.emit(&value));
                    begin.elapsed()
                });
                emitter.join().unwrap_or_default()
            });
            spent.push(elapsed);
            process_events();
        }
        let best = spent.into_iter().min().unwrap_or_default();
        println!("{:34} {:8.1} ns", "post, emitting side", best.as_secs_f64() * 1e9 / 1000.0);
    }
}
