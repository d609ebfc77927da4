//! The form for people at a terminal.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width};
use serde_json::Value;

use super::Style;
use super::words::{count, cut, safe};
use crate::domain::record::Record as Stored;
use crate::report::{
    Doctor, Edited, Eval, Exam, History, Init, List, Outcome, Promote, Purge, Record, Repair,
    Report, Review, Show, Signal, StatusChange, Tour, Use, WhyNot,
};

pub fn report(report: &Report, style: Style) -> String {
    match report {
        Report::Init(report) => init(report),
        Report::Record(report) => record(report),
        Report::List(report) => list(report, style),
        Report::Show(report) => show(report),
        Report::Review(report) => review(report, style),
        Report::StatusChange(report) => status(report),
        Report::Signal(report) => signal(report),
        Report::Use(report) => used(report),
        Report::Edited(report) => edited(report),
        Report::History(report) => history(report, style),
        Report::Repair(report) => repair(report),
        Report::Promote(report) => promote(report),
        Report::ExportBackport(report) => super::backport::export(report, style),
        Report::RevertBackport(report) => super::backport::revert(report, style),
        Report::BackportInspect(report) => super::backport::inspect(report),
        Report::Purge(report) => purge(report),
        Report::Doctor(report) => doctor(report),
        Report::WhyNot(report) => why_not(report),
        Report::Eval(report) => eval(report),
        Report::Exam(report) => exam(report),
        Report::Tour(report) => tour(report, style),
        Report::Text(text) => text.clone(),
    }
}

fn init(report: &Init) -> String {
    let mut out = format!("Store ready: {}\n", safe(&report.project_store));
    if report.gitignore_changed {
        out.push_str("`.agent-skills/` was added to .gitignore.\n");
    }
    notes(&mut out, &report.notes);
    out
}

fn notes(out: &mut String, notes: &[String]) {
    for note in notes {
        out.push_str(&format!("note: {}\n", safe(note)));
    }
}

fn record(report: &Record) -> String {
    let mut out = String::new();
    for item in &report.results {
        let outcome = match item.outcome {
            Outcome::Created => "created",
            Outcome::Merged => "merged",
            Outcome::Reinforced => "reinforced",
            Outcome::Refused => "refused",
        };
        let id = item.id.as_deref().unwrap_or(item.kind);
        let title = cut(item.title.as_deref().unwrap_or_default(), 80);
        let line = format!("{outcome:<10}  {}  {}", safe(id), safe(&title));
        out.push_str(&format!("{}\n", line.trim_end()));
        if let Some(why) = &item.why {
            out.push_str(&format!("            {}\n", safe(why)));
        }
    }
    for signal in &report.usage_signals.written {
        let id = signal.get("aha_id").or_else(|| signal.get("rec_id"));
        out.push_str(&format!(
            "used        {}\n",
            safe(id.and_then(Value::as_str).unwrap_or_default())
        ));
    }
    for error in &report.usage_signals.errors {
        out.push_str(&format!("not used    {}\n", safe(&error.error)));
    }
    for invalid in &report.usage_signals.invalid_ids {
        let text = format!(
            "`{}` does not begin with {}",
            invalid.id, invalid.expected_prefix
        );
        out.push_str(&format!("not used    {}\n", safe(&text)));
    }
    for found in &report.redactions {
        let field = |key: &str| {
            found
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        out.push_str(&format!(
            "redacted    {} in {} ({})\n",
            field("class"),
            safe(&field("field")),
            safe(&field("item"))
        ));
    }
    notes(&mut out, &report.notes);
    out
}

/// A table that fits the width, without lines around it.
fn table(style: Style, headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(style.width.clamp(40, 400)).unwrap_or(100));
    table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
    table
}

fn finished(table: &Table) -> String {
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n") + "\n"
}

fn list(report: &List, style: Style) -> String {
    let mut out = String::new();
    if let Some(message) = &report.message {
        out.push_str(&format!("{}\n", safe(message)));
    }
    if !report.items.is_empty() {
        let last = if report.matches.is_empty() {
            "score"
        } else {
            "match"
        };
        let mut table = table(style, &["id", "learning", "when to use", last]);
        for (position, item) in report.items.iter().enumerate() {
            let Value::Object(map) = item else { continue };
            let card = Stored(map.clone());
            let mut score = report
                .scores
                .get(position)
                .map(i64::to_string)
                .unwrap_or_default();
            if let Some(found) = report.matches.get(position) {
                let confidence = found
                    .get("confidence")
                    .and_then(Value::as_f64)
                    .unwrap_or_default();
                let weak = found
                    .get("weak")
                    .and_then(Value::as_bool)
                    .unwrap_or_default();
                score = format!("{confidence:.2}{}", if weak { " weak" } else { "" });
            }
            let mut id = safe(&card.id().unwrap_or_default());
            if report
                .matches
                .get(position)
                .map(|found| value_text(found, "store"))
                == Some("global")
            {
                id.push_str(" (global)");
            }
            table.add_row([
                id,
                safe(&cut(&card.title(), 160)),
                safe(&cut(&card.display("when_to_use").unwrap_or_default(), 160)),
                score,
            ]);
        }
        if let Some(column) = table.column_mut(0) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(16)));
        }
        if let Some(column) = table.column_mut(3) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        out.push_str(&finished(&table));
        for found in &report.matches {
            out.push_str(&explained(found));
        }
        out.push_str(&format!("\n{}", count(report.count, "card")));
        if report.hidden > 0 {
            out.push_str(&format!("; {} retired not shown (--all)", report.hidden));
        }
        out.push_str(".  Whole: self-learning show ID\n");
    } else if report.hidden > 0 {
        out.push_str(&format!(
            "{} retired or quarantined not shown (--all)\n",
            count(report.hidden, "card")
        ));
    }
    if let Some(more) = &report.more {
        out.push_str(&format!("{more}\n"));
    }
    out
}

/// What a score is made of, when that was asked for.
fn explained(found: &Value) -> String {
    let Some(explain) = found.get("explain") else {
        return String::new();
    };
    let number = |key: &str| explain.get(key).and_then(Value::as_f64).unwrap_or_default();
    let terms = explain.get("terms").and_then(Value::as_array);
    let terms: Vec<String> = terms
        .into_iter()
        .flatten()
        .map(|term| {
            let weight = term
                .get("weight")
                .and_then(Value::as_f64)
                .unwrap_or_default();
            format!(
                "{}→{} {} {weight:.2}",
                value_text(term, "query_word"),
                value_text(term, "term"),
                value_text(term, "how")
            )
        })
        .collect();
    format!(
        "\n{}: BM25 {:.2}, embedding {:.2}, coverage {:.2}, cosine {:.2}, use ×{:.2}\n    {}\n",
        safe(value_text(found, "id")),
        number("bm25"),
        number("embedding"),
        number("coverage"),
        number("cosine"),
        number("boost"),
        safe(&terms.join("; "))
    )
}

/// A card as lines to read.
fn item_text(record: &Stored) -> String {
    let mut out = String::new();
    for (key, value) in &record.0 {
        let shown = record.list(key);
        if shown.is_empty() || key == "id" || key == "title" {
            continue;
        }
        match value {
            Value::Array(_) => {
                out.push_str(&format!("  {}:\n", safe(key)));
                for item in shown {
                    out.push_str(&format!(
                        "    - {}\n",
                        safe(&item).replace('\n', "\n      ")
                    ));
                }
            }
            _ => out.push_str(&format!(
                "  {}: {}\n",
                safe(key),
                safe(&shown[0]).replace('\n', "\n    ")
            )),
        }
    }
    out
}

fn show(report: &Show) -> String {
    let mut out = String::new();
    for (position, shown) in report.items.iter().enumerate() {
        if position > 0 {
            out.push('\n');
        }
        let Value::Object(map) = &shown.item else {
            continue;
        };
        let record = Stored(map.clone());
        out.push_str(&format!(
            "{}  {}\n",
            safe(&shown.id),
            safe(&cut(&record.title(), 200))
        ));
        out.push_str(&format!(
            "  {}, {} store, version {}",
            shown.kind, shown.store, shown.rev
        ));
        if let Some(created) = &shown.created_ts {
            out.push_str(&format!(", created {}", safe(created)));
        }
        out.push('\n');
        if let Some(explain) = &shown.explain {
            out.push_str(&format!("  {explain}\n"));
        }
        out.push_str(&item_text(&record));
    }
    for missing in &report.not_found {
        out.push_str(&format!("not found: {}\n", safe(&missing.id)));
    }
    out
}

fn value_text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The title of an item of a report, whatever type it was stored with.
pub fn title_of(item: &Value) -> String {
    item.as_object()
        .map(|map| Stored(map.clone()).title())
        .unwrap_or_default()
}

fn review(report: &Review, style: Style) -> String {
    let summary = &report.summary;
    let mut out = String::from("Self-learning review (summary)\n");
    out.push_str(&format!(
        "Project store: {}\n",
        safe(&report.place.project_store)
    ));
    let mut filters = serde_json::to_value(&report.filters).unwrap_or_default();
    if let Value::Object(map) = &mut filters {
        map.retain(|key, value| !(value.is_null() || key == "stale_days" && *value == 7));
        if !map.is_empty() {
            out.push_str(&format!(
                "Filters: {}\n",
                safe(&crate::domain::json::to_line(map))
            ));
        }
    }
    out.push_str(&format!(
        "Counts: aha={}; recs={} (open={} [project={}, portable={}], stale={}, untouched={}); backport_candidates={}\n",
        summary.aha_cards,
        summary.recommendations,
        summary.open_recommendations,
        summary.open_recommendations_project,
        summary.open_recommendations_portable,
        summary.stale_recommendations,
        summary.untouched_recommendations,
        summary.backport_candidates_total,
    ));
    let width = style.width.clamp(60, 200);
    if !report.learnings.is_empty() {
        out.push_str("Learnings (best and newest first):\n");
        for learning in &report.learnings {
            let score = learning
                .get("score")
                .and_then(Value::as_i64)
                .unwrap_or_default();
            let title = cut(value_text(learning, "title"), width.saturating_sub(36));
            let status = value_text(learning, "status");
            out.push_str(&format!(
                "- {}  {}  (score {score}, {status})\n",
                safe(value_text(learning, "id")),
                safe(&title)
            ));
            let when = cut(
                value_text(learning, "when_to_use"),
                width.saturating_sub(12),
            );
            if !when.is_empty() {
                out.push_str(&format!("    when: {}\n", safe(&when)));
            }
        }
        let left = summary
            .matching_aha_cards
            .saturating_sub(summary.retired_aha_cards + report.learnings.len());
        if left > 0 {
            out.push_str(&format!("  … {left} more: self-learning list --limit 0\n"));
        }
    }
    let actions = |kind: &str| {
        let of_kind = move |action: &&Value| value_text(action, "type") == kind;
        report
            .next_actions
            .iter()
            .filter(of_kind)
            .take(5)
            .collect::<Vec<_>>()
    };
    let open = actions("recommendation");
    if !open.is_empty() {
        out.push_str("Next actions:\n");
        for action in open {
            let title = cut(&title_of(action), width.saturating_sub(40));
            out.push_str(&format!(
                "- {} [{}, {}] {}\n",
                safe(value_text(action, "id")),
                value_text(action, "status"),
                value_text(action, "scope"),
                safe(&title)
            ));
        }
    }
    // Straight from the candidates: many open recommendations must not crowd them out.
    if !report.aha.backport_candidates.is_empty() {
        out.push_str("Ready to graduate:\n");
        for candidate in report.aha.backport_candidates.iter().take(5) {
            let score = candidate
                .get("score")
                .and_then(Value::as_i64)
                .unwrap_or_default();
            let title = cut(&title_of(candidate), width.saturating_sub(50));
            out.push_str(&format!(
                "- {} (backport; score={score}; target={}) {}\n",
                safe(value_text(candidate, "id")),
                safe(value_text(candidate, "primary_skill")),
                safe(&title)
            ));
        }
    }
    out.push_str(&super::backport::updates(&report.updates, width));
    out.push_str(&super::backport::portable(&report.portable, width));
    if !report.quarantine.is_empty() {
        out.push_str("Quarantined (text that commands its reader; read before releasing):\n");
        for card in &report.quarantine {
            let title = cut(value_text(card, "title"), width.saturating_sub(36));
            out.push_str(&format!(
                "- {}  {}\n",
                safe(value_text(card, "id")),
                safe(&title)
            ));
            out.push_str(&format!(
                "    {}; {}\n",
                safe(value_text(card, "why")),
                safe(value_text(card, "release"))
            ));
        }
    } else if report.quarantined > 0 {
        let items = count(report.quarantined, "item");
        out.push_str(&format!(
            "Quarantined: {items}; see: self-learning review --quarantine\n"
        ));
    }
    notes(&mut out, &report.notes);
    out.push_str("View more:\n");
    out.push_str(&format!("- Open {}\n", safe(&report.index_path)));
    out.push_str(&format!("- Full JSON: {}\n", safe(&report.json_command)));
    out
}

fn status(report: &StatusChange) -> String {
    format!(
        "{}: {} → {}\n",
        safe(&report.id),
        value_text(&report.previous, "status"),
        value_text(&report.updated, "status")
    )
}

fn signal(report: &Signal) -> String {
    let target = report
        .signal
        .get("aha_id")
        .or_else(|| report.signal.get("rec_id"));
    let target = target.and_then(Value::as_str).unwrap_or_default();
    format!("{}: {}\n", value_text(&report.signal, "kind"), safe(target))
}

fn used(report: &Use) -> String {
    let mut out = String::new();
    for signal in &report.signals_written {
        let id = signal.get("aha_id").or_else(|| signal.get("rec_id"));
        out.push_str(&format!(
            "used {}\n",
            safe(id.and_then(Value::as_str).unwrap_or_default())
        ));
    }
    for id in &report.already_recorded {
        out.push_str(&format!("used {} (already on record)\n", safe(id)));
    }
    for error in &report.errors {
        out.push_str(&format!("not used: {}\n", safe(&error.error)));
    }
    for invalid in &report.invalid_ids {
        out.push_str(&format!("not used: `{}`\n", safe(&invalid.id)));
    }
    out
}

fn edited(report: &Edited) -> String {
    let mut out = format!(
        "{}: version {} → {}; changed: {}\n",
        safe(&report.id),
        report.previous_rev,
        report.rev,
        safe(&report.changed_fields.join(", "))
    );
    notes(&mut out, &report.notes);
    out
}

fn history(report: &History, style: Style) -> String {
    let mut table = table(style, &["rev", "time", "status", "changed", "note"]);
    for version in &report.versions {
        table.add_row([
            version.rev.to_string(),
            safe(version.ts.as_deref().unwrap_or("unknown")),
            version.status.clone(),
            safe(&cut(&version.changed_fields.join(", "), 80)),
            safe(&cut(version.note.as_deref().unwrap_or_default(), 80)),
        ]);
    }
    format!("{}\n{}", safe(&report.id), finished(&table))
}

fn repair(report: &Repair) -> String {
    let mut out = String::new();
    let verb = if report.applied {
        "appended"
    } else {
        "would append"
    };
    for problem in &report.problems {
        out.push_str(&format!(
            "{} line {}: {} ({}) [{}]\n",
            problem.damage.file,
            problem.damage.line,
            problem.damage.problem,
            safe(&problem.damage.detail),
            problem.state
        ));
    }
    for update in report.planned.recovered.iter() {
        out.push_str(&format!(
            "{verb} {} on a line of its own\n",
            safe(value_text(update, "id"))
        ));
    }
    for update in report
        .planned
        .aha_updates
        .iter()
        .chain(&report.planned.rec_updates)
    {
        let Value::Object(map) = update else { continue };
        let fields: Vec<String> = map
            .iter()
            .filter(|(key, _)| *key != "id")
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
            .collect();
        out.push_str(&format!(
            "{verb} {}: {}\n",
            safe(value_text(update, "id")),
            safe(&fields.join(", "))
        ));
    }
    for odd in &report.oddities {
        out.push_str(&format!(
            "{}: {} `{}` is not known; {}\n",
            safe(value_text(odd, "id")),
            value_text(odd, "field"),
            safe(value_text(odd, "value")),
            safe(value_text(odd, "fix"))
        ));
    }
    if out.is_empty() {
        out.push_str("Nothing to repair.\n");
    } else if !report.applied {
        out.push_str(&format!("{}\n", report.note));
    }
    out
}

fn promote(report: &Promote) -> String {
    let mut out = format!(
        "{} copied to {}\n",
        count(report.promoted_count, "card"),
        safe(&report.to_global_store)
    );
    for id in &report.promoted_ids {
        out.push_str(&format!("- {}\n", safe(id)));
    }
    for skip in &report.skipped {
        out.push_str(&format!("not copied: {}\n", safe(value_text(skip, "why"))));
    }
    notes(&mut out, &report.notes);
    out
}

fn purge(report: &Purge) -> String {
    let verb = if report.applied {
        "removed"
    } else {
        "would remove"
    };
    let mut out = String::new();
    for line in &report.lines {
        let number = line
            .get("lines")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        let blanked = line
            .get("contexts")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        out.push_str(&format!(
            "{}: {verb} {number} line(s) of text",
            value_text(line, "file")
        ));
        if blanked > 0 {
            out.push_str(&format!(", {blanked} context(s)"));
        }
        out.push('\n');
    }
    if !report.elsewhere.is_empty() {
        out.push_str("The text may also stand in:\n");
        for place in &report.elsewhere {
            out.push_str(&format!(
                "- {}\n    {}\n",
                safe(value_text(place, "where")),
                safe(value_text(place, "fix"))
            ));
        }
    }
    if let Some(next) = &report.next {
        out.push_str(&format!("To carry it out: {}\n", safe(next)));
    }
    out
}

fn doctor(report: &Doctor) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        let id = finding.id.as_deref().or(finding.file).unwrap_or("store");
        let field = finding
            .field
            .as_deref()
            .map(|field| format!(" {field}"))
            .unwrap_or_default();
        let line = format!(
            "{}: {id}{field}: {} ({})",
            finding.severity, finding.message, finding.code
        );
        out.push_str(&format!("{}\n    {}\n", safe(&line), safe(&finding.fix)));
    }
    if report.findings.is_empty() {
        out.push_str("Nothing found.\n");
    }
    if !report.audited {
        out.push_str(
            "The records themselves were not judged; that is: self-learning doctor --audit\n",
        );
    }
    out
}

fn why_not(report: &WhyNot) -> String {
    let mut out = format!(
        "{} ({} store): {}\n",
        safe(&report.id),
        report.store,
        safe(&report.reason)
    );
    if let Some(confidence) = report.confidence {
        out.push_str(&format!("confidence {confidence:.2}"));
        if let Some(place) = report.place {
            out.push_str(&format!(
                ", place {place} among the cards that share a word"
            ));
        }
        out.push('\n');
    }
    if !report.missing_words.is_empty() {
        out.push_str(&format!(
            "words the card does not hold: {}\n",
            safe(&report.missing_words.join(", "))
        ));
    }
    if let Some(fix) = &report.fix {
        out.push_str(&format!("to change that: {}\n", safe(fix)));
    }
    out
}

fn eval(report: &Eval) -> String {
    let mut out = format!(
        "{}, {}\n",
        count(report.cards, "card"),
        count(report.questions, "question")
    );
    out.push_str(&figures("all", &report.metrics));
    for (name, metrics) in &report.by_category {
        out.push_str(&figures(name, metrics));
    }
    out
}

fn figures(name: &str, metrics: &Value) -> String {
    let mut line = format!("{:<16}", safe(&cut(name, 16)));
    for (key, label) in [
        ("success_at_1", "s@1"),
        ("success_at_5", "s@5"),
        ("mrr_at_10", "mrr"),
        ("ndcg_at_10", "ndcg"),
        ("recall_at_10", "r@10"),
        ("wrongly_refused", "refused"),
        ("wrongly_answered", "answered"),
    ] {
        let figure = |at: &str| {
            metrics
                .pointer(&format!("/{key}/{at}"))
                .and_then(Value::as_f64)
                .unwrap_or_default()
        };
        line.push_str(&format!(
            " {label} {:.3} [{:.3}, {:.3}]",
            figure("mean"),
            figure("ci95/0"),
            figure("ci95/1")
        ));
    }
    line + "\n"
}

fn exam(report: &Exam) -> String {
    let mut out = String::new();
    for failure in &report.failures {
        let place = failure.get("place").and_then(Value::as_u64);
        let place = place.map_or("not found".to_owned(), |place| format!("place {place}"));
        let question = value_text(failure, "question");
        out.push_str(&format!(
            "{}  {}: \"{}\" ({place})\n    {}\n",
            safe(value_text(failure, "id")),
            value_text(failure, "kind"),
            safe(question),
            safe(value_text(failure, "why"))
        ));
    }
    out.push_str(&format!(
        "{}, {} with questions, {} asked, {} failed\n",
        count(report.cards, "card"),
        report.cards_with_questions,
        count(report.questions, "question"),
        report.failures.len()
    ));
    out
}

fn tour(report: &Tour, style: Style) -> String {
    let (bold, dim, off) = if style.color {
        ("\u{1b}[1m", "\u{1b}[2m", "\u{1b}[0m")
    } else {
        ("", "", "")
    };
    let mut out = String::new();
    for (number, step) in report.steps.iter().enumerate() {
        let mark = if step.ok { "ok" } else { "FAILED" };
        out.push_str(&format!(
            "{bold}{}. {}{off}  [{mark}]\n",
            number + 1,
            step.title
        ));
        out.push_str(&format!("   $ {}\n", safe(&step.command)));
        for line in step.output.lines() {
            out.push_str(&format!("   {dim}|{off} {}\n", safe(line)));
        }
        out.push_str(&format!("   → {}\n", step.meaning));
        if let Some(problem) = &step.problem {
            out.push_str(&format!("   problem: {}\n", safe(problem)));
        }
        out.push('\n');
    }
    let failed = report.steps.iter().filter(|step| !step.ok).count();
    if failed == 0 {
        out.push_str(&format!(
            "All {} as they should be.\n",
            count(report.steps.len(), "step")
        ));
    } else {
        out.push_str(&format!("{} not as it should be.\n", count(failed, "step")));
    }
    if let Some(repository) = &report.repository {
        out.push_str(&format!("The repository is kept: {}\n", safe(repository)));
    }
    out
}
