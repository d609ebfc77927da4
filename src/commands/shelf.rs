//! The cards of a store that has an index, as the ranking sees them: the segments and what stands behind them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::recall::{self, Filter};
use crate::ctx::Ctx;
use crate::domain::facts::Facts;
use crate::domain::fold::{Diagnostic, LogKind};
use crate::domain::record::Record;
use crate::domain::score::{Counts, Totals};
use crate::domain::time::Timestamp;
use crate::domain::view::{self, CardView, CardViews};
use crate::rank::{Doc, Library, Passage, Statistics};
use crate::store::index::segment::{Segment, mark};
use crate::store::index::{self, IndexedLog};
use crate::store::{Logs, Store};

/// The logs of a store that searching needs, by way of its index.
pub struct Indexed {
    cards: IndexedLog,
    signals: IndexedLog,
    tail_totals: Totals,
    diagnostics: Vec<Diagnostic>,
}

impl Indexed {
    /// `None` when there is no index that fits.
    pub fn open(ctx: &Ctx, store: &Store) -> Option<Indexed> {
        ctx.index_from?;
        if store.purge_key().is_some() {
            return None;
        }
        let manifest = index::read_manifest(store)?;
        let open = |kind| IndexedLog::open(store, kind, &manifest, false);
        let cards = open(LogKind::Cards)?;
        let signals = open(LogKind::Signals)?;
        let mut diagnostics = cards.diagnostics();
        diagnostics.extend(signals.diagnostics());
        let (tail_totals, found) = signals.tail_totals();
        diagnostics.extend(found);
        (!cards.segments().is_empty()).then_some(Indexed {
            cards,
            signals,
            tail_totals,
            diagnostics,
        })
    }

    /// The cards behind the segments.
    pub fn tail(&self) -> CardViews<'_> {
        view::fold_part(
            &self.cards.tail,
            self.cards.tail_line,
            self.cards.records() as usize,
        )
    }

    /// What was wrong with the lines, in the order of the logs.
    pub fn diagnostics(&self, tail: &CardViews<'_>) -> Vec<Diagnostic> {
        let all = self.diagnostics.iter().chain(&tail.diagnostics);
        let (cards, signals): (Vec<_>, Vec<_>) = all
            .cloned()
            .partition(|found| found.file == LogKind::Cards.file_name());
        [cards, signals].concat()
    }

    /// Whether anything read so far cannot be relied on.
    pub fn is_doubtful(&self) -> bool {
        self.cards.is_doubtful() || self.signals.is_doubtful()
    }

    /// What the signals say of an item.
    pub fn counts(&self, id: &str) -> Counts {
        let mut tally = self.signals.tally(id).unwrap_or_default();
        if let Some(later) = self.tail_totals.get(id) {
            tally.absorb(later.clone());
        }
        tally.counts
    }

    /// Whether there is a card with this id.
    pub fn has(&self, tail: &CardViews<'_>, id: &str) -> bool {
        tail.cards.iter().any(|card| card.id == id) || self.cards.current(id).is_some()
    }

    /// Ids of items that are kept out of recall.
    fn quarantined(&self) -> BTreeSet<String> {
        let mut ids = self.signals.quarantined();
        for (id, tally) in self.tail_totals.items() {
            if tally.counts.quarantined {
                ids.insert(id.to_owned());
            } else if tally.counts.released {
                ids.remove(id);
            }
        }
        ids
    }
}

/// Whether a card with these signals may be an answer.
type MayShow<'a> = Box<dyn Fn(&CardView<'_>, &Counts) -> bool + 'a>;

/// Cards of an [`Indexed`] store with what may be shown of them.
pub struct IndexedShelf<'a> {
    indexed: &'a Indexed,
    tail: &'a CardViews<'a>,
    /// The tail's words.
    statistics: Statistics,
    /// Superseded records of each segment, those that the tail supersedes among them; empty where there is none.
    dead: Vec<Vec<u8>>,
    cards: usize,
    /// Indexed cards that are retired or superseded by others.
    retired: usize,
    total_length: u64,
    now: Timestamp,
    may_show: MayShow<'a>,
}

impl<'a> IndexedShelf<'a> {
    /// Only cards that `may_show` lets pass are answers.
    pub fn new(
        indexed: &'a Indexed,
        tail: &'a CardViews<'a>,
        now: Timestamp,
        may_show: impl Fn(&CardView<'_>, &Counts) -> bool + 'a,
    ) -> Self {
        let log = &indexed.cards;
        let mut statistics = Statistics::with_room(tail.cards.len());
        let mut cards = tail.cards.len();
        let mut retired = 0;
        let mut total_length = 0;
        let mut dead: Vec<Vec<u8>> = log.segments().iter().map(dead_of).collect();
        for segment in log.segments() {
            cards += segment.info.live as usize;
            retired += segment.info.retired as usize;
            total_length += segment.info.live_tokens;
        }
        for card in &tail.cards {
            statistics.add(recall::texts(card));
            if let Some((at, record)) = log.current(&card.id).and_then(|record| log.at(record)) {
                if dead[at].is_empty() {
                    dead[at] = log.segments()[at].dead();
                }
                let segment = &log.segments()[at];
                mark(&mut dead[at], record);
                cards -= 1;
                retired -= usize::from(!Facts(segment.facts_of(record)).is_standing());
                total_length -= u64::from(segment.lengths().u32(record as usize));
            }
        }
        IndexedShelf {
            indexed,
            tail,
            total_length: total_length + statistics.total_length(),
            statistics,
            dead,
            cards,
            retired,
            now,
            may_show: Box::new(may_show),
        }
    }

    fn is_dead(&self, segment: usize, record: u32) -> bool {
        let byte = self.dead[segment].get(record as usize / 8);
        byte.is_some_and(|byte| byte >> (record % 8) & 1 == 1)
    }

    fn first_of_tail(&self) -> u32 {
        self.indexed.cards.records()
    }

    /// The card of a number, with what signals say of it.
    fn with<T>(&self, card: u32, use_it: impl FnOnce(&CardView<'_>, &Counts) -> T) -> Option<T> {
        let seen = |view: &CardView<'_>| use_it(view, &self.indexed.counts(&view.id));
        match card.checked_sub(self.first_of_tail()) {
            Some(at) => self.tail.cards.get(at as usize).map(seen),
            None => self.indexed.cards.with_card(card, |view| seen(&view)),
        }
    }

    /// The whole record of a card, and its score.
    pub fn record(&self, card: u32) -> Option<(Record, i64)> {
        self.with(card, |view, counts| (view.record(), counts.score()))
    }

    /// How many cards pass a filter and are held back.
    pub fn hidden(&self, filter: &Filter<'_>) -> usize {
        if filter.all {
            return 0;
        }
        let log = &self.indexed.cards;
        let quarantined = self.indexed.quarantined();
        let quarantined = quarantined.iter().filter_map(|id| log.current(id));
        let quarantined: BTreeSet<u32> =
            quarantined.filter(|record| self.is_live(*record)).collect();
        let is_hidden = |card: &CardView<'_>, counts: &Counts| {
            filter.held_back(card, counts).is_some() && filter.stopped_by(card, counts).is_none()
        };
        let stands = |record: &u32| Facts(log.facts_of(*record)).is_standing();
        let tail = self.tail.cards.iter();
        let in_tail = tail
            .filter(|card| is_hidden(card, &self.indexed.counts(&card.id)))
            .count();
        if filter.is_open() {
            // What is retired was counted when the segments were made.
            return self.retired
                + quarantined.iter().filter(|record| stands(record)).count()
                + in_tail;
        }
        let mut hidden = 0;
        for (at, segment) in log.segments().iter().enumerate() {
            for (record, facts) in (log.base(at)..).zip(segment.facts()) {
                let is_back = !Facts(facts).is_standing() || quarantined.contains(&record);
                if is_back && self.is_live(record) {
                    hidden += usize::from(self.with(record, is_hidden).unwrap_or_default());
                }
            }
        }
        hidden + in_tail
    }

    /// The numbers of the `limit` cards written last that are served (or of all, with `all`), the newest first.
    pub fn newest(&self, limit: usize, all: bool) -> Vec<u32> {
        let log = &self.indexed.cards;
        let quarantined = self.indexed.quarantined();
        let mut tail: Vec<(usize, u32)> = (0_u32..)
            .zip(&self.tail.cards)
            .filter(|(_, card)| all || (stands(card) && !quarantined.contains(card.id.as_ref())))
            .map(|(at, card)| (card.position, self.first_of_tail() + at))
            .collect();
        tail.sort_unstable_by(|one, other| other.cmp(one));
        let indexed = (0..log.records())
            .rev()
            .filter(|record| self.is_live(*record));
        let indexed = indexed.filter(|record| {
            let id = log.id_of(*record).unwrap_or_default();
            all || (Facts(log.facts_of(*record)).is_standing() && !quarantined.contains(id))
        });
        let tail = tail.into_iter().map(|(_, number)| number);
        tail.chain(indexed).take(limit).collect()
    }

    fn is_live(&self, record: u32) -> bool {
        let place = self.indexed.cards.at(record);
        place.is_some_and(|(at, record)| !self.is_dead(at, record))
    }
}

fn stands(card: &CardView<'_>) -> bool {
    !card.status.is_retired() && !card.is_superseded
}

fn dead_of(segment: &Segment) -> Vec<u8> {
    if segment.has_dead() {
        segment.dead()
    } else {
        Vec::new()
    }
}

impl Library for IndexedShelf<'_> {
    fn cards(&self) -> usize {
        self.cards
    }

    fn total_length(&self) -> u64 {
        self.total_length
    }

    fn slots(&self) -> usize {
        self.first_of_tail() as usize + self.tail.cards.len()
    }

    fn expect(&self, terms: &[&str]) {
        self.statistics.expect(terms);
        let log = &self.indexed.cards;
        for (at, place) in terms.iter().flat_map(|term| log.term(term)) {
            log.segments()[at].expect(place);
        }
    }

    fn expect_cards(&self, cards: &[u32]) {
        self.indexed.cards.expect(cards);
    }

    fn holders(&self, term: &str) -> usize {
        let log = &self.indexed.cards;
        let indexed: usize = log
            .term(term)
            .into_iter()
            .map(|(at, place)| {
                let segment = &log.segments()[at];
                if self.dead[at].is_empty() {
                    return segment.stored_holders(place) as usize;
                }
                let mut holders = 0;
                segment.postings(place, |record, _| {
                    holders += usize::from(!self.is_dead(at, record));
                });
                holders
            })
            .sum();
        indexed + self.statistics.holders(term)
    }

    fn postings(&self, term: &str, mut visit: impl FnMut(u32, u32, u32)) {
        let log = &self.indexed.cards;
        for (at, place) in log.term(term) {
            let segment = &log.segments()[at];
            let base = log.base(at);
            let lengths = segment.lengths().all();
            let length = |record: u32| {
                let start = record as usize * 4;
                let bytes = lengths.get(start..start + 4);
                bytes
                    .and_then(|bytes| bytes.try_into().ok())
                    .map_or(0, u32::from_le_bytes)
            };
            let dead = &self.dead[at];
            segment.postings(place, |record, count| {
                if dead.is_empty() || !self.is_dead(at, record) {
                    visit(base + record, count, length(record));
                }
            });
        }
        let first = self.first_of_tail();
        self.statistics.postings(term, |card, count, length| {
            visit(first + card, count, length)
        });
    }

    fn terms(&self, mut visit: impl FnMut(&str)) {
        for segment in self.indexed.cards.segments() {
            segment.terms(&mut visit);
        }
        self.statistics.terms(visit);
    }

    fn id(&self, card: u32) -> Cow<'_, str> {
        match card.checked_sub(self.first_of_tail()) {
            Some(at) => Cow::Borrowed(&self.tail.cards[at as usize].id),
            None => Cow::Borrowed(self.indexed.cards.id_of(card).unwrap_or_default()),
        }
    }

    fn card(&self, card: u32) -> Option<Doc<'_>> {
        self.with(card, |view, counts| {
            if !(self.may_show)(view, counts) {
                return None;
            }
            let doc = recall::document(view, counts, self.now);
            let passages = doc
                .passages
                .iter()
                .map(|passage| Passage::new(passage.field, passage.text.clone().into_owned()))
                .collect();
            let mut owned = Doc::new(doc.id.clone().into_owned(), passages);
            owned.boost = doc.boost;
            Some(owned)
        })?
    }
}
