//! Finds RSA keys that are too short: rustls reports only an invalid signature.

/// Returns whether a public key (RFC 5280 §4.1.2.7) is of RSA below 2048 bits.
pub(crate) fn is_weak(subject_public_key_info: &[u8]) -> bool {
    rsa_bits(subject_public_key_info).is_some_and(|bits| bits < LEAST_BITS)
}

/// RFC 8017 §A.1: an RSA key begins with its modulus. `None` for all other keys.
fn rsa_bits(subject_public_key_info: &[u8]) -> Option<usize> {
    let (info, _) = element(subject_public_key_info, SEQUENCE)?;
    let (algorithm, rest) = element(info, SEQUENCE)?;
    if !algorithm.starts_with(RSA_ENCRYPTION) {
        return None;
    }
    let (key, _) = element(rest, BIT_STRING)?;
    let (key, _) = element(key.strip_prefix(&[0])?, SEQUENCE)?;
    let (modulus, _) = element(key, INTEGER)?;
    let leading = modulus.iter().take_while(|byte| **byte == 0).count();
    let digits = modulus.get(leading..)?;
    Some(digits.len() * 8 - digits.first()?.leading_zeros() as usize)
}

/// Returns the content of a DER element, and the bytes behind it (X.690 §8.1).
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_prefix(&[tag])?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(first) {
        length @ 0..0x80 => (length, rest),
        form => {
            let (digits, rest) = rest.split_at_checked(form - 0x80)?;
            if digits.len() > size_of::<u32>() {
                return None;
            }
            let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
            (length, rest)
        }
    };
    rest.split_at_checked(length)
}

const LEAST_BITS: usize = 2048;
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 2;
const BIT_STRING: u8 = 3;
/// The object identifier 1.2.840.113549.1.1.1.
const RSA_ENCRYPTION: &[u8] = &[6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1];

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82, length[0], length[1]], content].concat()
    }

    fn rsa_key(modulus: &[u8]) -> Vec<u8> {
        let algorithm = der(SEQUENCE, &[RSA_ENCRYPTION, &[5, 0]].concat());
        let key = der(SEQUENCE, &[der(INTEGER, modulus), der(INTEGER, &[1, 0, 1])].concat());
        let key = der(BIT_STRING, &[&[0][..], &key].concat());
        der(SEQUENCE, &[algorithm, key].concat())
    }

    #[test]
    fn the_modulus_has_the_length() {
        for (modulus, bits) in [
            ([&[0][..], &[0x80; 128]].concat(), 1024),
            ([&[0][..], &[0x80; 256]].concat(), 2048),
            ([&[0][..], &[0x7F; 256]].concat(), 2047),
        ] {
            let key = rsa_key(&modulus);
            assert_eq!(rsa_bits(&key), Some(bits));
            assert_eq!(is_weak(&key), bits < 2048);
        }
    }

    #[test]
    fn nonsense_is_no_key() {
        let key = rsa_key(&[0xFF; 128]);
        for length in 0..key.len() {
            let _ = is_weak(key.get(..length).unwrap());
        }
        for wrong in [&[][..], &[0x30, 0xFF], &[0x30, 0x85, 1, 1, 1, 1, 1], b"\x30\x02\x05\x00"] {
            assert!(!is_weak(wrong));
        }
    }
}
