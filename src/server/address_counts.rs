//! The number of connections of each client address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::runtime::sync::Mutex;

/// The number of connections of each address.
#[derive(Debug, Default)]
pub(crate) struct AddressCounts(Mutex<HashMap<IpAddr, usize>>);

/// The place of a connection among those of its address.
///
/// Its drop frees it.
#[derive(Debug)]
pub(crate) struct AddressPlace {
    counts: Arc<AddressCounts>,
    address: IpAddr,
}

impl AddressCounts {
    /// Counts a connection, unless the address has `limit` already.
    pub(crate) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        limit: usize,
    ) -> Option<Box<AddressPlace>> {
        if limit == 0 {
            return None;
        }
        let address = network(address);
        let mut counts = self.0.lock();
        let count = counts.entry(address).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Box::new(AddressPlace { counts: Arc::clone(self), address }))
    }

    /// Returns how many addresses have connections.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().len()
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.counts.0.lock().entry(self.address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Returns the address for which a client counts: of IPv6 its network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        network(text.parse().unwrap())
    }

    /// Addresses without connections are forgotten: clients cannot fill the memory.
    #[test]
    fn a_place_is_free_again_when_it_is_dropped() {
        let counts = Arc::<AddressCounts>::default();
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(address);

        let places = [counts.enter(one, 2), counts.enter(one, 2), counts.enter(other, 2)];
        assert!(places.iter().all(Option::is_some) && counts.len() == 2);
        assert!(counts.enter(one, 2).is_none() && counts.enter(one, 3).is_some());
        drop(places);

        assert_eq!(counts.len(), 0);
        assert!(counts.enter(one, 0).is_none() && counts.len() == 0);
    }

    #[test]
    fn an_ipv6_address_counts_with_its_network() {
        assert_eq!(address("2001:db8:1:2::3"), address("2001:db8:1:2:ffff::4"));
        assert_ne!(address("2001:db8:1:2::3"), address("2001:db8:1:3::3"));
        assert_eq!(address("::ffff:10.0.0.1"), address("10.0.0.1"));
        assert_ne!(address("10.0.0.1"), address("10.0.0.2"));
    }
}
