//! What older writers left in skills: recognised, kept, and upgraded on request.

use std::fs;

use serde_json::json;

use crate::graduate::{REFERENCE, export, graduate, inspect, revert, sandbox, skill_files, states};

const LEGACY_REFERENCE: &str = "<!-- self-learning:aha-file
backport_id=slbp_20260301T000000Z_aaaaaa
generated_at=2026-03-01T00:00:00Z
card_ids=aha_card0001
-->

# Self-learning Aha Cards

<!-- self-learning:aha:start id=aha_card0001 backport_id=slbp_20260301T000000Z_aaaaaa -->
## Learning 1: quote the version
- **ID:** `aha_card0001`
- **When to use:** a version number loses its zero
- **Tags:** yaml, ci

**Problem**

YAML reads 3.10 as a number.

```yaml
version: 3.10
```

**Solution**
- Quote it
- Check with a dry run

**Evidence**
- run 1 was green afterwards

<!-- self-learning:aha:end -->
";

const LEGACY_POINTER: &str = "# x

<!-- self-learning:backport:start id=slbp_20260301T000000Z_aaaaaa -->
## Learnings (self-learning)

If `references/self-learning-aha.md` exists, skim it.
<!-- self-learning:backport:end -->
";

#[test]
fn blocks_of_the_first_version_are_kept_and_can_be_upgraded() {
    let sandbox = sandbox(2, LEGACY_POINTER.as_bytes());
    sandbox.file(&format!("skills/ci/{REFERENCE}"), LEGACY_REFERENCE);
    assert!(
        states(&sandbox).values().all(|state| state == "legacy"),
        "{:?}",
        states(&sandbox)
    );
    let same = graduate(&sandbox, "aha_card0001,aha_card0001", &[]);
    assert_eq!(same["skill_change"], "unchanged");
    let original = skill_files(&sandbox);
    let more = graduate(&sandbox, "aha_card0002,aha_card0001", &[]);
    assert_eq!(
        (&more["added_card_ids"], &more["skill_change"]),
        (&json!(["aha_card0002"]), &json!("updated_marker_id"))
    );
    assert_eq!(
        more["result_card_ids"],
        json!(["aha_card0001", "aha_card0002"])
    );
    revert(&sandbox, more["backport_id"].as_str().expect("an id"), &[]);
    assert_eq!(skill_files(&sandbox), original);
    let upgraded = graduate(&sandbox, "aha_card0001", &["--upgrade"]);
    assert_eq!(upgraded["updated_card_ids"], json!(["aha_card0001"]));
    assert!(
        states(&sandbox).values().all(|state| state == "untouched"),
        "{:?}",
        states(&sandbox)
    );
    revert(
        &sandbox,
        upgraded["backport_id"].as_str().expect("an id"),
        &[],
    );
    assert_eq!(skill_files(&sandbox), original);
    // A block of theirs that somebody has changed is told and kept.
    sandbox.file(
        &format!("skills/ci/{REFERENCE}"),
        LEGACY_REFERENCE.replace("- Quote it", "- Quote all"),
    );
    assert_eq!(states(&sandbox)["aha_card0001"], "edited");
    export(&sandbox, "aha_card0001", &[]).code(3);
}

#[test]
fn cards_without_markers_stay_known_after_the_first_export() {
    let sandbox = sandbox(2, b"# x\n");
    let bullets = "# Cards\n\n## Learning 1: quote the version\n- **ID:** `aha_card0001`\n\ntext\n\n## Other\n- **ID:** `aha_other`\n";
    sandbox.file(&format!("skills/ci/{REFERENCE}"), bullets);
    let first = graduate(&sandbox, "aha_card0002,aha_card0001", &[]);
    assert_eq!(first["added_card_ids"], json!(["aha_card0002"]));
    let second = graduate(&sandbox, "aha_card0001", &[]);
    assert_eq!(second["skill_change"], "unchanged");
    assert_eq!(
        inspect(&sandbox)["aha_reference"]["card_ids"],
        json!(["aha_card0001", "aha_other", "aha_card0002"])
    );
    let upgraded = graduate(&sandbox, "aha_card0001", &["--upgrade"]);
    assert_eq!(upgraded["updated_card_ids"], json!(["aha_card0001"]));
    assert_eq!(states(&sandbox)["aha_card0001"], "untouched");
    let text = fs::read_to_string(sandbox.repo().join("skills/ci").join(REFERENCE)).expect("text");
    assert!(text.contains("## Other\n- **ID:** `aha_other`\n"), "{text}");
}
