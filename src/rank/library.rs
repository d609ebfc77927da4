//! What the ranking needs to know of a store's cards, wherever that comes from.

use std::borrow::Cow;

use super::corpus::Doc;

/// The cards of one store as the ranking sees them.
///
/// Statistics (number of cards, lengths, who holds a term) are of the current version of every card in the store,
/// whatever its status and whatever the filters; [`card`](Library::card) applies filters, card by card. So an index
/// needs to know nothing of filters, and two libraries of the same store give the same answers to the last bit.
///
/// A library that finds itself damaged notes that, and answers with nothing: its owner asks it afterwards.
pub trait Library {
    /// Number of cards.
    fn cards(&self) -> usize;

    /// Number of tokens in all cards.
    fn total_length(&self) -> u64;

    /// Card numbers are below this; there may be gaps.
    fn slots(&self) -> usize;

    /// These terms will be asked for: a hint for libraries that look several up at once.
    fn expect(&self, _terms: &[&str]) {}

    /// These cards will be asked for: a hint for libraries that fetch several at once.
    fn expect_cards(&self, _cards: &[u32]) {}

    /// Number of cards that hold a term (a stem).
    fn holders(&self, term: &str) -> usize;

    /// The cards that hold a term, by ascending number: number, how often it holds the term, its length in tokens.
    fn postings(&self, term: &str, visit: impl FnMut(u32, u32, u32));

    /// Visits every term a card holds; in any order, some perhaps several times, some perhaps held no more.
    fn terms(&self, visit: impl FnMut(&str));

    /// The id of a card that has postings.
    fn id(&self, card: u32) -> Cow<'_, str>;

    /// The card itself; `None` when a filter keeps it out.
    fn card(&self, card: u32) -> Option<Doc<'_>>;
}
