//! What the compiler is to refuse; compiled as documentation tests only.

/// A signal whose values stay in their thread stays there too.
///
/// ```compile_fail,E0277
/// fn shared(_: &(impl Send + Sync)) {}
/// shared(&slotwork_signals::Signal::<std::rc::Rc<i32>>::new());
/// ```
///
/// A value that cannot be sent has no slots that may be posted to.
///
/// ```compile_fail,E0599
/// slotwork_signals::Signal::<std::rc::Rc<i32>>::new().connect(|_| {});
/// ```
///
/// Others cannot emit the signal of an object.
///
/// ```compile_fail,E0599
/// use slotwork_signals::{Signal, SignalRef};
///
/// let (sender, signal) = (std::rc::Rc::new(()), Signal::<i32>::new());
/// SignalRef::new(&sender, &signal).emit(&1);
/// ```
///
/// A direct slot runs on any thread and must be fit for it.
///
/// ```compile_fail,E0277
/// let count = std::rc::Rc::new(std::cell::Cell::new(0));
/// slotwork_signals::Signal::<i32>::new().connect_direct(move |value| count.set(*value));
/// ```
///
/// What runs the slots of a thread stays in it.
///
/// ```compile_fail,E0277
/// fn sent(_: impl Send) {}
/// sent(slotwork_signals::dispatch());
/// ```
struct Refused;
