//! Stand-ins for query words no card knows: typing errors, other spellings, compounds.
//!
//! Similarity is Dice's coefficient on character pairs and triples, boundaries included
//! (Adamson, Boreham, "The use of an association measure based on character structure", 1974).

use std::collections::HashMap;

use super::corpus::Corpus;
use super::token::{self, Kind, Scratch};

/// A known term that resembles an unknown word.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StandIn {
    pub stem: String,
    pub similarity: f64,
}

/// Shortest word, in characters, that is repaired.
pub(crate) const SHORTEST: usize = 4;
/// Least similarity of a stand-in.
const LEAST: f64 = 0.4;
/// Most stand-ins per word.
const MOST: usize = 3;

/// Sorted hashes of the pairs and triples of `word`.
fn grams(word: &str, into: &mut Vec<u64>) {
    into.clear();
    let bytes = word.as_bytes();
    for size in 2..=3 {
        for window in bytes.windows(size) {
            let mut gram = size as u64;
            for &byte in window {
                gram = gram << 8 | u64::from(byte);
            }
            into.push(gram);
        }
    }
    into.sort_unstable();
}

fn shared(one: &[u64], other: &[u64]) -> usize {
    let (mut left, mut right, mut count) = (0, 0, 0);
    while left < one.len() && right < other.len() {
        match one[left].cmp(&other[right]) {
            std::cmp::Ordering::Less => left += 1,
            std::cmp::Ordering::Greater => right += 1,
            std::cmp::Ordering::Equal => {
                count += 1;
                left += 1;
                right += 1;
            }
        }
    }
    count
}

/// Up to three known terms for each of `words` (folded, unstemmed), best first.
pub(crate) fn stand_ins(corpus: &Corpus<'_>, words: &[&str]) -> Vec<Vec<StandIn>> {
    let mut wanted: Vec<Vec<u64>> = Vec::new();
    for word in words {
        let mut list = Vec::new();
        grams(word, &mut list);
        wanted.push(list);
    }
    let mut found: Vec<HashMap<String, f64>> = vec![HashMap::new(); words.len()];
    let mut scratch = Scratch::default();
    let mut own = Vec::new();
    for run in &corpus.runs {
        token::tokens_of_run(run.text, &mut scratch, |kind, token| {
            if kind == Kind::Pair || token.len() < 3 || token.len() > 40 {
                return;
            }
            grams(token, &mut own);
            for (at, wanted) in wanted.iter().enumerate() {
                let most = 2.0 * wanted.len().min(own.len()) as f64 / (wanted.len() + own.len()) as f64;
                if most < LEAST {
                    continue;
                }
                let similarity = 2.0 * shared(wanted, &own) as f64 / (wanted.len() + own.len()) as f64;
                if similarity >= LEAST {
                    let stem = token::stem(token).into_owned();
                    let best = found[at].entry(stem).or_insert(0.0);
                    *best = best.max(similarity);
                }
            }
        });
    }
    found
        .into_iter()
        .map(|terms| {
            let mut terms: Vec<StandIn> =
                terms.into_iter().map(|(stem, similarity)| StandIn { stem, similarity }).collect();
            terms.sort_by(|one, other| {
                other.similarity.total_cmp(&one.similarity).then_with(|| one.stem.cmp(&other.stem))
            });
            terms.truncate(MOST);
            terms
        })
        .collect()
}
