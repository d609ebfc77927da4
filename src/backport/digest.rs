//! Digests: SHA-256 in hexadecimal, over exact bytes or over text whatever its line ends.

/// How many hexadecimal digits a block carries: enough to notice any edit, short enough to be read
/// along with the skill every time. The log keeps the whole digest.
pub const SHORT: usize = 16;

/// SHA-256 of the bytes as they are.
pub fn of_bytes(bytes: &[u8]) -> String {
    hex(&hmac_sha256::Hash::hash(bytes))
}

/// SHA-256 of the bytes with `\r\n` read as `\n`: checking out a repository with other line ends is
/// no edit.
pub fn of_text(bytes: &[u8]) -> String {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        if *first != b'\r' || tail.first() != Some(&b'\n') {
            plain.push(*first);
        }
        rest = tail;
    }
    of_bytes(&plain)
}

/// Whether a digest as written into a block stands for the whole one. Hand-shortened digests count
/// for nothing.
pub fn agrees(written: &str, whole: &str) -> bool {
    written.len() >= SHORT && whole.starts_with(written)
}

/// The form that is written into a block.
pub fn short(whole: &str) -> &str {
    whole.get(..SHORT).unwrap_or(whole)
}

pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

/// Bytes from hexadecimal digits; `None` when it is none.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(of_bytes(b""), empty);
        assert_eq!(of_text(b"a\r\nb\rc\n"), of_bytes(b"a\nb\rc\n"));
        assert!(agrees(short(empty), empty));
        assert!(!agrees("e3b0", empty));
        assert_eq!(unhex("00ff"), Some(vec![0, 255]));
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("zz"), None);
    }
}
