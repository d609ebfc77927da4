//! Graduation under force: kills, full disks, races, links.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::thread;

use serde_json::Value;

use crate::graduate::{REFERENCE, export, graduate, inspect, sandbox, skill_files};
use crate::support::{BINARY, finish, write};

/// Ten at once, each with a card of its own: all ten arrive, each logged once.
#[test]
fn parallel_runs_lose_nothing() {
    let sandbox = sandbox(10, b"# x\n\ntext\n");
    thread::scope(|scope| {
        for number in 1..=10 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let id = format!("aha_card{number:04}");
                export(sandbox, &id, &["--apply", "--yes"]).ok();
            });
        }
    });
    let found = inspect(&sandbox);
    assert_eq!(found["aha_reference"]["card_count"], 10);
    assert_eq!(found["clean"], true, "{found}");
    let lines = sandbox.records("backports.jsonl");
    assert_eq!(
        lines.iter().filter(|line| line["applied"] == true).count(),
        10
    );
    assert_eq!(lines.len(), 10);
    // Reverts among new applies: what is there in the end is what is logged as there.
    let ids: Vec<String> = lines
        .iter()
        .map(|line| line["backport_id"].as_str().expect("an id").to_owned())
        .collect();
    thread::scope(|scope| {
        for (number, id) in ids.iter().enumerate().take(6) {
            let sandbox = &sandbox;
            scope.spawn(move || {
                sandbox
                    .run(&["export-backport", "--revert", id, "--apply", "--yes"])
                    .ok();
                if number % 2 == 0 {
                    let card =
                        sandbox.records("backports.jsonl")[number]["added_card_ids"][0].clone();
                    export(
                        sandbox,
                        card.as_str().expect("an id"),
                        &["--apply", "--yes"],
                    )
                    .ok();
                }
            });
        }
    });
    let found = inspect(&sandbox);
    assert_eq!(found["aha_reference"]["card_count"], 7);
    assert_eq!(found["clean"], true, "{found}");
}

/// Killed by a size limit at every step of the writing: old or new, and the next run tidies up.
#[cfg(target_os = "linux")]
#[test]
fn killed_at_any_size_the_skill_is_old_or_new() {
    let big = format!(
        "# x\n\n{}",
        "A line of the skill that was there before.\n".repeat(60)
    );
    let probe = sandbox(1, big.as_bytes());
    graduate(&probe, "aha_card0001", &[]);
    let new = skill_files(&probe);
    let sandbox = sandbox(1, big.as_bytes());
    let old = skill_files(&sandbox);
    let plan = export(&sandbox, "aha_card0001", &[]).ok().json();
    let sha256 = plan["plan_sha256"].as_str().expect("a digest").to_owned();
    let mut killed = 0;
    let mut limit = 16;
    loop {
        let mut command = sandbox.command("prlimit");
        command.arg(format!("--fsize={limit}")).arg(BINARY).args([
            "export-backport",
            "--skill-path",
            "skills/ci",
        ]);
        command.args(["--ids", "aha_card0001", "--apply", "--plan", &sha256]);
        let run = finish(command, b"");
        let now: BTreeMap<_, _> = skill_files(&sandbox)
            .into_iter()
            .filter(|(path, _)| !path.to_string_lossy().starts_with(".self-learning-"))
            .collect();
        assert!(now == old || now == new, "limit {limit}: {:?}", now.keys());
        if run.code == 0 {
            break;
        }
        killed += 1;
        limit += 64;
    }
    assert!(killed > 20, "{killed}");
    export(&sandbox, "aha_card0001", &[]).ok();
    assert_eq!(skill_files(&sandbox), new);
    let applied: Vec<Value> = sandbox
        .records("backports.jsonl")
        .into_iter()
        .filter(|line| line["applied"] == true)
        .collect();
    assert_eq!(applied.len(), 1);
}

/// Killed at a random moment, over and over; each time the next run finishes or undoes it.
#[cfg(unix)]
#[test]
fn killed_at_any_moment_the_next_run_completes() {
    let sandbox = sandbox(1, b"# x\n");
    let old = skill_files(&sandbox);
    for round in 0..30_u64 {
        let mut command = sandbox.command(BINARY);
        command.args([
            "export-backport",
            "--skill-path",
            "skills/ci",
            "--ids",
            "aha_card0001",
            "--apply",
            "--yes",
        ]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        thread::sleep(std::time::Duration::from_micros(500 + round * 300));
        // It may be done already.
        let _ = child.kill();
        child.wait().expect("it ends");
        export(&sandbox, "aha_card0001", &[]).ok();
        let found = inspect(&sandbox);
        assert_eq!(found["clean"], true, "round {round}: {found}");
        let leftovers = skill_files(&sandbox)
            .keys()
            .any(|path| path.to_string_lossy().starts_with(".self-learning-"));
        assert!(!leftovers, "round {round}");
        if found["aha_reference"]["card_count"] == 1 {
            let id = found["skill_md_markers"]["backport_ids"][0]
                .as_str()
                .expect("an id")
                .to_owned();
            sandbox
                .run(&[
                    "export-backport",
                    "--skill-path",
                    "skills/ci",
                    "--revert",
                    &id,
                    "--apply",
                    "--yes",
                ])
                .ok();
        }
        assert_eq!(skill_files(&sandbox), old, "round {round}");
    }
}

#[test]
fn what_is_read_only_or_a_link_or_outside_is_refused() {
    let sandbox = sandbox(1, b"# x\n");
    let outside = sandbox.root().join("outside");
    write(&outside.join("SKILL.md"), "victim\n");
    for path in ["../outside", outside.to_str().expect("text")] {
        let run = sandbox
            .run(&[
                "export-backport",
                "--skill-path",
                path,
                "--ids",
                "aha_card0001",
            ])
            .code(3);
        assert!(run.stderr.contains("--allow-outside"), "{}", run.stderr);
    }
    sandbox
        .run(&[
            "export-backport",
            "--skill-path",
            "../outside",
            "--ids",
            "aha_card0001",
            "--allow-outside",
        ])
        .ok();
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        let skill = sandbox.repo().join("skills/ci");
        fs::remove_file(skill.join("SKILL.md")).expect("removed");
        symlink(outside.join("SKILL.md"), skill.join("SKILL.md")).expect("a link");
        export(&sandbox, "aha_card0001", &["--apply", "--yes"]).code(3);
        fs::remove_file(skill.join("SKILL.md")).expect("removed");
        write(&skill.join("SKILL.md"), "# x\n");
        for link in ["references", REFERENCE] {
            if link == REFERENCE {
                fs::create_dir(skill.join("references")).expect("a folder");
            }
            symlink(&outside, skill.join(link)).expect("a link");
            export(&sandbox, "aha_card0001", &["--apply", "--yes"]).code(3);
            fs::remove_file(skill.join(link)).expect("removed");
        }
        fs::remove_dir(skill.join("references")).expect("removed");
        write(&skill.join("references"), "a file\n");
        let run = export(&sandbox, "aha_card0001", &["--apply", "--yes"]);
        assert_ne!(run.code, 0);
        assert_eq!(
            fs::read_to_string(skill.join("SKILL.md")).expect("text"),
            "# x\n"
        );
    }
    assert_eq!(
        fs::read_to_string(outside.join("SKILL.md")).expect("text"),
        "victim\n"
    );
}
