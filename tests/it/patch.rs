//! Our diffs against the tools that have to take them: `git apply` and `patch`.

use std::fs;
use std::path::Path;
use std::process::Command;

use self_learning::backport::diff;

use crate::support::write;

struct Pair {
    name: &'static str,
    path: &'static str,
    old: Option<Vec<u8>>,
    new: Option<Vec<u8>>,
}

fn pair(name: &'static str, path: &'static str, old: Option<&str>, new: Option<&str>) -> Pair {
    let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
    Pair {
        name,
        path,
        old: bytes(old),
        new: bytes(new),
    }
}

fn pairs() -> Vec<Pair> {
    let long = |from: usize, to: usize| {
        (from..to)
            .map(|number| format!("line {number}\n"))
            .collect::<String>()
    };
    let file = "skills/ci/SKILL.md";
    let mut out = vec![
        pair("edit a line", file, Some("a\nb\nc\n"), Some("a\nB\nc\n")),
        pair("append", file, Some("a\n"), Some("a\n\nb\n")),
        pair(
            "append to text without an end",
            file,
            Some("a"),
            Some("a\n\nb\n"),
        ),
        pair(
            "take the last line end away",
            file,
            Some("a\nb\n"),
            Some("a\nb"),
        ),
        pair("no end on both sides", file, Some("a\nb"), Some("a\nc")),
        pair("add the last line end", file, Some("a\nb"), Some("a\nb\n")),
        pair("prepend", file, Some("a\nb\n"), Some("0\na\nb\n")),
        pair("delete a line", file, Some("a\nb\nc\n"), Some("a\nc\n")),
        pair(
            "delete all but keep the file",
            file,
            Some("a\nb\n"),
            Some(""),
        ),
        pair("fill an empty file", file, Some(""), Some("a\nb\n")),
        pair(
            "fill an empty file without an end",
            file,
            Some(""),
            Some("a"),
        ),
        pair(
            "new file",
            "skills/ci/references/r.md",
            None,
            Some("a\nb\n"),
        ),
        pair(
            "new file without an end",
            "skills/ci/references/r.md",
            None,
            Some("a\nb"),
        ),
        pair("new file of one line", "new.md", None, Some("a\n")),
        pair("remove a file", "old.md", Some("a\nb\n"), None),
        pair("remove a file without an end", "old.md", Some("a"), None),
        pair(
            "two hunks",
            file,
            Some(&long(0, 40)),
            Some(
                &long(0, 40)
                    .replace("line 3\n", "x\n")
                    .replace("line 30\n", ""),
            ),
        ),
        pair(
            "neighbouring hunks",
            file,
            Some(&long(0, 20)),
            Some(
                &long(0, 20)
                    .replace("line 3\n", "x\n")
                    .replace("line 10\n", "y\n"),
            ),
        ),
        pair(
            "everything changes",
            file,
            Some(&long(0, 30)),
            Some(&long(100, 120)),
        ),
        pair(
            "windows ends",
            file,
            Some("a\r\nb\r\n"),
            Some("a\r\nB\r\n\r\nc\r\n"),
        ),
        pair(
            "windows to unix ends",
            file,
            Some("a\r\nb\r\n"),
            Some("a\nb\n"),
        ),
        pair(
            "mixed ends",
            file,
            Some("a\r\nb\nc\r\n"),
            Some("a\r\nb\nd\nc\r\n"),
        ),
        pair(
            "a carriage return alone",
            file,
            Some("a\rb\nc\n"),
            Some("a\rb\nd\n"),
        ),
        pair(
            "a carriage return at the end",
            file,
            Some("a\nb\r"),
            Some("a\nb\r\nc\r"),
        ),
        pair(
            "form feed and separators",
            file,
            Some("a\u{c}b\u{85}c\u{2028}d\n"),
            Some("a\u{c}b\u{85}c\u{2028}d\ne\n"),
        ),
        pair(
            "a byte order mark",
            file,
            Some("\u{feff}a\n"),
            Some("\u{feff}a\nb\n"),
        ),
        pair(
            "other scripts",
            file,
            Some("日本\nשלום\n"),
            Some("日本\n中文\nשלום\n"),
        ),
        pair(
            "lines that look like a patch",
            file,
            Some("--- a/x\n+++ b/x\n@@ -1 +1 @@\n"),
            Some("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-- \n+\n"),
        ),
        pair(
            "dashes",
            file,
            Some("---\nname: x\n---\n"),
            Some("---\nname: x\n---\n\n-- y\n"),
        ),
        pair(
            "blank lines at the end",
            file,
            Some("a\n\n\n\n"),
            Some("a\n\n\n\nb\n"),
        ),
        pair("only blanks", file, Some("  \n\t\n"), Some("  \n\t\n \n")),
        pair(
            "a name with blanks",
            "my skills/a b/SKILL.md",
            Some("a\n"),
            Some("b\n"),
        ),
        pair(
            "a new name with blanks",
            "my skills/a b/references/self learning.md",
            None,
            Some("b\n"),
        ),
        pair(
            "a name in another script",
            "skills/größe/文書.md",
            Some("a\n"),
            Some("b\n"),
        ),
        pair(
            "a name with signs",
            "skills/a'b$c&d(1)/S#K.md",
            Some("a\n"),
            Some("b\n"),
        ),
        pair("a file at the root", "SKILL.md", Some("a\n"), Some("b\n")),
        pair(
            "a long line",
            file,
            Some("x\n"),
            Some(&format!("x\n{}\n", "y".repeat(100_000))),
        ),
        pair(
            "repeated lines",
            file,
            Some(&"same\n".repeat(30)),
            Some(&"same\n".repeat(31)),
        ),
    ];
    out.push(Pair {
        name: "no encoding at all",
        path: file,
        old: Some(b"a\xff\xfe\n\xc3\n".to_vec()),
        new: Some(b"a\xff\xfe\n\xc3\nb\x80\n".to_vec()),
    });
    out
}

/// Apply `patch` to `old` with a tool in a folder of its own; the file as it is then.
fn applied(pair: &Pair, patch: &[u8], tool: &[&str]) -> Option<Vec<u8>> {
    let home = tempfile::tempdir().expect("a folder");
    let git = Command::new("git")
        .args(["init", "-q"])
        .current_dir(home.path())
        .status()
        .expect("git");
    assert!(git.success());
    let file = home.path().join(pair.path);
    if let Some(old) = &pair.old {
        write(&file, old);
    }
    let patch_file = home.path().join("backport.patch");
    write(&patch_file, patch);
    let run = |tool: &[&str]| {
        let output = Command::new(tool[0])
            .args(&tool[1..])
            .arg(&patch_file)
            .current_dir(home.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .output()
            .expect("the tool starts");
        assert!(
            output.status.success(),
            "{}: {tool:?}: {}{}\n{}",
            pair.name,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(patch)
        );
    };
    if tool[0] == "git" {
        run(&["git", "apply", "--check"]);
    }
    run(tool);
    assert!(
        !Path::new(&format!("{}.orig", file.display())).exists(),
        "{}: fuzz",
        pair.name
    );
    fs::read(&file).ok()
}

#[test]
fn git_and_patch_take_every_diff_and_give_our_bytes() {
    let pairs = pairs();
    assert!(pairs.len() >= 30);
    for pair in &pairs {
        let patch = diff::unified(pair.path, pair.old.as_deref(), pair.new.as_deref())
            .expect("a good name");
        let with_git = applied(pair, &patch, &["git", "apply"]);
        assert_eq!(with_git, pair.new, "{} with git", pair.name);
        let with_patch = applied(pair, &patch, &["patch", "-s", "-p1", "--binary", "-i"]);
        // `patch` cannot tell an emptied file from a removed one unless the header says so; either way
        // nothing of the content is left.
        assert_eq!(
            with_patch.unwrap_or_default(),
            pair.new.clone().unwrap_or_default(),
            "{} with patch",
            pair.name
        );
    }
}

#[test]
fn what_is_undone_is_what_was_there() {
    for pair in pairs() {
        let (old, new) = (pair.old.unwrap_or_default(), pair.new.unwrap_or_default());
        let edits = diff::undo(&old, &new);
        assert_eq!(diff::put_back(&new, &edits), Some(old), "{}", pair.name);
    }
}
