//! Credentials for HTTP authentication, and slots that supply them.

use std::cell::RefCell;
use std::collections::VecDeque;

use anyhow::{Context, Result, ensure};
use slotwork::{Authenticator, WebSocket};

use crate::recorder::Recorder;

/// The credentials "ok:right", as RFC 7617 encodes them.
pub const RIGHT: &str = "Basic b2s6cmlnaHQ=";
/// The credentials "no:wrong".
pub const WRONG: &str = "Basic bm86d3Jvbmc=";

/// Returns a slot that answers each challenge with the next of these users, and none after them.
///
/// The password of `ok` is right, that of any other wrong.
pub fn answer_with(users: &[&'static str]) -> impl Fn(&WebSocket, &Authenticator) + 'static {
    let users = RefCell::new(users.iter().copied().collect::<VecDeque<_>>());
    move |_socket, question| {
        if let Some(user) = users.borrow_mut().pop_front() {
            question.set_user(user);
            question.set_password(if user == "ok" { "right" } else { "wrong" });
        }
    }
}

/// Checks the signals of a client that connects, or fails to.
pub fn check_outcome(socket: &WebSocket, recorder: &Recorder, is_success: bool) -> Result<()> {
    if is_success {
        return recorder.wait_for(&["Connecting", "Connected", "connected"]);
    }
    recorder.wait_for_disconnected(1)?;
    let error = socket.error().context("no error")?;
    let expected = ["Connecting", &format!("error: {error}"), "Unconnected"];
    ensure!(recorder.lines().starts_with(&expected.map(str::to_owned)), "{:?}", recorder.lines());
    Ok(())
}
