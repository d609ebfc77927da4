//! Taking a backport back: exactly, when nothing has happened since; else only what it brought.

use super::document::LineEnd;
use super::history::{self, History};
use super::markers::{self, Block, Family};
use super::plan::{self, Card, Refusal};
use super::reference::{self, HeaderValues};
use super::skill::{self, Conflict};
use super::{Change, REFERENCE_PATH, RENDERER, SKILL_PATH, Target, diff, digest, splice};
use serde_json::{Value, json};

use super::bundle::Approval;
use crate::domain::record::Record;

/// What taking a backport back would write.
#[derive(Debug, Clone)]
pub struct Revert {
    pub backport_id: String,
    /// Whether the files become what they were before, byte for byte.
    pub exact: bool,
    /// Cards that leave the skill.
    pub removed: Vec<String>,
    /// Cards that get their earlier text back.
    pub restored: Vec<String>,
    /// Cards that stay.
    pub remaining: Vec<String>,
    /// `SKILL.md`, then the reference file; both, changed or not.
    pub changes: Vec<Change>,
    pub patch: Vec<u8>,
    /// Whether the directory of the reference file goes when it is empty then.
    pub remove_directory: bool,
    pub notes: Vec<String>,
    pub sha256: String,
}

impl Revert {
    pub fn is_noop(&self) -> bool {
        !self.changes.iter().any(Change::is_change)
    }
}

/// Why a backport cannot be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevertRefusal {
    /// Nothing of it is in the skill; the ids that are.
    NotFound(Vec<String>),
    Refused(Refusal),
}

impl From<Refusal> for RevertRefusal {
    fn from(refusal: Refusal) -> Self {
        RevertRefusal::Refused(refusal)
    }
}

/// Plan to take a backport back.
///
/// `card_of` gives the card of an id when the store has it, to tell hand edits in blocks of older
/// writers. `overwrite` removes blocks even when a person has changed them.
///
/// # Errors
/// When nothing of the backport is there, when a person has changed what would be removed, or when
/// markers are damaged.
pub fn revert(
    target: &Target,
    backport_id: &str,
    history: &History<'_>,
    card_of: &dyn Fn(&str) -> Option<Card>,
    overwrite: bool,
) -> Result<Revert, RevertRefusal> {
    let line = history.applied_line(backport_id);
    let mut out = match line.and_then(|line| exact(target, line)) {
        Some(changes) => Revert {
            backport_id: backport_id.to_owned(),
            exact: true,
            removed: Vec::new(),
            restored: Vec::new(),
            remaining: Vec::new(),
            changes,
            patch: Vec::new(),
            remove_directory: false,
            notes: Vec::new(),
            sha256: String::new(),
        },
        None => piecewise(target, backport_id, line, history, card_of, overwrite)?,
    };
    let ids = |bytes: Option<&[u8]>| {
        bytes
            .map(|bytes| reference::read(bytes).ids())
            .unwrap_or_default()
    };
    let before = ids(target.reference.as_deref());
    out.remaining = ids(out.changes[1].new.as_deref());
    out.removed = before
        .iter()
        .filter(|id| !out.remaining.contains(id))
        .cloned()
        .collect();
    let of_backport = |id: &&String| {
        line.is_some_and(|line| history::replaced_text(line, REFERENCE_PATH, id).is_some())
    };
    out.restored = out.remaining.iter().filter(of_backport).cloned().collect();
    out.remove_directory =
        out.changes[1].new.is_none() && target.reference.is_some() && history.made_directory();
    out.patch = plan::patch(target, &out.changes)?;
    let text = format!(
        "{RENDERER}\nrevert {backport_id}\ntarget {}\noverwrite {overwrite}\n{}",
        target.path,
        plan::changes_text(&out.changes)
    );
    out.sha256 = digest::of_bytes(text.as_bytes());
    Ok(out)
}

/// The changes that restore the bytes of before; `None` when a file is not as the backport left it.
fn exact(target: &Target, line: &Record) -> Option<Vec<Change>> {
    let undo = history::undo_of(line)?;
    let mut changes = unchanged(target);
    for entry in &undo {
        let change = changes
            .iter_mut()
            .find(|change| change.path == entry.path)?;
        if change.old.as_deref().map(digest::of_bytes) != entry.after {
            return None;
        }
        let restored = diff::put_back(change.old.as_deref().unwrap_or_default(), &entry.edits)?;
        change.new = match &entry.before {
            Some(before) if digest::of_bytes(&restored) == *before => Some(restored),
            Some(_) => return None,
            None => None,
        };
    }
    (!undo.is_empty()).then_some(changes)
}

fn unchanged(target: &Target) -> Vec<Change> {
    vec![
        Change {
            path: SKILL_PATH,
            old: Some(target.skill.clone()),
            new: Some(target.skill.clone()),
        },
        Change {
            path: REFERENCE_PATH,
            old: target.reference.clone(),
            new: target.reference.clone(),
        },
    ]
}

fn piecewise(
    target: &Target,
    backport_id: &str,
    line: Option<&Record>,
    history: &History<'_>,
    card_of: &dyn Fn(&str) -> Option<Card>,
    overwrite: bool,
) -> Result<Revert, RevertRefusal> {
    let mut changes = unchanged(target);
    let mut notes = Vec::new();
    let mut conflicts = Vec::new();
    let scan = markers::scan(&target.skill, Family::Skill);
    skill::check(&scan, SKILL_PATH).map_err(|conflict| Refusal::Conflicts(vec![conflict]))?;
    let file = reference::read(target.reference.as_deref().unwrap_or_default());
    skill::check(&file.scan, REFERENCE_PATH)
        .map_err(|conflict| Refusal::Conflicts(vec![conflict]))?;
    let ours = |block: &&Block| block.backport_id.as_deref() == Some(backport_id);
    let cards: Vec<String> = file
        .scan
        .blocks
        .iter()
        .filter(ours)
        .map(|block| block.id.clone())
        .collect();
    if cards.is_empty() && !scan.blocks.iter().any(|block| block.id == backport_id) {
        let mut known = history.applied_ids();
        known.extend(scan.ids());
        known.extend(
            file.scan
                .blocks
                .iter()
                .filter_map(|block| block.backport_id.clone()),
        );
        return Err(RevertRefusal::NotFound(crate::domain::normal::unique(
            known.into_iter(),
        )));
    }
    let mut gone = Vec::new();
    if let Some(old) = &target.reference {
        let mut bytes = old.clone();
        for id in &cards {
            let found = markers::scan(&bytes, Family::Card);
            let Some(block) = found.block(id) else {
                continue;
            };
            if !overwrite
                && let Some(conflict) = hand_edit(block, REFERENCE_PATH, card_of(id).as_ref())
            {
                conflicts.push(conflict);
                continue;
            }
            let was = line
                .and_then(|line| history::replaced_text(line, REFERENCE_PATH, id))
                .filter(|was| still_wanted(was, history));
            bytes = match was {
                Some(was) => splice::replace_block(
                    &bytes,
                    block,
                    &was.replace("\r\n", "\n"),
                    LineEnd::of(&bytes),
                ),
                None => {
                    gone.push(id.clone());
                    splice::remove_block(&bytes, &found, block)
                }
            };
        }
        changes[1].new = tidied(bytes, backport_id, line.is_some() || !cards.is_empty(), old);
    }
    let remaining = changes[1]
        .new
        .as_deref()
        .map(reference::read)
        .filter(|file| !file.ids().is_empty());
    let successor = remaining.as_ref().and_then(|file| {
        file.scan
            .blocks
            .iter()
            .rev()
            .find_map(|block| block.backport_id.clone())
    });
    let mut bytes = target.skill.clone();
    loop {
        let found = markers::scan(&bytes, Family::Skill);
        let next = found.blocks.iter().find_map(|block| {
            let edit = skill_step(
                &bytes,
                &found,
                block,
                backport_id,
                &gone,
                remaining.is_some(),
                successor.as_deref(),
            )?;
            (edit != bytes).then_some((block.clone(), edit))
        });
        let Some((block, edit)) = next else {
            break;
        };
        if !overwrite && let Some(conflict) = hand_edit(&block, SKILL_PATH, None) {
            conflicts.push(conflict);
            break;
        }
        bytes = edit;
    }
    changes[0].new = Some(bytes);
    if !conflicts.is_empty() {
        return Err(Refusal::Conflicts(conflicts).into());
    }
    notes.push(
        "the files have changed since this backport: only what it brought is removed".to_owned(),
    );
    Ok(Revert {
        backport_id: backport_id.to_owned(),
        exact: false,
        removed: Vec::new(),
        restored: Vec::new(),
        remaining: Vec::new(),
        changes,
        patch: Vec::new(),
        remove_directory: false,
        notes,
        sha256: String::new(),
    })
}

/// Whether the text a backport replaced belongs to a backport that is still in place.
fn still_wanted(was: &str, history: &History<'_>) -> bool {
    let scan = markers::scan(was.as_bytes(), Family::Card);
    match scan
        .blocks
        .first()
        .and_then(|block| block.backport_id.clone())
    {
        Some(backport) => !history.is_reverted(&backport),
        None => true,
    }
}

/// A conflict when somebody has changed the block by hand.
fn hand_edit(block: &Block, file: &'static str, card: Option<&Card>) -> Option<Conflict> {
    let edited = match block.is_sealed() {
        Some(sealed) => !sealed,
        // Without a digest only a card can tell; a pointer says nothing worth keeping.
        None => card.is_some_and(|card| plan::legacy_version(block, card).is_none()),
    };
    edited.then(|| skill::edited(block, file))
}

/// The reference file with its header brought up to date; `None` when nothing of anybody is left.
fn tidied(bytes: Vec<u8>, backport_id: &str, ours: bool, old: &[u8]) -> Option<Vec<u8>> {
    if bytes == old {
        return Some(bytes);
    }
    let file = reference::read(&bytes);
    let ids = file.ids();
    if ids.is_empty() && ours && reference::is_bare(&bytes) {
        return None;
    }
    let Some(header) = &file.header else {
        return Some(bytes);
    };
    if file.scan.blocks.is_empty() && file.bullets.is_empty() {
        return Some(reference::without_header(&bytes));
    }
    let last = file
        .scan
        .blocks
        .iter()
        .rev()
        .find_map(|block| block.backport_id.clone());
    let current = header.value("backport_id").unwrap_or_default();
    let keeper = if current == backport_id {
        last.unwrap_or_default()
    } else {
        current.to_owned()
    };
    let values = HeaderValues {
        backport_id: &keeper,
        generated_at: header.value("generated_at").unwrap_or_default(),
        card_ids: &ids,
    };
    Some(reference::with_header(&bytes, &values, LineEnd::of(&bytes)))
}

/// `SKILL.md` after one step on one of its blocks; `None` when the block stays as it is.
fn skill_step(
    bytes: &[u8],
    scan: &markers::Scan,
    block: &Block,
    backport_id: &str,
    gone: &[String],
    cards_remain: bool,
    successor: Option<&str>,
) -> Option<Vec<u8>> {
    let ends = LineEnd::of(bytes);
    if !cards_remain {
        return Some(splice::remove_block(bytes, scan, block));
    }
    let start = |id: &str| markers::skill_start(id);
    if block.into_gotchas() {
        let body = block.body_text();
        let Some(left) = skill::without_lessons(&body, gone) else {
            return Some(splice::remove_block(bytes, scan, block));
        };
        if left == body {
            return None;
        }
        let seal = block.seal.clone().unwrap_or_default();
        let id = if block.id == backport_id {
            successor.unwrap_or(&block.id)
        } else {
            &block.id
        };
        let text = markers::compose(
            Family::Skill,
            &start(id),
            &left,
            seal.glue,
            seal.after,
            Some("gotchas"),
        );
        return Some(splice::replace_block(bytes, block, &text, ends));
    }
    if block.id != backport_id {
        return None;
    }
    let successor = successor?;
    Some(splice::replace(
        bytes,
        block.start_line_span.clone(),
        start(successor).as_bytes(),
    ))
}

/// The line of the log for a backport taken back.
pub fn log_line(revert: &Revert, target: &Target, approval: Option<&Approval>, at: &str) -> Record {
    let value = json!({
        "ts": at,
        "backport_id": revert.backport_id,
        "reverts": revert.backport_id,
        "target_skill": target.name,
        "target_skill_path": target.path,
        "requested_card_ids": [],
        "added_card_ids": [],
        "result_card_ids": revert.remaining,
        "applied": approval.is_some(),
        "removed_card_ids": revert.removed,
        "restored_card_ids": revert.restored,
        "exact": revert.exact,
        "plan_sha256": revert.sha256,
        "approval": approval.map_or(Value::Null, |approval| approval.value(at)),
    });
    match value {
        Value::Object(map) => Record(map),
        _ => Record(serde_json::Map::new()),
    }
}
