//! The small values a config is written in: durations, byte sizes, dates, references to credentials. Text comes
//! in as people write it (`5m`, `8MiB`), comes out typed, and is written again in the same form.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::Timestamp;

/// A span of time, written as a whole number and a unit: `500ms`, `30s`, `5m`, `24h`, `90d`; parts may be
/// joined, largest first (`1h30m`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dur(pub Duration);

const DUR_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const DUR_FORM: &str = "a duration such as `30s`, `5m`, `24h` or `90d`";

impl Dur {
    pub const fn ms(n: u64) -> Self {
        Self(Duration::from_millis(n))
    }

    pub const fn secs(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    pub const fn mins(n: u64) -> Self {
        Self::secs(n * 60)
    }

    pub const fn hours(n: u64) -> Self {
        Self::secs(n * 3600)
    }

    pub const fn days(n: u64) -> Self {
        Self::secs(n * 86_400)
    }

    /// Whole milliseconds; saturates at `i64::MAX`.
    pub fn as_ms(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }

    /// Reads the written form; `None` if it is none or does not fit.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let mut total = 0_u64;
        let mut smallest = u64::MAX;
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|&n| n > 0)?;
            let number: u64 = rest[..digits].parse().ok()?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (_, unit) = DUR_UNITS.iter().find(|(name, _)| *name == &rest[..letters])?;
            if *unit >= smallest {
                return None;
            }
            smallest = *unit;
            total = total.checked_add(number.checked_mul(*unit)?)?;
            rest = &rest[letters..];
        }
        Some(Self::ms(total))
    }
}

impl fmt::Display for Dur {
    /// One whole number in the largest unit that is exact; days only from two days on (`24h`, `90d`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if ms == 0 {
            return f.write_str("0s");
        }
        for (name, unit) in DUR_UNITS {
            let few_days = unit == 86_400_000 && ms < 2 * unit;
            if ms.is_multiple_of(unit) && !few_days {
                return write!(f, "{}{name}", ms / unit);
            }
        }
        write!(f, "{ms}ms")
    }
}

/// A number of bytes, written `512KiB`, `8MiB`, `2GiB` (powers of 1024) or `10MB` (of 1000).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

const SIZE_UNITS: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];
const SIZE_FORM: &str = "a size such as `512KiB`, `8MiB` or `2GiB`";

impl Size {
    pub const fn kib(n: u64) -> Self {
        Self(n << 10)
    }

    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }

    pub const fn gib(n: u64) -> Self {
        Self(n << 30)
    }

    /// Reads the written form; `None` if it is none or does not fit.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).filter(|&n| n > 0)?;
        let number: u64 = text[..digits].parse().ok()?;
        let (_, unit) = SIZE_UNITS.iter().find(|(name, _)| *name == text[digits..].trim_start())?;
        number.checked_mul(*unit).map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, unit) in &SIZE_UNITS[..4] {
            if self.0 > 0 && self.0.is_multiple_of(*unit) {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// The name of a credential; what it opens stands outside the file (see [`crate::config::credential`]). In the
/// file always `{ credential = "name" }`: a plain string is refused and never repeated in a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// Name of the credential: lower-case letters, digits and `-`.
    pub credential: String,
}

/// What a [`Secret`] must look like, as error messages say it.
pub(super) const SECRET_FORM: &str = "a credential's name, `{ credential = \"name\" }`";

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(SECRET_FORM)
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Secret, E> {
                Err(E::invalid_type(de::Unexpected::Other("a plain text"), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Named {
                    credential: String,
                }
                let named = Named::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Secret { credential: named.credential })
            }
        }
        d.deserialize_any(Form)
    }
}

/// The last moment at which something holds: a date (until the end of that day, UTC) or a time with offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Until(pub Timestamp);

const UNTIL_FORM: &str =
    "a date such as `\"2027-01-31\"` or a time such as `\"2027-01-31T18:00:00Z\"`";

impl Until {
    /// Reads a date or an RFC 3339 time between 2005 and 2100.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let whole_day = text.len() == 10;
        let at = if whole_day {
            Timestamp::parse(&format!("{text}T00:00:00Z"))?.plus_ms(86_400_000)
        } else {
            Timestamp::parse(text)?
        };
        Some(Self(at))
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Serde and schema by the written form.
macro_rules! written {
    ($type:ident, $form:expr, $pattern:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct Form;
                impl<'de> Visitor<'de> for Form {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($form)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                        $type::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
                    }

                    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<$type, A::Error> {
                        // TOML's own dates come as a map with one private key.
                        let date =
                            toml::value::Datetime::deserialize(de::value::MapAccessDeserializer::new(map))?;
                        self.visit_str(&date.to_string())
                    }
                }
                d.deserialize_any(Form)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $form, "pattern": $pattern })
            }
        }
    };
}

written!(Dur, DUR_FORM, "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$");
written!(Size, SIZE_FORM, "^[0-9]+ ?(TiB|GiB|MiB|KiB|GB|MB|kB|B)$");
written!(Until, UNTIL_FORM, "^[0-9]{4}-[0-9]{2}-[0-9]{2}");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_in_the_same_form() {
        for text in ["500ms", "30s", "5m", "24h", "90d", "36h"] {
            assert_eq!(Dur::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Dur::parse("1h30m"), Some(Dur::mins(90)));
        assert_eq!(Dur::parse("30m"), Some(Dur::secs(1800)));
        for bad in ["", "5", "m", "5 m", "-5m", "5m5h", "5min", "1.5h", "99999999999999d", "5m5m"] {
            assert_eq!(Dur::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_read_and_written_in_the_same_form() {
        for text in ["512KiB", "8MiB", "2GiB", "7B"] {
            assert_eq!(Size::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Size::parse("10MB"), Some(Size(10_000_000)));
        for bad in ["", "8", "MiB", "8mib", "-1MiB", "99999999TiB"] {
            assert_eq!(Size::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_date_holds_until_the_end_of_its_day() {
        assert_eq!(Until::parse("2027-01-31").unwrap().to_string(), "2027-02-01T00:00:00.000Z");
        assert_eq!(
            Until::parse("2027-01-31T18:00:00+01:00").unwrap().to_string(),
            "2027-01-31T17:00:00.000Z"
        );
        assert_eq!(Until::parse("soon"), None);
    }
}
