//! The one integration binary: everything through the real program, or through the library's rooms.

mod crash;
mod docs;
mod graduate;
mod guard;
mod patch;
mod rank;
mod support;
mod tidy;
