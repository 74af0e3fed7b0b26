//! `vigie eval scenarios PATH`: recordings replayed against what must be seen in them and what must stay silent. In: a
//! plan (`scenarios.toml`). Out: a table for people or one JSON object; exit 1 if an expectation is broken.

mod chat;
mod frames;
mod interval;
mod measure;
mod plan;
mod report;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;

pub use self::chat::chat;
pub use self::frames::frames;
use self::plan::{Plan, Scenario, Wanted};
use self::report::{Outcome, Report, Row};
use super::args::EvalScenariosArgs;
use super::{CliError, replay, say, setup};
use crate::alert::ChangeKind;
use crate::config::Config;
use crate::event::{Level, Timestamp};
use crate::sim;

/// Exit 1 if an expectation is broken, 2 for a plan that cannot be read.
pub fn scenarios(args: &EvalScenariosArgs) -> Result<(), CliError> {
    let config = setup::config(&args.config.config)?;
    let (plan, folder) = Plan::read(&args.path)?;
    let threads = args.threads.unwrap_or(config.models.threads).max(1);
    let bar = ProgressBar::new(plan.scenarios.len() as u64);
    bar.enable_steady_tick(Duration::from_millis(250));
    let mut report = Report::default();
    for scenario in &plan.scenarios {
        bar.set_message(scenario.name.clone());
        let rows = run(scenario, &folder, &config, threads)?;
        report.add(&scenario.name, rows);
        bar.inc(1);
    }
    bar.finish_and_clear();
    report.finish();
    if args.json {
        // Strings, numbers and lists under fixed names always serialise.
        say(serde_json::to_string(&report).unwrap_or_default())?;
    } else {
        say(report.told())?;
    }
    if report.ok { Ok(()) } else { Err(CliError::Silent(1)) }
}

/// What one channel did in a scenario.
#[derive(Default)]
struct Seen {
    highest: Level,
    first_alert: Option<Timestamp>,
    /// When each level was first reached by an alert.
    reached: [Option<Timestamp>; Level::ALL.len()],
    /// Alerts opened, opened again or raised, with the level that they then had.
    raised: Vec<Level>,
}

impl Seen {
    fn take(&mut self, change: &crate::alert::Change) {
        let alert = &change.alert;
        if !matches!(
            change.kind,
            ChangeKind::Opened | ChangeKind::Raised | ChangeKind::Reopened | ChangeKind::Updated
        ) {
            return;
        }
        self.first_alert.get_or_insert(alert.opened_at);
        for level in Level::ALL.into_iter().filter(|level| *level <= alert.level_now) {
            self.reached[level as usize].get_or_insert(alert.updated_at);
        }
        if change.kind != ChangeKind::Updated {
            self.raised.push(alert.level_now);
        }
    }
}

fn run(
    scenario: &Scenario,
    folder: &Path,
    config: &Config,
    threads: usize,
) -> Result<Vec<Row>, CliError> {
    let made = simulated(scenario)?;
    let mut paths: Vec<PathBuf> =
        scenario.recordings.iter().map(|path| folder.join(path)).collect();
    paths.extend(made.as_ref().map(|made| made.0.clone()));
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let counts = replay::replay(&paths, config, threads, &mut |change| {
        seen.entry(change.alert.channel.as_str().to_owned()).or_default().take(change);
    })?;
    for (channel, level) in &counts.highest {
        let seen = seen.entry(channel.clone()).or_default();
        seen.highest = seen.highest.max(Level::from_name(level).unwrap_or_default());
    }
    let wanted = scenario.channels.iter().map(|wanted| (wanted.id.clone(), *wanted.what()));
    let mut wanted: BTreeMap<String, Wanted> = wanted.collect();
    for channel in counts.spans.keys() {
        wanted.entry(channel.clone()).or_insert_with(|| Wanted::silent(scenario.others));
    }
    let none = Seen::default();
    let row = |(channel, wanted): (String, Wanted)| {
        let seen = seen.get(&channel).unwrap_or(&none);
        judge(channel.clone(), &wanted, seen, counts.spans.get(&channel).copied())
    };
    Ok(wanted.into_iter().map(row).collect())
}

/// Holds what was seen against what was wanted.
fn judge(
    channel: String,
    wanted: &Wanted,
    seen: &Seen,
    span: Option<(Timestamp, Timestamp)>,
) -> Row {
    let Some((begins, ends)) = span else { return Row::absent(channel, wanted) };
    let from = begins.plus_ms(wanted.from_ms);
    let after = |at: Timestamp| at.since(from) as f64 / 1000.0;
    let reached = wanted.at_least.and_then(|least| seen.reached[least as usize]);
    let mut outcome = Outcome::Ok;
    if let Some(least) = wanted.at_least {
        if seen.highest < least {
            outcome = Outcome::Missed;
        } else if let Some(reached) = reached {
            if wanted.from_ms > 0 && reached < from {
                outcome = Outcome::Early;
            } else if wanted.within_ms.is_some_and(|within| reached.since(from) > within) {
                outcome = Outcome::Late;
            }
        }
    }
    let above = |level: &&Level| wanted.at_most.is_some_and(|most| **level > most);
    if outcome == Outcome::Ok && above(&&seen.highest) {
        outcome = Outcome::TooHigh;
    }
    Row {
        channel,
        wanted: *wanted,
        outcome,
        highest: seen.highest,
        first_alert_s: seen.first_alert.map(after),
        reached_s: reached.map(after),
        false_alerts: seen.raised.iter().filter(above).count() as u64,
        hours: ends.since(begins) as f64 / 3_600_000.0,
    }
}

/// The recording of a simulated scenario; removed when dropped.
struct Made(PathBuf);

impl Drop for Made {
    fn drop(&mut self) {
        // It lies in the system's temporary folder; what cannot be removed is cleaned there.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn simulated(scenario: &Scenario) -> Result<Option<Made>, CliError> {
    let Some(name) = &scenario.simulated else { return Ok(None) };
    let show = sim::Scenario::by_name(name).ok_or_else(|| {
        let names = sim::Scenario::names().join(", ");
        CliError::Usage(format!(
            "scenario `{}`: nothing is simulated as `{name}`; there are: {names}",
            scenario.name
        ))
    })?;
    let show = match scenario.seed {
        Some(seed) => show.seeded(seed),
        None => show,
    };
    let file = format!("vigie-scenario-{}-{}.jsonl.zst", std::process::id(), uuid::Uuid::new_v4());
    let made = Made(std::env::temp_dir().join(file));
    let looks = scenario.looks.map(|every| every.0).unwrap_or_default();
    show.write_recording(&made.0, looks)
        .map_err(|error| CliError::Runtime(format!("{}: {error}", made.0.display())))?;
    Ok(Some(made))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(levels: &[(i64, Level)]) -> Seen {
        let mut seen = Seen::default();
        for (at, level) in levels {
            seen.first_alert.get_or_insert(Timestamp(*at));
            for low in Level::ALL.into_iter().filter(|low| low <= level) {
                seen.reached[low as usize].get_or_insert(Timestamp(*at));
            }
            seen.raised.push(*level);
            seen.highest = seen.highest.max(*level);
        }
        seen
    }

    fn outcome(wanted: Wanted, seen: &Seen) -> (Outcome, u64) {
        let row = judge("k:1".into(), &wanted, seen, Some((Timestamp(0), Timestamp(3_600_000))));
        (row.outcome, row.false_alerts)
    }

    #[test]
    fn what_must_be_seen_must_be_seen_in_time_and_not_before_it_is_there() {
        let wanted = Wanted {
            at_least: Some(Level::Danger),
            at_most: None,
            within_ms: Some(60_000),
            from_ms: 100_000,
        };
        let danger = |at| seen(&[(at - 1000, Level::Concern), (at, Level::Danger)]);
        assert_eq!(outcome(wanted, &danger(160_000)), (Outcome::Ok, 0));
        assert_eq!(outcome(wanted, &danger(160_001)), (Outcome::Late, 0));
        assert_eq!(outcome(wanted, &danger(99_999)), (Outcome::Early, 0));
        assert_eq!(outcome(wanted, &seen(&[(110_000, Level::Concern)])), (Outcome::Missed, 0));
        assert_eq!(outcome(wanted, &Seen::default()), (Outcome::Missed, 0));
        assert_eq!(judge("k:1".into(), &wanted, &Seen::default(), None).outcome, Outcome::Absent);
    }

    #[test]
    fn what_must_stay_silent_counts_every_alert_above_it() {
        let wanted = Wanted::silent(Level::Watch);
        assert_eq!(
            outcome(wanted, &Seen { highest: Level::Watch, ..Seen::default() }).0,
            Outcome::Ok
        );
        let twice = seen(&[(1, Level::Concern), (2, Level::Danger)]);
        assert_eq!(outcome(wanted, &twice), (Outcome::TooHigh, 2));
        assert_eq!(outcome(Wanted::silent(Level::Concern), &twice), (Outcome::TooHigh, 1));
    }
}
