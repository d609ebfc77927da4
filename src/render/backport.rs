//! Graduation for people at a terminal: diffs in colour, costs, what to type next.

use serde_json::Value;

use super::Style;
use super::words::{count, cut, safe};
use crate::report::{BackportInspect, ExportBackport, RevertBackport};

/// A diff, safe to print, in colour where there is any.
pub fn diff(text: &str, color: bool) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    for line in text.lines() {
        let tint = match line.as_bytes().first() {
            _ if !color => "",
            _ if line.starts_with("+++ ") || line.starts_with("--- ") => "\u{1b}[1m",
            Some(b'+') => "\u{1b}[32m",
            Some(b'-') => "\u{1b}[31m",
            Some(b'@') => "\u{1b}[36m",
            _ => "",
        };
        let off = if tint.is_empty() { "" } else { "\u{1b}[0m" };
        out.push_str(&format!("{tint}{}{off}\n", safe(line)));
    }
    out
}

/// What a change costs whoever uses the skill, in one line.
pub fn cost(tokens: &Value) -> String {
    let number = |part: &str, key: &str| tokens[part][key].as_u64().unwrap_or_default();
    format!(
        "Cost: about {} tokens more every time the skill is used ({} → {}), {} more when the reference is read.",
        number("always_on", "added"),
        number("always_on", "before"),
        number("always_on", "after"),
        number("on_demand", "added"),
    )
}

fn listed(name: &str, ids: &[String]) -> String {
    if ids.is_empty() {
        return String::new();
    }
    let ids: Vec<String> = ids.iter().map(|id| safe(id)).collect();
    format!("{name}: {}\n", ids.join(", "))
}

fn notes(out: &mut String, notes: &[String]) {
    for note in notes {
        out.push_str(&format!("note: {}\n", safe(note)));
    }
}

fn next(out: &mut String, command: Option<&String>) {
    if let Some(command) = command {
        out.push_str(&format!(
            "\nNothing is written to the skill yet. To write exactly this:\n  {}\n",
            safe(command)
        ));
    }
}

pub fn export(report: &ExportBackport, style: Style) -> String {
    let mut out = String::new();
    if report.bundle_dir.is_none() {
        out.push_str("Nothing to do: the skill holds these cards already.\n");
        out.push_str(&listed("Cards", &report.card_ids));
        notes(&mut out, &report.notes);
        return out;
    }
    if !report.applied {
        out.push_str(&diff(&report.diff, style.color));
        out.push('\n');
    }
    let verb = if report.applied {
        "Written to"
    } else {
        "Planned for"
    };
    out.push_str(&format!(
        "{verb} {} as {}\n",
        safe(&report.target_skill),
        safe(&report.backport_id)
    ));
    out.push_str(&listed("New", &report.added_card_ids));
    out.push_str(&listed("Improved", &report.updated_card_ids));
    out.push_str(&format!("{}\n", cost(&report.tokens)));
    for found in &report.overrides {
        out.push_str(&format!(
            "let pass: {}\n",
            safe(found["message"].as_str().unwrap_or_default())
        ));
    }
    out.push_str(&format!("Plan: {}\n", report.plan_sha256));
    if let Some(path) = report.patch_path.as_ref().or(report.bundle_dir.as_ref()) {
        out.push_str(&format!("Bundle: {}\n", safe(path)));
    }
    notes(&mut out, &report.notes);
    next(&mut out, report.apply_command.as_ref());
    if let Some(command) = &report.revert_command {
        out.push_str(&format!("\nTo take it back:\n  {}\n", safe(command)));
    }
    out
}

pub fn revert(report: &RevertBackport, style: Style) -> String {
    let mut out = String::new();
    if !report.applied {
        out.push_str(&diff(&report.diff, style.color));
        out.push('\n');
    }
    let verb = if report.applied {
        "Taken back"
    } else {
        "Would be taken back"
    };
    out.push_str(&format!(
        "{verb} from {}: {}\n",
        safe(&report.target_skill),
        safe(&report.reverts)
    ));
    out.push_str(&listed("Removed", &report.removed_card_ids));
    out.push_str(&listed("Earlier text restored", &report.restored_card_ids));
    out.push_str(&listed("Still there", &report.result_card_ids));
    if report.exact {
        out.push_str("The files become what they were before, byte for byte.\n");
    }
    out.push_str(&format!("Plan: {}\n", report.plan_sha256));
    notes(&mut out, &report.notes);
    next(&mut out, report.apply_command.as_ref());
    out
}

/// Cards in skills that say something else by now, for `review`.
pub fn updates(updates: &[Value], width: usize) -> String {
    if updates.is_empty() {
        return String::new();
    }
    let mut out =
        String::from("Update available (cards in skills that say something else by now):\n");
    for update in updates {
        let text = |key: &str| safe(update[key].as_str().unwrap_or_default());
        let title = cut(&text("title"), width.saturating_sub(40));
        out.push_str(&format!(
            "- {} [{}, {}] {title}\n    {}\n",
            text("id"),
            text("target_skill"),
            text("why"),
            text("command")
        ));
    }
    out
}

/// What is nearly ready to graduate and what it lacks, for `review`.
pub fn portable(cards: &[Value], width: usize) -> String {
    if cards.is_empty() {
        return String::new();
    }
    let mut out = String::from("Nearest to graduating:\n");
    for card in cards {
        let text = |key: &str| safe(card[key].as_str().unwrap_or_default());
        let title = cut(&text("title"), width.saturating_sub(40));
        let lacks = card["lacks"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let state = if lacks.is_empty() {
            "ready".to_owned()
        } else {
            format!("lacks {}", lacks.len())
        };
        out.push_str(&format!("- {} [{state}] {title}\n", text("id")));
        for reason in lacks {
            out.push_str(&format!(
                "    {}\n",
                safe(reason["fix"].as_str().unwrap_or_default())
            ));
        }
    }
    out
}

pub fn inspect(report: &BackportInspect) -> String {
    let mut out = format!("{}\n", safe(&report.target_skill_path));
    if report.blocks.is_empty() {
        out.push_str("No blocks of ours.\n");
    }
    for block in &report.blocks {
        out.push_str(&format!(
            "{:<15}  {}:{}  {} {}\n                 {}\n",
            block.state,
            block.file,
            block.line,
            block.kind,
            safe(&block.id),
            safe(&block.message)
        ));
    }
    for problem in &report.problems {
        out.push_str(&format!("problem: {}\n", safe(problem)));
    }
    let look = report
        .blocks
        .iter()
        .filter(|block| !matches!(block.state, "untouched" | "legacy"))
        .count()
        + report.problems.len();
    if look == 0 {
        out.push_str("Everything is as it was written.\n");
    } else {
        out.push_str(&format!("{} to look at.\n", count(look, "thing")));
    }
    if let Some(adopted) = &report.adopted {
        out.push_str(&format!(
            "Taken into the card as a new version: {}\n",
            safe(adopted["id"].as_str().unwrap_or_default())
        ));
    }
    notes(&mut out, &report.notes);
    out
}
