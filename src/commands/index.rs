//! What INDEX.md shows of a store.

use super::Snapshot;
use super::list::is_served;
use super::review::exported_ids;
use crate::ctx::Ctx;
use crate::domain::card;
use crate::domain::fold::Item;
use crate::domain::normal::CardStatus;
use crate::domain::recommendation;
use crate::domain::time::age_days;
use crate::report::{Index, IndexLine};

/// Days without a touch after which an open recommendation is stale.
pub const STALE_DAYS: i64 = 7;
/// Score from which a card is ready to graduate.
pub const PROVEN_SCORE: i64 = 4;

/// One pass over the cards and one over the recommendations.
pub fn of(snapshot: &Snapshot, ctx: &Ctx) -> Index {
    let totals = snapshot.totals();
    let exported = exported_ids(snapshot);
    let served: Vec<(&Item, i64)> = snapshot
        .cards
        .items
        .iter()
        .filter(|item| is_served(item, totals))
        .map(|item| (item, totals.card(&item.id).score()))
        .collect();
    let mut top = served.clone();
    top.sort_by_key(|(item, score)| std::cmp::Reverse((*score, item.position)));
    let mut latest = served.clone();
    latest.sort_by_key(|(item, _)| std::cmp::Reverse(item.position));
    let candidates = top.iter().filter(|(item, score)| {
        let counts = totals.card(&item.id);
        let proven = *score >= PROVEN_SCORE
            || counts.of("aha_reinforced") >= 1
            || counts.of("aha_used") >= 1;
        let standing = card::status(&item.record) == CardStatus::Backported
            || exported.contains(item.id.as_str());
        item.record.flag("shareable") && proven && !standing
    });
    let candidates = candidates
        .take(4)
        .map(|(item, score)| line(item, candidate_detail(*score, &card::skill(&item.record))))
        .collect();
    let shown: Vec<&Item> = top.iter().take(8).map(|(item, _)| *item).collect();
    let mut open: Vec<(&Item, Option<i64>)> = snapshot
        .recommendations
        .items
        .iter()
        .filter(|item| recommendation::status(&item.record).is_open())
        .filter(|item| !totals.is_quarantined(&item.id))
        .map(|item| {
            (
                item,
                age_days(recommendation::last_touched(&item.record), ctx.now),
            )
        })
        .collect();
    open.sort_by_cached_key(|(item, days)| {
        let urgency = (recommendation::priority(&item.record), days.unwrap_or(0));
        (std::cmp::Reverse(urgency), item.position)
    });
    let is_stale = |days: &Option<i64>| days.is_some_and(|days| days >= STALE_DAYS);
    Index {
        day: ctx.now.to_day(),
        cards: served.len(),
        open_recommendations: open.len(),
        stale_recommendations: open.iter().filter(|(_, days)| is_stale(days)).count(),
        top: top
            .iter()
            .take(8)
            .map(|(item, score)| line(item, score_detail(*score)))
            .collect(),
        latest: latest
            .iter()
            .filter(|(item, _)| !shown.iter().any(|top| top.id == item.id))
            .take(5)
            .map(|(item, _)| line(item, format!("{})", item.record.ts().unwrap_or("no time"))))
            .collect(),
        open: open
            .iter()
            .take(5)
            .map(|(item, days)| {
                let status = recommendation::status(&item.record);
                let scope = recommendation::scope(&item.record);
                line(item, open_detail(status.as_str(), scope.as_str(), *days))
            })
            .collect(),
        candidates,
    }
}

/// What stands behind the id of a card.
pub fn score_detail(score: i64) -> String {
    format!("score {score})")
}

/// What stands behind the id of a card that is ready to graduate.
pub fn candidate_detail(score: i64, skill: &str) -> String {
    format!("score {score}) [{skill}]")
}

/// What stands behind the id of an open recommendation.
pub fn open_detail(status: &str, scope: &str, days: Option<i64>) -> String {
    let age = days.map_or_else(|| "unknown age".to_owned(), |days| format!("{days}d ago"));
    let is_stale = days.is_some_and(|days| days >= STALE_DAYS);
    format!(
        "{status}, {scope}, {age}{})",
        if is_stale { ", stale" } else { "" }
    )
}

fn line(item: &Item, detail: String) -> IndexLine {
    IndexLine {
        title: item.record.title(),
        id: item.id.clone(),
        detail,
    }
}
