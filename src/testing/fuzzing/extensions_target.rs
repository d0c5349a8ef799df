//! Fuzz target: `Sec-WebSocket-Extensions`, its answer and the client's check.

use std::collections::HashSet;

use crate::protocol::deflate::history_budget::HistoryBudget;
use crate::protocol::deflate::terms::Terms;
use crate::protocol::handshake::extensions;
use crate::protocol::handshake::permessage_deflate::{Parameters, answer, offer};
use crate::types::compression::Compression;

/// The first byte chooses both histories; the others are header values, in lines.
///
/// Three bits are for the server, three for the client: no history, or 512 B to 32 KiB. The highest
/// bit leaves no budget.
pub fn extensions(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let headers = || rest.split(|byte| *byte == b'\n');
    let (server, client) = (settings(choice & 7), settings(choice >> 3 & 7));
    let server = if choice & 0x80 == 0 { server } else { server.history_budget(0) };

    let model: Option<Vec<_>> = headers().map(model_of).collect();
    let is_well_formed = headers().all(extensions::is_well_formed);
    assert_eq!(model.is_some(), is_well_formed, "{model:?}");

    let answered = offer::check(headers(), &client);
    let Some(model) = model.map(|headers| headers.concat()) else {
        assert!(answered.is_err(), "a malformed answer is accepted");
        return;
    };
    check_as_answer(&model, answered.map(|agreed| agreed.map(|it| it.terms)));
    check_as_offers(&model, headers(), &server);
    check_negotiation(&server, &client);
}

fn settings(choice: u8) -> Compression {
    let settings = Compression::new();
    match choice {
        0 => settings,
        bits => settings.history(1 << (bits + 8)).unwrap_or(settings),
    }
}

/// The name of an extension, and its parameters.
type Model = (String, Vec<(String, Option<String>)>);

/// Reads a header byte by byte, as the grammar has it; `None` for a malformed one.
fn model_of(header: &[u8]) -> Option<Vec<Model>> {
    let text: String = header.iter().copied().map(char::from).collect();
    let mut rest = &*text;
    let mut members = Vec::new();
    loop {
        skip_spaces(&mut rest);
        match rest.chars().next() {
            None => return Some(members),
            Some(',') => rest = rest.get(1..)?,
            Some(_) => {
                members.push(model_member(&mut rest)?);
                skip_spaces(&mut rest);
                if !rest.is_empty() {
                    rest = rest.strip_prefix(',')?;
                }
            }
        }
    }
}

fn model_member(rest: &mut &str) -> Option<Model> {
    let name = token(rest)?;
    let mut parameters = Vec::new();
    loop {
        skip_spaces(rest);
        let Some(behind) = rest.strip_prefix(';') else { return Some((name, parameters)) };
        *rest = behind;
        skip_spaces(rest);
        let parameter = token(rest)?;
        skip_spaces(rest);
        let Some(behind) = rest.strip_prefix('=') else {
            parameters.push((parameter, None));
            continue;
        };
        *rest = behind;
        skip_spaces(rest);
        let value = if rest.starts_with('"') { quoted(rest)? } else { token(rest)? };
        parameters.push((parameter, Some(value)));
    }
}

fn skip_spaces(rest: &mut &str) {
    *rest = rest.trim_start_matches([' ', '\t']);
}

fn token(rest: &mut &str) -> Option<String> {
    let end = rest.find(|it: char| !is_token(it)).unwrap_or(rest.len());
    let (token, behind) = rest.split_at_checked(end)?;
    *rest = behind;
    (!token.is_empty()).then(|| token.to_owned())
}

/// RFC 9110 §5.6.4, and RFC 6455 §9.1: without its quotation marks it is a token.
fn quoted(rest: &mut &str) -> Option<String> {
    let mut characters = rest.strip_prefix('"')?.chars();
    let mut value = String::new();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
    *rest = characters.as_str();
    (!value.is_empty() && value.chars().all(is_token)).then_some(value)
}

fn is_token(character: char) -> bool {
    character.is_ascii_graphic() && !"\"(),/:;<=>?@[\\]{}".contains(character)
}

/// Returns the parameters by the rules of RFC 7692 §7.1; `None` for an invalid one.
fn parameters_of((name, parameters): &Model, is_answer: bool) -> Option<Parameters> {
    let mut found = Parameters::default();
    let mut names = HashSet::new();
    let bits = |value: &str| (8..=15).find(|bits: &u8| bits.to_string() == value);
    for (name, value) in parameters {
        if !names.insert(name) {
            return None;
        }
        match (&**name, value.as_deref()) {
            ("server_no_context_takeover", None) => found.server_no_context_takeover = true,
            ("client_no_context_takeover", None) => found.client_no_context_takeover = true,
            ("server_max_window_bits", Some(value)) => {
                found.server_max_window_bits = Some(bits(value)?);
            }
            ("client_max_window_bits", Some(value)) => {
                found.client_max_window_bits = Some(bits(value)?);
            }
            ("client_max_window_bits", None) if !is_answer => {
                found.client_max_window_bits = Some(15);
            }
            _ => return None,
        }
    }
    (name == "permessage-deflate").then_some(found)
}

/// A client accepts one permessage-deflate with valid parameters, or nothing.
fn check_as_answer(model: &[Model], answered: Result<Option<Terms>, &'static str>) {
    let expected = match model {
        [] => Some(None),
        [member] => parameters_of(member, true).map(Some),
        _ => None,
    };
    match (answered, expected) {
        (Ok(None), Some(None)) | (Err(_), None) => {}
        (Ok(Some(terms)), Some(Some(answer))) => check_client_terms(&terms, &answer),
        (answered, expected) => unreachable!("{answered:?} instead of {expected:?}"),
    }
}

/// What a client keeps and sends is what the answer permits.
fn check_client_terms(terms: &Terms, answer: &Parameters) {
    let most = answer.client_max_window_bits.unwrap_or(15);
    assert!(terms.window <= most && terms.sent.bits() <= terms.window, "{terms:?}");
    assert!(terms.sent.is_none() || !answer.client_no_context_takeover, "{terms:?}");
    assert_eq!(terms.received.is_none(), answer.server_no_context_takeover, "{terms:?}");
    let server = answer.server_max_window_bits.unwrap_or(15);
    assert!(terms.received.is_none() || terms.received.bits() == server, "{terms:?}");
}

/// A server accepts and answers the first offer that is acceptable.
fn check_as_offers<'a>(
    model: &[Model],
    headers: impl Iterator<Item = &'a [u8]>,
    server: &Compression,
) {
    let offers = model.iter().filter_map(|member| parameters_of(member, false));
    let expected = offers.into_iter().find(|it| it.server_max_window_bits != Some(8));
    let accepted = answer::accept(headers, server, &HistoryBudget::default());
    match (accepted, expected) {
        (None, None) => {}
        (Some((answer, agreed)), Some(offer)) => check_answer(&answer, &offer, &agreed.terms),
        (accepted, expected) => unreachable!("{accepted:?} instead of {expected:?}"),
    }
}

fn check_answer(answer: &Parameters, offer: &Parameters, terms: &Terms) {
    // RFC 7692 §7.1.1.1 and §7.1.2.1: what the client asks for is confirmed.
    assert!(answer.server_no_context_takeover || !offer.server_no_context_takeover, "{answer:?}");
    let asked = offer.server_max_window_bits;
    let confirmed = answer.server_max_window_bits;
    assert!(asked.is_none_or(|asked| confirmed.is_some_and(|it| it <= asked)), "{answer:?}");
    // RFC 7692 §7.1.2.2: the client's window is limited only if it can be.
    let limit = answer.client_max_window_bits;
    assert!(limit.is_none() || limit <= offer.client_max_window_bits, "{answer:?}");
    // This end does what it has answered, in a window that the engine has.
    assert_eq!(terms.sent.is_none(), answer.server_no_context_takeover, "{terms:?}");
    assert_eq!(terms.received.is_none(), answer.client_no_context_takeover, "{terms:?}");
    assert_eq!(terms.window, confirmed.unwrap_or(15), "{terms:?}");
    assert!(terms.window > 8 && terms.sent.bits() <= terms.window, "{terms:?}");
    let kept = terms.received.bits();
    assert!(terms.received.is_none() || kept == limit.unwrap_or(15), "{terms:?}");
}

/// A client of this library accepts the answer of its server; their terms fit.
fn check_negotiation(server: &Compression, client: &Compression) {
    let offers = offer::offers(client);
    let accepted = answer::accept([offers.as_bytes()], server, &HistoryBudget::default());
    let Some((answer, agreed)) = accepted else { unreachable!("{offers} is declined") };
    let header = answer.to_string();
    let checked = offer::check([header.as_bytes()], client);
    let Ok(Some(opened)) = checked else { unreachable!("{header}: {checked:?}") };

    let (accepted, opened) = (agreed.terms, opened.terms);
    assert_eq!(accepted.sent.bits(), opened.received.bits(), "{header}");
    assert!(opened.sent.is_none() || opened.sent.bits() <= accepted.received.bits(), "{header}");
    let asked = client.history_size();
    assert!(asked.is_none() || accepted.sent.bits() <= asked.bits(), "{header}");
}
