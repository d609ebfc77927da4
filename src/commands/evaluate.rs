//! `eval` and `exam`: how well recall answers, on a set of questions or on the questions that the cards
//! themselves say they must answer.

use serde_json::{Map, Value, json};

use super::recall::{self, Shelf, Source};
use super::{Done, read_input};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::fold::{self, LogKind};
use crate::domain::record::Record;
use crate::domain::score::Totals;
use crate::domain::view::{self, CardView};
use crate::error::{Error, Kind, Result};
use crate::rank::evaluate::{Estimate, Judged, Metrics, evaluate};
use crate::rank::{Corpus, Doc, Field, Options, Query, Ranking, search};
use crate::report::{self, Report};

/// How deep rankings are looked at.
const DEPTH: usize = 10;
/// A card is reached when it is among this many hits of its own question.
const REACHED: usize = 5;

pub fn run(args: &cli::Eval, ctx: &Ctx) -> Result<Done> {
    let cards = read_input(&args.cards, ctx, &mut std::io::empty())?;
    let views = view::fold_cards(&cards);
    if views.cards.is_empty() {
        return Err(
            Error::refused("no_cards", format!("`{}` holds no cards", args.cards))
                .hint("one card per line: {\"id\":\"…\",\"title\":\"…\"}"),
        );
    }
    let questions = read_input(&args.queries, ctx, &mut std::io::empty())?;
    let (questions, _) = fold::entries(LogKind::Events, &questions, 1);
    if questions.is_empty() {
        return Err(Error::refused(
            "no_questions",
            format!("`{}` holds no questions", args.queries),
        )
        .hint("one question per line: {\"id\":\"q1\",\"text\":\"…\",\"relevant\":[\"aha_…\"]}"));
    }
    let totals = Totals::default();
    let docs: Vec<Doc<'_>> = views
        .cards
        .iter()
        .map(|card| recall::document(card, totals.card(&card.id), ctx.now))
        .collect();
    let corpus = Corpus::new(&docs);
    let mut judged = Vec::new();
    let mut rankings = Vec::new();
    for question in &questions {
        let text = question.record.display("text").unwrap_or_default();
        let query = Query::new(text);
        let ranked = search(&corpus, &query, &limited(false));
        let unfloored = search(&corpus, &query, &limited(true));
        if args.ranked {
            rankings.push(json!({
                "id": question.id,
                "ranked": ids(&unfloored),
                "answered": ids(&ranked),
            }));
        }
        judged.push(Judged {
            category: question.record.display("category").unwrap_or_default(),
            relevant: question.record.list("relevant"),
            ranked: ids(&ranked),
            unfloored: ids(&unfloored),
        });
    }
    let (all, categories) = evaluate(&judged);
    let categories: Map<String, Value> = categories
        .into_iter()
        .map(|(name, metrics)| (name, figures(&metrics)))
        .collect();
    Ok(Report::Eval(report::Eval {
        ok: true,
        cards: views.cards.len(),
        questions: questions.len(),
        metrics: figures(&all),
        by_category: categories,
        ranked: rankings,
    })
    .into())
}

fn limited(keep_unlikely: bool) -> Options {
    Options {
        limit: Some(DEPTH),
        keep_unlikely,
        ..Options::default()
    }
}

fn ids(ranking: &Ranking) -> Vec<String> {
    ranking.hits.iter().map(|hit| hit.id.clone()).collect()
}

fn figures(metrics: &Metrics) -> Value {
    let figure = |estimate: Estimate| {
        json!({
            "mean": recall::rounded(estimate.mean),
            "ci95": [recall::rounded(estimate.low), recall::rounded(estimate.high)],
        })
    };
    json!({
        "answerable": metrics.answerable,
        "unanswerable": metrics.unanswerable,
        "success_at_1": figure(metrics.success_at_1),
        "success_at_5": figure(metrics.success_at_5),
        "mrr_at_10": figure(metrics.mrr_at_10),
        "mrr_at_10_answered": figure(metrics.mrr_at_10_answered),
        "ndcg_at_10": figure(metrics.ndcg_at_10),
        "recall_at_10": figure(metrics.recall_at_10),
        "wrongly_refused": figure(metrics.wrongly_refused),
        "wrongly_answered": figure(metrics.wrongly_answered),
    })
}

/// Every card's own questions, asked of the whole store.
pub fn exam(args: &cli::Exam, ctx: &Ctx) -> Result<Done> {
    let source = if args.global {
        Source::global(ctx)?
    } else {
        Source::project(ctx)?
    };
    let views = source.views();
    let is_served = |card: &CardView<'_>| {
        !card.status.is_retired()
            && !card.is_superseded
            && !source.totals.card(&card.id).quarantined
    };
    let served: Vec<&CardView<'_>> = views.cards.iter().filter(|card| is_served(card)).collect();
    let records: Vec<Record> = served.iter().map(|card| card.record()).collect();
    // A card must be found by its other words: its questions do not count as its text here.
    let shelf = Shelf::new(&views.cards, &source.totals, ctx.now, is_served).without(Field::Ask);
    let mut asked = 0;
    let mut failures = Vec::new();
    for record in &records {
        let id = record.id().unwrap_or_default();
        for (field, must_be_found) in [("asks", true), ("not_for", false)] {
            for text in record.list(field) {
                asked += 1;
                let ranking = search(&shelf, &Query::new(text.as_str()), &limited(false));
                let place = ranking
                    .hits
                    .iter()
                    .position(|hit| hit.id == id)
                    .map(|at| at + 1);
                let first_wrong = !must_be_found && place == Some(1);
                let missed = must_be_found && place.is_none_or(|place| place > REACHED);
                if first_wrong || missed {
                    failures.push(json!({
                        "id": id,
                        "title": record.title(),
                        "question": text,
                        "kind": field,
                        "place": place,
                        "why": format!("self-learning why-not {id} --query \"{}\"", text.replace('"', "\\\"")),
                    }));
                }
            }
        }
    }
    let complaint = (!failures.is_empty()).then(|| {
        Error::new(
            Kind::Check,
            "exam_failed",
            format!(
                "{} of {asked} question(s) do not find their card",
                failures.len()
            ),
        )
        .hint("`why` of each failure names the command that explains it")
    });
    Ok(Done {
        report: Report::Exam(report::Exam {
            ok: failures.is_empty(),
            cards: served.len(),
            cards_with_questions: records
                .iter()
                .filter(|record| !record.list("asks").is_empty())
                .count(),
            questions: asked,
            failures,
        }),
        complaint,
    })
}
