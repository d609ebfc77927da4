//! Putting a question to a store: by way of its index where there is one that fits, else to all of its cards.

use std::cell::OnceCell;
use std::collections::HashSet;

use super::recall::{self, Filter, Source};
use super::{library, shelf};
use crate::ctx::Ctx;
use crate::domain::fold::Diagnostic;
use crate::domain::record::Record;
use crate::domain::view::CardViews;
use crate::error::Result;
use crate::rank::{self, Hit, Library, Options, Query};
use crate::store::Store;

/// What is asked of a store.
pub struct Question<'a> {
    pub query: &'a Query,
    pub options: Options,
    pub filter: &'a Filter<'a>,
    /// Of how many hits the cards themselves are wanted.
    pub limit: usize,
}

/// What a store answers.
pub struct Answers {
    /// `project` or `global`.
    pub store: &'static str,
    /// Those with thin evidence after the others, else best first.
    pub hits: Vec<Hit>,
    /// The cards of the first hits, with their scores.
    pub cards: Vec<(Record, i64)>,
    /// Cards that pass the filters and are held back.
    pub hidden: usize,
    /// Whether the store holds no card at all.
    pub is_empty: bool,
    pub diagnostics: Vec<Diagnostic>,
    /// Tells the cards of this store.
    known: Known,
}

enum Known {
    Listed(HashSet<String>),
    Indexed {
        indexed: Box<shelf::Indexed>,
        store: Store,
        /// The ids of the log itself, once the index is in doubt.
        listed: OnceCell<HashSet<String>>,
    },
}

impl Answers {
    /// Whether a card is one of this store.
    pub fn knows(&self, id: &str) -> bool {
        match &self.known {
            Known::Listed(ids) => ids.contains(id),
            Known::Indexed {
                indexed,
                store,
                listed,
            } => {
                if !indexed.is_doubtful() {
                    let found = indexed.has(&indexed.tail(), id);
                    // This may be the first look at a damaged part.
                    if !indexed.is_doubtful() {
                        return found;
                    }
                }
                listed.get_or_init(|| ids(self.store, store)).contains(id)
            }
        }
    }
}

/// Puts a question to a store; cards that `is_known` says are of another one are left out.
///
/// # Errors
/// When a log cannot be read.
pub fn search(
    ctx: &Ctx,
    name: &'static str,
    store: &Store,
    question: &Question<'_>,
    is_known: &dyn Fn(&str) -> bool,
) -> Result<Answers> {
    library::make_ready(ctx, store);
    if let Some(indexed) = shelf::Indexed::open(ctx, store)
        && let Some(answers) = search_index(ctx, name, store, indexed, question, is_known)
    {
        return Ok(answers);
    }
    search_all(ctx, name, store, question, is_known)
}

/// The cards that were written last.
pub struct Latest {
    /// The newest last.
    pub cards: Vec<(Record, i64)>,
    /// All that would be shown without a limit.
    pub total: usize,
    pub hidden: usize,
    pub is_empty: bool,
    pub diagnostics: Vec<Diagnostic>,
}

/// The last `limit` cards by way of the index, without filters; `None` where there is none that can be relied on.
pub fn latest(ctx: &Ctx, store: &Store, filter: &Filter<'_>, limit: usize) -> Option<Latest> {
    library::make_ready(ctx, store);
    let indexed = shelf::Indexed::open(ctx, store).filter(|_| filter.is_open())?;
    let tail = indexed.tail();
    let shelf = shelf::IndexedShelf::new(&indexed, &tail, ctx.now, |_, _| true);
    let newest = shelf.newest(limit, filter.all);
    let cards = newest.iter().rev();
    let cards = cards
        .map(|card| shelf.record(*card))
        .collect::<Option<_>>()?;
    let hidden = shelf.hidden(filter);
    let latest = Latest {
        cards,
        total: shelf.cards() - hidden,
        hidden,
        is_empty: shelf.cards() == 0,
        diagnostics: indexed.diagnostics(&tail),
    };
    drop(shelf);
    drop(tail);
    (!indexed.is_doubtful()).then_some(latest)
}

/// `None` when the index turns out not to be reliable.
fn search_index(
    ctx: &Ctx,
    name: &'static str,
    store: &Store,
    indexed: shelf::Indexed,
    question: &Question<'_>,
    is_known: &dyn Fn(&str) -> bool,
) -> Option<Answers> {
    let tail = indexed.tail();
    let shelf = shelf::IndexedShelf::new(&indexed, &tail, ctx.now, |card, counts| {
        !is_known(&card.id) && question.filter.serves(card, counts)
    });
    let hits = ranked(&shelf, question);
    let shown = hits.iter().take(question.limit);
    let cards = shown
        .map(|hit| shelf.record(hit.index as u32))
        .collect::<Option<_>>()?;
    let hidden = shelf.hidden(question.filter);
    let is_empty = shelf.cards() == 0;
    let diagnostics = indexed.diagnostics(&tail);
    drop(shelf);
    drop(tail);
    (!indexed.is_doubtful()).then(|| Answers {
        store: name,
        hits,
        cards,
        hidden,
        is_empty,
        diagnostics,
        known: Known::Indexed {
            indexed: Box::new(indexed),
            store: store.clone(),
            listed: OnceCell::new(),
        },
    })
}

fn search_all(
    ctx: &Ctx,
    name: &'static str,
    store: &Store,
    question: &Question<'_>,
    is_known: &dyn Fn(&str) -> bool,
) -> Result<Answers> {
    let source = Source::load(name, store)?;
    let views = source.views();
    let totals = &source.totals;
    let filter = question.filter;
    let shelf = recall::Shelf::new(&views.cards, totals, ctx.now, |card| {
        !is_known(&card.id) && filter.serves(card, totals.card(&card.id))
    });
    let hits = ranked(&shelf, question);
    let shown = hits
        .iter()
        .take(question.limit)
        .map(|hit| &views.cards[hit.index]);
    let cards = shown
        .map(|card| (card.record(), totals.card(&card.id).score()))
        .collect();
    let held_back = |card: &&_| filter.hides(card, totals);
    Ok(Answers {
        store: name,
        hits,
        cards,
        hidden: views.cards.iter().filter(held_back).count(),
        is_empty: views.cards.is_empty(),
        diagnostics: views.diagnostics.clone(),
        known: Known::Listed(ids_of(&views)),
    })
}

fn ranked(library: &impl Library, question: &Question<'_>) -> Vec<Hit> {
    let mut hits = rank::search(library, question.query, &question.options).hits;
    hits.sort_by_key(|hit| hit.weak);
    hits
}

fn ids_of(views: &CardViews<'_>) -> HashSet<String> {
    views.cards.iter().map(|card| card.id.to_string()).collect()
}

/// The ids of all cards of a store, without its index.
fn ids(name: &'static str, store: &Store) -> HashSet<String> {
    Source::load(name, store).map_or_else(|_| HashSet::new(), |source| ids_of(&source.views()))
}
