//! Puts the parts together: candidates by BM25, embedding over the best of them, one order, an answer or none.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, HashSet};

use super::abstain::Evidence;
use super::bm25;
use super::candidates::{self, Repairs};
use super::corpus::{BOOST_RANGE, Corpus, Doc};
use super::hashed::{Compared, Question};
use super::library::Library;
use super::query::{self, Phrasing, Query};
use super::terms::{Asked, How};
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
    /// Share, 0 to 1, of the words of one passage that are the query's: the greatest of the card's passages.
    pub passage: f64,
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
    /// Number of the card in the library; in a [`Corpus`], its position.
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
    /// Set when `hits` is empty.
    pub abstained: Option<Reason>,
}

/// Ranks `docs` for `query`. Pure: the same input gives the same output, whatever the order of `docs` (but for
/// [`Hit::index`]). Never fails; an empty answer says why in [`Ranking::abstained`].
#[must_use]
pub fn rank(docs: &[Doc<'_>], query: &Query, options: &Options) -> Ranking {
    search(&Corpus::new(docs), query, options)
}

/// As [`rank`](fn@rank), over the cards of any library.
#[must_use]
pub fn search<L: Library>(library: &L, query: &Query, options: &Options) -> Ranking {
    let none = |reason| Ranking {
        hits: Vec::new(),
        abstained: Some(reason),
    };
    if library.cards() == 0 {
        return none(Reason::NoCards);
    }
    let allowed = allowed(library, query);
    let mut repairs = Repairs::default();
    let mut found: Vec<Found> = Vec::new();
    for phrasing in &query.phrasings {
        // Each by itself: their order changes nothing.
        repairs = Repairs::default();
        let whole = rank_phrasing(
            library,
            phrasing,
            1,
            allowed.as_deref(),
            &mut repairs,
            options,
        );
        found.extend(whole);
    }
    if found.is_empty() {
        return none(Reason::NoWords);
    }
    let share = 1.0 / query.phrasings.len() as f64;
    found.iter_mut().for_each(|found| found.share = share);
    if let [phrasing] = &query.phrasings[..] {
        let sentences = sentences(phrasing, &found[0].asked, &options.tuning);
        let chances = sentences.len();
        for sentence in &sentences {
            let allowed = allowed.as_deref();
            let part = rank_phrasing(library, sentence, chances, allowed, &mut repairs, options);
            found.extend(part);
        }
        share_by_confidence(&mut found);
    }
    let mut cards: BTreeMap<u32, f64> = BTreeMap::new();
    for found in &found {
        cards.extend(found.candidates.iter().map(|one| (one.card, one.boost)));
        cards.extend(found.others.iter().copied());
    }
    if cards.is_empty() {
        return none(Reason::NoMatch);
    }
    let mut merged: Vec<Merged> = cards
        .into_iter()
        .map(|(card, boost)| merge(card, boost, &found, options))
        .collect();
    if !options.keep_unlikely {
        let best = merged.iter().map(|one| one.confidence).fold(0.0, f64::max);
        if best < options.tuning.floor {
            return none(Reason::BelowFloor);
        }
        merged.retain(|one| one.confidence >= options.tuning.company);
    }
    merged.sort_by(|one, other| {
        other
            .score
            .total_cmp(&one.score)
            .then_with(|| library.id(one.card).cmp(&library.id(other.card)))
    });
    merged.truncate(options.limit.unwrap_or(usize::MAX));
    let hits = merged
        .into_iter()
        .map(|one| one.into_hit(library, &mut found, &options.tuning))
        .collect();
    Ranking {
        hits,
        abstained: None,
    }
}

/// The sentences of a question that is long enough to have company in it, short enough to be typed, and not one sentence.
fn sentences(phrasing: &Phrasing, asked: &Asked, tuning: &Tuning) -> Vec<Phrasing> {
    let (least, most) = tuning.split;
    if !(least..=most).contains(&asked.concepts.len()) {
        return Vec::new();
    }
    let mut sentences = phrasing.sentences();
    // One word is no sentence.
    sentences.retain(|sentence| Asked::new(sentence).concepts.len() > 1);
    if sentences.len() < 2 || sentences.len() > tuning.most_sentences {
        return Vec::new();
    }
    sentences
}

/// Weighs the whole question and its sentences by how sure each is of its best card: the sentence that is the question
/// decides the order, not those that keep it company.
fn share_by_confidence(found: &mut [Found]) {
    let sure = |found: &Found| {
        let of = found.candidates.iter().map(|one| one.confidence);
        of.fold(0.0, f64::max).powi(3)
    };
    let total: f64 = found.iter().map(sure).sum();
    if total > 0.0 {
        for found in found {
            found.share = sure(found) / total;
        }
    }
}

/// A card that was held against one phrasing.
struct Candidate {
    card: u32,
    boost: f64,
    parts: Parts,
    confidence: f64,
    compared: Compared,
}

/// What one phrasing found.
struct Found {
    /// Its share of the score.
    share: f64,
    asked: Asked,
    idfs: Vec<f64>,
    average_length: f64,
    evidence: Evidence,
    question: Question,
    /// BM25 by card.
    bm25: Vec<f64>,
    best_bm25: f64,
    best_embedding: f64,
    best_passage: f64,
    /// The best cards.
    candidates: Vec<Candidate>,
    /// Place in `candidates` by card.
    places: BTreeMap<u32, usize>,
    /// All other cards that share a term, with their boost; only where everything is asked for.
    others: Vec<(u32, f64)>,
}

impl Found {
    fn candidate(&self, card: u32) -> Option<&Candidate> {
        self.places.get(&card).map(|&at| &self.candidates[at])
    }

    /// What BM25 and the words of a card say; the embedding is left out.
    fn parts(&self, card: u32, boost: f64, compared: &Compared) -> Parts {
        let bm25 = self.bm25[card as usize];
        let terms = compared.counts.iter().map(|(term, _)| *term as usize);
        let (coverage, words) = self.evidence.coverage(terms);
        Parts {
            bm25,
            coverage,
            words,
            agreement: self.evidence.agreement(bm25),
            passage: compared.passage,
            boost,
            ..Parts::default()
        }
    }

    /// The terms a card and the question share, heaviest first.
    fn matched(&self, compared: &Compared) -> Vec<Match> {
        // Of the terms that stand for one word, the one that counted.
        let mut best: BTreeMap<Result<usize, usize>, (usize, f64)> = BTreeMap::new();
        for &(at, count) in &compared.counts {
            let at = at as usize;
            let term = &self.asked.terms[at];
            let saturation = bm25::saturation(count, compared.length, self.average_length);
            let weight = term.weight * self.idfs[at] * saturation;
            let counted = best.entry(term.concept.ok_or(at)).or_insert((at, weight));
            if weight > counted.1 {
                *counted = (at, weight);
            }
        }
        let mut matched: Vec<Match> = best
            .into_values()
            .map(|(at, weight)| {
                let term = &self.asked.terms[at];
                Match {
                    query_word: term.word.clone(),
                    term: term.text.clone(),
                    weight,
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

/// A card with what all phrasings say of it.
struct Merged {
    card: u32,
    boost: f64,
    score: f64,
    confidence: f64,
    /// The phrasing that speaks for the card most.
    phrasing: usize,
}

fn merge(card: u32, boost: f64, found: &[Found], options: &Options) -> Merged {
    let mut merged = Merged {
        card,
        boost,
        score: 0.0,
        confidence: -1.0,
        phrasing: 0,
    };
    for (phrasing, found) in found.iter().enumerate() {
        let own = found.bm25[card as usize];
        if own <= 0.0 {
            continue;
        }
        let candidate = found.candidate(card);
        let of_best = |own: f64, best: f64| if best > 0.0 { own / best } else { 0.0 };
        let of_candidate = |part: fn(&Parts) -> f64, best: f64| {
            candidate.map_or(0.0, |candidate| of_best(part(&candidate.parts), best))
        };
        let tuning = &options.tuning;
        merged.score += found.share
            * boost
            * (tuning.bm25_share * of_best(own, found.best_bm25)
                + tuning.passage_share * of_candidate(|parts| parts.passage, found.best_passage)
                + (1.0 - tuning.bm25_share - tuning.passage_share)
                    * of_candidate(|parts| parts.embedding, found.best_embedding));
        let confidence = candidate.map_or(0.0, |candidate| candidate.confidence);
        if confidence > merged.confidence {
            merged.confidence = confidence;
            merged.phrasing = phrasing;
        }
    }
    merged.confidence = merged.confidence.max(0.0);
    merged
}

impl Merged {
    fn into_hit<L: Library>(self, library: &L, found: &mut [Found], tuning: &Tuning) -> Hit {
        let found = &mut found[self.phrasing];
        let (parts, matched) = match found.candidate(self.card) {
            Some(candidate) => (candidate.parts, found.matched(&candidate.compared)),
            None => {
                let card = library.card(self.card);
                let compared = card
                    .map(|card| found.question.compare(&card))
                    .unwrap_or_default();
                (
                    found.parts(self.card, self.boost, &compared),
                    found.matched(&compared),
                )
            }
        };
        Hit {
            index: self.card as usize,
            id: library.id(self.card).into_owned(),
            score: self.score,
            confidence: self.confidence,
            weak: self.confidence < tuning.weak,
            parts,
            matched,
        }
    }
}

/// Cards that hold every word of `must` and none of `not`; `None` when there are no such filters.
fn allowed<L: Library>(library: &L, query: &Query) -> Option<Vec<bool>> {
    let stems = |texts: &[String]| {
        let mut scratch = Scratch::default();
        let mut list: Vec<String> = Vec::new();
        for text in texts {
            token::runs(text, |run| {
                token::tokens_of_run(run, &mut scratch, |kind, word| {
                    if kind != Kind::Whole {
                        list.push(token::stem(word).into_owned());
                    }
                });
            });
        }
        list.sort();
        list.dedup();
        list
    };
    let (must, not) = (stems(&query.must), stems(&query.not));
    if must.is_empty() && not.is_empty() {
        return None;
    }
    let all: Vec<&str> = must.iter().chain(&not).map(String::as_str).collect();
    library.expect(&all);
    let mut held = vec![0_usize; library.slots()];
    for term in &must {
        library.postings(term, |card, _, _| held[card as usize] += 1);
    }
    let mut allowed: Vec<bool> = held.iter().map(|&held| held == must.len()).collect();
    for term in &not {
        library.postings(term, |card, _, _| allowed[card as usize] = false);
    }
    Some(allowed)
}

/// Ranks the cards for one phrasing, one of so many sentences (1 for a whole); `None` when it holds no words.
fn rank_phrasing<L: Library>(
    library: &L,
    phrasing: &Phrasing,
    chances: usize,
    allowed: Option<&[bool]>,
    repairs: &mut Repairs,
    options: &Options,
) -> Option<Found> {
    let tuning = &options.tuning;
    let mut asked = Asked::new(phrasing);
    if asked.terms.is_empty() {
        return None;
    }
    let held = candidates::resolve(library, &mut asked, repairs, tuning);
    let cards = library.cards();
    let average_length = library.total_length() as f64 / cards as f64;
    let mut idfs: Vec<f64> = held.iter().map(|&held| bm25::idf(cards, held)).collect();
    // A rare word for a common thing tells no more than the common one.
    for (at, term) in asked.terms.iter().enumerate() {
        if let Some(concept) = term.concept {
            idfs[at] = idfs[at].min(idfs[asked.concepts[concept].term]);
        }
    }
    // A pasted prompt has hundreds of words; the rare ones say what it is about.
    let kept = heaviest(&asked, &held, &idfs, tuning.most_terms);
    let weights: Vec<f64> = (0..asked.terms.len())
        .map(|at| match kept[at] && held[at] > 0 {
            true => asked.terms[at].weight * idfs[at],
            false => 0.0,
        })
        .collect();
    let (scores, mut touched) = candidates::score(library, &asked, &weights, average_length);
    if let Some(allowed) = allowed {
        touched.retain(|&card| allowed[card as usize]);
    }
    let evidence = Evidence::new(&asked, &idfs, &kept, cards, chances);
    let essence =
        (asked.concepts.len() > tuning.most_terms).then(|| essence(phrasing, &asked, &kept));
    let question = Question::new(
        essence.as_ref().unwrap_or(phrasing),
        &asked,
        &idfs,
        &kept,
        cards,
        f64::from(tuning.pair_weight),
    );
    let mut found = Found {
        share: 1.0,
        asked,
        idfs,
        average_length,
        evidence,
        question,
        bm25: scores,
        best_bm25: 0.0,
        best_embedding: 0.0,
        best_passage: 0.0,
        candidates: Vec::new(),
        places: BTreeMap::new(),
        others: Vec::new(),
    };
    let candidates = match chances {
        1 => tuning.candidates,
        _ => tuning.sentence_candidates,
    };
    walk(library, touched, candidates, &mut found, options);
    Some(found)
}

/// Goes down the cards from the best and compares the first ones that no filter keeps out.
fn walk<L: Library>(
    library: &L,
    mut cards: Vec<u32>,
    candidates: usize,
    found: &mut Found,
    options: &Options,
) {
    let tuning = &options.tuning;
    let mut rest = &mut cards[..];
    // Sorting everything would cost more than all else: most of the order is never looked at.
    let mut size = candidates.max(1);
    while !rest.is_empty() {
        let by_id = |one: &u32, other: &u32| library.id(*one).cmp(&library.id(*other));
        if options.keep_unlikely || size >= rest.len() {
            size = rest.len();
        } else {
            best_first(rest, size, &found.bm25, by_id);
        }
        rest[..size].sort_unstable_by(|one, other| {
            found.bm25[*other as usize]
                .total_cmp(&found.bm25[*one as usize])
                .then_with(|| by_id(one, other))
        });
        library.expect_cards(&rest[..size]);
        for &card in &rest[..size] {
            let full = found.candidates.len() >= candidates;
            if full && !options.keep_unlikely {
                return;
            }
            let Some(doc) = library.card(card) else {
                continue;
            };
            let boost = if doc.boost.is_finite() {
                doc.boost.clamp(BOOST_RANGE.0, BOOST_RANGE.1)
            } else {
                1.0
            };
            if full {
                found.others.push((card, boost));
            } else {
                compare(card, boost, &doc, found, tuning);
            }
        }
        rest = &mut rest[size..];
        size *= 2;
    }
}

/// Brings the `size` cards with the greatest scores to the front, in any order; of equal ones those first by id. Looks at
/// each score once: most are below the least of the best so far. `size` is at least 1 and less than there are cards.
fn best_first(
    cards: &mut [u32],
    size: usize,
    scores: &[f64],
    by_id: impl Fn(&u32, &u32) -> Ordering,
) {
    // No score is negative, so their bits are in the order of their values.
    let score = |card: &u32| scores[*card as usize].to_bits();
    let mut best: BinaryHeap<Reverse<u64>> = cards[..size]
        .iter()
        .map(|card| Reverse(score(card)))
        .collect();
    let mut least = best.peek().map_or(0, |least| least.0);
    for card in &cards[size..] {
        let own = score(card);
        if own > least {
            best.pop();
            best.push(Reverse(own));
            least = best.peek().map_or(0, |least| least.0);
        }
    }
    let mut above = 0;
    for at in 0..cards.len() {
        if score(&cards[at]) > least {
            cards.swap(at, above);
            above += 1;
        }
    }
    let mut equal = above;
    for at in above..cards.len() {
        if score(&cards[at]) == least {
            cards.swap(at, equal);
            equal += 1;
        }
    }
    // The last of the best are among the equal ones.
    if size < equal {
        cards[above..equal].select_nth_unstable_by(size - above, by_id);
    }
}

/// Adds a card to the candidates.
fn compare(card: u32, boost: f64, doc: &Doc<'_>, found: &mut Found, tuning: &Tuning) {
    let compared = found.question.compare(doc);
    let mut parts = found.parts(card, boost, &compared);
    let norm = found.question.norm();
    if compared.norm > 0.0 && norm > 0.0 {
        parts.embedding = compared.inner.max(0.0) / compared.norm.powf(tuning.norm_power);
        parts.cosine = compared.inner / (compared.norm * norm);
    }
    found.best_bm25 = found.best_bm25.max(parts.bm25);
    found.best_embedding = found.best_embedding.max(parts.embedding);
    found.best_passage = found.best_passage.max(parts.passage);
    found.places.insert(card, found.candidates.len());
    found.candidates.push(Candidate {
        card,
        boost,
        confidence: found.evidence.confidence(&parts),
        parts,
        compared,
    });
}

/// Marks the `most` terms with the greatest weight × idf (all, when the question has no more words than that). Of a
/// question longer than that, unknown words are left out: they are no evidence against a card.
fn heaviest(asked: &Asked, held: &[usize], idfs: &[f64], most: usize) -> Vec<bool> {
    if asked.concepts.len() <= most {
        return vec![true; asked.terms.len()];
    }
    let mut order: Vec<usize> = (0..asked.terms.len()).filter(|&at| held[at] > 0).collect();
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
