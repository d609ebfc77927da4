//! `history` and `rollback`: the versions of an item, and an earlier one brought back.

use serde_json::{Value, json};

use super::edit::{changed_fields, check_rev};
use super::gate::guard_kind;
use super::{Done, Snapshot, commit, find_id, place, project_store, refuse_purged};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::fold::{self, Entry, LogKind};
use crate::domain::record::Record;
use crate::domain::{card, recommendation};
use crate::error::{Error, Result};
use crate::guard;
use crate::report::{self, Report, Version};
use crate::store::{Batch, Logs};

pub fn run(args: &cli::History, ctx: &Ctx) -> Result<Done> {
    let store = project_store(ctx);
    let snapshot = Snapshot::load(&store)?;
    let (kind, id) = find(&snapshot, &args.id)?;
    let entries = versions(&store, kind, &id)?;
    let mut previous: Option<&Record> = None;
    let mut versions = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        let status = match kind {
            LogKind::Cards => card::status(&entry.record).as_str(),
            _ => recommendation::status(&entry.record).as_str(),
        };
        versions.push(Version {
            rev: position + 1,
            ts: entry.record.ts().map(str::to_owned),
            line: entry.line,
            status: status.to_owned(),
            changed_fields: previous
                .map_or_else(Vec::new, |old| changed_fields(old, &entry.record)),
            note: entry.record.filled("note").map(str::to_owned),
            item: Value::Object(entry.record.0.clone()),
        });
        previous = Some(&entry.record);
    }
    Ok(Report::History(report::History {
        ok: true,
        place: place(ctx),
        id,
        rev: versions.len(),
        versions,
        diagnostics: snapshot.damage(),
    })
    .into())
}

pub fn rollback(args: &cli::Rollback, ctx: &Ctx) -> Result<Done> {
    let store = project_store(ctx);
    find(&Snapshot::load(&store)?, &args.id)?;
    let mut locked = store.lock(ctx.lock_wait)?;
    let mut snapshot = Snapshot::load(&locked)?;
    let (kind, id) = find(&snapshot, &args.id)?;
    let entries = versions(&locked, kind, &id)?;
    let rev = entries.len();
    check_rev(args.if_rev, rev, &id)?;
    let wanted = usize::try_from(args.to)
        .ok()
        .and_then(|to| to.checked_sub(1));
    let Some(entry) = wanted.and_then(|at| entries.get(at)) else {
        return Err(Error::not_found(format!(
            "{id} has no version {}; it has 1 to {rev}",
            args.to
        ))
        .hint(format!("self-learning history --id {id}")));
    };
    let current = &entries[rev - 1].record;
    refuse_purged(&id, current)?;
    let changed = changed_fields(current, &entry.record);
    if changed.is_empty() {
        return Err(Error::refused(
            "nothing_to_change",
            format!("{id} already says what version {} says", args.to),
        )
        .hint(format!("self-learning history --id {id}")));
    }
    let mut restored = entry.record.clone().with("ts", ctx.now.to_text());
    if kind == LogKind::Recommendations {
        restored = restored.with("last_touched_ts", ctx.now.to_text());
    }
    // The version may be older than the rules of today, or written by somebody else.
    let verdict = guard::admit(
        &mut restored.0,
        guard_kind(kind),
        guard::Options {
            strip_invisible: true,
        },
    );
    let batch = Batch::from([(kind, vec![restored])]);
    let notes = commit(ctx, &mut locked, &mut snapshot, &batch)?;
    let log = if kind == LogKind::Cards {
        &snapshot.cards
    } else {
        &snapshot.recommendations
    };
    let written = log
        .get(&id)
        .map(|item| item.record.0.clone())
        .unwrap_or_default();
    Ok(Report::Edited(report::Edited {
        ok: true,
        place: place(ctx),
        id,
        previous_rev: rev,
        rev: rev + 1,
        changed_fields: changed,
        written_to: store.log_path(kind).display().to_string(),
        item: Value::Object(written),
        redactions: verdict
            .redactions
            .iter()
            .map(|found| json!({ "class": found.class, "field": found.path, "offset": found.offset }))
            .collect(),
        notes,
        diagnostics: snapshot.damage(),
    })
    .into())
}

fn find(snapshot: &Snapshot, wanted: &str) -> Result<(LogKind, String)> {
    let known = snapshot.cards.ids().chain(snapshot.recommendations.ids());
    let id = find_id("Card or recommendation", "aha_", wanted, known)?;
    let kind = if snapshot.cards.get(&id).is_some() {
        LogKind::Cards
    } else {
        LogKind::Recommendations
    };
    Ok((kind, id))
}

fn versions(store: &impl Logs, kind: LogKind, id: &str) -> Result<Vec<Entry>> {
    let (entries, _) = fold::entries(kind, &store.read(kind)?, 1);
    Ok(entries.into_iter().filter(|entry| entry.id == id).collect())
}
