//! Whether git ignores the store, and the rule that makes it so.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// The folder that stays out of commits.
const FOLDER: &str = ".agent-skills";

/// Add the rule to `<root>/.gitignore` unless its rules already ignore the folder.
/// Returns whether a rule was added.
///
/// # Errors
/// When the file cannot be read or appended to.
pub fn protect(root: &Path) -> Result<bool> {
    let path = root.join(".gitignore");
    let old = rules(root)?;
    if ignores_store(&old) {
        return Ok(false);
    }
    let mut text = String::new();
    if !old.is_empty() && !old.ends_with(b"\n") {
        text.push('\n');
    }
    text.push_str("\n# Local per-user agent skill memory\n.agent-skills/\n");
    let failed = |error: std::io::Error| Error::io("append to", &path, &error);
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(true)
}

/// The root `.gitignore`; nothing when there is none.
///
/// # Errors
/// When it is a link or no plain file: it could lead to a device or a pipe that never ends.
pub fn rules(root: &Path) -> Result<Vec<u8>> {
    let path = root.join(".gitignore");
    super::paths::refuse_links(root, &path)?;
    match path.symlink_metadata() {
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => Err(Error::refused(
            "not_a_file",
            format!("`{}` is no plain file", path.display()),
        )),
        Ok(_) => fs::read(&path).map_err(|error| Error::io("read", &path, &error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("read", &path, &error)),
    }
}

/// Whether the rules of a root `.gitignore` ignore the store's folder: the last rule that matches
/// decides, comments and blank lines do not count.
pub fn ignores_store(bytes: &[u8]) -> bool {
    let mut ignored = false;
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches('\r').trim_end_matches(' ');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (negated, rule) = match line.strip_prefix('!') {
            Some(rule) => (true, rule),
            None => (false, line),
        };
        let rule = rule.strip_prefix("**/").unwrap_or(rule);
        let rule = rule.strip_prefix('/').unwrap_or(rule);
        let whole = rule
            .strip_suffix("/**")
            .or_else(|| rule.strip_suffix("/*"))
            .unwrap_or(rule);
        let whole = whole.strip_suffix('/').unwrap_or(whole);
        if !whole.contains('/') && matches(whole.as_bytes(), FOLDER.as_bytes()) {
            ignored = !negated;
        }
    }
    ignored
}

/// Shell wildcards `*` and `?` over one path part.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some(b'*'), _) => {
            matches(&pattern[1..], text) || (!text.is_empty() && matches(pattern, &text[1..]))
        }
        (Some(b'?'), Some(_)) => matches(&pattern[1..], &text[1..]),
        (Some(expected), Some(found)) if expected == found => matches(&pattern[1..], &text[1..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_not_substrings() {
        for (text, ignored) in [
            ("", false),
            ("# do not add .agent-skills/ here\n", false),
            ("!.agent-skills/\n", false),
            ("docs/.agent-skills/\n", false),
            ("target\n.agent-skills/\n", true),
            ("/.agent-skills\r\n", true),
            (".agent-*\n", true),
            ("**/.agent-skills/**", true),
            (".*\n", true),
            (".agent-skills/\n!.agent-skills/\n", false),
        ] {
            assert_eq!(ignores_store(text.as_bytes()), ignored, "{text:?}");
        }
        assert!(ignores_store(b"caf\xe9\n.agent-skills/\n"));
    }
}
