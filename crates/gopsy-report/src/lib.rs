//! What a person or a machine reads: terminal, JSON, Markdown, workflow commands.
//!
//! Everything here turns a `Program`, a `Verdict` and `Group`s into text for one sink. Nothing here opens a file, asks
//! the environment or decides anything about a death; what came from the target goes through [`escape`] on its way out.

mod case;
mod cpp;
pub mod doctor;
pub mod escape;
pub mod fold;
pub mod github;
pub mod info;
pub mod markdown;
pub mod names;
pub mod redact;
pub mod source;
pub mod terminal;
pub mod whereabouts;
pub mod wire;

pub use case::{Case, others_matter};
