//! The hashed embedding: a sparse vector of character n-grams, stems and pairs of stems.
//!
//! Signed feature hashing (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009): a feature is
//! the class byte followed by its UTF-8 bytes; its XXH3-64 (seed 0) gives the bucket (lowest 18 bits) and the sign
//! (highest bit). Classes: 1 character n-gram, 2 stem, 3 pair of stems (the two stem hashes, smaller first,
//! little-endian). The hash is part of the contract: golden vectors pin it.

use std::collections::HashMap;

use super::bm25;
use super::corpus::{Corpus, Piece};
use super::query::Phrasing;
use super::token::{self, Kind, Scratch};
use super::tuning::Tuning;

/// Number of buckets. With a thousand dimensions most of the gain is lost to collisions.
pub const BUCKETS: usize = 1 << 18;
const SIGN: u32 = 1 << 31;
const GRAM: u8 = 1;
const STEM: u8 = 2;
const PAIR: u8 = 3;

/// Bucket (lowest 18 bits) and sign (highest bit) of a feature.
#[must_use]
pub fn feature(class: u8, bytes: &[u8]) -> u32 {
    let mut buffer = [0_u8; 80];
    let length = bytes.len().min(79);
    buffer[0] = class;
    buffer[1..=length].copy_from_slice(&bytes[..length]);
    let hash = xxhash_rust::xxh3::xxh3_64(&buffer[..=length]);
    (hash as u32 & (BUCKETS as u32 - 1)) | if hash >> 63 == 1 { SIGN } else { 0 }
}

fn bucket(feature: u32) -> usize {
    feature as usize & (BUCKETS - 1)
}

fn sign(feature: u32) -> f32 {
    if feature & SIGN == 0 { 1.0 } else { -1.0 }
}

/// Calls `visit` with the n-gram features of a token.
fn grams(kind: Kind, token: &str, mut visit: impl FnMut(u32)) {
    if kind == Kind::Pair {
        visit(feature(GRAM, token.as_bytes()));
        for character in token.chars() {
            let mut buffer = [0; 4];
            visit(feature(GRAM, character.encode_utf8(&mut buffer).as_bytes()));
        }
        return;
    }
    let mut bounded = [0_u8; 68];
    let bytes = token.as_bytes();
    if bytes.len() > 64 {
        return;
    }
    bounded[0] = b'^';
    bounded[1..=bytes.len()].copy_from_slice(bytes);
    bounded[bytes.len() + 1] = b'$';
    let bounded = &bounded[..bytes.len() + 2];
    for size in 3..=4 {
        for window in bounded.windows(size) {
            visit(feature(GRAM, window));
        }
    }
}

/// Feature of two stems next to each other, in either order.
fn pair(one: u64, other: u64) -> u32 {
    let mut bytes = [0_u8; 16];
    bytes[..8].copy_from_slice(&one.min(other).to_le_bytes());
    bytes[8..].copy_from_slice(&one.max(other).to_le_bytes());
    feature(PAIR, &bytes)
}

/// What a run contributes to a vector.
#[derive(Clone, Copy, Default)]
struct Cut {
    first: u32,
    features: u32,
    stems: u32,
    stem_count: u32,
}

/// Vectors of cards and questions over one corpus.
pub(crate) struct Space<'c, 'a> {
    corpus: &'c Corpus<'a>,
    /// Cards per bucket: the sum over runs of the cards that hold the run, at most all cards.
    holders: Vec<u32>,
    /// Per run; `features == u32::MAX` until it is needed.
    cuts: Vec<Cut>,
    vectors: HashMap<usize, Vector>,
    features: Vec<u32>,
    stems: Vec<(u64, f32)>,
    sums: Vec<f32>,
    touched: Vec<(u32, f32)>,
    scratch: Scratch,
}

/// A vector: (bucket, value) sorted by bucket, and its length.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vector {
    pub entries: Vec<(u32, f32)>,
    pub norm: f64,
}

impl<'c, 'a> Space<'c, 'a> {
    pub(crate) fn new(corpus: &'c Corpus<'a>) -> Self {
        let mut space = Space {
            corpus,
            holders: vec![0; BUCKETS],
            cuts: vec![Cut { features: u32::MAX, ..Cut::default() }; corpus.runs.len()],
            vectors: HashMap::new(),
            features: Vec::new(),
            stems: Vec::new(),
            sums: vec![0.0; BUCKETS],
            touched: Vec::new(),
            scratch: Scratch::default(),
        };
        for run in &corpus.runs {
            let holders = &mut space.holders;
            token::tokens_of_run(run.text, &mut space.scratch, |kind, token| {
                if kind == Kind::Whole {
                    return;
                }
                grams(kind, token, |feature| {
                    holders[bucket(feature)] += run.holders;
                });
                holders[bucket(feature(STEM, token::stem(token).as_bytes()))] += run.holders;
            });
        }
        let cards = corpus.len() as u32;
        for count in &mut space.holders {
            *count = (*count).min(cards);
        }
        space
    }

    fn idf(&self, bucket: usize) -> f32 {
        bm25::idf(self.corpus.len(), self.holders[bucket] as usize) as f32
    }

    fn cut(&mut self, text: &str) -> Cut {
        let first = self.features.len() as u32;
        let stems = self.stems.len() as u32;
        let (features, list) = (&mut self.features, &mut self.stems);
        let (holders, cards) = (&self.holders, self.corpus.len());
        token::tokens_of_run(text, &mut self.scratch, |kind, token| {
            if kind == Kind::Whole {
                return;
            }
            grams(kind, token, |feature| features.push(feature));
            if kind == Kind::Word {
                let stem = token::stem(token);
                let of_stem = feature(STEM, stem.as_bytes());
                features.push(of_stem);
                let idf = bm25::idf(cards, holders[bucket(of_stem)] as usize) as f32;
                list.push((token::term_hash(&stem), idf));
            }
        });
        Cut {
            first,
            features: self.features.len() as u32 - first,
            stems,
            stem_count: self.stems.len() as u32 - stems,
        }
    }

    fn add(&mut self, feature: u32, weight: f32) {
        let at = bucket(feature);
        if self.sums[at] == 0.0 {
            self.touched.push((at as u32, weight));
        }
        self.sums[at] += sign(feature);
        if self.sums[at] == 0.0 {
            self.sums[at] = f32::MIN_POSITIVE;
        }
    }

    /// Adds one run; `recent` holds the stems before it.
    fn add_cut(&mut self, cut: Cut, recent: &mut [Option<(u64, f32)>; 2], tuning: &Tuning) {
        for at in cut.first..cut.first + cut.features {
            let feature = self.features[at as usize];
            self.add(feature, 0.0);
        }
        for at in cut.stems..cut.stems + cut.stem_count {
            let (stem, idf) = self.stems[at as usize];
            for (before, before_idf) in recent.iter().flatten() {
                if *before != stem {
                    let feature = pair(*before, stem);
                    self.add(feature, tuning.pair_weight * idf.max(*before_idf));
                }
            }
            recent[0] = recent[1];
            recent[1] = Some((stem, idf));
        }
    }

    fn finish(&mut self) -> Vector {
        let mut entries = Vec::with_capacity(self.touched.len());
        let touched = std::mem::take(&mut self.touched);
        let mut square = 0.0_f64;
        for &(at, pair_weight) in &touched {
            let sum = std::mem::take(&mut self.sums[at as usize]);
            let size = sum.abs();
            if size < 0.5 {
                continue;
            }
            let weight = if pair_weight > 0.0 { pair_weight } else { self.idf(at as usize) };
            let value = (1.0 + size.ln()) * weight * sum.signum();
            square += f64::from(value) * f64::from(value);
            entries.push((at, value));
        }
        self.touched = touched;
        self.touched.clear();
        Vector { entries, norm: square.sqrt() }
    }

    /// The vector of a question.
    pub(crate) fn of_phrasing(&mut self, phrasing: &Phrasing, tuning: &Tuning) -> Vector {
        for piece in &phrasing.pieces {
            let mut recent = [None; 2];
            let mut runs = Vec::new();
            token::runs(&piece.text, |run| runs.push(run));
            for run in runs {
                let cut = self.cut(run);
                self.add_cut(cut, &mut recent, tuning);
            }
        }
        self.finish()
    }

    /// The vector of a card.
    pub(crate) fn of_card(&mut self, card: usize, tuning: &Tuning) -> &Vector {
        if !self.vectors.contains_key(&card) {
            let vector = self.make_card(card, tuning);
            self.vectors.insert(card, vector);
        }
        &self.vectors[&card]
    }

    fn make_card(&mut self, card: usize, tuning: &Tuning) -> Vector {
        let corpus = self.corpus;
        let mut recent = [None; 2];
        for piece in corpus.card(card) {
            match piece {
                Piece::Passage(_) => recent = [None; 2],
                Piece::Run(run) => {
                    let mut cut = self.cuts[run as usize];
                    if cut.features == u32::MAX {
                        cut = self.cut(corpus.runs[run as usize].text);
                        self.cuts[run as usize] = cut;
                    }
                    self.add_cut(cut, &mut recent, tuning);
                }
            }
        }
        self.finish()
    }
}

/// Spreads a question's vector out, so that cards can be multiplied with it.
pub(crate) struct Dense(Vec<f32>);

impl Dense {
    pub(crate) fn new(vector: &Vector) -> Self {
        let mut values = vec![0.0; BUCKETS];
        for &(at, value) in &vector.entries {
            values[at as usize] = value;
        }
        Dense(values)
    }

    pub(crate) fn inner(&self, vector: &Vector) -> f64 {
        vector.entries.iter().map(|&(at, value)| f64::from(self.0[at as usize]) * f64::from(value)).sum()
    }
}
