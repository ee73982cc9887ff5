//! A verdict on one screen, and goroutines in groups.
//!
//! Made for a person at three in the morning: the headline first, their own line of code next, nothing that does not
//! help. Right in a pipe, without colour, on light and dark grounds, from 40 columns on, in ASCII.

mod canvas;
mod doctor;
mod explain;
mod frames;
mod info;
mod page;
mod stacks;
mod whereabouts;
mod writers;

pub use canvas::View;
pub use doctor::doctor;
pub use explain::explain;
pub use info::info;
pub use page::page;
pub use stacks::{StacksPage, diff, stacks};
pub use whereabouts::whereabouts;

/// A number of things in memory, for a sentence.
fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
