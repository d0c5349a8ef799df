//! The check of the request that opens a connection; what is checked is in `src/fuzzing/`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| slotwork::testing::fuzzing::head(data));
