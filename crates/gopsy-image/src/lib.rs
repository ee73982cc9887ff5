//! Executable files: ELF, build id, build info, pclntab, moduledata, DWARF.
//!
//! An [`Image`] is one executable file. Nothing is read before it is asked for, and what was asked for is kept where
//! that pays (pclntab's place, inflated DWARF). All addresses here are [`gopsy_mem::LinkAddr`]: as the file states them.
//!
//! Invariants: no bytes of a file cause a panic, an endless loop, or an allocation larger than a small multiple of the
//! file; what this crate cannot read yet is [`ImageError::NotSupported`], never a guess.
//!
//! Formats: pclntab of Go 1.16 to 1.27 (`internal/abi/symtab.go`, `runtime/symtab.go`), build info of all releases that
//! have it (`debug/buildinfo`), DWARF 4 and 5 as the Go linker writes them.

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects))]

mod buildinfo;
mod bytes;
mod cut;
mod debugfile;
mod dwarf;
mod elf;
mod error;
mod func;
mod moduledata;
mod note;
mod pclntab;
mod quoted;
mod reloc;
mod stated;
mod symbols;
mod typebody;
mod typelist;
mod typename;
mod typepath;
mod unwind;

#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_places;

pub use buildinfo::{BuildInfo, Module};
pub use cut::Cut;
pub use debugfile::DebugFile;
pub use dwarf::lines::{CodeInfo, DebugFunction, DebugInlined, LineRow};
pub use dwarf::{DebugInfo, Field, Found, StructLayout, Variable};
pub use elf::{BuildId, Bytes, Image, Machine, Section, Segment, hex};
pub use error::ImageError;
pub use func::runs::LineRun;
pub use func::{Func, FuncFlags, SourceFrame};
pub use moduledata::{ModuleData, TextSection};
pub use note::{Note, Notes};
pub use pclntab::{Format, GoModule, Pclntab};
pub use stated::{Loaded, Part, Stated};
pub use symbols::{Symbol, SymbolKind, SymbolTable};
pub use typebody::{StructField, TypeBody};
pub use typelist::Itab;
pub use typename::{TypeKind, TypeName, TypeSection};
pub use typepath::MapBody;
pub use unwind::UnwindSection;
