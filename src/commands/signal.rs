//! `use` and `signal`: what happened to stored items.

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
    if !store.exists() {
        check(&Snapshot::load(&store)?, ctx, card, &id).map_err(|missing| unknown(&missing))?;
    }
    let mut locked = store.lock(ctx.lock_wait)?;
    let mut snapshot = Snapshot::open(ctx, &locked)?;
    snapshot
        .settle(|snapshot| check(snapshot, ctx, card, &id))?
        .map_err(|missing| unknown(&missing))?;
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

/// What the ids given to `use` name.
#[derive(Default)]
struct Named {
    signals: Vec<Record>,
    invalid_ids: Vec<InvalidId>,
    errors: Vec<IdError>,
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
    let locked = if store.exists() {
        Some(store.lock(ctx.lock_wait)?)
    } else {
        None
    };
    let mut snapshot = match &locked {
        Some(locked) => Snapshot::open_with_signals(ctx, locked)?,
        None => Snapshot::load(&store)?,
    };
    let named = snapshot.settle(|snapshot| {
        let mut named = Named::default();
        for (card, ids) in [(true, &cards), (false, &recommendations)] {
            let prefix = if card { "aha_" } else { "rec_" };
            for id in ids {
                match check(snapshot, ctx, card, id) {
                    Ok(()) => {
                        let (kind, target) = if card {
                            ("aha_used", Target::Card(id))
                        } else {
                            ("rec_used", Target::Recommendation(id))
                        };
                        let signal = signal_record(ctx, kind, target, &source, context.as_deref());
                        named.signals.push(signal);
                    }
                    Err(_) if !id.starts_with(prefix) => named.invalid_ids.push(InvalidId {
                        id: guard::secrets::redact(id).0.into_owned(),
                        expected_prefix: prefix,
                    }),
                    Err(missing) => named.errors.push(missing),
                }
            }
        }
        named
    })?;
    let Named {
        signals,
        invalid_ids,
        errors,
    } = named;
    let complaint = errors.first().map(unknown).or_else(|| {
        let invalid = invalid_ids.first()?;
        Some(
            Error::not_found(format!("`{}` is no id of this store", invalid.id))
                .hint("self-learning list --limit 0 shows the ids"),
        )
    });
    let (again, records): (Vec<Record>, Vec<Record>) = signals
        .into_iter()
        .partition(|record| record.id().is_some_and(|id| snapshot.has_signal(&id)));
    let already_recorded: Vec<String> = again
        .iter()
        .filter_map(|record| record.text("aha_id").or_else(|| record.text("rec_id")))
        .map(str::to_owned)
        .collect();
    if !records.is_empty() {
        let mut locked = match locked {
            Some(locked) => locked,
            // A card of the global store is used where no store is yet.
            None => store.lock(ctx.lock_wait)?,
        };
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

/// Whether an id can be named in a signal: those of the project can, and the cards of the global store.
fn check(snapshot: &Snapshot, ctx: &Ctx, card: bool, id: &str) -> std::result::Result<(), IdError> {
    let (log, what) = if card {
        (&snapshot.cards, "card")
    } else {
        (&snapshot.recommendations, "recommendation")
    };
    let global = || {
        let snapshot = Snapshot::load_cards(&global_store(ctx));
        snapshot.is_ok_and(|global| global.cards.get(id).is_some())
    };
    if log.get(id).is_some() || (card && global()) {
        return Ok(());
    }
    let id = guard::secrets::redact(id).0;
    Err(IdError {
        id: id.clone().into_owned(),
        error: format!("no {what} has the id `{id}`"),
        nearest: ids::nearest(&id, log.ids(), 3),
    })
}

fn unknown(missing: &IdError) -> Error {
    let error = Error::not_found(missing.error.clone());
    match missing.nearest.first() {
        Some(id) => error.hint(format!("did you mean {id}? self-learning show {id}")),
        None => error.hint("self-learning list --limit 0 shows the ids"),
    }
}
