//! What is asked: phrasings, weighted pieces, words that must or must not occur.

/// A piece of a phrasing and how much its words count.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Any text.
    pub text: String,
    /// Factor on each word's share of the score; 1.0 is an ordinary word.
    pub weight: f64,
}

/// One way to put the question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Phrasing {
    /// What the phrasing consists of, in order.
    pub pieces: Vec<Piece>,
}

/// A question: one or several phrasings, and filters on words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Each is ranked on its own; the results are fused.
    pub phrasings: Vec<Phrasing>,
    /// A card must hold every word of these.
    pub must: Vec<String>,
    /// A card must hold no word of these.
    pub not: Vec<String>,
}

impl Query {
    /// A question in one phrasing.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Query::of([text])
    }

    /// The same question in several phrasings.
    #[must_use]
    pub fn of<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        let phrasings = texts
            .into_iter()
            .map(|text| Phrasing {
                pieces: vec![Piece {
                    text: text.into(),
                    weight: 1.0,
                }],
            })
            .collect();
        Query {
            phrasings,
            ..Query::default()
        }
    }

    /// Adds words a card must hold.
    #[must_use]
    pub fn must(mut self, words: impl Into<String>) -> Self {
        self.must.push(words.into());
        self
    }

    /// Adds words a card must not hold.
    #[must_use]
    pub fn not(mut self, words: impl Into<String>) -> Self {
        self.not.push(words.into());
        self
    }
}
