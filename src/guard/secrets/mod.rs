//! Credentials in text: found anywhere in a string, masked in place, ordinary text left alone.
//!
//! One pass over the bytes looks up each three-byte window in a small table; only where an anchor of some rule begins does any rule
//! run. Rules are data: [`rules`] holds tokens that vendors made recognisable; `contexts` knows places (URLs, headers,
//! key blocks, card numbers, addresses); `assign` judges values by the name of their key. Every matcher is linear in what it reads,
//! and what it reads is bounded.
//!
//! Placeholders, variables and documentation examples are not secrets; nor are digests, identifiers, paths, versions.

mod anchors;
mod assign;
mod commands;
mod contexts;
mod field;
mod people;
mod rules;
mod shape;
mod value;
mod vendors;

use std::borrow::Cow;

use anchors::{ANCHORS, Action};
use rules::{Check, SHAPES, TOKENS};
use shape::{ALNUM, is_in};

/// One secret: its class and where it stands, in bytes, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretSpan {
    /// Kebab-case class, as in the mark `[REDACTED:<class>]`.
    pub class: &'static str,
    /// First byte of the secret.
    pub start: usize,
    /// First byte after the secret.
    pub end: usize,
}

/// Finds every secret in `text`: sorted, not overlapping, the secret itself without the name of its key.
pub fn scan(text: &str) -> Vec<SecretSpan> {
    settle(text, true)
}

/// `text` with every secret replaced by `[REDACTED:<class>]`, and where the secrets stood in `text`.
///
/// Redacting again changes nothing.
pub fn redact(text: &str) -> (Cow<'_, str>, Vec<SecretSpan>) {
    let spans = scan(text);
    if spans.is_empty() {
        (Cow::Borrowed(text), spans)
    } else {
        (Cow::Owned(mask(text, &spans)), spans)
    }
}

/// Only tokens with a vendor's prefix: for identifiers, which no context may blank.
pub(crate) fn scan_tokens(text: &str) -> Vec<SecretSpan> {
    settle(text, false)
}

/// What stands in place of a secret.
pub(crate) fn mark(class: &str) -> String {
    format!("[REDACTED:{class}]")
}

/// Replaces `spans`, which are sorted and do not overlap, by their marks.
pub(crate) fn mask(text: &str, spans: &[SecretSpan]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for span in spans {
        masked.push_str(&text[from..span.start]);
        masked.push_str(&mark(span.class));
        from = span.end;
    }
    masked.push_str(&text[from..]);
    masked
}

pub(crate) use field::{class_of_field, is_field_secret};

/// Scans until the masked text holds nothing more, so that masking twice is masking once.
///
/// Masking changes what stands beside a neighbour; rarely, that makes the neighbour recognisable. Its place is mapped back.
fn settle(text: &str, everything: bool) -> Vec<SecretSpan> {
    let mut spans = scan_once(text, everything);
    if spans.is_empty() {
        return spans;
    }
    loop {
        let masked = mask(text, &spans);
        let more = scan_once(&masked, everything);
        if more.is_empty() {
            return spans;
        }
        let found: Vec<SecretSpan> = more.iter().map(|span| map_back(span, &spans)).collect();
        spans.extend(found);
        spans.sort_by_key(|span| (span.start, span.end));
    }
}

/// Moves a span of the masked text to where it stands in the original. It never touches a mark.
fn map_back(span: &SecretSpan, masked: &[SecretSpan]) -> SecretSpan {
    let mut at = 0;
    let mut original = 0;
    for earlier in masked {
        let mark_start = at + (earlier.start - original);
        if span.start < mark_start {
            break;
        }
        at = mark_start + mark(earlier.class).len();
        original = earlier.end;
    }
    let start = original + (span.start - at);
    SecretSpan {
        class: span.class,
        start,
        end: start + (span.end - span.start),
    }
}

/// A text being scanned, and what was found so far.
pub(crate) struct Scan<'a> {
    pub(crate) text: &'a str,
    pub(crate) bytes: &'a [u8],
    /// Candidates, each with whether a format (rather than its surroundings) names it.
    found: Vec<(bool, SecretSpan)>,
    /// Whether the rule that runs recognises a format.
    by_format: bool,
    /// End of the last key that was judged, so that `SECRET_ACCESS_KEY` is judged once.
    pub(crate) key_until: usize,
    /// Where the last search for the end of a key block looked and what it found.
    pub(crate) block_end: Option<(usize, Option<usize>)>,
}

impl Scan<'_> {
    /// Records a secret.
    pub(crate) fn found(&mut self, class: &'static str, start: usize, end: usize) {
        if start < end && self.text.is_char_boundary(start) && self.text.is_char_boundary(end) {
            self.found
                .push((self.by_format, SecretSpan { class, start, end }));
        }
    }

    /// The text between two offsets that stand at character boundaries; otherwise empty.
    pub(crate) fn slice(&self, start: usize, end: usize) -> &str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// Whether a word may begin at `at`: no letter or digit directly before, or one that belongs to an escape (`\n`, `%3D`).
    pub(crate) fn is_word_start(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else {
            return true;
        };
        if !is_in(ALNUM, self.bytes[before]) {
            return true;
        }
        let escaped = before
            .checked_sub(1)
            .is_some_and(|slash| self.bytes[slash] == b'\\')
            && matches!(self.bytes[before], b'n' | b't' | b'r');
        let percent =
            before >= 2 && self.bytes[before - 2] == b'%' && self.bytes[before].is_ascii_hexdigit();
        escaped || percent
    }

    /// Whether a word ends before `at`.
    pub(crate) fn is_word_end(&self, at: usize) -> bool {
        self.bytes.get(at).is_none_or(|byte| !is_in(ALNUM, *byte))
    }
}

fn scan_once(text: &str, everything: bool) -> Vec<SecretSpan> {
    let bytes = text.as_bytes();
    let mut scan = Scan {
        text,
        bytes,
        found: Vec::new(),
        by_format: false,
        key_until: 0,
        block_end: None,
    };
    let anchors = anchors::table();
    for at in 0..bytes.len().saturating_sub(2) {
        let head = anchors.head(bytes[at], bytes[at + 1], bytes[at + 2]);
        if head != 0 {
            visit(&mut scan, anchors, head, at, everything);
        }
    }
    if everything {
        scan.by_format = false;
        for (at, _) in text.match_indices('@') {
            people::email(&mut scan, at);
        }
        people::card_numbers(&mut scan);
    }
    resolve(text, scan.found)
}

/// Runs every rule whose anchor stands at `at`.
#[inline(never)]
fn visit(scan: &mut Scan<'_>, anchors: &anchors::Table, head: u16, at: usize, everything: bool) {
    let mut next = head;
    while next != 0 {
        let anchor = &ANCHORS.get_or_init(anchors::all)[usize::from(next) - 1];
        next = anchors.next(next);
        if !anchor.stands_at(scan.bytes, at) {
            continue;
        }
        scan.by_format = !matches!(anchor.action, Action::Context(_));
        match anchor.action {
            Action::Token(rule) => match_token(scan, rule, at, anchor.text.len()),
            Action::Shape(rule) => match_shape(scan, rule, at),
            Action::Vendor(action) => action(scan, at),
            Action::Context(action) if everything => action(scan, at),
            Action::Context(_) => {}
        }
    }
}

fn match_token(scan: &mut Scan<'_>, rule: usize, at: usize, prefix: usize) {
    let rule = &TOKENS[rule];
    if !scan.is_word_start(at) {
        return;
    }
    let body_start = at + prefix;
    let mut length = shape::run_length(scan.bytes, body_start, rule.set, rule.max + 1);
    if length > rule.max {
        return;
    }
    // The end of a sentence or a hyphen before a dash is not the token's.
    while length > 0 && matches!(scan.bytes[body_start + length - 1], b'.' | b'%') {
        length -= 1;
    }
    if length < rule.min || !scan.is_word_end(body_start + length) {
        return;
    }
    let body = scan.slice(body_start, body_start + length);
    if is_genuine(body, rule.check, length == rule.body.len()) {
        scan.found(rule.class, at, body_start + length);
    }
}

fn match_shape(scan: &mut Scan<'_>, rule: usize, at: usize) {
    let rule = &SHAPES[rule];
    let mut start = at;
    if let Some((set, min, max)) = rule.before {
        let length = shape::run_length_before(scan.bytes, at, set, max + 1);
        if length < min || length > max {
            return;
        }
        start -= length;
    }
    let Some(end) = shape::match_parts(scan.bytes, at, rule.parts) else {
        return;
    };
    // Digits may follow letters directly: `/bot123:…`.
    let first_is_sign = !is_in(ALNUM, scan.bytes[start])
        || rule.before.is_some_and(|(set, ..)| set == shape::DIGIT);
    if !(first_is_sign || scan.is_word_start(start)) || !scan.is_word_end(end) {
        return;
    }
    // What is checked is the part after the anchor, or before it when the anchor comes last.
    let body = scan.slice(
        if at + rule.anchor.len() < end {
            at + rule.anchor.len()
        } else {
            start
        },
        end,
    );
    if is_genuine(body, rule.check, false) {
        scan.found(rule.class, start, end);
    }
}

/// Whether the body of a token is one, not a stand-in for one.
fn is_genuine(body: &str, check: Check, is_usual_length: bool) -> bool {
    if is_usual_length && value::has_base62_checksum(body) {
        return true;
    }
    if value::is_template(body) || has_stand_in_word(body) {
        return false;
    }
    match check {
        Check::Trusted => true,
        Check::Digit => body.bytes().any(|byte| byte.is_ascii_digit()),
        Check::Mixed => is_usual_length || value::is_mixed(body),
        Check::Random => value::looks_random(body),
    }
}

/// Words that documentation puts inside an example token.
fn has_stand_in_word(body: &str) -> bool {
    let lower = body.to_ascii_lowercase();
    [
        "example",
        "placeholder",
        "redacted",
        "your_",
        "your-",
        "yourtoken",
        "yourkey",
        "yourapi",
        "_here",
        "-here",
        "dummy",
    ]
    .iter()
    .any(|word| lower.contains(word))
}

/// Sorts candidates, keeps the first of overlapping ones (the longer when they begin together), and spares marks already made.
fn resolve(text: &str, mut found: Vec<(bool, SecretSpan)>) -> Vec<SecretSpan> {
    if found.is_empty() {
        return Vec::new();
    }
    let marks = marks_in(text);
    found.retain(|(_, span)| {
        !marks
            .iter()
            .any(|(start, end)| span.start < *end && *start < span.end)
    });
    // Stable: where two rules agree on everything, the one that ran first names the class.
    found.sort_by_key(|(by_format, span)| (span.start, !by_format, usize::MAX - span.end));
    let mut kept: Vec<SecretSpan> = Vec::with_capacity(found.len());
    for (_, span) in found {
        match kept.last_mut() {
            Some(last) if span.start < last.end => {
                // Two halves of one secret: keep the union under the first name.
                last.end = last.end.max(span.end);
            }
            _ => kept.push(span),
        }
    }
    kept
}

/// Where `[REDACTED:class]` stands already.
fn marks_in(text: &str) -> Vec<(usize, usize)> {
    const OPEN: &str = "[REDACTED:";
    text.match_indices(OPEN)
        .filter_map(|(start, _)| {
            let class = &text.as_bytes()[start + OPEN.len()..];
            let length = class
                .iter()
                .take(64)
                .take_while(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || **byte == b'-'
                })
                .count();
            (length > 0 && class.get(length) == Some(&b']'))
                .then_some((start, start + OPEN.len() + length + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests;
