//! `export-backport --revert`: take a backport out of a skill again.

use std::io::Read;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::backport::{self as shared, Aftermath, Consent, Intent, Skill};
use super::export_backport::{Scene, write_file};
use super::{Done, Snapshot, place, project_store};
use crate::backport::Target;
use crate::backport::history::History;
use crate::backport::revert::{self, Revert, RevertRefusal};
use crate::cli;
use crate::ctx::Ctx;
use crate::domain::fold::LogKind;
use crate::domain::record::Record;
use crate::error::{Error, Result};
use crate::render;
use crate::report::{self, Report};
use crate::store::Locked;

pub fn run(args: &cli::ExportBackport, id: &str, ctx: &Ctx, stdin: &mut dyn Read) -> Result<Done> {
    let given = match &args.skill_path {
        Some(path) => path.clone(),
        None => logged_path(id, ctx)?,
    };
    let skill = Skill::open(&given, args.allow_outside, ctx)?;
    let scene = Scene {
        args,
        given,
        ctx,
        skill,
        store: project_store(ctx),
    };
    let consent = args
        .apply
        .then(|| shared::consent(args.plan.as_deref(), args.yes, ctx));
    let mut approved = match &consent {
        Some(Consent::Plan(sha256)) => Some(sha256.clone()),
        _ => None,
    };
    if consent == Some(Consent::Ask) {
        let snapshot = Snapshot::load(&scene.store)?;
        let revert = plan_revert(&scene, &snapshot, &scene.skill.read()?, id)?;
        let text = format!(
            "{}\nPlan: {}",
            render::backport::diff(&String::from_utf8_lossy(&revert.patch), ctx.color),
            revert.sha256
        );
        shared::ask(&text, ctx, stdin)?;
        approved = Some(revert.sha256);
    }
    let (mut locked, mut snapshot, mut notes) = scene.open()?;
    let target = scene.skill.read()?;
    let revert = match plan_revert(&scene, &snapshot, &target, id) {
        Err(error) if approved.is_some() => {
            return Err(shared::plan_changed(error.message, &scene.command()));
        }
        other => other?,
    };
    notes.extend(revert.notes.iter().cloned());
    let patch_path = write_revert_patch(&scene, &revert, &target, &locked)?;
    match &consent {
        None => {
            return Ok(revert_report(
                &scene,
                &revert,
                &snapshot,
                notes,
                patch_path,
                Value::Null,
            ));
        }
        Some(Consent::Missing) => {
            return Err(shared::approval_needed(
                &scene.apply_command(&revert.sha256),
                &revert.sha256,
                ctx,
            ));
        }
        Some(_) => {}
    }
    if approved.is_some_and(|approved| approved != revert.sha256) {
        return Err(shared::plan_changed(
            "the skill has changed since this was approved",
            &scene.command(),
        ));
    }
    let approval = shared::approval(consent.as_ref().unwrap_or(&Consent::Yes), ctx);
    let at = ctx.now.to_text();
    let cards = shared::cards(&snapshot);
    let statuses = revert
        .removed
        .iter()
        .filter_map(|id| Some((id.clone(), shared::earlier_status(cards.get(id)?))));
    let aftermath = Aftermath {
        line: revert::log_line(&revert, &target, Some(&approval), &at),
        signals: Vec::new(),
        statuses: statuses.collect(),
    };
    let removable: &[&str] = if revert.remove_directory {
        &["references"]
    } else {
        &[]
    };
    notes.extend(shared::write(
        &scene.skill,
        &Intent {
            changes: &revert.changes,
            removable,
            aftermath: &aftermath,
            replan: &scene.command(),
        },
        &mut locked,
        &mut snapshot,
        ctx,
    )?);
    Ok(revert_report(
        &scene,
        &revert,
        &snapshot,
        notes,
        patch_path,
        approval.value(&at),
    ))
}

fn plan_revert(
    scene: &Scene<'_>,
    snapshot: &Snapshot,
    target: &Target,
    id: &str,
) -> Result<Revert> {
    let records: Vec<&Record> = snapshot
        .backports
        .iter()
        .map(|entry| &entry.record)
        .collect();
    let history = History::of(records.iter().copied(), target);
    let cards = shared::cards(snapshot);
    revert::revert(
        target,
        id.trim(),
        &history,
        &|id| cards.get(id).cloned(),
        scene.args.overwrite,
    )
    .map_err(|refusal| match refusal {
        RevertRefusal::Refused(refusal) => shared::refusal(refusal),
        RevertRefusal::NotFound(known) => {
            let error = Error::not_found(format!(
                "nothing of the backport `{}` is in this skill",
                id.trim()
            ))
            .details(json!({ "backport_ids": known }));
            match known.last() {
                Some(_) => error.hint(format!("backports in this skill: {}", known.join(", "))),
                None => {
                    error.hint("self-learning backport-inspect --skill-path … shows what is there")
                }
            }
        }
    })
}

fn write_revert_patch(
    scene: &Scene<'_>,
    revert: &Revert,
    target: &Target,
    locked: &Locked<'_>,
) -> Result<Option<PathBuf>> {
    if !scene.args.make_diff || revert.patch.is_empty() {
        return Ok(None);
    }
    let name = format!("{}_{}", target.name, revert.backport_id);
    let folder = if name.contains(['/', '\\']) {
        target.name.clone()
    } else {
        name
    };
    let path = scene.store.bundles_path().join(folder).join("revert.patch");
    write_file(&path, &revert.patch, locked.store)?;
    Ok(Some(path))
}

fn revert_report(
    scene: &Scene<'_>,
    revert: &Revert,
    snapshot: &Snapshot,
    notes: Vec<String>,
    patch_path: Option<PathBuf>,
    approval: Value,
) -> Done {
    let applied = !approval.is_null();
    Report::RevertBackport(Box::new(report::RevertBackport {
        ok: true,
        place: place(scene.ctx),
        target_skill: scene.skill.folder.path.display().to_string(),
        reverts: revert.backport_id.clone(),
        applied,
        diff_written: patch_path.is_some(),
        exact: revert.exact,
        removed_card_ids: revert.removed.clone(),
        restored_card_ids: revert.restored.clone(),
        result_card_ids: revert.remaining.clone(),
        logged_to: scene
            .store
            .log_path(LogKind::Backports)
            .display()
            .to_string(),
        plan_sha256: revert.sha256.clone(),
        approval,
        patch_path: patch_path.map(|path| path.display().to_string()),
        apply_command: (!applied).then(|| scene.apply_command(&revert.sha256)),
        notes,
        diff: String::from_utf8_lossy(&revert.patch).into_owned(),
        diagnostics: snapshot.damage(),
    }))
    .into()
}

/// The folder that a backport went to, as the log has it.
fn logged_path(id: &str, ctx: &Ctx) -> Result<String> {
    let snapshot = Snapshot::load(&project_store(ctx))?;
    let line = snapshot.backports.iter().rfind(|entry| {
        entry.record.flag("applied") && entry.record.text("backport_id") == Some(id.trim())
    });
    let path = line
        .and_then(|entry| entry.record.filled("target_skill_path"))
        .ok_or_else(|| {
            Error::not_found(format!(
                "no backport `{}` was written by this store",
                id.trim()
            ))
            .hint("give the skill's folder too: --skill-path DIR")
        })?;
    Ok(ctx.work_root.join(path).to_string_lossy().into_owned())
}
