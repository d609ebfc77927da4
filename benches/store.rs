//! A store of any size, the same bytes for the same number of cards.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The files of a store, by name.
pub type Files = Vec<(&'static str, String)>;

/// A small generator of numbers (xorshift), so that nothing depends on a package's version.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

const VERBS: [&str; 16] = [
    "Retry",
    "Quote",
    "Pin",
    "Cache",
    "Escape",
    "Batch",
    "Rotate",
    "Mount",
    "Rebase",
    "Flush",
    "Paginate",
    "Normalise",
    "Sign",
    "Throttle",
    "Vendor",
    "Bisect",
];
const THINGS: [&str; 24] = [
    "jira search",
    "yaml country codes",
    "docker layers",
    "postgres index",
    "webhook signature",
    "cargo features",
    "terraform state",
    "slack threads",
    "csv upload",
    "oauth token",
    "npm lockfile",
    "kafka offsets",
    "git submodule",
    "ssh agent",
    "pytest fixtures",
    "css grid",
    "s3 multipart upload",
    "redis expiry",
    "grpc deadline",
    "time zones",
    "unicode paths",
    "migration script",
    "browser cookies",
    "github actions cache",
];
const REASONS: [&str; 12] = [
    "the server answers 429 after sixty calls a minute",
    "the parser reads NO as false",
    "the second run starts from a stale cache",
    "the token expires while the upload still runs",
    "the default timeout is shorter than the slowest query",
    "the lock file is rewritten on every install",
    "the proxy drops idle connections",
    "the clock of the runner is in another zone",
    "the glob also matches generated files",
    "the retry repeats a write that had succeeded",
    "the page size is capped without saying so",
    "the child process inherits the closed pipe",
];
const STEPS: [&str; 16] = [
    "Read the Retry-After header and wait that long",
    "Put the value into quotes",
    "Pass --no-cache once",
    "Ask for the next page until the cursor is empty",
    "Set the deadline on the client, not on the server",
    "Compare the checksum before and after",
    "Run the migration inside a transaction",
    "Log the request id with every failure",
    "Split the batch in halves until it passes",
    "Write to a temporary file and rename it",
    "Keep the old key valid for one day",
    "Check the exit status of every command in the pipe",
    "Mount the folder read-only",
    "Sort before comparing",
    "Use UTC everywhere and convert at the edge",
    "Delete the lock and install again",
];
const SKILLS: [&str; 6] = [
    "jira",
    "github-actions",
    "postgres",
    "terraform",
    "python",
    "unknown",
];
const TAGS: [&str; 12] = [
    "ci", "api", "yaml", "cache", "auth", "time", "network", "git", "database", "build", "shell",
    "test",
];

/// The logs of a store with `cards` cards: a tenth of them with a second version, two signals a card,
/// a recommendation for every fifth and an event for every second.
pub fn files(cards: usize) -> Files {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let (mut events, mut lines, mut recommendations, mut signals) =
        (String::new(), String::new(), String::new(), String::new());
    for number in 0..cards {
        let ts = time(number);
        let skill = numbers.one_of(&SKILLS);
        let (first, second) = (numbers.one_of(&THINGS), numbers.one_of(&THINGS));
        let title = format!("{} {first} case {number}", numbers.one_of(&VERBS));
        let when = format!("working on {second} and {}", numbers.one_of(&REASONS));
        let mut card = format!(
            "{{\"title\": \"{title}\", \"when_to_use\": \"{when}\", \"problem\": \"With {first} it fails because {}; then {}.\", \
             \"solution_steps\": [\"{}\", \"{}\", \"{} for {second}\"], \"evidence\": [\"run {} was green after it, {} red before\"], \
             \"tags\": [\"{}\", \"{}\"], \"primary_skill\": \"{skill}\", \"scope\": \"{}\", \"shareable\": {}, \"ts\": \"{ts}\", \
             \"id\": \"aha_{number:012x}\"",
            numbers.one_of(&REASONS),
            numbers.one_of(&REASONS),
            numbers.one_of(&STEPS),
            numbers.one_of(&STEPS),
            numbers.one_of(&STEPS),
            numbers.below(9_000) + 1_000,
            numbers.below(9) + 1,
            numbers.one_of(&TAGS),
            numbers.one_of(&TAGS),
            if numbers.below(3) == 0 {
                "portable"
            } else {
                "project"
            },
            numbers.below(3) == 0,
        );
        let _ = writeln!(lines, "{card}, \"status\": \"proposed\"}}");
        if number % 10 == 9 {
            card.push_str(", \"note\": \"confirmed\", \"status\": \"accepted\"}");
            let _ = writeln!(lines, "{card}");
        }
        for turn in 0..2 {
            let kind = numbers.one_of(&["aha_used", "aha_recalled", "aha_reinforced"]);
            let about = numbers.below(number + 1);
            let _ = writeln!(
                signals,
                "{{\"ts\": \"{ts}\", \"kind\": \"{kind}\", \"source\": \"agent\", \"aha_id\": \"aha_{about:012x}\", \
                 \"context\": \"task {number}\", \"id\": \"sig_{:012x}\"}}",
                2 * number + turn
            );
        }
        if number % 5 == 0 {
            let _ = writeln!(
                recommendations,
                "{{\"title\": \"Automate {first} case {number}\", \"why\": \"{}\", \"implementation_hint\": \"{}\", \
                 \"expected_impact\": {{\"speed\": \"{}\", \"quality\": \"medium\"}}, \"tags\": [\"{}\"], \
                 \"primary_skill\": \"{skill}\", \"scope\": \"project\", \"ts\": \"{ts}\", \"id\": \"rec_{number:012x}\", \
                 \"status\": \"proposed\", \"last_touched_ts\": \"{ts}\"}}",
                numbers.one_of(&REASONS),
                numbers.one_of(&STEPS),
                numbers.one_of(&["low", "medium", "high"]),
                numbers.one_of(&TAGS),
            );
        }
        if number % 2 == 0 {
            let _ = writeln!(
                events,
                "{{\"task_summary\": \"task {number}: {title}\", \"outcome\": \"done\", \"primary_skill\": \"{skill}\", \
                 \"ts\": \"{ts}\", \"id\": \"evt_{number:012x}\"}}"
            );
        }
    }
    vec![
        ("events.jsonl", events),
        ("aha_cards.jsonl", lines),
        ("recommendations.jsonl", recommendations),
        ("signals.jsonl", signals),
    ]
}

/// One card a minute from the beginning of 2026.
fn time(number: usize) -> String {
    let (minute, hour, day) = (number % 60, number / 60 % 24, number / 1_440 % 28 + 1);
    format!("2026-01-{day:02}T{hour:02}:{minute:02}:00Z")
}

/// Write the store of the user `dev` below a repository, with an empty `.git`; gives the store's folder.
#[expect(clippy::disallowed_methods, reason = "fixtures need no atomic writes")]
pub fn lay_out(repository: &Path, cards: usize) -> std::path::PathBuf {
    let store = repository.join(".agent-skills/self-learning/v1/users/dev");
    fs::create_dir_all(repository.join(".git")).expect("a folder");
    fs::create_dir_all(&store).expect("a folder");
    for (name, text) in files(cards) {
        fs::write(store.join(name), text).expect("a file");
    }
    store
}
