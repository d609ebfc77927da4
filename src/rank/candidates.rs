//! From a question's terms to the cards that hold them: other words, stand-ins, BM25.

use std::collections::HashMap;

use super::bm25;
use super::lexicon::{self, Related};
use super::library::Library;
use super::repair::{self, StandIn};
use super::terms::{Asked, How};
use super::tuning::Tuning;

/// Adds other words for the question's words, and similar known terms for words no card holds. Returns how many cards
/// hold each term.
pub(crate) fn resolve<L: Library>(
    library: &L,
    asked: &mut Asked,
    repairs: &mut Repairs,
    tuning: &Tuning,
) -> Vec<usize> {
    let mut held = look_up(library, asked, tuning);
    let mut known = vec![false; asked.concepts.len()];
    for (term, &held) in asked.terms.iter().zip(&held) {
        if let Some(concept) = term.concept {
            known[concept] |= held > 0;
        }
    }
    let unknown: Vec<usize> = asked
        .concepts
        .iter()
        .zip(known)
        .filter(|(_, known)| !known)
        .map(|(concept, _)| concept.term)
        .filter(|&at| {
            let term = &asked.terms[at];
            term.how == How::Exact
                && term.word.chars().count() >= repair::SHORTEST
                && term
                    .word
                    .chars()
                    .filter(|letter| letter.is_alphabetic())
                    .count()
                    >= 3
        })
        .collect();
    if tuning.repair_weight == 0.0 {
        return held;
    }
    let words: Vec<&str> = unknown
        .iter()
        .map(|&at| asked.terms[at].word.as_str())
        .collect();
    let stand_ins = repairs.look_up(library, &words);
    for (at, stand_ins) in unknown.into_iter().zip(stand_ins) {
        if let Some(best) = stand_ins
            .first()
            .filter(|best| best.similarity >= repair::SURE)
        {
            asked
                .substitutes
                .insert(asked.terms[at].hash, best.stem.clone());
        }
        for stand_in in stand_ins {
            if !asked.holds(&stand_in.stem) {
                held.push(library.holders(&stand_in.stem));
                let share = tuning.repair_weight * stand_in.similarity;
                asked.stand_in(at, stand_in.stem, How::Repaired, share, stand_in.similarity);
            }
        }
    }
    held
}

/// Stand-ins that were looked for, by word: that is a walk over all terms, so a sentence does not ask again for what the
/// whole question has asked.
#[derive(Default)]
pub(crate) struct Repairs(HashMap<String, Vec<StandIn>>);

impl Repairs {
    fn look_up<L: Library>(&mut self, library: &L, words: &[&str]) -> Vec<Vec<StandIn>> {
        let new: Vec<&str> = words
            .iter()
            .copied()
            .filter(|word| !self.0.contains_key(*word))
            .collect();
        // A long text is pasted, not typed: its unknown words are names, not typing errors.
        let found = match new.len() {
            0 => Vec::new(),
            1..=repair::MOST_WORDS => repair::stand_ins(library, &new),
            _ => vec![Vec::new(); new.len()],
        };
        self.0.extend(new.into_iter().map(str::to_owned).zip(found));
        words.iter().map(|word| self.0[*word].clone()).collect()
    }
}

/// Adds synonyms and translations that cards hold. Returns how many cards hold each term.
fn look_up<L: Library>(library: &L, asked: &mut Asked, tuning: &Tuning) -> Vec<usize> {
    let words: Vec<usize> = asked.concepts.iter().map(|concept| concept.term).collect();
    let mut related = if tuning.most_related > 0 && words.len() <= tuning.most_terms {
        let stem = |&at: &usize| asked.terms[at].text.as_str();
        lexicon::related(&words.iter().map(stem).collect::<Vec<_>>())
    } else {
        Vec::new()
    };
    if words.len() > tuning.most_related {
        related.retain(|one| one.how == How::Translation);
    }
    let own = asked.terms.iter().map(|term| term.text.as_str());
    let others = related.iter().map(|one| one.stem.as_str());
    library.expect(&own.chain(others).collect::<Vec<_>>());
    let mut held: Vec<usize> = asked
        .terms
        .iter()
        .map(|term| library.holders(&term.text))
        .collect();
    let mut known: Vec<(f64, usize, Related)> = Vec::new();
    for one in related {
        let holders = library.holders(&one.stem);
        if holders > 0 && !asked.holds(&one.stem) {
            let of = words[one.of];
            let idf = bm25::idf(library.cards(), holders.max(held[of]));
            known.push((asked.terms[of].weight * one.share * idf, holders, one));
        }
    }
    // A term stands for one word only, of several that for which it is worth most; whatever the order of the words.
    let word = |one: &Related| asked.terms[words[one.of]].text.clone();
    known.sort_by(|(worth, _, one), (other_worth, _, other)| {
        other_worth
            .total_cmp(worth)
            .then_with(|| word(one).cmp(&word(other)))
            .then_with(|| one.stem.cmp(&other.stem))
    });
    for (_, holders, one) in known {
        if !asked.holds(&one.stem) {
            held.push(holders);
            asked.stand_in(words[one.of], one.stem, one.how, one.share, one.share);
        }
    }
    held
}

/// BM25 of every card that holds a term, by card, and those cards. Of the terms that stand for one word the best counts:
/// a card that calls a thing by two names is not twice as much about it.
pub(crate) fn score<L: Library>(
    library: &L,
    asked: &Asked,
    weights: &[f64],
    average_length: f64,
) -> (Vec<f64>, Vec<u32>) {
    let mut scores = vec![0.0_f64; library.slots()];
    let mut touched: Vec<u32> = Vec::new();
    let mut add = |card: u32, own: f64| {
        let score = &mut scores[card as usize];
        if *score == 0.0 {
            touched.push(card);
        }
        *score += own;
    };
    let mut same_word: Vec<Vec<usize>> = vec![Vec::new(); asked.concepts.len()];
    for (at, term) in asked.terms.iter().enumerate() {
        if let Some(concept) = term.concept.filter(|_| weights[at] > 0.0) {
            same_word[concept].push(at);
        }
    }
    let mut best: Vec<f64> = Vec::new();
    let mut held: Vec<u32> = Vec::new();
    // Word after word, in the question's order: sums are the same wherever the postings come from.
    for (at, term) in asked.terms.iter().enumerate() {
        let terms = match term.concept {
            Some(concept) if asked.concepts[concept].term == at => &same_word[concept][..],
            Some(_) => continue,
            None if weights[at] > 0.0 => &[at],
            None => continue,
        };
        if terms.is_empty() {
            continue;
        }
        if let &[term] = terms {
            library.postings(&asked.terms[term].text, |card, count, length| {
                add(
                    card,
                    weights[term] * bm25::saturation(count, length, average_length),
                );
            });
            continue;
        }
        best.resize(library.slots(), 0.0);
        for &term in terms {
            library.postings(&asked.terms[term].text, |card, count, length| {
                let best = &mut best[card as usize];
                if *best == 0.0 {
                    held.push(card);
                }
                *best = best.max(weights[term] * bm25::saturation(count, length, average_length));
            });
        }
        for card in held.drain(..) {
            add(card, std::mem::take(&mut best[card as usize]));
        }
    }
    (scores, touched)
}
