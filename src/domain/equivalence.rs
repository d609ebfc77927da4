//! Which captures tell the same: the keys by which a new card or recommendation finds its stored one.
//!
//! Three keys, looked up in this order: the v1 key (an explicit `key`, or `skill|title|when`), the
//! older v1 key (`title|when`), and a loose key over the words, so that a second space, a final
//! period, a hyphen, another Unicode form or another word order do not make a second card.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::json::python_text;
use super::normal::is_unknown_skill;
use super::text::comparison_key;

/// The v1 key: `key:<key>` for an explicit one, else `skill|title|when` without outer bars.
pub fn v1_key(map: &Map<String, Value>) -> String {
    Keys::of(map).v1
}

/// The hashes under which an index finds what [`KeyTable::find`] may compare a record with: XXH3-64 of its keys,
/// seeded by their kind.
pub fn key_hashes(map: &Map<String, Value>) -> Vec<u64> {
    Keys::of(map).hashes()
}

/// The same for a record without a `key`, whose title and situation are text and not both blank.
pub fn plain_key_hashes(title: &str, when: &str, skill: &str) -> Vec<u64> {
    let (title, when, skill) = (title.trim(), when.trim(), skill.trim());
    let mut v1 = String::with_capacity(skill.len() + title.len() + when.len() + 2);
    push_lower(&mut v1, skill);
    if is_unknown_skill(&v1) {
        v1.clear();
    }
    v1.push('|');
    let title_at = v1.len();
    push_lower(&mut v1, title);
    v1.push('|');
    let when_at = v1.len();
    push_lower(&mut v1, when);
    let mut loose = loose_text(&v1[title_at..when_at - 1]);
    loose.push('|');
    loose.push_str(&loose_text(&v1[when_at..]));
    vec![
        key_hash(EXACT, v1.trim_matches('|')),
        key_hash(LOOSE, &loose),
    ]
}

fn push_lower(into: &mut String, text: &str) {
    if text.is_ascii() {
        let start = into.len();
        into.push_str(text);
        into[start..].make_ascii_lowercase();
    } else {
        into.push_str(&text.to_lowercase());
    }
}

/// The hashes of all keys by which [`KeyTable::find`] looks a record up.
pub fn wanted_hashes(map: &Map<String, Value>) -> Vec<u64> {
    let keys = Keys::of(map);
    let mut hashes = keys.hashes();
    hashes.push(key_hash(EXACT, &keys.legacy));
    hashes
}

fn key_hash(kind: u64, key: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(key.as_bytes(), kind)
}

/// Seeds that keep the kinds of keys apart.
const EXACT: u64 = 1;
const LOOSE: u64 = 2;

/// A folded skill, or nothing for one that says nothing.
fn known_skill(skill: String) -> String {
    if is_unknown_skill(&skill) {
        String::new()
    } else {
        skill
    }
}

/// The keys of one card or recommendation.
struct Keys {
    v1: String,
    /// The older v1 key, without the skill: `title|when`.
    legacy: String,
    /// Whether the key was given, and alone decides.
    is_explicit: bool,
    /// Over words; `None` when there is nothing to compare.
    loose: Option<String>,
    /// Folded; empty when unknown.
    skill: String,
}

impl Keys {
    fn of(map: &Map<String, Value>) -> Keys {
        let (title, when) = (part(map, "title"), part(map, "when_to_use"));
        let skill = known_skill(part(map, "primary_skill"));
        let given = map
            .get("key")
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|key| !key.is_empty());
        let v1 = match given {
            Some(key) => format!("key:{}", key.to_lowercase()),
            None => without_outer_bars(format!("{skill}|{title}|{when}")),
        };
        Keys {
            v1,
            is_explicit: given.is_some(),
            loose: loose_key(map, &title, &when),
            legacy: without_outer_bars(format!("{title}|{when}")),
            skill: comparison_key(&skill),
        }
    }

    fn hashes(&self) -> Vec<u64> {
        let exact = self.is_named().then(|| key_hash(EXACT, &self.v1));
        let loose = self.loose.as_deref().map(|key| key_hash(LOOSE, key));
        exact.into_iter().chain(loose).collect()
    }

    /// Without title and situation the v1 key is the bare skill and would join strangers.
    fn is_named(&self) -> bool {
        self.is_explicit || !self.legacy.is_empty()
    }
}

fn without_outer_bars(text: String) -> String {
    match text.trim_matches('|') {
        trimmed if trimmed.len() == text.len() => text,
        trimmed => trimmed.to_owned(),
    }
}

fn part(map: &Map<String, Value>, key: &str) -> String {
    match map.get(key) {
        Some(Value::Null) | None => String::new(),
        Some(Value::String(text)) => text.trim().to_lowercase(),
        Some(value) => python_text(value).trim().to_lowercase(),
    }
}

/// Whether order tells around a word: with one of these a text is not a bag of words.
fn is_direction(word: &str) -> bool {
    matches!(
        word,
        "to" | "from"
            | "into"
            | "before"
            | "after"
            | "than"
            | "over"
            | "under"
            | "instead"
            | "of"
            | "not"
            | "no"
            | "without"
            | "when"
            | "if"
            | "unless"
            | "until"
            | "by"
            | "via"
            | "rather"
    )
}

/// The words of a text, folded; in alphabetical order where their order does not tell.
pub fn loose_text(text: &str) -> String {
    let folded = comparison_key(text);
    let mut words: Vec<&str> = Vec::with_capacity(8);
    if folded.is_ascii() {
        let bytes = folded.as_bytes();
        let mut start = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if !byte.is_ascii_alphanumeric() {
                if at > start {
                    words.push(&folded[start..at]);
                }
                start = at + 1;
            }
        }
        if start < bytes.len() {
            words.push(&folded[start..]);
        }
    } else {
        let parts = folded.split(|character: char| !character.is_alphanumeric());
        words.extend(parts.filter(|word| !word.is_empty()));
    }
    if words.len() >= 3 && !words.iter().any(|word| is_direction(word)) {
        words.sort_unstable();
    }
    words.join(" ")
}

/// `title|when` over words, or `None` when there is nothing to compare.
/// Cards without title and situation are compared by what they say instead.
fn loose_key(map: &Map<String, Value>, title: &str, when: &str) -> Option<String> {
    let (title, when) = (loose_text(title), loose_text(when));
    if title.is_empty() && when.is_empty() {
        let body = format!("{}|{}", part(map, "problem"), part(map, "solution_steps"));
        let body = loose_text(&body);
        return (!body.is_empty()).then(|| format!("body|{body}"));
    }
    Some(format!("{title}|{when}"))
}

/// The stored ids by key. Every version of an item counts; the first holder of a key keeps it.
#[derive(Debug, Clone, Default)]
pub struct KeyTable {
    exact: HashMap<String, String>,
    /// Loose key to the ids that hold it, each with its folded skill (empty when unknown).
    loose: HashMap<String, Vec<(String, String)>>,
}

impl KeyTable {
    pub fn insert(&mut self, id: &str, map: &Map<String, Value>) {
        let keys = Keys::of(map);
        if keys.is_named() {
            self.exact.entry(keys.v1).or_insert_with(|| id.to_owned());
        }
        if let Some(key) = keys.loose {
            let holders = self.loose.entry(key).or_default();
            if !holders
                .iter()
                .any(|(holder, held)| holder == id && *held == keys.skill)
            {
                holders.push((id.to_owned(), keys.skill));
            }
        }
    }

    /// The id that already tells what this card tells.
    pub fn find(&self, map: &Map<String, Value>) -> Option<&str> {
        let keys = Keys::of(map);
        if keys.is_named()
            && let Some(id) = self
                .exact
                .get(&keys.v1)
                .or_else(|| self.exact.get(&keys.legacy))
        {
            return Some(id);
        }
        if keys.is_explicit {
            return None;
        }
        let holders = self.loose.get(&keys.loose?)?;
        let same = holders.iter().find(|(_, held)| *held == keys.skill);
        let unassigned = || holders.iter().find(|(_, held)| held.is_empty());
        // An unassigned capture joins an assigned card only when there is just one it can mean.
        let only = || {
            let (first, _) = holders.first()?;
            let alone = holders.iter().all(|(holder, _)| holder == first);
            (keys.skill.is_empty() && alone).then(|| &holders[0])
        };
        same.or_else(unassigned)
            .or_else(only)
            .map(|(id, _)| id.as_str())
    }
}

/// Tells cheaply which stored lines cannot be what a batch captures, so that no keys are made of them:
/// equivalent titles and situations hold the same letters and digits, in whatever order.
#[derive(Debug, Clone, Default)]
pub struct Sieve {
    /// `None` lets everything through.
    wanted: Option<HashSet<u64>>,
}

impl Sieve {
    pub fn of<'a>(captures: impl Iterator<Item = &'a Map<String, Value>>) -> Sieve {
        Sieve {
            wanted: captures.map(letters).collect(),
        }
    }

    /// Whether a stored line may be equivalent to one of the captures.
    pub fn may_match(&self, stored: &Map<String, Value>) -> bool {
        match (&self.wanted, letters(stored)) {
            (Some(wanted), Some(letters)) => wanted.contains(&letters),
            _ => true,
        }
    }
}

/// The letters and digits of title and situation added up, without case or order; `None` for a record
/// that is compared by more than these, or in more than ASCII.
fn letters(map: &Map<String, Value>) -> Option<u64> {
    if map.contains_key("key") {
        return None;
    }
    let mut sum = 0_u64;
    for field in ["title", "when_to_use"] {
        match map.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.is_ascii() => {
                for byte in text.bytes().filter(u8::is_ascii_alphanumeric) {
                    // A power keeps different sets of letters from adding up to the same by chance.
                    let letter = u64::from(byte.to_ascii_lowercase()) * 2 + 1;
                    sum = sum.wrapping_add(letter.pow(4));
                }
            }
            Some(_) => return None,
        }
    }
    (sum != 0).then_some(sum)
}

/// Share of words two texts have in common (Jaccard), 0 to 1; 1 when either is blank.
pub fn word_overlap(left: &str, right: &str) -> f64 {
    let words = |text: &str| -> std::collections::BTreeSet<String> {
        let folded = comparison_key(text);
        let parts = folded.split(|character: char| !character.is_alphanumeric());
        parts
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (left, right) = (words(left), words(right));
    if left.is_empty() || right.is_empty() {
        return 1.0;
    }
    let common = left.intersection(&right).count() as f64;
    common / (left.union(&right).count() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    fn table(cards: &[(&str, Value)]) -> KeyTable {
        let mut table = KeyTable::default();
        for (id, card) in cards {
            table.insert(id, &map(card.clone()));
        }
        table
    }

    #[test]
    fn spelling_does_not_make_a_second_card() {
        let stored = table(&[(
            "a",
            json!({"title": "Retry on rate limit", "when_to_use": "HTTP 429 from the API", "primary_skill": "jira"}),
        )]);
        for title in [
            "Retry  on rate limit.",
            "retry on rate-limit",
            "Rate limit: retry on",
            "Ｒetry on rate limit",
        ] {
            let card = map(
                json!({"title": title, "when_to_use": "HTTP 429 from the API", "primary_skill": "jira"}),
            );
            let sieve = Sieve::of(std::iter::once(&card));
            let first = map(
                json!({"title": "Retry on rate limit", "when_to_use": "HTTP 429 from the API"}),
            );
            assert!(sieve.may_match(&first), "{title}");
            assert_eq!(stored.find(&card), Some("a"), "{title}");
        }
        let unassigned =
            map(json!({"title": "Retry on rate limit", "when_to_use": "HTTP 429 from the API"}));
        assert_eq!(stored.find(&unassigned), Some("a"));
        let elsewhere = map(
            json!({"title": "Retry on rate limit", "when_to_use": "HTTP 429 from the API", "primary_skill": "github"}),
        );
        assert_eq!(stored.find(&elsewhere), None);
    }

    #[test]
    fn direction_tells() {
        let stored = table(&[(
            "a",
            json!({"title": "convert cents to euro", "when_to_use": "w"}),
        )]);
        assert_eq!(
            stored.find(&map(
                json!({"title": "convert euro to cents", "when_to_use": "w"})
            )),
            None
        );
    }

    #[test]
    fn cards_without_a_title_do_not_join_strangers() {
        let stored = table(&[(
            "a",
            json!({"problem": "rate limit 429", "primary_skill": "api"}),
        )]);
        assert_eq!(
            stored.find(&map(
                json!({"problem": "webhook signature", "primary_skill": "api"})
            )),
            None
        );
        assert_eq!(
            stored.find(&map(
                json!({"problem": "Rate limit 429!", "primary_skill": "api"})
            )),
            Some("a")
        );
    }

    #[test]
    fn an_explicit_key_alone_decides() {
        let stored = table(&[("a", json!({"title": "x", "key": "Bulk-Delete "}))]);
        assert_eq!(
            stored.find(&map(json!({"title": "y", "key": "bulk-delete"}))),
            Some("a")
        );
        assert_eq!(
            stored.find(&map(json!({"title": "x", "key": "other"}))),
            None
        );
    }
}
