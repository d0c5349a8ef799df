//! A connection over a scripted stream, driven as an event loop drives it.

use std::io;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::LocalKey;
use std::time::Duration;

use crate::protocol::frames::event::Data;
use crate::protocol::frames::frame_header::LONGEST_CONTROL_PAYLOAD;
use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::protocol::handshake::extensions::AgreedExtensions;
use crate::protocol::prepared_message::PreparedMessage;
use crate::runtime::flush_list;
use crate::runtime::reactor::Reactor;
use crate::runtime::sync::{Mutex, MutexGuard};
use crate::session::{
    ConnectionTask, Driven, Drivers, Observer, OutputLevel, Session, Traffic, TrafficCounts,
};
use crate::testing::Count;
use crate::testing::scripted_stream::{ScriptedPeer, scripted_stream};
use crate::testing::stopped_clock::StoppedClock;
use crate::types::error::Error;
use crate::types::limit::Limit;
use crate::types::mask_generator::MaskGenerator;
use crate::types::output::SendStatus;
use crate::types::role::Role;
use crate::types::socket_state::SocketState;

/// A connection with a scripted peer, kernel and clock.
pub(crate) struct ScriptedConnection {
    pub(crate) peer: ScriptedPeer,
    recorder: Arc<Recorder>,
    /// `None` once the task is done.
    driver: Option<ConnectionTask<Recorder>>,
    clock: StoppedClock,
    reactor: Rc<Reactor>,
    wakes: Arc<Count>,
    /// The task of the thread's flush list, and how often it was woken.
    flushes: Pin<Box<dyn Future<Output = ()>>>,
    flush_wakes: Arc<Count>,
    turns: usize,
    is_taken: bool,
}

/// A call of the observer.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    /// Not recorded: how often it happens depends on the kernel.
    Written,
    Level(OutputLevel),
    Limit(Limit),
    Closing,
    State(SocketState),
    Failed(Error),
    Ended,
}

/// A stand-in for the slots of a socket, called with each report.
pub(crate) type Slot = Box<dyn Fn(&Recorder, &Report) + Send + Sync>;

/// Records its calls as an observer, and what it sends.
pub(crate) struct Recorder {
    session: Session,
    slot: Slot,
    me: Weak<Self>,
    wants_frames: AtomicBool,
    wants_written: AtomicBool,
    is_broken: AtomicBool,
    record: Mutex<Record>,
    traffic: Traffic,
}

/// The recorded life of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) reports: Vec<Report>,
    /// The messages and pings that were accepted to be sent, in order.
    pub(crate) sent: Vec<(Opcode, Vec<u8>)>,
    /// The sum of the bytes that were reported as written.
    pub(crate) written: usize,
    /// The frames so far of a message that is not complete.
    frames: Vec<u8>,
}

impl ScriptedConnection {
    /// Makes a connection with a kernel that takes nothing yet.
    ///
    /// `leftover` is input behind the opening handshake.
    pub(crate) fn new(role: Role, leftover: &[u8], slot: Slot) -> io::Result<Self> {
        Self::with_extensions(role, leftover, slot, AgreedExtensions::default())
    }

    /// Makes a connection on which both ends have agreed on extensions.
    pub(crate) fn with_extensions(
        role: Role,
        leftover: &[u8],
        slot: Slot,
        extensions: AgreedExtensions,
    ) -> io::Result<Self> {
        let clock = StoppedClock::new();
        let (stream, peer) = scripted_stream()?;
        let session = Session::new(role, stream, None, extensions);
        if role == Role::Client {
            session.set_mask_generator(Some(Box::new(SameMask)));
        }
        let recorder = Recorder::new(session, slot);
        let driver = ConnectionTask::new(Box::new(Arc::clone(&recorder)), leftover.to_vec());
        let wakes = Arc::new(Count::default());
        let mut connection = Self {
            peer,
            recorder,
            driver: Some(driver),
            clock,
            reactor: Reactor::current()?,
            wakes,
            flushes: Box::pin(flush_list::flush_listed()),
            flush_wakes: Arc::default(),
            turns: 0,
            is_taken: false,
        };
        connection.flush_listed();
        connection.poll();
        connection.settle();
        Ok(connection)
    }

    pub(crate) fn session(&self) -> &Session {
        &self.recorder.session
    }

    /// Returns the observer, which also sends.
    pub(crate) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Has frames reported as well.
    pub(crate) fn report_frames(&self) {
        self.recorder.wants_frames.store(true, Ordering::Relaxed);
    }

    /// Has no written bytes reported, as without a slot.
    pub(crate) fn ignore_written(&self) {
        self.recorder.wants_written.store(false, Ordering::Relaxed);
    }

    /// Has turns panic, which is a fault of the library.
    #[cfg(test)]
    pub(crate) fn break_turns(&self) {
        self.recorder.is_broken.store(true, Ordering::Relaxed);
    }

    /// Returns how many turns the connection has taken.
    pub(crate) fn turns(&self) -> usize {
        self.turns
    }

    /// Lets the connection read.
    pub(crate) fn start_reading(&mut self) {
        self.is_taken = true;
        self.session().start_reading();
    }

    /// Advances the clock.
    pub(crate) fn advance(&mut self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// Takes turns until the connection sleeps, or has ended.
    ///
    /// # Panics
    ///
    /// When it sleeps although there is something to do, or never does.
    pub(crate) fn settle(&mut self) {
        self.run();
        self.check_sleep(false);
    }

    /// Takes turns as [`settle`](Self::settle), where reading may be paused or held.
    ///
    /// # Panics
    ///
    /// As [`settle`](Self::settle) does, but input may be unread while reading is held.
    pub(crate) fn settle_or_hold(&mut self) {
        self.run();
        self.check_sleep(self.session().stats().is_reading_held);
    }

    fn run(&mut self) {
        for _ in 0..MOST_TURNS {
            if self.wakes.take() == 0 {
                self.reactor.wake_tasks();
                if self.flush_wakes.take() > 0 {
                    self.flush_listed();
                    continue;
                }
                if self.wakes.take() == 0 && !self.peer.report_failure() {
                    return;
                }
            }
            self.poll();
        }
        unreachable!("it takes turns without end");
    }

    /// Returns whether the end of the connection was reported.
    pub(crate) fn has_ended(&self) -> bool {
        !self.driver.as_ref().is_some_and(ConnectionTask::is_driving)
    }

    /// Returns whether the descriptor of a connection that has ended is still open.
    pub(crate) fn is_lingering(&self) -> bool {
        self.driver.as_ref().is_some_and(|driver| !driver.is_driving())
    }

    /// Returns a copy of the record so far.
    pub(crate) fn record(&self) -> Record {
        self.recorder.record().clone()
    }

    fn flush_listed(&mut self) {
        let waker = Waker::from(Arc::clone(&self.flush_wakes));
        let _: Poll<()> = self.flushes.as_mut().poll(&mut Context::from_waker(&waker));
    }

    /// Takes a turn, for an event and for the task by turns.
    ///
    /// The outcome is the same.
    fn poll(&mut self) {
        self.turns += 1;
        if self.turns.is_multiple_of(2)
            && self.driver.as_ref().is_some_and(ConnectionTask::handle_event)
        {
            return;
        }
        let waker = Waker::from(Arc::clone(&self.wakes));
        if let Some(driver) = &mut self.driver
            && Pin::new(driver).poll(&mut Context::from_waker(&waker)).is_ready()
        {
            self.driver = None;
        }
    }

    fn check_sleep(&self, is_held: bool) {
        let session = self.session();
        assert_eq!(
            self.driver.is_none(),
            self.peer.is_closed(),
            "the descriptor lives as long as it"
        );
        if self.has_ended() {
            return;
        }
        assert!(session.state() != SocketState::Unconnected, "it sleeps instead of ending");
        let may_read = self.is_taken && !is_held;
        assert!(!may_read || !self.peer.has_unread(), "it sleeps instead of reading");
        let has_output = session.bytes_to_write() > 0;
        assert!(!has_output || !self.peer.has_room(), "it sleeps instead of writing");
    }
}

/// The same frames in each run.
struct SameMask;

impl MaskGenerator for SameMask {
    fn next_mask(&mut self) -> [u8; 4] {
        [0x37, 0xFA, 0x21, 0x3D]
    }
}

impl Recorder {
    pub(crate) fn new(session: Session, slot: Slot) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            session,
            slot,
            me: Weak::clone(me),
            wants_frames: false.into(),
            wants_written: true.into(),
            is_broken: false.into(),
            record: Mutex::default(),
            traffic: Traffic::default(),
        })
    }

    /// Sends a message, and records it if it was accepted.
    pub(crate) fn send(&self, kind: MessageKind, message: &[u8]) -> SendStatus {
        self.note_sent(self.session.send(kind, message, || self.list()), kind.into(), message)
    }

    /// Sends a message that is encoded already, in the same way.
    pub(crate) fn send_prepared(&self, message: &[u8]) -> SendStatus {
        let prepared = PreparedMessage::binary(message);
        self.note_sent(
            self.session.send_prepared(&prepared, || self.list()),
            Opcode::Binary,
            message,
        )
    }

    /// Sends a message with a key, in the same way.
    pub(crate) fn send_conflated(&self, key: u64, message: &[u8]) -> SendStatus {
        let prepared = PreparedMessage::binary(message);
        self.note_sent(
            self.session.send_conflated(key, &prepared, || self.list()),
            Opcode::Binary,
            message,
        )
    }

    /// Sends a ping, in the same way.
    pub(crate) fn ping(&self, payload: &[u8]) -> SendStatus {
        let sent = payload.get(..LONGEST_CONTROL_PAYLOAD).unwrap_or(payload);
        self.note_sent(self.session.ping(payload), Opcode::Ping, sent)
    }

    fn list(&self) -> bool {
        self.me.upgrade().is_some_and(|me| flush_list::add(&me))
    }

    fn note_sent(&self, status: SendStatus, opcode: Opcode, sent: &[u8]) -> SendStatus {
        if status == SendStatus::Queued {
            self.record().sent.push((opcode, sent.to_vec()));
        }
        status
    }

    /// Returns how many messages and pings were accepted to be sent.
    pub(crate) fn sent_count(&self) -> usize {
        self.record().sent.len()
    }

    /// Returns what was counted for the server.
    pub(crate) fn traffic_counts(&self) -> TrafficCounts {
        self.traffic.counts()
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock()
    }

    fn note(&self, report: &Report) {
        self.record().reports.push(report.clone());
        (self.slot)(self, report);
    }
}

impl Observer for Recorder {
    type Handle = Box<Arc<Self>>;
    type Kept = ();

    fn session(&self) -> &Session {
        &self.session
    }

    fn traffic(&self) -> Option<&Traffic> {
        Some(&self.traffic)
    }

    fn wants_frames(&self) -> bool {
        self.wants_frames.load(Ordering::Relaxed)
    }

    fn wants_bytes_written(&self) -> bool {
        assert!(!self.is_broken.load(Ordering::Relaxed), "turns are broken");
        self.wants_written.load(Ordering::Relaxed)
    }

    fn frame_received(&self, frame: Data<'_>) {
        assert!(self.wants_frames(), "a frame was not wanted: {frame:?}");
        self.record().frames.extend_from_slice(bytes_of(frame));
    }

    fn message_received(this: &Box<Arc<Self>>, message: Data<'_>, last_frame: usize, (): &mut ()) {
        let frames = mem::take(&mut this.record().frames);
        if this.wants_frames() {
            assert_eq!(Some(&frames[..]), bytes_of(message).get(..last_frame), "other frames");
        }
        this.note(&match message {
            Data::Text(text) => Report::Text(text.to_owned()),
            Data::Binary(bytes) => Report::Binary(bytes.to_owned()),
        });
    }

    fn pong_received(&self, payload: &[u8]) {
        self.note(&Report::Pong(payload.to_owned()));
    }

    fn bytes_written(&self, count: usize) {
        assert!(count > 0, "nothing was written");
        self.record().written += count;
        (self.slot)(self, &Report::Written);
    }

    fn output_level_changed(&self, level: OutputLevel) {
        self.note(&Report::Level(level));
    }

    fn limit_reached(&self, limit: Limit) {
        self.note(&Report::Limit(limit));
    }

    fn closing(&self) {
        self.note(&Report::Closing);
    }

    fn state_changed(&self, state: SocketState) {
        self.note(&Report::State(state));
    }

    fn failed(&self, error: Error) {
        self.note(&Report::Failed(error));
    }

    fn ended(this: &Arc<Self>) {
        this.note(&Report::Ended);
    }
}

impl Driven for Recorder {
    fn drivers() -> &'static LocalKey<Drivers<Self>> {
        &DRIVERS
    }
}

thread_local! {
    static DRIVERS: Drivers<Recorder> = const { Drivers::new() };
}

fn bytes_of(data: Data<'_>) -> &[u8] {
    match data {
        Data::Text(text) => text.as_bytes(),
        Data::Binary(bytes) => bytes,
    }
}

/// More than any script needs.
const MOST_TURNS: usize = 1_000_000;
