//! How long nothing came from a peer, counted in looks at it.

/// Counts how often the peer was looked at since it last sent something.
///
/// One byte and no clock: noting that something came costs next to nothing.
#[derive(Default)]
pub(super) struct Looks(u8);

/// What a silence that has lasted asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// A ping.
    Long,
    /// To give the peer up.
    TooLong,
}

impl Looks {
    /// Notes that something came.
    pub(super) fn end(&mut self) {
        self.0 = 0;
    }

    /// Notes another look, and tells what is to be done now.
    pub(super) fn lengthen(&mut self) -> Option<Silence> {
        // The first look after something came begins the count: when it came is not known.
        self.0 = self.0.saturating_add(1);
        match self.0.checked_sub(1)? {
            PING_AFTER => Some(Silence::Long),
            GIVE_UP_AFTER => Some(Silence::TooLong),
            _ => None,
        }
    }
}

/// After so many looks in vain a ping is sent.
pub(crate) const PING_AFTER: u8 = 4;
/// After as many more the peer is given up.
const GIVE_UP_AFTER: u8 = 2 * PING_AFTER;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_peer_is_asked_once_and_then_given_up() {
        let mut looks = Looks::default();

        let asked: Vec<_> = (0..10).map(|_| looks.lengthen()).collect();

        let mut expected = [None; 10];
        (expected[4], expected[8]) = (Some(Silence::Long), Some(Silence::TooLong));
        assert_eq!(asked, expected);
    }

    #[test]
    fn a_sign_of_life_begins_the_count_anew() {
        let mut looks = Looks::default();
        for _ in 0..100 {
            assert_eq!((0..4).find_map(|_| looks.lengthen()), None);
            looks.end();
        }
    }
}
