//! One connection from its beginning to its end; what is checked is in `src/fuzzing/`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| slotwork::testing::fuzzing::connection(data));
