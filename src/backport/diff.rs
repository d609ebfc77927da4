//! Unified diffs of byte files, which `git apply` and `patch -p1` accept from the repository root.
//!
//! Lines end at `\n` and nowhere else, so carriage returns, form feeds and broken encodings pass
//! through. Names go out raw; a name neither tool could read back is an error.

use similar::{Algorithm, DiffOp, DiffTag};

/// How many unchanged lines surround a change.
const CONTEXT: usize = 3;

/// A name that cannot stand in a patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadName(pub String);

/// The diff that turns `old` into `new`; empty when they are the same.
///
/// `path` is relative to the repository root, with `/`. A missing side is `/dev/null`. An empty file
/// cannot be told from a missing one in this format: creating or removing an empty file is left out.
///
/// # Errors
/// When the path holds a character that separates names in a patch (tab, line end, other control
/// character) or starts with a quote.
pub fn unified(path: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<Vec<u8>, BadName> {
    if path.chars().any(char::is_control) || path.starts_with(['/', '"']) || path.is_empty() {
        return Err(BadName(path.to_owned()));
    }
    let old_bytes = old.unwrap_or_default();
    let new_bytes = new.unwrap_or_default();
    if old_bytes == new_bytes {
        return Ok(Vec::new());
    }
    let old_lines = lines(old_bytes);
    let new_lines = lines(new_bytes);
    let operations = similar::capture_diff_slices(Algorithm::Myers, &old_lines, &new_lines);
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(header("---", "a", path, old.is_some()).as_bytes());
    out.extend_from_slice(header("+++", "b", path, new.is_some()).as_bytes());
    for group in similar::group_diff_ops(operations, CONTEXT) {
        write_hunk(&mut out, &group, &old_lines, &new_lines);
    }
    Ok(out)
}

/// Lines with their ends.
pub fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

fn header(sign: &str, side: &str, path: &str, exists: bool) -> String {
    if !exists {
        return format!("{sign} /dev/null\n");
    }
    // Behind a name with blanks a tab says where the name ends.
    let stop = if path.contains(' ') { "\t" } else { "" };
    format!("{sign} {side}/{path}{stop}\n")
}

fn write_hunk(out: &mut Vec<u8>, group: &[DiffOp], old: &[&[u8]], new: &[&[u8]]) {
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return;
    };
    let old_range = span(first.old_range().start, last.old_range().end);
    let new_range = span(first.new_range().start, last.new_range().end);
    out.extend_from_slice(format!("@@ -{old_range} +{new_range} @@\n").as_bytes());
    for operation in group {
        if operation.tag() == DiffTag::Equal {
            for line in &old[operation.old_range()] {
                write_line(out, b' ', line);
            }
            continue;
        }
        for line in &old[operation.old_range()] {
            write_line(out, b'-', line);
        }
        for line in &new[operation.new_range()] {
            write_line(out, b'+', line);
        }
    }
}

fn span(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        length => format!("{},{length}", start + 1),
    }
}

fn write_line(out: &mut Vec<u8>, sign: u8, line: &[u8]) {
    out.push(sign);
    out.extend_from_slice(line);
    if line.last() != Some(&b'\n') {
        out.extend_from_slice(b"\n\\ No newline at end of file\n");
    }
}

/// One replaced piece of a file: in the new file `length` bytes at `at` stand where `was` stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub at: usize,
    pub length: usize,
    pub was: Vec<u8>,
}

/// What has to be put back into `new` to get `old`, in ascending order.
pub fn undo(old: &[u8], new: &[u8]) -> Vec<Edit> {
    let old_lines = lines(old);
    let new_lines = lines(new);
    let starts: Vec<usize> = new_lines
        .iter()
        .scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some(start)
        })
        .collect();
    let start_of = |line: usize| starts.get(line).copied().unwrap_or(new.len());
    similar::capture_diff_slices(Algorithm::Myers, &old_lines, &new_lines)
        .into_iter()
        .filter(|operation| operation.tag() != DiffTag::Equal)
        .map(|operation| {
            let at = start_of(operation.new_range().start);
            Edit {
                at,
                length: start_of(operation.new_range().end) - at,
                was: old_lines[operation.old_range()].concat(),
            }
        })
        .collect()
}

/// Put the pieces back; `None` when they do not fit the file.
pub fn put_back(new: &[u8], edits: &[Edit]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(new.len());
    let mut position = 0;
    for edit in edits {
        out.extend_from_slice(new.get(position..edit.at)?);
        out.extend_from_slice(&edit.was);
        position = edit.at.checked_add(edit.length)?;
    }
    out.extend_from_slice(new.get(position..)?);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str, old: Option<&str>, new: Option<&str>) -> String {
        let diff = unified(path, old.map(str::as_bytes), new.map(str::as_bytes));
        String::from_utf8(diff.expect("a good name")).expect("text")
    }

    #[test]
    fn forms_of_a_diff() {
        assert_eq!(
            text("a b/x.md", Some("1\n2"), Some("1\n2\n3\n")),
            "--- a/a b/x.md\t\n+++ b/a b/x.md\t\n@@ -1,2 +1,3 @@\n 1\n-2\n\\ No newline at end of file\n+2\n+3\n"
        );
        assert_eq!(
            text("x", None, Some("1\n")),
            "--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+1\n"
        );
        assert_eq!(
            text("x", Some("1\n"), None),
            "--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n"
        );
        assert_eq!(text("x", Some("1\n"), Some("1\n")), "");
        for name in ["", "a\tb", "a\nb", "/x", "\"q"] {
            assert_eq!(
                unified(name, None, Some(b"x")),
                Err(BadName(name.to_owned()))
            );
        }
    }

    #[test]
    fn what_was_put_away_comes_back() {
        for (old, new) in [
            ("", "a\n"),
            ("a\nb\nc", "a\nx\nc\n"),
            ("a\r\nb\r\n", "a\r\n"),
            ("h1\nh2\nbody\n", "H1\nh2\nbody\nmore\n"),
        ] {
            let edits = undo(old.as_bytes(), new.as_bytes());
            assert_eq!(
                put_back(new.as_bytes(), &edits).as_deref(),
                Some(old.as_bytes())
            );
        }
        let edit = Edit {
            at: 9,
            length: 1,
            was: Vec::new(),
        };
        assert_eq!(put_back(b"short", &[edit]), None);
    }
}
