//! What commands return: plain data. The serialised contract lives here and nowhere else; once a key
//! is shipped it keeps its name and type.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::fold::Diagnostic;

/// Which store a command worked on.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    pub repo_root: String,
    pub user: String,
    pub project_store: String,
}

/// A line the reader skipped or had to guess.
#[derive(Debug, Clone, Serialize)]
pub struct Damage {
    pub file: &'static str,
    pub line: usize,
    pub problem: &'static str,
    pub detail: String,
}

impl From<&Diagnostic> for Damage {
    fn from(found: &Diagnostic) -> Damage {
        Damage {
            file: found.file,
            line: found.line,
            problem: found.problem.code(),
            detail: found.detail.clone(),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Init {
    pub ok: bool,
    pub repo_root: String,
    pub user: String,
    pub project_store: String,
    pub global_store: String,
    pub note: String,
    /// Whether `.gitignore` got a rule.
    pub gitignore_changed: bool,
    pub notes: Vec<String>,
}

/// What became of one item of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Created,
    Merged,
    Reinforced,
    Refused,
}

#[derive(Debug, Clone, Serialize)]
pub struct ItemResult {
    /// `event`, `aha_card` or `recommendation`.
    pub kind: &'static str,
    /// Position in its list, from 0.
    pub index: usize,
    /// Line of the input, from 1, for input by lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    pub outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Why, and what to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ItemResult {
    /// Whether a card was taken in, as a new one or as one more capture.
    pub fn is_kept_card(&self) -> bool {
        self.kind == "aha_card" && self.outcome != Outcome::Refused
    }
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct UsageSignals {
    pub written: Vec<Value>,
    pub invalid_ids: Vec<InvalidId>,
    pub errors: Vec<IdError>,
}

#[derive(Debug, Clone, Serialize)]
pub struct InvalidId {
    pub id: String,
    pub expected_prefix: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub struct IdError {
    pub id: String,
    pub error: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nearest: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Record {
    pub ok: bool,
    #[serde(flatten)]
    pub place: Place,
    pub written: Map<String, Value>,
    pub usage_signals: UsageSignals,
    pub results: Vec<ItemResult>,
    /// Further results of very long input by lines; refused ones among them are in `refused`.
    #[serde(skip_serializing_if = "is_zero")]
    pub results_left_out: usize,
    pub refused: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redactions: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Damage>,
}

#[derive(Debug, Clone, Serialize)]
pub struct List {
    pub repo_root: String,
    pub user: String,
    pub count: usize,
    pub items: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How many cards match in all.
    pub total: usize,
    /// How many matching cards are left out because they are rejected, deprecated or superseded.
    pub hidden: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more: Option<String>,
    /// With a query: one entry per item, in the same order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<Value>,
    /// One entry per item: what the signals say of it.
    #[serde(skip)]
    pub scores: Vec<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Damage>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    pub kind: &'static str,
    pub id: String,
    /// `project` or `global`.
    pub store: &'static str,
    pub rev: usize,
    pub created_ts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<String>,
    pub item: Value,
}

#[derive(Debug, Clone, Serialize)]
pub struct Show {
    pub ok: bool,
    #[serde(flatten)]
    pub place: Place,
    pub items: Vec<Shown>,
    pub not_found: Vec<IdError>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Damage>,
}

#[derive(Debug, Clone, Serialize)]
pub struct StatusChange {
    pub ok: bool,
    #[serde(flatten)]
    pub place: Place,
    pub id: String,
    pub previous: Value,
    pub updated: Value,
    pub written_to: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Damage>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Signal {
    pub ok: bool,
    #[serde(flatten)]
    pub place: Place,
    pub written_to: String,
    pub signal: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Damage>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Use {
    pub ok: bool,
    #[serde(flatten)]
    pub place: Place,
    pub written_to: String,
    pub signals_written: Vec<Value>,
    pub invalid_ids: Vec<InvalidId>,
    pub errors: Vec<IdError>,
    /// Ids whose same use was already on record at this second.
    pub already_recorded: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Damage>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Edited {
    pub ok: bool,
    #[serde(flatten)]
    pub place: Place,
    pub id: String,
    pub previous_rev: usize,
    pub rev: usize,
    pub changed_fields: Vec<String>,
    pub written_to: String,
    pub item: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redactions: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Damage>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Version {
    pub rev: usize,
    pub ts: Option<String>,
    pub line: usize,
    pub status: String,
    pub changed_fields: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub item: Value,
}

#[derive(Debug, Clone, Serialize)]
pub struct History {
    pub ok: bool,
    #[serde(flatten)]
    pub place: Place,
    pub id: String,
    pub rev: usize,
    pub versions: Vec<Version>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Damage>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    #[serde(flatten)]
    pub damage: Damage,
    /// `found`, `recovered` (the record stands on a line of its own now) or `acknowledged`.
    pub state: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub struct Repair {
    pub ok: bool,
    #[serde(flatten)]
    pub place: Place,
    pub applied: bool,
    pub planned: Planned,
    pub counts: RepairCounts,
    pub note: String,
    pub problems: Vec<Problem>,
    /// Fields whose value no reader knows, e.g. a status.
    pub oddities: Vec<Value>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Planned {
    pub aha_updates: Vec<Value>,
    pub rec_updates: Vec<Value>,
    /// Records that stand on damaged lines and get a line of their own.
    pub recovered: Vec<Value>,
}

#[derive(Debug, Clone, Serialize)]
pub struct RepairCounts {
    pub aha_updates: usize,
    pub rec_updates: usize,
    pub recovered: usize,
    pub problems: usize,
    pub oddities: usize,
}

#[derive(Debug, Clone, Serialize)]
pub struct Promote {
    pub ok: bool,
    pub user: String,
    pub from_project_store: String,
    pub to_global_store: String,
    pub requested: Vec<String>,
    pub promoted_count: usize,
    pub promoted_ids: Vec<String>,
    pub skipped: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Damage>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Review {
    pub ok: bool,
    #[serde(flatten)]
    pub place: Place,
    pub global_store: Option<String>,
    pub filters: ReviewFilters,
    pub summary: ReviewSummary,
    pub next_actions: Vec<Value>,
    pub recommendations: ReviewRecommendations,
    pub aha: ReviewCards,
    /// The cards themselves, best and newest first: what was learned here.
    pub learnings: Vec<Value>,
    /// Cards in skills that say something else by now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<Value>,
    /// With `--portable`: what is nearly ready to graduate, and what it lacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub portable: Vec<Value>,
    /// How many cards are kept out of recall until a person has read them.
    pub quarantined: usize,
    /// With `--quarantine`: which, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quarantine: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Damage>,
    #[serde(skip)]
    pub index_path: String,
    /// The command that gives the same as JSON.
    #[serde(skip)]
    pub json_command: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct ReviewFilters {
    pub skill: Option<String>,
    pub scope: Option<String>,
    pub since: Option<String>,
    pub stale_days: i64,
    pub query: Option<String>,
    pub status: Option<Vec<String>>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ReviewSummary {
    pub aha_cards: usize,
    pub recommendations: usize,
    pub open_recommendations: usize,
    pub open_recommendations_project: usize,
    pub open_recommendations_portable: usize,
    pub stale_recommendations: usize,
    pub untouched_recommendations: usize,
    pub backport_candidates: usize,
    pub signals: usize,
    pub backports: usize,
    pub global_aha_cards: usize,
    pub matching_aha_cards: usize,
    pub matching_recommendations: usize,
    pub backport_candidates_total: usize,
    pub retired_aha_cards: usize,
}

#[derive(Debug, Clone, Serialize)]
pub struct ReviewRecommendations {
    pub open: Vec<Value>,
    pub stale: Vec<Value>,
    pub untouched: Vec<Value>,
    pub by_status: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ReviewCards {
    pub top_by_score: Vec<Value>,
    pub backport_candidates: Vec<Value>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Purge {
    pub ok: bool,
    #[serde(flatten)]
    pub place: Place,
    pub id: String,
    pub applied: bool,
    /// SHA-256 over what would be rewritten.
    pub plan: String,
    /// How many lines become tombstones, and how many contexts are blanked, by log.
    pub lines: Vec<Value>,
    /// Where else the text may stand, and what to do about it.
    pub elsewhere: Vec<Value>,
    pub next: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct WhyNot {
    pub ok: bool,
    pub id: String,
    pub store: &'static str,
    /// Whether the card is an answer after all.
    pub answered: bool,
    pub reason: String,
    pub fix: Option<String>,
    /// Place from 1 among all cards that share a term with the question.
    pub place: Option<usize>,
    pub confidence: Option<f64>,
    /// The question's words that the card does not hold.
    pub missing_words: Vec<String>,
    pub explain: Value,
}

#[derive(Debug, Clone, Serialize)]
pub struct Eval {
    pub ok: bool,
    pub cards: usize,
    pub questions: usize,
    pub metrics: Value,
    pub by_category: Map<String, Value>,
    /// With `--ranked`: the ids of each question; printed instead of the figures.
    #[serde(skip)]
    pub ranked: Vec<Value>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Exam {
    pub ok: bool,
    pub cards: usize,
    pub cards_with_questions: usize,
    pub questions: usize,
    pub failures: Vec<Value>,
}

/// One thing `doctor` found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    pub code: &'static str,
    /// `error` counts for the exit status, `note` does not.
    pub severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    pub message: String,
    pub fix: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Doctor {
    pub ok: bool,
    #[serde(flatten)]
    pub place: Place,
    pub audited: bool,
    pub counts: Map<String, Value>,
    pub findings: Vec<Finding>,
}

/// One step of the tour.
#[derive(Debug, Clone, Serialize)]
pub struct TourStep {
    pub title: String,
    pub command: String,
    pub output: String,
    pub meaning: String,
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Tour {
    pub ok: bool,
    pub repository: Option<String>,
    pub steps: Vec<TourStep>,
}

/// Cards put into a skill, or planned to be.
#[derive(Debug, Clone, Serialize)]
pub struct ExportBackport {
    pub ok: bool,
    #[serde(flatten)]
    pub place: Place,
    pub target_skill: String,
    pub backport_id: String,
    /// `null` when there is nothing to write.
    pub bundle_dir: Option<String>,
    pub applied: bool,
    pub diff_written: bool,
    pub card_ids: Vec<String>,
    pub added_card_ids: Vec<String>,
    pub result_card_ids: Vec<String>,
    pub logged_to: String,
    pub updated_card_ids: Vec<String>,
    pub skill_change: &'static str,
    pub into: &'static str,
    pub plan_sha256: String,
    pub tokens: Value,
    /// What `--allow-project` let pass.
    pub overrides: Vec<Value>,
    /// How the approval was given.
    pub approval: Value,
    pub patch_path: Option<String>,
    /// The command that writes this plan.
    pub apply_command: Option<String>,
    /// The command that takes it back.
    pub revert_command: Option<String>,
    pub notes: Vec<String>,
    #[serde(skip)]
    pub diff: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Damage>,
}

/// A backport taken back, or planned to be.
#[derive(Debug, Clone, Serialize)]
pub struct RevertBackport {
    pub ok: bool,
    #[serde(flatten)]
    pub place: Place,
    pub target_skill: String,
    pub reverts: String,
    pub applied: bool,
    pub diff_written: bool,
    /// Whether the files become what they were, byte for byte.
    pub exact: bool,
    pub removed_card_ids: Vec<String>,
    pub restored_card_ids: Vec<String>,
    pub result_card_ids: Vec<String>,
    pub logged_to: String,
    pub plan_sha256: String,
    pub approval: Value,
    pub patch_path: Option<String>,
    pub apply_command: Option<String>,
    pub notes: Vec<String>,
    #[serde(skip)]
    pub diff: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Damage>,
}

/// One block in a skill and its state.
#[derive(Debug, Clone, Serialize)]
pub struct BlockState {
    pub file: &'static str,
    pub kind: &'static str,
    pub id: String,
    pub backport_id: Option<String>,
    pub line: usize,
    pub state: &'static str,
    pub message: String,
    pub sha256: String,
    pub written_sha256: Option<String>,
    pub recorded_sha256: Option<String>,
    pub source_status: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct BackportInspect {
    pub ok: bool,
    pub target_skill_path: String,
    pub files: Value,
    pub skill_md_markers: Value,
    pub aha_reference: Value,
    pub requested: Value,
    pub remove_instructions: Vec<String>,
    pub markers: Value,
    pub blocks: Vec<BlockState>,
    /// What is wrong beside the blocks.
    pub problems: Vec<String>,
    /// Whether nothing needs a look.
    pub clean: bool,
    /// The version of the card that a hand edit became.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Damage>,
}

/// What a command found or did.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Report {
    Init(Init),
    Record(Record),
    List(List),
    Show(Show),
    Review(Box<Review>),
    StatusChange(StatusChange),
    Signal(Signal),
    Use(Use),
    Edited(Edited),
    History(History),
    Repair(Repair),
    Promote(Promote),
    ExportBackport(Box<ExportBackport>),
    RevertBackport(Box<RevertBackport>),
    BackportInspect(Box<BackportInspect>),
    Purge(Purge),
    Doctor(Doctor),
    WhyNot(WhyNot),
    Eval(Eval),
    Exam(Exam),
    Tour(Tour),
    /// Text that has only one form: schemas, completions, the manual page.
    Text(String),
}

impl Report {
    /// What the reader skipped or guessed on the way.
    pub fn diagnostics(&self) -> &[Damage] {
        match self {
            Report::Record(report) => &report.diagnostics,
            Report::List(report) => &report.diagnostics,
            Report::Show(report) => &report.diagnostics,
            Report::Review(report) => &report.diagnostics,
            Report::StatusChange(report) => &report.diagnostics,
            Report::Signal(report) => &report.diagnostics,
            Report::Use(report) => &report.diagnostics,
            Report::Edited(report) => &report.diagnostics,
            Report::History(report) => &report.diagnostics,
            Report::Promote(report) => &report.diagnostics,
            Report::ExportBackport(report) => &report.diagnostics,
            Report::RevertBackport(report) => &report.diagnostics,
            Report::BackportInspect(report) => &report.diagnostics,
            _ => &[],
        }
    }
}

/// What INDEX.md shows: a start-of-session overview, bounded whatever the store's size.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// The day that ages count from.
    pub day: String,
    pub cards: usize,
    pub open_recommendations: usize,
    pub stale_recommendations: usize,
    pub top: Vec<IndexLine>,
    pub latest: Vec<IndexLine>,
    pub open: Vec<IndexLine>,
    pub candidates: Vec<IndexLine>,
}

#[derive(Debug, Clone)]
pub struct IndexLine {
    pub title: String,
    pub id: String,
    /// Score, age, status: what stands behind the id.
    pub detail: String,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}
