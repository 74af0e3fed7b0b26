//! Time as data: milliseconds since 1970 in UTC, read from and written as RFC 3339.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// 2005-01-01T00:00:00Z: nothing was streamed live before (contracts, "Time").
const OLDEST: i64 = 1_104_537_600_000;
/// 2101-01-01T00:00:00Z.
const NEWEST: i64 = 4_133_980_800_000;

impl Timestamp {
    /// Reads RFC 3339; `None` if it is none, or lies before 2005 or after 2100.
    pub fn parse(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.parse().ok()?;
        let ms = at.as_millisecond();
        Some(Self(ms)).filter(Self::is_plausible)
    }

    /// Whether it lies in the years 2005 to 2100.
    pub fn is_plausible(&self) -> bool {
        (OLDEST..NEWEST).contains(&self.0)
    }

    /// The whole second it lies in, counted from 1970.
    pub fn second(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The UTC day it lies in, counted from 1970.
    pub fn day(self) -> i64 {
        self.0.div_euclid(86_400_000)
    }

    /// Milliseconds from `earlier` to `self`, negative if it is later.
    pub fn since(self, earlier: Timestamp) -> i64 {
        self.0 - earlier.0
    }

    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The instant as `jiff` has it; clamped to what `jiff` can hold.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl std::fmt::Display for Timestamp {
    /// `2025-08-17T22:14:03.120Z`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3}", self.to_jiff())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        // What was written by us may hold 1970 ("never"); an event's own `at` goes through [`Timestamp::parse`].
        let text = Cow::<str>::deserialize(d)?;
        let at: Result<jiff::Timestamp, _> = text.parse();
        at.map(|at| Self(at.as_millisecond()))
            .map_err(|_| serde::de::Error::custom("expected a time as in RFC 3339"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_rfc_3339_with_milliseconds() {
        let at = Timestamp::parse("2025-08-18T00:14:03.12+02:00").unwrap();
        assert_eq!(at.to_string(), "2025-08-17T22:14:03.120Z");
        assert_eq!(Timestamp::parse("2004-12-31T23:59:59Z"), None);
        assert_eq!(Timestamp::parse("2101-01-01T00:00:00Z"), None);
        assert_eq!(Timestamp::parse("yesterday"), None);
    }
}
