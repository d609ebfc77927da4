//! Ranking: (cards, question) → hits with reasons, or none. Pure, deterministic, explainable.
//!
//! Cards are a [`Library`]: in memory ([`Corpus`]) or looked up in an index, with the same answers.
//!
//! The way of a question: its words become terms ([`token`], `terms`), also of other words for the same thing
//! (`lexicon`); words no card knows get stand-ins (`repair`); BM25 ([`bm25`]) selects `candidates`; a hashed embedding
//! ([`hashed`]) compares the best of them; both are fused ([`fuse`]), over a message also sentence by sentence; a card
//! without enough absolute evidence ([`abstain`]) is not an answer.
//!
//! Deliberately absent: files, clocks, randomness, a model, learned weights, and ties without an order.

pub mod abstain;
mod analyzer;
pub mod bm25;
mod candidates;
mod corpus;
pub mod evaluate;
mod explain;
mod fuse;
pub mod hashed;
mod lexicon;
mod library;
pub mod perturb;
mod query;
mod repair;
mod signature;
mod terms;
pub mod token;
mod tuning;

pub use analyzer::{Analysis, Analyzer, TermId};
pub use corpus::{BOOST_RANGE, Corpus, Doc, Field, Passage, Statistics};
pub use explain::{Explanation, Verdict, why_not};
pub use fuse::{Hit, Match, Options, Parts, Ranking, Reason, rank, search};
pub use library::Library;
pub use query::{Phrasing, Piece, Query};
pub use signature::signature;
pub use terms::How;
pub use token::Tokenizer;
pub use tuning::Tuning;
