//! The choice among the subprotocols that a client offers (RFC 6455 §1.9).

use std::num::NonZeroU16;

use crate::protocol::handshake::request::HandshakeRequest;

/// The subprotocol that a server has chosen.
///
/// It is a place in the request's list: open connections keep their request anyway, and no text
/// besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChosenSubprotocol(NonZeroU16);

impl ChosenSubprotocol {
    /// Chooses the first of the client's that is supported; `None` when there is none.
    pub(crate) fn choose(request: &HandshakeRequest, supported: &[String]) -> Option<Self> {
        if supported.is_empty() {
            return None;
        }
        let is_supported = |offered: &str| supported.iter().any(|supported| supported == offered);
        let place = request.subprotocols().position(is_supported)?;
        NonZeroU16::new(u16::try_from(place + 1).ok()?).map(Self)
    }

    /// Returns the name of the subprotocol that was chosen from this request.
    pub(crate) fn name(self, request: &HandshakeRequest) -> Option<&str> {
        request.subprotocols().nth(usize::from(self.0.get()) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::requests::{head_and, request};

    fn chosen(offered: &str, supported: &[&str]) -> Option<String> {
        let request = request(&head_and(offered));
        let supported: Vec<_> = supported.iter().map(ToString::to_string).collect();
        let chosen = ChosenSubprotocol::choose(&request, &supported)?;
        chosen.name(&request).map(str::to_owned)
    }

    /// Qt: SRV-13; RFC 6455 §4.2.2 (5).
    #[test]
    fn the_client_prefers_and_the_server_permits() {
        const SUPPORTED: [&str; 2] = ["chat", "superchat"];
        let table = [
            ("chat, superchat", Some("chat")),
            ("superchat, chat", Some("superchat")),
            ("foo", None),
            ("foo, chat", Some("chat")),
            ("Chat", None),
            ("superchat2", None),
        ];

        for (offered, expected) in table {
            let found = chosen(&format!("Sec-WebSocket-Protocol: {offered}"), &SUPPORTED);
            assert_eq!(found.as_deref(), expected, "{offered}");
        }
        assert_eq!(chosen("X: chat", &SUPPORTED), None);
        assert_eq!(chosen("Sec-WebSocket-Protocol: chat", &[]), None);
        let two_lines = "Sec-WebSocket-Protocol: superchat\r\nSec-WebSocket-Protocol: chat";
        assert_eq!(chosen(two_lines, &SUPPORTED).as_deref(), Some("superchat"));
    }

    /// A thousand fit into a head: the last one can be chosen too.
    #[test]
    fn the_last_of_many_can_be_chosen() {
        let names: Vec<_> = (0..1000).map(|number| format!("n{number}")).collect();
        let offered = format!("Sec-WebSocket-Protocol: {}", names.join(","));

        assert_eq!(chosen(&offered, &["n999"]).as_deref(), Some("n999"));
    }
}
