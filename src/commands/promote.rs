//! `promote`: copy cards to the store that all repositories of this user share.

use serde_json::{Value, json};

use super::{Done, Snapshot, Target, commit, global_store, project_store, signal_record};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::card;
use crate::domain::fold::LogKind;
use crate::domain::ids;
use crate::domain::normal::{self, Scope};
use crate::domain::record::Record;
use crate::domain::score::RELEASED_CARD;
use crate::error::{Error, Result};
use crate::guard;
use crate::report::{self, Report};
use crate::store::Batch;

pub fn run(args: &cli::Promote, ctx: &Ctx) -> Result<Done> {
    let requested = normal::unique(args.ids.iter().flat_map(|ids| normal::id_list(ids)));
    if requested.is_empty() {
        return Err(
            Error::usage("Provide --ids <id1,id2,...>").hint("self-learning list shows the ids")
        );
    }
    let (project, global) = (project_store(ctx), global_store(ctx));
    let found = Snapshot::load(&project)?;
    if !requested.iter().any(|id| found.cards.get(id).is_some()) {
        let nearest = ids::nearest(&requested[0], found.cards.ids(), 3);
        let error = Error::not_found("No matching cards found in project store.")
            .details(json!({ "nearest": nearest }));
        return Err(match nearest.first() {
            Some(id) => error.hint(format!("did you mean {id}?")),
            None => error.hint("self-learning list --limit 0 shows the ids"),
        });
    }
    // Always in this order, so that two promotions cannot wait for each other.
    let mut locked = project.lock(ctx.lock_wait)?;
    let mut locked_global = global.lock(ctx.lock_wait)?;
    let mut snapshot = Snapshot::load(&locked)?;
    let mut global_snapshot = Snapshot::load(&locked_global)?;
    let mut copies = Vec::new();
    let mut signals = Vec::new();
    let mut promoted_ids = Vec::new();
    let mut skipped = Vec::new();
    let mut refused = 0;
    let mut notes = Vec::new();
    let mut released = Vec::new();
    for id in &requested {
        match copy_of(id, &snapshot, &global_snapshot, &mut notes) {
            Ok(record) => {
                // What a person let pass here has passed there too.
                if snapshot.totals().card(id).released {
                    let target = Target::Card(id);
                    released.push(signal_record(ctx, RELEASED_CARD, target, "person", None));
                }
                copies.push(record);
                signals.push(signal_record(
                    ctx,
                    "aha_promoted",
                    Target::Card(id),
                    "agent",
                    None,
                ));
                promoted_ids.push(id.clone());
            }
            Err(skip) => {
                refused += usize::from(!skip.is_there);
                skipped.push(json!({ "id": id, "why": skip.why }));
            }
        }
    }
    // The copy first: a signal without a copy would claim what did not happen.
    let global_batch = Batch::from([(LogKind::Cards, copies), (LogKind::Signals, released)]);
    notes.extend(commit(
        ctx,
        &mut locked_global,
        &mut global_snapshot,
        &global_batch,
    )?);
    let batch = Batch::from([(LogKind::Signals, signals)]);
    notes.extend(commit(ctx, &mut locked, &mut snapshot, &batch)?);
    // Cards that are there already are what was asked for; others that were left out are not.
    let nothing = promoted_ids.is_empty() && refused > 0;
    let complaint = skipped.first().map(|skip| {
        let why = skip["why"].as_str().unwrap_or_default();
        let mut error = Error::refused("not_promoted", why.to_owned()).hint(format!(
            "self-learning show {}",
            skip["id"].as_str().unwrap_or_default()
        ));
        if !nothing {
            error.code = super::record::WARNING;
        }
        error
    });
    Ok(Done {
        report: Report::Promote(report::Promote {
            ok: !nothing,
            user: ctx.user.clone(),
            from_project_store: project.dir.display().to_string(),
            to_global_store: global.dir.display().to_string(),
            requested,
            promoted_count: promoted_ids.len(),
            promoted_ids,
            skipped,
            notes,
            diagnostics: snapshot.damage(),
        }),
        complaint,
    })
}

/// Why a card is not copied.
struct Skip {
    why: String,
    /// The global store has this very version.
    is_there: bool,
}

impl Skip {
    fn because(why: String) -> Skip {
        Skip {
            why,
            is_there: false,
        }
    }
}

/// The record to append to the global store, or why there is none.
fn copy_of(
    id: &str,
    project: &Snapshot,
    global: &Snapshot,
    notes: &mut Vec<String>,
) -> std::result::Result<Record, Skip> {
    let item = project
        .cards
        .get(id)
        .ok_or_else(|| Skip::because(format!("no card has the id `{id}`")))?;
    let status = card::status(&item.record);
    if status.is_retired() {
        return Err(Skip::because(format!("{id} is {}", status.as_str())));
    }
    if project.totals().card(id).quarantined {
        return Err(Skip::because(format!("{id} is quarantined")));
    }
    let mut copy = item.record.clone();
    if !copy.0.contains_key("scope") {
        copy = copy.with("scope", Scope::Portable.as_str());
    }
    let verdict = guard::admit(&mut copy.0, guard::Kind::Card, guard::Options::default());
    if let Some(refusal) = verdict.refusals.first() {
        return Err(Skip::because(format!("{id}: {}", refusal.message)));
    }
    if verdict.is_quarantined() && !project.totals().card(id).released {
        return Err(Skip::because(format!("{id}: its text commands the reader")));
    }
    for found in &verdict.redactions {
        notes.push(format!(
            "{id}: a secret ({}) in `{}` was masked in the copy",
            found.class, found.path
        ));
    }
    match global.cards.get(id) {
        Some(known) if same_but_time(&known.record, &copy) => Err(Skip {
            why: format!("{id} is there already"),
            is_there: true,
        }),
        _ => {
            if card::scope(&copy) == Scope::Project {
                notes.push(format!(
                    "{id} has scope project and is now found in every repository; generalise it: \
                     self-learning edit --id {id} --scope portable"
                ));
            }
            Ok(copy)
        }
    }
}

fn same_but_time(left: &Record, right: &Record) -> bool {
    let strip = |record: &Record| {
        let mut map = record.0.clone();
        map.shift_remove("ts");
        Value::Object(map)
    };
    strip(left) == strip(right)
}
