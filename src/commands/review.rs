//! `review`: what is open, proven, and ready to graduate; and the learnings themselves.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::survey::Survey;
use super::{Done, Snapshot, global_store, place, project_store, readiness, scope_text};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::card;
use crate::domain::fold::Item;
use crate::domain::normal::{RecommendationStatus, Scope, unique};
use crate::domain::recommendation;
use crate::domain::record::Record;
use crate::domain::score::{Counts, QUARANTINED_CARD, QUARANTINED_RECOMMENDATION, Totals, WEIGHTS};
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::report::{self, Report};
use crate::store::Store;

pub fn run(args: &cli::Review, ctx: &Ctx) -> Result<Done> {
    let store = project_store(ctx);
    let filter = Filter::of(args, ctx)?;
    // A JSON review names every recommendation; what it asks for otherwise is in the columns of the index.
    let whole = args.format == Some(cli::ReviewFormat::Json)
        || filter.is_some()
        || args.quarantine
        || args.portable;
    let indexed = if whole {
        None
    } else {
        of_index(&store, args, ctx)?
    };
    let (snapshot, survey) = match indexed {
        Some(found) => found,
        None => {
            let snapshot = if args.quarantine {
                Snapshot::load_whole(&store)?
            } else {
                Snapshot::load(&store)?
            };
            let survey = Survey::of_items(&snapshot, &filter, args, ctx);
            (snapshot, survey)
        }
    };
    report(args, ctx, &filter, &snapshot, survey)
}

/// A review by way of the index, with the items it shows.
fn of_index(store: &Store, args: &cli::Review, ctx: &Ctx) -> Result<Option<(Snapshot, Survey)>> {
    let Some(mut snapshot) = Snapshot::open_reading(ctx, store)? else {
        return Ok(None);
    };
    let Some(survey) = Survey::of_columns(&snapshot, args, ctx) else {
        return Ok(None);
    };
    snapshot.settle(|snapshot| {
        for id in survey
            .by_score
            .iter()
            .chain(&survey.candidates)
            .chain(&survey.learnings)
        {
            snapshot.cards.get(id);
        }
        for id in survey
            .open_ids
            .iter()
            .chain(&survey.stale_ids)
            .chain(&survey.untouched_ids)
        {
            snapshot.recommendations.get(id);
        }
        readiness::updates(snapshot);
    })?;
    // Had it been in doubt, the whole store would be here now.
    Ok(snapshot.rest.is_some().then_some((snapshot, survey)))
}

fn report(
    args: &cli::Review,
    ctx: &Ctx,
    filter: &Filter,
    snapshot: &Snapshot,
    survey: Survey,
) -> Result<Done> {
    let totals = snapshot.totals();
    let global_cards = if args.include_global {
        Snapshot::load_cards(&global_store(ctx))?.cards.items.len()
    } else {
        0
    };
    let recommendations = |ids: &[String], limit: usize| -> Vec<Value> {
        let items = ids.iter().take(limit);
        let items = items.filter_map(|id| snapshot.recommendations.get(id));
        items.map(|item| view(item, totals, ctx)).collect()
    };
    let cards = |ids: &[String], show: fn(&Item, &Counts) -> Value| -> Vec<Value> {
        let items = ids.iter().filter_map(|id| snapshot.cards.get(id));
        items
            .map(|item| show(item, totals.card(&item.id)))
            .collect()
    };
    let candidates = cards(&survey.candidates, candidate);
    let actions = count(args.next_actions_limit);
    let next_actions = next_actions(
        &recommendations(&survey.open_ids, actions),
        &candidates,
        actions,
    );
    let mut by_status: Map<String, Value> = RecommendationStatus::NAMES
        .iter()
        .map(|name| ((*name).to_owned(), Value::Array(Vec::new())))
        .collect();
    for item in survey
        .passing
        .iter()
        .filter_map(|id| snapshot.recommendations.get(id))
    {
        let status = recommendation::status(&item.record);
        if let Some(Value::Array(list)) = by_status.get_mut(status.as_str()) {
            list.push(view(item, totals, ctx));
        }
    }
    let summary = report::ReviewSummary {
        aha_cards: survey.cards,
        recommendations: survey.recommendations,
        open_recommendations: survey.open,
        open_recommendations_project: survey.open_project,
        open_recommendations_portable: survey.open_portable,
        stale_recommendations: survey.stale,
        untouched_recommendations: survey.untouched,
        backport_candidates: candidates.len(),
        signals: totals.lines,
        backports: snapshot.backports.len(),
        global_aha_cards: global_cards,
        matching_aha_cards: survey.matching_cards,
        matching_recommendations: survey.matching_recommendations,
        backport_candidates_total: survey.ready,
        retired_aha_cards: survey.retired,
    };
    let limit = count(args.recs_limit);
    let report = report::Review {
        ok: true,
        place: place(ctx),
        global_store: args
            .include_global
            .then(|| ctx.global_store.display().to_string()),
        summary,
        next_actions,
        recommendations: report::ReviewRecommendations {
            open: recommendations(&survey.open_ids, limit),
            stale: recommendations(&survey.stale_ids, limit),
            untouched: recommendations(&survey.untouched_ids, limit),
            by_status,
        },
        aha: report::ReviewCards {
            top_by_score: cards(&survey.by_score, scored),
            backport_candidates: candidates,
        },
        learnings: cards(&survey.learnings, learning),
        updates: readiness::updates(snapshot),
        portable: if args.portable {
            readiness::portable(snapshot, ctx, count(args.backport_limit))
        } else {
            Vec::new()
        },
        quarantined: survey.quarantined.len(),
        quarantine: if args.quarantine {
            quarantine(snapshot, &survey.quarantined)
        } else {
            Vec::new()
        },
        notes: notes(survey.undated),
        diagnostics: snapshot.damage(),
        index_path: project_store(ctx).index_path().display().to_string(),
        json_command: json_command(args),
        filters: filter.shown(args),
    };
    let nothing_yet = survey.cards == 0 && survey.recommendations == 0;
    Ok(Done {
        complaint: super::init::other_store(ctx).filter(|_| nothing_yet),
        report: Report::Review(Box::new(report)),
    })
}

pub fn count(limit: i64) -> usize {
    usize::try_from(limit).unwrap_or(0)
}

fn notes(undated: usize) -> Vec<String> {
    if undated == 0 {
        return Vec::new();
    }
    vec![format!(
        "{undated} recommendation(s) have no readable time and never count as stale; see: self-learning repair"
    )]
}

/// Which items are looked at.
pub struct Filter {
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

    /// Whether any item is left out.
    fn is_some(&self) -> bool {
        self.skill.is_some()
            || self.scope.is_some()
            || self.query.is_some()
            || self.since.is_some()
            || self.statuses.is_some()
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
    pub fn passes(&self, record: &Record, touched: &[Option<&str>]) -> bool {
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

    pub fn wants(&self, status: &RecommendationStatus) -> bool {
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

/// The items that are kept out of recall.
fn quarantine(snapshot: &Snapshot, ids: &[String]) -> Vec<Value> {
    let verdicts = verdicts(snapshot);
    let item = |id: &String| {
        snapshot
            .cards
            .get(id)
            .or_else(|| snapshot.recommendations.get(id))
    };
    let items = ids.iter().filter_map(item);
    items
        .map(|item| quarantined(item, verdicts.get(item.id.as_str()).copied()))
        .collect()
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
