//! Words for counts, pieces of text cut to length, and text made safe to print.

use crate::guard::{markdown, secrets};

/// `1 card`, `2 cards`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// The first `length` characters on one line, with `…` where something is left out.
pub fn cut(text: &str, length: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= length {
        return line;
    }
    let mut short: String = line.chars().take(length.saturating_sub(1)).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// Text without anything that steers a terminal or hides.
pub fn safe(text: &str) -> String {
    markdown::terminal(text).into_owned()
}

/// Text of a message: it may repeat what was typed, so secrets in it are masked too.
pub fn leaving(text: &str) -> String {
    safe(&secrets::redact(text).0)
}

/// Text as part of a line of a Markdown document that somebody may print.
pub fn inline(text: &str) -> String {
    safe(&markdown::inline(text))
}

/// Text as a body in such a document.
pub fn block(text: &str) -> String {
    safe(&markdown::block(text))
}
