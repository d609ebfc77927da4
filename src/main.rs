//! Parse, look around, run, write, exit. Nothing else may print.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use self_learning::cli::Cli;
use self_learning::ctx::Ctx;
use self_learning::error::Error;
use self_learning::guard::secrets;
use self_learning::render::Form;
use self_learning::{Outcome, failure, form, run};

fn main() -> ExitCode {
    let outcome = match Cli::try_parse() {
        Ok(cli) => match Ctx::from_environment() {
            Ok(ctx) => run(&cli, &ctx, &mut io::stdin().lock()),
            Err(error) => failure(&error, form(&cli.command, io::stdout().is_terminal())),
        },
        Err(error) => usage(&error),
    };
    let written = io::stdout()
        .write_all(outcome.stdout.as_bytes())
        .and_then(|()| io::stdout().flush());
    let complained = io::stderr().write_all(outcome.stderr.as_bytes());
    match written.and(complained) {
        // A reader that has seen enough is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(outcome.code),
        Err(_) => ExitCode::from(1),
        Ok(()) => ExitCode::from(outcome.code),
    }
}

/// Help and version go to stdout; usage errors to stderr, and as JSON where that was asked for.
fn usage(error: &clap::Error) -> Outcome {
    if !error.use_stderr() {
        return Outcome {
            stdout: error.to_string(),
            ..Outcome::default()
        };
    }
    // What was typed may be a secret in the wrong place.
    let text = error.to_string();
    let text = secrets::redact(&text).0.into_owned();
    // Arguments need not be text; a complaint about that must not fail itself.
    let arguments: Vec<String> = std::env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let json = wants_json(&arguments);
    let message = text
        .split("\n\n")
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ");
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let form = if json { Form::Json } else { Form::Text };
    let verb = arguments
        .get(1)
        .filter(|verb| Cli::command().find_subcommand(verb).is_some());
    let hint = verb.map_or("self-learning --help".to_owned(), |verb| {
        format!("self-learning {verb} --help")
    });
    let mut outcome = failure(&Error::usage(message).hint(hint), form);
    outcome.stderr = text;
    outcome
}

/// Whether a command line that could not be parsed asks for JSON, by its words or by default.
fn wants_json(arguments: &[String]) -> bool {
    let mut named = None;
    for (position, argument) in arguments.iter().enumerate() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), arguments.get(position + 1).cloned()),
        };
        // Any beginning of the option will do, as for the parser.
        if name.len() > 2 && "--format".starts_with(name) {
            named = value;
        }
    }
    let text_by_default = ["review", "schema", "completions", "man", "tour"];
    match named {
        Some(format) => format == "json",
        None => {
            let verb = arguments.get(1).map_or("", String::as_str);
            !io::stdout().is_terminal() && !verb.is_empty() && !text_by_default.contains(&verb)
        }
    }
}
