//! Tokens for developers' text in every script.
//!
//! Text is cut into *runs*: word characters, joined by single `. - / : # @ + '` (or `::`), such as
//! `nextPageToken`, `rate-limit`, `src/main.rs`, `1.2.3`. A run is cut into *parts* at the joiners, at `_` and
//! at camelCase borders. A run of several parts is also kept whole, so that the exact identifier weighs more than
//! its pieces. Letters lose case, width and accents; plain Latin words are stemmed (Porter's English stemmer in its
//! Snowball form); Han, Kana, Hangul and the scripts that do not separate words become overlapping pairs.
//!
//! Deliberately absent: language detection. A store mixes languages inside one sentence.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// Words that carry no meaning in a question about work. Kept out on purpose, because they carry meaning in
/// commands: no, not, before, after, off, up, out, over, under, all, any, same, only.
#[rustfmt::skip]
const STOP_WORDS: &[&str] = &[
    "a", "about", "above", "again", "against", "am", "an", "and", "are", "as", "at", "aus", "be", "because", "been", "bei",
    "being", "below", "between", "both", "but", "by", "can", "could", "d", "das", "dass", "dem", "den", "der", "des", "did",
    "do", "does", "doing", "down", "durch", "during", "each", "ein", "eine", "einem", "einen", "einer", "eines", "er", "es",
    "few", "for", "from", "fur", "further", "had", "has", "have", "having", "he", "her", "here", "hers", "herself", "him",
    "himself", "his", "how", "i", "if", "ihr", "im", "in", "into", "is", "ist", "it", "its", "itself", "just", "ll", "m", "me",
    "mit", "more", "most", "my", "myself", "now", "o", "oder", "of", "on", "once", "or", "other", "our", "ours", "ourselves",
    "own", "re", "s", "she", "should", "sich", "sie", "sind", "so", "some", "such", "t", "than", "that", "the", "their",
    "theirs", "them", "themselves", "then", "there", "these", "they", "this", "those", "through", "to", "too", "und", "until",
    "ve", "very", "vom", "von", "was", "we", "werden", "were", "what", "when", "where", "which", "while", "who", "whom", "why",
    "wie", "will", "wird", "with", "would", "y", "you", "your", "yours", "yourself", "yourselves", "zu", "zum", "zur",
];

/// Longest run, in bytes, that is also kept whole; longer ones are paths or data nobody repeats letter by letter.
const LONGEST_WHOLE: usize = 64;
/// Longest run, in bytes, that is looked at; what follows starts a new run. Bounds the cost of pasted base64.
const LONGEST_RUN: usize = 256;

/// What a token is within its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One word: a whole simple run or one part of a joined one.
    Word,
    /// A run of several parts, kept whole.
    Whole,
    /// Two neighbouring characters (or one alone) of a script without spaces between words.
    Pair,
}

const OTHER: u8 = 0;
const WORD: u8 = 1;
const JOINER: u8 = 2;

/// First byte of a character outside ASCII.
const WIDE: u8 = 3;

const CLASSES: [u8; 256] = {
    let mut classes = [WIDE; 256];
    let mut byte = 0;
    while byte < 128 {
        let character = byte as u8;
        classes[byte] = OTHER;
        if character.is_ascii_alphanumeric() || character == b'_' {
            classes[byte] = WORD;
        } else if matches!(
            character,
            b'.' | b'-' | b'/' | b':' | b'#' | b'@' | b'+' | b'\''
        ) {
            classes[byte] = JOINER;
        }
        byte += 1;
    }
    classes
};

/// Whether `character` belongs to a script written without spaces, which is cut into pairs.
#[must_use]
pub fn is_unspaced(character: char) -> bool {
    matches!(u32::from(character),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1100..=0x11FF | 0x1780..=0x17FF | 0x2E80..=0x2FDF | 0x3005..=0x3007
        | 0x3040..=0x30FF | 0x3130..=0x318F | 0x31F0..=0x31FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xA960..=0xA97F
        | 0xAC00..=0xD7FF | 0xF900..=0xFAFF | 0xFF66..=0xFFDC | 0x20000..=0x3FFFF)
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Other,
    Word,
    Joiner,
    Unspaced,
}

/// Class and length in bytes of the character that starts at `at`.
fn class_at(text: &str, at: usize) -> (Class, usize) {
    let Some(&byte) = text.as_bytes().get(at) else {
        return (Class::Other, 1);
    };
    if byte < 128 {
        let class = match CLASSES[usize::from(byte)] {
            WORD => Class::Word,
            JOINER => Class::Joiner,
            _ => Class::Other,
        };
        return (class, 1);
    }
    let Some(character) = text[at..].chars().next() else {
        return (Class::Other, 1);
    };
    let class = if is_unspaced(character) {
        Class::Unspaced
    } else if character == '\u{2019}' {
        Class::Joiner
    } else if character.is_alphanumeric() || is_combining_mark(character) || character == '\u{AD}' {
        Class::Word
    } else {
        Class::Other
    };
    (class, character.len_utf8())
}

/// Calls `visit` with every run of `text`, in order. Runs are slices of `text`.
pub fn runs<'t>(text: &'t str, mut visit: impl FnMut(&'t str)) {
    let bytes = text.as_bytes();
    let class_of = |at: usize| {
        bytes
            .get(at)
            .map_or(OTHER, |&byte| CLASSES[usize::from(byte)])
    };
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match class_of(at) {
            WORD => at += 1,
            WIDE => {
                let (class, width) = class_at(text, at);
                at += width;
                match class {
                    Class::Word => {}
                    Class::Unspaced => {
                        at = end_of_unspaced(text, start, at);
                        visit(&text[start..at]);
                        continue;
                    }
                    Class::Other | Class::Joiner => continue,
                }
            }
            _ => {
                at += 1;
                continue;
            }
        }
        let limit = start + LONGEST_RUN;
        loop {
            let reach = &bytes[at..limit.min(bytes.len()).max(at)];
            at += reach
                .iter()
                .position(|&byte| CLASSES[usize::from(byte)] != WORD)
                .unwrap_or(reach.len());
            if at >= limit {
                break;
            }
            match class_of(at) {
                JOINER => {
                    let after = if bytes[at] == b':' && bytes.get(at + 1) == Some(&b':') {
                        at + 2
                    } else {
                        at + 1
                    };
                    match class_of(after) {
                        WORD => at = after,
                        WIDE if class_at(text, after).0 == Class::Word => at = after,
                        _ => {
                            at = sharp_end(bytes, start, at);
                            break;
                        }
                    }
                }
                WIDE => {
                    let (class, width) = class_at(text, at);
                    match class {
                        Class::Word => at += width,
                        Class::Joiner if class_at(text, at + width).0 == Class::Word => at += width,
                        _ => break,
                    }
                }
                _ => break,
            }
        }
        visit(&text[start..at]);
    }
}

/// End of the characters without spaces that begin at `start`; `at` is behind the first.
fn end_of_unspaced(text: &str, start: usize, mut at: usize) -> usize {
    while at < text.len() && at - start < LONGEST_RUN {
        let (class, width) = class_at(text, at);
        if class != Class::Unspaced {
            break;
        }
        at += width;
    }
    at
}

/// End of the run `start..at` including the signs that belong to a language's name: `c++`, `g++`, `c#`, `f#`.
fn sharp_end(bytes: &[u8], start: usize, at: usize) -> usize {
    if !matches!(bytes[at], b'+' | b'#') || !bytes[start..at].iter().all(u8::is_ascii_alphabetic) {
        return at;
    }
    let rest = &bytes[at..];
    if rest.starts_with(b"++") && !rest.starts_with(b"+++") {
        return at + 2;
    }
    if at - start == 1 && rest.starts_with(b"#") {
        return at + 1;
    }
    at
}

/// Reusable buffers of [`tokens_of_run`].
#[derive(Debug, Default)]
pub struct Scratch {
    joined: String,
    spelled: String,
    parts: Vec<(usize, usize)>,
}

/// Calls `visit` with each token of a run, unstemmed: its parts, then the whole. Stop words are left out. All
/// tokens are lower-case, compatibility-normalised (NFKC) and without accents on Latin letters.
pub fn tokens_of_run(run: &str, scratch: &mut Scratch, mut visit: impl FnMut(Kind, &str)) {
    if run.chars().next().is_some_and(is_unspaced) {
        pairs_of_run(run, &mut visit);
        return;
    }
    if run.bytes().all(|byte| byte.is_ascii_lowercase()) {
        if !is_stop_word(run) {
            visit(Kind::Word, run);
        }
        return;
    }
    scratch.joined.clear();
    scratch.spelled.clear();
    scratch.parts.clear();
    if run.is_ascii() {
        cut_ascii(run, scratch);
    } else {
        cut(run.nfkc(), scratch);
    }
    let Scratch {
        joined,
        spelled,
        parts,
    } = scratch;
    if spelled.ends_with("++") || spelled.ends_with('#') {
        visit(Kind::Word, spelled);
        return;
    }
    let mut numeric = false;
    for &(start, end) in parts.iter() {
        let part = &joined[start..end];
        numeric |= part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_stop_word(part) {
            visit(Kind::Word, part);
        }
    }
    if parts.len() > 1 && run.len() <= LONGEST_WHOLE {
        // `rate-limit`, `rate_limit`, `rateLimit` and `ratelimit` are one word; 1.23 and 12.3 are two numbers.
        let whole: &str = if numeric { spelled } else { joined };
        if !is_stop_word(whole) {
            visit(Kind::Whole, whole);
        }
    }
}

/// Fills `scratch.joined` with the folded letters, `scratch.parts` with the parts within, `scratch.spelled` with
/// the run as written but folded.
fn cut(characters: impl Iterator<Item = char>, scratch: &mut Scratch) {
    let mut part_start = 0;
    let mut characters = characters.peekable();
    let mut before: Option<char> = None;
    let mut apostrophe = false;
    while let Some(character) = characters.next() {
        if character == '_'
            || (character.is_ascii() && CLASSES[character as usize] == JOINER)
            || character == '\u{2019}'
        {
            end_part(scratch, &mut part_start);
            scratch.spelled.push(if character == '\u{2019}' {
                '\''
            } else {
                character
            });
            apostrophe = matches!(character, '\'' | '\u{2019}');
            before = None;
            continue;
        }
        if apostrophe {
            // it's → it; don't → dont: a contraction is one word.
            apostrophe = false;
            let short = matches!(character, 's' | 'S') && characters.peek().is_none();
            if short {
                break;
            }
            if let Some((start, _)) = scratch.parts.pop() {
                part_start = start;
            }
        }
        let upper = character.is_uppercase();
        if upper && let Some(before) = before {
            let next_lower = characters.peek().is_some_and(|next| next.is_lowercase());
            if before.is_lowercase() || before.is_numeric() || (before.is_uppercase() && next_lower)
            {
                end_part(scratch, &mut part_start);
            }
        }
        before = Some(character);
        if character.is_ascii() {
            let lower = character.to_ascii_lowercase();
            scratch.joined.push(lower);
            scratch.spelled.push(lower);
        } else {
            let length = scratch.joined.len();
            fold(character, &mut scratch.joined);
            scratch.spelled.push_str(&scratch.joined[length..]);
        }
    }
    end_part(scratch, &mut part_start);
}

/// As [`cut`], for the runs most text consists of.
fn cut_ascii(run: &str, scratch: &mut Scratch) {
    if run.as_bytes().contains(&b'\'') {
        cut(run.chars(), scratch);
        return;
    }
    scratch.spelled.push_str(run);
    scratch.spelled.make_ascii_lowercase();
    let run = run.as_bytes();
    let mut part_start = 0;
    let mut end_part = |end: usize, next: usize| {
        if end > part_start {
            let start = scratch.joined.len();
            scratch.joined.push_str(&scratch.spelled[part_start..end]);
            scratch.parts.push((start, scratch.joined.len()));
        }
        part_start = next;
    };
    let mut before = b'_';
    for (at, &byte) in run.iter().enumerate() {
        if byte == b'_' || CLASSES[usize::from(byte)] == JOINER {
            end_part(at, at + 1);
            before = b'_';
            continue;
        }
        if byte.is_ascii_uppercase() && before != b'_' {
            let next_lower = run.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            if !before.is_ascii_uppercase() || next_lower {
                end_part(at, at);
            }
        }
        before = byte;
    }
    end_part(run.len(), run.len());
}

fn end_part(scratch: &mut Scratch, part_start: &mut usize) {
    if scratch.joined.len() > *part_start {
        scratch.parts.push((*part_start, scratch.joined.len()));
        *part_start = scratch.joined.len();
    }
}

/// Lower case without accents. Marks are dropped from Latin letters only: elsewhere they change the letter.
fn fold(character: char, into: &mut String) {
    match character {
        'ß' | 'ẞ' => into.push_str("ss"),
        'æ' | 'Æ' => into.push_str("ae"),
        'œ' | 'Œ' => into.push_str("oe"),
        'ø' | 'Ø' => into.push('o'),
        'ł' | 'Ł' => into.push('l'),
        'đ' | 'Đ' | 'ð' | 'Ð' => into.push('d'),
        'ı' => into.push('i'),
        '\u{AD}' => {}
        '\u{300}'..='\u{36F}' => {}
        _ => {
            for lower in character.to_lowercase() {
                let mut base = lower;
                let mut first = true;
                decompose_canonical(lower, |piece| {
                    if first && piece.is_ascii_alphabetic() {
                        base = piece;
                    }
                    first = false;
                });
                if !matches!(base, '\u{300}'..='\u{36F}') {
                    into.push(base);
                }
            }
        }
    }
}

fn pairs_of_run(run: &str, visit: &mut impl FnMut(Kind, &str)) {
    let normal: Cow<'_, str> = if unicode_normalization::is_nfkc_quick(run.chars())
        == unicode_normalization::IsNormalized::Yes
    {
        Cow::Borrowed(run)
    } else {
        Cow::Owned(run.nfkc().collect())
    };
    let mut previous: Option<usize> = None;
    let mut any = false;
    for (at, character) in normal.char_indices() {
        if let Some(start) = previous {
            visit(Kind::Pair, &normal[start..at + character.len_utf8()]);
            any = true;
        }
        previous = Some(at);
    }
    if !any && !normal.is_empty() {
        visit(Kind::Pair, &normal);
    }
}

/// Whether `word` (lower-case) is on the stop list.
#[must_use]
pub fn is_stop_word(word: &str) -> bool {
    let bytes = word.as_bytes();
    let Some(first) = bytes.first().filter(|first| first.is_ascii_lowercase()) else {
        return false;
    };
    bytes.len() <= 10
        && STOP_LENGTHS[usize::from(first - b'a')] >> bytes.len() & 1 == 1
        && STOP_WORDS.binary_search(&word).is_ok()
}

/// Per first letter: the lengths that occur on the stop list. Spares most words the search.
const STOP_LENGTHS: [u16; 26] = {
    let mut lengths = [0; 26];
    let mut at = 0;
    while at < STOP_WORDS.len() {
        let word = STOP_WORDS[at].as_bytes();
        lengths[(word[0] - b'a') as usize] |= 1 << word.len();
        at += 1;
    }
    lengths
};

/// The stem of a token: Snowball English for plain Latin words of three letters or more, else the token itself.
#[must_use]
pub fn stem(token: &str) -> Cow<'_, str> {
    if token.len() < 3
        || is_its_own_stem(token.as_bytes())
        || !token.bytes().all(|byte| byte.is_ascii_lowercase())
    {
        return Cow::Borrowed(token);
    }
    rust_stemmers::Stemmer::create(rust_stemmers::Algorithm::English).stem(token)
}

/// Whether a word ends like none that the stemmer changes: every ending it takes away or replaces ends in `s`, `y` or `e`,
/// or in one of these pairs of letters.
fn is_its_own_stem(word: &[u8]) -> bool {
    let [.., before, last] = *word else {
        return true;
    };
    !matches!(
        (before, last),
        (_, b's' | b'y' | b'e')
            | (b'e' | b'o', b'r')
            | (b'o', b'n')
            | (b's', b'm')
            | (b'i', b'c')
            | (b'n', b't' | b'g')
            | (b'e', b'd')
            | (b'a' | b'u' | b'l', b'l')
            | (b'c' | b'l' | b't' | b'g', b'i')
    )
}

/// Fast 64-bit hash of a run, for tables in memory only: two multiplications for what fits 16 bytes.
#[must_use]
pub(crate) fn run_hash(run: &str) -> u64 {
    let bytes = run.as_bytes();
    let word = |at: usize| bytes[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
    let half = |at: usize| {
        bytes[at..at + 4]
            .try_into()
            .map_or(0, |four| u64::from(u32::from_le_bytes(four)))
    };
    let length = bytes.len();
    let (low, high) = match length {
        0 => (0, 0),
        1..=3 => (
            u64::from(bytes[0]) << 16
                | u64::from(bytes[length / 2]) << 8
                | u64::from(bytes[length - 1]),
            0,
        ),
        4..=7 => (half(0), half(length - 4)),
        8..=16 => (word(0), word(length - 8)),
        _ => return term_hash(run),
    };
    let mix = |one: u64, other: u64| {
        let product = u128::from(one) * u128::from(other);
        product as u64 ^ (product >> 64) as u64
    };
    let mixed = mix(
        low ^ 0x9E37_79B9_7F4A_7C15,
        high ^ 0xD1B5_4A32_D192_ED03 ^ (length as u64) << 56,
    );
    mix(mixed, 0xA24B_AED4_963E_E407)
}

/// Stable 64-bit hash of a term: XXH3 (seed 0) of its UTF-8 bytes.
#[must_use]
pub fn term_hash(term: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(term.as_bytes())
}

/// The tokenizer of this room, for the `bm25` crate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokenizer;

impl bm25::Tokenizer for Tokenizer {
    fn tokenize(&self, input_text: &str) -> Vec<String> {
        let mut scratch = Scratch::default();
        let mut tokens = Vec::new();
        runs(input_text, |run| {
            tokens_of_run(run, &mut scratch, |_, token| {
                tokens.push(stem(token).into_owned())
            })
        });
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bm25::Tokenizer as _;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(Tokenizer.tokenize(text), expected, "{text}");
    }

    /// Words of our data, and every ending on several beginnings.
    #[test]
    fn words_that_are_their_own_stem_are_known_by_their_ending() {
        let stemmer = rust_stemmers::Stemmer::create(rust_stemmers::Algorithm::English);
        let check = |word: &str| {
            let own = is_its_own_stem(word.as_bytes());
            assert!(!own || stemmer.stem(word) == word, "{word}");
        };
        let letters = || (b'a'..=b'z').map(char::from);
        for beginning in [
            "", "b", "sk", "ay", "yab", "gener", "commun", "abatem", "relatio", "hopp",
        ] {
            for one in letters() {
                for two in letters() {
                    for three in letters() {
                        check(&format!("{beginning}{one}{two}{three}"));
                    }
                }
            }
        }
        let text = concat!(
            include_str!("../../tests/data/recall/cards.jsonl"),
            include_str!("../../tests/data/recall/queries.jsonl"),
            "tional enci anci abli entli izer ization ational ation ator alism aliti alli fulness ousli ousness iveness iviti",
            " biliti bli ogi fulli lessli li alize icate iciti ical ful ness ative al ance ence er ic able ible ant ement ment",
            " ent ism ate iti ous ive ize ion skis skies dying lying tying idly gently ugly early only singly sky news howe atlas",
            " cosmos bias andes inning outing canning herring earring proceed exceed succeed",
        );
        let words = text.split(|character: char| !character.is_ascii_lowercase());
        for word in words.filter(|word| word.len() > 2) {
            check(word);
            check(&format!("{word}{word}"));
            for beginning in ["nat", "hop", "relat", "sensib"] {
                check(&format!("{beginning}{word}"));
            }
        }
    }

    #[test]
    fn stop_words_are_sorted() {
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn identifiers_are_split_and_kept_whole() {
        check("nextPageToken", &["next", "page", "token", "nextpagetoken"]);
        check(
            "next_page_token",
            &["next", "page", "token", "nextpagetoken"],
        );
        check(
            "rate-limit rateLimit ratelimiting",
            &[
                "rate",
                "limit",
                "ratelimit",
                "rate",
                "limit",
                "ratelimit",
                "ratelimit",
            ],
        );
        check("HTTPServer", &["http", "server", "httpserver"]);
        check("std::fs::read", &["std", "fs", "read", "stdfsread"]);
        check("src/main.rs", &["src", "main", "rs", "srcmainr"]);
    }

    #[test]
    fn versions_codes_flags_and_languages() {
        check("v1.2.3", &["v1", "2", "3", "v1.2.3"]);
        check("error[E0277]: 429", &["error", "e0277", "429"]);
        check("--no-verify -rf", &["no", "verifi", "noverifi", "rf"]);
        check("C++ and c# or F#", &["c++", "c#", "f#"]);
        check("C:\\temp", &["c", "temp"]);
        check("don't it's", &["dont"]);
    }

    #[test]
    fn the_fast_way_cuts_as_the_general_one() {
        for run in [
            "HTTPServer2Go",
            "a_b.c",
            "_x_",
            "v1.2.3",
            "src/main.rs",
            "C++",
            "x::Y",
            "IPv4Addr",
            "A",
            "9",
            "snake__case",
            "E0277",
        ] {
            let (mut one, mut other) = (Scratch::default(), Scratch::default());
            cut_ascii(run, &mut one);
            cut(run.chars(), &mut other);
            assert_eq!(
                (&one.joined, &one.spelled, &one.parts),
                (&other.joined, &other.spelled, &other.parts),
                "{run}"
            );
        }
    }

    #[test]
    fn endless_runs_are_cut() {
        for text in [
            "a".repeat(1000),
            "é".repeat(1000),
            "a.".repeat(500),
            "é-".repeat(400),
            "x".repeat(255) + "é.é",
            "数".repeat(700),
        ] {
            let mut total = 0;
            runs(&text, |run| {
                assert!(run.len() <= LONGEST_RUN + 8);
                total += run.len();
            });
            assert!(total > 0 && total <= text.len());
        }
    }

    #[test]
    fn accents_and_width_are_folded() {
        check(
            "Ｃａｆé Überwachung straße",
            &["cafe", "uberwachung", "strass"],
        );
    }

    #[test]
    fn unspaced_scripts_become_pairs() {
        check("数据库 git 库", &["数据", "据库", "git", "库"]);
        check("データ", &["デー", "ータ"]);
        check("한국어", &["한국", "국어"]);
    }
}
