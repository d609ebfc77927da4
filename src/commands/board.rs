//! What INDEX.md shows of a store that has an index, kept from one write to the next, so that writing one card does not
//! mean looking at all of them. Derived: when it does not fit the logs, or does not reach, it is made again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::columns::{Standing, each_live, standings};
use super::partial::Rest;
use super::review::exported_ids;
use super::{Snapshot, index};
use crate::ctx::Ctx;
use crate::domain::card;
use crate::domain::facts::{self, Facts, UNDATED};
use crate::domain::fold::{Item, LogKind};
use crate::domain::normal::CardStatus;
use crate::domain::recommendation;
use crate::error::Result;
use crate::report::{Index, IndexLine};
use crate::store::index as store_index;
use crate::store::index::manifest::Stamp;
use crate::store::{Batch, Store};

const FILE: &str = "board.json";
/// Rows kept per list; several times what INDEX.md shows, because shown ones may be retired.
const ROWS: usize = 32;
const DAY_MICROS: i64 = 86_400_000_000;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Board {
    /// The state of the logs it tells of.
    stamps: BTreeMap<String, Stamp>,
    /// Cards that are served.
    served: i64,
    best: Top,
    newest: Top,
    candidates: Top,
    open: i64,
    /// Open recommendations without a readable time.
    undated: i64,
    /// Open recommendations last touched until this moment (microseconds since 1970); and the moments of the others.
    stale_until: i64,
    stale: i64,
    recent: Vec<i64>,
    urgent: Top,
    /// Priority of the first one left out of `urgent`, and position of the earliest one of that priority among all
    /// left out.
    left_out: Option<(i64, u64)>,
}

/// What a row is ordered by, greatest first.
type Key = (i64, i64, i64);

/// The first rows of an order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Top {
    rows: Vec<Row>,
    /// The first key that was left out; `None` when nothing was.
    bar: Option<Key>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    key: Key,
    id: String,
    title: String,
    /// Card: skill and time. Recommendation: status and scope.
    first: String,
    second: String,
}

impl Top {
    fn remove(&mut self, id: &str) {
        self.rows.retain(|row| row.id != id);
    }

    /// Puts a row in its place; what falls off the end is returned.
    fn insert(&mut self, row: Row) -> Option<Row> {
        let at = self.rows.partition_point(|other| other.key > row.key);
        self.rows.insert(at, row);
        if self.rows.len() <= ROWS {
            return None;
        }
        let last = self.rows.pop()?;
        self.bar = self.bar.max(Some(last.key));
        Some(last)
    }

    /// Rows before which nothing can have been left out.
    fn certain(&self) -> &[Row] {
        let end = self.rows.partition_point(|row| Some(row.key) > self.bar);
        &self.rows[..end]
    }

    /// The first `count` certain rows that pass; `None` when there may be others among them.
    fn first(&self, count: usize, pass: impl Fn(&Row) -> bool) -> Option<Vec<&Row>> {
        let rows: Vec<&Row> = self
            .certain()
            .iter()
            .filter(|row| pass(row))
            .take(count)
            .collect();
        (rows.len() == count || self.bar.is_none()).then_some(rows)
    }
}

/// What counts of one card.
struct CardState {
    served: bool,
    candidate: bool,
    score: i64,
}

/// What counts of a card with these signals.
fn state(standing: Standing, facts: Facts, exported: bool) -> CardState {
    let served = facts.is_standing() && !standing.quarantined;
    let proven = standing.score >= index::PROVEN_SCORE || standing.reinforced || standing.used;
    let graduated = facts.card_status() == CardStatus::Backported || exported;
    CardState {
        served,
        candidate: served && facts.is_shareable() && proven && !graduated,
        score: standing.score,
    }
}

fn card_row(item: &Item, key: Key) -> Row {
    Row {
        key,
        id: item.id.clone(),
        title: item.record.title(),
        first: card::skill(&item.record),
        second: item.record.ts().unwrap_or("no time").to_owned(),
    }
}

fn recommendation_row(item: &Item, key: Key) -> Row {
    Row {
        key,
        id: item.id.clone(),
        title: item.record.title(),
        first: recommendation::status(&item.record).as_str().to_owned(),
        second: recommendation::scope(&item.record).as_str().to_owned(),
    }
}

/// Priority, then the longest untouched, then the earliest.
fn urgency(facts: Facts, touched: i64, position: usize) -> Key {
    (
        facts.priority(),
        touched.saturating_neg(),
        -(position as i64),
    )
}

/// What a batch is about to change, as it is before.
pub struct Before {
    board: Board,
    cards: Vec<(String, bool)>,
    recommendations: Vec<(String, Option<i64>)>,
}

/// Ids that a batch is about: of cards and of recommendations.
fn touched(batch: &Batch) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut cards, mut recommendations) = (BTreeSet::new(), BTreeSet::new());
    for (kind, records) in batch {
        for record in records {
            match kind {
                LogKind::Cards => cards.extend(record.id()),
                LogKind::Recommendations => recommendations.extend(record.id()),
                LogKind::Signals => {
                    cards.extend(record.filled("aha_id").map(str::to_owned));
                    recommendations.extend(record.filled("rec_id").map(str::to_owned));
                }
                LogKind::Events | LogKind::Backports => {}
            }
        }
    }
    (cards, recommendations)
}

/// The moment of an open recommendation that is shown.
fn open_since(snapshot: &Snapshot, item: &Item) -> Option<i64> {
    let (facts, [touched, _]) = facts::of_recommendation(&item.record);
    let open = facts.recommendation_status().is_open();
    (open && !snapshot.totals().is_quarantined(&item.id)).then_some(touched)
}

/// The board of a partial snapshot and what a batch will change of it; `None` when the board must be made again.
///
/// # Errors
/// When the store cannot be read.
pub fn before(snapshot: &mut Snapshot, batch: &Batch) -> Result<Option<Before>> {
    let (cards, recommendations) = touched(batch);
    // Everything the batch touches is held from here on.
    snapshot.settle(|snapshot| {
        for id in &cards {
            snapshot.cards.get(id);
            snapshot.totals().card(id);
        }
        for id in &recommendations {
            snapshot.recommendations.get(id);
            snapshot.totals().card(id);
        }
    })?;
    let Some(rest) = &snapshot.rest else {
        return Ok(None);
    };
    let board: Option<Board> = store_index::build::kept(&rest.store, FILE);
    let backports = batch.contains_key(&LogKind::Backports);
    let Some(board) = board.filter(|board| !backports && board.stamps == stamps(rest)) else {
        return Ok(None);
    };
    let served = |id: &String| {
        let item = snapshot.cards.get(id);
        item.is_some_and(|item| super::list::is_served(item, snapshot.totals()))
    };
    let since = |id: &String| {
        let item = snapshot.recommendations.get(id)?;
        open_since(snapshot, item)
    };
    Ok(Some(Before {
        board,
        cards: cards.iter().map(|id| (id.clone(), served(id))).collect(),
        recommendations: recommendations
            .iter()
            .map(|id| (id.clone(), since(id)))
            .collect(),
    }))
}

/// The state of the logs when they were opened.
fn stamps(rest: &Rest) -> BTreeMap<String, Stamp> {
    let mut stamps: BTreeMap<String, Stamp> = rest
        .logs()
        .into_iter()
        .map(|log| (log.kind.file_name().to_owned(), log.stamp))
        .collect();
    stamps.insert(
        LogKind::Backports.file_name().to_owned(),
        stamp(&rest.store, LogKind::Backports),
    );
    stamps
}

/// The state of the logs now.
fn stamps_now(store: &Store) -> BTreeMap<String, Stamp> {
    let each = LogKind::ALL.into_iter();
    each.map(|kind| (kind.file_name().to_owned(), stamp(store, kind)))
        .collect()
}

fn stamp(store: &Store, kind: LogKind) -> Stamp {
    let metadata = store.log_path(kind).metadata();
    metadata.map_or_else(|_| Stamp::default(), |metadata| Stamp::of(&metadata))
}

/// What INDEX.md shows after a batch was taken in, by the board before it; `None` when that does not reach.
pub fn after(before: Before, snapshot: &Snapshot, ctx: &Ctx) -> Option<(Board, Index)> {
    let mut board = before.board;
    board.stale_by(ctx)?;
    let exported = exported_ids(snapshot);
    for (id, was_served) in before.cards {
        let Some(item) = snapshot.cards.get(&id) else {
            continue;
        };
        let standing = Standing::of(snapshot.totals().card(&id));
        let state = state(
            standing,
            facts::of_card_record(&item.record),
            exported.contains(id.as_str()),
        );
        board.served += i64::from(state.served) - i64::from(was_served);
        for top in [&mut board.best, &mut board.newest, &mut board.candidates] {
            top.remove(&id);
        }
        let position = item.position as i64;
        if state.served {
            board
                .best
                .insert(card_row(item, (state.score, position, 0)));
            board.newest.insert(card_row(item, (position, 0, 0)));
        }
        if state.candidate {
            board
                .candidates
                .insert(card_row(item, (state.score, position, 0)));
        }
    }
    for (id, was_open) in before.recommendations {
        let Some(item) = snapshot.recommendations.get(&id) else {
            continue;
        };
        let now_open = open_since(snapshot, item);
        board.count(was_open, -1);
        board.count(now_open, 1);
        board.urgent.remove(&id);
        if let Some(touched) = now_open {
            let (facts, _) = facts::of_recommendation(&item.record);
            let row = recommendation_row(item, urgency(facts, touched, item.position));
            if let Some(out) = board.urgent.insert(row) {
                board.leave_out(out.key);
            }
        }
    }
    let shown = board.shown(ctx)?;
    Some((board, shown))
}

impl Board {
    fn count(&mut self, since: Option<i64>, change: i64) {
        let Some(touched) = since else { return };
        self.open += change;
        if touched == UNDATED {
            self.undated += change;
        } else if touched <= self.stale_until {
            self.stale += change;
        } else {
            let at = self.recent.partition_point(|other| *other < touched);
            if change > 0 {
                self.recent.insert(at, touched);
            } else if self.recent.get(at) == Some(&touched) {
                self.recent.remove(at);
            }
        }
    }

    fn leave_out(&mut self, key: Key) {
        let position = key.2.unsigned_abs();
        self.left_out = match self.left_out {
            Some((priority, before)) if priority == key.0 => Some((priority, before.min(position))),
            Some((priority, before)) if priority > key.0 => Some((priority, before)),
            _ => Some((key.0, position)),
        };
    }

    /// Moves the border of staleness to `now`; `None` when the clock went back.
    fn stale_by(&mut self, ctx: &Ctx) -> Option<()> {
        let until = stale_until(ctx);
        (until >= self.stale_until).then_some(())?;
        let turned = self.recent.partition_point(|touched| *touched <= until);
        self.recent.drain(..turned);
        self.stale += turned as i64;
        self.stale_until = until;
        Some(())
    }

    /// `None` when what was left out may belong in between.
    fn shown(&self, ctx: &Ctx) -> Option<Index> {
        let top = self.best.first(8, |_| true)?;
        let is_top = |row: &Row| top.iter().any(|other| other.id == row.id);
        let latest = self.newest.first(5, |row| !is_top(row))?;
        let candidates = self.candidates.first(4, |_| true)?;
        let open = self.most_urgent(ctx)?;
        let line = |row: &Row, detail: String| IndexLine {
            title: row.title.clone(),
            id: row.id.clone(),
            detail,
        };
        Some(Index {
            day: ctx.now.to_day(),
            cards: usize::try_from(self.served).ok()?,
            open_recommendations: usize::try_from(self.open).ok()?,
            stale_recommendations: usize::try_from(self.stale).ok()?,
            top: top
                .iter()
                .map(|row| line(row, index::score_detail(row.key.0)))
                .collect(),
            latest: latest
                .iter()
                .map(|row| line(row, format!("{})", row.second)))
                .collect(),
            open: open
                .into_iter()
                .map(|(row, days)| line(row, index::open_detail(&row.first, &row.second, days)))
                .collect(),
            candidates: candidates
                .iter()
                .map(|row| line(row, index::candidate_detail(row.key.0, &row.first)))
                .collect(),
        })
    }

    fn most_urgent(&self, ctx: &Ctx) -> Option<Vec<(&Row, Option<i64>)>> {
        // Those without a time count as fresh, wherever that puts them.
        if self.undated > 0 && self.urgent.bar.is_some() {
            return None;
        }
        let days = |key: &Key| facts::age_days(key.1.saturating_neg(), ctx.now);
        let order = |key: &Key| {
            let days = if key.1 == UNDATED.saturating_neg() {
                None
            } else {
                days(key)
            };
            (key.0, days.unwrap_or(0), key.2)
        };
        let mut rows: Vec<&Row> = self.urgent.rows.iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(order(&row.key)));
        rows.truncate(5);
        if let Some(bar) = &self.urgent.bar {
            let (priority, days, _) = order(bar);
            let certain = rows.iter().all(|row| {
                let (own, own_days, position) = order(&row.key);
                let before = self
                    .left_out
                    .is_none_or(|(_, out)| position.unsigned_abs() < out);
                (own, own_days) > (priority, days)
                    || ((own, own_days) == (priority, days) && before)
            });
            if !certain || rows.len() < 5 {
                return None;
            }
        }
        let shown = |key: &Key| {
            (key.1 != UNDATED.saturating_neg())
                .then(|| days(key))
                .flatten()
        };
        Some(rows.into_iter().map(|row| (row, shown(&row.key))).collect())
    }

    /// Keeps the board for the next write, when the logs have grown by what it knows of and nothing else.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(mut self, rest: &Rest, grown: &[(LogKind, u64)]) -> Result<()> {
        let before = stamps(rest);
        self.stamps = stamps_now(&rest.store);
        let known = LogKind::ALL.into_iter().all(|kind| {
            let more = grown.iter().find(|(own, _)| *own == kind);
            let length = |stamps: &BTreeMap<String, Stamp>| stamps[kind.file_name()].length;
            kind == LogKind::Backports
                || length(&self.stamps) == length(&before) + more.map_or(0, |(_, bytes)| *bytes)
        });
        if !known || grown.iter().any(|(kind, _)| *kind == LogKind::Backports) {
            return Ok(());
        }
        store_index::build::keep(&rest.store, FILE, &self)
    }
}

/// Open recommendations last touched until this moment are stale.
fn stale_until(ctx: &Ctx) -> i64 {
    ctx.now.moment().timestamp_micros() - index::STALE_DAYS * DAY_MICROS
}

/// The board of a partial snapshot, from every card and recommendation.
pub fn make(snapshot: &Snapshot, ctx: &Ctx) -> Option<(Board, Index)> {
    let rest = snapshot.rest.as_deref()?;
    // The batch is in the snapshot already, so its signals are in the totals of what it touched.
    let standings = standings(rest, &rest.tail_totals);
    let exported: HashSet<u64> = exported_ids(snapshot)
        .iter()
        .map(|id| store_index::id_hash(id))
        .collect();
    let mut board = Board {
        stale_until: stale_until(ctx),
        ..Board::default()
    };
    let mut best = Keys::default();
    let mut newest = Keys::default();
    let mut candidates = Keys::default();
    let none = Standing {
        score: 1,
        ..Standing::default()
    };
    let mut take = |hash: u64, standing: Standing, facts: Facts, position: usize| {
        let state = state(standing, facts, exported.contains(&hash));
        let position = position as i64;
        if state.served {
            board.served += 1;
            best.offer((state.score, position, 0));
            newest.offer((position, 0, 0));
        }
        if state.candidate {
            candidates.offer((state.score, position, 0));
        }
    };
    let held: HashSet<u64> = snapshot
        .cards
        .items
        .iter()
        .map(|item| store_index::id_hash(&item.id))
        .collect();
    each_live(&rest.cards, &held, |hash, facts, _, position| {
        take(
            hash,
            standings.get(&hash).copied().unwrap_or(none),
            facts,
            position,
        );
    });
    for item in &snapshot.cards.items {
        let standing = Standing::of(snapshot.totals().card(&item.id));
        take(
            store_index::id_hash(&item.id),
            standing,
            facts::of_card_record(&item.record),
            item.position,
        );
    }
    let mut urgent = Keys::default();
    let mut outside: HashMap<i64, i64> = HashMap::new();
    let mut take = |quarantined: bool, facts: Facts, touched: i64, position: usize| {
        if facts.recommendation_status().is_open() && !quarantined {
            board.count_unsorted(touched);
            if let Some(out) = urgent.offer(urgency(facts, touched, position)) {
                let earliest = outside.entry(out.0).or_insert(out.2);
                *earliest = (*earliest).max(out.2);
            }
        }
    };
    let held: HashSet<u64> = snapshot
        .recommendations
        .items
        .iter()
        .map(|item| store_index::id_hash(&item.id))
        .collect();
    each_live(
        &rest.recommendations,
        &held,
        |hash, facts, [touched, _], position| {
            let quarantined = standings
                .get(&hash)
                .is_some_and(|standing| standing.quarantined);
            take(quarantined, facts, touched, position);
        },
    );
    for item in &snapshot.recommendations.items {
        let (facts, [touched, _]) = facts::of_recommendation(&item.record);
        take(
            snapshot.totals().is_quarantined(&item.id),
            facts,
            touched,
            item.position,
        );
    }
    board.recent.sort_unstable();
    let item_at = |kind: LogKind, position: usize| -> Option<Item> {
        let (log, indexed) = match kind {
            LogKind::Cards => (&snapshot.cards, &rest.cards),
            _ => (&snapshot.recommendations, &rest.recommendations),
        };
        if let Some(item) = log.items.iter().find(|item| item.position == position) {
            return Some(item.clone());
        }
        let entry = indexed.entry(u32::try_from(position).ok()?)?;
        Some(Item {
            id: entry.id,
            created_ts: None,
            versions: 1,
            position,
            line: 0,
            record: entry.record,
        })
    };
    let rows = |keys: Keys, kind: LogKind, position: fn(&Key) -> i64| -> Option<Top> {
        let row = |key: &Key| {
            let item = item_at(kind, usize::try_from(position(key)).ok()?)?;
            Some(match kind {
                LogKind::Cards => card_row(&item, *key),
                _ => recommendation_row(&item, *key),
            })
        };
        Some(Top {
            rows: keys.rows.iter().map(row).collect::<Option<_>>()?,
            bar: keys.bar,
        })
    };
    board.best = rows(best, LogKind::Cards, |key| key.1)?;
    board.newest = rows(newest, LogKind::Cards, |key| key.0)?;
    board.candidates = rows(candidates, LogKind::Cards, |key| key.1)?;
    let bar = urgent.bar;
    board.urgent = rows(urgent, LogKind::Recommendations, |key| -key.2)?;
    board.left_out = bar.and_then(|bar| Some((bar.0, outside.get(&bar.0)?.unsigned_abs())));
    if rest.is_doubtful() {
        return None;
    }
    let shown = board.shown(ctx)?;
    Some((board, shown))
}

impl Board {
    fn count_unsorted(&mut self, touched: i64) {
        self.open += 1;
        if touched == UNDATED {
            self.undated += 1;
        } else if touched <= self.stale_until {
            self.stale += 1;
        } else {
            self.recent.push(touched);
        }
    }
}

/// The greatest keys of many.
#[derive(Default)]
struct Keys {
    rows: Vec<Key>,
    bar: Option<Key>,
}

impl Keys {
    /// Returns what is left out.
    fn offer(&mut self, key: Key) -> Option<Key> {
        if self.rows.len() == ROWS && self.rows.last().is_some_and(|last| *last > key) {
            self.bar = self.bar.max(Some(key));
            return Some(key);
        }
        let at = self.rows.partition_point(|other| *other > key);
        self.rows.insert(at, key);
        if self.rows.len() <= ROWS {
            return None;
        }
        let out = self.rows.pop();
        self.bar = self.bar.max(out);
        out
    }
}
