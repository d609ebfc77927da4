//! Ids: how they are derived, which kind an id names, and which stored id somebody meant.

use serde_json::{Map, Value};

use super::json::python_text;
use super::time::Timestamp;

/// The first twelve hex digits of the SHA-1 of `text`, behind `prefix`; the formula of the v1 store.
pub fn derive(prefix: &str, text: &str) -> String {
    let digest = sha1_smol::Sha1::from(text.as_bytes()).digest().to_string();
    format!("{prefix}{}", &digest[..12])
}

fn field(map: &Map<String, Value>, key: &str) -> String {
    map.get(key).map(python_text).unwrap_or_default()
}

fn joined(map: &Map<String, Value>, keys: &[&str]) -> String {
    let parts: Vec<_> = keys.iter().map(|key| field(map, key)).collect();
    parts.join("|")
}

/// `evt_…` from `ts|task_summary|primary_skill`.
pub fn event_id(map: &Map<String, Value>) -> String {
    derive(
        "evt_",
        &joined(map, &["ts", "task_summary", "primary_skill"]),
    )
}

/// `aha_…` or `rec_…` from `ts|title|when_to_use|primary_skill`.
pub fn item_id(prefix: &str, map: &Map<String, Value>) -> String {
    derive(
        prefix,
        &joined(map, &["ts", "title", "when_to_use", "primary_skill"]),
    )
}

/// `sig_…` from `ts|kind|aha_id|rec_id|source|context`.
pub fn signal_id(map: &Map<String, Value>) -> String {
    derive(
        "sig_",
        &joined(
            map,
            &["ts", "kind", "aha_id", "rec_id", "source", "context"],
        ),
    )
}

/// `slbp_<time>_<6 hex>` from the time, the skill's directory name and the card ids.
pub fn backport_id(now: Timestamp, skill: &str, card_ids: &[String]) -> String {
    let time = now.to_compact_text();
    let text = format!("{time}|{skill}|{}", card_ids.join(","));
    let digest = sha1_smol::Sha1::from(text.as_bytes()).digest().to_string();
    format!("slbp_{time}_{}", &digest[..6])
}

/// `wanted` itself when free, else the first of `wanted-2`, `wanted-3`, … that is.
/// Two different items of one second can derive the same id; neither may vanish behind the other.
pub fn free_id(wanted: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(wanted) {
        return wanted.to_owned();
    }
    let mut number = 2_usize;
    loop {
        let candidate = format!("{wanted}-{number}");
        if !taken(&candidate) {
            return candidate;
        }
        number += 1;
    }
}

/// What a wanted id resolves to among the known ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    Found(String),
    /// Several ids start so.
    Ambiguous(Vec<String>),
    /// None does; the nearest ones, best first.
    Unknown(Vec<String>),
}

/// The id that `wanted` names: itself, or the only one it is a prefix of (four characters at least).
pub fn resolve<'a>(wanted: &str, known: impl Iterator<Item = &'a str> + Clone) -> Resolution {
    let wanted = wanted.trim();
    if known.clone().any(|id| id == wanted) {
        return Resolution::Found(wanted.to_owned());
    }
    let bare = wanted.split_once('_').map_or(wanted, |(_, rest)| rest);
    let mut starting: Vec<String> = Vec::new();
    if wanted.chars().count() >= 4 && !bare.is_empty() {
        let matches = known.clone().filter(|id| {
            id.starts_with(wanted)
                || id
                    .split_once('_')
                    .is_some_and(|(_, rest)| !wanted.contains('_') && rest.starts_with(wanted))
        });
        starting = matches.map(str::to_owned).collect();
        starting.sort();
        starting.dedup();
    }
    match starting.len() {
        1 => Resolution::Found(starting.remove(0)),
        0 => Resolution::Unknown(nearest(wanted, known, 3)),
        _ => {
            starting.truncate(5);
            Resolution::Ambiguous(starting)
        }
    }
}

/// Up to `count` of `known` that are nearest to `wanted` by edit distance, best first; only ones near
/// enough to be a slip of the keyboard.
pub fn nearest<'a>(
    wanted: &str,
    known: impl Iterator<Item = &'a str>,
    count: usize,
) -> Vec<String> {
    let limit = (wanted.chars().count() / 3).max(2);
    let mut found: Vec<(usize, &str)> = known
        .filter_map(|id| {
            let distance = edit_distance(wanted, id, limit)?;
            (distance <= limit).then_some((distance, id))
        })
        .collect();
    found.sort();
    found.dedup();
    found
        .into_iter()
        .take(count)
        .map(|(_, id)| id.to_owned())
        .collect()
}

/// Levenshtein distance with neighbouring swaps (optimal string alignment); `None` past `limit`.
fn edit_distance(left: &str, right: &str, limit: usize) -> Option<usize> {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    if left.len().abs_diff(right.len()) > limit {
        return None;
    }
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(a != b))
                .min(rows[i][j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        if row.iter().min().is_some_and(|least| *least > limit) {
            return None;
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    /// Vectors of the v1 store.
    #[test]
    fn derived_ids_are_those_of_the_original() {
        let event =
            map(json!({"ts": "2026-03-20T12:00:00Z", "task_summary": "té", "primary_skill": "a"}));
        assert_eq!(event_id(&event), "evt_f4b7577d3296");
        let card = map(
            json!({"ts": "2026-03-20T12:00:00Z", "title": null, "when_to_use": "w", "primary_skill": "a"}),
        );
        assert_eq!(item_id("aha_", &card), "aha_841cd233c981");
        let rec = map(json!({"ts": "2026-03-20T12:00:00Z", "title": "R", "primary_skill": "z"}));
        assert_eq!(item_id("rec_", &rec), "rec_ee9546d3b993");
        let signal = map(
            json!({"ts": "2026-03-20T12:00:00Z", "kind": "aha_used", "aha_id": "aha_1", "source": "agent", "context": "c"}),
        );
        assert_eq!(signal_id(&signal), "sig_005ef6582aeb");
        let now = Timestamp::parse("20260303T090000Z").expect("a time");
        assert_eq!(
            backport_id(now, "ci-helper", &["aha_artifact0001".to_owned()]),
            "slbp_20260303T090000Z_5b70a1"
        );
    }

    #[test]
    fn ids_resolve_by_prefix_and_suggest() {
        let known = ["aha_a12a6597c099", "aha_a12b00000000", "rec_77"];
        let find = |wanted: &str| resolve(wanted, known.iter().copied());
        assert_eq!(find("aha_a12a"), Resolution::Found(known[0].to_owned()));
        assert_eq!(find("a12a6"), Resolution::Found(known[0].to_owned()));
        assert_eq!(find(" rec_77 "), Resolution::Found("rec_77".to_owned()));
        assert!(matches!(find("aha_a12"), Resolution::Ambiguous(ids) if ids.len() == 2));
        assert!(matches!(find("aha_"), Resolution::Unknown(_)));
        assert_eq!(
            find("aha_a12a6597c090"),
            Resolution::Unknown(vec![known[0].to_owned()])
        );
        assert_eq!(
            find("aha_a12a6597c0"),
            Resolution::Found(known[0].to_owned())
        );
        assert_eq!(find("zzzzzzzz"), Resolution::Unknown(vec![]));
    }

    #[test]
    fn a_taken_id_gets_a_number() {
        assert_eq!(free_id("rec_1", |_| false), "rec_1");
        assert_eq!(
            free_id("rec_1", |id| id == "rec_1" || id == "rec_1-2"),
            "rec_1-3"
        );
    }
}
