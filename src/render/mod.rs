//! Reports to bytes: JSON for programs, tables and text for people, Markdown for documents. Pure.

pub mod backport;
pub mod index_md;
mod json;
mod markdown;
mod text;
pub mod words;

use crate::error::Error;
use crate::report::Report;

pub use json::failure as json_failure;

/// The form a report is printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Json,
    /// Tables and lines for a terminal.
    Text,
    Markdown,
}

/// How wide, and whether in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    pub width: usize,
    pub color: bool,
}

/// A report in its form, ending in a newline.
pub fn report(report: &Report, form: Form, style: Style) -> String {
    match (report, form) {
        (Report::Text(text), _) => text.clone(),
        (Report::Eval(eval), _) if !eval.ranked.is_empty() => json::lines(&eval.ranked),
        (report, Form::Json) => json::report(report),
        (report, Form::Text) => text::report(report, style),
        (report, Form::Markdown) => markdown::report(report),
    }
}

/// `error: …` and `hint: …`, for stderr. `warning` when the run went on all the same.
pub fn complaint(error: &Error, warning: bool) -> String {
    let word = if warning { "warning" } else { "error" };
    let mut text = format!("{word}: {}\n", words::leaving(&error.message));
    if let Some(hint) = &error.hint {
        text.push_str(&format!("hint: {}\n", words::leaving(hint)));
    }
    text
}

/// What stderr says of lines that were skipped or guessed.
pub fn diagnostics(report: &Report) -> Option<String> {
    let found = report.diagnostics();
    let first = found.first()?;
    Some(format!(
        "warning: {} in the store could not be read as written, e.g. {} line {}: {}\nhint: self-learning repair\n",
        words::count(found.len(), "line"),
        first.file,
        first.line,
        words::leaving(&first.detail),
    ))
}
