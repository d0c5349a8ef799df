//! Tests of the decoder and the encoder together.

#[cfg(feature = "compression")]
mod compressed;
mod control_frames;
mod direct_reading;
mod frame_events;
mod limits;
mod memory;
mod messages;
mod round_trip;
mod text;
mod violations;
