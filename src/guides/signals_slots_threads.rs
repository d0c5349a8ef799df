//! Signals, slots and threads: how objects call each other, and on which thread.
//!
//! | | |
//! |---|---|
//! | signal | a [`Signal`], or the method of an object that returns a [`SignalRef`]: `socket.disconnected()` |
//! | slot | a closure or method that is called for each emission; it belongs to the thread that connected it |
//! | sender | the object that has the signal, the slot's argument in front of the value |
//! | receiver | the object that a slot works on, the slot's first argument with `connect_to` |
//! | connection | a [`Connection`]: the link between signal and slot, which can be ended and blocked |
//! | loop | the [`EventLoop`] of a thread: it runs queued slots, timers, tasks and the I/O of sockets |
//!
//! # Connecting
//!
//! A closure gets the sender and the value. A method gets its object first; the signal holds that
//! object weakly, and the slot is disconnected when it is dropped. So nothing has to be cloned or
//! downgraded, and no connection keeps an object alive.
//!
//! ```
//! use std::rc::Rc;
//!
//! use slotwork::{SslMode, WebSocket, WebSocketServer};
//!
//! struct Chat {
//!     server: WebSocketServer,
//! }
//!
//! impl Chat {
//!     fn on_new_connection(self: &Rc<Self>, server: &WebSocketServer, (): &()) {
//!         while let Some(socket) = server.next_pending_connection() {
//!             socket.text_message_received().connect_to(self, Self::process_text_message);
//!             socket.disconnected().connect(|socket, ()| println!("gone: {socket:?}"));
//!         }
//!     }
//!
//!     fn process_text_message(self: &Rc<Self>, _sender: &WebSocket, text: &str) {
//!         self.server.broadcast_text(text);
//!     }
//! }
//!
//! let chat = Rc::new(Chat { server: WebSocketServer::new("Chat", SslMode::NonSecure) });
//! chat.server.new_connection().connect_to(&chat, Chat::on_new_connection);
//! ```
//!
//! A slot must not capture its sender or its receiver: they would keep themselves alive. The value
//! is lent: `&str`, `&[u8]`, `&Error`, and `()` where there is none. Further kinds of connections
//! (queued, once, mutable, async, signal to signal) are in [`signals`](crate::signals).
//!
//! # When a slot runs
//!
//! * Emitted on the slot's own thread, it runs before `emit` returns, in the order of connecting.
//! * Emitted on another thread, the value is copied and the call is queued; the slot's loop makes it
//!   in one of its next turns. Calls from one thread to another arrive in order.
//! * Signals of sockets, servers and timers come from the loop: `send`, `close`, `abort` and `open`
//!   run no slot. Only a call that fails (`listen`, `open`) emits its error before it returns.
//! * A slot may disconnect itself, connect others, emit again, and close or drop the sender.
//! * A slot that panics ends that call. The connection whose slot it was is closed with 1011;
//!   [`EventLoop::panicked`] reports it, and everything else continues.
//!
//! A slot that computes or waits holds up its thread, as in Qt:
//! [work that takes long]. A loop inside a slot is a [`NestedLoop`],
//! which never receives from the socket that emitted to the slot; an async slot may await it.
//!
//! # How long objects live
//!
//! There are no parents. Your objects are in an [`Rc`](std::rc::Rc), and own their servers and timers
//! as fields.
//!
//! | when the last handle is dropped | |
//! |---|---|
//! | an object that receives | its slots are disconnected |
//! | [`WebSocketServer`] | it stops listening; the sockets that were taken stay open |
//! | [`WebSocket`] | nothing, while it is open or connecting: its loop keeps it until `disconnected` |
//! | [`Timer`], `SocketNotifier` | it stops |
//! | [`EventThread`] | its thread ends, and is waited for |
//! | [`Connection`] | nothing: the slot stays connected |
//!
//! # Signals of your own
//!
//! A signal is a field of type [`Signal`], to which slots connect directly. Where slots need the
//! sender, or the object alone may emit, a method returns the signal with the object, as a
//! [`SignalRef`]. Change the state first, end each borrow, and emit last: a slot may call back.
//!
//! ```
//! use std::cell::Cell;
//! use std::rc::Rc;
//!
//! use slotwork::signals::{Signal, SignalRef};
//!
//! #[derive(Default)]
//! struct Counter {
//!     value: Cell<i32>,
//!     value_changed: Signal<i32>,
//! }
//!
//! impl Counter {
//!     fn set_value(self: &Rc<Self>, value: i32) {
//!         if self.value.replace(value) != value {
//!             self.value_changed.emit(&value);
//!         }
//!     }
//!
//!     fn value_changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, i32> {
//!         SignalRef::new(self, &self.value_changed)
//!     }
//! }
//!
//! let (a, b) = (Rc::new(Counter::default()), Rc::new(Counter::default()));
//! a.value_changed().connect_to(&b, |b, _a, value| b.set_value(*value));
//! a.set_value(12);
//! assert_eq!(b.value.get(), 12);
//! ```
//!
//! # Threads
//!
//! | | lives on | may be used |
//! |---|---|---|
//! | [`WebSocketServer`], [`WebSocket`] | the thread that made it; for a server's socket, the server's | on any thread: calls are queued |
//! | [`LoopHandle`] | | on any thread: [`post`](crate::LoopHandle::post) a call into its loop |
//! | [`Signal`] in an [`Arc`](std::sync::Arc) | | on any thread, if its value is `Send` |
//! | [`EventLoop`], [`Timer`], [`NestedLoop`], `SocketNotifier`, objects in an `Rc` | the thread that made it | there; the compiler checks it |
//!
//! A worker is built in its thread, so it need not be `Send`; signals in `Arc`s lead to it and back.
//! Slots run where they were connected:
//!
//! ```
//! use std::sync::Arc;
//!
//! use slotwork::signals::Signal;
//! use slotwork::{EventLoop, EventThread};
//!
//! # fn main() -> Result<(), slotwork::Error> {
//! let (operate, result_ready) = (Arc::new(Signal::<str>::new()), Arc::new(Signal::<str>::new()));
//! result_ready.connect(|result| {
//!     // On this thread.
//!     assert_eq!(result, "SOME TEXT");
//!     EventLoop::current().quit();
//! });
//!
//! let operating = Arc::clone(&operate);
//! let _thread = EventThread::spawn("worker", move || {
//!     // On the worker's thread, as is the slot.
//!     operating.connect(move |text| result_ready.emit(&text.to_uppercase()));
//! })?;
//! operate.emit("some text");
//! EventLoop::current().exec();
//! # Ok(())
//! # }
//! ```
//!
//! A server serves its clients on several threads, too:
//! [`serve_on_threads`](crate::WebSocketServer::serve_on_threads) runs a setup in each, with that
//! thread's part of the server. The sockets of a part live on its thread, and so do their slots.
//!
//! Messages for slots of another thread are queued, up to 128 KiB for each socket
//! ([`set_receive_queue_limit`](crate::WebSocket::set_receive_queue_limit)); then the socket stops reading,
//! and TCP holds the peer back. Emissions of your own signals have no such bound. A queued call keeps
//! its sender alive, and is not made when its receiver is gone or its connection has been ended.
//!
//! # Qt
//!
//! `connect` is `QObject::connect()` with `Qt::AutoConnection`; the sender as an argument is
//! `QObject::sender()`. [`porting`](crate::guides::porting) has both side by side.
//!
//! [`Signal`]: crate::signals::Signal
//! [`SignalRef`]: crate::signals::SignalRef
//! [`Connection`]: crate::signals::Connection
//! [`EventLoop`]: crate::EventLoop
//! [`EventLoop::panicked`]: crate::EventLoop::panicked
//! [work that takes long]: crate::EventLoop#work-that-takes-long
//! [`NestedLoop`]: crate::NestedLoop
//! [`WebSocketServer`]: crate::WebSocketServer
//! [`WebSocket`]: crate::WebSocket
//! [`Timer`]: crate::Timer
//! [`EventThread`]: crate::EventThread
//! [`LoopHandle`]: crate::LoopHandle
