//! What may enter or leave: one gate for everything that is recorded, imported, promoted, repaired or exported.
//!
//! The entry points are [`admit`] (a JSON object about to be written, changed in place), [`admit_text`] (a lone string) and
//! [`audit`] (the same judgement over something already stored, changing nothing). Each answers with a [`Verdict`], which names
//! classes, paths and offsets but never repeats the text it judged.
//!
//! The parts can be used alone: [`secrets`] finds and masks credentials, [`invisible`] finds characters that hide and builds
//! comparison keys, [`directive`] scores text that commands its reader, [`limits`] holds the sizes, [`markdown`] makes text safe to
//! print or to write into a document of ours.
//!
//! Deliberately absent: files, clock, environment, randomness, printing. Same input, same answer.

mod admit;
pub mod directive;
pub mod invisible;
pub mod limits;
pub mod markdown;
pub mod secrets;

pub use admit::{Kind, Options, Redaction, Refusal, Verdict, admit, admit_text, audit};
pub use directive::{Assessment, QUARANTINE_THRESHOLD};
pub use invisible::comparison_key;
