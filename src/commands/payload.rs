//! What `record` is given: bytes → text → JSON → payload. Strict about the shape, so that nothing is
//! lost in silence; lenient about types the original took.

use serde_json::{Map, Value, json};

use crate::domain::ids;
use crate::domain::json::parse;
use crate::domain::normal::id_list_of;
use crate::error::{Error, Result};
use crate::guard::secrets;

/// The keys a payload may have.
pub const KEYS: [&str; 8] = [
    "event",
    "aha_cards",
    "recommendations",
    "used_aha_ids",
    "used_rec_ids",
    "used",
    "usage_source",
    "usage_context",
];

/// Keys that only a card or a recommendation has.
const ITEM_KEYS: [&str; 9] = [
    "title",
    "when_to_use",
    "problem",
    "solution_steps",
    "evidence",
    "tags",
    "why",
    "implementation_hint",
    "expected_impact",
];

/// Other names people give the lists.
const ALIASES: [(&str, &str); 10] = [
    ("cards", "aha_cards"),
    ("card", "aha_cards"),
    ("ahas", "aha_cards"),
    ("aha", "aha_cards"),
    ("learnings", "aha_cards"),
    ("lessons", "aha_cards"),
    ("recs", "recommendations"),
    ("events", "event"),
    ("used_ids", "used_aha_ids"),
    ("used_aha", "used_aha_ids"),
];

const SHAPE_HINT: &str = "self-learning schema record prints the shape; an example: \
     {\"aha_cards\":[{\"title\":\"…\",\"when_to_use\":\"…\",\"solution_steps\":[\"…\"]}]}";

/// One item of a list, with where it stood.
#[derive(Debug, Clone)]
pub struct Item {
    pub index: usize,
    pub line: Option<usize>,
    /// The object, or why it is none.
    pub value: std::result::Result<Map<String, Value>, String>,
}

#[derive(Debug, Clone, Default)]
pub struct Payload {
    pub event: Option<Map<String, Value>>,
    pub cards: Vec<Item>,
    pub recommendations: Vec<Item>,
    pub used_cards: Vec<String>,
    pub used_recommendations: Vec<String>,
    pub usage_source: Option<String>,
    pub usage_context: Option<String>,
    pub notes: Vec<String>,
    /// Whether the items are lines of their own.
    pub by_lines: bool,
}

impl Payload {
    pub fn is_empty(&self) -> bool {
        self.event.is_none()
            && self.cards.is_empty()
            && self.recommendations.is_empty()
            && self.used_cards.is_empty()
            && self.used_recommendations.is_empty()
    }

    /// Take the items of another payload in, behind our own.
    fn extend(&mut self, other: Payload) {
        let renumber = |own: &mut Vec<Item>, items: Vec<Item>| {
            for mut item in items {
                item.index = own.len();
                own.push(item);
            }
        };
        renumber(&mut self.cards, other.cards);
        renumber(&mut self.recommendations, other.recommendations);
        self.used_cards.extend(other.used_cards);
        self.used_recommendations.extend(other.used_recommendations);
        self.notes.extend(other.notes);
    }
}

/// Input bytes as text: UTF-8 with or without a byte order mark, or UTF-16 with one.
///
/// # Errors
/// When it is neither; names the first byte that is wrong.
pub fn decode(bytes: &[u8]) -> Result<String> {
    let wide = |order: fn([u8; 2]) -> u16| -> Option<String> {
        let units: Vec<u16> = bytes[2..]
            .chunks_exact(2)
            .map(|pair| order([pair[0], pair[1]]))
            .collect();
        bytes
            .len()
            .is_multiple_of(2)
            .then(|| String::from_utf16(&units).ok())
            .flatten()
    };
    let text = match bytes {
        [0xFF, 0xFE, ..] => wide(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => wide(u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => std::str::from_utf8(rest).ok().map(str::to_owned),
        _ => std::str::from_utf8(bytes).ok().map(str::to_owned),
    };
    if let [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] = bytes
        && text.is_none()
    {
        return Err(Error::refused(
            "not_utf16",
            "the input begins like UTF-16 but is cut off or damaged",
        )
        .hint("save it as UTF-8 and record again"));
    }
    if let Some(at) = bytes
        .iter()
        .position(|byte| *byte == 0)
        .filter(|_| !matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]))
    {
        return Err(Error::refused(
            "nul_bytes",
            format!("byte {at} of the input is NUL: is this UTF-16 without a byte order mark?"),
        )
        .hint("save it as UTF-8 and record again"));
    }
    text.ok_or_else(|| {
        let at = std::str::from_utf8(bytes)
            .err()
            .map_or(0, |error| error.valid_up_to());
        Error::refused(
            "not_utf8",
            format!("the input is not UTF-8: byte {at} is `0x{:02x}`", bytes[at]),
        )
        .hint("save it as UTF-8 and record again")
    })
}

/// JSON text to a value, with the place of the first error.
///
/// # Errors
/// When it is not JSON.
pub fn parse_json(text: &str, notes: &mut Vec<String>) -> Result<Value> {
    let parsed = parse(text).map_err(|error| {
        Error::refused(
            "invalid_json",
            format!(
                "invalid JSON: {}: line {} column {}",
                error.message, error.line, error.column
            ),
        )
        .details(json!({ "line": error.line, "column": error.column }))
        .hint(near(text, error.line, error.column))
    })?;
    if parsed.replaced_surrogates > 0 {
        notes.push(format!(
            "{} half surrogate pair(s) in the input became U+FFFD",
            parsed.replaced_surrogates
        ));
    }
    Ok(parsed.value)
}

/// The text around an error, on one line.
fn near(text: &str, line: usize, column: usize) -> String {
    let line_text = text
        .split('\n')
        .nth(line - 1)
        .unwrap_or_default()
        .trim_end();
    let from = column.saturating_sub(21);
    // Masked in the whole line, where a secret is recognised, at its length, so that columns stay.
    let mut masked = String::with_capacity(line_text.len());
    let mut at = 0;
    for span in secrets::scan(line_text) {
        masked.push_str(&line_text[at..span.start]);
        masked.extend(line_text[span.start..span.end].chars().map(|_| '*'));
        at = span.end;
    }
    masked.push_str(&line_text[at..]);
    let piece: String = masked
        .chars()
        .skip(from)
        .take(40)
        .filter(|character| !character.is_control())
        .collect();
    format!("fix the JSON near `{piece}` and record again")
}

/// A payload out of one JSON document.
///
/// # Errors
/// When the shape is wrong; the hint has the nearest right one.
pub fn from_value(value: Value, notes: Vec<String>) -> Result<Payload> {
    let Value::Object(mut map) = value else {
        return Err(Error::refused(
            "wrong_shape",
            "Input must be a JSON object with keys: event, aha_cards, recommendations (any subset).",
        )
        .hint(SHAPE_HINT));
    };
    let mut payload = Payload {
        notes,
        ..Payload::default()
    };
    check_keys(&map, &mut payload.notes)?;
    payload.event = match map.shift_remove("event") {
        None | Some(Value::Null) => None,
        Some(Value::Object(event)) if event.is_empty() => None,
        Some(Value::Object(event)) => Some(event),
        Some(_) => {
            return Err(Error::refused(
                "wrong_shape",
                "'event' must be a JSON object if provided.",
            )
            .hint("{\"event\":{\"task_summary\":\"…\",\"primary_skill\":\"…\"}}"));
        }
    };
    payload.cards = items(&mut map, "aha_cards")?;
    payload.recommendations = items(&mut map, "recommendations")?;
    let notes = &mut payload.notes;
    payload.used_cards = used_ids(&map, "used_aha_ids", notes)?;
    payload.used_recommendations = used_ids(&map, "used_rec_ids", notes)?;
    match map.get("used") {
        Some(Value::Object(used)) => {
            payload.used_cards.extend(used_ids(used, "aha_ids", notes)?);
            payload
                .used_recommendations
                .extend(used_ids(used, "rec_ids", notes)?);
        }
        None | Some(Value::Null) => {}
        Some(other) => notes.push(format!(
            "`used` is {} and was left out; it is meant as {{\"aha_ids\":[…],\"rec_ids\":[…]}}",
            described(other)
        )),
    }
    let text = |key: &str| {
        let text = map.get(key).and_then(Value::as_str).map(str::trim);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    payload.usage_source = text("usage_source");
    payload.usage_context = text("usage_context");
    if payload.is_empty() {
        return Err(
            Error::refused("nothing_to_record", "the input holds nothing to record")
                .hint(SHAPE_HINT),
        );
    }
    Ok(payload)
}

/// A payload out of lines: each a card, or a payload of its own. A bad line is refused as an item and the others are
/// kept. `first` is the number of the first line.
pub fn from_lines(text: &str, first: usize) -> Payload {
    let mut payload = Payload {
        by_lines: true,
        ..Payload::default()
    };
    for (number, line) in text
        .lines()
        .enumerate()
        .map(|(at, line)| (first + at, line.trim()))
    {
        if line.is_empty() {
            continue;
        }
        let mut notes = Vec::new();
        let parsed =
            parse_json(line, &mut notes).map_err(|error| error.message.replacen("line 1 ", "", 1));
        let mut other = Payload {
            notes,
            ..Payload::default()
        };
        let bare = |value| Item {
            index: 0,
            line: Some(number),
            value,
        };
        match parsed {
            Ok(Value::Object(map)) if KEYS.iter().any(|key| map.contains_key(*key)) => {
                match from_value(Value::Object(map), Vec::new()) {
                    Ok(inner) if inner.event.is_some() => {
                        let reason = "an event cannot stand in input by lines".to_owned();
                        other.cards.push(bare(Err(reason)));
                    }
                    Ok(inner) => other.extend(inner),
                    Err(error) => other.cards.push(bare(Err(error.message))),
                }
            }
            Ok(Value::Object(map)) => {
                let id = map.get("id").and_then(Value::as_str).unwrap_or_default();
                let list = if id.starts_with("rec_") {
                    &mut other.recommendations
                } else {
                    &mut other.cards
                };
                list.push(bare(match list_under_another_name(&map) {
                    Some((key, right)) => {
                        Err(format!("unknown key `{key}`; did you mean `{right}`?"))
                    }
                    None => Ok(map),
                }));
            }
            Ok(_) => other
                .cards
                .push(bare(Err("the line is no JSON object".to_owned()))),
            Err(reason) => other.cards.push(bare(Err(reason))),
        }
        for item in other.cards.iter_mut().chain(&mut other.recommendations) {
            item.line = Some(number);
        }
        payload.extend(other);
    }
    payload
}

/// The list under another name that an object without any field of an item holds, and its right name.
fn list_under_another_name(map: &Map<String, Value>) -> Option<(&'static str, &'static str)> {
    let is_item = ITEM_KEYS.iter().any(|key| map.contains_key(*key));
    ALIASES
        .into_iter()
        .find(|(name, _)| !is_item && map.contains_key(*name))
}

/// Refuse a shape that would record nothing of what was meant.
fn check_keys(map: &Map<String, Value>, notes: &mut Vec<String>) -> Result<()> {
    let known = map.keys().any(|key| KEYS.contains(&key.as_str()));
    let item_keys: Vec<&str> = ITEM_KEYS
        .into_iter()
        .filter(|key| map.contains_key(*key))
        .collect();
    if !known && item_keys.contains(&"title") {
        let (list, what) = if map.contains_key("why") || map.contains_key("expected_impact") {
            ("recommendations", "recommendation")
        } else {
            ("aha_cards", "card")
        };
        return Err(Error::refused(
            "bare_item",
            format!("this is a bare {what}; a payload holds it in the list `{list}`"),
        )
        .hint(format!("wrap it: {{\"{list}\":[{{\"title\":…}}]}}")));
    }
    for key in map.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        let folded = key.to_lowercase().replace('-', "_");
        let alias = ALIASES
            .iter()
            .find(|(name, _)| *name == folded)
            .map(|(_, right)| (*right).to_owned());
        let nearest = alias.or_else(|| ids::nearest(&folded, KEYS.into_iter(), 1).pop());
        match nearest {
            Some(right) if !map.contains_key(&right) => {
                return Err(
                    Error::refused("unknown_key", format!("unknown key `{key}`")).hint(format!(
                        "did you mean `{right}`? self-learning schema record prints the shape"
                    )),
                );
            }
            _ if !known => {
                return Err(Error::refused(
                    "unknown_key",
                    format!("unknown key `{key}`; a payload has: {}", KEYS.join(", ")),
                )
                .hint(SHAPE_HINT));
            }
            _ => notes.push(format!(
                "the key `{}` is not part of a payload and was left out",
                secrets::redact(key).0
            )),
        }
    }
    Ok(())
}

fn items(map: &mut Map<String, Value>, key: &str) -> Result<Vec<Item>> {
    let Some(value) = map.shift_remove(key) else {
        return Ok(Vec::new());
    };
    let Value::Array(values) = value else {
        return Err(
            Error::refused("wrong_shape", format!("'{key}' must be an array."))
                .hint(format!("{{\"{key}\":[{{\"title\":\"…\"}}]}}")),
        );
    };
    let item = |(index, value)| Item {
        index,
        line: None,
        value: match value {
            Value::Object(map) => Ok(map),
            other => Err(format!(
                "{key}[{index}] must be an object, not {}",
                described(&other)
            )),
        },
    };
    Ok(values.into_iter().enumerate().map(item).collect())
}

fn described(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn used_ids(map: &Map<String, Value>, key: &str, notes: &mut Vec<String>) -> Result<Vec<String>> {
    let Some(value) = map.get(key) else {
        return Ok(Vec::new());
    };
    if let Value::Array(items) = value {
        let no_text = items.iter().filter(|item| !item.is_string()).count();
        if no_text > 0 {
            notes.push(format!(
                "{no_text} item(s) of `{key}` are no text and were left out"
            ));
        }
    }
    id_list_of(value).ok_or_else(|| {
        Error::refused(
            "wrong_shape",
            "Invalid used ids in payload: Expected a list of strings or a comma-separated string",
        )
        .hint(format!("{{\"{key}\":[\"aha_…\"]}}"))
    })
}
