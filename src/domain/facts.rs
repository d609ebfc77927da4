//! What counting and ordering need to know of a record, packed into bits, so that it can be kept in a column.

use super::normal::{CardStatus, RecommendationStatus, Scope};
use super::record::Record;
use super::time::Timestamp;
use super::view::CardView;
use super::{card, recommendation};

const STATUS: u32 = 0b111;
const SUPERSEDED: u32 = 1 << 3;
const SHAREABLE: u32 = 1 << 4;
const PORTABLE: u32 = 1 << 5;
/// A recommendation's priority starts at this bit.
const PRIORITY: u32 = 8;

const CARD_STATUSES: [CardStatus; 5] = [
    CardStatus::Proposed,
    CardStatus::Accepted,
    CardStatus::Rejected,
    CardStatus::Deprecated,
    CardStatus::Backported,
];

/// Places of the retired ones among them.
const REJECTED: u32 = 2;
const DEPRECATED: u32 = 3;

const RECOMMENDATION_STATUSES: [RecommendationStatus; 6] = [
    RecommendationStatus::Proposed,
    RecommendationStatus::Accepted,
    RecommendationStatus::InProgress,
    RecommendationStatus::Done,
    RecommendationStatus::Rejected,
    RecommendationStatus::Deprecated,
];

/// No time, where one is meant.
pub const UNDATED: i64 = i64::MIN;

/// The facts of a card or recommendation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts(pub u32);

impl Facts {
    pub fn is_shareable(self) -> bool {
        self.0 & SHAREABLE != 0
    }

    pub fn is_superseded(self) -> bool {
        self.0 & SUPERSEDED != 0
    }

    pub fn scope(self) -> Scope {
        if self.0 & PORTABLE != 0 {
            Scope::Portable
        } else {
            Scope::Project
        }
    }

    pub fn card_status(self) -> CardStatus {
        let at = (self.0 & STATUS) as usize;
        CARD_STATUSES
            .get(at)
            .cloned()
            .unwrap_or(CardStatus::Proposed)
    }

    /// Whether a card is served to those who do not ask for retired ones, quarantine aside.
    pub fn is_standing(self) -> bool {
        let retired = [REJECTED, DEPRECATED].contains(&(self.0 & STATUS));
        !retired && !self.is_superseded()
    }

    pub fn recommendation_status(self) -> RecommendationStatus {
        let at = (self.0 & STATUS) as usize;
        let status = RECOMMENDATION_STATUSES.get(at).cloned();
        status.unwrap_or(RecommendationStatus::Proposed)
    }

    pub fn priority(self) -> i64 {
        i64::from(self.0 >> PRIORITY)
    }
}

fn with_scope(facts: u32, scope: Scope) -> u32 {
    facts
        | if scope == Scope::Portable {
            PORTABLE
        } else {
            0
        }
}

/// The facts of a card.
pub fn of_card(card: &CardView<'_>) -> Facts {
    let at = CARD_STATUSES
        .iter()
        .position(|status| *status == card.status);
    let mut facts = at.unwrap_or(0) as u32;
    if card.is_superseded {
        facts |= SUPERSEDED;
    }
    if card.is_shareable {
        facts |= SHAREABLE;
    }
    Facts(with_scope(facts, card.scope))
}

/// The facts of a card read whole.
pub fn of_card_record(record: &Record) -> Facts {
    let status = card::status(record);
    let at = CARD_STATUSES.iter().position(|known| *known == status);
    let mut facts = at.unwrap_or(0) as u32;
    if record.filled("superseded_by").is_some() {
        facts |= SUPERSEDED;
    }
    if record.flag("shareable") {
        facts |= SHAREABLE;
    }
    Facts(with_scope(facts, card::scope(record)))
}

/// The facts of a recommendation, and when it was last touched and written, in microseconds since 1970.
pub fn of_recommendation(record: &Record) -> (Facts, [i64; 2]) {
    let status = recommendation::status(record);
    let at = RECOMMENDATION_STATUSES
        .iter()
        .position(|known| *known == status);
    let priority = u32::try_from(recommendation::priority(record)).unwrap_or_default();
    let facts = at.unwrap_or(0) as u32 | priority << PRIORITY;
    let time = |text: Option<&str>| {
        text.and_then(Timestamp::parse)
            .map_or(UNDATED, |time| time.moment().timestamp_micros())
    };
    (
        Facts(with_scope(facts, recommendation::scope(record))),
        [
            time(recommendation::last_touched(record)),
            time(record.ts()),
        ],
    )
}

/// Whole days between a moment in microseconds and `now`; `None` for [`UNDATED`].
pub fn age_days(micros: i64, now: Timestamp) -> Option<i64> {
    (micros != UNDATED).then(|| {
        let span = now.moment().timestamp_micros().saturating_sub(micros);
        (span / 1_000_000).max(0) / 86_400
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retired_ones_do_not_stand() {
        for (at, status) in CARD_STATUSES.iter().enumerate() {
            let facts = Facts(at as u32);
            assert_eq!(facts.card_status(), *status);
            assert_eq!(facts.is_standing(), !status.is_retired());
            assert!(!Facts(at as u32 | SUPERSEDED).is_standing());
        }
    }
}
