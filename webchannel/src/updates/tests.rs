//! Updates against a model that keeps a set for each client, with a clock of its own.

use proptest::prelude::*;

use super::*;

const INTERVAL: Duration = Duration::from_millis(50);
const CLIENTS: usize = 3;

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Change(u8),
    /// A client has processed its update.
    Idle(usize),
    /// It is owed something beside the changes: a property that it has written.
    Write(usize),
    Join(usize),
    Leave(usize),
    Block(bool),
    Forget(u8),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = 0..CLIENTS;
    let step = prop_oneof![
        6 => (0..5u8).prop_map(Step::Change),
        5 => client.clone().prop_map(Step::Idle),
        1 => client.clone().prop_map(Step::Write),
        1 => client.clone().prop_map(Step::Join),
        1 => client.prop_map(Step::Leave),
        1 => any::<bool>().prop_map(Step::Block),
        1 => (0..5u8).prop_map(Step::Forget),
        5 => (0..70u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..80)
}

/// A client of the model, with what the channel keeps of it.
struct ModelClient {
    progress: Progress,
    is_idle: bool,
    owes: bool,
    /// What it has not been sent.
    missing: BTreeSet<u8>,
    /// Since when something is missing or owed.
    waits_since: Option<Instant>,
}

struct Model {
    updates: Updates<u8>,
    now: Instant,
    start: Instant,
    is_blocked: bool,
    clients: [Option<ModelClient>; CLIENTS],
    /// Those that a late round is for.
    late: BTreeSet<usize>,
    rounds: u32,
    unblocked: u32,
}

impl Model {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            updates: Updates::new(INTERVAL),
            now,
            start: now,
            is_blocked: false,
            clients: [None, None, None],
            late: BTreeSet::new(),
            rounds: 0,
            unblocked: 0,
        }
    }

    fn take(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Change(property) => {
                self.updates.change(now, property);
                for client in self.clients.iter_mut().flatten() {
                    client.missing.insert(property);
                    client.waits_since.get_or_insert(now);
                }
            }
            Step::Idle(number) => {
                if let Some(client) = &mut self.clients[number] {
                    client.is_idle = true;
                    if self.updates.set_idle(now, &mut client.progress) {
                        self.late.insert(number);
                    }
                }
            }
            Step::Write(client) => {
                if let Some(client) = &mut self.clients[client] {
                    client.owes = true;
                    client.waits_since.get_or_insert(now);
                    self.updates.request_round(now);
                }
            }
            Step::Join(client) => {
                let progress = self.updates.join();
                let missing = BTreeSet::new();
                let joined = ModelClient {
                    progress,
                    is_idle: false,
                    owes: false,
                    missing,
                    waits_since: None,
                };
                self.clients[client] = Some(joined);
            }
            Step::Leave(client) => self.clients[client] = None,
            Step::Block(is_blocked) => {
                self.updates.set_blocked(now, is_blocked);
                self.unblocked += u32::from(self.is_blocked && !is_blocked);
                self.is_blocked = is_blocked;
            }
            Step::Forget(property) => {
                self.updates.forget(property);
                for client in self.clients.iter_mut().flatten() {
                    client.missing.remove(&property);
                    if client.missing.is_empty() && !client.owes {
                        client.waits_since = None;
                    }
                }
            }
            Step::Wait(milliseconds) => self.now += Duration::from_millis(milliseconds),
        }
    }

    /// What the channel does when its timer expires.
    fn serve(&mut self) {
        while self.updates.deadline().is_some_and(|deadline| deadline <= self.now) {
            let round = self.updates.begin_round(self.now).expect("a round is due");
            self.rounds += u32::from(round == Round::All);
            let late = mem::take(&mut self.late);
            for (number, client) in self.clients.iter_mut().enumerate() {
                let is_served = round == Round::All || late.contains(&number);
                let Some(client) = client.as_mut().filter(|_| is_served) else { continue };
                let Some(span) = self.updates.due(round, &mut client.progress, client.owes) else {
                    continue;
                };
                assert!(client.is_idle, "a busy client is served");
                let sent: BTreeSet<_> = self.updates.properties(span).into_iter().collect();
                assert_eq!(sent, client.missing, "it is sent something else");
                assert!(!sent.is_empty() || client.owes, "it is sent nothing");
                client.progress.sent(span);
                (client.is_idle, client.owes, client.waits_since) = (false, false, None);
                client.missing.clear();
            }
        }
        assert!(self.updates.begin_round(self.now).is_none(), "a round without a deadline");
    }

    fn check(&self) {
        for client in self.clients.iter().flatten() {
            let waits = client.waits_since.map(|since| self.now - since);
            let is_served = !client.is_idle || self.is_blocked;
            assert!(is_served || waits.is_none_or(|waits| waits < INTERVAL), "a client waits");
        }
        let elapsed = (self.now - self.start).as_millis() / INTERVAL.as_millis() + 1;
        assert!(u128::from(self.rounds) <= elapsed + u128::from(self.unblocked), "too many rounds");
        // Bounded by the properties, whatever there was.
        assert!(self.updates.changes.values().map(BTreeSet::len).sum::<usize>() <= 5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Each client is sent each change once it is idle, within an interval, and none twice.
    #[test]
    fn each_client_gets_all_changes_in_time(steps in steps()) {
        let mut model = Model::new();
        for step in steps {
            model.take(step);
            model.serve();
            model.check();
        }
    }
}

/// Clients that are served in one round have one span, whatever they cause.
#[test]
fn the_clients_of_a_round_share_a_span() {
    let mut updates = Updates::new(INTERVAL);
    let mut now = Instant::now();
    let mut clients = [updates.join(), updates.join()];
    for client in &mut clients {
        updates.set_idle(now, client);
    }
    updates.change(now, 1);
    now += INTERVAL;

    let round = updates.begin_round(now);
    let spans = clients.each_mut().map(|client| updates.due(Round::All, client, false));

    assert_eq!(round, Some(Round::All));
    assert!(spans[0].is_some() && spans[0] == spans[1]);
}

/// A change while a round is served is not lost for those that were served before it.
#[test]
fn a_change_during_a_round_is_in_the_next() {
    let mut updates = Updates::new(INTERVAL);
    let now = Instant::now();
    let mut client = updates.join();
    updates.set_idle(now, &mut client);
    updates.change(now, 1);
    let now = now + INTERVAL;
    assert_eq!(updates.begin_round(now), Some(Round::All));
    let span = updates.due(Round::All, &mut client, false).expect("a change");
    client.sent(span);

    updates.change(now, 1);
    updates.set_idle(now, &mut client);

    let now = now + INTERVAL;
    assert_eq!(updates.deadline(), Some(now));
    assert_eq!(updates.begin_round(now), Some(Round::All));
    let span = updates.due(Round::All, &mut client, false).expect("the change again");
    assert_eq!(updates.properties(span), [1]);
}

/// A client that cannot be served is served alone when it can be.
#[test]
fn a_postponed_client_is_served_late() {
    let mut updates = Updates::new(INTERVAL);
    let now = Instant::now();
    let mut clients = [updates.join(), updates.join()];
    for client in &mut clients {
        updates.set_idle(now, client);
    }
    updates.change(now, 1);
    let now = now + INTERVAL;
    assert_eq!(updates.begin_round(now), Some(Round::All));
    let [slow, quick] = &mut clients;
    assert!(updates.due(Round::All, slow, false).is_some());
    slow.postpone();
    let span = updates.due(Round::All, quick, false).expect("a change");
    quick.skip(span);

    updates.request_late_round(now);

    assert_eq!(updates.begin_round(now), Some(Round::Late));
    assert!(updates.due(Round::Late, slow, false).is_some());
    assert!(updates.due(Round::Late, quick, false).is_none());
}
