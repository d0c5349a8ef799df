//! Cuts text between characters.

/// Splits `text` after at most `most` bytes, between two characters.
pub(crate) fn split_between_characters(text: &str, most: usize) -> (&str, &str) {
    let mut length = most.min(text.len());
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    text.split_at(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_before_a_character_that_does_not_fit() {
        assert_eq!(split_between_characters("a€b", 0), ("", "a€b"));
        assert_eq!(split_between_characters("a€b", 3), ("a", "€b"));
        assert_eq!(split_between_characters("a€b", 4), ("a€", "b"));
        assert_eq!(split_between_characters("a€b", 99), ("a€b", ""));
    }
}
