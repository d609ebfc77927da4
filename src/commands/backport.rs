//! What the two verbs about skills share: opening a skill, the cards, the gate's surroundings, approval,
//! and finishing interrupted writes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Snapshot, Target as SignalTarget, commit, signal_record};
use crate::backport::bundle::{self, Approval};
use crate::backport::gate::{DIRECTIVE, Finding, Trust, Verdict};
use crate::backport::plan::{Card, Refusal};
use crate::backport::{Change, REFERENCE_PATH, SKILL_PATH, Target};
use crate::ctx::Ctx;
use crate::domain::card;
use crate::domain::fold::LogKind;
use crate::domain::normal::CardStatus;
use crate::domain::record::Record;
use crate::domain::score::Counts;
use crate::error::{Error, Kind, Result};
use crate::guard;
use crate::store::folder::{Disk, Folder};
use crate::store::transaction::{self, FileChange, Outcome};
use crate::store::{Batch, Locked};

/// A skill's folder, held open, and what it is called.
#[derive(Debug)]
pub struct Skill {
    pub folder: Folder,
    pub name: String,
    /// Relative to the checkout, with `/`.
    pub path: String,
}

impl Skill {
    /// Open the folder that `--skill-path` names.
    ///
    /// # Errors
    /// When it holds no SKILL.md, lies outside the repository, or cannot be named in a patch.
    pub fn open(given: &str, allow_outside: bool, ctx: &Ctx) -> Result<Skill> {
        let path = ctx.resolve(given);
        if given.trim().is_empty() || path.join(SKILL_PATH).symlink_metadata().is_err() {
            return Err(Error::new(
                Kind::NotFound,
                "no_skill",
                format!(
                    "skill-path must point to a skill directory containing SKILL.md: {}",
                    path.display()
                ),
            )
            .hint("find . -name SKILL.md"));
        }
        let root = if path.starts_with(&ctx.work_root) {
            &ctx.work_root
        } else {
            &ctx.repo_root
        };
        let folder = Folder::open(&path, root, allow_outside)?;
        let name = text_of(
            folder
                .path
                .file_name()
                .map(Path::new)
                .unwrap_or(Path::new("skill")),
        )?;
        let root = fs::canonicalize(root).unwrap_or_else(|_| root.clone());
        let path = match folder.path.strip_prefix(&root) {
            Ok(below) => text_of(below)?.replace(std::path::MAIN_SEPARATOR, "/"),
            Err(_) => name.clone(),
        };
        Ok(Skill { folder, name, path })
    }

    /// The files as they are now.
    ///
    /// # Errors
    /// When one is a link, no plain file, or unreadable.
    pub fn read(&self) -> Result<Target> {
        let read = |path: &str| {
            self.folder.read(path).map_err(|error| {
                let whole = self.folder.path.join(path);
                if error.kind() == std::io::ErrorKind::Other {
                    return Error::refused(
                        "not_a_plain_file",
                        format!("`{}` is not written to: {error}", whole.display()),
                    )
                    .hint(format!(
                        "replace it by a plain file: ls -l '{}'",
                        whole.display()
                    ));
                }
                Error::io("read", &whole, &error)
            })
        };
        let skill =
            read(SKILL_PATH)?.ok_or_else(|| Error::not_found(format!("{SKILL_PATH} is gone")))?;
        Ok(Target {
            name: self.name.clone(),
            path: self.path.clone(),
            skill: skill.bytes,
            reference: read(REFERENCE_PATH)?.map(|contents| contents.bytes),
        })
    }

    /// Whether the folder of the reference file is there.
    pub fn has_references(&self) -> bool {
        self.folder
            .path
            .join("references")
            .symlink_metadata()
            .is_ok()
    }

    /// The path to type, relative to the checkout when it is inside.
    pub fn typed(&self) -> String {
        if self.path.is_empty() {
            ".".to_owned()
        } else {
            self.path.clone()
        }
    }
}

fn text_of(path: &Path) -> Result<String> {
    let text = path
        .to_str()
        .filter(|text| !text.chars().any(char::is_control));
    text.map(str::to_owned).ok_or_else(|| {
        Error::refused(
            "bad_name",
            format!("the path `{}` cannot be named in a patch", path.display()),
        )
        .hint("rename the folder")
    })
}

/// All cards of a store with their versions, by id.
pub fn cards(snapshot: &Snapshot) -> BTreeMap<String, Card> {
    let mut cards: BTreeMap<String, Card> = BTreeMap::new();
    for item in &snapshot.cards.items {
        let card = Card {
            id: item.id.clone(),
            current: item.record.clone(),
            versions: Vec::new(),
            trust: trust(snapshot.totals().card(&item.id)),
        };
        cards.insert(item.id.clone(), card);
    }
    for line in snapshot.cards.lines() {
        if let Some(card) = cards.get_mut(line.id) {
            card.versions.push(line.record.clone());
        }
    }
    cards
}

/// What people said of a card's text.
fn trust(counts: &Counts) -> Trust {
    if counts.quarantined {
        Trust::Quarantined
    } else if counts.released {
        Trust::Released
    } else {
        Trust::default()
    }
}

/// Names that mean nothing outside this repository.
pub fn repository_names(ctx: &Ctx) -> Vec<String> {
    let folder = |path: &PathBuf| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let mut names: Vec<String> = [folder(&ctx.repo_root), folder(&ctx.work_root)]
        .into_iter()
        .flatten()
        .collect();
    let config = fs::read_to_string(ctx.repo_root.join(".git").join("config")).unwrap_or_default();
    for line in config.lines() {
        let Some((key, url)) = line.split_once('=') else {
            continue;
        };
        if key.trim() == "url" {
            let last = url
                .trim()
                .trim_end_matches('/')
                .rsplit(['/', ':'])
                .next()
                .unwrap_or_default();
            names.push(last.trim_end_matches(".git").to_owned());
        }
    }
    crate::domain::normal::unique(names.into_iter())
}

/// What the guard says of a rendered text.
pub fn findings(text: &str) -> Vec<Finding> {
    let mut text = text.to_owned();
    let verdict = guard::admit_text(&mut text, "the rendered card", guard::Options::default());
    let mut found: Vec<Finding> = Vec::new();
    let mut add = |class: &str, message: String| {
        found.push(Finding {
            class: class.to_owned(),
            message,
        });
    };
    for refusal in &verdict.refusals {
        add(refusal.code, refusal.message.clone());
    }
    for redaction in &verdict.redactions {
        add(
            "secret",
            format!(
                "{} at byte {} of the rendered card",
                redaction.class, redaction.offset
            ),
        );
    }
    if verdict.is_quarantined() {
        add(
            DIRECTIVE,
            format!(
                "its text commands the reader (score {})",
                verdict.directive.score
            ),
        );
    }
    found
}

/// A refusal of the plan, in words.
pub fn refusal(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Gate(verdicts) => gate(&verdicts),
        Refusal::Conflicts(conflicts) => {
            let lines: Vec<&str> = conflicts.iter().map(|conflict| conflict.message.as_str()).collect();
            let details: Vec<Value> = conflicts
                .iter()
                .map(|conflict| {
                    json!({"code": conflict.code, "file": conflict.file, "line": conflict.line, "id": conflict.id,
                        "message": conflict.message, "fix": conflict.fix})
                })
                .collect();
            let fix = conflicts.first().map(|conflict| conflict.fix.clone()).unwrap_or_default();
            Error::refused("conflict", lines.join("\n")).hint(fix).details(json!({ "conflicts": details }))
        }
        Refusal::Budget { limit, tokens } => Error::refused(
            "budget",
            format!(
                "the change adds about {} tokens ({} every time, {} on demand); {limit} are allowed",
                tokens.added(),
                tokens.always_on.added(),
                tokens.on_demand.added()
            ),
        )
        .hint(format!("choose fewer cards, shorten them, or allow more: --max-tokens {}", tokens.added()))
        .details(json!({ "tokens": bundle::tokens(tokens) })),
        Refusal::Encoding(path) => Error::refused("encoding", format!("{path} is no UTF-8 or single-byte text"))
            .hint(format!("convert it first: iconv -f UTF-16 -t UTF-8 {path}")),
        Refusal::Name(path) => Error::refused("bad_name", format!("the path `{path}` cannot be named in a patch"))
            .hint("rename the folder"),
        Refusal::Unsound(message) => {
            Error::new(Kind::Failed, "unsound_plan", format!("the plan failed its own check, nothing is written: {message}"))
                .hint("please report this with the SKILL.md it happened on")
        }
    }
}

fn gate(verdicts: &[Verdict]) -> Error {
    let stopped: Vec<&Verdict> = verdicts
        .iter()
        .filter(|verdict| !verdict.passes())
        .collect();
    let mut lines = Vec::new();
    for reason in stopped.iter().flat_map(|verdict| &verdict.reasons) {
        lines.push(format!("{}\n  fix: {}", reason.message, reason.fix));
    }
    let details: Vec<Value> = stopped
        .iter()
        .map(|verdict| {
            json!({"id": verdict.id, "title": verdict.title,
                "reasons": verdict.reasons.iter().map(bundle::reason).collect::<Vec<_>>()})
        })
        .collect();
    let first = stopped.first().and_then(|verdict| verdict.reasons.first());
    let fix = first.map(|reason| reason.fix.clone()).unwrap_or_default();
    Error::refused("gate", lines.join("\n"))
        .hint(fix)
        .details(json!({ "cards": details }))
}

/// How the person's word was given, or has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// By naming the plan.
    Plan(String),
    /// At this terminal, now.
    Ask,
    /// By a script of theirs.
    Yes,
    /// Not yet, and not here.
    Missing,
}

/// Which way is open. Under an agent only a named plan is: whoever types there may be the agent.
pub fn consent(plan: Option<&str>, yes: bool, ctx: &Ctx) -> Consent {
    match plan {
        Some(plan) => Consent::Plan(plan.trim().to_lowercase()),
        None if !ctx.agent.is_empty() => Consent::Missing,
        None if yes => Consent::Yes,
        None if ctx.stdin_terminal && ctx.stderr_terminal => Consent::Ask,
        None => Consent::Missing,
    }
}

/// The record of who agreed and how.
pub fn approval(consent: &Consent, ctx: &Ctx) -> Approval {
    Approval {
        by: ctx.user.clone(),
        how: match consent {
            Consent::Plan(_) => "plan",
            Consent::Ask => "terminal",
            Consent::Yes | Consent::Missing => "yes",
        },
        terminal: ctx.stdin_terminal && ctx.stderr_terminal,
        agent_environment: ctx.agent.clone(),
    }
}

/// The refusal to write without a person's word, with the command for the person.
pub fn approval_needed(command: &str, sha256: &str, ctx: &Ctx) -> Error {
    let why = if ctx.agent.is_empty() {
        "there is no terminal to ask at".to_owned()
    } else {
        format!("this runs under an agent ({})", ctx.agent.join(", "))
    };
    Error::refused(
        "approval_needed",
        format!("a person has to approve this plan first, and {why}; the plan is {sha256}"),
    )
    .hint(format!(
        "show the person the diff; to write exactly this plan they run: {command}"
    ))
    .details(json!({ "plan_sha256": sha256, "command": command }))
}

/// The refusal to write a plan that is no longer what was approved.
pub fn plan_changed(message: impl Into<String>, replan: &str) -> Error {
    Error::new(Kind::Check, "plan_changed", message).hint(format!("look at the new plan: {replan}"))
}

/// Ask at the terminal.
///
/// # Errors
/// When the terminal fails, or the answer is no.
pub fn ask(text: &str, ctx: &Ctx, stdin: &mut dyn Read) -> Result<()> {
    let agreed = ctx
        .ask(text, "Write this to the skill?", stdin)
        .map_err(|error| Error::io("ask at", Path::new("the terminal"), &error))?;
    if agreed {
        return Ok(());
    }
    Err(Error::refused("declined", "not written: the answer was no")
        .hint("self-learning edit --id ID … changes a card first"))
}

/// What is appended to the store once the skill is written.
#[derive(Debug, Clone)]
pub struct Aftermath {
    pub line: Record,
    pub signals: Vec<Record>,
    /// Cards and their new status.
    pub statuses: Vec<(String, String)>,
}

impl Aftermath {
    /// As it stands in the journal of the write.
    pub fn payload(&self) -> String {
        json!({
            "line": self.line.to_line(),
            "signals": self.signals.iter().map(Record::to_line).collect::<Vec<_>>(),
            "statuses": self.statuses,
        })
        .to_string()
    }

    fn parse(payload: &str) -> Option<Aftermath> {
        let value: Value = serde_json::from_str(payload).ok()?;
        let signals = value["signals"]
            .as_array()?
            .iter()
            .map(|line| bundle::parse_line(line.as_str()?));
        Some(Aftermath {
            line: bundle::parse_line(value["line"].as_str()?)?,
            signals: signals.collect::<Option<_>>()?,
            statuses: serde_json::from_value(value["statuses"].clone()).ok()?,
        })
    }

    /// The lines to append. Statuses go onto the versions of now, so an edit made in between stays.
    pub fn batch(&self, snapshot: &Snapshot, ctx: &Ctx) -> Batch {
        let cards = self.statuses.iter().filter_map(|(id, status)| {
            let item = snapshot.cards.get(id)?;
            let same = item.record.text("status") == Some(status.as_str());
            (!same).then(|| {
                item.record
                    .clone()
                    .with("status", status.clone())
                    .with("ts", ctx.now.to_text())
            })
        });
        Batch::from([
            (LogKind::Cards, cards.collect()),
            (LogKind::Signals, self.signals.clone()),
            (LogKind::Backports, vec![self.line.clone()]),
        ])
    }

    fn is_logged(&self, snapshot: &Snapshot) -> bool {
        let key = |record: &Record| -> Vec<Option<String>> {
            ["backport_id", "plan_sha256", "reverts", "ts"]
                .map(|field| record.text(field).map(str::to_owned))
                .to_vec()
        };
        let wanted = key(&self.line);
        snapshot
            .backports
            .iter()
            .any(|entry| entry.record.flag("applied") && key(&entry.record) == wanted)
    }
}

/// One signal per card that came into a skill.
pub fn signals(ctx: &Ctx, added: &[String], backport_id: &str, skill: &str) -> Vec<Record> {
    let context = format!("backport_id={backport_id}; target_skill={skill}");
    added
        .iter()
        .map(|id| {
            signal_record(
                ctx,
                "aha_backported",
                SignalTarget::Card(id),
                "agent",
                Some(&context),
            )
        })
        .collect()
}

/// The status a card had before it went into a skill.
pub fn earlier_status(card: &Card) -> String {
    let before = card
        .versions
        .iter()
        .rev()
        .map(card::status)
        .find(|status| *status != CardStatus::Backported);
    before
        .map_or("accepted", |status| match status {
            CardStatus::Accepted => "accepted",
            CardStatus::Rejected => "rejected",
            CardStatus::Deprecated => "deprecated",
            _ => "proposed",
        })
        .to_owned()
}

/// Finish or take back what an interrupted run has left in the skill; says so in notes.
///
/// # Errors
/// When it can be neither.
pub fn recover(
    skill: &Skill,
    locked: &mut Locked<'_>,
    snapshot: &mut Snapshot,
    ctx: &Ctx,
) -> Result<Vec<String>> {
    let recovery =
        transaction::recover(&skill.folder).map_err(|failure| write_failure(failure, skill, ""))?;
    let files = recovery.files.join(", ");
    let mut notes = Vec::new();
    for path in &recovery.left_alone {
        notes.push(format!(
            "{path} was changed by somebody after an interrupted write and is left as it is"
        ));
    }
    match recovery.outcome {
        Outcome::Finished => {
            let logged = recovery.payload.as_deref().and_then(Aftermath::parse);
            if let Some(record) = logged.filter(|record| !record.is_logged(snapshot)) {
                let batch = record.batch(snapshot, ctx);
                notes.extend(commit(ctx, locked, snapshot, &batch)?);
            }
            transaction::finish(&skill.folder)
                .map_err(|failure| write_failure(failure, skill, ""))?;
            notes.push(format!("an interrupted write was finished: {files}"));
        }
        Outcome::Undone => notes.push(format!("an interrupted write was taken back: {files}")),
        Outcome::Nothing if recovery.swept > 0 => {
            notes.push(format!(
                "{} of an interrupted write removed; the skill was not touched",
                crate::render::words::count(recovery.swept, "temporary file")
            ));
        }
        Outcome::Nothing => {}
    }
    Ok(notes)
}

/// What is to be written, and what follows from it.
pub struct Intent<'a> {
    pub changes: &'a [Change],
    /// Folders that go when they are empty afterwards.
    pub removable: &'a [&'a str],
    pub aftermath: &'a Aftermath,
    /// The command that plans anew, for when something is in the way.
    pub replan: &'a str,
}

/// Write the changes, log them, and let go of the journal.
///
/// # Errors
/// When the skill cannot be written (it is as before then), or the log cannot (the next run logs it).
pub fn write(
    skill: &Skill,
    intent: &Intent<'_>,
    locked: &mut Locked<'_>,
    snapshot: &mut Snapshot,
    ctx: &Ctx,
) -> Result<Vec<String>> {
    let changes: Vec<FileChange> = intent
        .changes
        .iter()
        .map(|change| FileChange {
            path: change.path.to_owned(),
            old: change.old.clone(),
            new: change.new.clone(),
        })
        .collect();
    transaction::write(
        &skill.folder,
        &changes,
        intent.removable,
        &intent.aftermath.payload(),
    )
    .map_err(|failure| write_failure(failure, skill, intent.replan))?;
    let batch = intent.aftermath.batch(snapshot, ctx);
    let notes = commit(ctx, locked, snapshot, &batch)?;
    transaction::finish(&skill.folder)
        .map_err(|failure| write_failure(failure, skill, intent.replan))?;
    Ok(notes)
}

fn write_failure(failure: transaction::Failure, skill: &Skill, replan: &str) -> Error {
    let whole = |path: &str| skill.folder.path.join(path);
    match failure {
        transaction::Failure::Changed(path) => plan_changed(
            format!("{path} has changed since the plan was made; nothing is written"),
            replan,
        ),
        transaction::Failure::ReadOnly(path) => Error::new(
            Kind::Unavailable,
            "read_only",
            format!(
                "`{}` is read-only; nothing is written",
                whole(&path).display()
            ),
        )
        .hint(format!("chmod u+w '{}'", whole(&path).display())),
        transaction::Failure::Journal(path) => Error::refused(
            "foreign_journal",
            format!(
                "`{}` is no journal this program can follow",
                whole(&path).display()
            ),
        )
        .hint(format!(
            "look at it, and remove it: rm '{}'",
            whole(&path).display()
        )),
        transaction::Failure::Io {
            action,
            path,
            error,
            undone,
        } => {
            let mut out = Error::io(action, &whole(&path), &error);
            out.message.push_str(if undone {
                "; the skill is as before"
            } else {
                "; the next run takes the rest back"
            });
            out
        }
    }
}
