//! What happens in one run: a script of steps, the same for each run of a seed.

use std::fmt;
use std::time::Duration;

/// A run: its settings, and what happens one after the other.
#[derive(Clone, Debug)]
pub struct Script {
    /// What it was made of.
    pub seed: u64,
    /// What is the same for the whole run.
    pub settings: Settings,
    /// What happens.
    pub steps: Vec<Step>,
}

/// The settings of a run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub(crate) clients: usize,
    pub(crate) is_compressed: bool,
    pub(crate) keepalive: Option<Duration>,
    pub(crate) ending: Ending,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The network recovers, and the clients close.
    ClientsClose,
    /// The network recovers, and the server shuts down.
    Shutdown,
    /// The network is gone, and both close.
    Stalled,
    /// All connections are lost.
    Cut,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// One step of a script, for one of the clients.
#[derive(Clone, Debug)]
pub struct Step {
    pub(crate) client: usize,
    pub(crate) action: Action,
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    Open,
    Send {
        from: Side,
        size: usize,
        request: Request,
    },
    Ping(Side),
    Close(Side),
    Abort(Side),
    Pause(Side),
    Resume(Side),
    Broadcast {
        size: usize,
    },
    Fault(Fault),
    /// A fault of the next connections, from their first byte on.
    FaultAtConnect(Fault),
    Advance(Duration),
}

/// What the receiver of a message does in its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Nothing,
    Echo,
    Close,
    Abort,
}

/// A fault of the network, in one direction or both.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Stall(Side),
    Recover(Side),
    Delay(Side, Duration),
    Bandwidth(Side, u64),
    Fragment(Side, usize),
    Buffer(Side, usize),
    CutAfter(Side, u64),
    Cut,
}

impl Script {
    /// Returns the script of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ 0x5DEE_CE66);
        let clients = 1 + random.below(3);
        let settings = Settings {
            clients,
            is_compressed: random.below(4) == 0,
            keepalive: [None, Some(1), Some(20)][random.below(3)].map(Duration::from_secs),
            ending: match random.below(4) {
                0 => Ending::ClientsClose,
                1 => Ending::Shutdown,
                2 => Ending::Stalled,
                _ => Ending::Cut,
            },
        };
        let mut steps = Vec::new();
        for client in 0..clients {
            for _ in 0..random.below(2) {
                let action = Action::FaultAtConnect(random.fault());
                steps.push(Step { client, action });
            }
            steps.push(Step { client, action: Action::Open });
        }
        for _ in 0..random.below(40) {
            steps.push(Step { client: random.below(clients), action: random.action() });
        }
        Self { seed, settings, steps }
    }

    /// Returns the script with these of its steps alone.
    #[must_use]
    pub fn keeping(&self, kept: &[usize]) -> Self {
        let steps = kept.iter().filter_map(|&index| self.steps.get(index)).cloned().collect();
        Self { seed: self.seed, settings: self.settings, steps }
    }
}

/// Numbers that are the same in each run (Vigna's splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or_default()
    }

    fn side(&mut self) -> Side {
        if self.below(2) == 0 { Side::Client } else { Side::Server }
    }

    fn size(&mut self) -> usize {
        match self.below(8) {
            0..=4 => self.below(200),
            5 | 6 => self.below(20_000),
            _ => self.below(300_000),
        }
    }

    fn action(&mut self) -> Action {
        match self.below(32) {
            0..=8 => {
                let request = match self.below(24) {
                    0 => Request::Close,
                    1 => Request::Abort,
                    2..=6 => Request::Echo,
                    _ => Request::Nothing,
                };
                Action::Send { from: self.side(), size: self.size(), request }
            }
            9 => Action::Broadcast { size: self.size() },
            10 => Action::Ping(self.side()),
            11 => Action::Pause(self.side()),
            12 | 13 => Action::Resume(self.side()),
            14 => Action::Close(self.side()),
            15 if self.below(2) == 0 => Action::Abort(self.side()),
            16 | 17 => Action::Open,
            18..=23 => Action::Fault(self.fault()),
            _ => Action::Advance(self.time()),
        }
    }

    fn time(&mut self) -> Duration {
        let limit = [1, 1, 20, 200, 2_000, 12_000, 40_000][self.below(7)];
        Duration::from_millis(self.below(limit) as u64)
    }

    fn fault(&mut self) -> Fault {
        let side = self.side();
        match self.below(16) {
            0 | 1 => Fault::Stall(side),
            2..=4 => Fault::Recover(side),
            5 | 6 => Fault::Delay(side, Duration::from_millis(self.below(3_000) as u64)),
            7 | 8 => Fault::Bandwidth(side, 1_000 + self.next() % 100_000),
            9 | 10 => Fault::Fragment(side, 1 + self.below(2_000)),
            11 | 12 => Fault::Buffer(side, 1 + self.below(5_000)),
            13 | 14 => Fault::CutAfter(side, self.next() % 5_000),
            _ => Fault::Cut,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}: {:?}", self.client, self.action)
    }
}
