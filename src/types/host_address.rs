//! Addresses to listen on.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address to listen on.
///
/// # Qt
///
/// `QHostAddress`, with its special addresses by name.
///
/// # Examples
///
/// ```
/// use std::net::Ipv4Addr;
///
/// use slotwork::HostAddress;
///
/// assert_eq!(HostAddress::from(Ipv4Addr::LOCALHOST).to_string(), "127.0.0.1");
/// assert_eq!(HostAddress::LocalHost.to_string(), "127.0.0.1");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostAddress {
    /// Every address of this machine, IPv6 and IPv4 (dual stack).
    ///
    /// IPv4 peers have their IPv4 address, not `::ffff:a.b.c.d`. On a machine
    /// without IPv6 it is the same as [`AnyIPv4`](Self::AnyIPv4).
    #[doc(alias = "QHostAddress::Any")]
    #[default]
    Any,
    /// Every IPv4 address of this machine (`0.0.0.0`).
    #[doc(alias = "QHostAddress::AnyIPv4")]
    AnyIPv4,
    /// Every IPv6 address of this machine (`::`), and no IPv4.
    #[doc(alias = "QHostAddress::AnyIPv6")]
    AnyIPv6,
    /// This machine only, by IPv4 (`127.0.0.1`).
    #[doc(alias = "QHostAddress::LocalHost")]
    LocalHost,
    /// This machine only, by IPv6 (`::1`).
    #[doc(alias = "QHostAddress::LocalHostIPv6")]
    LocalHostIPv6,
    /// One address.
    Ip(IpAddr),
}

impl HostAddress {
    /// Returns the address to bind; [`Any`](Self::Any) is `::`, for both families.
    pub(crate) const fn ip(self) -> IpAddr {
        match self {
            Self::Any | Self::AnyIPv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            Self::AnyIPv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::LocalHost => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Self::LocalHostIPv6 => IpAddr::V6(Ipv6Addr::LOCALHOST),
            Self::Ip(ip) => ip,
        }
    }
}

impl From<IpAddr> for HostAddress {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl From<Ipv4Addr> for HostAddress {
    fn from(ip: Ipv4Addr) -> Self {
        Self::Ip(ip.into())
    }
}

impl From<Ipv6Addr> for HostAddress {
    fn from(ip: Ipv6Addr) -> Self {
        Self::Ip(ip.into())
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("all addresses"),
            Self::AnyIPv4 | Self::AnyIPv6 | Self::LocalHost | Self::LocalHostIPv6 | Self::Ip(_) => {
                self.ip().fmt(f)
            }
        }
    }
}
