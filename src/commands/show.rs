//! `show`: items whole, whatever they are.

use serde_json::Value;

use super::{Done, Snapshot, global_store, place, project_store};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::ids::{self, Resolution};
use crate::error::{Error, Result};
use crate::guard;
use crate::report::{self, IdError, Report, Shown};

pub fn run(args: &cli::Show, ctx: &Ctx) -> Result<Done> {
    if let Some(report) = by_index(args, ctx)? {
        return Ok(Report::Show(report).into());
    }
    let project = Snapshot::load_whole(&project_store(ctx))?;
    let global = Snapshot::load_whole(&global_store(ctx)).unwrap_or_default();
    let stores = [("project", &project), ("global", &global)];
    let mut items = Vec::new();
    let mut not_found = Vec::new();
    let stored_as_is = |id: &str| {
        stores
            .iter()
            .any(|(_, snapshot)| all_ids(snapshot).contains(&id))
    };
    // Another writer's id may hold a comma: then the whole argument is one id.
    let wanted = args.ids.iter().flat_map(|ids| {
        if stored_as_is(ids.trim()) {
            vec![ids.as_str()]
        } else {
            ids.split(',').collect()
        }
    });
    for wanted in wanted.map(str::trim).filter(|wanted| !wanted.is_empty()) {
        match resolve(wanted, &stores) {
            Ok(shown) => items.push(shown),
            Err(error) => not_found.push(error),
        }
    }
    let complaint = not_found.first().map(|missing| {
        let error = Error::not_found(missing.error.clone());
        match missing.nearest.first() {
            Some(id) => error.hint(format!("did you mean {id}? self-learning show {id}")),
            None => error.hint("self-learning list --limit 0 shows the ids"),
        }
    });
    let report = report::Show {
        ok: not_found.is_empty(),
        place: place(ctx),
        items,
        not_found,
        diagnostics: project.damage(),
    };
    Ok(Done {
        report: Report::Show(report),
        complaint,
    })
}

/// Cards and recommendations of the project named by their whole ids, by way of the index; `None` when anything else is
/// asked for.
fn by_index(args: &cli::Show, ctx: &Ctx) -> Result<Option<report::Show>> {
    let Some(mut snapshot) = Snapshot::open_reading(ctx, &project_store(ctx))? else {
        return Ok(None);
    };
    let items = snapshot.settle(|snapshot| -> Option<Vec<Shown>> {
        let find = |id: &str| shown_item("project", snapshot, id.trim());
        let mut items = Vec::new();
        for ids in &args.ids {
            match find(ids) {
                Some(shown) => items.push(shown),
                None => {
                    let parts = ids.split(',').filter(|part| !part.trim().is_empty());
                    items.extend(parts.map(find).collect::<Option<Vec<_>>>()?);
                }
            }
        }
        (!items.is_empty()).then_some(items)
    })?;
    Ok(items.map(|items| report::Show {
        ok: true,
        place: place(ctx),
        items,
        not_found: Vec::new(),
        diagnostics: snapshot.damage(),
    }))
}

fn resolve(
    wanted: &str,
    stores: &[(&'static str, &Snapshot)],
) -> std::result::Result<Shown, IdError> {
    let mut nearest = Vec::new();
    for (name, snapshot) in stores {
        let known: Vec<&str> = all_ids(snapshot);
        match ids::resolve(wanted, known.into_iter()) {
            Resolution::Found(id) => {
                if let Some(shown) = shown(name, snapshot, &id) {
                    return Ok(shown);
                }
            }
            Resolution::Ambiguous(several) => {
                return Err(IdError {
                    error: format!(
                        "`{wanted}` is the beginning of several ids: {}",
                        several.join(", ")
                    ),
                    id: wanted.to_owned(),
                    nearest: several,
                });
            }
            Resolution::Unknown(near) => nearest.extend(near),
        }
    }
    let wanted = guard::secrets::redact(wanted).0;
    Err(IdError {
        error: format!("nothing has the id `{wanted}`"),
        id: wanted.into_owned(),
        nearest,
    })
}

/// Cards and recommendations first: they are what people mean by a beginning.
fn all_ids(snapshot: &Snapshot) -> Vec<&str> {
    let lines = snapshot
        .events
        .iter()
        .chain(&snapshot.signals)
        .chain(&snapshot.backports);
    let mut ids: Vec<&str> = snapshot
        .cards
        .ids()
        .chain(snapshot.recommendations.ids())
        .collect();
    ids.extend(lines.map(|entry| entry.id.as_str()));
    ids
}

fn shown(store: &'static str, snapshot: &Snapshot, id: &str) -> Option<Shown> {
    if let Some(item) = shown_item(store, snapshot, id) {
        return Some(item);
    }
    for (kind, entries) in [
        ("event", &snapshot.events),
        ("signal", &snapshot.signals),
        ("backport", &snapshot.backports),
    ] {
        let found: Vec<_> = entries.iter().filter(|entry| entry.id == id).collect();
        if let Some(last) = found.last() {
            return Some(Shown {
                kind,
                id: id.to_owned(),
                store,
                rev: found.len(),
                created_ts: found[0].record.ts().map(str::to_owned),
                score: None,
                explain: None,
                item: Value::Object(last.record.0.clone()),
            });
        }
    }
    None
}

fn shown_item(store: &'static str, snapshot: &Snapshot, id: &str) -> Option<Shown> {
    for (kind, log) in [
        ("aha_card", &snapshot.cards),
        ("recommendation", &snapshot.recommendations),
    ] {
        if let Some(item) = log.get(id) {
            let totals = snapshot.totals();
            let counts = (kind == "aha_card").then(|| totals.card(id).clone());
            return Some(Shown {
                kind,
                id: id.to_owned(),
                store,
                rev: item.versions,
                created_ts: item.created_ts.clone(),
                score: counts.as_ref().map(|counts| counts.score()),
                explain: counts.as_ref().map(|counts| counts.explain()),
                item: Value::Object(item.record.0.clone()),
            });
        }
    }
    None
}
