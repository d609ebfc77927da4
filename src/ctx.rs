//! The surroundings of one run: time, user, places, terminal. The only reader of clock, environment,
//! working directory, home and terminal; everything else is told.

use std::fs;
use std::io::{IsTerminal, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::domain::time::Timestamp;
use crate::error::{Error, Kind, Result};

/// Where one run happens.
#[derive(Debug, Clone)]
pub struct Ctx {
    pub now: Timestamp,
    pub user: String,
    /// Whether the user name was given at all.
    pub user_known: bool,
    pub cwd: PathBuf,
    pub home: Option<PathBuf>,
    /// The repository that the memory belongs to. For a linked worktree the main one.
    pub repo_root: PathBuf,
    /// The checkout the command runs in; differs from `repo_root` in a linked worktree.
    pub work_root: PathBuf,
    /// Whether `repo_root` is a git checkout.
    pub in_git: bool,
    /// `<repo_root>/.agent-skills/self-learning/v1/users/<user>`.
    pub store: PathBuf,
    pub global_store: PathBuf,
    pub stdin_terminal: bool,
    pub stdout_terminal: bool,
    pub stderr_terminal: bool,
    pub width: usize,
    pub color: bool,
    /// Environment variables that tell of a coding agent around us.
    pub agent: Vec<String>,
    /// How long to wait for the store's lock.
    pub lock_wait: Duration,
    /// Bytes of a log from which the derived index is kept; the outer `None` turns it off, the inner one leaves it to the
    /// commands.
    pub index_from: Option<Option<u64>>,
}

/// Bytes from which reading takes a while.
const LONG: u64 = 20_000_000;

/// How far long work has come, in one line that is written over and goes away at the end.
pub struct Progress {
    what: &'static str,
    shown: bool,
    last: std::time::Instant,
    terminal: bool,
}

impl Progress {
    /// So much is done, of so much in all (0 when that is not known), in bytes.
    pub fn at(&mut self, done: u64, all: u64) {
        if !self.terminal || self.last.elapsed() < Duration::from_millis(200) {
            return;
        }
        self.last = std::time::Instant::now();
        self.shown = true;
        let share = match (done * 100).checked_div(all) {
            Some(share) => format!("{share} %"),
            None => format!("{} MB", done / 1_000_000),
        };
        self.write(&format!("\r{}: {share} \u{1b}[K", self.what));
    }

    /// So many bytes are going to be read; says so when that takes a while.
    pub fn begin(&mut self, all: u64) {
        if self.terminal && all >= LONG {
            self.shown = true;
            self.write(&format!("\r{}: {} MB \u{1b}[K", self.what, all / 1_000_000));
        }
    }

    fn write(&self, text: &str) {
        let mut terminal = std::io::stderr().lock();
        // Nobody is waiting for it.
        let _ = terminal.write_all(text.as_bytes());
        let _ = terminal.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            self.write("\r\u{1b}[K");
        }
    }
}

/// The store below a repository root.
pub fn store_below(root: &Path, user: &str) -> PathBuf {
    root.join(".agent-skills/self-learning/v1/users").join(user)
}

impl Ctx {
    /// Read the surroundings.
    ///
    /// # Errors
    /// When the working directory is gone or a variable does not hold what it should.
    pub fn from_environment() -> Result<Ctx> {
        let variable = |name: &str| env_text(name).filter(|text| !text.is_empty());
        let now = match variable("SELF_LEARNING_NOW") {
            Some(text) => Timestamp::parse(&text).ok_or_else(|| {
                Error::usage(format!("SELF_LEARNING_NOW is no time: `{text}`"))
                    .hint("unset it, or write it like 2026-01-31T12:00:00Z")
            })?,
            None => clock(),
        };
        let home = dirs::home_dir();
        let given_user = variable("SELF_LEARNING_USER")
            .or_else(|| variable("USER"))
            .or_else(|| variable("USERNAME"));
        let user = user_slug(given_user.as_deref().unwrap_or("default"));
        let cwd = std::env::current_dir().map_err(|error| {
            Error::new(
                Kind::Failed,
                "no_working_directory",
                format!("the working directory is gone: {error}"),
            )
            .hint("go to a folder that exists: cd ~")
        })?;
        let cwd = fs::canonicalize(&cwd).unwrap_or(cwd);
        let places = match variable("SELF_LEARNING_REPO_ROOT") {
            Some(text) => {
                let root = absolute(&cwd, &expand_home(&text, home.as_deref()));
                Places {
                    in_git: root.join(".git").exists(),
                    work: root.clone(),
                    root,
                }
            }
            None => find_root(&cwd, home.as_deref(), &user),
        };
        let global_store = match variable("SELF_LEARNING_GLOBAL_DIR") {
            Some(text) => {
                let path = absolute(&cwd, &expand_home(&text, home.as_deref()));
                fs::canonicalize(&path).unwrap_or(path)
            }
            None => store_below(home.as_deref().unwrap_or(&cwd), &user),
        };
        let stdout_terminal = std::io::stdout().is_terminal();
        let plain =
            variable("NO_COLOR").is_some() || variable("TERM").is_some_and(|term| term == "dumb");
        let width = variable("COLUMNS")
            .and_then(|text| text.parse().ok())
            .unwrap_or(100);
        let number = |name: &str, what: &str, hint: &str| -> Result<Option<u64>> {
            let wrong =
                |text: &String| Error::usage(format!("{name} is no {what}: `{text}`")).hint(hint);
            variable(name)
                .map(|text| text.parse().map_err(|_| wrong(&text)))
                .transpose()
        };
        let lock_wait = number(
            "SELF_LEARNING_LOCK_WAIT_MS",
            "number of milliseconds",
            "unset it, or write it like 5000",
        )?
        .unwrap_or(5_000);
        let index_from = match variable("SELF_LEARNING_INDEX").as_deref() {
            Some("off") => None,
            _ => Some(number(
                "SELF_LEARNING_INDEX",
                "number of bytes",
                "unset it, write it like 65536, or turn the index off: SELF_LEARNING_INDEX=off",
            )?),
        };
        Ok(Ctx {
            now,
            store: store_below(&places.root, &user),
            user_known: given_user.is_some(),
            user,
            cwd,
            home,
            repo_root: places.root,
            work_root: places.work,
            in_git: places.in_git,
            global_store,
            stdin_terminal: std::io::stdin().is_terminal(),
            stdout_terminal,
            stderr_terminal: std::io::stderr().is_terminal(),
            width,
            color: stdout_terminal && !plain,
            agent: agent_markers(),
            lock_wait: Duration::from_millis(lock_wait),
            index_from,
        })
    }

    /// Show a text to the person at the terminal and ask a question; only a plain yes is one.
    ///
    /// # Errors
    /// When the terminal cannot be written to or read from.
    pub fn ask(&self, text: &str, question: &str, stdin: &mut dyn Read) -> std::io::Result<bool> {
        let mut terminal = std::io::stderr().lock();
        terminal.write_all(format!("{text}\n{question} [y/N] ").as_bytes())?;
        terminal.flush()?;
        let mut answer = Vec::new();
        let mut byte = [0_u8; 1];
        while answer.len() < 64 && stdin.read(&mut byte)? == 1 && byte[0] != b'\n' {
            answer.push(byte[0]);
        }
        let answer = String::from_utf8_lossy(&answer).trim().to_lowercase();
        Ok(matches!(answer.as_str(), "y" | "yes"))
    }

    /// Tells a person at the terminal how far long work has come; says nothing elsewhere.
    pub fn progress(&self, what: &'static str) -> Progress {
        Progress {
            what,
            shown: false,
            last: std::time::Instant::now(),
            terminal: self.stderr_terminal,
        }
    }

    /// A path as the user typed it: `~` expanded, made absolute against the working directory.
    pub fn resolve(&self, text: &str) -> PathBuf {
        absolute(&self.cwd, &expand_home(text, self.home.as_deref()))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the clock"
)]
fn clock() -> Timestamp {
    Timestamp::new(chrono::Utc::now())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn env_text(name: &str) -> Option<String> {
    Some(std::env::var_os(name)?.to_string_lossy().into_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn agent_markers() -> Vec<String> {
    let prefixes = [
        "CODEX_",
        "COPILOT_",
        "GEMINI_",
        "CURSOR_AGENT",
        "CLAUDE_CODE_",
    ];
    let mut names: Vec<String> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| {
            name == "CLAUDECODE"
                || name == "AI_AGENT"
                || prefixes.iter().any(|prefix| name.starts_with(prefix))
        })
        .collect();
    names.sort();
    names
}

/// The v1 rule for the name of a user's store: what is before `@`, other characters as `_`, 64 at most.
pub fn user_slug(name: &str) -> String {
    let name = name.trim();
    let name = match name.split_once('@') {
        Some((before, _)) => before.trim(),
        None => name,
    };
    if name.is_empty() {
        return "default".to_owned();
    }
    let mut slug = String::new();
    let mut in_run = false;
    for character in name.chars() {
        if character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-') {
            slug.push(character);
            in_run = false;
        } else if !in_run {
            slug.push('_');
            in_run = true;
        }
    }
    slug.truncate(64);
    // A name of dots would be a directory of the tree itself.
    if slug.chars().all(|character| character == '.') {
        return "_".to_owned();
    }
    slug
}

fn expand_home(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_owned(),
        (Some(rest), Some(home)) if rest.starts_with(['/', '\\']) => home.join(&rest[1..]),
        _ => PathBuf::from(text),
    }
}

/// Absolute and without `.` and `..`, whether or not it exists.
fn absolute(cwd: &Path, path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in cwd.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

struct Places {
    root: PathBuf,
    work: PathBuf,
    in_git: bool,
}

/// Nearest ancestor with `.git`; else the parent of the nearest `.github`, `.claude` or `.codex`; else
/// the nearest ancestor below home that already holds a store; else `cwd` itself.
fn find_root(cwd: &Path, home: Option<&Path>, user: &str) -> Places {
    if let Some(work) = cwd.ancestors().find(|path| path.join(".git").exists()) {
        // A linked worktree shares the main one's memory, unless it already has its own.
        let own = store_below(work, user).is_dir();
        let root = main_worktree(work)
            .filter(|_| !own)
            .unwrap_or_else(|| work.to_owned());
        return Places {
            root,
            work: work.to_owned(),
            in_git: true,
        };
    }
    let agent_folder = cwd.ancestors().find(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        matches!(name, Some(".github" | ".claude" | ".codex"))
    });
    let used_before = || {
        cwd.ancestors()
            .take_while(|path| Some(*path) != home)
            .find(|path| path.join(".agent-skills/self-learning/v1/users").is_dir())
    };
    let root = agent_folder
        .and_then(Path::parent)
        .or_else(used_before)
        .unwrap_or(cwd);
    Places {
        root: root.to_owned(),
        work: root.to_owned(),
        in_git: false,
    }
}

/// The main worktree of a linked one: `.git` is a file `gitdir: …` whose folder names the common one.
fn main_worktree(work: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(work.join(".git")).ok()?;
    let folder = work.join(text.strip_prefix("gitdir:")?.trim());
    let common = fs::read_to_string(folder.join("commondir")).ok()?;
    let common = fs::canonicalize(folder.join(common.trim())).ok()?;
    (common.file_name()? == ".git").then(|| common.parent().map(Path::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_as_the_original_folds_them() {
        for (name, slug) in [
            ("dev", "dev"),
            ("alice@corp.example", "alice"),
            ("@corp", "default"),
            ("CORP\\bob", "CORP_bob"),
            ("a b/c", "a_b_c"),
            ("José García", "Jos_Garc_a"),
            ("日本", "_"),
            ("  ", "default"),
            ("a__b", "a__b"),
            ("..", "_"),
        ] {
            assert_eq!(user_slug(name), slug, "{name}");
        }
        assert_eq!(user_slug(&"x".repeat(80)).len(), 64);
    }
}
