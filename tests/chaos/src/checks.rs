//! The properties that hold at the end of each run.

use std::rc::Rc;
use std::time::Duration;

use slotwork::EventLoop;
use slotwork::signals::Handle;

use crate::record::Record;
use crate::script::Ending;
use crate::world::World;

impl World {
    /// Checks the records, then drops all objects and checks that nothing is left.
    pub(crate) fn check(self) {
        self.check_records();
        self.check_remains();
    }

    fn check_records(&self) {
        let clients = self.clients.iter().flat_map(|it| it.records.borrow().clone());
        let servers = self.accepted.borrow().iter().map(|it| Rc::clone(&it.record)).collect();
        let (clients, servers): (Vec<_>, Vec<_>) = (clients.collect(), servers);
        for record in clients.iter().chain(&servers) {
            check_end(record);
        }
        for server in &servers {
            let is_same =
                |it: &&Rc<Record>| (it.client, it.number) == (server.client, server.number);
            let Some(client) = clients.iter().find(is_same) else { continue };
            check_messages(client, server);
            check_messages(server, client);
        }
        let is_shut_down = self.settings.ending == Ending::Shutdown;
        if self.server_closed.get() != usize::from(is_shut_down) {
            let count = self.server_closed.get();
            self.violations.borrow_mut().push(format!("`closed` was emitted {count} times"));
        }
    }

    fn check_remains(self) {
        let Self { clock, server, clients, accepted, violations, .. } = self;
        let violation = |what: String| violations.borrow_mut().push(what);
        let links: Vec<_> = clients.iter().flat_map(|client| client.host.links()).collect();
        let sockets: Vec<_> = clients.iter().map(|client| client.socket.downgrade()).collect();
        let count = server.clients().len();
        if count > 0 {
            violation(format!("the server has {count} clients"));
        }
        drop(clients);
        clock.advance(LONGEST_LINGERING);
        let open = links.iter().filter(|link| !link.is_closed()).count();
        if open > 0 {
            violation(format!("{open} connections are open"));
        }
        let accepted = accepted.take();
        let taken = accepted.iter().map(|it| &it.socket);
        let left = sockets.iter().chain(taken).filter(|it| it.upgrade().is_some()).count();
        if left > 0 {
            violation(format!("{left} sockets are left"));
        }
        let holders = accepted.iter().filter(|it| Rc::strong_count(&it.record) > 1).count();
        if holders > 0 {
            violation(format!("{holders} sockets have slots"));
        }
        let server = {
            let weak = server.downgrade();
            drop(server);
            weak
        };
        clock.advance(Duration::from_secs(1));
        if server.upgrade().is_some() {
            violation("the server is left".into());
        }
        if let Some(time) = EventLoop::current().time_to_next_timer() {
            violation(format!("a deadline is left, in {time:?}"));
        }
    }
}

fn check_end(record: &Record) {
    let count = record.disconnections.get();
    if count != 1 {
        record.violation(format!("`disconnected` was emitted {count} times"));
    }
}

/// What was received is what was sent first; with the close frame, all in front of it.
fn check_messages(sender: &Record, receiver: &Record) {
    let (all, count) = (sender.sent.get(), receiver.received.get());
    if count > all {
        receiver.violation(format!("{count} messages of {all}"));
    }
    if let Some((code, before)) = sender.closed.get()
        && receiver.final_code.get() == Some(code)
        && count < before
    {
        receiver.violation(format!("{count} messages of {before} in front of the close frame"));
    }
}

/// A connection lingers for 2 minutes at the most.
const LONGEST_LINGERING: Duration = Duration::from_secs(121);
