//! The derived index of a store: immutable segments, each over a range of a log, and the part behind them that is read
//! as it is. It lies in `.cache/index` and can be deleted at any time.
//!
//! Nothing here is believed without a check. A manifest names the segments by their fingerprints and the logs by what
//! the system tells of them; segments check every page they read; and any doubt makes the reader turn to the logs
//! themselves. What an answer shows always comes out of the log.

pub mod build;
mod container;
pub mod manifest;
mod rows;
pub mod segment;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use manifest::{Chain, Manifest, Stamp};
use segment::{Segment, TermPlace};

use super::{Logs, Store};
use crate::domain::fold::{self, Diagnostic, Entry, LogKind};
use crate::domain::score::{Tally, Totals};
use crate::domain::view::{self, CardView};

pub use build::{Analyze, Policy, catch_up};
pub use segment::id_hash;

/// Logs that are indexed; the others are short.
pub const KINDS: [LogKind; 4] = [
    LogKind::Events,
    LogKind::Cards,
    LogKind::Recommendations,
    LogKind::Signals,
];

/// Opens a plain file. Anything else is an error before it is opened: a pipe would wait for somebody to write.
///
/// # Errors
/// When it is not there, cannot be opened, or is no plain file.
pub fn open_plain(path: &Path) -> io::Result<File> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("no plain file"));
    }
    File::open(path)
}

/// The bytes of a plain file.
///
/// # Errors
/// As [`open_plain`].
pub fn read_plain(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_plain(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where a store keeps its index.
pub fn folder(store: &Store) -> PathBuf {
    store.dir.join(".cache").join("index")
}

/// A log and its segments.
///
/// When it was found to be damaged, its segments are forgotten at the end, so that they are made anew.
pub struct IndexedLog {
    pub kind: LogKind,
    store: Store,
    file: Option<File>,
    /// What the system told of the log when it was opened.
    pub stamp: Stamp,
    segments: Vec<Segment>,
    /// Number of the first record of each segment, and the number behind the last.
    bases: Vec<u32>,
    /// What stands behind the segments.
    pub tail: Vec<u8>,
    /// Number of the first line of the tail.
    pub tail_line: usize,
    doubtful: Cell<bool>,
}

impl IndexedLog {
    /// `None` when the index does not fit the log.
    pub fn open(
        store: &Store,
        kind: LogKind,
        manifest: &Manifest,
        locked: bool,
    ) -> Option<IndexedLog> {
        let none = Chain::default();
        let chain = manifest.chain(kind).unwrap_or(&none);
        let mut log = IndexedLog::open_chain(store, kind, chain)?;
        if !chain.segments.is_empty() && !manifest::holds(chain, log.file.as_ref()?, &log.stamp) {
            return None;
        }
        log.tail = match &log.file {
            Some(file) if log.stamp.length > chain.end() => {
                let tail = manifest::read_from(file, chain.end()).ok()?;
                if locked || tail.ends_with(b"\n") {
                    tail
                } else {
                    // Somebody is writing, or a line was cut off: the whole log is read with more patience.
                    let whole = store.read(kind).ok()?;
                    whole.get(chain.end() as usize..)?.to_vec()
                }
            }
            _ => Vec::new(),
        };
        Some(log)
    }

    /// The segments alone; whether they hold of the log is not looked at.
    fn open_chain(store: &Store, kind: LogKind, chain: &Chain) -> Option<IndexedLog> {
        let path = store.log_path(kind);
        let file = match open_plain(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(_) => return None,
        };
        let stamp = match &file {
            Some(file) => Stamp::of(&file.metadata().ok()?),
            None => Stamp::default(),
        };
        let folder = folder(store);
        let mut segments = Vec::with_capacity(chain.segments.len());
        let mut bases = vec![0_u32];
        // All of them are asked for before the first is read.
        let files: Vec<Option<File>> = chain
            .segments
            .iter()
            .map(|info| Segment::file(&folder, info))
            .collect();
        for (info, file) in chain.segments.iter().zip(&files) {
            let segment = file
                .as_ref()
                .and_then(|file| Segment::open(&folder, info, file));
            let Some(segment) = segment else {
                build::forget(store, kind, &chain.segments);
                return None;
            };
            segments.push(segment);
            bases.push(bases[bases.len() - 1].checked_add(info.records)?);
        }
        Some(IndexedLog {
            kind,
            store: store.clone(),
            file,
            stamp,
            segments,
            bases,
            tail: Vec::new(),
            tail_line: chain.lines() as usize + 1,
            doubtful: Cell::new(false),
        })
    }

    /// Whether anything that was read so far cannot be relied on.
    pub fn is_doubtful(&self) -> bool {
        self.doubtful.get() || self.segments.iter().any(Segment::is_doubtful)
    }

    /// Says that something read makes no sense.
    pub fn doubt(&self) {
        self.doubtful.set(true);
    }

    /// Reads all segments and all that they cover; whether each is as it was written, and made of what is there.
    pub fn verify(&self) -> bool {
        self.segments.iter().all(|segment| {
            let info = &segment.info;
            let content = self.file.as_ref();
            let content =
                content.and_then(|file| manifest::content(file, info.start, info.end).ok());
            segment.verify() && content == Some(info.content)
        })
    }

    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Records in the segments; the numbers of all of them are below this.
    pub fn records(&self) -> u32 {
        self.bases[self.segments.len()]
    }

    /// Number, among all records, of the first one of a segment.
    pub fn base(&self, segment: usize) -> u32 {
        self.bases[segment]
    }

    fn place(&self, record: u32) -> Option<(&Segment, u32)> {
        let (at, record) = self.at(record)?;
        Some((&self.segments[at], record))
    }

    /// The segment a record is in, and its number there.
    pub fn at(&self, record: u32) -> Option<(usize, u32)> {
        let at = self
            .bases
            .partition_point(|base| *base <= record)
            .checked_sub(1)?;
        (at < self.segments.len()).then(|| (at, record - self.bases[at]))
    }

    /// Whether a later indexed record took this one's place.
    pub fn is_dead(&self, record: u32) -> bool {
        self.place(record)
            .is_none_or(|(segment, at)| segment.is_dead(at))
    }

    /// What a record is, in bits.
    pub fn facts_of(&self, record: u32) -> u32 {
        self.place(record)
            .map_or(0, |(segment, at)| segment.facts_of(at))
    }

    /// The line a record stands in, and how many records stand before it in the same line.
    fn line(&self, record: u32) -> Option<(Vec<u8>, usize, bool)> {
        let (segment, at) = self.place(record)?;
        let (start, end) = segment.line_of(at);
        let mut bytes = vec![0; usize::try_from(end - start).ok()?];
        manifest::read_at(self.file.as_ref()?, &mut bytes, start).ok()?;
        if let Some(line_end) = memchr::memchr2(b'\n', b'\r', &bytes) {
            bytes.truncate(line_end);
        }
        Some((bytes, segment.place_in_line(at), start == 0))
    }

    /// Says that these records will be read soon, so that the system fetches their lines all at once, and nothing around
    /// them.
    pub fn expect(&self, records: &[u32]) {
        #[cfg(target_os = "linux")]
        if let Some(file) = &self.file {
            let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Random);
        }
        #[cfg(target_os = "linux")]
        for (segment, at) in records.iter().filter_map(|record| self.place(*record)) {
            let (start, end) = segment.line_of(at);
            let (Some(file), Some(length)) = (&self.file, std::num::NonZeroU64::new(end - start))
            else {
                continue;
            };
            // Only a hint: where it fails, reading is slower.
            let _ = rustix::fs::fadvise(file, start, Some(length), rustix::fs::Advice::WillNeed);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = records;
    }

    /// A record, read out of the log. Its line number is not known.
    pub fn entry(&self, record: u32) -> Option<Entry> {
        let found = self.line(record).and_then(|(bytes, place, first)| {
            // Only in the first line a byte order mark is no part of the text.
            let number = if first { 1 } else { 2 };
            let (entries, _) = fold::entries_of_line(self.kind, number, &bytes, true);
            entries.into_iter().nth(place)
        });
        if found.is_none() {
            self.doubt();
        }
        found.map(|entry| Entry { line: 0, ..entry })
    }

    /// Calls `use_it` with a card as a search reads it.
    pub fn with_card<T>(&self, record: u32, use_it: impl FnOnce(CardView<'_>) -> T) -> Option<T> {
        let Some((bytes, place, first)) = self.line(record) else {
            self.doubt();
            return None;
        };
        let number = if first { 1 } else { 2 };
        let (mut views, _) = view::of_line(number, &bytes, true);
        if place >= views.len() {
            self.doubt();
            return None;
        }
        let mut view = views.swap_remove(place);
        view.position = record as usize;
        Some(use_it(view))
    }

    /// All indexed records with this id, oldest first.
    pub fn by_id(&self, id: &str) -> Vec<(u32, Entry)> {
        self.candidates(|segment| segment.by_id(id))
            .into_iter()
            .filter_map(|record| Some((record, self.entry(record)?)))
            .filter(|(_, entry)| entry.id == id)
            .collect()
    }

    /// Whether an indexed record has this id.
    pub fn has(&self, id: &str) -> bool {
        let records = self.candidates(|segment| segment.by_id(id));
        records.into_iter().any(|record| self.is_of(record, id))
    }

    /// The current indexed record of this id.
    pub fn current(&self, id: &str) -> Option<u32> {
        let records = self.candidates(|segment| segment.by_id(id));
        let mut latest = records.into_iter().rev();
        latest.find(|record| !self.is_dead(*record) && self.is_of(*record, id))
    }

    fn is_of(&self, record: u32, id: &str) -> bool {
        match self.id_of(record) {
            Some(own) => own == id,
            None => self.entry(record).is_some_and(|entry| entry.id == id),
        }
    }

    /// The id of a record, where ids are kept.
    pub fn id_of(&self, record: u32) -> Option<&str> {
        let (segment, at) = self.place(record)?;
        segment.id_of(at)
    }

    /// Indexed records that may hold an equivalence key of this hash, oldest first.
    pub fn by_key(&self, key: u64) -> Vec<u32> {
        self.candidates(|segment| segment.by_key(key))
    }

    fn candidates(&self, find: impl Fn(&Segment) -> Vec<u32>) -> Vec<u32> {
        let each = self.segments.iter().zip(&self.bases);
        each.flat_map(|(segment, base)| find(segment).into_iter().map(move |record| base + record))
            .collect()
    }

    /// What the indexed signals say of an item.
    pub fn tally(&self, id: &str) -> Option<Tally> {
        let mut found: Option<Tally> = None;
        for tally in self.segments.iter().filter_map(|segment| segment.tally(id)) {
            match &mut found {
                None => found = Some(tally),
                Some(sum) => sum.absorb(tally),
            }
        }
        found
    }

    /// Items that the indexed signals leave quarantined.
    pub fn quarantined(&self) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        for (id, held) in self.segments.iter().flat_map(Segment::decided) {
            if held {
                ids.insert(id);
            } else {
                ids.remove(&id);
            }
        }
        ids
    }

    /// What the signals of the tail say, and what was wrong with its lines.
    pub fn tail_totals(&self) -> (Totals, Vec<Diagnostic>) {
        let mut totals = Totals::default();
        let found = fold::add_signals(&self.tail, self.tail_line, &mut totals, |_, _| {});
        (totals, found)
    }

    /// What was wrong with the indexed lines.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let each = self.segments.iter();
        each.flat_map(|segment| segment.diagnostics(self.kind))
            .collect()
    }

    /// A term's places in the segments that know it.
    pub fn term(&self, text: &str) -> Vec<(usize, TermPlace)> {
        let each = self.segments.iter().enumerate();
        each.filter_map(|(at, segment)| Some((at, segment.term(text)?)))
            .collect()
    }
}

impl Drop for IndexedLog {
    fn drop(&mut self) {
        if self.is_doubtful() {
            let segments = self.segments.iter().map(|segment| segment.info.clone());
            build::forget(&self.store, self.kind, &segments.collect::<Vec<_>>());
        }
    }
}

/// The manifest of a store's index, when there is one that can be read.
pub fn read_manifest(store: &Store) -> Option<Manifest> {
    Manifest::read(&folder(store))
}
