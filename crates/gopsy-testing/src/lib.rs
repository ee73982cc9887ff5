//! What the tests that make programs and cores with real Go have in common: where the releases come from, how they are
//! called, what is said when something is missing.
//!
//! It knows nothing of gopsy, and nothing of it is shipped.

mod build_mode;
mod built;
mod death;
mod plugin;
mod recorded;
mod specimen;
mod toolchain;

use std::io::Write;
use std::process::{Command, Stdio};

pub use build_mode::BuildMode;
pub use built::{Built, each_built};
pub use death::{Died, cgo_core_problem, core_in, dies};
pub use plugin::{PLUGIN_SOURCE, dies_in_plugin};
pub use recorded::recorded;
pub use specimen::specimen;
pub use toolchain::{NEWEST, RELEASES, Toolchain, go_command, run, versions};

/// Writes to standard error. Not `eprint!`, which the test harness keeps to itself when all is well.
pub fn say(text: &str) {
    // A test is not to fail because nobody listens.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Whether `GOPSY_REQUIRE` asks for a tier (`zoo`, `corpus`): what is missing is then a failure.
#[must_use]
pub fn required(tier: &str) -> bool {
    std::env::var("GOPSY_REQUIRE").is_ok_and(|tiers| names(&tiers, tier))
}

fn names(tiers: &str, tier: &str) -> bool {
    tiers.split(',').any(|named| named.trim() == tier)
}

/// Says why something is not tested.
///
/// # Panics
/// When its tier is required.
pub fn skip(tier: &str, why: &str) {
    say(&format!("{tier}: skipped: {why}\n"));
    assert!(!required(tier), "GOPSY_REQUIRE asks for {tier}, but {why}");
}

/// Whether a tool can be called here.
#[must_use]
pub fn has_tool(tool: &str) -> bool {
    let mut command = Command::new(tool);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Why no core can be had here, if that is so: the kernel gives it to a program, or puts it where it is not looked for.
#[must_use]
pub fn core_pattern_problem() -> Option<String> {
    let file = "/proc/sys/kernel/core_pattern";
    match std::fs::read_to_string(file) {
        Ok(pattern) => pattern_problem(pattern.trim_end()),
        Err(error) => Some(format!("{file}: {error}")),
    }
}

fn pattern_problem(pattern: &str) -> Option<String> {
    let why = match pattern {
        _ if pattern.starts_with('|') => "the kernel gives cores to a program",
        _ if pattern.contains('/') => "the kernel puts cores into another folder",
        _ if !pattern.starts_with("core") => "the kernel gives cores another name",
        _ => return None,
    };
    Some(format!("kernel.core_pattern is {pattern:?}: {why} (sysctl kernel.core_pattern=core would do)"))
}

#[cfg(test)]
mod tests {
    use super::{has_tool, names, pattern_problem};

    #[test]
    fn only_a_core_beside_the_program_will_do() {
        assert_eq!(pattern_problem("core"), None);
        assert_eq!(pattern_problem("core.%p"), None);
        for (pattern, says) in [("|/usr/lib/systemd/systemd-coredump %P", "to a program"), ("/var/c/core", "folder")] {
            assert!(pattern_problem(pattern).is_some_and(|why| why.contains(says)), "{pattern}");
        }
        assert!(pattern_problem("").is_some() && pattern_problem("dump.%e").is_some());
    }

    #[test]
    fn tiers_are_words_between_commas() {
        assert!(names("zoo", "zoo") && names("corpus, zoo", "zoo"));
        assert!(!names("zoological", "zoo") && !names("", "zoo"));
    }

    #[test]
    fn a_tool_that_is_not_there_is_told() {
        assert!(has_tool("cargo") && !has_tool("/nonexistent/tool"));
    }
}
