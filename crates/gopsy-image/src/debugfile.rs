//! Debug information and symbols, which may lie in a file of their own.

use crate::{CodeInfo, DebugInfo, Image, ImageError, SymbolTable};
use std::sync::Arc;

/// What looks for the debug file of an executable.
pub(crate) type FindDebug = Box<dyn Fn(&Image) -> Option<DebugFile> + Send + Sync>;

/// The debug file of an executable: what was taken out of it when it was stripped.
#[derive(Debug, Clone)]
pub struct DebugFile {
    /// The file itself.
    pub image: Arc<Image>,
    /// Where it is and how it was found, in words.
    pub found: String,
}

impl Image {
    /// What looks for the debug file, when debug information or symbols are first asked for and the file itself has none. Who finds it
    /// has to prove that it belongs to this file. Only the first finder counts.
    pub fn find_debug_by(&self, find: impl Fn(&Image) -> Option<DebugFile> + Send + Sync + 'static) {
        let _ = self.find_debug.set(Box::new(find));
    }

    /// The debug file, if there is one. Looked for once.
    #[must_use]
    pub fn debug_file(&self) -> Option<&DebugFile> {
        self.debug_file.get_or_init(|| self.find_debug.get()?(self)).as_ref()
    }

    /// DWARF, the file's own or that of its debug file. Inflated once, when first asked for.
    ///
    /// # Errors
    /// When there is none (`-ldflags=-w`), or it cannot be inflated.
    pub fn debug_info(&self) -> Result<&DebugInfo, ImageError> {
        let own = self.debug.get_or_init(|| DebugInfo::load(self)).as_ref();
        self.or_of_debug_file(own, Image::debug_info)
    }

    /// What DWARF says of places in the code. Inflated once, when first asked for.
    ///
    /// # Errors
    /// As [`Image::debug_info`].
    pub fn code_info(&self) -> Result<&CodeInfo, ImageError> {
        let own = self.code.get_or_init(|| CodeInfo::load(self)).as_ref();
        self.or_of_debug_file(own, Image::code_info)
    }

    /// Where the file itself has none, what its debug file has; of one that is damaged nothing.
    fn or_of_debug_file<'a, T>(
        &'a self,
        own: Result<&'a T, &ImageError>,
        ask: fn(&'a Image) -> Result<&'a T, ImageError>,
    ) -> Result<&'a T, ImageError> {
        own.or_else(|error| match error {
            ImageError::Absent(_) | ImageError::Cut(_) => {
                self.debug_file().and_then(|file| ask(&file.image).ok()).ok_or_else(|| error.clone())
            }
            _ => Err(error.clone()),
        })
    }

    /// The symbol table, by address. Sorted once, when first asked for; of a stripped file that of its debug file, else empty.
    #[must_use]
    pub fn symbol_table(&self) -> &SymbolTable {
        self.symbols.get_or_init(|| {
            let own = SymbolTable::read(self.file());
            if !own.is_empty() && !own.only_dynamic() {
                return own;
            }
            let whole = |table: &SymbolTable| !table.is_empty() && !table.only_dynamic();
            let of_debug_file = self.debug_file().map(|file| SymbolTable::of_debug_file(file.image.file()));
            of_debug_file.filter(whole).unwrap_or(own)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::DebugFile;
    use crate::testkit::{Elf, image};
    use crate::{Image, ImageError};
    use gopsy_mem::LinkAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn stripped() -> Elf {
        Elf::new().segment(0x40_0000, "r", &[0x90; 64]).section(".text", 0x40_0000, &[0x90; 64])
    }

    fn with_symbol(name: &str) -> Elf {
        stripped().symbols(&[(name, 0x40_0010, 8, 2)])
    }

    fn found(elf: &Elf) -> DebugFile {
        DebugFile { image: Arc::new(image(elf)), found: "there".to_owned() }
    }

    fn names(image: &Image) -> Vec<String> {
        let symbols = image.symbol_table().covering(image, LinkAddr(0x40_0012));
        symbols.into_iter().map(|symbol| symbol.name.into_owned()).collect()
    }

    #[test]
    fn symbols_of_a_stripped_file_are_its_debug_files() {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        let bare = image(&stripped());
        bare.find_debug_by(|_| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            Some(found(&with_symbol("of_debug_file")))
        });
        assert_eq!(ASKED.load(Ordering::Relaxed), 0, "not before somebody asks");
        assert_eq!(names(&bare), ["of_debug_file"]);
        assert!(matches!(bare.debug_info(), Err(ImageError::Absent(_))) && bare.code_info().is_err());
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
        // What the file has itself counts.
        let own = image(&with_symbol("own"));
        own.find_debug_by(|_| Some(found(&with_symbol("of_debug_file"))));
        assert_eq!(names(&own), ["own"]);
        assert!(names(&image(&stripped())).is_empty());
    }

    #[test]
    fn a_damaged_debug_file_says_nothing() {
        let bare = image(&stripped());
        bare.find_debug_by(|_| Some(found(&stripped().compressed_section(".debug_info", &vec![0; 4 << 20]))));
        assert!(matches!(bare.debug_info(), Err(ImageError::Absent(_))));
    }
}
