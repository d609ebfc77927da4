//! `review`: what is open, proven, and ready to graduate; and the learnings themselves.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::list::is_served;
use super::{Done, Snapshot, global_store, place, project_store, readiness, scope_text};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::card;
use crate::domain::fold::Item;
use crate::domain::normal::{CardStatus, RecommendationStatus, Scope, unique};
use crate::domain::recommendation;
use crate::domain::record::Record;
use crate::domain::score::{Counts, QUARANTINED_CARD, QUARANTINED_RECOMMENDATION, Totals, WEIGHTS};
use crate::domain::time::{Timestamp, age_days};
use crate::error::{Error, Result};
use crate::report::{self, Report};

/// How many learnings the summary shows.
const LEARNINGS: usize = 10;

pub fn run(args: &cli::Review, ctx: &Ctx) -> Result<Done> {
    let store = project_store(ctx);
    let snapshot = if args.quarantine {
        Snapshot::load_whole(&store)?
    } else {
        Snapshot::load(&store)?
    };
    let totals = snapshot.totals();
    let filter = Filter::of(args, ctx)?;
    let recommendations = Recommendations::of(&snapshot, totals, &filter, args, ctx);
    let cards = Cards::of(&snapshot, totals, &filter, args);
    let global_cards = if args.include_global {
        Snapshot::load_cards(&global_store(ctx))?.cards.items.len()
    } else {
        0
    };
    let limit = count(args.recs_limit);
    let views = |entries: &[Entry<'_>], limit: usize| -> Vec<Value> {
        entries
            .iter()
            .take(limit)
            .map(|entry| view(entry.item, totals, ctx))
            .collect()
    };
    let actions = count(args.next_actions_limit);
    let next_actions = next_actions(
        &views(&recommendations.open, actions),
        &cards.candidates,
        actions,
    );
    let scoped = |scope: Scope| {
        recommendations
            .open
            .iter()
            .filter(|entry| entry.scope == scope)
            .count()
    };
    let summary = report::ReviewSummary {
        aha_cards: snapshot.cards.items.len(),
        recommendations: snapshot.recommendations.items.len(),
        open_recommendations: recommendations.open.len(),
        open_recommendations_project: scoped(Scope::Project),
        open_recommendations_portable: scoped(Scope::Portable),
        stale_recommendations: recommendations.stale.len(),
        untouched_recommendations: recommendations.untouched.len(),
        backport_candidates: cards.candidates.len(),
        signals: totals.lines,
        backports: snapshot.backports.len(),
        global_aha_cards: global_cards,
        matching_aha_cards: cards.matching,
        matching_recommendations: recommendations.matching,
        backport_candidates_total: cards.ready,
        retired_aha_cards: cards.retired,
    };
    let report = report::Review {
        ok: true,
        place: place(ctx),
        global_store: args
            .include_global
            .then(|| ctx.global_store.display().to_string()),
        summary,
        next_actions,
        recommendations: report::ReviewRecommendations {
            open: views(&recommendations.open, limit),
            stale: views(&recommendations.stale, limit),
            untouched: views(&recommendations.untouched, limit),
            by_status: recommendations.by_status,
        },
        aha: report::ReviewCards {
            top_by_score: cards.by_score,
            backport_candidates: cards.candidates,
        },
        learnings: cards.learnings,
        updates: readiness::updates(&snapshot),
        portable: if args.portable {
            readiness::portable(&snapshot, ctx, count(args.backport_limit))
        } else {
            Vec::new()
        },
        quarantined: cards.quarantined.len(),
        quarantine: if args.quarantine {
            cards.quarantined
        } else {
            Vec::new()
        },
        notes: notes(&snapshot),
        diagnostics: snapshot.damage(),
        index_path: project_store(ctx).index_path().display().to_string(),
        json_command: json_command(args),
        filters: filter.shown(args),
    };
    let nothing_yet = snapshot.cards.items.is_empty() && snapshot.recommendations.items.is_empty();
    Ok(Done {
        complaint: super::init::other_store(ctx).filter(|_| nothing_yet),
        report: Report::Review(Box::new(report)),
    })
}

fn count(limit: i64) -> usize {
    usize::try_from(limit).unwrap_or(0)
}

fn notes(snapshot: &Snapshot) -> Vec<String> {
    let dated = |item: &Item| {
        recommendation::last_touched(&item.record)
            .and_then(Timestamp::parse)
            .is_some()
    };
    let undated = snapshot
        .recommendations
        .items
        .iter()
        .filter(|item| !dated(item))
        .count();
    if undated == 0 {
        return Vec::new();
    }
    vec![format!(
        "{undated} recommendation(s) have no readable time and never count as stale; see: self-learning repair"
    )]
}

/// Which items are looked at.
struct Filter {
    skill: Option<String>,
    scope: Option<Scope>,
    query: Option<String>,
    since: Option<Timestamp>,
    statuses: Option<Vec<String>>,
}

impl Filter {
    fn of(args: &cli::Review, ctx: &Ctx) -> Result<Filter> {
        let filled = |text: &Option<String>| {
            text.as_deref()
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let since = match (filled(&args.since), args.days) {
            (Some(text), _) => Some(Timestamp::parse(&text).ok_or_else(|| {
                Error::usage(format!(
                    "Invalid --since (expected ISO-8601 like 2025-12-26T00:00:00Z): `{text}`"
                ))
                .hint("self-learning review --since 2025-12-26, or --days 30")
            })?),
            (None, Some(days)) => Some(ctx.now.days_before(days)),
            (None, None) => None,
        };
        let statuses = filled(&args.status).map(|list| unique(list.split(',').map(str::to_owned)));
        if let Some(unknown) = statuses
            .iter()
            .flatten()
            .find(|name| matches!(status_of(name), RecommendationStatus::Other(_)))
        {
            return Err(
                Error::usage(format!("unknown status `{unknown}`")).hint(format!(
                    "one of: {}",
                    RecommendationStatus::NAMES.join(", ")
                )),
            );
        }
        Ok(Filter {
            skill: filled(&args.skill),
            scope: args
                .scope
                .map(|scope| Scope::of(Some(&Value::from(scope_text(scope))))),
            query: filled(&args.query).map(|query| query.to_lowercase()),
            since,
            statuses,
        })
    }

    fn shown(&self, args: &cli::Review) -> report::ReviewFilters {
        report::ReviewFilters {
            skill: args.skill.clone().filter(|skill| !skill.is_empty()),
            scope: self.scope.map(|scope| scope.as_str().to_owned()),
            since: self.since.map(Timestamp::to_precise_text),
            stale_days: args.stale_days,
            query: self.query.clone(),
            status: self.statuses.clone(),
        }
    }

    /// `touched` are the times at which the item was last written, used or changed.
    fn passes(&self, record: &Record, touched: &[Option<&str>]) -> bool {
        let skill = record.text("primary_skill").unwrap_or_default();
        if self.skill.as_deref().is_some_and(|wanted| wanted != skill) {
            return false;
        }
        if self
            .scope
            .is_some_and(|scope| scope != Scope::of(record.0.get("scope")))
        {
            return false;
        }
        let holds = |query: &String| record.0.values().any(|value| value_holds(value, query));
        if !self.query.as_ref().is_none_or(holds) {
            return false;
        }
        self.since.is_none_or(|since| {
            touched
                .iter()
                .flatten()
                .filter_map(|text| Timestamp::parse(text))
                .any(|time| time >= since)
        })
    }

    fn wants(&self, status: &RecommendationStatus) -> bool {
        self.statuses.as_ref().is_none_or(|wanted| {
            wanted
                .iter()
                .any(|name| status_of(name).as_str() == status.as_str())
        })
    }
}

fn status_of(name: &str) -> RecommendationStatus {
    RecommendationStatus::of(Some(&Value::from(name)))
}

/// Whether any text in a value holds `query` (lower case); field names do not count.
fn value_holds(value: &Value, query: &str) -> bool {
    match value {
        Value::String(text) => text.to_lowercase().contains(query),
        Value::Array(items) => items.iter().any(|item| value_holds(item, query)),
        Value::Object(map) => map.values().any(|item| value_holds(item, query)),
        _ => false,
    }
}

/// One recommendation with what it is ordered by.
struct Entry<'a> {
    item: &'a Item,
    scope: Scope,
    priority: i64,
    days: i64,
    created_days: i64,
}

/// Apart from those by status, which are all shown, views are made only of what is shown.
struct Recommendations<'a> {
    open: Vec<Entry<'a>>,
    stale: Vec<Entry<'a>>,
    untouched: Vec<Entry<'a>>,
    by_status: Map<String, Value>,
    matching: usize,
}

impl<'a> Recommendations<'a> {
    fn of(
        snapshot: &'a Snapshot,
        totals: &Totals,
        filter: &Filter,
        args: &cli::Review,
        ctx: &Ctx,
    ) -> Self {
        let mut by_status: Map<String, Value> = Map::new();
        for name in RecommendationStatus::NAMES {
            by_status.insert(name.to_owned(), Value::Array(Vec::new()));
        }
        let mut out = Recommendations {
            open: Vec::new(),
            stale: Vec::new(),
            untouched: Vec::new(),
            by_status,
            matching: 0,
        };
        for item in &snapshot.recommendations.items {
            let record = &item.record;
            if totals.is_quarantined(&item.id) {
                continue;
            }
            if !filter.passes(record, &[recommendation::last_touched(record)]) {
                continue;
            }
            let status = recommendation::status(record);
            if !filter.wants(&status) {
                continue;
            }
            out.matching += 1;
            if let Some(Value::Array(list)) = out.by_status.get_mut(status.as_str()) {
                list.push(view(item, totals, ctx));
            }
            if !status.is_open() {
                continue;
            }
            let days = age_days(recommendation::last_touched(record), ctx.now);
            let entry = || Entry {
                item,
                scope: recommendation::scope(record),
                priority: recommendation::priority(record),
                days: days.unwrap_or(0),
                created_days: age_days(item.created_ts.as_deref(), ctx.now).unwrap_or(0),
            };
            if days.is_some_and(|days| days >= args.stale_days) {
                out.stale.push(entry());
            }
            if item.versions == 1 && totals.recommendation(&item.id) == 0 {
                out.untouched.push(entry());
            }
            out.open.push(entry());
        }
        out.open
            .sort_by_key(|entry| std::cmp::Reverse((entry.priority, entry.days)));
        out.stale
            .sort_by_key(|entry| std::cmp::Reverse((entry.days, entry.priority)));
        out.untouched
            .sort_by_key(|entry| std::cmp::Reverse((entry.priority, entry.created_days)));
        out
    }
}

fn view(item: &Item, totals: &Totals, ctx: &Ctx) -> Value {
    let record = &item.record;
    let field = |key: &str| record.0.get(key).cloned().unwrap_or(Value::Null);
    let now = ctx.now.to_text();
    let mut view = json!({
        "id": item.id,
        "title": field("title"),
        "status": recommendation::status(record).as_str(),
        "created_ts": item.created_ts,
        "last_touched_ts": recommendation::last_touched(record).unwrap_or(&now),
        "scope": recommendation::scope(record).as_str(),
        "priority": recommendation::priority(record),
        "expected_impact": field("expected_impact"),
        "primary_skill": field("primary_skill"),
        "tags": field("tags"),
        "why": field("why"),
        "implementation_hint": field("implementation_hint"),
    });
    let again = totals.recaptured(&item.id);
    if again > 0 {
        view["captured_again"] = Value::from(again);
    }
    view
}

/// Views are made only of what is shown; the counts are of all.
struct Cards {
    by_score: Vec<Value>,
    candidates: Vec<Value>,
    ready: usize,
    learnings: Vec<Value>,
    quarantined: Vec<Value>,
    matching: usize,
    retired: usize,
}

impl Cards {
    fn of(snapshot: &Snapshot, totals: &Totals, filter: &Filter, args: &cli::Review) -> Self {
        let exported = exported_ids(snapshot);
        let mut passing: Vec<(&Item, &Counts)> = snapshot
            .cards
            .items
            .iter()
            .map(|item| (item, totals.card(&item.id)))
            .filter(|(item, counts)| {
                filter.passes(&item.record, &[item.record.ts(), counts.last_ts.as_deref()])
            })
            .collect();
        let served = |item: &Item| is_served(item, totals);
        let retired = passing.iter().filter(|(item, _)| !served(item)).count();
        passing.sort_by_cached_key(|(item, counts)| {
            (
                std::cmp::Reverse((counts.score(), item.record.title())),
                item.id.clone(),
            )
        });
        let limit = count(args.top_aha_limit);
        let by_score = passing
            .iter()
            .filter(|(_, counts)| !counts.quarantined)
            .take(limit)
            .map(|(item, counts)| scored(item, counts))
            .collect();
        let ready: Vec<&(&Item, &Counts)> = passing
            .iter()
            .filter(|(item, counts)| {
                served(item)
                    && !exported.contains(item.id.as_str())
                    && is_candidate(item, counts, args)
            })
            .collect();
        let limit = count(args.backport_limit);
        let candidates = ready
            .iter()
            .take(limit)
            .map(|(item, counts)| candidate(item, counts))
            .collect();
        let mut recent: Vec<&(&Item, &Counts)> =
            passing.iter().filter(|(item, _)| served(item)).collect();
        recent.sort_by_key(|(item, counts)| std::cmp::Reverse((counts.score(), item.position)));
        let verdicts = verdicts(snapshot);
        let held_cards = passing
            .iter()
            .filter(|(_, counts)| counts.quarantined)
            .map(|(item, _)| quarantined(item, verdicts.get(item.id.as_str()).copied()));
        let others = snapshot
            .recommendations
            .items
            .iter()
            .filter(|item| totals.is_quarantined(&item.id))
            .map(|item| quarantined(item, verdicts.get(item.id.as_str()).copied()));
        let quarantined = held_cards.chain(others).collect();
        let learnings = recent
            .iter()
            .take(LEARNINGS)
            .map(|(item, counts)| learning(item, counts))
            .collect();
        Cards {
            by_score,
            candidates,
            ready: ready.len(),
            learnings,
            quarantined,
            matching: passing.len(),
            retired,
        }
    }
}

/// Ids of cards that stand in a skill already.
pub fn exported_ids(snapshot: &Snapshot) -> HashSet<String> {
    let applied = snapshot
        .backports
        .iter()
        .filter(|entry| entry.record.flag("applied"));
    let ids = |record: &Record| {
        let result = record.list("result_card_ids");
        if result.is_empty() {
            record.list("requested_card_ids")
        } else {
            result
        }
    };
    let mut exported: HashSet<String> = HashSet::new();
    for entry in applied {
        let listed = ids(&entry.record);
        if entry.record.filled("reverts").is_some() {
            for id in entry.record.list("removed_card_ids") {
                exported.remove(&id);
            }
        } else {
            exported.extend(listed);
        }
    }
    exported
}

/// Proven enough to graduate: shareable, and scored, used, seen again, or accepted.
fn is_candidate(item: &Item, counts: &Counts, args: &cli::Review) -> bool {
    let status = card::status(&item.record);
    let proven = counts.score() >= args.min_aha_score
        || counts.of("aha_reinforced") >= 1
        || counts.of("aha_used") >= 1
        || status == CardStatus::Accepted;
    status != CardStatus::Backported && item.record.flag("shareable") && proven
}

fn scored(item: &Item, counts: &Counts) -> Value {
    let by_kind: Map<String, Value> = WEIGHTS
        .iter()
        .map(|(kind, _)| ((*kind).to_owned(), Value::from(counts.of(kind))))
        .collect();
    json!({
        "id": item.id,
        "title": item.record.0.get("title"),
        "primary_skill": item.record.0.get("primary_skill"),
        "score": counts.score(),
        "explain": counts.explain(),
        "counts": by_kind,
        "status": card::status(&item.record).as_str(),
    })
}

fn candidate(item: &Item, counts: &Counts) -> Value {
    let tags = match item.record.0.get("tags") {
        Some(Value::Array(tags)) => Value::Array(tags.clone()),
        _ => Value::from(item.record.list("tags")),
    };
    json!({
        "id": item.id,
        "title": item.record.0.get("title"),
        "primary_skill": item.record.0.get("primary_skill"),
        "score": counts.score(),
        "explain": counts.explain(),
        "tags": tags,
        "artifact_suggestion": artifact_suggestion(&item.record),
        "how_to_backport": how_to_backport(&item.id),
    })
}

fn how_to_backport(id: &str) -> String {
    format!("self-learning export-backport --skill-path <target-skill-dir> --ids {id} --make-diff")
}

/// What kind of file the learning would become, by the words of its tags.
fn artifact_suggestion(record: &Record) -> &'static str {
    let tags = record.list("tags").join(" ").to_lowercase();
    let has = |wanted: &[&str]| {
        tags.split(|character: char| !character.is_alphanumeric())
            .any(|word| wanted.contains(&word) || wanted.contains(&word.trim_end_matches('s')))
    };
    if has(&["template", "query", "querie"]) {
        "template"
    } else if has(&["schema"]) {
        "reference-file"
    } else if has(&["script", "tooling"]) {
        "script"
    } else if has(&["skill", "doc"]) {
        "skill-md-snippet"
    } else {
        "reference-file"
    }
}

fn learning(item: &Item, counts: &Counts) -> Value {
    json!({
        "id": item.id,
        "title": item.record.title(),
        "when_to_use": item.record.display("when_to_use"),
        "primary_skill": card::skill(&item.record),
        "scope": card::scope(&item.record).as_str(),
        "status": card::status(&item.record).as_str(),
        "score": counts.score(),
        "explain": counts.explain(),
        "ts": item.record.ts(),
    })
}

/// What the gate said last of each item it kept out, by id; one pass over the signals.
fn verdicts(snapshot: &Snapshot) -> HashMap<&str, &Record> {
    let said = snapshot
        .signals
        .iter()
        .map(|signal| &signal.record)
        .filter(|record| {
            let kind = record.text("kind");
            [Some(QUARANTINED_CARD), Some(QUARANTINED_RECOMMENDATION)].contains(&kind)
        });
    said.filter_map(|record| {
        let id = record.text("aha_id").or_else(|| record.text("rec_id"))?;
        Some((id, record))
    })
    .collect()
}

/// An item that is kept out of recall, and why.
fn quarantined(item: &Item, said: Option<&Record>) -> Value {
    json!({
        "id": item.id,
        "title": item.record.title(),
        "why": said.and_then(|said| said.text("context")),
        "ts": said.and_then(Record::ts),
        "read": format!("self-learning show {}", item.id),
        "release": format!("self-learning release --id {} --reason \"…\"", item.id),
    })
}

fn next_actions(open: &[Value], candidates: &[Value], limit: usize) -> Vec<Value> {
    let recommendations = open.iter().take(limit).map(|view| {
        let field = |key: &str| view.get(key).cloned().unwrap_or_default();
        json!({
            "type": "recommendation",
            "id": field("id"),
            "title": field("title"),
            "status": field("status"),
            "scope": field("scope"),
            "why": field("why"),
            "suggested_next": "mark in_progress and implement, or reject/deprecate if no longer relevant",
        })
    });
    let exports = candidates.iter().take(limit).map(|candidate| {
        let field = |key: &str| candidate.get(key).cloned().unwrap_or_default();
        json!({
            "type": "backport_candidate",
            "id": field("id"),
            "title": field("title"),
            "target_skill": field("primary_skill"),
            "score": field("score"),
            "suggested_next": field("how_to_backport"),
        })
    });
    recommendations.chain(exports).take(limit).collect()
}

/// The command that prints the same review as JSON.
fn json_command(args: &cli::Review) -> String {
    let mut words = vec!["self-learning review --format json".to_owned()];
    let mut text = |flag: &str, value: &Option<String>| {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            words.push(format!("{flag} {}", shell_quoted(value)));
        }
    };
    text("--skill", &args.skill);
    text(
        "--scope",
        &args.scope.map(|scope| scope_text(scope).to_owned()),
    );
    text("--query", &args.query);
    text("--status", &args.status);
    text("--since", &args.since);
    text("--days", &args.days.map(|days| days.to_string()));
    for (flag, value, default) in [
        ("--stale-days", args.stale_days, 7),
        ("--min-aha-score", args.min_aha_score, 4),
        ("--backport-limit", args.backport_limit, 10),
        ("--top-aha-limit", args.top_aha_limit, 10),
        ("--next-actions-limit", args.next_actions_limit, 10),
        ("--recs-limit", args.recs_limit, 10),
    ] {
        if value != default {
            words.push(format!("{flag} {value}"));
        }
    }
    if args.include_global {
        words.push("--include-global".to_owned());
    }
    words.join(" ")
}

/// A word as a POSIX shell takes it literally.
fn shell_quoted(text: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:,=@%+".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
