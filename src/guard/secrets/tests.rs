use super::*;
use crate::guard::secrets::rules::{SHAPES, TOKENS};

fn only_class(text: &str) -> Option<&'static str> {
    match scan(text).as_slice() {
        [span] => Some(span.class),
        _ => None,
    }
}

#[test]
fn every_prefix_rule_finds_its_example_and_spares_its_stand_ins() {
    for rule in TOKENS {
        for prefix in rule.prefixes.split(' ') {
            let text = format!("use {prefix}{} here", rule.body);
            let spans = scan(&text);
            assert_eq!(spans.len(), 1, "{text}");
            assert_eq!(spans[0].class, rule.class, "{text}");
            assert_eq!(
                redact(&text).0,
                format!("use [REDACTED:{}] here", rule.class)
            );
            for stand_in in [
                "x".repeat(rule.body.len()),
                "...".to_owned(),
                "<token>".to_owned(),
                "$TOKEN".to_owned(),
            ] {
                let text = format!("use {prefix}{stand_in} here");
                assert_eq!(scan(&text), [], "{text}");
            }
        }
    }
}

#[test]
fn every_shape_rule_finds_its_example_and_spares_its_look_alike() {
    for rule in SHAPES {
        let text = format!("see {} now", rule.example.concat());
        assert_eq!(only_class(&text), Some(rule.class), "{text}");
        let text = format!("see {} now", rule.harmless);
        assert_eq!(scan(&text), [], "{text}");
    }
}

#[test]
fn spans_hold_the_secret_and_not_its_key() {
    let text = "DB_PASSWORD='hunter2' psql";
    let (redacted, spans) = redact(text);
    assert_eq!(redacted, "DB_PASSWORD='[REDACTED:password]' psql");
    assert_eq!(&text[spans[0].start..spans[0].end], "hunter2");
    assert_eq!(
        redact("postgres://admin:hunter2@db/app").0,
        "postgres://admin:[REDACTED:url-credentials]@db/app"
    );
}

#[test]
fn documentation_examples_pass() {
    for text in [
        concat!("AKIA", "IOSFODNN7EXAMPLE"),
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "OPENAI_API_KEY=sk-...",
        "token: <YOUR_TOKEN>",
        "password=${DB_PASSWORD}",
        "Authorization: Bearer $TOKEN",
        "api_key = os.environ[\"API_KEY\"]",
        "const key = process.env.API_KEY;",
        "password: '***'",
        "password: changeme",
    ] {
        assert_eq!(scan(text), [], "{text}");
    }
}

#[test]
fn redacting_twice_is_redacting_once() {
    let text = concat!(
        "k=gh",
        "p_16C7e42F292c6912E7710c838347Ae178B4a password: hunter2, https://u:s3cr3tpw@h/ a@b.io"
    );
    let once = redact(text).0.into_owned();
    assert_eq!(redact(&once), (Cow::Borrowed(once.as_str()), Vec::new()));
}
