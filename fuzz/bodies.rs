//! What each fuzz target does with its bytes; the test suite replays the seeds through the same functions.
//!
//! Each runs whole commands in a repository of its own, in this process, and panics when a promise is broken.
#![allow(dead_code, reason = "each target uses one of these")]

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use self_learning::Outcome;
use self_learning::cli::Cli;
use self_learning::ctx::{Ctx, store_below};
use self_learning::domain::time::Timestamp;
use serde_json::{Value, json};

const LOGS: [&str; 5] = [
    "events",
    "aha_cards",
    "recommendations",
    "signals",
    "backports",
];

/// What audit may never find in a store that only `record` has written.
const KEPT_OUT: [&str; 4] = ["secret", "invisible_text", "too_long", "too_deep"];

/// A repository in memory where the system has such a place.
struct Place {
    folder: tempfile::TempDir,
    ctx: Ctx,
}

thread_local! {
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

impl Place {
    fn new() -> Place {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let folder = folder.expect("a folder");
        let root = fs::canonicalize(folder.path()).expect("a folder");
        let ctx = Ctx {
            now: Timestamp::parse("2026-03-02T09:00:00Z").expect("a time"),
            user: "dev".to_owned(),
            user_known: true,
            cwd: root.clone(),
            home: None,
            work_root: root.clone(),
            in_git: false,
            store: store_below(&root, "dev"),
            global_store: root.join("global"),
            repo_root: root,
            stdin_terminal: false,
            stdout_terminal: false,
            stderr_terminal: false,
            width: 100,
            color: false,
            agent: Vec::new(),
            index_from: None,
            lock_wait: Duration::from_secs(5),
        };
        Place { folder, ctx }
    }

    fn root(&self) -> PathBuf {
        self.ctx.repo_root.clone()
    }

    fn empty(&self) {
        for entry in fs::read_dir(self.folder.path())
            .expect("a folder")
            .flatten()
        {
            let path = entry.path();
            let _ = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
        }
    }

    fn run(&self, line: &[&str], stdin: &[u8]) -> Outcome {
        let line = std::iter::once(&"self-learning").chain(line);
        let cli = Cli::try_parse_from(line).expect("a command line");
        let mut input = stdin;
        let outcome = self_learning::run(&cli, &self.ctx, &mut input);
        for (name, text) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
            assert!(
                !text.contains(['\u{1b}', '\u{202e}', '\u{2066}', '\0', '\u{7}']),
                "{name} acts on a terminal: {text:?}"
            );
        }
        assert_ne!(outcome.code, 70, "a bug: {}", outcome.stderr);
        outcome
    }

    fn json(&self, line: &[&str], stdin: &[u8]) -> (Value, u8) {
        let outcome = self.run(line, stdin);
        let value = serde_json::from_str(&outcome.stdout)
            .unwrap_or_else(|error| panic!("{line:?}: {error}: {}", outcome.stdout));
        (value, outcome.code)
    }
}

fn in_place(action: impl FnOnce(&Place)) {
    PLACE.with_borrow_mut(|place| {
        let place = place.get_or_insert_with(Place::new);
        place.empty();
        action(place);
    });
}

#[allow(clippy::disallowed_methods, reason = "fixtures need no atomic writes")]
fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, bytes).expect("a file");
}

/// Any bytes as a payload: taken or refused, never half; what was taken passes the audit, in every file.
pub fn record(bytes: &[u8]) {
    in_place(|place| {
        for options in [
            &["record", "--strip-invisible"][..],
            &["record"],
            &["record", "--jsonl", "-"],
        ] {
            let (answer, code) = place.json(options, bytes);
            assert!(matches!(code, 0 | 2 | 3 | 4), "{code}: {answer}");
            assert_eq!(answer["ok"] == true, code == 0, "{answer}");
        }
        let (audit, _) = place.json(&["doctor", "--audit"], b"");
        for finding in audit["findings"].as_array().expect("findings") {
            let code = finding["code"].as_str().expect("a code");
            assert!(!KEPT_OUT.contains(&code), "{finding}");
        }
        for name in LOGS {
            let bytes = fs::read(place.ctx.store.join(format!("{name}.jsonl"))).unwrap_or_default();
            for line in String::from_utf8(bytes).expect("UTF-8").lines() {
                let value: Value = serde_json::from_str(line).expect("one object per line");
                assert!(value.is_object());
            }
        }
        let (listed, code) = place.json(&["list", "--all", "--limit", "0"], b"");
        assert_eq!(code, 0, "{listed}");
    });
}

/// Any bytes as a log (the first byte says which): every reader answers, and a repair repairs.
pub fn log(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    in_place(|place| {
        // A few cards of ours, so that signals and recommendations have something to be about.
        let base = br#"{"id": "aha_base00000001", "title": "Quote the version", "when_to_use": "YAML loses a zero", "ts": "2026-03-01T09:00:00Z"}"#;
        write(
            &place.ctx.store.join("aha_cards.jsonl"),
            &[&base[..], b"\n"].concat(),
        );
        let name = LOGS[usize::from(*kind) % LOGS.len()];
        write(&place.ctx.store.join(format!("{name}.jsonl")), rest);
        let ask: &[&[&str]] = &[
            &["list"],
            &[
                "list",
                "--all",
                "--history",
                "--limit",
                "0",
                "--format",
                "table",
            ],
            &["list", "--query", "quote version", "--format", "markdown"],
            &["review", "--format", "json"],
            &["review", "--format", "summary"],
            &["review", "--format", "markdown", "--quarantine"],
            &["repair"],
            &["repair", "--format", "table"],
        ];
        for line in ask {
            let outcome = place.run(line, b"");
            assert_eq!(outcome.code, 0, "{line:?}: {}", outcome.stderr);
        }
        let audit = place.run(&["doctor", "--audit", "--format", "table"], b"");
        assert!(matches!(audit.code, 0 | 5), "{}", audit.stderr);
        let (all, _) = place.json(&["list", "--all", "--limit", "0"], b"");
        let ids: Vec<&str> = all["items"]
            .as_array()
            .expect("items")
            .iter()
            .filter_map(|item| item["id"].as_str().map(str::trim))
            .collect();
        for id in ids.iter().take(3).filter(|id| !id.starts_with('-')) {
            let outcome = place.run(&["show", id, "--format", "table"], b"");
            assert!(matches!(outcome.code, 0 | 4), "{id}: {}", outcome.stderr);
        }
        let before = fs::read(place.ctx.store.join(format!("{name}.jsonl"))).expect("the log");
        let (applied, code) = place.json(&["repair", "--apply"], b"");
        assert_eq!(code, 0, "{applied}");
        let after = fs::read(place.ctx.store.join(format!("{name}.jsonl"))).expect("the log");
        assert!(after.starts_with(&before), "repair only appends");
        let (again, _) = place.json(&["repair"], b"");
        let counts = &again["counts"];
        assert_eq!(
            (
                &counts["aha_updates"],
                &counts["rec_updates"],
                &counts["recovered"]
            ),
            (&json!(0), &json!(0), &json!(0)),
            "{again}"
        );
        let (listed, _) = place.json(&["list", "--all", "--limit", "0"], b"");
        let known: Vec<&str> = listed["items"]
            .as_array()
            .expect("items")
            .iter()
            .filter_map(|item| item["id"].as_str().map(str::trim))
            .collect();
        for id in ids {
            assert!(known.contains(&id), "{id} is gone after a repair");
        }
    });
}

/// Any bytes as the texts of two cards and of the skill around them: what is written is found again, nothing else
/// changes, and taking it back leaves the bytes that were there.
pub fn card(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\u{1f}').map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    in_place(|place| {
        let card = |id: &str, texts: [String; 5]| {
            let [title, when, problem, steps, evidence] = texts;
            json!({
                "id": id,
                "title": format!("T{title}"),
                "when_to_use": format!("w{when}"),
                "problem": problem,
                "solution_steps": steps.split('\u{1e}').collect::<Vec<_>>(),
                "evidence": format!("e{evidence}"),
                "primary_skill": "ci", "scope": "portable", "shareable": true, "status": "accepted",
            })
        };
        let first = card("aha_card0001", std::array::from_fn(|_| part()));
        let second = card("aha_card0002", std::array::from_fn(|_| part()));
        let skill = part();
        write(&place.root().join("skills/ci/SKILL.md"), skill.as_bytes());
        let payload = json!({ "aha_cards": [first, second] }).to_string();
        place.json(&["record", "--strip-invisible"], payload.as_bytes());
        let stored = place.json(&["list", "--all", "--limit", "0"], b"").0;
        let ids: Vec<String> = stored["items"]
            .as_array()
            .expect("items")
            .iter()
            .filter_map(|item| item["id"].as_str().map(str::to_owned))
            .collect();
        if ids.is_empty() {
            return;
        }
        for into in ["reference", "gotchas"] {
            there_and_back(place, &ids.join(","), &ids, into, skill.as_bytes());
        }
    });
}

fn there_and_back(place: &Place, list: &str, ids: &[String], into: &str, skill: &[u8]) {
    let export = [
        "export-backport",
        "--skill-path",
        "skills/ci",
        "--ids",
        list,
        "--into",
        into,
    ];
    let (plan, code) = place.json(&export, b"");
    if code != 0 {
        // Refused by the gate: then nothing may have changed.
        assert!(matches!(code, 3 | 5), "{plan}");
        let now = fs::read(place.root().join("skills/ci/SKILL.md")).expect("the skill");
        assert_eq!(now, skill);
        return;
    }
    let sha256 = plan["plan_sha256"].as_str().expect("a digest");
    let (applied, code) = place.json(&[&export[..], &["--apply", "--plan", sha256]].concat(), b"");
    assert_eq!(code, 0, "{applied}");
    let written = fs::read(place.root().join("skills/ci/SKILL.md")).expect("the skill");
    if into == "reference" {
        // Everything that was there is still there, in order.
        let text = String::from_utf8_lossy(&written).into_owned();
        let markers = text.matches("<!-- self-learning:").count();
        let own = String::from_utf8_lossy(skill)
            .matches("<!-- self-learning:")
            .count();
        assert!(markers >= own, "{text}");
    }
    let (found, code) = place.json(&["backport-inspect", "--skill-path", "skills/ci"], b"");
    assert_eq!(code, 0, "{found}");
    let mut seen: Vec<&str> = found["blocks"]
        .as_array()
        .expect("blocks")
        .iter()
        .filter(|block| block["kind"] == "card" && block["state"] != "stray")
        .filter_map(|block| block["id"].as_str())
        .collect();
    seen.sort_unstable();
    seen.dedup();
    let mut wanted: Vec<&str> = ids.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    assert_eq!(seen, wanted, "{found}");
    let id = plan["backport_id"].as_str().expect("an id");
    let revert = [
        "export-backport",
        "--skill-path",
        "skills/ci",
        "--revert",
        id,
    ];
    let (planned, code) = place.json(&revert, b"");
    assert_eq!(code, 0, "{planned}");
    let sha256 = planned["plan_sha256"].as_str().expect("a digest");
    let (reverted, code) = place.json(&[&revert[..], &["--apply", "--plan", sha256]].concat(), b"");
    assert_eq!(code, 0, "{reverted}");
    let back = fs::read(place.root().join("skills/ci/SKILL.md")).expect("the skill");
    assert_eq!(back, skill, "taking it back leaves what was there");
    assert!(!place.root().join("skills/ci/references").exists());
}
