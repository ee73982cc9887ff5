//! What `gopsy where` found: plain data for its pages.

use gopsy_locate::{CodeOfLine, Function, Line, Listing, MapType, OnlyInlined, Place, RaceCall, UsesOfType};
use gopsy_mem::{Bias, LinkAddr};
use std::collections::{BTreeMap, HashMap};

/// Lines of the source that could be read, by file and line.
pub type SourceTexts = HashMap<(String, u64), String>;

/// Answers about one program.
#[derive(Debug, Clone)]
pub struct Whereabouts {
    /// What was asked, in words (a path).
    pub target: String,
    /// The Go release and the platform, in words, where they are known.
    pub program: Option<String>,
    /// The target is a core: addresses are those of the process.
    pub is_core: bool,
    /// One for each place that was asked for, in order; and one or more for each `--writes`.
    pub answers: Vec<Answered>,
    /// Lines of the source.
    pub sources: SourceTexts,
    /// What must be said before all else; one of the notes.
    pub alarm: Option<String>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// One answer, and the file that it is about.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The file, by its path; `None` for the executable itself.
    pub file: Option<String>,
    /// What is added to an address that the file states to have the one that is shown.
    pub bias: Bias,
    /// What is known.
    pub answer: Answer,
}

impl Answered {
    /// The address as it is shown.
    #[must_use]
    pub fn shown(&self, at: LinkAddr) -> u64 {
        self.bias.load(at).0
    }
}

/// What is known.
#[derive(Debug, Clone)]
pub enum Answer {
    /// One place.
    Place(Box<PlaceAnswer>),
    /// A name that several functions have.
    Ambiguous {
        /// As it was asked.
        asked: String,
        /// The functions.
        functions: Vec<Function>,
        /// These are only the first of them.
        more: bool,
    },
    /// Functions that are inlined everywhere and have no code of their own, at least one; several have a name that ends so.
    OnlyInlined {
        /// As it was asked.
        asked: String,
        /// Each with the code that was made of it.
        functions: Vec<OnlyInlined>,
    },
    /// A line.
    Line(LineAnswer),
    /// Nothing was found.
    Nothing {
        /// As it was asked.
        asked: String,
        /// Why, or what to try.
        why: String,
    },
    /// Who uses maps of a type.
    Writers(Writers),
    /// Nobody could look.
    NotKnown {
        /// As it was asked.
        asked: String,
        /// Why.
        why: String,
    },
}

/// What is known of one place.
#[derive(Debug, Clone)]
pub struct PlaceAnswer {
    /// As it was asked.
    pub asked: String,
    /// What every source says.
    pub place: Place,
    /// The instructions around it.
    pub listing: Listing,
    /// Threads of a core that stand exactly there.
    pub threads: Vec<ThreadAt>,
    /// Calls of the function into the race detector, or why they are not known; `None` if nobody asked.
    pub race: Option<Result<Vec<RaceCall>, String>>,
}

/// A thread that stands at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadAt {
    /// Its Linux thread id.
    pub tid: u64,
    /// The signal it was taking, by its name, if one.
    pub signal: Option<String>,
    /// It stood there when that signal came, and executes a handler since: the registers are those that it will go on with.
    pub interrupted: bool,
    /// Its registers, by name.
    pub registers: Vec<(&'static str, u64)>,
    /// What the instruction there reads or writes in memory, with these registers.
    pub operand: Option<OperandAt>,
}

/// A place in memory that an instruction names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperandAt {
    /// Where that is.
    pub address: u64,
    /// What is there, in words.
    pub what: String,
}

/// The code of a line.
#[derive(Debug, Clone)]
pub struct LineAnswer {
    /// As it was asked.
    pub asked: String,
    /// The line.
    pub line: Line,
    /// Its code, by address.
    pub code: Vec<CodeOfLine>,
    /// The instructions of the first stretches.
    pub listings: Vec<LineListing>,
}

/// The instructions of a stretch of a line's code.
#[derive(Debug, Clone)]
pub struct LineListing {
    /// The function in whose code it is.
    pub function: Option<String>,
    /// The instructions.
    pub listing: Listing,
}

/// Who uses maps of a type.
#[derive(Debug, Clone)]
pub struct Writers {
    /// The type as it was asked for.
    pub asked: String,
    /// The calls.
    pub found: UsesOfType,
    /// What the types of these calls are called, so that no other of the program is called so.
    pub names: TypeNames,
    /// How many functions were not looked through, because their code could not be read.
    pub not_read: usize,
    /// All types of maps that are used so, sorted: what could have been asked for. Only where nothing fits.
    pub types: Vec<String>,
}

/// What types are called where several stand side by side.
#[derive(Debug, Clone, Default)]
pub struct TypeNames(HashMap<LinkAddr, String>);

impl TypeNames {
    /// Each by the name that `%T` prints; types that look the same by their import paths; and where these do not differ (types
    /// within functions), with the address of the descriptor, as `shown` has it.
    #[must_use]
    pub fn of<'t>(types: impl IntoIterator<Item = &'t MapType>, shown: impl Fn(LinkAddr) -> u64) -> TypeNames {
        let types: BTreeMap<LinkAddr, &MapType> = types.into_iter().map(|of| (of.descriptor, of)).collect();
        let times = |spelled: &dyn Fn(&MapType) -> String| {
            let mut times: HashMap<String, usize> = HashMap::new();
            for of in types.values() {
                *times.entry(spelled(of)).or_default() += 1;
            }
            times
        };
        let path = |of: &MapType| of.path.clone().unwrap_or_else(|| of.name.clone());
        let (by_name, by_path) = (times(&|of| of.name.clone()), times(&path));
        let called = |of: &MapType| match (by_name.get(&of.name), by_path.get(&path(of))) {
            (Some(1), _) => of.name.clone(),
            (_, Some(1)) => path(of),
            _ => format!("{} (described at {:#x})", path(of), shown(of.descriptor)),
        };
        TypeNames(types.values().map(|of| (of.descriptor, called(of))).collect())
    }

    /// What that type is called.
    #[must_use]
    pub fn name<'n>(&'n self, of: &'n MapType) -> &'n str {
        self.0.get(&of.descriptor).unwrap_or(&of.name)
    }
}

impl Whereabouts {
    /// The text of a line, if it could be read.
    #[must_use]
    pub fn source(&self, file: Option<&str>, line: Option<u64>) -> Option<&str> {
        self.sources.get(&(file?.to_owned(), line?)).map(String::as_str)
    }
}
