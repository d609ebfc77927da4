//! Stand-ins for query words no card knows: typing errors, other spellings, compounds.
//!
//! Similarity is Dice's coefficient on character pairs and triples, boundaries included
//! (Adamson, Boreham, "The use of an association measure based on character structure", 1974).

use std::collections::HashMap;

use super::corpus::Corpus;
use super::token::{self, Kind};

/// A known term that resembles an unknown word.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StandIn {
    pub stem: String,
    /// The form of the term that resembles the word most.
    pub surface: String,
    pub similarity: f64,
}

/// Shortest word, in characters, that is repaired.
pub(crate) const SHORTEST: usize = 4;
/// Most unknown words of one phrasing that are repaired; with more, none is.
pub(crate) const MOST_WORDS: usize = 24;
/// Similarity from which the embedding, too, takes the stand-in for the word.
pub(crate) const SURE: f64 = 0.7;
/// Least similarity of a stand-in.
const LEAST: f64 = 0.4;
/// Stand-ins below this share of the best one's similarity are dropped.
const CLOSE: f64 = 0.8;
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

/// 1 − edits/length for words one edit apart (two from eight letters on), else 0. An edit inserts, drops or replaces a
/// letter or swaps two neighbours (optimal string alignment; Damerau, 1964).
fn edit_similarity(word: &str, token: &str) -> f64 {
    let (one, other) = (word.as_bytes(), token.as_bytes());
    let longest = one.len().max(other.len());
    let allowed = if one.len() >= 8 { 2 } else { 1 };
    if one.len().abs_diff(other.len()) > allowed
        || longest > MAX
        || !word.is_ascii()
        || !token.is_ascii()
    {
        return 0.0;
    }
    if (letters(one) ^ letters(other)).count_ones() as usize > 2 * allowed {
        return 0.0;
    }
    let edits = distance(one, other);
    if edits > allowed {
        0.0
    } else {
        1.0 - edits as f64 / longest as f64
    }
}

const MAX: usize = 32;

fn letters(word: &[u8]) -> u64 {
    word.iter().fold(0, |set, byte| set | 1 << (byte & 63))
}

fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut rows = [[0_u8; MAX + 1]; 3];
    for (at, cell) in rows[1].iter_mut().enumerate() {
        *cell = at as u8;
    }
    for (row, &left) in one.iter().enumerate() {
        let [before, last, now] = &mut rows;
        now[0] = row as u8 + 1;
        for (column, &right) in other.iter().enumerate() {
            let mut best = (last[column] + u8::from(left != right))
                .min(last[column + 1] + 1)
                .min(now[column] + 1);
            if row > 0 && column > 0 && left == other[column - 1] && one[row - 1] == right {
                best = best.min(before[column - 1] + 1);
            }
            now[column + 1] = best;
        }
        rows.rotate_left(1);
    }
    usize::from(rows[1][other.len()])
}

/// Notes a resembling token under its stem: the most similar form, of equals the first in the alphabet.
fn keep(found: &mut HashMap<String, (f64, String)>, token: &str, similarity: f64) {
    let best = found
        .entry(token::stem(token).into_owned())
        .or_insert_with(|| (0.0, String::new()));
    if similarity > best.0 || (similarity == best.0 && token < best.1.as_str()) {
        *best = (similarity, token.to_owned());
    }
}

/// Up to three known terms for each of `words` (folded, unstemmed), best first.
pub(crate) fn stand_ins(corpus: &Corpus<'_>, words: &[&str]) -> Vec<Vec<StandIn>> {
    let mut wanted: Vec<Vec<u64>> = Vec::new();
    for word in words {
        let mut list = Vec::new();
        grams(word, &mut list);
        wanted.push(list);
    }
    let mut found: Vec<HashMap<String, (f64, String)>> = vec![HashMap::new(); words.len()];
    let mut own = Vec::new();
    for run in &corpus.runs {
        for (kind, token) in corpus.tokens(run) {
            if kind == Kind::Pair || token.len() < 3 || token.len() > 40 {
                continue;
            }
            grams(token, &mut own);
            for (at, wanted) in wanted.iter().enumerate() {
                let edits = edit_similarity(words[at], token);
                if edits > 0.0 {
                    keep(&mut found[at], token, edits);
                    continue;
                }
                let most =
                    2.0 * wanted.len().min(own.len()) as f64 / (wanted.len() + own.len()) as f64;
                if most < LEAST {
                    continue;
                }
                let similarity =
                    2.0 * shared(wanted, &own) as f64 / (wanted.len() + own.len()) as f64;
                if similarity >= LEAST {
                    keep(&mut found[at], token, similarity);
                }
            }
        }
    }
    found
        .into_iter()
        .map(|terms| {
            let mut terms: Vec<StandIn> = terms
                .into_iter()
                .map(|(stem, (similarity, surface))| StandIn {
                    stem,
                    surface,
                    similarity,
                })
                .collect();
            terms.sort_by(|one, other| {
                other
                    .similarity
                    .total_cmp(&one.similarity)
                    .then_with(|| one.stem.cmp(&other.stem))
            });
            let least = terms.first().map_or(0.0, |best| best.similarity * CLOSE);
            terms.retain(|term| term.similarity >= least);
            terms.truncate(MOST);
            terms
        })
        .collect()
}
