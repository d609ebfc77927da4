//! Which captures tell the same: the keys by which a new card or recommendation finds its stored one.
//!
//! Three keys, looked up in this order: the v1 key (an explicit `key`, or `skill|title|when`), the
//! older v1 key (`title|when`), and a loose key over the words, so that a second space, a final
//! period, a hyphen, another Unicode form or another word order do not make a second card.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::json::python_text;
use super::normal::is_unknown_skill;
use super::text::comparison_key;

/// The v1 key: `key:<key>` for an explicit one, else `skill|title|when` without outer bars.
pub fn v1_key(map: &Map<String, Value>) -> String {
    if let Some(Value::String(key)) = map.get("key")
        && !key.trim().is_empty()
    {
        return format!("key:{}", key.trim().to_lowercase());
    }
    let skill = part(map, "primary_skill");
    let skill = if is_unknown_skill(&skill) { String::new() } else { skill };
    let text = format!("{skill}|{}|{}", part(map, "title"), part(map, "when_to_use"));
    text.trim_matches('|').to_owned()
}

/// The older v1 key, without the skill.
pub fn legacy_key(map: &Map<String, Value>) -> String {
    let text = format!("{}|{}", part(map, "title"), part(map, "when_to_use"));
    text.trim_matches('|').to_owned()
}

fn part(map: &Map<String, Value>, key: &str) -> String {
    match map.get(key) {
        Some(Value::Null) | None => String::new(),
        Some(value) => python_text(value).trim().to_lowercase(),
    }
}

/// Words between which order tells: with one of these a text is not a bag of words.
const DIRECTIONS: [&str; 20] = [
    "to", "from", "into", "before", "after", "than", "over", "under", "instead", "of", "not", "no", "without",
    "when", "if", "unless", "until", "by", "via", "rather",
];

/// The words of a text, folded; in alphabetical order where their order does not tell.
pub fn loose_text(text: &str) -> String {
    let folded = comparison_key(text);
    let mut words: Vec<&str> = folded
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    if words.len() >= 3 && !words.iter().any(|word| DIRECTIONS.contains(word)) {
        words.sort_unstable();
    }
    words.join(" ")
}

/// `title|when` over words, or `None` when there is nothing to compare.
/// Cards without title and situation are compared by what they say instead.
fn loose_key(map: &Map<String, Value>) -> Option<String> {
    let title = loose_text(&part(map, "title"));
    let when = loose_text(&part(map, "when_to_use"));
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
        // Without title and situation the v1 key is the bare skill and would join strangers.
        let explicit = v1_key(map).starts_with("key:");
        if explicit || !legacy_key(map).is_empty() {
            self.exact.entry(v1_key(map)).or_insert_with(|| id.to_owned());
        }
        if let Some(key) = loose_key(map) {
            let holders = self.loose.entry(key).or_default();
            let skill = folded_skill(map);
            if !holders.iter().any(|(holder, held)| holder == id && *held == skill) {
                holders.push((id.to_owned(), skill));
            }
        }
    }

    /// The id that already tells what this card tells.
    pub fn find(&self, map: &Map<String, Value>) -> Option<&str> {
        let key = v1_key(map);
        let explicit = key.starts_with("key:");
        let named = explicit || !legacy_key(map).is_empty();
        if named && let Some(id) = self.exact.get(&key).or_else(|| self.exact.get(&legacy_key(map))) {
            return Some(id);
        }
        if explicit {
            return None;
        }
        let skill = folded_skill(map);
        let holders = self.loose.get(&loose_key(map)?)?;
        let same = holders.iter().find(|(_, held)| *held == skill);
        let unassigned = || holders.iter().find(|(_, held)| held.is_empty());
        // An unassigned capture joins an assigned card only when there is just one it can mean.
        let only = || {
            let (first, _) = holders.first()?;
            let alone = holders.iter().all(|(holder, _)| holder == first);
            (skill.is_empty() && alone).then(|| &holders[0])
        };
        same.or_else(unassigned).or_else(only).map(|(id, _)| id.as_str())
    }
}

fn folded_skill(map: &Map<String, Value>) -> String {
    let skill = part(map, "primary_skill");
    if is_unknown_skill(&skill) { String::new() } else { comparison_key(&skill) }
}

/// Share of words two texts have in common (Jaccard), 0 to 1; 1 when either is blank.
pub fn word_overlap(left: &str, right: &str) -> f64 {
    let words = |text: &str| -> std::collections::BTreeSet<String> {
        let folded = comparison_key(text);
        let parts = folded.split(|character: char| !character.is_alphanumeric());
        parts.filter(|word| !word.is_empty()).map(str::to_owned).collect()
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
        let stored = table(&[("a", json!({"title": "Retry on rate limit", "when_to_use": "HTTP 429 from the API", "primary_skill": "jira"}))]);
        for title in ["Retry  on rate limit.", "retry on rate-limit", "Rate limit: retry on", "Ｒetry on rate limit"] {
            let card = map(json!({"title": title, "when_to_use": "HTTP 429 from the API", "primary_skill": "jira"}));
            assert_eq!(stored.find(&card), Some("a"), "{title}");
        }
        let unassigned = map(json!({"title": "Retry on rate limit", "when_to_use": "HTTP 429 from the API"}));
        assert_eq!(stored.find(&unassigned), Some("a"));
        let elsewhere = map(json!({"title": "Retry on rate limit", "when_to_use": "HTTP 429 from the API", "primary_skill": "github"}));
        assert_eq!(stored.find(&elsewhere), None);
    }

    #[test]
    fn direction_tells() {
        let stored = table(&[("a", json!({"title": "convert cents to euro", "when_to_use": "w"}))]);
        assert_eq!(stored.find(&map(json!({"title": "convert euro to cents", "when_to_use": "w"}))), None);
    }

    #[test]
    fn cards_without_a_title_do_not_join_strangers() {
        let stored = table(&[("a", json!({"problem": "rate limit 429", "primary_skill": "api"}))]);
        assert_eq!(stored.find(&map(json!({"problem": "webhook signature", "primary_skill": "api"}))), None);
        assert_eq!(stored.find(&map(json!({"problem": "Rate limit 429!", "primary_skill": "api"}))), Some("a"));
    }

    #[test]
    fn an_explicit_key_alone_decides() {
        let stored = table(&[("a", json!({"title": "x", "key": "Bulk-Delete "}))]);
        assert_eq!(stored.find(&map(json!({"title": "y", "key": "bulk-delete"}))), Some("a"));
        assert_eq!(stored.find(&map(json!({"title": "x", "key": "other"}))), None);
    }
}
