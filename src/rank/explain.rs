//! Why a card is not among the answers.

use super::fuse::{Hit, Options, search};
use super::lexicon;
use super::library::Library;
use super::query::Query;
use super::token::{self, Kind, Scratch};

/// What kept a card out, or that nothing did.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The card is not among those searched.
    NoSuchCard,
    /// The card lacks words it must hold (folded, as asked).
    LacksMust(Vec<String>),
    /// The card holds words it must not hold.
    HoldsNot(Vec<String>),
    /// The card shares no term with the question.
    NoSharedTerm,
    /// The card is found, but its evidence is below `needed`.
    TooUnlikely {
        /// The confidence it would need.
        needed: f64,
    },
    /// The card is an answer, at this place counted from 1.
    Answered {
        /// Place from 1.
        place: usize,
    },
}

/// Why a card is or is not an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The verdict.
    pub verdict: Verdict,
    /// The card's score and parts, when it shares a term with the question.
    pub hit: Option<Hit>,
    /// Place from 1 among all cards that share a term, without a floor.
    pub place: Option<usize>,
    /// The question's words the card does not hold, in the question's order.
    pub missing: Vec<String>,
}

/// Explains what kept a card out of the answers to `query`.
#[must_use]
pub fn why_not<L: Library>(
    library: &L,
    card: u32,
    query: &Query,
    options: &Options,
) -> Explanation {
    let nothing = |verdict| Explanation {
        verdict,
        hit: None,
        place: None,
        missing: Vec::new(),
    };
    let Some(doc) = library.card(card) else {
        return nothing(Verdict::NoSuchCard);
    };
    let held = stems(doc.texts());
    let holds = |stem: &str| held.iter().any(|(_, own)| own == stem);
    let lacking: Vec<String> = words_where(&query.must, |stem| !holds(stem));
    if !lacking.is_empty() {
        return nothing(Verdict::LacksMust(lacking));
    }
    let forbidden: Vec<String> = words_where(&query.not, holds);
    if !forbidden.is_empty() {
        return nothing(Verdict::HoldsNot(forbidden));
    }
    let all = search(
        library,
        query,
        &Options {
            limit: None,
            keep_unlikely: true,
            ..options.clone()
        },
    );
    let answers = search(
        library,
        query,
        &Options {
            limit: None,
            ..options.clone()
        },
    );
    let asked = query
        .phrasings
        .iter()
        .flat_map(|phrasing| &phrasing.pieces)
        .map(|piece| piece.text.as_str());
    let matched: Vec<String> = all
        .hits
        .iter()
        .find(|hit| hit.index == card as usize)
        .map(|hit| {
            hit.matched
                .iter()
                .map(|one| one.query_word.clone())
                .collect()
        })
        .unwrap_or_default();
    let words = stems(asked);
    // A term stands for one word of the question only: of two words for the same thing the other is not missing either.
    let asked_in_others = words.len() <= options.tuning.most_related;
    let holds_other = |stem: &str| {
        let others = lexicon::related(&[stem]);
        asked_in_others && others.iter().any(|other| holds(&other.stem))
    };
    let missing = words
        .into_iter()
        .filter(|(word, stem)| !holds(stem) && !matched.contains(word) && !holds_other(stem))
        .map(|(word, _)| word)
        .collect();
    let place = all
        .hits
        .iter()
        .position(|hit| hit.index == card as usize)
        .map(|at| at + 1);
    let verdict = match (
        answers
            .hits
            .iter()
            .position(|hit| hit.index == card as usize),
        place,
    ) {
        (Some(at), _) => Verdict::Answered { place: at + 1 },
        (None, Some(_)) => Verdict::TooUnlikely {
            needed: if answers.hits.is_empty() {
                options.tuning.floor
            } else {
                options.tuning.company
            },
        },
        (None, None) => Verdict::NoSharedTerm,
    };
    Explanation {
        verdict,
        hit: all.hits.into_iter().find(|hit| hit.index == card as usize),
        place,
        missing,
    }
}

fn words_where(texts: &[String], keep: impl Fn(&str) -> bool) -> Vec<String> {
    stems(texts.iter().map(String::as_str))
        .into_iter()
        .filter(|(_, stem)| keep(stem))
        .map(|(word, _)| word)
        .collect()
}

/// Distinct words of `texts` with their stems, in order.
fn stems<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<(String, String)> {
    let mut scratch = Scratch::default();
    let mut list: Vec<(String, String)> = Vec::new();
    for text in texts {
        token::runs(text, |run| {
            token::tokens_of_run(run, &mut scratch, |kind, word| {
                let stem = token::stem(word);
                if kind != Kind::Whole && !list.iter().any(|(_, known)| *known == *stem) {
                    list.push((word.to_owned(), stem.into_owned()));
                }
            });
        });
    }
    list
}
