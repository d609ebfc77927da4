//! The command line. The doc comments are the help text.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Memory for coding agents: recall before work, record after it, review, graduate.
#[derive(Debug, Parser)]
#[command(
    name = "self-learning",
    version,
    infer_long_args = true,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "Examples:
  self-learning list --query \"jira pagination\"     what was learned about this?
  self-learning record < learnings.json            keep what this task taught
  self-learning review                             what is open, proven, ready to graduate
  self-learning tour                               see the whole loop in a throw-away repository

Exit status: 0 done, 1 failed, 2 usage, 3 input refused, 4 not found, 5 a check found something,
6 store busy or read-only."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Json,
    Table,
    Markdown,
}

/// How `review` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReviewFormat {
    Summary,
    Json,
    Table,
    Markdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScopeName {
    Portable,
    Project,
}

#[derive(Debug, Clone, Args)]
pub struct Output {
    /// Print as json, table or markdown (default: table on a terminal, else json)
    #[arg(long, value_enum)]
    pub format: Option<Format>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create the store and keep it out of git
    Init(Init),
    /// Keep what was learned: cards, recommendations, an event, used ids
    Record(Record),
    /// Find cards: newest last, or the best match first with --query
    List(List),
    /// Say what kept a card out of the answers to a question
    WhyNot(WhyNot),
    /// Print items whole: cards, recommendations, events, signals, backports
    Show(Show),
    /// See what is open, proven, and ready to graduate
    Review(Review),
    /// Correct or generalise a card; appends a version
    Edit(Edit),
    /// Show the versions of a card or recommendation
    History(History),
    /// Bring an earlier version back; appends it as the newest
    Rollback(Rollback),
    /// Set the status of a recommendation
    RecStatus(RecStatus),
    /// Set the status of a card
    AhaStatus(AhaStatus),
    /// Say that cards or recommendations were used
    Use(Use),
    /// Append one signal
    Signal(Signal),
    /// Report what the reader skipped or guessed, and append fixes
    Repair(Repair),
    /// Copy cards to the global store
    Promote(Promote),
    /// Let a quarantined card back into recall
    Release(Release),
    /// Remove the text of an item from the store for good
    Purge(Purge),
    /// Check the store's health; with --audit also what it holds
    Doctor(Doctor),
    /// Graduate cards into a skill as a reviewable diff
    ExportBackport(ExportBackport),
    /// Check what was graduated into a skill
    BackportInspect(BackportInspect),
    /// Ask the cards' own questions and report the cards they do not find
    Exam(Exam),
    /// Measure recall on a set of cards and questions
    Eval(Eval),
    /// Print the JSON Schema of what goes in or comes out
    Schema(Schema),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Print the manual page
    Man,
    /// Walk through the whole loop in a throw-away repository
    Tour(Tour),
}

/// Create the store and keep it out of git
///
/// Makes the project store of the current user below the repository root, and adds `.agent-skills/`
/// to `.gitignore` unless its rules already ignore it. Running it again changes nothing.
#[derive(Debug, Args)]
pub struct Init {
    /// Leave .gitignore alone
    #[arg(long)]
    pub no_gitignore: bool,
    #[command(flatten)]
    pub output: Output,
}

/// Keep what was learned: cards, recommendations, an event, used ids
///
/// Reads one JSON object from standard input or `--json`, or builds one card from flags. Prints the ids
/// and, per item, whether it was created, merged into a known card, counted as a reinforcement, or
/// refused and why. `self-learning schema record` prints the shape.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  self-learning record --title \"Quote country codes\" --when \"NO parsed as false\" --step \"Quote it\"
  echo '{\"aha_cards\":[{\"title\":\"Quote it\",\"when_to_use\":\"NO is false\"}]}' | self-learning record
  self-learning record --json learnings.json
  self-learning record --jsonl - < cards.jsonl")]
pub struct Record {
    /// File with the payload; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub json: Option<String>,
    /// File with one card, or one payload, per line; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub jsonl: Option<String>,
    #[command(flatten)]
    pub card: CardFields,
    /// Remove hidden characters instead of refusing the item
    #[arg(long)]
    pub strip_invisible: bool,
    #[command(flatten)]
    pub output: Output,
}

/// The fields of one card as flags.
#[derive(Debug, Clone, Default, Args)]
pub struct CardFields {
    /// The learning in one line
    #[arg(long)]
    pub title: Option<String>,
    /// The situation in which it helps
    #[arg(long = "when", value_name = "WHEN")]
    pub when_to_use: Option<String>,
    /// What went wrong, and why
    #[arg(long)]
    pub problem: Option<String>,
    /// A step of the solution; repeatable
    #[arg(long = "step", value_name = "STEP")]
    pub steps: Vec<String>,
    /// What shows that it holds; repeatable
    #[arg(long, value_name = "EVIDENCE")]
    pub evidence: Vec<String>,
    /// A tag; repeatable
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// The skill it belongs to
    #[arg(long)]
    pub skill: Option<String>,
    /// Where it holds
    #[arg(long, value_enum)]
    pub scope: Option<ScopeName>,
    /// Others may see it
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub shareable: Option<bool>,
}

/// Which cards.
#[derive(Debug, Clone, Default, Args)]
pub struct Filters {
    /// Only cards of this skill
    #[arg(long)]
    pub skill: Option<String>,
    /// Only cards with this tag
    #[arg(long)]
    pub tag: Option<String>,
    /// Only cards with one of these statuses, e.g. proposed,accepted
    #[arg(long, value_name = "LIST")]
    pub status: Option<String>,
    /// Only cards of this scope
    #[arg(long, value_enum)]
    pub scope: Option<ScopeName>,
    /// Only cards written or used since this time, e.g. 2026-01-31
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
}

/// What is asked.
#[derive(Debug, Clone, Default, Args)]
pub struct Question {
    /// Words to look for, in any order; repeat for other phrasings
    #[arg(long)]
    pub query: Vec<String>,
    /// Output of a failing command to look for; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub error: Option<String>,
    /// Files at hand, comma-separated
    #[arg(long, value_name = "PATHS")]
    pub files: Vec<String>,
    /// Words that a card must hold; repeatable
    #[arg(long, value_name = "WORDS")]
    pub must: Vec<String>,
    /// Words that a card must not hold; repeatable
    #[arg(long, value_name = "WORDS")]
    pub not: Vec<String>,
    /// Confidence, 0 to 1, below which nothing is answered; 0 shows whatever shares a word
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub min_confidence: Option<f64>,
}

/// Find cards: newest last, or the best match first with --query
///
/// Shows the current version of each card. A question is asked of the project's store and then of the
/// global one; when no card is about it, nothing is shown. Rejected, deprecated, superseded and
/// quarantined cards are left out unless `--all` asks for them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  self-learning list --query \"paginate jira search\" --limit 5
  self-learning list --query \"rate limit\" --query \"HTTP 429\" --skill jira-client
  cargo test 2>&1 | self-learning list --error -
  self-learning list --files .github/workflows/test.yml
  self-learning list --all --limit 0 --format json")]
pub struct List {
    #[command(flatten)]
    pub filters: Filters,
    #[command(flatten)]
    pub question: Question,
    /// How many cards at most; 0 for all
    #[arg(long, default_value = "20", value_parser = integer, allow_hyphen_values = true)]
    pub limit: i64,
    /// Rejected, deprecated, superseded and quarantined cards too
    #[arg(long)]
    pub all: bool,
    /// Every stored version, oldest first
    #[arg(long)]
    pub history: bool,
    /// Say what each score is made of
    #[arg(long)]
    pub explain: bool,
    /// The global store only
    #[arg(long, conflicts_with = "project")]
    pub global: bool,
    /// The project's store only
    #[arg(long)]
    pub project: bool,
    #[command(flatten)]
    pub output: Output,
}

/// Say what kept a card out of the answers to a question
#[derive(Debug, Args)]
#[command(after_help = "Example:
  self-learning why-not aha_a12a6597c099 --query \"artifact missing\"")]
pub struct WhyNot {
    /// The card
    #[arg(value_name = "ID")]
    pub id: String,
    #[command(flatten)]
    pub question: Question,
    #[command(flatten)]
    pub filters: Filters,
    #[command(flatten)]
    pub output: Output,
}

/// Measure recall on a set of cards and questions
///
/// Prints success@1, success@5, MRR@10, nDCG@10 and recall@10 of the order, without the floor below which
/// nothing is answered; MRR@10 with it; and how often it refuses or answers wrongly. Each with a 95 %
/// bootstrap interval, for all questions and by category.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  self-learning eval --cards cards.jsonl --queries queries.jsonl")]
pub struct Eval {
    /// Cards, one JSON object per line
    #[arg(long, value_name = "FILE")]
    pub cards: String,
    /// Questions, one per line: objects with id, text, relevant (ids) and category
    #[arg(long, value_name = "FILE")]
    pub queries: String,
    /// Print the ids of each question, ranked and answered, one JSON object per line, instead of the figures
    #[arg(long)]
    pub ranked: bool,
    #[command(flatten)]
    pub output: Output,
}

/// Ask the cards' own questions and report the cards they do not find
///
/// A card may carry `asks`, one to three questions it must answer, and `not_for`, questions it must not
/// come first for. Exits with 5 when one fails.
#[derive(Debug, Args)]
pub struct Exam {
    /// The global store instead of the project's
    #[arg(long)]
    pub global: bool,
    #[command(flatten)]
    pub output: Output,
}

/// Print items whole: cards, recommendations, events, signals, backports
///
/// An unambiguous beginning of an id is enough.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  self-learning show aha_a12a6597c099
  self-learning show a12a rec_32ea --format json")]
pub struct Show {
    /// Ids, or the beginnings of ids
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
    #[command(flatten)]
    pub output: Output,
}

/// See what is open, proven, and ready to graduate
///
/// Lists the learnings themselves, the open and stale recommendations, and the cards that are ready to
/// be exported into a skill.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  self-learning review
  self-learning review --skill github-actions --days 30
  self-learning review --format json --status proposed,accepted")]
pub struct Review {
    /// Print a summary, json, a table or markdown (default: summary)
    #[arg(long, value_enum)]
    pub format: Option<ReviewFormat>,
    /// Only items of this skill
    #[arg(long)]
    pub skill: Option<String>,
    /// Only items of this scope
    #[arg(long, value_enum)]
    pub scope: Option<ScopeName>,
    /// Only items whose text holds this
    #[arg(long)]
    pub query: Option<String>,
    /// Only recommendations with one of these statuses, e.g. proposed,accepted
    #[arg(long, value_name = "LIST")]
    pub status: Option<String>,
    /// Only items touched since this time, e.g. 2026-01-31 or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only items touched in the last days
    #[arg(long, value_parser = integer, allow_hyphen_values = true)]
    pub days: Option<i64>,
    /// Days without a touch after which an open recommendation is stale
    #[arg(long, default_value = "7", value_parser = integer, allow_hyphen_values = true)]
    pub stale_days: i64,
    /// List the cards that are kept out of recall, and why
    #[arg(long)]
    pub quarantine: bool,
    /// List what is nearly ready to graduate, and what it lacks
    #[arg(long)]
    pub portable: bool,
    /// Count the cards of the global store too
    #[arg(long)]
    pub include_global: bool,
    /// Score from which a card is ready to graduate
    #[arg(long, default_value = "4", value_parser = integer, allow_hyphen_values = true)]
    pub min_aha_score: i64,
    /// How many graduation candidates at most
    #[arg(long, default_value = "10", value_parser = integer, allow_hyphen_values = true)]
    pub backport_limit: i64,
    /// How many cards by score at most
    #[arg(long, default_value = "10", value_parser = integer, allow_hyphen_values = true)]
    pub top_aha_limit: i64,
    /// How many next actions at most
    #[arg(long, default_value = "10", value_parser = integer, allow_hyphen_values = true)]
    pub next_actions_limit: i64,
    /// How many recommendations per list at most
    #[arg(long, default_value = "10", value_parser = integer, allow_hyphen_values = true)]
    pub recs_limit: i64,
}

/// Correct or generalise a card; appends a version
///
/// Only the named fields change; everything else, unknown fields included, stays as it is. List flags
/// replace the list (`--step`) or add to it (`--add-step`).
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  self-learning edit --id aha_a12a6597c099 --scope portable --shareable
  self-learning edit --id aha_a12a6597c099 --add-step \"Check the exit status\" --if-rev 2
  echo '{\"problem\": \"The old text was wrong\"}' | self-learning edit --id aha_a12a6597c099 --from -")]
pub struct Edit {
    /// The card
    #[arg(long)]
    pub id: String,
    #[command(flatten)]
    pub card: CardFields,
    /// A step to add; repeatable
    #[arg(long, value_name = "STEP")]
    pub add_step: Vec<String>,
    /// Evidence to add; repeatable
    #[arg(long, value_name = "EVIDENCE")]
    pub add_evidence: Vec<String>,
    /// A tag to add; repeatable
    #[arg(long, value_name = "TAG")]
    pub add_tag: Vec<String>,
    /// A question to add that the card must answer; repeatable
    #[arg(long, value_name = "QUESTION")]
    pub add_ask: Vec<String>,
    /// JSON object whose fields replace the card's; null removes a field; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub from: Option<String>,
    /// Why it changes
    #[arg(long)]
    pub note: Option<String>,
    /// Refuse unless the card is at this version
    #[arg(long, value_name = "N", value_parser = integer)]
    pub if_rev: Option<i64>,
    #[command(flatten)]
    pub output: Output,
}

/// Show the versions of a card or recommendation
#[derive(Debug, Args)]
pub struct History {
    /// The card or recommendation
    #[arg(long)]
    pub id: String,
    #[command(flatten)]
    pub output: Output,
}

/// Bring an earlier version back; appends it as the newest
#[derive(Debug, Args)]
#[command(after_help = "Example:
  self-learning history --id aha_a12a6597c099
  self-learning rollback --id aha_a12a6597c099 --to 1")]
pub struct Rollback {
    /// The card or recommendation
    #[arg(long)]
    pub id: String,
    /// The version, as `history` counts them
    #[arg(long, value_name = "N", value_parser = integer)]
    pub to: i64,
    /// Refuse unless the item is at this version
    #[arg(long, value_name = "N", value_parser = integer)]
    pub if_rev: Option<i64>,
    #[command(flatten)]
    pub output: Output,
}

/// Set the status of a recommendation
#[derive(Debug, Args)]
#[command(after_help = "Example:
  self-learning rec-status --id rec_32ead166faa2 --status done --note \"merged in #42\"")]
pub struct RecStatus {
    /// The recommendation
    #[arg(long)]
    pub id: String,
    /// The new status
    #[arg(long, value_parser = ["accepted", "deprecated", "done", "in_progress", "proposed", "rejected"])]
    pub status: String,
    /// Where it holds
    #[arg(long, value_enum)]
    pub scope: Option<ScopeName>,
    /// Why
    #[arg(long)]
    pub note: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

/// Set the status of a card
#[derive(Debug, Args)]
#[command(after_help = "Example:
  self-learning aha-status --id aha_a12a6597c099 --status rejected --note \"wrong since v2\"")]
pub struct AhaStatus {
    /// The card
    #[arg(long)]
    pub id: String,
    /// The new status
    #[arg(long, value_parser = ["accepted", "backported", "deprecated", "proposed", "rejected"])]
    pub status: String,
    /// Why
    #[arg(long)]
    pub note: Option<String>,
    /// The card of the global store instead of the project's
    #[arg(long)]
    pub global: bool,
    #[command(flatten)]
    pub output: Output,
}

/// Say that cards or recommendations were used
///
/// Use is what makes a card rise: say it when a recalled card changed what you did.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  self-learning use --aha aha_a12a6597c099,aha_301113f0ee04 --context \"fixed the upload job\"")]
pub struct Use {
    /// Card ids, comma-separated
    #[arg(long, value_name = "IDS")]
    pub aha: Vec<String>,
    /// Recommendation ids, comma-separated
    #[arg(long, value_name = "IDS")]
    pub rec: Vec<String>,
    /// Who says so
    #[arg(long, default_value = "agent")]
    pub source: String,
    /// What they were used for
    #[arg(long)]
    pub context: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

/// Append one signal
#[derive(Debug, Args)]
pub struct Signal {
    /// What happened
    #[arg(long, value_parser = ["aha_backported", "aha_promoted", "aha_recalled", "aha_reinforced",
        "aha_used", "rec_done", "rec_touched", "rec_used"])]
    pub kind: String,
    /// The card
    #[arg(long)]
    pub aha_id: Option<String>,
    /// The recommendation
    #[arg(long)]
    pub rec_id: Option<String>,
    /// Who says so
    #[arg(long, default_value = "manual")]
    pub source: String,
    /// What it was about
    #[arg(long)]
    pub context: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

/// Report what the reader skipped or guessed, and append fixes
///
/// Fixes are appended as new versions; nothing that is stored is changed or removed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  self-learning repair            what would be fixed
  self-learning repair --apply    append the fixes
  self-learning repair --check    exit status 5 when there is something")]
pub struct Repair {
    /// Append the fixes
    #[arg(long)]
    pub apply: bool,
    /// Exit with 5 when there is something to fix or something that cannot be read
    #[arg(long, conflicts_with = "apply")]
    pub check: bool,
    #[command(flatten)]
    pub output: Output,
}

/// Copy cards to the global store
#[derive(Debug, Args)]
pub struct Promote {
    /// Card ids, comma-separated
    #[arg(long, value_name = "IDS", required = true)]
    pub ids: Vec<String>,
    #[command(flatten)]
    pub output: Output,
}

/// Let a quarantined card back into recall
///
/// Cards whose text commands the agent that reads it are stored but kept out of recall, INDEX.md and
/// export until a person has read them. `review --quarantine` lists them.
#[derive(Debug, Args)]
pub struct Release {
    /// The card
    #[arg(long)]
    pub id: String,
    /// Why it is harmless
    #[arg(long)]
    pub reason: String,
    #[command(flatten)]
    pub output: Output,
}

/// Remove the text of an item from the store for good
///
/// The one verb that rewrites a log: every version of the item becomes a tombstone with its id and a
/// keyed digest, by which the same text is left out should it come back. Meant for secrets; for a wrong
/// card use `aha-status --status rejected`. Asks on a terminal; elsewhere it prints a plan, and
/// `--yes --plan` carries it out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  self-learning purge --id aha_a12a6597c099 --reason \"holds a customer's name\"
  self-learning purge --id aha_a12a6597c099 --reason \"holds a customer's name\" --yes --plan SHA")]
pub struct Purge {
    /// The card, recommendation, event or signal
    #[arg(long)]
    pub id: String,
    /// Why; stays in the tombstone, so without the text itself
    #[arg(long)]
    pub reason: String,
    /// Do it
    #[arg(long, requires = "plan")]
    pub yes: bool,
    /// The plan that was printed
    #[arg(long, value_name = "SHA")]
    pub plan: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

/// Check the store's health; with --audit also what it holds
///
/// Exits with 5 when there is something to do. Names ids, fields and classes, never the text.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Judge every stored record by today's rules
    #[arg(long)]
    pub audit: bool,
    #[command(flatten)]
    pub output: Output,
}

/// Graduate cards into a skill as a reviewable diff
///
/// Without `--apply` it writes a bundle (and with `--make-diff` a patch) and changes nothing else. What
/// reaches the skill is a plan that a person has seen: on a terminal `--apply` shows the diff and asks;
/// elsewhere it takes `--plan` with the digest that the run without `--apply` printed, and refuses when
/// skill or cards have changed since.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  self-learning export-backport --skill-path skills/ci --ids aha_a12a6597c099 --make-diff
  self-learning export-backport --skill-path skills/ci --ids aha_a12a6597c099 --apply --plan 3f2c…
  self-learning export-backport --skill-path skills/ci --ids aha_a12a6597c099 --into gotchas
  self-learning export-backport --skill-path skills/ci --revert slbp_20260303T090000Z_5b70a1 --make-diff")]
pub struct ExportBackport {
    /// Folder of the skill, holding SKILL.md; --revert finds it in the log
    #[arg(long, value_name = "DIR", required_unless_present = "revert")]
    pub skill_path: Option<String>,
    /// Card ids, comma-separated
    #[arg(long, value_name = "IDS", required_unless_present = "revert")]
    pub ids: Vec<String>,
    /// Write the changes into the skill
    #[arg(long)]
    pub apply: bool,
    /// Write the changes as a patch into the bundle
    #[arg(long)]
    pub make_diff: bool,
    /// The digest of the plan that may be written, as printed without --apply
    #[arg(long, value_name = "SHA256", requires = "apply")]
    pub plan: Option<String>,
    /// Do not ask; for scripts of a person, refused under an agent
    #[arg(long, requires = "apply", conflicts_with = "plan")]
    pub yes: bool,
    /// Where the lessons land: a pointer in SKILL.md, or one line each under its gotchas heading
    #[arg(long, value_name = "PLACE", default_value = "reference", value_parser = ["reference", "gotchas"])]
    pub into: String,
    /// Take this backport back out of the skill
    #[arg(long, value_name = "BACKPORT_ID", conflicts_with_all = ["ids", "into", "upgrade", "allow_project", "max_tokens"])]
    pub revert: Option<String>,
    /// Replace or remove blocks that somebody has changed by hand
    #[arg(long)]
    pub overwrite: bool,
    /// Rewrite blocks of older versions in today's form
    #[arg(long)]
    pub upgrade: bool,
    /// Let project knowledge pass: scope, shareable, paths and names of this repository; is logged
    #[arg(long)]
    pub allow_project: bool,
    /// Let the skill lie outside the repository
    #[arg(long)]
    pub allow_outside: bool,
    /// Refuse to add more than about this many tokens
    #[arg(long, value_name = "N", value_parser = integer)]
    pub max_tokens: Option<i64>,
    #[command(flatten)]
    pub output: Output,
}

/// Check what was graduated into a skill
///
/// Tells for each block whether it is untouched, edited by hand, tampered with, orphaned, or older than
/// its card.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  self-learning backport-inspect --skill-path skills/ci
  self-learning backport-inspect --skill-path skills/ci --check     exit status 5 when something needs a look
  self-learning backport-inspect --skill-path skills/ci --adopt aha_a12a6597c099")]
pub struct BackportInspect {
    /// Folder of the skill, holding SKILL.md
    #[arg(long, value_name = "DIR")]
    pub skill_path: String,
    /// Say how to remove this backport
    #[arg(long)]
    pub backport_id: Option<String>,
    /// Say how to remove this card
    #[arg(long)]
    pub aha_id: Option<String>,
    /// Exit with 5 when a block needs a look
    #[arg(long)]
    pub check: bool,
    /// Take the hand edit of this card's block as a new version of the card
    #[arg(long, value_name = "CARD_ID", conflicts_with = "check")]
    pub adopt: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

/// Print the JSON Schema of what goes in or comes out
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  self-learning schema            the names
  self-learning schema record     what `record` takes")]
pub struct Schema {
    /// Which one; without a name the names are printed
    pub name: Option<String>,
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub struct Completions {
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Walk through the whole loop in a throw-away repository
///
/// Records real learnings, recalls them in a second session, reinforces, uses, reviews and exports one
/// into a skill as a diff that git accepts. Exits with 1 when any step is not as it should be.
#[derive(Debug, Args)]
pub struct Tour {
    /// Keep the repository and say where it is
    #[arg(long)]
    pub keep: bool,
}

/// An integer as people and the original write it: `3`, `+3`, ` 4 `, `1_0`, `-5`.
fn integer(text: &str) -> Result<i64, String> {
    let trimmed = text.trim();
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let grouped = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.ends_with(|last: char| last.is_ascii_digit())
        && !digits.contains("__");
    if !grouped {
        return Err(format!("`{text}` is no whole number"));
    }
    trimmed
        .replace('_', "")
        .parse()
        .map_err(|_| format!("`{text}` is no whole number"))
}

/// A share from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err(format!("`{text}` is no number from 0 to 1")),
    }
}
