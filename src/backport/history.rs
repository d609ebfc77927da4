//! What the log of backports says about one skill.
//!
//! The log is a witness, not the truth: a teammate's clone has none of it, so everything here is
//! optional for the reader.

use serde_json::{Map, Value, json};

use super::diff::Edit;
use super::{Target, digest};
use crate::domain::normal;
use crate::domain::record::Record;

/// The lines of the log that are about one skill, oldest first.
#[derive(Debug, Clone, Default)]
pub struct History<'a> {
    lines: Vec<&'a Record>,
}

/// What one backport did to one file, and how to take it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    pub path: String,
    /// `None`: the file did not exist before.
    pub before: Option<String>,
    /// `None`: the file was removed.
    pub after: Option<String>,
    pub edits: Vec<Edit>,
}

impl<'a> History<'a> {
    /// The lines about `target`. Lines of the first version name the skill by an absolute path.
    pub fn of(records: impl Iterator<Item = &'a Record>, target: &Target) -> History<'a> {
        let suffix = format!("/{}", target.path);
        let lines = records.filter(|record| match record.text("target_skill_path") {
            Some(path) => {
                path == target.path
                    || (!target.path.is_empty() && path.replace('\\', "/").ends_with(&suffix))
            }
            None => record.text("target_skill") == Some(target.name.as_str()),
        });
        History {
            lines: lines.collect(),
        }
    }

    /// Lines of backports that were written to the skill.
    fn applied(&self) -> impl DoubleEndedIterator<Item = &'a Record> + '_ {
        self.lines
            .iter()
            .copied()
            .filter(|record| record.flag("applied") && !is_revert(record))
    }

    /// The line of an applied backport that is still in place.
    pub fn applied_line(&self, backport_id: &str) -> Option<&'a Record> {
        if self.is_reverted(backport_id) {
            return None;
        }
        self.applied()
            .rfind(|record| record.text("backport_id") == Some(backport_id))
    }

    /// The ids of applied backports that are still in place, oldest first.
    pub fn applied_ids(&self) -> Vec<String> {
        let ids = self
            .applied()
            .filter_map(|record| record.text("backport_id"));
        normal::unique(ids.filter(|id| !self.is_reverted(id)).map(str::to_owned))
    }

    /// Whether the last thing that happened to a backport was its reversal.
    pub fn is_reverted(&self, backport_id: &str) -> bool {
        let last = self.lines.iter().rfind(|record| {
            record.flag("applied") && record.text("backport_id") == Some(backport_id)
        });
        last.is_some_and(|record| is_revert(record))
    }

    /// The planned line with this digest, newest first.
    pub fn planned(&self, sha256: &str) -> Option<&'a Record> {
        self.lines
            .iter()
            .copied()
            .rfind(|record| record.text("plan_sha256") == Some(sha256))
    }

    /// The whole digest that a backport recorded for one block.
    pub fn recorded_digest(&self, file: &str, id: &str, backport_id: &str) -> Option<String> {
        let lines = self
            .lines
            .iter()
            .rev()
            .filter(|record| record.flag("applied"));
        lines
            .filter(|record| record.text("backport_id") == Some(backport_id))
            .find_map(|record| {
                block_entry(record, file, id)?
                    .get("sha256")?
                    .as_str()
                    .map(str::to_owned)
            })
    }

    /// Whether any backport of this log made the directory of the reference file.
    pub fn made_directory(&self) -> bool {
        self.applied()
            .any(|record| record.flag("created_directory"))
    }
}

fn is_revert(record: &Record) -> bool {
    record.filled("reverts").is_some()
}

fn block_entry<'a>(record: &'a Record, file: &str, id: &str) -> Option<&'a Map<String, Value>> {
    let blocks = record.0.get("blocks")?.as_array()?;
    blocks.iter().filter_map(Value::as_object).find(|block| {
        block.get("file").and_then(Value::as_str) == Some(file)
            && block.get("id").and_then(Value::as_str) == Some(id)
    })
}

/// The text that a backport replaced in one block, with its markers; `None` when it was new.
pub fn replaced_text(record: &Record, file: &str, id: &str) -> Option<String> {
    block_entry(record, file, id)?
        .get("was")?
        .as_str()
        .map(str::to_owned)
}

/// The entry of one file in the log.
pub fn undo_value(undo: &Undo) -> Value {
    let edits: Vec<Value> = undo
        .edits
        .iter()
        .map(|edit| match std::str::from_utf8(&edit.was) {
            Ok(text) => json!({"at": edit.at, "length": edit.length, "was": text}),
            Err(_) => {
                json!({"at": edit.at, "length": edit.length, "was_hex": digest::hex(&edit.was)})
            }
        })
        .collect();
    json!({
        "path": undo.path,
        "before_sha256": undo.before,
        "after_sha256": undo.after,
        "edits": edits,
    })
}

/// The files that an applied line tells how to take back; `None` when it does not (older writers).
pub fn undo_of(record: &Record) -> Option<Vec<Undo>> {
    let entries = record.0.get("undo")?.as_array()?;
    entries.iter().map(undo_entry).collect()
}

fn undo_entry(value: &Value) -> Option<Undo> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let edits = value.get("edits")?.as_array()?;
    let edits = edits.iter().map(|edit| {
        let number = |key: &str| usize::try_from(edit.get(key)?.as_u64()?).ok();
        let was = match edit.get("was").and_then(Value::as_str) {
            Some(text) => text.as_bytes().to_vec(),
            None => digest::unhex(edit.get("was_hex")?.as_str()?)?,
        };
        Some(Edit {
            at: number("at")?,
            length: number("length")?,
            was,
        })
    });
    Some(Undo {
        path: text("path")?,
        before: text("before_sha256"),
        after: text("after_sha256"),
        edits: edits.collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: Value) -> Record {
        Record(value.as_object().expect("an object").clone())
    }

    #[test]
    fn lines_of_a_skill() {
        let target = Target {
            name: "ci".to_owned(),
            path: "skills/ci".to_owned(),
            skill: Vec::new(),
            reference: None,
        };
        let lines = [
            record(
                json!({"backport_id": "a", "target_skill": "ci", "target_skill_path": "/x/skills/ci", "applied": true}),
            ),
            record(
                json!({"backport_id": "b", "target_skill_path": "skills/ci", "applied": true, "created_directory": true,
                "blocks": [{"file": "SKILL.md", "id": "b", "sha256": "ff", "was": "old"}]}),
            ),
            record(
                json!({"backport_id": "b", "target_skill_path": "skills/ci", "applied": true, "reverts": "b"}),
            ),
            record(
                json!({"backport_id": "c", "target_skill_path": "other/skills-ci", "applied": true}),
            ),
            record(
                json!({"backport_id": "d", "target_skill_path": "skills/ci", "applied": false, "plan_sha256": "00"}),
            ),
        ];
        let history = History::of(lines.iter(), &target);
        assert_eq!(history.applied_ids(), ["a"]);
        assert!(history.is_reverted("b") && !history.is_reverted("a"));
        assert!(history.made_directory());
        assert_eq!(
            history.recorded_digest("SKILL.md", "b", "b").as_deref(),
            Some("ff")
        );
        assert_eq!(
            replaced_text(&lines[1], "SKILL.md", "b").as_deref(),
            Some("old")
        );
        assert_eq!(
            history
                .planned("00")
                .and_then(|line| line.text("backport_id")),
            Some("d")
        );
    }

    #[test]
    fn undo_entries_read_back() {
        let undo = Undo {
            path: "SKILL.md".to_owned(),
            before: None,
            after: Some("aa".to_owned()),
            edits: vec![
                Edit {
                    at: 0,
                    length: 3,
                    was: b"x".to_vec(),
                },
                Edit {
                    at: 9,
                    length: 0,
                    was: vec![0xff, 0x0a],
                },
            ],
        };
        let line = record(json!({"undo": [undo_value(&undo)]}));
        assert_eq!(undo_of(&line), Some(vec![undo]));
        assert_eq!(undo_of(&record(json!({}))), None);
    }
}
