//! Random programs of slots that connect, disconnect and emit, compared with a simple model.
//!
//! The model is Qt's rule in its shortest form: slots are never removed from a list; an emission
//! goes to the end that the list had when it began, and skips who is disconnected.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::thread::{self, ThreadId};

use slotwork_signals::{Connection, Signal, process_events};

/// What a slot does when it is called.
#[derive(Clone, Copy)]
enum Action {
    Connect,
    ConnectOnce,
    Disconnect(usize),
    DisconnectAll,
    Emit,
    Nothing,
}

/// A random program: what the slots do, call by call.
struct Program {
    seed: u64,
    steps: Cell<u64>,
    depth: Cell<u32>,
    calls: RefCell<Vec<usize>>,
}

/// Something that programs run in: the signals, or the model.
trait World {
    fn program(&self) -> &Program;
    fn connect(self: &Rc<Self>, once: bool);
    fn disconnect(&self, slot: usize);
    fn disconnect_all(&self);
    fn emit(self: &Rc<Self>);

    /// What each slot does.
    fn called(self: &Rc<Self>, slot: usize) {
        self.program().calls.borrow_mut().push(slot);
        for _ in 0..2 {
            self.act();
        }
    }

    fn act(self: &Rc<Self>) {
        match self.program().next() {
            Action::Connect => self.connect(false),
            Action::ConnectOnce => self.connect(true),
            Action::Disconnect(slot) => self.disconnect(slot),
            Action::DisconnectAll => self.disconnect_all(),
            Action::Emit => {
                let depth = &self.program().depth;
                if depth.get() < 3 {
                    depth.set(depth.get() + 1);
                    self.emit();
                    depth.set(depth.get() - 1);
                }
            }
            Action::Nothing => {}
        }
    }
}

struct Signals {
    program: Program,
    signal: Signal<()>,
    connections: RefCell<Vec<Connection>>,
    /// The slots that were not dropped yet.
    alive: Rc<RefCell<BTreeSet<usize>>>,
}

/// What each slot captures: it tells when the slot is dropped, and whether in its own thread.
struct Alive {
    all: Rc<RefCell<BTreeSet<usize>>>,
    slot: usize,
    home: ThreadId,
}

struct Model {
    program: Program,
    slots: RefCell<Vec<ModelSlot>>,
}

#[derive(Clone, Copy)]
struct ModelSlot {
    is_connected: bool,
    is_once: bool,
}

impl Program {
    fn new(seed: u64) -> Self {
        Self { seed, steps: Cell::new(0), depth: Cell::new(0), calls: RefCell::default() }
    }

    fn next(&self) -> Action {
        let step = self.steps.get() + 1;
        self.steps.set(step);
        if step > 300 {
            return Action::Nothing;
        }
        let number = scramble(self.seed ^ scramble(step));
        match number % 16 {
            0..4 => Action::Connect,
            4 => Action::ConnectOnce,
            5..9 => Action::Disconnect((number >> 8) as usize % 24),
            9 if number >> 60 == 0 => Action::DisconnectAll,
            9..12 => Action::Emit,
            _ => Action::Nothing,
        }
    }
}

impl World for Signals {
    fn program(&self) -> &Program {
        &self.program
    }

    fn connect(self: &Rc<Self>, once: bool) {
        let slot = self.connections.borrow().len();
        let world = Rc::downgrade(self);
        let called = move || {
            if let Some(world) = world.upgrade() {
                world.called(slot);
            }
        };
        let alive = Alive::new(&self.alive, slot);
        let connection = if once {
            self.signal.connect_once(move |()| {
                called();
                drop(alive);
            })
        } else {
            self.signal.connect(move |()| {
                called();
                alive.is_here();
            })
        };
        self.connections.borrow_mut().push(connection);
    }

    fn disconnect(&self, slot: usize) {
        let connection = self.connections.borrow().get(slot).cloned().unwrap_or_default();
        connection.disconnect();
    }

    fn disconnect_all(&self) {
        self.signal.disconnect_all();
    }

    fn emit(self: &Rc<Self>) {
        self.signal.emit(&());
    }
}

impl Model {
    fn connected(&self) -> BTreeSet<usize> {
        let slots = self.slots.borrow();
        let connected = slots.iter().enumerate().filter(|(_, slot)| slot.is_connected);
        connected.map(|(number, _)| number).collect()
    }
}

impl World for Model {
    fn program(&self) -> &Program {
        &self.program
    }

    fn connect(self: &Rc<Self>, is_once: bool) {
        self.slots.borrow_mut().push(ModelSlot { is_connected: true, is_once });
    }

    fn disconnect(&self, slot: usize) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(slot) {
            slot.is_connected = false;
        }
    }

    fn disconnect_all(&self) {
        self.slots.borrow_mut().iter_mut().for_each(|slot| slot.is_connected = false);
    }

    fn emit(self: &Rc<Self>) {
        let end = self.slots.borrow().len();
        for slot in 0..end {
            let ModelSlot { is_connected, is_once } = self.slots.borrow()[slot];
            if is_once {
                self.disconnect(slot);
            }
            if is_connected {
                self.called(slot);
            }
        }
    }
}

impl Alive {
    fn new(all: &Rc<RefCell<BTreeSet<usize>>>, slot: usize) -> Self {
        assert!(all.borrow_mut().insert(slot));
        Self { all: Rc::clone(all), slot, home: thread::current().id() }
    }

    fn is_here(&self) {
        assert_eq!(self.home, thread::current().id());
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.is_here();
        assert!(self.all.borrow_mut().remove(&self.slot), "dropped twice");
    }
}

/// SIG-01 to SIG-09 in any mixture: the same slots are called in the same order, and those that are
/// disconnected are dropped, each once, when the emission is over.
#[test]
fn random_programs_behave_like_the_model() {
    for seed in 0..100 {
        let signals = Rc::new(Signals {
            program: Program::new(seed),
            signal: Signal::new(),
            connections: RefCell::default(),
            alive: Rc::default(),
        });
        let model = Rc::new(Model { program: Program::new(seed), slots: RefCell::default() });

        for _ in 0..20 {
            signals.connect(false);
            model.connect(false);
            signals.emit();
            model.emit();
            assert_eq!(signals.program.calls.take(), model.program.calls.take(), "seed {seed}");

            assert_eq!(signals.signal.slot_count(), model.connected().len(), "seed {seed}");
            assert_eq!(*signals.alive.borrow(), model.connected(), "seed {seed}");
        }
        assert_eq!(process_events(), 0);

        let alive = Rc::clone(&signals.alive);
        drop(signals);
        assert!(alive.borrow().is_empty(), "seed {seed}");
    }
}

/// Mixes the bits of a number, so that near numbers give different ones.
fn scramble(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
