//! The check of the request that opens a connection; the checks are in `src/testing/fuzzing/`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| slotwork::testing::fuzzing::head(data));
