//! Cards in memory: the [`Library`] of a store that is read from its log.
//!
//! Every distinct run is hashed and cut only once. A card is then a row of run numbers, so looking terms up never
//! touches text again, and words are stemmed only where they can be one of those asked for.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::rc::Rc;

use super::analyzer::{Hashed, HashedMap, Runs};
use super::library::Library;
use super::terms::StemFilter;
use super::token;

/// Which part of a card a text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Field {
    /// The card's title.
    Title,
    /// When the learning applies.
    WhenToUse,
    /// What went wrong or was unclear.
    Problem,
    /// One step of the solution.
    Step,
    /// One tag, or the skill's name.
    Tag,
    /// What proved it.
    Evidence,
    /// A trap.
    Gotcha,
    /// A question the card must answer.
    Ask,
    /// Anything else worth searching.
    Other,
}

/// One text value of a card. Values only: a key's name never belongs in here.
#[derive(Clone, Debug)]
pub struct Passage<'a> {
    /// Where the text comes from.
    pub field: Field,
    /// The text as a person reads it (decoded, not JSON).
    pub text: Cow<'a, str>,
}

impl<'a> Passage<'a> {
    /// A passage of `field`.
    pub fn new(field: Field, text: impl Into<Cow<'a, str>>) -> Self {
        Passage {
            field,
            text: text.into(),
        }
    }
}

/// One card as the ranking sees it.
#[derive(Clone, Debug)]
pub struct Doc<'a> {
    /// Unique id; the last tie-breaker of the order.
    pub id: Cow<'a, str>,
    /// The card's texts in the order a person reads them.
    pub passages: Vec<Passage<'a>>,
    /// Factor from proven use and freshness; clamped to [`BOOST_RANGE`]. 1.0 changes nothing.
    pub boost: f64,
}

/// Bounds of [`Doc::boost`]: use may order near-equals, never lift an irrelevant card over a relevant one.
pub const BOOST_RANGE: (f64, f64) = (0.5, 1.5);

impl<'a> Doc<'a> {
    /// A card with boost 1.0.
    #[must_use]
    pub fn new(id: impl Into<Cow<'a, str>>, passages: Vec<Passage<'a>>) -> Self {
        Doc {
            id: id.into(),
            passages,
            boost: 1.0,
        }
    }

    /// The texts of its passages.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.passages.iter().map(|passage| passage.text.as_ref())
    }

    /// The same card, borrowing this one's texts.
    #[must_use]
    pub fn borrowed(&self) -> Doc<'_> {
        let passages = self
            .passages
            .iter()
            .map(|passage| Passage::new(passage.field, passage.text.as_ref()))
            .collect();
        Doc {
            boost: self.boost,
            ..Doc::new(self.id.as_ref(), passages)
        }
    }
}

/// A term's cards by number, with how often each holds it.
type Held = Rc<Vec<(u32, u32)>>;

/// Who holds what, of cards that were read once. It knows no texts and no ids; those are with the cards.
#[derive(Debug, Default)]
pub struct Statistics {
    runs: Runs,
    /// The runs of all cards, card by card.
    stream: Vec<u32>,
    /// Where each card ends in `stream`.
    ends: Vec<usize>,
    lengths: Vec<u32>,
    total_length: u64,
    held: RefCell<HashMap<String, Held>>,
    terms: OnceCell<Vec<String>>,
}

impl Statistics {
    /// Of no cards, with room for so many.
    #[must_use]
    pub fn with_room(cards: usize) -> Self {
        Statistics {
            runs: Runs::with_room(cards * 8),
            stream: Vec::with_capacity(cards * 96),
            ..Statistics::default()
        }
    }

    /// Adds a card with these texts; cards are numbered from 0.
    pub fn add<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) {
        let mut length = 0;
        for text in texts {
            token::runs(text, |run| {
                let (number, tokens) = self.runs.number(run);
                length += tokens;
                self.stream.push(number);
            });
        }
        self.ends.push(self.stream.len());
        self.lengths.push(length);
        self.total_length += u64::from(length);
        self.held.get_mut().clear();
        self.terms.take();
    }

    /// Number of cards.
    #[must_use]
    pub fn cards(&self) -> usize {
        self.lengths.len()
    }

    /// Number of tokens in all cards.
    #[must_use]
    pub fn total_length(&self) -> u64 {
        self.total_length
    }

    /// As [`Library::expect`].
    pub fn expect(&self, terms: &[&str]) {
        let mut held = self.held.borrow_mut();
        let mut new: Vec<&str> = Vec::new();
        for &term in terms {
            if !held.contains_key(term) && !new.contains(&term) {
                new.push(term);
            }
        }
        for (term, cards) in new.iter().zip(self.look_up(&new)) {
            held.insert((*term).to_owned(), Rc::new(cards));
        }
    }

    /// The cards that hold each of `terms`, which are distinct.
    fn look_up(&self, terms: &[&str]) -> Vec<Vec<(u32, u32)>> {
        let mut found = vec![Vec::new(); terms.len()];
        if terms.is_empty() {
            return found;
        }
        let filter = StemFilter::new(terms.iter().copied());
        let wanted: HashedMap<u32> = terms
            .iter()
            .zip(0..)
            .map(|(term, at)| (token::term_hash(term), at))
            .collect();
        // Per run: 0, or one more than an index into `lists`.
        let mut list_of_run = vec![0_u32; self.runs.len()];
        let mut lists: Vec<Vec<u32>> = Vec::new();
        for (run, list_of_run) in (0..).zip(&mut list_of_run) {
            let mut list: Vec<u32> = Vec::new();
            for (_, token) in self.runs.tokens(run) {
                if filter.may_hold(token)
                    && let Some(&term) = wanted.get(&token::term_hash(&token::stem(token)))
                {
                    list.push(term);
                }
            }
            if !list.is_empty() {
                lists.push(list);
                *list_of_run = lists.len() as u32;
            }
        }
        let mut start = 0;
        for (card, &end) in (0..).zip(&self.ends) {
            for &run in &self.stream[start..end] {
                let list = list_of_run[run as usize];
                if list == 0 {
                    continue;
                }
                for &term in &lists[list as usize - 1] {
                    match found[term as usize].last_mut() {
                        Some((last, count)) if *last == card => *count += 1,
                        _ => found[term as usize].push((card, 1)),
                    }
                }
            }
            start = end;
        }
        found
    }

    fn held(&self, term: &str) -> Held {
        if let Some(held) = self.held.borrow().get(term) {
            return Rc::clone(held);
        }
        self.expect(&[term]);
        self.held.borrow().get(term).cloned().unwrap_or_default()
    }

    /// As [`Library::holders`].
    #[must_use]
    pub fn holders(&self, term: &str) -> usize {
        self.held(term).len()
    }

    /// As [`Library::postings`].
    pub fn postings(&self, term: &str, mut visit: impl FnMut(u32, u32, u32)) {
        for &(card, count) in self.held(term).iter() {
            visit(card, count, self.lengths[card as usize]);
        }
    }

    /// As [`Library::terms`].
    pub fn terms(&self, mut visit: impl FnMut(&str)) {
        let terms = self.terms.get_or_init(|| {
            let mut seen: HashSet<u64, BuildHasherDefault<Hashed>> = HashSet::default();
            let mut terms = Vec::new();
            for token in self.runs.all_tokens() {
                if seen.insert(token::run_hash(token)) {
                    terms.push(token::stem(token).into_owned());
                }
            }
            terms
        });
        for term in terms {
            visit(term);
        }
    }
}

/// Cards in memory.
#[derive(Debug)]
pub struct Corpus<'a> {
    docs: &'a [Doc<'a>],
    statistics: Statistics,
}

impl<'a> Corpus<'a> {
    /// Reads all cards once.
    #[must_use]
    pub fn new(docs: &'a [Doc<'a>]) -> Self {
        let mut statistics = Statistics::with_room(docs.len());
        for doc in docs {
            statistics.add(doc.texts());
        }
        Corpus { docs, statistics }
    }
}

impl Library for Corpus<'_> {
    fn cards(&self) -> usize {
        self.statistics.cards()
    }

    fn total_length(&self) -> u64 {
        self.statistics.total_length()
    }

    fn slots(&self) -> usize {
        self.docs.len()
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
        Cow::Borrowed(&self.docs[card as usize].id)
    }

    fn card(&self, card: u32) -> Option<Doc<'_>> {
        self.docs.get(card as usize).map(Doc::borrowed)
    }
}
