//! Writers, readers and kills over a store with an index; and what the work grows with.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use self_learning::domain::fold::LogKind;
use serde_json::{Value, json};

use crate::crash::full_sweep;
use crate::index::{CARDS, Dice, Place, SIGNALS, messy, same, segments, trouble};
use crate::support::{BINARY, Sandbox};

/// A sandbox whose writers index every record, and the same place without processes.
fn indexed() -> (Sandbox, Place) {
    let mut sandbox = Sandbox::new();
    sandbox
        .env("SELF_LEARNING_LOCK_WAIT_MS", "120000")
        .env("SELF_LEARNING_INDEX", "1");
    let place = Place::new(&sandbox.root());
    (sandbox, place)
}

/// Every question gets the answer of the logs.
#[track_caller]
fn right(place: &Place) {
    for question in [
        &[
            "list",
            "--query",
            "card",
            "--min-confidence",
            "0",
            "--limit",
            "0",
        ][..],
        &[
            "list",
            "--query",
            "retry timeout",
            "--min-confidence",
            "0",
            "--explain",
        ],
        &["review"],
    ] {
        same(
            &place.indexed(question),
            &place.streamed(question),
            &question,
        );
    }
}

/// Ids of the cards that a run lists.
fn listed(stdout: &str) -> BTreeSet<String> {
    let answer: Value = serde_json::from_str(stdout).expect("JSON");
    let items = answer["items"].as_array().expect("items").iter();
    items
        .filter_map(|item| item["id"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn nobody_misses_a_card_while_others_write_and_index() {
    let (writers, each, readers) = if full_sweep() {
        (64, 10, 16)
    } else {
        (8, 10, 4)
    };
    let (sandbox, place) = indexed();
    let acknowledged = Mutex::new(BTreeSet::new());
    let writing = AtomicBool::new(true);
    let looks = AtomicUsize::new(0);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..writers)
            .map(|writer| {
                let (sandbox, acknowledged) = (&sandbox, &acknowledged);
                scope.spawn(move || {
                    for number in 0..each {
                        let mut dice = Dice::new(writer * 100 + number);
                        let title = format!("card {writer} {number} {}", dice.words(3));
                        let id = sandbox.card(json!({ "title": title, "when_to_use": "always" }));
                        acknowledged.lock().expect("no panic").insert(id.clone());
                        if dice.once_in(2) {
                            sandbox.run(&["use", "--aha", &id]).ok();
                        }
                    }
                })
            })
            .collect();
        for reader in 0..readers {
            let (sandbox, acknowledged) = (&sandbox, &acknowledged);
            let (writing, looks) = (&writing, &looks);
            scope.spawn(move || {
                while writing.load(Ordering::SeqCst) {
                    let before = acknowledged.lock().expect("no panic").clone();
                    if reader % 4 == 3 {
                        sandbox.run(&["review"]).ok();
                        continue;
                    }
                    let run = sandbox
                        .run(&[
                            "list",
                            "--query",
                            "card",
                            "--min-confidence",
                            "0",
                            "--limit",
                            "0",
                        ])
                        .ok();
                    assert_eq!(run.stderr, "", "damage where there is none");
                    let found = listed(&run.stdout);
                    let missing: Vec<_> = before.difference(&found).collect();
                    assert!(missing.is_empty(), "{missing:?} of {}", before.len());
                    looks.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let ended: Vec<_> = writers
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        writing.store(false, Ordering::SeqCst);
        assert!(ended.iter().all(Result::is_ok), "no writer fails");
    });
    let acknowledged = acknowledged.into_inner().expect("no panic");
    assert_eq!(acknowledged.len() as u64, writers * each);
    let all = sandbox.run(&["list", "--limit", "0"]).ok();
    assert_eq!(listed(&all.stdout), acknowledged);
    assert!(looks.into_inner() > 3);
    right(&place);
    // Whoever found the index's lock taken has left the rest to the next.
    sandbox.card(json!({ "title": "the last one" }));
    assert_eq!(trouble(&place.store()), None);
    assert!(segments(&place.store(), LogKind::Cards) <= 12);
    right(&place);
}

#[test]
fn a_killed_writer_leaves_a_store_that_answers_right() {
    let kills = if full_sweep() { 200 } else { 20 };
    let (sandbox, place) = indexed();
    for (name, log) in messy(71, 40) {
        place.append(name, &log.concat());
    }
    let payload = |number: usize| {
        let cards: Vec<Value> = (0..3)
            .map(|own| json!({ "title": format!("card {number} {own} retry"), "when_to_use": "killed" }))
            .collect();
        json!({ "aha_cards": cards, "recommendations": [{ "title": format!("do {number}"), "why": "w" }], "used_aha_ids": ["aha_0000000000000007"] })
    };
    // The first run makes the index; the least of some later ones says how long a run takes.
    let whole_run = (100_000..100_006)
        .map(|number| {
            let start = Instant::now();
            sandbox.record(&payload(number));
            start.elapsed()
        })
        .min()
        .expect("some runs");
    let mut dice = Dice::new(72);
    let mut acknowledged = BTreeSet::new();
    let mut killed = 0;
    for number in 0..kills {
        let mut command = sandbox.command(BINARY);
        let mut child = command
            .arg("record")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let text = payload(number).to_string();
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(text.as_bytes()).expect("read");
        drop(stdin);
        thread::sleep(whole_run.mul_f64(dice.below(1_000) as f64 / 900.0));
        let _ = child.kill();
        let output = child.wait_with_output().expect("it ends");
        if output.status.success() {
            let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            let results = answer["results"].as_array().expect("results").iter();
            acknowledged.extend(
                results
                    .filter(|item| item["kind"] == "aha_card")
                    .filter_map(|item| item["id"].as_str().map(str::to_owned)),
            );
        } else {
            killed += 1;
        }
        right(&place);
        let missing = |stdout: &str| {
            let found = listed(stdout);
            acknowledged.iter().find(|id| !found.contains(*id)).cloned()
        };
        assert_eq!(missing(&place.streamed(&["list", "--limit", "0"]).1), None);
    }
    assert!(killed > kills / 10, "{killed} of {kills}");
    sandbox.record(&payload(200_000));
    assert_eq!(
        trouble(&place.store()),
        None,
        "what a killed run left is cleaned up"
    );
    right(&place);
}

/// Processor time of this thread; unlike the time of day it hardly depends on who else is at work.
#[cfg(unix)]
fn processor_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes to the place it is given and nowhere else.
    #[expect(unsafe_code, reason = "the standard library has no clock of a thread")]
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(done, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Four times the cards with four times the signals must not be sixteen times the work. Instructions cannot be counted
/// everywhere; the least of several processor times comes near, and there is much room between 4 and 16.
#[cfg(unix)]
#[test]
fn work_does_not_grow_with_cards_times_signals() {
    let store = |cards: usize| {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::new(&folder.path().join("place"));
        let line = |number: usize| {
            let status = ["proposed", "rejected"][usize::from(number.is_multiple_of(7))];
            format!(
                "{{\"id\": \"aha_{number:x}\", \"title\": \"card {}\", \"status\": \"{status}\", \"ts\": \"2026-01-01T00:00:00Z\"}}\n",
                number % 50
            )
        };
        let signal = |number: usize| {
            let kind = [
                "aha_used",
                "aha_quarantined",
                "aha_recalled",
                "aha_released",
            ][number % 4];
            format!(
                "{{\"id\": \"sig_{number:x}\", \"kind\": \"{kind}\", \"aha_id\": \"aha_{:x}\", \"ts\": \"2026-01-02T00:00:00Z\"}}\n",
                number / 3 % cards
            )
        };
        let rec = |number: usize| {
            format!(
                "{{\"id\": \"rec_{number:x}\", \"title\": \"do {number}\", \"ts\": \"2026-01-02T00:00:00Z\"}}\n"
            )
        };
        let part = |from: usize, to: usize, line: &dyn Fn(usize) -> String| {
            (from..to).map(line).collect::<String>()
        };
        // Half of everything is in the segments, half behind them.
        for half in 0..2 {
            place.append(
                CARDS,
                part(half * cards / 2, (half + 1) * cards / 2, &line).as_bytes(),
            );
            place.append(
                SIGNALS,
                part(half * cards * 5, (half + 1) * cards * 5, &signal).as_bytes(),
            );
            place.append(
                "recommendations.jsonl",
                part(half * cards / 2, (half + 1) * cards / 2, &rec).as_bytes(),
            );
            if half == 0 {
                place.catch_up(1);
            }
        }
        (folder, place)
    };
    let (few, many) = (store(400), store(1_600));
    for (question, indexed) in [
        (
            &[
                "list",
                "--query",
                "card 7",
                "--min-confidence",
                "0",
                "--limit",
                "0",
            ][..],
            true,
        ),
        (
            &[
                "list",
                "--query",
                "card 7",
                "--all",
                "--min-confidence",
                "0",
            ],
            true,
        ),
        (&["review"], true),
        (&["review"], false),
        (
            &[
                "list",
                "--query",
                "card 7",
                "--min-confidence",
                "0",
                "--limit",
                "0",
            ],
            false,
        ),
    ] {
        let least = |place: &Place| {
            let once = |_| {
                let start = processor_time();
                let (code, _, stderr) = if indexed {
                    place.indexed(question)
                } else {
                    place.streamed(question)
                };
                assert_eq!(code, 0, "{stderr}");
                processor_time() - start
            };
            (0..3).map(once).min().expect("three")
        };
        let growth = least(&many.1).as_secs_f64() / least(&few.1).as_secs_f64();
        assert!(
            growth < 9.0,
            "{question:?} (indexed: {indexed}): four times the store, {growth:.1} times the work"
        );
        println!("{question:?} (indexed: {indexed}): {growth:.1}");
    }
    // A writer with an index looks at what it touches.
    let write = |place: &Place, number: usize| {
        let start = processor_time();
        let context = format!("again {number}");
        let (code, _, stderr) = place.run(
            &["use", "--aha", "aha_5", "--context", &context],
            b"",
            Some(Some(u64::MAX)),
        );
        assert_eq!(code, 0, "{stderr}");
        processor_time() - start
    };
    let least = |place: &Place| {
        (0..3)
            .map(|number| write(place, number))
            .min()
            .expect("three")
    };
    let growth = least(&many.1).as_secs_f64() / least(&few.1).as_secs_f64();
    println!("use: {growth:.1}");
    assert!(
        growth < 9.0,
        "use: four times the store, {growth:.1} times the work"
    );
    assert!(fs::metadata(many.1.log(SIGNALS)).is_ok());
}
