//! Puts the parts together: candidates by BM25, embedding over the best of them, one order, an answer or none.

use std::collections::HashSet;
use std::ops::Range;

use super::abstain;
use super::bm25::{self, Occurrence, Statistics};
use super::corpus::{BOOST_RANGE, Corpus, Doc};
use super::hashed::Question;
use super::query::{self, Phrasing, Query};
use super::repair;
use super::terms::{self, Asked, How, Postings, Term};
use super::token::{self, Kind, Scratch};
use super::tuning::Tuning;

/// How to rank.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Most hits returned; `None` returns all. A shorter list is always the beginning of a longer one.
    pub limit: Option<usize>,
    /// Return what was found even when the evidence is below the floor.
    pub keep_unlikely: bool,
    /// The parameters.
    pub tuning: Tuning,
}

/// The parts a score is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    /// Sum of BM25 over the query's terms; unbounded.
    pub bm25: f64,
    /// Inner product with the query over the card's length to a power; unbounded. 0 when not a candidate.
    pub embedding: f64,
    /// Share, 0 to 1, of the query's idf mass the card matches.
    pub coverage: f64,
    /// Number of the query's words (or character pairs) the card holds; a stand-in counts by its similarity.
    pub words: f64,
    /// BM25 over the most a card of average length could reach.
    pub agreement: f64,
    /// Cosine of the hashed vectors, −1 to 1.
    pub cosine: f64,
    /// Factor from proven use.
    pub boost: f64,
}

/// A term the card and the question share.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// The question's word, folded.
    pub query_word: String,
    /// The card's term (stemmed).
    pub term: String,
    /// Its share of the BM25 score.
    pub weight: f64,
    /// How the two were brought together.
    pub how: How,
}

/// A card that answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Position in the `docs` given.
    pub index: usize,
    /// The card's id.
    pub id: String,
    /// Order of the hits; comparable within one answer only.
    pub score: f64,
    /// Evidence that the card is about the question, 0 to 1; comparable across questions.
    pub confidence: f64,
    /// Evidence is thin: say so.
    pub weak: bool,
    /// What the score is made of (of the phrasing that speaks for the card most).
    pub parts: Parts,
    /// Shared terms, heaviest first.
    pub matched: Vec<Match>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There are no cards.
    NoCards,
    /// The question holds no words to look for.
    NoWords,
    /// No card shares a term with the question (or the filters took all that do).
    NoMatch,
    /// Cards share terms, but none enough to be about the question.
    BelowFloor,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// Best first.
    pub hits: Vec<Hit>,
    /// Cards that share a term with the question and pass the filters.
    pub considered: usize,
    /// Set when `hits` is empty.
    pub abstained: Option<Reason>,
}

/// Ranks `docs` for `query`. Pure: the same input gives the same output, whatever the order of `docs` (but for
/// [`Hit::index`]). Never fails; an empty answer says why in [`Ranking::abstained`].
#[must_use]
pub fn rank(docs: &[Doc<'_>], query: &Query, options: &Options) -> Ranking {
    Searcher::new(&Corpus::new(docs)).rank(query, options)
}

/// Answers several questions over the same cards; what was worked out for one is kept for the next.
pub struct Searcher<'c, 'a> {
    corpus: &'c Corpus<'a>,
}

impl<'c, 'a> Searcher<'c, 'a> {
    /// A searcher of `corpus`.
    #[must_use]
    pub fn new(corpus: &'c Corpus<'a>) -> Self {
        Searcher { corpus }
    }

    /// As [`rank`](fn@rank).
    #[must_use]
    pub fn rank(&mut self, query: &Query, options: &Options) -> Ranking {
        rank_corpus(self.corpus, query, options)
    }
}

fn rank_corpus(corpus: &Corpus<'_>, query: &Query, options: &Options) -> Ranking {
    let none = |reason| Ranking {
        hits: Vec::new(),
        considered: 0,
        abstained: Some(reason),
    };
    if corpus.is_empty() {
        return none(Reason::NoCards);
    }
    let allowed = allowed(corpus, query);
    let mut merged: Vec<Option<Candidate>> = vec![None; corpus.len()];
    let mut words = false;
    let share = 1.0 / query.phrasings.len().max(1) as f64;
    let mut reasons: Vec<Reasons> = Vec::with_capacity(query.phrasings.len());
    for phrasing in &query.phrasings {
        let found = rank_phrasing(corpus, phrasing, &allowed, &options.tuning);
        words |= found.words;
        let number = reasons.len();
        reasons.push(found.reasons);
        for mut candidate in found.candidates {
            candidate.phrasing = number;
            candidate.score *= share;
            let slot = &mut merged[candidate.card];
            match slot {
                None => *slot = Some(candidate),
                Some(known) => {
                    let score = known.score + candidate.score;
                    if candidate.confidence > known.confidence {
                        *known = candidate;
                    }
                    known.score = score;
                }
            }
        }
    }
    if !words {
        return none(Reason::NoWords);
    }
    let mut candidates: Vec<Candidate> = merged.into_iter().flatten().collect();
    if candidates.is_empty() {
        return none(Reason::NoMatch);
    }
    candidates.sort_by(|one, other| {
        other
            .score
            .total_cmp(&one.score)
            .then_with(|| corpus.docs[one.card].id.cmp(corpus.docs[other.card].id))
    });
    let considered = candidates.len();
    if !options.keep_unlikely {
        let best = candidates
            .iter()
            .map(|candidate| candidate.confidence)
            .fold(0.0, f64::max);
        if best < options.tuning.floor {
            return Ranking {
                hits: Vec::new(),
                considered,
                abstained: Some(Reason::BelowFloor),
            };
        }
        candidates.retain(|candidate| candidate.confidence >= options.tuning.company);
    }
    candidates.truncate(options.limit.unwrap_or(usize::MAX));
    let hits = candidates
        .into_iter()
        .map(|candidate| candidate.into_hit(corpus, &options.tuning, &reasons))
        .collect();
    Ranking {
        hits,
        considered,
        abstained: None,
    }
}

/// A card on its way to becoming a hit.
#[derive(Clone, Debug)]
struct Candidate {
    card: usize,
    score: f64,
    confidence: f64,
    parts: Parts,
    /// The phrasing whose evidence is kept, and the card's rows in it.
    phrasing: usize,
    rows: Range<usize>,
}

impl Candidate {
    fn into_hit(self, corpus: &Corpus<'_>, tuning: &Tuning, reasons: &[Reasons]) -> Hit {
        Hit {
            index: self.card,
            id: corpus.docs[self.card].id.to_owned(),
            score: self.score,
            confidence: self.confidence,
            weak: self.confidence < tuning.weak,
            parts: self.parts,
            matched: reasons[self.phrasing].of(self.rows),
        }
    }
}

/// What is needed to say why a card was found.
#[derive(Default)]
struct Reasons {
    terms: Vec<Term>,
    occurrences: Vec<Occurrence>,
    scores: Vec<f64>,
}

impl Reasons {
    fn of(&self, rows: Range<usize>) -> Vec<Match> {
        let mut matched: Vec<Match> = rows
            .map(|row| {
                let term = &self.terms[self.occurrences[row].term as usize];
                Match {
                    query_word: term.word.clone(),
                    term: term.text.clone(),
                    weight: self.scores[row] * term.weight,
                    how: if term.how == How::Exact && term.word != term.text {
                        How::Stem
                    } else {
                        term.how
                    },
                }
            })
            .collect();
        matched.sort_by(|one, other| {
            other
                .weight
                .total_cmp(&one.weight)
                .then_with(|| one.term.cmp(&other.term))
        });
        matched
    }
}

#[derive(Default)]
struct Found {
    candidates: Vec<Candidate>,
    reasons: Reasons,
    words: bool,
}

/// Cards that hold every word of `must` and none of `not`; `None` when there are no such filters.
fn allowed(corpus: &Corpus<'_>, query: &Query) -> Option<Vec<bool>> {
    let hashes = |texts: &[String]| {
        let mut scratch = Scratch::default();
        let mut list: Vec<(u64, String)> = Vec::new();
        for text in texts {
            token::runs(text, |run| {
                token::tokens_of_run(run, &mut scratch, |kind, word| {
                    if kind != Kind::Whole {
                        let stem = token::stem(word).into_owned();
                        list.push((token::term_hash(&stem), stem));
                    }
                });
            });
        }
        list.sort();
        list.dedup();
        list
    };
    let (must, not) = (hashes(&query.must), hashes(&query.not));
    if must.is_empty() && not.is_empty() {
        return None;
    }
    let held = |list: &[(u64, String)]| {
        let terms: Vec<(u64, &str)> = list
            .iter()
            .map(|(hash, text)| (*hash, text.as_str()))
            .collect();
        let mut counts = vec![0_usize; corpus.len()];
        for row in terms::look_up(corpus, &terms).rows {
            counts[row.doc as usize] += 1;
        }
        counts
    };
    let (has_must, has_not) = (held(&must), held(&not));
    Some(
        (0..corpus.len())
            .map(|card| has_must[card] == must.len() && has_not[card] == 0)
            .collect(),
    )
}

/// Replaces words no card knows by similar known terms, and looks everything up.
fn resolve(corpus: &Corpus<'_>, asked: &mut Asked, tuning: &Tuning) -> Postings {
    let postings = {
        let wanted: Vec<(u64, &str)> = asked
            .terms
            .iter()
            .map(|term| (term.hash, term.text.as_str()))
            .collect();
        terms::look_up(corpus, &wanted)
    };
    let unknown: Vec<usize> = (0..asked.terms.len())
        .filter(|&at| {
            let term = &asked.terms[at];
            postings.holders[at] == 0
                && term.how == How::Exact
                && term.word.chars().count() >= repair::SHORTEST
                && term
                    .word
                    .chars()
                    .filter(|letter| letter.is_alphabetic())
                    .count()
                    >= 3
        })
        .collect();
    // A long text is pasted, not typed: its unknown words are names, not typing errors.
    if unknown.is_empty() || unknown.len() > repair::MOST_WORDS || tuning.repair_weight == 0.0 {
        return postings;
    }
    let words: Vec<&str> = unknown
        .iter()
        .map(|&at| asked.terms[at].word.as_str())
        .collect();
    let stand_ins = repair::stand_ins(corpus, &words);
    let mut added = false;
    for (&at, stand_ins) in unknown.iter().zip(stand_ins) {
        if let Some(best) = stand_ins
            .first()
            .filter(|best| best.similarity >= repair::SURE)
        {
            asked
                .substitutes
                .insert(asked.terms[at].hash, best.surface.clone());
        }
        for stand_in in stand_ins {
            let hash = token::term_hash(&stand_in.stem);
            if asked.terms.iter().any(|term| term.hash == hash) {
                continue;
            }
            added = true;
            let source = &asked.terms[at];
            let term = Term {
                hash,
                weight: source.weight * tuning.repair_weight * stand_in.similarity,
                text: stand_in.stem,
                concept: source.concept,
                word: source.word.clone(),
                how: How::Repaired,
                similarity: stand_in.similarity,
            };
            asked.terms.push(term);
        }
    }
    if !added {
        return postings;
    }
    let wanted: Vec<(u64, &str)> = asked
        .terms
        .iter()
        .map(|term| (term.hash, term.text.as_str()))
        .collect();
    terms::look_up(corpus, &wanted)
}

fn rank_phrasing(
    corpus: &Corpus<'_>,
    phrasing: &Phrasing,
    allowed: &Option<Vec<bool>>,
    tuning: &Tuning,
) -> Found {
    let mut asked = Asked::new(phrasing);
    if asked.terms.is_empty() {
        return Found::default();
    }
    let postings = resolve(corpus, &mut asked, tuning);
    let cards = corpus.len();
    let statistics = Statistics {
        cards,
        average_length: corpus.average_length(),
    };
    let idfs: Vec<f64> = postings
        .holders
        .iter()
        .map(|&holders| bm25::idf(cards, holders as usize))
        .collect();
    // A pasted prompt has hundreds of words; the rare ones say what it is about.
    let kept = heaviest(&asked, &postings, &idfs, tuning.most_terms);
    let hashes: Vec<u64> = asked.terms.iter().map(|term| term.hash).collect();
    let occurrences: Vec<Occurrence> = postings
        .rows
        .iter()
        .filter(|row| kept[row.term as usize])
        .map(|row| Occurrence {
            card: row.doc,
            term: row.term,
            count: row.count,
            length: corpus.lengths[row.doc as usize],
        })
        .collect();
    let scores = bm25::score(statistics, &hashes, &occurrences);
    let evidence = abstain::Evidence::new(&asked, &idfs, &kept, cards);
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut at = 0;
    for group in occurrences.chunk_by(|one, other| one.card == other.card) {
        let scores = &scores[at..at + group.len()];
        at += group.len();
        let card = group[0].card as usize;
        if allowed.as_ref().is_some_and(|allowed| !allowed[card]) {
            continue;
        }
        let mut bm25 = 0.0;
        for (occurrence, score) in group.iter().zip(scores) {
            bm25 += score * asked.terms[occurrence.term as usize].weight;
        }
        let (coverage, words) = evidence.coverage(group);
        let boost = corpus.docs[card].boost;
        let boost = if boost.is_finite() {
            boost.clamp(BOOST_RANGE.0, BOOST_RANGE.1)
        } else {
            1.0
        };
        let agreement = evidence.agreement(bm25);
        let parts = Parts {
            bm25,
            coverage,
            words,
            agreement,
            boost,
            ..Parts::default()
        };
        candidates.push(Candidate {
            card,
            score: 0.0,
            confidence: 0.0,
            parts,
            phrasing: 0,
            rows: at - group.len()..at,
        });
    }
    candidates.sort_by(|one, other| {
        other
            .parts
            .bm25
            .total_cmp(&one.parts.bm25)
            .then_with(|| corpus.docs[one.card].id.cmp(corpus.docs[other.card].id))
    });
    let Some(best_bm25) = candidates.first().map(|candidate| candidate.parts.bm25) else {
        return Found {
            candidates,
            words: true,
            ..Found::default()
        };
    };
    let mut question = if asked.concepts.len() > tuning.most_terms {
        Question::new(
            corpus,
            &essence(phrasing, &asked, &kept),
            &asked.substitutes,
            &postings.stems,
            tuning,
        )
    } else {
        Question::new(
            corpus,
            phrasing,
            &asked.substitutes,
            &postings.stems,
            tuning,
        )
    };
    let mut best_embedding = 0.0_f64;
    for candidate in candidates.iter_mut().take(tuning.candidates) {
        let (inner, norm) = question.compare(corpus, candidate.card);
        if norm > 0.0 && question.norm() > 0.0 {
            candidate.parts.embedding = inner.max(0.0) / norm.powf(tuning.norm_power);
            candidate.parts.cosine = inner / (norm * question.norm());
        }
        best_embedding = best_embedding.max(candidate.parts.embedding);
    }
    for candidate in &mut candidates {
        let parts = &candidate.parts;
        let bm25 = if best_bm25 > 0.0 {
            parts.bm25 / best_bm25
        } else {
            0.0
        };
        let embedding = if best_embedding > 0.0 {
            parts.embedding / best_embedding
        } else {
            0.0
        };
        candidate.score =
            (tuning.bm25_share * bm25 + (1.0 - tuning.bm25_share) * embedding) * parts.boost;
        candidate.confidence = evidence.confidence(parts);
    }
    Found {
        candidates,
        words: true,
        reasons: Reasons {
            terms: asked.terms,
            occurrences,
            scores,
        },
    }
}

/// Marks the `most` terms with the greatest weight × idf (all, when the question has no more words than that). Of a
/// question longer than that, unknown words are left out: they are no evidence against a card.
fn heaviest(asked: &Asked, postings: &Postings, idfs: &[f64], most: usize) -> Vec<bool> {
    if asked.concepts.len() <= most {
        return vec![true; asked.terms.len()];
    }
    let mut order: Vec<usize> = (0..asked.terms.len())
        .filter(|&at| postings.holders[at] > 0)
        .collect();
    order.sort_by(|&one, &other| {
        let weight = |at: usize| asked.terms[at].weight * idfs[at];
        weight(other)
            .total_cmp(&weight(one))
            .then_with(|| asked.terms[one].text.cmp(&asked.terms[other].text))
    });
    let mut kept = vec![false; asked.terms.len()];
    for &at in order.iter().take(most) {
        kept[at] = true;
    }
    kept
}

/// The runs of a phrasing that hold a kept term, each once.
fn essence(phrasing: &Phrasing, asked: &Asked, kept: &[bool]) -> Phrasing {
    let mut wanted: HashSet<u64> = asked
        .terms
        .iter()
        .zip(kept)
        .filter(|(_, kept)| **kept)
        .map(|(term, _)| term.hash)
        .collect();
    let mut scratch = Scratch::default();
    let mut pieces = Vec::new();
    for piece in &phrasing.pieces {
        let mut text = String::new();
        token::runs(&piece.text, |run| {
            let mut found = false;
            token::tokens_of_run(run, &mut scratch, |_, word| {
                found |= wanted.remove(&token::term_hash(&token::stem(word)));
            });
            if found {
                text.push_str(run);
                text.push(' ');
            }
        });
        pieces.push(query::Piece {
            text,
            weight: piece.weight,
        });
    }
    Phrasing { pieces }
}
