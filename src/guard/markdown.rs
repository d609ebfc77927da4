//! Text of a card as part of a document of ours: readable, but unable to change the document's structure.
//!
//! Neutralised: HTML comments and our markers (`<` becomes `&lt;`, shown the same by every renderer), headings in both spellings,
//! thematic breaks and frontmatter fences, fenced blocks that never close. Untouched: emphasis, links, lists, code.

use std::borrow::Cow;
use std::fmt::Write;

use super::invisible;

/// `text` as one line, for a title, a bullet or a table cell: line breaks become spaces, nothing at its start is structure.
///
/// Idempotent. Empty for a text of nothing but white space.
pub fn inline(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = escape_comments(&words.join(" ")).into_owned();
    match line_structure(&line) {
        Structure::None => line,
        Structure::Fence { .. } | Structure::Heading | Structure::Rule => format!("\\{line}"),
    }
}

/// `text` as a body of several lines under a heading of ours.
///
/// Outside code fences: headings lose their meaning by a backslash, `---`, `===` and `***` lines too; a fence that is opened is closed.
/// Everywhere, code fences included, no HTML comment and no marker of ours can begin. Idempotent. Ends without a newline.
pub fn block(text: &str) -> String {
    let text = invisible::normalise_newlines(text);
    let mut body = String::with_capacity(text.len() + 16);
    let mut open: Option<(u8, usize)> = None;
    let lines: Vec<&str> = text.trim_end().split('\n').collect();
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            body.push('\n');
        }
        let line = escape_comments(line.trim_end_matches('\u{0}'));
        match (open, line_structure(&line)) {
            (
                Some((mark, length)),
                Structure::Fence {
                    mark: here,
                    length: run,
                    bare,
                    ..
                },
            ) => {
                if here == mark && run >= length && bare {
                    open = None;
                }
                body.push_str(&line);
            }
            (Some(_), _) | (None, Structure::None) => body.push_str(&line),
            (None, Structure::Fence { mark, length, .. }) => {
                open = Some((mark, length));
                body.push_str(&line);
            }
            (None, Structure::Heading | Structure::Rule) => {
                let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
                body.push_str(&line[..indent]);
                body.push('\\');
                body.push_str(&line[indent..]);
            }
        }
    }
    if let Some((mark, length)) = open {
        if !body.ends_with('\n') {
            body.push('\n');
        }
        body.extend(std::iter::repeat_n(char::from(mark), length));
    }
    body
}

/// `text` for a terminal: escape sequences, control, bidi and other hidden characters shown as `\u{..}`, newline and tab kept.
pub fn terminal(text: &str) -> Cow<'_, str> {
    let mut from = 0;
    let mut shown = String::new();
    // Line separators are excused in stored text, but a terminal would act on a carriage return.
    let mut escape = |range: std::ops::Range<usize>, character: char| {
        shown.push_str(&text[from..range.start]);
        let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
        from = range.end;
    };
    let mut hidden = invisible::find_all(text).peekable();
    for (at, character) in text.char_indices() {
        let is_hidden = hidden.next_if(|found| found.byte_offset == at).is_some();
        if is_hidden
            || matches!(
                character,
                '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}'
            )
        {
            escape(at..at + character.len_utf8(), character);
        }
    }
    if from == 0 && shown.is_empty() {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

/// `<!` and `-->` cannot stand in text of ours: a reader of markers must find only those we wrote.
fn escape_comments(text: &str) -> Cow<'_, str> {
    if !text.contains("<!") && !text.contains("<?") && !text.contains("-->") {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.replace("<!", "&lt;!")
            .replace("<?", "&lt;?")
            .replace("-->", "--&gt;"),
    )
}

enum Structure {
    None,
    Heading,
    Rule,
    Fence { mark: u8, length: usize, bare: bool },
}

/// What CommonMark would make of this line at the start of a block, block quotes and list bullets looked through.
fn line_structure(line: &str) -> Structure {
    let mut rest = line;
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t']);
        let indent = rest.len() - trimmed.len();
        if indent > 3 && std::ptr::eq(rest, line) && !trimmed.starts_with(['`', '~']) {
            // Indented code, unless inside a list, where it may still be a heading: escape that too.
            rest = trimmed;
            continue;
        }
        rest = trimmed;
        match rest.strip_prefix('>') {
            Some(inner) => rest = inner,
            None => break,
        }
    }
    let bytes = rest.as_bytes();
    let Some(&first) = bytes.first() else {
        return Structure::None;
    };
    let run = bytes.iter().take_while(|byte| **byte == first).count();
    match first {
        b'#' if run <= 6 && bytes.get(run).is_none_or(u8::is_ascii_whitespace) => {
            Structure::Heading
        }
        b'`' | b'~' if run >= 3 && !(first == b'`' && rest[run..].contains('`')) => {
            Structure::Fence {
                mark: first,
                length: run,
                bare: rest[run..].trim().is_empty(),
            }
        }
        b'=' if rest.trim_end().bytes().all(|byte| byte == b'=') => Structure::Rule,
        b'-' | b'*' | b'_' => {
            let marks = rest.bytes().filter(|byte| *byte == first).count();
            let only_marks = rest
                .bytes()
                .all(|byte| byte == first || byte.is_ascii_whitespace());
            // A lone dash under a paragraph is a setext heading.
            if only_marks && (marks >= 3 || (first == b'-' && !rest.trim_end().contains(' '))) {
                Structure::Rule
            } else {
                Structure::None
            }
        }
        b'+' if rest.trim_end().bytes().all(|byte| byte == b'+') && run >= 3 => Structure::Rule,
        _ => Structure::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_stays_on_its_line() {
        assert_eq!(inline("Use X\n---\n# Pwned"), "Use X --- # Pwned");
        assert_eq!(inline("# Heading"), "\\# Heading");
        assert_eq!(inline("---"), "\\---");
        assert_eq!(inline("```rust"), "\\```rust");
        assert_eq!(
            inline("a <!-- self-learning:aha:end --> b"),
            "a &lt;!-- self-learning:aha:end --&gt; b"
        );
        assert_eq!(inline("#include <vector>"), "#include <vector>");
    }

    #[test]
    fn a_body_cannot_become_structure() {
        assert_eq!(
            block("## Heading\ntext\n===\n"),
            "\\## Heading\ntext\n\\==="
        );
        assert_eq!(block("---\nname: x\n---"), "\\---\nname: x\n\\---");
        assert_eq!(block("> # quoted"), "\\> # quoted");
        assert_eq!(block("```sh\n# a comment\n```"), "```sh\n# a comment\n```");
        assert_eq!(block("```sh\necho"), "```sh\necho\n```");
        assert_eq!(block("````\n```\n"), "````\n```\n````");
        assert_eq!(
            block("- item\n* other\n**bold**"),
            "- item\n* other\n**bold**"
        );
        assert_eq!(block("a\r\nb"), "a\nb");
        for text in [
            "## a",
            "```\nx",
            "---",
            "<!-- self-learning:x -->",
            "> ---",
            "~~~\n```",
            "-",
        ] {
            assert_eq!(block(&block(text)), block(text), "{text:?}");
            assert_eq!(inline(&inline(text)), inline(text), "{text:?}");
        }
    }

    #[test]
    fn a_terminal_sees_no_control_sequences() {
        assert_eq!(terminal("\u{1b}[31mred"), "\\u{1b}[31mred");
        assert_eq!(terminal("a\rb\u{202e}c"), "a\\u{d}b\\u{202e}c");
        assert!(matches!(
            terminal("日本語 👨\u{200D}👩 שלום\n"),
            Cow::Borrowed(_)
        ));
    }
}
