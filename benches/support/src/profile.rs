//! The two ways in which cargo builds the programs that are compared.

use std::str::FromStr;

use anyhow::{Error, Result, bail};

/// A profile of cargo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// `plain`, cargo's own settings: no link-time optimization, 16 codegen units.
    Default,
    /// `release`: fat link-time optimization and one codegen unit.
    Lto,
}

impl Profile {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Default, Self::Lto];

    /// Returns its name for cargo, which is its folder's too.
    pub const fn cargo_name(self) -> &'static str {
        match self {
            Self::Default => "plain",
            Self::Lto => "release",
        }
    }
}

impl FromStr for Profile {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "default" => Ok(Self::Default),
            "lto" => Ok(Self::Lto),
            _ => bail!("the profiles are default and lto"),
        }
    }
}
