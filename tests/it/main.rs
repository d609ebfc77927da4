//! The one integration binary: everything through the real program, or through the library's rooms.

mod contract;
mod crash;
mod defects;
mod defects_hostile;
mod defects_recall;
mod defects_store;
mod docs;
mod exam;
mod fold;
#[path = "../../fuzz/bodies.rs"]
mod fuzz_bodies;
#[path = "../../benches/store.rs"]
mod generate;
mod graduate;
mod graduate_force;
mod graduate_gate;
mod graduate_legacy;
mod guard;
mod index;
mod index_damage;
mod index_race;
mod patch;
mod plans;
mod race;
mod rank;
mod rank_words;
mod safety;
mod support;
mod tidy;
