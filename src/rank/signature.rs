//! The signature of a failure: what stays the same when the same thing fails elsewhere, on another day.
//!
//! Of a failing command's output the error codes and exception names weigh most, then the lines that report the failure;
//! times, addresses, line numbers, hashes, temporary names and directories are left out.

use super::query::{Phrasing, Piece, Query};

/// Most lines of a long output that are used.
const MOST_LINES: usize = 10;
/// An output of at most this many lines is used whole.
const SHORT: usize = 4;
/// Most characters of one line that are read.
const LONGEST_LINE: usize = 400;

const CODE_WEIGHT: f64 = 2.0;
const REPORT_WEIGHT: f64 = 1.0;
const OTHER_WEIGHT: f64 = 0.3;

/// Words that mark the line which reports a failure.
const REPORTS: &[&str] = &[
    "abort",
    "cannot",
    "can't",
    "conflict",
    "could not",
    "denied",
    "error",
    "exception",
    "fail",
    "fatal",
    "forbidden",
    "illegal",
    "invalid",
    "mismatch",
    "missing",
    "no such",
    "not found",
    "overflow",
    "panic",
    "refused",
    "rejected",
    "timed out",
    "timeout",
    "unable",
    "undefined",
    "unexpected",
    "unhandled",
    "unknown",
    "unresolved",
    "violat",
    "错误",
    "失败",
    "fehler",
];

/// The question a failing command's output asks. Text of any length; an output without words gives a question without words.
#[must_use]
pub fn signature(text: &str) -> Query {
    let mut lines: Vec<(f64, String)> = Vec::new();
    let mut codes: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = without_escapes(line);
        let line: String = line.chars().take(LONGEST_LINE).collect();
        let kept: Vec<String> = line.split_whitespace().filter_map(normal_word).collect();
        if kept.is_empty() {
            continue;
        }
        let mut has_code = false;
        for word in line.split(|character: char| {
            !(character.is_alphanumeric() || matches!(character, '_' | '-'))
        }) {
            if is_code(word) {
                has_code = true;
                if !codes.iter().any(|known| known == word) {
                    codes.push(word.to_owned());
                }
            }
        }
        let lower = line.to_lowercase();
        let reports = has_code || REPORTS.iter().any(|word| lower.contains(word));
        let kept = kept.join(" ");
        // Logs repeat their errors; a line counts once.
        if !lines.iter().any(|(_, known)| *known == kept) {
            lines.push((if reports { REPORT_WEIGHT } else { OTHER_WEIGHT }, kept));
        }
    }
    if lines.len() > SHORT && lines.iter().any(|(weight, _)| *weight == REPORT_WEIGHT) {
        lines.retain(|(weight, _)| *weight == REPORT_WEIGHT);
    }
    // The first report is often the cause, the last the summary: keep both ends.
    if lines.len() > MOST_LINES {
        lines.drain(MOST_LINES / 2..lines.len() - MOST_LINES / 2);
    }
    codes.truncate(MOST_LINES);
    let mut pieces: Vec<Piece> = codes
        .into_iter()
        .map(|text| Piece {
            text,
            weight: CODE_WEIGHT,
        })
        .collect();
    pieces.extend(
        lines
            .into_iter()
            .map(|(weight, text)| Piece { text, weight }),
    );
    Query {
        phrasings: vec![Phrasing { pieces }],
        ..Query::default()
    }
}

/// Drops terminal escape sequences (ESC [ … letter).
fn without_escapes(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1B}' {
            if characters.next() == Some('[') {
                for end in characters.by_ref() {
                    if end.is_ascii_alphabetic() {
                        break;
                    }
                }
            }
        } else {
            out.push(character);
        }
    }
    out
}

/// Names of exceptions (`KeyError`, `NullPointerException`), errno names (`ENOENT`) and codes (`E0277`, `TS2345`, `ORA-00942`,
/// `SC2086`, `P2002`).
fn is_code(word: &str) -> bool {
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if !word.is_ascii() || word.len() > 64 || letters == 0 {
        return false;
    }
    let starts_upper = word.as_bytes()[0].is_ascii_uppercase();
    let named = ["Error", "Exception", "Fault", "Violation"];
    if starts_upper
        && named
            .iter()
            .any(|name| word.len() > name.len() && word.ends_with(name))
    {
        return true;
    }
    let all_upper = word.bytes().all(|byte| !byte.is_ascii_lowercase());
    let errno = letters == word.len()
        && word.len() >= 5
        && all_upper
        && word.starts_with('E')
        && word != "ERROR"
        && word != "EVENT";
    let code = all_upper
        && starts_upper
        && letters <= 8
        && (2..=6).contains(&digits)
        && word.as_bytes()[word.len() - 1].is_ascii_digit()
        && word
            .bytes()
            .skip_while(u8::is_ascii_alphabetic)
            .all(|byte| byte.is_ascii_digit() || byte == b'-');
    let snake = all_upper && word.starts_with("ERR_");
    errno || code || snake
}

/// What of a word stays the same from run to run; `None` for what does not.
fn normal_word(word: &str) -> Option<String> {
    let word = word.trim_matches(|character: char| {
        !(character.is_alphanumeric() || matches!(character, '/' | '_' | '+' | '#'))
    });
    if word.is_empty() {
        return None;
    }
    let lower = word.to_lowercase();
    if lower.starts_with("0x") || is_timestamp(word) {
        return None;
    }
    if word.contains('/') || word.contains('\\') {
        if lower.contains("/tmp/") || lower.contains("\\temp\\") || lower.contains("/var/folders/")
        {
            return None;
        }
        // Of a path the last name is what another machine shares.
        let last = word.rsplit(['/', '\\']).next().unwrap_or(word);
        let last = without_position(last);
        return (!last.is_empty() && !is_random(last)).then(|| last.to_owned());
    }
    let word = without_position(word);
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        // HTTP states are names; other numbers are accidents.
        let state = word.len() == 3 && matches!(word.as_bytes()[0], b'4' | b'5');
        return state.then(|| word.to_owned());
    }
    (!is_random(word)).then(|| word.to_owned())
}

/// Drops `:12:5` and `(12,5)` after a file name.
fn without_position(word: &str) -> &str {
    let mut word = word.split('(').next().unwrap_or(word);
    while let Some((before, after)) = word.rsplit_once(':') {
        if before.is_empty() || !after.bytes().all(|byte| byte.is_ascii_digit()) {
            break;
        }
        word = before;
    }
    word
}

fn is_timestamp(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let signs = word
        .bytes()
        .filter(|byte| matches!(byte, b':' | b'-' | b'.' | b'T' | b'Z' | b'/' | b'+'))
        .count();
    digits >= 4 && signs >= 2 && digits + signs == word.len()
}

/// Hashes, UUIDs and generated names: hexadecimal with digits and letters, or many digits.
fn is_random(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let hexadecimal = word
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    (hexadecimal && digits >= 2 && word.len() >= 7)
        || digits >= 6
        || word.to_ascii_lowercase().starts_with("tmp")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(output: &str) -> Vec<String> {
        signature(output).phrasings[0]
            .pieces
            .iter()
            .map(|piece| piece.text.clone())
            .collect()
    }

    #[test]
    fn what_changes_from_run_to_run_is_gone() {
        let one = "2024-05-01T10:11:12Z worker 4711: open /home/ann/app/config.yaml:12:5: ENOENT at 0x7ffee3 in /tmp/build-x1/a.rs";
        let other = "2025-01-31T23:59:00Z worker 99: open /srv/app/config.yaml:98:1: ENOENT at 0x10aa in /tmp/q/a.rs";
        assert_eq!(texts(one), texts(other));
        assert_eq!(
            texts(one),
            ["ENOENT", "worker open config.yaml ENOENT at in"]
        );
    }

    #[test]
    fn codes_and_exceptions_come_first_and_weigh_most() {
        let query = signature(
            "Traceback (most recent call last):\n  File \"a.py\", line 3\nKeyError: 'name'",
        );
        let first = &query.phrasings[0].pieces[0];
        assert_eq!(
            (first.text.as_str(), first.weight),
            ("KeyError", CODE_WEIGHT)
        );
        for code in [
            "E0277",
            "TS2345",
            "ORA-00942",
            "SC2086",
            "ENOENT",
            "ERR_REQUIRE_ESM",
            "NullPointerException",
        ] {
            assert!(is_code(code), "{code}");
        }
        for word in ["ERROR", "Error", "HTTP", "line", "2024", "A1", ""] {
            assert!(!is_code(word), "{word}");
        }
    }

    #[test]
    fn a_long_log_gives_its_reports() {
        let mut log: String = (0..500)
            .map(|at| format!("step {at} compiling module m{at} fine\n"))
            .collect();
        log.push_str("\u{1b}[31merror\u{1b}[0m: linker `cc` not found\nwarning: unused\n");
        assert_eq!(texts(&log), ["error linker cc not found"]);
    }

    #[test]
    fn nothing_gives_nothing() {
        assert!(signature("").phrasings[0].pieces.is_empty());
        assert!(
            signature("\n\n--- 12:00:01.333 ---\n").phrasings[0]
                .pieces
                .is_empty()
        );
    }
}
