//! The hashed embedding: a sparse vector of character n-grams, stems and pairs of stems.
//!
//! Signed feature hashing (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009): a feature is
//! its class byte followed by its UTF-8 bytes; the XXH3-64 (seed 0) of that gives the bucket (lowest 18 bits) and the
//! sign (highest bit). Classes: 1 character n-gram (`^` and `$` mark the word's borders), 2 stem, 3 pair of stems
//! within two positions (the two XXH3-64 of the stems, smaller first, little-endian). Golden vectors pin the hash.
//!
//! A feature that occurs c times has the value (1 + ln c) · weight: for a stem the weight is its idf, for n-grams a share
//! of the idf of the question's word they are of (of several the greatest), for pairs 2.5 times the greater idf of the
//! two. So nothing needs to be known of a store but who holds the question's words. A card's vector is never built: an
//! inner product needs only the features it shares with the question, and those n-grams are found by their bytes, so a
//! card's others never fall into the question's buckets by chance. The norm is taken from the number of its features, each
//! weighted half of the greatest idf. (On the development sets this ranks as well as the exact norm, and costs far less.)

use super::analyzer::{HashedMap, Runs};
use super::bm25;
use super::corpus::Doc;
use super::query::Phrasing;
use super::terms::{Asked, How, StemFilter};
use super::token::{self, Kind, Scratch};

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
/// Weight of a word's n-grams, as a share of the word's idf: they are less rare than the word.
const PART: f32 = 0.85;
/// Weight of the single characters of a pair, as a share of the pair's idf.
const CHARACTER: f32 = 0.4;
/// Words that the shortest passage counts for: a title of two words is met by chance. A single word (a tag) is none.
const SHORT_PASSAGE: u32 = 4;
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
#[inline]
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

#[inline]
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
    /// Product of the question's value and the weight a card's value gets.
    factor: f64,
}

/// A signed reference to a slot of the question.
#[derive(Clone, Copy, Debug, Default)]
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

/// The question's n-grams by their bytes. Cards are cut into many more than the question has: a set of hashed triples
/// turns almost all of them away.
struct GramTable {
    /// Bytes as a number (0 = free), and what they count for.
    cells: Vec<(u64, Use)>,
    used: usize,
    triples: [u64; TRIPLES / 64],
}

/// Size of the set of triples.
const TRIPLES: usize = 1 << 14;

/// The bytes of a gram (at most eight of them) as a number.
fn number(gram: &[u8]) -> u64 {
    gram.iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn triple_place(triple: u32) -> usize {
    (triple.wrapping_mul(0x9E37_79B1) >> 18) as usize
}

impl GramTable {
    fn new() -> Self {
        GramTable {
            cells: vec![(0, Use::default()); 256],
            used: 0,
            triples: [0; TRIPLES / 64],
        }
    }

    fn find(cells: &[(u64, Use)], gram: u64) -> usize {
        let mask = cells.len() - 1;
        let mut at = (gram.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize & mask;
        while cells[at].0 != gram && cells[at].0 != 0 {
            at = (at + 1) & mask;
        }
        at
    }

    fn get(&self, gram: u64) -> Option<Use> {
        let (found, used) = self.cells[Self::find(&self.cells, gram)];
        (found != 0).then_some(used)
    }

    fn insert(&mut self, gram: &[u8], used: Use) {
        if self.used * 2 >= self.cells.len() {
            let mut bigger = vec![(0, Use::default()); self.cells.len() * 2];
            for cell in self.cells.iter().filter(|cell| cell.0 != 0) {
                let at = Self::find(&bigger, cell.0);
                bigger[at] = *cell;
            }
            self.cells = bigger;
        }
        if gram.len() == 3 {
            let place = triple_place(number(gram) as u32);
            self.triples[place / 64] |= 1 << (place % 64);
        }
        let at = Self::find(&self.cells, number(gram));
        self.used += usize::from(self.cells[at].0 == 0);
        self.cells[at] = (number(gram), used);
    }

    fn may_hold(&self, triple: u32) -> bool {
        let place = triple_place(triple);
        self.triples[place / 64] >> (place % 64) & 1 == 1
    }

    /// Adds the n-grams that a token has in common with the question.
    fn shared(&self, kind: Kind, token: &str, uses: &mut Vec<Use>) {
        if kind == Kind::Pair {
            grams(kind, token, |gram| uses.extend(self.get(number(gram))));
            return;
        }
        if token.len() > LONGEST {
            return;
        }
        let bytes = token.as_bytes();
        let mut window = u32::from(b'^') << 8 | u32::from(bytes.first().copied().unwrap_or(b'$'));
        let mut before = false;
        for &byte in bytes.iter().skip(1).chain(b"$") {
            window = window << 8 | u32::from(byte);
            let triple = window & 0xFF_FFFF;
            let may_hold = self.may_hold(triple);
            if may_hold {
                uses.extend(self.get(triple.into()));
                // A quadruple of the question's is two triples of the question's.
                if before {
                    uses.extend(self.get(window.into()));
                }
            }
            before = may_hold;
        }
    }
}

/// What a run of the cards has in common with the question.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    /// Where its part of `uses`, `stems` and `terms` begins; the next run's beginning is the end.
    uses: u32,
    stems: u32,
    terms: u32,
    /// Features of the embedding it has.
    features: u16,
    /// Tokens it counts for in a card's length.
    tokens: u16,
    /// Those that are words or pairs.
    words: u16,
}

/// What a stem in a card is in the question.
#[derive(Clone, Copy, Debug)]
struct Place {
    slot: usize,
    /// Hash of the question's stem, for pairs of stems; 0 where the question's word makes none.
    stem: u64,
}

/// A question, to be held against the text of cards.
pub(crate) struct Question {
    slots: Vec<Slot>,
    norm: f64,
    flat: f64,
    slot_of: SlotTable,
    grams: GramTable,
    by_stem: HashedMap<Place>,
    filter: StemFilter,
    /// By hash of a stem: the number of the term, where it is asked for.
    term_of_stem: HashedMap<u32>,
    /// Per term: the word of the question it stands for, and how well.
    stands_for: Vec<Option<(usize, f64)>>,
    runs: Runs,
    met: Vec<Met>,
    uses: Vec<Use>,
    /// Hash of the stem where it is one of the question's, else 0.
    stems: Vec<u64>,
    terms: Vec<u32>,
    /// Per slot, run and term, while a card is read.
    sums: Vec<f32>,
    run_counts: Vec<u32>,
    term_counts: Vec<u32>,
    seen: Vec<u32>,
    /// Per word of the question, while a passage is read: how well the passage meets it; and those it meets.
    met_words: Vec<f64>,
    met_in_passage: Vec<usize>,
    pair_weight: f64,
}

/// What a card has in common with the question.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compared {
    /// Inner product of the vectors.
    pub inner: f64,
    /// Length of the card's vector.
    pub norm: f64,
    /// Tokens of the card.
    pub length: u32,
    /// Terms of the question it holds, ascending, with how often.
    pub counts: Vec<(u32, u32)>,
    /// Share of one passage's words that are the question's: the greatest of its passages.
    pub passage: f64,
}

impl Question {
    /// `idfs` and `kept` are per term of `asked`; only terms kept are counted.
    pub(crate) fn new(
        phrasing: &Phrasing,
        asked: &Asked,
        idfs: &[f64],
        kept: &[bool],
        cards: usize,
        pair_weight: f64,
    ) -> Self {
        let idf_of: HashedMap<f32> = asked
            .terms
            .iter()
            .zip(idfs)
            .map(|(term, &idf)| (term.hash, idf as f32))
            .collect();
        let mut question = Question {
            slots: Vec::new(),
            norm: 0.0,
            flat: FLAT * bm25::idf(cards, 0),
            slot_of: SlotTable::new(),
            grams: GramTable::new(),
            by_stem: HashedMap::default(),
            filter: StemFilter::new(std::iter::empty()),
            term_of_stem: HashedMap::default(),
            runs: Runs::default(),
            met: vec![Met::default()],
            uses: Vec::new(),
            stems: Vec::new(),
            terms: Vec::new(),
            sums: Vec::new(),
            run_counts: Vec::new(),
            stands_for: asked.stands_for(),
            term_counts: vec![0; asked.terms.len()],
            seen: Vec::new(),
            met_words: vec![0.0; asked.concepts.len()],
            met_in_passage: Vec::new(),
            pair_weight,
        };
        let order = question.read(phrasing, asked, &idf_of);
        question.weigh(&order);
        let own = order.iter().flatten();
        question.by_stem = own
            .map(|&(stem, slot)| (stem, Place { slot, stem }))
            .collect();
        question.relate(asked);
        let by_stem = &question.by_stem;
        question.filter = StemFilter::new(
            asked
                .terms
                .iter()
                .zip(kept)
                .filter(|(term, kept)| **kept || by_stem.contains_key(&term.hash))
                .map(|(term, _)| term.text.as_str()),
        );
        question.term_of_stem = (0..)
            .zip(&asked.terms)
            .filter(|(at, _)| kept[*at as usize])
            .map(|(at, term)| (term.hash, at))
            .collect();
        question
    }

    /// A synonym or translation falls into the bucket of the question's word.
    fn relate(&mut self, asked: &Asked) {
        for term in &asked.terms {
            let (How::Synonym | How::Translation, Some(concept)) = (term.how, term.concept) else {
                continue;
            };
            let source = &asked.terms[asked.concepts[concept].term];
            let place = match source.how {
                How::Pair => self
                    .grams
                    .get(number(source.text.as_bytes()))
                    .map(|used| Place {
                        slot: used.slot as usize,
                        stem: 0,
                    }),
                _ => self.by_stem.get(&source.hash).copied(),
            };
            if let Some(place) = place {
                self.by_stem.entry(term.hash).or_insert(place);
            }
        }
    }

    /// The slot of a feature of a word with this idf.
    fn slot(&mut self, feature: Feature, weight: f32) -> usize {
        let sign = if feature.negative { -1.0 } else { 1.0 };
        let next = self.slots.len() as u32;
        let slot = self.slot_of.get_or_insert(feature.bucket, next);
        if slot == next {
            self.slots.push(Slot {
                sign,
                weight,
                ..Slot::default()
            });
        }
        let slot = slot as usize;
        self.slots[slot].sum += sign;
        self.slots[slot].weight = self.slots[slot].weight.max(weight);
        slot
    }

    /// Enters n-grams and stems; returns the stems in order with their slots, `None` between pieces.
    fn read(
        &mut self,
        phrasing: &Phrasing,
        asked: &Asked,
        idf_of: &HashedMap<f32>,
    ) -> Vec<Option<(u64, usize)>> {
        let mut scratch = Scratch::default();
        let mut order = Vec::new();
        for piece in &phrasing.pieces {
            token::runs(&piece.text, |run| {
                token::tokens_of_run(run, &mut scratch, |kind, word| {
                    if kind == Kind::Whole {
                        return;
                    }
                    let mut stem = token::stem(word);
                    let mut word = word;
                    let mut hash = token::term_hash(&stem);
                    let mut open = false;
                    let mut repaired = String::new();
                    if let Some(known) = asked.substitutes.get(&hash) {
                        hash = token::term_hash(known);
                        let ending = word.strip_prefix(stem.as_ref()).unwrap_or_default();
                        open = ending.is_empty();
                        repaired.push_str(known);
                        repaired.push_str(ending);
                        word = &repaired;
                        stem = known.into();
                    }
                    let idf = idf_of.get(&hash).copied().unwrap_or_default();
                    let whole = word.len();
                    grams(kind, word, |gram| {
                        // Where a stem ends, the cards' words go on.
                        if open && gram.ends_with(b"$") {
                            return;
                        }
                        let share = match kind {
                            Kind::Pair if gram.len() == whole => 1.0,
                            Kind::Pair => CHARACTER,
                            _ => PART,
                        };
                        let feature = feature(GRAM, gram);
                        let slot = self.slot(feature, share * idf) as u32;
                        let sign = if feature.negative { -1.0 } else { 1.0 };
                        self.grams.insert(gram, Use { slot, sign });
                    });
                    if kind == Kind::Word {
                        let slot = self.slot(feature(STEM, stem.as_bytes()), idf);
                        order.push(Some((hash, slot)));
                    }
                });
            });
            order.push(None);
        }
        order
    }

    /// Enters the pairs, and works out what each slot counts for.
    fn weigh(&mut self, order: &[Option<(u64, usize)>]) {
        let singles = self.slots.len();
        let mut recent: [Option<(u64, usize)>; 2] = [None; 2];
        for stem in order {
            let Some(stem) = *stem else {
                recent = [None; 2];
                continue;
            };
            for before in recent.iter().flatten() {
                if before.0 != stem.0 {
                    let feature = pair(before.0, stem.0);
                    let known = self.slot_of.get(feature.bucket);
                    let old = known.map(|slot| self.slots[slot as usize].weight);
                    let slot = self.slot(feature, 0.0);
                    let idf = self.slots[before.1].weight.max(self.slots[stem.1].weight);
                    self.slots[slot].weight = match old {
                        Some(old) if slot < singles => old,
                        _ => self.pair_weight as f32 * idf,
                    };
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

    /// Notes which of the question's buckets and terms a new run falls into.
    fn meet(&mut self, run: u32) {
        let mut features = 0_u16;
        let (mut tokens, mut words) = (0, 0);
        for (kind, word) in self.runs.tokens(run) {
            tokens += 1;
            let hash = if self.filter.may_hold(word) {
                token::term_hash(&token::stem(word))
            } else {
                0
            };
            if hash != 0
                && let Some(&term) = self.term_of_stem.get(&hash)
            {
                self.terms.push(term);
            }
            // A word of n letters between borders has n triples and n − 1 quadruples; its stem makes it 2 n.
            features = features.saturating_add(match kind {
                Kind::Word => 2 * word.len() as u16,
                Kind::Pair => 3,
                Kind::Whole => continue,
            });
            words += 1;
            self.grams.shared(kind, word, &mut self.uses);
            let place = self.by_stem.get(&hash).filter(|_| hash != 0);
            if let Some(&Place { slot, .. }) = place {
                self.uses.push(Use {
                    slot: slot as u32,
                    sign: self.slots[slot].sign,
                });
            }
            if kind == Kind::Word {
                self.stems.push(place.map_or(0, |place| place.stem));
            }
        }
        if let Some(met) = self.met.last_mut() {
            met.features = features;
            met.tokens = tokens;
            met.words = words;
        }
        self.met.push(Met {
            uses: self.uses.len() as u32,
            stems: self.stems.len() as u32,
            terms: self.terms.len() as u32,
            ..Met::default()
        });
        self.run_counts.push(0);
    }

    /// Reads a card.
    pub(crate) fn compare(&mut self, card: &Doc<'_>) -> Compared {
        let mut compared = Compared::default();
        let mut pairs = 0_u32;
        for text in card.texts() {
            let mut words = 0;
            let mut recent = [0_u64; 2];
            token::runs(text, |text| {
                let (number, _) = self.runs.number(text);
                let run = number as usize;
                if run == self.run_counts.len() {
                    self.meet(number);
                }
                if self.run_counts[run] == 0 {
                    self.seen.push(number);
                }
                self.run_counts[run] += 1;
                let (met, next) = (self.met[run], self.met[run + 1]);
                words += u32::from(met.words);
                for &term in &self.terms[met.terms as usize..next.terms as usize] {
                    if let Some((word, share)) = self.stands_for[term as usize] {
                        let met = &mut self.met_words[word];
                        if *met == 0.0 {
                            self.met_in_passage.push(word);
                        }
                        *met = met.max(share);
                    }
                }
                for &stem in &self.stems[met.stems as usize..next.stems as usize] {
                    pairs += 2;
                    if stem != 0 {
                        for before in recent {
                            if before != 0
                                && before != stem
                                && let feature = pair(before, stem)
                                && let Some(slot) = self.slot_of.get(feature.bucket)
                            {
                                self.sums[slot as usize] +=
                                    if feature.negative { -1.0 } else { 1.0 };
                            }
                        }
                    }
                    recent = [recent[1], stem];
                }
            });
            let met_words = &mut self.met_words;
            let met = self.met_in_passage.drain(..);
            let met: f64 = met.map(|word| std::mem::take(&mut met_words[word])).sum();
            if words > 1 {
                // A run kept whole may be met beside its parts.
                let share = (met / f64::from(words.max(SHORT_PASSAGE))).min(1.0);
                compared.passage = compared.passage.max(share);
            }
        }
        let mut features = 0.0;
        for run in self.seen.drain(..) {
            let run = run as usize;
            let count = std::mem::take(&mut self.run_counts[run]);
            let (met, next) = (self.met[run], self.met[run + 1]);
            for used in &self.uses[met.uses as usize..next.uses as usize] {
                self.sums[used.slot as usize] += used.sign * count as f32;
            }
            for &term in &self.terms[met.terms as usize..next.terms as usize] {
                let sum = &mut self.term_counts[term as usize];
                if *sum == 0 {
                    compared.counts.push((term, 0));
                }
                *sum += count;
            }
            compared.length += count * u32::from(met.tokens);
            let damping = if count == 1 {
                1.0
            } else {
                1.0 + f64::from(count).ln()
            };
            features += f64::from(met.features) * damping * damping;
        }
        for (term, count) in &mut compared.counts {
            *count = std::mem::take(&mut self.term_counts[*term as usize]);
        }
        compared.counts.sort_unstable();
        for (sum, slot) in self.sums.iter_mut().zip(&self.slots) {
            if *sum != 0.0 {
                compared.inner += damped(*sum) * slot.factor;
                *sum = 0.0;
            }
        }
        let square = features + self.pair_weight * self.pair_weight * f64::from(pairs);
        compared.norm = self.flat * square.sqrt();
        compared
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
