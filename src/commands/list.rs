//! `list`: find cards.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Done, Snapshot, global_store, project_store, scope_text};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::card;
use crate::domain::fold::Item;
use crate::domain::ids;
use crate::domain::normal::CardStatus;
use crate::domain::record::Record;
use crate::domain::score::{Counts, Totals};
use crate::domain::time::age_days;
use crate::error::{Error, Result};
use crate::rank;
use crate::report::{self, Report};

const NOTHING_YET: &str =
    "No memories recorded yet. Proceed with the task using standard tools.";

pub fn run(args: &cli::List, ctx: &Ctx) -> Result<Done> {
    let store = if args.global { global_store(ctx) } else { project_store(ctx) };
    let snapshot = Snapshot::load_cards(&store)?;
    let mut report = report::List {
        repo_root: ctx.repo_root.display().to_string(),
        user: ctx.user.clone(),
        count: 0,
        items: Vec::new(),
        message: None,
        total: 0,
        hidden: 0,
        more: None,
        matches: Vec::new(),
        scores: Vec::new(),
        diagnostics: snapshot.damage(),
    };
    if args.limit < 0 {
        return Err(Error::usage(format!("`--limit {}` is negative", args.limit))
            .hint("use --limit 0 for all cards, or a positive number"));
    }
    let limit = match usize::try_from(args.limit) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(limit) => limit,
    };
    let totals = snapshot.totals();
    if args.history {
        history(args, &snapshot, limit, &mut report)?;
    } else {
        current(args, ctx, &snapshot, totals, limit, &mut report)?;
    }
    report.count = report.items.len();
    if snapshot.cards.items.is_empty() {
        report.message = Some(nothing_yet(args, ctx));
    } else if report.count == 0 && !queries(args).is_empty() {
        report.message =
            Some("Nothing relevant is recorded. Proceed with the task using standard tools.".to_owned());
    } else if report.count == 0 {
        report.message = other_case(args, &snapshot);
    }
    if report.total > report.count {
        report.more = Some(format!(
            "{} more; see all with --limit 0, or narrow down with --query, --skill, --tag",
            report.total - report.count
        ));
    }
    Ok(Report::List(report).into())
}

/// That nothing is known; and where something is, when that can be a matter of a missing `USER`.
fn nothing_yet(args: &cli::List, ctx: &Ctx) -> String {
    let elsewhere = super::init::other_users(ctx);
    match elsewhere.first() {
        Some(first) if !args.global && !ctx.user_known => format!(
            "{NOTHING_YET} This is the memory of `{}`, because neither USER nor USERNAME is set; others here: {}. \
             To use one: SELF_LEARNING_USER={first}",
            ctx.user,
            elsewhere.join(", ")
        ),
        _ => NOTHING_YET.to_owned(),
    }
}

fn queries(args: &cli::List) -> Vec<&str> {
    args.query.iter().map(|query| query.trim()).filter(|query| !query.is_empty()).collect()
}

/// Every stored version, oldest first; the newest `limit` of them.
fn history(
    args: &cli::List,
    snapshot: &Snapshot,
    limit: usize,
    report: &mut report::List,
) -> Result<()> {
    if !queries(args).is_empty() {
        return Err(Error::usage("`--history` and `--query` cannot be combined")
            .hint("find the card with --query, then: self-learning history --id ID"));
    }
    let statuses = statuses(args)?;
    let lines: Vec<&Record> = snapshot
        .cards
        .lines()
        .into_iter()
        .map(|line| line.record)
        .filter(|record| passes(args, &statuses, record))
        .collect();
    report.total = lines.len();
    let skipped = lines.len().saturating_sub(limit);
    report.items = lines[skipped..].iter().map(|record| Value::Object(record.0.clone())).collect();
    Ok(())
}

fn current(
    args: &cli::List,
    ctx: &Ctx,
    snapshot: &Snapshot,
    totals: &Totals,
    limit: usize,
    report: &mut report::List,
) -> Result<()> {
    let statuses = statuses(args)?;
    let matching: Vec<&Item> = snapshot
        .cards
        .items
        .iter()
        .filter(|item| passes(args, &statuses, &item.record))
        .collect();
    let mut shown: Vec<&Item> = matching
        .iter()
        .copied()
        .filter(|item| args.all || !statuses.is_empty() || is_served(item, totals))
        .collect();
    report.hidden = matching.len() - shown.len();
    let queries = queries(args);
    if queries.is_empty() {
        shown.sort_by_key(|item| item.position);
        report.total = shown.len();
        let skipped = shown.len().saturating_sub(limit);
        for item in &shown[skipped..] {
            report.items.push(Value::Object(item.record.0.clone()));
            report.scores.push(totals.card(&item.id).score());
        }
        return Ok(());
    }
    let docs: Vec<rank::Doc<'_>> =
        shown.iter().map(|item| document(item, totals.card(&item.id), ctx)).collect();
    let ranking = rank::rank(&docs, &rank::Query::of(queries), &rank::Options::default());
    report.total = ranking.hits.len();
    for hit in ranking.hits.iter().take(limit) {
        let item = shown[hit.index];
        report.items.push(Value::Object(item.record.0.clone()));
        report.scores.push(totals.card(&item.id).score());
        let words: Vec<&str> = hit.matched.iter().map(|found| found.query_word.as_str()).collect();
        report.matches.push(json!({
            "id": hit.id,
            "score": rounded(hit.score),
            "confidence": rounded(hit.confidence),
            "weak": hit.weak,
            "matched": words,
        }));
    }
    Ok(())
}

/// Whether a card is shown to those who do not ask for retired ones.
pub fn is_served(item: &Item, totals: &Totals) -> bool {
    !card::status(&item.record).is_retired()
        && item.record.filled("superseded_by").is_none()
        && !totals.card(&item.id).quarantined
}

fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}

/// A card as the ranking sees it.
pub fn document<'a>(item: &'a Item, counts: &Counts, ctx: &Ctx) -> rank::Doc<'a> {
    use rank::Field;
    let mut passages = Vec::new();
    for (key, field) in [
        ("title", Field::Title),
        ("when_to_use", Field::WhenToUse),
        ("problem", Field::Problem),
        ("solution_steps", Field::Step),
        ("tags", Field::Tag),
        ("primary_skill", Field::Tag),
        ("evidence", Field::Evidence),
        ("gotchas", Field::Gotcha),
        ("asks", Field::Ask),
    ] {
        match item.record.0.get(key) {
            Some(Value::String(text)) => passages.push(rank::Passage::new(field, text.as_str())),
            Some(Value::Array(items)) => {
                for text in items.iter().filter_map(Value::as_str) {
                    passages.push(rank::Passage::new(field, text));
                }
            }
            _ => {}
        }
    }
    let mut doc = rank::Doc::new(&item.id, passages);
    doc.boost = boost(item, counts, ctx);
    doc
}

/// Proven use and freshness as a factor near 1: use adds up to 10 %, a year without a touch takes 5 %.
fn boost(item: &Item, counts: &Counts, ctx: &Ctx) -> f64 {
    let use_share = f64::from(i32::try_from(counts.score() - 1).unwrap_or(i32::MAX).max(0));
    let proven = 0.1 * use_share / (use_share + 5.0);
    let touched = counts.last_ts.as_deref().max(item.record.ts());
    let days = age_days(touched, ctx.now).unwrap_or(365).clamp(0, 365);
    let stale = 0.05 * (days as f64) / 365.0;
    1.0 + proven - stale
}

fn statuses(args: &cli::List) -> Result<Vec<&'static str>> {
    let mut out = Vec::new();
    for name in args.status.iter().flat_map(|list| list.split(',')) {
        let name = name.trim().to_lowercase();
        if name.is_empty() {
            continue;
        }
        let known = CardStatus::NAMES.into_iter().find(|known| *known == name);
        out.push(known.ok_or_else(|| {
            Error::usage(format!("unknown status `{name}`"))
                .hint(format!("one of: {}", CardStatus::NAMES.join(", ")))
        })?);
    }
    Ok(out)
}

fn passes(args: &cli::List, statuses: &[&str], record: &Record) -> bool {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    if let Some(skill) = filled(&args.skill)
        && skill != record.text("primary_skill").unwrap_or_default()
    {
        return false;
    }
    if let Some(tag) = filled(&args.tag)
        && !record.list("tags").contains(&tag)
    {
        return false;
    }
    if let Some(scope) = args.scope
        && card::scope(record).as_str() != scope_text(scope)
    {
        return false;
    }
    statuses.is_empty() || statuses.contains(&card::status(record).as_str())
}

/// What to say when `--skill` or `--tag` matches nothing but in another case would.
fn other_case(args: &cli::List, snapshot: &Snapshot) -> Option<String> {
    let records = || snapshot.cards.items.iter().map(|item| &item.record);
    let skills = records().map(card::skill).collect::<BTreeSet<_>>();
    let tags = records().flat_map(|record| record.list("tags")).collect::<BTreeSet<_>>();
    for (flag, wanted, known) in [("--skill", &args.skill, &skills), ("--tag", &args.tag, &tags)] {
        let Some(wanted) = wanted.as_deref().filter(|wanted| !known.contains(*wanted)) else {
            continue;
        };
        let same = known.iter().find(|name| name.to_lowercase() == wanted.trim().to_lowercase());
        let near = same.cloned().or_else(|| ids::nearest(wanted, known.iter().map(String::as_str), 1).pop());
        if let Some(name) = near {
            return Some(format!("Nothing has {flag} `{wanted}`. Did you mean `{name}`?"));
        }
    }
    None
}
