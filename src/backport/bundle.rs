//! The bundle: a plan as files that can be read, mailed or put into a pull request, and as a line of
//! the log. None of it holds a path of the machine it was made on.

use serde_json::{Map, Value, json};

use super::gate::{self, Reason};
use super::markers::{self, Family};
use super::plan::{Cost, Plan, Tokens};
use super::skill::{self, Placement};
use super::{REFERENCE_PATH, RENDERER, SKILL_PATH, history};
use crate::domain::json;
use crate::domain::record::Record;

/// One file of the bundle, relative to its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub path: &'static str,
    pub bytes: Vec<u8>,
}

/// The name of the bundle's directory.
pub fn directory_name(plan: &Plan) -> String {
    format!("{}_{}", plan.target_name, plan.options.backport_id)
}

/// The files of a bundle; the patch only when asked for and when there is something in it (an empty
/// patch is an error to `git apply`).
pub fn files(plan: &Plan, with_patch: bool) -> Vec<File> {
    let mut manifest =
        serde_json::to_string_pretty(&Value::Object(manifest(plan))).unwrap_or_default();
    manifest.push('\n');
    let mut out = vec![
        File {
            path: "BACKPORT_MANIFEST.json",
            bytes: manifest.into_bytes(),
        },
        File {
            path: "README.md",
            bytes: readme(plan, with_patch).into_bytes(),
        },
        File {
            path: "SKILL_APPEND.md",
            bytes: skill_append(plan),
        },
        File {
            path: REFERENCE_PATH,
            bytes: plan.new_bytes(REFERENCE_PATH).unwrap_or_default().to_vec(),
        },
    ];
    if with_patch && !plan.patch.is_empty() {
        out.push(File {
            path: "backport.patch",
            bytes: plan.patch.clone(),
        });
    }
    out
}

/// The block as it will stand in `SKILL.md`.
fn skill_append(plan: &Plan) -> Vec<u8> {
    let bytes = plan.new_bytes(SKILL_PATH).unwrap_or_default();
    let scan = markers::scan(bytes, Family::Skill);
    let gotchas = plan.options.into == Placement::Gotchas;
    let block = scan
        .blocks
        .iter()
        .find(|block| block.into_gotchas() == gotchas)
        .or(scan.blocks.first());
    match block {
        Some(block) => bytes[block.span.clone()].to_vec(),
        None => skill::pointer_block(&plan.options.backport_id, 0, 0).into_bytes(),
    }
}

/// The manifest: the keys of the first version, then ours.
pub fn manifest(plan: &Plan) -> Map<String, Value> {
    let id = &plan.options.backport_id;
    let value = json!({
        "backport_id": id,
        "generated_at": plan.options.generated_at.to_text(),
        "target_skill_name": plan.target_name,
        "target_skill_path": plan.target_path,
        "requested_card_ids": plan.requested,
        "existing_card_ids": plan.existing,
        "added_card_ids": plan.added,
        "result_card_ids": plan.result,
        "changes": [
            {
                "path": SKILL_PATH,
                "kind": "append_or_update_marker_id",
                "markers": {"start": markers::skill_start(id), "end": Family::Skill.end()},
            },
            {"path": REFERENCE_PATH, "kind": "create_or_update"},
        ],
        "updated_card_ids": plan.updated,
        "skill_change": plan.skill_change.as_str(),
        "into": plan.options.into.as_str(),
        "plan_sha256": plan.sha256,
        "renderer": RENDERER,
        "files": plan.undo.iter().map(|undo| json!({
            "path": undo.path, "before_sha256": undo.before, "after_sha256": undo.after,
        })).collect::<Vec<_>>(),
        "blocks": blocks(plan, false),
        "tokens": tokens(plan.tokens),
        "overrides": overrides(plan),
        "notes": plan.notes,
    });
    object(value)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn blocks(plan: &Plan, with_old: bool) -> Vec<Value> {
    let entry = |block: &super::plan::BlockRecord| {
        let mut map = object(json!({"file": block.file, "id": block.id, "sha256": block.sha256}));
        if let Some(was) = block.was.as_ref().filter(|_| with_old) {
            map.insert("was".to_owned(), json!(was));
        }
        Value::Object(map)
    };
    plan.blocks.iter().map(entry).collect()
}

/// What the change costs, for the manifest and the answer.
pub fn tokens(tokens: Tokens) -> Value {
    let cost =
        |cost: Cost| json!({"before": cost.before, "after": cost.after, "added": cost.added()});
    json!({
        "always_on": cost(tokens.always_on),
        "on_demand": cost(tokens.on_demand),
        "added": tokens.added(),
    })
}

/// What was let through on request.
pub fn overrides(plan: &Plan) -> Vec<Value> {
    let all = plan.verdicts.iter().flat_map(|verdict| {
        verdict
            .overridden
            .iter()
            .map(move |reason| (verdict, reason))
    });
    all.map(|(verdict, reason)| json!({"id": verdict.id, "code": reason.code, "message": reason.message})).collect()
}

/// A reason as data.
pub fn reason(reason: &Reason) -> Value {
    json!({"code": reason.code, "message": reason.message, "fix": reason.fix})
}

/// Who let a plan be written, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The user's name in the store.
    pub by: String,
    /// `terminal`, `plan` or `yes`.
    pub how: &'static str,
    /// Whether standard input and output were a terminal.
    pub terminal: bool,
    /// Names of environment variables that agents set and that were set.
    pub agent_environment: Vec<String>,
}

impl Approval {
    pub fn value(&self, at: &str) -> Value {
        json!({
            "by": self.by, "how": self.how, "at": at, "terminal": self.terminal,
            "agent_environment": self.agent_environment,
        })
    }
}

/// What the log keeps beyond the plan itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The bundle's directory, relative to the repository root or the store.
    pub bundle_directory: &'a str,
    pub diff_written: bool,
    /// `None`: planned, not written.
    pub approval: Option<&'a Approval>,
    /// When it was written; the plan keeps its own time.
    pub at: &'a str,
    pub created_directory: bool,
}

/// The line of the log.
pub fn log_line(plan: &Plan, entry: &Entry<'_>) -> Record {
    let mut map = object(json!({
        "ts": entry.at,
        "backport_id": plan.options.backport_id,
        "target_skill": plan.target_name,
        "target_skill_path": plan.target_path,
        "requested_card_ids": plan.requested,
        "added_card_ids": plan.added,
        "result_card_ids": plan.result,
        "applied": entry.approval.is_some(),
        "diff_written": entry.diff_written,
        "bundle_dir": entry.bundle_directory,
        "manifest_path": format!("{}/BACKPORT_MANIFEST.json", entry.bundle_directory),
        "skill_change": plan.skill_change.as_str(),
        "updated_card_ids": plan.updated,
        "into": plan.options.into.as_str(),
        "generated_at": plan.options.generated_at.to_text(),
        "plan_sha256": plan.sha256,
        "inputs": plan.inputs.iter().map(|(name, sha256)| json!([name, sha256])).collect::<Vec<_>>(),
        "overrides": overrides(plan),
    }));
    if let Some(approval) = entry.approval {
        map.insert("approval".to_owned(), approval.value(entry.at));
        map.insert(
            "created_directory".to_owned(),
            json!(entry.created_directory),
        );
        map.insert("blocks".to_owned(), json!(blocks(plan, true)));
        let undo: Vec<Value> = plan.undo.iter().map(history::undo_value).collect();
        map.insert("undo".to_owned(), json!(undo));
    }
    Record(map)
}

/// The same line, parsed back from the journal of an interrupted write.
pub fn parse_line(text: &str) -> Option<Record> {
    match json::parse(text).ok()?.value {
        Value::Object(map) => Some(Record(map)),
        _ => None,
    }
}

fn readme(plan: &Plan, with_patch: bool) -> String {
    let path = if plan.target_path.is_empty() {
        "."
    } else {
        &plan.target_path
    };
    let quoted = gate::shell_quoted(path);
    let ids = gate::shell_quoted(&plan.requested.join(","));
    let mut out = format!(
        "# Learnings for the skill `{}`\n\nBackport `{}`, made by `self-learning`. Nothing here has to be trusted unread: the change is one\n\
         reference file and one block in `SKILL.md`, both between markers, and can be taken back.\n\n## Cards\n\n",
        plan.target_name, plan.options.backport_id
    );
    for verdict in &plan.verdicts {
        let state = if plan.added.contains(&verdict.id) {
            "new"
        } else if plan.updated.contains(&verdict.id) {
            "improved"
        } else {
            "already there"
        };
        out.push_str(&format!(
            "- {} (`{}`, {state})\n",
            verdict.title, verdict.id
        ));
    }
    out.push_str(&format!(
        "\nRead every time the skill is used: about {} tokens more. Read when needed: about {} tokens more.\n\n\
         ## Files\n\n- `BACKPORT_MANIFEST.json`: ids, digests, cost\n- `{REFERENCE_PATH}`: the reference file as it will be\n\
         - `SKILL_APPEND.md`: the block as it will stand in `SKILL.md`\n",
        plan.tokens.always_on.added(),
        plan.tokens.on_demand.added()
    ));
    if with_patch && !plan.patch.is_empty() {
        out.push_str("- `backport.patch`: the whole change, for `git apply` or `patch -p1` in the repository root\n");
    }
    out.push_str(&format!(
        "\n## Apply\n\nIn the repository root, either apply the patch, or let the tool write exactly this plan:\n\n\
         ```sh\nself-learning export-backport --skill-path {quoted} --ids {ids} --apply --plan {}\n```\n\n\
         By hand: copy the reference file to `{}`, and put the block of `SKILL_APPEND.md` into\n`{}`, in place of the block that is there or at the end.\n\n\
         ## Check and take back\n\n```sh\nself-learning backport-inspect --skill-path {quoted}\n\
         self-learning export-backport --skill-path {quoted} --revert {} --make-diff\n```\n",
        plan.sha256,
        in_skill(path, REFERENCE_PATH),
        in_skill(path, SKILL_PATH),
        plan.options.backport_id
    ));
    out
}

fn in_skill(path: &str, file: &str) -> String {
    if path == "." {
        file.to_owned()
    } else {
        format!("{path}/{file}")
    }
}
