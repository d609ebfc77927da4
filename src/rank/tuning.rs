//! The ranking's parameters, in one place.

/// Every number the ranking depends on. `Default` is what was chosen on the development sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    /// Share of BM25 in the fused score.
    pub bm25_share: f64,
    /// Share of the fullest passage in the fused score; the rest is the embedding's.
    pub passage_share: f64,
    /// Weight of a pair of stems against a single stem.
    pub pair_weight: f32,
    /// The embedding divides by the card's length to this power.
    pub norm_power: f64,
    /// Candidates that are embedded.
    pub candidates: usize,
    /// Factor on the weight of a stand-in for an unknown word.
    pub repair_weight: f64,
    /// Confidence below which nothing is answered.
    pub floor: f64,
    /// Confidence another card needs once one card has reached the floor.
    pub company: f64,
    /// Confidence below which a hit is called weak.
    pub weak: f64,
    /// Most terms of one phrasing that are looked up.
    pub most_terms: usize,
    /// Most words (or character pairs) of a phrasing that is also asked in synonyms; a longer one has words enough and is
    /// only translated. 0: neither.
    pub most_related: usize,
    /// Fewest and most words of a phrasing that is also asked sentence by sentence.
    pub split: (usize, usize),
    /// Candidates of a sentence that are embedded.
    pub sentence_candidates: usize,
    /// Most sentences it may have.
    pub most_sentences: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Tuning {
            bm25_share: 0.67,
            passage_share: 0.06,
            pair_weight: 2.5,
            norm_power: 1.0,
            candidates: 50,
            repair_weight: 0.9,
            floor: 0.5,
            company: 0.1,
            weak: 0.7,
            most_terms: 48,
            most_related: 24,
            split: (10, 400),
            sentence_candidates: 20,
            most_sentences: 24,
        }
    }
}
