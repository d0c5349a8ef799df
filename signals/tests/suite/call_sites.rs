//! How connections are written: no annotation, turbofish, `move`, `clone` or `downgrade`.

#![expect(clippy::unwrap_used, reason = "a poisoned lock fails the test")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread;

use slotwork_signals::{Handle, Signal, SignalRef};

#[derive(Clone)]
struct Server(Arc<ServerInner>);

#[derive(Default)]
struct ServerInner {
    pending: Mutex<Vec<Socket>>,
    new_connection: Signal<()>,
    closed: Signal<()>,
}

#[derive(Clone)]
struct Socket(Arc<SocketInner>);

#[derive(Default)]
struct SocketInner {
    sent: Mutex<Vec<String>>,
    text_message_received: Signal<str>,
}

#[derive(Default)]
struct EchoServer {
    received: RefCell<Vec<String>>,
    is_closed: Cell<bool>,
}

impl Handle for Server {
    type Weak = Weak<ServerInner>;

    fn downgrade(&self) -> Self::Weak {
        Arc::downgrade(&self.0)
    }

    fn upgrade(weak: &Self::Weak) -> Option<Self> {
        weak.upgrade().map(Self)
    }
}

impl Handle for Socket {
    type Weak = Weak<SocketInner>;

    fn downgrade(&self) -> Self::Weak {
        Arc::downgrade(&self.0)
    }

    fn upgrade(weak: &Self::Weak) -> Option<Self> {
        weak.upgrade().map(Self)
    }
}

impl Server {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn next_pending_connection(&self) -> Option<Socket> {
        self.0.pending.lock().unwrap().pop()
    }

    fn accept(&self) -> Socket {
        let socket = Socket(Arc::default());
        self.0.pending.lock().unwrap().push(socket.clone());
        self.0.new_connection.emit(&());
        socket
    }

    fn new_connection(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.0.new_connection)
    }

    fn closed(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.0.closed)
    }
}

impl Socket {
    fn send_text_message(&self, text: &str) {
        self.0.sent.lock().unwrap().push(text.to_owned());
    }

    fn text_message_received(&self) -> SignalRef<'_, Self, str> {
        SignalRef::new(self, &self.0.text_message_received)
    }
}

impl EchoServer {
    fn serve(self: &Rc<Self>, server: &Server) {
        server.new_connection().connect_to(self, Self::on_new_connection);
        server.closed().connect_to(self, |this, _server, ()| this.is_closed.set(true));
    }

    fn on_new_connection(self: &Rc<Self>, server: &Server, (): &()) {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect_to(self, Self::process_text_message);
        }
    }

    fn process_text_message(self: &Rc<Self>, socket: &Socket, text: &str) {
        self.received.borrow_mut().push(text.to_owned());
        socket.send_text_message(text);
    }
}

/// SIG-14: closures get the sender as an argument.
#[test]
fn closures_get_the_sender() {
    let server = Server::new();
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect(|socket, text| {
                socket.send_text_message(text);
            });
        }
    });

    let socket = server.accept();
    socket.0.text_message_received.emit("hello");

    assert_eq!(*socket.0.sent.lock().unwrap(), ["hello"]);
}

/// SIG-14: methods are slots; they get the receiver, the sender and the value.
#[test]
fn methods_are_slots() {
    let (server, echo) = (Server::new(), Rc::new(EchoServer::default()));
    echo.serve(&server);

    let socket = server.accept();
    socket.0.text_message_received.emit("hello");
    server.0.closed.emit(&());

    assert_eq!(*socket.0.sent.lock().unwrap(), ["hello"]);
    assert_eq!(*echo.received.borrow(), ["hello"]);
    assert!(echo.is_closed.get());
}

/// Neither the sender nor the receiver is kept alive by its connections.
#[test]
fn connections_keep_no_object_alive() {
    let (server, echo) = (Server::new(), Rc::new(EchoServer::default()));
    echo.serve(&server);
    let socket = server.accept();

    assert_eq!(Rc::strong_count(&echo), 1);
    assert_eq!(Arc::strong_count(&server.0), 1);
    assert_eq!(Arc::strong_count(&socket.0), 1);

    drop(echo);
    assert_eq!(server.new_connection().slot_count(), 0);
    assert_eq!(socket.text_message_received().slot_count(), 0);
}

/// Plain closures without a receiver, on a signal itself.
#[test]
fn closures_may_ignore_the_sender() {
    let closed = Rc::new(Cell::new(0));
    let server = Server::new();
    server.closed().connect_to(&closed, |closed, _server, ()| closed.set(closed.get() + 1));
    server.0.closed.connect_to(&closed, |closed, ()| closed.set(closed.get() + 1));

    server.0.closed.emit(&());

    assert_eq!(closed.get(), 2);
}

/// Each kind of connection takes the sender first.
#[test]
fn every_kind_of_connection_gets_the_sender() {
    let socket = Socket(Arc::default());
    let signal = socket.text_message_received();
    signal.local().connect(Socket::send_text_message);
    signal.direct().connect(Socket::send_text_message);
    signal.once().connect(Socket::send_text_message);
    signal.queued().connect(Socket::send_text_message);
    let mut count = 0;
    signal.connect_mut(move |socket, _| {
        count += 1;
        socket.send_text_message(&count.to_string());
    });

    socket.0.text_message_received.emit("a");
    slotwork_signals::process_events();

    assert_eq!(*socket.0.sent.lock().unwrap(), ["a", "a", "1", "a", "a"]);
}

/// A counter of Qt's documentation: its signal is a field.
#[derive(Default)]
struct Counter {
    value: Cell<i32>,
    value_changed: Signal<i32>,
}

impl Counter {
    fn set_value(self: &Rc<Self>, value: &i32) {
        if self.value.replace(*value) != *value {
            self.value_changed.emit(value);
        }
    }

    async fn set_later(self: Rc<Self>, value: i32) {
        smol::future::yield_now().await;
        self.set_value(&value);
    }
}

/// Signals of one's own take a line; methods are their slots, of each kind.
#[test]
fn own_signals_are_fields() {
    let [a, b, queued, once, later] = [(); 5].map(|()| Rc::new(Counter::default()));
    a.value_changed.connect_to(&b, Counter::set_value);
    b.value_changed.connect_to(&a, Counter::set_value);
    a.value_changed.queued().connect_to(&queued, Counter::set_value);
    a.value_changed.once().connect_to(&once, Counter::set_value);
    a.value_changed.connect_async_to(&later, Counter::set_later);
    // The sender, without an accessor.
    a.value_changed.connect_to((&b, &a), |(b, a), value| {
        assert_eq!((a.value.get(), b.value.get()), (*value, *value));
    });
    let values = |counters: [&Rc<Counter>; 5]| counters.map(|counter| counter.value.get());

    a.set_value(&12);
    b.set_value(&13);
    assert_eq!(values([&a, &b, &queued, &once, &later]), [13, 13, 0, 12, 0]);
    while slotwork_signals::process_events() > 0 {}
    assert_eq!(values([&a, &b, &queued, &once, &later]), [13, 13, 13, 12, 13]);
}

/// What two threads have in common: a struct of signals in one `Arc`.
#[derive(Default)]
struct Shared {
    operate: Signal<str>,
    result_ready: Signal<str>,
}

/// Each thread connects its own slots, which need not be `Send`, and emits.
#[test]
fn threads_share_a_struct_of_signals() {
    let (shared, results) = (Arc::new(Shared::default()), Rc::new(RefCell::new(Vec::new())));
    shared.result_ready.connect_to(&results, |results, text| {
        results.borrow_mut().push(text.to_owned());
    });
    let (ready, is_ready) = mpsc::channel();

    let own = Arc::clone(&shared);
    let worker = thread::spawn(move || {
        let (count, operated) = (Rc::new(Cell::new(0)), own.operate.next());
        own.operate.connect_to((&count, &own), |(count, own), text| {
            count.set(count.get() + 1);
            own.result_ready.emit(&format!("{text} {}", count.get()));
        });
        ready.send(()).unwrap();
        smol::block_on(operated);
        while slotwork_signals::process_events() > 0 {}
    });
    is_ready.recv().unwrap();
    shared.operate.emit("result");
    worker.join().unwrap();
    slotwork_signals::process_events();

    assert_eq!(*results.borrow(), ["result 1"]);
    assert_eq!(Arc::strong_count(&shared), 1);
}
