//! A made-up Program for tests, which says the same of itself as a text and as a core.

use gopsy_model::{
    Crash, Creation, Frame, FunctionName, Goroutine, Headline, Identity, Known, Missing, PanicLine, Role, Signal,
    Source, Stack, Status, Trust,
};
use gopsy_program::{Evidence, StackId};

#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) source: Source,
    pub(crate) crash: Crash,
    pub(crate) go: &'static str,
    pub(crate) notes: Vec<String>,
    pub(crate) stacks: Vec<(Goroutine, Stack)>,
}

impl Evidence for Told {
    fn source(&self) -> Source {
        self.source
    }
    fn crash(&self) -> &Crash {
        &self.crash
    }
    fn identity(&self) -> Identity {
        Identity { go_version: self.know(self.go.into()), ..Identity::default() }
    }
    fn stack_count(&self) -> usize {
        self.stacks.len()
    }
    fn goroutine(&self, id: StackId) -> Goroutine {
        self.stacks[id].0.clone()
    }
    fn stack(&self, id: StackId) -> Stack {
        self.stacks[id].1.clone()
    }
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

impl Told {
    pub(crate) fn know<T>(&self, value: T) -> Known<T> {
        Known::have(value, Trust::Exact, self.source)
    }

    pub(crate) fn frame(&self, function: &str, line: i64) -> Frame {
        let pc = 0x4000 + line.unsigned_abs();
        Frame {
            function: self.know(FunctionName(function.into())),
            file: self.know("/src/app/main.go".into()),
            line: self.know(line),
            offset: self.know(0x1d),
            pc: self.know(pc),
            sp: self.know(0xc000),
            fp: self.know(0xc040),
            ..Frame::named(function)
        }
    }

    /// Goroutine 1, which failed, goroutine 7, which waits, and the system stack of thread 0.
    pub(crate) fn new(source: Source) -> Self {
        let mut told = Told { source, crash: Crash::default(), go: "go1.27.3", notes: Vec::new(), stacks: Vec::new() };
        let thread = |told: &Told| (told.know(0), told.know(0x7d_03c0));
        let (m, mp) = thread(&told);
        let main = Goroutine {
            id: told.know(1),
            status: told.know(Status::Running),
            gp: told.know(0xc0_0000_0380),
            m,
            mp,
            ..Goroutine::bare(Role::Goroutine)
        };
        let creation = Creation {
            function: FunctionName("main.main".into()),
            file: told.know("/src/app/main.go".into()),
            line: told.know(9),
            goroutine: told.know(1),
        };
        let waiter = Goroutine {
            id: told.know(7),
            status: told.know(Status::Waiting),
            wait_reason: told.know("chan receive".into()),
            gp: told.know(0xc0_0000_0700),
            labels: told.know(vec![("k".into(), "v".into())]),
            created_by: told.know(creation),
            ..Goroutine::bare(Role::Goroutine)
        };
        let (m, mp) = thread(&told);
        let system =
            Goroutine { id: told.know(0), gp: told.know(0x7d_0000), m, mp, ..Goroutine::bare(Role::Goroutine) };
        let frames = |names: &[(&str, i64)]| Stack {
            frames: names.iter().map(|(name, line)| told.frame(name, *line)).collect(),
            ..Stack::default()
        };
        let stacks = [
            (main, frames(&[("main.f", 12), ("main.main", 3)])),
            (waiter, frames(&[("main.wait", 20), ("main.work", 30)])),
            (system, frames(&[("runtime.mstart", 40)])),
        ];
        let signal = Signal {
            name: "SIGSEGV".into(),
            description: told.know("segmentation violation".into()),
            code: told.know(1),
            address: told.know(0x30),
            pc: told.know(0x400c),
            m: Known::Missing(Missing::NotApplicable),
            in_foreign_code: false,
            instruction_bytes: vec![0x0f, 0x0b],
            sender: Known::Missing(Missing::NotApplicable),
        };
        told.stacks = stacks.into();
        told.crash = Crash {
            headlines: vec![panic_line("first\n\nsecond"), Headline::Fatal("fault".into())],
            diagnostics: vec!["runtime: x".into()],
            signal: Some(signal),
            registers: vec![("rax".into(), 7)],
            stacks: 0..told.stacks.len(),
            crashed: Some(0),
            ..Crash::default()
        };
        told
    }
}

pub(crate) fn panic_line(value: &str) -> Headline {
    Headline::Panic(PanicLine::of(value))
}
