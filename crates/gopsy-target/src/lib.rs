//! The readers of the outside: files, core files, mapped files.
