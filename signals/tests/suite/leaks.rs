//! What refers to what: nothing keeps anything alive that its user has given up.
//!
//! In each test a token is captured or owned by every part; it is alone again when nothing is left.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use slotwork_signals::{
    Connection, Scope, Signal, SignalRef, SignalSpy, SignalStream, process_events,
};

/// An object with a signal, which may hold other things.
struct Node {
    _token: Rc<()>,
    changed: Signal<i32>,
    next: RefCell<Option<Rc<Node>>>,
    connections: RefCell<Vec<Connection>>,
    scope: Scope,
}

impl Node {
    fn new(token: &Rc<()>) -> Rc<Self> {
        Rc::new(Self {
            _token: Rc::clone(token),
            changed: Signal::new(),
            next: RefCell::default(),
            connections: RefCell::default(),
            scope: Scope::new(),
        })
    }

    fn changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, i32> {
        SignalRef::new(self, &self.changed)
    }
}

/// Runs `scene`, which drops all handles, and checks that all values were dropped.
#[track_caller]
fn leaves_nothing(scene: impl FnOnce(&Rc<()>)) {
    let token = Rc::new(());
    scene(&token);
    assert_eq!(Rc::strong_count(&token), 1);
}

/// A receiver may hold the sender, and the other way round.
#[test]
fn receiver_may_hold_the_sender() {
    leaves_nothing(|token| {
        let (sender, receiver) = (Node::new(token), Node::new(token));
        sender.changed().connect_to(&receiver, |_, _, _| {});
        receiver.next.replace(Some(sender));
    });
    leaves_nothing(|token| {
        let (sender, receiver) = (Node::new(token), Node::new(token));
        sender.changed().connect_to(&receiver, |_, _, _| {});
        sender.next.replace(Some(receiver));
    });
}

/// Two objects may be connected to each other, and one to itself.
#[test]
fn objects_may_be_connected_in_a_circle() {
    leaves_nothing(|token| {
        let (one, other) = (Node::new(token), Node::new(token));
        one.changed().connect_to(&other, |other, _, value| {
            if *value > 0 {
                other.changed.emit(&(value - 1));
            }
        });
        other.changed().connect_to(&one, |one, _, value| one.changed.emit(value));
        one.changed().connect_to(&one, |_, _, _| {});
        one.changed.emit(&3);
    });
}

/// Every kind of slot gives up the sender that it gets as an argument, and what it has captured.
#[test]
fn every_kind_of_slot_gives_up_its_sender() {
    leaves_nothing(|token| {
        let node = Node::new(token);
        let kept = || Rc::clone(token);
        let (one, two, three, four) = (kept(), kept(), kept(), kept());
        node.changed().connect(move |_, _| _ = Rc::strong_count(&one));
        node.changed().once().connect(move |_, _| drop(two));
        node.changed().connect_mut(move |_, _| _ = Rc::strong_count(&three));
        node.changed().queued().connect(move |_, _| _ = Rc::strong_count(&four));
        let five = kept();
        node.changed().local().connect(move |_, _| _ = Rc::strong_count(&five));
        let six = kept();
        node.changed().connect_async(async move |_, _| _ = Rc::strong_count(&six));
        node.changed.emit(&1);
        drop(node);
        process_events();
    });
}

/// A queued call holds its sender until it has run, and never its receiver.
#[test]
fn queued_call_holds_its_sender_only() {
    let (sender, receiver) = (Rc::new(Signal::<i32>::new()), Rc::new(()));
    SignalRef::new(&sender, &sender).connect_to(&receiver, |_, _, _| {});
    SignalRef::new(&sender, &sender).queued().connect(|_, _| {});

    sender.emit(&1);
    assert_eq!((Rc::strong_count(&sender), Rc::strong_count(&receiver)), (2, 1));

    drop(sender);
    assert_eq!(Rc::weak_count(&receiver), 1, "the slot waits behind the queued call");
    process_events();
    assert_eq!(Rc::weak_count(&receiver), 0);
}

/// Signals that are forwarded to each other are no cycle of owners.
#[test]
fn signals_forwarded_in_a_circle_leak_nothing() {
    leaves_nothing(|token| {
        let (one, other) = (Arc::new(Signal::<i32>::new()), Arc::new(Signal::<i32>::new()));
        let kept = Rc::clone(token);
        one.connect(move |_| _ = Rc::strong_count(&kept));
        one.forward_to(&other);
        other.forward_to(&one).disconnect();
        other.forward_to(&one);
        assert_eq!(one.slot_count() + other.slot_count(), 3);
    });
}

/// A connection, a scope and a blocker that are held longest keep no slot.
#[test]
fn connections_keep_no_slot_alive() {
    let mut held = Vec::new();
    let mut scopes = Vec::new();
    leaves_nothing(|token| {
        let (signal, kept) = (Signal::<i32>::new(), Rc::clone(token));
        let connection = signal.connect(move |_| _ = Rc::strong_count(&kept));
        let scope = Scope::new();
        scope.add(connection.clone());
        held.push((connection.block(), connection));
        scopes.push(scope);
    });
    assert!(held.iter().all(|(_, connection)| !connection.is_connected()));
}

/// An object may hold the connections of its own signals, and of those that it listens to.
#[test]
fn object_may_hold_its_own_connections() {
    leaves_nothing(|token| {
        let (node, other) = (Node::new(token), Node::new(token));
        let kept = Rc::clone(token);
        let own = node.changed().connect(move |_, _| _ = Rc::strong_count(&kept));
        node.connections.borrow_mut().push(own.clone());
        node.scope.add(own);
        node.scope.add(other.changed().connect_to(&node, |_, _, _| {}));
    });
}

/// Unread values are dropped with their stream, and so is its slot.
#[test]
fn stream_that_is_given_up_leaves_nothing() {
    let (signal, value) = (Signal::<Arc<()>>::new(), Arc::new(()));
    let streams = [signal.stream(), signal.stream_latest(2), signal.stream_earliest(2)];
    let (next, spy) = (signal.next(), SignalSpy::new(&signal));
    signal.queued().connect(|_| {});
    (0..3).for_each(|_| signal.emit(&value));
    assert!(Arc::strong_count(&value) > 8);

    drop((streams, next, spy));
    process_events();

    assert_eq!((Arc::strong_count(&value), signal.slot_count()), (1, 1));
}

/// A stream that outlives its signal keeps only what was not read.
#[test]
fn stream_that_is_kept_holds_its_values_only() {
    let (signal, value) = (Signal::<Arc<()>>::new(), Arc::new(()));
    let mut stream: SignalStream<_> = signal.stream();
    signal.emit(&value);
    drop(signal);

    assert_eq!(Arc::strong_count(&value), 2);
    while smol::block_on(stream.next()).is_some() {}
    assert_eq!(Arc::strong_count(&value), 1);
}

/// A stream that a slot of the same signal owns is a cycle only until the slot is disconnected.
#[test]
fn slot_may_own_a_stream_of_its_own_signal() {
    leaves_nothing(|token| {
        let signal = Signal::<i32>::new();
        let (stream, kept) = (signal.stream(), Rc::clone(token));
        signal.connect(move |_| _ = (stream.missed(), Rc::strong_count(&kept)));
        signal.emit(&1);
    });
}

/// What a slot captures is a cycle when it is the sender: `finish` ends it.
#[test]
fn finish_frees_an_object_that_its_slot_has_captured() {
    leaves_nothing(|token| {
        let (node, value) = (Node::new(token), Arc::new(()));
        let captured = Rc::clone(&node);
        node.changed.connect(move |_| _ = captured.changed.slot_count());
        node.changed.finish(&value);
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

/// What is on its way to a thread that ends goes with it, in every kind of slot.
#[test]
fn thread_that_ends_leaves_nothing() {
    let (signal, value) = (Arc::new(Signal::<Arc<()>>::new()), Arc::new(()));
    let slot = Arc::new(());
    let (there, kept, sent) = (Arc::clone(&signal), Arc::clone(&slot), Arc::clone(&value));
    let ended = thread::spawn(move || {
        let kept = [(); 4].map(|()| Arc::clone(&kept));
        let [one, two, three, four] = kept;
        there.connect(move |_| _ = Arc::strong_count(&one));
        there.queued().connect(move |_| _ = Arc::strong_count(&two));
        there.once().connect(move |_| drop(three));
        there.connect_async(async move |_| {
            std::future::pending::<()>().await;
            drop(Arc::clone(&four));
        });
        there.emit(&sent);
        process_events();
        there.emit(&sent);
        there.finish(&sent);
    });

    assert!(ended.join().is_ok());
    assert_eq!((Arc::strong_count(&value), Arc::strong_count(&slot)), (1, 1));
    assert_eq!((Arc::strong_count(&signal), signal.slot_count()), (1, 0));
}
