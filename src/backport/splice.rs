//! Putting blocks into a file and taking them out again, without touching a byte that is not ours.

use super::document::{self, LineEnd};
use super::markers::{self, Block, Scan, Seal};

/// A place for a new block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    pub at: usize,
    /// Line ends to put before the block, so that a blank line precedes it.
    pub glue: usize,
    /// Line ends to put behind it.
    pub after: usize,
    /// What a reader of the plan should know about the choice.
    pub note: Option<String>,
}

/// The end of the file; before whatever is left open there, because a block inside open code would be
/// code, and closing it would change somebody's text.
pub fn end_spot(bytes: &[u8], scan: &Scan, name: &str) -> Spot {
    let Some(open) = scan.open_since else {
        return Spot {
            at: bytes.len(),
            glue: glue_at_end(bytes, scan),
            after: 0,
            note: None,
        };
    };
    let what = if scan.open_is_fence {
        "code fence"
    } else {
        "comment or raw HTML"
    };
    Spot {
        note: Some(format!(
            "{name} leaves a {what} open that starts at line {}; the block goes before it",
            open + 1
        )),
        ..spot_before(bytes, scan, open)
    }
}

fn glue_at_end(bytes: &[u8], scan: &Scan) -> usize {
    let Some(last) = scan.lines.last() else {
        return 0;
    };
    let unfinished = usize::from(last.end == last.next);
    unfinished + usize::from(!last.is_blank(bytes))
}

/// Before the line with this index.
pub fn spot_before(bytes: &[u8], scan: &Scan, line: usize) -> Spot {
    let blank_before = line == 0 || scan.lines[line - 1].is_blank(bytes);
    let Some(next) = scan.lines.get(line) else {
        return Spot {
            at: bytes.len(),
            glue: glue_at_end(bytes, scan),
            after: 0,
            note: None,
        };
    };
    Spot {
        at: next.start,
        glue: usize::from(!blank_before),
        after: usize::from(!next.is_blank(bytes)),
        note: None,
    }
}

/// The file with `text`, which has plain line ends, at a spot.
pub fn insert(bytes: &[u8], spot: &Spot, text: &str, ends: LineEnd) -> Vec<u8> {
    let text = format!(
        "{}{text}{}",
        "\n".repeat(spot.glue),
        "\n".repeat(spot.after)
    );
    let mut out = bytes[..spot.at].to_vec();
    // Behind a carriage return a line feed alone would become one line end with it, and be taken for
    // one when the block goes again.
    let text = match out.last() {
        Some(b'\r') if spot.glue > 0 && ends == LineEnd::Lf => format!("\r{text}"),
        _ => text,
    };
    out.extend_from_slice(&ends.apply(&text));
    out.extend_from_slice(&bytes[spot.at..]);
    out
}

/// The file with another text in place of a block.
pub fn replace_block(bytes: &[u8], block: &Block, text: &str, ends: LineEnd) -> Vec<u8> {
    let unfinished = block.span.end > 0 && bytes[block.span.end - 1] != b'\n';
    let text = if unfinished {
        text.trim_end_matches('\n')
    } else {
        text
    };
    replace(bytes, block.span.clone(), &ends.apply(text))
}

pub fn replace(bytes: &[u8], range: std::ops::Range<usize>, text: &[u8]) -> Vec<u8> {
    let mut out = bytes[..range.start].to_vec();
    out.extend_from_slice(text);
    out.extend_from_slice(&bytes[range.end..]);
    out
}

/// The file without a block and without the line ends that came with it.
///
/// When another of our blocks follows directly, it takes over the surroundings of the removed one, so
/// the result is the file as if the removed block had never been there.
pub fn remove_block(bytes: &[u8], scan: &Scan, block: &Block) -> Vec<u8> {
    let seal = block.seal.clone().unwrap_or(Seal {
        glue: 1,
        ..Seal::default()
    });
    if let Some((next, next_seal)) = follower(bytes, scan, block, &seal) {
        let line = markers::seal_line(&Seal {
            glue: seal.glue,
            ..next_seal
        });
        let resealed = replace(bytes, next.seal_span.clone(), line.as_bytes());
        return replace(&resealed, block.span.start..next.span.start, b"");
    }
    let mut end = block.span.end;
    for _ in 0..seal.after {
        end += leading_line_end(&bytes[end..]);
    }
    let mut start = block.span.start;
    let mut last = 0;
    for number in 0..seal.glue {
        let Some(before) = without_line_end(&bytes[..start]) else {
            break;
        };
        // The first of two belongs to a line that had no end of its own; any other ended a blank one.
        if number == 0 && !ends_with_blank_line(&bytes[..before]) {
            break;
        }
        last = start - before;
        start = before;
    }
    let joins_lines = last > 0
        && end < bytes.len()
        && start > document::byte_order_mark(bytes)
        && bytes[start - 1] != b'\n';
    if joins_lines {
        start += last;
    }
    replace(bytes, start..end, b"")
}

/// The block that stands directly behind, when only its own line ends lie between.
fn follower<'a>(
    bytes: &[u8],
    scan: &'a Scan,
    block: &Block,
    seal: &Seal,
) -> Option<(&'a Block, Seal)> {
    let next = scan
        .blocks
        .iter()
        .find(|next| next.span.start >= block.span.end)?;
    let next_seal = next.seal.clone()?;
    let mut at = block.span.end;
    for _ in 0..seal.after + next_seal.glue {
        at += leading_line_end(&bytes[at..]);
    }
    (at == next.span.start).then_some((next, next_seal))
}

fn leading_line_end(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\r\n") {
        2
    } else {
        usize::from(bytes.starts_with(b"\n"))
    }
}

fn without_line_end(bytes: &[u8]) -> Option<usize> {
    let at = bytes.len().checked_sub(1)?;
    if bytes[at] != b'\n' {
        return None;
    }
    Some(if at > 0 && bytes[at - 1] == b'\r' {
        at - 1
    } else {
        at
    })
}

fn ends_with_blank_line(bytes: &[u8]) -> bool {
    let start = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(document::byte_order_mark(bytes), |at| at + 1);
    bytes[start.min(bytes.len())..].trim_ascii().is_empty()
}

/// The file without any of our blocks: what belongs to somebody else.
pub fn without_blocks(bytes: &[u8], family: markers::Family) -> Vec<u8> {
    let mut out = bytes.to_vec();
    loop {
        let scan = markers::scan(&out, family);
        let Some(block) = scan.blocks.last() else {
            return out;
        };
        out = remove_block(&out, &scan, block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backport::markers::{Family, compose, skill_start};

    fn add(bytes: &[u8], id: &str) -> Vec<u8> {
        let scan = markers::scan(bytes, Family::Skill);
        let spot = end_spot(bytes, &scan, "SKILL.md");
        let text = compose(
            Family::Skill,
            &skill_start(id),
            "x\n",
            spot.glue,
            spot.after,
            None,
        );
        insert(bytes, &spot, &text, LineEnd::of(bytes))
    }

    fn remove(bytes: &[u8], id: &str) -> Vec<u8> {
        let scan = markers::scan(bytes, Family::Skill);
        remove_block(bytes, &scan, scan.block(id).expect("the block"))
    }

    const FILES: [&str; 17] = [
        "",
        "\n",
        "a",
        "a\n",
        "a\n\n",
        "a\n\n\n",
        "a\r\n",
        "a\r\nb",
        "a\n   ",
        "---\nx: y\n---",
        "a\rb",
        "\u{feff}",
        "\u{feff}a",
        "a\n```\nopen",
        "```\nopen\n",
        "\n\n\r",
        "a\r",
    ];

    #[test]
    fn blocks_come_and_go_in_any_order() {
        for file in FILES {
            let original = file.as_bytes();
            let one = add(original, "one");
            assert_eq!(remove(&one, "one"), original, "{file:?}");
            let two = add(&one, "two");
            assert_eq!(remove(&two, "two"), one, "{file:?}");
            let other = remove(&two, "one");
            assert_eq!(other, add(original, "two"), "{file:?}");
            assert_eq!(remove(&other, "two"), original, "{file:?}");
        }
    }

    #[test]
    fn text_added_behind_a_block_stays_on_its_own_line() {
        for (file, expected) in [
            ("a", "a\nmore\n"),
            ("a\n", "a\nmore\n"),
            ("a\n\n", "a\n\nmore\n"),
        ] {
            let mut bytes = add(file.as_bytes(), "one");
            bytes.extend_from_slice(b"more\n");
            assert_eq!(
                String::from_utf8(remove(&bytes, "one")).expect("text"),
                expected
            );
        }
        // The blank line before the block is gone: the line end of the text stays.
        let bytes = String::from_utf8(add(b"a\n", "one"))
            .expect("text")
            .replacen("\n\n", "\n", 1);
        assert_eq!(remove(bytes.as_bytes(), "one"), b"a\n");
    }

    #[test]
    fn open_code_stays_open_code() {
        let bytes = add(b"a\n```\nopen", "one");
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.ends_with("-->\n\n```\nopen"), "{text}");
        assert!(text.starts_with("a\n\n<!--"), "{text}");
    }
}
