//! What `review` knows of graduation: cards that are nearly ready and what they lack, and cards that
//! say something else by now than the skills they went into.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Snapshot;
use super::backport::{cards, findings, repository_names};
use super::review::exported_ids;
use crate::backport::gate::{self, Rules, Verdict, shell_quoted};
use crate::backport::{REFERENCE_PATH, bundle, digest, render};
use crate::ctx::Ctx;
use crate::domain::record::Record;

/// Cards that no skill has yet, the nearest to ready first, each with what it lacks.
pub fn portable(snapshot: &Snapshot, ctx: &Ctx, limit: usize) -> Vec<Value> {
    let exported = exported_ids(snapshot);
    let totals = snapshot.totals();
    let names = repository_names(ctx);
    let rules = Rules {
        repository_names: &names,
        skill: "",
        allow_project: false,
        findings: &findings,
    };
    let all = cards(snapshot);
    let waiting = all.values().filter(|card| {
        !exported.contains(&card.id)
            && gate::retired_state(&card.current).is_none()
            && !totals.is_quarantined(&card.id)
    });
    let mut judged: Vec<(Verdict, i64)> = waiting
        .map(|card| {
            (
                gate::check(&card.current, &card.id, card.trust, rules),
                totals.card(&card.id).score(),
            )
        })
        .collect();
    judged.sort_by(|(left, left_score), (right, right_score)| {
        let by_reasons = left.reasons.len().cmp(&right.reasons.len());
        by_reasons
            .then(right_score.cmp(left_score))
            .then_with(|| left.id.cmp(&right.id))
    });
    judged
        .iter()
        .take(limit)
        .map(|(verdict, score)| {
            json!({
                "id": verdict.id,
                "title": verdict.title,
                "score": score,
                "ready": verdict.passes(),
                "lacks": verdict.reasons.iter().map(bundle::reason).collect::<Vec<_>>(),
            })
        })
        .collect()
}

/// Cards in skills whose text there is not what they say now, or that were given up since; as far as the
/// log can tell.
pub fn updates(snapshot: &Snapshot) -> Vec<Value> {
    let applied: Vec<&Record> = snapshot
        .backports
        .iter()
        .map(|entry| &entry.record)
        .filter(|record| record.flag("applied"))
        .collect();
    let key = |record: &Record| {
        ["target_skill_path", "backport_id"]
            .map(|field| record.text(field).unwrap_or_default().to_owned())
    };
    // What happened to each backport last: it may have been applied again after it was taken back.
    let last: BTreeMap<[String; 2], &Record> = applied
        .iter()
        .map(|record| (key(record), *record))
        .collect();
    let mut placed: BTreeMap<(String, String), (String, String, String)> = BTreeMap::new();
    for record in applied
        .iter()
        .copied()
        .filter(|record| last[&key(record)].filled("reverts").is_none())
    {
        let path = record
            .text("target_skill_path")
            .unwrap_or_default()
            .to_owned();
        for (id, sha256) in blocks(record) {
            let backport = record.text("backport_id").unwrap_or_default().to_owned();
            let skill = record.text("target_skill").unwrap_or_default().to_owned();
            placed.insert((path.clone(), id), (sha256, backport, skill));
        }
    }
    let mut out = Vec::new();
    for ((path, id), (sha256, backport, skill)) in placed {
        let Some(card) = snapshot.cards.get(&id).map(|item| &item.record) else {
            continue;
        };
        let retired = gate::retired_state(card);
        let now = digest::of_bytes(render::card(card, &id).as_bytes());
        if retired.is_none() && now == sha256 {
            continue;
        }
        let typed = shell_quoted(&path);
        let command = match retired {
            Some(_) => format!(
                "self-learning export-backport --skill-path {typed} --revert {backport} --make-diff"
            ),
            None => format!(
                "self-learning export-backport --skill-path {typed} --ids {} --make-diff",
                shell_quoted(&id)
            ),
        };
        out.push(json!({
            "id": id,
            "title": card.title(),
            "target_skill": skill,
            "target_skill_path": path,
            "backport_id": backport,
            "why": retired.unwrap_or("improved"),
            "command": command,
        }));
    }
    out
}

/// The cards that a line of the log put into a skill, with the digests of their text.
fn blocks(record: &Record) -> Vec<(String, String)> {
    let Some(blocks) = record.0.get("blocks").and_then(Value::as_array) else {
        return Vec::new();
    };
    let text = |block: &Value, key: &str| block.get(key).and_then(Value::as_str).map(str::to_owned);
    blocks
        .iter()
        .filter(|block| text(block, "file").as_deref() == Some(REFERENCE_PATH))
        .filter_map(|block| Some((text(block, "id")?, text(block, "sha256")?)))
        .collect()
}
