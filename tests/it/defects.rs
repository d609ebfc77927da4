//! What the Python original loses or leaks, one test per defect (severity A), through the real binary.
//! The numbers are those of references/COMPATIBILITY.md.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::support::Sandbox;

/// A stored card line as the original writes it.
pub fn card_line(id: &str, title: &str) -> String {
    format!(
        "{{\"title\": \"{title}\", \"when_to_use\": \"testing\", \"primary_skill\": \"demo\", \"scope\": \"project\", \
         \"ts\": \"2026-03-01T08:00:00Z\", \"id\": \"{id}\", \"status\": \"proposed\"}}\n"
    )
}

/// The titles that `list` serves, in its order.
#[track_caller]
pub fn titles(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let mut all = vec!["list", "--limit", "0"];
    all.extend(arguments);
    let answer = sandbox.json(&all);
    let items = answer["items"].as_array().expect("items").clone();
    items
        .iter()
        .map(|item| item["title"].as_str().unwrap_or("?").to_owned())
        .collect()
}

/// Every file of the sandbox that holds `needle`.
fn files_holding(sandbox: &Sandbox, needle: &str) -> Vec<String> {
    let holds = |bytes: &[u8]| {
        bytes
            .windows(needle.len())
            .any(|window| window == needle.as_bytes())
    };
    let found = sandbox
        .snapshot()
        .into_iter()
        .filter(|(_, bytes)| holds(bytes));
    found.map(|(path, _)| path.display().to_string()).collect()
}

// ---- D-02: a torn or unterminated last line swallows the next record

#[test]
fn d02_a_torn_tail_does_not_eat_the_next_record() {
    let sandbox = Sandbox::new();
    let whole = card_line("aha_a", "first");
    let torn = card_line("aha_b", "second");
    sandbox.seed(
        "aha_cards.jsonl",
        format!("{whole}{}", &torn[..torn.len() - 26]),
    );
    let run = sandbox.run(&["record", "--title", "third"]).ok();
    assert_eq!(
        run.stderr,
        "warning: 1 line in the store could not be read as written, e.g. aha_cards.jsonl line 2: the last line is cut off\n\
         hint: self-learning repair\n"
    );
    assert_eq!(titles(&sandbox, &[]), ["first", "third"]);
    // The torn bytes stay where they are, on a line of their own.
    let log = String::from_utf8(sandbox.log("aha_cards.jsonl")).expect("UTF-8");
    assert_eq!(log.lines().count(), 3);
    assert_eq!(log.lines().nth(1), Some(&torn[..torn.len() - 26]));
}

#[test]
fn d02_a_last_line_without_newline_is_kept() {
    let sandbox = Sandbox::new();
    sandbox.seed(
        "aha_cards.jsonl",
        card_line("aha_a", "edited by hand").trim_end(),
    );
    let run = sandbox.run(&["record", "--title", "next"]).ok();
    assert_eq!(run.stderr, "");
    assert_eq!(titles(&sandbox, &[]), ["edited by hand", "next"]);
    assert_eq!(sandbox.records("aha_cards.jsonl").len(), 2);
}

#[test]
fn d02_records_that_the_original_glued_together_are_read_and_set_free() {
    let sandbox = Sandbox::new();
    let (first, second) = (card_line("aha_a", "glued"), card_line("aha_b", "behind it"));
    sandbox.seed("aha_cards.jsonl", format!("{}{second}", first.trim_end()));
    assert_eq!(titles(&sandbox, &[]), ["glued", "behind it"]);
    let applied = sandbox.json(&["repair", "--apply"]);
    assert_eq!(applied["counts"]["recovered"], 2);
    // Now a reader that skips damaged lines sees both.
    let log = String::from_utf8(sandbox.log("aha_cards.jsonl")).expect("UTF-8");
    let readable: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert_eq!(
        readable
            .iter()
            .map(|card| card["id"].as_str().expect("an id"))
            .collect::<Vec<_>>(),
        ["aha_a", "aha_b"]
    );
    sandbox.run(&["repair", "--check"]).ok();
}

// ---- D-03: secrets inside prose are stored, promoted, printed

/// Made-up secrets, put together here so that none stands whole in the repository.
fn secrets() -> Vec<(String, String)> {
    let hex = "4f8b1c9e2a7d6035";
    let base = "Qx7Zt2LmVb9Kc4RwYp8N";
    [
        ("GITHUB_TOKEN is ", format!("gh{}_{base}{hex}", "p")),
        ("key ", format!("AK{}QX7ZT2LMVB9KC4RW", "IA")),
        ("clone with https://", format!("gh{}_{base}{hex}", "o")),
        ("Authorization: Bearer ", format!("{base}{hex}{base}")),
        ("npm wants _authToken=", format!("np{}_{base}{hex}", "m")),
        (
            "connect to postgres://admin:",
            format!("hunter{}@db.internal:5432/app", "Zx9qL2"),
        ),
        ("DB_PASSWORD='", format!("c0rrect-{}-battery", "hOrse7")),
        ("slack says ", format!("xo{}-123456789012-{base}", "xb")),
    ]
    .into_iter()
    .map(|(before, secret)| (before.to_owned(), secret))
    .collect()
}

#[test]
fn d03_secrets_in_prose_reach_no_file_and_no_output() {
    for (before, secret) in secrets() {
        let mut sandbox = Sandbox::new();
        let text = format!("The job failed because {before}{secret} was in the log");
        let payload = json!({
            "event": {"task_summary": text},
            "aha_cards": [{"title": "Keep tokens out of logs", "problem": text, "solution_steps": [text],
                "extra": {"deep": [text]}, "scope": "portable", "shareable": true}],
            "recommendations": [{"title": "Rotate it", "why": text}],
            "usage_context": text,
        });
        let run = sandbox
            .run_with(&["record"], payload.to_string().as_bytes())
            .ok();
        let secret = secret.split('@').next().expect("a part");
        assert!(
            !run.stdout.contains(secret) && !run.stderr.contains(secret),
            "{text}\n{}",
            run.stdout
        );
        let id = run.json()["results"][1]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let rec = run.json()["results"][2]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        sandbox.at("2026-03-03T09:00:00Z");
        for arguments in [
            vec!["use", "--aha", &id, "--context", &text],
            vec![
                "signal",
                "--kind",
                "aha_recalled",
                "--aha-id",
                &id,
                "--context",
                &text,
            ],
            vec![
                "aha-status",
                "--id",
                &id,
                "--status",
                "accepted",
                "--note",
                &text,
            ],
            vec![
                "rec-status",
                "--id",
                &rec,
                "--status",
                "done",
                "--note",
                &text,
            ],
            vec!["edit", "--id", &id, "--add-evidence", &text],
            vec!["promote", "--ids", &id],
            vec!["review", "--format", "json"],
            vec!["show", &id, &rec],
        ] {
            let run = sandbox.run(&arguments).ok();
            assert!(
                !run.stdout.contains(secret) && !run.stderr.contains(secret),
                "{arguments:?}\n{}",
                run.stdout
            );
        }
        assert_eq!(
            files_holding(&sandbox, secret),
            Vec::<String>::new(),
            "{text}"
        );
        // What is left still reads.
        assert!(
            files_holding(&sandbox, "The job failed because").len() >= 4,
            "{text}"
        );
        assert!(!files_holding(&sandbox, "[REDACTED:").is_empty(), "{text}");
    }
}

#[test]
fn d03_a_secret_that_somebody_stored_by_hand_is_not_carried_on() {
    let mut sandbox = Sandbox::new();
    let secret = secrets()[0].1.clone();
    let card = json!({"id": "aha_hand", "ts": "2026-03-01T08:00:00Z", "title": "Upload", "problem": format!("use Bearer {secret} for it"),
        "tags": ["skill:ci"], "status": "proposed", "scope": "project"});
    let rec = json!({"id": "rec_hand", "ts": "2026-03-01T08:00:00Z", "title": "Upload", "why": format!("Bearer {secret} works"),
        "status": "proposed", "primary_skill": "ci"});
    sandbox.seed("aha_cards.jsonl", format!("{card}\n"));
    sandbox.seed("recommendations.jsonl", format!("{rec}\n"));
    for (day, arguments) in [
        vec!["repair", "--apply"],
        vec!["aha-status", "--id", "aha_hand", "--status", "accepted"],
        vec!["rollback", "--id", "aha_hand", "--to", "1"],
        vec!["edit", "--id", "aha_hand", "--add-step", "Rotate the token"],
        vec!["rec-status", "--id", "rec_hand", "--status", "done"],
        vec!["promote", "--ids", "aha_hand"],
    ]
    .into_iter()
    .enumerate()
    {
        sandbox.at(&format!("2026-03-{:02}T09:00:00Z", day + 2));
        let run = sandbox.run(&arguments).ok();
        assert!(
            !run.stdout.contains(&secret),
            "{arguments:?}\n{}",
            run.stdout
        );
    }
    let again = json!({"aha_cards": [{"title": "Upload", "primary_skill": "ci", "evidence": ["seen again"]}]});
    sandbox.record(&again);
    let times = |name: &str| {
        String::from_utf8(sandbox.log(name))
            .expect("UTF-8")
            .matches(&secret)
            .count()
    };
    assert_eq!(times("aha_cards.jsonl"), 1, "only the line written by hand");
    assert_eq!(times("recommendations.jsonl"), 1);
    assert_eq!(files_holding(&sandbox, &secret).len(), 2);
    assert!(sandbox.records("aha_cards.jsonl").len() >= 5);
}

// ---- D-04: harmless text is destroyed

#[test]
fn d04_ordinary_text_keeps_its_words_its_title_its_tags_and_its_id() {
    let sandbox = Sandbox::new();
    let harmless = [
        "1.2.3",
        "v1.2.3",
        "next.config.js",
        "vite.config.ts",
        "jest.config.js",
        "index.d.ts",
        "docs.python.org",
        "os.path.join",
        "com.example.app",
        "9fceb02d0ae598e95dc970b74767f19372d61af8",
        "d41d8cd98f00b204e9800998ecf8427e",
        "123e4567-e89b-12d3-a456-426614174000",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "src_components_very_long_identifier_name_abc",
        "test_parse_returns_none_when_input_is_empty",
        "packages/web/src/components/dashboard/widgets",
        "feature/add-retry-logic-to-http-client",
        "----------------------------------------",
    ];
    let cards: Vec<Value> = harmless
        .iter()
        .enumerate()
        .map(|(at, text)| {
            json!({"title": text, "when_to_use": format!("case {at}"), "tags": [text], "solution_steps": [text],
                "max_tokens": 4096, "tokens": 12, "token_budget": "8k", "tokenizer": "o200k_base", "secretary": "Ann",
                "cookie_policy": "strict", "password_rules": {"length": 12}, "api_key_env_var": "GITHUB_TOKEN"})
        })
        .collect();
    let answer = sandbox.record(&json!({ "aha_cards": cards }));
    assert_eq!(answer.get("redactions"), None, "{answer:#}");
    let stored = sandbox.records("aha_cards.jsonl");
    assert_eq!(stored.len(), harmless.len());
    for (given, stored) in cards.iter().zip(&stored) {
        for (key, value) in given.as_object().expect("a card") {
            assert_eq!(&stored[key], value, "{key}");
        }
    }
    let ids: BTreeSet<&str> = stored
        .iter()
        .map(|card| card["id"].as_str().expect("an id"))
        .collect();
    assert_eq!(ids.len(), harmless.len());
}

#[test]
fn d04_uuid_ids_stay_three_cards() {
    let sandbox = Sandbox::new();
    let ids = [
        "123e4567-e89b-12d3-a456-426614174000",
        "123e4567-e89b-12d3-a456-426614174001",
        "aha_custom-id",
    ];
    let cards: Vec<Value> = ids
        .iter()
        .map(|id| json!({"id": id, "title": format!("card {id}")}))
        .collect();
    sandbox.record(&json!({ "aha_cards": cards }));
    let review = sandbox.json(&["review", "--format", "json"]);
    assert_eq!(review["summary"]["aha_cards"], 3);
    for id in ids {
        assert_eq!(sandbox.json(&["show", id])["items"][0]["id"], id);
        sandbox.run(&["use", "--aha", id]).ok();
    }
}

// ---- D-05: a reinforcement wipes text where a list is meant

#[test]
fn d05_text_where_a_list_is_meant_survives_a_second_capture() {
    let sandbox = Sandbox::new();
    let card = json!({"title": "Build faster", "when_to_use": "slow builds", "solution_steps": "run make -j4",
        "evidence": "saw it", "tags": "schema"});
    let id = sandbox.card(card.clone());
    assert_eq!(sandbox.card(card.clone()), id);
    let mut more = card;
    more["evidence"] = json!(["saw it", "twice"]);
    assert_eq!(sandbox.card(more), id);
    let item = &sandbox.json(&["show", &id])["items"][0]["item"];
    assert_eq!(item["solution_steps"], "run make -j4");
    assert_eq!(item["evidence"], json!(["saw it", "twice"]));
    assert_eq!(item["tags"], "schema");
}

// ---- D-06: no locking, lost updates

#[test]
fn d06_parallel_captures_of_one_card_lose_no_evidence() {
    let sandbox = Sandbox::new();
    let writers = 16;
    thread::scope(|scope| {
        for writer in 0..writers {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let card = json!({"title": "One card", "when_to_use": "in parallel", "evidence": [format!("seen by {writer}")]});
                sandbox.record(&json!({ "aha_cards": [card] }))
            });
        }
    });
    let answer = sandbox.json(&["list"]);
    assert_eq!(answer["total"], 1);
    let evidence = answer["items"][0]["evidence"].as_array().expect("evidence");
    let distinct: BTreeSet<&str> = evidence.iter().filter_map(Value::as_str).collect();
    assert_eq!(distinct.len(), writers);
    let reinforced = sandbox.records("signals.jsonl");
    assert_eq!(
        reinforced
            .iter()
            .filter(|signal| signal["kind"] == "aha_reinforced")
            .count(),
        writers - 1
    );
}

// ---- D-07: a wrong payload is accepted

#[test]
fn d07_a_payload_that_records_nothing_is_no_success() {
    for payload in [
        r#"{"title":"bare","when_to_use":"always"}"#,
        r#"{"cards":[{"title":"x"}]}"#,
        r#"{"aha_cards":["text"]}"#,
        r#"{"aha_cards":[{}]}"#,
        r#"{"aha_cards":[]}"#,
        r#"{"recommendations":[null]}"#,
        "{}",
        r#"{"event":{}}"#,
    ] {
        let sandbox = Sandbox::new();
        let before = sandbox.snapshot();
        let run = sandbox.run_with(&["record"], payload.as_bytes()).code(3);
        assert_eq!(run.json()["ok"], false, "{payload}");
        assert!(
            run.stderr.starts_with("error: ") && run.stderr.contains("\nhint: "),
            "{payload}: {}",
            run.stderr
        );
        assert_eq!(sandbox.snapshot(), before, "{payload}");
    }
}

#[test]
fn d07_good_items_are_kept_beside_refused_ones_and_both_are_named() {
    let sandbox = Sandbox::new();
    let payload =
        json!({"aha_cards": ["text", {"title": "good"}, null], "recommendations": [7], "extra": 1});
    let run = sandbox
        .run_with(&["record"], payload.to_string().as_bytes())
        .ok();
    let answer = run.json();
    let outcomes: Vec<&str> = answer["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|item| item["outcome"].as_str().expect("one"))
        .collect();
    assert_eq!(outcomes, ["refused", "created", "refused", "refused"]);
    assert_eq!(
        answer["results"][0]["why"],
        "aha_cards[0] must be an object, not text"
    );
    assert_eq!(answer["refused"], 3);
    assert_eq!(
        answer["notes"][0],
        "the key `extra` is not part of a payload and was left out"
    );
    assert!(
        run.stderr.starts_with("warning: 3 of 4 items refused, the others are recorded; aha_card 0: aha_cards[0] must be"),
        "{}",
        run.stderr
    );
    assert_eq!(titles(&sandbox, &[]), ["good"]);
}

// ---- D-08: derived ids collide

#[test]
fn d08_two_recommendations_with_one_title_are_two() {
    let sandbox = Sandbox::new();
    let answer = sandbox.record(&json!({"recommendations": [
        {"title": "Add a cache", "why": "The lint job downloads four hundred packages"},
        {"title": "Add a cache", "why": "Search answers take nine seconds on cold start"},
    ]}));
    let first = answer["results"][0]["id"].as_str().expect("an id");
    let second = answer["results"][1]["id"].as_str().expect("an id");
    assert_eq!(second, format!("{first}-2"));
    let review = sandbox.json(&["review", "--format", "json"]);
    assert_eq!(review["summary"]["open_recommendations"], 2);
    assert_eq!(review["summary"]["untouched_recommendations"], 2);
}

#[test]
fn d08_equal_cards_in_one_batch_merge_and_keep_all_evidence() {
    let sandbox = Sandbox::new();
    let card =
        |evidence: &str| json!({"title": "Same", "when_to_use": "twice", "evidence": [evidence]});
    let answer = sandbox.record(&json!({"aha_cards": [card("e1"), card("e2"), card("e3")]}));
    let outcomes: Vec<_> = (0..3)
        .map(|at| answer["results"][at]["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["created", "merged", "merged"]);
    let list = sandbox.json(&["list"]);
    assert_eq!(list["total"], 1);
    assert_eq!(list["items"][0]["evidence"], json!(["e1", "e2", "e3"]));
}

#[test]
fn d08_untitled_cards_of_one_second_are_distinct() {
    let sandbox = Sandbox::new();
    let answer = sandbox.record(&json!({"aha_cards": [
        {"problem": "rate limit 429 from the search service", "primary_skill": "api"},
        {"problem": "webhook signature is checked before decoding", "primary_skill": "api"},
    ]}));
    assert_ne!(answer["results"][0]["id"], answer["results"][1]["id"]);
    assert_eq!(
        answer["results"][0]["why"],
        "the card has no title; give it one with: self-learning edit"
    );
    assert_eq!(sandbox.json(&["list"])["total"], 2);
}

// ---- D-09: one bad value bricks every command

/// Every verb that reads; none may fail because of a neighbour's damage.
fn every_command_works(sandbox: &Sandbox, id: &str) {
    for arguments in [
        vec!["list"],
        vec!["list", "--query", "good"],
        vec!["list", "--format", "table"],
        vec!["list", "--format", "markdown"],
        vec!["list", "--history"],
        vec!["review"],
        vec!["review", "--format", "json"],
        vec!["show", id],
        vec!["history", "--id", id],
        vec!["repair"],
        vec!["use", "--aha", id],
        vec!["signal", "--kind", "aha_recalled", "--aha-id", id],
        vec!["aha-status", "--id", id, "--status", "accepted"],
        vec!["edit", "--id", id, "--add-tag", "kept"],
        vec!["record", "--title", "another one"],
        vec!["promote", "--ids", id],
        vec!["init"],
        vec!["repair", "--apply"],
    ] {
        let run = sandbox.run(&arguments);
        assert_eq!(run.code, 0, "{arguments:?}\n{}\n{}", run.stdout, run.stderr);
        assert!(!run.stdout.starts_with("null"), "{arguments:?}");
    }
    assert_eq!(
        sandbox.json(&["show", id])["items"][0]["item"]["title"],
        "good"
    );
}

#[test]
fn d09_no_value_of_one_line_bricks_the_others() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let values: Vec<(&str, Vec<u8>)> = vec![
        ("Latin-1", b"\"caf\xe9\"".to_vec()),
        ("5000 digits", "7".repeat(5_000).into_bytes()),
        ("NaN", b"NaN".to_vec()),
        ("Infinity", b"[Infinity, -Infinity]".to_vec()),
        ("huge exponent", b"1e999999".to_vec()),
        ("nested 300", nested(300).into_bytes()),
        ("nested 5000", nested(5_000).into_bytes()),
        ("lone surrogate", br#""x\ud83d""#.to_vec()),
        (
            "a megabyte",
            format!("\"{}\"", "x".repeat(1_000_000)).into_bytes(),
        ),
    ];
    for (name, value) in values {
        let sandbox = Sandbox::new();
        let mut log = card_line("aha_good1", "good").into_bytes();
        log.extend_from_slice(
            b"{\"id\": \"aha_odd\", \"ts\": \"2026-03-01T08:00:00Z\", \"title\": \"odd\", \"x\": ",
        );
        log.extend_from_slice(&value);
        log.extend_from_slice(b"}\n");
        for file in [
            "aha_cards.jsonl",
            "events.jsonl",
            "signals.jsonl",
            "recommendations.jsonl",
            "backports.jsonl",
        ] {
            sandbox.seed(file, &log);
        }
        println!("{name}");
        every_command_works(&sandbox, "aha_good1");
    }
}

#[test]
fn d09_numbers_that_json_has_no_word_for_are_null_in_answers_and_kept_in_the_log() {
    let sandbox = Sandbox::new();
    let payload = r#"{"aha_cards":[{"title":"odd numbers","x":NaN,"y":[-Infinity,1e999],"big":123456789012345678901234567890}]}"#;
    sandbox.run_with(&["record"], payload.as_bytes()).ok();
    let item = &sandbox.json(&["list"])["items"][0];
    assert_eq!(item["x"], Value::Null);
    assert_eq!(item["y"][0], Value::Null);
    assert_eq!(item["title"], "odd numbers");
    let id = item["id"].as_str().expect("an id");
    sandbox
        .run(&["aha-status", "--id", id, "--status", "accepted"])
        .ok();
    let log = String::from_utf8(sandbox.log("aha_cards.jsonl")).expect("UTF-8");
    assert_eq!(
        log.matches(
            "\"x\": NaN, \"y\": [-Infinity, 1e999], \"big\": 123456789012345678901234567890"
        )
        .count(),
        2
    );
}

// ---- D-12: readers see half-written files

#[test]
fn d12_a_reader_of_index_md_never_sees_half_of_it() {
    let sandbox = Sandbox::new();
    sandbox.card(json!({"title": "first"}));
    let path = sandbox.store().join("INDEX.md");
    let done = AtomicBool::new(false);
    let reads = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0_usize;
            while !done.load(Ordering::Relaxed) {
                let text = std::fs::read_to_string(&path).expect("there at every moment");
                assert!(
                    text.starts_with("# Self-learning index\n")
                        && text.contains("\n## Backport Candidates\n"),
                    "{text}"
                );
                reads += 1;
            }
            reads
        });
        for number in 0..40 {
            sandbox.card(json!({ "title": format!("card {number}") }));
        }
        done.store(true, Ordering::Relaxed);
        reader.join().expect("no half file")
    });
    assert!(reads > 40, "{reads} reads");
}

#[test]
fn d12_an_index_that_cannot_be_written_costs_no_record() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.store().join("INDEX.md/in the way")).expect("a folder");
    let answer = sandbox.record(&json!({"aha_cards": [{"title": "kept"}]}));
    let note = answer["notes"][0].as_str().expect("a note");
    assert!(
        note.starts_with("INDEX.md was not rebuilt: cannot write `"),
        "{note}"
    );
    assert_eq!(titles(&sandbox, &[]), ["kept"]);
}

// ---- D-35: a lone surrogate

#[test]
fn d35_half_a_surrogate_pair_stops_nothing() {
    let sandbox = Sandbox::new();
    let payload = r#"{"aha_cards":[{"title":"one"},{"title":"two \ud83d"},{"title":"three \ud83d\ude00"}],
        "recommendations":[{"title":"four \udc00"}]}"#;
    let answer = sandbox
        .run_with(&["record"], payload.as_bytes())
        .ok()
        .json();
    assert_eq!(
        answer["notes"][0],
        "2 half surrogate pair(s) in the input became U+FFFD"
    );
    assert_eq!(titles(&sandbox, &[]), ["one", "two \u{fffd}", "three 😀"]);
    assert_eq!(
        sandbox.records("recommendations.jsonl")[0]["title"],
        "four \u{fffd}"
    );
    assert!(sandbox.store().join("INDEX.md").exists());
}
