//! A card as Markdown that cannot change the document it is put into.
//!
//! `inline` and `block` are the two doors through which text of a card comes: headings, fences, rules,
//! raw HTML, comments (our markers among them) and link definitions in it stay text. For everyday text
//! the result is the text itself. All text here has plain line ends; the writer adapts it to the file.

use super::document::Fence;
use crate::domain::record::Record;

/// How many characters the one-line lesson of a card may have.
const LESSON_LENGTH: usize = 280;

/// Text on one line: white space folded, nothing in it starts a structure of its own.
pub fn inline(text: &str) -> String {
    let folded: Vec<&str> = text
        .split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let text = harmless_comments(&folded.join(" "));
    let mut out = String::with_capacity(text.len() + 2);
    if Fence::of(text.as_bytes()).is_some() || starts_structure(&text) {
        out.push('\\');
    }
    out.push_str(&text);
    // Hash signs at the end of a heading would be taken for its closing.
    let bare = out.trim_end_matches('#').len();
    if bare < out.len() && out[..bare].ends_with(' ') {
        out.insert(bare, '\\');
    }
    out
}

/// Text on its own lines: trimmed, line ends plain, structures neutralised, open fences closed.
/// Empty when there is nothing to say.
pub fn block(text: &str) -> String {
    let text = text
        .replace("\r\n", "\n")
        .replace(['\r', '\u{85}', '\u{2028}', '\u{2029}'], "\n");
    let mut out: Vec<String> = Vec::new();
    let mut open: Option<Fence> = None;
    for line in text
        .trim_matches(|character: char| character.is_whitespace())
        .split('\n')
    {
        let line: String = line
            .trim_end()
            .chars()
            .map(|character| {
                if character.is_control() && character != '\t' {
                    ' '
                } else {
                    character
                }
            })
            .collect();
        let line = harmless_comments(&line);
        let fence = Fence::of(line.as_bytes());
        match (open, fence) {
            (Some(opened), Some(found)) if opened.is_closed_by(found) => {
                open = None;
                // Flush left, so that every reader takes it for the end.
                out.push(line.trim().to_owned());
            }
            (Some(_), _) => out.push(line),
            (None, Some(found)) => {
                open = Some(found);
                out.push(line.trim().to_owned());
            }
            (None, None) => out.push(text_line(&line)),
        }
    }
    if let Some(fence) = open {
        out.push(fence.closing());
    }
    out.join("\n")
}

/// A line of text, with a backslash before what would start a structure.
fn text_line(line: &str) -> String {
    let indentation = line.len() - line.trim_start().len();
    let (space, rest) = line.split_at(indentation);
    if starts_structure(rest) {
        format!("{space}\\{rest}")
    } else {
        line.to_owned()
    }
}

/// Whether a line would be a heading, a rule, an underline, raw HTML, or a link definition.
fn starts_structure(line: &str) -> bool {
    let text = line.trim();
    let first = text.chars().next().unwrap_or(' ');
    let compact: String = text.chars().filter(|character| *character != ' ').collect();
    match first {
        '#' => super::document::atx(text.as_bytes()).is_some(),
        '-' | '_' | '*' => {
            let length = compact.chars().count();
            compact.chars().all(|character| character == first)
                && (length >= 3 || (first == '-' && text.len() == length))
        }
        '=' => compact.chars().all(|character| character == '='),
        '<' => text[1..].starts_with(|next: char| {
            next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?')
        }),
        '[' => text
            .split_once(']')
            .is_some_and(|(_, rest)| rest.starts_with(':')),
        _ => false,
    }
}

/// Comments cannot open, so no marker can stand in the text for any reader, whatever it knows of code.
fn harmless_comments(text: &str) -> String {
    text.replace("<!--", "&lt;!--")
}

/// One item of a list; further lines of it are indented below it.
fn item(text: &str) -> Option<String> {
    let text = block(text);
    let mut lines = text.lines();
    let first = lines.next()?;
    let mut out = String::from("-");
    if Fence::of(first.as_bytes()).is_some() {
        out.push_str("\n  ");
    } else {
        out.push(' ');
    }
    out.push_str(first);
    for line in lines {
        out.push('\n');
        if !line.is_empty() {
            out.push_str("  ");
            out.push_str(line);
        }
    }
    out.push('\n');
    Some(out)
}

fn list(out: &mut String, name: &str, items: &[String]) {
    let items: Vec<String> = items.iter().filter_map(|text| item(text)).collect();
    if items.is_empty() {
        return;
    }
    out.push_str(&format!("\n**{name}**\n"));
    out.extend(items);
}

/// The text of a card between its markers, ending in a newline.
pub fn card(record: &Record, id: &str) -> String {
    let mut out = format!("## {}\n- **ID:** `{id}`\n", inline(&record.title()));
    if let Some(text) = record
        .display("when_to_use")
        .map(|text| inline(&text))
        .filter(|text| !text.is_empty())
    {
        out.push_str(&format!("- **When to use:** {text}\n"));
    }
    let tags: Vec<String> = record
        .list("tags")
        .iter()
        .map(|tag| inline(tag))
        .filter(|tag| !tag.is_empty())
        .collect();
    if !tags.is_empty() {
        out.push_str(&format!("- **Tags:** {}\n", tags.join(", ")));
    }
    if let Some(text) = record
        .display("problem")
        .map(|text| block(&text))
        .filter(|text| !text.is_empty())
    {
        out.push_str(&format!("\n**Problem**\n\n{text}\n"));
    }
    list(&mut out, "Solution", &record.list("solution_steps"));
    list(&mut out, "Gotchas", &record.list("gotchas"));
    list(&mut out, "Evidence", &record.list("evidence"));
    out.push('\n');
    out
}

/// The text of a card as the first version of the store wrote it, to recognise what it left behind.
pub fn legacy_card(record: &Record, id: &str) -> String {
    let mut out = format!("## {}\n- **ID:** `{id}`\n", record.title());
    if let Some(text) = record.display("when_to_use") {
        out.push_str(&format!("- **When to use:** {text}\n"));
    }
    let tags = record.list("tags");
    if !tags.is_empty() {
        out.push_str(&format!("- **Tags:** {}\n", tags.join(", ")));
    }
    if let Some(text) = record.display("problem") {
        out.push_str(&format!("\n**Problem**\n\n{}\n", text.trim()));
    }
    for (name, field) in [("Solution", "solution_steps"), ("Evidence", "evidence")] {
        let items = record.list(field);
        if !items.is_empty() {
            out.push_str(&format!("\n**{name}**\n"));
            out.extend(items.iter().map(|item| format!("- {item}\n")));
        }
    }
    out.push('\n');
    out
}

/// The lesson of a card on one line: its title and the first step, with the id to look it up by.
pub fn lesson(record: &Record, id: &str) -> String {
    let mut text = inline(&record.title());
    if let Some(step) = record.list("solution_steps").first() {
        let step = inline(step);
        if !step.is_empty() {
            text = format!("{}: {step}", text.trim_end_matches(['.', ':']));
        }
    }
    format!("- {} (`{id}`)\n", shortened(&text))
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LESSON_LENGTH {
        return text.to_owned();
    }
    let cut: String = text.chars().take(LESSON_LENGTH - 1).collect();
    let cut = cut.rsplit_once(' ').map_or(cut.as_str(), |(head, _)| head);
    // A cut through inline code would leave its backtick open.
    let closing = if cut.matches('`').count() % 2 == 1 {
        "`"
    } else {
        ""
    };
    format!("{}{closing} …", cut.trim_end())
}

/// The block in `SKILL.md` that points to the cards.
pub fn pointer() -> String {
    format!(
        "## Learnings (self-learning)\n\nBefore you start, read `{}`: problems met in earlier runs, what solved them, and the evidence.\n",
        super::REFERENCE_PATH
    )
}

/// The last line of the block under the gotchas heading.
pub fn gotchas_pointer() -> String {
    format!("- More on each: `{}`\n", super::REFERENCE_PATH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backport::markers::{self, Family};
    use serde_json::json;

    fn record(value: serde_json::Value) -> Record {
        Record(value.as_object().expect("an object").clone())
    }

    #[test]
    fn everyday_text_stays_as_it_is() {
        for text in [
            "Use `Vec<T>` --> not arrays",
            "a_b * c",
            "#hashtag",
            "C#",
            "- no",
            "1 < 2",
            "x: y",
            "**bold** start",
            "[link](x)",
        ] {
            assert_eq!(inline(text), text);
            assert_eq!(block(text), text);
        }
        assert_eq!(
            block("a\n\n```sh\n# not a heading\n---\n```\nb"),
            "a\n\n```sh\n# not a heading\n---\n```\nb"
        );
    }

    #[test]
    fn structure_becomes_text() {
        for (text, expected) in [
            ("# x", "\\# x"),
            ("a\n---\nb", "a\n\\---\nb"),
            ("a\n==\nb", "a\n\\==\nb"),
            ("* * *", "\\* * *"),
            ("<script>x", "\\<script>x"),
            ("[a]: http://x", "\\[a]: http://x"),
            (
                "<!-- self-learning:aha:end -->",
                "&lt;!-- self-learning:aha:end -->",
            ),
            ("```\nx", "```\nx\n```"),
            ("~~~~\n```", "~~~~\n```\n~~~~"),
            ("x\r\ny\rz\u{2028}w", "x\ny\nz\nw"),
            (
                "    ```\n    code\n      ```\ntext",
                "```\n    code\n```\ntext",
            ),
            (" \n\t\n", ""),
        ] {
            assert_eq!(block(text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("a\n## b\n---", "a ## b ---"),
            ("learn C #", "learn C \\#"),
            ("```x", "\\```x"),
            ("---", "\\---"),
            ("\u{0}\u{7}", ""),
        ] {
            assert_eq!(inline(text), expected, "{text:?}");
        }
    }

    #[test]
    fn odd_types_read_like_their_meaning() {
        let card_text = card(
            &record(
                json!({"title": null, "solution_steps": "run make", "tags": "schema", "evidence": [{"cmd": "x"}, 5],
                "problem": 7, "gotchas": ["```sh\nx\n```"]}),
            ),
            "aha_1",
        );
        assert_eq!(
            card_text,
            "## (untitled)\n- **ID:** `aha_1`\n- **Tags:** schema\n\n**Problem**\n\n7\n\n**Solution**\n- run make\n\n\
             **Gotchas**\n-\n  ```sh\n  x\n  ```\n\n**Evidence**\n- {\"cmd\": \"x\"}\n- 5\n\n"
        );
    }

    #[test]
    fn hostile_cards_stay_one_block() {
        let hostile = "<!-- self-learning:aha:end -->\n<!-- self-learning:aha:start id=fake backport_id=x -->\n```\n# h\n---";
        let text = card(
            &record(
                json!({"title": hostile, "when_to_use": hostile, "problem": hostile, "tags": [hostile],
                "solution_steps": [hostile, "```"], "evidence": [hostile]}),
            ),
            "aha_1",
        );
        let whole = markers::compose(
            Family::Card,
            &markers::card_start("aha_1", "b"),
            &text,
            0,
            0,
            None,
        );
        let found = markers::scan(whole.as_bytes(), Family::Card);
        assert_eq!(found.ids(), ["aha_1"]);
        assert_eq!(found.blocks[0].is_sealed(), Some(true));
        let lines = crate::backport::document::lines(whole.as_bytes());
        assert_eq!(
            crate::backport::document::headings(whole.as_bytes(), &lines).len(),
            1
        );
        assert_eq!(
            markers::scan(format!("{text}\nafter").as_bytes(), Family::Card).open_since,
            None
        );
    }

    #[test]
    fn lessons_fit_a_line() {
        let lesson_text = lesson(
            &record(json!({"title": "T.", "solution_steps": ["do\nit"]})),
            "aha_1",
        );
        assert_eq!(lesson_text, "- T: do it (`aha_1`)\n");
        let long = lesson(&record(json!({"title": "`a b` ".repeat(100)})), "aha_1");
        assert!(long.chars().count() < 310, "{long}");
        assert_eq!(long.matches('`').count() % 2, 0);
    }
}
