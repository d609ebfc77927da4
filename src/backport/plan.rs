//! The plan: what a backport would write, what that costs, and the digest somebody approves.

use super::document::{self, LineEnd};
use super::gate::{self, Rules, Trust, Verdict};
use super::history::{History, Undo};
use super::markers::{self, Block, Family};
use super::reference::{self, HeaderValues};
use super::skill::{self, Conflict, Placement, SkillChange};
use super::{Change, REFERENCE_PATH, RENDERER, SKILL_PATH, Target, diff, digest, render, splice};
use crate::domain::record::Record;
use crate::domain::time::Timestamp;

/// A card to put into the skill.
#[derive(Debug, Clone)]
pub struct Card {
    pub id: String,
    pub current: Record,
    /// Earlier versions, to recognise what older writers made of them.
    pub versions: Vec<Record>,
    /// What signals say of its text.
    pub trust: Trust,
}

/// How to go about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub backport_id: String,
    pub generated_at: Timestamp,
    pub into: Placement,
    /// Replace blocks that a person has changed.
    pub overwrite: bool,
    /// Rewrite blocks of older writers in today's form.
    pub upgrade: bool,
    /// Refuse to add more than this many tokens.
    pub max_tokens: Option<usize>,
}

/// What happens to one card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardChange {
    Added,
    Updated,
    Unchanged,
}

/// A block as it will stand, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRecord {
    pub file: &'static str,
    pub id: String,
    /// The whole digest of its text.
    pub sha256: String,
    /// The block before, with its markers, when there was one with other text.
    pub was: Option<String>,
}

/// Estimated tokens (a quarter of the bytes), before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub before: usize,
    pub after: usize,
}

impl Cost {
    fn of(old: &[u8], new: &[u8]) -> Cost {
        Cost {
            before: old.len().div_ceil(4),
            after: new.len().div_ceil(4),
        }
    }

    pub fn added(self) -> usize {
        self.after.saturating_sub(self.before)
    }
}

/// What the change costs whoever uses the skill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    /// `SKILL.md` without its frontmatter: read every time the skill is used.
    pub always_on: Cost,
    /// The reference file: read when needed.
    pub on_demand: Cost,
}

impl Tokens {
    pub fn added(self) -> usize {
        self.always_on.added() + self.on_demand.added()
    }
}

/// A whole plan. Equal inputs give an equal plan, byte for byte.
#[derive(Debug, Clone)]
pub struct Plan {
    pub options: Options,
    pub target_name: String,
    pub target_path: String,
    pub requested: Vec<String>,
    pub existing: Vec<String>,
    pub added: Vec<String>,
    pub updated: Vec<String>,
    pub result: Vec<String>,
    pub skill_change: SkillChange,
    /// `SKILL.md`, then the reference file; both, changed or not.
    pub changes: Vec<Change>,
    /// The unified diff from the repository root; empty when nothing changes.
    pub patch: Vec<u8>,
    pub blocks: Vec<BlockRecord>,
    pub undo: Vec<Undo>,
    pub tokens: Tokens,
    pub verdicts: Vec<Verdict>,
    /// What a reader should know: open fences, second blocks.
    pub notes: Vec<String>,
    /// What the plan was made from, each with its digest, to name what has changed since.
    pub inputs: Vec<(String, String)>,
    pub sha256: String,
}

impl Plan {
    /// Whether applying it would change nothing.
    pub fn is_noop(&self) -> bool {
        !self.changes.iter().any(Change::is_change)
    }

    /// The new bytes of a file, as far as it will exist.
    pub fn new_bytes(&self, path: &str) -> Option<&[u8]> {
        self.changes
            .iter()
            .find(|change| change.path == path)?
            .new
            .as_deref()
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Cards that may not leave the project; all verdicts, also the good ones.
    Gate(Vec<Verdict>),
    /// Blocks that somebody has changed or damaged.
    Conflicts(Vec<Conflict>),
    /// More tokens than allowed.
    Budget { limit: usize, tokens: Tokens },
    /// A file that is no single-byte or UTF-8 text: nothing can be added to it.
    Encoding(&'static str),
    /// A path no patch can name.
    Name(String),
    /// The result failed its own check; nothing may be written.
    Unsound(String),
}

/// Plan to put cards into a skill.
///
/// # Errors
/// A [`Refusal`]; then nothing may be written.
pub fn plan(
    target: &Target,
    cards: &[Card],
    options: &Options,
    rules: Rules<'_>,
    history: &History<'_>,
) -> Result<Plan, Refusal> {
    let cards = unique(cards);
    let verdicts: Vec<Verdict> = cards
        .iter()
        .map(|card| gate::check(&card.current, &card.id, card.trust, rules))
        .collect();
    if !verdicts.iter().all(Verdict::passes) {
        return Err(Refusal::Gate(verdicts));
    }
    for (path, bytes) in [
        (SKILL_PATH, Some(&target.skill)),
        (REFERENCE_PATH, target.reference.as_ref()),
    ] {
        if bytes.is_some_and(|bytes| document::is_wide(bytes)) {
            return Err(Refusal::Encoding(path));
        }
    }
    let mut notes = Vec::new();
    let old_reference = target.reference.as_deref();
    let cards_edit = edit_reference(old_reference, target, &cards, options, history, &mut notes)?;
    let changed = cards_edit
        .changes
        .iter()
        .any(|change| *change != CardChange::Unchanged);
    let scan = markers::scan(&target.skill, Family::Skill);
    skill::check(&scan, SKILL_PATH).map_err(|conflict| Refusal::Conflicts(vec![conflict]))?;
    for line in &scan.foreign {
        notes.push(format!(
            "{SKILL_PATH}:{line}: a marker of the reference file; left alone"
        ));
    }
    let skill_edit = match options.into {
        Placement::Reference => skill::place_pointer(
            &target.skill,
            &options.backport_id,
            changed,
            options.upgrade,
        ),
        Placement::Gotchas => {
            let lessons: Vec<(String, String)> = cards
                .iter()
                .map(|card| (card.id.clone(), render::lesson(&card.current, &card.id)))
                .collect();
            skill::place_gotchas(
                &target.skill,
                &options.backport_id,
                &lessons,
                options.overwrite,
            )
            .map_err(|conflict| Refusal::Conflicts(vec![conflict]))?
        }
    };
    notes.extend(skill_edit.notes.iter().cloned());
    let tokens = Tokens {
        always_on: Cost::of(body(&target.skill), body(&skill_edit.bytes)),
        on_demand: Cost::of(old_reference.unwrap_or_default(), &cards_edit.bytes),
    };
    if let Some(limit) = options.max_tokens.filter(|limit| tokens.added() > *limit) {
        return Err(Refusal::Budget { limit, tokens });
    }
    let changes = vec![
        Change {
            path: SKILL_PATH,
            old: Some(target.skill.clone()),
            new: Some(skill_edit.bytes),
        },
        Change {
            path: REFERENCE_PATH,
            old: target.reference.clone(),
            new: Some(cards_edit.bytes),
        },
    ];
    let mut blocks = cards_edit.blocks;
    if skill_edit.change != SkillChange::Unchanged {
        blocks.extend(skill_block(
            &changes[0],
            &options.backport_id,
            skill_edit.was,
        ));
    }
    let with_change = |wanted: CardChange| -> Vec<String> {
        let pairs = cards.iter().zip(&cards_edit.changes);
        pairs
            .filter(|(_, change)| **change == wanted)
            .map(|(card, _)| card.id.clone())
            .collect()
    };
    let result = reference::read(changes[1].new.as_deref().unwrap_or_default()).ids();
    let plan = Plan {
        options: options.clone(),
        target_name: target.name.clone(),
        target_path: target.path.clone(),
        requested: cards.iter().map(|card| card.id.clone()).collect(),
        existing: old_reference
            .map(|bytes| reference::read(bytes).ids())
            .unwrap_or_default(),
        added: with_change(CardChange::Added),
        updated: with_change(CardChange::Updated),
        result,
        skill_change: skill_edit.change,
        patch: patch(target, &changes)?,
        blocks,
        undo: undo(&changes),
        tokens,
        inputs: inputs(&cards, &changes),
        sha256: sha256(target, &cards, options, rules, &changes),
        changes,
        verdicts,
        notes,
    };
    verify(&plan, cards_edit.replaced_sections)?;
    Ok(plan)
}

/// Each card once, in order.
fn unique(cards: &[Card]) -> Vec<Card> {
    let mut out: Vec<Card> = Vec::new();
    for card in cards {
        if !out.iter().any(|known| known.id == card.id) {
            out.push(card.clone());
        }
    }
    out
}

/// What is read every time: the text behind the frontmatter.
fn body(bytes: &[u8]) -> &[u8] {
    let lines = document::split(bytes);
    let count = document::frontmatter_lines(bytes, &lines);
    count
        .checked_sub(1)
        .map_or(bytes, |last| &bytes[lines[last].next..])
}

struct CardsEdit {
    bytes: Vec<u8>,
    /// Per card.
    changes: Vec<CardChange>,
    blocks: Vec<BlockRecord>,
    /// Whether a card without markers was replaced: then text outside markers has gone.
    replaced_sections: bool,
}

fn edit_reference(
    old: Option<&[u8]>,
    target: &Target,
    cards: &[Card],
    options: &Options,
    history: &History<'_>,
    notes: &mut Vec<String>,
) -> Result<CardsEdit, Refusal> {
    let ends = LineEnd::of(old.unwrap_or(&target.skill));
    let mut bytes = match old {
        Some(bytes) => bytes.to_vec(),
        None => ends.apply(&format!("{}\n", reference::TITLE)),
    };
    skill::check(&markers::scan(&bytes, Family::Card), REFERENCE_PATH)
        .map_err(|conflict| Refusal::Conflicts(vec![conflict]))?;
    let mut edit = CardsEdit {
        bytes: Vec::new(),
        changes: Vec::new(),
        blocks: Vec::new(),
        replaced_sections: false,
    };
    let mut conflicts = Vec::new();
    for card in cards {
        let wanted = render::card(&card.current, &card.id);
        let start = markers::card_start(&card.id, &options.backport_id);
        let file = reference::read(&bytes);
        let (new, change, was) = if let Some(block) = file.scan.block(&card.id) {
            match judge(block, card, &wanted, options, history) {
                Ok(false) => (None, CardChange::Unchanged, None),
                Ok(true) => {
                    let seal = block.seal.clone().unwrap_or(markers::Seal {
                        glue: 1,
                        ..markers::Seal::default()
                    });
                    let text = markers::compose(
                        Family::Card,
                        &start,
                        &wanted,
                        seal.glue,
                        seal.after,
                        None,
                    );
                    let was = String::from_utf8_lossy(&bytes[block.span.clone()]).into_owned();
                    (
                        Some(splice::replace_block(&bytes, block, &text, ends)),
                        CardChange::Updated,
                        Some(was),
                    )
                }
                Err(conflict) => {
                    conflicts.push(conflict);
                    (None, CardChange::Unchanged, None)
                }
            }
        } else if let Some(bullet) = file.bullet(&card.id) {
            match bullet.section.clone().filter(|_| options.upgrade) {
                Some(section) => {
                    let was = String::from_utf8_lossy(&bytes[section.clone()]).into_owned();
                    let more = usize::from(section.end < bytes.len());
                    let text = markers::compose(Family::Card, &start, &wanted, 0, more, None)
                        + &"\n".repeat(more);
                    edit.replaced_sections = true;
                    (
                        Some(splice::replace(&bytes, section, &ends.apply(&text))),
                        CardChange::Updated,
                        Some(was),
                    )
                }
                None => (None, CardChange::Unchanged, None),
            }
        } else {
            let spot = splice::end_spot(&bytes, &file.scan, REFERENCE_PATH);
            if let Some(note) = spot.note.clone().filter(|note| !notes.contains(note)) {
                notes.push(note);
            }
            let text = markers::compose(Family::Card, &start, &wanted, spot.glue, spot.after, None);
            (
                Some(splice::insert(&bytes, &spot, &text, ends)),
                CardChange::Added,
                None,
            )
        };
        edit.changes.push(change);
        if let Some(new) = new {
            bytes = new;
            edit.blocks.push(BlockRecord {
                file: REFERENCE_PATH,
                id: card.id.clone(),
                sha256: digest::of_bytes(wanted.as_bytes()),
                was,
            });
        }
    }
    if !conflicts.is_empty() {
        return Err(Refusal::Conflicts(conflicts));
    }
    if !edit.blocks.is_empty() {
        let values = HeaderValues {
            backport_id: &options.backport_id,
            generated_at: &options.generated_at.to_text(),
            card_ids: &reference::read(&bytes).ids(),
        };
        bytes = reference::with_header(&bytes, &values, ends);
    }
    edit.bytes = bytes;
    Ok(edit)
}

/// Whether the block of a card has to be written anew.
///
/// # Errors
/// A conflict when it holds text that no version of the card accounts for.
fn judge(
    block: &Block,
    card: &Card,
    wanted: &str,
    options: &Options,
    history: &History<'_>,
) -> Result<bool, Conflict> {
    let same = block.body_text() == wanted;
    let Some(sealed) = block.is_sealed() else {
        return match legacy_version(block, card) {
            // What the older writer made of this very card needs no renewal, only an upgrade.
            Some(true) => Ok(options.upgrade),
            Some(false) => Ok(true),
            None if options.overwrite => Ok(true),
            None => Err(skill::edited(block, REFERENCE_PATH)),
        };
    };
    if same {
        // After a hand edit was taken back into the card only the digest is stale.
        return Ok(!sealed);
    }
    if options.overwrite {
        return Ok(true);
    }
    if !sealed {
        return Err(skill::edited(block, REFERENCE_PATH));
    }
    let backport = block.backport_id.as_deref().unwrap_or_default();
    match history.recorded_digest(REFERENCE_PATH, &block.id, backport) {
        Some(recorded) if recorded != block.digest() => Err(Conflict {
            code: "tampered",
            message: format!(
                "{REFERENCE_PATH}:{}: the block `{}` and its digest were both changed since it was written",
                block.line, block.id
            ),
            ..skill::edited(block, REFERENCE_PATH)
        }),
        _ => Ok(true),
    }
}

/// Whether a block without digest is what an older writer made of the current version (`true`), of an
/// earlier one (`false`), or of none.
pub fn legacy_version(block: &Block, card: &Card) -> Option<bool> {
    let text = block.body_text();
    let text = text.trim();
    let is = |record: &Record| {
        render::legacy_card(record, &card.id).trim() == text
            || render::card(record, &card.id).trim() == text
    };
    if is(&card.current) {
        return Some(true);
    }
    card.versions.iter().any(is).then_some(false)
}

fn skill_block(change: &Change, backport_id: &str, was: Option<String>) -> Option<BlockRecord> {
    let scan = markers::scan(change.new.as_deref()?, Family::Skill);
    let block = scan.block(backport_id)?;
    Some(BlockRecord {
        file: SKILL_PATH,
        id: block.id.clone(),
        sha256: block.digest(),
        was,
    })
}

/// The diff of all changes, from the repository root.
///
/// # Errors
/// A path that cannot stand in a patch.
pub fn patch(target: &Target, changes: &[Change]) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    for change in changes {
        let path = target.repository_path(change.path);
        let diff = diff::unified(&path, change.old.as_deref(), change.new.as_deref());
        out.extend(diff.map_err(|name| Refusal::Name(name.0))?);
    }
    Ok(out)
}

/// How to take changes back.
pub fn undo(changes: &[Change]) -> Vec<Undo> {
    let changed = changes.iter().filter(|change| change.is_change());
    changed
        .map(|change| Undo {
            path: change.path.to_owned(),
            before: change.old.as_deref().map(digest::of_bytes),
            after: change.new.as_deref().map(digest::of_bytes),
            edits: diff::undo(
                change.old.as_deref().unwrap_or_default(),
                change.new.as_deref().unwrap_or_default(),
            ),
        })
        .collect()
}

fn inputs(cards: &[Card], changes: &[Change]) -> Vec<(String, String)> {
    let cards = cards.iter().map(|card| {
        (
            format!("card {}", card.id),
            digest::of_bytes(card.current.to_line().as_bytes()),
        )
    });
    let files = changes.iter().map(|change| {
        (
            change.path.to_owned(),
            change
                .old
                .as_deref()
                .map_or_else(|| "-".to_owned(), digest::of_bytes),
        )
    });
    cards.chain(files).collect()
}

/// The digest of everything the plan rests on and everything it would write.
fn sha256(
    target: &Target,
    cards: &[Card],
    options: &Options,
    rules: Rules<'_>,
    changes: &[Change],
) -> String {
    let mut text = format!(
        "{RENDERER}\nbackport {}\ntime {}\ntarget {}\ninto {}\noverwrite {}\nupgrade {}\nallow-project {}\n",
        options.backport_id,
        options.generated_at.to_text(),
        target.path,
        options.into.as_str(),
        options.overwrite,
        options.upgrade,
        rules.allow_project,
    );
    for card in cards {
        text.push_str(&format!(
            "card {} {}\n",
            card.id,
            digest::of_bytes(card.current.to_line().as_bytes())
        ));
    }
    text.push_str(&changes_text(changes));
    digest::of_bytes(text.as_bytes())
}

/// Files before and after, as a digest of a plan covers them.
pub fn changes_text(changes: &[Change]) -> String {
    let mut text = String::new();
    for change in changes {
        let of = |bytes: &Option<Vec<u8>>| {
            bytes
                .as_deref()
                .map_or_else(|| "-".to_owned(), digest::of_bytes)
        };
        text.push_str(&format!(
            "file {} {} {}\n",
            change.path,
            of(&change.old),
            of(&change.new)
        ));
    }
    text
}

/// Read the result back: every requested card is there, whole, and nobody else's bytes have changed.
fn verify(plan: &Plan, replaced_sections: bool) -> Result<(), Refusal> {
    let new_skill = plan.new_bytes(SKILL_PATH).unwrap_or_default();
    let new_reference = plan.new_bytes(REFERENCE_PATH).unwrap_or_default();
    let found = reference::read(new_reference);
    for id in &plan.requested {
        let block = found.scan.block(id);
        let sound = match block {
            Some(block) => block.is_sealed() != Some(false),
            None => found.bullet(id).is_some(),
        };
        if !sound {
            return Err(Refusal::Unsound(format!(
                "{REFERENCE_PATH} would not hold card `{id}` whole"
            )));
        }
    }
    let scan = markers::scan(new_skill, Family::Skill);
    if scan.blocks.is_empty() || scan.blocks.iter().any(|block| block.end_line.is_none()) {
        return Err(Refusal::Unsound(format!(
            "{SKILL_PATH} would hold no readable block"
        )));
    }
    for (change, family) in plan.changes.iter().zip([Family::Skill, Family::Card]) {
        let (Some(old), Some(new)) = (&change.old, &change.new) else {
            continue;
        };
        let strip = |bytes: &[u8]| match family {
            Family::Skill => splice::without_blocks(bytes, family),
            Family::Card => reference::without_header(&splice::without_blocks(bytes, family)),
        };
        let excused = family == Family::Card && replaced_sections;
        if !excused && strip(old) != strip(new) {
            return Err(Refusal::Unsound(format!(
                "{} would change outside our markers",
                change.path
            )));
        }
    }
    Ok(())
}
