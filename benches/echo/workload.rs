//! The workloads.

/// What the clients of a server do over and over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Each sends, and waits for all the echoes.
    Echo,
    /// The same, with a server on two threads beside one on one thread.
    Threads,
    /// One sends, and all wait for the message.
    FanOut,
    /// They connect, shake hands, and close.
    Handshakes,
}

/// What some clients do, and the goals for it.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Bytes in a message.
    pub(crate) size: usize,
    pub(crate) clients: usize,
    /// How many messages a client sends in one go.
    pub(crate) deep: usize,
    /// Whether it is over TLS.
    pub(crate) is_secure: bool,
    /// By how much ours is to be ahead per CPU second: of which server, with LTO. In
    /// [`Kind::Threads`] what two threads are to reach of one.
    goals: &'static [(&'static str, f64)],
}

impl Workload {
    /// Returns by how much ours is to be ahead of `server`.
    pub(crate) fn goal(&self, server: &str) -> Option<f64> {
        self.goals.iter().find(|(name, _)| *name == server).map(|(_, goal)| *goal)
    }
}

/// Returns the workload of this name, or else those with `chosen` in their name.
pub(crate) fn choose(chosen: &str) -> Vec<&'static Workload> {
    let named: Vec<_> = WORKLOADS.iter().filter(|workload| workload.name == chosen).collect();
    if !named.is_empty() {
        return named;
    }
    WORKLOADS.iter().filter(|workload| workload.name.contains(chosen)).collect()
}

/// The name of our server in the tables.
pub(crate) const OURS: &str = "slotwork";
const QT: &str = "QtWebSockets";
const FAST: &str = "fastwebsockets";
const TOKIO: &str = "tokio-tungstenite";
/// Not built here: it may be measured beside the others with `--also`.
const UWS: &str = "uWebSockets";

const WORKLOADS: [Workload; 14] = [
    echo("20 B, 1 client", 20, 1, &[(UWS, 0.97)]),
    echo("20 B, 32 clients", 20, 32, &[(UWS, 1.0)]),
    echo("20 B", 20, 200, &[(QT, 2.2), (FAST, 1.03), (UWS, 1.0)]),
    echo("1 KiB", 1 << 10, 200, &[(QT, 2.6), (FAST, 1.08), (UWS, 1.02)]),
    echo("16 KiB", 16 << 10, 50, &[(QT, 4.5), (FAST, 1.2), (UWS, 1.02)]),
    echo("1 MiB", 1 << 20, 4, &[(QT, 4.5), (FAST, 1.2), (UWS, 1.25)]),
    deep(echo("20 B, 16 deep", 20, 200, &[(QT, 5.5), (FAST, 10.0), (UWS, 1.0)])),
    of(Kind::FanOut, echo("20 B, fan-out", 20, 200, &[(UWS, 1.02)])),
    of(Kind::Handshakes, echo("handshakes", 0, 16, &[(UWS, 1.0)])),
    secure(echo("1 KiB, wss", 1 << 10, 32, &[(QT, 3.0), (TOKIO, 1.1)])),
    secure(echo("64 KiB, wss", 64 << 10, 32, &[(QT, 3.0), (TOKIO, 1.1)])),
    secure(of(Kind::Handshakes, echo("handshakes, wss", 0, 1, &[]))),
    of(Kind::Threads, echo("1 KiB, 2 threads", 1 << 10, 100, &[(OURS, 0.95)])),
    of(Kind::Threads, deep(echo("20 B, 16 deep, 2 threads", 20, 100, &[(OURS, 0.9)]))),
];

const fn echo(
    name: &'static str,
    size: usize,
    clients: usize,
    goals: &'static [(&'static str, f64)],
) -> Workload {
    Workload { name, kind: Kind::Echo, size, clients, deep: 1, is_secure: false, goals }
}

const fn of(kind: Kind, workload: Workload) -> Workload {
    Workload { kind, ..workload }
}

const fn deep(workload: Workload) -> Workload {
    Workload { deep: 16, ..workload }
}

const fn secure(workload: Workload) -> Workload {
    Workload { is_secure: true, ..workload }
}
