//! Frames beside tungstenite's reading and writing; the checks are in `src/testing/fuzzing/`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| slotwork::testing::fuzzing::tungstenite(data));
