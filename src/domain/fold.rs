//! From the bytes of a log to its current state. Reading cannot fail: whatever is not a record becomes
//! a [`Diagnostic`], and everything around it is kept.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::ids;
use super::json::{parse, parse_prefix};
use super::record::Record;
use super::score::Totals;

/// Longest line that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

/// The five logs of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogKind {
    Events,
    Cards,
    Recommendations,
    Signals,
    Backports,
}

impl LogKind {
    pub const ALL: [LogKind; 5] = [
        LogKind::Events,
        LogKind::Cards,
        LogKind::Recommendations,
        LogKind::Signals,
        LogKind::Backports,
    ];

    pub fn file_name(self) -> &'static str {
        match self {
            LogKind::Events => "events.jsonl",
            LogKind::Cards => "aha_cards.jsonl",
            LogKind::Recommendations => "recommendations.jsonl",
            LogKind::Signals => "signals.jsonl",
            LogKind::Backports => "backports.jsonl",
        }
    }

    /// The id a line without one is known by: derived as if it were written now by its own fields.
    fn derived_id(self, record: &Record) -> String {
        match self {
            LogKind::Events => ids::event_id(&record.0),
            LogKind::Cards => ids::item_id("aha_", &record.0),
            LogKind::Recommendations => ids::item_id("rec_", &record.0),
            LogKind::Signals => ids::signal_id(&record.0),
            LogKind::Backports => record.text("backport_id").unwrap_or_default().to_owned(),
        }
    }
}

/// What the reader found wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// The last line has no newline and is cut off.
    Torn,
    NotJson,
    NotAnObject,
    Oversized,
    /// Readable after bytes that are not UTF-8 were replaced.
    NotUtf8,
    ByteOrderMark,
    LoneSurrogate,
    MissingId,
    /// Whole records were taken out of a line that glues them to something else.
    Glued,
    /// The line brings purged text back and is left out.
    Purged,
}

impl Problem {
    pub fn code(self) -> &'static str {
        match self {
            Problem::Torn => "torn_line",
            Problem::NotJson => "not_json",
            Problem::NotAnObject => "not_an_object",
            Problem::Oversized => "oversized_line",
            Problem::NotUtf8 => "not_utf8",
            Problem::ByteOrderMark => "byte_order_mark",
            Problem::LoneSurrogate => "lone_surrogate",
            Problem::MissingId => "missing_id",
            Problem::Glued => "glued_line",
            Problem::Purged => "purged_text",
        }
    }

    /// The problem of a code.
    pub fn of_code(code: &str) -> Option<Problem> {
        use Problem::*;
        let all = [
            Torn,
            NotJson,
            NotAnObject,
            Oversized,
            NotUtf8,
            ByteOrderMark,
            LoneSurrogate,
            MissingId,
            Glued,
            Purged,
        ];
        all.into_iter().find(|problem| problem.code() == code)
    }
}

/// Something about a line that people should know. `line` counts from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub file: &'static str,
    pub line: usize,
    pub problem: Problem,
    pub detail: String,
    /// SHA-1 of the line's bytes, to tell this damage from other damage.
    pub digest: String,
}

/// One readable record and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub line: usize,
    /// The stored id, or the one derived for a line that has none.
    pub id: String,
    pub record: Record,
}

/// Every record of a log in file order, and what was wrong. `first_line` is the number of the first line.
pub fn entries(kind: LogKind, bytes: &[u8], first_line: usize) -> (Vec<Entry>, Vec<Diagnostic>) {
    let mut reader = Reader {
        kind,
        entries: Vec::new(),
        diagnostics: Vec::new(),
    };
    for_each_line(bytes, first_line, |number, line, terminated| {
        reader.line(number, line, terminated)
    });
    (reader.entries, reader.diagnostics)
}

/// The fields of a signal that are counted; a line that has them in this plain form needs no record.
#[derive(serde::Deserialize)]
struct PlainSignal<'a> {
    #[serde(default)]
    id: Option<&'a str>,
    kind: Option<&'a str>,
    aha_id: Option<&'a str>,
    rec_id: Option<&'a str>,
    ts: Option<&'a str>,
}

/// Add all signals of a log up, in one pass, and say what was wrong. The same as folding
/// [`entries`], without making a record of each line.
pub fn signal_totals(bytes: &[u8]) -> (Totals, Vec<Diagnostic>) {
    let mut totals = Totals::default();
    let diagnostics = add_signals(bytes, 1, &mut totals, |_, _| {});
    (totals, diagnostics)
}

/// Add the signals of a part of a log to `totals`, calling `visit` with the line and the id of each. `first_line` is
/// the number of the first line.
pub fn add_signals<'a>(
    bytes: &'a [u8],
    first_line: usize,
    totals: &mut Totals,
    mut visit: impl FnMut(&'a [u8], &str),
) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for_each_line(bytes, first_line, |number, line, terminated| {
        let text = std::str::from_utf8(line).ok().filter(|_| is_plain(line));
        let plain = text.and_then(|text| serde_json::from_str::<PlainSignal<'_>>(text).ok());
        if let Some(plain) = plain
            && let Some(id) = plain.id.filter(|id| !id.is_empty() && id.trim() == *id)
        {
            totals.add(plain.kind, plain.aha_id, plain.rec_id, plain.ts);
            return visit(line, id);
        }
        let (entries, found) = entries_of_line(LogKind::Signals, number, line, terminated);
        for entry in entries {
            totals.add_record(&entry.record);
            visit(line, &entry.id);
        }
        diagnostics.extend(found);
    });
    diagnostics
}

/// The id of a line that has one in plain form: the same as reading the whole line would give.
pub fn plain_id(line: &[u8]) -> Option<&str> {
    #[derive(serde::Deserialize)]
    struct PlainId<'a> {
        id: &'a str,
    }
    let text = std::str::from_utf8(line).ok().filter(|_| is_plain(line))?;
    let id = serde_json::from_str::<PlainId<'_>>(text).ok()?.id;
    (!id.is_empty() && id.trim() == id).then_some(id)
}

/// Deepest nesting that a short reading of a line may pass over.
const PLAIN_OPENINGS: usize = 100;

/// Whether reading some fields of a line and passing over the others misses nothing that reading the whole
/// line would find: an object that is neither oversized nor nested too deep, without half surrogates.
pub fn is_plain(line: &[u8]) -> bool {
    line.len() <= MAX_LINE_BYTES
        && line.first() == Some(&b'{')
        && memchr::memmem::find(line, b"\\u").is_none()
        && memchr::memchr2_iter(b'{', b'[', line)
            .nth(PLAIN_OPENINGS)
            .is_none()
}

/// The records of one line, and what was wrong with it.
pub fn entries_of_line(
    kind: LogKind,
    number: usize,
    line: &[u8],
    terminated: bool,
) -> (Vec<Entry>, Vec<Diagnostic>) {
    let mut reader = Reader {
        kind,
        entries: Vec::new(),
        diagnostics: Vec::new(),
    };
    reader.line(number, line, terminated);
    (reader.entries, reader.diagnostics)
}

/// Visit the lines of a log: number, bytes without the line end, and whether there was one.
pub fn for_each_line<'a>(
    bytes: &'a [u8],
    first_line: usize,
    mut visit: impl FnMut(usize, &'a [u8], bool),
) {
    let mut rest = bytes;
    let mut number = first_line;
    while !rest.is_empty() {
        let end = memchr::memchr2(b'\n', b'\r', rest);
        let (line, terminator) = match end {
            Some(at) if rest[at..].starts_with(b"\r\n") => (&rest[..at], 2),
            Some(at) => (&rest[..at], 1),
            None => (rest, 0),
        };
        visit(number, line, terminator > 0);
        rest = &rest[line.len() + terminator..];
        number += 1;
    }
}

struct Reader {
    kind: LogKind,
    entries: Vec<Entry>,
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    fn line(&mut self, number: usize, bytes: &[u8], terminated: bool) {
        if bytes.len() > MAX_LINE_BYTES {
            let detail = format!("{} bytes; {MAX_LINE_BYTES} are read at most", bytes.len());
            return self.report(number, bytes, Problem::Oversized, detail);
        }
        let clean = std::str::from_utf8(bytes);
        let text = clean.map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
        let mut text = text.trim();
        if number == 1
            && let Some(rest) = text.strip_prefix('\u{feff}')
        {
            text = rest.trim();
            let detail = "the file begins with a byte order mark".to_owned();
            self.report(number, bytes, Problem::ByteOrderMark, detail);
        }
        if text.is_empty() {
            return;
        }
        match parse(text) {
            Ok(parsed) => {
                if clean.is_err() {
                    let detail = "bytes that are not UTF-8 were replaced".to_owned();
                    self.report(number, bytes, Problem::NotUtf8, detail);
                }
                if parsed.replaced_surrogates > 0 {
                    let detail = "half of a surrogate pair was replaced".to_owned();
                    self.report(number, bytes, Problem::LoneSurrogate, detail);
                }
                match parsed.value {
                    Value::Object(map) => self.record(number, bytes, Record(map)),
                    other => {
                        let detail = format!("{} where an object is meant", kind_of(&other));
                        self.report(number, bytes, Problem::NotAnObject, detail);
                    }
                }
            }
            Err(error) => {
                let recovered = glued_records(text);
                if !recovered.is_empty() {
                    let ids: Vec<_> = recovered.iter().filter_map(Record::id).collect();
                    let detail = format!("records glued together; taken out: {}", ids.join(", "));
                    self.report(number, bytes, Problem::Glued, detail);
                    for record in recovered {
                        self.record(number, bytes, record);
                    }
                } else if terminated {
                    let detail = format!("{} (column {})", error.message, error.column);
                    self.report(number, bytes, Problem::NotJson, detail);
                } else {
                    let detail = "the last line is cut off".to_owned();
                    self.report(number, bytes, Problem::Torn, detail);
                }
            }
        }
    }

    fn record(&mut self, line: usize, bytes: &[u8], mut record: Record) {
        let id = match record.id() {
            Some(id) => id,
            None => {
                let id = self.kind.derived_id(&record);
                if matches!(self.kind, LogKind::Cards | LogKind::Recommendations) {
                    let detail = format!("no id; known as `{id}`");
                    self.report(line, bytes, Problem::MissingId, detail);
                    // The record carries its id from here on: a later version of it would derive another one.
                    record = record.with("id", id.as_str());
                }
                id
            }
        };
        self.entries.push(Entry { line, id, record });
    }

    fn report(&mut self, line: usize, bytes: &[u8], problem: Problem, detail: String) {
        self.diagnostics.push(Diagnostic {
            file: self.kind.file_name(),
            line,
            problem,
            detail,
            digest: sha1_smol::Sha1::from(bytes).digest().to_string(),
        });
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Whole records inside a line that is not one JSON document. The original appends behind a torn or
/// unterminated last line, so a record can stand behind another one or behind the stump of one.
/// Only objects with a text `id` and `ts` that end where the line or the next record does count.
fn glued_records(text: &str) -> Vec<Record> {
    let mut found = Vec::new();
    let mut at = 0;
    // Each try may read to the end of the line, so their number is bounded.
    for _ in 0..64 {
        let Some(brace) = text[at..].find("{\"") else {
            break;
        };
        let start = at + brace;
        let whole = parse_prefix(&text[start..]).and_then(|(value, length)| {
            let rest = text[start + length..].trim_start();
            let Value::Object(map) = value else {
                return None;
            };
            let record = Record(map);
            let complete = record.text("id").is_some() && record.ts().is_some();
            (complete && (rest.is_empty() || rest.starts_with('{'))).then_some((record, length))
        });
        match whole {
            Some((record, length)) => {
                found.push(record);
                at = start + length;
            }
            None => at = start + 1,
        }
    }
    found
}

/// The current version of one id.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub id: String,
    /// `ts` of the first line.
    pub created_ts: Option<String>,
    /// How many lines carry the id.
    pub versions: usize,
    /// Position of the last line among all records of the log, from 0.
    pub position: usize,
    /// Number of the last line in the file, from 1; 0 for what was not read from a file.
    pub line: usize,
    /// The last line.
    pub record: Record,
}

/// One line of a log, as [`Log::lines`] gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogLine<'a> {
    pub id: &'a str,
    pub line: usize,
    pub record: &'a Record,
}

/// A version that a later line of the same id took the place of.
#[derive(Debug, Clone, PartialEq)]
struct Superseded {
    /// Index of the item.
    item: usize,
    position: usize,
    line: usize,
    record: Record,
}

/// What was asked of a log that holds only some of its items, and was not there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    pub ids: RefCell<BTreeSet<String>>,
    /// Hashes of equivalence keys.
    pub keys: RefCell<BTreeSet<u64>>,
    /// Whether all ids were asked for.
    pub all: Cell<bool>,
}

/// The state of one log: items in order of first appearance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Log {
    pub items: Vec<Item>,
    superseded: Vec<Superseded>,
    by_id: HashMap<String, usize>,
    /// Readable records, all versions.
    pub records: usize,
    /// Set when only some items are held.
    pub asked: Option<Asked>,
}

impl Log {
    /// Take one more record in.
    pub fn apply(&mut self, id: String, record: Record, line: usize) {
        self.apply_at(id, record, line, self.records);
    }

    /// Take a record in that stands at a known position; those between may be missing.
    pub fn apply_at(&mut self, id: String, record: Record, line: usize, position: usize) {
        self.records = position + 1;
        if let Some(&at) = self.by_id.get(&id) {
            let item = &mut self.items[at];
            self.superseded.push(Superseded {
                item: at,
                position: item.position,
                line: item.line,
                record: std::mem::replace(&mut item.record, record),
            });
            item.versions += 1;
            item.position = position;
            item.line = line;
            return;
        }
        self.by_id.insert(id.clone(), self.items.len());
        self.items.push(Item {
            id,
            created_ts: record.ts().map(str::to_owned),
            versions: 1,
            position,
            line,
            record,
        });
    }

    pub fn get(&self, id: &str) -> Option<&Item> {
        let found = self.by_id.get(id).map(|&at| &self.items[at]);
        if let (None, Some(asked)) = (found, &self.asked) {
            asked.ids.borrow_mut().insert(id.to_owned());
        }
        found
    }

    /// Say which equivalence keys are going to be looked up among the lines.
    pub fn ask_for_keys(&self, keys: impl IntoIterator<Item = u64>) {
        if let Some(asked) = &self.asked {
            asked.keys.borrow_mut().extend(keys);
        }
    }

    /// Every line in file order, superseded versions too.
    pub fn lines(&self) -> Vec<LogLine<'_>> {
        let old = self.superseded.iter().map(|old| {
            let id = self.items[old.item].id.as_str();
            let line = LogLine {
                id,
                line: old.line,
                record: &old.record,
            };
            (old.position, line)
        });
        let current = self.items.iter().map(|item| {
            let line = LogLine {
                id: &item.id,
                line: item.line,
                record: &item.record,
            };
            (item.position, line)
        });
        let mut lines: Vec<_> = old.chain(current).collect();
        lines.sort_by_key(|(position, _)| *position);
        lines.into_iter().map(|(_, line)| line).collect()
    }

    pub fn ids(&self) -> impl Iterator<Item = &str> + Clone {
        if let Some(asked) = &self.asked {
            asked.all.set(true);
        }
        self.items.iter().map(|item| item.id.as_str())
    }
}

/// Fold a log from nothing.
pub fn fold(kind: LogKind, bytes: &[u8]) -> (Log, Vec<Diagnostic>) {
    let (entries, diagnostics) = entries(kind, bytes, 1);
    let mut log = Log::default();
    for entry in entries {
        log.apply(entry.id, entry.record, entry.line);
    }
    (log, diagnostics)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cards(text: &[u8]) -> (Log, Vec<&'static str>) {
        let (log, diagnostics) = fold(LogKind::Cards, text);
        (
            log,
            diagnostics
                .iter()
                .map(|found| found.problem.code())
                .collect(),
        )
    }

    #[test]
    fn damage_is_reported_and_everything_around_it_kept() {
        let log = b"{\"id\": \"a\", \"ts\": \"1\"}\r\n\n[1]\rnull\n{oops\n{\"id\": \"b\", \"t\": \"caf\xe9\"}\n{\"title\": \"x\"}\n{\"id\": \"c\", \"ti";
        let (state, codes) = cards(log);
        let ids: Vec<_> = state.ids().collect();
        assert_eq!(ids[..2], ["a", "b"]);
        assert_eq!(state.items.len(), 3);
        assert_eq!(
            codes,
            [
                "not_an_object",
                "not_an_object",
                "not_json",
                "not_utf8",
                "missing_id",
                "torn_line"
            ]
        );
    }

    #[test]
    fn the_first_line_dates_an_item_and_the_last_one_is_current() {
        let (state, codes) = cards(
            b"{\"id\": \"a\", \"ts\": \"1\", \"n\": 1}\n{\"id\": \"b\"}\n{\"id\": \"a\", \"ts\": \"2\", \"n\": 2}\n",
        );
        assert!(codes.is_empty());
        let item = state.get("a").expect("stored");
        assert_eq!((item.created_ts.as_deref(), item.versions), (Some("1"), 2));
        assert_eq!(item.record.ts(), Some("2"));
        assert_eq!(state.ids().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn records_glued_by_the_original_are_taken_out() {
        for line in [
            r#"{"id": "a", "ts": "1"}{"id": "b", "ts": "2"}"#,
            r#"{"id": "a", "title": "cut o{"id": "b", "ts": "2", "impact": {"id": "no"}}"#,
        ] {
            let (state, codes) = cards(format!("{line}\n").as_bytes());
            assert_eq!(codes, ["glued_line"], "{line}");
            assert!(state.get("b").is_some(), "{line}");
            assert!(state.get("no").is_none(), "{line}");
        }
    }
}
