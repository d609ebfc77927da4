//! What recording does to a card: normal form, and merging a second capture into the first.

use serde_json::{Map, Value};

use super::equivalence::loose_text;
use super::json::{python_text, to_line, truthy};
use super::normal::{self, CardStatus, Scope};
use super::record::Record;

/// The text fields a card is read, searched and judged by, in reading order.
pub const TEXT_FIELDS: [&str; 7] = [
    "title",
    "when_to_use",
    "problem",
    "solution_steps",
    "evidence",
    "gotchas",
    "tags",
];

/// Fields that hold lists.
pub const LIST_FIELDS: [&str; 3] = ["solution_steps", "evidence", "tags"];

/// Fields a second capture never overwrites: `edit` does.
const OWN_FIELDS: [&str; 14] = [
    "id",
    "ts",
    "key",
    "primary_skill",
    "status",
    "title",
    "when_to_use",
    "problem",
    "scope",
    "shareable",
    "solution_steps",
    "evidence",
    "tags",
    "note",
];

/// The state of a card record.
pub fn status(record: &Record) -> CardStatus {
    CardStatus::of(record.0.get("status"))
}

pub fn scope(record: &Record) -> Scope {
    Scope::of(record.0.get("scope"))
}

/// The skill a card is for, as stored, or `unknown`.
pub fn skill(record: &Record) -> String {
    record
        .filled("primary_skill")
        .unwrap_or(normal::UNKNOWN_SKILL)
        .to_owned()
}

/// All text of a card that people read, in reading order: values only, never field names.
pub fn readable_text(record: &Record) -> String {
    let mut out = String::new();
    for field in TEXT_FIELDS {
        for text in record.list(field) {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&text);
        }
    }
    out
}

/// Existing items first, then the incoming ones that are not there yet. Text where a list is meant
/// counts as a list of one; objects compare by their sorted JSON, others by text; nulls are dropped.
pub fn union(existing: Option<&Value>, incoming: Option<&Value>) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for value in [existing, incoming].into_iter().flatten() {
        let items: &[Value] = match value {
            Value::Array(items) => items,
            Value::Null => &[],
            Value::String(text) if text.trim().is_empty() => &[],
            other => std::slice::from_ref(other),
        };
        for item in items.iter().filter(|item| !item.is_null()) {
            let identity = match item {
                Value::Object(map) => sorted_line(map),
                other => python_text(other),
            };
            if !seen.contains(&identity) {
                seen.push(identity);
                out.push(item.clone());
            }
        }
    }
    out
}

fn sorted_line(map: &Map<String, Value>) -> String {
    let mut sorted: Vec<_> = map.iter().collect();
    sorted.sort_by(|left, right| left.0.cmp(right.0));
    let sorted: Map<String, Value> = sorted
        .into_iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    to_line(&sorted)
}

/// What a second capture of the same learning changes in the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    pub record: Record,
    /// Whether the merged record differs in anything but the time, and so is written.
    pub changed: bool,
    /// Whether it says anything that the card did not say.
    pub says_more: bool,
    /// Fields in which the capture says something else than the card; the card's word stays.
    pub kept: Vec<String>,
}

/// Merge a capture into the current version of the card it is equivalent to.
///
/// Lists become unions, empty fields are filled, fields the card does not have are taken over, and
/// whatever the card already says stays.
pub fn merge(current: &Record, incoming: &Record) -> Merge {
    let old = &current.0;
    let mut merged = current.clone();
    let current_skill = old
        .get("primary_skill")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let incoming_skill = incoming.0.get("primary_skill");
    // The literal `none` of old cards is somebody's word and stays; `unknown` is nobody's.
    let skill = if current_skill.trim().is_empty() || current_skill.trim() == normal::UNKNOWN_SKILL
    {
        normal::skill(incoming_skill)
    } else {
        normal::skill(old.get("primary_skill"))
    };
    merged = merged.with("primary_skill", skill);
    merged = merged.with("status", status(current).as_str());
    // Like the original, a merged card has all of these fields, empty ones too.
    for field in ["title", "when_to_use", "problem", "scope"] {
        let value = old
            .get(field)
            .filter(|value| truthy(value))
            .or(incoming.0.get(field));
        merged = merged.with(field, value.cloned().unwrap_or_default());
    }
    let shareable = old.get("shareable").filter(|value| !value.is_null());
    let shareable = shareable.or(incoming.0.get("shareable"));
    merged = merged.with("shareable", shareable.cloned().unwrap_or_default());
    for field in LIST_FIELDS {
        let items = union(old.get(field), incoming.0.get(field));
        let same = matches!(old.get(field), Some(Value::String(text)) if items == [Value::String(text.clone())]);
        if !same {
            merged = merged.with(field, items);
        }
    }
    for (field, value) in &incoming.0 {
        if !OWN_FIELDS.contains(&field.as_str()) && !old.contains_key(field) && truthy(value) {
            merged = merged.with(field, value.clone());
        }
    }
    let kept = ["title", "when_to_use", "problem", "scope", "shareable"]
        .into_iter()
        .filter(|field| match incoming.0.get(*field) {
            Some(value) if truthy(value) => {
                let stored = merged.0.get(*field);
                stored.map(comparable) != Some(comparable(value))
            }
            _ => false,
        })
        .map(str::to_owned)
        .collect();
    let changed = without_time(&merged) != without_time(current);
    let said = |record: &Record| -> Map<String, Value> {
        let map = without_time(record).into_iter();
        map.filter(|(key, value)| truthy(value) && key != "status")
            .collect()
    };
    let says_more = said(&merged) != said(current);
    Merge {
        record: merged,
        changed,
        says_more,
        kept,
    }
}

fn comparable(value: &Value) -> String {
    loose_text(&python_text(value))
}

fn without_time(record: &Record) -> Map<String, Value> {
    let mut map = record.0.clone();
    map.shift_remove("ts");
    map
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(value: Value) -> Record {
        Record(value.as_object().expect("an object").clone())
    }

    #[test]
    fn text_where_a_list_is_meant_survives_a_second_capture() {
        let card = record(
            json!({"title": "t", "solution_steps": "run make -j4", "evidence": "saw it", "tags": "schema",
            "primary_skill": "a", "status": "proposed", "scope": "project"}),
        );
        let again = merge(&card, &card);
        assert!(!again.says_more);
        let more = merge(
            &card,
            &record(json!({"title": "t", "evidence": ["again"], "links": ["x"]})),
        );
        assert!(more.changed);
        assert_eq!(more.record.list("evidence"), ["saw it", "again"]);
        assert_eq!(more.record.list("solution_steps"), ["run make -j4"]);
        assert_eq!(more.record.list("links"), ["x"]);
    }

    #[test]
    fn the_card_keeps_its_word_and_says_so() {
        let card = record(
            json!({"title": "t", "problem": "p", "primary_skill": "unknown", "status": "rejected"}),
        );
        let merged = merge(
            &card,
            &record(
                json!({"title": "T ", "problem": "other", "primary_skill": "jira", "status": "accepted"}),
            ),
        );
        assert_eq!(merged.record.text("problem"), Some("p"));
        assert_eq!(merged.record.text("status"), Some("rejected"));
        assert_eq!(merged.record.text("primary_skill"), Some("jira"));
        assert_eq!(merged.kept, ["problem"]);
    }
}
