//! Credentials in text.
mod shape;
mod value;

use std::borrow::Cow;

/// One secret: its class and where it stands, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretSpan {
    pub class: &'static str,
    pub start: usize,
    pub end: usize,
}

pub fn scan(_text: &str) -> Vec<SecretSpan> {
    Vec::new()
}
pub(crate) fn scan_tokens(_text: &str) -> Vec<SecretSpan> {
    Vec::new()
}
pub fn redact(text: &str) -> (Cow<'_, str>, Vec<SecretSpan>) {
    (Cow::Borrowed(text), Vec::new())
}
pub(crate) fn mark(class: &str) -> String {
    format!("[REDACTED:{class}]")
}
pub(crate) fn mask(text: &str, spans: &[SecretSpan]) -> String {
    let _ = spans;
    text.to_owned()
}
pub(crate) fn class_of_field(_key: &str) -> Option<&'static str> {
    None
}
pub(crate) fn is_field_secret(_class: &str, _text: &str) -> bool {
    false
}
