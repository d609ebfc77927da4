//! Text compared by what it says: Unicode forms, case, spacing and invisible characters folded away.

use unicode_normalization::UnicodeNormalization;

/// NFKC, lower case, invisible characters removed, runs of white space as one space.
/// For comparing only; never stored.
pub fn comparison_key(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    if text.is_ascii()
        && !text
            .bytes()
            .any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
    {
        for word in text.split_ascii_whitespace() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
        out.make_ascii_lowercase();
        return out;
    }
    let mut pending_space = false;
    for character in text.nfkc().flat_map(char::to_lowercase) {
        if is_invisible(character) {
            continue;
        }
        if character.is_whitespace() {
            pending_space = !out.is_empty();
            continue;
        }
        if pending_space {
            out.push(' ');
            pending_space = false;
        }
        out.push(character);
    }
    out
}

/// Characters that take no room and tell nothing when texts are compared.
pub fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
        || (character.is_control() && !character.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_dodge_nothing() {
        assert_eq!(
            comparison_key("Ig\u{200b}nore \u{fb01}le\t\n CAFE\u{301} "),
            "ignore file café"
        );
        assert_eq!(comparison_key("a\u{e0041}b"), "ab");
    }
}
