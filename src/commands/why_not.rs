//! `why-not`: what kept a card out of the answers to a question.

use std::io::Read;

use serde_json::{Value, json};

use super::recall::{self, Filter, Shelf, Source};
use super::{Done, find_id};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::view::CardView;
use crate::error::{Error, Result};
use crate::rank::{self, Verdict};
use crate::report::{self, Report};

pub fn run(args: &cli::WhyNot, ctx: &Ctx, stdin: &mut dyn Read) -> Result<Done> {
    let Some(query) = recall::question(&args.question, ctx, stdin)? else {
        return Err(Error::usage("there is no question")
            .hint(format!("self-learning why-not {} --query \"…\"", args.id)));
    };
    let filter = Filter::of(&args.filters, false)?;
    let (project, global) = (Source::project(ctx)?, Source::global(ctx));
    let sources: Vec<&Source> = std::iter::once(&project)
        .chain(global.as_ref().ok())
        .collect();
    let views: Vec<_> = sources.iter().map(|source| source.views()).collect();
    let known: Vec<&str> = views
        .iter()
        .flat_map(|views| &views.cards)
        .map(|card| card.id.as_ref())
        .collect();
    let id = find_id("Aha Card", "aha_", &args.id, known.into_iter())?;
    let at = views
        .iter()
        .position(|views| views.cards.iter().any(|card| card.id == id))
        .ok_or_else(|| Error::not_found(format!("no card has the id `{id}`")))?;
    let (source, views) = (sources[at], &views[at]);
    let counts = |card: &CardView<'_>| source.totals.card(&card.id);
    let mut report = report::WhyNot {
        ok: true,
        id: id.clone(),
        store: source.name,
        answered: false,
        reason: String::new(),
        fix: None,
        place: None,
        confidence: None,
        missing_words: Vec::new(),
        explain: Value::Null,
    };
    let place = views.cards.iter().position(|card| card.id == id);
    if let Some(card) = place.map(|place| &views.cards[place]) {
        if let Some(stop) = filter.stopped_by(card, counts(card)) {
            report.reason = format!("the filter {stop}");
            report.fix = Some("leave the filter out".to_owned());
            return Ok(Report::WhyNot(report).into());
        }
        if let Some(state) = filter.held_back(card, counts(card)) {
            report.reason = format!("the card is {state}");
            report.fix = Some(match state {
                "quarantined" => format!(
                    "a person reads it and runs: self-learning release --id {id} --reason \"…\""
                ),
                _ => format!("self-learning aha-status --id {id} --status accepted, or list --all"),
            });
            return Ok(Report::WhyNot(report).into());
        }
    }
    let shelf = Shelf::new(&views.cards, &source.totals, ctx.now, |card| {
        filter.serves(card, counts(card))
    });
    let told = rank::why_not(
        &shelf,
        place.unwrap_or_default() as u32,
        &query,
        &recall::options(&args.question),
    );
    report.place = told.place;
    report.missing_words = told.missing;
    if let Some(hit) = &told.hit {
        report.confidence = Some(recall::rounded(hit.confidence));
        report.explain = recall::explanation(hit);
    }
    let reword = format!(
        "ask with the card's own words, or add a question to it: self-learning edit --id {id} --add-ask \"…\""
    );
    (report.reason, report.fix) = match told.verdict {
        Verdict::Answered { place } => {
            report.answered = true;
            (format!("the card is an answer, at place {place}"), None)
        }
        Verdict::NoSharedTerm => (
            "the card shares no word with the question".to_owned(),
            Some(reword),
        ),
        Verdict::TooUnlikely { needed } => (
            format!(
                "the card shares words with the question, but not enough: it would need a confidence of {needed:.2}"
            ),
            Some(reword),
        ),
        Verdict::LacksMust(words) => (
            json!(words).to_string(),
            Some("leave --must out".to_owned()),
        ),
        Verdict::HoldsNot(words) => (json!(words).to_string(), Some("leave --not out".to_owned())),
        Verdict::NoSuchCard => ("the card is not among those searched".to_owned(), None),
    };
    Ok(Report::WhyNot(report).into())
}
