//! The gate: what a card lacks before it may leave the project, and the command that supplies it.
//!
//! Judged on the text that would be written, not on the stored fields, so nothing slips in between.

use serde_json::Value;

use super::{markers, render};
use crate::domain::card;
use crate::domain::normal::{CardStatus, Scope};
use crate::domain::record::Record;

/// Something the guard has to say about a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A short name, like `secret` or `invisible`.
    pub class: String,
    /// What and where, without repeating the text itself.
    pub message: String,
}

/// Asks the guard about a rendered text.
pub type TextFindings<'a> = &'a dyn Fn(&str) -> Vec<Finding>;

/// What cards are judged by.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Names that mean nothing outside this repository: its directory, its remote.
    pub repository_names: &'a [String],
    /// The skill the cards go into; its own name may be in the text.
    pub skill: &'a str,
    /// Let project knowledge pass: scope, shareable, paths and names. Reported, never silent.
    pub allow_project: bool,
    pub findings: TextFindings<'a>,
}

/// Why a card may not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Stable: `not_portable`, `not_shareable`, `rejected`, `deprecated`, `superseded`, `quarantined`,
    /// `no_evidence`, `no_steps`, `home_path`, `repository_name`, `guard`, `id`.
    pub code: &'static str,
    /// Names the card and what is wrong.
    pub message: String,
    /// The command that fixes it.
    pub fix: String,
}

/// The verdict on one card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub id: String,
    pub title: String,
    /// What stands in the way.
    pub reasons: Vec<Reason>,
    /// What would, had somebody not asked to let it pass.
    pub overridden: Vec<Reason>,
}

impl Verdict {
    pub fn passes(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// Reasons that `allow_project` sets aside: they say that the knowledge is of this project, not that
/// it is wrong or dangerous.
const PROJECT_REASONS: [&str; 4] = [
    "not_portable",
    "not_shareable",
    "home_path",
    "repository_name",
];

/// Names that say nothing about the repository they belong to.
const COMMON_NAMES: [&str; 44] = [
    "agent",
    "agents",
    "api",
    "app",
    "apps",
    "backend",
    "build",
    "cli",
    "client",
    "code",
    "config",
    "core",
    "data",
    "demo",
    "dev",
    "docs",
    "example",
    "examples",
    "frontend",
    "home",
    "lib",
    "main",
    "master",
    "monorepo",
    "package",
    "plugin",
    "project",
    "projects",
    "repo",
    "repos",
    "repository",
    "sandbox",
    "scripts",
    "server",
    "service",
    "site",
    "skill",
    "skills",
    "source",
    "src",
    "test",
    "tests",
    "web",
    "workspace",
];

/// What signals say of a card whose text commands its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// Nothing.
    #[default]
    Unjudged,
    /// Kept out of recall until a person has read it.
    Quarantined,
    /// A person has read it and found it harmless.
    Released,
}

/// The class of findings that a person's release sets aside.
pub const DIRECTIVE: &str = "directive";

/// Judge one card under the id it is stored by.
pub fn check(record: &Record, id: &str, trust: Trust, rules: Rules<'_>) -> Verdict {
    let title = render::inline(&record.title());
    let mut reasons = Vec::new();
    let mut add = |code: &'static str, message: String, fix: String| {
        reasons.push(Reason {
            code,
            message: format!("`{id}` ({title}): {message}"),
            fix,
        });
    };
    let quoted = shell_quoted(id);
    if !markers::is_plain_id(id) {
        add(
            "id",
            "its id cannot stand in a marker (letters, digits, `_`, `.` and single `-` can)".to_owned(),
            "self-learning record  # the same card without its id, then export it under the new one".to_owned(),
        );
    }
    if card::scope(record) != Scope::Portable {
        add(
            "not_portable",
            "it is marked as knowledge of this project only".to_owned(),
            format!("self-learning edit --id {quoted} --scope portable"),
        );
    }
    if !record.flag("shareable") {
        add(
            "not_shareable",
            "it is not marked as shareable".to_owned(),
            format!("self-learning edit --id {quoted} --shareable true"),
        );
    }
    if let Some(state) = retired_state(record) {
        add(
            state,
            format!("it is {state}"),
            format!("self-learning aha-status --id {quoted} --status accepted"),
        );
    }
    let release =
        format!("self-learning release --id {quoted} --reason '…'  # by a person who has read it");
    if trust == Trust::Quarantined {
        add(
            "quarantined",
            "it is quarantined: its text commands the reader".to_owned(),
            release.clone(),
        );
    }
    if record.list("solution_steps").is_empty() {
        add(
            "no_steps",
            "it does not say what to do".to_owned(),
            format!("self-learning edit --id {quoted} --add-step '…'"),
        );
    }
    if record.list("evidence").is_empty() {
        add(
            "no_evidence",
            "nothing shows that it worked".to_owned(),
            format!("self-learning edit --id {quoted} --add-evidence '…'"),
        );
    }
    let rendered = render::card(record, id) + &render::lesson(record, id);
    let edit =
        format!("self-learning edit --id {quoted} --problem '…'  # or the field that holds it");
    let paths = home_paths(&rendered);
    if !paths.is_empty() {
        add(
            "home_path",
            format!(
                "paths of somebody's machine are left in it: {}",
                listed(&paths)
            ),
            edit.clone(),
        );
    }
    let names: Vec<String> = rules
        .repository_names
        .iter()
        .filter(|name| {
            is_telling(name) && !name.eq_ignore_ascii_case(rules.skill) && has_word(&rendered, name)
        })
        .cloned()
        .collect();
    if !names.is_empty() {
        add(
            "repository_name",
            format!(
                "names of this repository are left in it: {}",
                listed(&names)
            ),
            edit.clone(),
        );
    }
    for finding in (rules.findings)(&rendered) {
        // Quarantine says it already, and a release has answered it.
        if finding.class == DIRECTIVE && trust != Trust::Unjudged {
            continue;
        }
        add(
            "guard",
            format!("{}: {}", finding.class, finding.message),
            edit.clone(),
        );
    }
    let (overridden, reasons) = reasons
        .into_iter()
        .partition(|reason| rules.allow_project && PROJECT_REASONS.contains(&reason.code));
    Verdict {
        id: id.to_owned(),
        title,
        reasons,
        overridden,
    }
}

/// The state that keeps a card from being used at all, if it is in one.
pub fn retired_state(record: &Record) -> Option<&'static str> {
    match card::status(record) {
        CardStatus::Rejected => return Some("rejected"),
        CardStatus::Deprecated => return Some("deprecated"),
        CardStatus::Other(state) => match state.to_lowercase().as_str() {
            "superseded" => return Some("superseded"),
            "quarantined" => return Some("quarantined"),
            _ => {}
        },
        _ => {}
    }
    let set = |key: &str| match record.0.get(key) {
        Some(Value::String(text)) => !matches!(
            text.trim().to_lowercase().as_str(),
            "" | "false" | "no" | "0"
        ),
        Some(value) => crate::domain::json::truthy(value),
        None => false,
    };
    if set("superseded_by") {
        return Some("superseded");
    }
    (set("quarantined") || set("quarantine")).then_some("quarantined")
}

/// Absolute paths into a home directory, each once, in order.
pub fn home_paths(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in text.split(|character: char| {
        character.is_whitespace()
            || matches!(
                character,
                '`' | '"' | '\'' | '(' | ')' | '<' | '>' | '[' | ']' | ',' | ';'
            )
    }) {
        let Some(path) = home_path(word) else {
            continue;
        };
        let path = path.trim_end_matches(['.', ':', '!', '?', '*']).to_owned();
        if !out.contains(&path) {
            out.push(path);
        }
    }
    out
}

fn home_path(word: &str) -> Option<&str> {
    let unix = ["/home/", "/Users/", "/var/home/"]
        .into_iter()
        .filter_map(|start| {
            word.match_indices(start)
                .find(|(at, _)| {
                    let before = word[..*at].chars().next_back();
                    let named = word[at + start.len()..].starts_with(|next: char| {
                        next.is_alphanumeric() || matches!(next, '_' | '.' | '-')
                    });
                    // Behind a letter or digit it is the middle of another path or of a URL.
                    named
                        && before.is_none_or(|before| {
                            !before.is_alphanumeric() && before != '.' && before != '~'
                        })
                })
                .map(|(at, _)| &word[at..])
        });
    let root = word
        .match_indices("/root/")
        .find(|(at, _)| *at == 0 || word.as_bytes()[at - 1] == b'=')
        .map(|(at, _)| &word[at..]);
    let lower = word.to_ascii_lowercase();
    let windows = [":\\users\\", ":/users/", ":\\\\users\\\\"]
        .into_iter()
        .filter_map(|start| {
            let at = lower.find(start)?;
            let drive = at.checked_sub(1)?;
            lower.as_bytes()[drive]
                .is_ascii_alphabetic()
                .then(|| &word[drive..])
        });
    windows.chain(unix).chain(root).next()
}

/// Whether a name says something about the repository: longer than three characters, no everyday word.
fn is_telling(name: &str) -> bool {
    name.chars().count() > 3 && !COMMON_NAMES.contains(&name.to_lowercase().as_str())
}

/// Whether a text holds a name as a word of its own, in any case.
fn has_word(text: &str, name: &str) -> bool {
    let text = text.to_lowercase();
    let name = name.to_lowercase();
    let inside = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
    text.match_indices(&name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(inside) && !after.is_some_and(inside)
    })
}

fn listed(items: &[String]) -> String {
    let items: Vec<String> = items
        .iter()
        .take(5)
        .map(|item| format!("`{item}`"))
        .collect();
    items.join(", ")
}

/// An argument as a shell takes it.
pub fn shell_quoted(text: &str) -> String {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'_' | b'-' | b'.' | b'/' | b',' | b':' | b'=' | b'@' | b'+'
            )
    };
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verdict(change: serde_json::Value, allow_project: bool) -> Verdict {
        let mut card = json!({"id": "aha_1", "title": "T", "scope": "portable", "shareable": true, "status": "accepted",
            "solution_steps": ["do"], "evidence": ["seen"]});
        for (key, value) in change.as_object().expect("an object") {
            card[key] = value.clone();
        }
        let record = Record(card.as_object().expect("an object").clone());
        let id = record.id().unwrap_or_default();
        let names = [
            "acme-shop".to_owned(),
            "docs".to_owned(),
            "ci-helper".to_owned(),
        ];
        let findings = |text: &str| {
            let found = text.contains("hunter2").then(|| Finding {
                class: "secret".to_owned(),
                message: "a password".to_owned(),
            });
            found.into_iter().collect()
        };
        let rules = Rules {
            repository_names: &names,
            skill: "ci-helper",
            allow_project,
            findings: &findings,
        };
        check(&record, &id, Trust::Unjudged, rules)
    }

    #[test]
    fn every_reason_names_the_card_and_the_way_out() {
        for (change, code, fix) in [
            (
                json!({"scope": "project"}),
                "not_portable",
                "edit --id aha_1 --scope portable",
            ),
            (
                json!({"shareable": "false"}),
                "not_shareable",
                "edit --id aha_1 --shareable true",
            ),
            (
                json!({"status": "rejected"}),
                "rejected",
                "aha-status --id aha_1 --status accepted",
            ),
            (
                json!({"status": "Deprecated"}),
                "deprecated",
                "--status accepted",
            ),
            (
                json!({"status": "superseded"}),
                "superseded",
                "--status accepted",
            ),
            (
                json!({"superseded_by": "aha_2"}),
                "superseded",
                "--status accepted",
            ),
            (
                json!({"quarantined": true}),
                "quarantined",
                "--status accepted",
            ),
            (json!({"evidence": []}), "no_evidence", "--add-evidence"),
            (json!({"solution_steps": " "}), "no_steps", "--add-step"),
            (
                json!({"problem": "in /home/ann/x.md."}),
                "home_path",
                "edit --id aha_1",
            ),
            (
                json!({"problem": "see `C:\\Users\\Ann\\x`"}),
                "home_path",
                "edit --id aha_1",
            ),
            (
                json!({"evidence": ["/Users/ann/work"]}),
                "home_path",
                "edit --id aha_1",
            ),
            (
                json!({"tags": ["Acme-Shop"]}),
                "repository_name",
                "edit --id aha_1",
            ),
            (
                json!({"problem": "password hunter2"}),
                "guard",
                "edit --id aha_1",
            ),
            (json!({"id": "aha x"}), "id", "self-learning record"),
        ] {
            let verdict = verdict(change.clone(), false);
            let codes: Vec<_> = verdict.reasons.iter().map(|reason| reason.code).collect();
            assert_eq!(codes, [code], "{change}");
            let reason = &verdict.reasons[0];
            assert!(reason.message.contains(&verdict.id), "{change}");
            assert!(reason.fix.contains(fix), "{change}: {}", reason.fix);
        }
    }

    #[test]
    fn signals_can_hold_a_card_back() {
        let record = Record(serde_json::Map::new()).with("title", "T");
        let findings = |_: &str| {
            vec![Finding {
                class: DIRECTIVE.to_owned(),
                message: "it commands".to_owned(),
            }]
        };
        let rules = Rules {
            repository_names: &[],
            skill: "s",
            allow_project: true,
            findings: &findings,
        };
        for (trust, expected) in [
            (Trust::Unjudged, vec!["no_steps", "no_evidence", "guard"]),
            (
                Trust::Quarantined,
                vec!["quarantined", "no_steps", "no_evidence"],
            ),
            (Trust::Released, vec!["no_steps", "no_evidence"]),
        ] {
            let codes: Vec<_> = check(&record, "aha_1", trust, rules)
                .reasons
                .into_iter()
                .map(|reason| reason.code)
                .collect();
            assert_eq!(codes, expected);
        }
    }

    #[test]
    fn good_cards_pass() {
        for change in [
            json!({}),
            json!({"problem": "docs of ci-helper say ~/x, https://example.com/home/page, /home alone, a/home/b"}),
            json!({"problem": "acme-shopping"}),
            json!({"status": "backported"}),
        ] {
            assert!(
                verdict(change.clone(), false).passes(),
                "{change} {:?}",
                verdict(change.clone(), false)
            );
        }
    }

    #[test]
    fn an_override_covers_project_knowledge_only_and_is_told() {
        let project = verdict(
            json!({"scope": "project", "shareable": false, "problem": "/home/ann/acme-shop"}),
            true,
        );
        assert!(project.passes());
        let codes: Vec<_> = project
            .overridden
            .iter()
            .map(|reason| reason.code)
            .collect();
        assert_eq!(
            codes,
            [
                "not_portable",
                "not_shareable",
                "home_path",
                "repository_name"
            ]
        );
        assert!(!verdict(json!({"status": "rejected"}), true).passes());
        assert!(!verdict(json!({"problem": "hunter2"}), true).passes());
    }
}
