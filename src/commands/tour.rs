//! `tour`: the main job end to end in a throw-away repository. Every step runs the same code as the
//! command it shows, and is checked.

use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::{Value, json};

use super::Done;
use crate::cli::{Cli, Tour};
use crate::ctx::{Ctx, store_below};
use crate::domain::time::Timestamp;
use crate::error::{Error, Kind, Result};
use crate::render::{self, Form, Style};
use crate::report::{self, Report, TourStep};
use crate::store::replace;

/// The skill that learns something in the end.
const SKILL: &str = "---\nname: ci-helper\ndescription: Keeps the build pipeline green. Use when a CI job fails.\n---\n\n# CI helper\n\n1. Read the log of the first step that failed.\n2. Reproduce it locally.\n3. Fix the cause, not the symptom.\n";
const SKILL_FOLDER: &str = ".claude/skills/ci-helper";

pub fn run(args: &Tour, ctx: &Ctx) -> Result<Done> {
    let folder = tempfile::Builder::new()
        .prefix("self-learning-tour-")
        .tempdir()
        .map_err(|error| {
            Error::new(
                Kind::Failed,
                "no_temporary_folder",
                format!("cannot make a temporary folder: {error}"),
            )
        })?;
    let mut guide = Guide::new(folder.path(), ctx)?;
    first_session(&mut guide)?;
    let card = second_session(&mut guide)?;
    graduation(&mut guide, &card)?;
    let steps = guide.steps;
    let failed = steps.iter().filter(|step| !step.ok).count();
    let repository = if args.keep {
        Some(folder.keep().join("repository").display().to_string())
    } else {
        None
    };
    let complaint = (failed > 0).then(|| {
        Error::new(
            Kind::Failed,
            "tour_failed",
            format!("{failed} step(s) of the tour are not as they should be"),
        )
        .hint("self-learning tour --keep leaves the repository to look at")
    });
    Ok(Done {
        report: Report::Tour(report::Tour {
            ok: failed == 0,
            repository,
            steps,
        }),
        complaint,
    })
}

/// What an agent learned while it repaired a pipeline.
fn learnings() -> Value {
    json!({
        "event": {
            "task_summary": "Make the nightly benchmark job find its input",
            "primary_skill": "ci-helper",
        },
        "aha_cards": [
            {
                "title": "A cache key without the lockfile hash restores stale dependencies",
                "when_to_use": "CI passes locally but fails with a missing or outdated dependency",
                "problem": "The cache key held only the operating system, so a new dependency never invalidated it.",
                "solution_steps": [
                    "Put the hash of the lockfile into the cache key",
                    "Add a restore key without the hash, so that a miss starts from the last cache",
                ],
                "evidence": ["The job failed with 'cannot find module zod' right after zod was added; a cleared cache made it pass"],
                "tags": ["ci", "cache"],
                "scope": "portable",
                "shareable": true,
            },
            {
                "title": "Artifacts of a matrix job overwrite each other unless the name holds the matrix value",
                "when_to_use": "an uploaded artifact misses the files of some matrix legs",
                "problem": "All legs uploaded under one name; the last one won.",
                "solution_steps": ["Add the matrix value to the artifact name", "Download with a pattern and merge"],
                "evidence": ["Only the windows report was in the archive"],
                "tags": ["ci", "artifacts"],
                "scope": "portable",
                "shareable": true,
            },
            {
                "title": "The staging database sleeps at night; wake it before integration tests",
                "when_to_use": "integration tests time out in the first minute of a nightly run",
                "solution_steps": ["Call the health endpoint until it answers, at most two minutes"],
                "evidence": ["Reruns at noon always passed"],
                "tags": ["ci", "database"],
                "scope": "project",
            },
        ],
        "recommendations": [{
            "title": "Run the benchmark only when files under crates/engine change",
            "why": "It takes fifty minutes and also runs for changes to the documentation",
            "expected_impact": { "speed": "high", "quality": "low" },
        }],
    })
}

fn first_session(guide: &mut Guide) -> Result<()> {
    guide.step(
        "Make a store",
        &["init"],
        "",
        "The memory lies in the repository it serves, and git ignores it.",
        |run| run.expect(run.code == 0, "init fails"),
    )?;
    guide.step(
        "Ask before work: nothing is known yet",
        &["list", "--query", "benchmark job cannot find its input"],
        "",
        "An empty memory says so; the agent goes on without inventing one.",
        |run| {
            run.expect(
                run.json["count"] == 0 && run.json["message"].is_string(),
                "the empty answer is not said",
            )
        },
    )?;
    let payload = learnings().to_string();
    guide.step(
        "Record after work what the task taught",
        &["record"],
        &payload,
        "Each item has an id now, and the answer says what became of it.",
        |run| {
            let created = run.outcomes("created");
            run.expect(created == 5, &format!("{created} items created, 5 given"))
        },
    )
}

/// Returns the id of the card that gets proven.
fn second_session(guide: &mut Guide) -> Result<String> {
    guide.days_later(1);
    let mut card = String::new();
    guide.step(
        "Next day, another session: ask in other words",
        &[
            "list",
            "--query",
            "dependency missing in pipeline although lockfile changed, stale cache",
        ],
        "",
        "The right card comes first, whatever the words and their order.",
        |run| {
            card = run.json["items"][0]["id"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let title = run.json["items"][0]["title"].as_str().unwrap_or_default();
            run.expect(title.starts_with("A cache key"), "another card comes first")
        },
    )?;
    guide.step(
        "Ask for something nobody learned",
        &["list", "--query", "sourdough hydration in winter"],
        "",
        "No answer is better than a wrong one.",
        |run| run.expect(run.json["count"] == 0, "something is found"),
    )?;
    guide.step(
        "Say that the card helped",
        &[
            "use",
            "--aha",
            &card,
            "--context",
            "fixed the nightly build",
        ],
        "",
        "Use is what makes a card rise.",
        |run| run.expect(run.code == 0, "use fails"),
    )?;
    let again = json!({ "aha_cards": [{
        "title": "a cache key without the lockfile hash restores stale dependencies.",
        "when_to_use": "CI passes locally but fails with a missing or outdated dependency",
        "primary_skill": "ci-helper",
        "evidence": ["Seen again in the docs job"],
    }]});
    guide.step(
        "Learn the same thing again",
        &["record"],
        &again.to_string(),
        "No second card: the new evidence joins the first one and counts as a reinforcement.",
        |run| run.expect(run.outcomes("merged") == 1, "it was not merged"),
    )?;
    // Made up; assembled here so that no scanner takes it for a real one.
    let secret = format!("ghp{}16C7e42F292c6912E7710c838347Ae178B4a", "_");
    let leak = json!({ "aha_cards": [{
        "title": "The package registry wants a token in CI",
        "when_to_use": "publish fails with 401",
        "solution_steps": [format!("export REGISTRY_TOKEN={secret}")],
    }]});
    guide.step(
        "Record something with a secret in it",
        &["record"],
        &leak.to_string(),
        "The secret is masked before it reaches the disk; the answer names its class and place, not its value.",
        |run| {
            let masked = run.json["redactions"].as_array().is_some_and(|found| !found.is_empty());
            run.expect(masked && !run.stored.contains(&secret), "the secret is in the store")
        },
    )?;
    guide.step(
        "Review what is open and proven",
        &["review"],
        "",
        "The learnings themselves, what to do next, and what is ready to graduate.",
        |run| {
            run.expect(
                run.text.contains(&card) && run.text.contains("Ready to graduate"),
                "the card is not ready",
            )
        },
    )?;
    Ok(card)
}

fn graduation(guide: &mut Guide, card: &str) -> Result<()> {
    let export = [
        "export-backport",
        "--skill-path",
        SKILL_FOLDER,
        "--ids",
        card,
    ];
    let (mut plan, mut patch, mut backport) = (String::new(), String::new(), String::new());
    guide.step(
        "Plan to graduate the card into a skill",
        &[&export[..], &["--make-diff"]].concat(),
        "",
        "A diff to read, what it costs in tokens, and a plan; the skill is not touched.",
        |run| {
            let field = |key: &str| run.json[key].as_str().unwrap_or_default().to_owned();
            (plan, patch, backport) = (
                field("plan_sha256"),
                field("patch_path"),
                field("backport_id"),
            );
            run.expect(
                !plan.is_empty() && run.json["applied"] == false,
                "there is no plan",
            )
        },
    )?;
    guide.git(
        "Ask git what it thinks of the patch",
        &["apply", "--check", "-v", &patch],
        "git accepts it as it is; it could go through a pull request like any change.",
    );
    let before = guide.skill();
    guide.step(
        "Approve: apply exactly the plan that was read",
        &[&export[..], &["--apply", "--plan", &plan]].concat(),
        "",
        "The plan's digest covers the skill, the card and the text; had any of them changed, it would be refused.",
        |run| run.expect(run.code == 0 && run.json["applied"] == true, "it was not applied"),
    )?;
    guide.step(
        "Check later what became of it",
        &["backport-inspect", "--skill-path", SKILL_FOLDER],
        "",
        "Every block is as it was written, or the answer says what a person changed.",
        |run| {
            run.expect(
                run.code == 0 && run.json["aha_reference"]["card_count"] == 1,
                "the card is not there",
            )
        },
    )?;
    let revert = [
        "export-backport",
        "--skill-path",
        SKILL_FOLDER,
        "--revert",
        &backport,
    ];
    guide.step(
        "Plan to take it back",
        &revert,
        "",
        "Undoing is planned and approved like doing.",
        |run| {
            plan = run.json["plan_sha256"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            run.expect(!plan.is_empty(), "there is no plan")
        },
    )?;
    let skill = guide.ctx.repo_root.join(SKILL_FOLDER).join("SKILL.md");
    guide.step(
        "Take it back",
        &[&revert[..], &["--apply", "--plan", &plan]].concat(),
        "",
        "The skill is byte for byte what it was.",
        |run| {
            run.expect(
                run.code == 0 && std::fs::read(skill).ok() == before,
                "the skill is not what it was",
            )
        },
    )
}

/// What a step's check sees.
struct Seen<'a> {
    code: u8,
    json: Value,
    text: &'a str,
    /// The bytes of the card log after the step.
    stored: String,
}

impl Seen<'_> {
    fn outcomes(&self, name: &str) -> usize {
        let results = self.json["results"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        results
            .iter()
            .filter(|item| item["outcome"] == name)
            .count()
    }

    #[expect(clippy::unused_self, reason = "reads as a sentence at the call")]
    fn expect(&self, held: bool, problem: &str) -> std::result::Result<(), String> {
        if held {
            Ok(())
        } else {
            Err(problem.to_owned())
        }
    }
}

/// Runs steps in the throw-away repository and keeps what they gave.
struct Guide {
    ctx: Ctx,
    steps: Vec<TourStep>,
}

impl Guide {
    fn new(folder: &Path, ctx: &Ctx) -> Result<Guide> {
        let root = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let repository = root.join("repository");
        let skill = repository.join(SKILL_FOLDER);
        make_folder(&skill)?;
        make_folder(&repository.join(".git"))?;
        // A real repository where git is there; the marker folder is enough for ourselves.
        let _ = std::process::Command::new("git")
            .args(["init", "-q"])
            .current_dir(&repository)
            .output();
        replace::file(
            &skill.join("SKILL.md"),
            SKILL.as_bytes(),
            replace::Durability::Derived,
        )?;
        let user = "tour".to_owned();
        Ok(Guide {
            ctx: Ctx {
                store: store_below(&repository, &user),
                global_store: root.join("global"),
                user,
                user_known: true,
                cwd: repository.clone(),
                home: None,
                work_root: repository.clone(),
                repo_root: repository,
                in_git: true,
                stdin_terminal: false,
                stdout_terminal: false,
                stderr_terminal: false,
                color: false,
                width: ctx.width.clamp(60, 100),
                agent: Vec::new(),
                ..ctx.clone()
            },
            steps: Vec::new(),
        })
    }

    fn days_later(&mut self, days: i64) {
        // The clock of the tour moves; the real one is left alone.
        let ahead = chrono::Duration::try_days(days).unwrap_or_default();
        self.ctx.now = Timestamp::new(self.ctx.now.moment() + ahead);
    }

    /// Run one command line, show it as text, and check what it answered.
    fn step(
        &mut self,
        title: &str,
        arguments: &[&str],
        input: &str,
        meaning: &str,
        check: impl FnOnce(&Seen<'_>) -> std::result::Result<(), String>,
    ) -> Result<()> {
        let line = std::iter::once("self-learning").chain(arguments.iter().copied());
        let cli = Cli::try_parse_from(line)
            .map_err(|error| Error::new(Kind::Failed, "tour_failed", error.to_string()))?;
        let style = Style {
            width: self.ctx.width,
            color: false,
        };
        let (code, json, mut text) = match super::run(&cli, &self.ctx, &mut input.as_bytes()) {
            Ok(done) => {
                let json = serde_json::from_str(&render::report(&done.report, Form::Json, style));
                let code = done.complaint.as_ref().map_or(0, Error::exit_code);
                (
                    code,
                    json.unwrap_or_default(),
                    render::report(&done.report, Form::Text, style),
                )
            }
            Err(error) => (
                error.exit_code(),
                Value::Null,
                render::complaint(&error, false),
            ),
        };
        text = text.replace(&self.ctx.repo_root.display().to_string(), ".");
        let stored = std::fs::read(self.ctx.store.join("aha_cards.jsonl")).unwrap_or_default();
        let seen = Seen {
            code,
            json,
            text: &text,
            stored: String::from_utf8_lossy(&stored).into_owned(),
        };
        let problem = check(&seen).err();
        let command = shown(arguments, !input.is_empty());
        self.keep(title, command, text, meaning, problem);
        Ok(())
    }

    /// The bytes of the skill.
    fn skill(&self) -> Option<Vec<u8>> {
        std::fs::read(self.ctx.repo_root.join(SKILL_FOLDER).join("SKILL.md")).ok()
    }

    /// Run git in the repository; where there is none, the step says so and counts as done.
    fn git(&mut self, title: &str, arguments: &[&str], meaning: &str) {
        let run = std::process::Command::new("git")
            .args(arguments)
            .current_dir(&self.ctx.repo_root)
            .output();
        let (output, problem) = match run {
            Ok(run) => {
                let said = [run.stdout, run.stderr].concat();
                let problem = (!run.status.success()).then(|| "git refuses the patch".to_owned());
                (String::from_utf8_lossy(&said).into_owned(), problem)
            }
            Err(error) => (format!("skipped: git cannot be run ({error})"), None),
        };
        let here = self.ctx.repo_root.display().to_string();
        let command = format!("git {}", arguments.join(" ")).replace(&here, ".");
        self.keep(title, command, output.replace(&here, "."), meaning, problem);
    }

    fn keep(
        &mut self,
        title: &str,
        command: String,
        output: String,
        meaning: &str,
        problem: Option<String>,
    ) {
        self.steps.push(TourStep {
            title: title.to_owned(),
            command,
            output,
            meaning: meaning.to_owned(),
            ok: problem.is_none(),
            problem,
        });
    }
}

fn make_folder(path: &PathBuf) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| Error::io("create", path, &error))
}

/// The command line as a person would type it.
fn shown(arguments: &[&str], with_input: bool) -> String {
    let quoted = arguments.iter().map(|word| {
        let plain =
            |character: char| character.is_ascii_alphanumeric() || "-_./:,=".contains(character);
        if word.chars().all(plain) {
            (*word).to_owned()
        } else {
            format!("\"{word}\"")
        }
    });
    let mut words: Vec<String> = std::iter::once("self-learning".to_owned())
        .chain(quoted)
        .collect();
    if with_input {
        words.push("< learnings.json".to_owned());
    }
    words.join(" ")
}
