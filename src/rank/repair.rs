//! Stand-ins for query words no card holds: typing errors, other spellings, compounds.
//!
//! What is known are stems. Similarity is 1 − edits/length (optimal string alignment; Damerau, 1964), or Dice's
//! coefficient on character pairs and triples (Adamson, Boreham, "The use of an association measure based on character
//! structure", 1974).

use std::collections::HashMap;

use super::library::Library;
use super::token;

/// A known term that resembles an unknown word.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StandIn {
    pub stem: String,
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
/// Shortest term that is compared with the beginning of a word, and longest ending that is left out then.
const SHORTEST_BEGINNING: usize = 5;
const LONGEST_ENDING: usize = 5;
/// Longest word, in bytes, whose edits are counted.
const LONGEST: usize = 32;

/// Sorted hashes of the pairs and triples of `word`.
fn grams(word: &[u8], into: &mut Vec<u32>) {
    into.clear();
    for size in 2..=3 {
        for window in word.windows(size) {
            let mut gram = size as u32;
            for &byte in window {
                gram = gram << 8 | u32::from(byte);
            }
            into.push(gram);
        }
    }
    into.sort_unstable();
}

fn shared(one: &[u32], other: &[u32]) -> usize {
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

fn letters(word: &[u8]) -> u64 {
    word.iter().fold(0, |set, byte| set | 1 << (byte & 63))
}

/// A set of a word's pairs of letters, 64 bits of it.
fn place(pair: &[u8]) -> u32 {
    (u32::from(pair[0]) * 31 + u32::from(pair[1])) & 63
}

fn pairs(word: &[u8]) -> u64 {
    word.windows(2).fold(0, |set, pair| set | 1 << place(pair))
}

/// An unknown word in one of its forms, ready for being compared.
struct Word {
    text: Vec<u8>,
    letters: u64,
    /// The word unstemmed.
    whole: Vec<u8>,
    whole_letters: u64,
    /// The set of its pairs, and how many pairs share a place in it with another.
    pairs: u64,
    twice: usize,
    /// Where its pairs are in the set, in the word's order.
    places: Vec<u8>,
    grams: Vec<u32>,
    ascii: bool,
    /// Most edits.
    allowed: usize,
}

impl Word {
    fn new(word: &str) -> Self {
        let text = token::stem(word);
        let bytes = text.as_bytes();
        let mut own = Vec::new();
        grams(bytes, &mut own);
        Word {
            text: bytes.to_vec(),
            letters: letters(bytes),
            whole: word.as_bytes().to_vec(),
            whole_letters: letters(word.as_bytes()),
            places: bytes.windows(2).map(|pair| place(pair) as u8).collect(),
            pairs: pairs(bytes),
            twice: bytes.len() - 1 - pairs(bytes).count_ones() as usize,
            grams: own,
            ascii: word.is_ascii(),
            allowed: if bytes.len() >= 8 { 2 } else { 1 },
        }
    }

    /// 1 − edits/length for terms one edit apart (two from eight letters on), else 0. An edit inserts, drops or replaces
    /// a letter or swaps two neighbours.
    fn edit_similarity(&self, term: &Known<'_>) -> f64 {
        let longest = self.text.len().max(term.text.len());
        if self.text.len().abs_diff(term.text.len()) > self.allowed
            || longest > LONGEST
            || (self.letters ^ term.letters).count_ones() as usize > 2 * self.allowed
            || !self.ascii
            || !term.text.is_ascii()
        {
            return 0.0;
        }
        let edits = usize::from(distances(&self.text, term.text)[term.text.len()]);
        if edits > self.allowed {
            0.0
        } else {
            1.0 - edits as f64 / longest as f64
        }
    }

    /// As edits, for a term one edit apart from the word's beginning: an error near the ending keeps the stemmer from
    /// taking the ending away. Each letter of the ending counts a quarter of an edit.
    fn beginning(&self, term: &Known<'_>) -> f64 {
        let (word, length) = (&self.whole, self.whole.len());
        let foreign = term.letters & !self.whole_letters;
        if word[0] != term.text[0]
            || term.text.len() < SHORTEST_BEGINNING
            || term.text.len() > length
            || length > term.text.len() + LONGEST_ENDING + 1
            || length > LONGEST
            || foreign.count_ones() > 1
            || !self.ascii
            || !term.text.is_ascii()
        {
            return 0.0;
        }
        let edits = distances(term.text, word);
        (length.saturating_sub(LONGEST_ENDING)..=length)
            .filter(|&end| edits[end] <= 1)
            .map(|end| f64::from(edits[end]) + (length - end) as f64 / 4.0)
            .map(|edits| 1.0 - edits / length as f64)
            .fold(0.0, f64::max)
    }

    /// The most the two can have in common, from sets of pairs alone: never less than the truth.
    fn most_shared(&self, term: &Known<'_>) -> usize {
        let (mut count, mut before) = (0, 0);
        for &place in &self.places {
            let hit = (term.pairs >> place & 1) as usize;
            // A triple is two pairs in a row.
            count += hit + (hit & before);
            before = hit;
        }
        count
    }

    /// Dice's coefficient, or 0 where it is below what a stand-in needs.
    fn dice(&self, term: &mut Known<'_>) -> f64 {
        // Of n letters there are n − 1 pairs and n − 2 triples.
        let all = self.grams.len() + 2 * term.text.len() - 3;
        let of = |count: usize| 2.0 * count as f64 / all as f64;
        // Places in common, those that the word has twice, and as many triples: most terms are out by this alone.
        let common = (self.pairs & term.pairs).count_ones() as usize;
        if of(2 * (common + self.twice)) < LEAST || of(self.most_shared(term)) < LEAST {
            return 0.0;
        }
        if term.grams.is_empty() {
            grams(term.text, term.grams);
        }
        let similarity = of(shared(&self.grams, term.grams));
        if similarity < LEAST { 0.0 } else { similarity }
    }

    fn similarity(&self, term: &mut Known<'_>) -> f64 {
        let is_near = self.text.len().abs_diff(term.text.len()) <= self.allowed;
        if is_near || self.whole[0] == term.text[0] {
            if term.letters == 0 {
                term.letters = letters(term.text);
            }
            let edits = self.edit_similarity(term);
            if edits > 0.0 {
                return edits;
            }
            return self.beginning(term).max(self.dice(term));
        }
        self.dice(term)
    }
}

/// A known term that is being looked at.
struct Known<'t> {
    text: &'t [u8],
    /// 0 until it is needed.
    letters: u64,
    pairs: u64,
    /// Made when needed.
    grams: &'t mut Vec<u32>,
}

/// Edits from `one` to every beginning of `other`, by its length.
fn distances(one: &[u8], other: &[u8]) -> [u8; LONGEST + 1] {
    let mut rows = [[0_u8; LONGEST + 1]; 3];
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
    rows[1]
}

/// Up to three known terms for each of `words` (folded, unstemmed), best first.
pub(crate) fn stand_ins<L: Library>(library: &L, words: &[&str]) -> Vec<Vec<StandIn>> {
    let words: Vec<Word> = words.iter().map(|word| Word::new(word)).collect();
    let mut found: Vec<HashMap<String, f64>> = vec![HashMap::new(); words.len()];
    let mut buffer = Vec::new();
    library.terms(|term| {
        if term.len() < 3 || term.len() > 40 || term.chars().next().is_some_and(token::is_unspaced)
        {
            return;
        }
        buffer.clear();
        let mut known = Known {
            text: term.as_bytes(),
            letters: 0,
            pairs: pairs(term.as_bytes()),
            grams: &mut buffer,
        };
        for (word, found) in words.iter().zip(&mut found) {
            let similarity = word.similarity(&mut known);
            if similarity > 0.0 && !found.contains_key(term) {
                found.insert(term.to_owned(), similarity);
            }
        }
    });
    let found: Vec<Vec<StandIn>> = found
        .into_iter()
        .map(|terms| {
            let mut terms: Vec<StandIn> = terms
                .into_iter()
                .map(|(stem, similarity)| StandIn { stem, similarity })
                .collect();
            terms.sort_by(|one, other| {
                other
                    .similarity
                    .total_cmp(&one.similarity)
                    .then_with(|| one.stem.cmp(&other.stem))
            });
            terms
        })
        .collect();
    let likely: Vec<&str> = found
        .iter()
        .flat_map(|terms| terms.iter().take(MOST))
        .map(|term| term.stem.as_str())
        .collect();
    library.expect(&likely);
    found
        .into_iter()
        .map(|terms| {
            let mut kept: Vec<StandIn> = Vec::new();
            for term in terms {
                let least = kept.first().map_or(0.0, |best| best.similarity * CLOSE);
                if kept.len() == MOST || term.similarity < least {
                    break;
                }
                if library.holders(&term.stem) > 0 {
                    kept.push(term);
                }
            }
            kept
        })
        .collect()
}
