//! The JSON form: one document, indented by two, non-ASCII as it is.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::error::Error;
use crate::guard::{invisible, secrets};
use crate::report::Report;

pub fn report(report: &Report) -> String {
    pretty(&serde_json::to_value(report).unwrap_or_default())
}

/// What a failed run prints in JSON mode.
pub fn failure(error: &Error) -> String {
    let mut body = json!({
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
    });
    if let Some(details) = &error.details {
        body["details"] = details.clone();
    }
    mask(&mut body);
    pretty(&json!({ "ok": false, "error": body }))
}

/// One value per line.
pub fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

/// An error may repeat what was typed: secrets in it are masked.
fn mask(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(masked) = secrets::redact(text).0 {
                *text = masked;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(map) => map.values_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Characters that hide or steer a terminal are written as escapes, which mean the same to a parser.
fn pretty(value: &Value) -> String {
    let text = format!("{value:#}\n");
    let mut shown = String::new();
    let mut from = 0;
    for hidden in invisible::find_all(&text) {
        shown.push_str(&text[from..hidden.byte_offset]);
        let mut units = [0_u16; 2];
        for unit in hidden.character.encode_utf16(&mut units) {
            shown.push_str(&format!("\\u{unit:04x}"));
        }
        from = hidden.byte_offset + hidden.character.len_utf8();
    }
    if from == 0 {
        return text;
    }
    shown.push_str(&text[from..]);
    shown
}
