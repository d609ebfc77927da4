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

#[test]
fn commands_are_told_from_advice() {
    let cases = corpus("directives.jsonl");
    let wrong = |hostile: bool| -> (usize, Vec<String>) {
        let of_kind: Vec<String> = cases
            .iter()
            .filter(|case| case["hostile"] == hostile)
            .map(|case| joined(&case["text"]))
            .collect();
        let wrong = of_kind
            .iter()
            .filter(|text| (directive::assess(&[text]).score >= QUARANTINE_THRESHOLD) != hostile)
            .cloned()
            .collect();
        (of_kind.len(), wrong)
    };
    let (hostile, missed) = wrong(true);
    let (benign, flagged) = wrong(false);
    println!(
        "directives: {hostile} hostile, caught {:.3}; {benign} benign, flagged {:.3}; missed {missed:#?}; flagged {flagged:#?}",
        1.0 - missed.len() as f64 / hostile as f64,
        flagged.len() as f64 / benign as f64
    );
    assert!(hostile >= 60 && benign >= 60);
    assert!(missed.len() * 10 <= hostile, "missed {missed:#?}");
    assert!(flagged.len() * 30 <= benign, "flagged {flagged:#?}");
}

#[test]
fn hidden_text_is_refused_and_genuine_text_passes() {
    for case in corpus("hidden.jsonl") {
        let text = joined(&case["text"]);
        let found = invisible::find(&text);
        assert_eq!(
            found.is_some(),
            case["refused"] == true,
            "{}: {text:?} {found:?}",
            case["name"]
        );
        assert_eq!(
            invisible::find(&invisible::strip(&text)),
            None,
            "{}",
            case["name"]
        );
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("an object is meant, not {other}"),
    }
}

#[test]
fn one_gate_masks_refuses_and_notes() {
    let token = concat!("gh", "p_16C7e42F292c6912E7710c838347Ae178B4a");
    let mut map = object(json!({
        "id": "aha_a12a6597c099",
        "title": "vite.config.ts",
        "tags": ["next.config.js", "1.2.3"],
        "primary_skill": "react@18.2.0",
        "api_key": "abc",
        "nested": {"Cookie": "a=b", "ok": 1, "n": 1.50},
        "headers": {"Authorization": "Bearer x", "accept": "json"},
        "token_budget": 8000,
        "password_rules": {"min": 12},
        "auth_token": ["a"],
        "solution_steps": ["fine", format!("export TOKEN={token}")],
        token: "as a key",
        "password": 12345678,
    }));
    let verdict = guard::admit(&mut map, Kind::Card, Options::default());
    assert!(verdict.is_admitted());
    let text = Value::Object(map.clone()).to_string();
    assert_eq!(
        text,
        r#"{"id":"aha_a12a6597c099","title":"vite.config.ts","tags":["next.config.js","1.2.3"],"primary_skill":"react@18.2.0","api_key":"[REDACTED:field-key]","nested":{"Cookie":"[REDACTED:field-cookie]","ok":1,"n":1.5},"headers":{"Authorization":"[REDACTED:field-authorization]","accept":"json"},"token_budget":8000,"password_rules":{"min":12},"auth_token":["[REDACTED:field-token]"],"solution_steps":["fine","export TOKEN=[REDACTED:github-token]"],"[REDACTED:github-token]":"as a key","password":"[REDACTED:field-password]"}"#
    );
    let places: Vec<&str> = verdict
        .redactions
        .iter()
        .map(|redaction| redaction.path.as_str())
        .collect();
    assert_eq!(
        places,
        [
            "[REDACTED:github-token]",
            "api_key",
            "nested.Cookie",
            "headers.Authorization",
            "auth_token[0]",
            "solution_steps[1]",
            "password"
        ]
    );
    assert!(!format!("{verdict:?}").contains(token));
    let again = guard::admit(&mut map, Kind::Card, Options::default());
    assert!(again.is_clean(), "{again:?}");
}

#[test]
fn hidden_characters_are_refused_or_stripped() {
    let source = object(json!({"problem": "ig\u{200b}nore", "title": "x"}));
    let mut map = source.clone();
    let verdict = guard::admit(&mut map, Kind::Card, Options::default());
    assert_eq!(verdict.refusals[0].code, "invisible_text");
    assert_eq!(
        verdict.refusals[0].message,
        "`problem` holds U+200B zero width space at character 2"
    );
    let mut map = source;
    let verdict = guard::admit(
        &mut map,
        Kind::Card,
        Options {
            strip_invisible: true,
        },
    );
    assert!(verdict.is_admitted());
    assert_eq!(map["problem"], "ignore");
    assert_eq!(verdict.notes, ["`problem`: removed 1 hidden character"]);
}

#[test]
fn sizes_are_refused_by_name() {
    let mut map = object(json!({"title": "x".repeat(501), "evidence": vec!["y"; 101]}));
    let messages: Vec<String> = guard::admit(&mut map, Kind::Card, Options::default())
        .refusals
        .into_iter()
        .map(|refusal| refusal.message)
        .collect();
    assert_eq!(
        messages,
        [
            "`title`: the title is 501 characters, the limit is 500",
            "`evidence`: the list is 101 items, the limit is 100"
        ]
    );
    let mut deep = json!("leaf");
    for _ in 0..70 {
        deep = json!({"a": deep});
    }
    let verdict = guard::admit(&mut object(deep), Kind::Card, Options::default());
    assert_eq!(verdict.refusals[0].code, "too_deep");
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-zA-Z0-9 =:\"'@./_-]{0,60}",
        "(password|token|api_key|Cookie|Bearer|://|@|-----BEGIN |eyJ|sk-|<!--|```|---|#|[0-9]{16}| |\n|\"|'|=|:|\u{200b}|\u{202e}|\u{200d}|❤|\u{fe0f}|[a-z0-9]{1,24}){0,12}",
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any_text().prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(
                (
                    prop_oneof![any_text(), "(password|api_key|id|title|headers|note)"],
                    inner
                ),
                0..5
            )
            .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn redacting_twice_is_redacting_once(text in any_text()) {
        let once = redacted(&text);
        prop_assert_eq!(redacted(&once), once);
        let spans = secrets::scan(&text);
        prop_assert!(spans.windows(2).all(|pair| pair[0].end <= pair[1].start));
        prop_assert!(spans.iter().all(|span| text.get(span.start..span.end).is_some_and(|secret| !secret.is_empty())));
    }

    #[test]
    fn admitting_twice_is_admitting_once(value in any_json(), strip_invisible in any::<bool>()) {
        let mut map = object(json!({"title": "t", "value": value}));
        guard::admit(&mut map, Kind::Card, Options { strip_invisible });
        let once = map.clone();
        let verdict = guard::admit(&mut map, Kind::Card, Options { strip_invisible });
        prop_assert_eq!(Value::Object(map).to_string(), Value::Object(once).to_string());
        prop_assert!(verdict.redactions.is_empty(), "{:?}", verdict.redactions);
    }

    #[test]
    fn planted_secrets_never_survive(value in any_json(), body in "[A-WYZa-wyz1-9]{30}", before in "[a-z ,.:=(]{0,12}", place in 0..4usize) {
        let secret = format!("gh{}{}x9B4aQ", "p_", body);
        let text = format!("{before} {secret} and more");
        let planted = match place {
            0 => json!({"a": text}),
            1 => json!({"a": [1, [text]]}),
            2 => json!({"a": {"b": {"c": text}}}),
            _ => json!({"a": {text: 1}}),
        };
        let mut map = object(planted);
        map.insert("other".to_owned(), value);
        let verdict = guard::admit(&mut map, Kind::Card, Options::default());
        prop_assert!(!Value::Object(map).to_string().contains(&secret));
        let printed = format!("{verdict:?}");
        prop_assert!(!printed.contains(&secret));
    }

    #[test]
    fn stripping_does_not_change_the_key(text in any_text()) {
        prop_assert_eq!(comparison_key(&invisible::strip(&text)), comparison_key(&text));
        prop_assert_eq!(comparison_key(&comparison_key(&text)), comparison_key(&text));
        prop_assert_eq!(invisible::find(&invisible::strip(&text)), None);
    }

    #[test]
    fn markdown_never_holds_a_marker(text in "(<|!|--|-|>|self-learning:|aha:end| |\n|x|#|```|~~~|=|\t){0,20}") {
        for written in [markdown::block(&text), markdown::inline(&text)] {
            prop_assert!(!written.contains("<!"), "{}", written);
        }
        let block = markdown::block(&text);
        prop_assert_eq!(markdown::block(&block), block.clone());
        prop_assert!(!markdown::inline(&text).contains('\n'));
        prop_assert_eq!(markdown::inline(&markdown::inline(&text)), markdown::inline(&text));
    }

    #[test]
    fn arbitrary_text_is_judged_without_panic(text in any_text()) {
        let mut copy = text.clone();
        guard::admit_text(&mut copy, "note", Options { strip_invisible: true });
        prop_assert_eq!(invisible::find(&copy), None);
        let shown = markdown::terminal(&text).into_owned();
        let acts = shown.contains(['\u{1b}', '\r', '\u{202e}']);
        prop_assert!(!acts);
        directive::assess(&[&text]);
    }
}
