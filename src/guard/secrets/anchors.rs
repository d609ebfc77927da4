//! Where rules may begin: literals, found by one lookup per byte.

use std::sync::OnceLock;

use super::contexts::Rule;
use super::rules::{SHAPES, TOKENS};
use super::{assign, contexts};

/// What runs where an anchor stands.
#[derive(Clone, Copy)]
pub(super) enum Action {
    /// A row of [`TOKENS`].
    Token(usize),
    /// A row of [`SHAPES`].
    Shape(usize),
    /// Code for a format that names its vendor or its standard.
    Vendor(Rule),
    /// Code that judges by what stands around a value.
    Context(Rule),
}

/// A literal of three bytes or more.
pub(super) struct Anchor {
    pub text: &'static str,
    /// Whether ASCII case is ignored.
    fold: bool,
    pub action: Action,
}

impl Anchor {
    pub fn stands_at(&self, bytes: &[u8], at: usize) -> bool {
        let Some(here) = bytes.get(at..at + self.text.len()) else {
            return false;
        };
        if self.fold {
            here.eq_ignore_ascii_case(self.text.as_bytes())
        } else {
            here == self.text.as_bytes()
        }
    }
}

pub(super) static ANCHORS: OnceLock<Vec<Anchor>> = OnceLock::new();

/// Every anchor: two-byte prefixes are spelled out with each third byte their body may begin with.
pub(super) fn all() -> Vec<Anchor> {
    let mut anchors = Vec::with_capacity(400);
    let mut exact = |text, action| {
        anchors.push(Anchor {
            text,
            fold: false,
            action,
        })
    };
    for (index, rule) in TOKENS.iter().enumerate() {
        for prefix in rule.prefixes.split(' ') {
            exact(prefix, Action::Token(index));
        }
    }
    for (index, rule) in SHAPES.iter().enumerate() {
        exact(rule.anchor, Action::Shape(index));
    }
    exact("eyJ", Action::Vendor(contexts::json_web_token));
    exact("-----BEGIN ", Action::Vendor(contexts::key_block));
    exact("Private-Lines:", Action::Vendor(contexts::putty_key));
    for head in contexts::DISCORD_HEADS.split(' ') {
        exact(head, Action::Vendor(contexts::discord_bot));
    }
    exact("://", Action::Context(contexts::url_userinfo));
    for word in assign::KEY_WORDS.split(' ') {
        anchors.push(Anchor {
            text: word,
            fold: true,
            action: Action::Context(assign::assignment),
        });
    }
    for (word, action) in contexts::FOLDED {
        anchors.push(Anchor {
            text: word,
            fold: true,
            action: Action::Context(*action),
        });
    }
    anchors
}

const SLOTS: usize = 1 << 13;

/// Maps three bytes, case folded, to a chain of anchors that begin so (or, rarely, merely share the slot).
pub(super) struct Table {
    heads: Box<[u16; SLOTS]>,
    nexts: Vec<u16>,
}

impl Table {
    /// The number of the first anchor of the chain, counted from one; 0 for none.
    #[inline(always)]
    pub fn head(&self, first: u8, second: u8, third: u8) -> u16 {
        self.heads[slot(first, second, third)]
    }

    /// The number of the anchor after `number`; 0 at the end.
    pub fn next(&self, number: u16) -> u16 {
        self.nexts[usize::from(number) - 1]
    }
}

#[inline(always)]
fn slot(first: u8, second: u8, third: u8) -> usize {
    let bytes = (u32::from(first) | u32::from(second) << 8 | u32::from(third) << 16) | 0x0020_2020;
    (bytes.wrapping_mul(0x9E37_79B1) >> 19) as usize
}

/// The table, built on first use.
pub(super) fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let anchors = ANCHORS.get_or_init(all);
        let mut heads = Box::new([0u16; SLOTS]);
        let mut nexts = vec![0u16; anchors.len()];
        // Backwards, so that a chain lists its anchors in the order of `all`.
        for (index, anchor) in anchors.iter().enumerate().rev() {
            let bytes = anchor.text.as_bytes();
            let place = &mut heads[slot(bytes[0], bytes[1], bytes[2])];
            nexts[index] = *place;
            *place = u16::try_from(index + 1).expect("a few hundred anchors");
        }
        Table { heads, nexts }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_anchor_has_three_bytes_and_is_found() {
        let table = table();
        for anchor in ANCHORS.get_or_init(all) {
            let bytes = anchor.text.as_bytes();
            assert!(bytes.len() >= 3, "{}", anchor.text);
            assert_ne!(table.head(bytes[0], bytes[1], bytes[2]), 0);
        }
    }
}
