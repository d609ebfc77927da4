//! One stored line, kept whole: typed views over it, and updates that leave everything else alone.

use serde_json::{Map, Value};

use super::json::{python_text, to_line, truthy};

/// A whole line of a log. Fields this version does not know ride along in every update.
#[derive(Debug, Clone, PartialEq)]
pub struct Record(pub Map<String, Value>);

impl Record {
    /// The id: the text form of any truthy `id`.
    pub fn id(&self) -> Option<String> {
        let id = self.0.get("id").filter(|id| truthy(id))?;
        let text = python_text(id).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// A field that is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    /// A field that is text with something in it, trimmed.
    pub fn filled(&self, key: &str) -> Option<&str> {
        self.text(key)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }

    /// A field as something to read: text as it is, other values in their JSON form, null as nothing.
    pub fn display(&self, key: &str) -> Option<String> {
        self.0.get(key).and_then(readable)
    }

    /// A list of texts. Text where a list is meant is a list of one; null items are left out.
    pub fn list(&self, key: &str) -> Vec<String> {
        match self.0.get(key) {
            Some(Value::Array(items)) => items.iter().filter_map(readable).collect(),
            Some(other) => readable(other).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// Whether a flag is set: true, a number that is not zero, or the words `true`, `yes`, `1`.
    pub fn flag(&self, key: &str) -> bool {
        match self.0.get(key) {
            Some(Value::String(text)) => {
                matches!(text.trim().to_lowercase().as_str(), "true" | "yes" | "1")
            }
            Some(value @ (Value::Bool(_) | Value::Number(_))) => truthy(value),
            _ => false,
        }
    }

    pub fn ts(&self) -> Option<&str> {
        self.text("ts")
    }

    /// The title, or a stand-in that says there is none.
    pub fn title(&self) -> String {
        self.display("title")
            .filter(|title| !title.trim().is_empty())
            .unwrap_or_else(|| "(untitled)".to_owned())
    }

    /// The record with one field set; a new field goes last, an old one keeps its place.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Record {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// The line form, without the newline.
    pub fn to_line(&self) -> String {
        to_line(&self.0)
    }
}

/// A value as a person reads it; `None` for null and for blank text.
fn readable(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(map) => Some(to_line(map)),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(readable).collect();
            (!items.is_empty()).then(|| items.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Record {
        match super::super::json::parse(text).expect("JSON").value {
            Value::Object(map) => Record(map),
            _ => panic!("an object"),
        }
    }

    #[test]
    fn views_take_the_types_other_writers_use() {
        let card = record(
            r#"{"id": 7, "title": null, "solution_steps": "run make", "tags": ["a", 1, null, {"cmd": "x"}],
                "shareable": "false", "scope": 3}"#,
        );
        assert_eq!(card.id().as_deref(), Some("7"));
        assert_eq!(card.title(), "(untitled)");
        assert_eq!(card.list("solution_steps"), ["run make"]);
        assert_eq!(card.list("tags"), ["a", "1", r#"{"cmd": "x"}"#]);
        assert!(!card.flag("shareable"));
        assert_eq!(card.text("scope"), None);
    }

    #[test]
    fn an_update_keeps_what_it_does_not_know() {
        let line = r#"{"id": "a", "status": "proposed", "x_new": {"deep": [1.50, 1e3]}, "n": 12345678901234567890123}"#;
        let updated = record(line).with("status", "accepted").with("note", "ok");
        assert_eq!(
            updated.to_line(),
            r#"{"id": "a", "status": "accepted", "x_new": {"deep": [1.50, 1e3]}, "n": 12345678901234567890123, "note": "ok"}"#
        );
    }
}
