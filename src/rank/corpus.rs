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
        Doc {
            id,
            passages,
            boost: 1.0,
        }
    }
}

/// Number of a distinct run in the [`Corpus`].
pub(crate) type RunId = u32;
/// Marks the start of a passage in a card's row.
const PASSAGE: u32 = u32::MAX;

/// One distinct run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Cards that hold the run.
    pub holders: u32,
    /// Number of its first token in the corpus; the others follow.
    pub first_token: u32,
    /// Tokens the run counts for in a card's length.
    tokens: u16,
    /// Features of the hashed embedding it has.
    pub features: u16,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    start: u32,
    length: u16,
    kind: Kind,
}

/// Cards, cut into numbered runs.
#[derive(Debug)]
pub struct Corpus<'a> {
    pub(crate) docs: &'a [Doc<'a>],
    pub(crate) runs: Vec<Run>,
    tokens: Vec<Token>,
    /// The letters of all tokens.
    letters: String,
    stream: Vec<u32>,
    /// Where each card starts in `stream`; one more than there are cards.
    starts: Vec<usize>,
    pub(crate) lengths: Vec<u32>,
    pub(crate) total_length: u64,
}

/// What reading a card needs to know of a run, in one place: most of the time is spent waiting for it.
#[derive(Clone, Copy)]
struct Slot {
    hash: u64,
    number: u32,
    last_holder: u32,
    holders: u32,
    tokens: u32,
}

const FREE: u32 = u32::MAX;
const EMPTY: Slot = Slot {
    hash: 0,
    number: FREE,
    last_holder: FREE,
    holders: 0,
    tokens: 0,
};

/// Open addressing. Equal 64-bit hashes count as equal runs.
struct Table {
    slots: Vec<Slot>,
    used: usize,
}

impl Table {
    fn with_room(expected: usize) -> Self {
        Table {
            slots: vec![EMPTY; expected.next_power_of_two().max(64)],
            used: 0,
        }
    }

    /// The slot of `hash`; free when the run is new.
    fn slot(&mut self, hash: u64) -> &mut Slot {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let at = Self::find(&self.slots, hash);
        &mut self.slots[at]
    }

    fn find(slots: &[Slot], hash: u64) -> usize {
        let mask = slots.len() - 1;
        let mut at = hash as usize & mask;
        while slots[at].number != FREE && slots[at].hash != hash {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let mut bigger = vec![EMPTY; self.slots.len() * 2];
        for slot in self.slots.iter().filter(|slot| slot.number != FREE) {
            let at = Self::find(&bigger, slot.hash);
            bigger[at] = *slot;
        }
        self.slots = bigger;
    }
}

impl<'a> Corpus<'a> {
    /// Reads all cards once.
    #[must_use]
    pub fn new(docs: &'a [Doc<'a>]) -> Self {
        let mut table = Table::with_room(docs.len() * 4);
        let mut scratch = Scratch::default();
        let mut corpus = Corpus {
            docs,
            runs: Vec::with_capacity(docs.len() * 4),
            tokens: Vec::with_capacity(docs.len() * 4),
            letters: String::with_capacity(docs.len() * 32),
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
                corpus.stream.push(PASSAGE);
                let mut added = 0;
                token::runs(&passage.text, |text| {
                    table.used += std::mem::take(&mut added);
                    let hash = token::run_hash(text);
                    let slot = table.slot(hash);
                    if slot.number == FREE {
                        *slot = Slot {
                            hash,
                            number: corpus.runs.len() as u32,
                            ..EMPTY
                        };
                        slot.tokens = corpus.enter(text, &mut scratch);
                        added += 1;
                    }
                    if slot.last_holder != holder {
                        slot.last_holder = holder;
                        slot.holders += 1;
                    }
                    length += slot.tokens;
                    corpus.stream.push(slot.number);
                });
                table.used += added;
            }
            corpus.lengths.push(length);
            corpus.total_length += u64::from(length);
        }
        corpus.starts.push(corpus.stream.len());
        for slot in table.slots.iter().filter(|slot| slot.number != FREE) {
            corpus.runs[slot.number as usize].holders = slot.holders;
        }
        corpus
    }

    /// Adds a new run; returns the number of its tokens.
    fn enter(&mut self, text: &str, scratch: &mut Scratch) -> u32 {
        let first_token = self.tokens.len() as u32;
        let mut features = 0_u16;
        token::tokens_of_run(text, scratch, |kind, token| {
            self.tokens.push(Token {
                start: self.letters.len() as u32,
                length: token.len() as u16,
                kind,
            });
            self.letters.push_str(token);
            // A word of n letters between borders has n triples and n − 1 quadruples; its stem makes it 2 n.
            features = features.saturating_add(match kind {
                Kind::Word => 2 * token.len() as u16,
                Kind::Pair => 3,
                Kind::Whole => 0,
            });
        });
        let tokens = (self.tokens.len() as u32 - first_token) as u16;
        self.runs.push(Run {
            holders: 0,
            first_token,
            tokens,
            features,
        });
        u32::from(tokens)
    }

    /// The tokens of a run, folded, not stemmed.
    pub(crate) fn tokens(&self, run: &Run) -> impl Iterator<Item = (Kind, &str)> {
        let first = run.first_token as usize;
        self.tokens[first..first + usize::from(run.tokens)]
            .iter()
            .map(|token| {
                let start = token.start as usize;
                (
                    token.kind,
                    &self.letters[start..start + usize::from(token.length)],
                )
            })
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
        if self.docs.is_empty() {
            0.0
        } else {
            self.total_length as f64 / self.docs.len() as f64
        }
    }

    /// The runs of card `doc` in order; `None` where a passage begins.
    pub(crate) fn card(&self, doc: usize) -> impl Iterator<Item = Piece> {
        self.stream[self.starts[doc]..self.starts[doc + 1]]
            .iter()
            .map(|&value| {
                if value == PASSAGE {
                    Piece::Passage
                } else {
                    Piece::Run(value)
                }
            })
    }
}

/// One element of a card's row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece {
    /// A passage begins.
    Passage,
    /// A run.
    Run(RunId),
}
