//! The frame reader of a client; what is checked is in `src/fuzzing/`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| slotwork::testing::fuzzing::frames_client(data));
