//! Graduation: proven cards become part of another skill, as a diff that can be read, checked and
//! undone.
//!
//! Everything here is a pure function from bytes and records to bytes and findings. Deliberately
//! absent: files, clock, environment, randomness, printing. Writing the result is the work of
//! `store::transaction`; asking somebody first is the work of the commands.
//!
//! What a skill gets: one file of full cards (`references/self-learning-aha.md`), each card between
//! its own markers, and one short block in `SKILL.md`, either a pointer to that file or one line per
//! card under `## Gotchas`. Every block carries the digest of its own text in a comment line, so a
//! later reader can tell whether a person has changed it, without any log.

pub mod bundle;
pub mod diff;
pub mod digest;
pub mod document;
pub mod gate;
pub mod history;
pub mod inspect;
pub mod markers;
pub mod plan;
pub mod reference;
pub mod render;
pub mod revert;
pub mod skill;
pub mod splice;

/// The full cards, relative to the skill's directory.
pub const REFERENCE_PATH: &str = "references/self-learning-aha.md";

/// The skill's own file, relative to its directory.
pub const SKILL_PATH: &str = "SKILL.md";

/// What this version writes. Part of every plan's digest: a plan made by another renderer is not
/// the plan somebody approved.
pub const RENDERER: &str = "self-learning backport 1";

/// The two files a backport may touch, as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The last component of the skill's directory.
    pub name: String,
    /// The skill's directory, relative to the repository root, with `/`; empty for the root itself.
    pub path: String,
    /// The bytes of `SKILL.md`.
    pub skill: Vec<u8>,
    /// The bytes of the reference file; `None` when there is none.
    pub reference: Option<Vec<u8>>,
}

impl Target {
    /// A path inside the skill, relative to the repository root.
    pub fn repository_path(&self, path: &str) -> String {
        match self.path.as_str() {
            "" | "." => path.to_owned(),
            directory => format!("{directory}/{path}"),
        }
    }
}

/// One file before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Relative to the skill's directory.
    pub path: &'static str,
    /// `None`: the file does not exist.
    pub old: Option<Vec<u8>>,
    /// `None`: the file is removed.
    pub new: Option<Vec<u8>>,
}

impl Change {
    pub fn is_change(&self) -> bool {
        self.old != self.new
    }
}
