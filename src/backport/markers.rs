//! The marker comments: how they are written, and how blocks between them are found again.
//!
//! ```text
//! <!-- self-learning:backport:start id=slbp_… -->        one block in SKILL.md
//! …
//! <!-- self-learning:digest sha256=… glue=1 -->
//! <!-- self-learning:backport:end -->
//!
//! <!-- self-learning:aha:start id=aha_… backport_id=slbp_… -->   one block per card
//! …
//! <!-- self-learning:digest sha256=… glue=1 -->
//! <!-- self-learning:aha:end -->
//! ```
//!
//! The start and end markers are spelled exactly as the first version of the store spelled them,
//! because its reader may take no other attribute; the digest has a comment of its own inside the
//! block, where that version leaves every byte alone. `glue` counts the line ends put before the
//! block, `after` those behind it: what has to go along when the block is removed. `into` says which
//! kind of block it is when it is not the pointer.
//!
//! A marker is a whole line. Inside fenced code, raw HTML and longer comments it is documentation.
//! Inside a block nothing but a marker ends the block.

use std::ops::Range;

use super::digest;
use super::document::{self, Line, Place, Reader};

/// Which markers a file is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Blocks in `SKILL.md`.
    Skill,
    /// Cards in the reference file.
    Card,
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Family::Skill => "self-learning:backport",
            Family::Card => "self-learning:aha",
        }
    }

    /// The end marker, as a line.
    pub fn end(self) -> String {
        format!("<!-- {}:end -->", self.name())
    }
}

/// The start marker of a block in `SKILL.md`.
pub fn skill_start(backport_id: &str) -> String {
    format!("<!-- self-learning:backport:start id={backport_id} -->")
}

/// The start marker of a card.
pub fn card_start(id: &str, backport_id: &str) -> String {
    format!("<!-- self-learning:aha:start id={id} backport_id={backport_id} -->")
}

/// Whether an id can stand in a marker and be read back whole by every reader.
pub fn is_plain_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 200
        && !id.contains("--")
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// What the comment with the digest says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seal {
    /// The digest as written.
    pub digest: String,
    /// Line ends put before the block.
    pub glue: usize,
    /// Line ends put behind it.
    pub after: usize,
    /// The kind of block, when it is not the plain one.
    pub into: Option<String>,
}

impl Seal {
    fn to_line(&self) -> String {
        let mut out = format!("<!-- self-learning:digest sha256={}", self.digest);
        if self.glue > 0 {
            out.push_str(&format!(" glue={}", self.glue));
        }
        if self.after > 0 {
            out.push_str(&format!(" after={}", self.after));
        }
        if let Some(into) = &self.into {
            out.push_str(&format!(" into={into}"));
        }
        out.push_str(" -->");
        out
    }
}

/// A block found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub family: Family,
    /// The id in the start marker: of the backport in `SKILL.md`, of the card in the reference file.
    pub id: String,
    /// The backport a card came with, as its marker says.
    pub backport_id: Option<String>,
    /// Line numbers, from 1.
    pub line: usize,
    pub end_line: Option<usize>,
    /// From the start marker to behind the end marker and its line end. Without an end marker: up to
    /// the next start marker or the end of the file.
    pub span: Range<usize>,
    /// The bytes of the start marker's line, without its end.
    pub start_line_span: Range<usize>,
    /// The text between the markers without the digest line.
    pub body: Vec<u8>,
    pub seal: Option<Seal>,
    /// The bytes of the digest line, without its end; empty when there is none.
    pub seal_span: Range<usize>,
}

impl Block {
    /// The whole digest of the text as it is now.
    pub fn digest(&self) -> String {
        digest::of_text(&self.body)
    }

    /// Whether the text is the one the digest was made of; `None` when the block has no digest.
    pub fn is_sealed(&self) -> Option<bool> {
        let seal = self.seal.as_ref()?;
        Some(self.end_line.is_some() && digest::agrees(&seal.digest, &self.digest()))
    }

    pub fn into_gotchas(&self) -> bool {
        self.seal
            .as_ref()
            .is_some_and(|seal| seal.into.as_deref() == Some("gotchas"))
    }

    /// The text between the markers, as far as it is text, with plain line ends.
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).replace("\r\n", "\n")
    }
}

/// Everything about our markers in one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan {
    pub lines: Vec<Line>,
    pub blocks: Vec<Block>,
    /// End markers that end nothing, as line numbers.
    pub stray_ends: Vec<usize>,
    /// Markers of the other family, as line numbers.
    pub foreign: Vec<usize>,
    /// The line (index) of the fence or comment that is still open at the end of the file.
    pub open_since: Option<usize>,
    pub open_is_fence: bool,
}

impl Scan {
    /// The ids in the start markers, each once, in order.
    pub fn ids(&self) -> Vec<String> {
        crate::domain::normal::unique(self.blocks.iter().map(|block| block.id.clone()))
    }

    pub fn block(&self, id: &str) -> Option<&Block> {
        self.blocks.iter().find(|block| block.id == id)
    }

    /// Whether a byte lies in one of our blocks.
    pub fn covers(&self, at: usize) -> bool {
        self.blocks.iter().any(|block| block.span.contains(&at))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Marker {
    Start {
        family: Family,
        attributes: Vec<(String, String)>,
        bare: Option<String>,
    },
    End(Family),
    Digest(Seal),
}

/// A line that is nothing but one of our markers.
fn marker(line: &[u8]) -> Option<Marker> {
    let indentation = line.iter().take_while(|byte| **byte == b' ').count();
    let text = std::str::from_utf8(line.get(indentation..)?).ok()?;
    if indentation > 3 || line.get(indentation) == Some(&b'\t') {
        return None;
    }
    let inner = text.trim_end().strip_prefix("<!--")?.strip_suffix("-->")?;
    if inner.contains("-->") {
        return None;
    }
    let mut words = inner.split_whitespace();
    let name = words.next()?;
    for family in [Family::Skill, Family::Card] {
        let Some(rest) = name.strip_prefix(family.name()) else {
            continue;
        };
        match rest {
            ":end" => return words.next().is_none().then_some(Marker::End(family)),
            ":start" => {
                let mut attributes = Vec::new();
                let mut bare = None;
                for word in words {
                    match word.split_once('=') {
                        Some((key, value)) => attributes.push((key.to_owned(), value.to_owned())),
                        None if bare.is_none() => bare = Some(word.to_owned()),
                        None => {}
                    }
                }
                return Some(Marker::Start {
                    family,
                    attributes,
                    bare,
                });
            }
            _ => {}
        }
    }
    (name == "self-learning:digest").then(|| {
        let mut seal = Seal::default();
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            match key {
                "sha256" => seal.digest = value.to_owned(),
                "glue" => seal.glue = value.parse::<usize>().unwrap_or(0).min(2),
                "after" => seal.after = value.parse::<usize>().unwrap_or(0).min(2),
                "into" => seal.into = Some(value.to_owned()),
                _ => {}
            }
        }
        Marker::Digest(seal)
    })
}

/// Whether a line holds one of our start or end markers; used on text that must not.
pub fn is_marker(line: &[u8]) -> bool {
    marker(line).is_some()
}

/// Find the blocks of one family in a file.
pub fn scan(bytes: &[u8], family: Family) -> Scan {
    let mut lines = document::split(bytes);
    let frontmatter = document::frontmatter_lines(bytes, &lines);
    let mut scan = Scan::default();
    let mut reader = Reader::default();
    let mut open: Option<(Block, Vec<(usize, usize)>)> = None;
    for (index, slot) in lines.iter_mut().enumerate() {
        let line = *slot;
        let text = line.text(bytes);
        if index < frontmatter {
            reader.skip();
            slot.place = Place::Frontmatter;
            continue;
        }
        let found = marker(text);
        if let Some((block, body)) = &mut open {
            match found {
                Some(Marker::End(end)) if end == family => {
                    reader.skip();
                    block.end_line = Some(index + 1);
                    block.span.end = line.next;
                    close(bytes, &mut scan, &mut open);
                }
                Some(Marker::Start { family: start, .. }) if start == family => {
                    block.span.end = line.start;
                    close(bytes, &mut scan, &mut open);
                    open = start_block(&mut reader, found, family, index, line);
                }
                Some(Marker::Digest(seal)) => {
                    reader.skip();
                    block.seal = Some(seal);
                    block.seal_span = line.start..line.end;
                }
                _ => {
                    reader.skip();
                    body.push((line.start, line.next));
                }
            }
            continue;
        }
        let place = reader.clone().read(text);
        slot.place = place;
        if place != Place::Text {
            reader.read(text);
            continue;
        }
        match found {
            Some(Marker::Start { family: start, .. }) if start == family => {
                open = start_block(&mut reader, found, family, index, line);
            }
            Some(Marker::End(end)) if end == family => {
                scan.stray_ends.push(index + 1);
                reader.skip();
            }
            Some(Marker::Start { .. } | Marker::End(_)) => {
                scan.foreign.push(index + 1);
                reader.skip();
            }
            _ => {
                reader.read(text);
            }
        }
    }
    if let Some((block, _)) = &mut open {
        block.span.end = bytes.len();
        close(bytes, &mut scan, &mut open);
    }
    scan.open_since = reader.open_since();
    scan.open_is_fence = reader.in_fence();
    scan.lines = lines;
    scan
}

type OpenBlock = Option<(Block, Vec<(usize, usize)>)>;

fn start_block(
    reader: &mut Reader,
    found: Option<Marker>,
    family: Family,
    index: usize,
    line: Line,
) -> OpenBlock {
    reader.skip();
    let Some(Marker::Start {
        attributes, bare, ..
    }) = found
    else {
        return None;
    };
    let value = |key: &str| {
        attributes
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.clone())
    };
    let block = Block {
        family,
        id: value("id").or(bare).unwrap_or_default(),
        backport_id: value("backport_id"),
        line: index + 1,
        end_line: None,
        span: line.start..line.next,
        start_line_span: line.start..line.end,
        body: Vec::new(),
        seal: None,
        seal_span: line.end..line.end,
    };
    Some((block, Vec::new()))
}

fn close(bytes: &[u8], scan: &mut Scan, open: &mut OpenBlock) {
    if let Some((mut block, body)) = open.take() {
        block.body = body
            .iter()
            .flat_map(|(start, next)| bytes[*start..*next].iter().copied())
            .collect();
        scan.blocks.push(block);
    }
}

/// A block as text with plain line ends, sealed with the digest of `body`, which ends in a newline.
pub fn compose(
    family: Family,
    start: &str,
    body: &str,
    glue: usize,
    after: usize,
    into: Option<&str>,
) -> String {
    let seal = Seal {
        digest: digest::short(&digest::of_bytes(body.as_bytes())).to_owned(),
        glue,
        after,
        into: into.map(str::to_owned),
    };
    format!("{start}\n{body}{}\n{}\n", seal.to_line(), family.end())
}

/// The line of a seal, for a block whose surroundings have changed.
pub fn seal_line(seal: &Seal) -> String {
    seal.to_line()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_and_documentation_is_not() {
        let text = "\
# x
```
<!-- self-learning:backport:start id=doc -->
<!-- self-learning:backport:end -->
```
Say `<!-- self-learning:backport:start id=inline -->` to start.
    <!-- self-learning:backport:start id=indented -->
<!--   self-learning:backport:start    slbp_1 -->
body
<!-- self-learning:backport:end -->
<!-- self-learning:backport:end -->
<!-- self-learning:aha:end -->
";
        let found = scan(text.as_bytes(), Family::Skill);
        assert_eq!(found.ids(), ["slbp_1"]);
        assert_eq!(found.blocks[0].body, b"body\n");
        assert_eq!(
            (found.blocks[0].line, found.blocks[0].end_line),
            (8, Some(10))
        );
        assert_eq!(found.stray_ends, [11]);
        assert_eq!(found.foreign, [12]);
        assert_eq!(found.blocks[0].is_sealed(), None);
    }

    #[test]
    fn what_is_composed_is_read_back() {
        let text = compose(
            Family::Card,
            &card_start("aha_1", "slbp_1"),
            "## t\r\n\n",
            1,
            2,
            Some("gotchas"),
        );
        let found = scan(text.as_bytes(), Family::Card);
        let block = &found.blocks[0];
        assert_eq!(
            (block.id.as_str(), block.backport_id.as_deref()),
            ("aha_1", Some("slbp_1"))
        );
        let seal = block.seal.as_ref().expect("a seal");
        assert_eq!((seal.glue, seal.after, block.into_gotchas()), (1, 2, true));
        let plain = compose(
            Family::Card,
            &card_start("aha_1", "slbp_1"),
            "## t\n\n",
            0,
            0,
            None,
        );
        for ends in [plain.clone(), plain.replace('\n', "\r\n")] {
            assert_eq!(
                scan(ends.as_bytes(), Family::Card).blocks[0].is_sealed(),
                Some(true)
            );
        }
        let edited = plain.replace("## t", "## T");
        assert_eq!(
            scan(edited.as_bytes(), Family::Card).blocks[0].is_sealed(),
            Some(false)
        );
    }

    #[test]
    fn missing_ends_and_fences_inside_blocks() {
        let text = "\
<!-- self-learning:aha:start id=a backport_id=b -->
```
open
<!-- self-learning:aha:start id=c backport_id=b -->
```
<!-- self-learning:aha:end -->
text
<!-- self-learning:aha:start id=d backport_id=b -->
";
        let found = scan(text.as_bytes(), Family::Card);
        let ends: Vec<_> = found
            .blocks
            .iter()
            .map(|block| (block.id.as_str(), block.end_line))
            .collect();
        assert_eq!(ends, [("a", None), ("c", Some(6)), ("d", None)]);
        assert_eq!(found.open_since, None);
    }

    #[test]
    fn plain_ids() {
        for id in ["aha_1", "a.b-c", "7"] {
            assert!(is_plain_id(id), "{id}");
        }
        for id in [
            "", "a b", "a/b", "a`b", "a-->b", "a--b", "größe", "a=b", "\\1",
        ] {
            assert!(!is_plain_id(id), "{id}");
        }
    }
}
