//! The last gate before a log. [`commit`](super::commit) sends every batch through it, whichever verb made the batch, so a
//! verb that forgets to ask the guard still stores no secret, nothing hidden, and no unflagged command to its reader.
//!
//! Verbs judge their input themselves as well, to refuse it with a reason. Here nothing is refused: much of a batch is stored
//! text carried along (a new status on a card of another writer), and sizes and shapes of such text are tolerated.

use super::{Snapshot, Target, signal_record};
use crate::ctx::Ctx;
use crate::domain::fold::LogKind;
use crate::domain::record::Record;
use crate::domain::score::{
    QUARANTINED_CARD, QUARANTINED_RECOMMENDATION, RELEASED_CARD, RELEASED_RECOMMENDATION,
};
use crate::domain::tombstone;
use crate::guard;
use crate::store::Batch;

/// Fields in which two versions of a card may differ and still say the same.
const STATE_FIELDS: [&str; 6] = [
    "ts",
    "last_touched_ts",
    "status",
    "scope",
    "shareable",
    "primary_skill",
];

/// The code of a refusal for characters that hide.
const HIDDEN: &str = "invisible_text";

/// What the guard calls the records of a log.
pub fn guard_kind(kind: LogKind) -> guard::Kind {
    match kind {
        LogKind::Events => guard::Kind::Event,
        LogKind::Cards => guard::Kind::Card,
        LogKind::Recommendations => guard::Kind::Recommendation,
        LogKind::Signals => guard::Kind::Signal,
        LogKind::Backports => guard::Kind::Backport,
    }
}

/// The batch as it may be appended, and what was changed in it, in words. A clean record keeps every byte.
pub fn pass(ctx: &Ctx, snapshot: &Snapshot, batch: &Batch) -> (Batch, Vec<String>) {
    let mut notes = Vec::new();
    let mut flags = Vec::new();
    let mut passed = Batch::new();
    for (kind, records) in batch {
        let mut judged: Vec<Record> = Vec::with_capacity(records.len());
        for record in records {
            let (record, verdict) = judge(snapshot, *kind, record, &mut notes);
            if matches!(kind, LogKind::Cards | LogKind::Recommendations)
                && verdict.is_quarantined()
                && let Some(flag) = flag(ctx, snapshot, batch, *kind, &judged, &record, &verdict)
            {
                notes.push(format!(
                    "{} is quarantined: its text commands the reader",
                    record.id().unwrap_or_default()
                ));
                flags.push(flag);
            }
            judged.push(record);
        }
        passed.insert(*kind, judged);
    }
    if !flags.is_empty() {
        passed.entry(LogKind::Signals).or_default().extend(flags);
    }
    (passed, notes)
}

fn judge(
    snapshot: &Snapshot,
    kind: LogKind,
    record: &Record,
    notes: &mut Vec<String>,
) -> (Record, guard::Verdict) {
    let mut admitted = record.0.clone();
    let mut options = guard::Options::default();
    let mut verdict = guard::admit(&mut admitted, guard_kind(kind), options);
    let hides = verdict
        .refusals
        .iter()
        .any(|refusal| refusal.code == HIDDEN);
    // What hides in stored text is the audit's to find; a new state of an item does not change what it says.
    if hides && !is_stored_hidden(snapshot, kind, record) {
        admitted.clone_from(&record.0);
        options.strip_invisible = true;
        verdict = guard::admit(&mut admitted, guard_kind(kind), options);
    }
    let unchanged = verdict.redactions.is_empty() && !options.strip_invisible;
    if unchanged || tombstone::digest_of(record).is_some() {
        return (record.clone(), verdict);
    }
    // By its id a stored item is known, whatever stands in it: another id would be another item.
    for field in ["id", "aha_id", "rec_id"] {
        let known = record.text(field).is_some_and(|id| {
            snapshot.cards.get(id).is_some() || snapshot.recommendations.get(id).is_some()
        });
        if known && let Some(id) = record.0.get(field) {
            admitted.insert(field.to_owned(), id.clone());
        }
    }
    let record = Record(admitted);
    let id = record.id().unwrap_or_default();
    for found in &verdict.redactions {
        let note = format!(
            "{id}: a secret ({}) in `{}` was masked",
            found.class, found.path
        );
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes.extend(verdict.notes.iter().map(|note| format!("{id}: {note}")));
    (record, verdict)
}

/// Whether the version before hides something already.
fn is_stored_hidden(snapshot: &Snapshot, kind: LogKind, record: &Record) -> bool {
    let log = match kind {
        LogKind::Cards => &snapshot.cards,
        LogKind::Recommendations => &snapshot.recommendations,
        _ => return false,
    };
    let before = record.id().and_then(|id| Some(&log.get(&id)?.record));
    before.is_some_and(|before| {
        let verdict = guard::audit(&before.0, guard_kind(kind));
        verdict
            .refusals
            .iter()
            .any(|refusal| refusal.code == HIDDEN)
    })
}

/// The signal that keeps an item out of recall, when its text is new and nobody has judged it yet.
fn flag(
    ctx: &Ctx,
    snapshot: &Snapshot,
    batch: &Batch,
    kind: LogKind,
    earlier: &[Record],
    record: &Record,
    verdict: &guard::Verdict,
) -> Option<Record> {
    let id = record.id()?;
    if snapshot.totals().is_quarantined(&id) {
        return None;
    }
    let (log, target, flagged, released) = match kind {
        LogKind::Cards => (
            &snapshot.cards,
            Target::Card(&id),
            QUARANTINED_CARD,
            RELEASED_CARD,
        ),
        _ => (
            &snapshot.recommendations,
            Target::Recommendation(&id),
            QUARANTINED_RECOMMENDATION,
            RELEASED_RECOMMENDATION,
        ),
    };
    let judged = batch
        .get(&LogKind::Signals)
        .into_iter()
        .flatten()
        .filter(|signal| [signal.text("aha_id"), signal.text("rec_id")].contains(&Some(&id)))
        .any(|signal| [Some(flagged), Some(released)].contains(&signal.text("kind")));
    let before = earlier
        .iter()
        .rev()
        .find(|earlier| earlier.id().as_deref() == Some(&id))
        .or_else(|| log.get(&id).map(|item| &item.record));
    if judged || before.is_some_and(|before| said(before) == said(record)) {
        return None;
    }
    let classes: Vec<&str> = verdict
        .directive
        .reasons
        .iter()
        .map(|reason| reason.class)
        .collect();
    let context = format!("score {}: {}", verdict.directive.score, classes.join(", "));
    Some(signal_record(ctx, flagged, target, "guard", Some(&context)))
}

/// What a card says, its state left out.
fn said(record: &Record) -> serde_json::Map<String, serde_json::Value> {
    let mut map = record.0.clone();
    for field in STATE_FIELDS {
        map.shift_remove(field);
    }
    map
}
