//! The client's side: offers, and the check of the answer (RFC 7692 §5.1).

use crate::protocol::deflate::terms::{Agreed, Terms};
use crate::protocol::handshake::extensions;
use crate::protocol::handshake::permessage_deflate::{MAX_WINDOW, MIN_WINDOW, NAME, Parameters};
use crate::types::compression::{Compression, HistorySize};

/// Returns the offers of a client, as the value of `Sec-WebSocket-Extensions`.
///
/// With a history there are three: one asks the server for a window of that size, one accepts any, for
/// servers that cannot limit it, and one is without a history for what the client sends.
pub(crate) fn offers(settings: &Compression) -> String {
    let history = settings.history_size();
    if history.is_none() {
        return WITHOUT_HISTORY.to_owned();
    }
    let bits = history.bits();
    format!("{WITH_HISTORY}; server_max_window_bits={bits}, {WITH_HISTORY}, {FORGETTING}")
}

/// Checks the extensions of an answer to [`offers`].
///
/// `headers` are the values of `Sec-WebSocket-Extensions`. Returns `None` when the server accepted
/// none.
///
/// # Errors
///
/// The reason for which the client fails the connection (RFC 7692 §5.1), for people.
pub(crate) fn check<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
    settings: &Compression,
) -> Result<Option<Agreed>, &'static str> {
    let mut agreed = None;
    for member in headers.into_iter().flat_map(extensions::members) {
        let extension = member.ok_or(extensions::MALFORMED_ANSWER)?;
        if extension.name != NAME {
            return Err(extensions::NOT_REQUESTED);
        }
        // Each answer fits one of the offers: there is always one that does not limit the server's
        // window, and all accept a limit of the client's.
        let answer = Parameters::of_answer(&extension)
            .ok_or("it has invalid parameters of permessage-deflate")?;
        let terms = terms(&answer, settings);
        if agreed.replace(Agreed { terms, reservation: None }).is_some() {
            return Err("it has permessage-deflate twice");
        }
    }
    Ok(agreed)
}

fn terms(answer: &Parameters, settings: &Compression) -> Terms {
    let history = settings.history_size();
    let own = if history.is_none() { MAX_WINDOW } else { history.bits() };
    let window = answer.client_max_window_bits.map_or(own, |most| most.min(own));
    // Nothing can be compressed in the smallest window, so that no history is needed.
    let keeps_sent =
        !history.is_none() && !answer.client_no_context_takeover && window != MIN_WINDOW;
    let size = |keeps, bits| if keeps { HistorySize::of_window(bits) } else { HistorySize::NONE };
    let sent = size(keeps_sent, window);
    // RFC 7692 §7.1.1.1: a server that does not confirm may refer to its last 32 KiB.
    let server_window = answer.server_max_window_bits.unwrap_or(MAX_WINDOW);
    let received = size(!answer.server_no_context_takeover, server_window);
    Terms::new(window, sent, received, settings)
}

const WITHOUT_HISTORY: &str = "permessage-deflate; \
    server_no_context_takeover; client_no_context_takeover; client_max_window_bits";
const WITH_HISTORY: &str = "permessage-deflate; client_max_window_bits";
/// The last offer, for servers that accept no client with a history.
///
/// RFC 7692 §7.1.1.2. They confirm the parameter: an answer without it is one to an earlier offer.
const FORGETTING: &str = "permessage-deflate; client_no_context_takeover; client_max_window_bits";

#[cfg(test)]
mod tests {
    use super::*;

    fn with_history(size: usize) -> Compression {
        Compression::new().history(size).unwrap()
    }

    /// Returns the sizes of the window and of both histories in bits.
    fn checked(settings: &Compression, headers: &[&str]) -> Result<Option<[u8; 3]>, &'static str> {
        let agreed = check(headers.iter().map(|value| value.as_bytes()), settings)?;
        Ok(agreed.map(|agreed| {
            let Terms { window, sent, received, .. } = agreed.terms;
            [window, sent.bits(), received.bits()]
        }))
    }

    /// RFC 7692 §7.1: parameters of an offer.
    #[test]
    fn a_client_offers_what_it_supports() {
        let limited = "permessage-deflate; client_max_window_bits; server_max_window_bits=12, \
            permessage-deflate; client_max_window_bits, \
            permessage-deflate; client_no_context_takeover; client_max_window_bits";

        assert_eq!(offers(&Compression::new()), WITHOUT_HISTORY);
        assert_eq!(offers(&with_history(4096)), limited);
        assert_eq!(offers(&with_history(32_768)), limited.replace("=12", "=15"));
    }

    /// RFC 7692 §7.1: each row of the rules for a client.
    #[test]
    fn the_terms_are_those_of_the_answer() {
        let table = [
            ("", [15, 0, 15], [12, 12, 15]),
            ("; server_no_context_takeover", [15, 0, 0], [12, 12, 0]),
            ("; client_no_context_takeover", [15, 0, 15], [12, 0, 15]),
            ("; server_no_context_takeover; client_no_context_takeover", [15, 0, 0], [12, 0, 0]),
            ("; server_max_window_bits=8", [15, 0, 8], [12, 12, 8]),
            ("; server_max_window_bits=12", [15, 0, 12], [12, 12, 12]),
            // As the answer to the second offer.
            ("; server_max_window_bits=13", [15, 0, 13], [12, 12, 13]),
            ("; client_max_window_bits=15", [15, 0, 15], [12, 12, 15]),
            ("; client_max_window_bits=10", [10, 0, 15], [10, 10, 15]),
            // Then nothing is compressed.
            ("; client_max_window_bits=\"8\"", [8, 0, 15], [8, 0, 15]),
        ];

        for (parameters, without, with) in table {
            let answer = format!("permessage-deflate{parameters}");
            assert_eq!(checked(&Compression::new(), &[&answer]), Ok(Some(without)), "{answer}");
            assert_eq!(checked(&with_history(4096), &["", &answer]), Ok(Some(with)), "{answer}");
        }
        for none in [&[][..], &[""], &[" , "]] {
            assert_eq!(checked(&Compression::new(), none), Ok(None), "{none:?}");
        }
    }

    /// RFC 6455 §4.1 item 5 of the answer, and RFC 7692 §5.1.
    #[test]
    fn an_answer_that_fits_no_offer_fails_the_connection() {
        let (other, malformed) = (extensions::NOT_REQUESTED, extensions::MALFORMED_ANSWER);
        let invalid = "it has invalid parameters of permessage-deflate";
        let twice = "it has permessage-deflate twice";
        let table: [(&[&str], _); 14] = [
            (&["foo"], other),
            (&["permessage-deflate, foo"], other),
            (&["Permessage-Deflate"], other),
            (&["permessage-deflate, permessage-deflate"], twice),
            (&["permessage-deflate", "permessage-deflate"], twice),
            (&["permessage-deflate; x"], invalid),
            (&["permessage-deflate; client_max_window_bits"], invalid),
            (&["permessage-deflate; client_max_window_bits=16"], invalid),
            (&["permessage-deflate; server_max_window_bits"], invalid),
            (&["permessage-deflate; server_max_window_bits=7"], invalid),
            (&["permessage-deflate; server_no_context_takeover=1"], invalid),
            (&["permessage-deflate; client_max_window_bits=9; client_max_window_bits=9"], invalid),
            (&["permessage-deflate;"], malformed),
            (&["permessage-deflate; client_max_window_bits=\"9"], malformed),
        ];

        for (headers, error) in table {
            for settings in [Compression::new(), with_history(512)] {
                assert_eq!(checked(&settings, headers), Err(error), "{headers:?}");
            }
        }
    }
}
