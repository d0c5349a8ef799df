//! The generator of a client's masking keys.
//!
//! A trait of one method: it has a file of its own because programs implement it.

/// A generator of masking keys for the frames of a client (RFC 6455 §5.3).
///
/// By default keys come from a cryptographically secure random number generator, as §10.3 requires:
/// with predictable keys a page could send bytes that an intermediary reads as an HTTP request. Other
/// generators are for tests that need to know the bytes.
///
/// It is called once for each frame, in the order of the frames, and may call its socket meanwhile. A
/// frame that it sends itself, or at whose key it panics, is masked with a random key.
///
/// # Qt
///
/// `QMaskGenerator`. There a key of 0 leaves the frame unmasked; here the frame is masked with it,
/// which does not change the payload.
///
/// # Examples
///
/// ```
/// use slotwork::{MaskGenerator, WebSocket};
///
/// struct Always([u8; 4]);
///
/// impl MaskGenerator for Always {
///     fn next_mask(&mut self) -> [u8; 4] {
///         self.0
///     }
/// }
///
/// let socket = WebSocket::new();
/// socket.set_mask_generator(Always([1, 2, 3, 4]));
/// ```
pub trait MaskGenerator: Send + 'static {
    /// Returns the key for the next frame, in the order in which its bytes are used.
    #[doc(alias = "nextMask")]
    fn next_mask(&mut self) -> [u8; 4];
}
