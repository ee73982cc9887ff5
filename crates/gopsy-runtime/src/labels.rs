//! Profiler labels (`runtime/pprof/label.go`, `internal/runtime/pprof/label`) and synctest bubbles of a goroutine.
//!
//! What `g.labels` points to has changed: up to Go 1.23 a `map[string]string`, since 1.24 a list sorted by key. Nothing in it says
//! which it is. The program does: who sets labels has the type `*runtime/pprof.labelMap`, which contexts carry them by, and its
//! descriptor says what a `labelMap` is.

use crate::maps::{MapShape, NoMap};
use crate::{Known, Runtime, missing};
use gopsy_image::{Loaded, ModuleData, Part, Stated, TypeBody, TypeKind, TypeName, TypeSection};
use gopsy_mem::{Addr, Bias, Fault, LinkAddr, Memory, MemoryExt};
use gopsy_model::{Bubble, BubbleKind, Missing, Str};

/// A key and its value.
pub type Label = (Str, Str);

/// More labels than this are not believed.
const MAX_LABELS: u64 = 1024;
/// Longer keys and values are not believed.
const MAX_TEXT: u64 = 64 * 1024;
/// Buckets of a map of labels that are looked at.
const MAX_BUCKETS: u64 = 4 * MAX_LABELS;
/// Two strings: a label of a list.
const PAIR: u64 = 32;

/// What the labels of a build are.
#[derive(Debug, Clone)]
pub(crate) enum LabelForm {
    /// A pointer to a map of strings that is stored so.
    Map(MapShape),
    /// A slice of pairs of strings.
    List,
    /// Why that is not known.
    NotKnown(&'static str),
}

impl Runtime<'_> {
    /// The labels that `g.labels` points to, sorted by key.
    #[must_use]
    pub fn labels(&self, at: Addr) -> Known<Vec<Label>> {
        if at.is_null() {
            return self.have(Vec::new());
        }
        let read = match self.layouts.label_form.get_or_init(|| self.label_form()) {
            LabelForm::Map(shape) => self.mapped_labels(shape, at),
            LabelForm::List => self.listed_labels(at),
            LabelForm::NotKnown(why) => return Known::Missing(Missing::NotSupported((*why).into())),
        };
        match read {
            Ok(Some(labels)) => self.have(labels),
            Ok(None) => Known::Missing(Missing::Unreadable("what stands there has not the form of labels".into())),
            Err(fault) => Known::Missing(missing(fault)),
        }
    }

    /// What labels are in this program.
    fn label_form(&self) -> LabelForm {
        let mut unread = false;
        for (module, bias) in self.layouts.modules(self.bias) {
            match self.label_type(module, bias) {
                Some(Some(found)) => return self.form_of(found),
                Some(None) => {}
                None => unread = true,
            }
        }
        LabelForm::NotKnown(match unread {
            true => "what form labels have: the program's list of types cannot be read",
            false => "what form labels have: the program has no runtime/pprof that sets them",
        })
    }

    /// Where the module has the descriptor of `runtime/pprof.labelMap`, if it does; `None` where its types cannot be read.
    fn label_type(&self, module: &ModuleData, bias: Bias) -> Option<Option<Addr>> {
        let (memory, section) = (Moved { memory: self.mem, bias }, TypeSection::of(module));
        let listed = module.listed_types(&memory).ok()?;
        let found = listed.into_iter().find(|at| {
            TypeName::read(&memory, &section, *at).is_some_and(|of| of.name == "*pprof.labelMap")
                && section.package_of_pointer(&memory, *at).as_deref() == Some("runtime/pprof")
        });
        let Some(found) = found.map(|at| bias.load(at)) else { return Some(None) };
        match self.body(found, &self.type_at(found).ok()?)? {
            TypeBody::Of(element) => Some(Some(Addr(element.0))),
            _ => None,
        }
    }

    fn form_of(&self, label_map: Addr) -> LabelForm {
        let form = self.type_at(label_map).ok().and_then(|of| match of.kind {
            TypeKind::Map => {
                let shape = self.map_shape(label_map, &of)?;
                let strings = [&shape.key, &shape.element].iter().all(|(_, of)| of.kind == TypeKind::String);
                strings.then_some(LabelForm::Map(shape))
            }
            TypeKind::Struct => self.is_list(label_map, &of).then_some(LabelForm::List),
            _ => None,
        });
        form.unwrap_or(LabelForm::NotKnown("labels of the form that this program's runtime/pprof has"))
    }

    /// Whether a struct is nothing but a slice of pairs of strings, however often it is wrapped.
    fn is_list(&self, descriptor: Addr, of: &TypeName) -> bool {
        const MAX_WRAPS: usize = 4;
        let (mut at, mut of) = (descriptor, of.clone());
        for _ in 0..MAX_WRAPS {
            match self.body(at, &of) {
                Some(TypeBody::Struct(fields)) => {
                    let [field] = &*fields else { return false };
                    (at, of) = (Addr(field.descriptor.0), field.of.clone());
                }
                Some(TypeBody::Of(element)) if of.kind == TypeKind::Slice => {
                    return self.is_pair_of_strings(Addr(element.0));
                }
                _ => return false,
            }
        }
        false
    }

    fn is_pair_of_strings(&self, at: Addr) -> bool {
        let Some(TypeBody::Struct(fields)) = self.type_at(at).ok().and_then(|of| self.body(at, &of)) else {
            return false;
        };
        fields.len() == 2 && fields.iter().all(|field| field.of.kind == TypeKind::String)
    }

    fn listed_labels(&self, at: Addr) -> Result<Option<Vec<Label>>, Fault> {
        let (list, len, cap) = (self.mem.ptr(at)?, self.mem.u64(plus(at, 8))?, self.mem.u64(plus(at, 16))?);
        if len > cap || cap > MAX_LABELS || (len > 0 && list.is_null()) {
            return Ok(None);
        }
        let mut labels: Vec<Label> = Vec::new();
        for index in 0..len {
            let pair = plus(list, index.saturating_mul(PAIR));
            let (Some(key), Some(value)) = (self.label_text(pair)?, self.label_text(plus(pair, PAIR / 2))?) else {
                return Ok(None);
            };
            labels.push((key, value));
        }
        Ok(labels.is_sorted_by(|a, b| a.0 < b.0).then_some(labels))
    }

    fn mapped_labels(&self, shape: &MapShape, at: Addr) -> Result<Option<Vec<Label>>, Fault> {
        let map = self.mem.ptr(at)?;
        if !map.is_null() && self.mem.u64(map)? > MAX_LABELS {
            return Ok(None);
        }
        let entries = match self.map_entries(shape, map, &mut MAX_BUCKETS.clone()) {
            Ok(entries) => entries,
            Err(NoMap::Fault(fault)) => return Err(fault),
            Err(NoMap::Malformed | NoMap::TooLarge) => return Ok(None),
        };
        let mut labels: Vec<Label> = Vec::new();
        for (key, value) in entries {
            let (Some(key), Some(value)) = (self.label_text(key)?, self.label_text(value)?) else { return Ok(None) };
            labels.push((key, value));
        }
        labels.sort();
        // A key stands in a map once.
        Ok(labels.is_sorted_by(|a, b| a.0 < b.0).then_some(labels))
    }

    /// The string whose header stands there; `None` if it can be no label's.
    fn label_text(&self, header: Addr) -> Result<Option<Str>, Fault> {
        let (at, len) = (self.mem.ptr(header)?, self.mem.u64(plus(header, 8))?);
        if len > MAX_TEXT || (len > 0 && at.is_null()) {
            return Ok(None);
        }
        let bytes = self.mem.bytes(at, len, usize::try_from(len).unwrap_or(0))?;
        Ok(String::from_utf8(bytes).ok().map(Into::into))
    }

    /// The synctest bubble of a goroutine (Go 1.25+) or its group (Go 1.24), if it is in one.
    #[must_use]
    pub fn bubble(&self, g: Addr) -> Option<Bubble> {
        let of = |name| self.pointer(g, &[("runtime.g", name)]).into_value().filter(|a| !a.is_null());
        if let Some(bubble) = of("bubble") {
            let id = self.word(bubble, &[("runtime.synctestBubble", "id")]).into_value()?;
            return Some(Bubble { kind: BubbleKind::Bubble, id });
        }
        // A group is called by its root goroutine.
        let root = self.pointer(of("syncGroup")?, &[("runtime.synctestGroup", "root")]).into_value()?;
        let id = self.word(root, &[("runtime.g", "goid")]).into_value()?;
        Some(Bubble { kind: BubbleKind::Group, id })
    }
}

/// Memory by the addresses that a module's file states.
struct Moved<'a> {
    memory: &'a dyn Memory,
    bias: Bias,
}

impl Stated for Moved<'_> {
    fn fill(&self, at: LinkAddr, buf: &mut [u8]) -> bool {
        self.memory.read(self.bias.load(at), buf).is_ok()
    }

    fn part(&self, at: LinkAddr, len: u64) -> Option<Part> {
        Loaded(self.memory).part(LinkAddr(self.bias.load(at).0), len)
    }
}

fn plus(at: Addr, offset: u64) -> Addr {
    Addr(at.0.wrapping_add(offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::tests::{bucket, strings};
    use crate::testkit::{check, layouts, memory, words};
    use crate::{Layouts, Runtime};
    use gopsy_mem::SliceMemory;
    use gopsy_model::Source;

    const LABELS: u64 = 0xc000_8000;

    fn labels(form: LabelForm, memory: &SliceMemory) -> Known<Vec<Label>> {
        let layouts: Layouts = layouts();
        layouts.label_form.set(form).unwrap();
        Runtime::new(memory, &layouts, Bias::ZERO, Source::Core).labels(Addr(LABELS))
    }

    fn at(words_there: &[u64]) -> SliceMemory {
        memory().with(Addr(LABELS), words(words_there))
    }

    fn one() -> Option<Vec<Label>> {
        Some(vec![("k".into(), "vw".into())])
    }

    #[test]
    fn labels_of_a_list() {
        let of = |list: &[u64], pairs: &[u64]| {
            let memory = at(list).with(Addr(0xc000_8100), words(pairs)).with(Addr(0xc000_8200), *b"kvw");
            labels(LabelForm::List, &memory)
        };
        let (k, vw) = ([0xc000_8200, 1], [0xc000_8201, 2]);
        assert_eq!(of(&[0xc000_8100, 1, 1], &[k, vw].concat()).into_value(), one());
        assert_eq!(of(&[0, 0, 0], &[]).into_value(), Some(Vec::new()));
        // Not sorted, more than there is room for, gone.
        assert_eq!(of(&[0xc000_8100, 2, 2], &[vw, k, k, vw].concat()).value(), None);
        assert_eq!(of(&[0xc000_8100, 2, 1], &[k, vw].concat()).value(), None);
        let lost = of(&[0xdead_0000, 1, 1], &[]);
        assert!(lost.missing().is_some_and(|why| why.to_string().contains("0xdead0000")), "{lost:?}");
    }

    /// Behind the pointer to a map stand other objects' words: they are nobody's labels, whatever they are.
    #[test]
    fn labels_of_a_map() {
        for neighbours in [[0, 0], [0xc000_8100, 1], [1, 1]] {
            let memory = at(&[0xc000_8100, neighbours[0], neighbours[1]])
                .with(Addr(0xc000_8100), words(&[1, 0, 0xc000_8300, 0]))
                .with(Addr(0xc000_8300), bucket(&[(7, [0xc000_8200, 1], [0xc000_8201, 2])]))
                .with(Addr(0xc000_8200), *b"kvw");
            assert_eq!(labels(LabelForm::Map(strings()), &memory).into_value(), one());
        }
        let none = labels(LabelForm::Map(strings()), &at(&[0, 0xc000_8100, 1]));
        assert_eq!(none.into_value(), Some(Vec::new()));
        let lost = at(&[0xc000_8100]).with(Addr(0xc000_8100), words(&[1, 0, 0xdead_0000, 0]));
        let lost = labels(LabelForm::Map(strings()), &lost);
        assert!(lost.missing().is_some_and(|why| why.to_string().contains("0xdead0000")), "{lost:?}");
    }

    /// No list, no map: no guess, and not none.
    #[test]
    fn labels_of_no_known_form() {
        let why = labels(LabelForm::NotKnown("why"), &at(&[0, 0, 0]));
        assert_eq!(why, Known::Missing(Missing::NotSupported("why".into())));
        // This made-up program lists no types.
        let unlisted = check(&at(&[0, 0, 0]), |runtime| runtime.labels(Addr(LABELS)));
        assert!(unlisted.missing().is_some_and(|why| why.to_string().contains("runtime/pprof")), "{unlisted:?}");
        assert_eq!(check(&memory(), |runtime| runtime.labels(Addr(0))).into_value(), Some(Vec::new()));
    }
}
