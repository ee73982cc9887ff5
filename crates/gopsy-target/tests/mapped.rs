//! How many files may be mapped: a process of its own, because that is a matter of the whole process.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_target::MappedFile;

#[test]
fn so_many_files_are_mapped_and_no_more() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"hello").unwrap();
    let mut mapped = Vec::new();
    let refused = loop {
        match MappedFile::open(file.path()) {
            Ok(another) => mapped.push(another),
            Err(why) => break why,
        }
    };
    assert!(mapped.len() > 200 && refused.to_string().contains("too many files are mapped"), "{refused}");
    assert!(mapped.iter().all(|file| file.as_ref() == b"hello" && file.unchanged()));
    mapped.pop();
    assert!(MappedFile::open(file.path()).is_ok());
}
