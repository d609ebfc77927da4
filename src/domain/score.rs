//! Signals added up per card and per recommendation, in one pass, and the score they give.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use super::record::Record;

/// Signal kinds that count for a card, in the order they are explained, each with its weight.
pub const WEIGHTS: [(&str, i64); 5] = [
    ("aha_used", 2),
    ("aha_recalled", 1),
    ("aha_reinforced", 1),
    ("aha_promoted", 1),
    ("aha_backported", 2),
];

/// Every kind `signal` takes.
pub const KINDS: [&str; 8] = [
    "aha_backported",
    "aha_promoted",
    "aha_recalled",
    "aha_reinforced",
    "aha_used",
    "rec_done",
    "rec_touched",
    "rec_used",
];

/// How often each kind in [`WEIGHTS`] was seen for one card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub by_kind: [i64; 5],
    /// `ts` of the latest signal that says the card was of use.
    pub last_ts: Option<String>,
    /// Kept out of recall until a person releases it.
    pub quarantined: bool,
    /// A person has read it and found it harmless.
    pub released: bool,
}

impl Counts {
    pub fn of(&self, kind: &str) -> i64 {
        let at = WEIGHTS.iter().position(|(name, _)| *name == kind);
        at.map_or(0, |at| self.by_kind[at])
    }

    /// 1 + the weighted counts.
    pub fn score(&self) -> i64 {
        let weighted = self
            .by_kind
            .iter()
            .zip(WEIGHTS)
            .map(|(count, (_, weight))| count * weight);
        1 + weighted.sum::<i64>()
    }

    /// `Score 5 = base 1 + aha_used×2 (4)`: a person must be able to argue with the number.
    pub fn explain(&self) -> String {
        let mut text = format!("Score {} = base 1", self.score());
        for (count, (kind, weight)) in self.by_kind.iter().zip(WEIGHTS) {
            if *count > 0 {
                text.push_str(&format!(" + {kind}×{count} ({})", count * weight));
            }
        }
        text
    }
}

/// All that signals say of one card or one recommendation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub counts: Counts,
    /// How often people touched it, a recommendation.
    pub touches: i64,
    /// How often it was captured again, a recommendation.
    pub recaptures: i64,
}

impl Tally {
    /// Take in what later signals say.
    pub fn absorb(&mut self, later: Tally) {
        let counts = &mut self.counts;
        for (sum, more) in counts.by_kind.iter_mut().zip(later.counts.by_kind) {
            *sum += more;
        }
        if later.counts.last_ts > counts.last_ts {
            counts.last_ts = later.counts.last_ts;
        }
        if later.counts.quarantined || later.counts.released {
            counts.quarantined = later.counts.quarantined;
            counts.released = later.counts.released;
        }
        self.touches += later.touches;
        self.recaptures += later.recaptures;
    }
}

/// All signals of a store, added up.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// By id; ids of cards and of recommendations do not meet.
    items: HashMap<String, Tally>,
    /// Readable signal lines.
    pub lines: usize,
    /// Set when only some items are held: the others that were asked for.
    pub asked: Option<RefCell<BTreeSet<String>>>,
    none: Tally,
}

impl Totals {
    /// Add one signal record.
    pub fn add_record(&mut self, record: &Record) {
        self.add(
            record.text("kind"),
            record.filled("aha_id"),
            record.filled("rec_id"),
            record.ts(),
        );
    }

    /// Add one signal by its fields.
    pub fn add(
        &mut self,
        kind: Option<&str>,
        card: Option<&str>,
        recommendation: Option<&str>,
        ts: Option<&str>,
    ) {
        self.lines += 1;
        let kind = kind.unwrap_or_default();
        if let Some(id) = card.map(str::trim).filter(|id| !id.is_empty()) {
            let counts = &mut self.entry(id).counts;
            match kind {
                QUARANTINED_CARD => (counts.quarantined, counts.released) = (true, false),
                RELEASED_CARD => (counts.quarantined, counts.released) = (false, true),
                _ => {}
            }
            if let Some(at) = WEIGHTS.iter().position(|(name, _)| *name == kind) {
                counts.by_kind[at] += 1;
                if ts > counts.last_ts.as_deref() {
                    counts.last_ts = ts.map(str::to_owned);
                }
            }
        }
        let Some(id) = recommendation.map(str::trim).filter(|id| !id.is_empty()) else {
            return;
        };
        let tally = self.entry(id);
        match kind {
            QUARANTINED_RECOMMENDATION | RELEASED_RECOMMENDATION => {
                // Neither kind is a touch.
                tally.counts.quarantined = kind == QUARANTINED_RECOMMENDATION;
                tally.counts.released = !tally.counts.quarantined;
            }
            // A second capture by an agent is no touch by a person.
            REINFORCED_RECOMMENDATION => tally.recaptures += 1,
            _ => tally.touches += 1,
        }
    }

    /// Most signals are about an item that was seen before; only a new one costs a key.
    fn entry(&mut self, id: &str) -> &mut Tally {
        if !self.items.contains_key(id) {
            self.items.insert(id.to_owned(), Tally::default());
        }
        self.items.get_mut(id).expect("just inserted")
    }

    /// Take in what later signals say of an item.
    pub fn absorb(&mut self, id: &str, later: Tally) {
        self.entry(id).absorb(later);
    }

    /// Every item that signals are about.
    pub fn items(&self) -> impl Iterator<Item = (&str, &Tally)> {
        self.items.iter().map(|(id, tally)| (id.as_str(), tally))
    }

    /// What is known of an item; `None` when no signal is about it.
    pub fn get(&self, id: &str) -> Option<&Tally> {
        self.items.get(id)
    }

    fn tally(&self, id: &str) -> &Tally {
        self.items.get(id).unwrap_or_else(|| {
            if let Some(asked) = &self.asked {
                asked.borrow_mut().insert(id.to_owned());
            }
            &self.none
        })
    }

    pub fn card(&self, id: &str) -> &Counts {
        &self.tally(id).counts
    }

    /// Whether a card or a recommendation is kept out until a person releases it.
    pub fn is_quarantined(&self, id: &str) -> bool {
        self.card(id).quarantined
    }

    pub fn recommendation(&self, id: &str) -> i64 {
        self.tally(id).touches
    }

    pub fn recaptured(&self, id: &str) -> i64 {
        self.tally(id).recaptures
    }
}

/// The kind that says a recommendation was captured again; readers of v1 stores skip it.
pub const REINFORCED_RECOMMENDATION: &str = "rec_reinforced";

/// The kinds that keep a card out of recall, and let it back in; readers of v1 stores skip them.
pub const QUARANTINED_CARD: &str = "aha_quarantined";
pub const RELEASED_CARD: &str = "aha_released";
/// The same for recommendations.
pub const QUARANTINED_RECOMMENDATION: &str = "rec_quarantined";
pub const RELEASED_RECOMMENDATION: &str = "rec_released";
