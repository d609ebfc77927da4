//! BM25 in f64: one function of counts, whoever counted.
//!
//! Robertson, Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with the non-negative idf
//! ln(1 + (N − n + .5)/(n + .5)). The `bm25` crate is the reference in the tests; it holds every card in memory, so it
//! cannot score a store that is only looked up.

/// Saturation of repeated terms.
pub const K1: f64 = 1.2;
/// Strength of length normalisation.
pub const B: f64 = 0.75;

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

#[cfg(test)]
mod tests {
    use super::*;
    use bm25::{Embedding, Scorer, TokenEmbedding};

    /// (term, count) of a few cards of different lengths, scored by the crate and by us.
    #[test]
    fn scores_are_those_of_the_crate() {
        let cards: [(&[(u64, u32)], u32); 5] = [
            (&[(1, 1), (2, 3)], 20),
            (&[(1, 7)], 5),
            (&[], 1),
            (&[(2, 1), (3, 1)], 400),
            (&[(1, 2), (2, 2), (3, 9)], 64),
        ];
        let average = cards.iter().map(|card| card.1).sum::<u32>() as f64 / cards.len() as f64;
        let mut scorer: Scorer<usize, u64> = Scorer::new();
        for (number, (terms, length)) in cards.iter().enumerate() {
            let weights = terms.iter().map(|&(index, count)| TokenEmbedding {
                index,
                value: saturation(count, *length, average) as f32,
            });
            scorer.upsert(&number, Embedding(weights.collect()));
        }
        for (number, (terms, length)) in cards.iter().enumerate() {
            for &(term, count) in *terms {
                let holds = |card: &&(&[(u64, u32)], u32)| card.0.iter().any(|own| own.0 == term);
                let holders = cards.iter().filter(holds).count();
                let question = Embedding(vec![TokenEmbedding {
                    index: term,
                    value: 1.0,
                }]);
                let crates = scorer.score(&number, &question).map_or(0.0, f64::from);
                let ours = idf(cards.len(), holders) * saturation(count, *length, average);
                assert!(
                    (crates - ours).abs() < 1e-5,
                    "{number} {term}: {crates} {ours}"
                );
            }
        }
    }
}
