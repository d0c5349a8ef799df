//! Messages of a web channel's clients; the checks are in `webchannel/src/testing.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| slotwork_webchannel::testing::message(data));
