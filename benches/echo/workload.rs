//! What is measured.

/// What each of some clients does over and over: send, and wait for all the echoes.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Bytes in a message.
    pub(crate) size: usize,
    pub(crate) clients: usize,
    /// How many messages a client sends in one go.
    pub(crate) deep: usize,
    /// How far messages per CPU second are to be ahead of `QtWebSockets` and `fastwebsockets`.
    goals: [f64; 2],
}

impl Workload {
    /// Returns by how much ours is to be ahead of `server`.
    pub(crate) fn goal(&self, server: &str) -> Option<f64> {
        let [qt, fastwebsockets] = self.goals;
        match server {
            "QtWebSockets" => Some(qt),
            "fastwebsockets" => Some(fastwebsockets),
            _ => None,
        }
    }
}

pub(crate) const WORKLOADS: [Workload; 5] = [
    Workload { name: "20 B", size: 20, clients: 200, deep: 1, goals: [2.2, 1.0] },
    Workload { name: "1 KiB", size: 1 << 10, clients: 200, deep: 1, goals: [2.6, 1.05] },
    Workload { name: "16 KiB", size: 16 << 10, clients: 50, deep: 1, goals: [4.5, 1.15] },
    Workload { name: "1 MiB", size: 1 << 20, clients: 4, deep: 1, goals: [4.5, 0.9] },
    Workload { name: "20 B, 16 deep", size: 20, clients: 200, deep: 16, goals: [5.5, 9.0] },
];
