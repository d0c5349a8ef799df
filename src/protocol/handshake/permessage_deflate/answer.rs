//! The server's side: choice of an offer, and the answer (RFC 7692 §5.1).

use crate::protocol::deflate::history_budget::HistoryBudget;
use crate::protocol::deflate::terms::{Agreed, Terms};
use crate::protocol::handshake::extensions;
use crate::protocol::handshake::permessage_deflate::{MAX_WINDOW, MIN_WINDOW, NAME, Parameters};
use crate::types::compression::{Compression, HistorySize};

/// Accepts the first acceptable offer among the extensions of a request.
///
/// `headers` are the values of `Sec-WebSocket-Extensions`. Returns the answer and its terms; `None`
/// when no offer is acceptable, and then the connection is opened without compression.
pub(crate) fn accept<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
    settings: &Compression,
    budget: &HistoryBudget,
) -> Option<(Parameters, Agreed)> {
    let offers = headers.into_iter().flat_map(extensions::members).flatten();
    let mut offers = offers.filter(|it| it.name == NAME);
    let offer = offers.find_map(|it| Parameters::of_offer(&it).filter(is_acceptable))?;

    let (answer, terms) = agree(&offer, settings.history_size(), settings);
    let size = terms.sent.bytes() + terms.received.bytes();
    if size == 0 {
        return Some((answer, Agreed { terms, reservation: None }));
    }
    if let Some(reservation) = budget.reserve(size, settings.budget()) {
        return Some((answer, Agreed { terms, reservation: Some(reservation) }));
    }
    let (answer, terms) = agree(&offer, HistorySize::NONE, settings);
    Some((answer, Agreed { terms, reservation: None }))
}

/// The engine cannot compress in the smallest window: the client may offer others.
fn is_acceptable(offer: &Parameters) -> bool {
    offer.server_max_window_bits != Some(MIN_WINDOW)
}

/// Answers an offer with a history of this size, or with none.
fn agree(offer: &Parameters, history: HistorySize, settings: &Compression) -> (Parameters, Terms) {
    let own = if history.is_none() { MAX_WINDOW } else { history.bits() };
    let keeps_none = history.is_none();

    // RFC 7692 §7.1.2.1: a limit that is asked for is confirmed, and one may be set unasked.
    let window = offer.server_max_window_bits.map_or(own, |asked| asked.min(own));
    let names_window = offer.server_max_window_bits.is_some() || window < MAX_WINDOW;
    // RFC 7692 §7.1.1.1: what the client asks for is confirmed.
    let forgets_sent = keeps_none || offer.server_no_context_takeover;
    // RFC 7692 §7.1.2.2: a client whose window cannot be limited would need more history.
    let client_window = offer.client_max_window_bits.map_or(MAX_WINDOW, |most| most.min(own));
    let forgets_received = keeps_none || offer.client_no_context_takeover || client_window > own;
    let limits_client = !forgets_received && client_window < MAX_WINDOW;

    let answer = Parameters {
        server_no_context_takeover: forgets_sent,
        client_no_context_takeover: forgets_received,
        server_max_window_bits: names_window.then_some(window),
        client_max_window_bits: limits_client.then_some(client_window),
    };
    let size =
        |forgets, bits| if forgets { HistorySize::NONE } else { HistorySize::of_window(bits) };
    let sent = size(forgets_sent, window);
    let received = size(forgets_received, client_window);
    (answer, Terms::new(window, sent, received, settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "permessage-deflate";
    const NONE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    fn with_history(size: usize) -> Compression {
        Compression::new().history(size).unwrap()
    }

    /// Returns the answer, and the sizes of the window and of both histories in bits.
    fn answer(settings: &Compression, headers: &[&str]) -> Option<(String, [u8; 3])> {
        let headers = headers.iter().map(|value| value.as_bytes());
        let (answer, agreed) = accept(headers, settings, &HistoryBudget::default())?;
        let Terms { window, sent, received, .. } = agreed.terms;
        Some((answer.to_string(), [window, sent.bits(), received.bits()]))
    }

    fn check(settings: &Compression, table: &[(&str, &str, [u8; 3])]) {
        for (parameters, expected, sizes) in table {
            let offer = format!("{PLAIN}{parameters}");
            let expected = Some((format!("{PLAIN}{expected}"), *sizes));
            assert_eq!(answer(settings, &[&offer]), expected, "{offer}");
        }
    }

    /// RFC 7692 §7.1.1 and §7.1.2: each message by itself, in the window that the client allows.
    #[test]
    fn without_a_history_both_ends_forget() {
        let forget = "; server_no_context_takeover; client_no_context_takeover";
        let limited = |bits| format!("{forget}; server_max_window_bits={bits}");
        let (nine, fifteen) = (limited(9), limited(15));

        check(
            &Compression::new(),
            &[
                ("", forget, [15, 0, 0]),
                ("; client_max_window_bits", forget, [15, 0, 0]),
                ("; client_max_window_bits=8", forget, [15, 0, 0]),
                ("; server_no_context_takeover", forget, [15, 0, 0]),
                ("; client_no_context_takeover", forget, [15, 0, 0]),
                ("; server_max_window_bits=9", &nine, [9, 0, 0]),
                ("; server_max_window_bits=15", &fifteen, [15, 0, 0]),
            ],
        );
    }

    /// RFC 7692 §7.1: each row of the rules for a server, with 4 KiB.
    #[test]
    fn with_a_history_windows_are_limited_to_it() {
        let own = "; server_max_window_bits=12";
        let own_forgetting_client = "; client_no_context_takeover; server_max_window_bits=12";
        check(
            &with_history(4096),
            &[
                // Firefox, Safari: their window cannot be limited.
                ("", own_forgetting_client, [12, 12, 0]),
                // Chromium, Python, ws.
                ("; client_max_window_bits", &format!("{own}; client_max_window_bits=12"), [12; 3]),
                (
                    "; client_max_window_bits=15",
                    &format!("{own}; client_max_window_bits=12"),
                    [12; 3],
                ),
                (
                    "; client_max_window_bits=8",
                    &format!("{own}; client_max_window_bits=8"),
                    [12, 12, 8],
                ),
                (
                    "; client_max_window_bits; server_no_context_takeover",
                    &format!("; server_no_context_takeover{own}; client_max_window_bits=12"),
                    [12, 0, 12],
                ),
                (
                    "; client_max_window_bits; client_no_context_takeover",
                    own_forgetting_client,
                    [12, 12, 0],
                ),
                (
                    "; client_max_window_bits=10; server_max_window_bits=9",
                    "; server_max_window_bits=9; client_max_window_bits=10",
                    [9, 9, 10],
                ),
                ("; server_max_window_bits=12", own_forgetting_client, [12, 12, 0]),
                ("; server_max_window_bits=15", own_forgetting_client, [12, 12, 0]),
            ],
        );
    }

    /// RFC 7692 §7.1.2: a window of 15 bits is that without a limit.
    #[test]
    fn a_history_of_32_kib_limits_no_window_unasked() {
        check(
            &with_history(32_768),
            &[
                ("", "", [15; 3]),
                ("; client_max_window_bits", "", [15; 3]),
                ("; server_max_window_bits=15", "; server_max_window_bits=15", [15; 3]),
                ("; client_max_window_bits=14", "; client_max_window_bits=14", [15, 15, 14]),
                ("; client_no_context_takeover", "; client_no_context_takeover", [15, 15, 0]),
            ],
        );
    }

    /// RFC 7692 §5.1 and §7.1: offers in their order, also over several headers.
    #[test]
    fn the_first_acceptable_offer_is_accepted() {
        let settings = Compression::new();
        let limited = format!("{NONE}; server_max_window_bits=10");
        let table: [(&[&str], Option<&str>); 13] = [
            (&[], None),
            (&[""], None),
            (&["x-webkit-deflate-frame, permessage-bzip2"], None),
            (&["Permessage-Deflate"], None),
            (&["permessage-deflate; server_max_window_bits=8"], None),
            (&["permessage-deflate; unknown"], None),
            (&["permessage-deflate; server_max_window_bits"], None),
            (&["permessage-deflate; client_no_context_takeover=1"], None),
            (&["foo; a=b, permessage-deflate, bar"], Some(NONE)),
            (&["foo", "", "permessage-deflate"], Some(NONE)),
            (&["permessage-deflate; server_max_window_bits=8, permessage-deflate"], Some(NONE)),
            (
                &["permessage-deflate; x", "permessage-deflate; server_max_window_bits=\"10\""],
                Some(&limited),
            ),
            (&["permessage-deflate, permessage-deflate; server_max_window_bits=10"], Some(NONE)),
        ];

        for (headers, expected) in table {
            let found = answer(&settings, headers).map(|(answer, _)| answer);
            assert_eq!(found.as_deref(), expected, "{headers:?}");
        }
    }

    #[test]
    fn connections_over_the_budget_have_no_history() {
        let settings = with_history(4096).history_budget(3 * 4096);
        let budget = HistoryBudget::default();
        let offer = &b"permessage-deflate; client_max_window_bits"[..];
        let accept = || accept([offer], &settings, &budget).unwrap();

        let (with, first) = accept();
        let (without, second) = accept();

        assert_eq!(
            with.to_string(),
            format!("{PLAIN}; server_max_window_bits=12; client_max_window_bits=12")
        );
        assert_eq!((first.terms.sent.bits(), first.terms.received.bits()), (12, 12));
        assert_eq!(without.to_string(), NONE);
        assert_eq!((second.terms.window, second.terms.sent), (15, HistorySize::NONE));
        assert_eq!((first.terms.threshold, second.terms.threshold), (64, 256));
        drop(first);
        assert_eq!(accept().0, with);
    }

    /// Half of it is enough for a client whose window cannot be limited.
    #[test]
    fn only_the_histories_of_a_connection_count() {
        let settings = with_history(4096).history_budget(4096);
        let budget = HistoryBudget::default();

        let (_, agreed) = accept([PLAIN.as_bytes()], &settings, &budget).unwrap();

        assert_eq!(agreed.terms.agreed().history_sent(), 4096);
        assert!(budget.reserve(1, settings.budget()).is_none());
    }
}
