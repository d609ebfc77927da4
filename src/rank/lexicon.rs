//! Other words for the words of a question: what developers say for the same thing, and what a Chinese or German word
//! is called in English.
//!
//! The list is fixed and was written for this project from general knowledge; nothing is learned from a store. A related
//! word counts for less than the word itself, and never more than the word would (see `candidates` and `fuse`).

use std::borrow::Cow;

use memchr::memmem;

use super::terms::How;
use super::token;

/// Lines of words, see the comment at its top.
const LEXICON: &str = include_str!("lexicon.txt");

/// Between a translation and its English words.
const TRANSLATED: &str = " = ";

/// What a synonym is worth, of the word itself.
const SYNONYM: f64 = 0.5;
/// What a translation is worth.
const TRANSLATION: f64 = 0.7;

/// A term that means about the same as one that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Related {
    /// Position of the stem asked for.
    pub of: usize,
    pub stem: String,
    /// [`How::Synonym`] or [`How::Translation`].
    pub how: How,
    /// What it is worth, of the word itself.
    pub share: f64,
}

/// Terms related to `stems`, in their order, each pair once.
pub(crate) fn related(stems: &[&str]) -> Vec<Related> {
    let mut found: Vec<Related> = Vec::new();
    for (of, own) in stems.iter().enumerate() {
        let first = found.len();
        for (line, word) in lines_with(own) {
            let (foreign, english) = match line.split_once(TRANSLATED) {
                Some((foreign, english)) => (Some(foreign), english),
                None => (None, line),
            };
            let (how, share) = match foreign {
                Some(_) => (How::Translation, TRANSLATION),
                None => (How::Synonym, SYNONYM),
            };
            for other in foreign.into_iter().chain(english.split(' ')) {
                // Of a translation, the English words stand for the foreign one, not for each other.
                let is_pair = foreign.is_none_or(|foreign| foreign == word || foreign == other);
                let stem = term(other);
                if is_pair && stem != *own && !found[first..].iter().any(|one| one.stem == stem) {
                    found.push(Related {
                        of,
                        stem: stem.into_owned(),
                        how,
                        share,
                    });
                }
            }
        }
    }
    found
}

/// The lines that hold a word with this stem, and the word.
fn lines_with(stem: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    // A stem differs from its word in at most the last two letters: words that begin otherwise need no stemming, which
    // is slow. Of a script without spaces the stem is the end of the word.
    let is_unspaced = stem.starts_with(token::is_unspaced);
    let length = match stem.len() {
        length if is_unspaced || length <= 2 => length,
        length => (length - 2).max(2),
    };
    let begins = &stem.as_bytes()[..length];
    let whole = LEXICON.len();
    // An empty stem would be found everywhere, also inside characters; no token has one.
    let found = (!begins.is_empty()).then(|| memmem::find_iter(LEXICON.as_bytes(), begins));
    found.into_iter().flatten().filter_map(move |at| {
        let before = LEXICON[..at].rfind([' ', '\n']).map_or(0, |at| at + 1);
        let after = LEXICON[at..]
            .find([' ', '\n'])
            .map_or(whole, |end| at + end);
        let word = &LEXICON[before..after];
        if (before != at && !is_unspaced) || term(word) != stem {
            return None;
        }
        let start = LEXICON[..at].rfind('\n').map_or(0, |at| at + 1);
        let end = LEXICON[at..].find('\n').map_or(whole, |end| at + end);
        let line = &LEXICON[start..end];
        (!line.starts_with('#')).then_some((line, word))
    })
}

/// The token of a card that tells of a word: of a script without spaces, its last two characters.
fn in_cards(word: &str) -> &str {
    if word.is_ascii() {
        return word;
    }
    match word.char_indices().rev().nth(1) {
        Some((at, _)) if word.starts_with(token::is_unspaced) => &word[at..],
        _ => word,
    }
}

fn term(word: &str) -> Cow<'_, str> {
    token::stem(in_cards(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::token::{Kind, Scratch};
    use std::collections::{BTreeMap, BTreeSet, HashSet};

    fn stems_of(word: &str) -> Vec<(How, String)> {
        let stem = token::stem(word);
        let found = related(&[stem.as_ref()]);
        found.into_iter().map(|one| (one.how, one.stem)).collect()
    }

    fn lines() -> impl Iterator<Item = &'static str> {
        LEXICON
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
    }

    /// Different words that the stemmer makes one; looked at, and harmless.
    const ONE_STEM: &[&str] = &[
        "abbrevi",
        "arrang",
        "authent",
        "begin",
        "chang",
        "configur",
        "connect",
        "delet",
        "detail",
        "differ",
        "encod",
        "encrypt",
        "fail",
        "inform",
        "isol",
        "iter",
        "need",
        "nest",
        "night",
        "numer",
        "persist",
        "precis",
        "recommend",
        "recurs",
        "repeat",
        "reproduc",
        "requir",
        "restrict",
        "secur",
        "set",
        "simultan",
        "specifi",
        "speicher",
        "suggest",
        "synchron",
    ];

    #[test]
    fn no_stem_of_the_list_means_two_things() {
        let mut words_of: BTreeMap<Cow<'_, str>, BTreeSet<&str>> = BTreeMap::new();
        for word in lines().flat_map(|line| line.split(' ')) {
            words_of.entry(term(word)).or_default().insert(word);
        }
        let collisions: Vec<_> = words_of
            .iter()
            .filter(|(stem, words)| words.len() > 1 && !ONE_STEM.contains(&stem.as_ref()))
            .collect();
        assert!(collisions.is_empty(), "{collisions:#?}");
        // Words of German and English that are of no topic, whatever they look like to the stemmer.
        for word in [
            "die",
            "man",
            "lang",
            "lange",
            "andere",
            "also",
            "work",
            "normalize",
        ] {
            assert_eq!(stems_of(word), [], "{word}");
        }
    }

    #[test]
    fn every_line_is_met_by_each_of_its_words() {
        let mut seen = HashSet::new();
        let mut wrong: Vec<&str> = Vec::new();
        for line in lines() {
            let words: Vec<&str> = line.split(' ').filter(|word| *word != "=").collect();
            // Two words with one stem are the same word.
            let mut stems: Vec<_> = words.iter().map(|word| term(word)).collect();
            stems.sort();
            let repeats = stems.windows(2).any(|pair| pair[0] == pair[1]);
            let mut right = words.len() > 1 && !repeats && seen.insert(stems);
            for (place, word) in words.iter().enumerate() {
                // The tokenizer must make the same of it, and not take it for a stop word.
                let mut tokens = Vec::new();
                token::runs(word, |run| {
                    token::tokens_of_run(run, &mut Scratch::default(), |kind, token| {
                        if kind != Kind::Whole {
                            tokens.push(token.to_owned());
                        }
                    });
                });
                right &= tokens.last().map(String::as_str) == Some(in_cards(word));
                let related = related(&[term(word).as_ref()]);
                right &= words.iter().enumerate().all(|(other_place, other)| {
                    let is_pair = !line.contains('=') || place == 0 || other_place == 0;
                    place == other_place
                        || !is_pair
                        || related.iter().any(|one| one.stem == term(other))
                });
            }
            if !right {
                wrong.push(line);
            }
        }
        assert_eq!(wrong, [""; 0]);
        assert!(seen.len() > 1000);
    }

    #[test]
    fn synonyms_go_both_ways_and_are_not_chained() {
        let has = |word: &str, how: How, other: &str| {
            stems_of(word).contains(&(how, token::stem(other).into_owned()))
        };
        assert!(has("directory", How::Synonym, "folder"));
        assert!(has("folder", How::Synonym, "directory"));
        assert!(has("deleting", How::Synonym, "removed"));
        assert!(has("文件", How::Translation, "file"));
        assert!(has("file", How::Translation, "文件"));
        // Of a longer word its last two characters tell.
        assert!(has("据库", How::Translation, "database"));
        assert!(has("database", How::Translation, "据库"));
        assert!(has("verzeichnis", How::Translation, "directory"));
        // `search find look` and `resolve fix` must not make a search a repair.
        assert!(!has("search", How::Synonym, "repair"));
        // Two English words on one line of a translation do not become synonyms by it.
        assert!(!has("setting", How::Translation, "set"));
        assert_eq!(stems_of("postgresql").len(), 3);
        assert_eq!(related(&["blorf", "the"]), []);
        assert_eq!(related(&[""]), []);
        assert_eq!(related(&[]), []);
    }
}
