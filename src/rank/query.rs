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

impl Phrasing {
    /// The sentences of a phrasing in one piece, where it has several: a message or a task of which one sentence is the
    /// question and the others are company.
    pub(crate) fn sentences(&self) -> Vec<Phrasing> {
        let [piece] = &self.pieces[..] else {
            return Vec::new();
        };
        let mut sentences: Vec<&str> = Vec::new();
        let (mut start, mut before) = (0, ' ');
        let mut letters = piece.text.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            let next = letters.peek().map_or(' ', |&(_, next)| next);
            let ends = match letter {
                '\n' | '。' | '？' | '！' | '；' => true,
                '.' | '?' | '!' | ';' | ':' => next.is_whitespace(),
                // A dash between words, not a hyphen or a flag.
                '-' | '–' | '—' => {
                    next.is_whitespace() && (before == letter || before.is_whitespace())
                }
                _ => false,
            };
            if ends {
                let end = at + letter.len_utf8();
                sentences.push(&piece.text[start..end]);
                start = end;
            }
            before = letter;
        }
        sentences.push(&piece.text[start..]);
        let of = |text: &str| Phrasing {
            pieces: vec![Piece {
                text: text.to_owned(),
                weight: piece.weight,
            }],
        };
        sentences.into_iter().map(of).collect()
    }
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
