//! `doctor`: the store's health, and with `--audit` what it holds that today's rules would not let in.

use serde_json::{Map, Value};

use super::gate::guard_kind;
use super::{Done, Snapshot, library, place, project_store};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::card;
use crate::domain::fold::LogKind;
use crate::domain::normal::Scope;
use crate::domain::record::Record;
use crate::domain::tombstone;
use crate::error::{Error, Kind, Result};
use crate::guard;
use crate::report::{self, Finding, Report};
use crate::store::{gitignore, paths, present};

pub fn run(args: &cli::Doctor, ctx: &Ctx) -> Result<Done> {
    let store = project_store(ctx);
    let snapshot = Snapshot::load_whole(&store)?;
    let mut findings = health(ctx, &snapshot);
    if args.audit {
        audit(&snapshot, &mut findings);
    }
    let mut counts = Map::new();
    for (name, number) in [
        ("events", snapshot.events.len()),
        ("aha_cards", snapshot.cards.items.len()),
        ("aha_card_lines", snapshot.cards.records),
        ("recommendations", snapshot.recommendations.items.len()),
        ("signals", snapshot.signals.len()),
        ("backports", snapshot.backports.len()),
        ("unreadable_lines", snapshot.diagnostics.len()),
    ] {
        counts.insert(name.to_owned(), Value::from(number));
    }
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == "error")
        .count();
    let complaint = (errors > 0).then(|| {
        Error::new(
            Kind::Check,
            "findings",
            format!("{errors} finding(s) need a look"),
        )
        .hint("each finding names the command that fixes it")
    });
    Ok(Done {
        report: Report::Doctor(report::Doctor {
            ok: errors == 0,
            place: place(ctx),
            audited: args.audit,
            counts,
            findings,
        }),
        complaint,
    })
}

fn finding(code: &'static str, severity: &'static str, message: String, fix: String) -> Finding {
    Finding {
        code,
        severity,
        file: None,
        id: None,
        field: None,
        message,
        fix,
    }
}

/// The store as files.
fn health(ctx: &Ctx, snapshot: &Snapshot) -> Vec<Finding> {
    let store = project_store(ctx);
    let mut out = Vec::new();
    if !store.exists() {
        out.push(finding(
            "no_store",
            "note",
            format!("there is no store yet at {}", store.dir.display()),
            "self-learning init, or just record".to_owned(),
        ));
        return out;
    }
    for name in LogKind::ALL.map(LogKind::file_name) {
        if let Err(error) = paths::refuse_links(&store.trusted_above, &store.dir.join(name)) {
            out.push(finding(
                "symlink",
                "error",
                error.message,
                error.hint.unwrap_or_default(),
            ));
        }
    }
    for path in [store.dir.clone()]
        .into_iter()
        .chain(LogKind::ALL.map(|kind| store.log_path(kind)))
    {
        if paths::is_world_writable(&path) {
            out.push(finding(
                "world_writable",
                "error",
                format!("everybody on this machine can write to {}", path.display()),
                format!("chmod o-w '{}'", path.display()),
            ));
        }
    }
    if ctx.in_git {
        let rules = gitignore::rules(&ctx.repo_root).unwrap_or_default();
        if !gitignore::ignores_store(&rules) {
            out.push(finding(
                "not_ignored",
                "note",
                "git does not ignore the store".to_owned(),
                "self-learning init, unless you mean to share it".to_owned(),
            ));
        }
    }
    if !present(&store.index_path()) {
        out.push(finding(
            "no_index",
            "note",
            "INDEX.md is missing; it is rebuilt at the next write".to_owned(),
            "self-learning init rebuilds it".to_owned(),
        ));
    }
    if let Some((code, message)) = library::trouble(ctx, &store) {
        let cache = store.dir.join(".cache");
        out.push(finding(
            code,
            "note",
            message,
            match code {
                "index_off" => "unset SELF_LEARNING_INDEX".to_owned(),
                "index_unfit" => format!("rm -r '{}'; it is made again", cache.display()),
                _ => "nothing to do".to_owned(),
            },
        ));
    }
    for note in super::init::place_notes(ctx) {
        out.push(finding(
            "place",
            "note",
            note,
            "set USER or SELF_LEARNING_USER".to_owned(),
        ));
    }
    for found in &snapshot.diagnostics {
        out.push(Finding {
            file: Some(found.file),
            ..finding(
                found.problem.code(),
                "error",
                format!("line {}: {}", found.line, found.detail),
                "self-learning repair".to_owned(),
            )
        });
    }
    out
}

/// Every stored record judged by today's rules; ids, fields and classes only.
fn audit(snapshot: &Snapshot, out: &mut Vec<Finding>) {
    let totals = snapshot.totals();
    for item in &snapshot.cards.items {
        let counts = totals.card(&item.id);
        let watched = counts.quarantined || counts.released;
        judge(LogKind::Cards, &item.id, &item.record, watched, out);
        if card::scope(&item.record) == Scope::Portable {
            for field in home_paths(&item.record) {
                out.push(Finding {
                    file: Some(LogKind::Cards.file_name()),
                    id: Some(item.id.clone()),
                    field: Some(field),
                    ..finding(
                        "home_path",
                        "error",
                        "a portable card holds a path into somebody's home folder".to_owned(),
                        format!(
                            "self-learning edit --id {} --scope project, or take the path out",
                            item.id
                        ),
                    )
                });
            }
        }
    }
    // Older versions of a card hold text as well.
    for old in snapshot.cards.lines() {
        let current = snapshot
            .cards
            .get(old.id)
            .is_some_and(|item| item.line == old.line);
        if !current {
            judge(LogKind::Cards, old.id, old.record, true, out);
        }
    }
    for item in &snapshot.recommendations.items {
        let counts = totals.card(&item.id);
        let watched = counts.quarantined || counts.released;
        judge(
            LogKind::Recommendations,
            &item.id,
            &item.record,
            watched,
            out,
        );
    }
    for (kind, entries) in [
        (LogKind::Events, &snapshot.events),
        (LogKind::Signals, &snapshot.signals),
        (LogKind::Backports, &snapshot.backports),
    ] {
        for entry in entries {
            judge(kind, &entry.id, &entry.record, true, out);
        }
    }
    for signal in &snapshot.signals {
        let known =
            |key: &str, ids: &dyn Fn(&str) -> bool| signal.record.filled(key).is_none_or(ids);
        let fine = known("aha_id", &|id| snapshot.cards.get(id).is_some())
            && known("rec_id", &|id| snapshot.recommendations.get(id).is_some());
        if !fine {
            out.push(Finding {
                file: Some(LogKind::Signals.file_name()),
                id: Some(signal.id.clone()),
                ..finding(
                    "orphan",
                    "note",
                    "the signal is about an item this store does not hold".to_owned(),
                    "nothing to do; it counts for nobody".to_owned(),
                )
            });
        }
    }
    for id in snapshot.cards.ids().chain(snapshot.recommendations.ids()) {
        if id.contains([',', '`']) || id.contains(char::is_whitespace) {
            out.push(Finding {
                id: Some(guard::markdown::terminal(id).into_owned()),
                ..finding(
                    "unreachable_id",
                    "error",
                    "the id cannot be typed in a list of ids".to_owned(),
                    "record the item again without an id".to_owned(),
                )
            });
        }
    }
}

fn judge(kind: LogKind, id: &str, record: &Record, watched: bool, out: &mut Vec<Finding>) {
    if tombstone::digest_of(record).is_some() {
        return;
    }
    let verdict = guard::audit(&record.0, guard_kind(kind));
    let here = |field: &str, rest: Finding| Finding {
        file: Some(kind.file_name()),
        id: Some(guard::markdown::terminal(id).into_owned()),
        field: Some(field.to_owned()).filter(|field| !field.is_empty()),
        ..rest
    };
    let mut push = |found: Finding| {
        if !out.contains(&found) {
            out.push(found);
        }
    };
    for found in &verdict.redactions {
        let fix = format!(
            "self-learning purge --id {id} --reason \"holds a secret\"; and rotate the secret"
        );
        push(here(
            &found.path,
            finding(
                "secret",
                "error",
                format!("a secret of the class {}", found.class),
                fix,
            ),
        ));
    }
    for refusal in &verdict.refusals {
        let fix = match kind {
            LogKind::Cards => format!("self-learning edit --id {id} with the text written anew"),
            _ => format!("self-learning purge --id {id} --reason \"…\""),
        };
        push(here(
            &refusal.path,
            finding(refusal.code, "error", refusal.message.clone(), fix),
        ));
    }
    if verdict.is_quarantined() && !watched {
        let classes: Vec<&str> = verdict
            .directive
            .reasons
            .iter()
            .map(|reason| reason.class)
            .collect();
        let fix = match kind {
            LogKind::Cards => {
                format!("read it, then: self-learning aha-status --id {id} --status rejected")
            }
            _ => format!("read it: self-learning show {id}"),
        };
        push(here(
            "",
            finding(
                "directive",
                "error",
                format!("the text commands its reader: {}", classes.join(", ")),
                fix,
            ),
        ));
    }
}

/// Fields that hold a path into a home folder.
fn home_paths(record: &Record) -> Vec<String> {
    card::TEXT_FIELDS
        .into_iter()
        .filter(|field| record.list(field).iter().any(|text| holds_home_path(text)))
        .map(str::to_owned)
        .collect()
}

/// `/home/x`, `/Users/x`, `C:\Users\x`: a folder of one person.
fn holds_home_path(text: &str) -> bool {
    ["/home/", "/Users/", "\\Users\\"].iter().any(|root| {
        text.match_indices(root).any(|(at, _)| {
            let name: String = text[at + root.len()..]
                .chars()
                .take_while(|character| {
                    character.is_alphanumeric() || matches!(character, '_' | '-' | '.')
                })
                .collect();
            let placeholder = matches!(
                name.to_lowercase().as_str(),
                "" | "user" | "you" | "me" | "runner" | "username"
            );
            let before = text[..at].chars().next_back();
            let starts = before.is_none_or(|before| {
                !before.is_alphanumeric() || root.starts_with('\\') || before == ':'
            });
            starts && !placeholder
        })
    })
}
