//! Any bytes as a crash text: everything can be asked, and the answers agree with each other.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    gopsy_fuzz::read(bytes);
});
