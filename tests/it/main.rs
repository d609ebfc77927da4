//! The one integration binary: everything through the real program, or through the library's rooms.

mod graduate;
mod guard;
mod patch;
mod support;
mod tidy;
