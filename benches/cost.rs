//! What the parts cost inside one process.
//!
//! cargo bench --bench cost

#[path = "store.rs"]
mod store;

use clap::Parser;
use divan::Bencher;
use self_learning::cli::Cli;
use self_learning::ctx::{Ctx, store_below};
use self_learning::domain::fold::{LogKind, fold};
use self_learning::domain::time::Timestamp;
use std::time::Duration;

const SIZES: [usize; 3] = [100, 1_000, 10_000];

fn main() {
    divan::main();
}

/// The surroundings of a run in a repository of its own.
fn surroundings(repository: &std::path::Path) -> Ctx {
    Ctx {
        now: Timestamp::parse("2026-03-02T09:00:00Z").expect("a time"),
        user: "dev".to_owned(),
        user_known: true,
        cwd: repository.to_owned(),
        home: None,
        repo_root: repository.to_owned(),
        work_root: repository.to_owned(),
        in_git: true,
        store: store_below(repository, "dev"),
        global_store: repository.join("global"),
        stdin_terminal: false,
        stdout_terminal: false,
        stderr_terminal: false,
        width: 100,
        color: false,
        agent: Vec::new(),
        lock_wait: Duration::from_secs(5),
    }
}

fn command(
    bencher: Bencher<'_, '_>,
    cards: usize,
    line: &[&str],
    stdin: &(dyn Fn(usize) -> String + Sync),
) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    store::lay_out(folder.path(), cards);
    let ctx = surroundings(folder.path());
    let cli =
        Cli::try_parse_from(std::iter::once(&"self-learning").chain(line)).expect("a command line");
    let mut number = 0;
    bencher.bench_local(|| {
        number += 1;
        let input = stdin(number);
        let outcome = self_learning::run(&cli, &ctx, &mut input.as_bytes());
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        outcome
    });
}

#[divan::bench(args = SIZES)]
fn fold_cards(bencher: Bencher<'_, '_>, cards: usize) {
    let files = store::files(cards);
    let text = files
        .into_iter()
        .find(|(name, _)| *name == "aha_cards.jsonl")
        .expect("cards")
        .1;
    bencher
        .counter(divan::counter::BytesCount::new(text.len()))
        .bench(|| fold(LogKind::Cards, text.as_bytes()));
}

#[divan::bench(args = SIZES)]
fn list(bencher: Bencher<'_, '_>, cards: usize) {
    command(bencher, cards, &["list"], &|_| String::new());
}

#[divan::bench(args = SIZES)]
fn list_query(bencher: Bencher<'_, '_>, cards: usize) {
    command(
        bencher,
        cards,
        &["list", "--query", "jira search rate limit"],
        &|_| String::new(),
    );
}

#[divan::bench(args = SIZES)]
fn review(bencher: Bencher<'_, '_>, cards: usize) {
    command(bencher, cards, &["review"], &|_| String::new());
}

#[divan::bench(args = SIZES, max_time = 2)]
fn record(bencher: Bencher<'_, '_>, cards: usize) {
    command(bencher, cards, &["record"], &|number| {
        format!(
            "{{\"aha_cards\": [{{\"title\": \"Measured {number} times\", \"when_to_use\": \"the clock is noisy {number}\"}}]}}"
        )
    });
}
