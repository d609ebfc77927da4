//! `rec-status` and `aha-status`: state changes, appended as versions.

use std::path::Path;

use serde_json::json;

use super::{
    Done, Snapshot, Target, commit, find_item, global_store, place, project_store, refuse_missing,
    refuse_purged, scope_text, signal_record,
};
use crate::cli::{AhaStatus, RecStatus};
use crate::ctx::Ctx;
use crate::domain::fold::{Item, LogKind};
use crate::domain::record::Record;
use crate::domain::{card, recommendation};
use crate::error::{Error, Result};
use crate::guard;
use crate::report::{self, Report};
use crate::store::Batch;

pub fn recommendation(args: &RecStatus, ctx: &Ctx) -> Result<Done> {
    let store = project_store(ctx);
    let note = admitted_note(args.note.as_deref())?;
    refuse_missing(&store, "Recommendation", "rec_", &args.id)?;
    let mut locked = store.lock(ctx.lock_wait)?;
    let mut snapshot = Snapshot::open(ctx, &locked)?;
    let id = snapshot.settle(|snapshot| {
        find_item(
            "Recommendation",
            "rec_",
            &args.id,
            &snapshot.recommendations,
        )
    })??;
    let item = stored(snapshot.recommendations.get(&id))?;
    let old = item.record.clone();
    refuse_purged(&id, &old)?;
    let created = item.created_ts.clone();
    let now = ctx.now.to_text();
    let scope = args
        .scope
        .map_or(recommendation::scope(&old).as_str(), scope_text);
    let mut new = old
        .clone()
        .with("status", args.status.clone())
        .with("scope", scope)
        .with("ts", now.clone())
        .with("last_touched_ts", now);
    if let Some(note) = &note {
        new = new.with("note", note.clone());
    }
    let touched = format!("status={}", args.status);
    let mut signals = vec![signal_record(
        ctx,
        "rec_touched",
        Target::Recommendation(&id),
        "agent",
        Some(&touched),
    )];
    if args.status == "done" {
        signals.push(signal_record(
            ctx,
            "rec_done",
            Target::Recommendation(&id),
            "agent",
            None,
        ));
    }
    let batch = Batch::from([
        (LogKind::Recommendations, vec![new.clone()]),
        (LogKind::Signals, signals),
    ]);
    commit(ctx, &mut locked, &mut snapshot, &batch)?;
    let previous = json!({
        "status": recommendation::status(&old).as_str(),
        "last_touched_ts": recommendation::last_touched(&old),
        "ts": old.ts(),
        "created_ts": created,
        "title": old.0.get("title"),
        "scope": recommendation::scope(&old).as_str(),
    });
    let updated = json!({
        "status": args.status,
        "last_touched_ts": new.text("last_touched_ts"),
        "ts": new.ts(),
        "note": new.0.get("note"),
        "scope": scope,
    });
    Ok(changed(
        ctx,
        &snapshot,
        id,
        previous,
        updated,
        &store.log_path(LogKind::Recommendations),
    ))
}

pub fn card(args: &AhaStatus, ctx: &Ctx) -> Result<Done> {
    let store = if args.global {
        global_store(ctx)
    } else {
        project_store(ctx)
    };
    let note = admitted_note(args.note.as_deref())?;
    refuse_missing(&store, "Aha Card", "aha_", &args.id)?;
    let mut locked = store.lock(ctx.lock_wait)?;
    let mut snapshot = Snapshot::open(ctx, &locked)?;
    let id =
        snapshot.settle(|snapshot| find_item("Aha Card", "aha_", &args.id, &snapshot.cards))??;
    let item = stored(snapshot.cards.get(&id))?;
    let old = item.record.clone();
    refuse_purged(&id, &old)?;
    let created = item.created_ts.clone();
    let now = ctx.now.to_text();
    let mut new = old
        .clone()
        .with("status", args.status.clone())
        .with("ts", now.clone())
        .with("last_touched_ts", now);
    if let Some(note) = &note {
        new = new.with("note", note.clone());
    }
    let batch = Batch::from([(LogKind::Cards, vec![new.clone()])]);
    commit(ctx, &mut locked, &mut snapshot, &batch)?;
    let previous = json!({
        "status": card::status(&old).as_str(),
        "ts": old.ts(),
        "created_ts": created,
        "title": old.0.get("title"),
    });
    let updated = json!({
        "status": args.status,
        "ts": new.ts(),
        "note": new.0.get("note"),
    });
    Ok(changed(
        ctx,
        &snapshot,
        id,
        previous,
        updated,
        &store.log_path(LogKind::Cards),
    ))
}

fn stored(item: Option<&Item>) -> Result<&Item> {
    item.ok_or_else(|| Error::not_found("the item is gone"))
}

fn changed(
    ctx: &Ctx,
    snapshot: &Snapshot,
    id: String,
    previous: serde_json::Value,
    updated: serde_json::Value,
    written_to: &Path,
) -> Done {
    Report::StatusChange(report::StatusChange {
        ok: true,
        place: place(ctx),
        id,
        previous,
        updated,
        written_to: written_to.display().to_string(),
        diagnostics: snapshot.damage(),
    })
    .into()
}

/// A note through the gate; nothing for a blank one.
///
/// # Errors
/// When it holds characters that hide.
pub fn admitted_note(note: Option<&str>) -> Result<Option<String>> {
    let Some(note) = note.map(str::trim).filter(|note| !note.is_empty()) else {
        return Ok(None);
    };
    let mut record = Record(serde_json::Map::new()).with("note", note);
    let verdict = guard::admit(&mut record.0, guard::Kind::Other, guard::Options::default());
    match verdict.refusals.first() {
        Some(refusal) => {
            Err(Error::refused(refusal.code, refusal.message.clone()).hint(refusal.hint.clone()))
        }
        None => Ok(record.text("note").map(str::to_owned)),
    }
}
