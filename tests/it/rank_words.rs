//! Questions in other words than their card's, and questions that come in company.

use self_learning::rank::{Doc, Field, How, Options, Passage, Query, Tuning, rank};
use serde_json::Value;

use crate::rank::{CARDS, QUERIES, docs, ids, lines};

/// Cards of one text each.
fn plain<'a>(cards: &[(&'a str, &'a str)]) -> Vec<Doc<'a>> {
    cards
        .iter()
        .map(|&(id, text)| Doc::new(id, vec![Passage::new(Field::Title, text)]))
        .collect()
}

#[test]
fn other_words_for_the_same_thing_find_the_card() {
    let docs = plain(&[
        ("files", "Delete a directory tree safely"),
        ("errors", "Retry after an exception with backoff"),
        ("links", "Quote addresses of web pages in tickets"),
        ("zh", "服务器连接超时的处理"),
        ("none", "Water the plants on Fridays"),
    ]);
    let all = Options {
        keep_unlikely: true,
        ..Options::default()
    };
    for (question, id, how) in [
        ("remove a folder", "files", How::Synonym),
        ("erasing dirs", "files", How::Synonym),
        ("failure", "errors", How::Synonym),
        ("Verzeichnis löschen", "files", How::Translation),
        ("删除目录", "files", How::Translation),
        ("server timeout", "zh", How::Translation),
    ] {
        let hits = rank(&docs, &Query::new(question), &all).hits;
        let first = hits.first().map(|hit| hit.id.as_str());
        assert_eq!(first, Some(id), "{question}");
        let matched = &hits[0].matched;
        assert!(
            matched.iter().all(|one| one.how == how),
            "{question}: {matched:?}"
        );
        // The cosine, too, knows that the words are the same.
        assert!(hits[0].parts.cosine > 0.0, "{question}");
    }
    // The word itself is worth more than another word for it.
    let docs = plain(&[
        ("other", "Erase the cache of the compiler"),
        ("own", "Delete the cache of the compiler"),
        ("both", "Delete or erase the cache of compilers"),
    ]);
    let hits = rank(&docs, &Query::new("delete"), &all).hits;
    let bm25 = |id: &str| {
        let hit = hits
            .iter()
            .find(|hit| hit.id == id)
            .expect("every card is found");
        assert_eq!(hit.matched.len(), 1, "{:?}", hit.matched);
        assert!((hit.matched[0].weight - hit.parts.bm25).abs() < 1e-9);
        hit.parts.bm25
    };
    assert_eq!(hits[0].id, "own");
    assert!(bm25("other") < 0.6 * bm25("own"));
    // A card that names a thing twice is not twice as much about it.
    assert!(bm25("both") <= bm25("own"));
}

#[test]
fn a_question_in_many_words_is_not_asked_in_others() {
    let docs = plain(&[
        ("folder", "Remove the folder"),
        ("noise", "Bread and butter"),
    ]);
    let all = Options {
        keep_unlikely: true,
        ..Options::default()
    };
    let filler = |words: usize| {
        let words: Vec<String> = (0..words).map(|number| format!("zq{number}x")).collect();
        format!("delete {}", words.join(" "))
    };
    assert_eq!(ids(&docs, &Query::new(filler(23)), &all), ["folder"]);
    assert!(ids(&docs, &Query::new(filler(24)), &all).is_empty());
    let mut own_words = all.clone();
    own_words.tuning.most_related = 0;
    assert!(ids(&docs, &Query::new("delete"), &own_words).is_empty());
}

#[test]
fn a_passage_that_the_question_fills_is_evidence() {
    let passages = |texts: &[&'static str]| -> Vec<Passage<'static>> {
        texts
            .iter()
            .map(|text| Passage::new(Field::Step, *text))
            .collect()
    };
    let docs = [
        Doc::new(
            "apart",
            passages(&[
                "Rotate one of the seven keys every other spring",
                "Sign all tokens with it, then deploy",
            ]),
        ),
        Doc::new(
            "together",
            passages(&[
                "Sign tokens, rotate keys",
                "In every other spring, then with all of the seven of one deploy",
            ]),
        ),
        Doc::new(
            "tag",
            passages(&["tokens", "Bring umbrellas to the rainy harbour festival"]),
        ),
    ];
    let all = Options {
        keep_unlikely: true,
        ..Options::default()
    };
    let hits = rank(&docs, &Query::new("rotate keys, sign tokens"), &all).hits;
    let passage = |id: &str| {
        hits.iter()
            .find(|hit| hit.id == id)
            .map(|hit| hit.parts.passage)
    };
    assert_eq!(hits[0].id, "together");
    assert_eq!(passage("together"), Some(1.0));
    assert!(passage("apart") <= Some(0.5));
    // A run kept whole is met beside its parts; that is not more than all.
    let docs = plain(&[("joined", "rate-limit api-key")]);
    let hit = &rank(
        &docs,
        &Query::new("ratelimit apikey rate limit api key"),
        &all,
    )
    .hits[0];
    assert_eq!(hit.parts.passage, 1.0);
    // A single word, as of a tag, is no passage.
    assert_eq!(passage("tag"), Some(0.0));
    let confidence = |id: &str| {
        hits.iter()
            .find(|hit| hit.id == id)
            .map(|hit| hit.confidence)
    };
    assert!(confidence("together") > confidence("apart"));
}

#[test]
fn one_sentence_of_a_message_may_be_the_question() {
    let cards = lines(CARDS);
    let docs = docs(&cards);
    let options = Options::default();
    let mut whole_only = Options::default();
    whole_only.tuning.most_sentences = 0;
    let (mut found, mut found_whole, mut asked, mut answered) = (0, 0, 0, 0);
    for query in lines(QUERIES) {
        let text = query["text"].as_str().expect("a question has a text");
        let message = format!(
            "Good morning team, hope your week went fine so far. I keep bumping into this one: {text}. Kindly have a look \
             whenever you find five spare minutes, greetings from the night train"
        );
        let relevant: Vec<&str> = query["relevant"]
            .as_array()
            .expect("ids")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let hits = |options: &Options| ids(&docs, &Query::new(message.as_str()), options);
        let first = |hits: &[String]| {
            usize::from(
                hits.first()
                    .is_some_and(|id| relevant.contains(&id.as_str())),
            )
        };
        let hits_now = hits(&options);
        if relevant.is_empty() {
            answered += usize::from(!hits_now.is_empty());
            continue;
        }
        asked += 1;
        found += first(&hits_now);
        found_whole += first(&hits(&whole_only));
    }
    println!(
        "of {asked} questions in a message {found} are answered first, {found_whole} as a whole"
    );
    assert!(found * 10 > asked * 5, "{found} of {asked}");
    assert!(
        found > 2 * found_whole,
        "{found} and {found_whole} of {asked}"
    );
    assert!(answered <= 2, "{answered}");
}

#[test]
fn sentences_end_where_people_end_them() {
    let docs = plain(&[
        ("key", "Rotate the signing key every quarter"),
        ("other", "Bread and butter on Sundays"),
    ]);
    let company = "some twelve entirely unrelated filler words about harbours umbrellas trombones marmalade galaxies";
    for question in [
        format!("{company}. rotate the signing key"),
        format!("{company}\nrotate the signing key"),
        format!("rotate the signing key? {company}"),
        format!("rotate the signing key -- {company}"),
        format!("{company}: rotate the signing key"),
        format!("{company}。rotate the signing key"),
    ] {
        let hits = rank(&docs, &Query::new(question.as_str()), &Options::default()).hits;
        assert_eq!(
            hits.first().map(|hit| hit.id.as_str()),
            Some("key"),
            "{question}"
        );
    }
    // Points within names, versions and paths, flags and hyphens end nothing.
    for question in [
        format!("{company} rotate v1.2 key.pem --signing-key"),
        format!("{company}, rotate the signing-key"),
    ] {
        let all = Options {
            keep_unlikely: true,
            ..Options::default()
        };
        let whole = Options {
            tuning: Tuning {
                most_sentences: 0,
                ..all.tuning.clone()
            },
            ..all.clone()
        };
        assert_eq!(
            rank(&docs, &Query::new(question.as_str()), &all),
            rank(&docs, &Query::new(question.as_str()), &whole),
            "{question}"
        );
    }
}

/// A term that is related to several words of a question stands for the one for which it is worth most.
#[test]
fn other_words_do_not_depend_on_the_order() {
    let docs = plain(&[
        ("dir", "Delete a directory tree"),
        ("cell", "An empty cell"),
        ("x", "Bread"),
    ]);
    let all = Options {
        keep_unlikely: true,
        ..Options::default()
    };
    for (one, other) in [
        ("folder Verzeichnis", "Verzeichnis folder"),
        ("blank null", "null blank"),
    ] {
        let parts = |question: &str| {
            let hits = rank(&docs, &Query::new(question), &all).hits;
            (hits[0].parts.bm25, hits[0].confidence)
        };
        assert_eq!(parts(one).0, parts(other).0, "{one}");
        assert!((parts(one).1 - parts(other).1).abs() < 1e-9, "{one}");
    }
    let text = "备份生产环境集群里面所有用户的数据目录应该怎么做比较好呢";
    let docs = plain(&[
        ("backup", "Backup the data directory of all users"),
        ("x", "Bread"),
    ]);
    assert_eq!(
        ids(&docs, &Query::new(text), &all),
        ["backup"],
        "a long Chinese question is translated too"
    );
}
