//! Random programs of slots that connect, disconnect and emit, compared with a simple model.
//!
//! The model is Qt's rule in its shortest form: slots are never removed from a list; an emission
//! runs to the end that the list had when it began, and skips disconnected slots.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::thread::{self, ThreadId};

use proptest::collection::vec;
use proptest::prelude::*;
use slotwork_signals::{Connection, Signal, process_events};

/// What a slot does when it is called.
#[derive(Clone, Copy, Debug)]
enum Action {
    Connect,
    ConnectOnce,
    Disconnect(usize),
    /// The same from another thread, which ends before the slot continues.
    DisconnectElsewhere(usize),
    DisconnectAll,
    /// All handles to the connection are dropped.
    GiveUp(usize),
    /// The same when another thread was the last to hold it.
    GiveUpElsewhere(usize),
    Emit,
    /// An emission in another thread: its calls are queued.
    EmitElsewhere,
    Nothing,
}

/// A random program: what the slots do, call by call.
struct Program {
    actions: Vec<Action>,
    step: Cell<usize>,
    depth: Cell<u32>,
    calls: RefCell<Vec<usize>>,
}

/// Something that programs run in: the signals, or the model.
trait World {
    fn program(&self) -> &Program;
    fn connect(self: &Rc<Self>, once: bool);
    fn disconnect(&self, slot: usize);
    fn disconnect_elsewhere(&self, slot: usize);
    fn disconnect_all(&self);
    fn give_up(&self, slot: usize);
    fn give_up_elsewhere(&self, slot: usize);
    fn emit(self: &Rc<Self>);
    fn emit_elsewhere(&self);
    fn run_queue(self: &Rc<Self>);

    /// Connects one more slot, and calls all of them.
    fn round(self: &Rc<Self>) {
        self.connect(false);
        self.emit();
        self.run_queue();
    }

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
            Action::DisconnectElsewhere(slot) => self.disconnect_elsewhere(slot),
            Action::DisconnectAll => self.disconnect_all(),
            Action::GiveUp(slot) => self.give_up(slot),
            Action::GiveUpElsewhere(slot) => self.give_up_elsewhere(slot),
            Action::EmitElsewhere => self.emit_elsewhere(),
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

/// The capture of each slot: reports its drop, and whether that is in its own thread.
struct Alive {
    all: Rc<RefCell<BTreeSet<usize>>>,
    slot: usize,
    home: ThreadId,
}

struct Model {
    program: Program,
    slots: RefCell<Vec<ModelSlot>>,
    /// How many slots there were at each emission in another thread.
    queue: RefCell<VecDeque<usize>>,
}

#[derive(Clone, Copy)]
struct ModelSlot {
    is_connected: bool,
    is_once: bool,
    is_held: bool,
}

impl Program {
    fn new(actions: &[Action]) -> Self {
        let (step, depth, calls) = (Cell::new(0), Cell::new(0), RefCell::default());
        Self { actions: actions.to_vec(), step, depth, calls }
    }

    fn next(&self) -> Action {
        let action = self.actions.get(self.step.get()).copied();
        self.step.set(self.step.get() + 1);
        action.unwrap_or(Action::Nothing)
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
            self.signal.once().connect(move |()| {
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

    fn disconnect_elsewhere(&self, slot: usize) {
        let connection = self.connections.borrow().get(slot).cloned().unwrap_or_default();
        thread::scope(|scope| _ = scope.spawn(|| connection.disconnect()));
    }

    fn disconnect_all(&self) {
        self.signal.disconnect_all();
    }

    fn give_up(&self, slot: usize) {
        drop(self.take(slot));
    }

    fn give_up_elsewhere(&self, slot: usize) {
        let connection = self.take(slot);
        thread::scope(|scope| _ = scope.spawn(move || drop(connection)));
    }

    fn emit(self: &Rc<Self>) {
        self.signal.emit(&());
    }

    fn emit_elsewhere(&self) {
        let signal = &self.signal;
        thread::scope(|scope| _ = scope.spawn(|| signal.emit(&())));
    }

    fn run_queue(self: &Rc<Self>) {
        while process_events() > 0 {}
    }
}

impl Signals {
    fn take(&self, slot: usize) -> Option<Connection> {
        self.connections.borrow_mut().get_mut(slot).map(std::mem::take)
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
        self.slots.borrow_mut().push(ModelSlot { is_connected: true, is_once, is_held: true });
    }

    fn disconnect(&self, slot: usize) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(slot) {
            slot.is_connected &= !slot.is_held;
        }
    }

    fn disconnect_elsewhere(&self, slot: usize) {
        self.disconnect(slot);
    }

    fn disconnect_all(&self) {
        self.slots.borrow_mut().iter_mut().for_each(|slot| slot.is_connected = false);
    }

    fn give_up(&self, slot: usize) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(slot) {
            slot.is_held = false;
        }
    }

    fn give_up_elsewhere(&self, slot: usize) {
        self.give_up(slot);
    }

    fn emit(self: &Rc<Self>) {
        let end = self.slots.borrow().len();
        self.emit_to(end);
    }

    fn emit_elsewhere(&self) {
        self.queue.borrow_mut().push_back(self.slots.borrow().len());
    }

    fn run_queue(self: &Rc<Self>) {
        loop {
            let Some(end) = self.queue.borrow_mut().pop_front() else { break };
            self.emit_to(end);
        }
    }
}

impl Model {
    fn emit_to(self: &Rc<Self>, end: usize) {
        for slot in 0..end {
            let ModelSlot { is_connected, is_once, .. } = self.slots.borrow()[slot];
            if is_once {
                self.slots.borrow_mut()[slot].is_connected = false;
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

proptest! {
    /// SIG-01 to SIG-12 in any mixture: the same slots are called in the same order, and those that
    /// are disconnected are dropped, each once and in its own thread, when the emission is over.
    #[test]
    fn random_programs_behave_like_the_model(actions in vec(action(), 0..300)) {
        compare(&actions)?;
    }
}

fn compare(actions: &[Action]) -> Result<(), TestCaseError> {
    let signals = Rc::new(Signals {
        program: Program::new(actions),
        signal: Signal::new(),
        connections: RefCell::default(),
        alive: Rc::default(),
    });
    let model = Rc::new(Model {
        program: Program::new(actions),
        slots: RefCell::default(),
        queue: RefCell::default(),
    });

    for _ in 0..20 {
        signals.round();
        model.round();
        prop_assert_eq!(signals.program.calls.take(), model.program.calls.take());
        prop_assert_eq!(signals.signal.slot_count(), model.connected().len());
        prop_assert_eq!(&*signals.alive.borrow(), &model.connected());
    }

    let alive = Rc::clone(&signals.alive);
    drop(signals);
    prop_assert!(alive.borrow().is_empty());
    Ok(())
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => Just(Action::Connect),
        2 => Just(Action::ConnectOnce),
        8 => (0_usize..24).prop_map(Action::Disconnect),
        1 => (0_usize..24).prop_map(Action::DisconnectElsewhere),
        1 => Just(Action::DisconnectAll),
        4 => (0_usize..24).prop_map(Action::GiveUp),
        1 => (0_usize..24).prop_map(Action::GiveUpElsewhere),
        6 => Just(Action::Emit),
        1 => Just(Action::EmitElsewhere),
        5 => Just(Action::Nothing),
    ]
}
