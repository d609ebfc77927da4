//! Many processes on one store at once: nothing lost, nothing twice, nothing half.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::crash::full_sweep;
use crate::support::{BINARY, Run, Sandbox, finish};

const CARDS: &str = "aha_cards.jsonl";

/// A sandbox whose writers wait for each other as long as it takes.
fn patient() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.env("SELF_LEARNING_LOCK_WAIT_MS", "120000");
    sandbox
}

/// Run `action` in so many threads that all begin at the same moment.
fn at_once<T: Send>(threads: usize, action: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        let start = |number: usize| {
            let (barrier, action) = (&barrier, &action);
            scope.spawn(move || {
                barrier.wait();
                action(number)
            })
        };
        let running: Vec<_> = (0..threads).map(start).collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    })
}

fn record(sandbox: &Sandbox, card: &Value) -> Run {
    sandbox.run_with(
        &["record"],
        json!({ "aha_cards": [card] }).to_string().as_bytes(),
    )
}

fn outcome(run: &Run) -> String {
    run.json()["results"][0]["outcome"]
        .as_str()
        .expect("an outcome")
        .to_owned()
}

/// Start so many `record` processes, let all of them wait for their input, then give it to all at once.
fn record_at_once(sandbox: &Sandbox, processes: usize, card: &Value) -> Vec<Run> {
    let payload = json!({ "aha_cards": [card] }).to_string();
    let mut children: Vec<_> = (0..processes)
        .map(|_| {
            let mut command = sandbox.command(BINARY);
            command
                .arg("record")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            command.spawn().expect("the binary starts")
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    for child in &mut children {
        let mut stdin = child.stdin.take().expect("piped");
        stdin
            .write_all(payload.as_bytes())
            .expect("the payload is read");
    }
    let ended = children.into_iter().map(|child| {
        let output = child.wait_with_output().expect("the process ends");
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    });
    ended.map(Run::ok).collect()
}

/// What readers see while writers are at work; every look is checked.
struct Readers<'a> {
    sandbox: &'a Sandbox,
    writing: AtomicBool,
}

/// How often each reader looked.
#[derive(Debug)]
struct Looks {
    list: usize,
    log: usize,
    index: usize,
}

impl Readers<'_> {
    /// Run `write` while readers look; they stop when it ends, however it ends.
    fn during<T>(sandbox: &Sandbox, write: impl FnOnce() -> T) -> (T, Looks) {
        struct Stop<'a>(&'a AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::SeqCst);
            }
        }
        let readers = Readers {
            sandbox,
            writing: AtomicBool::new(true),
        };
        thread::scope(|scope| {
            let list = scope.spawn(|| readers.list());
            let log = scope.spawn(|| readers.log());
            let index = scope.spawn(|| readers.index());
            let stop = Stop(&readers.writing);
            let done = write();
            drop(stop);
            let looks = Looks {
                list: list.join().expect("every list was whole"),
                log: log.join().expect("every look at the log was whole"),
                index: index.join().expect("every INDEX.md was whole"),
            };
            (done, looks)
        })
    }

    fn writing(&self) -> bool {
        self.writing.load(Ordering::SeqCst)
    }

    /// `list`: succeeds, finds no damage, and never shows less than before.
    fn list(&self) -> usize {
        let (mut looks, mut seen) = (0, 0);
        while self.writing() {
            let run = self
                .sandbox
                .run(&["list", "--limit", "0", "--format", "json"])
                .ok();
            assert_eq!(run.stderr, "", "damage where there is none");
            let answer = run.json();
            let count = answer["items"].as_array().expect("items").len();
            assert!(count >= seen, "{count} cards after {seen}");
            seen = count;
            looks += 1;
        }
        looks
    }

    /// The bytes of the log: it only grows, and every ended line is a record.
    fn log(&self) -> usize {
        let (mut looks, mut before) = (0, Vec::new());
        while self.writing() {
            let now = self.sandbox.log(CARDS);
            assert!(now.starts_with(&before), "what is stored was changed");
            let from = before
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
            let to = now
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
            for line in now[from..to.max(from)]
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
            {
                let line: Result<Value, _> = serde_json::from_slice(line);
                assert!(
                    line.is_ok_and(|line| line["id"].is_string()),
                    "half a record"
                );
            }
            before = now;
            looks += 1;
            thread::sleep(Duration::from_micros(200));
        }
        looks
    }

    /// INDEX.md: there once it was there, and whole.
    fn index(&self) -> usize {
        let (mut looks, mut there) = (0, false);
        while self.writing() {
            let text = fs::read_to_string(self.sandbox.store().join("INDEX.md"));
            assert!(text.is_ok() || !there, "INDEX.md went away");
            if let Ok(text) = text {
                there = true;
                let whole = text.starts_with("# Self-learning index\n")
                    && text.contains("\n## Backport Candidates\n\n")
                    && text.ends_with('\n');
                assert!(whole, "half an INDEX.md:\n{text}");
            }
            looks += 1;
            thread::sleep(Duration::from_micros(200));
        }
        looks
    }
}

#[test]
fn processes_recording_different_cards_lose_none() {
    let (writers, records) = if full_sweep() { (64, 50) } else { (16, 20) };
    let sandbox = patient();
    let (ids, looks) = Readers::during(&sandbox, || {
        at_once(writers, |writer| {
            let card = |number: usize| {
                let run = record(
                    &sandbox,
                    &json!({ "title": format!("card {number} of writer {writer}") }),
                )
                .ok();
                assert_eq!(outcome(&run), "created");
                run.json()["results"][0]["id"]
                    .as_str()
                    .expect("an id")
                    .to_owned()
            };
            (0..records).map(card).collect::<Vec<String>>()
        })
    });
    let acknowledged: BTreeSet<String> = ids.into_iter().flatten().collect();
    assert_eq!(acknowledged.len(), writers * records, "ids are distinct");
    let log = String::from_utf8(sandbox.log(CARDS)).expect("UTF-8");
    assert_eq!(log.lines().count(), writers * records);
    let stored: BTreeSet<String> = sandbox
        .records(CARDS)
        .iter()
        .map(|card| card["id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(stored, acknowledged);
    println!("{writers} × {records} records; {looks:?}");
    assert!(
        looks.list > 0 && looks.log > 0 && looks.index > 0,
        "{looks:?}"
    );
}

#[test]
fn processes_recording_whole_batches_lose_none() {
    let sandbox = patient();
    let runs = at_once(64, |writer| {
        let card = |number: usize| json!({ "title": format!("card {number} of writer {writer}") });
        let cards: Vec<Value> = (0..50).map(card).collect();
        sandbox
            .run_with(
                &["record"],
                json!({ "aha_cards": cards }).to_string().as_bytes(),
            )
            .ok()
    });
    assert_eq!(runs.len(), 64);
    let records = sandbox.records(CARDS);
    let ids: BTreeSet<&str> = records
        .iter()
        .filter_map(|card| card["id"].as_str())
        .collect();
    assert_eq!((records.len(), ids.len()), (3_200, 3_200));
    // Each batch stands together, in its order.
    for batch in records.chunks(50) {
        let writer = batch[0]["title"]
            .as_str()
            .expect("a title")
            .trim_start_matches("card 0 of ");
        for (number, card) in batch.iter().enumerate() {
            assert_eq!(card["title"], format!("card {number} of {writer}"));
        }
    }
}

#[test]
fn large_records_are_never_seen_half() {
    let sandbox = patient();
    let (_, looks) = Readers::during(&sandbox, || {
        at_once(4, |writer| {
            for number in 0..8 {
                let card = json!({ "title": format!("{number} of {writer}"), "problem": "long ".repeat(4_000) });
                assert_eq!(outcome(&record(&sandbox, &card).ok()), "created");
            }
        })
    });
    assert_eq!(sandbox.records(CARDS).len(), 32);
    println!("{looks:?}");
    assert!(looks.list > 0 && looks.log > 0, "{looks:?}");
}

#[test]
fn the_same_card_from_many_processes_is_one_card() {
    let sandbox = patient();
    // Others are stored already, so that reading and deciding take a while.
    let others = crate::generate::files(200);
    let (name, others) = others
        .iter()
        .find(|(name, _)| *name == CARDS)
        .expect("cards");
    sandbox.seed(name, others);
    let card = json!({
        "title": "Quote YAML country codes", "when_to_use": "NO is read as false", "problem": "Norway is missing",
        "solution_steps": ["Quote it"], "evidence": ["seen"], "tags": ["yaml"], "shareable": true,
    });
    let runs = record_at_once(&sandbox, 16, &card);
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for run in &runs {
        *outcomes.entry(outcome(run)).or_default() += 1;
    }
    assert_eq!(
        outcomes,
        [("created".to_owned(), 1), ("reinforced".to_owned(), 15)].into()
    );
    let stored = String::from_utf8(sandbox.log(CARDS)).expect("UTF-8");
    let new = stored
        .strip_prefix(others)
        .expect("nothing stored is changed");
    assert_eq!(new.lines().count(), 1, "{new}");
    let signals = sandbox.records("signals.jsonl");
    assert_eq!(signals.len(), 15);
    assert!(
        signals
            .iter()
            .all(|signal| signal["kind"] == "aha_reinforced")
    );
    let review = sandbox.json(&["review", "--format", "json"]);
    let top = &review["aha"]["top_by_score"][0];
    assert_eq!(
        (&top["score"], &top["counts"]["aha_reinforced"]),
        (&json!(16), &json!(15))
    );
}

#[test]
fn many_first_writers_add_the_rule_for_git_once() {
    let sandbox = patient();
    record_at_once(&sandbox, 16, &json!({ "title": "The first one here" }));
    let rules = fs::read_to_string(sandbox.repo().join(".gitignore")).expect("a rule");
    assert_eq!(rules.matches(".agent-skills/").count(), 1, "{rules}");
}

#[test]
fn every_writing_command_joins_the_race() {
    let sandbox = patient();
    let card = sandbox.card(json!({ "title": "Contended", "tags": ["first"] }));
    let answer =
        sandbox.record(&json!({ "recommendations": [{ "title": "Contended too", "why": "w" }] }));
    let recommendation = answer["results"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    // One line that is cut off, for `repair` to find.
    let mut log = sandbox.log(CARDS);
    log.extend(b"{\"id\": \"aha_cut\", \"ti");
    sandbox.seed(CARDS, log);
    record(&sandbox, &json!({ "title": "Heals the log" })).ok();
    let statuses = [
        "accepted",
        "in_progress",
        "done",
        "proposed",
        "rejected",
        "deprecated",
    ];
    let rounds = statuses.len();
    at_once(8, |writer| {
        for (round, status) in statuses.into_iter().enumerate() {
            let tag = format!("tag-{writer}-{round}");
            let run = match writer {
                0 | 1 => sandbox.run(&["edit", "--id", &card, "--add-tag", &tag]),
                2 => sandbox.run(&["rec-status", "--id", &recommendation, "--status", status]),
                3 => sandbox.run(&["repair", "--apply"]),
                4 => sandbox.run(&["init"]),
                5 => record(&sandbox, &json!({ "title": format!("new {round}") })),
                6 => sandbox.run(&["use", "--aha", &card, "--context", &tag]),
                _ => sandbox.run(&["promote", "--ids", &card]),
            };
            assert_eq!(run.code, 0, "{writer}: {}", run.stderr);
        }
    });
    let shown = sandbox.json(&["show", &card, "--format", "json"]);
    let history = sandbox.json(&["history", "--id", &card, "--format", "json"]);
    assert_eq!(history["rev"], 1 + 2 * rounds, "every edit is a version");
    let current = &history["versions"][2 * rounds]["item"];
    let tags: BTreeSet<&str> = current["tags"]
        .as_array()
        .expect("tags")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(
        tags.len(),
        1 + 2 * rounds,
        "no edit undid another: {tags:?} in {shown:#}"
    );
    let history = sandbox.json(&["history", "--id", &recommendation, "--format", "json"]);
    assert_eq!(history["rev"], 1 + rounds);
    assert_eq!(history["versions"][rounds]["status"], "deprecated");
    let signals = sandbox.records("signals.jsonl");
    let used = signals
        .iter()
        .filter(|signal| signal["kind"] == "aha_used")
        .count();
    assert_eq!(used, rounds);
    // The damage was acknowledged by one `repair` and left alone by the others.
    let acknowledged = sandbox
        .records("events.jsonl")
        .iter()
        .filter(|event| event["kind"] == "repair_acknowledged")
        .count();
    assert_eq!(acknowledged, 1);
    let damage = sandbox.json(&["repair", "--check", "--format", "json"]);
    assert_eq!(damage["problems"].as_array().map(Vec::len), Some(1));
    // INDEX.md tells what the logs tell.
    let index = sandbox.log("INDEX.md");
    sandbox.run(&["init"]).ok();
    assert_eq!(
        String::from_utf8_lossy(&index),
        String::from_utf8_lossy(&sandbox.log("INDEX.md"))
    );
}

#[test]
fn a_held_lock_makes_writers_give_up_and_name_the_file() {
    let mut sandbox = Sandbox::new();
    sandbox.env("SELF_LEARNING_LOCK_WAIT_MS", "150");
    let card = sandbox.card(json!({ "title": "Stored" }));
    let answer = sandbox.record(&json!({ "recommendations": [{ "title": "Stored too" }] }));
    let recommendation = answer["results"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    sandbox.run(&["edit", "--id", &card, "--add-tag", "t"]).ok();
    let path = sandbox.store().join(".lock");
    let holder = fs::File::open(&path).expect("the lock");
    fs2::FileExt::lock_exclusive(&holder).expect("nobody else holds it");
    let before = sandbox.snapshot();
    let error = format!(
        "error: the store is busy: another process holds `{}`\n\
         hint: run the same command again in a moment; SELF_LEARNING_LOCK_WAIT_MS sets how long to wait\n",
        path.display()
    );
    let writing: [&[&str]; 10] = [
        &["record", "--title", "Not stored"],
        &["init"],
        &["edit", "--id", &card, "--add-tag", "u"],
        &["rollback", "--id", &card, "--to", "1"],
        &["aha-status", "--id", &card, "--status", "accepted"],
        &["rec-status", "--id", &recommendation, "--status", "done"],
        &["use", "--aha", &card],
        &["signal", "--kind", "aha_used", "--aha-id", &card],
        &["repair", "--apply"],
        &["promote", "--ids", &card],
    ];
    for arguments in writing {
        let started = Instant::now();
        let run = sandbox.run(arguments);
        let waited = started.elapsed();
        assert_eq!(
            (run.code, run.stderr.as_str()),
            (6, error.as_str()),
            "{arguments:?}"
        );
        assert_eq!(run.json()["error"]["code"], "store_busy", "{arguments:?}");
        assert!(
            waited >= Duration::from_millis(150),
            "{arguments:?} waited {waited:?}"
        );
        assert!(
            waited < Duration::from_secs(5),
            "{arguments:?} waited {waited:?}"
        );
    }
    assert_eq!(sandbox.snapshot(), before, "nothing is written");
    // Readers do not wait, also where a line is cut off.
    for tail in ["", "{\"id\": \"aha_cut"] {
        let mut log = sandbox.log(CARDS);
        log.extend(tail.as_bytes());
        sandbox.seed(CARDS, log);
        for arguments in [
            &["list"][..],
            &["review"],
            &["show", &card],
            &["history", "--id", &card],
            &["repair"],
        ] {
            let started = Instant::now();
            sandbox.run(arguments).ok();
            assert!(started.elapsed() < Duration::from_secs(2), "{arguments:?}");
        }
    }
    drop(holder);
    sandbox.run(&["record", "--title", "Stored after all"]).ok();
}

#[test]
fn worktrees_of_one_repository_share_one_memory() {
    let sandbox = patient();
    fs::remove_dir(sandbox.repo().join(".git")).expect("the stand-in");
    let git = |arguments: &[&str]| {
        let mut command = sandbox.command("git");
        command
            .args(["-c", "user.name=dev", "-c", "user.email=dev@example.org"])
            .args(arguments);
        finish(command, b"").ok()
    };
    git(&["init", "--quiet"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "first"]);
    let trees = [
        sandbox.repo(),
        sandbox.root().join("second"),
        sandbox.root().join("third"),
    ];
    for tree in &trees[1..] {
        git(&["worktree", "add", "--quiet", tree.to_str().expect("UTF-8")]);
    }
    let run_in = |tree: &Path, arguments: &[&str]| {
        let mut command = sandbox.command(BINARY);
        command.args(arguments).current_dir(tree);
        finish(command, b"").ok()
    };
    at_once(9, |writer| {
        let title = format!("from worktree {} by {writer}", writer % 3);
        run_in(&trees[writer % 3], &["record", "--title", &title])
    });
    let lists: Vec<Value> = trees
        .iter()
        .map(|tree| run_in(tree, &["list", "--limit", "0"]).json())
        .collect();
    assert_eq!(lists[0]["count"], 9);
    assert!(
        lists.iter().all(|list| list["items"] == lists[0]["items"]),
        "{lists:#?}"
    );
    assert_eq!(sandbox.records(CARDS).len(), 9);
    for tree in &trees[1..] {
        assert!(
            !tree.join(".agent-skills").exists(),
            "{} has no store of its own",
            tree.display()
        );
    }
}
