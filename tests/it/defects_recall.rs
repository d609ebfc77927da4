//! What the original finds, shows and lets people correct, one test per defect, through the real binary.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::defects::titles;
use super::support::Sandbox;

/// The ids of a list of objects.
#[track_caller]
fn ids(list: &Value) -> Vec<&str> {
    list.as_array()
        .expect("a list")
        .iter()
        .map(|item| item["id"].as_str().expect("an id"))
        .collect()
}

// ---- D-17: list serves stale versions

#[test]
fn d17_list_shows_the_current_version_of_each_card_once() {
    let mut sandbox = Sandbox::new();
    let busy = sandbox.card(json!({"title": "changes often", "when_to_use": "a"}));
    let calm = sandbox.card(json!({"title": "calm", "when_to_use": "b"}));
    for day in 3..23 {
        sandbox.at(&format!("2026-03-{day:02}T09:00:00Z"));
        let status = if day % 2 == 0 { "accepted" } else { "proposed" };
        sandbox
            .run(&["aha-status", "--id", &busy, "--status", status])
            .ok();
    }
    let list = sandbox.json(&["list"]);
    assert_eq!(list["count"], 2);
    assert_eq!(
        ids(&list["items"]),
        [calm.as_str(), &busy],
        "the one written last stands last"
    );
    assert_eq!(list["items"][1]["status"], "accepted");
    // All versions are one flag away.
    let history = sandbox.json(&["list", "--history", "--limit", "0"]);
    assert_eq!(history["count"], 22);
    assert_eq!(ids(&history["items"])[..3], [busy.as_str(), &calm, &busy]);
    assert_eq!(
        sandbox.json(&["list", "--history", "--limit", "1"])["items"][0]["status"],
        "accepted"
    );
}

#[test]
fn d17_rejected_deprecated_and_superseded_cards_are_not_served_unless_asked_for() {
    let sandbox = Sandbox::new();
    for (title, status) in [
        ("kept", None),
        ("wrong", Some("rejected")),
        ("old", Some("deprecated")),
    ] {
        let id =
            sandbox.card(json!({"title": title, "when_to_use": "serving yaml", "shareable": true}));
        if let Some(status) = status {
            sandbox.run(&["use", "--aha", &id]).ok();
            sandbox
                .run(&["aha-status", "--id", &id, "--status", status])
                .ok();
        }
    }
    sandbox.card(
        json!({"title": "replaced", "when_to_use": "serving yaml", "superseded_by": "aha_x"}),
    );
    let list = sandbox.json(&["list"]);
    assert_eq!(
        (titles(&sandbox, &[]), &list["hidden"]),
        (vec!["kept".to_owned()], &json!(3))
    );
    assert_eq!(titles(&sandbox, &["--query", "serving yaml"]), ["kept"]);
    assert_eq!(titles(&sandbox, &["--all"]).len(), 4);
    assert_eq!(
        titles(&sandbox, &["--status", "rejected,deprecated"]),
        ["wrong", "old"]
    );
    let review = sandbox.json(&["review", "--format", "json"]);
    assert_eq!(review["learnings"].as_array().map(Vec::len), Some(1));
    assert_eq!(review["summary"]["retired_aha_cards"], 3);
    assert_eq!(review["aha"]["backport_candidates"], json!([]));
    let index = String::from_utf8(sandbox.log("INDEX.md")).expect("UTF-8");
    for title in ["wrong", "old", "replaced"] {
        assert!(!index.contains(title), "{index}");
    }
}

// ---- D-18: recall shows nothing

#[test]
fn d18_review_shows_the_learnings_themselves() {
    let mut sandbox = Sandbox::new();
    let yaml = sandbox.card(json!({"title": "Quote YAML country codes", "when_to_use": "NO parsed as false", "primary_skill": "ci"}));
    let pages = sandbox
        .card(json!({"title": "Follow nextPageToken", "when_to_use": "lists stop at 50 items"}));
    sandbox.at("2026-03-03T09:00:00Z");
    sandbox.run(&["use", "--aha", &yaml]).ok();
    let rec = sandbox.record(&json!({"recommendations": [{"title": "Lint the workflows", "expected_impact": {"speed": "high"}}]}));
    let rec = rec["results"][0]["id"].as_str().expect("an id");
    let store = sandbox.store().display().to_string();
    assert_eq!(
        sandbox.run(&["review"]).ok().stdout,
        format!(
            "Self-learning review (summary)\n\
             Project store: {store}\n\
             Counts: aha=2; recs=1 (open=1 [project=1, portable=0], stale=0, untouched=1); backport_candidates=0\n\
             Learnings (best and newest first):\n\
             - {yaml}  Quote YAML country codes  (score 3, proposed)\n    when: NO parsed as false\n\
             - {pages}  Follow nextPageToken  (score 1, proposed)\n    when: lists stop at 50 items\n\
             Next actions:\n\
             - {rec} [proposed, project] Lint the workflows\n\
             View more:\n\
             - Open {store}/INDEX.md\n\
             - Full JSON: self-learning review --format json\n"
        )
    );
}

#[test]
fn d18_record_prints_the_ids_and_what_became_of_each_item() {
    let sandbox = Sandbox::new();
    let card = json!({"title": "Quote YAML", "when_to_use": "NO is false", "evidence": ["e1"]});
    let answer = sandbox.record(
        &json!({"event": {"task_summary": "fix ci"}, "aha_cards": [card],
        "recommendations": [{"title": "Lint"}]}),
    );
    let seen = |answer: &Value| -> Vec<(String, String)> {
        let results = answer["results"].as_array().expect("results").iter();
        results
            .map(|item| {
                (
                    item["kind"].as_str().expect("a kind").to_owned(),
                    item["outcome"].as_str().expect("one").to_owned(),
                )
            })
            .collect()
    };
    let pair = |kind: &str, outcome: &str| (kind.to_owned(), outcome.to_owned());
    assert_eq!(
        seen(&answer),
        [
            pair("event", "created"),
            pair("aha_card", "created"),
            pair("recommendation", "created")
        ]
    );
    let id = answer["results"][1]["id"].clone();
    let again = sandbox.record(&json!({"aha_cards": [card, {"title": "Quote YAML", "when_to_use": "NO is false", "evidence": ["e2"]}]}));
    assert_eq!(
        seen(&again),
        [pair("aha_card", "reinforced"), pair("aha_card", "merged")]
    );
    assert_eq!(again["results"][0]["id"], id);
    assert_eq!(
        sandbox
            .run(&[
                "record",
                "--title",
                "Quote YAML",
                "--when",
                "NO is false",
                "--format",
                "table"
            ])
            .ok()
            .stdout,
        format!("reinforced  {}  Quote YAML\n", id.as_str().expect("an id"))
    );
}

// ---- D-19: search is one exact substring

fn library() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let wanted = sandbox.card(json!({"title": "Handle pagination with nextPageToken cursors",
        "when_to_use": "jira search api returns only fifty issues", "tags": ["rate-limit"],
        "problem": "After a 429 we retry with back-off; C:\\temp holds the \"cursor\" file", "scope": "project", "shareable": true}));
    for (title, when) in [
        ("Quote YAML country codes", "NO parsed as false"),
        ("Pin the toolchain", "the build breaks on Mondays"),
        ("Escape percent signs in cron", "a crontab line stops at %"),
        (
            "Warm the browser cache before e2e",
            "the first test times out",
        ),
        ("Vacuum before measuring", "sqlite timings vary"),
    ] {
        sandbox.card(json!({"title": title, "when_to_use": when, "shareable": true}));
    }
    (sandbox, wanted)
}

#[test]
fn d19_words_in_any_order_form_and_with_a_typo_find_the_card() {
    let (sandbox, wanted) = library();
    for query in [
        "pagination",
        "cursors",
        "nextpagetoken",
        "paginate",
        "pagination jira",
        "jira pagination",
        "next page token",
        "rate limit",
        "rate-limit",
        "429 retry",
        "pagnation",
        "pagnation jira",
        "ratelimiting",
        "JIRA Search",
        "quote pagination \"cursor\"",
        "C:\\temp",
    ] {
        let list = sandbox.json(&["list", "--query", query]);
        assert_eq!(list["items"][0]["id"], wanted.as_str(), "{query}: {list:#}");
        assert_eq!(list["matches"][0]["id"], wanted.as_str(), "{query}");
    }
    let several = sandbox.json(&[
        "list",
        "--query",
        "kubernetes",
        "--query",
        "crontab percent",
    ]);
    assert_eq!(several["items"][0]["title"], "Escape percent signs in cron");
}

#[test]
fn d19_field_names_and_flags_match_nothing_and_nothing_is_said_so() {
    let (sandbox, _) = library();
    for query in [
        "shareable",
        "when_to_use",
        "primary_skill",
        "aha_",
        "\"scope\": \"project\"",
        "kubernetes ingress",
    ] {
        let list = sandbox.json(&["list", "--query", query]);
        assert_eq!(list["count"], 0, "{query}: {list:#}");
        assert_eq!(
            list["message"],
            "Nothing relevant is recorded. Proceed with the task using standard tools."
        );
    }
    // A query of blanks is none.
    assert_eq!(sandbox.json(&["list", "--query", "  "])["count"], 6);
}

// ---- D-20: cost grows with cards × signals

/// The verbs of daily use never hold the single signals, so they cannot loop over them: they read
/// sums that were added up in one pass. Only verbs that show or judge single signals load them.
#[test]
fn d20_daily_verbs_know_signals_only_as_sums() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands");
    // `partial` is there for a `use` without an index, and for an index that turns out to be damaged.
    let single = [
        "doctor", "mod", "partial", "purge", "repair", "review", "show", "signal",
    ];
    for entry in fs::read_dir(folder).expect("the commands").flatten() {
        let path = entry.path();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(&path).expect("source");
        let loads = text.contains("load_whole") || text.contains("snapshot.signals");
        assert!(
            !loads || single.contains(&name.as_str()),
            "{name} reads single signals"
        );
    }
    // The sums are right, and each signal is counted once.
    let sandbox = Sandbox::new();
    let ids: Vec<String> = (0..50).map(|n| format!("aha_{n:012}")).collect();
    let cards: String = ids
        .iter()
        .map(|id| super::defects::card_line(id, id))
        .collect();
    let signals: String = (0..500)
        .map(|n| {
            let id = &ids[n % 50];
            format!("{{\"ts\": \"2026-03-01T08:00:00Z\", \"kind\": \"aha_used\", \"source\": \"agent\", \"aha_id\": \"{id}\", \"id\": \"sig_{n}\"}}\n")
        })
        .collect();
    sandbox.seed("aha_cards.jsonl", cards);
    sandbox.seed("signals.jsonl", signals);
    let review = sandbox.json(&["review", "--format", "json"]);
    assert_eq!(review["summary"]["signals"], 500);
    for card in review["aha"]["top_by_score"].as_array().expect("cards") {
        assert_eq!(card["score"], 21, "{card}");
    }
}

// ---- D-21: review filters

fn many_recommendations() -> Sandbox {
    let mut sandbox = Sandbox::new();
    let list: Vec<Value> = (0..30)
        .map(|n| json!({"title": format!("Recommendation number {n}"), "why": format!("reason {n} stands alone {n}{n}")}))
        .collect();
    sandbox.record(&json!({ "recommendations": list }));
    let cards: Vec<Value> = (0..30)
        .map(|n| json!({"title": format!("Proven card {n}"), "when_to_use": format!("case {n}"), "shareable": true, "status": "accepted"}))
        .collect();
    sandbox.record(&json!({ "aha_cards": cards }));
    sandbox.at("2026-03-20T09:00:00Z");
    sandbox
}

#[test]
fn d21_status_restricts_every_list_and_count() {
    let sandbox = many_recommendations();
    let done = sandbox.json(&["review", "--format", "json", "--status", "done"]);
    let lists = &done["recommendations"];
    for list in ["open", "stale", "untouched"] {
        assert_eq!(lists[list], json!([]), "{list}");
    }
    assert_eq!(done["summary"]["open_recommendations"], 0);
    assert_eq!(done["summary"]["recommendations"], 30);
    assert_eq!(done["summary"]["matching_recommendations"], 0);
    assert!(
        done["next_actions"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|action| action["type"] == "backport_candidate")
    );
    let unknown = sandbox
        .run(&["review", "--status", "done,finished"])
        .code(2);
    assert_eq!(
        unknown.stderr,
        "error: unknown status `finished`\nhint: one of: accepted, deprecated, done, in_progress, proposed, rejected\n"
    );
}

#[test]
fn d21_counts_are_not_cut_by_limits_and_candidates_are_not_crowded_out() {
    let sandbox = many_recommendations();
    let review = sandbox.json(&["review", "--format", "json"]);
    assert_eq!(review["summary"]["backport_candidates_total"], 30);
    assert_eq!(review["summary"]["matching_aha_cards"], 30);
    assert_eq!(review["summary"]["stale_recommendations"], 30);
    assert_eq!(
        review["aha"]["backport_candidates"]
            .as_array()
            .map(Vec::len),
        Some(10)
    );
    let text = sandbox.run(&["review"]).ok().stdout;
    assert!(text.contains("backport_candidates=30\n"), "{text}");
    assert!(text.contains("\nReady to graduate:\n"), "{text}");
    assert_eq!(
        text.matches("(backport; score=1; target=unknown)").count(),
        5,
        "{text}"
    );
}

#[test]
fn d21_a_card_used_today_is_in_the_last_days() {
    let mut sandbox = Sandbox::new();
    let used = sandbox.card(json!({"title": "long ago, used today"}));
    sandbox.card(json!({"title": "long ago"}));
    sandbox.at("2026-04-20T09:00:00Z");
    sandbox.run(&["use", "--aha", &used]).ok();
    let review = sandbox.json(&["review", "--format", "json", "--days", "7"]);
    assert_eq!(ids(&review["learnings"]), [used.as_str()]);
    for days in ["3000000", "9223372036854775807", "-3"] {
        sandbox
            .run(&["review", "--format", "json", "--days", days])
            .ok();
    }
    assert_eq!(
        sandbox.json(&["review", "--format", "json", "--days", "3000000"])["summary"]["matching_aha_cards"],
        2
    );
}

// ---- D-22: a card cannot be corrected

#[test]
fn d22_a_card_can_be_corrected_and_generalised() {
    let mut sandbox = Sandbox::new();
    let id = sandbox.card(json!({"title": "Quote YAML", "when_to_use": "NO is false", "problem": "wrong text", "gotchas": ["g"],
        "x_team": {"deep": [1.50, 1e3]}, "solution_steps": ["one"], "primary_skill": "ci"}));
    sandbox.at("2026-03-05T09:00:00Z");
    let edited = sandbox.json(&[
        "edit",
        "--id",
        &id,
        "--scope",
        "portable",
        "--shareable",
        "--problem",
        "right text",
        "--add-step",
        "two",
        "--note",
        "generalised",
    ]);
    assert_eq!(
        edited["changed_fields"],
        json!(["problem", "solution_steps", "scope", "shareable"])
    );
    assert_eq!(
        (&edited["previous_rev"], &edited["rev"]),
        (&json!(1), &json!(2))
    );
    let line = String::from_utf8(sandbox.log("aha_cards.jsonl"))
        .expect("UTF-8")
        .lines()
        .last()
        .expect("a line")
        .to_owned();
    assert_eq!(
        line,
        format!(
            "{{\"title\": \"Quote YAML\", \"when_to_use\": \"NO is false\", \"problem\": \"right text\", \"gotchas\": [\"g\"], \
             \"x_team\": {{\"deep\": [1.5, 1000.0]}}, \"solution_steps\": [\"one\", \"two\"], \"primary_skill\": \"ci\", \
             \"scope\": \"portable\", \"ts\": \"2026-03-05T09:00:00Z\", \"id\": \"{id}\", \"status\": \"proposed\", \
             \"shareable\": true, \"note\": \"generalised\"}}"
        )
    );
    let from_file = sandbox
        .run_with(
            &["edit", "--id", &id, "--from", "-"],
            br#"{"gotchas": null, "problem": "third"}"#,
        )
        .ok()
        .json();
    assert_eq!(from_file["changed_fields"], json!(["problem", "gotchas"]));
    assert_eq!(from_file["item"].get("gotchas"), None);
    assert_eq!(from_file["item"]["x_team"], json!({"deep": [1.5, 1000.0]}));
    // Every version is still there, and any can come back.
    let history = sandbox.json(&["history", "--id", &id]);
    assert_eq!(history["rev"], 3);
    assert_eq!(history["versions"][1]["note"], "generalised");
    let back = sandbox.json(&["rollback", "--id", &id, "--to", "1"]);
    assert_eq!(back["item"]["problem"], "wrong text");
    assert_eq!(back["rev"], 4);
    assert_eq!(
        sandbox.json(&["show", &id])["items"][0]["created_ts"],
        "2026-03-02T09:00:00Z"
    );
}

#[test]
fn d22_an_edit_refuses_what_would_not_be_understood_and_stores_nothing() {
    let sandbox = Sandbox::new();
    let id = sandbox.card(json!({"title": "Quote YAML", "when_to_use": "NO is false"}));
    let before = sandbox.snapshot();
    for (arguments, stdin, code, stderr) in [
        (vec!["--title", "x", "--if-rev", "2"], "", 5,
            format!("error: {id} is at version 1, not 2\nhint: self-learning history --id {id} shows what changed; then use --if-rev 1\n")),
        (vec![], "", 2, format!("error: nothing to change\nhint: self-learning edit --id {id} --scope portable --shareable\n")),
        (vec!["--title", "Quote YAML"], "", 3, format!("error: {id} already says this\nhint: self-learning show {id}\n")),
        (vec!["--title", "  "], "", 3, "error: a card needs a title\nhint: give the new one: --title \"…\"\n".to_owned()),
        (vec!["--from", "-"], r#"{"title": null}"#, 3, "error: a card needs a title\nhint: give the new one: --title \"…\"\n".to_owned()),
        (vec!["--from", "-"], r#"{"scope": "galaxy"}"#, 3, "error: the scope \"galaxy\" is not known\nhint: one of: project, portable\n".to_owned()),
        (vec!["--from", "-"], r#"{"id": "aha_other"}"#, 3, "error: `id` cannot be edited\nhint: leave the field out\n".to_owned()),
        (vec!["--from", "-"], r#"{"status": "accepted"}"#, 3,
            "error: `status` cannot be edited\nhint: self-learning aha-status --id ID --status accepted\n".to_owned()),
        (vec!["--from", "-"], "[]", 3,
            "error: `--from` takes one JSON object of fields\nhint: {\"problem\": \"…\", \"solution_steps\": [\"…\"]}\n".to_owned()),
        (vec!["--from", "-"], " \n", 3,
            format!("error: `--from` got no input\nhint: echo '{{\"problem\": \"…\"}}' | self-learning edit --id {id} --from -\n")),
    ] {
        let mut all = vec!["edit", "--id", &id];
        all.extend(&arguments);
        let run = sandbox.run_with(&all, stdin.as_bytes()).code(code);
        assert_eq!(run.stderr, stderr, "{arguments:?} {stdin}");
        assert_eq!(sandbox.snapshot(), before, "{arguments:?} {stdin}");
    }
}

#[test]
fn d22_naming_a_stored_id_changes_only_the_stated_fields() {
    let sandbox = Sandbox::new();
    let id = sandbox.card(
        json!({"title": "Old title", "when_to_use": "w", "problem": "p", "solution_steps": ["s"]}),
    );
    let answer = sandbox
        .record(&json!({"aha_cards": [{"id": id, "title": "New title", "when_to_use": ""}]}));
    assert_eq!(answer["results"][0]["outcome"], "merged");
    let item = sandbox.json(&["show", &id])["items"][0]["item"].clone();
    assert_eq!(
        (
            &item["title"],
            &item["when_to_use"],
            &item["problem"],
            &item["solution_steps"]
        ),
        (&json!("New title"), &json!("w"), &json!("p"), &json!(["s"]))
    );
    // The same holds for a recommendation: it neither loses its reason nor opens again.
    let rec = sandbox.record(&json!({"recommendations": [{"title": "Cache", "why": "slow", "implementation_hint": "start in ci"}]}));
    let rec = rec["results"][0]["id"].as_str().expect("an id");
    sandbox
        .run(&["rec-status", "--id", rec, "--status", "done"])
        .ok();
    let answer = sandbox.record(&json!({"recommendations": [{"id": rec, "title": "Cache it"}]}));
    assert_eq!(
        answer["results"][0]["why"],
        format!("the given fields replace those of {rec}; the others stay")
    );
    let item = sandbox.json(&["show", rec])["items"][0]["item"].clone();
    assert_eq!(
        (
            &item["title"],
            &item["why"],
            &item["implementation_hint"],
            &item["status"]
        ),
        (
            &json!("Cache it"),
            &json!("slow"),
            &json!("start in ci"),
            &json!("done")
        )
    );
}

#[test]
fn d22_a_second_capture_says_which_of_its_words_were_not_taken() {
    let sandbox = Sandbox::new();
    let id = sandbox
        .card(json!({"title": "Quote YAML", "when_to_use": "NO is false", "problem": "first"}));
    let answer = sandbox.record(
        &json!({"aha_cards": [{"title": "Quote YAML", "when_to_use": "NO is false",
        "problem": "second", "scope": "portable"}]}),
    );
    assert_eq!(
        answer["results"][0]["why"],
        format!(
            "the card keeps its own problem, scope; change it with: self-learning edit --id {id}"
        )
    );
}

// ---- D-29: INDEX.md

fn index(sandbox: &Sandbox) -> String {
    String::from_utf8(sandbox.log("INDEX.md")).expect("UTF-8")
}

#[test]
fn d29_the_index_exists_after_init_and_says_for_which_day() {
    let mut sandbox = Sandbox::new();
    sandbox.run(&["init"]).ok();
    assert_eq!(
        index(&sandbox),
        "# Self-learning index\n\n\
         Generated by `self-learning`; ages as of 2026-03-02. 0 cards, 0 open recommendations (0 stale). Find more: `self-learning list --query \"…\"`.\n\
         \n## Top Aha Cards (score)\n\n_(none yet)_\n\
         \n## Latest Aha Cards\n\n_(no others)_\n\
         \n## Open Recommendations\n\n_(none)_\n\
         \n## Backport Candidates\n\n_(none yet)_\n"
    );
    sandbox.record(&json!({"recommendations": [{"title": "Lint"}]}));
    sandbox
        .at("2026-04-16T09:00:00Z")
        .run(&["record", "--title", "much later"])
        .ok();
    let text = index(&sandbox);
    assert!(
        text.contains("ages as of 2026-04-16. 1 card, 1 open recommendation (1 stale)."),
        "{text}"
    );
    assert!(
        text.contains(", proposed, project, 45d ago, stale)\n"),
        "{text}"
    );
}

#[test]
fn d29_the_index_is_short_at_any_size_and_titles_cannot_shape_it() {
    let sandbox = Sandbox::new();
    let hostile = [
        "line\u{2028}separator",
        "next\u{85}line",
        "two\n## Injected\n- **fake** (`aha_0`, score 99)",
        "<!-- hidden",
        "---",
        "# heading",
        "```",
    ];
    let mut cards: Vec<Value> = (0..300)
        .map(|n| json!({"title": format!("card {n}"), "when_to_use": format!("case {n}")}))
        .collect();
    cards.extend(hostile.iter().map(|title| json!({ "title": title })));
    let recs: Vec<Value> = (0..100)
        .map(|n| json!({"title": format!("rec {n}"), "why": format!("r{n}")}))
        .collect();
    let answer = sandbox.record(&json!({"aha_cards": cards, "recommendations": recs}));
    assert_eq!(answer["refused"], 0, "{answer:#}");
    let text = index(&sandbox);
    assert!(text.lines().count() <= 40, "{text}");
    let sections: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(
        sections,
        [
            "# Self-learning index",
            "## Top Aha Cards (score)",
            "## Latest Aha Cards",
            "## Open Recommendations",
            "## Backport Candidates"
        ]
    );
    assert!(
        text.contains("- **two ## Injected - **fake** (`aha_0`, score 99)** (`aha_"),
        "{text}"
    );
    assert!(
        text.contains("**line separator**")
            && text.contains("**next line**")
            && !text.contains("<!--"),
        "{text}"
    );
    for line in text.lines().filter(|line| line.contains(", score ")) {
        assert!(line.starts_with("- **"), "{line}");
    }
}

// ---- D-36: --limit

#[test]
fn d36_a_limit_is_a_number_of_cards_and_the_newest_ones_are_shown() {
    let sandbox = Sandbox::new();
    let cards: Vec<Value> = (0..30)
        .map(|n| json!({ "title": format!("card {n}") }))
        .collect();
    sandbox.record(&json!({ "aha_cards": cards }));
    let list = sandbox.json(&["list"]);
    assert_eq!((&list["count"], &list["total"]), (&json!(20), &json!(30)));
    assert_eq!(
        list["more"],
        "10 more; see all with --limit 0, or narrow down with --query, --skill, --tag"
    );
    assert_eq!(list["items"][19]["title"], "card 29");
    assert_eq!(sandbox.json(&["list", "--limit", "0"])["count"], 30);
    for limit in ["+3", " 3 ", "0_3"] {
        let list = sandbox.json(&["list", &format!("--limit={limit}")]);
        assert_eq!(
            titles_of(&list),
            ["card 27", "card 28", "card 29"],
            "{limit}"
        );
    }
    let negative = sandbox.run(&["list", "--limit", "-5"]).code(2);
    assert_eq!(
        negative.stderr,
        "error: `--limit -5` is negative\nhint: use --limit 0 for all cards, or a positive number\n"
    );
}

fn titles_of(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item["title"].as_str().expect("a title"))
        .collect()
}

// ---- D-42, D-44: growth, and what one cannot see

#[test]
fn d42_a_huge_title_or_card_is_refused_before_it_is_copied_around() {
    let sandbox = Sandbox::new();
    let before = sandbox.snapshot();
    for (card, why) in [
        (
            json!({"title": "t".repeat(501)}),
            "`title`: the title is 501 characters, the limit is 500",
        ),
        (
            json!({"title": "t", "problem": "p".repeat(20_481)}),
            "`problem`: the text is 20481 bytes, the limit is 20480",
        ),
        (
            json!({"title": "t", "tags": vec!["x"; 101]}),
            "`tags`: the list is 101 items, the limit is 100",
        ),
        (
            json!({"title": "t", "steps": vec!["y".repeat(8_000); 9]}),
            "the record is 72050 bytes, the limit is 65536",
        ),
    ] {
        let run = sandbox
            .run_with(
                &["record"],
                json!({"aha_cards": [card]}).to_string().as_bytes(),
            )
            .code(3);
        assert_eq!(run.json()["results"][0]["why"], why);
        assert_eq!(sandbox.snapshot(), before);
    }
    let run = sandbox
        .run_with(
            &["record"],
            format!(
                "{{\"aha_cards\":[{{\"title\":\"{}\"}}]}}",
                "t".repeat(17_000_000)
            )
            .as_bytes(),
        )
        .code(3);
    assert_eq!(
        run.stderr,
        "error: the payload is 17000028 bytes, the limit is 16777216\n\
         hint: record it in parts, or by lines: self-learning record --jsonl FILE\n"
    );
    // One stored by another writer is not copied into the signals of each capture.
    let title = "w".repeat(100_000);
    sandbox.seed(
        "aha_cards.jsonl",
        super::defects::card_line("aha_big1", &title),
    );
    sandbox.run(&["use", "--aha", "aha_big1"]).ok();
    assert!(sandbox.log("signals.jsonl").len() < 300);
}

#[test]
fn d44_everything_stored_can_be_shown_by_its_id_or_the_beginning_of_it() {
    let sandbox = Sandbox::new();
    let answer = sandbox.record(
        &json!({"event": {"task_summary": "fix ci"}, "aha_cards": [{"title": "Quote YAML"}],
        "recommendations": [{"title": "Lint"}]}),
    );
    let id = |at: usize| {
        answer["results"][at]["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    sandbox.run(&["use", "--aha", &id(1)]).ok();
    let signal = sandbox.records("signals.jsonl")[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    sandbox.seed("backports.jsonl", "{\"ts\": \"2026-03-01T08:00:00Z\", \"backport_id\": \"slbp_20260301T080000Z_abcdef\", \"applied\": false}\n");
    for (id, kind) in [
        (id(0), "event"),
        (id(1), "aha_card"),
        (id(2), "recommendation"),
        (signal, "signal"),
        ("slbp_20260301T080000Z_abcdef".to_owned(), "backport"),
    ] {
        assert_eq!(
            sandbox.json(&["show", &id])["items"][0]["kind"],
            kind,
            "{id}"
        );
        let shown = sandbox.json(&["show", &id[..id.len() - 2]]);
        assert_eq!(shown["items"][0]["id"], id.as_str());
    }
    let bare = id(1).trim_start_matches("aha_")[..6].to_owned();
    assert_eq!(
        sandbox.json(&["show", &bare])["items"][0]["id"],
        id(1).as_str()
    );
    assert_eq!(
        sandbox.json(&["show", &id(1)])["items"][0]["explain"],
        "Score 3 = base 1 + aha_used×1 (2)"
    );
}

#[test]
fn d44_filters_say_when_only_the_case_is_wrong_and_text_tags_are_tags() {
    let sandbox = Sandbox::new();
    sandbox.card(json!({"title": "one", "tags": "yaml", "primary_skill": "GitHub-Actions"}));
    sandbox.card(json!({"title": "two", "tags": ["json"]}));
    assert_eq!(titles(&sandbox, &["--tag", "yaml"]), ["one"]);
    assert_eq!(titles(&sandbox, &["--tag", "nope"]), Vec::<String>::new());
    let message = |flag: &str, value: &str| sandbox.json(&["list", flag, value])["message"].clone();
    assert_eq!(
        message("--skill", "github-actions"),
        "Nothing has --skill `github-actions`. Did you mean `GitHub-Actions`?"
    );
    assert_eq!(
        message("--tag", "YAML"),
        "Nothing has --tag `YAML`. Did you mean `yaml`?"
    );
}

#[test]
fn d44_shareable_false_in_words_is_false_and_ties_are_sorted_a_to_z_by_id() {
    let sandbox = Sandbox::new();
    for (title, shareable) in [
        ("word", json!("false")),
        ("flag", json!(true)),
        ("yes", json!("true")),
        ("null", json!(null)),
    ] {
        sandbox.card(json!({"title": title, "shareable": shareable, "status": "accepted", "tags": ["jquery", "subscription"]}));
    }
    let review = sandbox.json(&["review", "--format", "json"]);
    let candidates = review["aha"]["backport_candidates"]
        .as_array()
        .expect("a list");
    let names: Vec<&Value> = candidates.iter().map(|card| &card["title"]).collect();
    assert_eq!(
        names,
        ["yes", "flag"],
        "ties by title, as scripts know them"
    );
    assert_eq!(
        candidates[0]["artifact_suggestion"], "reference-file",
        "`jquery` is no query, `subscription` no script"
    );
}

#[test]
fn d42_what_was_purged_is_gone_and_no_verb_goes_on_from_it() {
    let sandbox = Sandbox::new();
    let id =
        sandbox.card(json!({"title": "Names a customer", "problem": "Zanzibar Ltd asked for it"}));
    sandbox
        .run(&["edit", "--id", &id, "--add-step", "Ask Zanzibar Ltd first"])
        .ok();
    let purge = ["purge", "--id", &id, "--reason", "holds a name"];
    // Without the plan nothing happens, and neither for an id that is none.
    let before = sandbox.snapshot();
    let plan = sandbox.json(&purge)["plan"]
        .as_str()
        .expect("a plan")
        .to_owned();
    sandbox
        .run(&[&purge[..], &["--yes", "--plan", "0000"]].concat())
        .code(5);
    sandbox
        .run(&["purge", "--id", "aha_none", "--reason", "r"])
        .code(4);
    assert_eq!(sandbox.snapshot(), before);
    sandbox
        .run(&[&purge[..], &["--yes", "--plan", &plan]].concat())
        .ok();
    for (path, bytes) in sandbox.snapshot() {
        assert!(
            !String::from_utf8_lossy(&bytes).contains("Zanzibar"),
            "{}",
            path.display()
        );
    }
    assert_eq!(sandbox.json(&["list", "--project"])["count"], 0);
    for arguments in [
        vec!["edit", "--id", &id, "--title", "Back again"],
        vec!["rollback", "--id", &id, "--to", "1"],
        vec!["aha-status", "--id", &id, "--status", "accepted"],
    ] {
        let run = sandbox.run(&arguments).code(3);
        assert_eq!(
            run.stderr,
            format!(
                "error: {id} was purged; nothing of it is left\nhint: record the learning again, \
                 without the text that had to go: self-learning record --title \"…\"\n"
            ),
            "{arguments:?}"
        );
    }
    assert_eq!(sandbox.json(&["list", "--project"])["count"], 0);
}
