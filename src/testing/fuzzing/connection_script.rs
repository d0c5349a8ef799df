//! The script of a connection, read from the bytes that a fuzzer made up.

use std::io::ErrorKind;
use std::num::NonZeroUsize;

use crate::types::output::OutputPolicy;
use crate::types::role::Role;

/// The events of a connection, and the actions of its program.
pub(crate) struct Script<'d> {
    pub(crate) role: Role,
    pub(crate) reply: Reply,
    /// Whether the program takes the socket at the beginning, not at the end.
    pub(crate) is_taken: bool,
    /// Whether the kernel accepts all output from the beginning.
    pub(crate) has_room: bool,
    pub(crate) reports: Reports,
    /// How many bytes were received with the opening handshake.
    pub(crate) leftover: usize,
    pub(crate) steps: Vec<Step>,
    /// The whole input from the peer.
    pub(crate) wire: &'d [u8],
}

/// What the program has reported besides messages.
pub(crate) struct Reports {
    pub(crate) frames: bool,
    /// Written bytes; without, more turns are quiet.
    pub(crate) written: bool,
}

/// The reaction of a slot to each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    None,
    Echo,
    /// A message too big to wait for the end of the turn.
    Big,
    EchoAndFlush,
    /// As a loop inside the slot does.
    SuspendAndEcho,
    EchoAndClose,
    Abort,
    /// An echo, and more output after each write, as programs do that send a file.
    Stream,
}

/// One event or action.
pub(crate) struct Step {
    pub(crate) action: Action,
    /// Whether the connection gets its turns before the next step.
    pub(crate) settles: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Arrive(usize),
    MakeRoom(usize),
    SendText(usize),
    SendBinary(usize),
    SendPrepared(usize),
    FrameSize(NonZeroUsize),
    /// The output policy, and the output limit in bytes.
    Policy(OutputPolicy, usize),
    Ping(usize),
    Close(u16),
    Abort,
    Flush,
    StartReading,
    AdvanceMillis(u64),
    CheckAlive,
    SpuriousEvent,
    Interrupt(usize),
    End,
    FailReading(ErrorKind),
    /// Once so many more bytes have been written.
    FailWriting(usize, ErrorKind),
}

impl<'d> Script<'d> {
    /// Reads a script.
    ///
    /// It is one byte of settings, the length of the leftover, the number of steps, two bytes for
    /// each step, and the input from the peer.
    pub(crate) fn parse(data: &'d [u8]) -> Option<Self> {
        let (&[settings, leftover, count], rest) = data.split_first_chunk()?;
        let (steps, wire) = rest.split_at_checked(usize::from(count % 64) * 2)?;
        let reply = match settings % 8 {
            0 => Reply::None,
            1 => Reply::Echo,
            2 => Reply::Big,
            3 => Reply::EchoAndFlush,
            4 => Reply::SuspendAndEcho,
            5 => Reply::EchoAndClose,
            6 => Reply::Abort,
            _ => Reply::Stream,
        };
        Some(Self {
            role: if settings & 0x40 == 0 { Role::Server } else { Role::Client },
            reply,
            is_taken: settings & 0x08 == 0,
            has_room: settings & 0x10 == 0,
            reports: Reports { frames: settings & 0x20 != 0, written: settings & 0x80 == 0 },
            leftover: usize::from(leftover).min(wire.len()),
            steps: steps.as_chunks().0.iter().map(Step::parse).collect(),
            wire,
        })
    }

    /// Returns whether no step can cost messages.
    ///
    /// That is no failure, no end before the peer has sent all, no time that passes, and a program
    /// that closes only in order.
    pub(crate) fn is_lossless(&self) -> bool {
        let is_lossless = |step: &Step| {
            !matches!(
                step.action,
                Action::Abort
                    | Action::AdvanceMillis(_)
                    | Action::CheckAlive
                    | Action::End
                    | Action::FailReading(_)
                    | Action::FailWriting(..)
                    | Action::Policy(OutputPolicy::Close, _)
            )
        };
        self.reply != Reply::Abort && self.steps.iter().all(is_lossless)
    }

    /// Returns whether messages may be dropped, so that pings may overtake others.
    pub(crate) fn drops(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::Policy(..)))
    }

    /// Returns whether the program leaves closing to the peer.
    pub(crate) fn never_closes(&self) -> bool {
        let closes = |step: &Step| matches!(step.action, Action::Close(_));
        self.reply != Reply::EchoAndClose && !self.steps.iter().any(closes)
    }
}

fn policy(number: u8) -> OutputPolicy {
    match number % 4 {
        0 => OutputPolicy::Close,
        1 => OutputPolicy::DropNewest,
        2 => OutputPolicy::DropOldest,
        _ => OutputPolicy::KeepLatest,
    }
}

impl Step {
    fn parse(&[kind, argument]: &[u8; 2]) -> Self {
        let count = usize::from(argument);
        let error = match argument % 4 {
            0 => ErrorKind::ConnectionReset,
            1 => ErrorKind::BrokenPipe,
            2 => ErrorKind::TimedOut,
            _ => ErrorKind::ConnectionAborted,
        };
        let action = match kind % 16 {
            0 => Action::Arrive(count),
            1 => Action::Arrive(count * 256),
            2 => Action::MakeRoom(count),
            3 => Action::MakeRoom(count * 4096),
            4 => Action::SendText(count),
            5 => Action::SendBinary(count * 256),
            6 => Action::Ping(count),
            7 => Action::Close(1000 + u16::from(argument)),
            8 if argument % 4 == 0 => Action::Abort,
            8 if argument % 4 == 1 => {
                Action::FrameSize(NonZeroUsize::MIN.saturating_add(count * 16))
            }
            8 if argument % 4 == 2 => Action::Policy(policy(argument / 4), count * 64),
            8 => Action::Flush,
            9 => Action::SendPrepared(count * 256),
            10 => Action::StartReading,
            11 if argument >= 200 => Action::CheckAlive,
            11 => Action::AdvanceMillis(u64::from(argument) * 100),
            12 if argument % 4 == 0 => Action::SpuriousEvent,
            12 => Action::Interrupt(count % 4),
            13 => Action::End,
            14 => Action::FailReading(error),
            _ => Action::FailWriting(count, error),
        };
        Self { action, settles: kind < 0x80 }
    }
}
