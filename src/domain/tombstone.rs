//! What stays of a purged record: its id, its place in the history, and a keyed digest by which the
//! same text is recognised when it comes back, without being kept.

use serde_json::Value;

use super::card::readable_text;
use super::record::Record;
use super::text::comparison_key;

/// Length of a store's purge key, in bytes.
pub const KEY_BYTES: usize = 32;

/// What stands where a context named purged text.
pub const PURGED_TEXT: &str = "[PURGED]";

/// HMAC-SHA-256 (RFC 2104) over the folded text of a record, as hex. Keyed, so that a digest that is
/// shared with the log cannot be tried against guesses of a short secret.
pub fn digest(key: &[u8], record: &Record) -> String {
    let mut text = comparison_key(&readable_text(record));
    for field in ["why", "implementation_hint", "task_summary", "context"] {
        text.push('\n');
        text.push_str(&comparison_key(&record.display(field).unwrap_or_default()));
    }
    let bytes = hmac_sha256::HMAC::mac(text.as_bytes(), key);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The line that takes a purged one's place.
pub fn tombstone(record: &Record, id: &str, digest: &str, reason: &str, now: &str) -> Record {
    let mut out = Record(serde_json::Map::new()).with("id", id);
    for field in ["ts", "last_touched_ts", "primary_skill", "scope"] {
        if let Some(value) = record.text(field) {
            out = out.with(field, value);
        }
    }
    out.with("status", "rejected")
        .with("title", "(purged)")
        .with("purged", true)
        .with("purged_ts", now)
        .with("purge_reason", reason)
        .with("purge_digest", digest)
}

/// The digest of a tombstone; `None` for every other record.
pub fn digest_of(record: &Record) -> Option<&str> {
    (record.0.get("purged") == Some(&Value::Bool(true))).then(|| record.text("purge_digest"))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(value: Value) -> Record {
        Record(value.as_object().expect("an object").clone())
    }

    #[test]
    fn the_same_text_has_the_same_digest_whoever_wrote_it() {
        let key = [7_u8; KEY_BYTES];
        let first = record(
            json!({"id": "a", "ts": "1", "title": "The  token", "problem": "it is hunter2"}),
        );
        let again = record(json!({"problem": "It is HUNTER2", "title": "the token", "id": "b"}));
        let other = record(json!({"title": "the token", "problem": "it is hunter3"}));
        assert_eq!(digest(&key, &first), digest(&key, &again));
        assert_ne!(digest(&key, &first), digest(&key, &other));
        assert_ne!(digest(&key, &first), digest(&[8; KEY_BYTES], &first));
        let stone = tombstone(
            &first,
            "a",
            &digest(&key, &first),
            "leaked",
            "2026-03-02T09:00:00Z",
        );
        assert_eq!(digest_of(&stone), Some(digest(&key, &first).as_str()));
        assert_eq!(digest_of(&first), None);
        assert!(!stone.to_line().contains("hunter2"));
    }
}
