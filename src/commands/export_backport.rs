//! `export-backport`: put cards into a skill, or take them back; planned, approved, all or nothing.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::backport::{self as shared, Aftermath, Consent, Intent, Skill};
use super::{Done, Snapshot, place, project_store, revert_backport};
use crate::backport::bundle::{self, Entry};
use crate::backport::gate::{Rules, shell_quoted};
use crate::backport::history::History;
use crate::backport::plan::{self, Card, Options, Plan};
use crate::backport::skill::Placement;
use crate::backport::{REFERENCE_PATH, Target};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::fold::LogKind;
use crate::domain::record::Record;
use crate::domain::time::Timestamp;
use crate::domain::{ids, normal};
use crate::error::{Error, Result};
use crate::render;
use crate::report::{self, Report};
use crate::store::{Batch, Locked, Store, paths, replace};

pub fn run(args: &cli::ExportBackport, ctx: &Ctx, stdin: &mut dyn Read) -> Result<Done> {
    match &args.revert {
        Some(id) => revert_backport::run(args, id, ctx, stdin),
        None => run_export(args, ctx, stdin),
    }
}

/// Everything a plan is made from, as one moment saw it.
pub(super) struct Scene<'a> {
    pub(super) args: &'a cli::ExportBackport,
    /// The skill's folder as it was given, or as the log has it.
    pub(super) given: String,
    pub(super) ctx: &'a Ctx,
    pub(super) skill: Skill,
    pub(super) store: Store,
}

impl Scene<'_> {
    /// The plan for the files and cards of now, under the id and time of `planned` when given.
    fn plan(&self, snapshot: &Snapshot, target: &Target, planned: Option<&Record>) -> Result<Plan> {
        let wanted = requested(self.args)?;
        let all = shared::cards(snapshot);
        let cards = chosen(&wanted, &all)?;
        let records: Vec<&Record> = snapshot
            .backports
            .iter()
            .map(|entry| &entry.record)
            .collect();
        let history = History::of(records.iter().copied(), target);
        let names = shared::repository_names(self.ctx);
        let rules = Rules {
            repository_names: &names,
            skill: &target.name,
            allow_project: self.args.allow_project,
            findings: &shared::findings,
        };
        let generated_at = planned
            .and_then(|line| Timestamp::parse(line.text("generated_at")?))
            .unwrap_or(self.ctx.now);
        let ids: Vec<String> = cards.iter().map(|card| card.id.clone()).collect();
        let backport_id = match planned.and_then(|line| line.text("backport_id")) {
            Some(id) => id.to_owned(),
            // Two backports of one second must not share an id, or neither could be taken back alone.
            None => ids::free_id(&ids::backport_id(generated_at, &target.name, &ids), |id| {
                history
                    .applied_line(id)
                    .is_some_and(|line| line.list("requested_card_ids") != ids)
            }),
        };
        let options = Options {
            backport_id,
            generated_at,
            into: Placement::parse(&self.args.into).unwrap_or_default(),
            overwrite: self.args.overwrite,
            upgrade: self.args.upgrade,
            max_tokens: self
                .args
                .max_tokens
                .map(|limit| usize::try_from(limit).unwrap_or_default()),
        };
        plan::plan(target, &cards, &options, rules, &history).map_err(shared::refusal)
    }

    fn bundle_path(&self, plan: &Plan) -> PathBuf {
        self.store.bundles_path().join(bundle::directory_name(plan))
    }

    /// A path below the repository, relative to it; the log carries no other.
    fn relative(&self, path: &Path) -> String {
        let below = path
            .strip_prefix(&self.ctx.repo_root)
            .or_else(|_| path.strip_prefix(&self.store.dir));
        below
            .unwrap_or(path)
            .to_string_lossy()
            .replace(std::path::MAIN_SEPARATOR, "/")
    }

    /// Write the bundle; called with the store's lock held.
    fn write_bundle(&self, plan: &Plan, locked: &Locked<'_>) -> Result<PathBuf> {
        let folder = self.bundle_path(plan);
        for file in bundle::files(plan, self.args.make_diff) {
            write_file(&folder.join(file.path), &file.bytes, locked.store)?;
        }
        Ok(folder)
    }

    /// The command line of this run without `--apply` and what goes with it.
    pub(super) fn command(&self) -> String {
        let args = self.args;
        let mut out = format!(
            "self-learning export-backport --skill-path {}",
            shell_quoted(&self.given)
        );
        match &args.revert {
            Some(id) => out.push_str(&format!(" --revert {}", shell_quoted(id))),
            None => {
                let ids = requested(args).unwrap_or_default().join(",");
                out.push_str(&format!(" --ids {}", shell_quoted(&ids)));
                if args.into != Placement::default().as_str() {
                    out.push_str(&format!(" --into {}", args.into));
                }
            }
        }
        for (set, flag) in [
            (args.overwrite, "--overwrite"),
            (args.upgrade, "--upgrade"),
            (args.allow_project, "--allow-project"),
            (args.allow_outside, "--allow-outside"),
        ] {
            if set {
                out.push_str(&format!(" {flag}"));
            }
        }
        if let Some(limit) = args.max_tokens {
            out.push_str(&format!(" --max-tokens {limit}"));
        }
        out
    }

    pub(super) fn apply_command(&self, sha256: &str) -> String {
        format!("{} --apply --plan {sha256}", self.command())
    }

    pub(super) fn open(&self) -> Result<(Locked<'_>, Snapshot, Vec<String>)> {
        // Always in this order, so that two runs cannot wait for each other.
        self.skill.folder.lock(self.ctx.lock_wait)?;
        let mut locked = self.store.lock(self.ctx.lock_wait)?;
        let mut snapshot = Snapshot::load(&locked)?;
        let notes = shared::recover(&self.skill, &mut locked, &mut snapshot, self.ctx)?;
        Ok((locked, snapshot, notes))
    }
}

pub(super) fn write_file(path: &Path, bytes: &[u8], store: &Store) -> Result<()> {
    paths::refuse_links(&store.trusted_above, path)?;
    let folder = path.parent().unwrap_or(path);
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| Error::io("create", folder, &error))?;
    replace::file(path, bytes, replace::Durability::Derived)
}

fn requested(args: &cli::ExportBackport) -> Result<Vec<String>> {
    let wanted = normal::unique(args.ids.iter().flat_map(|ids| normal::id_list(ids)));
    if wanted.is_empty() {
        return Err(Error::usage("Provide --ids <card-id-1,card-id-2,...>")
            .hint("self-learning review shows what is ready"));
    }
    Ok(wanted)
}

fn chosen(wanted: &[String], all: &std::collections::BTreeMap<String, Card>) -> Result<Vec<Card>> {
    let missing: Vec<&String> = wanted.iter().filter(|id| !all.contains_key(*id)).collect();
    let Some(first) = missing.first() else {
        return Ok(wanted
            .iter()
            .filter_map(|id| all.get(id))
            .cloned()
            .collect());
    };
    let nearest = ids::nearest(first, all.keys().map(String::as_str), 3);
    let message = if missing.len() == wanted.len() {
        "No matching cards found in project store.".to_owned()
    } else {
        let ids: Vec<&str> = missing.iter().map(|id| id.as_str()).collect();
        format!(
            "Some requested ids were not found in project store: {}",
            ids.join(", ")
        )
    };
    let error =
        Error::not_found(message).details(json!({ "missing": missing, "nearest": nearest }));
    Err(match nearest.first() {
        Some(id) => error.hint(format!("did you mean {id}?")),
        None => error.hint("self-learning list --limit 0 shows the ids"),
    })
}

fn run_export(args: &cli::ExportBackport, ctx: &Ctx, stdin: &mut dyn Read) -> Result<Done> {
    let given = args.skill_path.clone().unwrap_or_default();
    let skill = Skill::open(&given, args.allow_outside, ctx)?;
    let scene = Scene {
        args,
        given,
        ctx,
        skill,
        store: project_store(ctx),
    };
    // What is wrong with the request is told before anything is made or locked.
    let early = Snapshot::load(&scene.store)?;
    chosen(&requested(args)?, &shared::cards(&early))?;
    if !args.apply {
        return planned(&scene);
    }
    match shared::consent(args.plan.as_deref(), args.yes, ctx) {
        Consent::Missing => {
            let done = planned(&scene)?;
            if let Report::ExportBackport(report) = &done.report
                && report.bundle_dir.is_some()
            {
                return Err(shared::approval_needed(
                    &scene.apply_command(&report.plan_sha256),
                    &report.plan_sha256,
                    ctx,
                ));
            }
            Ok(done)
        }
        Consent::Ask => {
            let target = scene.skill.read()?;
            let plan = scene.plan(&early, &target, None)?;
            if !plan.is_noop() {
                shared::ask(&shown(&plan, ctx), ctx, stdin)?;
            }
            apply(&scene, &Consent::Ask, Some(&plan.sha256))
        }
        Consent::Yes => apply(&scene, &Consent::Yes, None),
        Consent::Plan(sha256) => apply(&scene, &Consent::Plan(sha256.clone()), Some(&sha256)),
    }
}

/// What the person is shown before being asked.
fn shown(plan: &Plan, ctx: &Ctx) -> String {
    let mut out = render::backport::diff(&String::from_utf8_lossy(&plan.patch), ctx.color);
    out.push('\n');
    for verdict in &plan.verdicts {
        out.push_str(&format!(
            "{}  {}\n",
            verdict.id,
            render::words::safe(&verdict.title)
        ));
        for reason in &verdict.overridden {
            out.push_str(&format!(
                "  let pass: {}\n",
                render::words::safe(&reason.message)
            ));
        }
    }
    for note in &plan.notes {
        out.push_str(&format!("note: {}\n", render::words::safe(note)));
    }
    out.push_str(&format!(
        "{}\nPlan: {}",
        render::backport::cost(&bundle::tokens(plan.tokens)),
        plan.sha256
    ));
    out
}

/// Plan, write the bundle, log it; the skill stays as it is.
fn planned(scene: &Scene<'_>) -> Result<Done> {
    let (mut locked, mut snapshot, mut notes) = scene.open()?;
    let target = scene.skill.read()?;
    let plan = scene.plan(&snapshot, &target, None)?;
    if plan.is_noop() {
        return Ok(report(scene, &plan, &snapshot, notes, None, Value::Null));
    }
    let folder = scene.write_bundle(&plan, &locked)?;
    let line = bundle::log_line(
        &plan,
        &Entry {
            bundle_directory: &scene.relative(&folder),
            diff_written: scene.args.make_diff,
            approval: None,
            at: &scene.ctx.now.to_text(),
            created_directory: false,
        },
    );
    let batch = Batch::from([(LogKind::Backports, vec![line])]);
    notes.extend(super::commit(
        scene.ctx,
        &mut locked,
        &mut snapshot,
        &batch,
    )?);
    Ok(report(
        scene,
        &plan,
        &snapshot,
        notes,
        Some(folder),
        Value::Null,
    ))
}

/// Write the plan to the skill. `approved` is the digest the person agreed to; without one they agreed
/// to whatever the plan is now.
fn apply(scene: &Scene<'_>, consent: &Consent, approved: Option<&str>) -> Result<Done> {
    let (mut locked, mut snapshot, mut notes) = scene.open()?;
    let target = scene.skill.read()?;
    let line = match consent {
        Consent::Plan(sha256) => planned_line(&snapshot, &target, sha256),
        _ => None,
    };
    let plan = match scene.plan(&snapshot, &target, line.as_ref()) {
        Err(error) if line.is_some() => {
            return Err(changed_by_refusal(
                scene,
                line.as_ref(),
                &target,
                &snapshot,
                error,
            ));
        }
        other => other?,
    };
    if plan.is_noop() {
        return Ok(report(scene, &plan, &snapshot, notes, None, Value::Null));
    }
    if let (Consent::Plan(sha256), None) = (consent, &line) {
        let message = format!("no plan for this skill has the digest `{sha256}`");
        return Err(shared::plan_changed(message, &scene.command()));
    }
    if approved.is_some_and(|approved| approved != plan.sha256) {
        return Err(shared::plan_changed(
            format!(
                "the plan is not the approved one any more: {}",
                differences(line.as_ref(), &plan.inputs)
            ),
            &scene.command(),
        ));
    }
    let folder = scene.write_bundle(&plan, &locked)?;
    let approval = shared::approval(consent, scene.ctx);
    let at = scene.ctx.now.to_text();
    let aftermath = Aftermath {
        line: bundle::log_line(
            &plan,
            &Entry {
                bundle_directory: &scene.relative(&folder),
                diff_written: scene.args.make_diff,
                approval: Some(&approval),
                at: &at,
                created_directory: !scene.skill.has_references(),
            },
        ),
        signals: shared::signals(
            scene.ctx,
            &plan.added,
            &plan.options.backport_id,
            &plan.target_name,
        ),
        statuses: plan
            .requested
            .iter()
            .map(|id| (id.clone(), "backported".to_owned()))
            .collect(),
    };
    notes.extend(shared::write(
        &scene.skill,
        &Intent {
            changes: &plan.changes,
            removable: &[],
            aftermath: &aftermath,
            replan: &scene.command(),
        },
        &mut locked,
        &mut snapshot,
        scene.ctx,
    )?);
    Ok(report(
        scene,
        &plan,
        &snapshot,
        notes,
        Some(folder),
        approval.value(&at),
    ))
}

/// The log line of the plan that was approved. A plan that would change nothing has none.
fn planned_line(snapshot: &Snapshot, target: &Target, sha256: &str) -> Option<Record> {
    let records: Vec<&Record> = snapshot
        .backports
        .iter()
        .map(|entry| &entry.record)
        .collect();
    let history = History::of(records.iter().copied(), target);
    history.planned(sha256).cloned()
}

/// A plan that was possible when it was approved and is none now.
fn changed_by_refusal(
    scene: &Scene<'_>,
    line: Option<&Record>,
    target: &Target,
    snapshot: &Snapshot,
    error: Error,
) -> Error {
    let cards = shared::cards(snapshot);
    let wanted = requested(scene.args).unwrap_or_default();
    let mut inputs: Vec<(String, String)> = wanted
        .iter()
        .filter_map(|id| cards.get(id))
        .map(|card| {
            let digest = crate::backport::digest::of_bytes(card.current.to_line().as_bytes());
            (format!("card {}", card.id), digest)
        })
        .collect();
    let of = |bytes: Option<&Vec<u8>>| {
        bytes.map_or_else(
            || "-".to_owned(),
            |bytes| crate::backport::digest::of_bytes(bytes),
        )
    };
    inputs.push((
        crate::backport::SKILL_PATH.to_owned(),
        of(Some(&target.skill)),
    ));
    inputs.push((REFERENCE_PATH.to_owned(), of(target.reference.as_ref())));
    let what = differences(line, &inputs);
    if what == SAME_INPUTS {
        return error;
    }
    shared::plan_changed(
        format!(
            "the plan is not the approved one any more: {what}; and now: {}",
            error.message
        ),
        &scene.command(),
    )
}

const SAME_INPUTS: &str = "the options are others";

/// What has changed between a logged plan and now.
fn differences(line: Option<&Record>, inputs: &[(String, String)]) -> String {
    let logged: Vec<(String, String)> = line
        .and_then(|line| serde_json::from_value(line.0.get("inputs")?.clone()).ok())
        .unwrap_or_default();
    let changed: Vec<&str> = inputs
        .iter()
        .filter(|(name, digest)| {
            logged
                .iter()
                .any(|(known, old)| known == name && old != digest)
        })
        .map(|(name, _)| name.as_str())
        .collect();
    let other_cards = line.is_some_and(|_| {
        let names = |list: &[(String, String)]| {
            list.iter()
                .map(|(name, _)| name.clone())
                .collect::<Vec<_>>()
        };
        names(&logged) != names(inputs)
    });
    match (changed.is_empty(), other_cards) {
        (false, _) => format!("{} changed since", changed.join(", ")),
        (true, true) => "it is about other cards".to_owned(),
        (true, false) if line.is_none() => "skill or cards changed in the meantime".to_owned(),
        (true, false) => SAME_INPUTS.to_owned(),
    }
}

fn report(
    scene: &Scene<'_>,
    plan: &Plan,
    snapshot: &Snapshot,
    mut notes: Vec<String>,
    folder: Option<PathBuf>,
    approval: Value,
) -> Done {
    notes.extend(plan.notes.iter().cloned());
    let applied = scene.args.apply && (!approval.is_null() || folder.is_none());
    let patch_path = folder
        .as_ref()
        .filter(|_| scene.args.make_diff)
        .map(|folder| folder.join("backport.patch"));
    let waiting = folder.is_some() && !applied;
    Report::ExportBackport(Box::new(report::ExportBackport {
        ok: true,
        place: place(scene.ctx),
        target_skill: scene.skill.folder.path.display().to_string(),
        backport_id: plan.options.backport_id.clone(),
        bundle_dir: folder.map(|folder| folder.display().to_string()),
        applied,
        diff_written: patch_path.is_some(),
        card_ids: plan.requested.clone(),
        added_card_ids: plan.added.clone(),
        result_card_ids: plan.result.clone(),
        logged_to: scene
            .store
            .log_path(LogKind::Backports)
            .display()
            .to_string(),
        updated_card_ids: plan.updated.clone(),
        skill_change: plan.skill_change.as_str(),
        into: plan.options.into.as_str(),
        plan_sha256: plan.sha256.clone(),
        tokens: bundle::tokens(plan.tokens),
        overrides: bundle::overrides(plan),
        approval,
        patch_path: patch_path.map(|path| path.display().to_string()),
        apply_command: waiting.then(|| scene.apply_command(&plan.sha256)),
        revert_command: (applied && !plan.is_noop()).then(|| {
            let path = shell_quoted(&scene.given);
            format!(
                "self-learning export-backport --skill-path {path} --revert {}",
                plan.options.backport_id
            )
        }),
        notes,
        diff: String::from_utf8_lossy(&plan.patch).into_owned(),
        diagnostics: snapshot.damage(),
    }))
    .into()
}
