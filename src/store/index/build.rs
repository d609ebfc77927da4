//! Making segments: what a log says beyond the last segment becomes a new one, small ones before it are made again with it.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::container::Written;
use super::manifest::{self, Chain, Manifest, Stamp};
use super::segment::{self, Builder, Entry, Segment, SegmentInfo};
use super::{IndexedLog, KINDS, folder, open_plain};
use crate::domain::equivalence;
use crate::domain::facts::{self, Facts};
use crate::domain::fold::{self, LogKind};
use crate::domain::score::Totals;
use crate::domain::view::{self, CardView};
use crate::error::{Error, Result};
use crate::store::{Logs, Store, lock, paths, replace};

/// Cuts the text of cards into terms.
pub trait Analyze {
    /// Tokens in a card, and its terms by number, each with how often it occurs.
    fn card(&mut self, card: &CardView<'_>) -> (u32, &[(u32, u32)]);
    /// The term of a number.
    fn term(&self, number: u32) -> &str;
    /// Begin again without terms.
    fn clear(&mut self);
}

/// When segments are made.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Bytes of a log from which it is indexed at all.
    pub first: u64,
    /// Bytes behind the last segment from which a new one is made.
    pub tail: u64,
    /// Most bytes that are indexed again to keep the number of segments low.
    pub again: u64,
}

/// Most bytes of a log and most records in one segment: its offsets have 32 bits, and all of it is in memory while it
/// is made.
const LARGEST: u64 = 160 * 1024 * 1024;
const MOST_RECORDS: u32 = 1 << 17;
/// A segment less than this many times as long as what follows it is made again with it.
const GROWTH: u64 = 3;
/// How many lines are read between two words on how far it is.
const LINES_BETWEEN: u64 = 4096;

/// Brings the index of a store up to date where that is due, and says whether anything was done. `progress` hears how
/// many bytes of how many are done.
///
/// # Errors
/// When the cache cannot be written. The store is whole either way.
pub fn catch_up(
    store: &Store,
    policy: Policy,
    analyze: &mut dyn Analyze,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<bool> {
    let folder = folder(store);
    if due(store, policy, Manifest::read(&folder).as_ref())?.is_empty() {
        return Ok(false);
    }
    create(store, &folder)?;
    let Some(_lock) = lock::try_exclusive(&folder.join("lock"))? else {
        return Ok(false);
    };
    // Somebody else may have been faster; and text that was purged must not get into an index made of it before.
    let mut manifest = Manifest::read(&folder).unwrap_or_default();
    let due = due(store, policy, Some(&manifest))?;
    if due.is_empty() {
        return Ok(false);
    }
    manifest.begin();
    let total: u64 = due
        .iter()
        .filter_map(|(_, state)| state.as_ref())
        .map(|state| state.end - state.chain.end())
        .sum();
    let mut done = 0;
    for (kind, state) in due {
        let Some(state) = state else {
            manifest.set_chain(kind, Chain::default());
            continue;
        };
        let work = state.end - state.chain.end();
        let made = extend(
            store,
            kind,
            state,
            policy,
            analyze,
            &mut manifest,
            &mut |bytes| {
                progress((done + bytes).min(total), total);
            },
        );
        // What is damaged is made anew the next time.
        let chain = match made {
            Err(error) if error.code == DAMAGED => Chain::default(),
            made => made?,
        };
        done += work;
        manifest.set_chain(kind, chain);
    }
    manifest.write(&folder)?;
    sweep(&folder, &manifest);
    Ok(true)
}

/// The logs of which enough is not indexed, and those that are gone but not from the index.
fn due(
    store: &Store,
    policy: Policy,
    manifest: Option<&Manifest>,
) -> Result<Vec<(LogKind, Option<State>)>> {
    let mut due = Vec::new();
    if store.purge_key().is_some() {
        return Ok(due);
    }
    for kind in KINDS {
        let Some(state) = state(store, kind, manifest)? else {
            let known = manifest.and_then(|manifest| manifest.chain(kind));
            if known.is_some_and(|chain| !chain.segments.is_empty()) {
                due.push((kind, None));
            }
            continue;
        };
        let tail = state.end - state.chain.end();
        let least = if state.chain.segments.is_empty() {
            policy.first
        } else {
            policy.tail
        };
        if tail >= least || state.rebuilt {
            due.push((kind, Some(state)));
        }
    }
    Ok(due)
}

/// A log as it is, and the segments that hold of it.
struct State {
    file: File,
    stamp: Stamp,
    /// End of the last whole line.
    end: u64,
    chain: Chain,
    /// There were segments, but they do not hold.
    rebuilt: bool,
}

fn state(store: &Store, kind: LogKind, manifest: Option<&Manifest>) -> Result<Option<State>> {
    let path = store.log_path(kind);
    let failed = |error: std::io::Error| Error::io("read", &path, &error);
    let Ok(file) = open_plain(&path) else {
        return Ok(None);
    };
    let metadata = file.metadata().map_err(failed)?;
    let stamp = Stamp::of(&metadata);
    let known = manifest.and_then(|manifest| manifest.chain(kind));
    let chain = known
        .filter(|chain| manifest::holds(chain, &file, &stamp))
        .cloned();
    let rebuilt = known.is_some_and(|known| !known.segments.is_empty()) && chain.is_none();
    let chain = chain.unwrap_or_default();
    let end = last_line_end(&file, chain.end(), stamp.length).map_err(failed)?;
    Ok(Some(State {
        file,
        stamp,
        end,
        chain,
        rebuilt,
    }))
}

/// Where the last whole line of a file ends, between `start` and `length`.
fn last_line_end(file: &File, start: u64, length: u64) -> std::io::Result<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let mut end = length;
    while end > start {
        let wanted = (buffer.len() as u64).min(end - start);
        let part = &mut buffer[..wanted as usize];
        manifest::read_at(file, part, end - wanted)?;
        if let Some(at) = memchr::memrchr(b'\n', part) {
            return Ok(end - wanted + at as u64 + 1);
        }
        end -= wanted;
    }
    Ok(start)
}

fn create(store: &Store, folder: &Path) -> Result<()> {
    paths::refuse_links(&store.trusted_above, folder)?;
    let failed = |error: std::io::Error| Error::io("create", folder, &error);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(failed)?;
    let ignore = store.dir.join(".cache").join(".gitignore");
    if !ignore.exists() {
        replace::file(&ignore, b"*\n", replace::Durability::Derived)?;
    }
    Ok(())
}

/// Makes the segments that are missing.
fn extend(
    store: &Store,
    kind: LogKind,
    state: State,
    policy: Policy,
    analyze: &mut dyn Analyze,
    manifest: &mut Manifest,
    progress: &mut dyn FnMut(u64),
) -> Result<Chain> {
    let folder = folder(store);
    let State {
        file,
        stamp,
        end,
        mut chain,
        ..
    } = state;
    chain.stamp = stamp;
    let mut start = chain.end();
    while let Some(last) = chain.segments.last() {
        let (old, new) = (last.end - last.start, end - start);
        if old >= new.saturating_mul(GROWTH) || old + new > policy.again {
            break;
        }
        start = last.start;
        chain.segments.pop();
    }
    let path = store.log_path(kind);
    let failed = |error: std::io::Error| Error::io("read", &path, &error);
    let first = start;
    while start < end {
        let mut range_end = end;
        if end - start > LARGEST {
            range_end = last_line_end(&file, start, start + LARGEST).map_err(failed)?;
            if range_end == start {
                // A line longer than that: the rest is read as it is.
                break;
            }
        }
        let mut bytes = vec![0; (range_end - start) as usize];
        manifest::read_at(&file, &mut bytes, start).map_err(failed)?;
        let first_line = chain.lines() as usize + 1;
        let made = make(kind, &bytes, start, first_line, analyze, &mut |done| {
            progress(start - first + done);
        });
        let mut info = SegmentInfo {
            file: manifest.new_name(kind, "seg"),
            fingerprint: made.file.fingerprint,
            hot: made.file.hot,
            start,
            end: start + made.covered,
            content: xxh3_64(&bytes[..made.covered as usize]),
            sample: manifest::sample(&file, start, start + made.covered).map_err(failed)?,
            lines: made.lines,
            records: made.records,
            live: made.records,
            live_tokens: made.tokens,
            retired: made.retired,
            dead: None,
        };
        write_new(&folder.join(&info.file), &made.file.bytes)?;
        drop(bytes);
        if matches!(kind, LogKind::Cards | LogKind::Recommendations) {
            bury(store, kind, &mut chain, &mut info, &made, manifest)?;
        }
        start = info.end;
        chain.segments.push(info);
        progress(start - first);
    }
    Ok(chain)
}

/// A segment as it was made of a range.
struct Made {
    file: Written,
    covered: u64,
    lines: u64,
    records: u32,
    tokens: u64,
    /// Cards that are not served.
    retired: u32,
    /// The last record of each id.
    latest: HashMap<String, u32>,
    /// Records that a later one of the range took the place of, with their tokens and whether they are not served.
    superseded: Vec<(u32, u32, bool)>,
}

/// Marks what the new segment supersedes, in itself and in those before.
fn bury(
    store: &Store,
    kind: LogKind,
    chain: &mut Chain,
    info: &mut SegmentInfo,
    made: &Made,
    manifest: &mut Manifest,
) -> Result<()> {
    let folder = folder(store);
    let mut buried: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    if !chain.segments.is_empty() {
        let older = IndexedLog::open_chain(store, kind, chain).ok_or_else(damaged)?;
        for id in made.latest.keys() {
            if let Some(record) = older.current(id) {
                let at = (0..chain.segments.len())
                    .rev()
                    .find(|at| older.base(*at) <= record)
                    .unwrap_or(0);
                buried.entry(at).or_default().push(record - older.base(at));
            }
        }
        for (at, records) in buried {
            let segment = &older.segments()[at];
            let mut dead = segment.dead();
            let target = &mut chain.segments[at];
            for record in records {
                if segment::mark(&mut dead, record) {
                    target.live -= 1;
                    if kind == LogKind::Cards {
                        let facts = Facts(segment.facts_of(record));
                        target.live_tokens -= u64::from(segment.length_of(record));
                        target.retired -= u32::from(!facts.is_standing());
                    }
                }
            }
            target.dead = Some(write_dead(&folder, kind, manifest, &dead)?);
        }
        if older.is_doubtful() {
            return Err(damaged());
        }
    }
    if !made.superseded.is_empty() {
        let mut dead = vec![0; (made.records as usize).div_ceil(8)];
        for (record, tokens, retired) in &made.superseded {
            segment::mark(&mut dead, *record);
            info.live -= 1;
            info.live_tokens -= u64::from(*tokens);
            info.retired -= u32::from(*retired);
        }
        info.dead = Some(write_dead(&folder, kind, manifest, &dead)?);
    }
    Ok(())
}

const DAMAGED: &str = "index_damaged";

fn damaged() -> Error {
    Error::new(
        crate::error::Kind::Failed,
        DAMAGED,
        "a part of the index is damaged",
    )
}

/// Takes the segments of a log out of the index, because one of them is damaged: who indexes next begins anew. Nothing
/// happens where they were replaced already, or where that is going on.
pub fn forget(store: &Store, kind: LogKind, segments: &[SegmentInfo]) {
    let folder = folder(store);
    if paths::refuse_links(&store.trusted_above, &folder).is_err() {
        return;
    }
    let Ok(Some(_lock)) = lock::try_exclusive(&folder.join("lock")) else {
        return;
    };
    if let Some(mut manifest) = Manifest::read(&folder)
        && manifest
            .chain(kind)
            .is_some_and(|chain| chain.segments == segments)
    {
        manifest.set_chain(kind, Chain::default());
        // Where that fails the log is read as it is.
        let _ = manifest.write(&folder);
    }
}

fn write_dead(
    folder: &Path,
    kind: LogKind,
    manifest: &mut Manifest,
    dead: &[u8],
) -> Result<(String, u64)> {
    let name = manifest.new_name(kind, "dead");
    write_new(&folder.join(&name), dead)?;
    Ok((name, xxh3_64(dead)))
}

/// A new file of the cache. Nothing names it until the manifest does, so it needs no detour over a temporary file.
fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| Error::io("write", path, &error);
    // A run that was killed may have left a file of this name, and a reader may still look at it.
    let _ = fs::remove_file(path);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    paths::for_owner_only(&mut options);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(bytes).map_err(failed)
}

/// Removes what the manifest does not name. Who still reads an older manifest finds a file missing and turns to the log.
fn sweep(folder: &Path, manifest: &Manifest) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let ours = name.ends_with(".seg") || name.ends_with(".dead") || name.ends_with(".tmp");
        if ours && !manifest.names(&name) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn make(
    kind: LogKind,
    bytes: &[u8],
    start: u64,
    first_line: usize,
    analyze: &mut dyn Analyze,
    progress: &mut dyn FnMut(u64),
) -> Made {
    analyze.clear();
    let mut builder = Builder::new(start);
    let mut made = Made {
        file: Written::default(),
        covered: 0,
        lines: 0,
        records: 0,
        tokens: 0,
        retired: 0,
        latest: HashMap::new(),
        superseded: Vec::new(),
    };
    let offset = |line: &[u8]| (line.as_ptr() as usize - bytes.as_ptr() as usize) as u64;
    if kind == LogKind::Signals {
        let mut totals = Totals::default();
        let found = fold::add_signals(bytes, first_line, &mut totals, |line, id| {
            builder.add(Entry {
                offset: start + offset(line),
                id,
                ..Entry::default()
            });
        });
        builder.diagnose(found);
        made.covered = bytes.len() as u64;
        fold::for_each_line(bytes, first_line, |_, _, _| made.lines += 1);
        made.records = builder.records();
        let items: Vec<_> = totals.items().collect();
        made.file = builder.finish(|_| "", &items);
        return made;
    }
    // Of each card: its tokens, and whether it is not served.
    let mut counted: Vec<(u32, bool)> = Vec::new();
    fold::for_each_line(bytes, first_line, |number, line, terminated| {
        if builder.records() >= MOST_RECORDS {
            return;
        }
        made.lines += 1;
        if made.lines.is_multiple_of(LINES_BETWEEN) {
            progress(offset(line));
        }
        made.covered = offset(line) + line.len() as u64;
        let at = start + offset(line);
        let mut add = |builder: &mut Builder, id: &str, keys: &[u64], facts, times| {
            let record = builder.records();
            builder.add(Entry {
                offset: at,
                id,
                keep_id: matches!(kind, LogKind::Cards | LogKind::Recommendations),
                keys,
                facts,
                times,
            });
            if let Some(before) = made.latest.insert(id.to_owned(), record) {
                made.superseded.push((before, 0, false));
            }
            record
        };
        if kind == LogKind::Cards {
            let (views, found) = view::of_line(number, line, terminated);
            builder.diagnose(found);
            for card in &views {
                let facts = facts::of_card(card);
                let record = add(&mut builder, &card.id, &card.key_hashes(), facts.0, None);
                let (length, terms) = analyze.card(card);
                builder.add_terms(record, length, terms);
                made.tokens += u64::from(length);
                made.retired += u32::from(!facts.is_standing());
                counted.push((length, !facts.is_standing()));
            }
            return;
        }
        if kind == LogKind::Events
            && let Some(id) = fold::plain_id(line)
        {
            add(&mut builder, id, &[], 0, None);
            return;
        }
        let (entries, found) = fold::entries_of_line(kind, number, line, terminated);
        builder.diagnose(found);
        for entry in entries {
            if kind == LogKind::Recommendations {
                let keys = equivalence::key_hashes(&entry.record.0);
                let (facts, times) = facts::of_recommendation(&entry.record);
                add(&mut builder, &entry.id, &keys, facts.0, Some(times));
            } else {
                add(&mut builder, &entry.id, &[], 0, None);
            }
        }
    });
    // The line ends behind the last line that was taken in.
    made.covered = if made.covered as usize >= bytes.len() {
        bytes.len() as u64
    } else {
        let rest = &bytes[made.covered as usize..];
        made.covered + if rest.starts_with(b"\r\n") { 2 } else { 1 }
    };
    for (record, tokens, retired) in &mut made.superseded {
        (*tokens, *retired) = counted.get(*record as usize).copied().unwrap_or_default();
    }
    made.records = builder.records();
    made.file = builder.finish(|term| analyze.term(term), &[]);
    made
}

/// Notes that logs have grown by what this run appended to what it had found to hold, so that the next reader need not
/// look at more than their stamps.
///
/// # Errors
/// When the manifest cannot be written.
pub fn note_append(store: &Store, generation: u64, before: &[(LogKind, Stamp, u64)]) -> Result<()> {
    let folder = folder(store);
    paths::refuse_links(&store.trusted_above, &folder)?;
    // Who makes segments has read the manifest before and must not find another one in its place.
    let Some(_lock) = lock::try_exclusive(&folder.join("lock"))? else {
        return Ok(());
    };
    let manifest = Manifest::read(&folder);
    let Some(mut manifest) = manifest.filter(|manifest| manifest.generation == generation) else {
        return Ok(());
    };
    let mut changed = false;
    for (kind, stamp, grown) in before {
        let Some(chain) = manifest.chain(*kind) else {
            continue;
        };
        let Ok(metadata) = store.log_path(*kind).metadata() else {
            continue;
        };
        let now = Stamp::of(&metadata);
        if now.length == stamp.length + grown {
            let mut chain = chain.clone();
            chain.stamp = now;
            manifest.set_chain(*kind, chain);
            changed = true;
        }
    }
    if changed {
        manifest.write(&folder)?;
    }
    Ok(())
}

/// Keeps derived data beside the segments.
///
/// # Errors
/// When it cannot be written; the old data is then still there.
pub fn keep(store: &Store, name: &str, data: &impl Serialize) -> Result<()> {
    let folder = folder(store);
    paths::refuse_links(&store.trusted_above, &folder)?;
    replace::file(
        &folder.join(name),
        &manifest::sealed(data),
        replace::Durability::Derived,
    )
}

/// Derived data that was kept; `None` when there is none or a byte of it has changed.
pub fn kept<T: for<'a> Deserialize<'a>>(store: &Store, name: &str) -> Option<T> {
    manifest::unsealed(&super::read_plain(&folder(store).join(name)).ok()?)
}

/// Removes the index, for what it holds of a text may be text that must go. Waits for who is making it; nobody makes
/// another one in a store that has a purge key.
///
/// # Errors
/// When it cannot be removed.
pub fn remove(store: &Store, wait: Duration) -> Result<()> {
    let folder = folder(store);
    if !folder.is_dir() {
        return Ok(());
    }
    paths::refuse_links(&store.trusted_above, &folder)?;
    let _lock = lock::exclusive(&folder.join("lock"), wait)?;
    let failed = |error: std::io::Error| Error::io("remove", &folder, &error);
    for entry in fs::read_dir(&folder).map_err(failed)?.flatten() {
        if entry.file_name() == "lock" {
            continue;
        }
        // Who put a folder there knows that a cache may go.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            fs::remove_dir_all(entry.path()).map_err(failed)?;
        } else {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

impl Segment {
    /// Tokens in a card; other records have none.
    fn length_of(&self, record: u32) -> u32 {
        let lengths = self.lengths();
        if lengths.count() == 0 {
            return 0;
        }
        lengths.u32(record as usize)
    }
}
