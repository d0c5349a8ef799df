//! One direction of a connection in memory, with the faults of its network.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::time::{Duration, Instant};

use crate::runtime::timers::after;

/// The bytes from one end to the other.
pub(crate) struct Channel {
    pub(crate) conditions: Conditions,
    under_way: VecDeque<u8>,
    /// When the bytes under way may arrive, up to which position each.
    marks: VecDeque<Mark>,
    /// How many bytes were accepted, and how many have arrived.
    accepted: u64,
    delivered: u64,
    /// The end behind the bytes under way, and when it may arrive.
    end_under_way: Option<(End, Instant)>,
    arrived: VecDeque<u8>,
    arrived_end: Option<End>,
    /// When the line has sent what it carries, at the limit of its bandwidth.
    line_free_at: Option<Instant>,
    /// The writer was refused room since the last event.
    is_writer_blocked: bool,
    has_reader: bool,
    /// Writes fail.
    is_broken: bool,
}

/// The state of the network in one direction.
pub(crate) struct Conditions {
    pub(crate) is_stalled: bool,
    pub(crate) delay: Duration,
    /// In bytes per second.
    pub(crate) bandwidth: Option<u64>,
    /// The maximum of bytes that arrive together.
    pub(crate) fragment: Option<usize>,
    /// The maximum of bytes that were sent and not read.
    pub(crate) buffer: usize,
    /// The position behind which the connection is lost.
    pub(crate) cut_at: Option<u64>,
}

#[derive(Clone, Copy)]
struct Mark {
    position: u64,
    due: Instant,
}

/// The end of a direction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer has ended its sending direction.
    Orderly,
    /// The connection is lost.
    Reset,
    /// The reset was reported to the reader.
    Reported,
}

/// What has happened in one delivery.
#[derive(Default)]
pub(crate) struct Delivery {
    pub(crate) has_arrived: bool,
    /// Bytes have arrived at an end that is closed.
    pub(crate) is_refused: bool,
    /// The connection is lost at this position.
    pub(crate) is_cut: bool,
    /// When to deliver again; `None` when something has to happen before.
    pub(crate) next: Option<Instant>,
}

impl Channel {
    pub(crate) fn new() -> Self {
        Self {
            conditions: Conditions {
                is_stalled: false,
                delay: Duration::ZERO,
                bandwidth: None,
                fragment: None,
                buffer: BUFFER,
                cut_at: None,
            },
            under_way: VecDeque::new(),
            marks: VecDeque::new(),
            accepted: 0,
            delivered: 0,
            end_under_way: None,
            arrived: VecDeque::new(),
            arrived_end: None,
            line_free_at: None,
            is_writer_blocked: false,
            has_reader: true,
            is_broken: false,
        }
    }

    /// Writes what there is room for; 0 bytes when there is none.
    pub(crate) fn write(&mut self, buffers: &[IoSlice<'_>], now: Instant) -> io::Result<usize> {
        self.check_writable()?;
        let mut written = 0;
        for buffer in buffers {
            let taken = buffer.get(..buffer.len().min(self.room())).unwrap_or_default();
            self.accept(taken, now);
            written += taken.len();
            if taken.len() < buffer.len() {
                self.is_writer_blocked = true;
                break;
            }
        }
        Ok(written)
    }

    /// Takes all bytes, without a limit.
    pub(crate) fn write_all(&mut self, bytes: &[u8], now: Instant) -> io::Result<()> {
        self.check_writable()?;
        self.accept(bytes, now);
        Ok(())
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.is_broken {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if self.end_under_way.is_some() || self.arrived_end.is_some() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }

    fn accept(&mut self, bytes: &[u8], now: Instant) {
        if bytes.is_empty() {
            return;
        }
        if self.under_way.is_empty() {
            self.line_free_at = self.line_free_at.max(Some(now));
        }
        self.under_way.extend(bytes);
        self.accepted += bytes.len() as u64;
        let mark = Mark { position: self.accepted, due: after(now, self.conditions.delay) };
        match self.marks.back_mut() {
            // Bytes never overtake those in front of them.
            Some(last) if last.due >= mark.due => last.position = mark.position,
            _ => self.marks.push_back(mark),
        }
    }

    /// Ends the direction, behind what is under way.
    pub(crate) fn end(&mut self, now: Instant) {
        if self.end_under_way.is_none() && self.arrived_end.is_none() {
            let due = after(now, self.conditions.delay);
            let due = self.marks.back().map_or(due, |last| last.due.max(due));
            self.end_under_way = Some((End::Orderly, due));
        }
    }

    /// Resets the direction: what is under way is lost.
    pub(crate) fn reset(&mut self, now: Instant) {
        self.drop_under_way();
        if self.arrived_end.is_none() {
            self.end_under_way = Some((End::Reset, after(now, self.conditions.delay)));
        }
    }

    /// Loses the connection at once, with all that is under way.
    pub(crate) fn cut(&mut self) {
        self.drop_under_way();
        self.end_under_way = None;
        self.arrived_end.get_or_insert(End::Reset);
        self.conditions.cut_at = None;
        self.is_broken = true;
    }

    fn drop_under_way(&mut self) {
        self.under_way = VecDeque::new();
        self.marks = VecDeque::new();
        self.delivered = self.accepted;
    }

    /// Closes the reading end; returns whether it has left input unread.
    pub(crate) fn close_reader(&mut self) -> bool {
        self.has_reader = false;
        !std::mem::take(&mut self.arrived).is_empty()
    }

    /// Lets later writes fail.
    pub(crate) fn break_writes(&mut self) {
        self.is_broken = true;
    }

    /// Begins the time of the bandwidth anew, after a change of the conditions.
    pub(crate) fn note_change(&mut self, now: Instant) {
        self.line_free_at = self.line_free_at.max(Some(now));
    }

    /// Lets arrive what is due.
    pub(crate) fn deliver(&mut self, now: Instant) -> Delivery {
        let mut delivery = Delivery::default();
        loop {
            if self.conditions.cut_at.is_some_and(|cut_at| self.delivered >= cut_at) {
                delivery.is_cut = !self.conditions.is_stalled;
                return delivery;
            }
            let Some((count, due, sent_at)) = self.next_portion() else { break };
            if due > now {
                delivery.next = Some(due);
                return delivery;
            }
            self.line_free_at = sent_at;
            let portion = self.under_way.drain(..count);
            if self.has_reader {
                self.arrived.extend(portion);
                delivery.has_arrived = true;
            } else {
                drop(portion);
                delivery.is_refused = true;
            }
            self.delivered += count as u64;
            while self.marks.front().is_some_and(|mark| mark.position <= self.delivered) {
                self.marks.pop_front();
            }
        }
        if let Some((end, due)) = self.end_under_way
            && self.under_way.is_empty()
            && !self.conditions.is_stalled
        {
            if due > now {
                delivery.next = Some(due);
            } else {
                self.end_under_way = None;
                self.arrived_end = Some(end);
                delivery.has_arrived = true;
            }
        }
        delivery
    }

    /// Returns the next portion: its size, when it arrives, and when it is sent.
    fn next_portion(&self) -> Option<(usize, Instant, Option<Instant>)> {
        let Conditions { is_stalled, bandwidth, fragment, cut_at, .. } = self.conditions;
        if is_stalled || (fragment.is_some() && !self.arrived.is_empty()) {
            return None;
        }
        let mark = self.marks.front()?;
        let limits = [Some(mark.position), cut_at].into_iter().flatten();
        let until = limits.min().unwrap_or(mark.position).saturating_sub(self.delivered);
        let mut count = usize::try_from(until).unwrap_or(usize::MAX).min(self.under_way.len());
        count = count.min(fragment.unwrap_or(usize::MAX).max(1));
        let Some(rate) = bandwidth else { return Some((count, mark.due, None)) };
        let rate = rate.max(1);
        let quantum = usize::try_from(rate / PORTIONS_PER_SECOND).unwrap_or(usize::MAX);
        count = count.min(quantum.max(1));
        let nanoseconds = u128::from(NANOSECONDS) * count as u128 / u128::from(rate);
        let time = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let sent_at = after(self.line_free_at.unwrap_or(mark.due), time);
        Some((count, sent_at.max(mark.due), Some(sent_at)))
    }

    /// Reads what has arrived; `WouldBlock` when that is nothing. 0 bytes are the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.arrived.is_empty() {
            // As a kernel does: all there is.
            self.arrived.make_contiguous();
            return self.arrived.read(buffer);
        }
        match self.arrived_end {
            None => Err(ErrorKind::WouldBlock.into()),
            Some(End::Reset) => {
                self.arrived_end = Some(End::Reported);
                Err(ErrorKind::ConnectionReset.into())
            }
            Some(End::Orderly | End::Reported) => Ok(0),
        }
    }

    /// Returns all that has arrived, and removes it.
    pub(crate) fn take_arrived(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.arrived).into()
    }

    /// Removes and returns the first bytes that have arrived.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        self.arrived.drain(..count.min(self.arrived.len())).collect()
    }

    /// Returns a copy of what has arrived.
    pub(crate) fn arrived(&self) -> Vec<u8> {
        self.arrived.iter().copied().collect()
    }

    /// Returns whether a read would block.
    pub(crate) fn is_drained(&self) -> bool {
        self.arrived.is_empty() && self.arrived_end.is_none()
    }

    /// Returns the end, once it has arrived.
    pub(crate) fn arrived_end(&self) -> Option<End> {
        self.arrived_end
    }

    /// Returns whether the end has arrived, and no input is in front of it.
    pub(crate) fn is_at_end(&self) -> bool {
        self.arrived.is_empty() && self.arrived_end.is_some()
    }

    /// Returns how many bytes the writer may write.
    pub(crate) fn room(&self) -> usize {
        self.conditions.buffer.saturating_sub(self.under_way.len() + self.arrived.len())
    }

    /// Returns whether to report room, to a writer that was refused some.
    pub(crate) fn take_room_event(&mut self) -> bool {
        let is_event = self.is_writer_blocked && (self.room() > 0 || self.is_broken);
        self.is_writer_blocked &= !is_event;
        is_event
    }

    /// Returns how many bytes were accepted so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }
}

/// The default buffer of a direction, in bytes.
pub(crate) const BUFFER: usize = 64 * 1024;
/// How often something arrives in a second, at the limit of the bandwidth.
const PORTIONS_PER_SECOND: u64 = 100;
const NANOSECONDS: u64 = 1_000_000_000;
