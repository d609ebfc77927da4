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
use self_learning::guard;
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
        index_from: None,
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

/// What people write: sentences, code, URLs, versions.
const PROSE: &str = "The build failed because `vite.config.ts` resolved react@18.2.0 twice: once from packages/web and once from the root.\n\
    Set `max_tokens` to 4096 and pass --no-cache; commit 3f2a1b4c5d6e fixed it on 2024-06-12. See https://docs.acme.io/build?page=2.\n\
    fn parse(input: &str) -> Result<Token, Error> { let key = input.trim(); if key.is_empty() { return Err(Error::Empty); } Ok(Token::new(key)) }\n";

fn prose() -> String {
    PROSE.repeat(2_500)
}

#[divan::bench]
fn guard_secrets(bencher: Bencher<'_, '_>) {
    let text = prose();
    bencher
        .counter(divan::counter::BytesCount::new(text.len()))
        .bench(|| guard::secrets::scan(&text).len());
}

#[divan::bench]
fn guard_hidden(bencher: Bencher<'_, '_>) {
    let text = prose();
    bencher
        .counter(divan::counter::BytesCount::new(text.len()))
        .bench(|| guard::invisible::find(&text).is_some());
}

#[divan::bench]
fn guard_directives(bencher: Bencher<'_, '_>) {
    let text = prose();
    bencher
        .counter(divan::counter::BytesCount::new(text.len()))
        .bench(|| guard::directive::assess(&[&text]).score);
}

/// A card of ordinary size through the whole gate.
#[divan::bench]
fn guard_card(bencher: Bencher<'_, '_>) {
    let card = card(7);
    let bytes = serde_json::to_string(&card).expect("JSON").len();
    bencher
        .counter(divan::counter::BytesCount::new(bytes))
        .with_inputs(|| card.clone())
        .bench_refs(|card| guard::admit(card, guard::Kind::Card, guard::Options::default()));
}

/// A card of ordinary size, as agents write them.
fn card(number: usize) -> serde_json::Map<String, serde_json::Value> {
    let value = serde_json::json!({
        "title": format!("Matrix jobs overwrite each other's artifacts, case {number}"),
        "when_to_use": "a workflow uploads from a matrix and files are missing afterwards",
        "problem": "Every leg of the matrix uploads under the same name, so the last one wins and the others are lost without a word in the log.",
        "solution_steps": ["Put `${{ matrix.os }}` into the artifact name", "Merge them in a later job with download-artifact@v4", "Fail the job if a name is taken"],
        "evidence": ["run 8123 lost two of three, run 8124 kept all", "docs: actions/upload-artifact v4"],
        "tags": ["ci", "github-actions", "artifacts"],
        "primary_skill": "ci-config",
        "scope": "portable",
    });
    value.as_object().expect("an object").clone()
}
