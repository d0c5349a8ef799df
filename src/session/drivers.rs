//! The task of a connection, and the drivers that tasks and events use.
//!
//! The task owns the driver: it takes the first turn, and those behind deadlines, calls of other
//! threads and input that is left over. For an event the loop takes the turn itself, without the
//! task, whose wake-up and run are twelve of the sixteen locked instructions of a short message.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::thread::LocalKey;

use crate::runtime::panics;
use crate::runtime::reactor::Reactor;
use crate::runtime::turns;
use crate::session::driver::{Driver, LingeringStream};
use crate::session::linger::Linger;
use crate::session::observer::Observer;

/// An observer of connections whose drivers are in a table of the thread.
///
/// A thread has drivers of one such type: its reactor has one handler of events.
pub(crate) trait Driven: Observer + Sized {
    /// Returns the table.
    fn drivers() -> &'static LocalKey<Drivers<Self>>;
}

/// The task of one connection, until its descriptor is closed.
///
/// It is bound to the thread in which it was made.
pub(crate) struct ConnectionTask<O: Driven> {
    /// The driver's number in the table.
    number: u32,
    of_this_thread: PhantomData<Rc<O>>,
}

/// The drivers of a thread, by their numbers.
///
/// It has no destructor: at the thread's end the loop drops the tasks, and each of them its driver.
pub(crate) struct Drivers<O: Observer>(ManuallyDrop<RefCell<Table<O>>>);

/// Sockets are many, so a driver has no allocation of its own.
struct Table<O: Observer> {
    chunks: Vec<Rc<Chunk<O>>>,
    free: Vec<u32>,
}

/// The entries of some drivers; a turn borrows its entry.
struct Chunk<O: Observer> {
    entries: [RefCell<Entry<O>>; ENTRIES],
    /// The observers once more, for loops inside their turns.
    observers: [Cell<Option<Arc<O>>>; ENTRIES],
    /// The entries whose task is polled again behind the current turn, a bit for each.
    ///
    /// Set when a loop inside the turn meets an event or polls the task.
    polled_again: Cell<u8>,
}

/// What the task of a connection works on.
enum Entry<O: Observer> {
    Free,
    /// The connection is open or closing.
    Driving(Driver<O>),
    /// The end of the connection was reported; the peer may still read.
    Ended(Option<Box<Linger>>),
}

impl<O: Driven> ConnectionTask<O> {
    /// Makes the task of an open connection.
    ///
    /// `leftover` is input behind the opening handshake.
    pub(crate) fn new(observer: O::Handle, leftover: Vec<u8>) -> Self {
        let driver = Driver::new(observer, leftover);
        let number = with_drivers(|drivers: &Drivers<O>| drivers.insert(driver)).flatten();
        // At the thread's very end it is a number that no driver has.
        Self { number: number.unwrap_or(u32::MAX), of_this_thread: PhantomData }
    }

    /// Returns whether the end was not reported yet.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn is_driving(&self) -> bool {
        self.has_driver(|_| true)
    }

    /// Takes the turn of an event; returns false when it is left to the task.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn handle_event(&self) -> bool {
        let takes_turn = self.has_driver(Driver::takes_event_turns);
        if takes_turn {
            handle_event::<O>(self.number);
        }
        takes_turn
    }

    #[cfg(any(test, fuzzing))]
    fn has_driver(&self, is_wanted: impl FnOnce(&Driver<O>) -> bool) -> bool {
        let Some(chunk) = chunk::<O>(self.number) else { return false };
        matches!(&*chunk.entry(self.number).borrow(), Entry::Driving(driver) if is_wanted(driver))
    }
}

impl<O: Driven> Future for ConnectionTask<O> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let number = self.number;
        let Some(chunk) = chunk::<O>(number) else { return Poll::Ready(()) };
        let outcome = chunk.turn(number, |entry| entry.poll(number, cx));
        // Inside the turn of an event, behind which the task is polled again.
        let Some(outcome) = outcome else { return Poll::Pending };
        if chunk.take_polled_again(number) {
            cx.waker().wake_by_ref();
        }
        outcome
    }
}

impl<O: Driven> Drop for ConnectionTask<O> {
    fn drop(&mut self) {
        if let Some(chunk) = chunk::<O>(self.number)
            && let Some(owned) = chunk.take(self.number)
        {
            with_drivers(|drivers: &Drivers<O>| drivers.free(self.number));
            drop(owned);
        }
    }
}

impl<O: Observer> Drivers<O> {
    /// Makes the table of a thread.
    pub(crate) const fn new() -> Self {
        let table = Table { chunks: Vec::new(), free: Vec::new() };
        Self(ManuallyDrop::new(RefCell::new(table)))
    }

    #[inline]
    fn chunk(&self, number: u32) -> Option<Rc<Chunk<O>>> {
        self.0.borrow().chunks.get(number as usize / ENTRIES).cloned()
    }

    fn insert(&self, driver: Driver<O>) -> Option<u32>
    where
        O: Driven,
    {
        let mut table = self.0.borrow_mut();
        if table.free.is_empty() {
            if let Ok(reactor) = Reactor::current() {
                reactor.set_event_handler(handle_event::<O>);
            }
            let first = u32::try_from(table.chunks.len() * ENTRIES).ok()?;
            table.chunks.push(Rc::new(Chunk::new()));
            // The last one is used first.
            let numbers: Vec<_> = (first..).take(ENTRIES).collect();
            table.free.extend(numbers.into_iter().rev());
        }
        let number = table.free.pop()?;
        let chunk = table.chunks.get(number as usize / ENTRIES)?;
        chunk.observer(number).set(Some(Arc::clone(&driver.observer)));
        *chunk.entry(number).borrow_mut() = Entry::Driving(driver);
        Some(number)
    }

    /// Frees an entry, with the memory of all if it was the last one in use.
    fn free(&self, number: u32) {
        let mut table = self.0.borrow_mut();
        table.free.push(number);
        if table.free.len() == table.chunks.len() * ENTRIES {
            (table.chunks, table.free) = Default::default();
        }
    }
}

// Here a thread's end destroys the table in any order, and makes it anew for what uses it behind.
#[cfg(all(windows, target_env = "gnu"))]
impl<O: Observer> Drop for Drivers<O> {
    fn drop(&mut self) {
        for chunk in mem::take(&mut self.0.get_mut().chunks) {
            for number in 0..u32::try_from(ENTRIES).unwrap_or_default() {
                let owned = chunk.take(number);
                panics::catch("the end of a task", || drop(owned));
            }
        }
    }
}

impl<O: Observer> Chunk<O> {
    fn new() -> Self {
        Self {
            entries: std::array::from_fn(|_| RefCell::new(Entry::Free)),
            observers: Default::default(),
            polled_again: Cell::default(),
        }
    }

    #[inline]
    fn entry(&self, number: u32) -> &RefCell<Entry<O>> {
        &self.entries[number as usize % ENTRIES]
    }

    #[inline]
    fn observer(&self, number: u32) -> &Cell<Option<Arc<O>>> {
        &self.observers[number as usize % ENTRIES]
    }

    /// Takes a turn.
    ///
    /// Returns `None` inside a turn of the same entry: the task is polled behind that one.
    #[inline]
    fn turn<R>(&self, number: u32, turn: impl FnOnce(&mut Entry<O>) -> R) -> Option<R>
    where
        O: Driven,
    {
        let Ok(mut entry) = self.entry(number).try_borrow_mut() else {
            self.polled_again.set(self.polled_again.get() | bit(number));
            return None;
        };
        let in_turn = turns::begin(suspend::<O>, number);
        let outcome = turn(&mut entry);
        drop(in_turn);
        let has_ended = !matches!(*entry, Entry::Driving(_));
        drop(entry);
        if has_ended {
            // Often the last handle, with the program's values.
            panics::catch("the end of a task", || drop(self.observer(number).take()));
        }
        Some(outcome)
    }

    /// Returns whether the task is to be polled after a turn.
    #[inline]
    fn take_polled_again(&self, number: u32) -> bool {
        let bits = self.polled_again.get();
        self.polled_again.set(bits & !bit(number));
        bits & bit(number) != 0
    }

    /// Returns the waker of a connection's task, while there is a connection.
    #[cold]
    fn waker(&self, number: u32) -> Option<Waker> {
        match &*self.entry(number).borrow() {
            Entry::Driving(driver) => driver.waker(),
            // The task was woken at the end.
            Entry::Free | Entry::Ended(_) => None,
        }
    }

    /// Ends the connection whose turn has panicked, and its task.
    #[cold]
    fn end_panicked(&self, number: u32) {
        let waker = self.waker(number);
        let owned = self.take(number);
        panics::catch("the end of a task", || drop(owned));
        waker.into_iter().for_each(Waker::wake);
    }

    /// Takes what a task has owned; `None` in its turn.
    fn take(&self, number: u32) -> Option<Entry<O>> {
        let mut entry = self.entry(number).try_borrow_mut().ok()?;
        let taken = mem::replace(&mut *entry, Entry::Free);
        drop(entry);
        // The driver counts the handles that remain.
        self.observer(number).take();
        Some(taken)
    }
}

impl<O: Observer> Entry<O> {
    fn poll(&mut self, number: u32, cx: &mut Context<'_>) -> Poll<()> {
        if let Self::Driving(driver) = self {
            *self = Self::ended(ready!(driver.poll(number, cx.waker())));
        }
        self.poll_lingering(cx)
    }

    #[cold]
    #[inline(never)]
    fn ended(stream: LingeringStream) -> Self {
        Self::Ended(stream.and_then(|stream| {
            // From now on its events wake the task.
            stream.source().set_event_number(None);

            Linger::new(stream)
        }))
    }

    /// Waits for the end of the peer.
    ///
    /// Apart, because what it reads and drops has 4 KiB of the stack, which turns do without.
    #[inline(never)]
    fn poll_lingering(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self::Ended(Some(linger)) = self else { return Poll::Ready(()) };
        Pin::new(linger).poll(cx)
    }
}

/// Takes the turn of an event: the handler of events of the thread's reactor.
///
/// `number` may be stale: that of no connection, or of one to which nothing has happened.
fn handle_event<O: Driven>(number: u32) {
    let Some(chunk) = chunk::<O>(number) else { return };
    let turn = catch_unwind(AssertUnwindSafe(|| {
        chunk.turn(number, |entry| {
            if let Entry::Driving(driver) = entry
                && driver.takes_event_turns()
                && let Poll::Ready(stream) = driver.turn(None)
            {
                *entry = Entry::ended(stream);
            }
        })
    }));
    let turn = turn.unwrap_or_else(|payload| {
        chunk.end_panicked(number);
        resume_unwind(payload)
    });
    if turn.is_some()
        && chunk.take_polled_again(number)
        && let Some(waker) = chunk.waker(number)
    {
        waker.wake();
    }
}

/// Does now what is due at the end of a turn; see [`turns`].
fn suspend<O: Driven>(number: u32) {
    let Some(chunk) = chunk::<O>(number) else { return };
    let observer = chunk.observer(number).take();
    if let Some(observer) = &observer {
        observer.session().suspend_turn();
    }
    chunk.observer(number).set(observer);
}

#[inline]
fn chunk<O: Driven>(number: u32) -> Option<Rc<Chunk<O>>> {
    with_drivers(|drivers: &Drivers<O>| drivers.chunk(number)).flatten()
}

/// Uses the table of this thread; `None` once the thread's end has destroyed it.
#[inline]
fn with_drivers<O: Driven, R>(use_drivers: impl FnOnce(&Drivers<O>) -> R) -> Option<R> {
    O::drivers().try_with(use_drivers).ok()
}

const fn bit(number: u32) -> u8 {
    1 << (number % u8::BITS)
}

/// The number of entries in a chunk: few, as a small server has few.
const ENTRIES: usize = u8::BITS as usize;

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::pin;

    use super::*;
    use crate::protocol::handshake::extensions::AgreedExtensions;
    use crate::session::Session;
    use crate::testing::connection::{Recorder, ScriptedConnection};
    use crate::testing::scripted_stream::scripted_stream;
    use crate::types::role::Role;
    use crate::types::socket_state::SocketState;

    fn table<R>(look: impl FnOnce(&Table<Recorder>) -> R) -> R {
        Recorder::drivers().with(|drivers| look(&drivers.0.borrow()))
    }

    #[test]
    fn the_last_driver_frees_the_table() {
        let connect = |_| ScriptedConnection::new(Role::Server, &[], Box::new(|_, _| {}));
        let mut connections: Vec<_> = (0..3 * ENTRIES).map(connect).collect();
        assert_eq!(table(|table| (table.chunks.len(), table.free.len())), (3, 0));

        connections.truncate(1);
        connections.extend((0..ENTRIES).map(connect));
        assert_eq!(table(|table| (table.chunks.len(), table.free.len())), (3, 2 * ENTRIES - 1));

        drop(connections);
        assert_eq!(table(|table| (table.chunks.capacity(), table.free.capacity())), (0, 0));
    }

    #[test]
    fn an_event_of_a_connection_that_is_gone_does_nothing() {
        handle_event::<Recorder>(0);
        drop(ScriptedConnection::new(Role::Server, &[], Box::new(|_, _| {})));

        for number in [0, 1, u32::MAX] {
            handle_event::<Recorder>(number);
        }

        assert!(table(|table| table.chunks.is_empty()));
    }

    /// An event before it may have been one of an older connection.
    #[test]
    fn the_first_turn_is_that_of_the_task() -> io::Result<()> {
        let (stream, peer) = scripted_stream()?;
        let session = Session::new(Role::Server, stream, None, AgreedExtensions::default());
        let recorder = Recorder::new(session, Box::new(|_, _| {}));
        recorder.session().start_reading();
        peer.send(b"\x81\x80\0\0\0\0");
        let task: ConnectionTask<Recorder> =
            ConnectionTask::new(Box::new(Arc::clone(&recorder)), Vec::new());
        let mut task = pin!(task);
        let reports = || format!("{:?}", recorder.record().reports);

        handle_event::<Recorder>(0);
        assert_eq!(reports(), "[]");
        let _: Poll<()> = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(reports(), r#"[Text("")]"#);
        Ok(())
    }

    #[test]
    fn a_turn_of_an_event_that_panics_ends_the_connection() -> io::Result<()> {
        let mut connection = ScriptedConnection::new(Role::Server, &[], Box::new(|_, _| {}))?;
        connection.break_turns();

        assert!(catch_unwind(|| handle_event::<Recorder>(0)).is_err());

        assert!(connection.has_ended());
        assert_eq!(connection.session().state(), SocketState::Unconnected);
        connection.settle();
        assert!(!connection.is_lingering());
        Ok(())
    }
}
