//! `use` and `signal`: what happened to stored items.

use std::collections::HashSet;

use serde_json::Value;

use super::status::admitted_note;
use super::{Done, Snapshot, Target, commit, global_store, place, project_store, signal_record};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::fold::LogKind;
use crate::domain::ids;
use crate::domain::normal;
use crate::domain::record::Record;
use crate::error::{Error, Result};
use crate::guard;
use crate::report::{self, IdError, InvalidId, Report};
use crate::store::Batch;

pub fn run(args: &cli::Signal, ctx: &Ctx) -> Result<Done> {
    let filled = |text: &Option<String>| {
        text.as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let (card, id) = match (filled(&args.aha_id), filled(&args.rec_id)) {
        (Some(id), None) => (true, id),
        (None, Some(id)) => (false, id),
        _ => {
            return Err(
                Error::usage("Provide exactly one of aha_id or rec_id").hint(format!(
                    "self-learning signal --kind {} --aha-id ID",
                    args.kind
                )),
            );
        }
    };
    let flag = if card { "--aha-id" } else { "--rec-id" };
    if card != args.kind.starts_with("aha_") {
        let right = if card { "--rec-id" } else { "--aha-id" };
        return Err(Error::usage(format!(
            "the kind `{}` does not go with `{flag}`",
            args.kind
        ))
        .hint(format!("use {right}, or another kind")));
    }
    let context = admitted_note(args.context.as_deref())?;
    let source = admitted_note(Some(&args.source))?.unwrap_or_else(|| "manual".to_owned());
    let store = project_store(ctx);
    Known::load(ctx)?
        .check(card, &id)
        .map_err(|missing| unknown(&missing))?;
    let mut locked = store.lock(ctx.lock_wait)?;
    let mut snapshot = Snapshot::load(&locked)?;
    let target = if card {
        Target::Card(&id)
    } else {
        Target::Recommendation(&id)
    };
    let signal = signal_record(ctx, &args.kind, target, &source, context.as_deref());
    let batch = Batch::from([(LogKind::Signals, vec![signal.clone()])]);
    commit(ctx, &mut locked, &mut snapshot, &batch)?;
    Ok(Report::Signal(report::Signal {
        ok: true,
        place: place(ctx),
        written_to: store.log_path(LogKind::Signals).display().to_string(),
        signal: Value::Object(signal.0),
        diagnostics: snapshot.damage(),
    })
    .into())
}

pub fn use_items(args: &cli::Use, ctx: &Ctx) -> Result<Done> {
    let list = |flags: &[String]| normal::unique(flags.iter().flat_map(|ids| normal::id_list(ids)));
    let (cards, recommendations) = (list(&args.aha), list(&args.rec));
    if cards.is_empty() && recommendations.is_empty() {
        return Err(Error::usage(
            "Provide --aha <aha_...[,aha_...]> and/or --rec <rec_...[,rec_...]>",
        )
        .hint("self-learning list shows the ids"));
    }
    let context = admitted_note(args.context.as_deref())?;
    let source = admitted_note(Some(&args.source))?.unwrap_or_else(|| "agent".to_owned());
    let store = project_store(ctx);
    let known = Known::load(ctx)?;
    let mut invalid_ids = Vec::new();
    let mut errors = Vec::new();
    let mut records: Vec<Record> = Vec::new();
    for (card, ids) in [(true, cards), (false, recommendations)] {
        let prefix = if card { "aha_" } else { "rec_" };
        for id in ids {
            match known.check(card, &id) {
                Ok(()) => {
                    let (kind, target) = if card {
                        ("aha_used", Target::Card(&id))
                    } else {
                        ("rec_used", Target::Recommendation(&id))
                    };
                    records.push(signal_record(
                        ctx,
                        kind,
                        target,
                        &source,
                        context.as_deref(),
                    ));
                }
                Err(_) if !id.starts_with(prefix) => invalid_ids.push(InvalidId {
                    id: guard::secrets::redact(&id).0.into_owned(),
                    expected_prefix: prefix,
                }),
                Err(missing) => errors.push(missing),
            }
        }
    }
    let complaint = errors.first().map(unknown).or_else(|| {
        let invalid = invalid_ids.first()?;
        Some(
            Error::not_found(format!("`{}` is no id of this store", invalid.id))
                .hint("self-learning list --limit 0 shows the ids"),
        )
    });
    let mut already_recorded = Vec::new();
    let mut snapshot = Snapshot::load(&store)?;
    if !records.is_empty() {
        let mut locked = store.lock(ctx.lock_wait)?;
        snapshot = Snapshot::load_whole(&locked)?;
        let stored: HashSet<&str> = snapshot
            .signals
            .iter()
            .map(|entry| entry.id.as_str())
            .collect();
        let (again, new): (Vec<Record>, Vec<Record>) = records
            .into_iter()
            .partition(|record| record.id().is_some_and(|id| stored.contains(id.as_str())));
        already_recorded = again
            .iter()
            .filter_map(|record| record.text("aha_id").or_else(|| record.text("rec_id")))
            .map(str::to_owned)
            .collect();
        records = new;
        let batch = Batch::from([(LogKind::Signals, records.clone())]);
        commit(ctx, &mut locked, &mut snapshot, &batch)?;
    }
    let nothing = records.is_empty() && already_recorded.is_empty();
    let report = report::Use {
        ok: !nothing,
        place: place(ctx),
        written_to: store.log_path(LogKind::Signals).display().to_string(),
        signals_written: records
            .into_iter()
            .map(|record| Value::Object(record.0))
            .collect(),
        invalid_ids,
        errors,
        already_recorded,
        diagnostics: snapshot.damage(),
    };
    let complaint = complaint.map(|mut error| {
        if !nothing {
            error.code = super::record::WARNING;
        }
        error
    });
    Ok(Done {
        report: Report::Use(report),
        complaint,
    })
}

/// The ids that can be named in a signal: those of the project, and the cards of the global store.
struct Known {
    project: Snapshot,
    global: Snapshot,
}

impl Known {
    fn load(ctx: &Ctx) -> Result<Known> {
        Ok(Known {
            project: Snapshot::load(&project_store(ctx))?,
            global: Snapshot::load_cards(&global_store(ctx)).unwrap_or_default(),
        })
    }

    fn check(&self, card: bool, id: &str) -> std::result::Result<(), IdError> {
        let (log, what) = if card {
            (&self.project.cards, "card")
        } else {
            (&self.project.recommendations, "recommendation")
        };
        if log.get(id).is_some() || (card && self.global.cards.get(id).is_some()) {
            return Ok(());
        }
        let id = guard::secrets::redact(id).0;
        Err(IdError {
            id: id.clone().into_owned(),
            error: format!("no {what} has the id `{id}`"),
            nearest: ids::nearest(&id, log.ids(), 3),
        })
    }
}

fn unknown(missing: &IdError) -> Error {
    let error = Error::not_found(missing.error.clone());
    match missing.nearest.first() {
        Some(id) => error.hint(format!("did you mean {id}? self-learning show {id}")),
        None => error.hint("self-learning list --limit 0 shows the ids"),
    }
}
