//! What scripts and other readers stand on: the lines of the logs, the keys of every answer, the refusals,
//! the command line's habits. Once shipped, a key keeps its name, its place and its type.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use super::defects::card_line;
use super::support::{BINARY, Sandbox, finish};

// ---- lines: what a v1 reader finds

/// A log, and its fields: name, type, and whether every line has it.
type LogFields = (&'static str, &'static [(&'static str, &'static str, bool)]);

/// The fields of each log that the original reads.
const V1_FIELDS: [LogFields; 4] = [
    (
        "events.jsonl",
        &[
            ("ts", "string", true),
            ("id", "string", true),
            ("primary_skill", "string", true),
        ],
    ),
    (
        "aha_cards.jsonl",
        &[
            ("ts", "string", true),
            ("id", "string", true),
            ("status", "string", true),
            ("scope", "string", true),
            ("primary_skill", "string", true),
            ("title", "string", true),
            ("when_to_use", "string|null", false),
            ("problem", "string|null", false),
            ("solution_steps", "array", false),
            ("evidence", "array", false),
            ("tags", "array", false),
            ("shareable", "bool|null", false),
            ("note", "string", false),
        ],
    ),
    (
        "recommendations.jsonl",
        &[
            ("ts", "string", true),
            ("id", "string", true),
            ("status", "string", true),
            ("scope", "string", true),
            ("primary_skill", "string", true),
            ("last_touched_ts", "string", true),
            ("note", "string", false),
        ],
    ),
    (
        "signals.jsonl",
        &[
            ("ts", "string", true),
            ("kind", "string", true),
            ("source", "string", true),
            ("id", "string", true),
            ("aha_id", "string", false),
            ("rec_id", "string", false),
            ("context", "string", false),
        ],
    ),
];

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn assert_v1_lines(sandbox: &Sandbox) {
    for (log, fields) in V1_FIELDS {
        let text = String::from_utf8(sandbox.log(log)).expect("UTF-8");
        assert!(text.is_empty() || text.ends_with('\n'), "{log}");
        for line in text.lines() {
            let record: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{log}: {error}: {line}"));
            for (field, kinds, required) in fields {
                match record.get(field) {
                    Some(value) => assert!(
                        kinds.split('|').any(|kind| kind == kind_of(value)),
                        "{log}: {field}: {line}"
                    ),
                    None => assert!(!required, "{log}: no {field}: {line}"),
                }
            }
            let ts = record["ts"].as_str().expect("a time");
            assert!(
                ts.len() == 20 && ts.ends_with('Z') && ts.as_bytes()[10] == b'T',
                "{log}: {ts}"
            );
            // The original's separators: `", "` and `": "`, and characters as they are.
            assert!(
                line.starts_with("{\"") && line.contains("\": ") && !line.contains("\\u00e9"),
                "{log}: {line}"
            );
            if log == "signals.jsonl" {
                assert!(
                    record.get("aha_id").is_some() != record.get("rec_id").is_some(),
                    "{line}"
                );
            }
        }
    }
}

/// A store in which every verb has written.
fn lived_in() -> (Sandbox, String, String) {
    let mut sandbox = Sandbox::new();
    let card = json!({"title": "Quote YAML é", "when_to_use": "NO is false", "problem": "p", "solution_steps": ["q"],
        "evidence": ["e"], "tags": ["yaml"], "shareable": true, "scope": "portable"});
    let answer = sandbox.record(&json!({
        "event": {"task_summary": "fix ci", "primary_skill": "ci"},
        "aha_cards": [card, card, {"title": "second"}],
        "recommendations": [{"title": "Lint", "why": "w", "expected_impact": {"speed": "high"}}],
    }));
    let id = answer["results"][1]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let rec = answer["results"][4]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for (day, arguments) in [
        vec!["use", "--aha", &id, "--rec", &rec],
        vec![
            "signal",
            "--kind",
            "aha_recalled",
            "--aha-id",
            &id,
            "--context",
            "c",
        ],
        vec![
            "aha-status",
            "--id",
            &id,
            "--status",
            "accepted",
            "--note",
            "n",
        ],
        vec![
            "rec-status",
            "--id",
            &rec,
            "--status",
            "done",
            "--note",
            "n",
        ],
        vec!["edit", "--id", &id, "--add-step", "r"],
        vec!["rollback", "--id", &id, "--to", "1"],
        vec!["promote", "--ids", &id],
        vec!["repair", "--apply"],
        vec!["record", "--title", "from flags", "--tag", "t"],
    ]
    .into_iter()
    .enumerate()
    {
        sandbox.at(&format!("2026-03-{:02}T09:00:00Z", day + 3));
        sandbox.run(&arguments).ok();
    }
    (sandbox, id, rec)
}

#[test]
fn every_line_is_one_object_with_the_fields_of_the_original() {
    let (sandbox, _, _) = lived_in();
    assert_v1_lines(&sandbox);
    for log in [
        "events.jsonl",
        "aha_cards.jsonl",
        "recommendations.jsonl",
        "signals.jsonl",
    ] {
        assert!(!sandbox.log(log).is_empty(), "{log}");
    }
    // Nothing but the original's files, and ours that it does not look at.
    let mut names: Vec<String> = fs::read_dir(sandbox.store())
        .expect("a store")
        .map(|entry| entry.expect("one").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            ".lock",
            "INDEX.md",
            "aha_cards.jsonl",
            "events.jsonl",
            "exports",
            "recommendations.jsonl",
            "signals.jsonl"
        ]
    );
}

#[test]
fn a_store_of_the_original_goes_on_with_additions_only() {
    let sandbox = Sandbox::new();
    let old = card_line("aha_old1", "theirs")
        .replace("\"status\"", "\"x_extra\": {\"n\": 1.50}, \"status\"");
    sandbox.seed("aha_cards.jsonl", &old);
    sandbox
        .run(&["aha-status", "--id", "aha_old1", "--status", "accepted"])
        .ok();
    let log = String::from_utf8(sandbox.log("aha_cards.jsonl")).expect("UTF-8");
    assert!(log.starts_with(&old), "what is stored stays byte for byte");
    assert_eq!(
        log.lines().nth(1).expect("a version"),
        "{\"title\": \"theirs\", \"when_to_use\": \"testing\", \"primary_skill\": \"demo\", \"scope\": \"project\", \
         \"ts\": \"2026-03-02T09:00:00Z\", \"id\": \"aha_old1\", \"x_extra\": {\"n\": 1.50}, \"status\": \"accepted\", \
         \"last_touched_ts\": \"2026-03-02T09:00:00Z\"}"
    );
}

#[cfg(unix)]
#[test]
fn the_store_belongs_to_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let (sandbox, _, _) = lived_in();
    for entry in fs::read_dir(sandbox.store()).expect("a store").flatten() {
        let mode = entry.metadata().expect("there").permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{}", entry.path().display());
    }
}

// ---- answers: the keys of every verb, in order, with their types

fn shape(value: &Value) -> String {
    let map = value.as_object().expect("an object");
    map.iter()
        .map(|(key, value)| format!("{key}:{}", kind_of(value)))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_keys_of_every_answer_keep_their_names_order_and_types() {
    let (sandbox, id, rec) = lived_in();
    let place = "repo_root:string user:string project_store:string";
    let payload =
        r#"{"event":{"task_summary":"t"},"aha_cards":[{"title":"é"}],"used_aha_ids":["nope"]}"#;
    let answer = sandbox
        .run_with(&["record"], payload.as_bytes())
        .ok()
        .json();
    assert_eq!(
        shape(&answer),
        format!("ok:bool {place} written:object usage_signals:object results:array refused:number")
    );
    assert_eq!(shape(&answer["written"]), "events:string aha_cards:string");
    assert_eq!(
        shape(&answer["usage_signals"]),
        "written:array invalid_ids:array errors:array"
    );
    assert_eq!(
        shape(&answer["usage_signals"]["invalid_ids"][0]),
        "id:string expected_prefix:string"
    );
    assert_eq!(
        shape(&answer["results"][1]),
        "kind:string index:number outcome:string id:string title:string"
    );

    let table: Vec<(Vec<&str>, String)> = vec![
        (vec!["init"], format!("ok:bool {place} global_store:string note:string gitignore_changed:bool notes:array")),
        (vec!["list"], "repo_root:string user:string count:number items:array total:number hidden:number".to_owned()),
        (vec!["list", "--query", "yaml"], "repo_root:string user:string count:number items:array total:number hidden:number matches:array".to_owned()),
        (vec!["list", "--global"], "repo_root:string user:string count:number items:array total:number hidden:number".to_owned()),
        (vec!["list", "--query", "kubernetes"], "repo_root:string user:string count:number items:array message:string total:number hidden:number".to_owned()),
        (vec!["list", "--limit", "1"], "repo_root:string user:string count:number items:array total:number hidden:number more:string".to_owned()),
        (vec!["show", &id], format!("ok:bool {place} items:array not_found:array")),
        (vec!["history", "--id", &id], format!("ok:bool {place} id:string rev:number versions:array")),
        (vec!["aha-status", "--id", &id, "--status", "accepted"], format!("ok:bool {place} id:string previous:object updated:object written_to:string")),
        (vec!["rec-status", "--id", &rec, "--status", "accepted"], format!("ok:bool {place} id:string previous:object updated:object written_to:string")),
        (vec!["edit", "--id", &id, "--add-tag", "x"], format!("ok:bool {place} id:string previous_rev:number rev:number changed_fields:array written_to:string item:object")),
        (vec!["rollback", "--id", &id, "--to", "1"], format!("ok:bool {place} id:string previous_rev:number rev:number changed_fields:array written_to:string item:object")),
        (vec!["signal", "--kind", "aha_used", "--aha-id", &id], format!("ok:bool {place} written_to:string signal:object")),
        (vec!["use", "--aha", &id], format!("ok:bool {place} written_to:string signals_written:array invalid_ids:array errors:array already_recorded:array")),
        (vec!["repair"], format!("ok:bool {place} applied:bool planned:object counts:object note:string problems:array oddities:array")),
        (vec!["promote", "--ids", &id], "ok:bool user:string from_project_store:string to_global_store:string requested:array promoted_count:number promoted_ids:array skipped:array".to_owned()),
        (vec!["doctor"], format!("ok:bool {place} audited:bool counts:object findings:array")),
        (vec!["purge", "--id", &id, "--reason", "r"], format!("ok:bool {place} id:string applied:bool plan:string lines:array elsewhere:array next:string")),
        (vec!["why-not", &id, "--query", "kubernetes"], "ok:bool id:string store:string answered:bool reason:string fix:string place:null confidence:null missing_words:array explain:null".to_owned()),
        (vec!["review", "--format", "json"], format!("ok:bool {place} global_store:null filters:object summary:object next_actions:array recommendations:object aha:object learnings:array quarantined:number")),
        (vec!["review", "--format", "json", "--include-global"], format!("ok:bool {place} global_store:string filters:object summary:object next_actions:array recommendations:object aha:object learnings:array quarantined:number")),
    ];
    for (arguments, keys) in table {
        let answer = sandbox.json(&arguments);
        assert_eq!(shape(&answer), keys, "{arguments:?}");
    }
}

#[test]
fn the_keys_inside_the_answers_do_too() {
    let (mut sandbox, id, rec) = lived_in();
    sandbox.at("2026-04-02T09:00:00Z");
    sandbox.record(&json!({"recommendations": [{"title": "Open one", "why": "w"}]}));
    let review = sandbox.json(&["review", "--format", "json"]);
    for (part, keys) in [
        (
            &review["filters"],
            "skill:null scope:null since:null stale_days:number query:null status:null",
        ),
        (
            &review["summary"],
            "aha_cards:number recommendations:number open_recommendations:number open_recommendations_project:number \
             open_recommendations_portable:number stale_recommendations:number untouched_recommendations:number \
             backport_candidates:number signals:number backports:number global_aha_cards:number matching_aha_cards:number \
             matching_recommendations:number backport_candidates_total:number retired_aha_cards:number",
        ),
        (
            &review["next_actions"][0],
            "type:string id:string title:string status:string scope:string why:string suggested_next:string",
        ),
        (
            &review["next_actions"][1],
            "type:string id:string title:string target_skill:string score:number suggested_next:string",
        ),
        (
            &review["recommendations"],
            "open:array stale:array untouched:array by_status:object",
        ),
        (
            &review["recommendations"]["open"][0],
            "id:string title:string status:string created_ts:string last_touched_ts:string scope:string priority:number \
             expected_impact:null primary_skill:string tags:null why:string implementation_hint:null",
        ),
        (
            &review["recommendations"]["by_status"],
            "accepted:array deprecated:array done:array in_progress:array proposed:array rejected:array",
        ),
        (
            &review["aha"],
            "top_by_score:array backport_candidates:array",
        ),
        (
            &review["aha"]["top_by_score"][0],
            "id:string title:string primary_skill:string score:number explain:string counts:object status:string",
        ),
        (
            &review["aha"]["top_by_score"][0]["counts"],
            "aha_used:number aha_recalled:number aha_reinforced:number aha_promoted:number aha_backported:number",
        ),
        (
            &review["aha"]["backport_candidates"][0],
            "id:string title:string primary_skill:string score:number explain:string tags:array artifact_suggestion:string how_to_backport:string",
        ),
        (
            &review["learnings"][0],
            "id:string title:string when_to_use:string primary_skill:string scope:string status:string score:number explain:string ts:string",
        ),
        (
            &sandbox.json(&["list", "--query", "yaml"])["matches"][0],
            "id:string store:string score:number confidence:number weak:bool matched:array",
        ),
        (
            &sandbox.json(&["show", &id])["items"][0],
            "kind:string id:string store:string rev:number created_ts:string score:number explain:string item:object",
        ),
        (
            &sandbox.json(&["history", "--id", &id])["versions"][0],
            "rev:number ts:string line:number status:string changed_fields:array item:object",
        ),
        (
            &sandbox.json(&["repair"])["counts"],
            "aha_updates:number rec_updates:number recovered:number problems:number oddities:number",
        ),
        (
            &sandbox.json(&["repair"])["planned"],
            "aha_updates:array rec_updates:array recovered:array",
        ),
    ] {
        assert_eq!(shape(part), keys);
    }
    let change = sandbox.json(&[
        "rec-status",
        "--id",
        &rec,
        "--status",
        "in_progress",
        "--scope",
        "portable",
        "--note",
        "n",
    ]);
    assert_eq!(
        shape(&change["previous"]),
        "status:string last_touched_ts:string ts:string created_ts:string title:string scope:string"
    );
    assert_eq!(
        shape(&change["updated"]),
        "status:string last_touched_ts:string ts:string note:string scope:string"
    );
    let change = sandbox.json(&["aha-status", "--id", &id, "--status", "accepted"]);
    assert_eq!(
        shape(&change["previous"]),
        "status:string ts:string created_ts:string title:string"
    );
    assert_eq!(
        shape(&change["updated"]),
        "status:string ts:string note:null"
    );
    let signal = sandbox.json(&[
        "signal",
        "--kind",
        "aha_used",
        "--aha-id",
        &id,
        "--context",
        "c",
    ]);
    assert_eq!(
        shape(&signal["signal"]),
        "ts:string kind:string source:string aha_id:string context:string id:string"
    );
}

// ---- refusals

/// What one bad input comes to: arguments, standard input, exit code, stable code, message, hint.
type Refusal<'a> = (&'a [&'a str], &'a [u8], i32, &'a str, &'a str, &'a str);

const SHAPE: &str = "self-learning schema record prints the shape; an example: {\"aha_cards\":[{\"title\":\"…\",\"when_to_use\":\"…\",\"solution_steps\":[\"…\"]}]}";
const NO_INPUT: &str = "No input provided. Provide --json <file> or pipe JSON into stdin.";
const NO_INPUT_HINT: &str =
    "self-learning record --title \"…\" --when \"…\" --step \"…\" records one card from flags";

#[test]
fn bad_input_is_refused_with_the_fix_and_changes_nothing() {
    let sandbox = Sandbox::new();
    let id = sandbox.card(json!({"title": "stored"}));
    sandbox.file("latin1.json", b"{\"event\":{\"task_summary\":\"caf\xe9\"}}");
    let repo = sandbox.repo().display().to_string();
    let before = sandbox.snapshot();
    let missing = format!("cannot read `{repo}/nope.json`: No such file or directory (os error 2)");
    let folder = format!("cannot read `{repo}`: Is a directory (os error 21)");
    let near = format!("{}~", &id[..id.len() - 1]);
    let not_found = format!("Aha Card id not found in project store: {near}");
    let did_you_mean = format!("did you mean {id}? self-learning show {id}");
    let status_of_near = ["aha-status", "--id", &near, "--status", "accepted"];
    let record: &[&str] = &["record"];
    let give_file = "give an existing file, or `-` for standard input";
    let table: Vec<Refusal<'_>> = vec![
        (record, b"", 3, "no_input", NO_INPUT, NO_INPUT_HINT),
        (record, b" \r\n\t", 3, "no_input", NO_INPUT, NO_INPUT_HINT),
        (
            record,
            b"\xef\xbb\xbf",
            3,
            "no_input",
            NO_INPUT,
            NO_INPUT_HINT,
        ),
        (
            record,
            b"not json",
            3,
            "invalid_json",
            "invalid JSON: Expecting value: line 1 column 1",
            "fix the JSON near `not json` and record again",
        ),
        (
            record,
            b"{\"event\": {},\n \"aha_cards\": [{\"title\": \"x\",}]}",
            3,
            "invalid_json",
            "invalid JSON: Expecting a property name in double quotes: line 2 column 30",
            "fix the JSON near `ds\": [{\"title\": \"x\",}]}` and record again",
        ),
        (
            record,
            b"{\"aha_cards\": [",
            3,
            "invalid_json",
            "invalid JSON: Unexpected end: the JSON is cut off: line 1 column 16",
            "fix the JSON near `{\"aha_cards\": [` and record again",
        ),
        (
            record,
            b"{} {}",
            3,
            "invalid_json",
            "invalid JSON: Extra data after the JSON document: line 1 column 4",
            "fix the JSON near `{} {}` and record again",
        ),
        (
            &["record", "--json", "latin1.json"],
            b"",
            3,
            "not_utf8",
            "the input is not UTF-8: byte 29 is `0xe9`",
            "save it as UTF-8 and record again",
        ),
        (
            record,
            b"\xff\xfe{\0\"",
            3,
            "not_utf16",
            "the input begins like UTF-16 but is cut off or damaged",
            "save it as UTF-8 and record again",
        ),
        (
            record,
            b"{\0}\0",
            3,
            "nul_bytes",
            "byte 1 of the input is NUL: is this UTF-16 without a byte order mark?",
            "save it as UTF-8 and record again",
        ),
        (
            &["record", "--json", "nope.json"],
            b"",
            1,
            "cannot_read_input",
            &missing,
            give_file,
        ),
        (
            &["record", "--json", "."],
            b"",
            1,
            "cannot_read_input",
            &folder,
            give_file,
        ),
        (
            record,
            b"[]",
            3,
            "wrong_shape",
            "Input must be a JSON object with keys: event, aha_cards, recommendations (any subset).",
            SHAPE,
        ),
        (
            record,
            b"\"text\"",
            3,
            "wrong_shape",
            "Input must be a JSON object with keys: event, aha_cards, recommendations (any subset).",
            SHAPE,
        ),
        (
            record,
            b"{}",
            3,
            "nothing_to_record",
            "the input holds nothing to record",
            SHAPE,
        ),
        (
            record,
            br#"{"title":"t","problem":"p"}"#,
            3,
            "bare_item",
            "this is a bare card; a payload holds it in the list `aha_cards`",
            "wrap it: {\"aha_cards\":[{\"title\":…}]}",
        ),
        (
            record,
            br#"{"title":"t","why":"w"}"#,
            3,
            "bare_item",
            "this is a bare recommendation; a payload holds it in the list `recommendations`",
            "wrap it: {\"recommendations\":[{\"title\":…}]}",
        ),
        (
            record,
            br#"{"cards":[]}"#,
            3,
            "unknown_key",
            "unknown key `cards`",
            "did you mean `aha_cards`? self-learning schema record prints the shape",
        ),
        (
            record,
            br#"{"aha_crads":[]}"#,
            3,
            "unknown_key",
            "unknown key `aha_crads`",
            "did you mean `aha_cards`? self-learning schema record prints the shape",
        ),
        (
            record,
            br#"{"Recommendation":[]}"#,
            3,
            "unknown_key",
            "unknown key `Recommendation`",
            "did you mean `recommendations`? self-learning schema record prints the shape",
        ),
        (
            record,
            br#"{"payload":{}}"#,
            3,
            "unknown_key",
            "unknown key `payload`; a payload has: event, aha_cards, recommendations, used_aha_ids, used_rec_ids, used, usage_source, usage_context",
            SHAPE,
        ),
        (
            record,
            br#"{"aha_cards":null}"#,
            3,
            "wrong_shape",
            "'aha_cards' must be an array.",
            "{\"aha_cards\":[{\"title\":\"…\"}]}",
        ),
        (
            record,
            br#"{"recommendations":{}}"#,
            3,
            "wrong_shape",
            "'recommendations' must be an array.",
            "{\"recommendations\":[{\"title\":\"…\"}]}",
        ),
        (
            record,
            br#"{"event":"x"}"#,
            3,
            "wrong_shape",
            "'event' must be a JSON object if provided.",
            "{\"event\":{\"task_summary\":\"…\",\"primary_skill\":\"…\"}}",
        ),
        (
            record,
            br#"{"used_aha_ids":5}"#,
            3,
            "wrong_shape",
            "Invalid used ids in payload: Expected a list of strings or a comma-separated string",
            "{\"used_aha_ids\":[\"aha_…\"]}",
        ),
        (
            &["record", "--jsonl", "-"],
            b"\n\n",
            3,
            "no_input",
            NO_INPUT,
            NO_INPUT_HINT,
        ),
        (
            &["record", "--title", "t", "--json", "x"],
            b"",
            2,
            "usage",
            "a card from flags and a payload cannot be recorded together",
            "record the card first, then the payload",
        ),
        (
            &["record", "--when", "w"],
            b"",
            2,
            "usage",
            "a card from flags needs `--title`",
            "self-learning record --title \"…\" --when \"…\" --step \"…\"",
        ),
        (
            &status_of_near,
            b"",
            4,
            "not_found",
            &not_found,
            &did_you_mean,
        ),
        (
            &["aha-status", "--id", "", "--status", "accepted"],
            b"",
            2,
            "usage",
            "Provide --id aha_...",
            "self-learning list shows the ids",
        ),
        (
            &["rec-status", "--id", " ", "--status", "done"],
            b"",
            2,
            "usage",
            "Provide --id rec_...",
            "self-learning list shows the ids",
        ),
        (
            &["rec-status", "--id", "rec_none", "--status", "done"],
            b"",
            4,
            "not_found",
            "Recommendation id not found in project store: rec_none",
            "self-learning list --limit 0 shows the ids",
        ),
        (
            &["use"],
            b"",
            2,
            "usage",
            "Provide --aha <aha_...[,aha_...]> and/or --rec <rec_...[,rec_...]>",
            "self-learning list shows the ids",
        ),
        (
            &["promote", "--ids", " , "],
            b"",
            2,
            "usage",
            "Provide --ids <id1,id2,...>",
            "self-learning list shows the ids",
        ),
        (
            &["promote", "--ids", "zzzzzzzz"],
            b"",
            4,
            "not_found",
            "No matching cards found in project store.",
            "self-learning list --limit 0 shows the ids",
        ),
    ];
    for (arguments, stdin, exit, code, message, hint) in table {
        let shown = String::from_utf8_lossy(stdin).into_owned();
        let run = sandbox.run_with(arguments, stdin).code(exit);
        let error = &run.json()["error"];
        assert_eq!(
            (
                error["code"].as_str(),
                error["message"].as_str(),
                error["hint"].as_str()
            ),
            (Some(code), Some(message), Some(hint)),
            "{arguments:?} {shown}"
        );
        assert_eq!(run.json()["ok"], false);
        assert_eq!(
            run.stderr,
            format!("error: {message}\nhint: {hint}\n"),
            "{arguments:?} {shown}"
        );
        assert_eq!(sandbox.snapshot(), before, "{arguments:?} {shown}");
    }
}

#[test]
fn byte_order_marks_and_utf_16_are_read() {
    let text = "{\"aha_cards\":[{\"title\":\"größe → 😀\"}]}\r\n";
    let wide = |order: fn(u16) -> [u8; 2], mark: [u8; 2]| -> Vec<u8> {
        mark.into_iter()
            .chain(text.encode_utf16().flat_map(order))
            .collect()
    };
    for bytes in [
        text.as_bytes().to_vec(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        wide(u16::to_le_bytes, [0xff, 0xfe]),
        wide(u16::to_be_bytes, [0xfe, 0xff]),
    ] {
        let sandbox = Sandbox::new();
        sandbox.file("payload.json", &bytes);
        for run in [
            sandbox.run_with(&["record"], &bytes),
            sandbox.run(&["record", "--json", "payload.json"]),
            sandbox.run_with(&["record", "--json", "-"], &bytes),
        ] {
            assert_eq!(run.ok().json()["results"][0]["title"], "größe → 😀");
        }
    }
}

#[test]
fn a_store_that_cannot_be_is_named_with_the_way_out() {
    for part in [
        ".agent-skills",
        ".agent-skills/self-learning",
        ".agent-skills/self-learning/v1/users/dev",
    ] {
        let sandbox = Sandbox::new();
        let path = sandbox.file(part, "a file");
        let before = sandbox.snapshot();
        let shown = path.display();
        let stderr = format!(
            "error: the store cannot be opened: `{shown}` is a file (Not a directory (os error 20))\nhint: move it away: mv '{shown}' '{shown}.bak'\n"
        );
        for arguments in [
            vec!["list"],
            vec!["record", "--title", "x"],
            vec!["review"],
            vec!["show", "aha_1234"],
            vec!["repair"],
            vec!["repair", "--apply"],
            vec!["use", "--aha", "aha_1"],
            vec!["aha-status", "--id", "aha_1", "--status", "accepted"],
            vec!["promote", "--ids", "aha_1"],
            vec!["history", "--id", "aha_1"],
            vec!["init"],
        ] {
            let run = sandbox.run(&arguments).code(6);
            assert!(
                run.stderr == stderr
                    || run.stderr
                        == stderr
                            .replace("Not a directory (os error 20)", "File exists (os error 17)"),
                "{part} {arguments:?}: {}",
                run.stderr
            );
            assert_eq!(sandbox.snapshot(), before, "{part} {arguments:?}");
        }
    }
}

#[test]
fn a_folder_in_place_of_a_log_is_named_with_the_way_out() {
    let sandbox = Sandbox::new();
    sandbox.run(&["init"]).ok();
    let path = sandbox.store().join("aha_cards.jsonl");
    fs::create_dir(&path).expect("a folder");
    let before = sandbox.snapshot();
    let shown = path.display();
    for arguments in [
        vec!["list"],
        vec!["record", "--title", "x"],
        vec!["review"],
        vec!["promote", "--ids", "aha_1"],
    ] {
        let run = sandbox.run(&arguments).code(6);
        assert_eq!(
            run.stderr,
            format!(
                "error: the store cannot be read: `{shown}` is a folder, not a log\nhint: move it away: mv '{shown}' '{shown}.bak'\n"
            )
        );
        assert_eq!(sandbox.snapshot(), before, "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_global_store_that_cannot_be_written_stops_promotion_only() {
    let sandbox = Sandbox::new();
    let id = sandbox.card(json!({"title": "x"}));
    super::support::write(&sandbox.global_store(), "a file");
    let before = sandbox.snapshot();
    let run = sandbox.run(&["promote", "--ids", &id]).code(6);
    assert_eq!(run.json()["error"]["code"], "store_path_is_a_file");
    assert_eq!(sandbox.snapshot(), before);
    for arguments in [
        vec!["list"],
        vec!["show", &id],
        vec!["review"],
        vec!["use", "--aha", &id],
        vec!["record", "--title", "y"],
    ] {
        sandbox.run(&arguments).ok();
    }
}

#[cfg(unix)]
#[test]
fn a_store_that_leads_elsewhere_is_not_written_through() {
    for part in [
        ".agent-skills",
        ".agent-skills/self-learning/v1/users/dev",
        ".agent-skills/self-learning/v1/users/dev/aha_cards.jsonl",
    ] {
        let sandbox = Sandbox::new();
        let target = sandbox.root().join("elsewhere");
        if part.ends_with(".jsonl") {
            super::support::write(&target, "");
        } else {
            fs::create_dir(&target).expect("a folder");
        }
        let link = sandbox.repo().join(part);
        fs::create_dir_all(link.parent().expect("a parent")).expect("a folder");
        std::os::unix::fs::symlink(&target, &link).expect("a link");
        let run = sandbox.run(&["record", "--title", "x"]).code(3);
        assert_eq!(
            run.stderr,
            format!(
                "error: `{0}` is a link to `{1}`; nothing is written through links\nhint: replace the link by what it points to, or remove it: rm '{0}'\n",
                link.display(),
                target.display()
            )
        );
        let left = if target.is_dir() {
            fs::read_dir(&target).expect("a folder").count()
        } else {
            fs::read(&target).expect("a file").len()
        };
        assert_eq!(left, 0, "{part}");
    }
}

#[test]
fn a_working_directory_that_is_gone_is_a_plain_failure() {
    let sandbox = Sandbox::new();
    for format in ["json", "table"] {
        let script = format!(
            "mkdir gone && cd gone && rmdir ../gone && exec '{BINARY}' list --format {format}"
        );
        let mut command = sandbox.command("sh");
        command.args(["-c", &script]);
        let run = finish(command, b"").code(1);
        assert_eq!(
            run.stderr,
            "error: the working directory is gone: No such file or directory (os error 2)\nhint: go to a folder that exists: cd ~\n"
        );
        assert_eq!(run.stdout.is_empty(), format == "table");
    }
}

#[test]
fn no_home_and_no_user_are_no_obstacle() {
    let sandbox = Sandbox::new();
    for arguments in [
        vec!["record", "--title", "x"],
        vec!["list"],
        vec!["review"],
        vec!["repair"],
    ] {
        let mut command = sandbox.command(BINARY);
        command
            .args(&arguments)
            .env_remove("HOME")
            .env_remove("USERPROFILE")
            .env_remove("USER");
        finish(command, b"").ok();
    }
}

// ---- the command line

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let sandbox = Sandbox::new();
    let cards: Vec<Value> = (0..2_000)
        .map(|n| json!({"title": format!("card {n}"), "when_to_use": "w".repeat(100)}))
        .collect();
    sandbox.record(&json!({ "aha_cards": cards }));
    for arguments in [
        vec!["list", "--limit", "0"],
        vec!["list", "--limit", "0", "--format", "table"],
        vec!["list", "--limit", "0", "--format", "markdown"],
    ] {
        let mut command = sandbox.command(BINARY);
        let mut child = command
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut first = String::new();
        BufReader::with_capacity(64, child.stdout.take().expect("piped"))
            .read_line(&mut first)
            .expect("a line");
        let output = child.wait_with_output().expect("ends");
        assert_eq!(
            (
                output.status.code(),
                String::from_utf8_lossy(&output.stderr).as_ref()
            ),
            (Some(0), ""),
            "{arguments:?}"
        );
        assert!(!first.is_empty());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let sandbox = Sandbox::new();
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("the full device");
    let status = sandbox
        .command(BINARY)
        .arg("list")
        .stdin(Stdio::null())
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .expect("runs");
    assert_eq!(status.code(), Some(1));
}

#[test]
fn options_and_numbers_as_the_original_takes_them() {
    let sandbox = Sandbox::new();
    let cards: Vec<Value> = (0..12)
        .map(|n| json!({ "title": format!("card {n}") }))
        .collect();
    sandbox.record(&json!({ "aha_cards": cards }));
    for (arguments, count) in [
        (vec!["list", "--form", "json"], 12),
        (vec!["list", "--lim", "3"], 3),
        (vec!["list", "--limit=+3"], 3),
        (vec!["list", "--limit", " 4 "], 4),
        (vec!["list", "--limit", "1_0"], 10),
        (vec!["list", "--limit=0"], 12),
        (vec!["list", "--query=", "--skill=", "--tag="], 12),
    ] {
        assert_eq!(sandbox.json(&arguments)["count"], count, "{arguments:?}");
    }
    for arguments in [
        vec!["review", "--stale", "3"],
        vec!["review", "--days", "-5"],
        vec![
            "review",
            "--stale-days=-5",
            "--min-aha-score",
            "-1",
            "--recs-limit",
            "-1",
            "--next-actions-limit",
            "+2",
        ],
        vec!["review", "--form=json"],
        vec!["list", "-h"],
        vec!["--help"],
        vec!["--version"],
    ] {
        sandbox.run(&arguments).ok();
    }
}

#[test]
fn usage_errors_exit_with_2_and_write_nothing() {
    let sandbox = Sandbox::new();
    let before = sandbox.snapshot();
    for (arguments, message) in [
        (vec!["nope"], "unrecognized subcommand 'nope'"),
        (vec!["list", "--nope"], "unexpected argument '--nope' found"),
        (
            vec!["list", "--limit", "x"],
            "invalid value 'x' for '--limit <LIMIT>': `x` is no whole number",
        ),
        (
            vec!["list", "--limit", "1__0"],
            "invalid value '1__0' for '--limit <LIMIT>': `1__0` is no whole number",
        ),
        (
            vec!["list", "--limit", "_1"],
            "invalid value '_1' for '--limit <LIMIT>': `_1` is no whole number",
        ),
        (
            vec!["list", "--limit", "1.5"],
            "invalid value '1.5' for '--limit <LIMIT>': `1.5` is no whole number",
        ),
        (
            vec!["list", "--limit"],
            "a value is required for '--limit <LIMIT>' but none was supplied",
        ),
        (
            vec!["aha-status"],
            "the following required arguments were not provided: --id <ID> --status <STATUS>",
        ),
        (
            vec!["aha-status", "--id", "x", "--status", "done"],
            "invalid value 'done' for '--status <STATUS>' [possible values: accepted, backported, deprecated, proposed, rejected]",
        ),
        (
            vec!["signal", "--kind", "liked"],
            "invalid value 'liked' for '--kind <KIND>' [possible values: aha_backported, aha_promoted, aha_recalled, aha_reinforced, aha_used, rec_done, rec_touched, rec_used]",
        ),
        (vec!["lis"], "unrecognized subcommand 'lis'"),
    ] {
        let mut asked: Vec<&str> = arguments.clone();
        asked.extend(["--format", "json"]);
        if arguments == ["list", "--limit"] {
            asked = vec!["list", "--format", "json", "--limit"];
        }
        let run = sandbox.run(&asked).code(2);
        assert!(
            run.stderr.starts_with("error: "),
            "{arguments:?}: {}",
            run.stderr
        );
        let answer = run.json();
        assert_eq!(
            (
                &answer["ok"],
                &answer["error"]["code"],
                &answer["error"]["message"]
            ),
            (&json!(false), &json!("usage"), &json!(message)),
            "{arguments:?}"
        );
        let hint = answer["error"]["hint"].as_str().expect("a hint");
        assert!(
            hint.starts_with("self-learning ")
                && hint.ends_with("--help")
                && !hint.contains("nope"),
            "{hint}"
        );
        let text = sandbox
            .run(&[arguments[0], "--format", "table", "--nope"])
            .code(2);
        assert_eq!(text.stdout, "", "{arguments:?}");
    }
    sandbox.run(&[]).code(2);
    assert_eq!(sandbox.snapshot(), before);
}

#[cfg(unix)]
#[test]
fn arguments_that_are_no_text_are_a_usage_error() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9");
    for before in [
        vec![],
        vec!["list", "--query"],
        vec!["show"],
        vec!["record", "--title"],
    ] {
        let mut command = sandbox.command(BINARY);
        command.args(&before).arg(odd);
        let run = finish(command, b"").code(2);
        assert!(
            run.stderr.starts_with("error: ") && !run.stderr.contains("panicked"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_clock_that_is_set_to_nonsense_is_a_usage_error() {
    let mut sandbox = Sandbox::new();
    let run = sandbox.at("tomorrow").run(&["list"]).code(2);
    assert_eq!(
        run.stderr,
        "error: SELF_LEARNING_NOW is no time: `tomorrow`\nhint: unset it, or write it like 2026-01-31T12:00:00Z\n"
    );
}

#[test]
fn variables_that_hold_nonsense_are_usage_errors() {
    for (name, error) in [
        (
            "SELF_LEARNING_INDEX",
            "error: SELF_LEARNING_INDEX is no number of bytes: `of`\n\
             hint: unset it, write it like 65536, or turn the index off: SELF_LEARNING_INDEX=off\n",
        ),
        (
            "SELF_LEARNING_LOCK_WAIT_MS",
            "error: SELF_LEARNING_LOCK_WAIT_MS is no number of milliseconds: `of`\n\
             hint: unset it, or write it like 5000\n",
        ),
    ] {
        let mut sandbox = Sandbox::new();
        sandbox.env(name, "of");
        assert_eq!(sandbox.run(&["list"]).code(2).stderr, error);
    }
}
