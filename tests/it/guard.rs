//! The guard measured on its corpora, and its properties over arbitrary text.
//!
//! Secrets are stored in pieces of nine characters, so that no token stands whole in the repository. All values are made up.

use proptest::prelude::*;
use self_learning::guard::{
    self, Kind, Options, QUARANTINE_THRESHOLD, comparison_key, directive, invisible, markdown,
    secrets,
};
use serde_json::{Map, Value, json};

fn corpus(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/data/guard/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the corpus is part of the repository");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object per line"))
        .collect()
}

fn joined(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

fn redacted(text: &str) -> String {
    secrets::redact(text).0.into_owned()
}

#[test]
fn secrets_are_found_wherever_they_stand() {
    let cases = corpus("secrets.jsonl");
    let mut classes: Vec<&str> = cases
        .iter()
        .filter_map(|case| case["class"].as_str())
        .collect();
    classes.sort_unstable();
    classes.dedup();
    let missed: Vec<String> = cases
        .iter()
        .filter(|case| redacted(&joined(&case["text"])).contains(&joined(&case["secret"])))
        .map(|case| joined(&case["text"]))
        .collect();
    let recall = 1.0 - missed.len() as f64 / cases.len() as f64;
    println!(
        "secrets: {} cases in {} classes, recall {recall:.4}; missed: {missed:#?}",
        cases.len(),
        classes.len()
    );
    assert!(cases.len() >= 220 && classes.len() >= 45);
    assert!(recall >= 0.98, "recall {recall:.4}");
    let probes_missed = cases
        .iter()
        .filter(|case| case["class"] == "probe")
        .filter(|case| redacted(&joined(&case["text"])).contains(&joined(&case["secret"])))
        .count();
    assert_eq!(probes_missed, 0);
}

#[test]
fn harmless_text_survives() {
    let cases = corpus("harmless.jsonl");
    let changed: Vec<(String, String)> = cases
        .iter()
        .map(|case| joined(&case["text"]))
        .map(|text| (redacted(&text), text))
        .filter(|(redacted, text)| redacted != text)
        .collect();
    let rate = changed.len() as f64 / cases.len() as f64;
    println!(
        "harmless: {} cases, false positives {rate:.4}; changed: {changed:#?}",
        cases.len()
    );
    assert!(cases.len() >= 420);
    assert!(rate <= 0.005, "false positives {rate:.4}");
}

/// Not a check: prints how fast ordinary text is scanned. Run it in release mode.
#[test]
#[ignore = "a measurement"]
fn scanning_speed() {
    let sentences = "The build failed because `vite.config.ts` resolved react@18.2.0 twice: once from packages/web and once from the root.\n\
        Set `max_tokens` to 4096 and pass --no-cache; commit 3f2a1b4c5d6e fixed it on 2024-06-12. See https://docs.acme.io/build?page=2.\n\
        fn parse(input: &str) -> Result<Token, Error> { let key = input.trim(); if key.is_empty() { return Err(Error::Empty); } Ok(Token::new(key)) }\n";
    let text = sentences.repeat(40_000);
    let rounds = 3;
    for (name, action) in [
        (
            "secrets::scan",
            (|text: &str| secrets::scan(text).len()) as fn(&str) -> usize,
        ),
        ("invisible::find", |text| {
            usize::from(invisible::find(text).is_some())
        }),
        ("directive::assess", |text| {
            directive::assess(&[text]).reasons.len()
        }),
    ] {
        let start = std::time::Instant::now();
        let mut found = 0;
        for _ in 0..rounds {
            found += action(&text);
        }
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{name}: {:.0} MB/s ({found} found)",
            (text.len() * rounds) as f64 / seconds / 1e6
        );
    }
}
