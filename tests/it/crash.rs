//! The log under fire: appends cut after every byte, failed writes, killed processes, full disks.
//!
//! `prlimit --fsize` ends a write after exactly so many bytes: the kernel kills the writer, or, where
//! the signal is ignored, the write fails as on a full disk. A sample of the cuts is swept by default,
//! every one of them with `SELF_LEARNING_FULL_SWEEP` set.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{BINARY, Run, Sandbox, finish, write};

const CARDS: &str = "aha_cards.jsonl";
const SIGNALS: &str = "signals.jsonl";

/// Whether the long versions of the tests are wanted.
#[expect(
    clippy::disallowed_methods,
    reason = "how thoroughly to test is the tester's word"
)]
pub fn full_sweep() -> bool {
    std::env::var_os("SELF_LEARNING_FULL_SWEEP").is_some()
}

/// What becomes of a writer that reaches the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// It is killed in the middle of the write.
    Kills,
    /// The write fails: the file is too large.
    Fails,
}

/// Whether `prlimit` is here; says so where it is not.
fn can_limit() -> bool {
    let found = Command::new("prlimit")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        eprintln!("SKIPPED: `prlimit` (util-linux) is missing, so no append can be cut");
    }
    found
}

/// Run the binary so that no file it writes grows beyond `bytes`.
fn limited(sandbox: &Sandbox, limit: Limit, bytes: usize, arguments: &[&str], stdin: &[u8]) -> Run {
    let mut command = match limit {
        Limit::Kills => sandbox.command("prlimit"),
        Limit::Fails => {
            let mut command = sandbox.command("sh");
            command.args(["-c", "trap '' XFSZ; exec prlimit \"$@\"", "sh"]);
            command
        }
    };
    command
        .arg(format!("--fsize={bytes}"))
        .arg("--core=0")
        .arg(BINARY)
        .args(arguments);
    finish(command, stdin)
}

/// The cuts to try in an append of `length` bytes: all, or about 64 with both ends among them.
fn cuts(length: usize) -> Vec<usize> {
    let step = if full_sweep() {
        1
    } else {
        (length / 60).max(1)
    };
    let ends = [1, 2, length - 2, length - 1, length];
    let cuts: BTreeSet<usize> = (0..=length).step_by(step).chain(ends).collect();
    cuts.into_iter().collect()
}

fn payload(title: &str) -> Vec<u8> {
    let card = json!({
        "title": title,
        "when_to_use": "a write is cut off in the middle – ✂ – of a “line”",
        "problem": "The disk is full, or somebody pulls the plug.",
        "solution_steps": ["Append whole lines", "Begin on a new line after a torn one"],
    });
    json!({ "aha_cards": [card] }).to_string().into_bytes()
}

/// A store with twelve cards and their log, which is longer than INDEX.md, so that a limit meets the log.
fn stored() -> (Sandbox, Vec<u8>) {
    let sandbox = Sandbox::new();
    let cards: Vec<Value> = (0..12)
        .map(|number| json!({ "title": format!("stored {number}"), "problem": "p".repeat(400) }))
        .collect();
    sandbox.record(&json!({ "aha_cards": cards }));
    let log = sandbox.log(CARDS);
    assert!(log.len() > 3 * sandbox.log("INDEX.md").len());
    (sandbox, log)
}

/// The ids that a reader sees which goes line by line and skips what is no JSON, as v1 readers do.
fn plain_ids(log: &[u8]) -> Vec<String> {
    let lines = log.split(|byte| *byte == b'\n');
    let records = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    records
        .filter_map(|record| Some(record["id"].as_str()?.to_owned()))
        .collect()
}

/// The ids that `list` shows, and the problems it reports.
fn listed(sandbox: &Sandbox) -> (Vec<String>, Vec<(u64, String)>, String) {
    let run = sandbox
        .run(&["list", "--limit", "0", "--format", "json"])
        .ok();
    let answer = run.json();
    let ids = answer["items"].as_array().expect("items").iter();
    let ids = ids
        .map(|item| item["id"].as_str().expect("an id").to_owned())
        .collect();
    let found = answer["diagnostics"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let found = found.iter().map(|found| {
        (
            found["line"].as_u64().expect("a line"),
            found["problem"].as_str().expect("a problem").to_owned(),
        )
    });
    (ids, found.collect(), run.stderr)
}

fn acknowledged(run: &Run) -> Vec<String> {
    if run.code != 0 {
        return Vec::new();
    }
    let answer = run.json();
    let results = answer["results"].as_array().expect("results").iter();
    results
        .map(|result| result["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// What a sweep over the cuts of one append came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    cuts: usize,
    torn: usize,
    lost: usize,
    acknowledged_and_missing: usize,
}

/// Cut the append of one card after every byte, append another card, read.
fn sweep(limit: Limit) {
    if !can_limit() {
        return;
    }
    let (sandbox, before) = stored();
    let stored_ids = plain_ids(&before);
    sandbox
        .run_with(&["record"], &payload("the one that is cut"))
        .ok();
    let whole = sandbox.log(CARDS);
    let line = &whole[before.len()..];
    let cut_id = plain_ids(line).remove(0);
    let mut tally = Tally::default();
    for cut in cuts(line.len()) {
        tally.cuts += 1;
        sandbox.seed(CARDS, &before);
        let run = limited(
            &sandbox,
            limit,
            before.len() + cut,
            &["record"],
            &payload("the one that is cut"),
        );
        let after_cut = sandbox.log(CARDS);
        assert_eq!(
            after_cut,
            [&before, &line[..cut]].concat(),
            "{limit:?} at {cut}: exactly the bytes before the cut"
        );
        if cut == line.len() {
            assert_eq!(
                run.code, 0,
                "{limit:?}: the whole line fits: {}",
                run.stderr
            );
        } else if limit == Limit::Kills {
            assert_eq!(
                (run.code, run.stdout.as_str()),
                (-1, ""),
                "killed at {cut}, nothing acknowledged"
            );
        } else {
            failed_write(&sandbox, &run);
        }
        let mut promised = stored_ids.clone();
        promised.extend(acknowledged(&run));

        // A line that lacks only its newline says all it has to say.
        let torn = cut > 0 && cut < line.len() - 1;
        let (ids, problems, stderr) = listed(&sandbox);
        let mut expected = stored_ids.clone();
        if cut >= line.len() - 1 {
            expected.push(cut_id.clone());
        }
        assert_eq!(ids, expected, "{limit:?} at {cut}");
        if torn {
            tally.torn += 1;
            assert_eq!(
                problems,
                [(13, "torn_line".to_owned())],
                "{limit:?} at {cut}"
            );
            assert_eq!(
                stderr,
                "warning: 1 line in the store could not be read as written, e.g. aha_cards.jsonl line 13: the last line is cut off\n\
                 hint: self-learning repair\n"
            );
        } else {
            assert_eq!(
                (problems, stderr.as_str()),
                (Vec::new(), ""),
                "{limit:?} at {cut}"
            );
        }

        let next = sandbox
            .run_with(&["record"], &payload("the one that comes after"))
            .ok();
        promised.extend(acknowledged(&next));
        expected.extend(acknowledged(&next));
        let (ids, problems, _) = listed(&sandbox);
        assert_eq!(ids, expected, "{limit:?} at {cut}, after the next append");
        let codes: Vec<&str> = problems
            .iter()
            .map(|(_, problem)| problem.as_str())
            .collect();
        assert_eq!(
            codes,
            if torn { vec!["not_json"] } else { Vec::new() },
            "{limit:?} at {cut}"
        );
        let log = sandbox.log(CARDS);
        assert!(
            log.starts_with(&after_cut),
            "{limit:?} at {cut}: nothing that is stored is changed"
        );
        let plain = plain_ids(&log);
        tally.lost += stored_ids.iter().filter(|id| !plain.contains(id)).count();
        tally.acknowledged_and_missing += promised.iter().filter(|id| !plain.contains(id)).count();

        let repair = sandbox.json(&["repair", "--format", "json"]);
        assert_eq!(
            repair["counts"]["problems"],
            usize::from(torn),
            "{limit:?} at {cut}"
        );
        if torn {
            assert_eq!(repair["problems"][0]["line"], 13);
            sandbox.run(&["repair", "--check"]).code(5);
        }
    }
    println!("{limit:?}: {tally:?}");
    assert_eq!(
        (tally.lost, tally.acknowledged_and_missing),
        (0, 0),
        "{limit:?}: {tally:?}"
    );
    assert!(tally.torn >= 55, "{tally:?}");
}

/// The answer of a write that failed: status 1, a code and a hint, on both streams.
#[track_caller]
fn failed_write(sandbox: &Sandbox, run: &Run) {
    assert_eq!(run.code, 1, "{}", run.stderr);
    let path = sandbox.store().join(CARDS);
    let message = format!(
        "cannot append to `{}`: File too large (os error 27)",
        path.display()
    );
    let hint =
        "free some space and run the same command again; what was acknowledged before is safe";
    assert_eq!(
        run.json(),
        json!({ "ok": false, "error": { "code": "io", "message": message, "hint": hint } })
    );
    assert_eq!(run.stderr, format!("error: {message}\nhint: {hint}\n"));
}

#[test]
fn an_append_killed_after_any_byte_loses_nothing() {
    sweep(Limit::Kills);
}

#[test]
fn an_append_that_fails_after_any_byte_loses_nothing_and_says_so() {
    sweep(Limit::Fails);
}

/// The same sweep over an append that forgets the newline after a torn line: it loses what it acknowledged.
#[test]
fn the_sweep_finds_a_careless_append() {
    let (sandbox, before) = stored();
    sandbox
        .run_with(&["record"], &payload("the one that is cut"))
        .ok();
    let whole = sandbox.log(CARDS);
    let line = &whole[before.len()..];
    let cuts = cuts(line.len());
    let path = sandbox.root().join("careless.jsonl");
    let mut missing = 0;
    for cut in &cuts {
        write(&path, [&before, &line[..*cut]].concat());
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .expect("the log");
        file.write_all(b"{\"id\": \"next\"}\n").expect("an append");
        let found = plain_ids(&fs::read(&path).expect("the log"));
        missing += usize::from(!found.contains(&"next".to_owned()));
    }
    // Only at the two ends of the line does the next one begin on its own.
    assert_eq!(missing, cuts.len() - 2);
}

#[test]
fn a_batch_of_several_cards_cut_anywhere_keeps_whole_lines_in_order() {
    if !can_limit() {
        return;
    }
    let (sandbox, before) = stored();
    let cards: Vec<Value> = (0..3)
        .map(|number| json!({ "title": format!("of a batch {number}") }))
        .collect();
    let payload = json!({ "aha_cards": cards }).to_string().into_bytes();
    let answer = sandbox.run_with(&["record"], &payload).ok();
    let batch_ids = acknowledged(&answer);
    let whole = sandbox.log(CARDS);
    let lines = &whole[before.len()..];
    for cut in cuts(lines.len()) {
        sandbox.seed(CARDS, &before);
        let run = limited(
            &sandbox,
            Limit::Fails,
            before.len() + cut,
            &["record"],
            &payload,
        );
        assert_eq!(run.code, if cut == lines.len() { 0 } else { 1 }, "at {cut}");
        // The caller was told of a failure and does it all again.
        let again = sandbox.run_with(&["record"], &payload).ok();
        let answer = again.json();
        let outcomes: Vec<&str> = answer["results"]
            .as_array()
            .expect("results")
            .iter()
            .filter_map(|item| item["outcome"].as_str())
            .collect();
        let ends: Vec<usize> = (0..lines.len())
            .filter(|at| lines[*at] == b'\n')
            .filter(|end| *end <= cut)
            .collect();
        let expected: Vec<&str> = (0..3)
            .map(|number| {
                if number < ends.len() {
                    "reinforced"
                } else {
                    "created"
                }
            })
            .collect();
        assert_eq!(outcomes, expected, "at {cut}");
        let (ids, _, _) = listed(&sandbox);
        assert_eq!(ids[12..], batch_ids, "at {cut}: each card once, in order");
    }
}

#[test]
fn a_kill_between_the_files_of_a_batch_loses_nothing() {
    if !can_limit() {
        return;
    }
    let (sandbox, before) = stored();
    let known = plain_ids(&before);
    // The log of signals is the longest, so the limit meets it after the cards are written.
    let context = "c".repeat(200);
    let used: Vec<&str> = known.iter().map(String::as_str).collect();
    while sandbox.log(SIGNALS).len() < 2 * before.len() {
        let now = format!(
            "2026-03-01T00:00:{:02}Z",
            sandbox.records(SIGNALS).len() / used.len()
        );
        let mut command = sandbox.command(BINARY);
        command
            .args(["use", "--aha", &used.join(","), "--context", &context])
            .env("SELF_LEARNING_NOW", now);
        finish(command, b"").ok();
    }
    let signals = sandbox.log(SIGNALS);
    let payload = json!({
        "event": { "task_summary": "a task" },
        "aha_cards": [{ "title": "new in this batch" }],
        "used_aha_ids": used,
    });
    let payload = payload.to_string().into_bytes();
    for limit in [Limit::Kills, Limit::Fails] {
        for cut in [0, 1, 50, 150, 151, 700] {
            sandbox.seed(CARDS, &before);
            sandbox.seed(SIGNALS, &signals);
            sandbox.seed("events.jsonl", b"");
            let run = limited(&sandbox, limit, signals.len() + cut, &["record"], &payload);
            assert_eq!(
                run.code,
                if limit == Limit::Kills { -1 } else { 1 },
                "at {cut}: {}",
                run.stderr
            );
            assert_eq!(sandbox.log(SIGNALS).len(), signals.len() + cut, "at {cut}");
            // Event and card are there; nobody was told so.
            assert_eq!(sandbox.records("events.jsonl").len(), 1);
            assert_eq!(sandbox.records(CARDS).len(), 13);

            let again = sandbox.run_with(&["record"], &payload).ok().json();
            assert_eq!(
                again["results"][1]["outcome"], "reinforced",
                "the card is known: {again:#}"
            );
            let log = sandbox.log(SIGNALS);
            assert!(log.starts_with(&signals));
            let plain = plain_ids(&log);
            let written = again["usage_signals"]["written"]
                .as_array()
                .expect("signals");
            assert_eq!(written.len(), used.len());
            for signal in written {
                let id = signal["id"].as_str().expect("an id");
                assert!(
                    plain.iter().any(|known| known == id),
                    "{limit:?} at {cut}: {id} was acknowledged"
                );
            }
            let (ids, _, _) = listed(&sandbox);
            assert_eq!(ids.len(), 13, "{limit:?} at {cut}");
        }
    }
}

#[test]
fn an_index_that_cannot_be_written_does_not_fail_the_append() {
    if !can_limit() {
        return;
    }
    let sandbox = Sandbox::new();
    let id = sandbox.card(json!({ "title": "small" }));
    let index = sandbox.log("INDEX.md");
    let limit = sandbox.log(CARDS).len() + 170;
    assert!(limit < index.len());
    let run = limited(
        &sandbox,
        Limit::Fails,
        limit,
        &["record"],
        br#"{"aha_cards": [{"title": "second"}]}"#,
    )
    .ok();
    let path = sandbox.store().join("INDEX.md");
    assert_eq!(
        run.json()["notes"],
        json!([format!(
            "INDEX.md was not rebuilt: cannot write `{}`: File too large (os error 27)",
            path.display()
        )])
    );
    assert_eq!(sandbox.log("INDEX.md"), index, "the old one is still whole");
    assert_eq!(listed(&sandbox).0, [id, acknowledged(&run).remove(0)]);
    let left: Vec<_> = fs::read_dir(sandbox.store())
        .expect("the store")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().ends_with(".tmp")),
        "{left:?}"
    );
}

#[cfg(unix)]
#[test]
fn a_log_that_leads_to_a_full_device_is_refused_as_a_link() {
    let sandbox = Sandbox::new();
    sandbox.card(json!({ "title": "kept" }));
    for (name, payload) in [
        (SIGNALS, json!({ "aha_cards": [{ "title": "kept" }] })),
        (
            "recommendations.jsonl",
            json!({ "recommendations": [{ "title": "r" }] }),
        ),
        (CARDS, json!({ "aha_cards": [{ "title": "new" }] })),
    ] {
        let path = sandbox.store().join(name);
        let saved = fs::read(&path).ok();
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink("/dev/full", &path).expect("a link");
        let before = sandbox.snapshot_of_links();
        let run = sandbox
            .run_with(&["record"], payload.to_string().as_bytes())
            .code(3);
        assert_eq!(run.json()["error"]["code"], "symlink");
        assert_eq!(
            run.stderr,
            format!(
                "error: `{0}` is a link to `/dev/full`; nothing is written through links\n\
                 hint: replace the link by what it points to, or remove it: rm '{0}'\n",
                path.display()
            )
        );
        assert_eq!(
            sandbox.snapshot_of_links(),
            before,
            "nothing stored is changed"
        );
        // What never ends is not read either.
        let run = sandbox.run(&["review", "--format", "json"]).code(1);
        assert_eq!(run.json()["error"]["code"], "not_a_file");
        fs::remove_file(&path).expect("the link");
        if let Some(bytes) = saved {
            sandbox.seed(name, bytes);
        }
    }
    assert_eq!(listed(&sandbox).0.len(), 1);
}

/// Writers killed at any moment: a smoke test, weaker than the sweep.
#[cfg(unix)]
#[test]
fn writers_killed_at_random_lose_nothing_acknowledged() {
    let sandbox = Sandbox::new();
    let mut promised = vec![sandbox.card(json!({ "title": "first" }))];
    let mut killed = 0;
    for round in 0..30 {
        let card = json!({ "title": format!("round {round}"), "problem": "p".repeat(20_000) });
        let mut child = sandbox
            .command(BINARY)
            .arg("record")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let payload = json!({ "aha_cards": [card] }).to_string();
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(payload.as_bytes())
            .expect("the payload");
        std::thread::sleep(Duration::from_micros(700 * (round % 15)));
        // `Child::kill` is SIGKILL; a writer that is done already cannot be killed any more.
        let _ = child.kill();
        let output = child.wait_with_output().expect("the end");
        match output.status.code() {
            Some(0) => {
                let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
                promised.push(
                    answer["results"][0]["id"]
                        .as_str()
                        .expect("an id")
                        .to_owned(),
                );
            }
            _ => killed += 1,
        }
    }
    promised.push(sandbox.card(json!({ "title": "last" })));
    let plain = plain_ids(&sandbox.log(CARDS));
    let missing: Vec<_> = promised.iter().filter(|id| !plain.contains(id)).collect();
    println!(
        "{killed} of 30 killed, {} acknowledged, missing: {missing:?}",
        promised.len()
    );
    assert!(missing.is_empty(), "{missing:?}");
    assert!(killed > 0, "no writer was killed");
    let (ids, _, _) = listed(&sandbox);
    assert!(promised.iter().all(|id| ids.contains(id)));
}

impl Sandbox {
    /// Names, link targets and bytes of the store's files, following no link.
    fn snapshot_of_links(&self) -> Vec<(String, Result<std::path::PathBuf, Vec<u8>>)> {
        let entry = |path: &Path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            (
                name,
                fs::read_link(path).map_err(|_| fs::read(path).unwrap_or_default()),
            )
        };
        let entries = fs::read_dir(self.store()).expect("the store").flatten();
        let mut found: Vec<_> = entries.map(|found| entry(&found.path())).collect();
        found.sort();
        found
    }
}
