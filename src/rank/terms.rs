//! From a question to the terms that are looked up, and from terms to the cards that hold them.

use super::analyzer::HashedMap;
use super::query::Phrasing;
use super::token::{self, Kind, Scratch};

/// How a term came to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// The query's word as written (after folding).
    Exact,
    /// The query's word and the card's word share their stem.
    Stem,
    /// A run kept whole, or two neighbouring words written as one.
    Whole,
    /// Two characters of a script without spaces.
    Pair,
    /// No card knows the query's word; a similar one stands in.
    Repaired,
    /// Another word for the same thing.
    Synonym,
    /// The word of another language.
    Translation,
}

impl How {
    /// The word shown to people and agents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            How::Exact => "exact",
            How::Stem => "stem",
            How::Whole => "whole",
            How::Pair => "pair",
            How::Repaired => "repaired",
            How::Synonym => "synonym",
            How::Translation => "translation",
        }
    }
}

/// One term that is looked up in the cards.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    pub hash: u64,
    pub text: String,
    /// Factor on its BM25 score.
    pub weight: f64,
    /// The concept (index in [`Asked::concepts`]) it stands for; a whole run stands for none.
    pub concept: Option<usize>,
    /// The query's own word, folded, for explanations.
    pub word: String,
    pub how: How,
    /// What a card that holds it has of the query's word, 0 to 1: of a repaired term its similarity.
    pub similarity: f64,
}

/// One word of the question whose presence in a card is evidence.
#[derive(Clone, Debug)]
pub(crate) struct Concept {
    pub weight: f64,
    pub kind: Kind,
    /// The term that is the word itself; others may stand for it.
    pub term: usize,
}

/// Greatest weight a word gains by repetition.
const MOST_REPEATS: f64 = 3.0;

/// A phrasing, cut into terms.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub terms: Vec<Term>,
    pub concepts: Vec<Concept>,
    /// For stems no card holds: the known stem most like it.
    pub substitutes: HashedMap<String>,
}

impl Asked {
    pub(crate) fn new(phrasing: &Phrasing) -> Self {
        let mut asked = Asked::default();
        let mut by_hash: HashedMap<usize> = HashedMap::default();
        let mut scratch = Scratch::default();
        let mut previous: Option<String> = None;
        for piece in &phrasing.pieces {
            token::runs(&piece.text, |run| {
                let mut words = 0;
                let mut only = None;
                token::tokens_of_run(run, &mut scratch, |kind, word| {
                    words += 1;
                    only = (words == 1 && kind == Kind::Word).then(|| word.to_owned());
                    asked.add(&mut by_hash, kind, word, piece.weight, false);
                });
                // `rate limit` also asks for `ratelimit`: cards write either.
                if let (Some(first), Some(second)) = (&previous, &only) {
                    let together = format!("{first}{second}");
                    asked.add(&mut by_hash, Kind::Whole, &together, piece.weight, true);
                }
                previous = only;
            });
            previous = None;
        }
        asked
    }

    /// Adds a term that stands for the term at `of`, with this share of its weight.
    pub(crate) fn stand_in(
        &mut self,
        of: usize,
        stem: String,
        how: How,
        share: f64,
        similarity: f64,
    ) {
        let source = &self.terms[of];
        self.terms.push(Term {
            hash: token::term_hash(&stem),
            text: stem,
            weight: source.weight * share,
            concept: source.concept,
            word: source.word.clone(),
            how,
            similarity,
        });
    }

    /// Per term: the word (index in [`Asked::concepts`]) it stands for, and how well.
    pub(crate) fn stands_for(&self) -> Vec<Option<(usize, f64)>> {
        let worth = |term: &Term| term.concept.map(|concept| (concept, term.similarity));
        self.terms.iter().map(worth).collect()
    }

    /// Whether a stem is asked for already.
    pub(crate) fn holds(&self, stem: &str) -> bool {
        let hash = token::term_hash(stem);
        self.terms.iter().any(|term| term.hash == hash)
    }

    fn add(
        &mut self,
        by_hash: &mut HashedMap<usize>,
        kind: Kind,
        word: &str,
        weight: f64,
        joined: bool,
    ) {
        let stem = token::stem(word);
        let hash = token::term_hash(&stem);
        if let Some(&at) = by_hash.get(&hash) {
            if joined {
                return;
            }
            // A repeated word counts again, up to a limit: pasted prompts repeat themselves.
            let term = &mut self.terms[at];
            let more = weight.min(MOST_REPEATS - term.weight).max(0.0);
            term.weight += more;
            if let Some(concept) = term.concept {
                self.concepts[concept].weight += more;
            }
            return;
        }
        let concept = (kind != Kind::Whole).then(|| {
            self.concepts.push(Concept {
                weight,
                kind,
                term: self.terms.len(),
            });
            self.concepts.len() - 1
        });
        let how = match kind {
            Kind::Whole => How::Whole,
            Kind::Pair => How::Pair,
            Kind::Word => How::Exact,
        };
        by_hash.insert(hash, self.terms.len());
        self.terms.push(Term {
            hash,
            text: stem.into_owned(),
            weight,
            concept,
            word: word.to_owned(),
            how,
            similarity: 1.0,
        });
    }
}

/// Set of the beginnings of the terms asked for: other words need not be stemmed, which is slow. A stem differs from
/// its word in at most its last two letters (`hoping` → `hope`, `tying` → `tie`), so of a term all but the last two
/// bytes, at least two where it has them and at most four, must begin the word.
pub(crate) struct StemFilter {
    /// Per length of the beginning (1 to 4): a hashed set.
    bits: [Vec<u64>; 4],
}

impl StemFilter {
    pub(crate) fn new<'t>(terms: impl Iterator<Item = &'t str>) -> Self {
        let mut filter = StemFilter {
            bits: std::array::from_fn(|_| vec![0; 1024]),
        };
        for term in terms {
            let bytes = term.as_bytes();
            let length = bytes
                .len()
                .saturating_sub(2)
                .clamp(2, 4)
                .min(bytes.len().max(1));
            filter.add(bytes, length);
            // The three stems that change their second letter: dying, lying, tying.
            if let [first @ (b'd' | b'l' | b't'), b'i', b'e'] = *bytes {
                filter.add(&[first, b'y'], 2);
            }
        }
        filter
    }

    fn add(&mut self, bytes: &[u8], length: usize) {
        let key = Self::key(bytes, length);
        self.bits[length - 1][key / 64] |= 1 << (key % 64);
    }

    fn key(bytes: &[u8], length: usize) -> usize {
        Self::place(bytes.iter().take(length).fold(1, Self::longer))
    }

    fn longer(code: u32, byte: &u8) -> u32 {
        code << 7 ^ code >> 25 ^ u32::from(*byte)
    }

    fn place(code: u32) -> usize {
        (code.wrapping_mul(0x9E37_79B1) >> 16) as usize
    }

    pub(crate) fn may_hold(&self, token: &str) -> bool {
        let mut code = 1;
        token.as_bytes().iter().zip(&self.bits).any(|(byte, bits)| {
            code = Self::longer(code, byte);
            let key = Self::place(code);
            bits[key / 64] >> (key % 64) & 1 == 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::perturb;

    #[test]
    fn the_filter_lets_every_word_of_a_stem_pass() {
        let mut words: Vec<String> = "dying lying tying dies skies skis idly gently ugly early only singly news using used hoping \
            hopped relational conditional rationalization vietnamization predication operator feudalism decisiveness hopefulness \
            callousness formality sensitivity sensibility triplicate formative formalize electricity electrical hopeful goodness \
            revival allowance inference airliner gyroscopic adjustable defensible irritant replacement adjustment dependent adoption \
            communism activate angularity homologous effective bowdlerize probate rate cease controlling roll fluency flying cries \
            cry by say youth boyish being exceed succeed proceed inning outing canning herring generically communal arsenic a is"
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        for text in [
            include_str!("../../tests/data/recall/cards.jsonl"),
            include_str!("../../tests/data/recall/queries.jsonl"),
        ] {
            for damaged in [
                text.to_owned(),
                perturb::inflect(text),
                perturb::swap_letters(text),
            ] {
                let mut scratch = Scratch::default();
                token::runs(&damaged, |run| {
                    token::tokens_of_run(run, &mut scratch, |_, word| words.push(word.to_owned()))
                });
            }
        }
        for word in &words {
            let stem = token::stem(word);
            assert!(
                StemFilter::new([stem.as_ref()].into_iter()).may_hold(word),
                "{word} {stem}"
            );
        }
    }
}
