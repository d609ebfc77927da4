//! The one integration binary: everything through the real program, or through the library's rooms.

mod crash;
mod docs;
mod fold;
#[path = "../../fuzz/bodies.rs"]
mod fuzz_bodies;
#[path = "../../benches/store.rs"]
mod generate;
mod graduate;
mod guard;
mod patch;
mod race;
mod rank;
mod safety;
mod support;
mod tidy;
