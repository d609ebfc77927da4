//! Finding cards: which stores, which filters, one ranking per store. Shared by `list`, `why-not`, `eval`
//! and `exam`.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::cli::{self, Filters};
use crate::commands::{global_store, project_store, read_input, scope_text};
use crate::ctx::Ctx;
use crate::domain::fold::{self, Diagnostic, LogKind};
use crate::domain::normal::CardStatus;
use crate::domain::score::{Counts, Totals};
use crate::domain::time::{Timestamp, age_days};
use crate::domain::view::{self, CardView, CardViews, SEARCHED_FIELDS};
use crate::error::{Error, Result};
use crate::rank::{
    self, Doc, Field, Hit, Library, Options, Passage, Phrasing, Piece, Query, Statistics,
};
use crate::store::{Logs, Store};

/// The bytes of a store's cards and what its signals add up to.
pub struct Source {
    /// `project` or `global`.
    pub name: &'static str,
    bytes: Vec<u8>,
    pub totals: Totals,
    /// Diagnostics of the signals.
    diagnostics: Vec<Diagnostic>,
    /// Where text was purged, whole records are read and looked at for it.
    purged: Option<super::Snapshot>,
}

impl Source {
    /// # Errors
    /// When a log cannot be read.
    pub fn project(ctx: &Ctx) -> Result<Source> {
        Source::load("project", &project_store(ctx))
    }

    /// # Errors
    /// When a log cannot be read.
    pub fn global(ctx: &Ctx) -> Result<Source> {
        Source::load("global", &global_store(ctx))
    }

    /// # Errors
    /// When a log cannot be read.
    pub fn load(name: &'static str, store: &Store) -> Result<Source> {
        if store.purge_key().is_some() {
            let snapshot = super::Snapshot::load_cards(store)?;
            return Ok(Source {
                name,
                bytes: Vec::new(),
                totals: snapshot.totals().clone(),
                diagnostics: Vec::new(),
                purged: Some(snapshot),
            });
        }
        let (totals, diagnostics) = fold::signal_totals(&store.read(LogKind::Signals)?);
        Ok(Source {
            name,
            bytes: store.read(LogKind::Cards)?,
            totals,
            diagnostics,
            purged: None,
        })
    }

    /// The current version of every card, and what was wrong with the lines.
    pub fn views(&self) -> CardViews<'_> {
        let mut views = match &self.purged {
            None => view::fold_cards(&self.bytes),
            Some(snapshot) => {
                let lines = snapshot.cards.lines();
                let records = lines
                    .iter()
                    .map(|line| (line.id.to_owned(), line.record.clone()));
                CardViews {
                    diagnostics: snapshot.diagnostics.clone(),
                    ..view::of_records(records)
                }
            }
        };
        views.diagnostics.extend(self.diagnostics.iter().cloned());
        views
    }
}

/// Which cards may be shown at all.
pub struct Filter<'a> {
    args: &'a Filters,
    statuses: Vec<&'static str>,
    since: Option<Timestamp>,
    /// Retired, superseded and quarantined cards too.
    pub all: bool,
}

impl<'a> Filter<'a> {
    /// # Errors
    /// When a status or a time is not known.
    pub fn of(args: &'a Filters, all: bool) -> Result<Filter<'a>> {
        let since = match args
            .since
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty())
        {
            None => None,
            Some(text) => Some(Timestamp::parse(text).ok_or_else(|| {
                Error::usage(format!(
                    "Invalid --since (expected ISO-8601 like 2025-12-26T00:00:00Z): `{text}`"
                ))
                .hint("--since 2025-12-26")
            })?),
        };
        Ok(Filter {
            statuses: statuses(args)?,
            since,
            args,
            all,
        })
    }

    /// What keeps a card out, or `None`.
    pub fn stopped_by(&self, card: &CardView<'_>, counts: &Counts) -> Option<String> {
        let filled =
            |text: &'a Option<String>| text.as_deref().filter(|text| !text.trim().is_empty());
        if let Some(skill) = filled(&self.args.skill)
            && card.skill != skill
        {
            return Some(format!("--skill {skill}: the card is of `{}`", card.skill));
        }
        if let Some(tag) = filled(&self.args.tag)
            && !card.tags.iter().any(|own| own == tag)
        {
            return Some(format!("--tag {tag}: the card has not that tag"));
        }
        if let Some(scope) = self.args.scope
            && card.scope.as_str() != scope_text(scope)
        {
            return Some(format!(
                "--scope {}: the card is {}",
                scope_text(scope),
                card.scope.as_str()
            ));
        }
        if !self.statuses.is_empty() && !self.statuses.contains(&card.status.as_str()) {
            return Some(format!("--status: the card is {}", card.status.as_str()));
        }
        if let Some(since) = self.since {
            let touched = [Some(card.ts.as_ref()), counts.last_ts.as_deref()];
            let recent = touched
                .into_iter()
                .flatten()
                .filter_map(Timestamp::parse)
                .any(|time| time >= since);
            if !recent {
                return Some("--since: the card was not touched since".to_owned());
            }
        }
        None
    }

    /// Whether nothing is filtered but what is held back.
    pub fn is_open(&self) -> bool {
        let blank =
            |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
        let args = self.args;
        blank(&args.skill)
            && blank(&args.tag)
            && args.scope.is_none()
            && self.statuses.is_empty()
            && self.since.is_none()
    }

    /// Whether a card passes the filters and is held back.
    pub fn hides(&self, card: &CardView<'_>, totals: &Totals) -> bool {
        let counts = totals.card(&card.id);
        self.held_back(card, counts).is_some() && self.stopped_by(card, counts).is_none()
    }

    /// Whether a card passes the filters and is not held back.
    pub fn serves(&self, card: &CardView<'_>, counts: &Counts) -> bool {
        self.stopped_by(card, counts).is_none() && self.held_back(card, counts).is_none()
    }

    /// Why a card that passes the filters is not served to those who do not ask for it.
    pub fn held_back(&self, card: &CardView<'_>, counts: &Counts) -> Option<&'static str> {
        if self.all {
            return None;
        }
        if counts.quarantined {
            return Some("quarantined");
        }
        if !self.statuses.is_empty() {
            return None;
        }
        match card.status {
            CardStatus::Rejected => Some("rejected"),
            CardStatus::Deprecated => Some("deprecated"),
            _ if card.is_superseded => Some("superseded"),
            _ => None,
        }
    }
}

fn statuses(args: &Filters) -> Result<Vec<&'static str>> {
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

/// The question of a command line; `None` when nothing is asked.
///
/// # Errors
/// When the failing command's output cannot be read.
pub fn question(
    asked: &cli::Question,
    ctx: &Ctx,
    stdin: &mut dyn std::io::Read,
) -> Result<Option<Query>> {
    let texts: Vec<&str> = asked
        .query
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
        .collect();
    let mut query = Query::of(texts);
    if let Some(name) = &asked.error {
        let bytes = read_input(name, ctx, stdin)?;
        let signature = rank::signature(&String::from_utf8_lossy(&bytes));
        query.phrasings.extend(signature.phrasings);
    }
    let files = asked
        .files
        .iter()
        .flat_map(|list| list.split(','))
        .map(str::trim);
    for file in files.filter(|file| !file.is_empty()) {
        query.phrasings.push(file_phrasing(file));
    }
    if query.phrasings.is_empty() {
        if !(asked.must.is_empty() && asked.not.is_empty()) {
            return Err(
                Error::usage("`--must` and `--not` narrow a question down; there is none")
                    .hint("add --query, --error or --files"),
            );
        }
        return Ok(None);
    }
    for words in &asked.must {
        query = query.must(words.as_str());
    }
    for words in &asked.not {
        query = query.not(words.as_str());
    }
    Ok(Some(query))
}

/// How to rank for a command line.
pub fn options(asked: &cli::Question) -> Options {
    let mut options = Options::default();
    if let Some(floor) = asked.min_confidence {
        options.keep_unlikely = floor == 0.0;
        options.tuning.floor = floor;
        options.tuning.company = options.tuning.company.min(floor);
    }
    options
}

/// A file at hand as a question: its name counts, the folders above it little.
fn file_phrasing(path: &str) -> Phrasing {
    let folded = path.replace('\\', "/");
    let (folders, name) = folded.rsplit_once('/').unwrap_or(("", &folded));
    let mut pieces = vec![Piece {
        text: name.to_owned(),
        weight: 1.0,
    }];
    if !folders.is_empty() {
        pieces.push(Piece {
            text: folders.replace('/', " "),
            weight: 0.3,
        });
    }
    Phrasing { pieces }
}

/// Which part of a card a text of a view is, as the ranking sees it.
fn searched(field: usize) -> Option<Field> {
    Some(match SEARCHED_FIELDS[field] {
        "title" => Field::Title,
        "when_to_use" => Field::WhenToUse,
        "problem" => Field::Problem,
        "solution_steps" => Field::Step,
        "tags" | "primary_skill" => Field::Tag,
        "evidence" => Field::Evidence,
        "gotchas" => Field::Gotcha,
        "asks" => Field::Ask,
        // What a card is not for must not make it found.
        _ => return None,
    })
}

/// The texts a card is found by.
pub fn texts<'a>(card: &'a CardView<'_>) -> impl Iterator<Item = &'a str> {
    passages(card).map(|(_, text)| text)
}

fn passages<'a>(card: &'a CardView<'_>) -> impl Iterator<Item = (Field, &'a str)> {
    card.texts
        .iter()
        .filter_map(|(field, text)| Some((searched(*field)?, text.as_ref())))
}

/// A card as the ranking sees it.
pub fn document<'a>(card: &'a CardView<'_>, counts: &Counts, now: Timestamp) -> Doc<'a> {
    let passages = passages(card)
        .map(|(field, text)| Passage::new(field, text))
        .collect();
    let mut doc = Doc::new(card.id.as_ref(), passages);
    doc.boost = boost(&card.ts, counts, now);
    doc
}

/// The cards of a store that was read, with what may be shown of them.
pub struct Shelf<'a> {
    statistics: Statistics,
    left_out: Option<Field>,
    cards: &'a [CardView<'a>],
    totals: &'a Totals,
    now: Timestamp,
    may_show: Box<dyn Fn(&CardView<'_>) -> bool + 'a>,
}

impl<'a> Shelf<'a> {
    /// Reads all cards; only those that `may_show` lets pass are answers.
    pub fn new(
        cards: &'a [CardView<'a>],
        totals: &'a Totals,
        now: Timestamp,
        may_show: impl Fn(&CardView<'_>) -> bool + 'a,
    ) -> Self {
        let mut statistics = Statistics::with_room(cards.len());
        for card in cards {
            statistics.add(texts(card));
        }
        Shelf {
            statistics,
            left_out: None,
            cards,
            totals,
            now,
            may_show: Box::new(may_show),
        }
    }

    /// The same cards as if they had nothing in one field.
    #[must_use]
    pub fn without(mut self, left_out: Field) -> Self {
        self.statistics = Statistics::with_room(self.cards.len());
        for card in self.cards {
            let others = passages(card).filter(|(field, _)| *field != left_out);
            self.statistics.add(others.map(|(_, text)| text));
        }
        self.left_out = Some(left_out);
        self
    }
}

impl Library for Shelf<'_> {
    fn cards(&self) -> usize {
        self.cards.len()
    }

    fn total_length(&self) -> u64 {
        self.statistics.total_length()
    }

    fn slots(&self) -> usize {
        self.cards.len()
    }

    fn expect(&self, terms: &[&str]) {
        self.statistics.expect(terms);
    }

    fn holders(&self, term: &str) -> usize {
        self.statistics.holders(term)
    }

    fn postings(&self, term: &str, visit: impl FnMut(u32, u32, u32)) {
        self.statistics.postings(term, visit);
    }

    fn terms(&self, visit: impl FnMut(&str)) {
        self.statistics.terms(visit);
    }

    fn id(&self, card: u32) -> Cow<'_, str> {
        Cow::Borrowed(&self.cards[card as usize].id)
    }

    fn card(&self, card: u32) -> Option<Doc<'_>> {
        let card = &self.cards[card as usize];
        if !(self.may_show)(card) {
            return None;
        }
        let mut doc = document(card, self.totals.card(&card.id), self.now);
        doc.passages
            .retain(|passage| Some(passage.field) != self.left_out);
        Some(doc)
    }
}

/// Proven use and freshness as a factor near 1: use adds up to 10 %, a year without a touch takes 5 %.
fn boost(ts: &str, counts: &Counts, now: Timestamp) -> f64 {
    let used = f64::from(i32::try_from(counts.score() - 1).unwrap_or(i32::MAX).max(0));
    let proven = 0.1 * used / (used + 5.0);
    let touched = counts.last_ts.as_deref().max(Some(ts));
    let days = age_days(touched, now).unwrap_or(365).clamp(0, 365);
    1.0 + proven - 0.05 * (days as f64) / 365.0
}

/// One hit as `list` reports it.
pub fn hit_value(hit: &Hit, store: &str, explain: bool) -> Value {
    let words: Vec<&str> = hit
        .matched
        .iter()
        .map(|found| found.query_word.as_str())
        .collect();
    let mut value = json!({
        "id": hit.id,
        "store": store,
        "score": rounded(hit.score),
        "confidence": rounded(hit.confidence),
        "weak": hit.weak,
        "matched": words,
    });
    if explain {
        value["explain"] = explanation(hit);
    }
    value
}

/// The parts of a score.
pub fn explanation(hit: &Hit) -> Value {
    let terms: Vec<Value> = hit
        .matched
        .iter()
        .map(|found| {
            json!({
                "query_word": found.query_word,
                "term": found.term,
                "how": found.how.name(),
                "weight": rounded(found.weight),
            })
        })
        .collect();
    json!({
        "bm25": rounded(hit.parts.bm25),
        "embedding": rounded(hit.parts.embedding),
        "coverage": rounded(hit.parts.coverage),
        "cosine": rounded(hit.parts.cosine),
        "passage": rounded(hit.parts.passage),
        "boost": rounded(hit.parts.boost),
        "terms": terms,
    })
}

/// Four decimals: enough to tell hits apart, few enough to read.
pub fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}
