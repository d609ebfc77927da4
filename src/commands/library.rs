//! The derived index of a store, as commands use it: keeping it up to date, and saying why it is not used. Searching by it
//! is in `shelf` and `search`, deciding by it in `partial`, counting by it in `columns`.

use super::board::Board;
use super::{Locked, Snapshot, recall};
use crate::ctx::Ctx;
use crate::domain::fold::LogKind;
use crate::domain::view::CardView;
use crate::error::Result;
use crate::rank::Analyzer;
use crate::store::index::build::note_append;
use crate::store::index::{self, Analyze, IndexedLog, KINDS, Policy};
use crate::store::{Logs, Store};

/// Stores with shorter logs are read as they are.
const FIRST: u64 = 64 * 1024;
/// What a writer leaves unindexed.
const WRITER_TAIL: u64 = 16 * 1024;
/// What is indexed again at most to keep the segments few: a moment's work.
const AGAIN: u64 = 4 * 1024 * 1024;
/// What one write appends from which it is bulk input, and what that indexes again at most.
const BULK: u64 = 1024 * 1024;
const BULK_AGAIN: u64 = 64 * 1024 * 1024;

/// After a batch was appended: the board for the next write, and segments where enough is not indexed.
///
/// # Errors
/// When the cache cannot be written.
pub fn keep_up(
    ctx: &Ctx,
    locked: &Locked<'_>,
    snapshot: &Snapshot,
    board: Option<Board>,
    grown: &[(LogKind, u64)],
) -> Result<()> {
    let Some(tail) = ctx.index_from else {
        return Ok(());
    };
    let store = locked.store;
    if let Some(rest) = &snapshot.rest {
        let mut before = Vec::new();
        for log in rest.logs() {
            let more = grown.iter().find(|(kind, _)| *kind == log.kind);
            before.push((log.kind, log.stamp, more.map_or(0, |(_, bytes)| *bytes)));
        }
        note_append(store, rest.generation, &before)?;
        if let Some(board) = board {
            board.keep(rest, grown)?;
        }
    }
    let policy = Policy {
        first: tail.unwrap_or(FIRST),
        tail: tail.unwrap_or(WRITER_TAIL),
        again: if grown.iter().any(|(_, bytes)| *bytes >= BULK) {
            BULK_AGAIN
        } else {
            AGAIN
        },
    };
    catch_up(ctx, store, policy)
}

/// Before a store is searched: indexes what is not, when that is much.
pub fn make_ready(ctx: &Ctx, store: &Store) {
    let Some(tail) = ctx.index_from else {
        return;
    };
    let policy = Policy {
        first: tail.unwrap_or(FIRST),
        tail: tail.unwrap_or(FIRST),
        again: AGAIN,
    };
    // A store that cannot be written to is read as it is.
    let _ = catch_up(ctx, store, policy);
}

/// Why questions to a store are not answered by way of its index, in a code and in words; `None` when they are, or the
/// store is so small that they need not be. Looks at every byte.
pub fn trouble(ctx: &Ctx, store: &Store) -> Option<(&'static str, String)> {
    if ctx.index_from.is_none() {
        let message = "the index is turned off by SELF_LEARNING_INDEX; the logs are read whole";
        return Some(("index_off", message.to_owned()));
    }
    let length = |kind| store.log_path(kind).metadata().map_or(0, |file| file.len());
    let is_small = KINDS.iter().all(|kind| length(*kind) < FIRST);
    if store.purge_key().is_some() {
        let message = "text was purged here, so every line is looked at for it and there is no index; the logs are read whole";
        return (!is_small).then(|| ("index_unused", message.to_owned()));
    }
    let Some(manifest) = index::read_manifest(store) else {
        let message = "there is no index yet; the next question or write makes it";
        return (!is_small).then(|| ("index_missing", message.to_owned()));
    };
    let bad = KINDS.into_iter().find(|kind| {
        let log = IndexedLog::open(store, *kind, &manifest, false);
        log.is_none_or(|log| !log.verify())
    })?;
    let message = format!(
        "the index of {} is damaged or of another state of the log; what it does not tell is read from the log",
        bad.file_name()
    );
    Some(("index_unfit", message))
}

fn catch_up(ctx: &Ctx, store: &Store, policy: Policy) -> Result<()> {
    let mut progress = ctx.progress("indexing");
    let mut terms = Terms::default();
    index::catch_up(store, policy, &mut terms, &mut |done, all| {
        progress.at(done, all);
    })?;
    Ok(())
}

/// The words of cards, cut as for a search.
#[derive(Default)]
struct Terms(Analyzer);

impl Analyze for Terms {
    fn card(&mut self, card: &CardView<'_>) -> (u32, &[(u32, u32)]) {
        let found = self.0.card(recall::texts(card));
        (found.length, found.terms)
    }

    fn term(&self, number: u32) -> &str {
        self.0.term(number)
    }

    fn clear(&mut self) {
        self.0 = Analyzer::new();
    }
}
