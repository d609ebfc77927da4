//! One file per verb: load, decide (pure), commit, report. Adding a verb is one file here, one variant in
//! `report`, one arm in `render`.

pub mod backport;
pub mod backport_inspect;
mod board;
mod capture;
mod columns;
pub mod doctor;
pub mod edit;
pub mod evaluate;
pub mod export_backport;
mod gate;
pub mod history;
pub mod index;
pub mod init;
pub mod library;
pub mod list;
mod partial;
pub mod payload;
pub mod promote;
pub mod purge;
pub mod readiness;
pub mod recall;
pub mod record;
pub mod release;
pub mod repair;
pub mod revert_backport;
pub mod review;
pub mod schema;
mod search;
mod shelf;
pub mod show;
pub mod signal;
pub mod status;
mod survey;
pub mod tour;
pub mod why_not;

use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Write};
use std::mem::ManuallyDrop;

use serde_json::Value;

use crate::cli::{CardFields, Cli, Command, ScopeName};
use crate::ctx::Ctx;
use crate::domain::fold::{self, Diagnostic, Entry, Log, LogKind, Problem};
use crate::domain::ids::{self, Resolution};
use crate::domain::record::Record;
use crate::domain::score::Totals;
use crate::domain::tombstone;
use crate::error::{Error, Kind, Result};
use crate::render::index_md;
use crate::report::{Damage, Place, Report};
use crate::store::{Batch, Locked, Logs, Store};
use partial::Rest;

/// What a run came to: the report, and the exit status it means when that is not 0.
#[derive(Debug)]
pub struct Done {
    pub report: Report,
    /// Shown on stderr after the report.
    pub complaint: Option<Error>,
}

impl From<Report> for Done {
    fn from(report: Report) -> Done {
        Done {
            report,
            complaint: None,
        }
    }
}

/// Run one command. `stdin` is read only by commands that take input.
///
/// # Errors
/// Whatever keeps the command from doing what was asked.
pub fn run(cli: &Cli, ctx: &Ctx, stdin: &mut dyn Read) -> Result<Done> {
    match &cli.command {
        Command::Init(args) => init::run(args, ctx),
        Command::Record(args) => record::run(args, ctx, stdin),
        Command::List(args) => list::run(args, ctx, stdin),
        Command::WhyNot(args) => why_not::run(args, ctx, stdin),
        Command::Eval(args) => evaluate::run(args, ctx),
        Command::Exam(args) => evaluate::exam(args, ctx),
        Command::Show(args) => show::run(args, ctx),
        Command::Review(args) => review::run(args, ctx),
        Command::Edit(args) => edit::run(args, ctx, stdin),
        Command::History(args) => history::run(args, ctx),
        Command::Rollback(args) => history::rollback(args, ctx),
        Command::RecStatus(args) => status::recommendation(args, ctx),
        Command::AhaStatus(args) => status::card(args, ctx),
        Command::Use(args) => signal::use_items(args, ctx),
        Command::Signal(args) => signal::run(args, ctx),
        Command::Repair(args) => repair::run(args, ctx),
        Command::Promote(args) => promote::run(args, ctx),
        Command::ExportBackport(args) => export_backport::run(args, ctx, stdin),
        Command::BackportInspect(args) => backport_inspect::run(args, ctx),
        Command::Release(args) => release::run(args, ctx),
        Command::Purge(args) => purge::run(args, ctx, stdin),
        Command::Doctor(args) => doctor::run(args, ctx),
        Command::Schema(args) => schema::schema(args),
        Command::Completions(args) => Ok(schema::completions(args)),
        Command::Man => schema::man(),
        Command::Tour(args) => tour::run(args, ctx),
    }
}

/// The project's store.
pub fn project_store(ctx: &Ctx) -> Store {
    Store {
        dir: ctx.store.clone(),
        trusted_above: ctx.repo_root.clone(),
    }
}

/// The store shared by all repositories of this user.
pub fn global_store(ctx: &Ctx) -> Store {
    Store {
        dir: ctx.global_store.clone(),
        trusted_above: ctx.global_store.clone(),
    }
}

pub fn place(ctx: &Ctx) -> Place {
    Place {
        repo_root: ctx.repo_root.display().to_string(),
        user: ctx.user.clone(),
        project_store: ctx.store.display().to_string(),
    }
}

/// A store as one moment saw it.
///
/// The logs are not taken apart at the end: a run ends with the process, and freeing thousands of records
/// first would cost a fifth of it.
#[derive(Default)]
pub struct Snapshot {
    pub events: Vec<Entry>,
    pub cards: ManuallyDrop<Log>,
    pub recommendations: ManuallyDrop<Log>,
    /// The signals themselves; only a whole snapshot has them.
    pub signals: Vec<Entry>,
    pub totals: ManuallyDrop<Totals>,
    pub backports: Vec<Entry>,
    pub diagnostics: Vec<Diagnostic>,
    /// The purge key, and the digests of what was purged.
    purged: Option<(Vec<u8>, HashSet<String>)>,
    /// Records in each log, when only some are held.
    records: BTreeMap<LogKind, usize>,
    /// Where the others are.
    rest: Option<Box<Rest>>,
}

/// How much of the signals is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signals {
    /// Added up.
    Totals,
    /// Each of them too.
    Whole,
}

impl Snapshot {
    /// Read and fold a store, signals only added up; a missing store is empty. Commands that write pass
    /// the lock, so that what they decide on is what they append to.
    ///
    /// # Errors
    /// When something is in the way that is no file.
    pub fn load(store: &impl Logs) -> Result<Snapshot> {
        Snapshot::read(store, &LogKind::ALL, Signals::Totals)
    }

    /// The same with every signal.
    ///
    /// # Errors
    /// As [`Snapshot::load`].
    pub fn load_whole(store: &impl Logs) -> Result<Snapshot> {
        Snapshot::read(store, &LogKind::ALL, Signals::Whole)
    }

    /// Only the cards and what the signals say of them: all that finding cards needs.
    ///
    /// # Errors
    /// As [`Snapshot::load`].
    pub fn load_cards(store: &impl Logs) -> Result<Snapshot> {
        Snapshot::read(store, &[LogKind::Cards, LogKind::Signals], Signals::Totals)
    }

    fn read(store: &impl Logs, kinds: &[LogKind], signals: Signals) -> Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        let key = store.purge_key();
        let mut logs = Vec::new();
        for kind in kinds.iter().copied() {
            let bytes = store.read(kind)?;
            // Where text was purged, every line is looked at for it.
            if kind == LogKind::Signals && signals == Signals::Totals && key.is_none() {
                let (totals, diagnostics) = fold::signal_totals(&bytes);
                snapshot.totals = ManuallyDrop::new(totals);
                snapshot.diagnostics.extend(diagnostics);
                continue;
            }
            let (entries, diagnostics) = fold::entries(kind, &bytes, 1);
            snapshot.diagnostics.extend(diagnostics);
            logs.push((kind, entries));
        }
        if let Some(key) = &key {
            snapshot.leave_out_purged(key, &mut logs);
        }
        for (kind, entries) in logs {
            for entry in entries {
                snapshot.apply(kind, entry);
            }
        }
        Ok(snapshot)
    }

    fn leave_out_purged(&mut self, key: &[u8], logs: &mut [(LogKind, Vec<Entry>)]) {
        let all = logs.iter().flat_map(|(_, entries)| entries);
        let purged: HashSet<String> = all
            .filter_map(|entry| tombstone::digest_of(&entry.record))
            .map(str::to_owned)
            .collect();
        if purged.is_empty() {
            return;
        }
        for (kind, entries) in logs {
            entries.retain(|entry| {
                let back = purged.contains(&tombstone::digest(key, &entry.record));
                if back {
                    self.diagnostics.push(Diagnostic {
                        file: kind.file_name(),
                        line: entry.line,
                        problem: Problem::Purged,
                        detail: format!("purged text is back as `{}` and is left out", entry.id),
                        digest: String::new(),
                    });
                }
                !back
            });
        }
        self.purged = Some((key.to_owned(), purged));
    }

    /// Whether a record brings back text that was purged.
    pub fn is_purged(&self, record: &Record) -> bool {
        self.purged.as_ref().is_some_and(|(key, digests)| {
            tombstone::digest_of(record).is_none()
                && digests.contains(&tombstone::digest(key, record))
        })
    }

    fn apply(&mut self, kind: LogKind, entry: Entry) {
        match kind {
            LogKind::Events => self.events.push(entry),
            LogKind::Cards => self.cards.apply(entry.id, entry.record, entry.line),
            LogKind::Recommendations => {
                self.recommendations
                    .apply(entry.id, entry.record, entry.line)
            }
            LogKind::Signals => {
                self.totals.add_record(&entry.record);
                self.signals.push(entry);
            }
            LogKind::Backports => self.backports.push(entry),
        }
    }

    /// Take a batch in, as if it had been read.
    pub fn apply_batch(&mut self, batch: &Batch) {
        for (kind, records) in batch {
            for record in records {
                let entry = Entry {
                    line: 0,
                    id: record.id().unwrap_or_default(),
                    record: record.clone(),
                };
                self.apply(*kind, entry);
            }
        }
    }

    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    pub fn damage(&self) -> Vec<Damage> {
        self.diagnostics.iter().map(Damage::from).collect()
    }
}

/// Append a batch, past the last gate, and rebuild INDEX.md. The only caller of [`Locked::append`]. What is appended is
/// acknowledged even when what is derived from it, which can be made again, cannot be written: then a note says so.
///
/// # Errors
/// When the batch cannot be appended.
pub fn commit(
    ctx: &Ctx,
    locked: &mut Locked<'_>,
    snapshot: &mut Snapshot,
    batch: &Batch,
) -> Result<Vec<String>> {
    let (batch, mut notes) = snapshot.settle(|snapshot| gate::pass(ctx, snapshot, batch))?;
    let before = board::before(snapshot, &batch)?;
    let grown = locked.append(&batch)?;
    snapshot.apply_batch(&batch);
    let shown = if snapshot.rest.is_some() {
        before
            .and_then(|before| board::after(before, snapshot, ctx))
            .or_else(|| board::make(snapshot, ctx))
    } else {
        None
    };
    let (board, index) = match shown {
        Some((board, index)) => (Some(board), index),
        None if snapshot.rest.is_some() => (None, index::of(&Snapshot::load(locked)?, ctx)),
        None => (None, index::of(snapshot, ctx)),
    };
    if let Err(error) = locked.write_index(&index_md::render(&index)) {
        notes.push(format!("INDEX.md was not rebuilt: {}", error.message));
    }
    // The index is only a cache: without it, or with an older one, everything works.
    let _ = library::keep_up(ctx, locked, snapshot, board, &grown);
    Ok(notes)
}

/// The stored id that was meant, or an error with the nearest ones.
///
/// # Errors
/// When no id or more than one fits.
pub fn find_id<'a>(
    what: &str,
    prefix: &str,
    wanted: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Result<String> {
    if wanted.trim().is_empty() {
        return Err(Error::usage(format!("Provide --id {prefix}..."))
            .hint("self-learning list shows the ids"));
    }
    match ids::resolve(wanted, known) {
        Resolution::Found(id) => Ok(id),
        Resolution::Ambiguous(ids) => Err(Error::not_found(format!(
            "{what} id `{}` is the beginning of several: {}",
            wanted.trim(),
            ids.join(", ")
        ))
        .hint("give more of the id")
        .details(serde_json::json!({ "nearest": ids }))),
        Resolution::Unknown(nearest) => {
            let error = Error::not_found(format!(
                "{what} id not found in project store: {}",
                wanted.trim()
            ));
            let error = match nearest.first() {
                Some(id) => error.hint(format!("did you mean {id}? self-learning show {id}")),
                None => error.hint("self-learning list --limit 0 shows the ids"),
            };
            Err(error.details(serde_json::json!({ "nearest": nearest })))
        }
    }
}

/// The stored id that was meant, or an error with the nearest ones; whole ids are found without looking at the others.
///
/// # Errors
/// As [`find_id`].
pub fn find_item(what: &str, prefix: &str, wanted: &str, log: &Log) -> Result<String> {
    let id = wanted.trim();
    if !id.is_empty() && log.get(id).is_some() {
        return Ok(id.to_owned());
    }
    find_id(what, prefix, wanted, log.ids())
}

/// Refuse an id that names nothing in a store that is not there yet, without making the store.
///
/// # Errors
/// As [`find_id`].
pub fn refuse_missing(store: &Store, what: &str, prefix: &str, wanted: &str) -> Result<()> {
    if store.exists() {
        return Ok(());
    }
    let nothing = Snapshot::load(store)?;
    find_id(what, prefix, wanted, nothing.cards.ids()).map(|_| ())
}

/// Refuse to go on from what was purged: a new version would bring back an item without its text.
///
/// # Errors
/// When the record is what a purge left.
pub fn refuse_purged(id: &str, record: &Record) -> Result<()> {
    if tombstone::digest_of(record).is_none() {
        return Ok(());
    }
    Err(Error::refused("purged", format!("{id} was purged; nothing of it is left"))
        .hint("record the learning again, without the text that had to go: self-learning record --title \"…\""))
}

/// A signal record in the v1 field order.
pub fn signal_record(
    ctx: &Ctx,
    kind: &str,
    target: Target<'_>,
    source: &str,
    context: Option<&str>,
) -> Record {
    let mut record = Record(serde_json::Map::new())
        .with("ts", ctx.now.to_text())
        .with("kind", kind)
        .with("source", source);
    record = match target {
        Target::Card(id) => record.with("aha_id", id),
        Target::Recommendation(id) => record.with("rec_id", id),
    };
    if let Some(context) = context.filter(|context| !context.is_empty()) {
        record = record.with("context", context);
    }
    let id = ids::signal_id(&record.0);
    record.with("id", id)
}

/// What a signal is about.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    Card(&'a str),
    Recommendation(&'a str),
}

pub fn scope_text(scope: ScopeName) -> &'static str {
    match scope {
        ScopeName::Portable => "portable",
        ScopeName::Project => "project",
    }
}

/// The card fields given as flags, under their stored names.
pub fn card_fields(fields: &CardFields) -> serde_json::Map<String, Value> {
    let mut map = serde_json::Map::new();
    let mut text = |key: &str, value: &Option<String>| {
        if let Some(value) = value {
            map.insert(key.to_owned(), Value::from(value.clone()));
        }
    };
    text("title", &fields.title);
    text("when_to_use", &fields.when_to_use);
    text("problem", &fields.problem);
    text("primary_skill", &fields.skill);
    for (key, items) in [
        ("solution_steps", &fields.steps),
        ("evidence", &fields.evidence),
        ("tags", &fields.tags),
    ] {
        if !items.is_empty() {
            map.insert(key.to_owned(), Value::from(items.clone()));
        }
    }
    if let Some(scope) = fields.scope {
        map.insert("scope".to_owned(), Value::from(scope_text(scope)));
    }
    if let Some(shareable) = fields.shareable {
        map.insert("shareable".to_owned(), Value::from(shareable));
    }
    map
}

/// Text out of a file, or standard input for `-`.
///
/// # Errors
/// When it cannot be read.
pub fn read_input(name: &str, ctx: &Ctx, stdin: &mut dyn Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if name == "-" {
        stdin
            .read_to_end(&mut bytes)
            .map_err(|error| Error::io("read", std::path::Path::new("standard input"), &error))?;
        return Ok(bytes);
    }
    let path = ctx.resolve(name);
    std::fs::read(&path).map_err(|error| unreadable(&path, &error))
}

/// Input that cannot be read.
pub fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Error {
    Error::new(
        Kind::Failed,
        "cannot_read_input",
        format!("cannot read `{}`: {error}", path.display()),
    )
    .hint("give an existing file, or `-` for standard input")
}

/// Ask on the terminal and read one line; only for runs whose standard input is one.
///
/// # Errors
/// When the answer cannot be read.
pub fn ask(stdin: &mut dyn Read, question: &str) -> Result<String> {
    let failed =
        |error: std::io::Error| Error::io("read", std::path::Path::new("standard input"), &error);
    // The question cannot wait for the report: it comes before it.
    std::io::stderr()
        .write_all(question.as_bytes())
        .map_err(failed)?;
    let mut answer = Vec::new();
    let mut byte = [0_u8; 1];
    while stdin.read(&mut byte).map_err(failed)? == 1 && byte[0] != b'\n' {
        answer.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&answer).trim().to_owned())
}
