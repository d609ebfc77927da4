//! JSON text as other writers produce it, parsed without losing what they meant.
//!
//! The fast path is `serde_json`. What it refuses but the original writer produces or accepts (`NaN`,
//! `Infinity`, lone surrogate escapes, deep nesting, a byte order mark) is read by the small parser
//! below. Numbers keep their text. Nothing here panics or recurses without a bound.

use serde_json::{Map, Number, Value};

/// Deepest nesting that is read. The original gives up near 1,000; deeper text is damage, not data.
pub const MAX_DEPTH: usize = 512;

/// Where and why text is not JSON. `line` and `column` count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    pub message: String,
    pub line: usize,
    pub column: usize,
}

/// A parsed value and what had to be guessed to get it.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    pub value: Value,
    /// How many lone surrogate escapes became U+FFFD.
    pub replaced_surrogates: usize,
}

/// Parse one JSON document.
///
/// # Errors
/// The position and reason of the first thing that is not JSON.
pub fn parse(text: &str) -> Result<Parsed, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Ok(value) = serde_json::from_str::<Value>(text)
        && !has_exponent(&value)
    {
        return Ok(Parsed {
            value,
            replaced_surrogates: 0,
        });
    }
    let mut parser = Parser::new(text);
    let value = parser.document()?;
    parser.skip_space();
    if parser.at < text.len() {
        return Err(parser.error("Extra data after the JSON document"));
    }
    Ok(Parsed {
        value,
        replaced_surrogates: parser.replaced_surrogates,
    })
}

/// Parse one JSON value at the start of `text`; returns it and the bytes it took.
/// Used to take apart lines in which several records stand glued together.
pub fn parse_prefix(text: &str) -> Option<(Value, usize)> {
    let mut parser = Parser::new(text);
    let value = parser.document().ok()?;
    Some((value, parser.at))
}

/// Whether a number with an exponent stands anywhere in a value: `serde_json` respells `1e5` as `1e+5`,
/// and the text of a number is kept, so such a line is read again by the parser below.
fn has_exponent(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_str().contains(['e', 'E']),
        Value::Array(items) => items.iter().any(has_exponent),
        Value::Object(map) => map.values().any(has_exponent),
        _ => false,
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    replaced_surrogates: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Parser {
            text,
            at: 0,
            depth: 0,
            replaced_surrogates: 0,
        }
    }

    fn document(&mut self) -> Result<Value, SyntaxError> {
        self.skip_space();
        self.value()
    }

    fn error(&self, message: &str) -> SyntaxError {
        let before = &self.text[..self.at];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        SyntaxError {
            message: message.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Value, SyntaxError> {
        if self.depth > MAX_DEPTH {
            return Err(self.error(&format!("Nested deeper than {MAX_DEPTH} levels")));
        }
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err(self.error("Expecting value")),
            None => Err(self.error("Unexpected end: the JSON is cut off")),
        }
    }

    fn nested(
        &mut self,
        parse: fn(&mut Self) -> Result<Value, SyntaxError>,
    ) -> Result<Value, SyntaxError> {
        self.depth += 1;
        self.at += 1;
        let value = parse(self);
        self.depth -= 1;
        value
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, SyntaxError> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.error("Expecting value"))
    }

    fn object(&mut self) -> Result<Value, SyntaxError> {
        let mut map = Map::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(map));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.error("Expecting a property name in double quotes"));
            }
            let key = self.string()?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.error("Expecting `:` after a property name"));
            }
            self.at += 1;
            self.skip_space();
            let value = self.value()?;
            map.insert(key, value);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(map));
                }
                None => return Err(self.error("Unexpected end: the object is not closed")),
                _ => return Err(self.error("Expecting `,` or `}`")),
            }
        }
    }

    fn array(&mut self) -> Result<Value, SyntaxError> {
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            self.skip_space();
            items.push(self.value()?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                None => return Err(self.error("Unexpected end: the array is not closed")),
                _ => return Err(self.error("Expecting `,` or `]`")),
            }
        }
    }

    fn number(&mut self) -> Result<Value, SyntaxError> {
        let rest = &self.text[self.at..];
        for word in ["NaN", "Infinity", "-Infinity"] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(Value::Number(Number::from_string_unchecked(
                    word.to_owned(),
                )));
            }
        }
        let length = rest
            .bytes()
            .take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
            .count();
        if serde_json::from_str::<Number>(&rest[..length]).is_err() {
            return Err(self.error("Invalid number"));
        }
        self.at += length;
        Ok(Value::Number(Number::from_string_unchecked(
            rest[..length].to_owned(),
        )))
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let stop = rest
                .bytes()
                .position(|byte| matches!(byte, b'"' | b'\\') || byte < 0x20);
            let Some(stop) = stop else {
                self.at = self.text.len();
                return Err(self.error("Unexpected end: the string is not closed"));
            };
            out.push_str(&rest[..stop]);
            self.at += stop;
            match self.text.as_bytes()[self.at] {
                b'"' => {
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => self.escape(&mut out)?,
                _ => return Err(self.error("Raw control character inside a string")),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), SyntaxError> {
        let escaped = self.text.as_bytes().get(self.at + 1).copied();
        let plain = match escaped {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(out),
            _ => return Err(self.error("Invalid escape in a string")),
        };
        out.push(plain);
        self.at += 2;
        Ok(())
    }

    fn unicode_escape(&mut self, out: &mut String) -> Result<(), SyntaxError> {
        let Some(first) = self.code_unit(self.at) else {
            return Err(self.error("Invalid `\\u` escape in a string"));
        };
        self.at += 6;
        if let Some(plain) = char::from_u32(first) {
            out.push(plain);
            return Ok(());
        }
        if (0xD800..0xDC00).contains(&first)
            && let Some(second) = self.code_unit(self.at)
            && (0xDC00..0xE000).contains(&second)
        {
            let joined = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            out.push(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
            self.at += 6;
            return Ok(());
        }
        self.replaced_surrogates += 1;
        out.push(char::REPLACEMENT_CHARACTER);
        Ok(())
    }

    /// The four hex digits of a `\uXXXX` at byte `at`.
    fn code_unit(&self, at: usize) -> Option<u32> {
        let escape = self.text.as_bytes().get(at..at + 6)?;
        if &escape[..2] != b"\\u" || !escape[2..].iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u32::from_str_radix(std::str::from_utf8(&escape[2..]).ok()?, 16).ok()
    }
}

/// The line form of the store: `", "` and `": "` separators, raw UTF-8, numbers as they came.
pub fn to_line(map: &Map<String, Value>) -> String {
    let mut out = String::with_capacity(256);
    write_object(map, &mut out);
    out
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push_str(", ");
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => write_object(map, out),
    }
}

fn write_object(map: &Map<String, Value>, out: &mut String) {
    out.push('{');
    for (position, (key, value)) in map.iter().enumerate() {
        if position > 0 {
            out.push_str(", ");
        }
        write_string(key, out);
        out.push_str(": ");
        write_value(value, out);
    }
    out.push('}');
}

fn write_string(text: &str, out: &mut String) {
    // serde_json escapes exactly what JSON requires and leaves other characters raw.
    match serde_json::to_string(text) {
        Ok(quoted) => out.push_str(&quoted),
        Err(_) => out.push_str("\"\""),
    }
}

/// The text that Python's `str()` gives for a JSON value; derived ids and merge keys are made from it.
/// Strings stand for themselves at the top and are quoted inside lists and objects.
pub fn python_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => python_repr(other),
    }
}

fn python_repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => python_number(&number.to_string()),
        Value::String(text) => python_quote(text),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(python_repr).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let items: Vec<_> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", python_quote(key), python_repr(value)))
                .collect();
            format!("{{{}}}", items.join(", "))
        }
    }
}

/// Python's spelling of a number: integers as they are, floats by `repr` (shortest form that reads
/// back; exponent from 1e16 and below 1e-4; two exponent digits at least).
fn python_number(text: &str) -> String {
    if !text.contains(['.', 'e', 'E']) {
        return match text {
            "NaN" => "nan".to_owned(),
            "Infinity" => "inf".to_owned(),
            "-Infinity" => "-inf".to_owned(),
            "-0" => "0".to_owned(),
            other => other.to_owned(),
        };
    }
    let Ok(number) = text.parse::<f64>() else {
        return text.to_owned();
    };
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    format!("{number:?}")
}

fn python_quote(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::from(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if other == quote => {
                out.push('\\');
                out.push(other);
            }
            other if other.is_control() => out.push_str(&format!("\\x{:02x}", other as u32)),
            other => out.push(other),
        }
    }
    out.push(quote);
    out
}

/// Whether Python would count the value as true: not null, false, zero, or empty.
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_original_writes_is_read() {
        for (text, expected) in [
            ("\u{feff}{\"a\": 1}", json!({"a": 1})),
            (r#"{"a": "\ud83d\ude00"}"#, json!({"a": "😀"})),
            (r#"{"a": "x\ud83d"}"#, json!({"a": "x\u{fffd}"})),
            (r#"{"a": 1, "a": 2}"#, json!({"a": 2})),
        ] {
            assert_eq!(parse(text).expect("readable").value, expected, "{text}");
        }
        let nested = "[".repeat(300) + &"]".repeat(300);
        assert!(parse(&nested).is_ok());
        let number = parse(r#"{"a": [NaN, -Infinity, 123456789012345678901234567890, 1.50]}"#)
            .expect("numbers");
        let Value::Object(map) = number.value else {
            panic!("an object")
        };
        assert_eq!(
            to_line(&map),
            r#"{"a": [NaN, -Infinity, 123456789012345678901234567890, 1.50]}"#
        );
    }

    #[test]
    fn errors_name_the_place() {
        for (text, message, line, column) in [
            ("not json", "Expecting value", 1, 1),
            ("{\"a\": 1,\n \"b\": }", "Expecting value", 2, 7),
            (
                "{\"a\": 1",
                "Unexpected end: the object is not closed",
                1,
                8,
            ),
            ("{} x", "Extra data after the JSON document", 1, 4),
            ("\"a\nb\"", "Raw control character inside a string", 1, 3),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(
                (error.message.as_str(), error.line, error.column),
                (message, line, column),
                "{text}"
            );
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn python_spelling() {
        for (value, text) in [
            (json!(null), "None"),
            (json!(true), "True"),
            (json!(["x", 1]), "['x', 1]"),
            (json!({"a": "it's"}), "{'a': \"it's\"}"),
            (json!("plain"), "plain"),
        ] {
            assert_eq!(python_text(&value), text);
        }
        for (text, spelled) in [
            ("1e16", "1e+16"),
            ("0.00001", "1e-05"),
            ("100.0", "100.0"),
            ("1.50", "1.5"),
            ("1e2", "100.0"),
            ("12345678901234567890", "12345678901234567890"),
        ] {
            assert_eq!(python_number(text), spelled);
        }
    }
}
