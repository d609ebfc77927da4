//! Whether a card is about the question at all: absolute evidence, not the fused score.

use super::bm25::{self, Occurrence};
use super::fuse::Parts;
use super::terms::{Asked, Postings};

/// How much of a question each card covers.
pub(crate) struct Evidence {
    /// Per term: the concept it stands for and what matching it is worth.
    worth: Vec<Option<(usize, f64)>>,
    total: f64,
    concepts: usize,
}

impl Evidence {
    pub(crate) fn new(asked: &Asked, postings: &Postings, kept: &[bool], cards: usize) -> Self {
        let mut mass = vec![0.0_f64; asked.concepts.len()];
        let mut known = vec![false; asked.concepts.len()];
        for (at, term) in asked.terms.iter().enumerate() {
            let Some(concept) = term.concept else { continue };
            if !kept[at] {
                continue;
            }
            if term.similarity >= 1.0 {
                mass[concept] = asked.concepts[concept].weight * bm25::idf(cards, postings.holders[at] as usize);
                known[concept] = postings.holders[at] > 0;
            }
        }
        let worth = asked
            .terms
            .iter()
            .map(|term| term.concept.map(|concept| (concept, mass[concept] * term.similarity)))
            .collect();
        Evidence { worth, total: mass.iter().sum(), concepts: asked.concepts.len() }
    }

    /// Share, 0 to 1, of the question's idf mass that the card's occurrences match.
    pub(crate) fn coverage(&self, occurrences: &[Occurrence]) -> f64 {
        let mut matched = vec![0.0_f64; self.concepts];
        for occurrence in occurrences {
            if let Some((concept, worth)) = self.worth[occurrence.term as usize] {
                matched[concept] = matched[concept].max(worth);
            }
        }
        if self.total > 0.0 { matched.iter().sum::<f64>() / self.total } else { 0.0 }
    }
}

/// Confidence, 0 to 1, that a card is about the question: the geometric mean of coverage and cosine.
#[must_use]
pub fn confidence(parts: &Parts) -> f64 {
    (parts.coverage * parts.cosine.max(0.0)).sqrt()
}
