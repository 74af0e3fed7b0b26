//! Instants as people read them: in a named time zone, with its offset, and in UTC.

use jiff::tz::TimeZone;

use crate::event::Timestamp;

use super::dossier::Moment;
use super::words::Words;

/// A time zone, by its IANA name.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// `Europe/Paris`, …; a name that this machine does not know, and the empty one, are UTC.
    pub fn new(name: &str) -> Self {
        match TimeZone::get(name) {
            Ok(zone) if !name.is_empty() => Self { name: name.to_owned(), zone },
            _ => Self { name: "UTC".to_owned(), zone: TimeZone::UTC },
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    fn strftime(&self, at: Timestamp, format: &str) -> String {
        self.zone.to_datetime(at.to_jiff()).strftime(format).to_string()
    }

    /// `00:14:03`.
    pub fn clock(&self, at: Timestamp) -> String {
        self.strftime(at, "%H:%M:%S")
    }

    /// `00:14`.
    pub fn minute(&self, at: Timestamp) -> String {
        self.strftime(at, "%H:%M")
    }

    /// `2025-08-18`.
    pub fn date(&self, at: Timestamp) -> String {
        self.strftime(at, "%Y-%m-%d")
    }

    /// `+02:00`.
    pub fn offset(&self, at: Timestamp) -> String {
        let seconds = self.zone.to_offset(at.to_jiff()).seconds();
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.unsigned_abs() / 60;
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// Milliseconds that the zone is ahead of UTC at that instant.
    pub fn offset_ms(&self, at: Timestamp) -> i64 {
        i64::from(self.zone.to_offset(at.to_jiff()).seconds()) * 1000
    }

    /// `18 August 2025`.
    pub fn day_words(&self, at: Timestamp, words: &Words) -> String {
        let date = self.zone.to_datetime(at.to_jiff()).date();
        let month = words.t(&format!("month-{}", date.month()));
        let first = date.day() == 1 && words.lang() == "fr";
        let day = if first { "1er".to_owned() } else { date.day().to_string() };
        format!("{day} {month} {}", date.year())
    }

    /// All forms of an instant.
    pub fn moment(&self, at: Timestamp, words: &Words) -> Moment {
        let offset = self.offset(at);
        Moment {
            local: format!("{}T{}{offset}", self.date(at), self.clock(at)),
            zone: self.name.clone(),
            utc: at,
            words: format!("{}, {} (UTC{offset})", self.day_words(at, words), self.clock(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_told_with_its_offset() {
        let at = Timestamp::parse("2025-08-17T22:14:03.120Z").unwrap();
        let moment = Zone::new("no/such").moment(at, &Words::new("en"));
        assert_eq!(moment.local, "2025-08-17T22:14:03+00:00");
        assert_eq!(moment.words, "17 August 2025, 22:14:03 (UTC+00:00)");
    }
}
