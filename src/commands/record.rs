//! `record`: keep what was learned.

use std::collections::HashSet;
use std::io::Read;

use serde_json::{Map, Value};

use super::capture::{Decider, Decision};
use super::payload::{self, Item, Payload};
use super::{
    Done, Snapshot, card_fields, commit, global_store, init, place, project_store, read_input,
    unreadable,
};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::fold::{self, LogKind};
use crate::error::{Error, Result};
use crate::guard;
use crate::report::{self, Damage, ItemResult, Outcome, Report, UsageSignals};
use crate::store::{Logs, gitignore};

pub fn run(args: &cli::Record, ctx: &Ctx, stdin: &mut dyn Read) -> Result<Done> {
    let mut taken = Taken::default();
    match &args.jsonl {
        Some(name) if card_fields(&args.card).is_empty() => {
            take_lines(name, args, ctx, stdin, &mut taken)?;
        }
        _ => {
            let payload = input(args, ctx, stdin)?;
            take(payload, args, ctx, &mut taken)?;
        }
    }
    let nothing_taken = taken.written.is_empty() && taken.refused + taken.unknown_ids() > 0;
    let complaint = taken
        .complaint(nothing_taken)
        .or_else(|| unused(&taken.usage, nothing_taken));
    let report = report::Record {
        ok: !nothing_taken,
        place: place(ctx),
        written: taken.written,
        usage_signals: taken.usage,
        results: taken.results,
        results_left_out: taken.left_out,
        refused: taken.refused,
        redactions: taken.redactions,
        notes: taken.notes,
        diagnostics: taken.diagnostics,
    };
    Ok(Done {
        report: Report::Record(report),
        complaint,
    })
}

/// What became of the input so far.
#[derive(Default)]
struct Taken {
    written: Map<String, Value>,
    usage: UsageSignals,
    results: Vec<ItemResult>,
    /// Results that are counted only.
    left_out: usize,
    /// Items in all, and those among them that were refused.
    items: usize,
    refused: usize,
    /// The first of them.
    first_refused: Option<ItemResult>,
    redactions: Vec<Value>,
    notes: Vec<String>,
    diagnostics: Vec<Damage>,
}

/// Results that are listed; nobody reads more, and input by lines can be of any length.
const MOST_RESULTS: usize = 10_000;

impl Taken {
    fn unknown_ids(&self) -> usize {
        self.usage.errors.len() + self.usage.invalid_ids.len()
    }

    fn add(&mut self, decision: Decision) {
        self.items += decision.results.len();
        for item in decision.results {
            if item.outcome == Outcome::Refused {
                self.refused += 1;
                self.first_refused.get_or_insert_with(|| item.clone());
            }
            if self.results.len() < MOST_RESULTS {
                self.results.push(item);
            } else {
                self.left_out += 1;
            }
        }
        self.usage.written.extend(decision.usage.written);
        self.usage.invalid_ids.extend(decision.usage.invalid_ids);
        self.usage.errors.extend(decision.usage.errors);
        let room = MOST_RESULTS.saturating_sub(self.redactions.len());
        self.redactions
            .extend(decision.redactions.into_iter().take(room));
        let room = MOST_RESULTS.saturating_sub(self.notes.len());
        self.notes.extend(decision.notes.into_iter().take(room));
    }

    /// What stderr says of refused items; the exit status tells only when nothing at all was taken.
    fn complaint(&self, nothing_taken: bool) -> Option<Error> {
        let first = self.first_refused.as_ref()?;
        let refused = self.refused;
        let reason = first.why.clone().unwrap_or_default();
        let place = match first.line {
            Some(line) => format!("line {line}"),
            None => format!("{} {}", first.kind, first.index),
        };
        let message = if nothing_taken {
            format!("nothing was recorded; {place}: {reason}")
        } else {
            format!(
                "{refused} of {} items refused, the others are recorded; {place}: {reason}",
                self.items
            )
        };
        let mut error = Error::refused("items_refused", message);
        error.hint = Some(match &first.hint {
            Some(hint) => hint.clone(),
            None => "fix the refused items and record only them again".to_owned(),
        });
        if !nothing_taken {
            error.kind = crate::error::Kind::Failed;
            error.code = WARNING;
        }
        Some(error)
    }
}

/// Records a payload: decided on, appended and acknowledged as one.
///
/// # Errors
/// When the store cannot be read or written; then nothing of the payload is recorded.
fn take(payload: Payload, args: &cli::Record, ctx: &Ctx, taken: &mut Taken) -> Result<()> {
    let store = project_store(ctx);
    let by_lines = payload.by_lines;
    let first_write = !store.exists();
    let global_ids = if payload.used_cards.is_empty() {
        HashSet::new()
    } else {
        global_card_ids(ctx)
    };
    let options = guard::Options {
        strip_invisible: args.strip_invisible,
    };
    let decide = |snapshot: &Snapshot| {
        Decider::new(snapshot, ctx, options).decide(payload.clone(), &global_ids)
    };
    let mut snapshot = Snapshot::default();
    let in_vain = first_write
        .then(|| decide(&snapshot))
        .filter(|decision| decision.batch.is_empty());
    // What is refused as a whole makes no store.
    let (mut decision, locked) = match in_vain {
        Some(decision) => (decision, None),
        None => {
            let locked = store.lock(ctx.lock_wait)?;
            snapshot = Snapshot::open(ctx, &locked)?;
            (snapshot.settle(decide)?, Some(locked))
        }
    };
    let mut locked = locked.filter(|_| !decision.batch.is_empty());
    if let Some(locked) = &mut locked {
        let notes = commit(ctx, locked, &mut snapshot, &decision.batch)?;
        decision.notes.extend(notes);
    }
    // Still under the lock: two first writers must not both add the rule.
    if first_write && locked.is_some() {
        decision.notes.extend(init::place_notes(ctx));
        if ctx.in_git {
            match gitignore::protect(&ctx.repo_root) {
                Ok(true) => {
                    let note = "`.agent-skills/` was added to .gitignore".to_owned();
                    decision.notes.push(note);
                }
                Ok(false) => {}
                Err(error) => {
                    let note = format!(".gitignore was left alone: {}", error.message);
                    decision.notes.push(note);
                }
            }
        }
    }
    drop(locked);
    for (kind, key) in [
        (LogKind::Events, "events"),
        (LogKind::Cards, "aha_cards"),
        (LogKind::Recommendations, "recommendations"),
        (LogKind::Signals, "signals"),
    ] {
        let written_to = decision
            .batch
            .get(&kind)
            .is_some_and(|records| !records.is_empty());
        // A captured card is named by its log also when only a signal was written, as scripts expect;
        // `results` says what became of it.
        let captured =
            kind == LogKind::Cards && decision.results.iter().any(ItemResult::is_kept_card);
        if written_to || captured {
            let path = Value::from(store.log_path(kind).display().to_string());
            taken.written.insert(key.to_owned(), path);
        }
    }
    taken.add(decision);
    taken.diagnostics = snapshot.damage();
    if by_lines {
        snapshot.free();
    }
    Ok(())
}

/// Bytes of input by lines that are recorded at once. Each part is whole or not there, whatever happens to the next.
const PART: usize = 2 * 1024 * 1024;

/// Records input by lines, part by part, so that its length does not matter.
///
/// # Errors
/// When the input or the store cannot be read or written; it says which lines are recorded.
fn take_lines(
    name: &str,
    args: &cli::Record,
    ctx: &Ctx,
    stdin: &mut dyn Read,
    taken: &mut Taken,
) -> Result<()> {
    let mut lines = Lines::open(name, ctx, stdin)?;
    let mut progress = ctx.progress("recorded");
    let (mut first, mut counts) = (1, (0, 0));
    let mut blank = true;
    while let Some(bytes) = lines.part()? {
        let before = first;
        let recorded = |error: Error| lines_recorded(error, before);
        let text = payload::decode(&bytes).map_err(recorded)?;
        let mut part = payload::from_lines(&text, first);
        first += text.lines().count();
        blank &= text.trim().is_empty();
        // Positions count through the whole input.
        for (items, count) in [
            (&mut part.cards, &mut counts.0),
            (&mut part.recommendations, &mut counts.1),
        ] {
            items.iter_mut().for_each(|item| item.index += *count);
            *count += items.len();
        }
        if !part.is_empty() {
            take(part, args, ctx, taken).map_err(recorded)?;
        }
        progress.at(lines.done, lines.length);
    }
    if blank {
        return Err(no_input());
    }
    if taken.items + taken.unknown_ids() == 0 && taken.usage.written.is_empty() {
        return Err(
            Error::refused("nothing_to_record", "the input holds no lines to record")
                .hint("one card per line: {\"title\":\"…\",\"when_to_use\":\"…\"}"),
        );
    }
    Ok(())
}

/// An error in the middle of input by lines, with what is recorded of it.
fn lines_recorded(mut error: Error, first: usize) -> Error {
    if first > 1 {
        error.message = format!(
            "{}; the lines before line {first} are recorded",
            error.message
        );
        error.hint = Some(format!(
            "go on with: tail -n +{first} FILE | self-learning record --jsonl -"
        ));
    }
    error
}

/// Input by lines, in parts that end where a line does.
struct Lines<'a> {
    source: Box<dyn Read + 'a>,
    name: String,
    /// What was read behind the last whole line.
    rest: Vec<u8>,
    /// UTF-16 is not cut into parts.
    wide: Option<bool>,
    ended: bool,
    done: u64,
    /// 0 when it is not known.
    length: u64,
}

impl<'a> Lines<'a> {
    fn open(name: &str, ctx: &Ctx, stdin: &'a mut dyn Read) -> Result<Self> {
        let mut length = 0;
        let source: Box<dyn Read + 'a> = if name == "-" {
            Box::new(stdin)
        } else {
            let path = ctx.resolve(name);
            let file = std::fs::File::open(&path).map_err(|error| unreadable(&path, &error))?;
            length = file.metadata().map_or(0, |metadata| metadata.len());
            Box::new(file)
        };
        Ok(Lines {
            source,
            name: name.to_owned(),
            rest: Vec::new(),
            wide: None,
            ended: false,
            done: 0,
            length,
        })
    }

    /// The next part; `None` at the end.
    fn part(&mut self) -> Result<Option<Vec<u8>>> {
        let mut bytes = std::mem::take(&mut self.rest);
        let mut searched = 0;
        while !self.ended {
            let wide = self.wide == Some(true);
            if !wide && bytes.len() >= PART {
                if let Some(at) = memchr::memrchr(b'\n', &bytes[searched..]) {
                    self.rest = bytes.split_off(searched + at + 1);
                    break;
                }
                searched = bytes.len();
            }
            let before = bytes.len();
            let mut next = std::io::Read::by_ref(&mut self.source).take(PART as u64);
            let read = next.read_to_end(&mut bytes);
            read.map_err(|error| unreadable(std::path::Path::new(&self.name), &error))?;
            self.ended = bytes.len() == before;
            self.wide
                .get_or_insert(matches!(bytes[..], [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]));
        }
        self.done += bytes.len() as u64;
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}

/// What stderr says of used ids that name nothing.
fn unused(usage: &UsageSignals, nothing_taken: bool) -> Option<Error> {
    let unknown = usage
        .errors
        .first()
        .map(|missing| (missing.error.clone(), missing.nearest.first()));
    let invalid = || {
        usage
            .invalid_ids
            .first()
            .map(|invalid| (format!("`{}` is no id of this store", invalid.id), None))
    };
    let (message, near) = unknown.or_else(invalid)?;
    let error = Error::not_found(message);
    let mut error = match near {
        Some(id) => error.hint(format!("did you mean {id}? self-learning show {id}")),
        None => error.hint("self-learning list --limit 0 shows the ids"),
    };
    if !nothing_taken {
        error.code = WARNING;
    }
    Some(error)
}

/// The code of a complaint that does not make the run a failure.
pub const WARNING: &str = "warning";

fn input(args: &cli::Record, ctx: &Ctx, stdin: &mut dyn Read) -> Result<Payload> {
    let from_flags = card_fields(&args.card);
    if !from_flags.is_empty() {
        if args.json.is_some() || args.jsonl.is_some() {
            return Err(Error::usage(
                "a card from flags and a payload cannot be recorded together",
            )
            .hint("record the card first, then the payload"));
        }
        if !from_flags.contains_key("title") {
            return Err(Error::usage("a card from flags needs `--title`")
                .hint("self-learning record --title \"…\" --when \"…\" --step \"…\""));
        }
        return Ok(Payload {
            cards: vec![Item {
                index: 0,
                line: None,
                value: Ok(from_flags),
            }],
            ..Payload::default()
        });
    }
    let bytes = match args.json.as_deref() {
        None if ctx.stdin_terminal => Vec::new(),
        None => read_input("-", ctx, stdin)?,
        Some(name) => read_input(name, ctx, stdin)?,
    };
    let text = payload::decode(&bytes)?;
    if text.trim().is_empty() {
        return Err(no_input());
    }
    if let Some(excess) = guard::limits::check_payload(text.len()) {
        return Err(Error::refused("too_large", excess.message(""))
            .hint("record it in parts, or by lines: self-learning record --jsonl FILE"));
    }
    let mut notes = Vec::new();
    let value = payload::parse_json(&text, &mut notes)?;
    payload::from_value(value, notes)
}

fn no_input() -> Error {
    Error::refused(
        "no_input",
        "No input provided. Provide --json <file> or pipe JSON into stdin.",
    )
    .hint(
        "self-learning record --title \"…\" --when \"…\" --step \"…\" records one card from flags",
    )
}

/// Ids of the global store count as known; a store that cannot be read knows none.
fn global_card_ids(ctx: &Ctx) -> HashSet<String> {
    let bytes = global_store(ctx).read(LogKind::Cards).unwrap_or_default();
    let (log, _) = fold::fold(LogKind::Cards, &bytes);
    log.items.into_iter().map(|item| item.id).collect()
}
