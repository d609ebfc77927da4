//! `init`: make the store and keep it out of git.

use super::{Done, Snapshot, commit, project_store};
use crate::cli::Init;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::report::{self, Report};
use crate::store::{Batch, gitignore};

pub fn run(args: &Init, ctx: &Ctx) -> Result<Done> {
    let store = project_store(ctx);
    let mut locked = store.lock(ctx.lock_wait)?;
    let mut snapshot = Snapshot::load(&locked)?;
    let mut notes = commit(ctx, &mut locked, &mut snapshot, &Batch::new())?;
    let mut gitignore_changed = false;
    if !args.no_gitignore {
        match gitignore::protect(&ctx.repo_root) {
            Ok(changed) => gitignore_changed = changed,
            Err(error) => notes.push(format!(".gitignore was left alone: {}", error.message)),
        }
    }
    notes.extend(place_notes(ctx));
    Ok(Report::Init(report::Init {
        ok: true,
        repo_root: ctx.repo_root.display().to_string(),
        user: ctx.user.clone(),
        project_store: ctx.store.display().to_string(),
        global_store: ctx.global_store.display().to_string(),
        note: "Project store created. Add .agent-skills/ to .gitignore if you haven't.".to_owned(),
        gitignore_changed,
        notes,
    })
    .into())
}

/// What a user should know about where the memory lies.
pub fn place_notes(ctx: &Ctx) -> Vec<String> {
    let mut notes = Vec::new();
    if ctx.repo_root != ctx.work_root {
        notes.push(format!(
            "this is a linked worktree: the memory of `{}` is used",
            ctx.repo_root.display()
        ));
    }
    if !ctx.user_known {
        let others = other_users(ctx);
        let also = match others.first() {
            Some(first) => format!(
                "; this repository also has memories of {}: set SELF_LEARNING_USER={first} to use them",
                others.join(", ")
            ),
            None => String::new(),
        };
        notes.push(format!(
            "neither USER nor USERNAME is set: the store of `{}` is used{also}",
            ctx.user
        ));
    }
    notes
}

/// What to say beside an empty answer when nobody said who asks and somebody else has memories here.
pub fn other_store(ctx: &Ctx) -> Option<Error> {
    if ctx.user_known {
        return None;
    }
    let others = other_users(ctx);
    let first = others.first()?;
    let mut error = Error::not_found(format!(
        "neither USER nor USERNAME is set: the store of `{}` is used",
        ctx.user
    ))
    .hint(format!(
        "this repository also has memories of {}: set SELF_LEARNING_USER={first} to use them",
        others.join(", ")
    ));
    error.code = super::record::WARNING;
    Some(error)
}

/// Users other than this one who have a memory in this repository.
pub fn other_users(ctx: &Ctx) -> Vec<String> {
    let Some(Ok(entries)) = ctx.store.parent().map(std::fs::read_dir) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| *name != ctx.user)
        .collect();
    names.sort();
    names
}
