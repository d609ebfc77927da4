//! Parse, look around, run, write, exit. Nothing else may print.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use self_learning::cli::Cli;
use self_learning::ctx::Ctx;
use self_learning::error::Error;
use self_learning::guard::secrets;
use self_learning::render::Form;
use self_learning::{Outcome, failure, run};

fn main() -> ExitCode {
    let outcome = match Cli::try_parse() {
        Ok(cli) => match Ctx::from_environment() {
            Ok(ctx) => run(&cli, &ctx, &mut io::stdin().lock()),
            Err(message) => failure(&Error::usage(message), Form::Text),
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
    let arguments: Vec<String> = std::env::args().collect();
    let json = wants_json(&arguments);
    let message = text
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ");
    let form = if json { Form::Json } else { Form::Text };
    let hint = arguments
        .get(1)
        .map_or("self-learning --help".to_owned(), |verb| {
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
        let Some(rest) = argument.strip_prefix("--f") else {
            continue;
        };
        match rest.split_once('=') {
            Some((_, value)) => named = Some(value.to_owned()),
            None => named = arguments.get(position + 1).cloned(),
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
