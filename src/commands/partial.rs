//! A store of which only the asked-for items are read, by way of its index. What is asked for and not held is noted;
//! [`Snapshot::settle`](super::Snapshot::settle) fetches it and lets the question be put again.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;

use super::{Snapshot, library};
use crate::ctx::Ctx;
use crate::domain::fold::{self, Asked, Entry, Log, LogKind};
use crate::domain::score::Totals;
use crate::error::Result;
use crate::store::index::manifest::Manifest;
use crate::store::index::{self, IndexedLog};
use crate::store::{Locked, Logs, Store};

/// Where the items that are not held are.
pub struct Rest {
    pub store: Store,
    /// Of the manifest by which the logs were opened.
    pub generation: u64,
    pub events: IndexedLog,
    pub cards: IndexedLog,
    pub recommendations: IndexedLog,
    pub signals: IndexedLog,
    /// Records held, by position.
    held: BTreeMap<LogKind, BTreeMap<usize, Entry>>,
    /// What was looked up already.
    ids: BTreeSet<String>,
    keys: BTreeSet<(LogKind, u64)>,
    /// What the signals behind the segments say.
    pub tail_totals: Totals,
}

impl Rest {
    /// `None` when there is no index that fits, or nothing would be gained.
    pub fn open(store: &Store, locked: bool) -> Option<Rest> {
        if store.purge_key().is_some() {
            return None;
        }
        let manifest: Manifest = index::read_manifest(store)?;
        let open = |kind| IndexedLog::open(store, kind, &manifest, locked);
        let cards = open(LogKind::Cards)?;
        if cards.segments().is_empty() {
            return None;
        }
        Some(Rest {
            store: store.clone(),
            generation: manifest.generation,
            events: open(LogKind::Events)?,
            cards,
            recommendations: open(LogKind::Recommendations)?,
            signals: open(LogKind::Signals)?,
            held: BTreeMap::new(),
            ids: BTreeSet::new(),
            keys: BTreeSet::new(),
            tail_totals: Totals::default(),
        })
    }

    /// The indexed logs.
    pub fn logs(&self) -> [&IndexedLog; 4] {
        [
            &self.events,
            &self.cards,
            &self.recommendations,
            &self.signals,
        ]
    }

    pub fn is_doubtful(&self) -> bool {
        self.logs().into_iter().any(IndexedLog::is_doubtful)
    }

    fn log(&self, kind: LogKind) -> &IndexedLog {
        match kind {
            LogKind::Recommendations => &self.recommendations,
            _ => &self.cards,
        }
    }

    /// Take in all versions of an item; whether there are any that were not held.
    fn fetch(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        let mut found = false;
        for kind in [LogKind::Cards, LogKind::Recommendations] {
            for (position, entry) in self.log(kind).by_id(id) {
                let held = self.held.entry(kind).or_default();
                found |= held.insert(position as usize, entry).is_none();
            }
        }
        found || self.signals.tally(id).is_some() || self.tail_totals.get(id).is_some()
    }

    /// Take in the items that may hold a key; whether there are any that were not held.
    fn fetch_key(&mut self, kind: LogKind, key: u64) -> bool {
        if !self.keys.insert((kind, key)) {
            return false;
        }
        let log = self.log(kind);
        let records = log.by_key(key);
        let ids: BTreeSet<String> = records
            .into_iter()
            .filter_map(|record| log.entry(record))
            .map(|entry| entry.id)
            .collect();
        ids.iter().fold(false, |found, id| self.fetch(id) | found)
    }

    fn log_of_held(&self, kind: LogKind, records: usize) -> Log {
        let mut log = Log::default();
        for (position, entry) in self.held.get(&kind).into_iter().flatten() {
            log.apply_at(
                entry.id.clone(),
                entry.record.clone(),
                entry.line,
                *position,
            );
        }
        log.records = records;
        log.asked = Some(Asked::default());
        log
    }

    fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for id in &self.ids {
            let later = self.tail_totals.get(id).cloned();
            for tally in self.signals.tally(id).into_iter().chain(later) {
                totals.absorb(id, tally);
            }
        }
        totals.lines = self.signals.records() as usize + self.tail_totals.lines;
        totals.asked = Some(Default::default());
        totals
    }
}

impl Snapshot {
    /// The store as this moment sees it: by way of its index where there is one, else whole.
    ///
    /// # Errors
    /// As [`Snapshot::load`].
    pub fn open(ctx: &Ctx, locked: &Locked<'_>) -> Result<Snapshot> {
        Snapshot::partial(ctx, locked.store, true).unwrap_or_else(|| Snapshot::load(locked))
    }

    /// The same, where [`Snapshot::has_signal`] is going to be asked.
    ///
    /// # Errors
    /// As [`Snapshot::load`].
    pub fn open_with_signals(ctx: &Ctx, locked: &Locked<'_>) -> Result<Snapshot> {
        Snapshot::partial(ctx, locked.store, true).unwrap_or_else(|| Snapshot::load_whole(locked))
    }

    /// The same for those who only read: `None` without an index.
    ///
    /// # Errors
    /// As [`Snapshot::load`].
    pub fn open_reading(ctx: &Ctx, store: &Store) -> Result<Option<Snapshot>> {
        Snapshot::partial(ctx, store, false).transpose()
    }

    fn partial(ctx: &Ctx, store: &Store, locked: bool) -> Option<Result<Snapshot>> {
        library::make_ready(ctx, store);
        let rest = Rest::open(store, locked).filter(|_| ctx.index_from.is_some())?;
        Some(Snapshot::of_rest(rest))
    }

    fn of_rest(mut rest: Rest) -> Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        let mut tail_ids = BTreeSet::new();
        let mut records = BTreeMap::new();
        for kind in [LogKind::Events, LogKind::Cards, LogKind::Recommendations] {
            let log = match kind {
                LogKind::Events => &rest.events,
                kind => rest.log(kind),
            };
            let (entries, found) = fold::entries(kind, &log.tail, log.tail_line);
            snapshot.diagnostics.extend(log.diagnostics());
            snapshot.diagnostics.extend(found);
            let first = log.records() as usize;
            records.insert(kind, first + entries.len());
            if kind == LogKind::Events {
                snapshot.events = entries;
                continue;
            }
            tail_ids.extend(entries.iter().map(|entry| entry.id.clone()));
            let held = rest.held.entry(kind).or_default();
            held.extend(
                entries
                    .into_iter()
                    .enumerate()
                    .map(|(at, entry)| (first + at, entry)),
            );
        }
        let (tail_totals, found) = rest.signals.tail_totals();
        snapshot.diagnostics.extend(rest.signals.diagnostics());
        snapshot.diagnostics.extend(found);
        rest.tail_totals = tail_totals;
        let (backports, found) =
            fold::entries(LogKind::Backports, &rest.store.read(LogKind::Backports)?, 1);
        snapshot.backports = backports;
        snapshot.diagnostics.extend(found);
        for id in &tail_ids {
            rest.fetch(id);
        }
        snapshot.records = records;
        snapshot.take_from(&rest);
        snapshot.rest = Some(Box::new(rest));
        Ok(snapshot)
    }

    fn take_from(&mut self, rest: &Rest) {
        let log = |kind| {
            ManuallyDrop::new(
                rest.log_of_held(kind, self.records.get(&kind).copied().unwrap_or_default()),
            )
        };
        let (cards, recommendations) = (log(LogKind::Cards), log(LogKind::Recommendations));
        self.free();
        self.cards = cards;
        self.recommendations = recommendations;
        self.totals = ManuallyDrop::new(rest.totals());
    }

    /// Takes the logs apart after all: who goes on to another snapshot must not keep every one.
    pub fn free(&mut self) {
        drop(ManuallyDrop::into_inner(std::mem::take(&mut self.cards)));
        drop(ManuallyDrop::into_inner(std::mem::take(
            &mut self.recommendations,
        )));
        drop(ManuallyDrop::into_inner(std::mem::take(&mut self.totals)));
    }

    /// Put a question until everything it asks for is held, and give its answer.
    ///
    /// # Errors
    /// When the whole store is needed and cannot be read.
    pub fn settle<T>(&mut self, mut question: impl FnMut(&Snapshot) -> T) -> Result<T> {
        loop {
            let answer = question(self);
            if !self.fetch()? {
                return Ok(answer);
            }
        }
    }

    /// Read what was asked for and is not held; whether anything was.
    fn fetch(&mut self) -> Result<bool> {
        let Some(mut rest) = self.rest.take() else {
            return Ok(false);
        };
        let mut found = false;
        let mut all = false;
        for (kind, log) in [
            (LogKind::Cards, &self.cards),
            (LogKind::Recommendations, &self.recommendations),
        ] {
            let Some(asked) = &log.asked else { continue };
            for id in asked.ids.take() {
                found |= rest.fetch(&id);
            }
            for key in asked.keys.take() {
                found |= rest.fetch_key(kind, key);
            }
            all |= asked.all.take();
        }
        for id in self.totals.asked.iter().flat_map(|asked| asked.take()) {
            found |= rest.fetch(&id);
        }
        if rest.is_doubtful() || (all && !found) {
            *self = Snapshot::load_whole(&rest.store)?;
            return Ok(true);
        }
        if found {
            self.take_from(&rest);
        }
        self.rest = Some(rest);
        Ok(found)
    }

    /// Whether an event has this id.
    pub fn has_event(&self, id: &str) -> bool {
        let indexed = self.rest.as_ref().is_some_and(|rest| rest.events.has(id));
        indexed || self.events.iter().any(|event| event.id == id)
    }

    /// Whether a signal has this id; only of a snapshot that holds the signals or their index.
    pub fn has_signal(&self, id: &str) -> bool {
        let Some(rest) = &self.rest else {
            return self.signals.iter().any(|signal| signal.id == id);
        };
        let mut found = rest.signals.has(id);
        let mut totals = Totals::default();
        fold::add_signals(
            &rest.signals.tail,
            rest.signals.tail_line,
            &mut totals,
            |_, own| found |= own == id,
        );
        if rest.signals.is_doubtful() {
            // Nobody puts this question again.
            let bytes = rest.store.read(LogKind::Signals).unwrap_or_default();
            let (entries, _) = fold::entries(LogKind::Signals, &bytes, 1);
            return entries.iter().any(|entry| entry.id == id);
        }
        found
    }
}
