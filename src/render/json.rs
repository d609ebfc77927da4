//! The JSON form: one document, indented by two, non-ASCII as it is.

use serde_json::{Value, json};

use crate::error::Error;
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
    pretty(&json!({ "ok": false, "error": body }))
}

/// One value per line.
pub fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
