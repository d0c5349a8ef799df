//! The memory of idle connections after messages.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;

use crate::lane;
use crate::texts::Texts;
use bench_support::load::Load;
use bench_support::server::{Program, Server};

/// The bytes that an idle connection takes.
pub(crate) struct Weight {
    pub(crate) after_one: i64,
    pub(crate) after_ten: i64,
}

/// Weighs so many idle connections, after a message of each and after ten.
///
/// One more connection has sent ten before, so that what all connections share does not count.
pub(crate) fn weigh(program: &Program, texts: &Texts, count: usize) -> Result<Option<Weight>> {
    if count == 0 {
        return Ok(None);
    }
    let server = program.start()?;
    let received = Rc::new(Cell::new(0));
    let mut first = lane::open(&server, 1, &received, false, texts)?;
    echo(&mut first, &server, 10)?;
    let base = server.resident_bytes()?;

    let mut load = lane::open(&server, count, &received, false, texts)?;
    echo(&mut load, &server, 1)?;
    let after_one = server.resident_bytes()?;
    echo(&mut load, &server, 9)?;
    let after_ten = server.resident_bytes()?;

    let each = i64::try_from(count)?;
    Ok(Some(Weight { after_one: (after_one - base) / each, after_ten: (after_ten - base) / each }))
}

/// Lets each client send so many messages, and the server free what it keeps for a while.
fn echo(load: &mut Load<'_>, server: &Server, count: usize) -> Result<()> {
    for _ in 0..count {
        load.run(server, Duration::ZERO)?;
    }
    load.rest(CALM)
}

/// Ours frees the tools of a thread one to two seconds after their last use.
const CALM: Duration = Duration::from_millis(2500);
