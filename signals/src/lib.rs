//! Signals and slots with thread-affine slots.
