//! `eval` and `exam` on the project's own cards and questions, by way of the program.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::Sandbox;

fn own(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/recall")
        .join(name);
    path.display().to_string()
}

fn lines(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(own(name)).expect("our own data");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn the_own_questions_are_answered() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&[
        "eval",
        "--cards",
        &own("cards.jsonl"),
        "--queries",
        &own("queries.jsonl"),
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let found: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let mean = |name: &str| found["metrics"][name]["mean"].as_f64().expect("a mean");
    assert!(mean("mrr_at_10") >= 0.83, "{}", mean("mrr_at_10"));
    assert!(
        mean("wrongly_refused") <= 0.20,
        "{}",
        mean("wrongly_refused")
    );
    assert!(
        mean("wrongly_answered") <= 0.01,
        "{}",
        mean("wrongly_answered")
    );
}

#[test]
fn an_exam_tells_which_cards_their_own_questions_do_not_find() {
    let mut asks: HashMap<String, Vec<Value>> = HashMap::new();
    for query in lines("queries.jsonl") {
        if let [id] = query["relevant"].as_array().expect("ids").as_slice() {
            let id = id.as_str().expect("an id").to_owned();
            asks.entry(id).or_default().push(query["text"].clone());
        }
    }
    let mut log = String::new();
    let mut asked = 0;
    for mut card in lines("cards.jsonl") {
        if let Some(mut own) = asks.remove(card["id"].as_str().expect("an id")) {
            own.truncate(3);
            asked += own.len();
            card["asks"] = Value::Array(own);
        }
        log.push_str(&format!("{card}\n"));
    }
    let odd = json!({
        "id": "aha_0dd0dd0dd0dd", "ts": "2026-01-01T00:00:00Z", "title": "Rotate the signing key of the release job",
        "when_to_use": "a release job cannot sign", "asks": ["how long must the dough rest"],
        "not_for": ["rotate the signing key of the release job"],
    });
    log.push_str(&format!("{odd}\n"));
    let sandbox = Sandbox::new();
    sandbox.seed("aha_cards.jsonl", &log);
    let run = sandbox.run(&["exam"]);
    assert_eq!(run.code, 5, "{}", run.stderr);
    let told: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(told["questions"].as_u64(), Some(asked as u64 + 2));
    let failures = told["failures"].as_array().expect("failures");
    let kinds: Vec<&str> = failures
        .iter()
        .filter(|failure| failure["id"] == "aha_0dd0dd0dd0dd")
        .filter_map(|failure| failure["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["asks", "not_for"]);
    assert!(
        (failures.len() - 2) * 4 <= asked,
        "{} of {asked} questions fail",
        failures.len()
    );
}
