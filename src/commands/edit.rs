//! `edit`: correct or generalise a card.

use std::io::Read;

use serde_json::{Map, Value, json};

use super::payload;
use super::status::admitted_note;
use super::{
    Done, Snapshot, Target, card_fields, commit, find_item, place, project_store, read_input,
    refuse_missing, refuse_purged, signal_record,
};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::card;
use crate::domain::fold::LogKind;
use crate::domain::json::python_text;
use crate::domain::normal;
use crate::domain::record::Record;
use crate::domain::score::QUARANTINED_CARD;
use crate::error::{Error, Result};
use crate::guard;
use crate::report::{self, Report};
use crate::store::Batch;

/// Fields that have their own verbs or are the log's own.
const FIXED_FIELDS: [&str; 3] = ["id", "ts", "status"];

pub fn run(args: &cli::Edit, ctx: &Ctx, stdin: &mut dyn Read) -> Result<Done> {
    let changes = changes(args, ctx, stdin)?;
    let note = admitted_note(args.note.as_deref())?;
    let store = project_store(ctx);
    refuse_missing(&store, "Aha Card", "aha_", &args.id)?;
    let mut locked = store.lock(ctx.lock_wait)?;
    let mut snapshot = Snapshot::open(ctx, &locked)?;
    let id =
        snapshot.settle(|snapshot| find_item("Aha Card", "aha_", &args.id, &snapshot.cards))??;
    let item = snapshot
        .cards
        .get(&id)
        .ok_or_else(|| Error::not_found("the card is gone"))?;
    let previous_rev = item.versions;
    check_rev(args.if_rev, previous_rev, &id)?;
    let old = item.record.clone();
    refuse_purged(&id, &old)?;
    let mut new = apply(&old, &changes, args);
    let verdict = guard::admit(&mut new.0, guard::Kind::Card, guard::Options::default());
    if let Some(refusal) = verdict.refusals.first() {
        return Err(
            Error::refused(refusal.code, refusal.message.clone()).hint(refusal.hint.clone())
        );
    }
    let changed_fields = changed_fields(&old, &new);
    if changed_fields.is_empty() {
        return Err(
            Error::refused("nothing_to_change", format!("{id} already says this"))
                .hint(format!("self-learning show {id}")),
        );
    }
    new = new.with("ts", ctx.now.to_text());
    if let Some(note) = note {
        new = new.with("note", note);
    }
    let mut batch = Batch::from([(LogKind::Cards, vec![new.clone()])]);
    let mut notes: Vec<String> = verdict.notes.clone();
    if verdict.is_quarantined() {
        let context = format!("score {}", verdict.directive.score);
        let signal = signal_record(
            ctx,
            QUARANTINED_CARD,
            Target::Card(&id),
            "guard",
            Some(&context),
        );
        batch.insert(LogKind::Signals, vec![signal]);
        notes.push(format!("{id} is quarantined: its text commands the reader"));
    }
    notes.extend(commit(ctx, &mut locked, &mut snapshot, &batch)?);
    let redactions = verdict
        .redactions
        .iter()
        .map(|found| json!({ "class": found.class, "field": found.path, "offset": found.offset }))
        .collect();
    Ok(Report::Edited(report::Edited {
        ok: true,
        place: place(ctx),
        id,
        previous_rev,
        rev: previous_rev + 1,
        changed_fields,
        written_to: store.log_path(LogKind::Cards).display().to_string(),
        item: Value::Object(new.0),
        redactions,
        notes,
        diagnostics: snapshot.damage(),
    })
    .into())
}

/// Refuse when somebody was faster.
///
/// # Errors
/// Names both versions.
pub fn check_rev(wanted: Option<i64>, stored: usize, id: &str) -> Result<()> {
    match wanted {
        Some(wanted) if usize::try_from(wanted) != Ok(stored) => Err(Error::new(
            crate::error::Kind::Check,
            "revision_changed",
            format!("{id} is at version {stored}, not {wanted}"),
        )
        .hint(format!(
            "self-learning history --id {id} shows what changed; then use --if-rev {stored}"
        ))),
        _ => Ok(()),
    }
}

/// The fields to set, from flags and from a file; null removes a field.
fn changes(args: &cli::Edit, ctx: &Ctx, stdin: &mut dyn Read) -> Result<Map<String, Value>> {
    let mut map = Map::new();
    if let Some(name) = &args.from {
        let text = payload::decode(&read_input(name, ctx, stdin)?)?;
        if text.trim().is_empty() {
            return Err(
                Error::refused("no_input", "`--from` got no input").hint(format!(
                    "echo '{{\"problem\": \"…\"}}' | self-learning edit --id {} --from -",
                    args.id
                )),
            );
        }
        let Value::Object(fields) = payload::parse_json(&text, &mut Vec::new())? else {
            return Err(
                Error::refused("wrong_shape", "`--from` takes one JSON object of fields")
                    .hint("{\"problem\": \"…\", \"solution_steps\": [\"…\"]}"),
            );
        };
        if let Some(key) = FIXED_FIELDS
            .into_iter()
            .find(|key| fields.contains_key(*key))
        {
            let hint = match key {
                "status" => "self-learning aha-status --id ID --status accepted",
                _ => "leave the field out",
            };
            return Err(
                Error::refused("fixed_field", format!("`{key}` cannot be edited")).hint(hint),
            );
        }
        map = fields;
    }
    map.extend(card_fields(&args.card));
    // Readers take any other word for `project`, so it would not say what it means to.
    if let Some(scope) = map.get("scope").filter(|scope| !scope.is_null())
        && !matches!(scope.as_str(), Some("project" | "portable"))
    {
        return Err(
            Error::refused("unknown_scope", format!("the scope {scope} is not known"))
                .hint("one of: project, portable"),
        );
    }
    if map
        .get("title")
        .is_some_and(|title| python_text(title).trim().is_empty() || title.is_null())
    {
        return Err(Error::refused("no_title", "a card needs a title")
            .hint("give the new one: --title \"…\""));
    }
    if map.contains_key("primary_skill") {
        let skill = normal::skill(map.get("primary_skill"));
        map.insert("primary_skill".to_owned(), Value::from(skill));
    }
    let adds =
        args.add_step.len() + args.add_evidence.len() + args.add_tag.len() + args.add_ask.len();
    if map.is_empty() && adds == 0 {
        return Err(Error::usage("nothing to change").hint(format!(
            "self-learning edit --id {} --scope portable --shareable",
            args.id
        )));
    }
    Ok(map)
}

fn apply(old: &Record, changes: &Map<String, Value>, args: &cli::Edit) -> Record {
    let mut new = old.clone();
    for (key, value) in changes {
        if value.is_null() {
            new.0.shift_remove(key);
        } else {
            new = new.with(key, value.clone());
        }
    }
    for (key, added) in [
        ("solution_steps", &args.add_step),
        ("evidence", &args.add_evidence),
        ("tags", &args.add_tag),
        ("asks", &args.add_ask),
    ] {
        if !added.is_empty() {
            let items = card::union(new.0.get(key), Some(&Value::from(added.clone())));
            new = new.with(key, items);
        }
    }
    new
}

/// Names of the fields in which two versions differ, in the new one's order; time does not count.
pub fn changed_fields(old: &Record, new: &Record) -> Vec<String> {
    let differs = |key: &String| {
        key != "ts" && old.0.get(key).map(python_text) != new.0.get(key).map(python_text)
    };
    let mut fields: Vec<String> = new.0.keys().filter(|key| differs(key)).cloned().collect();
    fields.extend(
        old.0
            .keys()
            .filter(|key| !new.0.contains_key(*key))
            .cloned(),
    );
    fields
}
