//! The workloads.

/// What each of some clients does over and over: send, and wait for all the echoes.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Bytes in a message.
    pub(crate) size: usize,
    pub(crate) clients: usize,
    /// How many messages a client sends in one go.
    pub(crate) deep: usize,
    /// Whether it is over TLS.
    pub(crate) is_secure: bool,
    /// How far messages per CPU second are to be ahead of `QtWebSockets`, and of `fastwebsockets`
    /// or, over TLS, of `tokio-tungstenite`.
    goals: [f64; 2],
}

impl Workload {
    /// Returns by how much ours is to be ahead of `server`.
    pub(crate) fn goal(&self, server: &str) -> Option<f64> {
        let [qt, other] = self.goals;
        match server {
            "QtWebSockets" => Some(qt),
            "fastwebsockets" => Some(other),
            "tokio-tungstenite" if self.is_secure => Some(other),
            _ => None,
        }
    }
}

pub(crate) const WORKLOADS: [Workload; 7] = [
    plain("20 B", 20, 200, 1, [2.2, 1.0]),
    plain("1 KiB", 1 << 10, 200, 1, [2.6, 1.05]),
    plain("16 KiB", 16 << 10, 50, 1, [4.5, 1.15]),
    plain("1 MiB", 1 << 20, 4, 1, [4.5, 0.9]),
    plain("20 B, 16 deep", 20, 200, 16, [5.5, 9.0]),
    secure("1 KiB, wss", 1 << 10, 32, [3.0, 1.1]),
    secure("64 KiB, wss", 64 << 10, 32, [3.0, 1.1]),
];

const fn plain(
    name: &'static str,
    size: usize,
    clients: usize,
    deep: usize,
    goals: [f64; 2],
) -> Workload {
    Workload { name, size, clients, deep, is_secure: false, goals }
}

const fn secure(name: &'static str, size: usize, clients: usize, goals: [f64; 2]) -> Workload {
    Workload { name, size, clients, deep: 1, is_secure: true, goals }
}
