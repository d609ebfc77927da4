//! Quality of rankings: pure metrics with bootstrap intervals.
//!
//! Relevance is binary. nDCG after Järvelin, Kekäläinen (2002) with log2(rank + 1) discount; intervals are percentile
//! bootstrap (Efron, 1979) over questions, 2,000 resamples from a fixed seed, so the same input gives the same figures.

use std::collections::{BTreeMap, BTreeSet};

/// One question's outcome.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// Kind of question, for the breakdown; may be empty.
    pub category: String,
    /// Ids that answer it. Empty: nothing does, and an empty answer is right.
    pub relevant: Vec<String>,
    /// Ids answered, best first; empty when the ranking abstained.
    pub ranked: Vec<String>,
    /// Ids that would have been answered without a floor, best first.
    pub unfloored: Vec<String>,
}

/// A mean with its 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Arithmetic mean; 0 when there is nothing to average.
    pub mean: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// Figures over a set of questions. The order is judged without the floor, the floor by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Questions with an answer in the cards.
    pub answerable: usize,
    /// Questions without.
    pub unanswerable: usize,
    /// Share whose first hit is relevant.
    pub success_at_1: Estimate,
    /// Share with a relevant hit among five.
    pub success_at_5: Estimate,
    /// Mean reciprocal rank of the first relevant hit among ten.
    pub mrr_at_10: Estimate,
    /// The same of what is answered: a question that the floor refuses counts 0.
    pub mrr_at_10_answered: Estimate,
    /// Normalised discounted cumulative gain among ten.
    pub ndcg_at_10: Estimate,
    /// Share of the relevant cards among ten.
    pub recall_at_10: Estimate,
    /// Of answerable questions whose card is among five without a floor: share where the floor takes it away.
    pub wrongly_refused: Estimate,
    /// Of unanswerable questions: share that got an answer.
    pub wrongly_answered: Estimate,
}

/// Metrics over all questions, and per category (sorted by name; questions without one are left out).
#[must_use]
pub fn evaluate(judged: &[Judged]) -> (Metrics, BTreeMap<String, Metrics>) {
    let mut categories: BTreeMap<String, Vec<&Judged>> = BTreeMap::new();
    for one in judged.iter().filter(|one| !one.category.is_empty()) {
        categories
            .entry(one.category.clone())
            .or_default()
            .push(one);
    }
    let all: Vec<&Judged> = judged.iter().collect();
    (
        measure(&all),
        categories
            .into_iter()
            .map(|(name, list)| (name, measure(&list)))
            .collect(),
    )
}

fn measure(judged: &[&Judged]) -> Metrics {
    let (answerable, unanswerable): (Vec<&&Judged>, Vec<&&Judged>) =
        judged.iter().partition(|one| !one.relevant.is_empty());
    let over = |figure: &dyn Fn(&Judged) -> f64| {
        estimate(&answerable.iter().map(|one| figure(one)).collect::<Vec<_>>())
    };
    let among_five: Vec<f64> = answerable
        .iter()
        .filter(|one| first(&one.unfloored, &one.relevant, 5).is_some())
        .map(|one| share(first(&one.ranked, &one.relevant, 5).is_none()))
        .collect();
    let answered: Vec<f64> = unanswerable
        .iter()
        .map(|one| share(!one.ranked.is_empty()))
        .collect();
    Metrics {
        answerable: answerable.len(),
        unanswerable: unanswerable.len(),
        success_at_1: over(&|one| share(first(&one.unfloored, &one.relevant, 1).is_some())),
        success_at_5: over(&|one| share(first(&one.unfloored, &one.relevant, 5).is_some())),
        mrr_at_10: over(&|one| {
            first(&one.unfloored, &one.relevant, 10).map_or(0.0, |at| 1.0 / (at + 1) as f64)
        }),
        ndcg_at_10: over(&ndcg),
        mrr_at_10_answered: over(&|one| {
            first(&one.ranked, &one.relevant, 10).map_or(0.0, |at| 1.0 / (at + 1) as f64)
        }),
        recall_at_10: over(&|one| {
            let relevant: BTreeSet<&String> = one.relevant.iter().collect();
            hits(&one.unfloored, &one.relevant).len() as f64 / relevant.len() as f64
        }),
        wrongly_refused: estimate(&among_five),
        wrongly_answered: estimate(&answered),
    }
}

fn share(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// Places, from 0, of the relevant ids among the first ten; a repeated id counts once.
fn hits(ranked: &[String], relevant: &[String]) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let distinct = ranked.iter().filter(|id| seen.insert(*id)).take(10);
    distinct
        .enumerate()
        .filter(|(_, id)| relevant.contains(id))
        .map(|(at, _)| at)
        .collect()
}

fn first(ranked: &[String], relevant: &[String], within: usize) -> Option<usize> {
    hits(ranked, relevant)
        .first()
        .copied()
        .filter(|&at| at < within)
}

fn ndcg(one: &Judged) -> f64 {
    let gain = |at: usize| 1.0 / ((at + 2) as f64).log2();
    let relevant: BTreeSet<&String> = one.relevant.iter().collect();
    let ideal: f64 = (0..relevant.len().min(10)).map(gain).sum();
    hits(&one.unfloored, &one.relevant)
        .into_iter()
        .map(gain)
        .sum::<f64>()
        / ideal
}

const RESAMPLES: usize = 2000;

/// Mean of `values` with its 95 % percentile-bootstrap interval.
#[must_use]
pub fn estimate(values: &[f64]) -> Estimate {
    if values.is_empty() {
        return Estimate::default();
    }
    let count = values.len();
    let mean = values.iter().sum::<f64>() / count as f64;
    let mut random = SplitMix(1);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| (0..count).map(|_| values[random.below(count)]).sum::<f64>() / count as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    Estimate {
        mean,
        low: means[RESAMPLES / 40],
        high: means[RESAMPLES - 1 - RESAMPLES / 40],
    }
}

/// SplitMix64 (Steele, Lea, Flood, 2014): small, fixed, good enough for resampling.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(relevant: &[&str], ranked: &[&str], unfloored: &[&str]) -> Judged {
        let own = |list: &[&str]| list.iter().map(|id| (*id).to_owned()).collect();
        Judged {
            category: String::new(),
            relevant: own(relevant),
            ranked: own(ranked),
            unfloored: own(unfloored),
        }
    }

    #[test]
    fn figures_by_hand() {
        let (metrics, categories) = evaluate(&[
            judged(&["a"], &["a", "b"], &["a", "b"]),
            judged(&["a"], &["b", "a"], &["b", "a"]),
            judged(&["a"], &[], &["a"]),
            judged(&[], &["b"], &["b"]),
            judged(&[], &[], &["b"]),
        ]);
        assert_eq!((metrics.answerable, metrics.unanswerable), (3, 2));
        assert!((metrics.success_at_1.mean - 2.0 / 3.0).abs() < 1e-12);
        assert!((metrics.mrr_at_10.mean - 2.5 / 3.0).abs() < 1e-12);
        assert!((metrics.mrr_at_10_answered.mean - 0.5).abs() < 1e-12);
        assert!((metrics.ndcg_at_10.mean - (2.0 + 1.0 / 3f64.log2()) / 3.0).abs() < 1e-12);
        assert!((metrics.wrongly_refused.mean - 1.0 / 3.0).abs() < 1e-12);
        assert!((metrics.wrongly_answered.mean - 0.5).abs() < 1e-12);
        assert!(categories.is_empty());
    }

    #[test]
    fn a_repeated_id_counts_once() {
        let (metrics, _) = evaluate(&[judged(&["a", "b"], &[], &["a", "a", "b"])]);
        assert!((metrics.recall_at_10.mean - 1.0).abs() < 1e-12);
        assert!((metrics.ndcg_at_10.mean - 1.0).abs() < 1e-12);
    }

    #[test]
    fn intervals_hold_the_mean_and_do_not_move() {
        let values: Vec<f64> = (0..50).map(|at| f64::from(at % 3)).collect();
        let one = estimate(&values);
        assert!(one.low <= one.mean && one.mean <= one.high && one.low < one.high);
        assert_eq!(one, estimate(&values));
    }
}
