//! One range of a log, indexed: what is needed to find records by id, by equivalence key and by the words they hold
//! without reading the range. Records are known by their number within the range; their text stays in the log.

use std::fs::File;
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::container::{Container, Section, Writer, Written, put_varint, take_varint};
use super::rows;
use crate::domain::fold::{Diagnostic, LogKind, Problem};
use crate::domain::score::Tally;

/// Offset of each record's line from the start of the range.
const LINES: u64 = 1;
/// Ids: XXH3-64 in ascending order, highest and lowest halves, and the number of the record each is of.
const ID_HASHES: u64 = 2;
const ID_RECORDS: u64 = 3;
const ID_LOW_HALVES: u64 = 17;
/// Ids as they are written, of cards and recommendations: where each ends, and the texts.
const ID_ENDS: u64 = 20;
const ID_TEXTS: u64 = 21;
/// Equivalence keys, in the same form without the lowest halves.
const KEY_HASHES: u64 = 4;
const KEY_RECORDS: u64 = 5;
/// What a record is, in bits; their meaning is the writer's.
const FACTS: u64 = 6;
/// Tokens in each card.
const LENGTHS: u64 = 7;
/// Terms by ascending hash: hash; then text offset, postings offset and number of holders, with one entry at the end.
const TERM_HASHES: u64 = 8;
const TERMS: u64 = 9;
const TEXTS: u64 = 10;
/// Per posting a varint: distance to the record before, doubled, plus one when a count − 2 follows.
const POSTINGS: u64 = 11;
/// What the signals of the range say of each item: halves of the hash of its id, offset of its row, rows.
const ITEM_HASHES: u64 = 12;
const ITEM_LOW_HALVES: u64 = 18;
const ITEM_ROWS: u64 = 13;
const ROWS: u64 = 14;
/// Items that were quarantined or released, as JSON: id, and whether it is quarantined.
const DECIDED: u64 = 19;
/// What was wrong with the lines of the range, as JSON.
const DIAGNOSTICS: u64 = 15;
/// Two moments per record, in microseconds since 1970.
const TIMES: u64 = 16;

/// With less than this to fetch, asking for it ahead gains nothing.
const LARGE: u64 = 256 * 1024;
/// With more than this, fetching single pages is quicker; then only the end, with the checksums, is asked for.
const TOO_LARGE: u64 = 4 * 1024 * 1024;
#[cfg(target_os = "linux")]
const END: u64 = 128 * 1024;

/// The hash of an id as [`Segment::ids`] and [`Segment::tallies`] give it.
pub fn id_hash(id: &str) -> u64 {
    xxh3_64(id.as_bytes())
}

fn high_half(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The hash of an id or a term, as the tables are ordered by it.
fn short_hash(text: &str) -> u32 {
    high_half(id_hash(text))
}

/// Where a segment's file and its part of the log are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentInfo {
    pub file: String,
    pub fingerprint: u64,
    /// Bytes at the end of the file that most readers need.
    pub hot: u64,
    /// The bytes of the log it covers.
    pub start: u64,
    pub end: u64,
    /// XXH3-64 of all these bytes, and of some of them.
    pub content: u64,
    pub sample: u64,
    /// Lines covered, whether they are records or not.
    pub lines: u64,
    /// Records covered.
    pub records: u32,
    /// Records that no later one of the same id took the place of, the tokens in them, and how many of them are cards
    /// that are not served.
    pub live: u32,
    pub live_tokens: u64,
    pub retired: u32,
    /// The file that tells which records were superseded by later ones, with its XXH3-64.
    pub dead: Option<(String, u64)>,
}

/// Collects what is known of a range of a log.
#[derive(Default)]
pub struct Builder {
    start: u64,
    lines: Vec<u32>,
    ids: Vec<(u64, u32)>,
    id_ends: Vec<u32>,
    id_texts: String,
    keys: Vec<(u64, u32)>,
    facts: Vec<u32>,
    times: Vec<[i64; 2]>,
    lengths: Vec<u32>,
    postings: Vec<TermPostings>,
    diagnostics: Vec<Diagnostic>,
}

#[derive(Clone, Default)]
struct TermPostings {
    bytes: Vec<u8>,
    next: u32,
    holders: u32,
}

/// What is known of one record.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entry<'a> {
    /// Offset of its line in the log.
    pub offset: u64,
    pub id: &'a str,
    /// Whether the id is kept as it is written.
    pub keep_id: bool,
    /// Hashes of its equivalence keys.
    pub keys: &'a [u64],
    pub facts: u32,
    pub times: Option<[i64; 2]>,
}

impl Builder {
    pub fn new(start: u64) -> Builder {
        Builder {
            start,
            ..Builder::default()
        }
    }

    /// Number of records so far.
    pub fn records(&self) -> u32 {
        self.lines.len() as u32
    }

    pub fn add(&mut self, entry: Entry<'_>) {
        let record = self.records();
        self.lines.push((entry.offset - self.start) as u32);
        self.ids.push((id_hash(entry.id), record));
        if entry.keep_id {
            self.id_texts.push_str(entry.id);
            self.id_ends.push(self.id_texts.len() as u32);
        }
        for key in entry.keys {
            self.keys.push((*key, record));
        }
        self.facts.push(entry.facts);
        self.times.extend(entry.times);
    }

    /// The words of a record: its number, its tokens, and numbered terms with how often it holds each.
    pub fn add_terms(&mut self, record: u32, length: u32, terms: &[(u32, u32)]) {
        self.lengths.resize(record as usize, 0);
        self.lengths.push(length);
        for &(term, count) in terms {
            let term = term as usize;
            if self.postings.len() <= term {
                self.postings.resize(term + 1, TermPostings::default());
            }
            let list = &mut self.postings[term];
            let more = u64::from(count > 1);
            put_varint(&mut list.bytes, u64::from(record - list.next) << 1 | more);
            if more == 1 {
                put_varint(&mut list.bytes, u64::from(count) - 2);
            }
            list.next = record + 1;
            list.holders += 1;
        }
    }

    pub fn diagnose(&mut self, found: impl IntoIterator<Item = Diagnostic>) {
        self.diagnostics.extend(found);
    }

    /// The segment's file. `text` gives the term of a number, `items` what the signals say.
    pub fn finish<'t>(
        mut self,
        text: impl Fn(u32) -> &'t str,
        items: &[(&str, &Tally)],
    ) -> Written {
        let mut writer = Writer::default();
        self.ids.sort_unstable();
        self.keys.sort_unstable();
        let ids = || self.ids.iter().copied();
        let keys = || self.keys.iter().copied();
        writer.section(ID_HASHES, column(ids().map(|(hash, _)| high_half(hash))));
        writer.section(ID_LOW_HALVES, column(ids().map(|(hash, _)| hash as u32)));
        writer.section(ID_RECORDS, column(ids().map(|(_, record)| record)));
        writer.section(KEY_HASHES, column(keys().map(|(hash, _)| high_half(hash))));
        writer.section(KEY_RECORDS, column(keys().map(|(_, record)| record)));
        writer.section(ID_ENDS, column(self.id_ends.iter().copied()));
        writer.section(ID_TEXTS, std::mem::take(&mut self.id_texts).into_bytes());
        writer.section(FACTS, column(self.facts.iter().copied()));
        let times = self.times.iter().flatten();
        writer.section(TIMES, times.flat_map(|time| time.to_le_bytes()).collect());
        let lines = column(self.lines.iter().copied());
        if self.lengths.is_empty() {
            writer.section(LINES, lines);
        } else {
            self.lengths.resize(self.lines.len(), 0);
            writer.hot_section(LINES, lines);
            writer.hot_section(LENGTHS, column(self.lengths.iter().copied()));
        }
        self.finish_terms(&mut writer, text);
        finish_items(&mut writer, items);
        if !self.diagnostics.is_empty() {
            let found: Vec<_> = self
                .diagnostics
                .iter()
                .map(|one| (one.line, one.problem.code(), &one.detail, &one.digest))
                .collect();
            let bytes = serde_json::to_vec(&found).expect("numbers and texts have a JSON form");
            writer.section(DIAGNOSTICS, bytes);
        }
        writer.finish()
    }

    fn finish_terms<'t>(&mut self, writer: &mut Writer, text: impl Fn(u32) -> &'t str) {
        let mut order: Vec<(u32, u32)> = (0..self.postings.len() as u32)
            .filter(|term| self.postings[*term as usize].holders > 0)
            .map(|term| (short_hash(text(term)), term))
            .collect();
        order.sort_unstable_by(|one, other| {
            one.0
                .cmp(&other.0)
                .then_with(|| text(one.1).cmp(text(other.1)))
        });
        let mut hashes = Vec::with_capacity(order.len() * 4);
        let mut terms = Vec::with_capacity(order.len() * 12 + 12);
        let mut texts = Vec::new();
        let mut postings = Vec::new();
        for (hash, term) in order {
            let list = &self.postings[term as usize];
            hashes.extend_from_slice(&hash.to_le_bytes());
            for number in [texts.len() as u32, postings.len() as u32, list.holders] {
                terms.extend_from_slice(&number.to_le_bytes());
            }
            texts.extend_from_slice(text(term).as_bytes());
            postings.extend_from_slice(&list.bytes);
        }
        for number in [texts.len() as u32, postings.len() as u32, 0] {
            terms.extend_from_slice(&number.to_le_bytes());
        }
        writer.section(POSTINGS, postings);
        writer.hot_section(TERM_HASHES, hashes);
        writer.hot_section(TERMS, terms);
        writer.hot_section(TEXTS, texts);
    }
}

/// The bytes of a table of 32-bit numbers.
fn column(numbers: impl Iterator<Item = u32>) -> Vec<u8> {
    numbers.flat_map(u32::to_le_bytes).collect()
}

fn finish_items(writer: &mut Writer, items: &[(&str, &Tally)]) {
    let mut order: Vec<(u64, &str, &Tally)> = items
        .iter()
        .map(|(id, tally)| (id_hash(id), *id, *tally))
        .collect();
    order.sort_unstable_by(|one, other| (one.0, one.1).cmp(&(other.0, other.1)));
    let (mut high, mut low, mut offsets, mut rows) = (vec![], vec![], vec![], vec![]);
    let mut decided: Vec<(&str, bool)> = Vec::new();
    for (hash, id, tally) in order {
        if tally.counts.quarantined || tally.counts.released {
            decided.push((id, tally.counts.quarantined));
        }
        high.extend_from_slice(&high_half(hash).to_le_bytes());
        low.extend_from_slice(&(hash as u32).to_le_bytes());
        offsets.extend_from_slice(&(rows.len() as u32).to_le_bytes());
        rows::put(&mut rows, tally);
    }
    writer.hot_section(ITEM_HASHES, high);
    writer.hot_section(ITEM_LOW_HALVES, low);
    writer.hot_section(ITEM_ROWS, offsets);
    writer.hot_section(ROWS, rows);
    if !decided.is_empty() {
        let bytes = serde_json::to_vec(&decided).expect("texts have a JSON form");
        writer.section(DECIDED, bytes);
    }
}

/// An open segment.
pub struct Segment {
    pub info: SegmentInfo,
    container: Container,
    /// One bit per record that a later one of the same id took the place of; empty when there is none.
    dead: Vec<u8>,
}

/// A term in a segment.
#[derive(Debug, Clone, Copy)]
pub struct TermPlace {
    postings: (u32, u32),
    /// Records that hold it, superseded ones too.
    holders: u32,
}

impl Segment {
    /// Its file, which the system is told to fetch what most readers need of.
    pub fn file(folder: &Path, info: &SegmentInfo) -> Option<File> {
        let file = super::open_plain(&folder.join(&info.file)).ok()?;
        #[cfg(target_os = "linux")]
        if info.hot >= LARGE {
            let length = file.metadata().ok()?.len();
            let wanted = if info.hot > TOO_LARGE { END } else { info.hot };
            // Only a hint: where it fails, reading is slower.
            let _ = rustix::fs::fadvise(
                &file,
                length.saturating_sub(wanted),
                std::num::NonZeroU64::new(wanted),
                rustix::fs::Advice::WillNeed,
            );
        }
        Some(file)
    }

    pub fn open(folder: &Path, info: &SegmentInfo, file: &File) -> Option<Segment> {
        let container = Container::open(file, info.fingerprint)?;
        if info.hot >= LARGE {
            container.expect_single_places();
        }
        let dead = match &info.dead {
            None => Vec::new(),
            Some((file, fingerprint)) => {
                let bytes = super::read_plain(&folder.join(file)).ok()?;
                let whole = bytes.len() == (info.records as usize).div_ceil(8)
                    && xxh3_64(&bytes) == *fingerprint;
                whole.then_some(bytes)?
            }
        };
        Some(Segment {
            info: info.clone(),
            container,
            dead,
        })
    }

    /// Whether the whole file is as it was written.
    pub fn verify(&self) -> bool {
        self.container.verify()
    }

    pub fn is_doubtful(&self) -> bool {
        self.container.is_doubtful()
    }

    pub fn doubt(&self) {
        self.container.doubt();
    }

    /// Whether a later record of the same id took this one's place.
    pub fn is_dead(&self, record: u32) -> bool {
        self.dead
            .get(record as usize / 8)
            .is_some_and(|byte| byte >> (record % 8) & 1 == 1)
    }

    pub fn has_dead(&self) -> bool {
        !self.dead.is_empty()
    }

    /// The bitmap of superseded records, one bit per record.
    pub fn dead(&self) -> Vec<u8> {
        if self.dead.is_empty() {
            vec![0; (self.info.records as usize).div_ceil(8)]
        } else {
            self.dead.clone()
        }
    }

    /// Where the line of a record begins in the log, and where to stop looking for its end.
    pub fn line_of(&self, record: u32) -> (u64, u64) {
        let lines = self.container.section(LINES);
        let start = self.info.start + u64::from(lines.u32(record as usize));
        let mut next = record + 1;
        // Records glued together stand in one line.
        while next < self.info.records {
            let end = self.info.start + u64::from(lines.u32(next as usize));
            if end > start {
                return (start, end);
            }
            next += 1;
        }
        (start, self.info.end.max(start))
    }

    /// How many records before this one stand in the same line.
    pub fn place_in_line(&self, record: u32) -> usize {
        let lines = self.container.section(LINES);
        let offset = lines.u32(record as usize);
        let before = (0..record).rev();
        before
            .take_while(|other| lines.u32(*other as usize) == offset)
            .count()
    }

    /// Records whose id may be this one, in order. To be looked at: some may have another id.
    pub fn by_id(&self, id: &str) -> Vec<u32> {
        let mut records = self.by_hash(ID_HASHES, ID_RECORDS, short_hash(id));
        records.retain(|record| self.id_of(*record).is_none_or(|own| own == id));
        records
    }

    /// The id of a record, where ids are kept.
    pub fn id_of(&self, record: u32) -> Option<&str> {
        let ends = self.container.section(ID_ENDS);
        if ends.len() == 0 {
            return None;
        }
        let start = match record.checked_sub(1) {
            None => 0,
            Some(before) => ends.u32(before as usize),
        };
        let texts = self.container.section(ID_TEXTS);
        let bytes = texts.bytes(start as usize..ends.u32(record as usize) as usize);
        std::str::from_utf8(bytes).ok()
    }

    /// Records that may hold the equivalence key of this hash, in order.
    pub fn by_key(&self, key: u64) -> Vec<u32> {
        self.by_hash(KEY_HASHES, KEY_RECORDS, high_half(key))
    }

    fn by_hash(&self, hashes: u64, records: u64, hash: u32) -> Vec<u32> {
        let found = equal_range(&self.container.section(hashes), hash);
        let records = self.container.section(records);
        found
            .map(|at| records.u32(at))
            .filter(|record| self.exists(*record))
            .collect()
    }

    fn exists(&self, record: u32) -> bool {
        if record >= self.info.records {
            self.container.doubt();
        }
        record < self.info.records
    }

    /// What the record of each number is, in bits.
    pub fn facts(&self) -> impl Iterator<Item = u32> + '_ {
        let facts = self.container.section(FACTS);
        facts.numbers(0..facts.count())
    }

    pub fn facts_of(&self, record: u32) -> u32 {
        self.container.section(FACTS).u32(record as usize)
    }

    /// The two moments of each record, in microseconds.
    pub fn times(&self) -> impl Iterator<Item = [i64; 2]> + '_ {
        let times = self.container.section(TIMES).all();
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, i64::from_le_bytes);
        times
            .chunks_exact(16)
            .map(move |both| [number(&both[..8]), number(&both[8..])])
    }

    /// Id hashes in ascending order, each with its record.
    pub fn ids(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        let records = self.container.section(ID_RECORDS);
        let hashes = self.hashes(ID_HASHES, ID_LOW_HALVES);
        hashes.zip(records.numbers(0..records.count()))
    }

    fn hashes(&self, high: u64, low: u64) -> impl Iterator<Item = u64> + '_ {
        let (high, low) = (self.container.section(high), self.container.section(low));
        let halves = high
            .numbers(0..high.count())
            .zip(low.numbers(0..low.count()));
        halves.map(|(high, low)| u64::from(high) << 32 | u64::from(low))
    }

    /// Tokens in each card.
    pub fn lengths(&self) -> Section<'_> {
        self.container.section(LENGTHS)
    }

    /// Where a term is, when the segment knows it.
    pub fn term(&self, text: &str) -> Option<TermPlace> {
        let range = equal_range(&self.container.section(TERM_HASHES), short_hash(text));
        let terms = self.container.section(TERMS);
        let texts = self.container.section(TEXTS);
        for at in range {
            let (start, end) = (terms.u32(at * 3), terms.u32(at * 3 + 3));
            if texts.bytes(start as usize..end as usize) == text.as_bytes() {
                return Some(TermPlace {
                    postings: (terms.u32(at * 3 + 1), terms.u32(at * 3 + 4)),
                    holders: terms.u32(at * 3 + 2),
                });
            }
        }
        None
    }

    /// Calls `visit` with the text of every term.
    pub fn terms(&self, mut visit: impl FnMut(&str)) {
        let terms = self.container.section(TERMS);
        let texts = self.container.section(TEXTS);
        if self.info.hot > TOO_LARGE {
            terms.expect(&(0..terms.len()));
            texts.expect(&(0..texts.len()));
        }
        let texts = texts.all();
        let texts = std::str::from_utf8(texts).unwrap_or_default();
        let mut start = 0;
        // A text ends where the next one begins.
        for entry in terms.all().chunks_exact(3 * 4).skip(1) {
            let end = entry[..4].try_into().map_or(0, u32::from_le_bytes) as usize;
            visit(texts.get(start..end).unwrap_or_default());
            start = end;
        }
    }

    /// Records that hold a term; superseded ones only when nothing is dead.
    pub fn stored_holders(&self, place: TermPlace) -> u32 {
        place.holders
    }

    /// Says that these postings will be read soon.
    pub fn expect(&self, place: TermPlace) {
        if self.info.hot >= LARGE {
            let (start, end) = place.postings;
            self.container
                .section(POSTINGS)
                .expect(&(start as usize..end as usize));
        }
    }

    /// Calls `visit` with every record that holds a term and how often, in order, superseded ones too.
    pub fn postings(&self, place: TermPlace, mut visit: impl FnMut(u32, u32)) {
        let (start, end) = place.postings;
        let section = self.container.section(POSTINGS);
        let mut bytes = section.bytes(start as usize..end as usize);
        let mut next = 0_u32;
        while !bytes.is_empty() {
            let step = take_varint(&mut bytes);
            let count = if step & 1 == 1 {
                take_varint(&mut bytes) as u32 + 2
            } else {
                1
            };
            let record = next.wrapping_add((step >> 1) as u32);
            if !self.exists(record) {
                return;
            }
            visit(record, count);
            next = record + 1;
        }
    }

    /// What the signals of the range say of an item. Equal 64-bit hashes count as equal ids.
    pub fn tally(&self, id: &str) -> Option<Tally> {
        let hash = id_hash(id);
        let low = self.container.section(ITEM_LOW_HALVES);
        let mut range = equal_range(&self.container.section(ITEM_HASHES), high_half(hash));
        let at = range.find(|at| low.u32(*at) == hash as u32)?;
        let rows = self.container.section(ROWS);
        let offsets = self.container.section(ITEM_ROWS);
        let end = if at + 1 < offsets.count() {
            offsets.u32(at + 1) as usize
        } else {
            rows.len()
        };
        Some(rows::take(
            &mut rows.bytes(offsets.u32(at) as usize..end),
            true,
        ))
    }

    /// Items that the signals of the range quarantine (`true`) or release.
    pub fn decided(&self) -> Vec<(String, bool)> {
        let bytes = self.container.section(DECIDED).all();
        if bytes.is_empty() {
            return Vec::new();
        }
        serde_json::from_slice(bytes).unwrap_or_else(|_| {
            self.container.doubt();
            Vec::new()
        })
    }

    /// Calls `visit` with every item the signals of the range are about, by ascending hash of its id; without times.
    pub fn tallies(&self, mut visit: impl FnMut(u64, Tally)) {
        let mut rows = self.container.section(ROWS).all();
        for hash in self.hashes(ITEM_HASHES, ITEM_LOW_HALVES) {
            visit(hash, rows::take(&mut rows, false));
        }
    }

    pub fn diagnostics(&self, kind: LogKind) -> Vec<Diagnostic> {
        let bytes = self.container.section(DIAGNOSTICS).all();
        if bytes.is_empty() {
            return Vec::new();
        }
        let found: Vec<(usize, String, String, String)> = serde_json::from_slice(bytes)
            .unwrap_or_else(|_| {
                self.container.doubt();
                Vec::new()
            });
        found
            .into_iter()
            .filter_map(|(line, problem, detail, digest)| {
                let problem = Problem::of_code(&problem);
                if problem.is_none() {
                    self.container.doubt();
                }
                Some(Diagnostic {
                    file: kind.file_name(),
                    line,
                    problem: problem?,
                    detail,
                    digest,
                })
            })
            .collect()
    }
}

/// The places of `hash` in a table of evenly spread numbers in ascending order: a guess by its size, then doubling steps.
fn equal_range(table: &Section<'_>, hash: u32) -> std::ops::Range<usize> {
    let count = table.count();
    if count == 0 {
        return 0..0;
    }
    let guess = ((u64::from(hash) * count as u64) >> 32) as usize;
    let (mut low, mut high) = (guess, guess);
    let mut step = 8;
    while low > 0 && table.u32(low) >= hash {
        low = low.saturating_sub(step);
        step *= 2;
    }
    step = 8;
    while high < count && table.u32(high) < hash {
        high += step;
        step *= 2;
    }
    high = high.min(count);
    // The first number that is not below `hash` is in `low..=high`.
    while low < high {
        let middle = low.midpoint(high);
        if table.u32(middle) < hash {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let mut end = low;
    while end < count && table.u32(end) == hash {
        end += 1;
    }
    low..end
}

/// Marks records as superseded.
pub fn mark(dead: &mut [u8], record: u32) -> bool {
    let byte = &mut dead[record as usize / 8];
    let new = *byte >> (record % 8) & 1 == 0;
    *byte |= 1 << (record % 8);
    new
}
