//! The hashed embedding: a sparse vector of character n-grams, stems and pairs of stems.
//!
//! Signed feature hashing (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009): a feature is
//! its class byte followed by its UTF-8 bytes; the XXH3-64 (seed 0) of that gives the bucket (lowest 18 bits) and the
//! sign (highest bit). Classes: 1 character n-gram (`^` and `$` mark the word's borders), 2 stem, 3 pair of stems
//! within two positions (the two XXH3-64 of the stems, smaller first, little-endian). Golden vectors pin the hash.
//!
//! A feature that occurs c times has the value (1 + ln c) · weight: the weight is idf for n-grams and stems, 1.5 times the
//! greater idf for pairs. A card's vector is never built: an inner product needs only the question's buckets, and the
//! card's norm is taken from the number of its features, each weighted half of the greatest idf. (On the development
//! sets this ranks as well as the exact norm, and costs far less.)

use std::collections::HashMap;

use super::bm25;
use super::corpus::{Corpus, Piece, RunId};
use super::query::Phrasing;
use super::token::{self, Kind, Scratch};
use super::tuning::Tuning;

/// Number of buckets. With a thousand dimensions most of the gain is lost to collisions.
pub const BUCKETS: usize = 1 << 18;
/// Class of a character n-gram.
pub const GRAM: u8 = 1;
/// Class of a stem.
pub const STEM: u8 = 2;
/// Class of a pair of stems.
pub const PAIR: u8 = 3;
/// Longest token, in bytes, that is cut into n-grams.
const LONGEST: usize = 64;
/// Weight of a card's features in its norm, as a share of the greatest idf.
const FLAT: f64 = 0.5;

/// Where a feature goes: its bucket, and whether it counts negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// 0 to [`BUCKETS`] − 1.
    pub bucket: u32,
    /// The sign.
    pub negative: bool,
}

/// Hashes a feature of at most 79 bytes; longer ones are cut there.
#[must_use]
pub fn feature(class: u8, bytes: &[u8]) -> Feature {
    let hash = if bytes.len() < 24 {
        hash_in::<24>(class, bytes)
    } else {
        hash_in::<80>(class, bytes)
    };
    Feature {
        bucket: hash as u32 & (BUCKETS as u32 - 1),
        negative: hash >> 63 == 1,
    }
}

fn hash_in<const SIZE: usize>(class: u8, bytes: &[u8]) -> u64 {
    let mut buffer = [0_u8; SIZE];
    let length = bytes.len().min(SIZE - 1);
    buffer[0] = class;
    buffer[1..=length].copy_from_slice(&bytes[..length]);
    xxhash_rust::xxh3::xxh3_64(&buffer[..=length])
}

/// Calls `visit` with the n-grams of a token: 3 and 4 bytes with borders; of unspaced scripts the pair and its characters.
fn grams(kind: Kind, token: &str, mut visit: impl FnMut(&[u8])) {
    if kind == Kind::Pair {
        visit(token.as_bytes());
        for character in token.chars() {
            let mut buffer = [0; 4];
            visit(character.encode_utf8(&mut buffer).as_bytes());
        }
        return;
    }
    let bytes = token.as_bytes();
    if bytes.len() > LONGEST {
        return;
    }
    let mut bounded = [0_u8; LONGEST + 2];
    bounded[0] = b'^';
    bounded[1..=bytes.len()].copy_from_slice(bytes);
    bounded[bytes.len() + 1] = b'$';
    let bounded = &bounded[..bytes.len() + 2];
    for size in 3..=4 {
        for window in bounded.windows(size) {
            visit(window);
        }
    }
}

/// A filter over the question's n-grams: most n-grams of the cards need not be hashed to know that they are not among
/// them. (This also keeps n-grams apart that would share a bucket.)
struct GramFilter {
    bits: [u64; 256],
}

impl GramFilter {
    fn place(window: &[u8]) -> usize {
        let code = window.iter().fold(window.len() as u32, |code, &byte| {
            code.wrapping_shl(8) ^ u32::from(byte)
        });
        (code.wrapping_mul(0x9E37_79B1) >> 18) as usize
    }

    fn add(&mut self, window: &[u8]) {
        let place = Self::place(window);
        self.bits[place / 64] |= 1 << (place % 64);
    }

    fn may_hold(&self, window: &[u8]) -> bool {
        let place = Self::place(window);
        self.bits[place / 64] >> (place % 64) & 1 == 1
    }
}

/// Feature of two stems near each other, in either order.
fn pair(one: u64, other: u64) -> Feature {
    let mut bytes = [0_u8; 16];
    bytes[..8].copy_from_slice(&one.min(other).to_le_bytes());
    bytes[8..].copy_from_slice(&one.max(other).to_le_bytes());
    feature(PAIR, &bytes)
}

/// One bucket of the question's vector.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    sum: f32,
    /// Sign of the feature that came first.
    sign: f32,
    weight: f32,
    holders: u32,
    /// Product of the question's value and the weight a card's value gets.
    factor: f64,
}

/// A signed reference to a slot of the question.
#[derive(Clone, Copy, Debug)]
struct Use {
    slot: u32,
    sign: f32,
}

/// Bucket → slot, small enough for the innermost cache: almost every n-gram of the cards is looked up and missing.
struct SlotTable {
    cells: Vec<(u32, u32)>,
    used: usize,
}

const NONE: u32 = u32::MAX;

impl SlotTable {
    fn new() -> Self {
        SlotTable {
            cells: vec![(NONE, NONE); 256],
            used: 0,
        }
    }

    fn find(cells: &[(u32, u32)], bucket: u32) -> usize {
        let mask = cells.len() - 1;
        let mut at = bucket as usize & mask;
        while cells[at].0 != bucket && cells[at].0 != NONE {
            at = (at + 1) & mask;
        }
        at
    }

    fn get(&self, bucket: u32) -> Option<u32> {
        let slot = self.cells[Self::find(&self.cells, bucket)].1;
        (slot != NONE).then_some(slot)
    }

    fn get_or_insert(&mut self, bucket: u32, next: u32) -> u32 {
        if self.used * 4 >= self.cells.len() {
            let mut bigger = vec![(NONE, NONE); self.cells.len() * 2];
            for cell in self.cells.iter().filter(|cell| cell.0 != NONE) {
                let at = Self::find(&bigger, cell.0);
                bigger[at] = *cell;
            }
            self.cells = bigger;
        }
        let at = Self::find(&self.cells, bucket);
        if self.cells[at].0 == NONE {
            self.cells[at] = (bucket, next);
            self.used += 1;
        }
        self.cells[at].1
    }
}

/// A question's vector, with what each run of the cards has in common with it.
pub(crate) struct Question {
    slots: Vec<Slot>,
    norm: f64,
    flat: f64,
    slot_of: SlotTable,
    filter: GramFilter,
    /// Per run: a range of `uses`, and a range of `stems`.
    uses_of: Vec<(u32, u16)>,
    stems_of: Vec<(u32, u16)>,
    uses: Vec<Use>,
    /// Hash of the stem where it is one of the question's, else 0.
    stems: Vec<u64>,
    sums: Vec<f32>,
    counts: Vec<u32>,
    seen: Vec<RunId>,
    pair_weight: f64,
}

impl Question {
    /// `substitutes`: known words that stand for stems no card knows. `known_stems`: per token of the corpus the hash
    /// of its stem where the question asks for it, else 0.
    pub(crate) fn new(
        corpus: &Corpus<'_>,
        phrasing: &Phrasing,
        substitutes: &HashMap<u64, String>,
        known_stems: &[u64],
        tuning: &Tuning,
    ) -> Self {
        let mut question = Question {
            slots: Vec::new(),
            norm: 0.0,
            flat: FLAT * bm25::idf(corpus.len(), 0),
            slot_of: SlotTable::new(),
            filter: GramFilter { bits: [0; 256] },
            uses_of: vec![(0, 0); corpus.runs.len()],
            stems_of: vec![(0, 0); corpus.runs.len()],
            uses: Vec::new(),
            stems: Vec::new(),
            sums: Vec::new(),
            counts: vec![0; corpus.runs.len()],
            seen: Vec::new(),
            pair_weight: f64::from(tuning.pair_weight),
        };
        let order = question.read(phrasing, substitutes);
        question.meet(corpus, known_stems, &order);
        question.weigh(corpus, &order);
        question
    }

    fn slot(&mut self, feature: Feature) -> usize {
        let sign = if feature.negative { -1.0 } else { 1.0 };
        let next = self.slots.len() as u32;
        let slot = self.slot_of.get_or_insert(feature.bucket, next);
        if slot == next {
            self.slots.push(Slot {
                sign,
                ..Slot::default()
            });
        }
        self.slots[slot as usize].sum += sign;
        slot as usize
    }

    /// Enters n-grams and stems; returns the stems in order with their slots, `None` between pieces.
    fn read(
        &mut self,
        phrasing: &Phrasing,
        substitutes: &HashMap<u64, String>,
    ) -> Vec<Option<(u64, usize)>> {
        let mut scratch = Scratch::default();
        let mut order = Vec::new();
        for piece in &phrasing.pieces {
            token::runs(&piece.text, |run| {
                token::tokens_of_run(run, &mut scratch, |kind, word| {
                    if kind == Kind::Whole {
                        return;
                    }
                    let known = substitutes.get(&token::term_hash(&token::stem(word)));
                    let word = known.map_or(word, String::as_str);
                    grams(kind, word, |gram| {
                        self.filter.add(gram);
                        self.slot(feature(GRAM, gram));
                    });
                    if kind == Kind::Word {
                        let stem = token::stem(word).into_owned();
                        let slot = self.slot(feature(STEM, stem.as_bytes()));
                        order.push(Some((token::term_hash(&stem), slot)));
                    }
                });
            });
            order.push(None);
        }
        order
    }

    /// Notes for every run of the cards which of the question's buckets it falls into.
    fn meet(&mut self, corpus: &Corpus<'_>, known_stems: &[u64], order: &[Option<(u64, usize)>]) {
        let slot_of_stem: HashMap<u64, usize> = order.iter().flatten().copied().collect();
        let mut met: Vec<u32> = Vec::new();
        for (at, run) in corpus.runs.iter().enumerate() {
            let first_use = self.uses.len();
            let first_stem = self.stems.len();
            let (uses, slot_of, filter) = (&mut self.uses, &self.slot_of, &self.filter);
            for ((kind, word), &stem) in corpus
                .tokens(run)
                .zip(&known_stems[run.first_token as usize..])
            {
                if kind == Kind::Whole {
                    continue;
                }
                grams(kind, word, |gram| {
                    if filter.may_hold(gram)
                        && let feature = feature(GRAM, gram)
                        && let Some(slot) = slot_of.get(feature.bucket)
                    {
                        uses.push(Use {
                            slot,
                            sign: if feature.negative { -1.0 } else { 1.0 },
                        });
                    }
                });
                if kind == Kind::Word {
                    let slot = if stem == 0 {
                        None
                    } else {
                        slot_of_stem.get(&stem)
                    };
                    if let Some(&slot) = slot {
                        // The sum of a stem in the question has the sign of its feature.
                        uses.push(Use {
                            slot: slot as u32,
                            sign: self.slots[slot].sign,
                        });
                    }
                    self.stems.push(if slot.is_some() { stem } else { 0 });
                }
            }
            met.clear();
            met.extend(self.uses[first_use..].iter().map(|used| used.slot));
            met.sort_unstable();
            met.dedup();
            for &slot in &met {
                self.slots[slot as usize].holders += run.holders;
            }
            self.uses_of[at] = (first_use as u32, (self.uses.len() - first_use) as u16);
            self.stems_of[at] = (first_stem as u32, (self.stems.len() - first_stem) as u16);
        }
    }

    /// Weighs what was entered, then enters the pairs.
    fn weigh(&mut self, corpus: &Corpus<'_>, order: &[Option<(u64, usize)>]) {
        let cards = corpus.len();
        for slot in &mut self.slots {
            slot.weight = bm25::idf(cards, (slot.holders as usize).min(cards)) as f32;
        }
        let singles = self.slots.len();
        let mut recent: [Option<(u64, usize)>; 2] = [None; 2];
        for stem in order {
            let Some(stem) = *stem else {
                recent = [None; 2];
                continue;
            };
            for before in recent.iter().flatten() {
                if before.0 != stem.0 {
                    let slot = self.slot(pair(before.0, stem.0));
                    if slot >= singles {
                        let idf = self.slots[before.1].weight.max(self.slots[stem.1].weight);
                        self.slots[slot].weight = self.pair_weight as f32 * idf;
                    }
                }
            }
            recent = [recent[1], Some(stem)];
        }
        let mut square = 0.0;
        for slot in &mut self.slots {
            let value = damped(slot.sum) * f64::from(slot.weight);
            square += value * value;
            slot.factor = value * f64::from(slot.weight);
        }
        self.norm = square.sqrt();
        self.sums = vec![0.0; self.slots.len()];
    }

    /// Inner product with a card, and the card's norm.
    pub(crate) fn compare(&mut self, corpus: &Corpus<'_>, card: usize) -> (f64, f64) {
        let mut recent = [0_u64; 2];
        let mut pairs = 0_u32;
        for piece in corpus.card(card) {
            let Piece::Run(run) = piece else {
                recent = [0; 2];
                continue;
            };
            let count = &mut self.counts[run as usize];
            if *count == 0 {
                self.seen.push(run);
            }
            *count += 1;
            let (first, length) = self.stems_of[run as usize];
            for at in first as usize..first as usize + usize::from(length) {
                let stem = self.stems[at];
                pairs += 2;
                if stem != 0 {
                    for before in recent {
                        if before != 0
                            && before != stem
                            && let feature = pair(before, stem)
                            && let Some(slot) = self.slot_of.get(feature.bucket)
                        {
                            self.sums[slot as usize] += if feature.negative { -1.0 } else { 1.0 };
                        }
                    }
                }
                recent = [recent[1], stem];
            }
        }
        let mut features = 0.0;
        for run in self.seen.drain(..) {
            let count = std::mem::take(&mut self.counts[run as usize]);
            let (first, length) = self.uses_of[run as usize];
            for used in &self.uses[first as usize..first as usize + usize::from(length)] {
                self.sums[used.slot as usize] += used.sign * count as f32;
            }
            let damping = 1.0 + f64::from(count).ln();
            features += f64::from(corpus.runs[run as usize].features) * damping * damping;
        }
        let mut inner = 0.0;
        for (sum, slot) in self.sums.iter_mut().zip(&self.slots) {
            if *sum != 0.0 {
                inner += damped(*sum) * slot.factor;
                *sum = 0.0;
            }
        }
        let square = features + self.pair_weight * self.pair_weight * f64::from(pairs);
        (inner, self.flat * square.sqrt())
    }

    /// Length of the question's vector.
    pub(crate) fn norm(&self) -> f64 {
        self.norm
    }
}

/// (1 + ln |sum|) with the sign of `sum`.
fn damped(sum: f32) -> f64 {
    let size = f64::from(sum.abs());
    if size < 0.5 {
        0.0
    } else {
        (1.0 + size.ln()) * f64::from(sum.signum())
    }
}
