//! What proxies report of their clients; the checks are in `src/testing/fuzzing/`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| slotwork::testing::fuzzing::proxy_header(data));
