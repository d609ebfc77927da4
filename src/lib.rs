//! Memory for coding agents: recall before work, record after it, review, graduate.
//!
//! The rooms, and what each may use (checked by `tests/it/tidy.rs`):
//! `commands` → `domain`, `guard`, `store`, `rank`, `backport`, `report`; `render` → `report`, `domain`;
//! `backport` → `domain`, `guard`; `rank`, `store`, `guard` → `domain`; `domain` → nothing.

pub mod backport;
pub mod domain;
pub mod guard;
pub mod rank;
