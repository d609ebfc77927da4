//! The normal forms of the v1 store: skill names, scopes, statuses, lists of ids.

use serde_json::Value;

/// The skill of things nobody assigned.
pub const UNKNOWN_SKILL: &str = "unknown";

/// Trimmed, cut at the first `+` `,` `;` `|`, first word; `unknown` when nothing is left.
pub fn skill(value: Option<&Value>) -> String {
    let Some(Value::String(text)) = value else {
        return UNKNOWN_SKILL.to_owned();
    };
    let mut text = text.trim();
    for separator in ['+', ',', ';', '|'] {
        text = text.split(separator).next().unwrap_or_default().trim();
    }
    match text.split_whitespace().next() {
        Some(word) => word.to_owned(),
        None => UNKNOWN_SKILL.to_owned(),
    }
}

/// Whether a skill name says nothing: blank, `unknown`, `none`, `null`.
pub fn is_unknown_skill(text: &str) -> bool {
    matches!(
        text.trim().to_lowercase().as_str(),
        "" | "unknown" | "none" | "null"
    )
}

/// Where a learning holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Project,
    Portable,
}

impl Scope {
    pub fn of(value: Option<&Value>) -> Scope {
        match value
            .and_then(Value::as_str)
            .map(|text| text.trim().to_lowercase())
        {
            Some(text) if text == "portable" => Scope::Portable,
            _ => Scope::Project,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Project => "project",
            Scope::Portable => "portable",
        }
    }
}

/// The state of a card. A state this version does not know is kept and counts as proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardStatus {
    Proposed,
    Accepted,
    Rejected,
    Deprecated,
    Backported,
    Other(String),
}

impl CardStatus {
    pub const NAMES: [&'static str; 5] = [
        "accepted",
        "backported",
        "deprecated",
        "proposed",
        "rejected",
    ];

    pub fn of(value: Option<&Value>) -> CardStatus {
        let Some(text) = value.and_then(Value::as_str).map(str::trim) else {
            return CardStatus::Proposed;
        };
        match text.to_lowercase().as_str() {
            "" | "proposed" => CardStatus::Proposed,
            "accepted" => CardStatus::Accepted,
            "rejected" => CardStatus::Rejected,
            "deprecated" => CardStatus::Deprecated,
            "backported" => CardStatus::Backported,
            _ => CardStatus::Other(text.to_owned()),
        }
    }

    /// The name that every reader of the store knows.
    pub fn as_str(&self) -> &'static str {
        match self {
            CardStatus::Proposed | CardStatus::Other(_) => "proposed",
            CardStatus::Accepted => "accepted",
            CardStatus::Rejected => "rejected",
            CardStatus::Deprecated => "deprecated",
            CardStatus::Backported => "backported",
        }
    }

    /// Rejected and deprecated cards are not served unless asked for.
    pub fn is_retired(&self) -> bool {
        matches!(self, CardStatus::Rejected | CardStatus::Deprecated)
    }
}

/// The state of a recommendation; see [`CardStatus`] for unknown ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecommendationStatus {
    Proposed,
    Accepted,
    InProgress,
    Done,
    Rejected,
    Deprecated,
    Other(String),
}

impl RecommendationStatus {
    pub const NAMES: [&'static str; 6] = [
        "accepted",
        "deprecated",
        "done",
        "in_progress",
        "proposed",
        "rejected",
    ];

    pub fn of(value: Option<&Value>) -> RecommendationStatus {
        let Some(text) = value.and_then(Value::as_str).map(str::trim) else {
            return RecommendationStatus::Proposed;
        };
        match text.to_lowercase().replace([' ', '-'], "_").as_str() {
            "" | "proposed" | "open" => RecommendationStatus::Proposed,
            "accepted" => RecommendationStatus::Accepted,
            "in_progress" | "inprogress" => RecommendationStatus::InProgress,
            "done" | "implemented" | "complete" | "completed" => RecommendationStatus::Done,
            "rejected" | "wontfix" | "wont_fix" | "won't_fix" => RecommendationStatus::Rejected,
            "deprecated" => RecommendationStatus::Deprecated,
            _ => RecommendationStatus::Other(text.to_owned()),
        }
    }

    pub fn as_str(&self) -> &'static str {
        match self {
            RecommendationStatus::Proposed | RecommendationStatus::Other(_) => "proposed",
            RecommendationStatus::Accepted => "accepted",
            RecommendationStatus::InProgress => "in_progress",
            RecommendationStatus::Done => "done",
            RecommendationStatus::Rejected => "rejected",
            RecommendationStatus::Deprecated => "deprecated",
        }
    }

    pub fn is_open(&self) -> bool {
        matches!(
            self,
            RecommendationStatus::Proposed
                | RecommendationStatus::Accepted
                | RecommendationStatus::InProgress
                | RecommendationStatus::Other(_)
        )
    }
}

/// Ids out of a comma list: trimmed, blanks dropped, each once, in order.
pub fn id_list(text: &str) -> Vec<String> {
    unique(text.split(',').map(str::to_owned))
}

/// Ids out of a JSON value: a list or comma-separated text; items that are no text are dropped.
/// `None` when it is neither.
pub fn id_list_of(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(id_list(text)),
        Value::Array(items) => {
            let texts = items.iter().filter_map(Value::as_str).map(str::to_owned);
            Some(unique(texts))
        }
        Value::Null => Some(Vec::new()),
        _ => None,
    }
}

/// Each text once, trimmed, in order, without blanks.
pub fn unique(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for text in texts {
        let text = text.trim();
        if !text.is_empty() && !out.iter().any(|known| known == text) {
            out.push(text.to_owned());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn skills_as_the_original_normalises_them() {
        for (value, expected) in [
            (json!("skill-a + skill-b"), "skill-a"),
            (json!("a, b"), "a"),
            (json!("a|b"), "a"),
            (json!("my skill name"), "my"),
            (json!("+x"), "unknown"),
            (json!(" "), "unknown"),
            (json!(null), "unknown"),
            (json!(5), "unknown"),
            (json!("x+,y"), "x"),
        ] {
            assert_eq!(skill(Some(&value)), expected, "{value}");
        }
    }

    #[test]
    fn statuses_in_any_case_and_unknown_ones_kept() {
        let status = |text: &str| RecommendationStatus::of(Some(&json!(text)));
        assert_eq!(status("Done"), RecommendationStatus::Done);
        assert_eq!(status("in-progress"), RecommendationStatus::InProgress);
        assert_eq!(status("wontfix"), RecommendationStatus::Rejected);
        assert_eq!(
            status("later"),
            RecommendationStatus::Other("later".to_owned())
        );
        assert_eq!(
            CardStatus::of(Some(&json!(" Accepted "))),
            CardStatus::Accepted
        );
        assert_eq!(CardStatus::of(Some(&json!(3))), CardStatus::Proposed);
    }
}
