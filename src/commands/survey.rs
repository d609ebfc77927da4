//! What `review` counts and which items it shows, worked out from the columns of the index or from the items themselves.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::Snapshot;
use super::columns::{Standing, each_live, micros, standings};
use super::list::is_served;
use super::review::count;
use super::review::{Filter, exported_ids};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::facts::{self, Facts};
use crate::domain::fold::{Item, LogKind};
use crate::domain::normal::{CardStatus, Scope};
use crate::domain::recommendation;
use crate::domain::score::Counts;
use crate::domain::time::age_days;
use crate::store::index as store_index;

/// How many learnings the summary shows.
const LEARNINGS: usize = 10;
/// Most cards of one score whose titles are read to order them.
const MOST_EQUALS: usize = 4096;

/// Ids stand in the order in which they are shown, as many as may be shown; the counts are of all.
#[derive(Debug, Default)]
pub struct Survey {
    pub cards: usize,
    pub recommendations: usize,
    pub matching_cards: usize,
    pub matching_recommendations: usize,
    pub retired: usize,
    /// Cards ready to graduate.
    pub ready: usize,
    pub open: usize,
    pub open_project: usize,
    pub open_portable: usize,
    pub stale: usize,
    pub untouched: usize,
    /// Recommendations without a readable time.
    pub undated: usize,
    pub open_ids: Vec<String>,
    pub stale_ids: Vec<String>,
    pub untouched_ids: Vec<String>,
    pub by_score: Vec<String>,
    pub candidates: Vec<String>,
    pub learnings: Vec<String>,
    pub quarantined: Vec<String>,
    /// Recommendations that pass the filters.
    pub passing: Vec<String>,
}

/// One recommendation as it is counted and ordered. `item` tells it from the others.
struct Due<T> {
    item: T,
    position: usize,
    scope: Scope,
    priority: i64,
    days: Option<i64>,
    /// Days since it was made; `None` when it was touched since.
    untouched: Option<i64>,
}

impl Survey {
    /// The recommendations that are open.
    fn take_open<T>(
        &mut self,
        mut open: Vec<Due<T>>,
        args: &cli::Review,
        id: impl Fn(&T) -> Option<String>,
    ) -> Option<()> {
        let most = count(args.recs_limit).max(count(args.next_actions_limit));
        let is_stale = |due: &Due<T>| due.days.is_some_and(|days| days >= args.stale_days);
        self.open = open.len();
        self.open_portable = open
            .iter()
            .filter(|due| due.scope == Scope::Portable)
            .count();
        self.open_project = self.open - self.open_portable;
        self.stale = open.iter().filter(|due| is_stale(due)).count();
        self.untouched = open.iter().filter(|due| due.untouched.is_some()).count();
        let ids = |open: &[Due<T>], pass: &dyn Fn(&Due<T>) -> bool| -> Option<Vec<String>> {
            let shown = open.iter().filter(|due| pass(due)).take(most);
            shown.map(|due| id(&due.item)).collect()
        };
        open.sort_by_key(|due| (Reverse((due.priority, due.days.unwrap_or(0))), due.position));
        self.open_ids = ids(&open, &|_| true)?;
        open.sort_by_key(|due| (Reverse((due.days.unwrap_or(0), due.priority)), due.position));
        self.stale_ids = ids(&open, &is_stale)?;
        open.sort_by_key(|due| {
            (
                Reverse((due.priority, due.untouched.unwrap_or(0))),
                due.position,
            )
        });
        self.untouched_ids = ids(&open, &|due| due.untouched.is_some())?;
        Some(())
    }

    /// From every item.
    pub fn of_items(snapshot: &Snapshot, filter: &Filter, args: &cli::Review, ctx: &Ctx) -> Survey {
        let totals = snapshot.totals();
        let mut survey = Survey {
            cards: snapshot.cards.items.len(),
            recommendations: snapshot.recommendations.items.len(),
            ..Survey::default()
        };
        let mut open = Vec::new();
        for item in &snapshot.recommendations.items {
            let record = &item.record;
            let touched = recommendation::last_touched(record);
            let days = age_days(touched, ctx.now);
            survey.undated += usize::from(days.is_none());
            if totals.is_quarantined(&item.id) || !filter.passes(record, &[touched]) {
                continue;
            }
            let status = recommendation::status(record);
            if !filter.wants(&status) {
                continue;
            }
            survey.matching_recommendations += 1;
            survey.passing.push(item.id.clone());
            if status.is_open() {
                let untouched = item.versions == 1 && totals.recommendation(&item.id) == 0;
                let created = age_days(item.created_ts.as_deref(), ctx.now).unwrap_or(0);
                open.push(Due {
                    item,
                    position: item.position,
                    scope: recommendation::scope(record),
                    priority: recommendation::priority(record),
                    days,
                    untouched: untouched.then_some(created),
                });
            }
        }
        // Every item has an id.
        let _ = survey.take_open(open, args, |item| Some(item.id.clone()));
        survey.take_cards(snapshot, filter, args);
        survey
    }

    fn take_cards(&mut self, snapshot: &Snapshot, filter: &Filter, args: &cli::Review) {
        let totals = snapshot.totals();
        let exported = exported_ids(snapshot);
        let cards = snapshot.cards.items.iter();
        let mut passing: Vec<(&Item, &Counts)> = cards
            .map(|item| (item, totals.card(&item.id)))
            .filter(|(item, counts)| {
                filter.passes(&item.record, &[item.record.ts(), counts.last_ts.as_deref()])
            })
            .collect();
        self.matching_cards = passing.len();
        self.retired = passing
            .iter()
            .filter(|(item, _)| !is_served(item, totals))
            .count();
        passing.sort_by_cached_key(|(item, counts)| {
            (
                Reverse((counts.score(), item.record.title())),
                item.id.clone(),
            )
        });
        let held = |counts: &Counts| counts.quarantined;
        let ids = |shown: Vec<&(&Item, &Counts)>, most: usize| -> Vec<String> {
            shown
                .iter()
                .take(most)
                .map(|(item, _)| item.id.clone())
                .collect()
        };
        let unheld = passing.iter().filter(|(_, counts)| !held(counts)).collect();
        self.by_score = ids(unheld, count(args.top_aha_limit));
        let ready: Vec<_> = passing
            .iter()
            .filter(|(item, counts)| {
                is_served(item, totals)
                    && !exported.contains(item.id.as_str())
                    && is_candidate(
                        facts::of_card_record(&item.record),
                        Standing::of(counts),
                        args,
                    )
            })
            .collect();
        self.ready = ready.len();
        self.candidates = ids(ready, count(args.backport_limit));
        let mut recent: Vec<_> = passing
            .iter()
            .filter(|(item, _)| is_served(item, totals))
            .collect();
        recent.sort_by_key(|(item, counts)| Reverse((counts.score(), item.position)));
        self.learnings = ids(recent, LEARNINGS);
        let held_cards = passing.iter().filter(|(_, counts)| held(counts));
        self.quarantined = held_cards.map(|(item, _)| item.id.clone()).collect();
        let others = snapshot.recommendations.items.iter();
        let others = others.filter(|item| totals.is_quarantined(&item.id));
        self.quarantined.extend(others.map(|item| item.id.clone()));
    }

    /// From the columns of an index, without filters; `None` when they do not tell. Of what is kept out of recall only
    /// the number is right.
    pub fn of_columns(snapshot: &Snapshot, args: &cli::Review, ctx: &Ctx) -> Option<Survey> {
        let rest = snapshot.rest.as_deref()?;
        let totals = snapshot.totals();
        let standings = standings(rest, &rest.tail_totals);
        let none = Standing {
            score: 1,
            ..Standing::default()
        };
        let standing = |hash: &u64| standings.get(hash).copied().unwrap_or(none);
        let mut survey = Survey::default();
        let hashes = |items: &[Item]| -> HashSet<u64> {
            items
                .iter()
                .map(|item| store_index::id_hash(&item.id))
                .collect()
        };

        let held = hashes(&snapshot.recommendations.items);
        let mut several = HashSet::new();
        for segment in rest.recommendations.segments() {
            let dead = segment.ids().filter(|(_, record)| segment.is_dead(*record));
            several.extend(dead.map(|(hash, _)| hash));
        }
        let mut open = Vec::new();
        let mut take = |quarantined: bool,
                        facts: Facts,
                        [touched, made]: [i64; 2],
                        position: usize,
                        untouched: bool| {
            survey.recommendations += 1;
            let days = facts::age_days(touched, ctx.now);
            survey.undated += usize::from(days.is_none());
            if quarantined {
                survey.quarantined.push(String::new());
                return;
            }
            survey.matching_recommendations += 1;
            if facts.recommendation_status().is_open() {
                let created = facts::age_days(made, ctx.now).unwrap_or(0);
                open.push(Due {
                    item: position,
                    position,
                    scope: facts.scope(),
                    priority: facts.priority(),
                    days,
                    untouched: untouched.then_some(created),
                });
            }
        };
        each_live(
            &rest.recommendations,
            &held,
            |hash, facts, times, position| {
                let standing = standing(&hash);
                let untouched = !standing.touched && !several.contains(&hash);
                take(standing.quarantined, facts, times, position, untouched);
            },
        );
        for item in &snapshot.recommendations.items {
            let (facts, times) = facts::of_recommendation(&item.record);
            let created = micros(item.created_ts.as_deref());
            let untouched = item.versions == 1 && totals.recommendation(&item.id) == 0;
            let quarantined = totals.is_quarantined(&item.id);
            take(
                quarantined,
                facts,
                [times[0], created],
                item.position,
                untouched,
            );
        }
        let id_at = |kind: LogKind| move |position: &usize| snapshot.id_at(kind, *position);
        survey.take_open(open, args, id_at(LogKind::Recommendations))?;

        let exported: HashSet<u64> = exported_ids(snapshot)
            .iter()
            .map(|id| store_index::id_hash(id))
            .collect();
        let held = hashes(&snapshot.cards.items);
        let (mut by_score, mut ready, mut recent) = (Vec::new(), Vec::new(), Vec::new());
        let mut take = |hash: u64, standing: Standing, facts: Facts, position: usize| {
            survey.cards += 1;
            survey.matching_cards += 1;
            let served = facts.is_standing() && !standing.quarantined;
            if standing.quarantined {
                survey.quarantined.push(String::new());
            } else {
                by_score.push((standing.score, position));
            }
            if !served {
                survey.retired += 1;
                return;
            }
            recent.push((standing.score, position));
            if !exported.contains(&hash) && is_candidate(facts, standing, args) {
                survey.ready += 1;
                ready.push((standing.score, position));
            }
        };
        each_live(&rest.cards, &held, |hash, facts, _, position| {
            take(hash, standing(&hash), facts, position);
        });
        for item in &snapshot.cards.items {
            let standing = Standing::of(totals.card(&item.id));
            let facts = facts::of_card_record(&item.record);
            take(
                store_index::id_hash(&item.id),
                standing,
                facts,
                item.position,
            );
        }
        let id_at = id_at(LogKind::Cards);
        survey.by_score = ordered(snapshot, by_score, count(args.top_aha_limit))?;
        survey.candidates = ordered(snapshot, ready, count(args.backport_limit))?;
        recent.sort_unstable_by_key(|key| Reverse(*key));
        recent.truncate(LEARNINGS);
        survey.learnings = recent
            .iter()
            .map(|(_, position)| id_at(position))
            .collect::<Option<_>>()?;
        (!rest.is_doubtful()).then_some(survey)
    }
}

/// The first `most` of cards given by score and position: the greatest score, then title, first; equal ones by id.
fn ordered(snapshot: &Snapshot, mut cards: Vec<(i64, usize)>, most: usize) -> Option<Vec<String>> {
    if most == 0 || cards.is_empty() {
        return Some(Vec::new());
    }
    let last = most.min(cards.len()) - 1;
    cards.select_nth_unstable_by_key(last, |(score, _)| Reverse(*score));
    let least = cards[last].0;
    cards.retain(|(score, _)| *score >= least);
    if cards.len() > most + MOST_EQUALS {
        return None;
    }
    let mut named = Vec::with_capacity(cards.len());
    for (score, position) in cards {
        let (id, title) = snapshot.name_at(LogKind::Cards, position)?;
        named.push((Reverse((score, title)), id));
    }
    named.sort();
    named.truncate(most);
    Some(named.into_iter().map(|(_, id)| id).collect())
}

/// Proven enough to graduate: shareable, and scored, used, seen again, or accepted.
fn is_candidate(facts: Facts, standing: Standing, args: &cli::Review) -> bool {
    let status = facts.card_status();
    let proven = standing.score >= args.min_aha_score
        || standing.reinforced
        || standing.used
        || status == CardStatus::Accepted;
    status != CardStatus::Backported && facts.is_shareable() && proven
}

impl Snapshot {
    /// The id of what stands at a position.
    fn id_at(&self, kind: LogKind, position: usize) -> Option<String> {
        self.name_at(kind, position).map(|(id, _)| id)
    }

    /// Id and title of what stands at a position.
    fn name_at(&self, kind: LogKind, position: usize) -> Option<(String, String)> {
        let rest = self.rest.as_deref()?;
        let (log, indexed) = match kind {
            LogKind::Recommendations => (&self.recommendations, &rest.recommendations),
            _ => (&self.cards, &rest.cards),
        };
        if let Some(item) = log.items.iter().find(|item| item.position == position) {
            return Some((item.id.clone(), item.record.title()));
        }
        let entry = indexed.entry(u32::try_from(position).ok()?)?;
        Some((entry.id, entry.record.title()))
    }
}
