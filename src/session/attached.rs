//! The parts of the state that few connections have, behind one pointer.

#[cfg(feature = "compression")]
use crate::session::outgoing::Outgoing;

/// The extra state `E` and the compression of a connection that has them.
///
/// Without either it is an empty pointer. With compression alone it is a block of 24 bytes.
pub(super) struct Attached<E>(Option<Box<Parts<E>>>);

struct Parts<E> {
    /// Present while a connection with compression is open.
    #[cfg(feature = "compression")]
    compression: Option<Outgoing>,
    extra: Option<Box<E>>,
}

impl<E> Attached<E> {
    pub(super) fn new(extra: Option<Box<E>>) -> Self {
        Self(extra.map(|extra| Box::new(Parts::of(Some(extra)))))
    }

    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.as_ref().is_none()
    }

    #[inline]
    pub(super) fn is_some(&self) -> bool {
        self.as_ref().is_some()
    }

    #[inline]
    pub(super) fn as_ref(&self) -> Option<&E> {
        self.0.as_deref()?.extra.as_deref()
    }

    #[inline]
    pub(super) fn as_mut(&mut self) -> Option<&mut E> {
        self.0.as_deref_mut()?.extra.as_deref_mut()
    }

    pub(super) fn get_or_insert_default(&mut self) -> &mut E
    where
        E: Default,
    {
        self.0.get_or_insert_default().extra.get_or_insert_default()
    }

    pub(super) fn take(&mut self) -> Option<Box<E>> {
        self.0.as_deref_mut()?.extra.take()
    }

    #[cfg(feature = "compression")]
    #[inline]
    pub(super) fn compression(&self) -> Option<&Outgoing> {
        self.0.as_deref()?.compression.as_ref()
    }

    #[cfg(feature = "compression")]
    pub(super) fn compression_mut(&mut self) -> Option<&mut Outgoing> {
        self.0.as_deref_mut()?.compression.as_mut()
    }

    #[cfg(feature = "compression")]
    pub(super) fn set_compression(&mut self, compression: Option<Outgoing>) {
        if compression.is_some() || self.0.is_some() {
            self.0.get_or_insert_default().compression = compression;
        }
    }
}

impl<E> Parts<E> {
    fn of(extra: Option<Box<E>>) -> Self {
        Self {
            #[cfg(feature = "compression")]
            compression: None,
            extra,
        }
    }
}

impl<E> Default for Parts<E> {
    fn default() -> Self {
        Self::of(None)
    }
}

#[cfg(all(test, feature = "compression"))]
mod tests {
    use super::*;

    /// What each connection with compression allocates: 24 bytes fit the allocator's smallest block.
    #[test]
    fn compression_without_a_history_is_small() {
        assert_eq!(size_of::<Attached<[u64; 32]>>(), size_of::<usize>());
        assert!(size_of::<Parts<[u64; 32]>>() <= 24);
    }
}
