//! The report as text for people.

use std::time::Duration;

use slotwork::Message;

use crate::certificate::Certificate;
use crate::output::{ERROR, GOOD, LABEL, RECEIVED, SENT, WARNING, hexadecimal, printable};
use crate::report::{Pings, Report, Response, Tls, Traffic, milliseconds};

/// Returns the lines about connecting; of a connection, or of an attempt that failed.
pub(crate) fn opening(report: &Report, is_verbose: bool) -> Vec<String> {
    let (url, peer) = (printable(&report.url), report.peer.as_deref().unwrap_or("no address"));
    let mut lines = vec![if report.is_connected {
        row("connected", &format!("{GOOD}{url}{GOOD:#} ({peer})"))
    } else {
        row("failed", &format!("{ERROR}{url}{ERROR:#} ({peer})"))
    }];
    let steps = report.timings_ms.steps();
    if !steps.is_empty() {
        let steps: Vec<_> = steps.iter().map(|(name, time)| format!("{name} {time} ms")).collect();
        lines.push(row("timings", &steps.join(", ")));
    }
    if let Some(tls) = &report.tls {
        lines.extend(tls_lines(tls));
    }
    if let Some(name) = &report.subprotocol {
        lines.push(row("subprotocol", &printable(name)));
    }
    if report.is_compressed {
        lines.push(row("compression", "permessage-deflate"));
    }
    if let Some(response) = report.response.as_ref().filter(|it| is_verbose || it.status != 101) {
        lines.extend(response_lines(response));
    }
    lines
}

/// Returns the lines about the end of a connection.
pub(crate) fn end(report: &Report) -> Vec<String> {
    if !report.is_connected {
        return Vec::new();
    }
    let mut lines = Vec::new();
    if let Some(pings) = &report.pings {
        lines.push(row("pings", &ping_text(pings)));
    }
    lines.push(row("sent", &traffic_text(report.sent)));
    let first = report.timings_ms.first_message;
    let first = first.map(|time| format!(", the first after {time} ms")).unwrap_or_default();
    lines.push(row("received", &(traffic_text(report.received) + &first)));
    if let Some(close) = &report.close {
        let style = if matches!(close.code, 1000 | 1001 | 1005) { GOOD } else { ERROR };
        let reason = match printable(&close.reason) {
            reason if reason.is_empty() => String::new(),
            reason => format!(": {reason}"),
        };
        lines.push(row("closed", &format!("{style}{}{style:#}{reason}", close.meaning)));
    }
    lines
}

pub(crate) fn sent(message: &Message) -> String {
    format!("{SENT}>{SENT:#} {}", message_text(message))
}

pub(crate) fn received(message: &Message) -> String {
    format!("{RECEIVED}<{RECEIVED:#} {}", message_text(message))
}

pub(crate) fn pong(number: u32, elapsed: Duration) -> String {
    row("pong", &format!("{number} after {} ms", milliseconds(elapsed)))
}

fn row(label: &str, value: &str) -> String {
    format!("{LABEL}{label:<12}{LABEL:#} {value}")
}

fn tls_lines(tls: &Tls) -> Vec<String> {
    let mut lines = vec![row("TLS", &format!("{}, {}", tls.protocol, tls.cipher))];
    for error in &tls.errors {
        lines.push(row("", &format!("{WARNING}{}{WARNING:#}", printable(error))));
    }
    lines.extend(tls.certificates.iter().flat_map(certificate_lines));
    lines
}

fn certificate_lines(certificate: &Certificate) -> Vec<String> {
    let Some(fields) = &certificate.fields else {
        let size = certificate.size;
        return vec![row("certificate", &format!("{ERROR}cannot be read{ERROR:#} ({size} bytes)"))];
    };
    let (style, left) = match fields.days_left {
        days @ ..0 => (ERROR, format!("expired {} ago", count(days.unsigned_abs(), "day"))),
        days @ 0..14 => (WARNING, format!("{} left", count(days.unsigned_abs(), "day"))),
        days => (GOOD, format!("{} left", count(days.unsigned_abs(), "day"))),
    };
    let validity = format!("{} to {}", fields.not_before, fields.not_after);
    let mut lines = vec![
        row("certificate", &printable(&fields.subject)),
        row("  issuer", &printable(&fields.issuer)),
    ];
    if !fields.names.is_empty() {
        lines.push(row("  names", &printable(&fields.names.join(", "))));
    }
    lines.push(row("  validity", &format!("{validity}, {style}{left}{style:#}")));
    lines
}

fn response_lines(response: &Response) -> Vec<String> {
    let Response { status, reason, headers, body } = response;
    let mut lines = vec![row("response", &format!("{status} {}", printable(reason)))];
    for (name, value) in headers {
        lines.push(row("", &format!("{}: {}", printable(name), printable(value))));
    }
    let mut body = body.lines();
    for line in body.by_ref().take(MAX_LINES) {
        let (shown, more) = cut(line);
        lines.push(row("  body", &(printable(shown) + &more)));
    }
    let more = body.count();
    if more > 0 {
        lines.push(row("", &format!("… and {}", count(more as u64, "more line"))));
    }
    lines
}

fn message_text(message: &Message) -> String {
    let Some(text) = message.as_text() else {
        let bytes = message.as_bytes();
        let shown = bytes.get(..MAX_BYTES).unwrap_or(bytes);
        let more = if bytes.len() > shown.len() { " …" } else { "" };
        let size = count(bytes.len() as u64, "byte");
        return format!("{size}: {}{more}", hexadecimal(shown, " "));
    };
    // Lines of a message stay behind its mark, or it could imitate the report.
    let (shown, more) = cut(text);
    let lines: Vec<_> = shown.split('\n').map(printable).collect();
    lines.join("\n  ") + &more
}

/// Returns the part of a text that is shown, and a note of the rest.
fn cut(text: &str) -> (&str, String) {
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => {
            let note = format!("… ({})", count(text.len() as u64, "byte"));
            (text.get(..end).unwrap_or_default(), note)
        }
        None => (text, String::new()),
    }
}

fn ping_text(pings: &Pings) -> String {
    let answered = format!("{} of {} answered", pings.received, pings.sent);
    let (Some(min), Some(median), Some(p99), Some(max)) =
        (pings.min_ms, pings.median_ms, pings.p99_ms, pings.max_ms)
    else {
        return answered;
    };
    format!("{answered}, min {min}, median {median}, p99 {p99}, max {max} ms")
}

fn traffic_text(traffic: Traffic) -> String {
    format!("{}, {}", count(traffic.messages, "message"), count(traffic.bytes, "byte"))
}

fn count(number: u64, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// The length at which a text is cut; `--quiet` and `--json` print all of it.
const MAX_CHARACTERS: usize = 4000;
/// The bytes of a binary message that are shown.
const MAX_BYTES: usize = 32;
/// The lines of the body of a refusal that are shown.
const MAX_LINES: usize = 20;
