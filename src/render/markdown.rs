//! The Markdown form: for documents, and for agents that read text rather than JSON.

use serde_json::Value;

use super::words::{block, count, inline, safe};
use crate::domain::record::Record as Stored;
use crate::report::{List, Report, Review, Show};

pub fn report(report: &Report) -> String {
    match report {
        Report::List(report) => list(report),
        Report::Show(report) => show(report),
        Report::Review(report) => review(report),
        other => {
            // The other reports are short lists of facts; their JSON reads well in a fence.
            format!("```json\n{}```\n", super::json::report(other))
        }
    }
}

fn list(report: &List) -> String {
    let mut out = String::from("# Learnings\n");
    if let Some(message) = &report.message {
        out.push_str(&format!("\n{}\n", safe(message)));
    }
    for (position, item) in report.items.iter().enumerate() {
        let Value::Object(map) = item else { continue };
        let weak = report
            .matches
            .get(position)
            .and_then(|found| found.get("weak"))
            .and_then(Value::as_bool);
        out.push_str(&card(&Stored(map.clone()), weak.unwrap_or_default()));
    }
    if let Some(more) = &report.more {
        out.push_str(&format!("\n{more}\n"));
    }
    out
}

fn card(card: &Stored, weak: bool) -> String {
    let mark = if weak { " (weak match)" } else { "" };
    let mut out = format!("\n## {}{mark}\n\n", inline(&card.title()));
    out.push_str(&format!(
        "- **ID:** `{}`\n",
        inline(&card.id().unwrap_or_default())
    ));
    if let Some(when) = card.display("when_to_use") {
        out.push_str(&format!("- **When to use:** {}\n", inline(&when)));
    }
    let tags = card.list("tags");
    if !tags.is_empty() {
        out.push_str(&format!("- **Tags:** {}\n", inline(&tags.join(", "))));
    }
    if let Some(problem) = card.display("problem") {
        out.push_str(&format!("\n{}\n", block(&problem)));
    }
    for (key, heading) in [
        ("solution_steps", "Solution"),
        ("evidence", "Evidence"),
        ("gotchas", "Gotchas"),
    ] {
        let items = card.list(key);
        if !items.is_empty() {
            out.push_str(&format!("\n**{heading}**\n\n"));
            for item in items {
                out.push_str(&format!("- {}\n", inline(&item)));
            }
        }
    }
    out
}

fn show(report: &Show) -> String {
    let mut out = String::from("# Items\n");
    for shown in &report.items {
        let Value::Object(map) = &shown.item else {
            continue;
        };
        out.push_str(&card(&Stored(map.clone()), false));
    }
    out
}

fn review(report: &Review) -> String {
    let text = |value: &Value, key: &str| {
        inline(value.get(key).and_then(Value::as_str).unwrap_or_default())
    };
    let summary = &report.summary;
    let mut out = format!(
        "# Review\n\n{}, {} ({} stale).\n\n## Learnings\n\n",
        count(summary.aha_cards, "card"),
        count(summary.open_recommendations, "open recommendation"),
        summary.stale_recommendations
    );
    if report.learnings.is_empty() {
        out.push_str("_(none yet)_\n");
    }
    for learning in &report.learnings {
        let score = learning
            .get("score")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        out.push_str(&format!(
            "- **{}** (`{}`, score {score})",
            text(learning, "title"),
            text(learning, "id")
        ));
        let when = text(learning, "when_to_use");
        out.push_str(&if when.is_empty() {
            "\n".to_owned()
        } else {
            format!(": {when}\n")
        });
    }
    out.push_str("\n## Next actions\n\n");
    if report.next_actions.is_empty() {
        out.push_str("_(none)_\n");
    }
    for action in &report.next_actions {
        let title = inline(&super::text::title_of(action));
        out.push_str(&format!(
            "- **{title}** (`{}`): {}\n",
            text(action, "id"),
            text(action, "suggested_next")
        ));
    }
    if report.quarantined > 0 {
        out.push_str("\n## Quarantined\n\n");
        if report.quarantine.is_empty() {
            let items = count(report.quarantined, "item");
            out.push_str(&format!(
                "{items}; see: `self-learning review --quarantine`\n"
            ));
        }
        for item in &report.quarantine {
            out.push_str(&format!(
                "- **{}** (`{}`): {}; `{}`\n",
                text(item, "title"),
                text(item, "id"),
                text(item, "why"),
                text(item, "release")
            ));
        }
    }
    out
}
