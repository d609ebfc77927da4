//! Puts the parts together: candidates by BM25, embedding over the best of them, one order, an answer or none.

use super::abstain;
use super::bm25::{self, Occurrence, Statistics};
use super::corpus::{BOOST_RANGE, Corpus, Doc};
use super::hashed::{Dense, Space};
use super::query::{Phrasing, Query};
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
    space: Option<Space<'c, 'a>>,
}

impl<'c, 'a> Searcher<'c, 'a> {
    /// A searcher of `corpus`.
    #[must_use]
    pub fn new(corpus: &'c Corpus<'a>) -> Self {
        Searcher { corpus, space: None }
    }

    /// As [`rank`](fn@rank).
    #[must_use]
    pub fn rank(&mut self, query: &Query, options: &Options) -> Ranking {
        rank_corpus(self.corpus, query, options, &mut self.space)
    }
}

fn rank_corpus<'c, 'a>(
    corpus: &'c Corpus<'a>,
    query: &Query,
    options: &Options,
    space: &mut Option<Space<'c, 'a>>,
) -> Ranking {
    let none = |reason| Ranking { hits: Vec::new(), considered: 0, abstained: Some(reason) };
    if corpus.is_empty() {
        return none(Reason::NoCards);
    }
    let allowed = allowed(corpus, query);
    let mut merged: Vec<Option<Candidate>> = vec![None; corpus.len()];
    let mut words = false;
    let share = 1.0 / query.phrasings.len().max(1) as f64;
    for phrasing in &query.phrasings {
        let found = rank_phrasing(corpus, phrasing, &allowed, &options.tuning, space);
        words |= found.words;
        for mut candidate in found.candidates {
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
        other.score.total_cmp(&one.score).then_with(|| corpus.docs[one.card].id.cmp(corpus.docs[other.card].id))
    });
    let considered = candidates.len();
    if !options.keep_unlikely {
        let best = candidates.iter().map(|candidate| candidate.confidence).fold(0.0, f64::max);
        if best < options.tuning.floor {
            return Ranking { hits: Vec::new(), considered, abstained: Some(Reason::BelowFloor) };
        }
        candidates.retain(|candidate| candidate.confidence >= options.tuning.company);
    }
    candidates.truncate(options.limit.unwrap_or(usize::MAX));
    let hits = candidates.into_iter().map(|candidate| candidate.into_hit(corpus, &options.tuning)).collect();
    Ranking { hits, considered, abstained: None }
}

/// A card on its way to becoming a hit.
#[derive(Clone, Debug)]
struct Candidate {
    card: usize,
    score: f64,
    confidence: f64,
    parts: Parts,
    matched: Vec<Match>,
}

impl Candidate {
    fn into_hit(self, corpus: &Corpus<'_>, tuning: &Tuning) -> Hit {
        Hit {
            index: self.card,
            id: corpus.docs[self.card].id.to_owned(),
            score: self.score,
            confidence: self.confidence,
            weak: self.confidence < tuning.weak,
            parts: self.parts,
            matched: self.matched,
        }
    }
}

#[derive(Default)]
struct Found {
    candidates: Vec<Candidate>,
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
        let terms: Vec<(u64, &str)> = list.iter().map(|(hash, text)| (*hash, text.as_str())).collect();
        let mut counts = vec![0_usize; corpus.len()];
        for row in terms::look_up(corpus, &terms).rows {
            counts[row.doc as usize] += 1;
        }
        counts
    };
    let (has_must, has_not) = (held(&must), held(&not));
    Some((0..corpus.len()).map(|card| has_must[card] == must.len() && has_not[card] == 0).collect())
}

/// Replaces words no card knows by similar known terms, and looks everything up.
fn resolve(corpus: &Corpus<'_>, asked: &mut Asked, tuning: &Tuning) -> Postings {
    let postings = {
        let wanted: Vec<(u64, &str)> = asked.terms.iter().map(|term| (term.hash, term.text.as_str())).collect();
        terms::look_up(corpus, &wanted)
    };
    let unknown: Vec<usize> = (0..asked.terms.len())
        .filter(|&at| {
            let term = &asked.terms[at];
            postings.holders[at] == 0
                && term.how == How::Exact
                && term.word.chars().count() >= repair::SHORTEST
                && term.word.chars().filter(|letter| letter.is_alphabetic()).count() >= 3
        })
        .collect();
    if unknown.is_empty() || tuning.repair_weight == 0.0 {
        return postings;
    }
    let words: Vec<&str> = unknown.iter().map(|&at| asked.terms[at].word.as_str()).collect();
    let stand_ins = repair::stand_ins(corpus, &words);
    let mut added = false;
    for (&at, stand_ins) in unknown.iter().zip(stand_ins) {
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
    let wanted: Vec<(u64, &str)> = asked.terms.iter().map(|term| (term.hash, term.text.as_str())).collect();
    terms::look_up(corpus, &wanted)
}

fn rank_phrasing<'c, 'a>(
    corpus: &'c Corpus<'a>,
    phrasing: &Phrasing,
    allowed: &Option<Vec<bool>>,
    tuning: &Tuning,
    space: &mut Option<Space<'c, 'a>>,
) -> Found {
    let mut asked = Asked::new(phrasing);
    if asked.terms.is_empty() {
        return Found::default();
    }
    let postings = resolve(corpus, &mut asked, tuning);
    let cards = corpus.len();
    let statistics = Statistics { cards, average_length: corpus.average_length() };
    let idfs: Vec<f64> = postings.holders.iter().map(|&holders| bm25::idf(cards, holders as usize)).collect();
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
    let evidence = abstain::Evidence::new(&asked, &idfs, &kept);
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
        let mut matched: Vec<Match> = Vec::with_capacity(group.len());
        for (occurrence, score) in group.iter().zip(scores) {
            let term = &asked.terms[occurrence.term as usize];
            let kindly = match term.how { How::Whole if term.similarity < 1.0 => tuning.x[4], How::Whole => tuning.x[0], _ => 1.0 };
            let weight = score * term.weight * kindly * idfs[occurrence.term as usize].powf(tuning.x[2]);
            bm25 += weight;
            matched.push(Match {
                query_word: term.word.clone(),
                term: term.text.clone(),
                weight,
                how: if term.how == How::Exact && term.word != term.text { How::Stem } else { term.how },
            });
        }
        matched.sort_by(|one, other| other.weight.total_cmp(&one.weight).then_with(|| one.term.cmp(&other.term)));
        let (coverage, words) = evidence.coverage(group);
        let boost = corpus.docs[card].boost;
        let boost = if boost.is_finite() { boost.clamp(BOOST_RANGE.0, BOOST_RANGE.1) } else { 1.0 };
        let agreement = evidence.agreement(bm25);
        let parts = Parts { bm25, coverage, words, agreement, boost, ..Parts::default() };
        candidates.push(Candidate { card, score: 0.0, confidence: 0.0, parts, matched });
    }
    candidates.sort_by(|one, other| {
        other.parts.bm25.total_cmp(&one.parts.bm25).then_with(|| corpus.docs[one.card].id.cmp(corpus.docs[other.card].id))
    });
    let Some(best_bm25) = candidates.first().map(|candidate| candidate.parts.bm25) else {
        return Found { candidates, words: true };
    };
    let space = space.get_or_insert_with(|| Space::new(corpus));
    let question = space.of_phrasing(phrasing, tuning);
    let dense = Dense::new(&question);
    let mut best_embedding = 0.0_f64;
    for candidate in candidates.iter_mut().take(tuning.candidates) {
        let vector = space.of_card(candidate.card, tuning);
        let inner = dense.inner(vector);
        if vector.norm > 0.0 && question.norm > 0.0 {
            candidate.parts.embedding = inner.max(0.0) / vector.norm.powf(tuning.norm_power);
            candidate.parts.cosine = inner / (vector.norm * question.norm);
        }
        best_embedding = best_embedding.max(candidate.parts.embedding);
    }
    for candidate in &mut candidates {
        let parts = &candidate.parts;
        let bm25 = if best_bm25 > 0.0 { parts.bm25 / best_bm25 } else { 0.0 };
        let embedding = if best_embedding > 0.0 { parts.embedding / best_embedding } else { 0.0 };
        candidate.score = (tuning.bm25_share * bm25 + (1.0 - tuning.bm25_share) * embedding) * parts.boost * (1.0 + tuning.x[1] * parts.coverage);
        candidate.confidence = evidence.confidence(parts);
    }
    Found { candidates, words: true }
}

/// Marks the `most` terms with the greatest weight × idf (all, when there are fewer).
fn heaviest(asked: &Asked, postings: &Postings, idfs: &[f64], most: usize) -> Vec<bool> {
    let mut kept = vec![true; asked.terms.len()];
    let mut order: Vec<usize> = (0..asked.terms.len()).filter(|&at| postings.holders[at] > 0).collect();
    if order.len() > most {
        order.sort_by(|&one, &other| {
            let weight = |at: usize| asked.terms[at].weight * idfs[at];
            weight(other).total_cmp(&weight(one)).then_with(|| asked.terms[one].text.cmp(&asked.terms[other].text))
        });
        for &at in &order[most..] {
            kept[at] = false;
        }
    }
    kept
}
