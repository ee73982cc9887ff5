//! Executable files: ELF, build id, build info, pclntab, moduledata, DWARF.
