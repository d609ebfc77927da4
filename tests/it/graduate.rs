//! Graduation through the real program: plan, approve, apply, check, take back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Run, Sandbox, write};

pub const REFERENCE: &str = "references/self-learning-aha.md";

pub fn good_card(number: usize) -> Value {
    json!({
        "id": format!("aha_card{number:04}"),
        "title": format!("Learning {number}: quote the version"),
        "when_to_use": "a version number loses its zero",
        "problem": format!("YAML reads 3.{number}0 as a number.\n\n```yaml\nversion: 3.{number}0\n```"),
        "solution_steps": ["Quote it", "Check with a dry run"],
        "evidence": [format!("run {number} was green afterwards")],
        "tags": ["yaml", "ci"],
        "primary_skill": "ci",
        "scope": "portable",
        "shareable": true,
        "status": "accepted",
    })
}

/// A sandbox with some good cards and one skill.
pub fn sandbox(cards: usize, skill: &[u8]) -> Sandbox {
    let sandbox = Sandbox::new();
    let cards: Vec<Value> = (1..=cards).map(good_card).collect();
    sandbox.record(&json!({ "aha_cards": cards }));
    sandbox.file("skills/ci/SKILL.md", skill);
    sandbox
}

pub fn export(sandbox: &Sandbox, ids: &str, more: &[&str]) -> Run {
    let mut arguments = vec![
        "export-backport",
        "--skill-path",
        "skills/ci",
        "--ids",
        ids,
        "--format",
        "json",
    ];
    arguments.extend(more);
    sandbox.run(&arguments)
}

/// Plan and apply exactly that plan.
#[track_caller]
pub fn graduate(sandbox: &Sandbox, ids: &str, more: &[&str]) -> Value {
    let plan = export(sandbox, ids, more).ok().json();
    let sha256 = plan["plan_sha256"].as_str().expect("a digest").to_owned();
    let mut arguments = more.to_vec();
    arguments.extend(["--apply", "--plan", &sha256]);
    export(sandbox, ids, &arguments).ok().json()
}

#[track_caller]
pub fn revert(sandbox: &Sandbox, id: &str, more: &[&str]) -> Value {
    let base = [
        "export-backport",
        "--skill-path",
        "skills/ci",
        "--revert",
        id,
        "--format",
        "json",
    ];
    let plan = sandbox.json(&[&base[..], more].concat());
    let sha256 = plan["plan_sha256"].as_str().expect("a digest").to_owned();
    sandbox.json(&[&base[..], more, &["--apply", "--plan", &sha256]].concat())
}

pub fn inspect(sandbox: &Sandbox) -> Value {
    sandbox.json(&[
        "backport-inspect",
        "--skill-path",
        "skills/ci",
        "--format",
        "json",
    ])
}

/// State by card id, or by kind for the blocks in SKILL.md.
pub fn states(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let found = inspect(sandbox);
    let blocks = found["blocks"].as_array().expect("blocks");
    let text = |block: &Value, key: &str| block[key].as_str().expect("text").to_owned();
    blocks
        .iter()
        .map(|block| {
            let key = if block["kind"] == "card" || block["kind"] == "unmarked" {
                "id"
            } else {
                "kind"
            };
            (text(block, key), text(block, "state"))
        })
        .collect()
}

/// Every file of the skill.
pub fn skill_files(sandbox: &Sandbox) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = sandbox.repo().join("skills/ci");
    let mut out = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                let below = path.strip_prefix(&root).expect("below");
                out.insert(PathBuf::from(format!("{}/", below.display())), Vec::new());
                folders.push(path);
            } else {
                out.insert(
                    path.strip_prefix(&root).expect("below").to_owned(),
                    fs::read(&path).expect("a file"),
                );
            }
        }
    }
    out
}

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/skills");
    let mut out: Vec<_> = fs::read_dir(folder)
        .expect("fixtures")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| {
            (
                path.file_stem()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned(),
                fs::read(&path).expect("a file"),
            )
        })
        .collect();
    out.sort();
    assert!(out.len() >= 20);
    out
}

/// plan → apply → untouched → again, nothing → revert → the bytes of before; with both placements, and
/// the patch gives what apply gives.
#[test]
fn every_skill_goes_there_and_back() {
    for (name, bytes) in fixtures() {
        for into in ["reference", "gotchas"] {
            let at = format!("{name} into {into}");
            let sandbox = sandbox(2, &bytes);
            let original = skill_files(&sandbox);
            let plan = export(
                &sandbox,
                "aha_card0001,aha_card0002",
                &["--into", into, "--make-diff"],
            )
            .ok()
            .json();
            assert_eq!(
                skill_files(&sandbox),
                original,
                "{at}: planning writes nothing"
            );
            let patch = plan["patch_path"].as_str().expect("a patch").to_owned();
            let sha256 = plan["plan_sha256"].as_str().expect("a digest");
            let flags = ["--into", into, "--apply", "--plan", sha256];
            let done = export(&sandbox, "aha_card0001,aha_card0002", &flags)
                .ok()
                .json();
            assert_eq!(done["applied"], true, "{at}");
            let applied = skill_files(&sandbox);
            assert_eq!(
                done["backport_id"], plan["backport_id"],
                "{at}: the id that was reviewed"
            );
            let states = states(&sandbox);
            assert_eq!(states.len(), 3, "{at}: {states:?}");
            assert!(
                states.values().all(|state| state == "untouched"),
                "{at}: {states:?}"
            );
            sandbox
                .run(&["backport-inspect", "--skill-path", "skills/ci", "--check"])
                .code(0);
            let lines = sandbox.records("backports.jsonl").len();
            let again = graduate(&sandbox, "aha_card0002,aha_card0001", &["--into", into]);
            assert_eq!(again["skill_change"], "unchanged", "{at}");
            assert_eq!(
                skill_files(&sandbox),
                applied,
                "{at}: again changes nothing"
            );
            assert_eq!(
                sandbox.records("backports.jsonl").len(),
                lines,
                "{at}: nothing to log"
            );
            let undone = revert(&sandbox, done["backport_id"].as_str().expect("an id"), &[]);
            assert_eq!(undone["exact"], true, "{at}");
            assert_eq!(skill_files(&sandbox), original, "{at}: the bytes of before");
            let git = Command::new("git")
                .args(["init", "-q"])
                .current_dir(sandbox.repo())
                .status()
                .expect("git");
            assert!(git.success());
            for tool in [&["git", "apply", "--check"][..], &["git", "apply"]] {
                let run = Command::new(tool[0])
                    .args(&tool[1..])
                    .arg(&patch)
                    .current_dir(sandbox.repo())
                    .output()
                    .expect("git");
                assert!(
                    run.status.success(),
                    "{at}: {}",
                    String::from_utf8_lossy(&run.stderr)
                );
            }
            assert_eq!(
                skill_files(&sandbox),
                applied,
                "{at}: the patch gives what apply gives"
            );
        }
    }
}

/// Several backports, taken back in every order, leave what the others would have written alone.
#[test]
fn backports_are_taken_back_in_any_order() {
    let orders = [[0, 1, 2], [1, 0, 2], [2, 0, 1], [1, 2, 0], [0, 2, 1]];
    for (number, (name, bytes)) in fixtures().into_iter().enumerate() {
        // Each shape in two orders; all orders over all shapes take a minute and find no more.
        for order in [orders[number % 5], orders[(number + 2) % 5]] {
            let mut sandbox = sandbox(3, &bytes);
            let original = skill_files(&sandbox);
            let mut ids = Vec::new();
            for (number, card) in ["aha_card0001", "aha_card0002", "aha_card0003"]
                .into_iter()
                .enumerate()
            {
                sandbox.at(&format!("2026-03-0{}T09:00:00Z", number + 3));
                ids.push(
                    graduate(&sandbox, card, &[])["backport_id"]
                        .as_str()
                        .expect("an id")
                        .to_owned(),
                );
            }
            sandbox.at("2026-03-09T09:00:00Z");
            for (count, number) in order.into_iter().enumerate() {
                let undone = revert(&sandbox, &ids[number], &[]);
                assert_eq!(
                    undone["removed_card_ids"],
                    json!([format!("aha_card000{}", number + 1)]),
                    "{name} {order:?}"
                );
                if count < 2 {
                    let states = states(&sandbox);
                    assert!(
                        states.values().all(|state| state == "untouched"),
                        "{name} {order:?}: {states:?}"
                    );
                    assert_eq!(inspect(&sandbox)["aha_reference"]["card_count"], 2 - count);
                }
            }
            assert_eq!(skill_files(&sandbox), original, "{name} {order:?}");
        }
    }
}

/// What the files hold between our markers is ours; everything else comes back byte for byte.
#[test]
fn text_written_around_the_blocks_stays() {
    let sandbox = sandbox(2, b"# x\n\ntext");
    let first = graduate(&sandbox, "aha_card0001", &[]);
    let path = sandbox.repo().join("skills/ci/SKILL.md");
    let reference = sandbox.repo().join("skills/ci").join(REFERENCE);
    let add = |path: &Path, text: &str| {
        let mut bytes = fs::read(path).expect("a file");
        bytes.extend_from_slice(text.as_bytes());
        write(path, bytes);
    };
    add(&path, "\nA person's own words.\n");
    add(&reference, "\nNotes of the team.\n");
    let second = graduate(&sandbox, "aha_card0002", &[]);
    assert!(states(&sandbox).values().all(|state| state == "untouched"));
    let undone = revert(&sandbox, first["backport_id"].as_str().expect("an id"), &[]);
    assert_eq!(undone["exact"], false);
    revert(
        &sandbox,
        second["backport_id"].as_str().expect("an id"),
        &[],
    );
    let left = fs::read_to_string(&path).expect("text");
    assert_eq!(left, "# x\n\ntext\n\nA person's own words.\n");
    let left = fs::read_to_string(&reference).expect("text");
    assert!(
        left.contains("Notes of the team.") && !left.contains("aha:start"),
        "{left}"
    );
}

#[test]
fn an_improved_card_is_updated_in_its_block_and_can_go_back() {
    let mut sandbox = sandbox(2, b"# x\n");
    let first = graduate(&sandbox, "aha_card0001,aha_card0002", &[]);
    let before = skill_files(&sandbox);
    sandbox.at("2026-03-04T09:00:00Z");
    sandbox
        .run(&[
            "edit",
            "--id",
            "aha_card0001",
            "--add-step",
            "Say why in a comment",
        ])
        .ok();
    assert_eq!(states(&sandbox)["aha_card0001"], "source_newer");
    let review = sandbox.json(&["review", "--format", "json"]);
    assert_eq!(
        (&review["updates"][0]["id"], &review["updates"][0]["why"]),
        (&json!("aha_card0001"), &json!("improved"))
    );
    sandbox
        .run(&["backport-inspect", "--skill-path", "skills/ci", "--check"])
        .code(5);
    let second = graduate(&sandbox, "aha_card0001", &[]);
    assert_eq!(second["updated_card_ids"], json!(["aha_card0001"]));
    assert_eq!(second["added_card_ids"], json!([]));
    assert_eq!(second["skill_change"], "updated_marker_id");
    assert!(
        states(&sandbox).values().all(|state| state == "untouched"),
        "{:?}",
        states(&sandbox)
    );
    revert(
        &sandbox,
        second["backport_id"].as_str().expect("an id"),
        &[],
    );
    assert_eq!(skill_files(&sandbox), before);
    sandbox
        .run(&["aha-status", "--id", "aha_card0002", "--status", "rejected"])
        .ok();
    assert_eq!(states(&sandbox)["aha_card0002"], "source_rejected");
    let review = sandbox.json(&["review", "--format", "json"]);
    let whys: Vec<_> = review["updates"]
        .as_array()
        .expect("updates")
        .iter()
        .map(|update| update["why"].clone())
        .collect();
    assert_eq!(whys, ["improved", "rejected"]);
    assert_eq!(review["updates"][1]["backport_id"], first["backport_id"]);
}

#[test]
fn review_lists_what_is_nearly_ready_and_what_it_lacks() {
    let sandbox = sandbox(3, b"# x\n");
    sandbox
        .run(&["edit", "--id", "aha_card0002", "--scope", "project"])
        .ok();
    graduate(&sandbox, "aha_card0003", &[]);
    let review = sandbox.json(&["review", "--format", "json", "--portable"]);
    assert_eq!(review["portable"][0]["id"], "aha_card0001");
    assert_eq!(review["portable"][0]["ready"], true);
    assert_eq!(
        review["portable"][1]["lacks"][0]["fix"],
        "self-learning edit --id aha_card0002 --scope portable"
    );
    assert_eq!(review["portable"].as_array().expect("cards").len(), 2);
    let text = sandbox.run(&["review", "--portable"]).ok().stdout;
    assert!(
        text.contains("[ready]") && text.contains("edit --id aha_card0002 --scope portable"),
        "{text}"
    );
}

#[test]
fn hand_edits_are_seen_never_overwritten_silently_and_can_be_adopted() {
    let mut sandbox = sandbox(2, b"# x\n");
    let done = graduate(&sandbox, "aha_card0001,aha_card0002", &[]);
    let path = sandbox.repo().join("skills/ci").join(REFERENCE);
    let text = fs::read_to_string(&path).expect("text");
    let edited = text.replacen("- Quote it\n", "- Quote it, always\n", 1);
    write(&path, &edited);
    assert_eq!(states(&sandbox)["aha_card0001"], "edited");
    sandbox.at("2026-03-04T09:00:00Z");
    sandbox
        .run(&[
            "edit",
            "--id",
            "aha_card0001",
            "--problem",
            "Something else",
        ])
        .ok();
    let refused = export(&sandbox, "aha_card0001", &[]).code(3);
    assert!(
        refused
            .stderr
            .contains("changed the block `aha_card0001` by hand")
            && refused.stderr.contains("--overwrite"),
        "{}",
        refused.stderr
    );
    let revert_arguments = [
        "export-backport",
        "--skill-path",
        "skills/ci",
        "--revert",
        done["backport_id"].as_str().expect("an id"),
    ];
    sandbox.run(&revert_arguments).code(3);
    assert_eq!(fs::read_to_string(&path).expect("text"), edited);
    // Taken back into the card, the edit is the card's new text; the export renews the digest.
    let adopted = sandbox.json(&[
        "backport-inspect",
        "--skill-path",
        "skills/ci",
        "--adopt",
        "aha_card0001",
        "--format",
        "json",
    ]);
    assert_eq!(
        adopted["adopted"]["item"]["solution_steps"],
        json!(["Quote it, always", "Check with a dry run"])
    );
    assert!(
        adopted["adopted"]["item"]["problem"]
            .as_str()
            .expect("text")
            .starts_with("YAML reads")
    );
    graduate(&sandbox, "aha_card0001", &[]);
    assert!(
        states(&sandbox).values().all(|state| state == "untouched"),
        "{:?}",
        states(&sandbox)
    );
    assert!(
        fs::read_to_string(&path)
            .expect("text")
            .contains("- Quote it, always\n")
    );
    // Or replaced on request.
    let text = fs::read_to_string(&path).expect("text");
    write(&path, text.replacen("always", "sometimes", 1));
    sandbox.at("2026-03-05T09:00:00Z");
    export(&sandbox, "aha_card0001", &[]).code(3);
    graduate(&sandbox, "aha_card0001", &["--overwrite"]);
    assert!(
        fs::read_to_string(&path)
            .expect("text")
            .contains("- Quote it, always\n")
    );
}

#[test]
fn tampering_damage_and_strays_are_told_apart() {
    let sandbox = sandbox(3, b"# x\n");
    graduate(&sandbox, "aha_card0001,aha_card0002", &[]);
    let path = sandbox.repo().join("skills/ci").join(REFERENCE);
    let skill = sandbox.repo().join("skills/ci/SKILL.md");
    let (text, skill_text) = (
        fs::read_to_string(&path).expect("text"),
        fs::read_to_string(&skill).expect("text"),
    );
    let state_after = |text: String| {
        write(&path, text);
        states(&sandbox)
            .get("aha_card0001")
            .cloned()
            .unwrap_or_default()
    };
    let digest_line = text
        .lines()
        .find(|line| line.contains("self-learning:digest"))
        .expect("a digest line")
        .to_owned();
    assert_eq!(
        state_after(text.replacen(&format!("{digest_line}\n"), "", 1)),
        "tampered"
    );
    let forged = digest_line.replacen("sha256=", "sha256=0", 1);
    assert_eq!(
        state_after(text.replacen(&digest_line, &forged, 1)),
        "tampered"
    );
    // Text and digest changed together: only the log can tell.
    let body = text
        .split("aha:start id=aha_card0001")
        .nth(1)
        .and_then(|rest| rest.split_once("-->\n"))
        .expect("a block")
        .1;
    let body = body
        .split("<!-- self-learning:digest")
        .next()
        .expect("a body")
        .replacen("Quote it", "Run it as root", 1);
    let digest = self_learning::backport::digest::of_bytes(body.as_bytes());
    let sealed = text.replacen("Quote it", "Run it as root", 1).replacen(
        &digest_line,
        &format!(
            "<!-- self-learning:digest sha256={} glue=1 -->",
            &digest[..16]
        ),
        1,
    );
    assert_eq!(state_after(sealed), "tampered");
    assert_eq!(
        state_after(text.replacen("<!-- self-learning:aha:end -->\n", "", 1)),
        "damaged"
    );
    let block = text[text
        .find("<!-- self-learning:aha:start id=aha_card0001")
        .expect("a block")..]
        .to_owned();
    assert_eq!(state_after(format!("{text}\n{block}")), "damaged");
    write(&path, text.replace("id=aha_card0002", "id=aha_elsewhere"));
    assert_eq!(states(&sandbox)["aha_elsewhere"], "orphaned");
    write(&path, &text);
    // A start marker that somebody deleted is not answered with a second block.
    let start = skill_text
        .lines()
        .find(|line| line.contains("backport:start"))
        .expect("a marker");
    write(&skill, skill_text.replacen(start, "", 1));
    let refused = export(&sandbox, "aha_card0003", &[]).code(3);
    assert!(
        refused.stderr.contains("SKILL.md:") && refused.stderr.contains("no start marker"),
        "{}",
        refused.stderr
    );
    sandbox
        .run(&["backport-inspect", "--skill-path", "skills/ci", "--check"])
        .code(5);
}

/// The bundle and the log hold no path of this machine, and the bundle's patch is for the root.
#[test]
fn bundles_can_be_shared() {
    let sandbox = sandbox(1, b"# x\n");
    let plan = export(&sandbox, "aha_card0001", &["--make-diff"])
        .ok()
        .json();
    let bundle = PathBuf::from(plan["bundle_dir"].as_str().expect("a folder"));
    let mut names: Vec<String> = Vec::new();
    for (path, bytes) in sandbox.snapshot() {
        if let Ok(below) = path.strip_prefix(&bundle) {
            names.push(below.to_string_lossy().into_owned());
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(
                !text.contains(sandbox.root().to_str().expect("text")),
                "{}: {text}",
                path.display()
            );
        }
    }
    names.sort();
    assert_eq!(
        names,
        [
            "BACKPORT_MANIFEST.json",
            "README.md",
            "SKILL_APPEND.md",
            "backport.patch",
            REFERENCE
        ]
    );
    let manifest: Value =
        serde_json::from_slice(&fs::read(bundle.join("BACKPORT_MANIFEST.json")).expect("a file"))
            .expect("JSON");
    assert_eq!(manifest["target_skill_path"], "skills/ci");
    let line = sandbox.records("backports.jsonl").pop().expect("a line");
    assert_eq!(line["applied"], false);
    assert!(
        !line
            .to_string()
            .contains(sandbox.root().to_str().expect("text"))
    );
}
