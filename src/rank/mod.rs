//! Ranking: (cards, question) → hits with reasons, or none. Pure, deterministic, explainable.
//!
//! The way of a question: its words become terms ([`token`], `terms`); words no card knows get stand-ins (`repair`);
//! BM25 ([`bm25`]) selects candidates; a hashed embedding ([`hashed`]) compares the best of them; both are fused
//! ([`fuse`]); a card without enough absolute evidence ([`abstain`]) is not an answer.
//!
//! Deliberately absent: files, clocks, randomness, a model, learned weights, and ties without an order.

pub mod abstain;
pub mod bm25;
mod corpus;
pub mod evaluate;
mod explain;
mod fuse;
pub mod hashed;
pub mod perturb;
mod query;
mod repair;
mod signature;
mod terms;
pub mod token;
mod tuning;

pub use corpus::{BOOST_RANGE, Corpus, Doc, Field, Passage};
pub use explain::{Explanation, Verdict, why_not};
pub use fuse::{Hit, Match, Options, Parts, Ranking, Reason, Searcher, rank};
pub use query::{Phrasing, Piece, Query};
pub use signature::signature;
pub use terms::How;
pub use token::Tokenizer;
pub use tuning::Tuning;
