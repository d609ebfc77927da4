//! A sandbox for the real binary: own repository, home and clock, nothing from outside.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_self-learning");

/// A repository, a home and a global store in a temporary folder that goes away with it.
pub struct Sandbox {
    root: tempfile::TempDir,
    env: BTreeMap<String, String>,
    now: String,
}

/// What a run gave.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!(
                "stdout is no JSON ({error}):\n{}\nstderr:\n{}",
                self.stdout, self.stderr
            )
        })
    }

    #[track_caller]
    pub fn ok(self) -> Run {
        assert_eq!(
            self.code, 0,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    #[track_caller]
    pub fn code(self, code: i32) -> Run {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Sandbox::new()
    }
}

impl Sandbox {
    pub fn new() -> Sandbox {
        let root = tempfile::tempdir().expect("a temporary folder");
        for folder in ["repo/.git", "home"] {
            fs::create_dir_all(root.path().join(folder)).expect("a folder");
        }
        Sandbox {
            root,
            env: BTreeMap::new(),
            now: "2026-03-02T09:00:00Z".to_owned(),
        }
    }

    /// The real path of the sandbox, without links.
    pub fn root(&self) -> PathBuf {
        fs::canonicalize(self.root.path()).expect("the sandbox")
    }

    pub fn repo(&self) -> PathBuf {
        self.root().join("repo")
    }

    /// The project's store of the user `dev`.
    pub fn store(&self) -> PathBuf {
        self.repo().join(".agent-skills/self-learning/v1/users/dev")
    }

    pub fn global_store(&self) -> PathBuf {
        self.root().join("global")
    }

    /// Set the clock of the runs that follow.
    pub fn at(&mut self, now: &str) -> &mut Self {
        self.now = now.to_owned();
        self
    }

    /// Set an environment variable of the runs that follow.
    pub fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A command with the sandbox's surroundings, in the repository.
    #[expect(clippy::disallowed_methods, reason = "programs must be found")]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear();
        for name in ["PATH", "SystemRoot", "TEMP", "TMP"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .current_dir(self.repo())
            .env("HOME", self.root().join("home"))
            .env("USERPROFILE", self.root().join("home"))
            .env("USER", "dev")
            .env("COLUMNS", "100")
            .env("SELF_LEARNING_GLOBAL_DIR", self.global_store())
            .env("SELF_LEARNING_NOW", &self.now)
            .envs(&self.env);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, b"")
    }

    /// Run the binary with bytes on its standard input.
    pub fn run_with(&self, arguments: &[&str], stdin: &[u8]) -> Run {
        let mut command = self.command(BINARY);
        command.args(arguments);
        finish(command, stdin)
    }

    /// Record a payload; panics unless the exit status is 0.
    #[track_caller]
    pub fn record(&self, payload: &Value) -> Value {
        self.run_with(&["record"], payload.to_string().as_bytes())
            .ok()
            .json()
    }

    /// Record one card and give its id.
    #[track_caller]
    pub fn card(&self, card: Value) -> String {
        let answer = self.record(&serde_json::json!({ "aha_cards": [card] }));
        answer["results"][0]["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(arguments).ok().json()
    }

    /// The bytes of a file in the store; empty when there is none.
    pub fn log(&self, name: &str) -> Vec<u8> {
        fs::read(self.store().join(name)).unwrap_or_default()
    }

    /// The records of a log, each line parsed.
    #[track_caller]
    pub fn records(&self, name: &str) -> Vec<Value> {
        let text = String::from_utf8(self.log(name)).expect("UTF-8");
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    /// Write a log as another writer left it.
    pub fn seed(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(self.store()).expect("a store");
        write(&self.store().join(name), bytes);
    }

    /// Write a file in the repository.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.repo().join(name);
        write(&path, bytes);
        path
    }

    /// Every file below the sandbox with its bytes, to see what a run changed.
    pub fn snapshot(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        collect(&self.root(), &mut found);
        found
    }
}

/// Write a file and the folders it needs.
#[expect(clippy::disallowed_methods, reason = "fixtures need no atomic writes")]
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("a folder");
    }
    fs::write(path, bytes).expect("a file");
}

fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().expect("a file type");
        if kind.is_dir() {
            // The derived index comes and goes; its own tests look at it.
            if entry.file_name() != ".cache" {
                collect(&path, found);
            }
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap_or_default());
        }
    }
}

/// Run a command to its end with bytes on its standard input.
pub fn finish(mut command: Command, stdin: &[u8]) -> Run {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // A program that does not read its input may be gone already.
    let _ = child.stdin.take().expect("piped").write_all(stdin);
    let output = child.wait_with_output().expect("the command ends");
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
