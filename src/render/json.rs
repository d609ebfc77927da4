//! The JSON form: one document, indented by two, non-ASCII as it is.
//!
//! Stored lines may hold what JSON has no word for (`NaN`, `Infinity`) and characters that a terminal
//! obeys. The former become null, the latter escapes: any parser reads the document, and printing it is safe.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};
use serde_json::{Value, json};

use crate::error::Error;
use crate::guard::secrets;
use crate::report::Report;

pub fn report(report: &Report) -> String {
    pretty(report)
}

/// What a failed run prints in JSON mode.
pub fn failure(error: &Error) -> String {
    let mut body = json!({
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
    });
    if let Some(details) = &error.details {
        body["details"] = details.as_ref().clone();
    }
    mask(&mut body);
    pretty(&json!({ "ok": false, "error": body }))
}

/// One value per line.
pub fn lines(values: &[Value]) -> String {
    values
        .iter()
        .map(|value| serialised(value, CompactFormatter))
        .collect()
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

fn pretty(value: &impl Serialize) -> String {
    serialised(value, PrettyFormatter::new())
}

fn serialised(value: &impl Serialize, layout: impl Formatter) -> String {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Printable(layout));
    value
        .serialize(&mut serializer)
        .expect("reports have text keys, and memory takes every byte");
    out.push(b'\n');
    String::from_utf8(out).expect("JSON of texts is text")
}

/// A layout in words that every reader of JSON knows.
struct Printable<F>(F);

impl<F: Formatter> Formatter for Printable<F> {
    fn write_number_str<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        value: &str,
    ) -> io::Result<()> {
        let value = if value.ends_with(['N', 'y']) {
            "null"
        } else {
            value
        };
        self.0.write_number_str(writer, value)
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut from = 0;
        for (at, character) in fragment
            .char_indices()
            .filter(|(_, character)| steers(*character))
        {
            self.0.write_string_fragment(writer, &fragment[from..at])?;
            write!(writer, "\\u{:04x}", u32::from(character))?;
            from = at + character.len_utf8();
        }
        self.0.write_string_fragment(writer, &fragment[from..])
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_key(writer)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// Characters below U+10000 that a terminal or an editor acts on, besides those JSON escapes itself.
fn steers(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
