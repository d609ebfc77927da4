//! Deterministic damage to questions, for measuring how ranking bears it. No randomness: the same text gives the same
//! damage everywhere.

/// One typing error per word: the two letters in the middle of every plain Latin word of five or more letters change
/// places (`pagination` → `pagiantion`). Where they are equal, the
/// nearest unequal inner pair to the right, then to the left, is taken.
#[must_use]
pub fn swap_letters(text: &str) -> String {
    map_words(text, |word| {
        let mut letters: Vec<char> = word.chars().collect();
        let last = letters.len().saturating_sub(2);
        let middle = (letters.len() - 1) / 2;
        let place = (middle..last)
            .chain((1..middle).rev())
            .find(|&at| letters[at] != letters[at + 1]);
        if let Some(at) = place {
            letters.swap(at, at + 1);
        }
        letters.into_iter().collect()
    })
}

/// Another form of every plain Latin word of five or more letters: an ending is replaced by, or added from, `s`,
/// `ing`, `ed`, `er`, chosen by the word's length.
#[must_use]
pub fn inflect(text: &str) -> String {
    const ENDINGS: [&str; 4] = ["ing", "ed", "s", "er"];
    map_words(text, |word| {
        let lower = word.to_ascii_lowercase();
        let mut base = word;
        for ending in ["ing", "ed", "er", "es", "s", "e"] {
            if lower.ends_with(ending) && word.len() - ending.len() >= 4 {
                base = &word[..word.len() - ending.len()];
                break;
            }
        }
        let removed = &lower[base.len()..];
        let start = word.len() % ENDINGS.len();
        let ending = (0..ENDINGS.len())
            .map(|step| ENDINGS[(start + step) % ENDINGS.len()])
            .find(|ending| *ending != removed)
            .unwrap_or("s");
        format!("{base}{ending}")
    })
}

/// Applies `change` to every run of plain Latin letters of five or more.
fn map_words(text: &str, change: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        if length == 0 {
            let width = rest.chars().next().map_or(1, char::len_utf8);
            out.push_str(&rest[..width]);
            rest = &rest[width..];
            continue;
        }
        let (word, after) = rest.split_at(length);
        if length >= 5 {
            out.push_str(&change(word))
        } else {
            out.push_str(word)
        }
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_typing_error_per_word() {
        assert_eq!(
            swap_letters("Handle pagination with jq 数据库 noon"),
            "Hadnle pagiantion with jq 数据库 noon"
        );
        assert_eq!(swap_letters("error"), "erorr");
        assert_eq!(swap_letters("aaaaa"), "aaaaa");
    }

    #[test]
    fn another_word_form() {
        assert_eq!(
            inflect("retries failed builds jq"),
            "retrier fails builder jq"
        );
    }
}
