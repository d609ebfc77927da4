//! Characters that hide: what a person does not see but an agent reads.
//!
//! Refused: Unicode tags outside flag emoji, bidi controls, control characters but newline and tab, zero-width characters where no
//! script or emoji needs them, runs of variation selectors, fillers, and the other default-ignorable code points.
//!
//! What genuine text needs passes: joiners inside emoji, between letters of Arabic and Indic scripts, direction marks next to
//! right-to-left letters, one variation selector after a character that takes one, a byte-order mark at the very start.
//!
//! Line ends are normalised, not refused: CRLF, a lone CR, U+2028, U+2029 and U+0085 become `\n`.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// One hidden character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invisible {
    /// The character.
    pub character: char,
    /// What it is, in words.
    pub name: &'static str,
    /// Where it stands: the number of characters (not bytes) before it.
    pub offset: usize,
    /// Where it stands in bytes.
    pub byte_offset: usize,
}

impl Invisible {
    /// `U+200B zero width space`
    pub fn describe(&self) -> String {
        format!("U+{:04X} {}", u32::from(self.character), self.name)
    }
}

/// The first hidden character of `text`, if any.
pub fn find(text: &str) -> Option<Invisible> {
    find_all(text).next()
}

/// All hidden characters of `text`, in order.
pub fn find_all(text: &str) -> impl Iterator<Item = Invisible> + '_ {
    let clean = is_plainly_visible(text);
    let mut scanner = Scanner::new(text);
    std::iter::from_fn(move || if clean { None } else { scanner.next_hidden() })
}

/// `text` without its hidden characters.
///
/// Removing one may leave another without its excuse (a joiner whose emoji lost its modifier), so this repeats until none is left.
pub fn strip(text: &str) -> Cow<'_, str> {
    let mut current = Cow::Borrowed(text);
    loop {
        let Some(first) = find(&current) else {
            return current;
        };
        let mut kept = String::with_capacity(current.len());
        kept.push_str(&current[..first.byte_offset]);
        let mut from = first.byte_offset;
        for hidden in find_all(&current) {
            kept.push_str(&current[from..hidden.byte_offset]);
            from = hidden.byte_offset + hidden.character.len_utf8();
        }
        kept.push_str(&current[from..]);
        current = Cow::Owned(kept);
    }
}

/// Line ends as `\n`: CRLF, lone CR, U+0085, U+2028 and U+2029.
pub fn normalise_newlines(text: &str) -> Cow<'_, str> {
    if !text.contains(['\r', '\u{85}', '\u{2028}', '\u{2029}']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.replace("\r\n", "\n")
            .replace(['\r', '\u{85}', '\u{2028}', '\u{2029}'], "\n"),
    )
}

/// The form in which text is stored: NFC with `\n` line ends.
pub fn storage_form(text: &str) -> Cow<'_, str> {
    let text = normalise_newlines(text);
    if text.is_ascii() || is_nfc(&text) {
        return text;
    }
    Cow::Owned(text.nfc().collect())
}

/// The form in which texts are compared: NFKC, lower case, hidden characters gone, white space collapsed.
///
/// Two texts that read alike have one key, so a zero-width character, a full-width letter or another line break dodges nothing.
pub fn comparison_key(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    if text.is_ascii() {
        folded.extend(
            text.chars()
                .filter(|character| !is_hidden_anywhere(*character))
                .map(|character| character.to_ascii_lowercase()),
        );
    } else {
        // Folding case can undo a composition and composing can yield an upper-case letter, hence both twice.
        let visible = |character: &char| !is_hidden_anywhere(*character);
        let once: String = text
            .chars()
            .filter(visible)
            .nfkc()
            .flat_map(char::to_lowercase)
            .collect();
        folded.extend(
            once.nfkc()
                .filter(visible)
                .flat_map(char::to_lowercase)
                .nfkc(),
        );
    }
    let mut key = String::with_capacity(folded.len());
    for word in folded.split_whitespace() {
        if !key.is_empty() {
            key.push(' ');
        }
        key.push_str(word);
    }
    key
}

/// Nearly every text: no byte below space but newline and tab, and nothing outside ASCII.
fn is_plainly_visible(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t'))
}

/// Whether a comparison may ignore `character` wherever it stands.
fn is_hidden_anywhere(character: char) -> bool {
    match character {
        '\n' | '\t' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => false,
        _ => name_of(character).is_some(),
    }
}

/// What a character that may hide is called; `None` for one that never hides.
fn name_of(character: char) -> Option<&'static str> {
    Some(match character {
        '\n' | '\t' => return None,
        '\r' => "carriage return",
        '\u{1B}' => "escape",
        '\0'..='\u{1F}' | '\u{7F}' => "control character",
        '\u{85}' | '\u{2028}' | '\u{2029}' => "line separator",
        '\u{80}'..='\u{9F}' => "C1 control character",
        '\u{AD}' => "soft hyphen",
        '\u{34F}' => "combining grapheme joiner",
        '\u{61C}' => "Arabic letter mark",
        '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' => "Hangul filler",
        '\u{17B4}' | '\u{17B5}' => "Khmer inherent vowel",
        '\u{180B}'..='\u{180D}' | '\u{180F}' => "Mongolian variation selector",
        '\u{180E}' => "Mongolian vowel separator",
        '\u{200B}' => "zero width space",
        '\u{200C}' => "zero width non-joiner",
        '\u{200D}' => "zero width joiner",
        '\u{200E}' => "left-to-right mark",
        '\u{200F}' => "right-to-left mark",
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => "bidi control",
        '\u{2060}' => "word joiner",
        '\u{2061}'..='\u{2064}' => "invisible operator",
        '\u{2065}' | '\u{206A}'..='\u{206F}' => "deprecated format character",
        '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' => "variation selector",
        '\u{FEFF}' => "zero width no-break space",
        '\u{FFF0}'..='\u{FFF8}' => "unassigned ignorable",
        '\u{FFF9}'..='\u{FFFB}' => "interlinear annotation",
        '\u{1BCA0}'..='\u{1BCA3}' => "shorthand format control",
        '\u{1D173}'..='\u{1D17A}' => "musical format control",
        '\u{E0000}'..='\u{E007F}' => "Unicode tag",
        '\u{E0080}'..='\u{E0FFF}' => "unassigned ignorable",
        _ if u32::from(character) & 0xFFFE == 0xFFFE => "noncharacter",
        '\u{FDD0}'..='\u{FDEF}' => "noncharacter",
        _ => return None,
    })
}

struct Scanner<'a> {
    text: &'a str,
    byte_offset: usize,
    offset: usize,
    previous: Option<char>,
    /// End (in bytes) of a flag emoji's tag sequence found valid.
    flag_until: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            byte_offset: 0,
            offset: 0,
            previous: None,
            flag_until: 0,
        }
    }

    fn next_hidden(&mut self) -> Option<Invisible> {
        while let Some(character) = self.text[self.byte_offset..].chars().next() {
            let (byte_offset, offset) = (self.byte_offset, self.offset);
            let after = byte_offset + character.len_utf8();
            if character == '\u{1F3F4}' {
                self.flag_until = flag_end(self.text, after).unwrap_or(self.flag_until);
            }
            let hidden = name_of(character).filter(|_| !self.is_excused(character, after));
            self.previous = Some(character);
            self.byte_offset = after;
            self.offset += 1;
            if let Some(name) = hidden {
                return Some(Invisible {
                    character,
                    name,
                    offset,
                    byte_offset,
                });
            }
        }
        None
    }

    /// Whether the neighbours give this character a visible job.
    fn is_excused(&self, character: char, after: usize) -> bool {
        let next = self.text[after..].chars().next();
        let previous = self.previous;
        match character {
            '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => true,
            '\u{E0020}'..='\u{E007F}' => after <= self.flag_until,
            '\u{200D}' => {
                (previous.is_some_and(ends_emoji) && next.is_some_and(is_emoji))
                    || (previous.is_some_and(joins)
                        && next.is_none_or(|next| joins(next) || !next.is_alphanumeric()))
            }
            '\u{200C}' => previous.is_some_and(joins) && next.is_some_and(joins),
            '\u{200E}' | '\u{200F}' | '\u{61C}' => self.is_beside_right_to_left(after),
            '\u{FE00}'..='\u{FE0D}' => {
                previous.is_some_and(|previous| is_han(previous) || is_symbol(previous))
            }
            '\u{FE0E}' | '\u{FE0F}' => previous.is_some_and(|previous| {
                is_emoji(previous) || is_symbol(previous) || is_keycap_base(previous)
            }),
            '\u{E0100}'..='\u{E01EF}' => previous.is_some_and(is_han),
            '\u{180B}'..='\u{180F}' => {
                previous.is_some_and(|previous| ('\u{1820}'..='\u{18AF}').contains(&previous))
            }
            '\u{FEFF}' => after == character.len_utf8() && self.byte_offset == 0,
            '\u{34F}'
            | '\u{17B4}'
            | '\u{17B5}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' => false,
            _ => false,
        }
    }

    /// A direction mark is genuine when a right-to-left letter is the nearest letter on either side, within a few characters.
    fn is_beside_right_to_left(&self, after: usize) -> bool {
        const REACH: usize = 8;
        let before = self.text[..self.byte_offset]
            .chars()
            .rev()
            .take(REACH)
            .find(|character| character.is_alphabetic());
        let behind = self.text[after..]
            .chars()
            .take(REACH)
            .find(|character| character.is_alphabetic());
        // Two marks in a row carry data, not direction.
        let repeated = self
            .previous
            .is_some_and(|previous| matches!(previous, '\u{200E}' | '\u{200F}' | '\u{61C}'));
        !repeated && (before.is_some_and(is_right_to_left) || behind.is_some_and(is_right_to_left))
    }
}

/// The end of `tag letters + cancel tag` starting at `start` when it is one of the flags in use: two to six tag letters or digits.
fn flag_end(text: &str, start: usize) -> Option<usize> {
    let mut letters = 0;
    for (offset, character) in text[start..].char_indices() {
        match character {
            '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}' => letters += 1,
            '\u{E007F}' if (4..=6).contains(&letters) => {
                return Some(start + offset + character.len_utf8());
            }
            _ => return None,
        }
        if letters > 6 {
            return None;
        }
    }
    None
}

fn is_emoji(character: char) -> bool {
    matches!(u32::from(character),
        0x1F000..=0x1FAFF | 0x2600..=0x27BF | 0x2B00..=0x2BFF | 0x2190..=0x21FF | 0x2300..=0x23FF | 0x2934..=0x2935
        | 0x3030 | 0x303D | 0x3297 | 0x3299 | 0xA9 | 0xAE | 0x203C | 0x2049 | 0x2122 | 0x2139 | 0x25A0..=0x25FF)
}

/// What may stand before a joiner in an emoji sequence: an emoji, its skin tone, its variation selector, or a flag's end.
fn ends_emoji(character: char) -> bool {
    is_emoji(character) || matches!(character, '\u{FE0F}' | '\u{E007F}' | '\u{20E3}')
}

fn is_keycap_base(character: char) -> bool {
    matches!(character, '0'..='9' | '#' | '*')
}

/// Symbols with standardised variants: mathematics, arrows, punctuation of East Asian text.
fn is_symbol(character: char) -> bool {
    matches!(u32::from(character), 0x2010..=0x2027 | 0x2030..=0x205E | 0x20A0..=0x20CF | 0x2100..=0x2BFF | 0x3000..=0x303F | 0xFF00..=0xFF0F | 0xFF1A..=0xFF1F)
}

fn is_han(character: char) -> bool {
    matches!(u32::from(character), 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x323AF)
}

fn is_right_to_left(character: char) -> bool {
    matches!(u32::from(character), 0x0590..=0x08FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFC | 0x10800..=0x10FFF | 0x1E800..=0x1EFFF)
}

/// Letters and marks of the scripts whose spelling uses joiners: Arabic and its kin, Indic, Sinhala, Tibetan, Burmese, Khmer, Mongolian.
fn joins(character: char) -> bool {
    matches!(u32::from(character), 0x0600..=0x08FF | 0x0900..=0x0DFF | 0x0F00..=0x109F | 0x1780..=0x18AF | 0x1900..=0x1CFF
        | 0xA800..=0xABFF | 0xFB50..=0xFDCF | 0xFDF0..=0xFDFF | 0xFE70..=0xFEFC | 0x10A00..=0x11FFF | 0x1E900..=0x1E95F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_named_with_their_offset() {
        let hidden = find("héllo\u{200B}x").expect("zero width space");
        assert_eq!((hidden.offset, hidden.byte_offset), (5, 6));
        assert_eq!(hidden.describe(), "U+200B zero width space");
        for text in [
            "a\u{E0041}b",
            "\u{202E}abc",
            "a\u{200D}b",
            "\u{1b}[31m",
            "x\u{0}",
            "a\u{AD}b",
            "\u{3164}",
            "a\u{FE0F}",
            "☂\u{FE0F}\u{FE0F}",
            "abc\u{FEFF}",
            "\u{2066}x\u{2069}",
            "hello\u{200E}",
            "漢\u{E0100}\u{E0101}",
            "\u{1F3F4}\u{E0041}\u{E0042}",
            "x\u{61C}y",
        ] {
            assert!(find(text).is_some(), "{text:?}");
        }
    }

    #[test]
    fn genuine_text_passes() {
        for text in [
            "👨\u{200D}👩\u{200D}👧",
            "❤\u{FE0F}\u{200D}🔥",
            "1\u{FE0F}\u{20E3}",
            "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
            "می\u{200C}خواهم",
            "क\u{094D}\u{200D}ष",
            "שלום\u{200F}!",
            "漢\u{E0100}字",
            "e\u{301}",
            "\u{FEFF}text",
            "日本語\tとEnglish\n",
            "👩🏽\u{200D}🚀",
            "🏳\u{FE0F}\u{200D}🌈",
            "a\r\nb",
        ] {
            assert_eq!(find(text), None, "{text:?}");
        }
    }

    #[test]
    fn stripping_leaves_nothing_hidden() {
        assert_eq!(strip("pass\u{200B}word\u{202E}"), "password");
        assert_eq!(strip("❤\u{FE0F}\u{FE0F}\u{200D}x"), "❤\u{FE0F}x");
        assert!(matches!(strip("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn keys_ignore_case_width_and_hidden_characters() {
        assert_eq!(
            comparison_key("Ig\u{200B}nore  ＰＲＥＶＩＯＵＳ\n rules"),
            "ignore previous rules"
        );
        assert_eq!(comparison_key("CAFE\u{301}"), comparison_key("café"));
        assert_eq!(normalise_newlines("a\r\nb\rc\u{2028}d"), "a\nb\nc\nd");
    }
}
