//! What an engine reads of a card: its id, and its text as one field.

use serde_json::Value;

const FIELDS: [&str; 6] = [
    "title",
    "when_to_use",
    "problem",
    "solution_steps",
    "evidence",
    "tags",
];

pub fn parse(line: &str) -> (String, String) {
    let card: Value = serde_json::from_str(line).expect("a card in JSON");
    let id = card["id"].as_str().expect("an id").to_owned();
    let mut text = String::with_capacity(line.len());
    for field in FIELDS {
        match &card[field] {
            Value::String(part) => push(&mut text, part),
            Value::Array(parts) => parts
                .iter()
                .filter_map(Value::as_str)
                .for_each(|part| push(&mut text, part)),
            _ => {}
        }
    }
    (id, text)
}

fn push(text: &mut String, part: &str) {
    text.push_str(part);
    text.push('\n');
}
