//! Subjects of NATS: the names of topics and signals, percent-encoded.
//!
//! The segments of a topic between `/` are tokens, and so are the words of a prefix or a signal
//! between `.`. What NATS gives a meaning, or its protocol cannot carry, is encoded as in URLs.

use std::fmt::Write;

use crate::error::Error;

/// Returns the subject of a prefix or a signal, such as `rates.EURUSD`.
///
/// # Errors
///
/// [`Error::InvalidName`].
pub(crate) fn subject_of_name(name: &str) -> Result<String, Error> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Error::InvalidName(name.chars().take(LONGEST_NAME).collect()));
    }
    let mut subject = String::with_capacity(name.len());
    // `_INBOX` and `_slotwork` are subjects of their own, and `$SYS` is the server's.
    let reserved = name.chars().next().filter(|first| matches!(first, '_' | '$'));
    if let Some(first) = reserved {
        push_encoded(&mut subject, first);
    }
    let rest = name.get(reserved.map_or(0, char::len_utf8)..).unwrap_or_default();
    push_tokens(&mut subject, rest, '.');
    Ok(subject)
}

/// Returns the subject of a topic behind the subject of its prefix.
pub(crate) fn subject_of_topic(prefix: &str, topic: &str) -> String {
    let mut subject = String::with_capacity(prefix.len() + topic.len() + 1);
    subject.push_str(prefix);
    subject.push('.');
    push_tokens(&mut subject, topic, '/');
    subject
}

/// Returns the topic of a subject, if it is one of this prefix.
pub(crate) fn topic_of_subject(prefix: &str, subject: &str) -> Option<String> {
    let tokens = subject.strip_prefix(prefix)?.strip_prefix('.')?;
    if !tokens.contains(ESCAPE) {
        return Some(tokens.replace('.', "/"));
    }
    let mut topic = String::with_capacity(tokens.len());
    for (index, token) in tokens.split('.').enumerate() {
        if index > 0 {
            topic.push('/');
        }
        if token != EMPTY_TOKEN {
            topic.push_str(&decoded(token)?);
        }
    }
    // Each topic has one subject.
    (subject_of_topic(prefix, &topic) == subject).then_some(topic)
}

/// Returns a percent-encoded text decoded, unless it is not valid.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split(ESCAPE);
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

fn push_tokens(subject: &mut String, name: &str, separator: char) {
    for (index, token) in name.split(separator).enumerate() {
        if index > 0 {
            subject.push('.');
        }
        // A token that is complete already: its first character was reserved.
        let is_first = index == 0 && !subject.is_empty() && !subject.ends_with('.');
        if token.is_empty() && !is_first {
            subject.push_str(EMPTY_TOKEN);
        }
        for character in token.chars() {
            if is_plain(character) {
                subject.push(character);
            } else {
                push_encoded(subject, character);
            }
        }
    }
}

/// Returns whether a character may be in a token of NATS as it is.
///
/// Its clients split lines at white space, some of them at that of Unicode.
fn is_plain(character: char) -> bool {
    !matches!(character, '.' | '*' | '>' | ESCAPE)
        && !character.is_whitespace()
        && !character.is_control()
}

fn push_encoded(subject: &mut String, character: char) {
    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
        // Writing into a string does not fail.
        _ = write!(subject, "{ESCAPE}{byte:02X}");
    }
}

const ESCAPE: char = '%';
/// NATS has no empty tokens; an encoded character is never `%` alone.
const EMPTY_TOKEN: &str = "%";
const LONGEST_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_those_of_the_specification() {
        for (topic, subject) in [
            ("rooms/rust", "chat.rooms.rust"),
            ("v1.0", "chat.v1%2E0"),
            ("a b", "chat.a%20b"),
            ("/", "chat.%.%"),
            ("", "chat.%"),
            ("*/>/%", "chat.%2A.%3E.%25"),
            ("Grüße/日本", "chat.Grüße.日本"),
            ("a\u{a0}b", "chat.a%C2%A0b"),
        ] {
            assert_eq!(subject_of_topic("chat", topic), subject);
        }
    }

    #[test]
    fn each_topic_is_found_again_by_its_subject() {
        let odd = (' '..='\u{2fff}').filter(|character| !character.is_control());
        for character in odd {
            for topic in [format!("{character}"), format!("a{character}/{character}{character}b")] {
                let subject = subject_of_topic("p.q", &topic);

                assert_eq!(topic_of_subject("p.q", &subject).as_ref(), Some(&topic), "{subject}");
                assert!(!subject.contains(char::is_whitespace));
            }
        }
    }

    #[test]
    fn subjects_that_are_not_of_a_topic_are_refused() {
        for subject in [
            "chat", "chats.a", "other.a", "chat.%4", "chat.%zz", "chat.%FF", "chat.%61", "chat.%+1",
        ] {
            assert_eq!(topic_of_subject("chat", subject), None, "{subject}");
        }
    }

    #[test]
    fn names_do_not_meet_the_reserved_subjects() {
        assert_eq!(subject_of_name("rates.EURUSD").unwrap(), "rates.EURUSD");
        assert_eq!(subject_of_name("_slotwork.last").unwrap(), "%5Fslotwork.last");
        assert_eq!(subject_of_name("$SYS").unwrap(), "%24SYS");
        assert_eq!(subject_of_name("_").unwrap(), "%5F");
        assert_eq!(subject_of_name("_.a").unwrap(), "%5F.a");
        assert_eq!(subject_of_name("a..b").unwrap(), "a.%.b");
        for name in ["", "a\nb", &"x".repeat(256)] {
            assert!(matches!(subject_of_name(name), Err(Error::InvalidName(_))));
        }
    }
}
