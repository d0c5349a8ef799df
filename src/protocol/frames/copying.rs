//! Copies payloads, in short pieces where one copy would be slow.
//!
//! C libraries copy a few KiB and more with one string instruction. Some processors take 2 to 30 times
//! as long for it when the target begins a few bytes after the source within a page, as payloads
//! behind a header do: 3.5 instead of 100 GB/s were measured. Short copies do not meet this.

/// Appends `bytes` to `buffer`.
#[inline]
pub(crate) fn append_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() > PIECE {
        buffer.reserve(bytes.len());
        if is_slow(buffer.as_ptr().wrapping_add(buffer.len()), bytes) {
            return bytes.chunks(PIECE).for_each(|piece| buffer.extend_from_slice(piece));
        }
    }
    buffer.extend_from_slice(bytes);
}

/// Copies `bytes` to the start of `target`, which is as long or longer.
pub(crate) fn copy_bytes(target: &mut [u8], bytes: &[u8]) {
    let piece = if is_slow(target.as_ptr(), bytes) { PIECE } else { bytes.len().max(1) };
    for (target, bytes) in target.chunks_mut(piece).zip(bytes.chunks(piece)) {
        if let Some(target) = target.get_mut(..bytes.len()) {
            target.copy_from_slice(bytes);
        }
    }
}

/// Appends `text` to `buffer`.
pub(crate) fn append_text(buffer: &mut String, text: &str) {
    buffer.reserve(text.len());
    if !is_slow(buffer.as_ptr().wrapping_add(buffer.len()), text.as_bytes()) {
        return buffer.push_str(text);
    }
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, behind) = split_between_characters(rest, PIECE);
        buffer.push_str(piece);
        rest = behind;
    }
}

/// Returns whether one copy of these bytes to `target` may be slow.
fn is_slow(target: *const u8, bytes: &[u8]) -> bool {
    let distance = target.addr().wrapping_sub(bytes.as_ptr().addr()) % PAGE;
    bytes.len() > PIECE && (1..SLOW_DISTANCE).contains(&distance)
}

/// Splits `text` after at most `most` bytes, between two characters.
pub(crate) fn split_between_characters(text: &str, most: usize) -> (&str, &str) {
    let mut length = most.min(text.len());
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    text.split_at(length)
}

/// The size of a piece, in bytes.
const PIECE: usize = 1024;
/// The range of addresses that processors compare, in bytes.
const PAGE: usize = 4096;
/// From this distance between source and target on a copy is fast, in bytes.
const SLOW_DISTANCE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_everything_in_order() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(3000).collect();
        let text = "1€é😀".repeat(300);
        // Within a page there are as many distances between source and target.
        for distance in (0..PAGE).step_by(5).chain(0..2 * SLOW_DISTANCE) {
            let (before, text_before) = (vec![1; distance], "1".repeat(distance));
            let mut copied_bytes = before.clone();
            let mut copied_text = text_before.clone();

            append_bytes(&mut copied_bytes, &bytes);
            append_text(&mut copied_text, &text);

            assert_eq!(copied_bytes, [&before[..], &bytes].concat());
            assert_eq!(copied_text, format!("{text_before}{text}"));
            let mut target = vec![9; distance + 3001];
            copy_bytes(&mut target[distance..], &bytes);
            assert_eq!(target[distance..], [&bytes[..], &[9]].concat());
        }
    }

    #[test]
    fn splits_before_a_character_that_does_not_fit() {
        assert_eq!(split_between_characters("a€b", 0), ("", "a€b"));
        assert_eq!(split_between_characters("a€b", 3), ("a", "€b"));
        assert_eq!(split_between_characters("a€b", 4), ("a€", "b"));
        assert_eq!(split_between_characters("a€b", 99), ("a€b", ""));
    }
}
