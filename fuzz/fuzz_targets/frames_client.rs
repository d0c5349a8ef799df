//! The frame reader of a client; the checks are in `src/testing/fuzzing/`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| slotwork::testing::fuzzing::frames_client(data));
