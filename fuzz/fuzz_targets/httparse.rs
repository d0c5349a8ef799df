//! Heads of requests and answers beside httparse's reading; the checks are in `src/testing/fuzzing/`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| slotwork::testing::fuzzing::httparse(data));
