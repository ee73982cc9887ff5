//! What a look at a machine found: plain data for the pages of `gopsy doctor`.

/// Whether what was found lets a post-mortem succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Proved to be as it should be.
    Ready,
    /// It works, with a loss that is named.
    Limited,
    /// It does not work.
    NotReady,
    /// The evidence could not be read, or does not suffice.
    CannotTell,
}

impl Judgement {
    /// The word, which is also the one of the wire form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Judgement::Ready => "ready",
            Judgement::Limited => "limited",
            Judgement::NotReady => "not ready",
            Judgement::CannotTell => "cannot tell",
        }
    }

    /// A mark that is told apart without colour.
    #[must_use]
    pub fn mark(self) -> &'static str {
        match self {
            Judgement::Ready => "ok",
            Judgement::Limited => "--",
            Judgement::NotReady => "!!",
            Judgement::CannotTell => "??",
        }
    }

    /// Of several: one that fails decides, then one that is not known.
    fn weight(self) -> u8 {
        match self {
            Judgement::Ready => 0,
            Judgement::Limited => 1,
            Judgement::CannotTell => 2,
            Judgement::NotReady => 3,
        }
    }
}

/// How far a command reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This shell and what is started from it.
    Shell,
    /// This account, from the next login on.
    Account,
    /// The whole machine.
    Machine,
    /// The whole machine, and its next start takes it back.
    UntilRestart,
    /// A container, where it is started.
    Container,
}

impl Scope {
    /// The word of the wire form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Shell => "shell",
            Scope::Account => "account",
            Scope::Machine => "machine",
            Scope::UntilRestart => "machine-until-restart",
            Scope::Container => "container",
        }
    }

    /// The words for a person.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Scope::Shell => "this shell",
            Scope::Account => "this account, from the next login on",
            Scope::Machine => "the whole machine",
            Scope::UntilRestart => "the whole machine, until it restarts",
            Scope::Container => "where the container is started",
        }
    }
}

/// A command that changes what was found. gopsy runs none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// To be copied as it stands.
    pub command: String,
    /// How far it reaches.
    pub scope: Scope,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name in the wire form: lower case, `-` between words; never renamed.
    pub id: &'static str,
    /// Its name for a person.
    pub name: &'static str,
    /// What was found.
    pub found: String,
    /// What that means.
    pub judgement: Judgement,
    /// Why it matters, in one sentence.
    pub why: &'static str,
    /// How to change it.
    pub fixes: Vec<Fix>,
}

/// Checks that serve one wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name in the wire form.
    pub id: &'static str,
    /// The wish.
    pub title: &'static str,
    /// The group is for information: no judgement on the whole of it.
    pub informative: bool,
    /// What was looked at.
    pub checks: Vec<Check>,
}

impl Group {
    /// The judgement on the whole; none where the group is for information only.
    #[must_use]
    pub fn judgement(&self) -> Option<Judgement> {
        if self.informative {
            return None;
        }
        self.checks.iter().map(|c| c.judgement).max_by_key(|j| j.weight())
    }
}

/// What a look at a machine found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkup {
    /// `linux/amd64`.
    pub system: String,
    /// The release of the kernel.
    pub kernel: Option<String>,
    /// The account: its number and what it may do.
    pub account: String,
    /// Signs of a container and of a virtual machine.
    pub surroundings: Vec<String>,
    /// The checks.
    pub groups: Vec<Group>,
    /// What is worth knowing and needs no judgement.
    pub notes: Vec<String>,
}
