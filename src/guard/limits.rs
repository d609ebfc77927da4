//! How much may be written, and the words that say no. Reading tolerates what others wrote beyond these.

/// Characters in a title.
pub const TITLE_CHARS: usize = 500;
/// Bytes in any other text.
pub const TEXT_BYTES: usize = 20 * 1024;
/// Bytes in one item of a list.
pub const LIST_ITEM_BYTES: usize = 8 * 1024;
/// Items in a list.
pub const LIST_LENGTH: usize = 100;
/// Bytes in the name of a field.
pub const KEY_BYTES: usize = 200;
/// Fields in one object.
pub const OBJECT_FIELDS: usize = 200;
/// Bytes of one card, recommendation, event or signal as JSON.
pub const RECORD_BYTES: usize = 64 * 1024;
/// Bytes of one line of a log.
pub const LINE_BYTES: usize = 1024 * 1024;
/// Bytes of a whole payload.
pub const PAYLOAD_BYTES: usize = 16 * 1024 * 1024;
/// Levels of objects and lists inside each other.
pub const NESTING_DEPTH: usize = 64;

/// Something that is larger than it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excess {
    /// What was measured, in words: `title`, `list`, `record`, …
    pub what: &'static str,
    /// The size found.
    pub actual: usize,
    /// The size allowed.
    pub allowed: usize,
    /// `bytes`, `characters`, `items`, `fields` or `levels`.
    pub unit: &'static str,
}

impl Excess {
    /// One sentence naming the field, the size found and the size allowed.
    pub fn message(&self, path: &str) -> String {
        let Self {
            what,
            actual,
            allowed,
            unit,
        } = self;
        if path.is_empty() {
            format!("the {what} is {actual} {unit}, the limit is {allowed}")
        } else {
            format!("`{path}`: the {what} is {actual} {unit}, the limit is {allowed}")
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self.unit {
            "items" => "keep the items that carry the learning, or split it into several cards",
            "levels" | "fields" => "flatten the value, or store it in a file and name its path",
            "characters" => "shorten the title and move the rest into `problem`",
            _ => "shorten the text, or store it in a file and name its path in `evidence`",
        }
    }
}

/// `None` when `actual` is within `allowed`.
pub fn check(
    what: &'static str,
    unit: &'static str,
    actual: usize,
    allowed: usize,
) -> Option<Excess> {
    (actual > allowed).then_some(Excess {
        what,
        actual,
        allowed,
        unit,
    })
}

/// Refuses a payload that is too large before anyone parses it.
pub fn check_payload(bytes: usize) -> Option<Excess> {
    check("payload", "bytes", bytes, PAYLOAD_BYTES)
}

/// Refuses a log line that readers of ours would skip.
pub fn check_line(bytes: usize) -> Option<Excess> {
    check("line", "bytes", bytes, LINE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_field_actual_and_allowed() {
        let excess = check("title", "characters", 501, TITLE_CHARS).expect("one too many");
        assert_eq!(
            excess.message("title"),
            "`title`: the title is 501 characters, the limit is 500"
        );
        assert_eq!(check("title", "characters", 500, TITLE_CHARS), None);
        assert_eq!(
            check_payload(PAYLOAD_BYTES + 1)
                .expect("one too many")
                .message(""),
            "the payload is 16777217 bytes, the limit is 16777216"
        );
        assert_eq!(check_line(LINE_BYTES), None);
    }
}
