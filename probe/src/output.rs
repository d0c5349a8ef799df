//! Standard output and standard error: closed pipes, colour, text of strangers.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use slotwork::{EventLoop, Message};

use crate::report::Exit;

/// Standard output, until it is closed, and standard error.
///
/// The output of `slotwork-probe … | head -1` is closed early: the run ends, and that is no error.
#[derive(Default)]
pub(crate) struct Output {
    failure: Cell<Option<ErrorKind>>,
}

impl Output {
    /// Prints a line.
    pub(crate) fn line(&self, line: &str) {
        self.write(|out| writeln!(out, "{line}"));
    }

    /// Prints several lines.
    pub(crate) fn lines(&self, lines: &[String]) {
        for line in lines {
            self.line(line);
        }
    }

    /// Prints a received message alone: as it is, unless a terminal shows it.
    pub(crate) fn message(&self, message: &Message) {
        let is_shown = io::stdout().is_terminal();
        let end: &[u8] = if message.as_text().is_some() { b"\n" } else { b"" };
        self.write_to(io::stdout().lock(), |out| match message.as_text() {
            Some(text) if is_shown => writeln!(out, "{}", printable(text)),
            None if is_shown => writeln!(out, "{}", hexadecimal(message.as_bytes(), " ")),
            _ => out.write_all(message.as_bytes()).and_then(|()| out.write_all(end)),
        });
    }

    /// Writes to standard output, with colour if that is a terminal.
    pub(crate) fn write(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        self.write_to(anstream::stdout().lock(), write);
    }

    /// Writes; a failure ends the loop, and drops what is written later.
    fn write_to(&self, mut out: impl Write, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if self.has_failed() {
            return;
        }
        if let Err(error) = write(&mut out).and_then(|()| out.flush()) {
            self.failure.set(Some(error.kind()));
            EventLoop::current().quit();
        }
    }

    /// Returns whether standard output is closed, or has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    /// Prints a warning to standard error.
    pub(crate) fn warning(&self, text: &str) {
        self.report(WARNING, "warning", text);
    }

    /// Prints an error to standard error.
    pub(crate) fn error(&self, text: &str) {
        self.report(ERROR, "error", text);
    }

    #[expect(clippy::unused_self, reason = "all output is written by an `Output`")]
    fn report(&self, style: Style, kind: &str, text: &str) {
        // A failure of standard error cannot be reported anywhere.
        let _ = writeln!(anstream::stderr(), "{style}{kind}:{style:#} {}", printable(text));
    }

    /// Returns the exit code: that of the run, unless the output has failed.
    pub(crate) fn exit(&self, exit: Exit) -> u8 {
        match self.failure.get() {
            // What is missing then is missing because of that.
            Some(ErrorKind::BrokenPipe) if exit == Exit::Unmet => Exit::Success as u8,
            Some(ErrorKind::BrokenPipe) | None => exit as u8,
            Some(kind) => {
                self.error(&format!("cannot write to standard output: {kind}"));
                Exit::Usage as u8
            }
        }
    }
}

/// Returns a text without control characters, which could change the terminal.
///
/// Tabs remain; characters that change the direction of text are escaped too.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if (character.is_control() && character != '\t') || is_bidi(character) {
            let _ = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

const fn is_bidi(character: char) -> bool {
    matches!(character, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Returns bytes in hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8], separator: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(separator)
}

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default();
pub(crate) const ERROR: Style = AnsiColor::Red.on_default();
pub(crate) const SENT: Style = AnsiColor::Blue.on_default();
pub(crate) const RECEIVED: Style = AnsiColor::Cyan.on_default();
pub(crate) const LABEL: Style = Style::new().bold();

#[cfg(test)]
mod tests {
    use super::*;

    /// A server must not be able to move the cursor, set the title or hide text.
    #[test]
    fn text_of_strangers_cannot_change_the_terminal() {
        assert_eq!(printable("a\tb é 日"), "a\tb é 日");
        assert_eq!(printable("\x1b[2J\r\n\u{9b}31m"), r"\u{1b}[2J\r\n\u{9b}31m");
        assert_eq!(printable("a\u{202E}b"), r"a\u{202e}b");
    }
}
