//! Cards as a search reads them: the texts and filter fields, borrowed from the log. The record itself is
//! only made for cards that are shown. Says the same as folding records, for a fraction of the work.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;

use super::equivalence;
use super::fold::{self, Diagnostic, LogKind};
use super::json;
use super::normal::{CardStatus, Scope};
use super::record::Record;

/// One text, borrowed where the JSON holds it without escapes.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Text, or a list of texts. Anything else makes the line one for the general reader.
#[derive(Debug, Clone, Default, PartialEq)]
struct Texts<'a> {
    all: Vec<Cow<'a, str>>,
    is_list: bool,
}

impl<'a> Texts<'a> {
    fn one(text: Cow<'a, str>) -> Self {
        Texts {
            all: vec![text],
            is_list: false,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Texts<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("text or a list of texts")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Texts::one(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Texts::one(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::with_capacity(4);
                while let Some(Text(text)) = items.next_element::<Text<'de>>()? {
                    texts.push(text);
                }
                Ok(Texts {
                    all: texts,
                    is_list: true,
                })
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

/// A card line in its plain form.
#[derive(Debug, Deserialize)]
struct PlainCard<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, default)]
    ts: Text<'a>,
    #[serde(borrow, default)]
    status: Text<'a>,
    #[serde(borrow, default)]
    scope: Text<'a>,
    #[serde(borrow, default)]
    superseded_by: Text<'a>,
    #[serde(borrow, default)]
    primary_skill: Text<'a>,
    #[serde(borrow, default)]
    title: Texts<'a>,
    #[serde(borrow, default)]
    when_to_use: Texts<'a>,
    #[serde(borrow, default)]
    problem: Texts<'a>,
    #[serde(borrow, default)]
    solution_steps: Texts<'a>,
    #[serde(borrow, default)]
    tags: Texts<'a>,
    #[serde(borrow, default)]
    evidence: Texts<'a>,
    #[serde(borrow, default)]
    gotchas: Texts<'a>,
    #[serde(borrow, default)]
    asks: Texts<'a>,
    #[serde(borrow, default)]
    not_for: Texts<'a>,
    #[serde(default)]
    key: Option<IgnoredAny>,
    #[serde(default)]
    shareable: Option<bool>,
}

/// The fields a card is searched by, in reading order.
pub const SEARCHED_FIELDS: [&str; 10] = [
    "title",
    "when_to_use",
    "problem",
    "solution_steps",
    "tags",
    "primary_skill",
    "evidence",
    "gotchas",
    "asks",
    "not_for",
];

/// Where the record of a view comes from.
#[derive(Debug, Clone, PartialEq)]
enum Source<'a> {
    Line(&'a str),
    Record(Record),
}

/// The current version of one card.
#[derive(Debug, Clone, PartialEq)]
pub struct CardView<'a> {
    pub id: Cow<'a, str>,
    pub ts: Cow<'a, str>,
    pub status: CardStatus,
    pub scope: Scope,
    pub is_superseded: bool,
    pub skill: Cow<'a, str>,
    pub tags: Vec<Cow<'a, str>>,
    /// Texts by their place in [`SEARCHED_FIELDS`].
    pub texts: Vec<(usize, Cow<'a, str>)>,
    /// Position of the line among all records of the log, from 0.
    pub position: usize,
    pub is_shareable: bool,
    /// Hashes of the equivalence keys.
    keys: Keys,
    source: Source<'a>,
}

/// How the equivalence keys of a card are found.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Keys {
    /// From title, situation and skill, which are text.
    Plain,
    /// From the whole record.
    Record,
}

impl CardView<'_> {
    /// Hashes of the keys by which an equivalent capture finds the card.
    pub fn key_hashes(&self) -> Vec<u64> {
        let text = |field: usize| {
            let own = self.texts.iter().find(|(own, _)| *own == field);
            own.map_or("", |(_, text)| text.as_ref())
        };
        match self.keys {
            Keys::Plain => equivalence::plain_key_hashes(text(0), text(1), &self.skill),
            Keys::Record => equivalence::key_hashes(&self.record().0),
        }
    }

    /// The whole record.
    pub fn record(&self) -> Record {
        match &self.source {
            Source::Record(record) => record.clone(),
            Source::Line(line) => match json::parse(line).map(|parsed| parsed.value) {
                Ok(Value::Object(map)) => Record(map),
                // The line was read as an object before.
                _ => Record(serde_json::Map::new()),
            },
        }
    }
}

/// The cards of a log: current versions in order of first appearance.
#[derive(Debug, Clone, Default)]
pub struct CardViews<'a> {
    pub cards: Vec<CardView<'a>>,
    pub diagnostics: Vec<Diagnostic>,
}

/// Fold a card log into views.
pub fn fold_cards(bytes: &[u8]) -> CardViews<'_> {
    fold_part(bytes, 1, 0)
}

/// Fold a part of a card log: `first_line` is the number of its first line, `position` that of its first record.
pub fn fold_part(bytes: &[u8], first_line: usize, position: usize) -> CardViews<'_> {
    let mut folder = Folder {
        position,
        ..Folder::default()
    };
    let mut found = Vec::new();
    fold::for_each_line(bytes, first_line, |number, line, terminated| {
        found.extend(each_of_line(number, line, terminated, |view| {
            folder.put(view);
        }));
    });
    CardViews {
        cards: folder.cards,
        diagnostics: found,
    }
}

/// The cards of one line, and what was wrong with it.
pub fn of_line(
    number: usize,
    line: &[u8],
    terminated: bool,
) -> (Vec<CardView<'_>>, Vec<Diagnostic>) {
    let mut views = Vec::with_capacity(1);
    let found = each_of_line(number, line, terminated, |view| views.push(view));
    (views, found)
}

fn each_of_line<'a>(
    number: usize,
    line: &'a [u8],
    terminated: bool,
    mut visit: impl FnMut(CardView<'a>),
) -> Vec<Diagnostic> {
    let text = std::str::from_utf8(line)
        .ok()
        .filter(|_| fold::is_plain(line));
    if let Some(view) = text.and_then(plain_view) {
        visit(view);
        return Vec::new();
    }
    let (entries, found) = fold::entries_of_line(LogKind::Cards, number, line, terminated);
    for entry in entries {
        visit(view_of(entry.id, entry.record));
    }
    found
}

/// Views of records that were read already.
pub fn of_records(records: impl Iterator<Item = (String, Record)>) -> CardViews<'static> {
    let mut folder = Folder::default();
    for (id, record) in records {
        folder.put(view_of(id, record));
    }
    CardViews {
        cards: folder.cards,
        diagnostics: Vec::new(),
    }
}

/// Keeps the latest view of each id.
#[derive(Default)]
struct Folder<'a> {
    cards: Vec<CardView<'a>>,
    by_id: HashMap<Cow<'a, str>, usize>,
    position: usize,
}

impl<'a> Folder<'a> {
    fn put(&mut self, mut view: CardView<'a>) {
        view.position = self.position;
        self.position += 1;
        match self.by_id.get(&view.id) {
            Some(&at) => self.cards[at] = view,
            None => {
                self.by_id.insert(view.id.clone(), self.cards.len());
                self.cards.push(view);
            }
        }
    }
}

fn plain_view(line: &str) -> Option<CardView<'_>> {
    let plain: PlainCard<'_> = serde_json::from_str(line).ok()?;
    let trimmed = plain.id.0.trim();
    if trimmed.is_empty() || trimmed.len() != plain.id.0.len() {
        return None;
    }
    let skill = plain.primary_skill.0;
    let searched = if skill.is_empty() {
        Texts::default()
    } else {
        Texts::one(skill.clone())
    };
    let is_blank = |texts: &Texts<'_>| texts.all.iter().all(|text| text.trim().is_empty());
    let is_named = !is_blank(&plain.title) || !is_blank(&plain.when_to_use);
    let is_text = !plain.title.is_list && !plain.when_to_use.is_list;
    let keys = if is_named && is_text && plain.key.is_none() {
        Keys::Plain
    } else {
        Keys::Record
    };
    let fields = [
        plain.title,
        plain.when_to_use,
        plain.problem,
        plain.solution_steps,
        plain.tags,
        searched,
        plain.evidence,
        plain.gotchas,
        plain.asks,
        plain.not_for,
    ];
    let tags = fields[4]
        .all
        .iter()
        .filter(|tag| !tag.trim().is_empty())
        .cloned()
        .collect();
    let mut texts = Vec::with_capacity(16);
    for (field, list) in fields.into_iter().enumerate() {
        texts.extend(list.all.into_iter().map(|text| (field, text)));
    }
    let value = |text: &Text<'_>| Some(Value::from(text.0.as_ref())).filter(|_| !text.0.is_empty());
    Some(CardView {
        status: CardStatus::of(value(&plain.status).as_ref()),
        scope: Scope::of(value(&plain.scope).as_ref()),
        is_superseded: !plain.superseded_by.0.trim().is_empty(),
        id: plain.id.0,
        ts: plain.ts.0,
        skill,
        tags,
        texts,
        position: 0,
        is_shareable: plain.shareable.unwrap_or_default(),
        keys,
        source: Source::Line(line),
    })
}

fn view_of(id: String, record: Record) -> CardView<'static> {
    let mut texts = Vec::new();
    for (field, key) in SEARCHED_FIELDS.into_iter().enumerate() {
        match record.0.get(key) {
            Some(Value::String(text)) if key != "primary_skill" || !text.is_empty() => {
                texts.push((field, Cow::Owned(text.clone())));
            }
            Some(Value::Array(items)) => {
                let items = items.iter().filter_map(Value::as_str);
                texts.extend(items.map(|text| (field, Cow::Owned(text.to_owned()))));
            }
            _ => {}
        }
    }
    CardView {
        id: Cow::Owned(id),
        ts: Cow::Owned(record.ts().unwrap_or_default().to_owned()),
        status: super::card::status(&record),
        scope: super::card::scope(&record),
        is_superseded: record.filled("superseded_by").is_some(),
        skill: Cow::Owned(record.text("primary_skill").unwrap_or_default().to_owned()),
        tags: record.list("tags").into_iter().map(Cow::Owned).collect(),
        texts,
        position: 0,
        is_shareable: record.flag("shareable"),
        keys: Keys::Record,
        source: Source::Record(record),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two ways of reading say the same.
    #[test]
    fn views_say_what_records_say() {
        let log = concat!(
            r#"{"id": "a", "ts": "1", "title": "plain", "tags": ["x", "y"], "scope": "portable", "n": 1}"#,
            "\n",
            r#"{"id": "b", "title": "with \"escapes\"\n", "tags": "one", "status": "Rejected"}"#,
            "\n",
            r#"{"id": 7, "title": null, "solution_steps": ["s", 1, null]}"#,
            "\n",
            "{oops\n\n[1]\n[\"x\", \"y\"]\n",
            r#"{"id": " c ", "superseded_by": "a", "primary_skill": "k"}"#,
            "\n",
            r#"{"id": "d", "primary_skill": ["A"]}"#,
            "\n",
            r#"{"id": "e", "primary_skill": ""}"#,
            "\n",
            r#"{"title": "no id"}"#,
            "\n",
            r#"{"id": "a", "ts": "2", "title": "newer"}"#,
        );
        let views = fold_cards(log.as_bytes());
        let (entries, diagnostics) = fold::entries(LogKind::Cards, log.as_bytes(), 1);
        assert_eq!(views.diagnostics, diagnostics);
        let whole = of_records(entries.into_iter().map(|entry| (entry.id, entry.record)));
        assert_eq!(views.cards.len(), whole.cards.len());
        for (view, other) in views.cards.iter().zip(&whole.cards) {
            assert_eq!(view.record(), other.record());
            let facts = |view: &CardView<'_>| {
                (
                    view.id.to_string(),
                    view.ts.to_string(),
                    view.status.clone(),
                    view.scope,
                    view.is_superseded,
                    view.skill.to_string(),
                    (view.position, view.is_shareable, view.key_hashes()),
                    view.tags
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>(),
                    view.texts
                        .iter()
                        .map(|(field, text)| (*field, text.to_string()))
                        .collect::<Vec<_>>(),
                )
            };
            assert_eq!(facts(view), facts(other));
        }
    }
}
