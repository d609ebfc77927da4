//! Memory for coding agents: recall before work, record after it, review, graduate.
//!
//! The truth is append-only JSONL in the repository it serves; everything else is derived and can be
//! deleted. No daemon, no network, no model: the agent judges, the program computes.
//!
//! The rooms, and what each may use (checked by `tests/it/tidy.rs`):
//!
//! | room | holds | uses |
//! |---|---|---|
//! | [`domain`] | records, ids, time, states, keys, scores; pure | nothing |
//! | [`guard`] | what may enter or leave; pure | `domain` |
//! | [`rank`] | which cards answer a question; pure | `domain` |
//! | [`backport`] | graduating cards into a skill; pure | `domain`, `guard` |
//! | [`store`] | the only file I/O on stores | `domain` |
//! | [`report`] | what commands return: the serialised contract | `domain` |
//! | [`render`] | reports to bytes; pure | `report`, `domain`, `guard` (to make text safe to print) |
//! | [`commands`] | one file per verb: load → decide → commit → report | all of the above |
//!
//! Invariants: reading never fails; writing is all or nothing, under the lock, synced before it is
//! acknowledged; only [`ctx`] reads clock, environment and terminal; same store, same clock, same bytes.

pub mod backport;
pub mod cli;
pub mod commands;
pub mod ctx;
pub mod domain;
pub mod error;
pub mod guard;
pub mod rank;
pub mod render;
pub mod report;
pub mod store;

use std::io::Read;

use cli::{Cli, Command, Format, ReviewFormat};
use ctx::Ctx;
use error::Error;
use render::{Form, Style};

/// The bytes a run prints and the status it exits with.
#[derive(Debug, Default)]
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    pub code: u8,
}

/// Run one parsed command line.
pub fn run(cli: &Cli, ctx: &Ctx, stdin: &mut dyn Read) -> Outcome {
    let form = form(&cli.command, ctx.stdout_terminal);
    let style = Style {
        width: ctx.width,
        color: ctx.color,
    };
    match commands::run(cli, ctx, stdin) {
        Ok(done) => {
            let mut outcome = Outcome {
                stdout: render::report(&done.report, form, style),
                ..Outcome::default()
            };
            if let Some(warning) = render::diagnostics(&done.report) {
                outcome.stderr.push_str(&warning);
            }
            if let Some(error) = done.complaint {
                let warning = error.code == commands::record::WARNING;
                outcome.stderr.push_str(&render::complaint(&error, warning));
                outcome.code = if warning { 0 } else { error.exit_code() };
            }
            outcome
        }
        Err(error) => failure(&error, form),
    }
}

/// What a run prints that came to nothing: the error on stderr, and in JSON mode as a document too.
pub fn failure(error: &Error, form: Form) -> Outcome {
    Outcome {
        stdout: if form == Form::Json {
            render::json_failure(error)
        } else {
            String::new()
        },
        stderr: render::complaint(error, false),
        code: error.exit_code(),
    }
}

/// How a command prints: as asked, else for people on a terminal and for programs elsewhere.
pub fn form(command: &Command, terminal: bool) -> Form {
    let output = match command {
        Command::Init(args) => &args.output,
        Command::Record(args) => &args.output,
        Command::List(args) => &args.output,
        Command::WhyNot(args) => &args.output,
        Command::Eval(args) => &args.output,
        Command::Exam(args) => &args.output,
        Command::Show(args) => &args.output,
        Command::Edit(args) => &args.output,
        Command::History(args) => &args.output,
        Command::Rollback(args) => &args.output,
        Command::RecStatus(args) => &args.output,
        Command::AhaStatus(args) => &args.output,
        Command::Use(args) => &args.output,
        Command::Signal(args) => &args.output,
        Command::Repair(args) => &args.output,
        Command::Promote(args) => &args.output,
        Command::Release(args) => &args.output,
        Command::Purge(args) => &args.output,
        Command::Doctor(args) => &args.output,
        Command::ExportBackport(args) => &args.output,
        Command::BackportInspect(args) => &args.output,
        Command::Review(args) => {
            return match args.format {
                Some(ReviewFormat::Json) => Form::Json,
                Some(ReviewFormat::Markdown) => Form::Markdown,
                Some(ReviewFormat::Summary | ReviewFormat::Table) | None => Form::Text,
            };
        }
        Command::Schema(_) | Command::Completions(_) | Command::Man | Command::Tour(_) => {
            return Form::Text;
        }
    };
    match output.format {
        Some(Format::Json) => Form::Json,
        Some(Format::Table) => Form::Text,
        Some(Format::Markdown) => Form::Markdown,
        None if terminal => Form::Text,
        None => Form::Json,
    }
}
