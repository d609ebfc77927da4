//! What is in a skill, and what has become of it since it was written.

use std::collections::BTreeMap;

use super::gate;
use super::history::History;
use super::markers::{self, Block, Family, Scan};
use super::plan::{self, Card};
use super::{REFERENCE_PATH, SKILL_PATH, Target, digest, reference, render, skill};
use crate::domain::record::Record;

/// The state of one block. The worst that holds is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// As written.
    Untouched,
    /// Written by an older writer, without a digest, and as that writer would write it.
    Legacy,
    /// As written, but the card says something else by now.
    SourceNewer,
    /// As written, but the card was rejected, deprecated, superseded or quarantined since.
    SourceRejected,
    /// The card is not in this store.
    Orphaned,
    /// Somebody has changed the text.
    Edited,
    /// The text and its digest were changed together, the digest was removed, or the log disagrees.
    Tampered,
    /// A marker is missing or doubled.
    Damaged,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Untouched => "untouched",
            State::Legacy => "legacy",
            State::SourceNewer => "source_newer",
            State::SourceRejected => "source_rejected",
            State::Orphaned => "orphaned",
            State::Edited => "edited",
            State::Tampered => "tampered",
            State::Damaged => "damaged",
        }
    }

    /// Whether somebody should look.
    pub fn is_finding(self) -> bool {
        !matches!(self, State::Untouched | State::Legacy)
    }
}

/// One block and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub file: &'static str,
    /// `pointer`, `gotchas`, `card`, or `unmarked` for a card without markers.
    pub kind: &'static str,
    /// The card's id; for blocks in `SKILL.md` the backport's.
    pub id: String,
    pub backport_id: Option<String>,
    pub line: usize,
    pub state: State,
    /// The digest of the text as it is.
    pub sha256: String,
    /// The digest in the block.
    pub written: Option<String>,
    /// The digest in the log.
    pub recorded: Option<String>,
    /// The state of the card, when it is in the store.
    pub source_status: Option<String>,
    pub message: String,
}

/// Everything `backport-inspect` reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    pub has_start: bool,
    pub has_end: bool,
    pub backport_ids: Vec<String>,
    pub reference_exists: bool,
    pub header: Vec<(String, String)>,
    pub card_ids: Vec<String>,
    pub findings: Vec<Finding>,
    /// Markers that belong to no block, and the like.
    pub problems: Vec<String>,
}

impl Inspection {
    /// Whether nothing needs a look.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
            && !self
                .findings
                .iter()
                .any(|finding| finding.state.is_finding())
    }
}

/// Inspect a skill against the cards of the store, by id, and the log.
pub fn inspect(
    target: &Target,
    cards: &BTreeMap<String, Card>,
    history: &History<'_>,
) -> Inspection {
    let scan = markers::scan(&target.skill, Family::Skill);
    let reference_bytes = target.reference.as_deref().unwrap_or_default();
    let file = reference::read(reference_bytes);
    let mut problems = marker_problems(&scan, SKILL_PATH);
    problems.extend(marker_problems(&file.scan, REFERENCE_PATH));
    let mut findings: Vec<Finding> = scan
        .blocks
        .iter()
        .map(|block| skill_finding(block, &scan, cards, history))
        .collect();
    findings.extend(
        file.scan
            .blocks
            .iter()
            .map(|block| card_finding(block, &file.scan, cards, history)),
    );
    findings.extend(file.bullets.iter().map(|bullet| {
        let known = cards.contains_key(&bullet.id);
        Finding {
            file: REFERENCE_PATH,
            kind: "unmarked",
            id: bullet.id.clone(),
            backport_id: None,
            line: bullet.line,
            state: State::Legacy,
            sha256: String::new(),
            written: None,
            recorded: None,
            source_status: status_of(cards.get(&bullet.id)),
            message: if known {
                "a card without markers; `--upgrade` puts it between markers".to_owned()
            } else {
                "a card without markers that is not in this store".to_owned()
            },
        }
    }));
    if !file.scan.blocks.is_empty() && scan.blocks.is_empty() {
        problems.push(format!(
            "{SKILL_PATH} does not point to the cards in {REFERENCE_PATH}"
        ));
    }
    if target.reference.is_none() && !scan.blocks.is_empty() {
        problems.push(format!(
            "{SKILL_PATH} points to {REFERENCE_PATH}, which does not exist"
        ));
    }
    let plain = |ids: Vec<String>| -> Vec<String> {
        let allowed = |id: &String| {
            id.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
        };
        ids.into_iter().filter(allowed).collect()
    };
    Inspection {
        has_start: !scan.blocks.is_empty(),
        has_end: !scan.stray_ends.is_empty()
            || scan.blocks.iter().any(|block| block.end_line.is_some()),
        backport_ids: plain(scan.ids()),
        reference_exists: target.reference.is_some(),
        header: file
            .header
            .as_ref()
            .map(|header| header.values.clone())
            .unwrap_or_default(),
        card_ids: file.ids(),
        findings,
        problems,
    }
}

fn marker_problems(scan: &Scan, file: &str) -> Vec<String> {
    let stray = scan
        .stray_ends
        .iter()
        .map(|line| format!("{file}:{line}: an end marker without a start marker"));
    let foreign = scan
        .foreign
        .iter()
        .map(|line| format!("{file}:{line}: a marker that belongs into another file"));
    stray.chain(foreign).collect()
}

fn status_of(card: Option<&Card>) -> Option<String> {
    let card = card?;
    let status = crate::domain::card::status(&card.current);
    Some(retired(card).unwrap_or(status.as_str()).to_owned())
}

/// The state that keeps a card from being used, if it is in one.
fn retired(card: &Card) -> Option<&'static str> {
    gate::retired_state(&card.current)
        .or((card.trust == gate::Trust::Quarantined).then_some("quarantined"))
}

/// What text and digests say, whatever the card says.
fn integrity(block: &Block, scan: &Scan, recorded: Option<&str>) -> (State, &'static str) {
    if block.end_line.is_none() {
        return (State::Damaged, "its end marker is missing");
    }
    if block.id.is_empty() {
        return (State::Damaged, "its start marker names no id");
    }
    if scan
        .blocks
        .iter()
        .filter(|other| other.id == block.id)
        .count()
        > 1
    {
        return (State::Damaged, "there are several blocks with this id");
    }
    let digest = block.digest();
    match (block.is_sealed(), recorded) {
        (Some(true), Some(recorded)) if recorded != digest => (
            State::Tampered,
            "its text and its digest were both changed; the log has another digest",
        ),
        (Some(true), _) => (State::Untouched, "as written"),
        (None, Some(recorded)) if recorded == digest => (State::Tampered, "its digest was removed"),
        (None, Some(_)) => (
            State::Tampered,
            "its text was changed and its digest removed",
        ),
        (Some(false), Some(recorded)) if recorded == digest => (
            State::Tampered,
            "its digest was changed; the text is as the log has it",
        ),
        (Some(false), Some(recorded)) => {
            let written = block
                .seal
                .as_ref()
                .map(|seal| seal.digest.as_str())
                .unwrap_or_default();
            if digest::agrees(written, recorded) {
                (State::Edited, "somebody has changed its text")
            } else {
                (
                    State::Tampered,
                    "neither its text nor its digest is as the log has it",
                )
            }
        }
        (Some(false), None) => (State::Edited, "somebody has changed its text"),
        (None, None) => (
            State::Legacy,
            "written by an older version, without a digest",
        ),
    }
}

fn skill_finding(
    block: &Block,
    scan: &Scan,
    cards: &BTreeMap<String, Card>,
    history: &History<'_>,
) -> Finding {
    let recorded = history.recorded_digest(SKILL_PATH, &block.id, &block.id);
    let (mut state, message) = integrity(block, scan, recorded.as_deref());
    let mut message = message.to_owned();
    if state == State::Untouched && block.into_gotchas() {
        (state, message) = lessons_state(block, cards);
    }
    Finding {
        file: SKILL_PATH,
        kind: if block.into_gotchas() {
            "gotchas"
        } else {
            "pointer"
        },
        id: block.id.clone(),
        backport_id: Some(block.id.clone()),
        line: block.line,
        state,
        sha256: block.digest(),
        written: block.seal.as_ref().map(|seal| seal.digest.clone()),
        recorded,
        source_status: None,
        message,
    }
}

/// Whether the cards behind the lessons still stand.
fn lessons_state(block: &Block, cards: &BTreeMap<String, Card>) -> (State, String) {
    for line in block.body_text().lines() {
        let Some((id, card)) = cards.iter().find(|(id, _)| skill::is_lesson_of(line, id)) else {
            continue;
        };
        if let Some(state) = retired(card) {
            return (
                State::SourceRejected,
                format!("card `{id}` is {state} by now"),
            );
        }
        if render::lesson(&card.current, id).trim_end() != line {
            return (
                State::SourceNewer,
                format!("card `{id}` has been improved since; export it again"),
            );
        }
    }
    (State::Untouched, "as written".to_owned())
}

fn card_finding(
    block: &Block,
    scan: &Scan,
    cards: &BTreeMap<String, Card>,
    history: &History<'_>,
) -> Finding {
    let backport = block.backport_id.clone().unwrap_or_default();
    let recorded = history.recorded_digest(REFERENCE_PATH, &block.id, &backport);
    let (mut state, message) = integrity(block, scan, recorded.as_deref());
    let mut message = message.to_owned();
    let card = cards.get(&block.id);
    if state == State::Legacy
        && let Some(card) = card
    {
        match plan::legacy_version(block, card) {
            Some(true) => {}
            Some(false) => {
                (state, message) = (
                    State::SourceNewer,
                    "the card has been improved since; export it again".to_owned(),
                )
            }
            None => {
                (state, message) = (
                    State::Edited,
                    "no version of the card reads like this".to_owned(),
                )
            }
        }
    }
    if state == State::Edited
        && card.is_some_and(|card| render::card(&card.current, &card.id) == block.body_text())
    {
        "somebody has changed its text, and the card says the same by now; export it again"
            .clone_into(&mut message);
    }
    if matches!(state, State::Untouched | State::Legacy) {
        match card {
            None => {
                (state, message) = (State::Orphaned, "its card is not in this store".to_owned())
            }
            Some(card) => {
                if let Some(retired) = retired(card) {
                    (state, message) = (
                        State::SourceRejected,
                        format!("its card is {retired} by now"),
                    );
                } else if state == State::Untouched
                    && render::card(&card.current, &card.id) != block.body_text()
                {
                    (state, message) = (
                        State::SourceNewer,
                        "the card has been improved since; export it again".to_owned(),
                    );
                }
            }
        }
    }
    Finding {
        file: REFERENCE_PATH,
        kind: "card",
        id: block.id.clone(),
        backport_id: block.backport_id.clone(),
        line: block.line,
        state,
        sha256: block.digest(),
        written: block.seal.as_ref().map(|seal| seal.digest.clone()),
        recorded,
        source_status: status_of(card),
        message,
    }
}

/// What a person wrote into a card's block, as the fields of a new version of the card.
///
/// Only blocks that still have the shape of a card can be taken back; `None` otherwise.
pub fn adopt(block: &Block, card: &Card) -> Option<Record> {
    let text = block.body_text();
    let mut lines = text.lines();
    let title = lines
        .find(|line| !line.trim().is_empty())?
        .strip_prefix("## ")?;
    let mut fields: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut section = "head";
    for line in lines {
        let trimmed = line.trim();
        section = match trimmed {
            "**Problem**" => "problem",
            "**Solution**" => "solution_steps",
            "**Gotchas**" => "gotchas",
            "**Evidence**" => "evidence",
            _ => {
                fields.entry(section).or_default().push(line.to_owned());
                continue;
            }
        };
    }
    let head = fields.remove("head").unwrap_or_default();
    let head_value = |name: &str| {
        let prefix = format!("- **{name}:** ");
        head.iter()
            .find_map(|line| line.strip_prefix(&prefix))
            .map(str::to_owned)
    };
    // An edit that moved the id elsewhere is no edit of this card.
    if head_value("ID")? != format!("`{}`", card.id) {
        return None;
    }
    let rendered = render::card(&card.current, &card.id);
    let mut record = card.current.clone();
    if Some(format!("## {title}").as_str()) != rendered.lines().next() {
        record = record.with("title", unescaped(title));
    }
    let when = head_value("When to use");
    if when
        != record
            .display("when_to_use")
            .map(|text| render::inline(&text))
    {
        record = record.with(
            "when_to_use",
            when.map(|text| unescaped(&text)).unwrap_or_default(),
        );
    }
    let tags = head_value("Tags");
    let old_tags: Vec<String> = record
        .list("tags")
        .iter()
        .map(|tag| render::inline(tag))
        .collect();
    if tags.clone().unwrap_or_default() != old_tags.join(", ") {
        let tags: Vec<String> = tags
            .unwrap_or_default()
            .split(',')
            .map(|tag| unescaped(tag.trim()))
            .filter(|tag| !tag.is_empty())
            .collect();
        record = record.with("tags", tags);
    }
    let problem = fields.remove("problem").unwrap_or_default().join("\n");
    if problem.trim()
        != record
            .display("problem")
            .map(|text| render::block(&text))
            .unwrap_or_default()
    {
        let lines: Vec<String> = problem.trim().lines().map(unescaped).collect();
        record = record.with("problem", lines.join("\n"));
    }
    for field in ["solution_steps", "gotchas", "evidence"] {
        let new = items(&fields.remove(field).unwrap_or_default());
        let old: Vec<String> = record
            .list(field)
            .iter()
            .map(|text| render::block(text))
            .filter(|text| !text.is_empty())
            .collect();
        if new != old {
            let new: Vec<String> = new
                .iter()
                .map(|item| item.lines().map(unescaped).collect::<Vec<_>>().join("\n"))
                .collect();
            record = record.with(field, new);
        }
    }
    Some(record)
}

/// The items of a list with their further lines, as [`render`] indents them.
fn items(lines: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for line in lines {
        if let Some(first) = line.strip_prefix("- ") {
            out.push(first.to_owned());
        } else if line.trim_end() == "-" {
            out.push(String::new());
        } else if let Some(last) = out.last_mut() {
            if !last.is_empty() {
                last.push('\n');
            }
            last.push_str(line.strip_prefix("  ").unwrap_or(line));
        } else if !line.trim().is_empty() {
            out.push(line.trim().to_owned());
        }
    }
    out.into_iter()
        .map(|item| item.trim_end().to_owned())
        .filter(|item| !item.is_empty())
        .collect()
}

/// Take back what rendering put in front of structure.
fn unescaped(line: &str) -> String {
    let indentation = line.len() - line.trim_start().len();
    let (space, rest) = line.split_at(indentation);
    let plain = match rest.strip_prefix('\\') {
        Some(inner) if render::inline(inner).starts_with('\\') => inner,
        _ => rest,
    };
    format!("{space}{}", plain.replace("&lt;!--", "<!--"))
}
