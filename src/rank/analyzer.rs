//! Text to terms, each distinct run only once.
//!
//! [`Runs`] numbers the distinct runs of many texts and cuts each once. [`Analyzer`] also stems their tokens and tells
//! of each card which terms it holds: what an index keeps.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::token::{self, Kind, Scratch};

/// One distinct run.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Number of its first token; the others follow.
    first_token: u32,
    /// Tokens the run counts for in a card's length.
    tokens: u16,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    start: u32,
    length: u16,
    kind: Kind,
}

/// What reading a card needs to know of a run, in one place: most of the time is spent waiting for it.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u64,
    number: u32,
    tokens: u32,
}

const FREE: u32 = u32::MAX;
const EMPTY: Slot = Slot {
    hash: 0,
    number: FREE,
    tokens: 0,
};

/// Distinct runs, numbered from 0 in the order of their first appearance. Equal 64-bit hashes count as equal runs.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// Open addressing; empty or a power of two.
    slots: Vec<Slot>,
    runs: Vec<Run>,
    tokens: Vec<Token>,
    /// The letters of all tokens.
    letters: String,
    scratch: Scratch,
}

impl Runs {
    /// With room for so many runs.
    pub(crate) fn with_room(runs: usize) -> Self {
        Runs {
            slots: vec![EMPTY; (runs * 2).next_power_of_two().max(1024)],
            runs: Vec::with_capacity(runs),
            tokens: Vec::with_capacity(runs),
            letters: String::with_capacity(runs * 8),
            ..Runs::default()
        }
    }

    /// Number of the run, and how many tokens it has.
    pub(crate) fn number(&mut self, text: &str) -> (u32, u32) {
        if self.runs.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let hash = token::run_hash(text);
        let at = find(&self.slots, hash);
        if self.slots[at].number == FREE {
            self.slots[at] = Slot {
                hash,
                number: self.runs.len() as u32,
                tokens: self.enter(text),
            };
        }
        (self.slots[at].number, self.slots[at].tokens)
    }

    fn grow(&mut self) {
        let mut bigger = vec![EMPTY; (self.slots.len() * 2).max(1024)];
        for slot in self.slots.iter().filter(|slot| slot.number != FREE) {
            let at = find(&bigger, slot.hash);
            bigger[at] = *slot;
        }
        self.slots = bigger;
    }

    /// Adds a new run; returns the number of its tokens.
    fn enter(&mut self, text: &str) -> u32 {
        let first_token = self.tokens.len() as u32;
        token::tokens_of_run(text, &mut self.scratch, |kind, token| {
            self.tokens.push(Token {
                start: self.letters.len() as u32,
                length: token.len() as u16,
                kind,
            });
            self.letters.push_str(token);
        });
        let tokens = (self.tokens.len() as u32 - first_token) as u16;
        self.runs.push(Run {
            first_token,
            tokens,
        });
        u32::from(tokens)
    }

    /// How many runs there are.
    pub(crate) fn len(&self) -> usize {
        self.runs.len()
    }

    /// The tokens of a run, folded, not stemmed.
    pub(crate) fn tokens(&self, run: u32) -> impl Iterator<Item = (Kind, &str)> {
        let run = self.runs[run as usize];
        let first = run.first_token as usize;
        self.tokens[first..first + usize::from(run.tokens)]
            .iter()
            .map(|token| (token.kind, self.text(token)))
    }

    /// The tokens of all runs; a token of several runs comes several times.
    pub(crate) fn all_tokens(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().map(|token| self.text(token))
    }

    fn text(&self, token: &Token) -> &str {
        let start = token.start as usize;
        &self.letters[start..start + usize::from(token.length)]
    }
}

fn find(slots: &[Slot], hash: u64) -> usize {
    let mask = slots.len() - 1;
    let mut at = hash as usize & mask;
    while slots[at].number != FREE && slots[at].hash != hash {
        at = (at + 1) & mask;
    }
    at
}

/// For keys that are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Map from a hash.
pub(crate) type HashedMap<V> = HashMap<u64, V, BuildHasherDefault<Hashed>>;

/// Number of a term within an [`Analyzer`].
pub type TermId = u32;

/// One card's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Analysis<'a> {
    /// Tokens of the card.
    pub length: u32,
    /// Its distinct terms in the order of their first appearance, with how often it holds them.
    pub terms: &'a [(TermId, u32)],
}

/// Cuts, folds and stems cards; what it has seen once it knows. Memory grows with the number of distinct runs.
#[derive(Debug, Default)]
pub struct Analyzer {
    runs: Runs,
    /// Per run: where its terms begin in `run_terms`; the next run's beginning is their end.
    starts: Vec<u32>,
    run_terms: Vec<TermId>,
    /// By hash of a token, and by hash of a stem.
    term_of_token: HashedMap<TermId>,
    term_of_stem: HashedMap<TermId>,
    letters: String,
    ends: Vec<u32>,
    counts: Vec<u32>,
    found: Vec<(TermId, u32)>,
}

impl Analyzer {
    /// An analyzer that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Analyzer::default()
    }

    /// The terms of a card with these texts (the passages of a [`Doc`](super::Doc)).
    pub fn card<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) -> Analysis<'_> {
        self.found.clear();
        let mut length = 0;
        for text in texts {
            token::runs(text, |run| {
                let (number, tokens) = self.runs.number(run);
                length += tokens;
                self.learn(number);
                let number = number as usize;
                let first = self.starts[number] as usize;
                for &term in &self.run_terms[first..first + tokens as usize] {
                    let count = &mut self.counts[term as usize];
                    if *count == 0 {
                        self.found.push((term, 0));
                    }
                    *count += 1;
                }
            });
        }
        for (term, count) in &mut self.found {
            *count = std::mem::take(&mut self.counts[*term as usize]);
        }
        Analysis {
            length,
            terms: &self.found,
        }
    }

    /// Stems the tokens of a run that is new.
    fn learn(&mut self, run: u32) {
        if (run as usize) < self.starts.len() {
            return;
        }
        self.starts.push(self.run_terms.len() as u32);
        for (_, text) in self.runs.tokens(run) {
            let next = self.ends.len() as TermId;
            let term = *self
                .term_of_token
                .entry(token::run_hash(text))
                .or_insert_with(|| {
                    let stem = token::stem(text);
                    *self
                        .term_of_stem
                        .entry(token::term_hash(&stem))
                        .or_insert_with(|| {
                            self.letters.push_str(&stem);
                            self.ends.push(self.letters.len() as u32);
                            self.counts.push(0);
                            next
                        })
                });
            self.run_terms.push(term);
        }
    }

    /// The text of a term.
    ///
    /// # Panics
    /// When `id` is not of this analyzer.
    #[must_use]
    pub fn term(&self, id: TermId) -> &str {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.letters[start as usize..self.ends[id] as usize]
    }

    /// Number of terms seen; ids are below this.
    #[must_use]
    pub fn terms(&self) -> usize {
        self.ends.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::Tokenizer;
    use bm25::Tokenizer as _;

    #[test]
    fn says_what_the_tokenizer_says() {
        let mut analyzer = Analyzer::new();
        for texts in [
            vec!["rate-limit rateLimit, the rate of a limit", "数据库 limits"],
            vec![],
            vec!["nothing new: limits", "", "v1.2.3 C++ naïve"],
            vec!["rate-limit rateLimit, the rate of a limit", "数据库 limits"],
        ] {
            let mut expected: Vec<String> = texts
                .iter()
                .flat_map(|text| Tokenizer.tokenize(text))
                .collect();
            let card = analyzer.card(texts.iter().copied());
            assert_eq!(card.length as usize, expected.len());
            let terms = card.terms.to_vec();
            let mut found: Vec<String> = Vec::new();
            for (term, count) in terms {
                found.extend((0..count).map(|_| analyzer.term(term).to_owned()));
            }
            expected.sort();
            found.sort();
            assert_eq!(found, expected);
        }
    }
}
