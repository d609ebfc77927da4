//! The one integration binary: everything through the real program, or through the library's rooms.

mod crash;
mod docs;
mod graduate;
mod graduate_force;
mod graduate_gate;
mod guard;
mod patch;
mod plans;
mod rank;
mod support;
mod tidy;
