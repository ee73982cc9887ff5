//! The zoo: small Go programs that each die in one known way.
//!
//! A [`Specimen`] is a folder with Go source and an `expect.toml`, which says
//! what gopsy must say about its death and what it must never say. The
//! expectation is written from the source. Beside the specimens lie the texts
//! that they printed under several Go versions ([`VERSIONS`]).
//!
//! - [`explain`] asks gopsy about a text, [`check()`] holds its answer of `gopsy explain --json` against an expectation;
//! - [`Workshop`] builds a specimen with one [`Toolchain`], lets it die and
//!   returns what it printed;
//! - [`differ`] holds what the runtime printed against what gopsy reads from the core of the same death;
//! - [`mutate`] damages such cores and asks for everything all the same;
//! - [`Shape`] is what must be the same in two texts of one specimen.
//!
//! `README.md` documents every key of `expect.toml`.

mod check;
pub mod coverage;
pub mod differ;
mod expect;
pub mod mutate;
mod public;
pub mod reading;
mod shape;
mod specimen;
#[cfg(test)]
mod told;
mod toolchain;
mod watch;
mod workshop;

pub use gopsy_testing::{BuildMode, Toolchain, core_pattern_problem};

pub use check::{Aspect, Failure, check, explain};
pub use expect::{Confidence, Expect, Mode, Never, Run, Says};
pub use public::{PublicProgram, Subject};
pub use shape::{Shape, counted_headers, kind_phrases};
pub use specimen::{Mark, Specimen, Zoo};
pub use toolchain::{CORE_VERSIONS, Kit, VERSIONS};
pub use workshop::{Outcome, RECORDING_FOLDER, Remains, Workshop};
