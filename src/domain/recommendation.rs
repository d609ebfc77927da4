//! Recommendations: priority, and which captures are the same one.

use serde_json::Value;

use super::equivalence::word_overlap;
use super::normal::{self, RecommendationStatus, Scope};
use super::record::Record;

pub fn status(record: &Record) -> RecommendationStatus {
    RecommendationStatus::of(record.0.get("status"))
}

pub fn scope(record: &Record) -> Scope {
    Scope::of(record.0.get("scope"))
}

pub fn skill(record: &Record) -> String {
    record
        .filled("primary_skill")
        .unwrap_or(normal::UNKNOWN_SKILL)
        .to_owned()
}

/// 10 × speed + quality, each high 3, medium 2, low 1, else 0.
pub fn priority(record: &Record) -> i64 {
    let level = |key: &str| {
        let impact = record
            .0
            .get("expected_impact")
            .and_then(|impact| impact.get(key));
        match impact
            .and_then(Value::as_str)
            .map(|text| text.trim().to_lowercase())
            .as_deref()
        {
            Some("high") => 3,
            Some("medium") => 2,
            Some("low") => 1,
            _ => 0,
        }
    };
    10 * level("speed") + level("quality")
}

/// When a recommendation was last touched: `last_touched_ts`, else `ts`.
pub fn last_touched(record: &Record) -> Option<&str> {
    record
        .filled("last_touched_ts")
        .or_else(|| record.filled("ts"))
}

/// Whether two captures with the same key also give the same reason: two that share a short title can
/// mean different work.
pub fn same_reason(stored: &Record, incoming: &Record) -> bool {
    let text = |record: &Record| record.display("why").unwrap_or_default();
    word_overlap(&text(stored), &text(incoming)) >= 0.5
}
