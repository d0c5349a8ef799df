//! A network of IP addresses, such as that of trusted proxies.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::types::error::Error;

/// A network of IP addresses, in CIDR notation: `10.0.0.0/8`, `2001:db8::/32`.
///
/// An address without a length is a network of that address alone. Bits behind the length are
/// ignored: `10.1.2.3/8` is `10.0.0.0/8`. IPv4 addresses mapped to IPv6 are IPv4 addresses here.
///
/// # Qt
///
/// `QHostAddress::parseSubnet()` and `isInSubnet()`.
///
/// # Examples
///
/// ```
/// use slotwork::IpNetwork;
///
/// # fn main() -> Result<(), slotwork::Error> {
/// let network: IpNetwork = "10.0.0.0/8".parse()?;
/// assert!(network.contains([10, 1, 2, 3].into()));
/// assert!(!network.contains([11, 1, 2, 3].into()));
/// # Ok(())
/// # }
/// ```
#[doc(alias = "parseSubnet")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpNetwork {
    /// With zeros behind the length.
    address: IpAddr,
    length: u8,
}

impl IpNetwork {
    /// Returns whether the address is in the network.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{IpNetwork, WebSocket};
    ///
    /// fn is_internal(socket: &WebSocket, network: &IpNetwork) -> bool {
    ///     socket.client_address().is_some_and(|address| network.contains(address))
    /// }
    /// ```
    #[doc(alias = "isInSubnet")]
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.address.is_ipv4() == address.is_ipv4() && masked(address, self.length) == self.address
    }

    fn new(address: IpAddr, length: Option<u8>) -> Option<Self> {
        let bits = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
        let (given, length) = (bits(address), length.unwrap_or(bits(address)));
        let canonical = address.to_canonical();
        // A network that is wider than that of all mapped addresses is one of IPv6.
        let (address, length) = match length.checked_sub(given - bits(canonical)) {
            Some(length) => (canonical, length),
            None => (address, length),
        };
        (length <= bits(address)).then(|| Self { address: masked(address, length), length })
    }
}

impl FromStr for IpNetwork {
    type Err = Error;

    /// Reads an address, or an address and a length: `10.0.0.0/8`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidNetwork`] for anything else.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        // `u8` would read a plus sign, too.
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let network = address.parse().ok().and_then(|address| match length {
            Some(length) if !is_number(length) => None,
            Some(length) => Self::new(address, Some(length.parse().ok()?)),
            None => Self::new(address, None),
        });
        network.ok_or_else(|| Error::InvalidNetwork(text.into()))
    }
}

impl From<IpAddr> for IpNetwork {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, length: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// Returns the address with zeros behind its first bits.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    let length = u32::from(length);
    match address {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - length.min(32)).unwrap_or(0);
            Ipv4Addr::from_bits(ip.to_bits() & mask).into()
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - length.min(128)).unwrap_or(0);
            Ipv6Addr::from_bits(ip.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Option<IpNetwork> {
        text.parse().ok()
    }

    #[test]
    fn networks_are_written_with_their_length() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::/0", "::/0"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("::ffff:0.0.0.0/95", "::fffe:0:0/95"),
        ] {
            assert_eq!(network(text).map(|it| it.to_string()).as_deref(), Some(shown), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_network_is_refused() {
        for text in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
            "10.0.0.0/256",
            "10.0.0/8",
            "010.0.0.0/8",
            "::/129",
            "[::]/0",
            "a",
            " 10.0.0.0/8",
            "10.0.0.0 /8",
            "fe80::1%eth0",
        ] {
            assert!(network(text).is_none(), "{text}");
        }
    }

    #[test]
    fn addresses_are_in_the_network_up_to_its_length() {
        let table = [
            ("10.0.0.0/9", "10.127.255.255", true),
            ("10.0.0.0/9", "10.128.0.0", false),
            ("10.0.0.0/9", "::ffff:10.1.1.1", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.2", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("::/0", "10.0.0.1", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
        ];
        for (text, address, is_in) in table {
            let address = address.parse().unwrap();
            assert_eq!(network(text).unwrap().contains(address), is_in, "{text} {address}");
        }
    }
}
