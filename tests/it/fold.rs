//! Properties of the log: what is read back from what was written, cut, damaged, merged and repaired.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use self_learning::commands::{Snapshot, index};
use self_learning::ctx::Ctx;
use self_learning::domain::fold::{Entry, Item, Log, LogKind, entries, fold, signal_totals};
use self_learning::domain::json;
use self_learning::domain::record::Record;
use self_learning::domain::score::Totals;
use self_learning::domain::time::Timestamp;
use self_learning::domain::view;
use self_learning::render::index_md;
use self_learning::store::Batch;
use serde_json::{Map, Value};

use crate::support::{Sandbox, finish, write};

const CARDS: &str = "aha_cards.jsonl";
const IDS: [&str; 5] = ["aha_0a", "aha_0b", "aha_0c", "aha_0d", "aha_0e"];
const NUMBERS: [&str; 13] = [
    "0",
    "-0",
    "7",
    "1.50",
    "1e3",
    "1E5",
    "1e+05",
    "-2.0e-7",
    "123456789012345678901234567890",
    "0.1000",
    "NaN",
    "Infinity",
    "-Infinity",
];

/// JSON text in the spelling of the store, so that what is read can be compared to the letter.
fn json_text() -> impl Strategy<Value = String> {
    let quoted = |text: String| serde_json::to_string(&text).expect("text is JSON");
    let leaf = prop_oneof![
        select(&NUMBERS[..]).prop_map(str::to_owned),
        select(&["null", "true", "false", "[]", "{}", "\"1e5\"", "\"a: 1e5\""][..])
            .prop_map(str::to_owned),
        "\\PC{0,12}".prop_map(quoted),
        "[a-c \"\\\\\n\t{}:,é漢😀]{0,12}".prop_map(quoted),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            vec(inner, 0..4).prop_map(|items| object(items, "k")),
        ]
    })
}

fn object(values: Vec<String>, prefix: &str) -> String {
    let fields: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(number, value)| format!("\"{prefix}{number}\": {value}"))
        .collect();
    format!("{{{}}}", fields.join(", "))
}

/// A line as a writer leaves it, without its end.
#[derive(Debug, Clone)]
enum Line {
    Record {
        id: &'static str,
        ts: Option<u32>,
        text: String,
    },
    /// Anything else, with the problem it is reported as; blank lines are none.
    Damage(Vec<u8>, Option<&'static str>),
}

impl Line {
    fn bytes(&self) -> &[u8] {
        match self {
            Line::Record { text, .. } => text.as_bytes(),
            Line::Damage(bytes, _) => bytes,
        }
    }
}

fn record_line() -> impl Strategy<Value = Line> {
    (
        select(&IDS[..]),
        proptest::option::of(0..60_u32),
        vec(json_text(), 0..4),
    )
        .prop_map(|(id, ts, values)| {
            let time = ts
                .map(|second| format!(", \"ts\": \"{}\"", time(second)))
                .unwrap_or_default();
            let fields: String = values
                .iter()
                .enumerate()
                .map(|(number, value)| format!(", \"x{number}\": {value}"))
                .collect();
            Line::Record {
                id,
                ts,
                text: format!("{{\"id\": \"{id}\"{time}{fields}}}"),
            }
        })
}

fn time(second: u32) -> String {
    format!("2026-01-01T00:00:{second:02}Z")
}

fn damage() -> impl Strategy<Value = Line> {
    let known: [(&[u8], Option<&'static str>); 10] = [
        (b"", None),
        (b"   \t", None),
        (b"null", Some("not_an_object")),
        (
            b"[\"aha_used\", \"aha_0a\", null, \"1\"]",
            Some("not_an_object"),
        ),
        (b"{\"id\": \"aha_0a\", \"ti", Some("not_json")),
        (b"{oops", Some("not_json")),
        (b"\x00\x00\x00\x00", Some("not_json")),
        (b"\xff\xfe{", Some("not_json")),
        (b"<<<<<<< ours", Some("not_json")),
        (b"{\"id\": \"aha_0a\" \"ts\": 1}", Some("not_json")),
    ];
    select(known.to_vec()).prop_map(|(bytes, problem)| Line::Damage(bytes.to_vec(), problem))
}

fn clean_log() -> impl Strategy<Value = Vec<Line>> {
    vec(record_line(), 0..10)
}

fn damaged_log() -> impl Strategy<Value = Vec<Line>> {
    vec(prop_oneof![3 => record_line(), 1 => damage()], 0..12)
}

fn bytes(lines: &[Line]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| [line.bytes(), b"\n"].concat())
        .collect()
}

/// What an item is, told the plain way.
#[derive(Debug, Clone, PartialEq)]
struct Model {
    id: String,
    created_ts: Option<String>,
    versions: usize,
    position: usize,
    line: usize,
    text: String,
}

/// For every id, look through the whole log: the first line dates it, the last one is current.
fn model(lines: &[Line]) -> Vec<Model> {
    let records: Vec<(usize, &str, Option<u32>, &str)> = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| match line {
            Line::Record { id, ts, text } => Some((at + 1, *id, *ts, text.as_str())),
            Line::Damage(..) => None,
        })
        .collect();
    let mut ids: Vec<&str> = Vec::new();
    for (_, id, _, _) in &records {
        if !ids.contains(id) {
            ids.push(id);
        }
    }
    let of = |id: &str| -> Model {
        let all: Vec<_> = records
            .iter()
            .enumerate()
            .filter(|(_, record)| record.1 == id)
            .collect();
        let (_, first) = all[0];
        let (position, last) = all[all.len() - 1];
        Model {
            id: id.to_owned(),
            created_ts: first.2.map(time),
            versions: all.len(),
            position,
            line: last.0,
            text: last.3.to_owned(),
        }
    };
    ids.into_iter().map(of).collect()
}

fn told(item: &Item) -> Model {
    Model {
        id: item.id.clone(),
        created_ts: item.created_ts.clone(),
        versions: item.versions,
        position: item.position,
        line: item.line,
        text: item.record.to_line(),
    }
}

/// Current version of every id, as text.
fn current(log: &Log) -> BTreeMap<String, String> {
    log.items
        .iter()
        .map(|item| (item.id.clone(), item.record.to_line()))
        .collect()
}

fn apply_all(log: &mut Log, entries: Vec<Entry>) {
    for entry in entries {
        log.apply(entry.id, entry.record, entry.line);
    }
}

fn parsed(text: &str) -> Map<String, Value> {
    match json::parse(text).expect("JSON").value {
        Value::Object(map) => map,
        other => panic!("no object: {other}"),
    }
}

proptest! {
    #[test]
    fn folding_is_looking_through_the_log_for_every_id(lines in damaged_log()) {
        let (log, diagnostics) = fold(LogKind::Cards, &bytes(&lines));
        let found: Vec<Model> = log.items.iter().map(told).collect();
        prop_assert_eq!(&found, &model(&lines));
        let reported: Vec<(usize, &str)> =
            diagnostics.iter().map(|found| (found.line, found.problem.code())).collect();
        let expected: Vec<(usize, &str)> = lines
            .iter()
            .enumerate()
            .filter_map(|(at, line)| match line {
                Line::Damage(_, Some(problem)) => Some((at + 1, *problem)),
                _ => None,
            })
            .collect();
        prop_assert_eq!(reported, expected);
        // Every version is kept, in the order of the file.
        let texts: Vec<String> = log.lines().iter().map(|line| line.record.to_line()).collect();
        let written: Vec<&str> = lines
            .iter()
            .filter_map(|line| match line {
                Line::Record { text, .. } => Some(text.as_str()),
                Line::Damage(..) => None,
            })
            .collect();
        prop_assert_eq!(texts, written);
    }

    #[test]
    fn folding_in_two_parts_is_folding_the_whole(left in damaged_log(), right in damaged_log()) {
        let whole = [bytes(&left), bytes(&right)].concat();
        let (log, diagnostics) = fold(LogKind::Cards, &whole);
        let (mut parts, mut found) = fold(LogKind::Cards, &bytes(&left));
        let (more, rest) = entries(LogKind::Cards, &bytes(&right), left.len() + 1);
        apply_all(&mut parts, more);
        found.extend(rest);
        prop_assert_eq!(parts, log);
        prop_assert_eq!(found, diagnostics);
    }

    #[test]
    fn every_cut_costs_at_most_the_tail(lines in vec(record_line(), 1..4)) {
        let whole = bytes(&lines);
        let (all, _) = entries(LogKind::Cards, &whole, 1);
        for cut in 0..=whole.len() {
            let kept = &whole[..cut];
            let (found, diagnostics) = entries(LogKind::Cards, kept, 1);
            let ended = kept.iter().filter(|byte| **byte == b'\n').count();
            let tail = &kept[kept.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)..];
            // A line that lacks only its newline says all it has to say.
            let complete = lines.get(ended).is_some_and(|line| line.bytes() == tail);
            prop_assert_eq!(&found[..], &all[..ended + usize::from(complete)], "cut at {}", cut);
            let codes: Vec<_> = diagnostics.iter().map(|found| (found.line, found.problem.code())).collect();
            let torn = !tail.is_empty() && !complete;
            prop_assert_eq!(codes, if torn { vec![(ended + 1, "torn_line")] } else { Vec::new() }, "cut at {}", cut);
            // The next append begins on a line of its own, and is read.
            let next = [kept, b"\n{\"id\": \"aha_next\"}\n"].concat();
            let (found, diagnostics) = entries(LogKind::Cards, &next, 1);
            prop_assert_eq!(found.last().map(|entry| entry.id.as_str()), Some("aha_next"), "cut at {}", cut);
            prop_assert_eq!(found.len(), ended + usize::from(complete) + 1, "cut at {}", cut);
            prop_assert_eq!(diagnostics.len(), usize::from(torn), "cut at {}", cut);
        }
    }

    #[test]
    fn any_bytes_are_read(
        noise in vec(any::<u8>(), 0..400),
        lines in damaged_log(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut mutated = bytes(&lines);
        for (at, byte) in changes {
            if !mutated.is_empty() {
                let at = at.index(mutated.len());
                mutated[at] = byte;
            }
        }
        for log in [noise, mutated] {
            for kind in LogKind::ALL {
                let (found, diagnostics) = entries(kind, &log, 1);
                let lines = log.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
                prop_assert!(found.iter().all(|entry| entry.line >= 1 && entry.line <= lines));
                prop_assert!(diagnostics.iter().all(|found| found.line >= 1 && found.line <= lines));
                // What was read can be written and read again.
                for entry in &found {
                    let line = entry.record.to_line();
                    let (again, _) = entries(kind, line.as_bytes(), 1);
                    prop_assert_eq!(again.len(), 1, "{}", line);
                    prop_assert_eq!(again[0].record.to_line(), line);
                }
            }
        }
    }

    #[test]
    fn an_update_changes_its_field_only(values in vec(json_text(), 1..6), at in any::<prop::sample::Index>()) {
        let at = at.index(values.len());
        let line = object(values.clone(), "x");
        let record = Record(parsed(&line));
        prop_assert_eq!(&record.to_line(), &line);
        let mut expected = values;
        expected[at] = "\"set\"".to_owned();
        let updated = record.clone().with(&format!("x{at}"), "set");
        prop_assert_eq!(updated.to_line(), object(expected.clone(), "x"));
        expected.push("\"new\"".to_owned());
        let added = updated.with(&format!("x{}", expected.len() - 1), "new");
        prop_assert_eq!(added.to_line(), object(expected, "x"));
    }

    #[test]
    fn a_current_line_once_more_changes_no_card(lines in vec(record_line(), 1..10), at in any::<prop::sample::Index>()) {
        let (log, _) = fold(LogKind::Cards, &bytes(&lines));
        let item = &log.items[at.index(log.items.len())];
        let again = [bytes(&lines), item.record.to_line().into_bytes(), b"\n".to_vec()].concat();
        let (twice, diagnostics) = fold(LogKind::Cards, &again);
        prop_assert!(diagnostics.is_empty());
        prop_assert_eq!(current(&twice), current(&log));
        let created = |log: &Log| -> Vec<Option<String>> { log.items.iter().map(|item| item.created_ts.clone()).collect() };
        prop_assert_eq!(created(&twice), created(&log));
        prop_assert_eq!(twice.records, log.records + 1);
    }

    #[test]
    fn a_union_of_two_copies_loses_no_id(base in damaged_log(), left in damaged_log(), right in damaged_log()) {
        let of = |parts: &[&[Line]]| -> Log {
            let whole: Vec<u8> = parts.iter().flat_map(|lines| bytes(lines)).collect();
            fold(LogKind::Cards, &whole).0
        };
        let (ours, theirs) = (of(&[&base, &left]), of(&[&base, &right]));
        for union in [of(&[&base, &left, &right]), of(&[&base, &right, &left])] {
            for id in ours.ids().chain(theirs.ids()) {
                prop_assert!(union.get(id).is_some(), "{} is lost", id);
            }
            // Nor any version of one.
            prop_assert_eq!(union.records, ours.records + theirs.records - of(&[&base]).records);
        }
    }

    #[test]
    fn signals_added_up_are_the_signals_one_by_one(lines in vec(signal_line(), 0..12)) {
        let log: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
        let (totals, diagnostics) = signal_totals(&log);
        let (found, expected) = entries(LogKind::Signals, &log, 1);
        let mut one_by_one = Totals::default();
        found.iter().for_each(|entry| one_by_one.add_record(&entry.record));
        prop_assert_eq!(diagnostics, expected);
        prop_assert_eq!(totals.lines, one_by_one.lines);
        for id in IDS {
            prop_assert_eq!(totals.card(id), one_by_one.card(id));
            prop_assert_eq!(totals.recommendation(id), one_by_one.recommendation(id));
            prop_assert_eq!(totals.recaptured(id), one_by_one.recaptured(id));
        }
    }

    #[test]
    fn views_of_cards_are_the_cards_one_by_one(lines in vec(card_line(), 0..12)) {
        let log: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
        let views = view::fold_cards(&log);
        let (found, expected) = entries(LogKind::Cards, &log, 1);
        let whole = view::of_records(found.into_iter().map(|entry| (entry.id, entry.record)));
        prop_assert_eq!(&views.diagnostics, &expected);
        prop_assert_eq!(views.cards.len(), whole.cards.len());
        for (short, long) in views.cards.iter().zip(&whole.cards) {
            prop_assert_eq!(short.record().to_line(), long.record().to_line());
            prop_assert_eq!(
                (&short.id, &short.ts, &short.status, &short.scope, short.is_superseded, short.position),
                (&long.id, &long.ts, &long.status, &long.scope, long.is_superseded, long.position)
            );
            prop_assert_eq!((&short.skill, &short.tags, &short.texts), (&long.skill, &long.tags, &long.texts));
        }
    }

    #[test]
    fn the_index_is_short_whatever_the_titles(
        titles in vec(any::<String>(), 0..60),
        more in vec("[a-z\n\r\u{2028}\u{85}#`*|-]{0,300}", 0..30),
        used in vec(select(&["aha_used", "aha_quarantined", "aha_reinforced"][..]), 0..60),
    ) {
        let batch = index_batch(&titles, &more, &used);
        let text = index_text(&batch);
        prop_assert!(text.lines().count() <= 40, "{}", text);
        prop_assert_eq!(text.matches("\n## ").count(), 4, "{}", text);
        prop_assert_eq!(index_text(&batch), text);
    }
}

/// Signals in the plain form and in all others.
fn signal_line() -> impl Strategy<Value = Vec<u8>> {
    let id = || {
        prop_oneof![
            4 => select(&IDS[..]).prop_map(|id| format!("\"{id}\"")),
            1 => select(&["null", "\" aha_0a \"", "\"\"", "7", "\"aha\\u005f0a\"", "[\"aha_0a\"]"][..]).prop_map(str::to_owned),
        ]
    };
    let kind = select(
        &[
            "\"aha_used\"",
            "\"aha_recalled\"",
            "\"aha_quarantined\"",
            "\"aha_released\"",
            "\"rec_reinforced\"",
            "\"rec_used\"",
            "1",
            "null",
        ][..],
    );
    let context = prop_oneof![
        json_text(),
        select(
            &[
                "\"\\ud83d\"",
                "\"\\ud83d\\ude00\"",
                "{\"kind\": \"aha_used\"}",
                "1e5",
                "NaN"
            ][..]
        )
        .prop_map(str::to_owned),
        Just(format!("{}{}", "[".repeat(600), "]".repeat(600))),
    ];
    let about = select(&["aha_id", "rec_id"][..]);
    let plain =
        (kind, about, id(), 0..60_u32, context).prop_map(|(kind, about, id, second, context)| {
            format!(
                "{{\"ts\": \"{}\", \"kind\": {kind}, \"{about}\": {id}, \"context\": {context}}}",
                time(second)
            )
            .into_bytes()
        });
    let twice = (id(), id()).prop_map(|(first, second)| {
        format!("{{\"kind\": \"aha_used\", \"aha_id\": {first}, \"aha_id\": {second}}}")
            .into_bytes()
    });
    prop_oneof![
        6 => plain,
        1 => twice,
        1 => damage().prop_map(|line| line.bytes().to_vec()),
        1 => vec(any::<u8>(), 0..20),
    ]
}

/// Cards in the plain form and in all others.
fn card_line() -> impl Strategy<Value = Vec<u8>> {
    let key = select(
        &[
            "ts",
            "status",
            "scope",
            "superseded_by",
            "primary_skill",
            "title",
            "when_to_use",
            "solution_steps",
            "tags",
            "asks",
            "x",
        ][..],
    );
    let value = prop_oneof![
        4 => select(
            &["\"word\"", "\"Accepted \"", "\"portable\"", "[\"a\", \"b\"]", "[\"a\", \" \", \"\"]", "[\"a\", 1, null, {}]", "\"\"",
              "\" \"", "\"\\n\\\"\"", "\"\\u00e9\"", "\"\\ud83d\"", "null", "true", "[]"][..]
        ).prop_map(str::to_owned),
        1 => json_text(),
        1 => Just(format!("{}{}", "[".repeat(600), "]".repeat(600))),
    ];
    let id = prop_oneof![
        6 => select(&IDS[..]).prop_map(|id| format!("\"{id}\"")),
        1 => select(&["null", "\" aha_0a \"", "\"\"", "7", "\"aha\\u005f0a\""][..]).prop_map(str::to_owned),
    ];
    let card = (id, vec((key, value), 0..6)).prop_map(|(id, fields)| {
        let fields: String = fields
            .iter()
            .map(|(key, value)| format!(", \"{key}\": {value}"))
            .collect();
        format!("{{\"id\": {id}{fields}}}").into_bytes()
    });
    prop_oneof![
        6 => card,
        1 => damage().prop_map(|line| line.bytes().to_vec()),
        1 => Just(b"[\"aha_0a\"]".to_vec()),
        1 => vec(any::<u8>(), 0..20),
    ]
}

fn index_batch(titles: &[String], more: &[String], used: &[&str]) -> Batch {
    let record = |id: String| Record(Map::new()).with("id", id).with("ts", time(1));
    let card = |(number, title): (usize, &String)| {
        record(format!("aha_{number}"))
            .with("title", title.as_str())
            .with("shareable", true)
    };
    let recommendation = |(number, title): (usize, &String)| {
        record(format!("rec_{number}")).with("title", title.as_str())
    };
    let signal = |(number, kind): (usize, &&str)| {
        Record(Map::new())
            .with("kind", *kind)
            .with("aha_id", format!("aha_{}", number / 2))
            .with("ts", time(2))
    };
    Batch::from([
        (
            LogKind::Cards,
            titles.iter().chain(more).enumerate().map(card).collect(),
        ),
        (
            LogKind::Recommendations,
            more.iter()
                .chain(titles)
                .enumerate()
                .map(recommendation)
                .collect(),
        ),
        (
            LogKind::Signals,
            used.iter().enumerate().map(signal).collect(),
        ),
    ])
}

fn index_text(batch: &Batch) -> String {
    let mut snapshot = Snapshot::default();
    snapshot.apply_batch(batch);
    index_md::render(&index::of(&snapshot, &surroundings()))
}

fn surroundings() -> Ctx {
    Ctx {
        now: Timestamp::parse("2026-03-02T09:00:00Z").expect("a time"),
        user: "dev".to_owned(),
        user_known: true,
        cwd: "/".into(),
        home: None,
        repo_root: "/".into(),
        work_root: "/".into(),
        in_git: false,
        store: "/none".into(),
        global_store: "/none".into(),
        stdin_terminal: false,
        stdout_terminal: false,
        stderr_terminal: false,
        width: 100,
        color: false,
        agent: Vec::new(),
        index_from: None,
        lock_wait: Duration::ZERO,
    }
}

/// Every command that only reads, without its format.
fn reading(ids: &[String]) -> Vec<Vec<String>> {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<String>>();
    let mut commands: Vec<Vec<String>> = [
        "list",
        "list --limit 0",
        "list --all --limit 0",
        "list --history --limit 0",
        "list --query jira --query cache",
        "list --query timeout --limit 3",
        "review",
        "review --days 400 --top-aha-limit 50",
        "repair",
        "doctor",
        "doctor --audit",
    ]
    .into_iter()
    .map(words)
    .collect();
    for id in ids.iter().take(2) {
        commands.push(words(&format!("show {id}")));
        commands.push(words(&format!("history --id {id}")));
    }
    commands
}

/// Run every reading command in every format twice: the same bytes, and nothing written.
fn check_reading(sandbox: &Sandbox) {
    let (log, _) = fold(LogKind::Cards, &sandbox.log(CARDS));
    let ids: Vec<String> = log.ids().map(str::to_owned).collect();
    let before = sandbox.snapshot();
    for command in reading(&ids) {
        for format in ["json", "table", "markdown"] {
            let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
            arguments.extend(["--format", format]);
            let first = sandbox.run(&arguments);
            let second = sandbox.run(&arguments);
            let allowed: &[i32] = if command[0] == "doctor" {
                &[0, 5]
            } else {
                &[0]
            };
            assert!(
                allowed.contains(&first.code),
                "{arguments:?}: {}",
                first.stderr
            );
            assert_eq!(
                (first.code, &first.stdout, &first.stderr),
                (second.code, &second.stdout, &second.stderr),
                "{arguments:?}"
            );
            assert!(!first.stdout.is_empty(), "{arguments:?}");
        }
    }
    assert_eq!(sandbox.snapshot(), before, "reading writes nothing");
}

#[test]
fn the_same_store_and_clock_give_the_same_bytes() {
    let sandbox = Sandbox::new();
    crate::generate::lay_out(&sandbox.repo(), 120);
    check_reading(&sandbox);
}

#[test]
fn a_card_without_an_id_stays_one_card_when_it_changes() {
    for arguments in [
        &["aha-status", "--status", "accepted", "--id"][..],
        &["edit", "--add-tag", "t", "--id"],
        &["repair", "--apply"],
        &["record", "--title", "no id", "--when", "w", "--step", "s"],
    ] {
        let sandbox = Sandbox::new();
        sandbox.seed(
            CARDS,
            "{\"title\": \"no id\", \"when_to_use\": \"w\", \"ts\": \"2026-01-01T00:00:00Z\"}\n",
        );
        let id = sandbox.json(&["list"])["items"][0]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let mut command = arguments.to_vec();
        if arguments.ends_with(&["--id"]) {
            command.push(&id);
        }
        sandbox.run(&command).ok();
        let list = sandbox.json(&["list"]);
        assert_eq!(
            (&list["count"], &list["items"][0]["id"]),
            (&Value::from(1), &Value::from(id.as_str())),
            "{command:?}"
        );
        assert!(sandbox.records(CARDS).len() > 1, "{command:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn repairing_twice_is_repairing_once(
        logs in vec(damaged_log(), 5),
        glue in proptest::bool::ANY,
        tail in select(&["", "{\"id\": \"aha_0a\", \"title\": \"cu", "{\"id\": \"aha_tail\"}"][..]),
    ) {
        let sandbox = Sandbox::new();
        for (kind, lines) in LogKind::ALL.into_iter().zip(&logs) {
            let mut log = bytes(lines);
            if glue {
                log.extend(b"{\"title\": \"no id\", \"ts\": \"2026-01-01T00:00:00Z\"}\n");
                log.extend(b"{\"id\": \"aha_torn\", \"titl{\"id\": \"aha_glued\", \"ts\": \"2026-01-01T00:00:00Z\"}\n");
            }
            log.extend(tail.as_bytes());
            sandbox.seed(kind.file_name(), log);
        }
        let logs = || LogKind::ALL.map(|kind| String::from_utf8_lossy(&sandbox.log(kind.file_name())).into_owned());
        let before = logs();
        let planned = sandbox.run(&["repair", "--format", "json"]).ok().json();
        let first = sandbox.run(&["repair", "--apply", "--format", "json"]).ok().json();
        prop_assert_eq!(&planned["planned"], &first["planned"], "what was announced is what is done");
        let once = logs();
        for (old, new) in before.iter().zip(&once) {
            prop_assert!(new.starts_with(old), "fixes are appended");
        }
        let again = sandbox.run(&["repair", "--apply", "--format", "json"]).ok().json();
        prop_assert_eq!(&logs(), &once, "the second repair adds nothing: {}", again);
        for (kind, log) in LogKind::ALL.into_iter().zip(&before) {
            let (known, _) = fold(kind, log.as_bytes());
            let (repaired, _) = fold(kind, &sandbox.log(kind.file_name()));
            for id in known.ids() {
                prop_assert!(repaired.get(id).is_some(), "{} is lost", id);
            }
        }
    }

    #[test]
    fn damaged_stores_are_read_the_same_every_time(logs in vec(damaged_log(), 5)) {
        let sandbox = Sandbox::new();
        for (kind, lines) in LogKind::ALL.into_iter().zip(&logs) {
            sandbox.seed(kind.file_name(), bytes(lines));
        }
        check_reading(&sandbox);
    }

    #[test]
    fn any_bytes_in_every_log_are_read_by_every_command(noise in vec(vec(any::<u8>(), 0..300), 5)) {
        let sandbox = Sandbox::new();
        for (kind, bytes) in LogKind::ALL.into_iter().zip(&noise) {
            sandbox.seed(kind.file_name(), bytes);
        }
        for arguments in [&["list", "--limit", "0"][..], &["review"], &["repair"], &["list", "--query", "a"]] {
            let run = sandbox.run(arguments);
            prop_assert_eq!(run.code, 0, "{:?}: {}", arguments, run.stderr);
        }
        sandbox.run(&["record", "--title", "kept"]).ok();
        prop_assert_eq!(sandbox.json(&["list", "--query", "kept"])["count"].clone(), Value::from(1));
    }

    #[test]
    fn commands_keep_what_they_do_not_know(values in vec(plain_json_text(), 1..6)) {
        let unknown = object(values, "x");
        let fields = &unknown[1..unknown.len() - 1];
        let line = format!(
            "{{\"id\": \"aha_0a\", \"ts\": \"2026-01-01T00:00:00Z\", \"title\": \"t\", {fields}, \"status\": \"proposed\"}}\n"
        );
        let sandbox = Sandbox::new();
        sandbox.seed(CARDS, &line);
        let now = "2026-03-02T09:00:00Z";
        for arguments in [
            &["edit", "--id", "aha_0a", "--add-tag", "t"][..],
            &["aha-status", "--id", "aha_0a", "--status", "accepted"],
            &["edit", "--id", "aha_0a", "--title", "u", "--note", "n"],
        ] {
            sandbox.run(arguments).ok();
        }
        let log = String::from_utf8(sandbox.log(CARDS)).expect("UTF-8");
        let written: Vec<&str> = log.lines().collect();
        let changed = |title: &str, status: &str, rest: &str| {
            format!("{{\"id\": \"aha_0a\", \"ts\": \"{now}\", \"title\": \"{title}\", {fields}, \"status\": \"{status}\", \"tags\": [\"t\"]{rest}}}")
        };
        let touched = format!(", \"last_touched_ts\": \"{now}\"");
        prop_assert_eq!(written, [
            line.trim_end(),
            &changed("t", "proposed", ""),
            &changed("t", "accepted", &touched),
            &changed("u", "accepted", &format!("{touched}, \"note\": \"n\"")),
        ]);
    }

    #[test]
    fn the_index_depends_on_logs_and_clock_only(
        steps in vec((0..6_usize, select(&["record", "use", "reject", "recommend"][..]), 0..28_u32), 1..8),
    ) {
        let mut sandbox = Sandbox::new();
        for (number, verb, day) in steps {
            sandbox.at(&format!("2026-02-{:02}T08:00:00Z", day + 1));
            let title = format!("title {number}");
            match verb {
                "recommend" => {
                    let item = serde_json::json!({ "title": title, "expected_impact": { "speed": "high" } });
                    sandbox.record(&serde_json::json!({ "recommendations": [item] }));
                }
                _ => {
                    let id = sandbox.card(serde_json::json!({ "title": title, "shareable": true }));
                    match verb {
                        "use" => drop(sandbox.run(&["use", "--aha", &id]).ok()),
                        "reject" => drop(sandbox.run(&["aha-status", "--id", &id, "--status", "rejected"]).ok()),
                        _ => {}
                    }
                }
            }
        }
        let last = sandbox.log("INDEX.md");
        sandbox.run(&["init"]).ok();
        prop_assert_eq!(sandbox.log("INDEX.md"), last, "made again at the same moment");
        // Another folder with the same logs, and nothing else.
        let mut copy = Sandbox::new();
        for kind in LogKind::ALL {
            let log = sandbox.log(kind.file_name());
            if !log.is_empty() {
                copy.seed(kind.file_name(), log);
            }
        }
        for now in ["2026-03-02T09:00:00Z", "2027-01-01T00:00:00Z"] {
            sandbox.at(now).run(&["init"]).ok();
            copy.at(now).run(&["init"]).ok();
            let text = String::from_utf8(sandbox.log("INDEX.md")).expect("UTF-8");
            prop_assert_eq!(&text, &String::from_utf8(copy.log("INDEX.md")).expect("UTF-8"));
            prop_assert!(text.lines().count() <= 40);
        }
    }

    #[test]
    fn git_joins_two_copies_of_a_log_without_losing_an_id(
        base in clean_log(), left in clean_log(), right in clean_log(),
    ) {
        let sandbox = Sandbox::new();
        let path = |name: &str| sandbox.root().join(name);
        write(&path("base"), bytes(&base));
        write(&path("ours"), [bytes(&base), bytes(&left)].concat());
        write(&path("theirs"), [bytes(&base), bytes(&right)].concat());
        let mut git = sandbox.command("git");
        git.args(["merge-file", "--union"]).args([path("ours"), path("base"), path("theirs")]);
        finish(git, b"").ok();
        let merged = fs::read(path("ours")).expect("the union");
        let (union, diagnostics) = fold(LogKind::Cards, &merged);
        prop_assert!(diagnostics.is_empty());
        for line in base.iter().chain(&left).chain(&right) {
            let Line::Record { id, text, .. } = line else { continue };
            prop_assert!(union.get(id).is_some(), "{} is lost", id);
            prop_assert!(union.lines().iter().any(|line| line.record.to_line() == *text), "{} is lost", text);
        }
    }
}

/// JSON text that the gate has nothing to say about.
fn plain_json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(&NUMBERS[..]).prop_map(str::to_owned),
        select(
            &[
                "null",
                "true",
                "false",
                "[]",
                "{}",
                "\"word\"",
                "\"two words\"",
                "\"\"",
                "\"漢字 – ü\""
            ][..]
        )
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            vec(inner, 0..4).prop_map(|items| object(items, "k")),
        ]
    })
}
