//! A user who means harm, or has none in mind: odd types, huge values, escape sequences, strange places.

use std::fs;

use serde_json::{Value, json};

use super::defects::card_line;
use super::support::{BINARY, Sandbox, finish};

/// Characters that a terminal or an editor acts on.
fn steering(text: &str) -> Vec<char> {
    let acts = |character: &char| {
        (character.is_control() && !matches!(character, '\n' | '\t'))
            || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().filter(acts).collect()
}

/// A store written by another program, with escape sequences wherever text can stand.
fn escaping() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.seed(
        "aha_cards.jsonl",
        r##"{"id": "aha_esc1", "ts": "2026-01-01T00:00:00\u001bZ", "title": "E \u001b]0;pwn\u0007 \u009b31m \u202eevil\n## Injected", "when_to_use": "\u001b[2J\r", "problem": "p\u001b[1m\r\n# Heading\n```\nopen", "solution_steps": ["\u001b[1mstep\n- fake"], "evidence": [{"\u001b[3mk": "\u0007v"}], "gotchas": ["g\u0085"], "tags": ["\u001b[31mx"], "primary_skill": "sk\u001b[1mill", "status": "accepted\u001b[1m", "note": "\u001bc", "shareable": true, "\u001b[4mfield": "\u2028"}
{"id": "aha_\u001b[5mid", "ts": "2026-01-01T00:00:00Z", "title": "second \u001b[7m", "shareable": true, "status": "accepted"}
{"broken \u001b[31m
"##
        .replace("{\"broken \\u001b", "{\"broken \u{1b}"),
    );
    sandbox.seed(
        "recommendations.jsonl",
        r#"{"id": "rec_\u001b[1m", "ts": "\u001b[5m", "title": "R \u001b]0;pwn\u0007", "status": "la\u001b[3mter", "why": "\u001b[2J", "primary_skill": "\u001b[1m"}
{"id": "rec_plain", "ts": "2026-01-01T00:00:00Z", "title": ["a", "\u009b1m"], "status": "proposed", "why": {"\u001b": 1}}
"#,
    );
    sandbox
}

#[test]
fn no_answer_steers_a_terminal_in_any_form() {
    let sandbox = escaping();
    for format in ["json", "table", "markdown"] {
        for arguments in [
            vec!["list"],
            vec!["list", "--all", "--history"],
            vec!["list", "--query", "evil second"],
            vec!["list", "--tag", "[31mx"],
            vec!["list", "--skill", "sk[1mill"],
            vec!["list", "--skill", "no\u{1b}[1m"],
            vec!["review"],
            vec!["show", "aha_esc1", "aha_\u{1b}[5mid", "rec_plain"],
            vec!["show", "nothing\u{1b}[1m"],
            vec!["history", "--id", "aha_esc1"],
            vec!["repair"],
            vec!["use", "--aha", "aha_\u{1b}[5mid,x\u{1b}[1m"],
            vec!["signal", "--kind", "aha_used", "--aha-id", "\u{1b}[1m"],
            vec![
                "aha-status",
                "--id",
                "aha_\u{1b}[5mix",
                "--status",
                "accepted",
            ],
            vec!["aha-status", "--id", "aha_esc1", "--status", "accepted"],
            vec!["rec-status", "--id", "rec_plain", "--status", "accepted"],
            vec!["edit", "--id", "aha_esc1", "--if-rev", "99", "--title", "x"],
            vec!["promote", "--ids", "aha_\u{1b}[5mid,\u{1b}[1m"],
            vec!["doctor", "--audit"],
            vec!["why-not", "aha_esc1", "--query", "kubernetes"],
            vec!["purge", "--id", "aha_esc1", "--reason", "r"],
            vec!["purge", "--id", "aha_\u{1b}[5mid", "--reason", "r\u{1b}[1m"],
            vec!["release", "--id", "aha_\u{1b}[5mid", "--reason", "r"],
            vec!["init"],
        ] {
            let mut all = arguments.clone();
            all.extend(["--format", format]);
            let run = sandbox.run(&all);
            assert!(run.code < 7, "{all:?}");
            assert_eq!(steering(&run.stdout), [], "{all:?}\n{}", run.stdout);
            assert_eq!(steering(&run.stderr), [], "{all:?}\n{}", run.stderr);
        }
    }
    let index = String::from_utf8(sandbox.log("INDEX.md")).expect("UTF-8");
    assert_eq!(steering(&index), [], "{index}");
    assert_eq!(
        index.lines().filter(|line| line.starts_with('#')).count(),
        5,
        "{index}"
    );
    // JSON keeps what is stored: escapes, not replacements.
    assert_eq!(
        sandbox.json(&["show", "aha_esc1"])["items"][0]["item"]["problem"],
        "p\u{1b}[1m\r\n# Heading\n```\nopen"
    );
}

#[test]
fn text_cannot_shape_the_markdown_it_stands_in() {
    let sandbox = escaping();
    let text = sandbox.run(&["list", "--format", "markdown"]).ok().stdout;
    let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(headings.len(), 3, "{text}");
    assert_eq!(headings[0], "# Learnings");
    assert_eq!(text.matches("\n```").count() % 2, 0, "{text}");
}

#[test]
fn hidden_characters_are_refused_by_name_or_removed_on_request() {
    let sandbox = Sandbox::new();
    let before = sandbox.snapshot();
    for (title, why) in [
        ("esc \u{1b}[31m", "`title` holds "),
        ("bidi \u{202e}evil", "`title` holds "),
        ("tag \u{e0041}\u{e0042}", "`title` holds "),
        ("zero\u{200b}width", "`title` holds "),
    ] {
        let payload = json!({"aha_cards": [{ "title": title }]}).to_string();
        let run = sandbox.run_with(&["record"], payload.as_bytes()).code(3);
        let answer = run.json();
        let reason = answer["results"][0]["why"].as_str().expect("a reason");
        assert!(
            reason.starts_with(why) && reason.contains("U+") && reason.contains(" at character "),
            "{reason}"
        );
        assert_eq!(steering(&run.stdout), [], "{}", run.stdout);
        assert_eq!(sandbox.snapshot(), before);
    }
    let payload = json!({"aha_cards": [{"title": "zero\u{200b}width"}]}).to_string();
    let run = sandbox
        .run_with(&["record", "--strip-invisible"], payload.as_bytes())
        .ok();
    assert_eq!(run.json()["results"][0]["title"], "zerowidth");
}

/// Values of every type and size.
fn odd_values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(false),
        json!(0),
        json!(-1.5e300),
        json!(""),
        json!("   "),
        json!("text"),
        json!([]),
        json!({}),
        json!([null]),
        json!([[["x"]]]),
        json!([1, true, "a", {"b": null}]),
        json!({"a": {"b": [1]}}),
        json!("\n\n"),
        json!("| a | b |"),
        json!("`code`"),
        json!("--flag"),
        json!("-"),
        json!("~"),
        json!("../.."),
        json!("%s%n"),
        json!("$(touch pwned)"),
        json!("\u{0}"),
    ]
}

#[test]
fn every_field_takes_every_type_or_refuses_it_and_all_verbs_go_on() {
    for field in [
        "id",
        "ts",
        "title",
        "when_to_use",
        "problem",
        "solution_steps",
        "evidence",
        "tags",
        "primary_skill",
        "scope",
        "status",
        "shareable",
        "key",
        "gotchas",
        "superseded_by",
        "note",
        "expected_impact",
        "why",
        "last_touched_ts",
    ] {
        let sandbox = Sandbox::new();
        let cards: Vec<Value> = odd_values()
            .into_iter()
            .enumerate()
            .map(|(at, value)| {
                let mut card = json!({"title": format!("card {at} of {field}"), "when_to_use": format!("case {at}"), "shareable": true});
                card[field] = value;
                card
            })
            .collect();
        let payload = json!({"aha_cards": cards, "recommendations": cards}).to_string();
        let run = sandbox.run_with(&["record"], payload.as_bytes()).ok();
        let results = run.json()["results"].as_array().expect("results").clone();
        assert_eq!(
            results.len(),
            2 * odd_values().len(),
            "{field}: one result per item"
        );
        // The same as another writer would have stored it.
        let lines: String = cards.iter().map(|card| format!("{card}\n")).collect();
        let mut bytes = sandbox.log("aha_cards.jsonl");
        bytes.extend_from_slice(lines.as_bytes());
        sandbox.seed("aha_cards.jsonl", bytes);
        for arguments in [
            vec!["list", "--limit", "0"],
            vec!["list", "--limit", "0", "--format", "table"],
            vec!["list", "--limit", "0", "--format", "markdown"],
            vec!["list", "--query", "card case"],
            vec!["review"],
            vec!["review", "--format", "json", "--days", "3"],
            vec!["review", "--format", "markdown"],
            vec!["list", "--history", "--tag", "text"],
            vec!["repair"],
            vec!["repair", "--apply"],
            vec!["record", "--title", "one more"],
        ] {
            let run = sandbox.run(&arguments);
            assert_eq!(run.code, 0, "{field} {arguments:?}: {}", run.stderr);
        }
        let created = results
            .iter()
            .find(|item| item["outcome"] == "created")
            .expect("one");
        let id = created["id"].as_str().expect("an id");
        for arguments in [
            vec!["show", id],
            vec!["show", id, "--format", "table"],
            vec!["show", id, "--format", "markdown"],
            vec!["history", "--id", id, "--format", "table"],
            vec!["use", "--aha", id],
            vec!["aha-status", "--id", id, "--status", "accepted"],
            vec!["promote", "--ids", id],
            vec![
                "edit",
                "--id",
                id,
                "--add-step",
                "s",
                "--add-tag",
                "t",
                "--add-evidence",
                "e",
            ],
            vec!["rollback", "--id", id, "--to", "1"],
        ] {
            let run = sandbox.run(&arguments);
            assert_eq!(
                run.code, 0,
                "{field} {arguments:?}: {}{}",
                run.stdout, run.stderr
            );
        }
        assert!(!sandbox.repo().join("pwned").exists());
    }
}

#[test]
fn ids_given_as_null_number_or_list_are_ids_that_can_be_named() {
    let sandbox = Sandbox::new();
    let answer = sandbox.record(&json!({"aha_cards": [
        {"id": null, "title": "null"}, {"id": 7, "title": "seven"}, {"id": ["x"], "title": "list"}, {"id": "", "title": "empty"},
        {"id": "  ", "title": "blank"}, {"id": true, "title": "true"}, {"id": 0, "title": "zero"},
    ]}));
    for item in answer["results"].as_array().expect("results") {
        let id = item["id"].as_str().expect("an id");
        assert_eq!(
            sandbox.json(&["show", id])["items"][0]["item"]["title"],
            item["title"]
        );
    }
    assert_eq!(sandbox.json(&["list"])["total"], 7);
}

#[test]
fn duplicates_in_one_batch_by_id_are_one_item_with_all_versions() {
    let sandbox = Sandbox::new();
    let answer = sandbox.record(&json!({"aha_cards": [
        {"id": "aha_same", "title": "first", "problem": "p"}, {"id": "aha_same", "title": "second"}, {"id": "aha_same", "title": "second"},
    ], "recommendations": [{"id": "rec_same", "title": "a", "why": "w"}, {"id": "rec_same", "title": "b"}]}));
    let outcomes: Vec<&Value> = answer["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|item| &item["outcome"])
        .collect();
    assert_eq!(
        outcomes,
        ["created", "merged", "reinforced", "created", "merged"]
    );
    assert_eq!(
        sandbox.json(&["show", "aha_same"])["items"][0]["item"]["problem"],
        "p"
    );
    assert_eq!(
        sandbox.json(&["show", "rec_same"])["items"][0]["item"]["why"],
        "w"
    );
    assert_eq!(sandbox.json(&["history", "--id", "aha_same"])["rev"], 3);
}

#[test]
fn unknown_and_ambiguous_ids_come_with_the_nearest() {
    let sandbox = Sandbox::new();
    sandbox.seed(
        "aha_cards.jsonl",
        format!(
            "{}{}",
            card_line("aha_a12a6597c099", "one"),
            card_line("aha_a12b00000000", "two")
        ),
    );
    let found = |wanted: &str| sandbox.run(&["show", wanted]);
    assert_eq!(
        found("aha_a12a").ok().json()["items"][0]["id"],
        "aha_a12a6597c099"
    );
    assert_eq!(
        found("a12b").ok().json()["items"][0]["id"],
        "aha_a12b00000000"
    );
    let run = found("aha_a12").code(4);
    assert_eq!(
        run.json()["not_found"][0]["nearest"],
        json!(["aha_a12a6597c099", "aha_a12b00000000"])
    );
    let run = found("aha_a12a6597c098").code(4);
    assert_eq!(
        run.stderr,
        "error: nothing has the id `aha_a12a6597c098`\nhint: did you mean aha_a12a6597c099? self-learning show aha_a12a6597c099\n"
    );
    let run = sandbox
        .run(&["aha-status", "--id", "aha_a12", "--status", "accepted"])
        .code(4);
    assert_eq!(
        run.stderr,
        "error: Aha Card id `aha_a12` is the beginning of several: aha_a12a6597c099, aha_a12b00000000\nhint: give more of the id\n"
    );
    assert_eq!(
        run.json()["error"]["details"]["nearest"],
        json!(["aha_a12a6597c099", "aha_a12b00000000"])
    );
    // Some found, some not: both are said.
    let both = sandbox.run(&["show", "aha_a12a", "zzzz"]).code(4);
    assert_eq!(
        (
            &both.json()["ok"],
            both.json()["items"].as_array().map(Vec::len)
        ),
        (&json!(false), Some(1))
    );
}

#[test]
fn a_rollback_to_nowhere_and_a_late_one_change_nothing() {
    let sandbox = Sandbox::new();
    let id = sandbox.card(json!({"title": "one"}));
    sandbox.run(&["edit", "--id", &id, "--title", "two"]).ok();
    let before = sandbox.snapshot();
    for (arguments, code, stderr) in [
        (
            vec!["--to", "0"],
            4,
            format!(
                "error: {id} has no version 0; it has 1 to 2\nhint: self-learning history --id {id}\n"
            ),
        ),
        (
            vec!["--to", "3"],
            4,
            format!(
                "error: {id} has no version 3; it has 1 to 2\nhint: self-learning history --id {id}\n"
            ),
        ),
        (
            vec!["--to=-1"],
            4,
            format!(
                "error: {id} has no version -1; it has 1 to 2\nhint: self-learning history --id {id}\n"
            ),
        ),
        (
            vec!["--to", "2"],
            3,
            format!(
                "error: {id} already says what version 2 says\nhint: self-learning history --id {id}\n"
            ),
        ),
        (
            vec!["--to", "1", "--if-rev", "1"],
            5,
            format!(
                "error: {id} is at version 2, not 1\nhint: self-learning history --id {id} shows what changed; then use --if-rev 2\n"
            ),
        ),
    ] {
        let mut all = vec!["rollback", "--id", &id];
        all.extend(&arguments);
        assert_eq!(sandbox.run(&all).code(code).stderr, stderr, "{arguments:?}");
        assert_eq!(sandbox.snapshot(), before, "{arguments:?}");
    }
    assert_eq!(
        sandbox.json(&["rollback", "--id", &id, "--to", "1", "--if-rev", "2"])["item"]["title"],
        "one"
    );
}

#[test]
fn input_by_lines_keeps_the_good_lines_and_names_the_bad_ones() {
    let sandbox = Sandbox::new();
    let lines = "{\"title\":\"one\"}\r\n\r\n{broken\n[1]\n{\"id\":\"rec_x\",\"title\":\"rec\"}\n{\"aha_cards\":[{\"title\":\"two\"}]}\n{\"event\":{\"task_summary\":\"t\"}}\n{\"cards\":[{\"title\":\"x\"}]}\n{\"title\":\"three\"}";
    let run = sandbox
        .run_with(
            &["record", "--jsonl", "-"],
            format!("\u{feff}{lines}").as_bytes(),
        )
        .ok();
    let answer = run.json();
    let seen: Vec<(Value, Value)> = answer["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|item| (item["line"].clone(), item["outcome"].clone()))
        .collect();
    let pair = |line: usize, outcome: &str| (json!(line), json!(outcome));
    assert_eq!(
        seen,
        [
            pair(1, "created"),
            pair(3, "refused"),
            pair(4, "refused"),
            pair(6, "created"),
            pair(7, "refused"),
            pair(8, "refused"),
            pair(9, "created"),
            pair(5, "created"),
        ]
    );
    let why: Vec<&str> = answer["results"]
        .as_array()
        .expect("results")
        .iter()
        .filter_map(|item| item["why"].as_str())
        .collect();
    assert_eq!(
        why,
        [
            "invalid JSON: Expecting a property name in double quotes: column 2",
            "the line is no JSON object",
            "an event cannot stand in input by lines",
            "unknown key `cards`; did you mean `aha_cards`?",
        ]
    );
}

#[test]
fn a_repository_in_a_strange_place_works() {
    let sandbox = Sandbox::new();
    for name in [
        "with blank",
        "grö\u{301}ße 日本",
        "-dash",
        "quo'te\"s",
        "semi;colon$(x)",
    ] {
        let folder = sandbox.root().join(name);
        fs::create_dir_all(folder.join(".git")).expect("a folder");
        for arguments in [
            vec!["record", "--title", "x"],
            vec!["list"],
            vec!["review"],
            vec!["repair", "--apply"],
        ] {
            let mut command = sandbox.command(BINARY);
            command.args(&arguments).current_dir(&folder);
            finish(command, b"").ok();
        }
        let mut command = sandbox.command(BINARY);
        command
            .args(["list"])
            .env("SELF_LEARNING_REPO_ROOT", &folder)
            .current_dir("/");
        assert_eq!(finish(command, b"").ok().json()["count"], 1, "{name}");
    }
}

#[test]
fn a_root_that_does_not_exist_yet_is_made_by_record_only() {
    let mut sandbox = Sandbox::new();
    let root = sandbox.root().join("new/../not/yet");
    let real = sandbox.root().join("not/yet");
    sandbox.env("SELF_LEARNING_REPO_ROOT", root.to_str().expect("text"));
    assert_eq!(
        sandbox.json(&["list"])["repo_root"],
        real.display().to_string()
    );
    assert!(!real.exists());
    sandbox.run(&["record", "--title", "x"]).ok();
    assert_eq!(sandbox.json(&["list"])["count"], 1);
}
