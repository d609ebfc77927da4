//! `release`: a person has read a quarantined item and lets it back into recall.

use serde_json::Value;

use super::status::admitted_note;
use super::{Done, Snapshot, Target, commit, find_id, place, project_store, signal_record};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::fold::LogKind;
use crate::domain::score::{RELEASED_CARD, RELEASED_RECOMMENDATION};
use crate::error::{Error, Kind, Result};
use crate::report::{self, Report};
use crate::store::Batch;

pub fn run(args: &cli::Release, ctx: &Ctx) -> Result<Done> {
    let Some(reason) = admitted_note(Some(&args.reason))? else {
        return Err(Error::usage("`--reason` is empty").hint("say why the text is harmless"));
    };
    let store = project_store(ctx);
    let snapshot = Snapshot::load(&store)?;
    let known = snapshot.cards.ids().chain(snapshot.recommendations.ids());
    let id = find_id("Card or recommendation", "aha_", &args.id, known)?;
    if let Some(marker) = ctx.agent.first()
        && !ctx.stdin_terminal
    {
        return Err(Error::new(
            Kind::Refused,
            "needs_a_person",
            format!(
                "a quarantined item is released by a person, not by an agent ({marker} is set)"
            ),
        )
        .hint(format!(
            "ask your user to read `self-learning show {id}` and to run this command in a terminal"
        )));
    }
    let mut locked = store.lock(ctx.lock_wait)?;
    let mut snapshot = Snapshot::load(&locked)?;
    if !snapshot.totals().is_quarantined(&id) {
        return Err(
            Error::refused("not_quarantined", format!("{id} is not quarantined"))
                .hint("self-learning review --quarantine lists the cards that are"),
        );
    }
    let (kind, target) = if snapshot.cards.get(&id).is_some() {
        (RELEASED_CARD, Target::Card(&id))
    } else {
        (RELEASED_RECOMMENDATION, Target::Recommendation(&id))
    };
    let signal = signal_record(ctx, kind, target, "person", Some(&reason));
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
