//! `backport-inspect`: what stands in a skill, and whether it is still what was written.

use serde_json::{Map, Value, json};

use super::backport::{self as shared, Skill};
use super::{Done, Snapshot, commit, find_id, project_store};
use crate::backport::history::History;
use crate::backport::inspect::{self, Finding, Inspection};
use crate::backport::markers::{self, Family};
use crate::backport::{REFERENCE_PATH, SKILL_PATH};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::fold::LogKind;
use crate::domain::record::Record;
use crate::error::{Error, Kind, Result};
use crate::guard;
use crate::report::{self, Report};
use crate::store::{Batch, transaction};

pub fn run(args: &cli::BackportInspect, ctx: &Ctx) -> Result<Done> {
    // Only looking: a skill outside the repository may be looked at, too.
    let skill = Skill::open(&args.skill_path, true, ctx)?;
    let store = project_store(ctx);
    let mut snapshot = Snapshot::load(&store)?;
    let mut notes = Vec::new();
    let adopted = match &args.adopt {
        Some(id) => {
            let adopted = adopt(id, &skill, ctx, &mut notes)?;
            snapshot = Snapshot::load(&store)?;
            Some(adopted)
        }
        None => None,
    };
    let target = skill.read()?;
    let records: Vec<&Record> = snapshot
        .backports
        .iter()
        .map(|entry| &entry.record)
        .collect();
    let history = History::of(records.iter().copied(), &target);
    let mut found = inspect::inspect(&target, &shared::cards(&snapshot), &history);
    if transaction::is_pending(&skill.folder) {
        found.problems.push(
            "an interrupted write waits; the next export-backport finishes it or takes it back"
                .to_owned(),
        );
    }
    let clean = found.is_clean();
    let complaint = (args.check && !clean).then(|| finding_error(&found, args));
    Ok(Done {
        report: Report::BackportInspect(Box::new(report_of(
            args, &skill, found, adopted, notes, &snapshot,
        ))),
        complaint,
    })
}

fn finding_error(found: &Inspection, args: &cli::BackportInspect) -> Error {
    let blocks = found
        .findings
        .iter()
        .filter(|finding| finding.state.is_finding());
    let mut lines: Vec<String> = blocks
        .map(|finding| {
            format!(
                "{}:{}: {} ({}): {}",
                finding.file,
                finding.line,
                finding.state.as_str(),
                finding.id,
                finding.message
            )
        })
        .collect();
    lines.extend(found.problems.iter().cloned());
    Error::new(Kind::Check, "findings", lines.join("\n")).hint(format!(
        "self-learning backport-inspect --skill-path {}",
        crate::backport::gate::shell_quoted(&args.skill_path)
    ))
}

/// Append the hand-edited text of a block as a new version of its card.
fn adopt(wanted: &str, skill: &Skill, ctx: &Ctx, notes: &mut Vec<String>) -> Result<Value> {
    let store = project_store(ctx);
    let mut locked = store.lock(ctx.lock_wait)?;
    let mut snapshot = Snapshot::load(&locked)?;
    let id = find_id("Aha Card", "aha_", wanted, snapshot.cards.ids())?;
    let target = skill.read()?;
    let scan = markers::scan(
        target.reference.as_deref().unwrap_or_default(),
        Family::Card,
    );
    let block = scan.block(&id).ok_or_else(|| {
        Error::not_found(format!("{REFERENCE_PATH} holds no block of card `{id}`"))
    })?;
    let cards = shared::cards(&snapshot);
    let card = cards
        .get(&id)
        .ok_or_else(|| Error::not_found("the card is gone"))?;
    let mut new = inspect::adopt(block, card).ok_or_else(|| {
        Error::refused(
            "not_a_card",
            format!(
                "{REFERENCE_PATH}:{}: the block has not the shape of a card any more",
                block.line
            ),
        )
        .hint(format!(
            "self-learning edit --id {id} … takes the change by hand"
        ))
    })?;
    if new == card.current {
        return Err(Error::refused(
            "nothing_to_adopt",
            format!("the block says what card `{id}` says"),
        )
        .hint(format!("self-learning show {id}")));
    }
    let verdict = guard::admit(&mut new.0, guard::Kind::Card, guard::Options::default());
    if let Some(refusal) = verdict.refusals.first() {
        return Err(
            Error::refused(refusal.code, refusal.message.clone()).hint(refusal.hint.clone())
        );
    }
    let fields = super::edit::changed_fields(&card.current, &new);
    new = new.with("ts", ctx.now.to_text());
    let mut batch = Batch::from([(LogKind::Cards, vec![new.clone()])]);
    if verdict.is_quarantined() {
        let kind = crate::domain::score::QUARANTINED_CARD;
        let signal = super::signal_record(ctx, kind, super::Target::Card(&id), "guard", None);
        batch.insert(LogKind::Signals, vec![signal]);
        notes.push(format!("{id} is quarantined: its text commands the reader"));
    }
    notes.extend(commit(ctx, &mut locked, &mut snapshot, &batch)?);
    notes.push(format!(
        "the skill keeps the old digest until the card is exported again: self-learning export-backport --skill-path {} --ids {id}",
        crate::backport::gate::shell_quoted(&skill.typed())
    ));
    Ok(json!({ "id": id, "changed_fields": fields, "item": Value::Object(new.0) }))
}

fn report_of(
    args: &cli::BackportInspect,
    skill: &Skill,
    found: Inspection,
    adopted: Option<Value>,
    notes: Vec<String>,
    snapshot: &Snapshot,
) -> report::BackportInspect {
    let clean = found.is_clean();
    let path = |name: &str| skill.folder.path.join(name).display().to_string();
    let header: Map<String, Value> = found
        .header
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (backport_id, aha_id) = (given(&args.backport_id), given(&args.aha_id));
    let mut instructions = vec![
        "Preferred removal path: revert the commit/PR that applied the backport.".to_owned(),
        format!(
            "No-git removal: delete the marker block in SKILL.md and remove the relevant Aha blocks from {REFERENCE_PATH}."
        ),
    ];
    if let Some(id) = &backport_id {
        instructions.push(format!(
            "For backport id '{id}': remove the SKILL.md block whose start marker has id={id} (if present)."
        ));
    }
    if let Some(id) = &aha_id {
        instructions.push(format!(
            "For Aha id '{id}': delete the block between `<!-- self-learning:aha:start id={id} ... -->` and `{}`.",
            Family::Card.end()
        ));
    }
    report::BackportInspect {
        ok: true,
        target_skill_path: skill.folder.path.display().to_string(),
        files: json!({"skill_md": path(SKILL_PATH), "aha_reference": path(REFERENCE_PATH)}),
        skill_md_markers: json!({
            "has_backport_start": found.has_start,
            "has_backport_end": found.has_end,
            "backport_ids": found.backport_ids,
        }),
        aha_reference: json!({
            "exists": found.reference_exists,
            "header_meta": header,
            "card_count": found.card_ids.len(),
            "card_ids": found.card_ids,
        }),
        requested: json!({"backport_id": backport_id, "aha_id": aha_id}),
        remove_instructions: instructions,
        markers: json!({
            "skill_start": markers::skill_start("..."),
            "skill_end": Family::Skill.end(),
            "aha_start": "<!-- self-learning:aha:start id=... -->",
            "aha_end": Family::Card.end(),
        }),
        blocks: found.findings.into_iter().map(block_state).collect(),
        problems: found.problems,
        clean,
        adopted,
        notes,
        diagnostics: snapshot.damage(),
    }
}

fn block_state(finding: Finding) -> report::BlockState {
    report::BlockState {
        file: finding.file,
        kind: finding.kind,
        id: finding.id,
        backport_id: finding.backport_id,
        line: finding.line,
        state: finding.state.as_str(),
        message: finding.message,
        sha256: finding.sha256,
        written_sha256: finding.written,
        recorded_sha256: finding.recorded,
        source_status: finding.source_status,
    }
}
