//! The reference file: its header, the cards in it, and cards of older writers without markers.

use std::ops::Range;

use super::document::{self, LineEnd, Place};
use super::markers::{self, Family, Scan};
use super::splice;
use crate::domain::normal;

/// The heading of a file that we make.
pub const TITLE: &str = "# Self-learning Aha Cards";

const HEADER_START: &str = "<!-- self-learning:aha-file";

/// The comment at the top that says which cards are in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// With the line end of its last line.
    pub span: Range<usize>,
    /// Keys and values in order, known or not.
    pub values: Vec<(String, String)>,
}

impl Header {
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

/// A card written without markers, by an older writer or by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bullet {
    pub id: String,
    /// From 1.
    pub line: usize,
    /// Its heading and text, when a heading precedes it directly enough.
    pub section: Option<Range<usize>>,
}

/// A reference file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub scan: Scan,
    pub header: Option<Header>,
    pub bullets: Vec<Bullet>,
}

/// Read a reference file; whatever its state.
pub fn read(bytes: &[u8]) -> Reference {
    let scan = markers::scan(bytes, Family::Card);
    let header = header(bytes, &scan);
    let bullets = bullets(bytes, &scan);
    Reference {
        scan,
        header,
        bullets,
    }
}

impl Reference {
    /// All cards in the file, in order of appearance, each once.
    pub fn ids(&self) -> Vec<String> {
        let blocks = self
            .scan
            .blocks
            .iter()
            .map(|block| (block.line, block.id.clone()));
        let bullets = self
            .bullets
            .iter()
            .map(|bullet| (bullet.line, bullet.id.clone()));
        let mut all: Vec<(usize, String)> = blocks.chain(bullets).collect();
        all.sort();
        normal::unique(all.into_iter().map(|(_, id)| id))
    }

    pub fn bullet(&self, id: &str) -> Option<&Bullet> {
        self.bullets.iter().find(|bullet| bullet.id == id)
    }
}

fn header(bytes: &[u8], scan: &Scan) -> Option<Header> {
    let first = scan
        .lines
        .iter()
        .position(|line| line.place != Place::Frontmatter && !line.is_blank(bytes))?;
    let start = scan.lines[first];
    if start.text(bytes).trim_ascii_end() != HEADER_START.as_bytes() {
        return None;
    }
    let mut values = Vec::new();
    for line in &scan.lines[first + 1..] {
        let text = String::from_utf8_lossy(line.text(bytes)).trim().to_owned();
        if text == "-->" {
            return Some(Header {
                span: start.start..line.next,
                values,
            });
        }
        if let Some((key, value)) = text.split_once('=') {
            values.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    None
}

/// Lines `- **ID:** `x`` outside blocks and code.
fn bullets(bytes: &[u8], scan: &Scan) -> Vec<Bullet> {
    let headings = document::headings(bytes, &scan.lines);
    let mut out = Vec::new();
    for (index, line) in scan.lines.iter().enumerate() {
        if line.place != Place::Text || scan.covers(line.start) {
            continue;
        }
        let text = String::from_utf8_lossy(line.text(bytes));
        let Some(id) = text
            .trim()
            .strip_prefix("- **ID:** `")
            .and_then(|rest| rest.split_once('`'))
            .map(|(id, _)| id.to_owned())
        else {
            continue;
        };
        let heading = headings
            .iter()
            .rfind(|heading| heading.line < index && index - heading.line <= 3);
        let section = heading.map(|heading| {
            let next_heading = headings
                .iter()
                .find(|next| next.line > heading.line && next.level <= heading.level)
                .map(|next| scan.lines[next.line].start);
            let next_block = scan
                .blocks
                .iter()
                .map(|block| block.span.start)
                .find(|start| *start > line.start);
            let end = next_heading
                .into_iter()
                .chain(next_block)
                .min()
                .unwrap_or(bytes.len());
            scan.lines[heading.line].start..end
        });
        out.push(Bullet {
            id,
            line: index + 1,
            section,
        });
    }
    out
}

/// What the header says after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderValues<'a> {
    pub backport_id: &'a str,
    pub generated_at: &'a str,
    pub card_ids: &'a [String],
}

/// The file with its header brought up to date; keys of other writers stay. A file without one gets
/// it at the top, behind frontmatter.
pub fn with_header(bytes: &[u8], values: &HeaderValues<'_>, ends: LineEnd) -> Vec<u8> {
    let reference = read(bytes);
    let card_ids = values.card_ids.join(",");
    let mut entries = vec![
        ("backport_id".to_owned(), values.backport_id.to_owned()),
        ("generated_at".to_owned(), values.generated_at.to_owned()),
        ("card_ids".to_owned(), card_ids),
    ];
    let old = reference.header;
    let known = |key: &str| matches!(key, "backport_id" | "generated_at" | "card_ids");
    if let Some(header) = &old {
        entries.extend(header.values.iter().filter(|(key, _)| !known(key)).cloned());
    }
    let mut text = format!("{HEADER_START}\n");
    for (key, value) in entries {
        text.push_str(&format!("{key}={value}\n"));
    }
    text.push_str("-->\n");
    match old {
        Some(header) => {
            let unfinished = bytes[..header.span.end].last() != Some(&b'\n');
            let text = if unfinished {
                text.trim_end_matches('\n')
            } else {
                &text
            };
            splice::replace(bytes, header.span, &ends.apply(text))
        }
        None => {
            let at = top(bytes, &reference.scan);
            splice::replace(bytes, at..at, &ends.apply(&format!("{text}\n")))
        }
    }
}

/// The file without the header and the blank line behind it.
pub fn without_header(bytes: &[u8]) -> Vec<u8> {
    let Some(header) = read(bytes).header else {
        return bytes.to_vec();
    };
    let mut end = header.span.end;
    if bytes[end..].starts_with(b"\r\n") {
        end += 2;
    } else if bytes[end..].starts_with(b"\n") {
        end += 1;
    }
    splice::replace(bytes, header.span.start..end, b"")
}

/// Where the header goes: the top, behind frontmatter that has a line end.
fn top(bytes: &[u8], scan: &Scan) -> usize {
    let last = scan
        .lines
        .iter()
        .rfind(|line| line.place == Place::Frontmatter);
    last.filter(|line| line.next > line.end)
        .map_or(document::byte_order_mark(bytes), |line| line.next)
}

/// Whether nothing is left in the file but what we put there when we made it.
pub fn is_bare(bytes: &[u8]) -> bool {
    let rest = without_header(&splice::without_blocks(bytes, Family::Card));
    let rest = &rest[document::byte_order_mark(&rest)..];
    let rest = rest.trim_ascii();
    rest.is_empty() || rest == TITLE.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "# Cards\n\n## One\n- **ID:** `aha_1`\n- **Tags:** x\n\ntext\n\n## Two\n- **ID:** `aha 2`\n\n```\n- **ID:** `no`\n```\n";

    #[test]
    fn bullets_and_blocks_count_alike() {
        let block = markers::compose(
            Family::Card,
            &markers::card_start("aha_3", "b"),
            "## t\n- **ID:** `aha_3`\n",
            1,
            0,
            None,
        );
        let text = format!("{OLD}\n{block}");
        let found = read(text.as_bytes());
        assert_eq!(found.ids(), ["aha_1", "aha 2", "aha_3"]);
        let section = found
            .bullet("aha_1")
            .and_then(|bullet| bullet.section.clone())
            .expect("a section");
        assert_eq!(
            &text[section],
            "## One\n- **ID:** `aha_1`\n- **Tags:** x\n\ntext\n\n"
        );
    }

    #[test]
    fn headers_come_change_and_go() {
        let ids = ["a".to_owned(), "b".to_owned()];
        let values = HeaderValues {
            backport_id: "slbp_1",
            generated_at: "2026-01-01T00:00:00Z",
            card_ids: &ids,
        };
        for file in ["", "text\n", "\u{feff}x", "---\na: b\n---\ntext\n"] {
            let with = with_header(file.as_bytes(), &values, LineEnd::Lf);
            let header = read(&with).header.expect("a header");
            assert_eq!(header.value("card_ids"), Some("a,b"), "{file:?}");
            assert_eq!(without_header(&with), file.as_bytes(), "{file:?}");
            assert_eq!(with_header(&with, &values, LineEnd::Lf), with, "{file:?}");
        }
        let extra = b"<!-- self-learning:aha-file\nbackport_id=x\nteam=red\n-->\nrest";
        let with = with_header(extra, &values, LineEnd::Lf);
        assert!(String::from_utf8_lossy(&with).contains("card_ids=a,b\nteam=red\n-->\nrest"));
    }
}
