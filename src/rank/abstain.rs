//! Whether a card is about the question at all: absolute evidence, not the fused score.
//!
//! Dividing by the best score of a query makes the best of nothing look perfect, so the decision uses numbers that mean
//! the same for every question and store, combined as odds:
//!
//! odds = e^9.2 · agreement² · cosine^1.25 · words^1.25 · passage^0.7 · e^(4·pairs) · min(cards, 1000)^−0.75
//!
//! *agreement*: BM25 over the most a card of average length could reach for this question, unknown words included, but
//! a word with a sure stand-in is as rare as that; *cosine*: of the hashed vectors; *words*: how many of the question's
//! words the card holds, at most eight, one more when it holds all of them, so that a short question can be answered;
//! *passage*: .05 and the share of the words of one passage (the title, a step) that are the question's, the greatest of
//! the card's passages, and .4 over the number of words for a question met in full; *pairs*: share of the question's words
//! that are character pairs, half of which straddle two words and rarely match; *cards*: the best of many cards agrees
//! with anything by chance. No more than a thousand count: so far the power was measured, and in stores of 4,000 to 99,000
//! cards far-off questions were not answered more often. Synonyms, translations and stand-ins count by what they are worth
//! (in the cosine, synonyms and translations as the word itself).
//!
//! For one of several sentences the odds are divided by their number: one of many agrees by chance (Bonferroni).
//!
//! The exponents began as those of a logistic regression over development sets, each left out once, rounded; those of
//! *words* and *passage*, and the constant, were set with all of them in view.

use super::bm25;
use super::fuse::Parts;
use super::repair;
use super::terms::{Asked, How};
use super::token::Kind;

/// What a question asks for, to hold cards against.
pub(crate) struct Evidence {
    /// Per term: the concept it stands for and its similarity to the question's word.
    stands_for: Vec<Option<(usize, f64)>>,
    mass: Vec<f64>,
    total: f64,
    pairs: f64,
    cards: f64,
    chances: f64,
}

/// Logarithm of the odds of a perfect agreement on one word.
const BASE: f64 = 9.2;
const AGREEMENT_POWER: f64 = 2.0;
const COSINE_POWER: f64 = 1.25;
const WORDS_POWER: f64 = 1.25;
const PASSAGE_POWER: f64 = 0.7;
/// Keeps long passages, of which a question can only be a small part, from being refused for it.
const PASSAGE_BASE: f64 = 0.05;
/// A short question cannot fill a passage; met in full, it counts for this over its number of words.
const SHORT: f64 = 0.4;
const PAIRS: f64 = 4.0;
const CARDS_POWER: f64 = -0.75;
/// More cards than this do not make agreement by chance any likelier than measured.
const MOST_CARDS: f64 = 1000.0;
/// More matching words than this are no further evidence: long texts share words by chance.
const MOST_WORDS: f64 = 8.0;

impl Evidence {
    /// `idfs` and `kept` are per term of `asked`; `chances` is the number of sentences of which this is one.
    pub(crate) fn new(
        asked: &Asked,
        idfs: &[f64],
        kept: &[bool],
        cards: usize,
        chances: usize,
    ) -> Self {
        let mut mass = vec![0.0_f64; asked.concepts.len()];
        let unknown = bm25::idf(cards, 0);
        let (mut used, mut pairs) = (0.0_f64, 0.0_f64);
        for (at, term) in asked.terms.iter().enumerate() {
            let Some(concept) = term.concept else {
                continue;
            };
            if kept[at] && asked.concepts[concept].term == at {
                mass[concept] = asked.concepts[concept].weight * idfs[at];
                used += 1.0;
                if asked.concepts[concept].kind == Kind::Pair {
                    pairs += 1.0;
                }
            }
        }
        // A word that is most likely a typing error is as rare as what it was repaired to, not unknown.
        let mut best = vec![0.0_f64; mass.len()];
        for (at, term) in asked.terms.iter().enumerate() {
            if let Some(concept) = term.concept
                && kept[at]
                && term.how == How::Repaired
                && term.similarity >= repair::SURE
                && term.similarity > best[concept]
            {
                best[concept] = term.similarity;
                let weight = asked.concepts[concept].weight;
                let unsure = (1.0 - term.similarity) * weight * unknown;
                mass[concept] = term.similarity * term.weight * idfs[at] + unsure;
            }
        }
        Evidence {
            stands_for: asked.stands_for(),
            total: mass.iter().sum(),
            mass,
            pairs: if used > 0.0 { pairs / used } else { 0.0 },
            cards: cards as f64,
            chances: chances as f64,
        }
    }

    /// Share, 0 to 1, of the question's idf mass that a card with these terms matches, and the number of words matched.
    pub(crate) fn coverage(&self, terms: impl Iterator<Item = usize>) -> (f64, f64) {
        let mut matched = vec![0.0_f64; self.mass.len()];
        for term in terms {
            if let Some((concept, similarity)) = self.stands_for[term] {
                matched[concept] = matched[concept].max(similarity);
            }
        }
        let covered: f64 = matched
            .iter()
            .zip(&self.mass)
            .map(|(share, mass)| share * mass)
            .sum();
        (
            if self.total > 0.0 {
                covered / self.total
            } else {
                0.0
            },
            matched.iter().sum(),
        )
    }

    /// BM25 over the most a card of average length could reach, 0 to a little above 1.
    pub(crate) fn agreement(&self, bm25: f64) -> f64 {
        if self.total > 0.0 {
            bm25 / (self.total * (bm25::K1 + 1.0))
        } else {
            0.0
        }
    }

    /// Confidence, 0 to 1, that the card is about the question.
    pub(crate) fn confidence(&self, parts: &Parts) -> f64 {
        let in_full = parts.coverage.powi(4);
        let words = parts.words.min(MOST_WORDS) + in_full;
        let passage = PASSAGE_BASE + parts.passage + SHORT * in_full / parts.words.max(1.0);
        let odds = BASE.exp()
            * parts.agreement.powf(AGREEMENT_POWER)
            * parts.cosine.max(0.0).powf(COSINE_POWER)
            * words.powf(WORDS_POWER)
            * passage.powf(PASSAGE_POWER)
            * (PAIRS * self.pairs).exp()
            * self.cards.min(MOST_CARDS).powf(CARDS_POWER)
            / self.chances;
        odds / (1.0 + odds)
    }
}
