//! Plans of backports for whatever cards and files say, in memory.

use proptest::prelude::*;
use self_learning::backport::gate::{Rules, Trust};
use self_learning::backport::history::History;
use self_learning::backport::markers::Family;
use self_learning::backport::plan::{Card, Options, Plan, plan};
use self_learning::backport::skill::Placement;
use self_learning::backport::{Target, bundle, inspect, reference, revert, splice};
use self_learning::domain::record::Record;
use self_learning::domain::time::Timestamp;

/// Pieces that have broken writers of Markdown before, among any text.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => "[ -~]{0,20}",
        2 => any::<String>(),
        1 => Just("<!-- self-learning:aha:end -->".to_owned()),
        1 => Just("<!-- self-learning:backport:end -->".to_owned()),
        1 => Just("<!-- self-learning:aha:start id=fake backport_id=x -->".to_owned()),
        1 => Just("<!-- self-learning:digest sha256=0 -->".to_owned()),
        1 => Just("```".to_owned()),
        1 => Just("    ~~~~x".to_owned()),
        1 => Just("---".to_owned()),
        1 => Just("## Gotchas".to_owned()),
        1 => Just("- **ID:** `aha_other`".to_owned()),
        1 => Just("<pre>".to_owned()),
        1 => Just("<!--".to_owned()),
        1 => Just("\r\n".to_owned()),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.join("\n"))
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        3 => "[ -~]{0,30}".prop_map(String::into_bytes),
        1 => prop::collection::vec(1_u8..=255, 0..12),
        1 => text().prop_map(String::into_bytes),
        1 => Just(b"## Gotchas".to_vec()),
        1 => Just(b"```sh".to_vec()),
        1 => Just(b"---".to_vec()),
    ];
    let end = prop_oneof![3 => Just("\n"), 1 => Just("\r\n"), 1 => Just("\n\n"), 1 => Just("")];
    prop::collection::vec((line, end), 0..14).prop_map(|lines| {
        lines
            .into_iter()
            .flat_map(|(line, end)| [line, end.as_bytes().to_vec()].concat())
            .collect()
    })
}

fn card(number: usize, texts: &[String]) -> Card {
    let text = |at: usize| texts[at % texts.len()].clone();
    let current = Record(serde_json::Map::new())
        .with("id", format!("aha_{number}"))
        .with("title", text(number))
        .with("when_to_use", text(number + 1))
        .with("problem", text(number + 2))
        .with("solution_steps", vec![text(number + 3), "do it".to_owned()])
        .with("evidence", vec!["seen".to_owned(), text(number + 4)])
        .with("tags", vec![text(number)])
        .with("scope", "portable")
        .with("shareable", true);
    Card {
        id: format!("aha_{number}"),
        current,
        versions: Vec::new(),
        trust: Trust::Unjudged,
    }
}

fn planned(
    target: &Target,
    cards: &[Card],
    id: &str,
    into: Placement,
    log: &[Record],
) -> Option<Plan> {
    let options = Options {
        backport_id: id.to_owned(),
        generated_at: Timestamp::parse("2026-03-03T09:00:00Z").expect("a time"),
        into,
        overwrite: false,
        upgrade: false,
        max_tokens: None,
    };
    let rules = Rules {
        repository_names: &[],
        skill: "ci",
        allow_project: true,
        findings: &|_| Vec::new(),
    };
    match plan(
        target,
        cards,
        &options,
        rules,
        &History::of(log.iter(), target),
    ) {
        Ok(plan) => Some(plan),
        // Files with broken markers of ours, or in no byte-wise encoding, are refused, never damaged.
        Err(self_learning::backport::plan::Refusal::Unsound(why)) => panic!("{why}"),
        Err(_) => None,
    }
}

fn logged(plan: &Plan) -> Record {
    let approval = bundle::Approval {
        by: "dev".to_owned(),
        how: "plan",
        terminal: false,
        agent_environment: Vec::new(),
    };
    let line = bundle::log_line(
        plan,
        &bundle::Entry {
            bundle_directory: "b",
            diff_written: false,
            approval: Some(&approval),
            at: "2026-03-03T09:00:00Z",
            created_directory: true,
        },
    );
    bundle::parse_line(&line.to_line()).expect("a line")
}

fn after(target: &Target, plan: &Plan) -> Target {
    Target {
        skill: plan.changes[0].new.clone().expect("a file"),
        reference: plan.changes[1].new.clone(),
        ..target.clone()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_cards_say(skill in file(), texts in prop::collection::vec(text(), 1..6), gotchas in any::<bool>(), swap in any::<bool>()) {
        let into = if gotchas { Placement::Gotchas } else { Placement::Reference };
        let target = Target { name: "ci".to_owned(), path: "skills/ci".to_owned(), skill, reference: None };
        let cards: Vec<Card> = (1..=3).map(|number| card(number, &texts)).collect();
        let Some(first) = planned(&target, &cards[..2], "slbp_1", into, &[]) else { return Ok(()) };
        let one = after(&target, &first);
        prop_assert_eq!(reference::read(one.reference.as_deref().expect("a file")).ids(), vec!["aha_1", "aha_2"]);
        let family = Family::Skill;
        prop_assert_eq!(splice::without_blocks(&one.skill, family), splice::without_blocks(&target.skill, family));
        let mut log = vec![logged(&first)];
        let history = History::of(log.iter(), &one);
        let by_id = cards.iter().map(|card| (card.id.clone(), card.clone())).collect();
        let found = inspect::inspect(&one, &by_id, &history);
        for finding in found.findings.iter().filter(|finding| finding.backport_id.as_deref() == Some("slbp_1")) {
            prop_assert_eq!(finding.state, inspect::State::Untouched, "{}", finding.message);
        }
        // The same cards again: nothing.
        let again = planned(&one, &cards[..2], "slbp_9", into, &log).expect("a plan");
        prop_assert!(again.is_noop());
        // Back again, exactly.
        let gone = revert::revert(&one, "slbp_1", &history, &|_| None, false).expect("a way back");
        prop_assert!(gone.exact);
        prop_assert_eq!(gone.changes[0].new.as_ref(), Some(&target.skill));
        prop_assert_eq!(gone.changes[1].new.as_ref(), None);
        // A second backport, and both taken back in either order, without any help of the log for
        // the one that others were built upon.
        let Some(second) = planned(&one, &cards, "slbp_2", into, &log) else { return Ok(()) };
        let two = after(&one, &second);
        log.push(logged(&second));
        let order = if swap { ["slbp_1", "slbp_2"] } else { ["slbp_2", "slbp_1"] };
        let mut now = two;
        for id in order {
            let history = History::of(log.iter(), &now);
            let gone = revert::revert(&now, id, &history, &|_| None, false).expect("a way back");
            now = Target { skill: gone.changes[0].new.clone().expect("a file"), reference: gone.changes[1].new.clone(), ..now };
            log.push(revert::log_line(&gone, &now, None, "t").with("applied", true));
        }
        prop_assert_eq!(&now.skill, &target.skill);
        prop_assert_eq!(&now.reference, &None);
    }

    #[test]
    fn reading_any_bytes_never_fails(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let target = Target { name: "ci".to_owned(), path: String::new(), skill: bytes.clone(), reference: Some(bytes) };
        let history = History::of([].into_iter(), &target);
        inspect::inspect(&target, &std::collections::BTreeMap::new(), &history);
    }
}
