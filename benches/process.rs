//! What a whole process costs: user and system time of the release binary, as ratios to `cat` of the
//! same logs. Prints the table of the README.
//!
//! cargo bench --bench process

#[path = "store.rs"]
mod store;

#[cfg(unix)]
fn main() {
    unix::main();
}

#[cfg(not(unix))]
fn main() {
    println!("the cost of a process is measured on Unix only");
}

#[cfg(unix)]
mod unix {
    use std::io::Write;
    use std::os::unix::process::ExitStatusExt;
    use std::path::{Path, PathBuf};
    use std::process::{Command, ExitStatus, Stdio};

    use super::store;

    const SIZES: [usize; 3] = [100, 1_000, 10_000];
    /// Odd, so that the median is one of them.
    const RUNS: usize = 15;

    pub fn main() {
        let binary = env!("CARGO_BIN_EXE_self-learning");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut rows: Vec<(&str, Vec<f64>)> = Vec::new();
        let mut cats = Vec::new();
        let mut sizes = Vec::new();
        for cards in SIZES {
            let repository = folder.path().join(format!("repo-{cards}"));
            let logs = store::lay_out(&repository, cards);
            let paths: Vec<PathBuf> = store::files(cards)
                .iter()
                .map(|(name, _)| logs.join(name))
                .collect();
            let bytes: u64 = paths
                .iter()
                .map(|path| path.metadata().expect("a log").len())
                .sum();
            sizes.push(format!("{cards} cards, {:.1} MB", bytes as f64 / 1e6));
            let run = |arguments: &[&str], stdin: &dyn Fn(usize) -> String| {
                cost(&repository, Path::new(binary), arguments, stdin)
            };
            let nothing = |_: usize| String::new();
            let names: Vec<&str> = paths.iter().filter_map(|path| path.to_str()).collect();
            cats.push(cost(&repository, Path::new("cat"), &names, &nothing));
            let card = |number: usize| {
                format!(
                    "{{\"aha_cards\": [{{\"title\": \"Measured {number} times\", \"when_to_use\": \"the clock is noisy {number}\", \
                     \"solution_steps\": [\"Take the median\"]}}]}}"
                )
            };
            for (name, cpu) in [
                ("process start (`--version`)", run(&["--version"], &nothing)),
                ("`list`", run(&["list"], &nothing)),
                (
                    "`list --query`",
                    run(&["list", "--query", "jira search rate limit"], &nothing),
                ),
                ("`review`", run(&["review"], &nothing)),
                ("`record` (one new card)", run(&["record"], &card)),
            ] {
                match rows.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, costs)) => costs.push(cpu),
                    None => rows.push((name, vec![cpu])),
                }
            }
        }
        println!("| command | {} |", sizes.join(" | "));
        println!("|---|{}", "---|".repeat(sizes.len()));
        let cells: Vec<String> = cats.iter().map(|cat| format!("1 ({cat:.1} ms)")).collect();
        println!("| `cat` of the logs | {} |", cells.join(" | "));
        for (name, costs) in rows {
            let cells: Vec<String> = costs
                .iter()
                .zip(&cats)
                .map(|(cpu, cat)| format!("{:.1} × ({cpu:.1} ms)", cpu / cat))
                .collect();
            println!("| {name} | {} |", cells.join(" | "));
        }
    }

    /// Median milliseconds of user and system time.
    fn cost(
        repository: &Path,
        program: &Path,
        arguments: &[&str],
        stdin: &dyn Fn(usize) -> String,
    ) -> f64 {
        let mut costs: Vec<f64> = (0..RUNS)
            .map(|number| once(repository, program, arguments, &stdin(number)))
            .collect();
        costs.sort_by(f64::total_cmp);
        costs[RUNS / 2]
    }

    #[expect(
        clippy::zombie_processes,
        reason = "wait4 waits for it, and tells its cost"
    )]
    fn once(repository: &Path, program: &Path, arguments: &[&str], stdin: &str) -> f64 {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(repository)
            .env("USER", "dev")
            .env("HOME", repository)
            .env("SELF_LEARNING_NOW", "2026-03-02T09:00:00Z")
            .env("SELF_LEARNING_GLOBAL_DIR", repository.join("global"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("the command starts");
        // A program that does not read its input may be gone already.
        let _ = child
            .stdin
            .take()
            .expect("piped")
            .write_all(stdin.as_bytes());
        let mut status = 0;
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        let pid = i32::try_from(child.id()).expect("a process id");
        // SAFETY: both pointers are valid for writes, and the child is ours and not yet waited for.
        let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
        assert_eq!(waited, pid, "the child was waited for");
        assert!(
            ExitStatus::from_raw(status).success(),
            "{arguments:?} failed"
        );
        // SAFETY: zeroed is a valid rusage, and wait4 filled it in.
        let usage = unsafe { usage.assume_init() };
        milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime)
    }

    fn milliseconds(time: libc::timeval) -> f64 {
        time.tv_sec as f64 * 1e3 + time.tv_usec as f64 / 1e3
    }
}
