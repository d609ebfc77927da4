//! `list`: find cards.

use std::collections::BTreeSet;
use std::io::Read;

use serde_json::Value;

use super::recall::{self, Filter, Source};
use super::search::{Answers, Question, latest, search};
use super::{Done, Snapshot, global_store, project_store};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::card;
use crate::domain::fold::Item;
use crate::domain::ids;
use crate::domain::record::Record;
use crate::domain::score::Totals;
use crate::domain::view::{self, CardView, CardViews};
use crate::error::{Error, Result};
use crate::rank::{Hit, Query};
use crate::report::{self, Damage, Report};

const NOTHING_YET: &str = "No memories recorded yet. Proceed with the task using standard tools.";
const NOTHING_RELEVANT: &str =
    "Nothing relevant is recorded. Proceed with the task using standard tools.";

pub fn run(args: &cli::List, ctx: &Ctx, stdin: &mut dyn Read) -> Result<Done> {
    if args.limit < 0 {
        return Err(
            Error::usage(format!("`--limit {}` is negative", args.limit))
                .hint("use --limit 0 for all cards, or a positive number"),
        );
    }
    let limit = match usize::try_from(args.limit) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(limit) => limit,
    };
    let question = recall::question(&args.question, ctx, stdin)?;
    let filter = Filter::of(&args.filters, args.all)?;
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
        diagnostics: Vec::new(),
    };
    match (&question, args.history) {
        (Some(_), true) => {
            return Err(
                Error::usage("`--history` and a question cannot be combined")
                    .hint("find the card with --query, then: self-learning history --id ID"),
            );
        }
        (None, true) => history(args, ctx, &filter, limit, &mut report)?,
        (None, false) => current(args, ctx, &filter, limit, &mut report)?,
        (Some(query), false) => ranked(args, ctx, &filter, query, limit, &mut report)?,
    }
    report.count = report.items.len();
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

/// Every stored version, oldest first; the newest `limit` of them.
fn history(
    args: &cli::List,
    ctx: &Ctx,
    filter: &Filter<'_>,
    limit: usize,
    report: &mut report::List,
) -> Result<()> {
    let store = if args.global {
        global_store(ctx)
    } else {
        project_store(ctx)
    };
    let snapshot = Snapshot::load_cards(&store)?;
    let lines = snapshot.cards.lines();
    let passing: Vec<&Record> = lines
        .iter()
        .filter(|line| {
            let one = view::of_records(std::iter::once((line.id.to_owned(), line.record.clone())));
            let counts = snapshot.totals().card(line.id);
            one.cards
                .iter()
                .all(|card| filter.stopped_by(card, counts).is_none())
        })
        .map(|line| line.record)
        .collect();
    report.total = passing.len();
    let skipped = passing.len().saturating_sub(limit);
    report.items = passing[skipped..]
        .iter()
        .map(|record| Value::Object(record.0.clone()))
        .collect();
    report.diagnostics = snapshot.damage();
    if lines.is_empty() {
        report.message = Some(nothing_yet(args, ctx));
    }
    Ok(())
}

/// The cards themselves, the most lately written last.
fn current(
    args: &cli::List,
    ctx: &Ctx,
    filter: &Filter<'_>,
    limit: usize,
    report: &mut report::List,
) -> Result<()> {
    let store = if args.global {
        global_store(ctx)
    } else {
        project_store(ctx)
    };
    if let Some(found) = latest(ctx, &store, filter, limit) {
        report.diagnostics = found.diagnostics.iter().map(Damage::from).collect();
        report.total = found.total;
        report.hidden = found.hidden;
        for (record, score) in found.cards {
            report.items.push(Value::Object(record.0));
            report.scores.push(score);
        }
        if found.is_empty {
            report.message = Some(nothing_yet(args, ctx));
        }
        return Ok(());
    }
    let source = if args.global {
        Source::global(ctx)?
    } else {
        Source::project(ctx)?
    };
    let views = source.views();
    report.diagnostics = views.diagnostics.iter().map(Damage::from).collect();
    let mut shown = served(&views, &source.totals, filter, &mut report.hidden);
    shown.sort_by_key(|card| card.position);
    report.total = shown.len();
    let skipped = shown.len().saturating_sub(limit);
    for card in &shown[skipped..] {
        report.items.push(Value::Object(card.record().0));
        report.scores.push(source.totals.card(&card.id).score());
    }
    if views.cards.is_empty() {
        report.message = Some(nothing_yet(args, ctx));
    } else if shown.is_empty() {
        report.message = other_case(&args.filters, &views);
    }
    Ok(())
}

/// A hit in one of the stores.
struct Found {
    store: &'static str,
    hit: Hit,
    /// The card and its score.
    card: Option<(Record, i64)>,
}

/// The cards that answer a question, best first: the project's before the global store's, and those with
/// thin evidence after the others. Each store is ranked by its own statistics.
fn ranked(
    args: &cli::List,
    ctx: &Ctx,
    filter: &Filter<'_>,
    query: &Query,
    limit: usize,
    report: &mut report::List,
) -> Result<()> {
    let question = Question {
        query,
        options: recall::options(&args.question),
        filter,
        limit,
    };
    let mut answers: Vec<Answers> = Vec::new();
    if !args.global {
        answers.push(search(
            ctx,
            "project",
            &project_store(ctx),
            &question,
            &|_| false,
        )?);
    }
    if !args.project {
        // A promoted card is the project's own card again.
        let known = |id: &str| answers.iter().any(|answers| answers.knows(id));
        match search(ctx, "global", &global_store(ctx), &question, &known) {
            Ok(found) => answers.push(found),
            Err(error) if args.global => return Err(error),
            // A global store that cannot be read must not keep the project's cards away.
            Err(_) => {}
        }
    }
    let is_empty = answers.iter().all(|answers| answers.is_empty);
    let mut found: Vec<Found> = Vec::new();
    for answers in answers {
        let damage = answers.diagnostics.iter().map(Damage::from);
        report.diagnostics.extend(damage);
        report.hidden += answers.hidden;
        let mut cards = answers.cards.into_iter();
        let hits = answers.hits.into_iter();
        found.extend(hits.map(|hit| Found {
            store: answers.store,
            hit,
            card: cards.next(),
        }));
    }
    found.sort_by_key(|found| found.hit.weak);
    report.total = found.len();
    for found in found.into_iter().take(limit) {
        let matched = recall::hit_value(&found.hit, found.store, args.explain);
        // The first hits of each store came with their cards.
        let Some((record, score)) = found.card else {
            continue;
        };
        report.items.push(Value::Object(record.0));
        report.scores.push(score);
        report.matches.push(matched);
    }
    if is_empty {
        report.message = Some(nothing_yet(args, ctx));
    } else if report.total == 0 {
        report.message = Some(NOTHING_RELEVANT.to_owned());
    }
    Ok(())
}

/// The cards that pass the filters and are not held back; counts those that are.
fn served<'a, 'b>(
    views: &'a CardViews<'b>,
    totals: &Totals,
    filter: &Filter<'_>,
    hidden: &mut usize,
) -> Vec<&'a CardView<'b>> {
    let mut shown = Vec::new();
    for card in &views.cards {
        let counts = totals.card(&card.id);
        if filter.stopped_by(card, counts).is_some() {
            continue;
        }
        if filter.held_back(card, counts).is_some() {
            *hidden += 1;
        } else {
            shown.push(card);
        }
    }
    shown
}

/// Whether a card is shown to those who do not ask for retired ones.
pub fn is_served(item: &Item, totals: &Totals) -> bool {
    !card::status(&item.record).is_retired()
        && item.record.filled("superseded_by").is_none()
        && !totals.card(&item.id).quarantined
}

/// What to say when `--skill` or `--tag` matches nothing but a name near it would.
fn other_case(filters: &cli::Filters, views: &CardViews<'_>) -> Option<String> {
    let skills: BTreeSet<&str> = views.cards.iter().map(|card| card.skill.as_ref()).collect();
    let tags: BTreeSet<&str> = views
        .cards
        .iter()
        .flat_map(|card| &card.tags)
        .map(AsRef::as_ref)
        .collect();
    for (flag, wanted, known) in [
        ("--skill", &filters.skill, &skills),
        ("--tag", &filters.tag, &tags),
    ] {
        let Some(wanted) = wanted.as_deref().filter(|wanted| !known.contains(wanted)) else {
            continue;
        };
        let folded = wanted.trim().to_lowercase();
        let same = known
            .iter()
            .find(|name| name.to_lowercase() == folded)
            .map(|name| (*name).to_owned());
        let near = same.or_else(|| ids::nearest(wanted, known.iter().copied(), 1).pop());
        if let Some(name) = near {
            return Some(format!(
                "Nothing has {flag} `{wanted}`. Did you mean `{name}`?"
            ));
        }
    }
    None
}
