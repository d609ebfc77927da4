//! The building blocks of a token pattern: byte sets and runs.
//!
//! Provider tokens are a literal followed by runs of one byte set each, so a full regular expression engine would only add
//! compile time. A shape is matched greedily, left to right, without backtracking: linear by construction. That is sound as
//! long as no run's set holds the first byte of the text that follows it; the rule table is written that way.

/// A set of bytes, as a mask over the kinds in [`kind_of`].
pub(crate) type Set = u16;

pub(crate) const DIGIT: Set = 1;
const HEX_LOWER: Set = 1 << 1;
const HEX_UPPER: Set = 1 << 2;
const REST_LOWER: Set = 1 << 3;
const REST_UPPER: Set = 1 << 4;
pub(crate) const DASH: Set = 1 << 5;
pub(crate) const UNDERSCORE: Set = 1 << 6;
pub(crate) const DOT: Set = 1 << 7;
const PLUS_SLASH: Set = 1 << 8;
const EQUALS: Set = 1 << 9;
pub(crate) const PERCENT: Set = 1 << 10;
const TILDE: Set = 1 << 11;

/// Lower-case hexadecimal digits.
pub(crate) const HEX: Set = DIGIT | HEX_LOWER;
/// Hexadecimal digits of either case.
pub(crate) const HEX_ANY: Set = HEX | HEX_UPPER;
/// Lower-case letters and digits.
pub(crate) const LOWER_NUMBER: Set = HEX | REST_LOWER;
/// Upper-case letters and digits.
pub(crate) const UPPER_NUMBER: Set = DIGIT | HEX_UPPER | REST_UPPER;
/// Letters of either case.
pub(crate) const LETTER: Set = HEX_LOWER | HEX_UPPER | REST_LOWER | REST_UPPER;
/// ASCII letters and digits.
pub(crate) const ALNUM: Set = LETTER | DIGIT;
/// Letters, digits, `_`.
pub(crate) const WORD: Set = ALNUM | UNDERSCORE;
/// The URL-safe Base64 alphabet.
pub(crate) const URL64: Set = WORD | DASH;
/// The URL-safe Base64 alphabet and `.`.
pub(crate) const URL64_DOT: Set = URL64 | DOT;
/// The standard Base64 alphabet without padding.
pub(crate) const BASE64_BODY: Set = ALNUM | PLUS_SLASH;
/// The standard Base64 alphabet with padding.
pub(crate) const BASE64: Set = ALNUM | PLUS_SLASH | EQUALS;
/// Everything that Base64 in either alphabet may hold.
pub(crate) const ANY64: Set = BASE64 | URL64;
/// The unreserved characters of a URL.
pub(crate) const UNRESERVED: Set = URL64_DOT | TILDE;

const KINDS: [Set; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' => HEX_LOWER,
            b'g'..=b'z' => REST_LOWER,
            b'A'..=b'F' => HEX_UPPER,
            b'G'..=b'Z' => REST_UPPER,
            b'-' => DASH,
            b'_' => UNDERSCORE,
            b'.' => DOT,
            b'+' | b'/' => PLUS_SLASH,
            b'=' => EQUALS,
            b'%' => PERCENT,
            b'~' => TILDE,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// Whether `byte` belongs to `set`.
pub(crate) fn is_in(set: Set, byte: u8) -> bool {
    KINDS[usize::from(byte)] & set != 0
}

/// One piece of a shape.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// These bytes exactly.
    Text(&'static str),
    /// Between `min` and `max` bytes of the set, as many as there are.
    Run(Set, usize, usize),
    /// Any one of these texts.
    OneOf(&'static [&'static str]),
}

/// Matches `parts` at `start`; returns the end (exclusive) of the match.
///
/// A run longer than its maximum does not match: such a text is something else, not a token with a tail.
pub(crate) fn match_parts(bytes: &[u8], start: usize, parts: &[Part]) -> Option<usize> {
    let mut at = start;
    for part in parts {
        match *part {
            Part::Text(text) => {
                if !bytes[at..].starts_with(text.as_bytes()) {
                    return None;
                }
                at += text.len();
            }
            Part::OneOf(texts) => {
                let found = texts
                    .iter()
                    .find(|text| bytes[at..].starts_with(text.as_bytes()))?;
                at += found.len();
            }
            Part::Run(set, min, max) => {
                let length = run_length(bytes, at, set, max + 1);
                if length < min || length > max {
                    return None;
                }
                at += length;
            }
        }
    }
    Some(at)
}

/// How many bytes of `set` follow `start`, counting no further than `limit`.
pub(crate) fn run_length(bytes: &[u8], start: usize, set: Set, limit: usize) -> usize {
    bytes[start.min(bytes.len())..]
        .iter()
        .take(limit)
        .take_while(|byte| is_in(set, **byte))
        .count()
}

/// How many bytes of `set` stand directly before `end`, counting no further than `limit`.
pub(crate) fn run_length_before(bytes: &[u8], end: usize, set: Set, limit: usize) -> usize {
    bytes[..end]
        .iter()
        .rev()
        .take(limit)
        .take_while(|byte| is_in(set, **byte))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_bounded_on_both_sides() {
        let parts = [Part::Text("ab_"), Part::Run(HEX, 2, 4)];
        assert_eq!(match_parts(b"ab_12", 0, &parts), Some(5));
        assert_eq!(match_parts(b"ab_1", 0, &parts), None);
        assert_eq!(match_parts(b"ab_12345", 0, &parts), None);
        assert_eq!(match_parts(b"ab_1234Z", 0, &parts), Some(7));
        assert_eq!(run_length_before(b"xx12", 4, DIGIT, 10), 2);
    }
}
