//! BM25 through the `bm25` crate, and the same formula in f64.
//!
//! The crate scores; this module feeds it. Cards without a query term enter empty, so that the number of cards is
//! right; cards with one enter with the weights of the query's terms only. The crate ignores the weights of a query,
//! so it is asked once per term and the weights are applied to its answers. It is never asked for a ranked list: it
//! orders ties differently in every process.
//!
//! Formula: Robertson, Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with the
//! non-negative idf ln(1 + (N − n + .5)/(n + .5)).

use ::bm25::{Embedding, Scorer, TokenEmbedding};

/// Saturation of repeated terms.
pub const K1: f64 = 1.2;
/// Strength of length normalisation.
pub const B: f64 = 0.75;

/// What BM25 needs to know about a set of cards. A derived index supplies the same numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Number of cards, N.
    pub cards: usize,
    /// Mean number of tokens per card.
    pub average_length: f64,
}

/// Inverse document frequency of a term held by `holders` of `cards` cards; never negative.
#[must_use]
pub fn idf(cards: usize, holders: usize) -> f64 {
    let (cards, holders) = (cards as f64, holders as f64);
    ((cards - holders + 0.5) / (holders + 0.5)).ln_1p()
}

/// Weight of a term that occurs `count` times in a card of `length` tokens, without its idf.
#[must_use]
pub fn saturation(count: u32, length: u32, average_length: f64) -> f64 {
    let count = f64::from(count);
    let average_length = if average_length > 0.0 {
        average_length
    } else {
        256.0
    };
    count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * f64::from(length) / average_length))
}

/// One card that holds one of the query's terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Occurrence {
    /// Index of the card.
    pub card: u32,
    /// Index of the term in the query.
    pub term: u32,
    /// How often the card holds it.
    pub count: u32,
    /// Tokens in the card.
    pub length: u32,
}

/// BM25 of every occurrence, in the order given; computed by the `bm25` crate. `hashes[i]` is the 64-bit hash of term i;
/// occurrences are grouped by card.
#[must_use]
pub fn score(statistics: Statistics, hashes: &[u64], occurrences: &[Occurrence]) -> Vec<f64> {
    let mut scorer: Scorer<u32, u64> = Scorer::new();
    let mut next_card = 0_u32;
    for group in occurrences.chunk_by(|one, other| one.card == other.card) {
        for empty in next_card..group[0].card {
            scorer.upsert(&empty, Embedding(Vec::new()));
        }
        next_card = group[0].card + 1;
        let weights = group
            .iter()
            .map(|occurrence| TokenEmbedding {
                index: hashes[occurrence.term as usize],
                value: saturation(
                    occurrence.count,
                    occurrence.length,
                    statistics.average_length,
                ) as f32,
            })
            .collect();
        scorer.upsert(&group[0].card, Embedding(weights));
    }
    for empty in next_card..statistics.cards as u32 {
        scorer.upsert(&empty, Embedding(Vec::new()));
    }
    let questions: Vec<Embedding<u64>> = hashes
        .iter()
        .map(|&index| Embedding(vec![TokenEmbedding { index, value: 1.0 }]))
        .collect();
    occurrences
        .iter()
        .map(|occurrence| {
            scorer
                .score(&occurrence.card, &questions[occurrence.term as usize])
                .map_or(0.0, f64::from)
        })
        .collect()
}
