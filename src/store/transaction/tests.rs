//! Writes that die or fail at every step.

#![expect(clippy::disallowed_methods, reason = "fixtures need no atomic writes")]

use super::*;
use crate::store::folder::Folder;
use std::cell::Cell;
use std::fs;
use std::path::Path;

/// A disk that dies, or fails once, at its n-th change.
struct Faulty<'a> {
    inner: &'a Folder,
    left: Cell<usize>,
    dies: bool,
    dead: Cell<bool>,
}

impl<'a> Faulty<'a> {
    fn new(inner: &'a Folder, at: usize, dies: bool) -> Self {
        Faulty {
            inner,
            left: Cell::new(at),
            dies,
            dead: Cell::new(false),
        }
    }

    fn step(&self) -> io::Result<()> {
        if self.dead.get() {
            return Err(io::Error::other("dead"));
        }
        if self.left.get() == 0 {
            self.left.set(usize::MAX);
            self.dead.set(self.dies);
            return Err(io::Error::other("fault"));
        }
        self.left.set(self.left.get() - 1);
        Ok(())
    }
}

impl Disk for Faulty<'_> {
    fn read(&self, path: &str) -> io::Result<Option<Contents>> {
        if self.dead.get() {
            return Err(io::Error::other("dead"));
        }
        self.inner.read(path)
    }
    fn create(&self, path: &str, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
        if let Err(error) = self.step() {
            if !self.dead.get() || self.dies && self.left.get() == usize::MAX {
                // Cut off in the middle, as a full disk or a kill leaves it.
                let _ = self.inner.create(path, &bytes[..bytes.len() / 2], mode);
                self.left.set(usize::MAX - 1);
            }
            return Err(error);
        }
        self.inner.create(path, bytes, mode)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.step()?;
        self.inner.rename(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.step()?;
        self.inner.remove(path)
    }
    fn make_folder(&self, path: &str) -> io::Result<bool> {
        self.step()?;
        self.inner.make_folder(path)
    }
    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.step()?;
        self.inner.remove_folder(path)
    }
    fn names(&self) -> io::Result<Vec<String>> {
        self.inner.names()
    }
    fn sync(&self, path: &str) -> io::Result<()> {
        self.inner.sync(path)
    }
}

fn state(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for name in ["SKILL.md", "references/r.md"] {
        if let Ok(bytes) = fs::read(folder.join(name)) {
            out.push((name.to_owned(), bytes));
        }
    }
    if folder.join("references").is_dir() {
        out.push(("references".to_owned(), Vec::new()));
    }
    out
}

fn changes(old: &[(String, Vec<u8>)], skill: &str, reference: Option<&str>) -> Vec<FileChange> {
    let of = |name: &str| {
        old.iter()
            .find(|(known, _)| known == name)
            .map(|(_, bytes)| bytes.clone())
    };
    vec![
        FileChange {
            path: "SKILL.md".to_owned(),
            old: of("SKILL.md"),
            new: Some(skill.as_bytes().to_vec()),
        },
        FileChange {
            path: "references/r.md".to_owned(),
            old: of("references/r.md"),
            new: reference.map(|text| text.as_bytes().to_vec()),
        },
    ]
}

fn leftovers(folder: &Path) -> usize {
    let names = fs::read_dir(folder)
        .expect("a folder")
        .filter_map(std::result::Result::ok);
    names
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .count()
}

/// Every step of writing, dying or failing there; then the next run.
#[test]
fn all_old_or_all_new_whatever_happens() {
    for dies in [true, false] {
        for (seed, skill, reference, removable) in [
            (
                vec![("SKILL.md", "old")],
                "new skill",
                Some("new reference"),
                vec![],
            ),
            (
                vec![("SKILL.md", "old"), ("references/r.md", "r")],
                "new skill",
                Some("new reference"),
                vec![],
            ),
            (
                vec![("SKILL.md", "old"), ("references/r.md", "r")],
                "older",
                None,
                vec!["references"],
            ),
        ] {
            let mut finished = 0;
            for at in 0..40 {
                let home = tempfile::tempdir().expect("a folder");
                for (name, text) in &seed {
                    let path = home.path().join(name);
                    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
                    fs::write(path, text).expect("a file");
                }
                let folder = Folder::open(home.path(), home.path(), false).expect("open");
                let old = state(home.path());
                let wanted = changes(&old, skill, reference);
                let faulty = Faulty::new(&folder, at, dies);
                let outcome =
                    write(&faulty, &wanted, &removable, "payload").and_then(|()| finish(&faulty));
                let recovery = recover(&folder).expect("recovery");
                if recovery.outcome == Outcome::Finished {
                    assert_eq!(recovery.payload.as_deref(), Some("payload"));
                    finish(&folder).expect("finish");
                }
                let now = state(home.path());
                let new: Vec<_> = wanted
                    .iter()
                    .filter_map(|change| Some((change.path.clone(), change.new.clone()?)))
                    .collect();
                let is_new = now
                    .iter()
                    .filter(|(name, _)| name != "references")
                    .cloned()
                    .collect::<Vec<_>>()
                    == new
                    && now.iter().any(|(name, _)| name == "references") == reference.is_some();
                assert!(now == old || is_new, "step {at}, dies {dies}: {now:?}");
                if outcome.is_ok() {
                    assert!(is_new);
                }
                assert_eq!(leftovers(home.path()), 0, "step {at}, dies {dies}");
                finished += usize::from(is_new);
            }
            assert!(finished > 10 && finished < 40, "{finished}");
        }
    }
}

#[test]
fn what_changed_in_between_is_left_alone() {
    let home = tempfile::tempdir().expect("a folder");
    fs::write(home.path().join("SKILL.md"), "old").expect("a file");
    let folder = Folder::open(home.path(), home.path(), false).expect("open");
    let wanted = changes(&state(home.path()), "new", Some("r"));
    fs::write(home.path().join("SKILL.md"), "other").expect("a file");
    assert!(
        matches!(write(&folder, &wanted, &[], ""), Err(Failure::Changed(path)) if path == "SKILL.md")
    );
    fs::write(home.path().join("SKILL.md"), "old").expect("a file");
    // Dies behind the journal, before the second file; then a person edits the first.
    let faulty = Faulty::new(&folder, 6, true);
    assert!(write(&faulty, &wanted, &[], "").is_err());
    assert!(is_pending(&folder));
    fs::write(home.path().join("SKILL.md"), "by hand").expect("a file");
    let recovery = recover(&folder).expect("recovery");
    assert_eq!(
        (recovery.outcome, recovery.left_alone),
        (Outcome::Undone, vec!["SKILL.md".to_owned()])
    );
    assert_eq!(
        fs::read_to_string(home.path().join("SKILL.md")).expect("a file"),
        "by hand"
    );
    assert_eq!(leftovers(home.path()), 0);
}

#[cfg(unix)]
#[test]
fn links_modes_and_foreign_journals() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let home = tempfile::tempdir().expect("a folder");
    let victim = home.path().join("victim");
    fs::write(&victim, "old").expect("a file");
    let skill = home.path().join("skill");
    fs::create_dir(&skill).expect("a folder");
    symlink(&victim, skill.join("SKILL.md")).expect("a link");
    let folder = Folder::open(&skill, home.path(), false).expect("open");
    assert!(folder.read("SKILL.md").is_err());
    assert!(Folder::open(home.path(), &skill, false).is_err());
    fs::remove_file(skill.join("SKILL.md")).expect("removed");
    fs::write(skill.join("SKILL.md"), "old").expect("a file");
    symlink(home.path(), skill.join("references")).expect("a link");
    let wanted = changes(
        &[("SKILL.md".to_owned(), b"old".to_vec())],
        "new",
        Some("r"),
    );
    assert!(write(&folder, &wanted, &[], "").is_err());
    assert_eq!(
        fs::read_to_string(skill.join("SKILL.md")).expect("a file"),
        "old"
    );
    fs::remove_file(skill.join("references")).expect("removed");
    fs::set_permissions(skill.join("SKILL.md"), fs::Permissions::from_mode(0o755)).expect("a mode");
    write(&folder, &wanted, &[], "").expect("written");
    finish(&folder).expect("finished");
    let mode = fs::metadata(skill.join("SKILL.md"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o755);
    fs::set_permissions(skill.join("SKILL.md"), fs::Permissions::from_mode(0o444)).expect("a mode");
    let again = changes(&state(&skill), "newer", Some("r"));
    assert!(matches!(
        write(&folder, &again, &[], ""),
        Err(Failure::ReadOnly(_))
    ));
    let foreign = r#"{"files": [{"path": "../victim", "old": null, "new": null, "index": 0}]}"#;
    fs::write(skill.join(JOURNAL), foreign).expect("a file");
    assert!(matches!(recover(&folder), Err(Failure::Journal(_))));
    assert_eq!(fs::read_to_string(&victim).expect("a file"), "old");
}
