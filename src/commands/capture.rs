//! What recording a payload appends: the payload meets the store.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::payload::{Item, Payload};
use super::{Snapshot, Target, signal_record};
use crate::ctx::Ctx;
use crate::domain::card;
use crate::domain::equivalence::{KeyTable, Sieve, v1_key, wanted_hashes};
use crate::domain::fold::LogKind;
use crate::domain::ids;
use crate::domain::json::{python_text, truthy};
use crate::domain::normal::{self, CardStatus, RecommendationStatus, Scope};
use crate::domain::recommendation;
use crate::domain::record::Record;
use crate::domain::score::{QUARANTINED_CARD, REINFORCED_RECOMMENDATION};
use crate::domain::tombstone;
use crate::guard;
use crate::report::{IdError, InvalidId, ItemResult, Outcome, UsageSignals};
use crate::store::Batch;

/// The payload meets the store.
pub struct Decider<'a> {
    snapshot: &'a Snapshot,
    ctx: &'a Ctx,
    options: guard::Options,
    /// Current versions of what this batch wrote.
    cards: HashMap<String, Record>,
    recommendations: HashMap<String, Record>,
    out: Decision,
}

/// What recording a payload appends and answers.
#[derive(Default)]
pub struct Decision {
    pub batch: Batch,
    pub results: Vec<ItemResult>,
    pub usage: UsageSignals,
    pub redactions: Vec<Value>,
    pub notes: Vec<String>,
}

/// An item that may be recorded.
struct Admitted {
    item: Item,
    map: Map<String, Value>,
    verdict: guard::Verdict,
    /// The fields it states itself.
    stated: Vec<String>,
}

impl<'a> Decider<'a> {
    pub fn new(snapshot: &'a Snapshot, ctx: &'a Ctx, options: guard::Options) -> Self {
        Decider {
            snapshot,
            ctx,
            options,
            cards: HashMap::new(),
            recommendations: HashMap::new(),
            out: Decision::default(),
        }
    }

    /// Pure: nothing is written here.
    pub fn decide(mut self, payload: Payload, global_ids: &HashSet<String>) -> Decision {
        self.out.notes.clone_from(&payload.notes);
        // Lines stand alone: what one says of a skill is not meant for another.
        let mut default_skill = (!payload.by_lines)
            .then(|| default_skill(&payload))
            .flatten();
        if let Some(skill) = &mut default_skill {
            self.admit_text(skill, "primary_skill");
        }
        let event_id = payload
            .event
            .clone()
            .and_then(|event| self.event(event, default_skill.as_deref()));
        self.record_cards(payload.cards, default_skill.as_deref());
        self.record_recommendations(payload.recommendations, default_skill.as_deref());
        // Refusals come first out of the gate; answers stand in the order of the items.
        let rank = |item: &ItemResult| {
            let kinds = ["event", "aha_card", "recommendation"];
            (kinds.iter().position(|kind| *kind == item.kind), item.index)
        };
        self.out.results.sort_by_key(rank);
        let mut source = payload.usage_source.unwrap_or_else(|| "agent".to_owned());
        self.admit_text(&mut source, "usage_source");
        let context = payload
            .usage_context
            .or_else(|| event_id.map(|id| format!("event_id={id}")));
        let mut context = context.unwrap_or_default();
        self.admit_text(&mut context, "usage_context");
        self.use_ids(&payload.used_cards, "aha_", &source, &context, global_ids);
        self.use_ids(
            &payload.used_recommendations,
            "rec_",
            &source,
            &context,
            global_ids,
        );
        self.out
    }

    fn admit_text(&mut self, text: &mut String, path: &str) {
        // A text beside the items is no reason to refuse them: what hides goes, and what is too long is cut.
        let mut verdict = guard::admit_text(text, path, self.options);
        if guard::invisible::find(text).is_some() {
            *text = guard::invisible::strip(text).into_owned();
            verdict = guard::admit_text(text, path, self.options);
            self.out
                .notes
                .push(format!("hidden characters were removed from `{path}`"));
        }
        if text.len() > guard::limits::TEXT_BYTES {
            let whole = |at: &usize| text.is_char_boundary(*at);
            let end = (0..=guard::limits::TEXT_BYTES).rev().find(whole);
            text.truncate(end.unwrap_or_default());
            self.out
                .notes
                .push(format!("`{path}` was too long and was cut"));
        }
        self.note_redactions(&verdict, path, None);
    }

    fn note_redactions(&mut self, verdict: &guard::Verdict, what: &str, id: Option<&str>) {
        for found in &verdict.redactions {
            self.out.redactions.push(json!({
                "item": what, "id": id, "class": found.class, "field": found.path, "offset": found.offset,
            }));
        }
        self.out
            .notes
            .extend(verdict.notes.iter().map(|note| format!("{what}: {note}")));
    }

    fn push(&mut self, kind: LogKind, record: Record) {
        self.out.batch.entry(kind).or_default().push(record);
    }

    fn signal(
        &mut self,
        kind: &str,
        target: Target<'_>,
        source: &str,
        context: Option<&str>,
    ) -> Record {
        let record = signal_record(self.ctx, kind, target, source, context);
        self.push(LogKind::Signals, record.clone());
        record
    }

    /// The object of an item that may be recorded, or its refusal in the results.
    fn admit(
        &mut self,
        kind: &'static str,
        item: Item,
    ) -> Option<(Item, Map<String, Value>, guard::Verdict)> {
        let guard_kind = match kind {
            "event" => guard::Kind::Event,
            "aha_card" => guard::Kind::Card,
            _ => guard::Kind::Recommendation,
        };
        let mut map = match item.value.clone() {
            Ok(map) => map,
            Err(reason) => {
                self.refuse(kind, &item, None, reason, None);
                return None;
            }
        };
        let verdict = guard::admit(&mut map, guard_kind, self.options);
        let title = map.get("title").and_then(Value::as_str).map(str::to_owned);
        if let Some(refusal) = verdict.refusals.first() {
            self.refuse(
                kind,
                &item,
                title,
                refusal.message.clone(),
                Some(refusal.hint.clone()),
            );
            return None;
        }
        if self.snapshot.is_purged(&Record(map.clone())) {
            let why = "this text was purged from the store and is not taken in again".to_owned();
            let hint = "leave out what was purged, or write it anew".to_owned();
            self.refuse(kind, &item, None, why, Some(hint));
            return None;
        }
        let says_something = map.iter().any(|(key, value)| {
            !matches!(
                key.as_str(),
                "id" | "ts" | "status" | "scope" | "primary_skill"
            ) && truthy(value)
        });
        if !says_something {
            let hint = "give it a title: {\"title\":\"…\",\"when_to_use\":\"…\"}".to_owned();
            self.refuse(
                kind,
                &item,
                None,
                format!("the {kind} is empty"),
                Some(hint),
            );
            return None;
        }
        Some((item, map, verdict))
    }

    /// The items of a list that may be recorded.
    fn admit_all(
        &mut self,
        kind: &'static str,
        items: Vec<Item>,
        default_skill: Option<&str>,
    ) -> Vec<Admitted> {
        let admitted = items.into_iter().filter_map(|item| self.admit(kind, item));
        admitted
            .map(|(item, mut map, verdict)| {
                let stated = map.keys().cloned().collect();
                set_skill_and_scope(&mut map, default_skill);
                Admitted {
                    item,
                    map,
                    verdict,
                    stated,
                }
            })
            .collect()
    }

    fn refuse(
        &mut self,
        kind: &'static str,
        item: &Item,
        title: Option<String>,
        why: String,
        hint: Option<String>,
    ) {
        // What is refused may still hold a secret, in pieces that hidden characters keep apart.
        let title = title.map(|title| {
            let visible = guard::invisible::strip(&title).into_owned();
            let masked = guard::secrets::redact(&visible).0;
            guard::markdown::terminal(&masked)
                .chars()
                .take(80)
                .collect()
        });
        self.out.results.push(ItemResult {
            kind,
            index: item.index,
            line: item.line,
            outcome: Outcome::Refused,
            id: None,
            title,
            why: Some(why),
            hint,
        });
    }

    fn event(&mut self, event: Map<String, Value>, default_skill: Option<&str>) -> Option<String> {
        let item = Item {
            index: 0,
            line: None,
            value: Ok(event),
        };
        let (item, mut map, verdict) = self.admit("event", item)?;
        let skill = default_skill.unwrap_or(normal::UNKNOWN_SKILL);
        map.insert("primary_skill".to_owned(), Value::from(skill));
        set_default(&mut map, "ts", || self.ctx.now.to_text().into());
        let taken = |id: &str| self.snapshot.has_event(id);
        let id = given_id(&map).unwrap_or_else(|| ids::free_id(&ids::event_id(&map), taken));
        map.insert("id".to_owned(), Value::from(id.clone()));
        let title = map
            .get("task_summary")
            .and_then(Value::as_str)
            .map(str::to_owned);
        self.note_redactions(&verdict, "event", Some(&id));
        self.push(LogKind::Events, Record(map));
        self.result("event", &item, Outcome::Created, &id, title, None);
        Some(id)
    }

    fn result(
        &mut self,
        kind: &'static str,
        item: &Item,
        outcome: Outcome,
        id: &str,
        title: Option<String>,
        why: Option<String>,
    ) {
        self.out.results.push(ItemResult {
            kind,
            index: item.index,
            line: item.line,
            outcome,
            id: Some(id.to_owned()),
            title,
            why,
            hint: None,
        });
    }

    fn current_card(&self, id: &str) -> Option<&Record> {
        self.cards
            .get(id)
            .or_else(|| self.snapshot.cards.get(id).map(|item| &item.record))
    }

    fn record_cards(&mut self, items: Vec<Item>, default_skill: Option<&str>) {
        if items.is_empty() {
            return;
        }
        let admitted = self.admit_all("aha_card", items, default_skill);
        let maps = || admitted.iter().map(|admitted| &admitted.map);
        self.snapshot
            .cards
            .ask_for_keys(maps().flat_map(wanted_hashes));
        let sieve = Sieve::of(maps());
        let mut keys = KeyTable::default();
        for line in self.snapshot.cards.lines() {
            if sieve.may_match(&line.record.0) {
                keys.insert(line.id, &line.record.0);
            }
        }
        for admitted in admitted {
            self.card(admitted, &mut keys);
        }
    }

    fn card(&mut self, admitted: Admitted, keys: &mut KeyTable) {
        let Admitted {
            item,
            mut map,
            verdict,
            stated,
        } = admitted;
        set_default(&mut map, "ts", || self.ctx.now.to_text().into());
        let matched = keys.find(&map).map(str::to_owned);
        let given = given_id(&map);
        let (id, outcome, why) =
            if let Some(id) = matched.filter(|id| self.current_card(id).is_some()) {
                let (outcome, why) = self.capture_again(&id, &map, &stated);
                (id, outcome, why)
            } else if let Some(id) = given.clone().filter(|id| self.is_living_card(id)) {
                let (outcome, why) = self.update_by_id(&id, &map, &stated);
                (id, outcome, why)
            } else {
                let (id, why) = self.new_card(map.clone(), given);
                (id, Outcome::Created, why)
            };
        keys.insert(&id, &map);
        if verdict.is_quarantined() && outcome != Outcome::Reinforced {
            let classes: Vec<&str> = verdict
                .directive
                .reasons
                .iter()
                .map(|reason| reason.class)
                .collect();
            let context = format!("score {}: {}", verdict.directive.score, classes.join(", "));
            self.signal(QUARANTINED_CARD, Target::Card(&id), "guard", Some(&context));
            self.out.notes.push(format!(
                "{id} is quarantined ({}): its text commands the reader; a person can clear it with: \
                 self-learning release --id {id} --reason \"…\"",
                classes.join(", ")
            ));
        }
        self.note_redactions(&verdict, "aha_card", Some(&id));
        let title = map.get("title").and_then(Value::as_str).map(str::to_owned);
        self.result("aha_card", &item, outcome, &id, title, why);
    }

    /// Whether an id is a card's; a tombstone is not brought back to life.
    fn is_living_card(&self, id: &str) -> bool {
        self.current_card(id)
            .is_some_and(|card| tombstone::digest_of(card).is_none())
    }

    fn new_card(
        &mut self,
        mut map: Map<String, Value>,
        given: Option<String>,
    ) -> (String, Option<String>) {
        let mut why = None;
        let derived = ids::item_id("aha_", &map);
        let id = match given {
            Some(id) if nameable(&id) && self.current_card(&id).is_none() => id,
            Some(id) if nameable(&id) => {
                why = Some(format!("{id} was purged; the card has an id of its own"));
                ids::free_id(&derived, |id| self.current_card(id).is_some())
            }
            Some(id) => {
                let shown: String = guard::markdown::terminal(&id).chars().take(40).collect();
                why = Some(format!(
                    "the id `{shown}` cannot be typed on a command line; a derived one is used"
                ));
                ids::free_id(&derived, |id| self.current_card(id).is_some())
            }
            None => ids::free_id(&derived, |id| self.current_card(id).is_some()),
        };
        map.insert("id".to_owned(), Value::from(id.clone()));
        let status = CardStatus::of(map.get("status"));
        if let CardStatus::Other(text) = &status {
            map.insert("status_given".to_owned(), Value::from(text.clone()));
            why = Some(format!(
                "the status `{text}` is not known; the card is proposed"
            ));
        }
        map.insert("status".to_owned(), Value::from(status.as_str()));
        if !map.get("title").is_some_and(truthy) {
            why = Some("the card has no title; give it one with: self-learning edit".to_owned());
        }
        let record = Record(map);
        self.cards.insert(id.clone(), record.clone());
        self.push(LogKind::Cards, record);
        (id, why)
    }

    /// The same learning again: merge what is new, and count it.
    fn capture_again(
        &mut self,
        id: &str,
        map: &Map<String, Value>,
        stated: &[String],
    ) -> (Outcome, Option<String>) {
        let Some(current) = self.current_card(id).cloned() else {
            return (Outcome::Refused, None);
        };
        let mut merge = card::merge(&current, &Record(map.clone()));
        merge.kept.retain(|field| stated.contains(field));
        let mut why = Vec::new();
        if given_id(map).is_some_and(|given| given != id) {
            why.push(format!("tells the same as {id}, which keeps its id"));
        }
        if merge.changed {
            let record = merge.record.with("ts", self.ctx.now.to_text());
            self.cards.insert(id.to_owned(), record.clone());
            self.push(LogKind::Cards, record);
        }
        let context = format!("equivalent capture observed (key={})", v1_key(map));
        self.signal("aha_reinforced", Target::Card(id), "agent", Some(&context));
        if !merge.kept.is_empty() {
            why.push(format!(
                "the card keeps its own {}; change it with: self-learning edit --id {id}",
                merge.kept.join(", ")
            ));
        }
        let status = card::status(&current);
        if status.is_retired() {
            let note = current
                .filled("note")
                .map(|note| format!(" ({note})"))
                .unwrap_or_default();
            why.push(format!(
                "the card is {}{note} and stays so; reopen it with: self-learning aha-status --id {id} --status proposed",
                status.as_str()
            ));
        }
        let outcome = if merge.says_more {
            Outcome::Merged
        } else {
            Outcome::Reinforced
        };
        (outcome, (!why.is_empty()).then(|| why.join("; ")))
    }

    /// A payload that names a stored card: the fields it states win, the others stay.
    fn update_by_id(
        &mut self,
        id: &str,
        map: &Map<String, Value>,
        stated: &[String],
    ) -> (Outcome, Option<String>) {
        let Some(current) = self.current_card(id).cloned() else {
            return (Outcome::Refused, None);
        };
        let mut updated = stated_over(current.clone(), map, stated);
        let status = CardStatus::of(updated.0.get("status"));
        updated = updated.with("status", status.as_str());
        if updated == current {
            return (
                Outcome::Reinforced,
                Some("nothing new: the card already says this".to_owned()),
            );
        }
        let updated = updated.with("ts", map.get("ts").cloned().unwrap_or_default());
        self.cards.insert(id.to_owned(), updated.clone());
        self.push(LogKind::Cards, updated);
        (
            Outcome::Merged,
            Some(format!(
                "the given fields replace those of {id}; the others stay"
            )),
        )
    }

    fn current_recommendation(&self, id: &str) -> Option<&Record> {
        let stored = || {
            self.snapshot
                .recommendations
                .get(id)
                .map(|item| &item.record)
        };
        self.recommendations.get(id).or_else(stored)
    }

    fn record_recommendations(&mut self, items: Vec<Item>, default_skill: Option<&str>) {
        if items.is_empty() {
            return;
        }
        let admitted = self.admit_all("recommendation", items, default_skill);
        let maps = || admitted.iter().map(|admitted| &admitted.map);
        let stored = &self.snapshot.recommendations;
        stored.ask_for_keys(maps().flat_map(wanted_hashes));
        let sieve = Sieve::of(maps());
        let mut keys = KeyTable::default();
        // Closed ones do not stand in for new work, but rejected ones are remembered.
        for stored in &self.snapshot.recommendations.items {
            let closed = matches!(
                recommendation::status(&stored.record),
                RecommendationStatus::Done | RecommendationStatus::Deprecated
            );
            if !closed && sieve.may_match(&stored.record.0) {
                keys.insert(&stored.id, &stored.record.0);
            }
        }
        for admitted in admitted {
            self.recommendation(admitted, &mut keys);
        }
    }

    fn recommendation(&mut self, admitted: Admitted, keys: &mut KeyTable) {
        let Admitted {
            item,
            mut map,
            verdict,
            stated,
        } = admitted;
        set_default(&mut map, "ts", || self.ctx.now.to_text().into());
        let given = given_id(&map);
        let record = Record(map);
        let title = record.text("title").map(str::to_owned);
        let same = keys.find(&record.0).map(str::to_owned).filter(|id| {
            let stored = self.current_recommendation(id);
            stored.is_some_and(|stored| recommendation::same_reason(stored, &record))
        });
        if given.is_none()
            && let Some(id) = same
        {
            let context = format!("equivalent capture observed (key={})", v1_key(&record.0));
            self.signal(
                REINFORCED_RECOMMENDATION,
                Target::Recommendation(&id),
                "agent",
                Some(&context),
            );
            let status = self.current_recommendation(&id).map(recommendation::status);
            let why = status.filter(|status| !status.is_open()).map(|status| {
                format!(
                    "the recommendation is {0} and stays so; reopen it with: \
                     self-learning rec-status --id {id} --status proposed",
                    status.as_str()
                )
            });
            self.note_redactions(&verdict, "recommendation", Some(&id));
            return self.result(
                "recommendation",
                &item,
                Outcome::Reinforced,
                &id,
                title,
                why,
            );
        }
        let derived = ids::item_id("rec_", &record.0);
        let known = given
            .as_deref()
            .and_then(|id| self.current_recommendation(id))
            .cloned();
        let id = match given.filter(|id| known.is_some() || nameable(id)) {
            Some(id) => id,
            None => ids::free_id(&derived, |id| self.current_recommendation(id).is_some()),
        };
        let mut why = known
            .is_some()
            .then(|| format!("the given fields replace those of {id}; the others stay"));
        let ts = record.0.get("ts").cloned().unwrap_or_default();
        let updates = known.is_some();
        let record = match known {
            Some(known) => {
                let updated = stated_over(known, &record.0, &stated).with("ts", ts.clone());
                if stated.iter().any(|key| key == "last_touched_ts") {
                    updated
                } else {
                    updated.with("last_touched_ts", ts.clone())
                }
            }
            None => record,
        };
        let status = RecommendationStatus::of(record.0.get("status"));
        let mut record = record
            .with("id", id.clone())
            .with("status", status.as_str());
        if let RecommendationStatus::Other(text) = &status {
            why = Some(format!(
                "the status `{text}` is not known; the recommendation is proposed"
            ));
            record = record.with("status_given", text.clone());
        }
        set_default(&mut record.0, "last_touched_ts", || ts);
        keys.insert(&id, &record.0);
        self.note_redactions(&verdict, "recommendation", Some(&id));
        self.recommendations.insert(id.clone(), record.clone());
        self.push(LogKind::Recommendations, record);
        let outcome = if updates {
            Outcome::Merged
        } else {
            Outcome::Created
        };
        self.result("recommendation", &item, outcome, &id, title, why);
    }

    fn use_ids(
        &mut self,
        wanted: &[String],
        prefix: &'static str,
        source: &str,
        context: &str,
        global_ids: &HashSet<String>,
    ) {
        for id in normal::unique(wanted.iter().cloned()) {
            let card = prefix == "aha_";
            let known = if card {
                self.current_card(&id).is_some() || global_ids.contains(&id)
            } else {
                self.current_recommendation(&id).is_some()
            };
            if !known && !id.starts_with(prefix) {
                self.out.usage.invalid_ids.push(InvalidId {
                    id: guard::secrets::redact(&id).0.into_owned(),
                    expected_prefix: prefix,
                });
                continue;
            }
            if !known {
                let known_ids: Vec<&str> = if card {
                    self.snapshot.cards.ids().collect()
                } else {
                    self.snapshot.recommendations.ids().collect()
                };
                let id = guard::secrets::redact(&id).0.into_owned();
                self.out.usage.errors.push(IdError {
                    nearest: ids::nearest(&id, known_ids.into_iter(), 3),
                    error: format!(
                        "no {} has the id `{id}`",
                        if card { "card" } else { "recommendation" }
                    ),
                    id,
                });
                continue;
            }
            let (kind, target) = if card {
                ("aha_used", Target::Card(&id))
            } else {
                ("rec_used", Target::Recommendation(&id))
            };
            let signal = self.signal(kind, target, source, Some(context));
            self.out.usage.written.push(Value::Object(signal.0));
        }
    }
}

/// A stored item with the fields that a payload states; what says nothing takes nothing away.
fn stated_over(mut stored: Record, map: &Map<String, Value>, stated: &[String]) -> Record {
    for (key, value) in map.iter().filter(|(key, _)| stated.contains(key)) {
        let says_nothing = !truthy(value) && !matches!(value, Value::Bool(_));
        if !says_nothing && !matches!(key.as_str(), "id" | "ts") {
            stored = stored.with(key, value.clone());
        }
    }
    stored
}

/// The event's skill, else the only one that the items name.
fn default_skill(payload: &Payload) -> Option<String> {
    let stated = |map: &Map<String, Value>| {
        let value = map.get("primary_skill")?;
        let filled = value.as_str().is_some_and(|text| !text.trim().is_empty());
        filled.then(|| normal::skill(Some(value)))
    };
    if let Some(skill) = payload.event.as_ref().and_then(stated) {
        return Some(skill);
    }
    let items = payload.cards.iter().chain(&payload.recommendations);
    let mut skills: Vec<String> = items
        .filter_map(|item| item.value.as_ref().ok())
        .filter_map(stated)
        .collect();
    skills.sort();
    skills.dedup();
    (skills.len() == 1).then(|| skills.remove(0))
}

fn set_skill_and_scope(map: &mut Map<String, Value>, default_skill: Option<&str>) {
    let skill = match default_skill {
        Some(skill) if !map.get("primary_skill").is_some_and(truthy) => skill.to_owned(),
        _ => normal::skill(map.get("primary_skill")),
    };
    map.insert("primary_skill".to_owned(), Value::from(skill));
    let scope = Scope::of(map.get("scope"));
    map.insert("scope".to_owned(), Value::from(scope.as_str()));
}

/// Set a field that is missing or null.
fn set_default(map: &mut Map<String, Value>, key: &str, value: impl FnOnce() -> Value) {
    if map.get(key).is_none_or(Value::is_null) {
        map.insert(key.to_owned(), value());
    }
}

fn given_id(map: &Map<String, Value>) -> Option<String> {
    let id = map.get("id").filter(|id| truthy(id))?;
    let id = python_text(id).trim().to_owned();
    (!id.is_empty()).then_some(id)
}

/// Whether an id can stand in a comma list on a command line and in a marker.
fn nameable(id: &str) -> bool {
    id.chars().count() <= 128
        && id.chars().all(|character| {
            character.is_alphanumeric()
                || matches!(character, '_' | '-' | '.' | ':' | '@' | '#' | '~')
        })
}
