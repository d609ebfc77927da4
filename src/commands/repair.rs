//! `repair`: what the reader skipped or guessed, what is missing, and the fixes, which are only appended.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use super::{Done, Snapshot, commit, place, project_store};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::fold::{Diagnostic, Entry, Item, Log, LogKind, Problem};
use crate::domain::ids;
use crate::domain::normal::{self, CardStatus, RecommendationStatus, UNKNOWN_SKILL};
use crate::domain::record::Record;
use crate::domain::time::Timestamp;
use crate::domain::tombstone;
use crate::domain::{card, recommendation};
use crate::error::{Error, Kind, Result};
use crate::guard;
use crate::report::{self, Damage, Planned, RepairCounts, Report};
use crate::store::Batch;

/// The kind of event that says which damaged lines a person has seen.
const ACKNOWLEDGED: &str = "repair_acknowledged";

pub fn run(args: &cli::Repair, ctx: &Ctx) -> Result<Done> {
    let store = project_store(ctx);
    let mut progress = ctx.progress("checking");
    let lengths = LogKind::ALL.map(|kind| store.log_path(kind).metadata());
    progress.begin(lengths.iter().flatten().map(|file| file.len()).sum());
    let mut snapshot = Snapshot::load_whole(&store)?;
    let mut plan = Plan::of(&snapshot, ctx);
    if args.apply && store.exists() {
        let mut locked = store.lock(ctx.lock_wait)?;
        // Before the plan: what is purged is not repaired but removed again.
        super::purge::scrub(&mut locked, &ctx.now.to_text())?;
        snapshot = Snapshot::load_whole(&locked)?;
        plan = Plan::of(&snapshot, ctx);
        let batch = plan.batch(&snapshot, ctx);
        commit(ctx, &mut locked, &mut snapshot, &batch)?;
    }
    let open = plan.open_findings();
    let counts = RepairCounts {
        aha_updates: plan.planned.aha_updates.len(),
        rec_updates: plan.planned.rec_updates.len(),
        recovered: plan.planned.recovered.len(),
        problems: plan.problems.len(),
        oddities: plan.oddities.len(),
    };
    let complaint = (args.check && open > 0).then(|| {
        Error::new(
            Kind::Check,
            "repair_needed",
            format!("{open} finding(s) in the store"),
        )
        .hint("self-learning repair lists them; self-learning repair --apply appends the fixes")
    });
    let report = report::Repair {
        ok: complaint.is_none(),
        place: place(ctx),
        applied: args.apply,
        planned: plan.planned,
        counts,
        note: if args.apply {
            "Repairs appended; INDEX.md refreshed.".to_owned()
        } else {
            "Run again with --apply to write changes.".to_owned()
        },
        problems: plan.problems,
        oddities: plan.oddities,
    };
    Ok(Done {
        report: Report::Repair(report),
        complaint,
    })
}

/// What is wrong and what would be appended. Pure.
struct Plan {
    planned: Planned,
    card_updates: Vec<Record>,
    recommendation_updates: Vec<Record>,
    recovered: BTreeMap<LogKind, Vec<Record>>,
    problems: Vec<report::Problem>,
    unacknowledged: Vec<String>,
    oddities: Vec<Value>,
}

impl Plan {
    fn of(snapshot: &Snapshot, ctx: &Ctx) -> Plan {
        let mut plan = Plan {
            planned: Planned::default(),
            card_updates: Vec::new(),
            recommendation_updates: Vec::new(),
            recovered: BTreeMap::new(),
            problems: Vec::new(),
            unacknowledged: Vec::new(),
            oddities: Vec::new(),
        };
        plan.damage(snapshot);
        let skills = Skills::of(&snapshot.events);
        plan.cards(snapshot, &skills, ctx);
        plan.recommendations(snapshot, &skills, ctx);
        plan
    }

    fn damage(&mut self, snapshot: &Snapshot) {
        let acknowledged: HashSet<String> = snapshot
            .events
            .iter()
            .filter(|event| event.record.text("kind") == Some(ACKNOWLEDGED))
            .flat_map(|event| event.record.list("digests"))
            .collect();
        for found in &snapshot.diagnostics {
            let state = if acknowledged.contains(&found.digest) {
                "acknowledged"
            } else {
                self.unacknowledged.push(found.digest.clone());
                "found"
            };
            if state == "found" && needs_own_line(found.problem) {
                self.recover(snapshot, found);
            }
            self.problems.push(report::Problem {
                damage: Damage::from(found),
                state,
            });
        }
    }

    /// Records that only our reader gets out of their line are written on a line of their own, so that
    /// every reader of the store sees them; unless a later line already speaks for them.
    fn recover(&mut self, snapshot: &Snapshot, found: &Diagnostic) {
        let kind = LogKind::ALL
            .into_iter()
            .find(|kind| kind.file_name() == found.file);
        let Some(kind) = kind else { return };
        let entry_lines = |entries: &[Entry]| -> Vec<(usize, String, Record)> {
            entries
                .iter()
                .map(|entry| (entry.line, entry.id.clone(), entry.record.clone()))
                .collect()
        };
        let log_lines = |log: &Log| -> Vec<(usize, String, Record)> {
            log.lines()
                .iter()
                .map(|line| (line.line, line.id.to_owned(), line.record.clone()))
                .collect()
        };
        let lines = match kind {
            LogKind::Cards => log_lines(&snapshot.cards),
            LogKind::Recommendations => log_lines(&snapshot.recommendations),
            LogKind::Events => entry_lines(&snapshot.events),
            LogKind::Signals => entry_lines(&snapshot.signals),
            LogKind::Backports => entry_lines(&snapshot.backports),
        };
        for (at, (_, id, record)) in lines
            .iter()
            .enumerate()
            .filter(|(_, (line, _, _))| *line == found.line)
        {
            if !lines[at + 1..].iter().any(|(_, later, _)| later == id) {
                self.recovered_line(kind, id, record);
            }
        }
    }

    fn recovered_line(&mut self, kind: LogKind, id: &str, record: &Record) {
        let mut record = record.clone();
        if record.id().is_none() {
            record = record.with("id", id);
        }
        // Damage is no way around the gate.
        let verdict = guard::admit(
            &mut record.0,
            guard::Kind::Other,
            guard::Options {
                strip_invisible: true,
            },
        );
        if !verdict.is_admitted() {
            return;
        }
        // Another id would be another item, and this one would be found damaged again.
        record = record.with("id", id);
        let records = self.recovered.entry(kind).or_default();
        if !records
            .iter()
            .any(|known| known.id().as_deref() == Some(id))
        {
            self.planned
                .recovered
                .push(json!({ "file": kind.file_name(), "id": id }));
            records.push(record);
        }
    }

    fn cards(&mut self, snapshot: &Snapshot, skills: &Skills, ctx: &Ctx) {
        for item in snapshot.cards.items.iter().filter(|item| !is_purged(item)) {
            let mut update = Map::new();
            let mut record = item.record.clone();
            if let Some(skill) = skills.missing(&item.record) {
                update.insert("primary_skill".to_owned(), Value::from(skill.clone()));
                record = record.with("primary_skill", skill);
            }
            if let CardStatus::Other(text) = card::status(&item.record) {
                self.odd(
                    item,
                    "status",
                    &text,
                    "self-learning aha-status --id ID --status proposed",
                );
            }
            if update.is_empty() {
                continue;
            }
            update.shift_insert(0, "id".to_owned(), Value::from(item.id.clone()));
            self.planned.aha_updates.push(Value::Object(update));
            self.card_updates.push(record.with("ts", ctx.now.to_text()));
        }
    }

    fn recommendations(&mut self, snapshot: &Snapshot, skills: &Skills, ctx: &Ctx) {
        for item in snapshot
            .recommendations
            .items
            .iter()
            .filter(|item| !is_purged(item))
        {
            let mut update = Map::new();
            let mut record = item.record.clone();
            if let Some(skill) = skills.missing(&item.record) {
                update.insert("primary_skill".to_owned(), Value::from(skill.clone()));
                record = record.with("primary_skill", skill);
            }
            let stored = item.record.text("status").unwrap_or_default();
            match recommendation::status(&item.record) {
                RecommendationStatus::Other(text) => {
                    self.odd(
                        item,
                        "status",
                        &text,
                        "self-learning rec-status --id ID --status proposed",
                    );
                }
                status if !stored.trim().is_empty() && stored.trim() != status.as_str() => {
                    update.insert("status".to_owned(), Value::from(status.as_str()));
                    record = record.with("status", status.as_str());
                }
                _ => {}
            }
            let touched = recommendation::last_touched(&item.record).map(str::to_owned);
            if touched.as_deref().and_then(Timestamp::parse).is_none() {
                let given = touched.unwrap_or_else(|| "none".to_owned());
                self.odd(
                    item,
                    "ts",
                    &given,
                    "self-learning rec-status --id ID --status proposed",
                );
            }
            if update.is_empty() {
                continue;
            }
            update.shift_insert(0, "id".to_owned(), Value::from(item.id.clone()));
            self.planned.rec_updates.push(Value::Object(update));
            // A repair is no touch: the item stays as stale as it was.
            if record.filled("last_touched_ts").is_none()
                && let Some(ts) = item.record.filled("ts")
            {
                record = record.with("last_touched_ts", ts);
            }
            self.recommendation_updates
                .push(record.with("ts", ctx.now.to_text()));
        }
    }

    fn odd(&mut self, item: &Item, field: &str, value: &str, fix: &str) {
        self.oddities.push(json!({
            "id": item.id,
            "field": field,
            "value": guard::markdown::terminal(value),
            "fix": fix.replace("ID", &item.id),
        }));
    }

    /// What `--check` counts.
    fn open_findings(&self) -> usize {
        let updates = self.planned.aha_updates.len() + self.planned.rec_updates.len();
        self.unacknowledged.len() + updates + self.oddities.len()
    }

    fn batch(&self, snapshot: &Snapshot, ctx: &Ctx) -> Batch {
        let mut batch: Batch = self.recovered.clone();
        batch
            .entry(LogKind::Cards)
            .or_default()
            .extend(self.card_updates.clone());
        batch
            .entry(LogKind::Recommendations)
            .or_default()
            .extend(self.recommendation_updates.clone());
        if !self.unacknowledged.is_empty() {
            let digests = normal::unique(self.unacknowledged.iter().cloned());
            let mut event = Record(Map::new())
                .with("task_summary", "repair: damaged lines seen")
                .with("kind", ACKNOWLEDGED)
                .with("digests", digests)
                .with("ts", ctx.now.to_text());
            let taken = |id: &str| snapshot.events.iter().any(|event| event.id == id);
            let id = ids::free_id(&ids::event_id(&event.0), taken);
            event = event.with("id", id);
            batch.entry(LogKind::Events).or_default().push(event);
        }
        batch
    }
}

fn is_purged(item: &Item) -> bool {
    tombstone::digest_of(&item.record).is_some()
}

fn needs_own_line(problem: Problem) -> bool {
    matches!(
        problem,
        Problem::Glued
            | Problem::NotUtf8
            | Problem::ByteOrderMark
            | Problem::LoneSurrogate
            | Problem::MissingId
    )
}

/// When which skill was worked on, from the events.
struct Skills {
    /// Time and skill, in file order.
    dated: Vec<(Timestamp, String)>,
}

impl Skills {
    fn of(events: &[Entry]) -> Skills {
        let dated = events
            .iter()
            .filter_map(|event| {
                let skill = normal::skill(event.record.0.get("primary_skill"));
                let time = Timestamp::parse(event.record.ts()?)?;
                (!normal::is_unknown_skill(&skill)).then_some((time, skill))
            })
            .collect();
        Skills { dated }
    }

    /// The skill an item lacks. A tag `skill:x` is somebody's word and comes first; then the nearest
    /// event before, else after. An item that says `unknown` gets a skill only where that is certain:
    /// by a tag, or by an event of the same moment.
    fn missing(&self, record: &Record) -> Option<String> {
        let stored = record
            .text("primary_skill")
            .map(str::trim)
            .unwrap_or_default();
        if !stored.is_empty() && stored != UNKNOWN_SKILL {
            return None;
        }
        let tagged = record.list("tags").into_iter().find_map(|tag| {
            let name = tag.trim().strip_prefix("skill:").map(str::to_owned)?;
            let skill = normal::skill(Some(&Value::from(name)));
            (!normal::is_unknown_skill(&skill)).then_some(skill)
        });
        if tagged.is_some() {
            return tagged;
        }
        let time = record.ts().and_then(Timestamp::parse);
        if stored == UNKNOWN_SKILL {
            let same = self.dated.iter().find(|(at, _)| Some(*at) == time);
            return same.map(|(_, skill)| skill.clone());
        }
        let Some(time) = time else {
            return Some(UNKNOWN_SKILL.to_owned());
        };
        // Ties go to the first in the file: max_by_key keeps the last, so the order is turned round.
        let before = self
            .dated
            .iter()
            .rev()
            .filter(|(at, _)| *at <= time)
            .max_by_key(|(at, _)| *at);
        let after = || {
            self.dated
                .iter()
                .filter(|(at, _)| *at > time)
                .min_by_key(|(at, _)| *at)
        };
        let nearest = before.or_else(after).map(|(_, skill)| skill.clone());
        Some(nearest.unwrap_or_else(|| UNKNOWN_SKILL.to_owned()))
    }
}
