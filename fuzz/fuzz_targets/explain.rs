//! Any bytes as a crash text, explained and written in every form: no panic, nothing raw on a terminal, JSON that parses.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    gopsy_fuzz::explain_all(bytes);
});
