//! What the compiler is to refuse; compiled as documentation tests only.
//!
//! The error codes are checked by nightly compilers only. So each of these has a twin that compiles
//! and differs in the one thing that is refused: a text that is wrong in another way has a twin that
//! fails.

/// A signal whose values stay in their thread stays there too.
///
/// ```compile_fail,E0277
/// fn shared(_: &(impl Send + Sync)) {}
/// shared(&slotwork_signals::Signal::<std::rc::Rc<i32>>::new());
/// ```
/// ```
/// fn shared(_: &(impl Send + Sync)) {}
/// shared(&slotwork_signals::Signal::<std::sync::Arc<i32>>::new());
/// ```
///
/// Nor may it be moved to another thread.
///
/// ```compile_fail,E0277
/// let signal = slotwork_signals::Signal::<std::rc::Rc<i32>>::new();
/// std::thread::spawn(move || drop(signal));
/// ```
/// ```
/// let signal = slotwork_signals::Signal::<std::sync::Arc<i32>>::new();
/// std::thread::spawn(move || drop(signal));
/// ```
///
/// A value that cannot be sent has no slots that may be posted to.
///
/// ```compile_fail,E0599
/// slotwork_signals::Signal::<std::rc::Rc<i32>>::new().connect(|_| {});
/// ```
/// ```
/// slotwork_signals::Signal::<std::rc::Rc<i32>>::new().connect_local(|_| {});
/// slotwork_signals::Signal::<std::sync::Arc<i32>>::new().connect(|_| {});
/// ```
///
/// Nor can its emissions be awaited, as that may be done elsewhere.
///
/// ```compile_fail,E0599
/// let _ = slotwork_signals::Signal::<std::rc::Rc<i32>>::new().next();
/// ```
/// ```
/// let _ = slotwork_signals::Signal::<std::sync::Arc<i32>>::new().next();
/// ```
struct Values;

/// Others cannot emit the signal of an object.
///
/// ```compile_fail,E0599
/// use slotwork_signals::{Signal, SignalRef};
///
/// let (sender, signal) = (std::rc::Rc::new(()), Signal::<i32>::new());
/// SignalRef::new(&sender, &signal).emit(&1);
/// ```
/// ```
/// use slotwork_signals::{Signal, SignalRef};
///
/// let (sender, signal) = (std::rc::Rc::new(()), Signal::<i32>::new());
/// SignalRef::new(&sender, &signal).connect(|_, _| {});
/// ```
struct Emitting;

/// A direct slot runs on any thread and must be fit for it.
///
/// ```compile_fail,E0277
/// let count = std::rc::Rc::new(5);
/// slotwork_signals::Signal::<i32>::new().connect_direct(move |value| drop(*count + value));
/// ```
/// ```
/// let count = std::sync::Arc::new(5);
/// slotwork_signals::Signal::<i32>::new().connect_direct(move |value| drop(*count + value));
/// ```
///
/// So must its sender.
///
/// ```compile_fail,E0277
/// use slotwork_signals::{Signal, SignalRef};
///
/// let (sender, signal) = (std::rc::Rc::new(()), Signal::<i32>::new());
/// SignalRef::new(&sender, &signal).connect_direct(|_, _| {});
/// ```
/// ```
/// use slotwork_signals::{Signal, SignalRef};
///
/// let (sender, signal) = (std::sync::Arc::new(()), Signal::<i32>::new());
/// SignalRef::new(&sender, &signal).connect_direct(|_, _| {});
/// ```
struct DirectSlots;

/// What runs the slots of a thread stays in it.
///
/// ```compile_fail,E0277
/// fn sent(_: impl Send) {}
/// sent(slotwork_signals::dispatch());
/// ```
/// ```
/// fn sent<T>(_: T) {}
/// sent(slotwork_signals::dispatch());
/// ```
///
/// What a spy records stays too.
///
/// ```compile_fail,E0277
/// fn sent(_: impl Send) {}
/// sent(slotwork_signals::SignalSpy::new(&slotwork_signals::Signal::<i32>::new()));
/// ```
/// ```
/// fn sent<T>(_: T) {}
/// sent(slotwork_signals::SignalSpy::new(&slotwork_signals::Signal::<i32>::new()));
/// ```
///
/// A connection and what is awaited may go elsewhere.
///
/// ```
/// fn sent(_: impl Send) {}
/// let signal = slotwork_signals::Signal::<i32>::new();
/// sent((signal.connect(|_| {}), signal.next(), signal.stream()));
/// ```
struct Threads;

/// A slot outlives the call of `connect`, and must not borrow what does not.
///
/// ```compile_fail,E0597
/// let signal = slotwork_signals::Signal::<i32>::new();
/// let count = std::cell::Cell::new(0);
/// signal.connect(|value| count.set(*value));
/// ```
/// ```
/// let signal = slotwork_signals::Signal::<i32>::new();
/// let count = std::cell::Cell::new(0);
/// signal.connect(move |value| count.set(*value));
/// ```
struct Borrowing;
