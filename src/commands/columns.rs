//! What all cards and recommendations of a store with an index are, without reading them: the columns of its segments and
//! the sums of its signals.

use std::collections::{HashMap, HashSet};

use super::partial::Rest;
use crate::domain::facts::{Facts, UNDATED};
use crate::domain::score::{Counts, Tally, Totals};
use crate::domain::time::Timestamp;
use crate::store::index::{self as store_index, IndexedLog};

/// What counts of one card's signals.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing {
    pub score: i64,
    pub used: bool,
    pub reinforced: bool,
    pub quarantined: bool,
    /// A person touched it, a recommendation.
    pub touched: bool,
}

impl Standing {
    pub fn of(counts: &Counts) -> Standing {
        Standing {
            score: counts.score(),
            used: counts.of("aha_used") > 0,
            reinforced: counts.of("aha_reinforced") > 0,
            quarantined: counts.quarantined,
            touched: false,
        }
    }
}

/// The signals of a store, by the hash of the id they are about.
pub fn standings(rest: &Rest, tail: &Totals) -> HashMap<u64, Standing> {
    let mut sums: HashMap<u64, Standing> = HashMap::new();
    let mut add = |hash: u64, tally: &Tally| {
        let more = Standing::of(&tally.counts);
        let sum = sums.entry(hash).or_insert(Standing {
            score: 1,
            ..Standing::default()
        });
        sum.score += more.score - 1;
        sum.used |= more.used;
        sum.reinforced |= more.reinforced;
        sum.touched |= tally.touches > 0;
        if tally.counts.quarantined || tally.counts.released {
            sum.quarantined = more.quarantined;
        }
    };
    for segment in rest.signals.segments() {
        segment.tallies(|hash, tally| add(hash, &tally));
    }
    for (id, tally) in tail.items() {
        add(store_index::id_hash(id), tally);
    }
    sums
}

/// A stored time in microseconds since 1970.
pub fn micros(text: Option<&str>) -> i64 {
    text.and_then(Timestamp::parse)
        .map_or(UNDATED, |time| time.moment().timestamp_micros())
}

/// Calls `visit` with the hash of the id, the facts, the moments and the position of every current indexed record
/// whose id is not among `held`.
pub fn each_live(
    log: &IndexedLog,
    held: &HashSet<u64>,
    mut visit: impl FnMut(u64, Facts, [i64; 2], usize),
) {
    for (at, segment) in log.segments().iter().enumerate() {
        let facts: Vec<u32> = segment.facts().collect();
        let times: Vec<[i64; 2]> = segment.times().collect();
        let base = log.base(at) as usize;
        for (hash, record) in segment.ids() {
            if segment.is_dead(record) || held.contains(&hash) {
                continue;
            }
            let number = record as usize;
            let Some(own) = facts.get(number) else {
                segment.doubt();
                return;
            };
            let time = times.get(number).copied().unwrap_or([UNDATED; 2]);
            visit(hash, Facts(*own), time, base + number);
        }
    }
}
