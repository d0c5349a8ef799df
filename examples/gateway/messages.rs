//! The messages between devices, gateway and pages, as JSON texts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Measured values by name, such as `{"temperature":21.5}`.
pub(crate) type Values = BTreeMap<String, f64>;

/// What a device sends.
#[derive(Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum FromDevice {
    Report { values: Values },
    Answer { id: u64, text: String },
}

/// What a device receives.
#[derive(Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum ToDevice {
    Command { id: u64, command: String },
}

/// What a page sends.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum FromPage {
    Command { device: String, command: String },
    History { device: String },
}

/// What a page receives.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum ToPage<'a> {
    /// All devices at first, then those that have changed.
    Devices { devices: Vec<DeviceState> },
    /// The end of a command.
    Outcome { device: &'a str, command: &'a str, succeeded: bool, text: &'a str },
    /// The latest readings of a device, the oldest first.
    History { device: &'a str, readings: Vec<Reading> },
}

/// The state of a device, as pages show it.
#[derive(Clone, Serialize)]
pub(crate) struct DeviceState {
    pub(crate) name: String,
    pub(crate) presence: Presence,
    /// Milliseconds since 1970 of the last report; 0 without one.
    pub(crate) time: u64,
    pub(crate) values: Values,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Presence {
    Online,
    /// Connected, without a report for a while.
    Silent,
    Offline,
}

/// A report with its device and time, as the journal keeps it.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Reading {
    pub(crate) device: String,
    /// Milliseconds since 1970.
    pub(crate) time: u64,
    pub(crate) values: Values,
}

/// `QJsonDocument::toJson(QJsonDocument::Compact)`.
pub(crate) fn to_json(message: &impl Serialize) -> String {
    // It fails only for map keys that are not strings; there are none.
    serde_json::to_string(message).unwrap_or_default()
}
