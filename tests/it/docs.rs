//! The documentation is run: every example in README.md, SKILL.md and references/, every link, the
//! frontmatter, the generated command reference, and the wrapper scripts. AGENTS.md says how examples
//! are written. `SELF_LEARNING_UPDATE_DOCS=1 cargo test docs` rewrites what can be generated.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use self_learning::cli::Cli;
use serde_json::Value;

use crate::support::{Sandbox, write};

const NAME: &str = "self-learning-skills";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[expect(clippy::disallowed_methods, reason = "the switch of this test")]
fn updating() -> bool {
    std::env::var_os("SELF_LEARNING_UPDATE_DOCS").is_some()
}

/// The files whose examples run: name from the root, and the folder of the sandbox they run in.
fn documents() -> Vec<String> {
    let mut names = vec!["README.md".to_owned(), "SKILL.md".to_owned()];
    let references = fs::read_dir(root().join("references"))
        .expect("references")
        .flatten();
    let mut references: Vec<String> = references
        .map(|entry| format!("references/{}", entry.file_name().to_string_lossy()))
        .collect();
    references.sort();
    names.extend(references);
    names
}

/// One fenced block.
#[derive(Debug)]
struct Block {
    tag: String,
    /// Line of the opening fence, from 1.
    line: usize,
    body: Vec<String>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(String, Block)> = None;
    for (at, line) in text.lines().enumerate() {
        let ticks: String = line
            .chars()
            .take_while(|character| *character == '`')
            .collect();
        match &mut open {
            Some((fence, block)) => {
                if line.trim_end() == fence.as_str() {
                    found.extend(open.take().map(|(_, block)| block));
                } else {
                    block.body.push(line.to_owned());
                }
            }
            None if ticks.len() >= 3 => {
                let block = Block {
                    tag: line[ticks.len()..].trim().to_owned(),
                    line: at + 1,
                    body: Vec::new(),
                };
                open = Some((ticks, block));
            }
            None => {}
        }
    }
    assert!(open.is_none(), "an open fence: {open:?}");
    found
}

/// A command of a `console` block and the output that stands below it.
#[derive(Debug, Default)]
struct Step {
    command: String,
    expected: Vec<String>,
}

fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut in_command = false;
    for line in &block.body {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                command: command.to_owned(),
                expected: Vec::new(),
            });
            in_command = true;
            continue;
        }
        let step = steps
            .last_mut()
            .unwrap_or_else(|| panic!("line {}: no command before `{line}`", block.line));
        match line.strip_prefix("> ").filter(|_| in_command) {
            Some(more) => step.command.push_str(&format!("\n{more}")),
            None => {
                in_command = false;
                step.expected.push(line.clone());
            }
        }
    }
    steps
}

/// `...` on a line of its own stands for any lines, `[..]` for any text in a line.
fn lines_match(expected: &[String], actual: &[&str]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=actual.len()).any(|skip| lines_match(rest, &actual[skip..]))
        }
        Some((first, rest)) => match actual.split_first() {
            Some((line, others)) => line_matches(first, line) && lines_match(rest, others),
            None => false,
        },
    }
}

fn line_matches(expected: &str, actual: &str) -> bool {
    match expected.split_once("[..]") {
        None => expected.trim_end() == actual.trim_end(),
        Some((before, after)) => actual.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.into_iter().any(|at| line_matches(after, &rest[at..]))
        }),
    }
}

const PIPELINE_SKILL: &str = "---\nname: ci-config\ndescription: Keeps pipeline files right. Use when a CI job fails.\n---\n\n\
    # Pipeline files\n\n1. Read the log of the first step that failed.\n2. Reproduce it locally.\n";

/// The place where the examples of one document run.
struct Stage {
    sandbox: Sandbox,
    folder: PathBuf,
}

impl Stage {
    fn new(document: &str) -> Stage {
        let sandbox = Sandbox::new();
        let skill = sandbox.repo().join(".claude/skills").join(NAME);
        install(&skill);
        let folder = if document == "SKILL.md" {
            // A skill for cards to graduate into.
            write(
                &skill.with_file_name("ci-config").join("SKILL.md"),
                PIPELINE_SKILL,
            );
            skill
        } else {
            sandbox.repo()
        };
        Stage { sandbox, folder }
    }

    /// Run a shell script; its output with the places of the sandbox under the names that the
    /// documents use, standard error included.
    fn shell(&self, script: &str) -> (i32, String) {
        let binaries = Path::new(crate::support::BINARY)
            .parent()
            .expect("a folder");
        let mut command = self.sandbox.command("sh");
        let path = format!("{}:{}", binaries.display(), inherited_path());
        command
            .current_dir(&self.folder)
            .env_remove("SELF_LEARNING_GLOBAL_DIR")
            .env("PATH", path)
            .env("CHECKOUT", root())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .args(["-c", &format!("exec 2>&1\n{script}")]);
        let run = crate::support::finish(command, b"");
        let named = run
            .stdout
            .replace(&self.sandbox.repo().display().to_string(), "/home/dev/app")
            .replace(
                &self.sandbox.root().join("home").display().to_string(),
                "/home/dev",
            );
        (run.code, named)
    }

    /// Run the steps of a block in one shell; the exit status and output of each.
    fn steps(&self, steps: &[Step]) -> Vec<(i32, String)> {
        let mut script = String::new();
        for step in steps {
            script.push_str(&format!(
                "{}\ncode_=$?; printf '\\036%d\\036' \"$code_\"; (exit \"$code_\")\n",
                step.command
            ));
        }
        let (_, output) = self.shell(&script);
        let parts: Vec<&str> = output.split('\u{1e}').collect();
        let pairs = parts.chunks_exact(2);
        pairs
            .map(|pair| (pair[1].parse().unwrap_or(-1), pair[0].to_owned()))
            .collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell needs its tools")]
fn inherited_path() -> String {
    std::env::var("PATH").unwrap_or_default()
}

/// Copy the program. Another process does it: a file that this one has open for writing cannot be run
/// while a test beside it starts a program.
fn copy_program(to: &Path) {
    fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
    let status = std::process::Command::new("cp")
        .arg(crate::support::BINARY)
        .arg(to)
        .status();
    assert!(status.expect("cp runs").success(), "{}", to.display());
}

/// Copy the skill as people install it.
fn install(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    let mut command = std::process::Command::new("cp");
    command
        .arg("-R")
        .args(["SKILL.md", "references", "scripts"].map(|name| root().join(name)))
        .arg(folder);
    assert!(command.status().expect("cp runs").success());
}

const TAGS: [&str; 8] = [
    "console",
    "sh",
    "bash",
    "text",
    "json",
    "markdown",
    "yaml",
    "powershell",
];

#[test]
fn every_block_says_what_it_is() {
    for name in documents() {
        for block in blocks(&text_of(&name)) {
            assert!(
                TAGS.contains(&block.tag.as_str()),
                "{name}:{}: the tag `{}`",
                block.line,
                block.tag
            );
            if block.tag == "json" {
                let body = block.body.join("\n");
                let parsed = serde_json::from_str::<Value>(&body);
                assert!(parsed.is_ok(), "{name}:{}: {parsed:?}", block.line);
            }
        }
    }
}

/// Building is for the CI script, which runs the same lines.
#[test]
fn build_commands_are_run_by_the_ci_script() {
    let script = text_of(".ci/run");
    for name in documents() {
        for block in blocks(&text_of(&name))
            .iter()
            .filter(|block| block.tag == "bash")
        {
            for line in block
                .body
                .iter()
                .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
            {
                let command = line.split(" #").next().unwrap_or(line).trim();
                assert!(
                    script.contains(command),
                    "{name}:{}: .ci/run does not run `{command}`",
                    block.line
                );
            }
        }
    }
}

#[test]
fn examples_do_what_they_show() {
    let mut wrong = Vec::new();
    for name in documents() {
        let stage = Stage::new(&name);
        let mut plan = String::new();
        let text = text_of(&name);
        let mut updated: Vec<String> = text.lines().map(str::to_owned).collect();
        // From the last block to the first when rewriting would shift lines; examples run in order.
        let mut rewrites = Vec::new();
        for block in blocks(&text) {
            match block.tag.as_str() {
                "sh" => {
                    let (code, output) =
                        stage.shell(&format!("set -eu\n{}", block.body.join("\n")));
                    if code != 0 {
                        wrong.push(format!("{name}:{}: exit {code}\n{output}", block.line));
                    }
                }
                "console" => {
                    let mut steps = steps(&block);
                    // A command approves the plan that was printed last.
                    let stale = updating()
                        && steps
                            .iter_mut()
                            .any(|step| approve(&mut step.command, &plan));
                    let results = stage.steps(&steps);
                    let mut body = Vec::new();
                    let mut differs = stale || results.len() != steps.len();
                    for (at, (step, (code, output))) in steps.iter().zip(&results).enumerate() {
                        let asked = steps
                            .get(at + 1)
                            .is_some_and(|next| next.command == "echo $?");
                        if *code != 0 && !asked {
                            wrong.push(format!(
                                "{name}:{}: `{}` exits with {code}\n{output}",
                                block.line, step.command
                            ));
                        }
                        let actual: Vec<&str> = output.lines().collect();
                        if let Some(digest) =
                            actual.iter().find_map(|line| line.strip_prefix("Plan: "))
                        {
                            plan = digest.to_owned();
                        }
                        let same = step.expected.is_empty() || lines_match(&step.expected, &actual);
                        if !same {
                            differs = true;
                            wrong.push(format!(
                                "{name}:{}: `{}` prints\n{output}",
                                block.line, step.command
                            ));
                        }
                        body.push(format!("$ {}", step.command.replace('\n', "\n> ")));
                        if same {
                            body.extend(step.expected.iter().cloned());
                        } else {
                            body.extend(actual.iter().map(|line| line.trim_end().to_owned()));
                        }
                    }
                    if differs {
                        rewrites.push((block.line, block.body.len(), body));
                    }
                }
                _ => {}
            }
        }
        if updating() {
            for (line, length, body) in rewrites.into_iter().rev() {
                updated.splice(line..line + length, body);
            }
            write(&root().join(&name), updated.join("\n") + "\n");
        }
    }
    assert!(
        wrong.is_empty(),
        "{} examples differ (SELF_LEARNING_UPDATE_DOCS=1 rewrites them)\n\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Put the digest of the last plan in the place of an older one. Returns whether there was one.
fn approve(command: &mut String, plan: &str) -> bool {
    let Some((before, after)) = command.split_once("--plan ") else {
        return false;
    };
    let old = after.split_whitespace().next().unwrap_or_default();
    if plan.is_empty() || old == plan {
        return false;
    }
    *command = format!("{before}--plan {}", after.replacen(old, plan, 1));
    true
}

#[test]
fn links_lead_somewhere() {
    let mut names = documents();
    names.extend(["AGENTS.md", "CHANGELOG.md"].map(str::to_owned));
    let mut wrong = Vec::new();
    for name in names {
        let text = text_of(&name);
        let folder = Path::new(&name).parent().expect("a folder").to_owned();
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() {
                PathBuf::from(&name)
            } else {
                folder.join(path)
            };
            if !root().join(&file).exists() {
                wrong.push(format!("{name}: `{target}` is not there"));
            } else if !anchor.is_empty()
                && !headings(&text_of(&file.display().to_string())).contains(anchor)
            {
                wrong.push(format!("{name}: `{target}` has no such heading"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Headings as their anchors.
fn headings(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    lines
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// The rules of the Agent Skills specification.
#[test]
fn the_skill_is_one_by_the_specification() {
    let text = text_of("SKILL.md");
    let rest = text.strip_prefix("---\n").expect("frontmatter");
    let (front, body) = rest.split_once("\n---\n").expect("frontmatter ends");
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in front.lines().filter(|line| !line.starts_with(' ')) {
        let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("`{line}`"));
        fields.push((key.to_owned(), value.trim().trim_matches('"').to_owned()));
    }
    let allowed = [
        "name",
        "description",
        "license",
        "compatibility",
        "metadata",
        "allowed-tools",
    ];
    assert!(
        fields
            .iter()
            .all(|(key, _)| allowed.contains(&key.as_str())),
        "{fields:?}"
    );
    let field = |name: &str| {
        fields
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(field("name"), Some(NAME));
    let description = field("description").expect("a description");
    assert!(
        (40..=1024).contains(&description.chars().count()),
        "{description}"
    );
    assert!(description.contains("Use "), "it says when: {description}");
    assert!(field("compatibility").is_none_or(|text| (1..=500).contains(&text.chars().count())));
    assert!(body.lines().count() < 500);
    for name in documents() {
        assert!(
            name.matches('/').count() <= 1,
            "references stand one level deep: {name}"
        );
    }
}

#[test]
fn the_command_reference_is_the_help() {
    let sandbox = Sandbox::new();
    let mut text = String::from(
        "# Command line\n\nEvery verb with its `--help`, generated from the program: do not edit.\n\
         `SELF_LEARNING_UPDATE_DOCS=1 cargo test docs` writes it anew.\n",
    );
    let mut section = |title: &str, arguments: &[&str]| {
        let help = sandbox.run(arguments).ok().stdout;
        let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
        text.push_str(&format!(
            "\n## {title}\n\n```text\n{}\n```\n",
            lines.join("\n")
        ));
    };
    section("self-learning", &["--help"]);
    for verb in Cli::command()
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
    {
        section(verb.get_name(), &[verb.get_name(), "--help"]);
    }
    if updating() {
        write(&root().join("references/CLI.md"), &text);
    }
    let stored = fs::read_to_string(root().join("references/CLI.md")).unwrap_or_default();
    assert!(
        stored == text,
        "references/CLI.md is not what --help says; SELF_LEARNING_UPDATE_DOCS=1 cargo test docs"
    );
}

/// Each recorded run in which we differ on purpose is named with its reason.
#[test]
fn every_difference_is_explained() {
    let differences: Vec<Value> =
        serde_json::from_str(&text_of("tests/data/differences.json")).expect("a list");
    assert!(differences.len() <= 25, "{} differences", differences.len());
    let text = text_of("references/COMPATIBILITY.md");
    for entry in &differences {
        let field = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let step = entry["step"]
            .as_u64()
            .unwrap_or_else(|| panic!("a step: {entry}"));
        assert!(
            !field("why").is_empty() && field("defect").starts_with("D-"),
            "{entry}"
        );
        let named = text
            .lines()
            .filter(|line| line.starts_with('|'))
            .any(|row| {
                let cells: Vec<&str> = row.split('|').map(str::trim).collect();
                cells.len() > 4
                    && cells[1] == format!("`{}`", field("scenario"))
                    && cells[2]
                        .split(", ")
                        .any(|number| number.parse() == Ok(step))
                    && cells[3] == field("defect")
            });
        assert!(named, "COMPATIBILITY.md does not explain {entry}");
        let defect = format!("| {} |", field("defect"));
        assert!(
            text.contains(&defect),
            "COMPATIBILITY.md has no row for {}",
            field("defect")
        );
    }
}

mod wrapper {
    use super::*;
    use crate::support::{BINARY, Run, finish};

    fn run(sandbox: &Sandbox, skill: &Path, path: &str, binary: Option<&Path>) -> Run {
        let mut command = sandbox.command(skill.join("scripts/self-learning"));
        command.env("PATH", path).arg("--version");
        if let Some(binary) = binary {
            command.env("SELF_LEARNING_BIN", binary);
        }
        finish(command, b"")
    }

    fn found(run: Run) {
        assert_eq!(
            run.ok().stdout,
            format!("self-learning {}\n", env!("CARGO_PKG_VERSION"))
        );
    }

    #[test]
    fn it_finds_the_binary_where_it_may_be() {
        let sandbox = Sandbox::new();
        let skill = sandbox.repo().join(".claude/skills").join(NAME);
        install(&skill);
        let scripts = skill.join("scripts");
        // Its own folder on the path does not make it call itself.
        let system = format!("{}:/usr/bin:/bin", scripts.display());
        let missing = run(&sandbox, &skill, &system, None).code(127);
        assert_eq!(missing.stdout, "");
        assert!(
            missing.stderr.contains("cargo install"),
            "{}",
            missing.stderr
        );
        assert!(!missing.stderr.contains("http"), "{}", missing.stderr);

        found(run(&sandbox, &skill, &system, Some(Path::new(BINARY))));
        let folder = Path::new(BINARY)
            .parent()
            .expect("a folder")
            .display()
            .to_string();
        found(run(&sandbox, &skill, &format!("{system}:{folder}"), None));
        for place in ["bin", "target/release"] {
            let copy = skill.join(place).join("self-learning");
            copy_program(&copy);
            found(run(&sandbox, &skill, &system, None));
            fs::remove_file(copy).expect("removed");
        }
        let wrong = run(
            &sandbox,
            &skill,
            &system,
            Some(Path::new("/nowhere/self-learning")),
        )
        .code(127);
        assert!(
            wrong.stderr.contains("SELF_LEARNING_BIN"),
            "{}",
            wrong.stderr
        );
    }

    #[test]
    fn it_passes_arguments_and_status_on() {
        let sandbox = Sandbox::new();
        let skill = sandbox.root().join("skill with blanks");
        install(&skill);
        let mut command = sandbox.command(skill.join("scripts/self-learning"));
        command.env("SELF_LEARNING_BIN", BINARY).args([
            "record",
            "--title",
            "two words",
            "--when",
            "a \"quote\"",
        ]);
        let written = finish(command, b"").ok().json();
        assert_eq!(written["results"][0]["title"], "two words");
        let mut command = sandbox.command(skill.join("scripts/self-learning"));
        command
            .env("SELF_LEARNING_BIN", BINARY)
            .args(["show", "aha_none"]);
        assert_eq!(finish(command, b"").code, 4);
    }
}

/// The table of the README, row by row: exit status, the words in backticks, a hint, and a store that is
/// as it was.
mod bad_input {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;

    use super::*;
    use crate::support::{Run, finish};

    struct Row {
        input: String,
        words: Vec<String>,
        exit: i32,
    }

    fn rows() -> Vec<Row> {
        let text = text_of("README.md");
        let table = text
            .split("| input | answer | exit |")
            .nth(1)
            .expect("the table");
        let lines = table
            .lines()
            .skip(2)
            .take_while(|line| line.starts_with('|'));
        let row = |line: &str| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            Row {
                input: cells[0].to_owned(),
                words: cells[1]
                    .split('`')
                    .skip(1)
                    .step_by(2)
                    .map(str::to_owned)
                    .collect(),
                exit: cells[2].parse().expect("an exit status"),
            }
        };
        lines.map(row).collect()
    }

    fn record(sandbox: &Sandbox, bytes: &[u8]) -> Run {
        sandbox.run_with(&["record", "--format", "table"], bytes)
    }

    fn utf16(text: &str) -> Vec<u8> {
        [0xFF, 0xFE]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
            .collect()
    }

    /// As a user who may not write here, also when the tests run as root.
    fn read_only(sandbox: &Sandbox) -> Run {
        let binary = sandbox.root().join("self-learning");
        copy_program(&binary);
        let mut command = sandbox.command(&binary);
        command.args(["record", "--title", "x", "--format", "table"]);
        let modes = |folder: u32| {
            for path in [sandbox.root(), sandbox.repo(), sandbox.store()] {
                fs::set_permissions(path, fs::Permissions::from_mode(folder)).expect("a mode");
            }
        };
        modes(0o555);
        if fs::metadata(sandbox.root()).expect("metadata").uid() == 0 {
            for folder in sandbox
                .store()
                .ancestors()
                .take_while(|path| *path != sandbox.repo())
            {
                fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).expect("a mode");
            }
            command.uid(65_534).gid(65_534);
        }
        let run = finish(command, b"");
        modes(0o755);
        fs::remove_file(binary).expect("removed");
        run
    }

    fn provoke(input: &str, sandbox: &mut Sandbox) -> Run {
        match input {
            "nothing" => record(sandbox, b""),
            "invalid JSON" => record(sandbox, b"{\"aha_cards\":[{\"title\":\"x\"},]}"),
            "UTF-8 or UTF-16 with a byte order mark" => {
                record(
                    sandbox,
                    b"\xef\xbb\xbf{\"aha_cards\":[{\"title\":\"eight\"}]}",
                )
                .ok();
                record(sandbox, &utf16("{\"aha_cards\":[{\"title\":\"sixteen\"}]}"))
            }
            "other encodings" => record(sandbox, b"{\"aha_cards\":[{\"title\":\"caf\xe9\"}]}"),
            "a card outside its list" => record(sandbox, b"{\"title\":\"x\"}"),
            "a misspelt key" => record(sandbox, b"{\"cards\":[{\"title\":\"x\"}]}"),
            "an empty payload" => record(sandbox, b"{}"),
            "some items refused, others fine" => {
                record(sandbox, b"{\"aha_cards\":[\"text\",{\"title\":\"fine\"}]}")
            }
            "hidden characters (bidi controls, tags, zero width)" => record(
                sandbox,
                "{\"aha_cards\":[{\"title\":\"a\u{202e}b\"}]}".as_bytes(),
            ),
            "an unknown id" => sandbox.run(&["show", "aha_000000000001", "--format", "table"]),
            "an unknown verb or flag" => sandbox.run(&["lits"]),
            "a store that cannot be written" => read_only(sandbox),
            "a store path that is a file" => {
                fs::remove_dir_all(sandbox.repo().join(".agent-skills")).expect("removed");
                sandbox.file(".agent-skills", "");
                sandbox.run(&["record", "--title", "x", "--format", "table"])
            }
            "a link where the store should be" => {
                let store = sandbox.repo().join(".agent-skills");
                fs::remove_dir_all(&store).expect("removed");
                std::os::unix::fs::symlink(sandbox.root().join("home"), store).expect("a link");
                sandbox.run(&["record", "--title", "x", "--format", "table"])
            }
            "a store that is in use for more than five seconds" => {
                let lock = fs::OpenOptions::new()
                    .write(true)
                    .open(sandbox.store().join(".lock"))
                    .expect("the lock");
                fs2::FileExt::lock_exclusive(&lock).expect("locked");
                sandbox.env("SELF_LEARNING_LOCK_WAIT_MS", "50");
                sandbox.run(&["record", "--title", "x", "--format", "table"])
            }
            other => panic!("the test knows no input for the row `{other}`"),
        }
    }

    #[test]
    fn the_table_is_true() {
        let rows = rows();
        assert!(rows.len() >= 12, "{} rows", rows.len());
        for row in rows {
            let mut sandbox = Sandbox::new();
            sandbox.card(serde_json::json!({ "title": "stored before", "id": "aha_000000000000" }));
            let before = sandbox.log("aha_cards.jsonl");
            let run = provoke(&row.input, &mut sandbox);
            let said = format!("{}{}", run.stdout, run.stderr);
            assert_eq!(run.code, row.exit, "{}: {said}", row.input);
            for words in &row.words {
                for part in words.split('…').map(str::trim) {
                    assert!(
                        said.replace('`', "").contains(part),
                        "{}: no `{part}` in: {said}",
                        row.input
                    );
                }
            }
            let after = sandbox.log("aha_cards.jsonl");
            if row.exit == 0 {
                assert!(
                    after.starts_with(&before) && after.len() > before.len(),
                    "{}",
                    row.input
                );
            } else {
                assert!(
                    said.contains("hint:") || said.contains("tip:"),
                    "{}: no hint in: {said}",
                    row.input
                );
                assert!(
                    after == before || after.is_empty(),
                    "{}: the store changed",
                    row.input
                );
            }
        }
    }
}
