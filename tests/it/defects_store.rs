//! What the original does to a store and to its users, one test per defect, through the real binary.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::defects::{card_line, titles};
use super::support::{BINARY, Sandbox, finish, write};

// ---- D-10: lines that are no objects

#[test]
fn d10_a_line_that_is_no_object_is_reported_and_never_an_item() {
    for odd in [r#"["x", "y"]"#, "null", "5", "\"text\"", "true"] {
        let sandbox = Sandbox::new();
        sandbox.seed(
            "aha_cards.jsonl",
            format!("{odd}\n{}", card_line("aha_good1", "good")),
        );
        for arguments in [
            vec!["list"],
            vec!["list", "--skill", "demo"],
            vec!["list", "--tag", "x"],
            vec!["promote", "--ids", "aha_good1"],
        ] {
            sandbox.run(&arguments).ok();
        }
        let list = sandbox.json(&["list"]);
        assert_eq!(list["count"], 1, "{odd}");
        assert_eq!(
            (
                &list["diagnostics"][0]["line"],
                &list["diagnostics"][0]["problem"]
            ),
            (&json!(1), &json!("not_an_object")),
            "{odd}"
        );
    }
}

#[test]
fn d10_odd_types_in_backports_and_signals_do_not_stop_review() {
    let sandbox = Sandbox::new();
    let id = sandbox.card(json!({"title": "good", "shareable": true, "status": "accepted"}));
    sandbox.seed(
        "backports.jsonl",
        "{\"applied\": true, \"result_card_ids\": 5}\n{\"applied\": \"yes\", \"result_card_ids\": {\"a\": 1}}\n[1]\n{\"applied\": true, \"result_card_ids\": [[\"x\"], null]}\n",
    );
    // The last one has the values of a signal, but no names for them.
    let in_a_list = format!("[\"aha_used\", \"{id}\", null, null]");
    sandbox.seed(
        "signals.jsonl",
        format!("{{\"kind\": 5, \"aha_id\": [1]}}\n{{\"kind\": \"aha_used\", \"aha_id\": 7}}\n{{\"kind\": null}}\n{in_a_list}\n"),
    );
    let review = sandbox.json(&["review", "--format", "json"]);
    assert_eq!(review["aha"]["backport_candidates"][0]["id"], id.as_str());
    assert_eq!(review["aha"]["top_by_score"][0]["score"], 1);
    sandbox.run(&["record", "--title", "next"]).ok();
    assert!(
        String::from_utf8(sandbox.log("INDEX.md"))
            .expect("UTF-8")
            .contains("**good**")
    );
}

// ---- D-11: corrupt lines are skipped in silence

#[test]
fn d11_what_the_reader_skips_is_said_by_every_answer_listed_by_repair_and_checked() {
    let sandbox = Sandbox::new();
    sandbox.seed(
        "aha_cards.jsonl",
        format!(
            "{}{{broken\n{}",
            card_line("aha_a001", "one"),
            card_line("aha_b001", "two")
        ),
    );
    let warning = "warning: 1 line in the store could not be read as written, e.g. aha_cards.jsonl line 2: \
                   Expecting a property name in double quotes (column 2)\nhint: self-learning repair\n";
    for arguments in [
        vec!["list"],
        vec!["review"],
        vec!["show", "aha_a001"],
        vec!["use", "--aha", "aha_a001"],
    ] {
        assert_eq!(
            sandbox.run(&arguments).ok().stderr,
            warning,
            "{arguments:?}"
        );
    }
    let found = json!({"file": "aha_cards.jsonl", "line": 2, "problem": "not_json", "detail": "Expecting a property name in double quotes (column 2)"});
    assert_eq!(sandbox.json(&["list"])["diagnostics"], json!([found]));
    assert_eq!(sandbox.json(&["list"])["count"], 2);
    let check = sandbox.run(&["repair", "--check"]).code(5);
    assert_eq!(check.json()["problems"][0]["state"], "found");
    assert_eq!(
        check.stderr,
        "error: 1 finding(s) in the store\nhint: self-learning repair lists them; self-learning repair --apply appends the fixes\n"
    );
    // Once a person has seen it, the check is clean again; the line itself is nobody's to delete.
    let before = sandbox.log("aha_cards.jsonl");
    sandbox.run(&["repair", "--apply"]).ok();
    assert_eq!(sandbox.log("aha_cards.jsonl"), before);
    let check = sandbox.run(&["repair", "--check"]).ok();
    assert_eq!(check.json()["problems"][0]["state"], "acknowledged");
}

#[test]
fn d11_a_byte_order_mark_crlf_and_lone_cr_hide_no_card() {
    let sandbox = Sandbox::new();
    let (a, b, c) = (
        card_line("aha_a001", "one"),
        card_line("aha_b001", "two"),
        card_line("aha_c001", "three"),
    );
    sandbox.seed(
        "aha_cards.jsonl",
        format!("\u{feff}{}\r\n\r\n{}\r{c}", a.trim_end(), b.trim_end()),
    );
    assert_eq!(titles(&sandbox, &[]), ["one", "two", "three"]);
    assert_eq!(
        sandbox.json(&["list"])["diagnostics"][0]["problem"],
        "byte_order_mark"
    );
    sandbox.run(&["record", "--title", "four"]).ok();
    assert_eq!(titles(&sandbox, &[]), ["one", "two", "three", "four"]);
}

// ---- D-26: recommendations are never de-duplicated

#[test]
fn d26_the_same_recommendation_again_is_one_recommendation_seen_again() {
    let mut sandbox = Sandbox::new();
    let rec = json!({"title": "Lint the workflows", "why": "Broken YAML reaches main every week"});
    let first = sandbox.record(&json!({ "recommendations": [rec] }));
    let id = first["results"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for day in 3..7 {
        sandbox.at(&format!("2026-03-{day:02}T09:00:00Z"));
        let again = sandbox.record(&json!({ "recommendations": [rec] }));
        assert_eq!(
            (&again["results"][0]["outcome"], &again["results"][0]["id"]),
            (&json!("reinforced"), &json!(id))
        );
    }
    let review = sandbox.json(&["review", "--format", "json"]);
    assert_eq!(review["summary"]["open_recommendations"], 1);
    assert_eq!(review["recommendations"]["open"][0]["captured_again"], 4);
    // An agent that says it again has not done it: still untouched.
    assert_eq!(review["summary"]["untouched_recommendations"], 1);
    assert_eq!(
        sandbox
            .log("recommendations.jsonl")
            .iter()
            .filter(|byte| **byte == b'\n')
            .count(),
        1
    );
    // Rejected ones are remembered, done ones may come up again.
    sandbox
        .run(&["rec-status", "--id", &id, "--status", "rejected"])
        .ok();
    let refused = sandbox.record(&json!({ "recommendations": [rec] }));
    assert_eq!(
        refused["results"][0]["why"],
        format!(
            "the recommendation is rejected and stays so; reopen it with: self-learning rec-status --id {id} --status proposed"
        )
    );
    sandbox
        .run(&["rec-status", "--id", &id, "--status", "done"])
        .ok();
    assert_eq!(
        sandbox.record(&json!({ "recommendations": [rec] }))["results"][0]["outcome"],
        "created"
    );
}

// ---- D-27: repair

#[test]
fn d27_a_dry_repair_creates_nothing() {
    let sandbox = Sandbox::new();
    let before = sandbox.snapshot();
    sandbox.run(&["repair"]).ok();
    sandbox.run(&["repair", "--check"]).ok();
    sandbox.run(&["repair", "--apply"]).ok();
    sandbox.run(&["review"]).ok();
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn d27_a_tag_comes_before_events_and_a_repair_is_no_touch() {
    let mut sandbox = Sandbox::new();
    sandbox.seed("events.jsonl", "{\"ts\": \"2023-01-01T00:00:00Z\", \"task_summary\": \"x\", \"primary_skill\": \"old-skill\", \"id\": \"evt_1\"}\n");
    sandbox.seed("aha_cards.jsonl", "{\"id\": \"aha_tagged\", \"ts\": \"2026-01-01T00:00:00Z\", \"title\": \"t\", \"tags\": [\"skill:right-skill\"]}\n\
        {\"id\": \"aha_plain\", \"ts\": \"2026-01-01T00:00:00Z\", \"title\": \"p\"}\n");
    sandbox.seed("recommendations.jsonl", "{\"id\": \"rec_a\", \"ts\": \"2026-01-01T00:00:00Z\", \"title\": \"r\", \"status\": \"in-progress\", \"primary_skill\": \"a\"}\n\
        {\"id\": \"rec_b\", \"ts\": \"2026-01-01T00:00:00Z\", \"title\": \"s\", \"status\": \"Done\", \"primary_skill\": \"a\"}\n\
        {\"id\": \"rec_c\", \"ts\": \"2026-01-01T00:00:00Z\", \"title\": \"u\", \"status\": \"wontfix\", \"primary_skill\": \"a\"}\n\
        {\"id\": \"rec_d\", \"ts\": \"2026-01-01T00:00:00Z\", \"title\": \"v\", \"status\": \"someday\", \"primary_skill\": \"a\"}\n");
    sandbox.at("2026-03-02T09:00:00Z");
    let dry = sandbox.json(&["repair"]);
    assert_eq!(
        dry["planned"]["aha_updates"],
        json!([{"id": "aha_tagged", "primary_skill": "right-skill"}, {"id": "aha_plain", "primary_skill": "old-skill"}])
    );
    assert_eq!(
        dry["planned"]["rec_updates"],
        json!([{"id": "rec_a", "status": "in_progress"}, {"id": "rec_b", "status": "done"}, {"id": "rec_c", "status": "rejected"}])
    );
    assert_eq!(
        dry["oddities"],
        json!([{"id": "rec_d", "field": "status", "value": "someday",
        "fix": "self-learning rec-status --id rec_d --status proposed"}])
    );
    let stale = |sandbox: &Sandbox| {
        sandbox.json(&["review", "--format", "json"])["summary"]["stale_recommendations"].clone()
    };
    assert_eq!(stale(&sandbox), 2);
    sandbox.run(&["repair", "--apply"]).ok();
    assert_eq!(stale(&sandbox), 2, "as stale as before");
    // Again: nothing left but what a person must decide.
    let lines = sandbox.log("recommendations.jsonl");
    let again = sandbox.json(&["repair", "--apply"]);
    assert_eq!(
        (
            &again["counts"]["aha_updates"],
            &again["counts"]["rec_updates"]
        ),
        (&json!(0), &json!(0))
    );
    assert_eq!(sandbox.log("recommendations.jsonl"), lines);
}

#[test]
fn d27_unknown_and_null_ids_are_repaired_where_it_is_certain() {
    let sandbox = Sandbox::new();
    sandbox.seed("aha_cards.jsonl", "{\"id\": null, \"ts\": \"2026-01-01T00:00:00Z\", \"title\": \"no id\", \"primary_skill\": \"a\"}\n\
        {\"id\": \"aha_u\", \"ts\": \"2026-01-01T00:00:00Z\", \"title\": \"x\", \"primary_skill\": \"unknown\", \"tags\": [\"skill:yaml\"]}\n");
    let listed = sandbox.json(&["list"]);
    assert_eq!(listed["count"], 2);
    assert_eq!(listed["diagnostics"][0]["problem"], "missing_id");
    sandbox.run(&["repair", "--apply"]).ok();
    let derived = sandbox.json(&["list", "--skill", "a"])["items"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert!(
        derived.starts_with("aha_") && derived.len() == 16,
        "{derived}"
    );
    assert_eq!(sandbox.json(&["list"])["count"], 2);
    assert_eq!(
        sandbox.json(&["show", "aha_u"])["items"][0]["item"]["primary_skill"],
        "yaml"
    );
}

// ---- D-28: which captures are the same

#[test]
fn d28_spelling_makes_no_second_card_and_meaning_does() {
    let sandbox = Sandbox::new();
    let card = |title: &str, skill: &str| json!({"title": title, "when_to_use": "HTTP 429 from the API", "primary_skill": skill});
    let id = sandbox.card(card("Retry on rate limit", "jira"));
    for title in [
        "Retry  on rate limit",
        "Retry on rate limit.",
        "Retry on rate-limit",
        "Rate limit: retry on",
        "RETRY on rate limit",
        "Re\u{301}try on rate limit",
    ] {
        let found = sandbox.card(card(title, "jira"));
        let same = title != "Re\u{301}try on rate limit";
        assert_eq!(found == id, same, "{title}");
    }
    // Composed and decomposed accents are one word.
    assert_eq!(
        sandbox.card(card("R\u{e9}try on rate limit", "jira")),
        sandbox.card(card("Re\u{301}try on rate limit", "jira"))
    );
    // Nobody's skill joins somebody's, and takes its name once that is known.
    assert_eq!(sandbox.card(card("Retry on rate limit", "unknown")), id);
    assert_ne!(sandbox.card(card("Retry on rate limit", "github")), id);
    let loose = sandbox.card(json!({"title": "Quote YAML", "when_to_use": "NO"}));
    assert_eq!(
        sandbox.card(json!({"title": "Quote YAML", "when_to_use": "NO", "primary_skill": "ci"})),
        loose
    );
    assert_eq!(
        sandbox.json(&["show", &loose])["items"][0]["item"]["primary_skill"],
        "ci"
    );
    // A rejected card that is discovered again stays rejected, and says so.
    sandbox
        .run(&[
            "aha-status",
            "--id",
            &id,
            "--status",
            "rejected",
            "--note",
            "wrong since v2",
        ])
        .ok();
    let again = sandbox.record(&json!({"aha_cards": [card("Retry on rate limit", "jira")]}));
    assert_eq!(
        again["results"][0]["why"],
        format!(
            "the card is rejected (wrong since v2) and stays so; reopen it with: self-learning aha-status --id {id} --status proposed"
        )
    );
    assert!(!titles(&sandbox, &["--skill", "jira"]).contains(&"Retry on rate limit".to_owned()));
}

// ---- D-30: the global store is write-only

#[test]
fn d30_promoted_cards_can_be_found_shown_used_and_brought_up_to_date() {
    let mut sandbox = Sandbox::new();
    let id =
        sandbox.card(json!({"title": "Quote YAML", "when_to_use": "NO is false", "problem": "v1"}));
    sandbox
        .run(&["aha-status", "--id", &id, "--status", "accepted"])
        .ok();
    let promoted = sandbox.json(&["promote", "--ids", &id]);
    assert_eq!(
        promoted["promoted_count"], 1,
        "one card, not one per version"
    );
    let lines = |sandbox: &Sandbox| {
        fs::read_to_string(sandbox.global_store().join("aha_cards.jsonl"))
            .expect("there")
            .lines()
            .count()
    };
    assert_eq!(lines(&sandbox), 1);
    assert_eq!(
        sandbox
            .records("signals.jsonl")
            .iter()
            .filter(|signal| signal["kind"] == "aha_promoted")
            .count(),
        1
    );
    assert_eq!(
        titles(&sandbox, &["--global", "--query", "yaml"]),
        ["Quote YAML"]
    );
    // The same again: nothing to do, and no failure.
    let again = sandbox.json(&["promote", "--ids", &id]);
    assert_eq!(
        (
            &again["ok"],
            &again["promoted_count"],
            &again["skipped"][0]["why"]
        ),
        (
            &json!(true),
            &json!(0),
            &json!(format!("{id} is there already"))
        )
    );
    assert_eq!(lines(&sandbox), 1);
    // A later version follows.
    sandbox
        .at("2026-03-05T09:00:00Z")
        .run(&["edit", "--id", &id, "--problem", "v2"])
        .ok();
    assert_eq!(
        sandbox.json(&["promote", "--ids", &id])["promoted_count"],
        1
    );
    assert_eq!(
        sandbox.json(&["list", "--global"])["items"][0]["problem"],
        "v2"
    );
    assert_eq!(sandbox.json(&["list", "--global"])["count"], 1);
    // Another repository of the same user finds, shows and uses it.
    let elsewhere = sandbox.root().join("elsewhere");
    fs::create_dir_all(elsewhere.join(".git")).expect("a folder");
    for arguments in [vec!["show", &id], vec!["use", "--aha", &id]] {
        let mut command = sandbox.command(BINARY);
        command.args(&arguments).current_dir(&elsewhere);
        let run = finish(command, b"").ok();
        assert_eq!(run.json()["ok"], true, "{arguments:?}");
    }
}

#[test]
fn d30_a_promotion_of_nothing_is_a_failure_and_says_why() {
    let sandbox = Sandbox::new();
    let id = sandbox.card(json!({"title": "wrong"}));
    sandbox
        .run(&["aha-status", "--id", &id, "--status", "rejected"])
        .ok();
    let run = sandbox.run(&["promote", "--ids", &id]).code(3);
    assert_eq!(
        run.json()["skipped"],
        json!([{"id": id, "why": format!("{id} is rejected")}])
    );
    assert_eq!(
        (&run.json()["ok"], run.stderr),
        (
            &json!(false),
            format!("error: {id} is rejected\nhint: self-learning show {id}\n")
        )
    );
    let near = format!("{}x", &id[..id.len() - 1]);
    let run = sandbox.run(&["promote", "--ids", &near]).code(4);
    assert_eq!(
        run.stderr,
        format!("error: No matching cards found in project store.\nhint: did you mean {id}?\n")
    );
    assert!(!sandbox.global_store().join("aha_cards.jsonl").exists());
}

// ---- D-31: memory splits

#[test]
fn d31_a_missing_user_name_is_said_and_the_other_store_is_named() {
    let sandbox = Sandbox::new();
    sandbox.card(json!({"title": "of dev"}));
    let mut command = sandbox.command(BINARY);
    command.args(["init"]).env_remove("USER");
    assert_eq!(
        finish(command, b"").ok().json()["notes"],
        json!([
            "neither USER nor USERNAME is set: the store of `default` is used; this repository also has memories of dev: set SELF_LEARNING_USER=dev to use them"
        ])
    );
    let mut command = sandbox.command(BINARY);
    command
        .args(["list"])
        .env_remove("USER")
        .env("SELF_LEARNING_USER", "dev");
    assert_eq!(finish(command, b"").ok().json()["count"], 1);
}

#[test]
fn d31_an_empty_answer_to_nobody_names_the_store_that_is_not_empty() {
    let sandbox = Sandbox::new();
    sandbox.card(json!({"title": "of dev"}));
    let as_nobody = |arguments: &[&str]| {
        let mut command = sandbox.command(BINARY);
        command.args(arguments).env_remove("USER");
        finish(command, b"").ok()
    };
    for arguments in [vec!["list"], vec!["list", "--query", "of dev"]] {
        assert_eq!(
            as_nobody(&arguments).json()["message"],
            "No memories recorded yet. Proceed with the task using standard tools. This is the memory of `default`, because \
             neither USER nor USERNAME is set; others here: dev. To use one: SELF_LEARNING_USER=dev",
            "{arguments:?}"
        );
    }
    assert_eq!(
        as_nobody(&["review"]).stderr,
        "warning: neither USER nor USERNAME is set: the store of `default` is used\n\
         hint: this repository also has memories of dev: set SELF_LEARNING_USER=dev to use them\n",
    );
    assert_eq!(sandbox.run(&["review"]).ok().stderr, "");
}

#[test]
fn d31_a_user_name_never_leads_out_of_the_stores_folder() {
    let sandbox = Sandbox::new();
    for (name, folder) in [
        ("..", "_"),
        (".", "_"),
        ("../../x", ".._.._x"),
        ("a/b", "a_b"),
        ("CORP\\bob", "CORP_bob"),
        ("alice@corp.example", "alice"),
        ("José García", "Jos_Garc_a"),
        ("   ", "default"),
        ("", "default"),
    ] {
        let mut command = sandbox.command(BINARY);
        command.args(["record", "--title", "x"]).env("USER", name);
        let answer = finish(command, b"").ok().json();
        let store = sandbox
            .repo()
            .join(".agent-skills/self-learning/v1/users")
            .join(folder);
        assert_eq!(
            answer["project_store"],
            store.display().to_string(),
            "{name:?}"
        );
        assert!(store.join("aha_cards.jsonl").is_file(), "{name:?}");
    }
    assert!(
        !sandbox
            .repo()
            .join(".agent-skills/self-learning/v1/aha_cards.jsonl")
            .exists()
    );
}

fn git(folder: &std::path::Path, arguments: &[&str]) {
    let status = Command::new("git")
        .args([
            "-c",
            "user.email=dev@localhost",
            "-c",
            "user.name=dev",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("git runs");
    assert!(
        status.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&status.stderr)
    );
}

#[test]
fn d31_linked_worktrees_share_one_memory() {
    let sandbox = Sandbox::new();
    fs::remove_dir(sandbox.repo().join(".git")).expect("an empty folder");
    git(&sandbox.repo(), &["init", "-q"]);
    git(
        &sandbox.repo(),
        &["commit", "-q", "--allow-empty", "-m", "first"],
    );
    git(&sandbox.repo(), &["worktree", "add", "-q", "../linked"]);
    sandbox.card(json!({"title": "from the main worktree"}));
    let linked = sandbox.root().join("linked");
    fs::create_dir_all(linked.join("deep/er")).expect("a folder");
    let run = |folder: &std::path::Path, arguments: &[&str]| {
        let mut command = sandbox.command(BINARY);
        command.args(arguments).current_dir(folder);
        finish(command, b"").ok()
    };
    let answer = run(
        &linked.join("deep/er"),
        &["record", "--title", "from the linked one"],
    )
    .json();
    assert_eq!(answer["repo_root"], sandbox.repo().display().to_string());
    assert_eq!(
        titles(&sandbox, &[]),
        ["from the main worktree", "from the linked one"]
    );
    assert_eq!(
        run(&linked, &["init"]).json()["notes"],
        json!([format!(
            "this is a linked worktree: the memory of `{}` is used",
            sandbox.repo().display()
        )])
    );
    git(
        &sandbox.repo(),
        &["worktree", "remove", "--force", "../linked"],
    );
    assert_eq!(
        titles(&sandbox, &[]).len(),
        2,
        "nothing went with the worktree"
    );
    // A worktree that has a store of its own keeps it.
    git(
        &sandbox.repo(),
        &["worktree", "add", "-q", "-b", "other", "../own"],
    );
    let own = sandbox.root().join("own");
    write(
        &own.join(".agent-skills/self-learning/v1/users/dev/aha_cards.jsonl"),
        card_line("aha_own1", "its own"),
    );
    assert_eq!(run(&own, &["list"]).json()["items"][0]["title"], "its own");
}

#[test]
fn d31_without_git_a_folder_below_finds_the_store_above() {
    let sandbox = Sandbox::new();
    fs::remove_dir(sandbox.repo().join(".git")).expect("an empty folder");
    sandbox.card(json!({"title": "above"}));
    let below = sandbox.repo().join("src/deep");
    fs::create_dir_all(&below).expect("a folder");
    let mut command = sandbox.command(BINARY);
    command.args(["list"]).current_dir(&below);
    assert_eq!(
        finish(command, b"").ok().json()["items"][0]["title"],
        "above"
    );
    for agent_folder in [".claude/skills/x", ".github/skills", ".codex"] {
        let inside = sandbox.root().join("plain").join(agent_folder);
        fs::create_dir_all(&inside).expect("a folder");
        let mut command = sandbox.command(BINARY);
        command.args(["list"]).current_dir(&inside);
        assert_eq!(
            finish(command, b"").ok().json()["repo_root"],
            sandbox.root().join("plain").display().to_string(),
            "{agent_folder}"
        );
    }
}

// ---- D-32: .gitignore by substring

#[test]
fn d32_git_does_not_see_the_store_whatever_the_gitignore_says() {
    for (rules, changed) in [
        (&b""[..], true),
        (b"target\n", true),
        (b"target", true),
        (b"# do not add .agent-skills/ here\n", true),
        (b"!.agent-skills/\n", true),
        (b"docs/.agent-skills/\n", true),
        (b"caf\xe9\n", true),
        (b"a\r\nb\r\n", true),
        (b".agent-skills/\n!.agent-skills/\n", true),
        (b".agent-skills/\n", false),
        (b"/.agent-skills\r\n", false),
        (b".agent-*\n", false),
        (b"**/.agent-skills/**\n", false),
        (b"*\n", false),
    ] {
        let shown = String::from_utf8_lossy(rules).into_owned();
        let sandbox = Sandbox::new();
        fs::remove_dir(sandbox.repo().join(".git")).expect("an empty folder");
        git(&sandbox.repo(), &["init", "-q"]);
        if !rules.is_empty() {
            sandbox.file(".gitignore", rules);
        }
        // Without init: the first record protects the store as well.
        sandbox.run(&["record", "--title", "x"]).ok();
        let status = Command::new("git")
            .args(["status", "--porcelain", "--untracked-files=all"])
            .current_dir(sandbox.repo())
            .output()
            .expect("git runs");
        let seen = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(!seen.contains(".agent-skills"), "{shown:?}: {seen}");
        let after = fs::read(sandbox.repo().join(".gitignore")).unwrap_or_default();
        assert!(after.starts_with(rules), "{shown:?}");
        assert_eq!(after != rules, changed, "{shown:?}");
        let init = sandbox.json(&["init"]);
        assert_eq!(init["gitignore_changed"], false, "{shown:?}");
        assert_eq!(
            fs::read(sandbox.repo().join(".gitignore")).unwrap_or_default(),
            after
        );
    }
}

#[test]
fn d32_no_gitignore_is_kept_to_and_outside_git_nothing_is_written() {
    let sandbox = Sandbox::new();
    sandbox.run(&["init", "--no-gitignore"]).ok();
    sandbox.run(&["record", "--title", "x"]).ok();
    assert!(!sandbox.repo().join(".gitignore").exists());
    let sandbox = Sandbox::new();
    fs::remove_dir(sandbox.repo().join(".git")).expect("an empty folder");
    sandbox.run(&["record", "--title", "x"]).ok();
    assert!(!sandbox.repo().join(".gitignore").exists());
    // A .gitignore that cannot be changed costs no record.
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.repo().join(".gitignore")).expect("a folder");
    let answer = sandbox.record(&json!({"aha_cards": [{"title": "kept"}]}));
    let note = answer["notes"][0].as_str().expect("a note");
    assert!(
        note.starts_with(".gitignore was left alone: cannot read `"),
        "{note}"
    );
}

// ---- D-33: failures reported as success

#[test]
fn d33_a_use_that_writes_nothing_is_a_failure() {
    let sandbox = Sandbox::new();
    let id = sandbox.card(json!({"title": "x"}));
    let near = format!("{}z", &id[..id.len() - 1]);
    for (arguments, code, stderr) in [
        (vec!["use", "--aha", "bad"], 4, "error: `bad` is no id of this store\nhint: self-learning list --limit 0 shows the ids\n".to_owned()),
        (vec!["use", "--aha", &near], 4, format!("error: no card has the id `{near}`\nhint: did you mean {id}? self-learning show {id}\n")),
        (vec!["use", "--rec", "rec_none"], 4, "error: no recommendation has the id `rec_none`\nhint: self-learning list --limit 0 shows the ids\n".to_owned()),
    ] {
        let before = sandbox.snapshot();
        let run = sandbox.run(&arguments).code(code);
        assert_eq!((run.json()["ok"].clone(), &run.stderr), (json!(false), &stderr), "{arguments:?}");
        assert_eq!(sandbox.snapshot(), before, "{arguments:?}");
    }
    // Partly: what is right is written, what is wrong is said.
    let both = format!("bad,{id}");
    let run = sandbox.run(&["use", "--aha", &both]).ok();
    assert_eq!(
        run.json()["signals_written"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(
        run.stderr,
        "warning: `bad` is no id of this store\nhint: self-learning list --limit 0 shows the ids\n"
    );
}

#[test]
fn d33_used_ids_of_a_payload_that_name_nothing_are_no_success() {
    let sandbox = Sandbox::new();
    sandbox.card(json!({"title": "x"}));
    let before = sandbox.snapshot();
    let run = sandbox
        .run_with(&["record"], br#"{"used_aha_ids": ["aha_none"]}"#)
        .code(4);
    assert_eq!(run.json()["ok"], false);
    assert_eq!(
        run.stderr,
        "error: no card has the id `aha_none`\nhint: self-learning list --limit 0 shows the ids\n"
    );
    assert_eq!(sandbox.snapshot(), before);
    let run = sandbox
        .run_with(
            &["record"],
            br#"{"event": {"task_summary": "t"}, "used_aha_ids": ["aha_none", 5], "used": ["x"]}"#,
        )
        .ok();
    assert_eq!(
        run.stderr,
        "warning: no card has the id `aha_none`\nhint: self-learning list --limit 0 shows the ids\n"
    );
    assert_eq!(
        run.json()["notes"],
        json!([
            "1 item(s) of `used_aha_ids` are no text and were left out",
            "`used` is a list and was left out; it is meant as {\"aha_ids\":[…],\"rec_ids\":[…]}",
        ])
    );
}

#[test]
fn d33_a_log_that_cannot_be_written_fails_the_whole_run_and_writes_none() {
    for log in [
        "aha_cards.jsonl",
        "signals.jsonl",
        "events.jsonl",
        "recommendations.jsonl",
    ] {
        let sandbox = Sandbox::new();
        sandbox.run(&["init"]).ok();
        fs::create_dir(sandbox.store().join(log)).expect("a folder");
        let before = sandbox.snapshot();
        let payload = json!({"event": {"task_summary": "t"}, "aha_cards": [{"title": "a"}, {"title": "a"}], "recommendations": [{"title": "r"}]});
        let run = sandbox
            .run_with(&["record"], payload.to_string().as_bytes())
            .code(6);
        assert_eq!(run.json()["error"]["code"], "log_is_a_folder");
        assert_eq!(sandbox.snapshot(), before, "{log}");
    }
}

// ---- D-34: signals unchecked

#[test]
fn d34_signals_are_about_something_stored_and_a_kind_fits_its_target() {
    let sandbox = Sandbox::new();
    let id = sandbox.card(json!({"title": "x"}));
    let custom = sandbox.card(json!({"title": "y", "id": "my-own-id"}));
    let before = sandbox.snapshot();
    for (arguments, code, stderr) in [
        (
            vec!["--kind", "aha_used", "--aha-id", "aha_none"],
            4,
            "error: no card has the id `aha_none`\nhint: self-learning list --limit 0 shows the ids\n",
        ),
        (
            vec!["--kind", "rec_done", "--aha-id", &id],
            2,
            "error: the kind `rec_done` does not go with `--aha-id`\nhint: use --rec-id, or another kind\n",
        ),
        (
            vec!["--kind", "aha_used", "--rec-id", "rec_x"],
            2,
            "error: the kind `aha_used` does not go with `--rec-id`\nhint: use --aha-id, or another kind\n",
        ),
        (
            vec!["--kind", "aha_used"],
            2,
            "error: Provide exactly one of aha_id or rec_id\nhint: self-learning signal --kind aha_used --aha-id ID\n",
        ),
        (
            vec!["--kind", "aha_used", "--aha-id", &id, "--rec-id", "rec_x"],
            2,
            "error: Provide exactly one of aha_id or rec_id\nhint: self-learning signal --kind aha_used --aha-id ID\n",
        ),
    ] {
        let mut all = vec!["signal"];
        all.extend(&arguments);
        let run = sandbox.run(&all).code(code);
        assert_eq!(run.stderr, stderr, "{arguments:?}");
    }
    assert_eq!(sandbox.snapshot(), before);
    // Ids of other shapes can be used as well.
    sandbox.run(&["use", "--aha", &custom]).ok();
    // The same use in a loop counts once.
    for _ in 0..10 {
        sandbox
            .run(&["use", "--aha", &id, "--context", "same"])
            .ok();
    }
    let score = &sandbox.json(&["show", &id])["items"][0]["score"];
    assert_eq!(score, 3);
    assert_eq!(
        sandbox.json(&["use", "--aha", &id, "--context", "same"])["already_recorded"],
        json!([id])
    );
}

// ---- D-38: encodings

#[test]
fn d38_text_is_utf_8_whatever_the_surroundings_say() {
    let mut sandbox = Sandbox::new();
    sandbox
        .env("PYTHONIOENCODING", "cp1252")
        .env("LC_ALL", "C")
        .env("LANG", "de_DE.ISO-8859-1");
    let id = sandbox.card(json!({"title": "café → naïve 日本 😀"}));
    assert!(
        String::from_utf8(sandbox.log("aha_cards.jsonl"))
            .expect("UTF-8")
            .contains("café → naïve 日本 😀")
    );
    for format in ["json", "table", "markdown"] {
        let run = sandbox.run(&["list", "--format", format]).ok();
        assert!(
            run.stdout.contains("café → naïve 日本 😀"),
            "{format}: {}",
            run.stdout
        );
    }
    assert_eq!(
        titles(&sandbox, &["--query", "CAFÉ"]),
        ["café → naïve 日本 😀"]
    );
    sandbox
        .run(&[
            "aha-status",
            "--id",
            &id,
            "--status",
            "accepted",
            "--note",
            "für später",
        ])
        .ok();
}

// ---- D-40: ids that cannot be named

#[test]
fn d40_ids_that_break_command_lines_are_not_taken_and_stored_ones_can_be_named() {
    let sandbox = Sandbox::new();
    for odd in [
        "a b",
        "x,y",
        "a/b",
        "../../x",
        "a`b",
        "-->",
        "a\\1",
        "x\u{1b}[1m",
        "\n",
    ] {
        let answer = sandbox.run_with(
            &["record"],
            json!({"aha_cards": [{"id": odd, "title": format!("card {odd:?}")}]})
                .to_string()
                .as_bytes(),
        );
        if answer.code == 0 {
            let id = answer.json()["results"][0]["id"]
                .as_str()
                .expect("an id")
                .to_owned();
            assert!(id.starts_with("aha_") && id.len() == 16, "{odd:?}: {id}");
        } else {
            assert_eq!(answer.code, 3, "{odd:?}");
        }
    }
    sandbox.seed(
        "aha_cards.jsonl",
        format!("{}{}", card_line("x,y", "comma"), card_line("a b", "blank")),
    );
    for (id, title) in [("x,y", "comma"), ("a b", "blank")] {
        assert_eq!(
            sandbox.json(&["show", id])["items"][0]["item"]["title"],
            title
        );
        sandbox
            .run(&["aha-status", "--id", id, "--status", "accepted"])
            .ok();
        sandbox.run(&["edit", "--id", id, "--add-tag", "t"]).ok();
        sandbox
            .run(&["signal", "--kind", "aha_used", "--aha-id", id])
            .ok();
    }
}

// ---- D-41: time

#[test]
fn d41_unreadable_times_count_as_unknown_not_as_now() {
    let mut sandbox = Sandbox::new();
    sandbox.at("2026-03-20T09:00:00Z");
    let rec = |id: &str, ts: &str| {
        format!("{{\"id\": \"{id}\", \"title\": \"{id}\", \"status\": \"proposed\"{ts}}}\n")
    };
    sandbox.seed(
        "recommendations.jsonl",
        [
            rec("rec_1", ""),
            rec("rec_2", ", \"ts\": \"yesterday\""),
            rec("rec_3", ", \"ts\": 1773100000"),
            rec("rec_4", ", \"ts\": \"2026-03-10T00:00:00z\""),
            rec("rec_5", ", \"ts\": \"20260310\""),
            rec("rec_6", ", \"ts\": \"2026-03-10T00:00:00.5Z\""),
        ]
        .concat(),
    );
    let review = sandbox.json(&["review", "--format", "json"]);
    let stale: Vec<&Value> = review["recommendations"]["stale"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| &item["id"])
        .collect();
    assert_eq!(stale, ["rec_4", "rec_5", "rec_6"]);
    assert_eq!(
        review["notes"],
        json!([
            "3 recommendation(s) have no readable time and never count as stale; see: self-learning repair"
        ])
    );
    let odd = sandbox.json(&["repair"])["oddities"].clone();
    assert_eq!(
        odd.as_array()
            .expect("a list")
            .iter()
            .filter(|odd| odd["field"] == "ts")
            .count(),
        3
    );
    for since in [
        "2026-03-10T00:00:00z",
        "20260310",
        "2026-03-10T00:00:00.5Z",
        "2026-W11-2",
        " 2026-03-10 ",
    ] {
        sandbox.run(&["review", "--since", since]).ok();
    }
    for since in [
        "yesterday",
        "1773100000",
        "2026-02-30",
        "2026-03-10T24:00:00Z",
    ] {
        let run = sandbox.run(&["review", "--since", since]).code(2);
        assert_eq!(
            run.stderr,
            format!(
                "error: Invalid --since (expected ISO-8601 like 2025-12-26T00:00:00Z): `{since}`\nhint: self-learning review --since 2025-12-26, or --days 30\n"
            )
        );
    }
}
