//! The cards of one search, read once: distinct runs, who holds them, and how long each card is.
//!
//! Every distinct run is hashed, counted and cut only once. A card is then a row of run numbers, so the passes that
//! follow (which cards hold a term, what a candidate looks like) never touch text again.

use std::borrow::Cow;

use super::token::{self, Kind, Scratch};

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
        Passage { field, text: text.into() }
    }
}

/// One card as the ranking sees it.
#[derive(Clone, Debug)]
pub struct Doc<'a> {
    /// Unique id; the last tie-breaker of the order.
    pub id: &'a str,
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
    pub fn new(id: &'a str, passages: Vec<Passage<'a>>) -> Self {
        Doc { id, passages, boost: 1.0 }
    }
}

/// Number of a distinct run in the [`Corpus`].
pub(crate) type RunId = u32;
/// Run numbers from here on mark the start of a passage; the low bits say which [`Field`].
const FIRST_MARK: u32 = u32::MAX - 15;

#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub text: &'a str,
    /// Cards that hold the run.
    pub holders: u32,
    last_holder: u32,
    /// Tokens the run counts for in a card's length.
    tokens: u16,
    /// Whether the run is one lower-case Latin word: its only token is its text.
    pub plain: bool,
}

/// Cards, cut into numbered runs.
#[derive(Debug)]
pub struct Corpus<'a> {
    pub(crate) docs: &'a [Doc<'a>],
    pub(crate) runs: Vec<Run<'a>>,
    stream: Vec<u32>,
    /// Where each card starts in `stream`; one more than there are cards.
    starts: Vec<usize>,
    pub(crate) lengths: Vec<u32>,
    pub(crate) total_length: u64,
}

struct Table {
    slots: Vec<(u64, u32)>,
    used: usize,
}

const FREE: u32 = u32::MAX;

impl Table {
    fn with_room(expected: usize) -> Self {
        Table { slots: vec![(0, FREE); (expected * 2).next_power_of_two().max(64)], used: 0 }
    }

    /// The number stored under `hash`, or `next`, which is then stored. Equal 64-bit hashes count as equal runs.
    fn get_or_insert(&mut self, hash: u64, next: u32) -> u32 {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let (stored, number) = self.slots[slot];
            if number == FREE {
                self.slots[slot] = (hash, next);
                self.used += 1;
                return next;
            }
            if stored == hash {
                return number;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let bigger = vec![(0, FREE); self.slots.len() * 2];
        let old = std::mem::replace(&mut self.slots, bigger);
        let mask = self.slots.len() - 1;
        for (hash, number) in old {
            if number != FREE {
                let mut slot = hash as usize & mask;
                while self.slots[slot].1 != FREE {
                    slot = (slot + 1) & mask;
                }
                self.slots[slot] = (hash, number);
            }
        }
    }
}

impl<'a> Corpus<'a> {
    /// Reads all cards once.
    #[must_use]
    pub fn new(docs: &'a [Doc<'a>]) -> Self {
        let mut table = Table::with_room(docs.len() * 8);
        let mut scratch = Scratch::default();
        let mut corpus = Corpus {
            docs,
            runs: Vec::with_capacity(docs.len() * 4),
            stream: Vec::with_capacity(docs.len() * 96),
            starts: Vec::with_capacity(docs.len() + 1),
            lengths: Vec::with_capacity(docs.len()),
            total_length: 0,
        };
        for (number, doc) in docs.iter().enumerate() {
            let holder = number as u32;
            corpus.starts.push(corpus.stream.len());
            let mut length = 0_u32;
            for passage in &doc.passages {
                corpus.stream.push(FIRST_MARK + passage.field as u32);
                token::runs(&passage.text, |text| {
                    let hash = token::term_hash(text);
                    let next = corpus.runs.len() as u32;
                    let id = table.get_or_insert(hash, next);
                    if id == next {
                        corpus.runs.push(Run::new(text, &mut scratch));
                    }
                    let run = &mut corpus.runs[id as usize];
                    if run.last_holder != holder {
                        run.last_holder = holder;
                        run.holders += 1;
                    }
                    length += u32::from(run.tokens);
                    corpus.stream.push(id);
                });
            }
            corpus.lengths.push(length);
            corpus.total_length += u64::from(length);
        }
        corpus.starts.push(corpus.stream.len());
        corpus
    }

    /// Number of cards.
    #[must_use]
    pub fn len(&self) -> usize {
        self.docs.len()
    }

    /// Whether there are no cards.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.docs.is_empty()
    }

    /// Mean number of tokens of a card.
    #[must_use]
    pub fn average_length(&self) -> f64 {
        if self.docs.is_empty() { 0.0 } else { self.total_length as f64 / self.docs.len() as f64 }
    }

    /// The runs of card `doc` in order; `None` where a passage begins.
    pub(crate) fn card(&self, doc: usize) -> impl Iterator<Item = Piece> {
        self.stream[self.starts[doc]..self.starts[doc + 1]].iter().map(|&value| {
            if value >= FIRST_MARK { Piece::Passage((value - FIRST_MARK) as u8) } else { Piece::Run(value) }
        })
    }
}

/// One element of a card's row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece {
    /// A passage of this field begins.
    Passage(u8),
    /// A run.
    Run(RunId),
}

impl<'a> Run<'a> {
    fn new(text: &'a str, scratch: &mut Scratch) -> Self {
        let mut tokens = 0_u16;
        token::tokens_of_run(text, scratch, |_: Kind, _| tokens = tokens.saturating_add(1));
        let plain = text.bytes().all(|byte| byte.is_ascii_lowercase());
        Run { text, holders: 0, last_holder: u32::MAX, tokens, plain }
    }
}
