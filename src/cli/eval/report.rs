//! What became of the scenarios: a row a channel, and the sums with their intervals.

use serde::Serialize;

use super::interval;
use super::plan::Wanted;
use crate::event::Level;

/// What became of an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    /// Never reached its level.
    Missed,
    /// Reached it, but after `within`.
    Late,
    /// Reached it before there was anything to see.
    Early,
    /// Rose above its level.
    TooHigh,
    /// The channel is not in the recordings.
    Absent,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Missed => "MISSED",
            Outcome::Late => "LATE",
            Outcome::Early => "EARLY",
            Outcome::TooHigh => "TOO HIGH",
            Outcome::Absent => "NOT THERE",
        }
    }
}

/// One channel of one scenario. Times are seconds of stream from `from`.
#[derive(Debug, Serialize)]
pub struct Row {
    pub channel: String,
    pub wanted: Wanted,
    pub outcome: Outcome,
    pub highest: Level,
    pub first_alert_s: Option<f64>,
    pub reached_s: Option<f64>,
    pub false_alerts: u64,
    pub hours: f64,
}

impl Row {
    pub fn absent(channel: String, wanted: &Wanted) -> Self {
        Self {
            channel,
            wanted: *wanted,
            outcome: Outcome::Absent,
            highest: Level::None,
            first_alert_s: None,
            reached_s: None,
            false_alerts: 0,
            hours: 0.0,
        }
    }
}

#[derive(Debug, Serialize)]
pub struct Judged {
    pub name: String,
    pub channels: Vec<Row>,
}

/// A number with its interval at 95 %.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Measured {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// Everything, as `--json` prints it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub ok: bool,
    pub scenarios: Vec<Judged>,
    /// Channels on which something must be seen, and those on which it was, in time.
    pub must_be_seen: u64,
    pub seen: u64,
    pub seen_share: Measured,
    /// Channels that have a level above which they must not rise.
    pub must_be_silent: u64,
    pub false_alerts: u64,
    pub silent_hours: f64,
    pub false_alerts_per_hour: Measured,
    /// Seconds from `from` to the expected level, over what was seen.
    pub reached_median_s: Option<f64>,
    pub reached_most_s: Option<f64>,
}

impl Report {
    pub fn add(&mut self, name: &str, channels: Vec<Row>) {
        self.scenarios.push(Judged { name: name.to_owned(), channels });
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.scenarios.iter().flat_map(|scenario| &scenario.channels)
    }

    /// Works out the sums.
    pub fn finish(&mut self) {
        let (mut must, mut seen, mut silent, mut alerts, mut hours) = (0, 0, 0, 0, 0.0);
        let mut reached = Vec::new();
        for row in self.rows() {
            if row.wanted.at_least.is_some() {
                must += 1;
                if matches!(row.outcome, Outcome::Ok | Outcome::TooHigh) {
                    seen += 1;
                    reached.extend(row.reached_s);
                }
            }
            if row.wanted.at_most.is_some() {
                silent += 1;
                alerts += row.false_alerts;
                hours += row.hours;
            }
        }
        let ok = self.rows().all(|row| row.outcome == Outcome::Ok);
        let (low, high) = interval::share(seen, must);
        let share = if must == 0 { 0.0 } else { seen as f64 / must as f64 };
        self.seen_share = Measured { value: share, low, high };
        if hours > 0.0 {
            let (low, high) = interval::mean(alerts);
            let value = alerts as f64 / hours;
            self.false_alerts_per_hour = Measured { value, low: low / hours, high: high / hours };
        }
        reached.sort_by(f64::total_cmp);
        self.reached_median_s = reached.get(reached.len() / 2).copied();
        self.reached_most_s = reached.last().copied();
        (self.ok, self.must_be_seen, self.seen) = (ok, must, seen);
        (self.must_be_silent, self.false_alerts, self.silent_hours) = (silent, alerts, hours);
    }

    /// A table for people.
    pub fn told(&self) -> String {
        let mut table = vec![
            ["scenario", "channel", "expected", "outcome", "first alert", "reached", "highest"]
                .map(str::to_owned),
        ];
        for scenario in &self.scenarios {
            for row in &scenario.channels {
                let time = |s: Option<f64>| s.map_or_else(|| "-".to_owned(), seconds);
                table.push([
                    scenario.name.clone(),
                    row.channel.clone(),
                    row.wanted.told(),
                    row.outcome.name().to_owned(),
                    time(row.first_alert_s),
                    time(row.reached_s),
                    row.highest.name().to_owned(),
                ]);
            }
        }
        let mut widths = [0; 7];
        for row in &table {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |row: &[String; 7]| {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let mut lines: Vec<String> = table.iter().map(line).collect();
        lines.push(String::new());
        lines.extend(self.sums());
        lines.push(if self.ok { "ok".into() } else { "not as expected".into() });
        lines.join("\n")
    }

    fn sums(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.must_be_seen > 0 {
            let Measured { value, low, high } = self.seen_share;
            lines.push(format!(
                "seen      {} of {} ({:.0} %, 95 % interval {:.0} to {:.0} %)",
                self.seen,
                self.must_be_seen,
                100.0 * value,
                100.0 * low,
                100.0 * high
            ));
        }
        if let (Some(median), Some(most)) = (self.reached_median_s, self.reached_most_s) {
            lines.push(format!(
                "reached   after {} in the median, {} at most",
                seconds(median),
                seconds(most)
            ));
        }
        if self.must_be_silent > 0 {
            let Measured { value, low, high } = self.false_alerts_per_hour;
            lines.push(format!(
                "silent    {} false alerts on {} channels in {:.1} stream hours: {value:.2} an hour (95 % interval {low:.2} to {high:.2})",
                self.false_alerts, self.must_be_silent, self.silent_hours
            ));
        }
        lines
    }
}

/// `42 s`, `6 min 12 s`, `1 h 2 min`; negative with its sign.
pub fn seconds(s: f64) -> String {
    let sign = if s < 0.0 { "-" } else { "" };
    let whole = s.abs().round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{sign}{s} s"),
        (0, m, 0) => format!("{sign}{m} min"),
        (0, m, s) => format!("{sign}{m} min {s} s"),
        (h, m, _) => format!("{sign}{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_say_how_much_was_seen_and_how_often_it_cried_wolf() {
        let row = |wanted, outcome, reached_s, false_alerts| Row {
            wanted,
            outcome,
            reached_s,
            false_alerts,
            hours: 2.0,
            ..Row::absent("k:1".into(), &wanted)
        };
        let must = Wanted { at_least: Some(Level::Danger), ..Wanted::default() };
        let silent = Wanted::silent(Level::Watch);
        let mut report = Report::default();
        report.add(
            "evening",
            vec![
                row(must, Outcome::Ok, Some(372.0), 0),
                row(must, Outcome::Missed, None, 0),
                row(silent, Outcome::TooHigh, None, 1),
                row(silent, Outcome::Ok, None, 0),
            ],
        );
        report.finish();
        assert!(!report.ok);
        assert_eq!((report.seen, report.must_be_seen, report.must_be_silent), (1, 2, 2));
        assert_eq!(report.false_alerts_per_hour.value, 0.25);
        let told = report.told();
        for words in [
            "seen      1 of 2 (50 %",
            "1 false alerts on 2 channels in 4.0 stream hours: 0.25",
            "6 min 12 s",
            "MISSED",
            "not as expected",
        ] {
            assert!(told.contains(words), "{words} in\n{told}");
        }
    }
}
