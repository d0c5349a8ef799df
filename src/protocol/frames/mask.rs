//! Masks and unmasks payload bytes (RFC 6455 §5.3).

/// The masking key of a frame.
pub(crate) type MaskingKey = [u8; 4];

/// Masks `payload` in place, or unmasks it: the operation is its own inverse.
///
/// The first byte of `payload` meets the first byte of the key; see [`advanced`] for a payload
/// that comes in pieces. The key of an unmasked frame is zero.
#[inline]
pub(crate) fn apply_mask(payload: &mut [u8], key: MaskingKey) {
    if key == MaskingKey::default() {
        return;
    }
    // RFC 6455 §5.3: byte i is combined with byte i mod 4 of the key. Two keys make a word; the
    // compiler turns the words of a block into vector instructions.
    let key = u32::from_ne_bytes(key);
    let word_key = u64::from(key) << 32 | u64::from(key);

    let mut rest = payload;
    if rest.len() >= BLOCK {
        rest = mask_blocks(rest, word_key);
    }
    let rest = mask_words(rest, word_key);
    let (halves, rest) = rest.as_chunks_mut();
    for half in halves {
        *half = (u32::from_ne_bytes(*half) ^ key).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.to_ne_bytes()) {
        *byte ^= key;
    }
}

/// Masks the whole blocks, and returns what is left.
///
/// By itself, so that the callers are small.
#[inline(never)]
fn mask_blocks(bytes: &mut [u8], key: u64) -> &mut [u8] {
    let (blocks, rest) = bytes.as_chunks_mut::<BLOCK>();
    for block in blocks {
        mask_words(block, key);
    }
    rest
}

/// Masks the whole words, and returns what is left.
#[inline]
fn mask_words(bytes: &mut [u8], key: u64) -> &mut [u8] {
    let (words, rest) = bytes.as_chunks_mut();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    rest
}

/// So many bytes are masked without a branch.
const BLOCK: usize = 512;

/// Returns the key for the bytes that follow the first `count` bytes of a payload.
pub(crate) fn advanced(mut key: MaskingKey, count: usize) -> MaskingKey {
    let length = key.len();
    key.rotate_left(count % length);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(payload: &[u8], key: MaskingKey) -> Vec<u8> {
        let mut payload = payload.to_vec();
        apply_mask(&mut payload, key);
        payload
    }

    /// Qt: PROTO-01 (`tst_validMasks`).
    #[test]
    fn masks_as_qt_does() {
        let key = 0x1234_5678_u32.to_be_bytes();

        assert_eq!(masked(b"", key), b"");
        assert_eq!(masked(b"abcdefgh", key), b"\x73\x56\x35\x1C\x77\x52\x31\x10");
        assert_eq!(masked(b"abcdefghi", key), b"\x73\x56\x35\x1C\x77\x52\x31\x10\x7B");
        assert_eq!(masked(b"??\x3F\xA9\xF8\xD8", key), b"\x2D\x0B\x69\xD1\xEA\xEC");
    }

    /// RFC 6455 §5.3, against the definition, for every length around the steps.
    #[test]
    fn masks_each_length_as_the_definition_says() {
        let key = [0x12, 0xFF, 0x00, 0x81];
        let around = |length: usize| length - 20..length + 20;
        for length in (0..200).chain(around(BLOCK)).chain(around(3 * BLOCK)) {
            let payload: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();

            let expected: Vec<u8> =
                payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();

            assert_eq!(masked(&payload, key), expected, "length {length}");
        }
    }

    /// RFC 6455 §5.3: the key goes on where the last piece of the payload ended.
    #[test]
    fn masks_pieces_as_it_masks_the_whole() {
        let key = [1, 2, 3, 4];
        let payload: Vec<u8> = (0..=u8::MAX).cycle().take(BLOCK + 90).collect();

        for split in 0..payload.len() {
            let (head, tail) = payload.split_at(split);
            let pieces = [masked(head, key), masked(tail, advanced(key, split))].concat();
            assert_eq!(pieces, masked(&payload, key), "split at {split}");
        }
    }
}
