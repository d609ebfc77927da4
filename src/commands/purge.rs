//! `purge`: remove the text of an item for good. The one verb that rewrites logs.

use std::collections::BTreeSet;
use std::io::Read;
use std::time::Duration;

use serde_json::{Value, json};

use super::status::admitted_note;
use super::{Done, Snapshot, commit, find_id, global_store, place, project_store};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::card::readable_text;
use crate::domain::fold::{self, LogKind};
use crate::domain::record::Record;
use crate::domain::tombstone::{self, PURGED_TEXT};
use crate::error::{Error, Kind, Result};
use crate::guard;
use crate::report::{self, Report};
use crate::store::{Batch, Locked, Logs, Store, index};

pub fn run(args: &cli::Purge, ctx: &Ctx, stdin: &mut dyn Read) -> Result<Done> {
    let Some(reason) = admitted_note(Some(&args.reason))? else {
        return Err(Error::usage("`--reason` is empty").hint("say why, without the text itself"));
    };
    let store = project_store(ctx);
    let id = find(&Snapshot::load_whole(&store)?, &args.id)?;
    let logs = read_logs(&store)?;
    let plan = plan_hash(&id, &reason, &logs);
    let preview = Rewrite::of(
        &id,
        &reason,
        &ctx.now.to_text(),
        &[0; tombstone::KEY_BYTES],
        &logs,
    );
    let mut elsewhere = elsewhere(&id, &preview.texts, &store, ctx);
    elsewhere.extend(quoted(&id, &preview.texts, &logs));
    let command = format!(
        "self-learning purge --id {id} --reason \"{}\" --yes --plan {plan}",
        reason.replace('"', "\\\"")
    );
    let mut report = report::Purge {
        ok: true,
        place: place(ctx),
        id: id.clone(),
        applied: false,
        plan: plan.clone(),
        lines: preview.counts(),
        elsewhere,
        next: Some(command.clone()),
    };
    if !approved(args, ctx, stdin, &id, &plan, &command)? {
        return Ok(Report::Purge(report).into());
    }
    let mut locked = store.lock(ctx.lock_wait)?;
    let logs = read_logs(&store)?;
    if plan_hash(&id, &reason, &logs) != plan {
        return Err(changed_since(&command));
    }
    let key = locked.ensure_purge_key()?;
    index::build::remove(&store, ctx.lock_wait)?;
    let rewrite = Rewrite::of(&id, &reason, &ctx.now.to_text(), &key, &logs);
    for ((kind, old), new) in logs.iter().zip(&rewrite.new_logs) {
        if let Some(new) = &new.bytes {
            locked.rewrite(*kind, old, new)?;
        }
    }
    let mut snapshot = Snapshot::load(&store)?;
    commit(ctx, &mut locked, &mut snapshot, &Batch::new())?;
    report.applied = true;
    report.next = None;
    report.lines = rewrite.counts();
    Ok(Report::Purge(report).into())
}

/// Whether a person, or a plan that a person has seen, says so.
fn approved(
    args: &cli::Purge,
    ctx: &Ctx,
    stdin: &mut dyn Read,
    id: &str,
    plan: &str,
    command: &str,
) -> Result<bool> {
    if let Some(given) = &args.plan {
        if given.trim() != plan {
            return Err(changed_since(command));
        }
        return Ok(args.yes);
    }
    if !(ctx.stdin_terminal && ctx.stderr_terminal) {
        return Ok(false);
    }
    super::ask(
        stdin,
        &format!("This removes every version of {id} for good. Type the id to go on: "),
    )
    .map(|answer| answer == id)
}

fn changed_since(command: &str) -> Error {
    Error::new(
        Kind::Check,
        "plan_changed",
        "the store has changed since the plan was made; nothing was removed",
    )
    .hint(format!("look again, then: {command}"))
}

fn find(snapshot: &Snapshot, wanted: &str) -> Result<String> {
    let lines = snapshot
        .events
        .iter()
        .chain(&snapshot.signals)
        .map(|entry| entry.id.as_str());
    let known: Vec<&str> = snapshot
        .cards
        .ids()
        .chain(snapshot.recommendations.ids())
        .chain(lines)
        .collect();
    find_id("Item", "", wanted, known.into_iter())
}

fn read_logs(store: &Store) -> Result<Vec<(LogKind, Vec<u8>)>> {
    LogKind::ALL
        .into_iter()
        .map(|kind| Ok((kind, store.read(kind)?)))
        .collect()
}

/// SHA-256 over the id, the reason and every log, as hex.
fn plan_hash(id: &str, reason: &str, logs: &[(LogKind, Vec<u8>)]) -> String {
    let mut hash = hmac_sha256::Hash::new();
    for part in [id.as_bytes(), reason.as_bytes()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    for (_, bytes) in logs {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Turn lines that bring purged text back into tombstones again. Returns how many there were.
///
/// # Errors
/// When a log cannot be read or replaced.
pub fn scrub(locked: &mut Locked<'_>, now: &str) -> Result<usize> {
    let Some(key) = locked.store.purge_key() else {
        return Ok(0);
    };
    index::build::remove(locked.store, Duration::from_secs(5))?;
    let logs = read_logs(locked.store)?;
    let mut digests = BTreeSet::new();
    for (kind, bytes) in &logs {
        let (entries, _) = fold::entries(*kind, bytes, 1);
        let known = entries
            .iter()
            .filter_map(|entry| tombstone::digest_of(&entry.record));
        digests.extend(known.map(str::to_owned));
    }
    // No id is empty, so only the digests decide.
    let rewrite = Rewrite::matching(
        "",
        digests,
        BTreeSet::new(),
        "purged before",
        now,
        &key,
        &logs,
    );
    for ((kind, old), new) in logs.iter().zip(&rewrite.new_logs) {
        if let Some(new) = &new.bytes {
            locked.rewrite(*kind, old, new)?;
        }
    }
    Ok(rewrite.new_logs.iter().map(|log| log.lines).sum())
}

/// The logs without the text. Lines that do not hold it keep every byte.
struct Rewrite {
    new_logs: Vec<NewLog>,
    /// The text that goes, to look for it elsewhere.
    texts: BTreeSet<String>,
}

struct NewLog {
    kind: LogKind,
    /// `None` when the log stays as it is.
    bytes: Option<Vec<u8>>,
    lines: usize,
    contexts: usize,
}

impl Rewrite {
    fn of(id: &str, reason: &str, now: &str, key: &[u8], logs: &[(LogKind, Vec<u8>)]) -> Rewrite {
        let mut digests: BTreeSet<String> = BTreeSet::new();
        let mut texts: BTreeSet<String> = BTreeSet::new();
        for (kind, bytes) in logs {
            let (entries, _) = fold::entries(*kind, bytes, 1);
            for entry in entries.iter().filter(|entry| entry.id == id) {
                digests.insert(tombstone::digest(key, &entry.record));
                texts.extend(pieces(&entry.record));
            }
        }
        Rewrite::matching(id, digests, texts, reason, now, key, logs)
    }

    fn matching(
        id: &str,
        digests: BTreeSet<String>,
        texts: BTreeSet<String>,
        reason: &str,
        now: &str,
        key: &[u8],
        logs: &[(LogKind, Vec<u8>)],
    ) -> Rewrite {
        let gone = |record: &Record, known_id: &str| {
            known_id == id || digests.contains(&tombstone::digest(key, record))
        };
        let new_logs = logs
            .iter()
            .map(|(kind, bytes)| {
                let mut log = NewLog {
                    kind: *kind,
                    bytes: None,
                    lines: 0,
                    contexts: 0,
                };
                let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
                for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                    match rewritten(
                        *kind,
                        line,
                        id,
                        &texts,
                        &gone,
                        &mut log,
                        |record, record_id| {
                            let digest = tombstone::digest(key, record);
                            let mut stone =
                                tombstone::tombstone(record, record_id, &digest, reason, now);
                            // Another writer's skill or time may hold the secret as well.
                            let options = guard::Options {
                                strip_invisible: true,
                            };
                            guard::admit(&mut stone.0, guard::Kind::Card, options);
                            stone
                        },
                    ) {
                        Some(new) => out.extend(new),
                        None => out.extend(line),
                    }
                }
                if log.lines + log.contexts > 0 {
                    log.bytes = Some(out);
                }
                log
            })
            .collect();
        Rewrite { new_logs, texts }
    }

    fn counts(&self) -> Vec<Value> {
        self.new_logs
            .iter()
            .filter(|log| log.bytes.is_some())
            .map(|log| json!({ "file": log.kind.file_name(), "lines": log.lines, "contexts": log.contexts }))
            .collect()
    }
}

/// Whether a text that cannot be taken apart speaks of the item.
fn speaks_of(text: &str, id: &str, pieces: &BTreeSet<String>) -> bool {
    let letters = bare_line(text);
    text.contains(id) || pieces.iter().any(|piece| letters.contains(piece.as_str()))
}

/// Pieces of text long enough to be recognised, in the form of [`bare`]: of each line all of it, cut into parts, so that a
/// line torn anywhere still holds one.
fn pieces(record: &Record) -> Vec<String> {
    const PART: usize = 24;
    const LEAST: usize = 8;
    let mut found = Vec::new();
    for line in readable_text(record).lines() {
        let letters: Vec<char> = bare(line).chars().collect();
        let parts = letters
            .chunks(PART)
            .filter(|part| part.len() == PART || (letters.len() < PART && part.len() >= LEAST));
        found.extend(parts.map(|part| part.iter().collect::<String>()));
        // A secret need not fill a part of its own: words that mix letters and digits are looked for alone.
        let words = line.split_whitespace().map(bare).filter(|word| {
            word.chars().count() >= LEAST
                && word.contains(|letter: char| letter.is_ascii_digit())
                && word.contains(char::is_alphabetic)
        });
        found.extend(words);
    }
    found
}

/// Letters and digits of a text, folded: what stays the same however a line was escaped, split or damaged.
fn bare(text: &str) -> String {
    let key = guard::comparison_key(text);
    key.chars()
        .filter(|letter| letter.is_alphanumeric())
        .collect()
}

/// The same for a line of JSON that cannot be parsed: its escapes are read first.
fn bare_line(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(letter) = rest.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match rest.next() {
            Some('u') => {
                let digits: String = rest.clone().take(4).collect();
                let unit = u32::from_str_radix(&digits, 16)
                    .ok()
                    .and_then(char::from_u32);
                match unit {
                    Some(unit) if digits.len() == 4 => {
                        text.push(unit);
                        rest.nth(3);
                    }
                    _ => text.push(' '),
                }
            }
            _ => text.push(' '),
        }
    }
    bare(&text)
}

/// The new bytes of one line, or `None` when it stays.
fn rewritten(
    kind: LogKind,
    line: &[u8],
    id: &str,
    texts: &BTreeSet<String>,
    gone: &dyn Fn(&Record, &str) -> bool,
    log: &mut NewLog,
    stone: impl Fn(&Record, &str) -> Record,
) -> Option<Vec<u8>> {
    let (entries, diagnostics) = fold::entries(kind, line, 1);
    if entries.is_empty() {
        if diagnostics.is_empty()
            || id.is_empty()
            || !speaks_of(&String::from_utf8_lossy(line), id, texts)
        {
            return None;
        }
        // A damaged line cannot be taken apart; a blank one is skipped by every reader.
        log.lines += 1;
        return Some(b"\n".to_vec());
    }
    let mut changed = false;
    let mut out = String::new();
    for entry in &entries {
        let about = |key: &str| entry.record.text(key) == Some(id);
        let record = if tombstone::digest_of(&entry.record).is_some() {
            entry.record.clone()
        } else if gone(&entry.record, &entry.id) {
            changed = true;
            log.lines += 1;
            stone(&entry.record, &entry.id)
        } else if kind == LogKind::Signals
            && (about("aha_id") || about("rec_id"))
            && entry
                .record
                .filled("context")
                .is_some_and(|context| context != PURGED_TEXT)
        {
            changed = true;
            log.contexts += 1;
            entry.record.clone().with("context", PURGED_TEXT)
        } else if kind == LogKind::Backports && holds_replaced_text(&entry.record, texts) {
            changed = true;
            log.contexts += 1;
            without_replaced_text(&entry.record)
        } else {
            entry.record.clone()
        };
        out.push_str(&record.to_line());
        out.push('\n');
    }
    changed.then(|| out.into_bytes())
}

/// Other items of this store that quote the text: each is purged or edited by itself.
fn quoted(id: &str, texts: &BTreeSet<String>, logs: &[(LogKind, Vec<u8>)]) -> Vec<Value> {
    let mut ids = BTreeSet::new();
    for (kind, bytes) in logs {
        let (entries, _) = fold::entries(*kind, bytes, 1);
        for entry in entries {
            let about = ["aha_id", "rec_id"].map(|key| entry.record.text(key));
            let own = entry.id == id || about.contains(&Some(id));
            let text = bare(&readable_text(&entry.record));
            if !own && texts.iter().any(|piece| text.contains(piece.as_str())) {
                ids.insert(entry.id);
            }
        }
    }
    ids.into_iter()
        .map(|other| {
            json!({
                "where": format!("{other}, which says some of it too"),
                "fix": format!("self-learning show {other}; then: self-learning purge --id {other} --reason \"…\""),
            })
        })
        .collect()
}

/// Whether a backport line keeps text that the backport replaced, and it is the text that goes.
fn holds_replaced_text(record: &Record, texts: &BTreeSet<String>) -> bool {
    ["undo", "blocks"]
        .into_iter()
        .filter_map(|field| record.0.get(field))
        .any(|value| holds(value, texts))
}

/// Whether a value keeps bytes that cannot be looked into, or text that holds one of the pieces.
fn holds(value: &Value, texts: &BTreeSet<String>) -> bool {
    match value {
        Value::String(text) => {
            let letters = bare(text);
            texts.iter().any(|piece| letters.contains(piece.as_str()))
        }
        Value::Array(items) => items.iter().any(|item| holds(item, texts)),
        Value::Object(map) => {
            map.contains_key("was_hex") || map.values().any(|item| holds(item, texts))
        }
        _ => false,
    }
}

/// The line without what it would need to put replaced text back: such a backport can still be taken
/// out, but not to the former byte.
fn without_replaced_text(record: &Record) -> Record {
    let mut out = record.clone();
    out.0.shift_remove("undo");
    if let Some(Value::Array(blocks)) = out.0.get_mut("blocks") {
        for block in blocks.iter_mut().filter_map(Value::as_object_mut) {
            block.shift_remove("was");
        }
    }
    out
}

/// Where else the text may stand, and the command for it.
fn elsewhere(id: &str, texts: &BTreeSet<String>, store: &Store, ctx: &Ctx) -> Vec<Value> {
    let mut found = Vec::new();
    let bundles = std::fs::read_dir(store.bundles_path())
        .into_iter()
        .flatten()
        .flatten();
    let mut folders: Vec<_> = bundles.map(|entry| entry.path()).collect();
    folders.sort();
    for folder in folders {
        let reference = folder.join("references/self-learning-aha.md");
        let text = std::fs::read_to_string(reference).unwrap_or_default();
        if speaks_of(&text, id, texts) {
            found.push(json!({
                "where": format!("the export bundle {}", folder.display()),
                "fix": format!("rm -r '{}'", folder.display()),
            }));
        }
    }
    let global = global_store(ctx).read(LogKind::Cards).unwrap_or_default();
    if fold::fold(LogKind::Cards, &global).0.get(id).is_some() {
        found.push(json!({
            "where": format!("the global store {}", ctx.global_store.display()),
            "fix": format!("delete the lines with {id} from {}", ctx.global_store.join("aha_cards.jsonl").display()),
        }));
    }
    if ctx.in_git {
        found.push(json!({
            "where": "the git history, if the store was ever committed",
            "fix": format!("git log --oneline -S '{id}' -- .agent-skills; then rotate the secret and rewrite the history, e.g. with git filter-repo"),
        }));
    }
    found.push(json!({
        "where": "skills the card was exported to",
        "fix": "self-learning list --history shows where; then: self-learning backport-inspect --skill-path DIR",
    }));
    found
}
