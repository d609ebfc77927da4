//! `schema`, `completions`, `man`: what the program says of itself.

use clap::CommandFactory;
use serde_json::{Value, json};

use super::Done;
use crate::cli::{self, Cli};
use crate::domain::ids;
use crate::domain::normal::{CardStatus, RecommendationStatus};
use crate::domain::score::KINDS;
use crate::error::{Error, Result};
use crate::report::Report;

const NAMES: [&str; 9] = [
    "record",
    "card",
    "recommendation",
    "event",
    "signal",
    "backport",
    "record-result",
    "list-result",
    "error",
];

pub fn schema(args: &cli::Schema) -> Result<Done> {
    let Some(name) = &args.name else {
        let list = json!({ "schemas": NAMES });
        return Ok(Report::Text(pretty(&list)).into());
    };
    let folded = name.trim().to_lowercase();
    let folded = match folded.as_str() {
        "aha" | "aha_card" | "aha-card" | "aha_cards" | "cards" => "card",
        "rec" | "recommendations" => "recommendation",
        other => other,
    };
    let body = body(folded).ok_or_else(|| {
        let nearest = ids::nearest(folded, NAMES.into_iter(), 1);
        let error = Error::not_found(format!("there is no schema `{name}`"));
        match nearest.first() {
            Some(near) => error.hint(format!(
                "did you mean `{near}`? self-learning schema {near}"
            )),
            None => error.hint(format!("one of: {}", NAMES.join(", "))),
        }
    })?;
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": folded,
    });
    if let (Value::Object(schema), Value::Object(body)) = (&mut schema, body) {
        schema.extend(body);
    }
    Ok(Report::Text(pretty(&schema)).into())
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn texts(description: &str) -> Value {
    json!({
        "description": description,
        "anyOf": [{ "type": "array", "items": { "type": "string" } }, { "type": "string" }],
    })
}

fn body(name: &str) -> Option<Value> {
    Some(match name {
        "record" => json!({
            "description": "What `self-learning record` takes. Any subset of the keys, but not none.",
            "type": "object",
            "additionalProperties": false,
            "minProperties": 1,
            "properties": {
                "event": event(),
                "aha_cards": { "type": "array", "items": card() },
                "recommendations": { "type": "array", "items": recommendation() },
                "used_aha_ids": texts("Cards that helped in this task."),
                "used_rec_ids": texts("Recommendations that were followed in this task."),
                "used": {
                    "type": "object",
                    "properties": { "aha_ids": texts("Added to used_aha_ids."), "rec_ids": texts("Added to used_rec_ids.") },
                },
                "usage_source": text("Who used them; `agent` when missing."),
                "usage_context": text("What they were used for; the event when missing."),
            },
        }),
        "card" => card(),
        "recommendation" => recommendation(),
        "event" => event(),
        "signal" => json!({
            "description": "One line of signals.jsonl. Readers skip kinds they do not know.",
            "type": "object",
            "required": ["ts", "kind", "source", "id"],
            "properties": {
                "ts": text("UTC, YYYY-MM-DDTHH:MM:SSZ."),
                "kind": { "type": "string", "examples": KINDS },
                "source": text("Who said so."),
                "aha_id": text("The card; or rec_id."),
                "rec_id": text("The recommendation; or aha_id."),
                "context": text("What it was about."),
                "id": text("sig_ and 12 hex digits."),
            },
        }),
        "backport" => json!({
            "description": "One line of backports.jsonl.",
            "type": "object",
            "required": ["ts", "backport_id", "target_skill", "requested_card_ids", "applied"],
            "properties": {
                "ts": text("UTC."),
                "backport_id": text("slbp_<time>_<6 hex digits>."),
                "target_skill": text("Name of the skill's folder."),
                "requested_card_ids": { "type": "array", "items": { "type": "string" } },
                "added_card_ids": { "type": "array", "items": { "type": "string" } },
                "result_card_ids": { "type": "array", "items": { "type": "string" } },
                "applied": { "type": "boolean" },
                "diff_written": { "type": "boolean" },
            },
        }),
        "record-result" => json!({
            "description": "What `self-learning record` prints.",
            "type": "object",
            "required": ["ok", "written", "usage_signals", "results", "refused"],
            "properties": {
                "ok": { "type": "boolean" },
                "written": { "type": "object", "description": "Log name to path, for the logs that got lines." },
                "usage_signals": { "type": "object" },
                "results": { "type": "array", "items": {
                    "type": "object",
                    "required": ["kind", "index", "outcome"],
                    "properties": {
                        "kind": { "enum": ["event", "aha_card", "recommendation"] },
                        "index": { "type": "integer" },
                        "outcome": { "enum": ["created", "merged", "reinforced", "refused"] },
                        "id": text("The stored id."),
                        "why": text("Why, where the outcome does not say it all."),
                        "hint": text("What to do."),
                    },
                } },
                "refused": { "type": "integer" },
            },
        }),
        "list-result" => json!({
            "description": "What `self-learning list --format json` prints.",
            "type": "object",
            "required": ["repo_root", "user", "count", "items", "total", "hidden"],
            "properties": {
                "count": { "type": "integer", "description": "Items in this answer." },
                "total": { "type": "integer", "description": "Items that match." },
                "hidden": { "type": "integer", "description": "Retired items left out." },
                "items": { "type": "array", "items": card() },
                "matches": { "type": "array", "description": "With --query: score, confidence and matched words per item." },
                "message": text("Set when there is nothing."),
                "more": text("How to get the rest."),
            },
        }),
        "error" => json!({
            "description": "What any command prints on standard output in JSON mode when it fails.",
            "type": "object",
            "required": ["ok", "error"],
            "properties": {
                "ok": { "const": false },
                "error": {
                    "type": "object",
                    "required": ["code", "message", "hint"],
                    "properties": { "code": text("Stable."), "message": text("What is wrong."), "hint": text("What to type next.") },
                },
            },
        }),
        _ => return None,
    })
}

fn card() -> Value {
    json!({
        "description": "A durable learning. Fields that are not listed are kept.",
        "type": "object",
        "properties": {
            "title": text("The learning in one line."),
            "when_to_use": text("The situation in which it helps, in the words of someone who is in it."),
            "problem": text("What went wrong, and why."),
            "solution_steps": texts("What to do, step by step."),
            "evidence": texts("What shows that it holds: commands, output, links."),
            "gotchas": texts("What to watch out for."),
            "tags": texts("A few lower-case words."),
            "primary_skill": text("The skill it belongs to; the event's when missing."),
            "scope": { "enum": ["project", "portable"], "default": "project" },
            "shareable": { "type": "boolean", "description": "Others may see it." },
            "status": { "enum": CardStatus::NAMES, "default": "proposed" },
            "key": text("Cards with the same key are one card."),
            "id": text("Only to update a stored card."),
        },
    })
}

fn recommendation() -> Value {
    json!({
        "description": "Something that should be done. Fields that are not listed are kept.",
        "type": "object",
        "properties": {
            "title": text("What to do, in one line."),
            "why": text("The reason."),
            "expected_impact": {
                "type": "object",
                "properties": {
                    "speed": { "enum": ["high", "medium", "low"] },
                    "quality": { "enum": ["high", "medium", "low"] },
                },
            },
            "implementation_hint": text("Where to start."),
            "tags": texts("A few lower-case words."),
            "primary_skill": text("The skill it belongs to; the event's when missing."),
            "scope": { "enum": ["project", "portable"], "default": "project" },
            "status": { "enum": RecommendationStatus::NAMES, "default": "proposed" },
            "id": text("Only to update a stored recommendation."),
        },
    })
}

fn event() -> Value {
    json!({
        "description": "The task that was done.",
        "type": "object",
        "properties": {
            "task_summary": text("The task in one line."),
            "primary_skill": text("The skill that was used; the default for the items beside it."),
            "notes": texts("Anything else."),
        },
    })
}

pub fn completions(args: &cli::Completions) -> Done {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "self-learning", &mut out);
    Report::Text(String::from_utf8_lossy(&out).into_owned()).into()
}

pub fn man() -> Result<Done> {
    let mut out = Vec::new();
    let page = clap_mangen::Man::new(Cli::command());
    page.render(&mut out)
        .map_err(|error| Error::io("render", std::path::Path::new("the manual page"), &error))?;
    Ok(Report::Text(String::from_utf8_lossy(&out).into_owned()).into())
}
