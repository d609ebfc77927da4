//! What is stored and what it means: records, ids, time, states, keys, scores. Pure: no files, no
//! clock, no environment, no printing. Uses no other room.

pub mod card;
pub mod equivalence;
pub mod facts;
pub mod fold;
pub mod ids;
pub mod json;
pub mod normal;
pub mod recommendation;
pub mod record;
pub mod score;
pub mod text;
pub mod time;
pub mod tombstone;
pub mod view;
